//! The program as its users run it: a key in a process of its own, spoken to over raw reports, and short commands.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]
#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod computer;
pub(crate) mod memory;
pub(crate) mod person;
pub(crate) mod terminal;

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use redb::backends::FileBackend;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use wardkey_sim::clock::pause;
use wardkey_sim::fido_client::{Error, FidoClient, MakeCredential, RelyingParty, Status, User};
use wardkey_sim::hid_client::{self, HidClient, reports_of};
use wardkey_sim::raw_stream::RawStream;
use wardkey_sim::report::ReportPipe;
use wardkey_vault::{CredProtect, CredentialId, Passkey, Profile, Secret, SecretBytes, Vault};

/// The variable that names the TPM. Where the program can use one, it shall not be that of this computer.
pub(crate) const TPM: &str = "WARDKEY_TPM";
pub(crate) const NO_TPM: &str = "device:/nonexistent/tpm";
pub(crate) const RP_ID: &str = "example.org";
/// Found nowhere by chance.
pub(crate) const VAULT_PIN: &str = "Qm4-amber-kestrel-dune";
/// COSE: ES256.
const ES256: i32 = -7;
/// authenticatorMakeCredential, CTAP 2.3 §6.
const MAKE_CREDENTIAL: u8 = 0x01;

pub(crate) type Client = FidoClient<HidClient<RawStream<UnixStream>>>;

/// A state folder, gone when it is dropped.
pub(crate) fn new_folder() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// A state folder with a vault, and beside the vault a file with its Vault PIN.
pub(crate) fn new_vault() -> TempDir {
    let state = new_folder();
    make_vault(
        state.path(),
        &write_secret(&vault_pin_file(state.path()), VAULT_PIN),
    );
    state
}

/// A state folder as it was before there were Vault PINs, with a passkey of `user`.
pub(crate) fn new_vault_of_before(user: &str) -> TempDir {
    let state = new_folder();
    let key = [7; 32];
    fs::write(state.path().join("root.key"), key).unwrap();
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(state.path().join("vault.redb"))
        .unwrap();
    let rng = &mut UnwrapErr(SysRng);
    let key = Secret::from_slice(&key).unwrap();
    let mut vault = Vault::open(FileBackend::new(file).unwrap(), &key, rng).unwrap();
    vault.store(rng, stored_passkey(user), None).unwrap();
    for name in ["root.key", "vault.redb"] {
        fs::set_permissions(state.path().join(name), Permissions::from_mode(0o600)).unwrap();
    }
    state
}

fn stored_passkey(user: &str) -> Passkey {
    Passkey {
        id: CredentialId::new(&[7; 32]).unwrap(),
        rp_id: RP_ID.to_owned(),
        rp_name: None,
        user_id: user.as_bytes().to_vec(),
        user_name: Some(user.to_owned()),
        user_display_name: None,
        algorithm: ES256,
        private_key: SecretBytes::from_slice(&[7; 32]),
        profile: Profile::Synced,
        created_unix_ms: 1_700_000_000_000,
        cred_protect: CredProtect::Optional,
        cred_random: None,
        cred_blob: None,
        large_blob_key: None,
        large_blob: None,
        third_party_payment: false,
    }
}

fn vault_pin_file(state: &Path) -> PathBuf {
    state.join("vault-pin")
}

/// `wardkey init` as a script does it; gives what it printed.
pub(crate) fn make_vault(state: &Path, vault_pin_file: &str) -> String {
    printed(
        state,
        &["init", "--vault-pin-file", vault_pin_file, "--no-recovery-kit"],
    )
}

