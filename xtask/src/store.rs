//! The store for sync, with servers that are not part of `cargo test`: Apache's mod_dav, and Garage, an S3 store of
//! several nodes.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::paths;
use crate::run::cargo;
use crate::steps::Steps;

/// Apache with its modules, and nothing that would start it as a service.
pub(crate) const PACKAGES: [&str; 1] = ["apache2-bin"];

/// The version of Garage whose commands the tests know.
const GARAGE_VERSION: &str = "2.5.0";

/// `features` as for the tests of the whole workspace: then nothing is built for this.
pub(crate) fn store(steps: &mut Steps, features: &[&str]) -> Result<(), Failure> {
    let garage = install()?;
    steps.run("stores, with Apache and Garage", || {
        cargo(["test", "--locked", "--workspace"])
            .args(features)
            .args(["--bin", "wardkey", "--test", "store"])
            .args(["--", "--ignored", "servers_needed"])
            .env("WARDKEY_TEST_GARAGE", &garage)
            .finish()
    });
    Ok(())
}

/// Garage, installed into the cache if it is not there: an unoptimised build, which takes some minutes.
pub(crate) fn install() -> Result<PathBuf, Failure> {
    if paths::has_program("garage") {
        return Ok(PathBuf::from("garage"));
    }
    let root = paths::cache("cargo")?;
    let installed = root.join("bin/garage");
    if !installed.is_file() {
        cargo(["install", "--locked", "--debug", "--no-default-features"])
            .args([
                "--features",
                "bundled-libs,lmdb",
                "garage",
                "--version",
                GARAGE_VERSION,
            ])
            .arg("--root")
            .arg(&root)
            .finish()?;
    }
    Ok(installed)
}
