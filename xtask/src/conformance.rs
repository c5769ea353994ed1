//! One test for each case of the FIDO conformance tool, and the rules it has no case for: over the machine in the test's
//! own process, and over the program.

use crate::paths;
use crate::run::{cargo, program};
use crate::steps::Steps;

/// `features` as for the tests of the whole workspace, which build both programs: then they are there already.
pub(crate) fn conformance(steps: &mut Steps, features: &[&str], arguments: &[String]) {
    steps.run("build the programs", || {
        // A test of a program brings it along.
        cargo(["test", "--locked", "--workspace", "--no-run", "--quiet"])
            .args(features)
            .args(["--test", "cli", "--test", "in_process"])
            .finish()
    });
    let built = |name: &str| paths::target().join("debug").join(name);
    steps.run("conformance", || {
        program(built("wardkey-conformance"))
            .arg("--program")
            .arg(built("wardkey"))
            .args(arguments)
            .finish()
    });
}
