//! A TPM for a test: swtpm, with its own state, on ports of this computer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
#![allow(dead_code, reason = "each test uses what it needs")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use tempfile::TempDir;

/// Handles of hierarchies (TPM 2.0 part 2, `TPM_RH`).
pub(crate) const OWNER: u32 = 0x4000_0001;
pub(crate) const LOCKOUT: u32 = 0x4000_000a;

/// Part 2, `TPM_HT`: what is loaded has handles from these on.
const TRANSIENT_FIRST: u32 = 0x8000_0000;
const HMAC_SESSION_FIRST: u32 = 0x0200_0000;

/// Codes of commands (TPM 2.0 part 2, `TPM_CC`).
const CLEAR: u32 = 0x0126;
const HIERARCHY_CHANGE_AUTH: u32 = 0x0129;
const DICTIONARY_ATTACK_LOCK_RESET: u32 = 0x0139;
const DICTIONARY_ATTACK_PARAMETERS: u32 = 0x013a;
const FLUSH_CONTEXT: u32 = 0x0165;
const GET_CAPABILITY: u32 = 0x017a;

/// Part 2, `TPM_ST`: a command with sessions, and one without.
const SESSIONS: [u8; 2] = [0x80, 0x02];
const NO_SESSIONS: [u8; 2] = [0x80, 0x01];

/// Part 2, `TPM_CAP` and `TPM_PT`.
const CAPABILITY_PROPERTIES: u32 = 6;
const LOCKOUT_COUNTER: u32 = 0x020e;

/// `CMD_SHUTDOWN` of swtpm's control channel.
const CONTROL_SHUTDOWN: u32 = 3;

/// A TPM that was just made: three wrong guesses, one forgotten every 1000 s, no passwords.
pub(crate) struct Swtpm {
    state: TempDir,
    pub(crate) port: u16,
}

/// The TPM refused a command with this response code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) u32);

impl Swtpm {
    pub(crate) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let port = start(&state);
        Self { state, port }
    }

    /// One whose counter of wrong guesses nobody can reset without a password.
    pub(crate) fn with_lockout_password() -> Self {
        let tpm = Self::new();
        tpm.set_password(LOCKOUT, b"", b"of the lockout hierarchy")
            .unwrap();
        tpm
    }

    /// As the TCG's TCTI loader names it.
    pub(crate) fn name(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// The computer is switched off without ceremony, and on again.
    pub(crate) fn cut_power(&mut self) {
        self.switch_off();
        self.port = start(&self.state);
    }

    pub(crate) fn switch_off(&self) {
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
        self.send(SESSIONS, &body).map(|_| ())
    }

    /// Sends a command, and gives what follows the header of the answer.
    fn send(&self, tag: [u8; 2], body: &[u8]) -> Result<Vec<u8>, Refused> {
        let len = u32::try_from(6 + body.len()).unwrap().to_be_bytes();
        let command = [tag.as_slice(), &len, body].concat();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(&command).unwrap();
        let mut header = [0; 10];
        stream.read_exact(&mut header).unwrap();
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let mut rest = vec![0; usize::try_from(number(2)).unwrap() - header.len()];
        stream.read_exact(&mut rest).unwrap();
        match number(6) {
            0 => Ok(rest),
            code => Err(Refused(code)),
        }
    }

    /// A program ended without tidying up; the resource manager, which a kernel has, does it.
    pub(crate) fn flush(&self) {
        for first in [TRANSIENT_FIRST, HMAC_SESSION_FIRST] {
            for handle in first..first + 3 {
                // Most are not there.
                let _ = self.send(
                    NO_SESSIONS,
                    &[FLUSH_CONTEXT, handle].map(u32::to_be_bytes).concat(),
                );
            }
        }
    }

    /// How many wrong guesses it remembers.
    pub(crate) fn counted(&self) -> u32 {
        let body = [GET_CAPABILITY, CAPABILITY_PROPERTIES, LOCKOUT_COUNTER, 1].map(u32::to_be_bytes);
        let answer = self.send(NO_SESSIONS, &body.concat()).unwrap();
        // Whether there is more, the capability, one property, and which it is.
        let (value, property) = (answer.split_last_chunk().unwrap(), answer[9..13].to_vec());
        assert_eq!(property, LOCKOUT_COUNTER.to_be_bytes());
        u32::from_be_bytes(*value.1)
    }

    pub(crate) fn set_password(&self, hierarchy: u32, old: &[u8], new: &[u8]) -> Result<(), Refused> {
        self.command(HIERARCHY_CHANGE_AUTH, hierarchy, old, &sized(new))
    }

    /// All wrong guesses are forgotten.
    pub(crate) fn reset_counter(&self, password: &[u8]) -> Result<(), Refused> {
        self.command(DICTIONARY_ATTACK_LOCK_RESET, LOCKOUT, password, &[])
    }

    pub(crate) fn set_limits(&self, allowed: u32, interval: u32) -> Result<(), Refused> {
        let parameters = [allowed, interval, 1000].map(u32::to_be_bytes).concat();
        self.command(DICTIONARY_ATTACK_PARAMETERS, LOCKOUT, b"", &parameters)
    }

    /// All keys of the owner are gone.
    pub(crate) fn clear(&self) -> Result<(), Refused> {
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
pub(crate) fn ports() -> (TcpListener, TcpListener, u16) {
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
