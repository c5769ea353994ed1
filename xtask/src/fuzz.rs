//! The fuzz targets in `tests/fuzz`, which is a workspace of its own.
//!
//! cargo-fuzz asks the compiler for options that stable refuses unless RUSTC_BOOTSTRAP is set.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::{Failure, about};
use crate::paths;
use crate::run::{cargo, program};
use crate::steps::Steps;
use crate::tools;

const FOLDER: &str = "tests/fuzz";

/// No code of this repository is unsafe, so the address sanitizer would find little and take nine tenths of the time. Most
/// of the rest would go into comparisons inside P-256.
const FAST: [&str; 3] = ["--sanitizer", "none", "--no-trace-compares"];

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    /// Only these targets
    pub(crate) targets: Vec<String>,
}

pub(crate) fn fuzz(steps: &mut Steps, options: &Options) -> Result<(), Failure> {
    tools::require_packages(&["g++"])?;
    let cargo_fuzz = install()?;
    let known = targets(&cargo_fuzz)?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        let hint = format!("the targets are {}", known.join(", "));
        return Err(Failure::new(format!("no fuzz target is called {unknown}")).hint(hint));
    }
    for target in known
        .iter()
        .filter(|name| options.targets.is_empty() || options.targets.contains(name))
    {
        let found = paths::cache("corpus")?.join(target);
        fs::create_dir_all(&found).map_err(about(&found))?;
        let seconds = format!("-max_total_time={}", options.seconds);
        steps.run(&format!("fuzz {target}"), || {
            program(&cargo_fuzz)
                .args(["run", "--fuzz-dir", FOLDER])
                .args(FAST)
                .arg(target)
                // What is found goes to the first folder; the repository's own inputs are only read.
                .arg(&found)
                .arg(format!("{FOLDER}/corpus/{target}"))
                .args([
                    "--",
                    &seconds,
                    "-timeout=5",
                    "-max_len=8192",
                    "-print_final_stats=1",
                ])
                .env("RUSTC_BOOTSTRAP", "1")
                .finish()
        });
    }
    Ok(())
}

fn targets(cargo_fuzz: &Path) -> Result<Vec<String>, Failure> {
    let names = program(cargo_fuzz).args(["list", "--fuzz-dir", FOLDER]).output();
    let names = names.ok_or_else(|| Failure::new(format!("{FOLDER}: cargo-fuzz finds no targets there")))?;
    Ok(names.lines().map(str::to_owned).collect())
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
