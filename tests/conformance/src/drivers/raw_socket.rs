//! The program: `wardkey serve` as a process of its own, spoken to over its raw socket, and touched, unplugged and plugged
//! in over its control port. It is a temporary key, unless a case needs the attestation authority of a state folder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdout, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wardkey_sim::clock;
use wardkey_sim::hid_client::{Command, Frame, frame_of};
use wardkey_sim::raw_stream::RawStream;
use wardkey_sim::report::{Report, ReportPipe};

use crate::configuration::{Configuration, ENTERPRISE_RP_ID};
use crate::key::{Broken, Key, User};
use crate::run::Driver;

/// How long a finger that was put down is counted on; the program forgets it after ten seconds.
const HOLD: Duration = Duration::from_secs(4);

/// Of vaults that are thrown away.
const VAULT_PIN: &str = "tin ra of olm five";

/// The cases that compare what the authority has signed with the metadata statement.
const COMPARE_WITH_STATEMENT: [&str; 3] = [
    "Authr-Generic-1/",
    "Authr-MakeCred-Resp-1/",
    "EntepriseAttestation/",
];
/// The cases that look at the metadata statement alone: any key's will do.
const READ_STATEMENT: &str = "Metadata-Stmt-1/";

/// Metadata statements by the name of the configuration.
type Statements = Rc<RefCell<BTreeMap<&'static str, String>>>;

/// Starts the program for each key.
pub struct RawSocketDriver {
    wardkey: PathBuf,
    statements: Statements,
}

impl RawSocketDriver {
    /// Of this program.
    pub fn new(wardkey: PathBuf) -> Self {
        Self {
            wardkey,
            statements: Statements::default(),
        }
    }

    /// Whether the key of a case needs a state folder, which takes a while to make.
    fn is_kept(&self, configuration: Configuration, case: &str) -> bool {
        let compares = COMPARE_WITH_STATEMENT
            .iter()
            .any(|script| case.starts_with(script));
        let reads =
            case.starts_with(READ_STATEMENT) && !self.statements.borrow().contains_key(configuration.name);
        has_authority(configuration) && (compares || reads)
    }
}

impl Driver for RawSocketDriver {
    fn name(&self) -> &'static str {
        "raw socket"
    }

    fn new_key(&self, configuration: Configuration, case: &str) -> Result<Box<dyn Key>, Broken> {
        let is_kept = self.is_kept(configuration, case);
        let statements = self.statements.clone();
        let key = Process::start(&self.wardkey, configuration, is_kept, statements)?;
        Ok(Box::new(key))
    }
}

/// A running key.
struct Process {
    wardkey: PathBuf,
    configuration: Configuration,
    is_kept: bool,
    statements: Statements,
    folder: TempDir,
    child: Child,
    /// Read no more, but not closed: the key may print.
    _printed: BufReader<ChildStdout>,
    control: SocketAddr,
    stream: RawStream<UnixStream>,
    user: User,
    touched: Option<Instant>,
}

impl Process {
    fn start(
        wardkey: &Path,
        configuration: Configuration,
        is_kept: bool,
        statements: Statements,
    ) -> Result<Self, Broken> {
        if configuration.display {
            return Err(Broken::CannotDo("the control port cannot choose an account"));
        }
        let folder = TempDir::new().map_err(|error| gone("no temporary folder", &error))?;
        let log = File::create(log_of(&folder)).map_err(|error| gone("no log", &error))?;
        let socket = socket_of(&folder);
        let kept = if is_kept {
            make_vault(wardkey, &folder)?
        } else {
            vec!["--temporary".into()]
        };
        let mut child = process::Command::new(wardkey)
            .args(["serve", "--raw"])
            .arg(format!("unix:{}", socket.display()))
            .args(kept)
            .args(["--presence", "ask", "--control", "127.0.0.1:0"])
            .args(model(configuration))
            .args(configuration.built_in_uv.then_some("--verification=control"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| gone(&format!("{} does not start", wardkey.display()), &error))?;
        let started = child
            .stdout
            .take()
            .ok_or_else(|| Broken::Gone("it has no standard output".to_owned()))
            .and_then(|stdout| ready(stdout, &folder));
        let (printed, control, stream) = match started {
            Ok(started) => started,
            Err(broken) => {
                end(&mut child);
                return Err(broken);
            }
        };
        Ok(Self {
            wardkey: wardkey.to_owned(),
            configuration,
            is_kept,
            statements,
            folder,
            child,
            _printed: printed,
            control,
            stream,
            user: User::Agrees,
            touched: None,
        })
    }

    /// Asks the control port for something that is done when this returns.
    fn order(&self, method: &str, path: &str) -> Result<(), Broken> {
        let failed = |error: std::io::Error| gone("the control port", &error);
        let mut stream = TcpStream::connect(self.control).map_err(failed)?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.control
        );
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        if answer.starts_with("HTTP/1.1 2") {
            Ok(())
        } else {
            Err(Broken::Gone(format!(
                "the control port answered {path} with {answer:?}"
            )))
        }
    }

