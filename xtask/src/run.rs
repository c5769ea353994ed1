//! Running other programs: says the command line, and turns what can go wrong into a [`Failure`].

use std::env;
use std::ffi::OsStr;
use std::process::Command;

use crate::failure::Failure;
use crate::output::{self, say};
use crate::paths;

/// A command that is printed before it runs.
pub(crate) struct Run(Command);

/// Any program, started in the repository's top folder.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Run {
    let mut command = Command::new(name);
    command.current_dir(paths::repository());
    Run(command)
}

/// The cargo that runs this program, with what it was told for its own build taken away.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Run {
    let mut cargo = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments);
    for (name, _) in env::vars_os() {
        // A package whose build looks at these would be built again each time.
        let of_this_build = ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .map(|start| name.as_encoded_bytes().starts_with(start.as_bytes()));
        if of_this_build.contains(&true) {
            cargo.0.env_remove(name);
        }
    }
    cargo
}

impl Run {
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs to the end with output going where ours goes.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let line = self.line();
        say!("$ {line}");
        let failed = |error| Failure::new(format!("{line}: {error}"));
        self.0.stdout(output::of_a_program().map_err(failed)?);
        self.0.stderr(output::of_a_program().map_err(failed)?);
        let status = self.0.status().map_err(failed)?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("{line}: {status}")))
        }
    }

    /// Runs quietly and gives what it wrote to standard output, if it succeeded.
    pub(crate) fn output(mut self) -> Option<String> {
        let output = self.0.output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) fn into_command(self) -> Command {
        self.0
    }

    fn line(&self) -> String {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }
}
