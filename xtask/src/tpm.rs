//! The device's keys in a TPM 2.0: the feature `tpm`, with TPMs in software that the tests start.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, about};
use crate::run::{cargo, program};
use crate::steps::Steps;

/// A TPM in software, and the library through which programs talk to any.
pub(crate) const PACKAGES: [&str; 3] = ["swtpm", "libtss2-dev", "pkg-config"];

/// `features` as for the tests of the whole workspace: then only the program is built again.
pub(crate) fn tpm(steps: &mut Steps, features: &[&str]) {
    steps.run("tests, with a TPM", || {
        cargo(["test", "--locked", "--workspace", "--features", "wardkey/tpm"])
            .args(features)
            .args(["--bin", "wardkey", "--test", "tpm"])
            // The library says each wrong guess on standard error.
            .env("TSS2_LOG", "all+none")
            .finish()
    });
}

/// Starts a TPM in software that was never used, whose state is in `folder`, for a virtual machine; gives the socket on
/// which it waits for the machine. It ends with it.
pub(crate) fn start_swtpm(folder: &Path) -> Result<PathBuf, Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(about(folder)(error)),
        Ok(()) | Err(_) => {}
    }
    fs::create_dir_all(folder).map_err(about(folder))?;
    let socket = folder.join("socket");
    program("swtpm")
        .args(["socket", "--tpm2", "--daemon", "--terminate", "--tpmstate"])
        .arg(format!("dir={}", folder.display()))
        .arg("--ctrl")
        .arg(format!("type=unixio,path={}", socket.display()))
        .finish()?;
    Ok(socket)
}
