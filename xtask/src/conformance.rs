//! One test for each case of the FIDO conformance tool, and the rules it has no case for: over the machine in the test's
//! own process, and over the program.

use crate::paths;
use crate::run::cargo;
use crate::steps::Steps;

pub(crate) fn conformance(steps: &mut Steps, arguments: &[String]) {
    steps.run("build the program", || {
        cargo(["build", "--locked", "--package", "wardkey"]).finish()
    });
    steps.run("conformance", || {
        cargo([
            "run",
            "--locked",
            "--package",
            "wardkey-conformance",
            "--",
            "--program",
        ])
        .arg(paths::target().join("debug/wardkey"))
        .args(arguments)
        .finish()
    });
}
