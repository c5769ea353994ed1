//! Starts wardkey the two ways in which a local computer gets it: handed to the kernel, and over TCP.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;
use crate::helper::Helper;
use crate::process::Process;
use crate::subjects::{self, Running};

/// Builds the release binary and says where it is.
pub(crate) fn build() -> Result<PathBuf, Failure> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let built = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "wardkey",
            "--manifest-path",
            manifest,
        ])
        .stdout(Stdio::null())
        .status()?;
    if !built.success() {
        return Err(Failure::new(
            "wardkey does not build",
            "run `cargo build --release`, or give --wardkey PATH",
        ));
    }
    Ok(env::current_exe()?.with_file_name("wardkey"))
}

/// `wardkey up`, with this program in the place of the kernel.
pub(crate) fn up(wardkey: &Path, state: &Path) -> Result<Running, Failure> {
    let (helper, socket) = Helper::pair()?;
    let mut command = Command::new(wardkey);
    command
        .arg("--state")
        .arg(state)
        .args(["up", "--helper-on-stdin", "--presence", "always"]);
    let process = Process::start(command.stdin(socket).stderr(Stdio::null()))?;
    drop(command);
    let key = helper.receive_key()?;
    subjects::attached(process, Box::new(key), Some(helper))
}

/// `wardkey serve --usbip`.
pub(crate) fn serve(wardkey: &Path, state: &Path) -> Result<Running, Failure> {
    let mut command = Command::new(wardkey);
    command.arg("--json").arg("--state").arg(state);
    command.args(["serve", "--usbip", "127.0.0.1:0", "--presence", "always"]);
    let mut process = Process::start(command.stdin(Stdio::null()).stderr(Stdio::null()))?;
    let address = process.first_line(listening)?;
    subjects::imported(process, address)
}

/// The address in the line that says where USB/IP clients can connect.
fn listening(line: &str) -> Option<SocketAddr> {
    let event: Value = serde_json::from_str(line).ok()?;
    let is_it = event.get("event")? == "listening" && event.get("kind")? == "usbip";
    event.get("address").filter(|_| is_it)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usbip_line_has_the_address() {
        let line = r#"{"event":"listening","kind":"usbip","address":"127.0.0.1:77"}"#;
        assert_eq!(listening(line), Some(SocketAddr::from(([127, 0, 0, 1], 77))));
        assert_eq!(
            listening(r#"{"event":"listening","kind":"raw","address":"127.0.0.1:77"}"#),
            None
        );
        assert_eq!(listening("Listening"), None);
    }
}