    /// Puts the finger down again before the program forgets it.
    fn keep_touching(&mut self) -> Result<(), Broken> {
        let is_held = self.touched.is_some_and(|touched| clock::now() < touched + HOLD);
        if self.user != User::Absent && !is_held {
            self.order("GET", "/usb0/touch/on")?;
            self.touched = Some(clock::now());
        }
        Ok(())
    }

    /// Decides the next verification; the program forgets it when none comes at once.
    fn let_verify(&self) -> Result<(), Broken> {
        match self.user {
            User::Agrees if self.configuration.built_in_uv => self.order("POST", "/verify/ok"),
            User::IsStranger if self.configuration.built_in_uv => self.order("POST", "/verify/fail"),
            User::Agrees | User::IsStranger | User::Absent | User::Refuses | User::Chooses(_) => Ok(()),
        }
    }

    fn gone(&self, error: impl std::fmt::Display) -> Broken {
        let log = fs::read_to_string(log_of(&self.folder)).unwrap_or_default();
        Broken::Gone(format!("{error}; it said {log:?}"))
    }
}

impl Key for Process {
    fn send(&mut self, report: &Report) -> Result<(), Broken> {
        self.keep_touching()?;
        if is_command(report) {
            self.let_verify()?;
        }
        self.stream.send_report(report).map_err(|error| self.gone(error))
    }

    fn receive(&mut self, within: Duration) -> Result<Option<Report>, Broken> {
        let report = self.stream.receive_report(within);
        let report = report.map_err(|error| self.gone(error))?;
        if report.as_ref().is_some_and(asks_the_user) {
            // It may have asked before, and ask again.
            self.let_verify()?;
        }
        Ok(report)
    }

    fn power_cycle(&mut self) -> Result<(), Broken> {
        self.order("POST", "/conformance/powercycle")?;
        self.stream = connect(&self.folder)?;
        Ok(())
    }

    fn user(&mut self, user: User) -> Result<(), Broken> {
        match user {
            User::Agrees | User::IsStranger => {}
            User::Absent => self.order("GET", "/usb0/touch/off")?,
            User::Refuses => return Err(Broken::CannotDo("the control port cannot refuse")),
            User::Chooses(_) => return Err(Broken::CannotDo("the control port cannot choose an account")),
        }
        self.user = user;
        self.touched = None;
        Ok(())
    }

    fn wait(&mut self, duration: Duration) -> Result<(), Broken> {
        clock::pause(duration);
        Ok(())
    }

    fn has_virtual_time(&self) -> bool {
        false
    }

