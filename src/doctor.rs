//! `wardkey doctor`: looks at everything that `wardkey up` and the programs that use the key need, and says for
//! each what was found and how to mend it. Nothing is changed.
//!
//! Each check is a function of a [`Machine`], whose root folder and variables a test can make up.

mod asking;
mod browsers;
#[cfg(feature = "tpm")]
mod chip;
mod device_keys;
mod hidraw;
mod kernel;
mod rights;
mod state;
mod swap;
mod verifying;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

#[cfg(feature = "tpm")]
use crate::device_keys::tpm::Chip;
use crate::hardening::may_lock_memory;
use crate::prompt::chain::Chain;
use crate::prompt::verify::Verifier;

/// The machine that is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    root: PathBuf,
    kernel_release: String,
    user: u32,
    home: Option<PathBuf>,
    search_path: Option<OsString>,
    has_terminal: bool,
    is_remote_login: bool,
    may_lock_memory: bool,
    /// This program.
    program: PathBuf,
    state: PathBuf,
    usb_id: UsbId,
}

/// What the key calls itself on the USB: some sandboxes let devices through by these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsbId {
    pub(crate) vendor: u16,
    pub(crate) product: u16,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    check: String,
    level: Level,
    found: String,
    /// What to do about it; always there unless all is well.
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// Something will not work, but `wardkey up` will.
    Warn,
    /// `wardkey up` will not work.
    Fail,
}

/// All that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    is_ready: bool,
    checks: Vec<Finding>,
}

/// How the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Plain,
    Coloured,
    Json,
}

impl Machine {
    /// The machine that this runs on. `state` is the state folder that `wardkey up` would use.
    pub(crate) fn this(state: PathBuf, usb_id: UsbId) -> Self {
        Self {
            root: PathBuf::from("/"),
            kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
            user: rustix::process::geteuid().as_raw(),
            home: std::env::var_os("HOME").map(PathBuf::from),
            search_path: std::env::var_os("PATH"),
            has_terminal: std::fs::File::open("/dev/tty").is_ok(),
            is_remote_login: std::env::var_os("SSH_CONNECTION").is_some(),
            // What root may says nothing of the process that holds keys, which is not root's.
            may_lock_memory: !rustix::process::geteuid().is_root() && may_lock_memory(),
            program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("wardkey")),
            state,
            usb_id,
        }
    }

    fn is_root(&self) -> bool {
        self.user == 0
    }

    /// `path`, which is absolute, on this machine.
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file; nothing when it is not there or cannot be read.
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path(path)).ok()
    }
}

/// Looks at everything. May take some seconds, because other programs are asked what they can do.
pub(crate) fn examine(machine: &Machine, chain: &Chain, verifiers: &[Box<dyn Verifier>]) -> Report {
    let mut checks = vec![
        kernel::check(machine),
        rights::check(machine),
        hidraw::check(machine),
    ];
    checks.extend(browsers::check(machine));
    checks.push(asking::check(&chain.probe_each()));
    let means: Vec<_> = verifiers
        .iter()
        .map(|verifier| (verifier.modality(), verifier.probe()))
        .collect();
    checks.extend(verifying::check(&means));
    #[cfg(feature = "tpm")]
    checks.push(chip::check(&Chip::of_this_computer()));
    checks.push(state::check(machine));
    checks.extend(device_keys::check(machine));
    checks.push(swap::check(machine));
    Report::of(checks)
}

impl Finding {
    fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            level: Level::Ok,
            found: found.into(),
            mend: None,
        }
    }

    fn warn(check: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            level: Level::Warn,
            found: found.into(),
            mend: Some(mend.into()),
        }
    }

    fn fail(check: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(check, found, mend)
        }
    }
}

impl Report {
    fn of(checks: Vec<Finding>) -> Self {
        let is_ready = !checks.iter().any(|finding| finding.level == Level::Fail);
        Self { is_ready, checks }
    }

    /// Whether nothing stands in the way of `wardkey up`.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Prints it.
    pub(crate) fn write(&self, to: &mut impl Write, format: Format) -> io::Result<()> {
        if format == Format::Json {
            serde_json::to_writer_pretty(&mut *to, self)?;
            return writeln!(to);
        }
        let width = self
            .checks
            .iter()
            .map(|finding| finding.check.chars().count())
            .max()
            .unwrap_or(0);
        for Finding {
            check,
            level,
            found,
            mend,
        } in &self.checks
        {
            let word = level.word(format);
            writeln!(to, "{word}  {check:width$}  {found}")?;
            if let Some(mend) = mend {
                for (number, line) in mend.lines().enumerate() {
                    let label = if number == 0 { "mend:" } else { "" };
                    writeln!(to, "      {:width$}  {label:5} {line}", "")?;
                }
            }
        }
        Ok(())
    }
}

impl Format {
    /// Colours only on a terminal that wants them (no-color.org).
    pub(crate) fn for_standard_output() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colours = io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb;
        if colours { Self::Coloured } else { Self::Plain }
    }
}

impl Level {
    fn word(self, format: Format) -> String {
        let (word, colour) = match self {
            Self::Ok => ("ok  ", 32),
            Self::Warn => ("warn", 33),
            Self::Fail => ("fail", 31),
        };
        if format == Format::Coloured {
            format!("\x1b[{colour}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    }
}

/// Whether `folder` holds a file whose name satisfies `is_it`.
fn has_file(folder: &Path, is_it: impl Fn(&str) -> bool) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_str().is_some_and(&is_it))
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
