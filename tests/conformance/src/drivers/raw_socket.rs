//! The program: `wardkey serve` as a process of its own, on a state folder that is thrown away, spoken to over its raw
//! socket, and touched, unplugged and plugged in over its control port.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdout, Stdio};
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

/// Starts the program for each key.
pub struct RawSocketDriver {
    /// The program.
    pub wardkey: PathBuf,
}

impl Driver for RawSocketDriver {
    fn name(&self) -> &'static str {
        "raw socket"
    }

    fn new_key(&self, configuration: Configuration, _: &str) -> Result<Box<dyn Key>, Broken> {
        Ok(Box::new(Process::start(&self.wardkey, configuration)?))
    }
}

/// A running key.
struct Process {
    wardkey: PathBuf,
    configuration: Configuration,
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
    fn start(wardkey: &Path, configuration: Configuration) -> Result<Self, Broken> {
        if configuration.display {
            return Err(Broken::CannotDo("the control port cannot choose an account"));
        }
        let folder = TempDir::new().map_err(|error| gone("no temporary folder", &error))?;
        let log = File::create(log_of(&folder)).map_err(|error| gone("no log", &error))?;
        let socket = socket_of(&folder);
        let mut child = process::Command::new(wardkey)
            .arg("--state")
            .arg(folder.path().join("state"))
            .args(["serve", "--raw"])
            .arg(format!("unix:{}", socket.display()))
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
        let output = process::Command::new(&self.wardkey)
            .arg("--state")
            .arg(self.folder.path().join("state"))
            .arg("metadata")
            .args(model(self.configuration))
            // What --verification stands in for is a finger.
            .args(self.configuration.built_in_uv.then_some("--verify=fingerprint"))
            .output()
            .map_err(|error| self.gone(error))?;
        if output.status.success() {
            String::from_utf8(output.stdout).map_err(|error| self.gone(error))
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

fn socket_of(folder: &TempDir) -> PathBuf {
    folder.path().join("raw.sock")
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

fn gone(what: &str, error: &std::io::Error) -> Broken {
    Broken::Gone(format!("{what}: {error}"))
}
