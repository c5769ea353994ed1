//! The newest python-fido2 from PyPI against the release binary, over its raw socket: our tests, which use it as a client,
//! and its own tests of devices.

use std::env;
use std::path::Path;

use crate::failure::Failure;
use crate::paths;
use crate::run::{Run, cargo, program};
use crate::steps::Steps;
use crate::tools;

pub(crate) fn interop(steps: &mut Steps) -> Result<(), Failure> {
    let python = tools::python()?;
    let their_tests = tools::python_fido2_tests(&python)?;
    let older = env::join_paths(tools::older_python_fido2(&python)?)
        .map_err(|error| Failure::new(format!("the cache folder: {error}")))?;
    steps.run("build the release binary", || {
        cargo(["build", "--locked", "--release"]).finish()
    });
    steps.run("python-fido2", || {
        pytest(&python)
            .arg("tests/interop")
            .env("OLDER_FIDO2", older)
            .finish()
    });
    let device_tests = || {
        pytest(&python)
            .args(["-p", "device_suite", "--rootdir"])
            .args([&their_tests, &their_tests.join("tests/device")])
    };
    steps.run("python-fido2's device tests", || device_tests().finish());
    steps.run("python-fido2's device tests, all switches thrown", || {
        device_tests().arg("--switched").finish()
    });
    Ok(())
}

fn pytest(python: &Path) -> Run {
    program(python)
        .args(["-m", "pytest", "-p", "no:cacheprovider"])
        .env("WARDKEY", paths::target().join("release/wardkey"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", paths::repository().join("tests/interop"))
}
