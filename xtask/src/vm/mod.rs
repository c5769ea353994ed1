//! A Debian 12 guest in QEMU where the release binary meets a real kernel, libfido2, ssh and browsers.
//!
//! The guest's disk is built once ([`image`]) and never written to; the binary and the scripts of `tests/vm` reach it
//! through a shared folder, where the steps' logs come back. One boot runs all steps up to one that cuts the power, the
//! next boot those after it ([`machine`], [`console`]). What has to outlive that is on a disk of its own.

mod console;
mod image;
mod machine;
mod plan;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use self::console::Finished;
use self::machine::{Accelerator, Machine};
use self::plan::GuestStep;
use crate::failure::{Failure, about};
use crate::output::say;
use crate::run::cargo;
use crate::steps::Steps;
use crate::{paths, tools, tpm};

/// The C library of Debian 12, which the guest runs.
const GUEST_GLIBC_MINOR: u32 = 36;
/// So much of a failed step's log is printed; the whole is in its file.
const LOG_LINES_MAX: usize = 120;

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Run only the steps whose name contains this; may be given more than once
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Boot into a shell instead of running the steps
    #[arg(long)]
    shell: bool,
    /// Build the guest's disk again
    #[arg(long)]
    rebuild: bool,
}

pub(crate) fn vm(steps: &mut Steps, options: &Options) -> Result<(), Failure> {
    let plan = plan::read(&paths::repository().join("tests/vm/steps"), &options.only)?;
    let needs_tpm = plan.iter().any(|step| step.needs_tpm);
    tools::require_packages(&["qemu-system-x86", "mmdebstrap", "e2fsprogs"])?;
    if needs_tpm {
        tools::require_packages(&tpm::PACKAGES)?;
    }
    let mut disk = None;
    let ready = steps.run("virtual machine: disk image", || {
        disk = Some(image::ready(options.rebuild)?);
        Ok(())
    }) && steps.run("virtual machine: release binary", || build(needs_tpm));
    let (true, Some(disk)) = (ready, disk) else {
        return Ok(());
    };

    let machine = Machine {
        disk,
        share: share(&plan)?,
        tpm: needs_tpm.then(|| paths::target().join("vm-tpm")),
        lasting_disk: paths::target().join("vm-lasting.ext4"),
    };
    image::empty_disk(&machine.lasting_disk)?;
    if options.shell {
        let wanted = machine.share.join("shell");
        fs::write(&wanted, "").map_err(about(&wanted))?;
        return machine.shell();
    }
    let results = run_all(&machine, &plan)?;
    report(steps, &plan, &results, &machine.share.join("results"));
    Ok(())
}

/// KVM saves most of the time where it works; a guest that does not come up with it is started without.
fn run_all(machine: &Machine, plan: &[GuestStep]) -> Result<Vec<Finished>, Failure> {
    if machine::kvm_works() {
        let results = run_with(machine, Accelerator::Kvm, plan)?;
        if !results.is_empty() {
            return Ok(results);
        }
        say!("the guest did not come up with KVM");
    }
    run_with(machine, Accelerator::Software, plan)
}

/// Boots once, and again after each power cut.
fn run_with(
    machine: &Machine,
    accelerator: Accelerator,
    mut plan: &[GuestStep],
) -> Result<Vec<Finished>, Failure> {
    let mut results: Vec<Finished> = Vec::new();
    loop {
        write_plan(&machine.share, plan)?;
        let finished = console::follow(machine, accelerator, plan)?;
        let cut = finished.last().and_then(|last| {
            let place = plan.iter().position(|step| step.name == last.name)?;
            plan.get(place..)?
                .split_first()
                .filter(|(step, _)| step.cuts_power && last.passed)
        });
        results.extend(finished);
        plan = match cut {
            Some((_, rest)) if !rest.is_empty() => rest,
            _ => return Ok(results),
        };
    }
}

