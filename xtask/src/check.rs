//! What needs nothing but the toolchain: formatting, lints, documentation, and the dependencies' licences.

use crate::paths;
use crate::run::cargo;
use crate::steps::Steps;

pub(crate) fn check(steps: &mut Steps) {
    steps.run("formatting", || cargo(["fmt", "--all", "--check"]).finish());
    lints(steps, "lints", &[]);
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
    dependencies(steps);
}

pub(crate) fn lints(steps: &mut Steps, name: &str, features: &[&str]) {
    steps.run(name, || {
        cargo(["clippy", "--locked", "--workspace", "--all-targets"])
            .args(features)
            .args(["--", "--deny", "warnings"])
            .finish()
    });
}

/// Licences, sources and duplicates need nothing from outside; known vulnerabilities come from a database on GitHub.
fn dependencies(steps: &mut Steps) {
    if !paths::has_program("cargo-deny") {
        steps.skip(
            "dependencies",
            "cargo-deny is not installed (cargo install --locked cargo-deny)",
        );
        return;
    }
    steps.run("dependencies: licences and sources", || {
        cargo([
            "deny",
            "--all-features",
            "check",
            "--allow",
            "duplicate",
            "bans",
            "licenses",
            "sources",
        ])
        .finish()
    });
    steps.run("dependencies: no two versions without the demo", || {
        cargo([
            "deny",
            "--no-default-features",
            "--exclude-dev",
            "--exclude",
            "wardkey-sim",
        ])
        .args(["check", "--deny", "duplicate", "bans"])
        .finish()
    });
    if cargo(["deny", "fetch", "db"]).output().is_some() {
        steps.run("dependencies: advisories", || {
            cargo(["deny", "check", "--disable-fetch", "advisories"]).finish()
        });
    } else {
        steps.skip(
            "dependencies: advisories",
            "the advisory database cannot be reached",
        );
    }
}
