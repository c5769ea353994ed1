//! What needs nothing but the toolchain: formatting, lints, documentation, and the dependencies' licences.

use crate::paths;
use crate::run::cargo;
use crate::steps::Steps;

pub(crate) fn check(steps: &mut Steps) {
    steps.run("formatting", || cargo(["fmt", "--all", "--check"]).finish());
    steps.run("lints", || {
        cargo([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ])
        .finish()
    });
    steps.run("documentation", || {
        cargo([
            "doc",
            "--locked",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ])
        .env("RUSTDOCFLAGS", "--deny warnings")
        .finish()
    });
    if paths::has_program("cargo-deny") {
        steps.run("licences and advisories", || {
            cargo(["deny", "--all-features", "check"]).finish()
        });
    } else {
        steps.skip(
            "licences and advisories",
            "cargo-deny is not installed (cargo install cargo-deny)",
        );
    }
}
