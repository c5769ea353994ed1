//! The fuzz targets in `tests/fuzz`, which is a workspace of its own.
//!
//! cargo-fuzz asks the compiler for sanitizers, which stable refuses unless RUSTC_BOOTSTRAP is set.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, about};
use crate::paths;
use crate::run::{cargo, program};
use crate::steps::Steps;
use crate::tools;

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    /// Only these targets
    pub(crate) targets: Vec<String>,
}

pub(crate) fn fuzz(steps: &mut Steps, options: &Options) -> Result<(), Failure> {
    let known = targets()?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        let hint = format!("the targets are {}", known.join(", "));
        return Err(Failure::new(format!("no fuzz target is called {unknown}")).hint(hint));
    }
    tools::require_packages(&["g++"])?;
    let cargo_fuzz = install()?;
    for target in known
        .iter()
        .filter(|name| options.targets.is_empty() || options.targets.contains(name))
    {
        let seconds = format!("-max_total_time={}", options.seconds);
        steps.run(&format!("fuzz {target}"), || {
            program(&cargo_fuzz)
                .args([
                    "run",
                    "--fuzz-dir",
                    "tests/fuzz",
                    target,
                    "--",
                    &seconds,
                    "-timeout=5",
                    "-print_final_stats=1",
                ])
                .env("RUSTC_BOOTSTRAP", "1")
                .finish()
        });
    }
    Ok(())
}

/// One target for each file in `fuzz_targets`.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = paths::repository().join("tests/fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(about(&folder))? {
        let path = entry.map_err(about(&folder))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// cargo-fuzz from PATH, or from the cache, where it is built once.
pub(crate) fn install() -> Result<PathBuf, Failure> {
    if paths::has_program("cargo-fuzz") {
        return Ok(PathBuf::from("cargo-fuzz"));
    }
    let root = paths::cache("cargo")?;
    let installed = root.join("bin/cargo-fuzz");
    if !installed.is_file() {
        cargo(["install", "--locked", "cargo-fuzz", "--root"])
            .arg(&root)
            .finish()?;
    }
    Ok(installed)
}