fn report(steps: &mut Steps, plan: &[GuestStep], results: &[Finished], logs: &Path) {
    say!("\nThe steps' logs are in {}", logs.display());
    for step in plan {
        let name = format!("virtual machine: {}", step.name);
        match results.iter().find(|finished| finished.name == step.name) {
            Some(finished) => {
                steps.record(&name, finished.duration, finished.passed);
                if !finished.passed {
                    print_end_of(&logs.join(format!("{}.log", step.name)));
                }
            }
            None => {
                say!("{} did not run to its end", step.name);
                print_end_of(&logs.join(format!("{}.log", step.name)));
                steps.fail(&name);
            }
        }
    }
}

fn print_end_of(log: &Path) {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.len().saturating_sub(LOG_LINES_MAX);
    say!("\n---- {}", log.display());
    for line in lines.iter().skip(end) {
        say!("     {line}");
    }
}

fn binary() -> PathBuf {
    paths::target().join("release/wardkey")
}

/// The binary that can use a TPM.
fn binary_with_tpm() -> PathBuf {
    paths::target().join("release/wardkey-tpm")
}

pub(crate) fn build(with_tpm: bool) -> Result<(), Failure> {
    if with_tpm {
        cargo(["build", "--locked", "--release", "--features", "tpm"]).finish()?;
        let copy = binary_with_tpm();
        fs::copy(binary(), &copy).map_err(about(&copy))?;
        runs_in_the_guest(&copy)?;
    }
    cargo(["build", "--locked", "--release"]).finish()?;
    runs_in_the_guest(&binary())
}

/// A binary linked on a newer system asks for symbols that the guest's C library does not have.
fn runs_in_the_guest(binary: &Path) -> Result<(), Failure> {
    let bytes = fs::read(binary).map_err(about(binary))?;
    let needed = newest_glibc_minor(&bytes);
    if needed <= GUEST_GLIBC_MINOR {
        return Ok(());
    }
    Err(Failure::new(format!(
        "this binary needs glibc 2.{needed}; the guest, Debian 12, has 2.{GUEST_GLIBC_MINOR}"
    ))
    .hint("build on Debian 12 or an older system"))
}

/// The newest `GLIBC_2.N` among the symbol versions that a binary names.
fn newest_glibc_minor(binary: &[u8]) -> u32 {
    const PREFIX: &[u8] = b"GLIBC_2.";
    let minor = |window: &[u8]| {
        let digits = window
            .strip_prefix(PREFIX)?
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        digits
            .map(|&byte| char::from(byte))
            .collect::<String>()
            .parse::<u32>()
            .ok()
    };
    binary
        .windows(PREFIX.len() + 3)
        .filter_map(minor)
        .max()
        .unwrap_or(0)
}

/// Fills the folder that the guest sees as `/host`.
fn share(plan: &[GuestStep]) -> Result<PathBuf, Failure> {
    let share = paths::target().join("vm");
    if share.exists() {
        fs::remove_dir_all(&share).map_err(about(&share))?;
    }
    fs::create_dir_all(share.join("results")).map_err(about(&share))?;
    copy_folder(&paths::repository().join("tests/vm"), &share)?;
    fs::copy(binary(), share.join("wardkey")).map_err(about(&share))?;
    if plan.iter().any(|step| step.needs_tpm) {
        fs::copy(binary_with_tpm(), share.join("wardkey-tpm")).map_err(about(&share))?;
    }
    Ok(share)
}

/// What the guest is to run.
fn write_plan(share: &Path, plan: &[GuestStep]) -> Result<(), Failure> {
    let path = share.join("plan");
    let lines: String = plan
        .iter()
        .map(|step| format!("{} {} {}\n", step.file, step.name, step.seconds))
        .collect();
    fs::write(&path, lines).map_err(about(&path))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(about(to))?;
    for entry in fs::read_dir(from).map_err(about(from))? {
        let path = entry.map_err(about(from))?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name)).map_err(about(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::newest_glibc_minor;

    #[test]
    fn the_newest_glibc_symbol_version_decides() {
        assert_eq!(newest_glibc_minor(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0"), 34);
        assert_eq!(newest_glibc_minor(b"no symbols here"), 0);
    }
}
