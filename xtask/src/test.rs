//! Everything; what is missing is installed first. What only the compiler looks at comes first, then two lanes: the program as
//! tests build it, and as it is shipped.

use std::env;
use std::io::{self, BufRead, Write};

use crate::failure::Failure;
use crate::run::cargo;
use crate::steps::Steps;
use crate::{check, conformance, fuzz, interop, paths, sim, store, tools, tpm, vm};

/// How long each fuzz target runs here; `cargo xtask fuzz` gives each a minute.
const FUZZ_SMOKE_SECONDS: u32 = 10;

/// Our answers are compared with those of the reference authenticator. Everything is built with it: another set of
/// features would be another build of most crates.
const REFERENCE: [&str; 2] = ["--features", "wardkey-sim/reference"];

/// Worlds of both kinds: from seed 2000 on they dwell on a few acts.
const WORLDS: [&str; 4] = ["--from", "1900", "--seeds", "300"];

/// A C and a C++ compiler, what the reference authenticator is built with, python-fido2's environment, and the virtual
/// machine; `store::PACKAGES` and `tpm::PACKAGES` come to it.
const PACKAGES: [&str; 10] = [
    "gcc",
    "g++",
    "libclang-dev",
    "dbus-daemon",
    "python3-venv",
    "util-linux",
    "qemu-system-x86",
    "mmdebstrap",
    "e2fsprogs",
    "uidmap",
];

pub(crate) fn test(steps: &mut Steps, yes: bool) -> Result<(), Failure> {
    let missing = tools::missing_packages(&[&PACKAGES[..], &store::PACKAGES, &tpm::PACKAGES].concat());
    announce(&missing)?;
    if !yes && env::var("CI").as_deref() != Ok("true") && !agreed()? {
        return Err(Failure::new("nothing was installed and nothing was tested")
            .hint("answer y, or give --yes; cargo xtask check needs nothing"));
    }

    steps.run("install what the tests need", || {
        tools::install_packages(&missing)?;
        let python = tools::python()?;
        tools::python_fido2_tests(&python)?;
        tools::older_python_fido2(&python)?;
        fuzz::install()?;
        store::install()?;
        Ok(())
    });
    check::check(steps);
    check::lints(
        steps,
        "lints, with the reference authenticator and a TPM",
        &["--features", "wardkey-sim/reference,wardkey/tpm"],
    );
    // The virtual machine and the clients in Python wait a lot, and want to be served soon.
    steps.side_by_side(released, |steps| {
        steps.run("tests", || {
            cargo(["test", "--locked", "--workspace"])
                .args(REFERENCE)
                .finish()
        });
        conformance::conformance(steps, &REFERENCE, &[]);
        store::store(steps, &REFERENCE)?;
        tpm::tpm(steps, &REFERENCE);
        fuzz::fuzz(
            steps,
            &fuzz::Options {
                seconds: FUZZ_SMOKE_SECONDS,
                targets: Vec::new(),
            },
        )?;
        sim::sim(steps, &WORLDS.map(str::to_owned));
        Ok(())
    });
    Ok(())
}

/// What is done with the program as it is shipped.
fn released(steps: &mut Steps) -> Result<(), Failure> {
    // Both at once: then no compiler takes the processors from the other lane's tests.
    steps.run("build the release binaries", || vm::build(true));
    interop::interop(steps)?;
    vm::vm(steps, &vm::Options::default())
}

fn announce(missing: &[&str]) -> Result<(), Failure> {
    println!("This installs, where it is not there yet:");
    if missing.is_empty() {
        println!("  Debian packages    none is missing");
    } else {
        println!("  Debian packages    {}", missing.join(" "));
    }
    println!(
        "  Python packages    fido2 in several versions, its own tests, and pytest, in {} and {}",
        paths::cache("python")?.display(),
        paths::cache("python-fido2")?.display()
    );
    println!("  cargo-fuzz, Garage in {}", paths::cache("cargo")?.display());
    println!(
        "  a Debian 12 image  for the virtual machine, about 2 GB, in {}",
        paths::cache("vm")?.display()
    );
    println!(
        "Nothing else outside this repository is changed. The first run takes about three quarters of an hour on two cores."
    );
    Ok(())
}

fn agreed() -> Result<bool, Failure> {
    print!("Go on? [y/N] ");
    let mut answer = String::new();
    let read = io::stdout()
        .flush()
        .and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.map_err(|error| Failure::new(format!("standard input: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
