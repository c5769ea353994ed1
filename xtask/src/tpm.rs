//! The device's keys in a TPM 2.0: the feature `tpm`, with TPMs in software that the tests start.

use crate::run::cargo;
use crate::steps::Steps;

/// A TPM in software, and the library through which programs talk to any.
pub(crate) const PACKAGES: [&str; 3] = ["swtpm", "libtss2-dev", "pkg-config"];

pub(crate) fn tpm(steps: &mut Steps) {
    let feature = ["--locked", "--package", "wardkey", "--features", "tpm"];
    steps.run("lints, with a TPM", || {
        let all_targets = ["--all-targets", "--", "--deny", "warnings"];
        cargo(["clippy"]).args(feature).args(all_targets).finish()
    });
    steps.run("tests, with a TPM", || {
        cargo(["test"])
            .args(feature)
            .args(["--bin", "wardkey", "--test", "tpm"])
            // The library says each wrong guess on standard error.
            .env("TSS2_LOG", "all+none")
            .finish()
    });
}
