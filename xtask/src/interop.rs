//! The newest python-fido2 from PyPI as a client of the release binary, over its raw socket.

use crate::failure::Failure;
use crate::paths;
use crate::run::{cargo, program};
use crate::steps::Steps;
use crate::tools;

pub(crate) fn interop(steps: &mut Steps) -> Result<(), Failure> {
    let python = tools::python()?;
    steps.run("build the release binary", || {
        cargo(["build", "--locked", "--release"]).finish()
    });
    steps.run("python-fido2", || {
        program(&python)
            .args(["-m", "pytest", "-p", "no:cacheprovider", "tests/interop"])
            .env("WARDKEY", paths::target().join("release/wardkey"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .finish()
    });
    Ok(())
}