    fn metadata(&mut self) -> Result<String, Broken> {
        let name = self.configuration.name;
        if has_authority(self.configuration) && !self.is_kept {
            let statement = self.statements.borrow().get(name).cloned();
            return statement.ok_or_else(|| self.gone("a temporary key has no command for its authority"));
        }
        let output = process::Command::new(&self.wardkey)
            .arg("--state")
            .arg(state_of(&self.folder))
            .arg("metadata")
            .args(model(self.configuration))
            // What --verification stands in for is a finger.
            .args(self.configuration.built_in_uv.then_some("--verify=fingerprint"))
            .output()
            .map_err(|error| self.gone(error))?;
        if output.status.success() {
            let statement = String::from_utf8(output.stdout).map_err(|error| self.gone(error))?;
            self.statements.borrow_mut().insert(name, statement.clone());
            Ok(statement)
        } else {
            Err(self.gone(String::from_utf8_lossy(&output.stderr)))
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Whether a CTAP2 message begins.
fn is_command(report: &Report) -> bool {
    matches!(
        frame_of(report),
        (
            _,
            Frame::Initial {
                command: Command::CBOR,
                ..
            }
        )
    )
}

/// Whether the key says that it waits for its user.
fn asks_the_user(report: &Report) -> bool {
    const UP_NEEDED: u8 = 2;
    matches!(
        frame_of(report),
        (
            _,
            Frame::Initial {
                command: Command::KEEPALIVE,
                data: [UP_NEEDED, ..],
                ..
            }
        )
    )
}

/// It has nothing to save, and may be gone already.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// What the key is, for every command of the program.
fn model(configuration: Configuration) -> Vec<&'static str> {
    let mut flags = Vec::new();
    if !configuration.synced {
        flags.extend(["--kind", "device-bound"]);
    }
    if !configuration.large_blob_array {
        flags.extend(["--large-blobs", "extension"]);
    }
    if configuration.enterprise {
        flags.extend(["--enterprise", "--enterprise-site", ENTERPRISE_RP_ID]);
    }
    if configuration.authority {
        flags.extend(["--attestation", "authority"]);
    }
    flags
}

/// Whether the metadata statement names the authority of the state folder.
fn has_authority(configuration: Configuration) -> bool {
    configuration.authority || configuration.enterprise
}

/// Makes a vault, and gives the options of a key that has it open.
fn make_vault(wardkey: &Path, folder: &TempDir) -> Result<Vec<OsString>, Broken> {
    let pin_file = folder.path().join("vault-pin");
    let failed = |error: std::io::Error| gone("no vault", &error);
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&pin_file)
        .and_then(|mut file| file.write_all(VAULT_PIN.as_bytes()))
        .map_err(failed)?;
    let vault = || -> Vec<OsString> {
        vec![
            "--state".into(),
            state_of(folder).into(),
            "--vault-pin-file".into(),
            pin_file.clone().into(),
        ]
    };
    let made = process::Command::new(wardkey)
        .args(["init", "--no-recovery-kit", "--device-keys", "software"])
        .args(vault())
        .output()
        .map_err(failed)?;
    if made.status.success() {
        Ok(vault())
    } else {
        Err(Broken::Gone(String::from_utf8_lossy(&made.stderr).into_owned()))
    }
}

/// Waits until clients can connect; finds the control port, which was said before.
fn ready(
    stdout: ChildStdout,
    folder: &TempDir,
) -> Result<(BufReader<ChildStdout>, SocketAddr, RawStream<UnixStream>), Broken> {
    let mut printed = BufReader::new(stdout);
    let mut line = String::new();
    let read = printed.read_line(&mut line);
    let log = fs::read_to_string(log_of(folder)).unwrap_or_default();
    if read.is_err() || !line.starts_with("Listening") {
        return Err(Broken::Gone(format!("it printed {line:?} and said {log:?}")));
    }
    let control = log
        .split_once("http://")
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| Broken::Gone(format!("it has no control port; it said {log:?}")))?;
    Ok((printed, control, connect(folder)?))
}

fn connect(folder: &TempDir) -> Result<RawStream<UnixStream>, Broken> {
    let stream = UnixStream::connect(socket_of(folder)).map_err(|error| gone("the raw socket", &error))?;
    Ok(RawStream::new(stream))
}

fn state_of(folder: &TempDir) -> PathBuf {
    folder.path().join("state")
}

fn socket_of(folder: &TempDir) -> PathBuf {
    folder.path().join("raw.sock")
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

fn gone(what: &str, error: &std::io::Error) -> Broken {
    Broken::Gone(format!("{what}: {error}"))
}
