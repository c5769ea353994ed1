//! The program as its users run it: a key in a process of its own, spoken to over raw reports, and short commands.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]
#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod terminal;

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wardkey_sim::fido_client::{Error, FidoClient, MakeCredential, RelyingParty, Status, User};
use wardkey_sim::hid_client::{self, HidClient, reports_of};
use wardkey_sim::raw_stream::RawStream;
use wardkey_sim::report::ReportPipe;

pub(crate) const RP_ID: &str = "example.org";
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

/// `wardkey --state STATE …`
pub(crate) fn wardkey(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardkey"));
    // Where wardkey can use a TPM, it shall not be that of the computer on which the tests run.
    command.env("WARDKEY_TPM", "device:/nonexistent/tpm");
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

/// A running key.
pub(crate) struct Key {
    process: Child,
    socket: PathBuf,
    complaints: PathBuf,
    /// Read no more, but not closed: the key may print.
    _printed: BufReader<ChildStdout>,
}

impl Key {
    /// Starts a key on `state` that approves everything, and returns when clients can connect.
    pub(crate) fn start(state: &Path) -> Self {
        Self::start_with(state, &["--presence", "always"], |command| command)
    }

    /// Starts a key with these options, in the environment that `prepare` makes.
    pub(crate) fn start_with(
        state: &Path,
        options: &[&str],
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        Self::start_at(state, state, options, prepare)
    }

    /// The same, with its socket and what it says in another folder.
    pub(crate) fn start_at(
        state: &Path,
        folder: &Path,
        options: &[&str],
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let raw = format!("unix:{}", socket(folder).display());
        let mut command = wardkey(state, &["serve", "--raw", &raw]);
        Self::spawn(folder, prepare(command.args(options)))
    }

    /// Starts a key on `state` that approves everything, and whose files cannot grow beyond `len_max` bytes.
    pub(crate) fn start_with_file_limit(state: &Path, len_max: u64) -> Self {
        let mut command = Command::new("sh");
        command
            // Without the signal, a write beyond the limit fails like one to a full disk.
            .args(["-c", r#"trap "" XFSZ; exec prlimit --fsize="$0" -- "$@""#])
            .arg(len_max.to_string())
            .arg(env!("CARGO_BIN_EXE_wardkey"))
            .arg("--state")
            .arg(state)
            .args(["serve", "--presence", "always", "--raw"])
            .arg(format!("unix:{}", socket(state).display()));
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
