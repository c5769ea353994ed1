//! Makes vaults for wardkey, and starts it the two ways in which a local computer gets it: handed to the kernel, and over
//! TCP.

use std::env;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use serde_json::Value;

use crate::failure::Failure;
use crate::helper::Helper;
use crate::process::Process;
use crate::subjects::{self, Running};

/// The user and group that own nothing, on every Linux.
const NOBODY: u32 = 65_534;

/// Nobody is asked, and a key that waits for its turn stays open.
const IN_USE: [&str; 4] = ["--presence", "always", "--lock-after", "never"];

/// The Vault PIN of all vaults here, which protects nothing.
pub(crate) const VAULT_PIN: &str = "walnut rivet lagoon plaid trombone";

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

/// `wardkey init`: a vault with a Vault PIN, in a state folder that is made.
pub(crate) fn init(wardkey: &Path, state: &Path) -> Result<(), Failure> {
    new_state(state)?;
    let pin_file = pin_file(state);
    fs::write(&pin_file, VAULT_PIN)?;
    belong_to_the_key(&pin_file, 0o600)?;
    let mut command = on_state(wardkey, state);
    let made = command
        .args(["init", "--no-recovery-kit", "--vault-pin-file"])
        .arg(pin_file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if made.success() {
        Ok(())
    } else {
        Err(Failure::new(
            "`wardkey init` makes no vault",
            "see what it says above",
        ))
    }
}

/// An empty state folder.
pub(crate) fn new_state(state: &Path) -> Result<(), Failure> {
    fs::create_dir_all(state)?;
    belong_to_the_key(state, 0o700)
}

/// How a key starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vault {
    Locked,
    Open,
}

/// `wardkey up`, with this program in the place of the kernel.
pub(crate) fn up(wardkey: &Path, state: &Path, vault: Vault) -> Result<Running, Failure> {
    let (helper, socket) = Helper::pair()?;
    let mut command = on_state(wardkey, state);
    command.args(["up", "--helper-on-stdin"]).args(IN_USE);
    if vault == Vault::Open {
        command.arg("--vault-pin-file").arg(pin_file(state));
    }
    let mut process = Process::start(command.stdin(socket).stderr(Stdio::null()))?;
    drop(command);
    let key = helper.receive_key()?;
    process.keep(helper);
    subjects::attached(process, Box::new(key))
}

/// `wardkey serve --usbip`.
pub(crate) fn serve(wardkey: &Path, state: &Path) -> Result<Running, Failure> {
    let mut command = on_state(wardkey, state);
    command
        .args(["--json", "serve", "--usbip", "127.0.0.1:0"])
        .args(IN_USE);
    command.arg("--vault-pin-file").arg(pin_file(state));
    let mut process = Process::start(command.stdin(Stdio::null()).stderr(Stdio::null()))?;
    let address = process.next_line(listening)?;
    subjects::imported(process, address)
}

/// The program on a state folder.
pub(crate) fn on_state(wardkey: &Path, state: &Path) -> Command {
    let mut command = Command::new(wardkey);
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.arg("--state").arg(state);
    command
}

/// Beside the state folder, since all vaults have the same.
pub(crate) fn pin_file(state: &Path) -> PathBuf {
    state.with_file_name("vault-pin")
}

/// Root's keys belong to nobody: wardkey does not run as root.
fn belong_to_the_key(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    if geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// Another state folder with the same in it. The key of the first has ended.
pub(crate) fn copy_state(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    belong_to_the_key(to, 0o700)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy)?;
        belong_to_the_key(&copy, 0o600)?;
    }
    Ok(())
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
