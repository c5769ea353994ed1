//! A TPM for a test: swtpm, with its own state, on ports of this computer. And its bus, to listen to.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

use super::Chip;

/// Handles of hierarchies (TPM 2.0 part 2, `TPM_RH`).
pub(super) const OWNER: u32 = 0x4000_0001;
pub(super) const LOCKOUT: u32 = 0x4000_000a;

/// Codes of commands (TPM 2.0 part 2, `TPM_CC`).
const CLEAR: u32 = 0x0126;
const HIERARCHY_CHANGE_AUTH: u32 = 0x0129;
const DICTIONARY_ATTACK_LOCK_RESET: u32 = 0x0139;
const DICTIONARY_ATTACK_PARAMETERS: u32 = 0x013a;

/// `CMD_SHUTDOWN` of swtpm's control channel.
const CONTROL_SHUTDOWN: u32 = 3;

/// A TPM that was just made: three wrong guesses, one forgotten every 1000 s, no passwords.
pub(super) struct Swtpm {
    state: TempDir,
    port: u16,
}

/// The TPM refused a command with this response code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) u32);

impl Swtpm {
    pub(super) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let port = start(&state);
        Self { state, port }
    }

    /// One whose counter of wrong guesses nobody can reset without a password.
    pub(super) fn with_lockout_password() -> Self {
        let tpm = Self::new();
        tpm.set_password(LOCKOUT, b"", b"of the lockout hierarchy")
            .unwrap();
        tpm
    }

    pub(super) fn chip(&self) -> Chip {
        Chip::at_port(self.port)
    }

    /// The computer is switched off without ceremony, and on again.
    pub(super) fn cut_power(&mut self) {
        self.switch_off();
        self.port = start(&self.state);
    }

    pub(super) fn switch_off(&self) {
        let Ok(mut control) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port + 1)) else {
            return;
        };
        // It ends, and with it the connection.
        let mut answer = Vec::new();
        let said = control.write_all(&CONTROL_SHUTDOWN.to_be_bytes());
        let _ = said.and_then(|()| control.read_to_end(&mut answer));
    }

    /// What anybody who starts another system can send: a command for a hierarchy, with its password.
    fn command(&self, code: u32, handle: u32, password: &[u8], parameters: &[u8]) -> Result<(), Refused> {
        let mut session = 0x4000_0009_u32.to_be_bytes().to_vec();
        session.extend([0, 0, 0]);
        session.extend(sized(password));
        let mut body = code.to_be_bytes().to_vec();
        body.extend(handle.to_be_bytes());
        body.extend(u32::try_from(session.len()).unwrap().to_be_bytes());
        body.extend(session);
        body.extend(parameters);
        let mut command = vec![0x80, 0x02];
        command.extend(u32::try_from(6 + body.len()).unwrap().to_be_bytes());
        command.extend(body);

        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(&command).unwrap();
        let mut header = [0; 10];
        stream.read_exact(&mut header).unwrap();
        match u32::from_be_bytes(header[6..].try_into().unwrap()) {
            0 => Ok(()),
            code => Err(Refused(code)),
        }
    }

    pub(super) fn set_password(&self, hierarchy: u32, old: &[u8], new: &[u8]) -> Result<(), Refused> {
        self.command(HIERARCHY_CHANGE_AUTH, hierarchy, old, &sized(new))
    }

    /// All wrong guesses are forgotten.
    pub(super) fn reset_counter(&self, password: &[u8]) -> Result<(), Refused> {
        self.command(DICTIONARY_ATTACK_LOCK_RESET, LOCKOUT, password, &[])
    }

    pub(super) fn set_limits(&self, allowed: u32, interval: u32) -> Result<(), Refused> {
        let parameters = [allowed, interval, 1000].map(u32::to_be_bytes).concat();
        self.command(DICTIONARY_ATTACK_PARAMETERS, LOCKOUT, b"", &parameters)
    }

    /// All keys of the owner are gone.
    pub(super) fn clear(&self) -> Result<(), Refused> {
        self.command(CLEAR, LOCKOUT, b"", &[])
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.switch_off();
    }
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [len.as_slice(), bytes].concat()
}

/// Two ports, one after the other: the library expects the control channel on the second.
fn ports() -> (TcpListener, TcpListener, u16) {
    (0..100)
        .find_map(|_| {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = first.local_addr().unwrap().port();
            let second = TcpListener::bind((Ipv4Addr::LOCALHOST, port.checked_add(1)?)).ok()?;
            Some((first, second, port))
        })
        .expect("two free ports, one after the other")
}

/// Starts it in the background and gives its port; it listens when this returns.
fn start(state: &TempDir) -> u16 {
    let started = (0..20).find_map(|_| {
        // Somebody else may take the ports before swtpm does: then it says so, and others are tried.
        let (.., port) = ports();
        let output = Command::new("swtpm")
            .args([
                "socket",
                "--tpm2",
                "--daemon",
                "--flags",
                "not-need-init,startup-clear",
            ])
            .args(["--tpmstate", &format!("dir={}", state.path().display())])
            .args(["--server", &format!("type=tcp,bindaddr=127.0.0.1,port={port}")])
            .args([
                "--ctrl",
                &format!("type=tcp,bindaddr=127.0.0.1,port={}", port + 1),
            ])
            .output()
            .expect("swtpm is needed: sudo apt-get install swtpm");
        output.status.success().then_some(port)
    });
    started.expect("swtpm starts")
}

/// The wires between processor and TPM, with somebody who listens.
pub(super) struct Bus {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Bus {
    /// To a TPM.
    pub(super) fn to(tpm: &Swtpm) -> Self {
        let (commands, control, port) = ports();
        let heard = Arc::new(Mutex::new(Vec::new()));
        for (listener, to) in [(commands, tpm.port), (control, tpm.port + 1)] {
            let heard = heard.clone();
            thread::spawn(move || {
                for near in listener.incoming() {
                    let (near, far) = (
                        near.unwrap(),
                        TcpStream::connect((Ipv4Addr::LOCALHOST, to)).unwrap(),
                    );
                    carry(near.try_clone().unwrap(), far.try_clone().unwrap(), heard.clone());
                    carry(far, near, heard.clone());
                }
            });
        }
        Self { port, heard }
    }

    pub(super) fn chip(&self) -> Chip {
        Chip::at_port(self.port)
    }

    /// Whether these bytes crossed it.
    pub(super) fn heard(&self, bytes: &[u8]) -> bool {
        let heard = self.heard.lock().unwrap();
        heard.windows(bytes.len()).any(|window| window == bytes)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, heard: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut bytes) {
            heard.lock().unwrap().extend(&bytes[..len]);
            if to.write_all(&bytes[..len]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
