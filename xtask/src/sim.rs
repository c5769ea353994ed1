//! Worlds of several devices and a store that cannot be relied on. Some are among the tests; this runs as many as one wants.

use crate::run::cargo;
use crate::steps::Steps;

pub(crate) fn sim(steps: &mut Steps, arguments: &[String]) {
    steps.run("worlds", || {
        cargo([
            "run",
            "--locked",
            "--release",
            "--package",
            "wardkey-sim",
            "--bin",
            "world",
            "--",
        ])
        .args(arguments)
        .finish()
    });
}