/// Writes a file with a secret in its first line, for its owner alone.
pub(crate) fn write_secret(path: &Path, secret: &str) -> String {
    fs::write(path, format!("{secret}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// `wardkey --state STATE …`
pub(crate) fn wardkey(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardkey"));
    command.env(TPM, NO_TPM);
    command.arg("--state").arg(state).args(arguments);
    command
}

/// What a short command printed, after it succeeded.
pub(crate) fn printed(state: &Path, arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = wardkey(state, arguments).output().unwrap();
    assert!(
        status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}

/// The values of one member of all passkeys, as `wardkey list` shows them.
pub(crate) fn listed(state: &Path, member: &str) -> Vec<String> {
    let passkeys: Vec<serde_json::Value> =
        serde_json::from_str(&printed(state, &["--json", "list"])).unwrap();
    passkeys
        .iter()
        .map(|passkey| passkey[member].as_str().unwrap().to_owned())
        .collect()
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("raw.sock")
}

/// The arguments of a key that keeps itself in `state` where there is a vault, open where its Vault PIN is beside it.
/// The socket is in `folder`.
fn serve(state: &Path, folder: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["serve".into(), "--raw".into()];
    arguments.push(format!("unix:{}", socket(folder).display()).into());
    if !state.join("vault.redb").exists() {
        arguments.push("--temporary".into());
        return arguments;
    }
    arguments.extend(["--state".into(), state.into()]);
    let vault_pin_file = vault_pin_file(state);
    if vault_pin_file.exists() {
        arguments.extend(["--vault-pin-file".into(), vault_pin_file.into()]);
    }
    arguments
}

/// A running key.
pub(crate) struct Key {
    process: Child,
    socket: PathBuf,
    complaints: PathBuf,
    /// Read no more, but not closed: the key may print.
    _printed: BufReader<ChildStdout>,
}

impl Key {
    /// Starts a key that approves everything, and returns when clients can connect. It keeps itself in `folder` where
    /// there is a vault; otherwise it is a temporary key.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &["--presence", "always"], |command| command)
    }

    /// Starts a key with these options, in the environment that `prepare` makes.
    pub(crate) fn start_with(
        folder: &Path,
        options: &[&str],
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        Self::start_at(folder, folder, options, prepare)
    }

    /// The same, with its socket and what it says in another folder.
    pub(crate) fn start_at(
        state: &Path,
        folder: &Path,
        options: &[&str],
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wardkey"));
        command.args(serve(state, folder)).args(options);
        Self::spawn(folder, prepare(&mut command))
    }

    /// Starts a key on `state` that approves everything, and whose files cannot grow beyond `len_max` bytes.
    pub(crate) fn start_with_file_limit(state: &Path, len_max: u64) -> Self {
        let mut command = Command::new("sh");
        command
            // Without the signal, a write beyond the limit fails like one to a full disk.
            .args(["-c", r#"trap "" XFSZ; exec prlimit --fsize="$0" -- "$@""#])
            .arg(len_max.to_string())
            .arg(env!("CARGO_BIN_EXE_wardkey"))
            .args(serve(state, state))
            .args(["--presence", "always"]);
        Self::spawn(state, &mut command)
    }

    fn spawn(folder: &Path, command: &mut Command) -> Self {
        let complaints = folder.join("complaints.log");
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints).unwrap())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        assert!(line.starts_with("Listening"), "{line}");
        Self {
            process,
            socket: socket(folder),
            complaints,
            _printed: printed,
        }
    }

    /// What the key has said on standard error.
    pub(crate) fn complaints(&self) -> String {
        fs::read_to_string(&self.complaints).unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        FidoClient::new(HidClient::open(RawStream::new(stream), *b"a client").unwrap())
    }

    /// A file of procfs about its process.
    pub(crate) fn about(&self, name: &str) -> PathBuf {
        ["/proc", &self.process.id().to_string(), name].iter().collect()
    }

    /// kill -9.
    pub(crate) fn kill(self) {
        self.end_by(Signal::KILL);
    }

    pub(crate) fn end_by(mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A request to store a passkey of `user`.
pub(crate) fn passkey_of(user: &str) -> MakeCredential {
    MakeCredential {
        client_data_hash: [1; 32],
        rp: RelyingParty {
            id: RP_ID.to_owned(),
            name: None,
        },
        user: User {
            id: user.as_bytes().to_vec(),
            name: Some(user.to_owned()),
            display_name: None,
        },
        algorithms: vec![ES256],
        rk: Some(true),
        ..MakeCredential::default()
    }
}

/// Sends a request and does not wait for the answer.
pub(crate) fn send(client: &mut Client, request: &MakeCredential) {
    let message = [&[MAKE_CREDENTIAL], request.to_bytes().as_slice()].concat();
    let channel = client.pipe_mut().init_reply().channel;
    for report in reports_of(channel, hid_client::Command::CBOR, &message).unwrap() {
        client.pipe_mut().pipe_mut().send_report(&report).unwrap();
    }
}

/// Writes a program. Another process does it, because a writer of ours that a parallel test inherits would keep it from
/// being run.
pub(crate) fn write_script(path: &Path, body: &str) {
    let written = Command::new("sh")
        .args([
            "-c",
            "printf '#!/bin/sh\n%s\n' \"$2\" > \"$1\" && chmod 700 \"$1\"",
            "sh",
        ])
        .arg(path)
        .arg(body)
        .status()
        .unwrap();
    assert!(written.success());
}

/// Whose they are when the tests are root's.
const NOBODY: u32 = 65534;

/// Has `command` run by a user who is not root.
pub(crate) fn by_user(command: &mut Command) -> &mut Command {
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY)
    } else {
        command
    }
}

/// Makes a folder and what is below it this user's.
pub(crate) fn give(folder: &Path) {
    if geteuid().is_root() {
        let owned = Command::new("chown")
            .arg("-R")
            .arg(format!("{NOBODY}:{NOBODY}"))
            .arg(folder)
            .status();
        assert!(owned.unwrap().success());
    }
}

/// Whether any file below `folder` contains `text`.
pub(crate) fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        // Sockets cannot be read, and hold nothing.
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

pub(crate) fn status<T>(answer: Result<T, Error>) -> Status {
    match answer {
        Ok(_) => Status::OK,
        Err(Error::Status(status)) => status,
        Err(other) => panic!("{other}"),
    }
}

/// Whether it is so within half a minute: another process takes its time.
#[allow(clippy::disallowed_methods, reason = "a computer that is busy is slow")]
pub(crate) fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let patience = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        if Instant::now() > patience {
            return false;
        }
        pause(Duration::from_millis(20));
    }
    true
}

/// Everything in the store that is in a folder with this name.
pub(crate) fn objects(store: &Path, folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![store.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.components().any(|part| part.as_os_str() == folder) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
