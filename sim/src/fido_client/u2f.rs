//! U2F raw messages over CTAPHID MSG: APDUs in extended form, answers taken apart.

use std::fmt;
use std::time::Duration;

use super::{Error, MessagePipe};
use crate::clock;

/// How long clients wait between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The last two bytes of an answer, ISO 7816-4 §5.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// Done.
    pub const NO_ERROR: Self = Self(0x9000);
    /// Nobody touched the key; for check-only: the key handle is known.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// The key handle is not of this key, or of another application.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// The length is wrong.
    pub const WRONG_LENGTH: Self = Self(0x6700);
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status word {:04x}", self.0)
    }
}

/// The control byte of authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum U2fControl {
    /// Is the key handle known? Never signs.
    CheckOnly,
    /// Sign after a touch.
    EnforcePresence,
    /// Sign without a touch.
    DontEnforcePresence,
}

impl U2fControl {
    const fn code(self) -> u8 {
        match self {
            Self::CheckOnly => 0x07,
            Self::EnforcePresence => 0x03,
            Self::DontEnforcePresence => 0x08,
        }
    }
}

/// What is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct U2fAuthentication<'a> {
    /// SHA-256 of the client data.
    pub challenge: &'a [u8; 32],
    /// SHA-256 of the application id.
    pub application: &'a [u8; 32],
    /// The key handle of the registration.
    pub key_handle: &'a [u8],
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct U2fRegistration {
    /// The public key, an uncompressed point.
    pub public_key: [u8; 65],
    /// Names the credential.
    pub key_handle: Vec<u8>,
    /// The attestation certificate (DER).
    pub certificate: Vec<u8>,
    /// The signature of the certificate's key (DER).
    pub signature: Vec<u8>,
}

/// The answer to an authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct U2fSignature {
    /// The user presence byte.
    pub user_presence: u8,
    /// The signature counter.
    pub counter: u32,
    /// The signature (DER).
    pub signature: Vec<u8>,
}

pub(super) fn version<M: MessagePipe>(pipe: &mut M) -> Result<Vec<u8>, Error> {
    transmit(pipe, &apdu(0x03, 0, &[]))
}

pub(super) fn register<M: MessagePipe>(
    pipe: &mut M,
    challenge: &[u8; 32],
    application: &[u8; 32],
    polls: u32,
) -> Result<U2fRegistration, Error> {
    let request = apdu(0x01, 0x03, &[challenge.as_slice(), application].concat());
    let answer = poll(pipe, &request, polls)?;
    read_registration(&answer).ok_or(Error::Member("registration response"))
}

pub(super) fn authenticate<M: MessagePipe>(
    pipe: &mut M,
    control: U2fControl,
    request: &U2fAuthentication<'_>,
    polls: u32,
) -> Result<U2fSignature, Error> {
    let U2fAuthentication {
        challenge,
        application,
        key_handle,
    } = *request;
    let length = u8::try_from(key_handle.len()).map_err(|_| Error::Member("key handle"))?;
    let data = [challenge.as_slice(), application, &[length], key_handle].concat();
    let request = apdu(0x02, control.code(), &data);
    let answer = match control {
        U2fControl::CheckOnly => transmit(pipe, &request)?,
        U2fControl::EnforcePresence | U2fControl::DontEnforcePresence => poll(pipe, &request, polls)?,
    };
    read_signature(&answer).ok_or(Error::Member("authentication response"))
}

/// CLA INS P1 P2, extended Lc with the data, Le for any length.
fn apdu(instruction: u8, p1: u8, data: &[u8]) -> Vec<u8> {
    let mut apdu = vec![0, instruction, p1, 0, 0];
    if !data.is_empty() {
        let length =
            u16::try_from(data.len()).expect("challenge, application and key handle are below 64 KiB");
        apdu.extend(length.to_be_bytes());
        apdu.extend(data);
    }
    apdu.extend([0, 0]);
    apdu
}

fn poll<M: MessagePipe>(pipe: &mut M, request: &[u8], polls: u32) -> Result<Vec<u8>, Error> {
    for poll in 0..polls {
        if poll > 0 {
            clock::pause(POLL_INTERVAL);
        }
        match transmit(pipe, request) {
            Err(Error::StatusWord(StatusWord::CONDITIONS_NOT_SATISFIED)) => {}
            result => return result,
        }
    }
    Err(Error::NotTouched)
}

fn transmit<M: MessagePipe>(pipe: &mut M, apdu: &[u8]) -> Result<Vec<u8>, Error> {
    let answer = pipe.msg(apdu)?;
    let (data, word) = answer.split_last_chunk().ok_or(Error::Empty)?;
    match StatusWord(u16::from_be_bytes(*word)) {
        StatusWord::NO_ERROR => Ok(data.to_vec()),
        error => Err(Error::StatusWord(error)),
    }
}

fn read_registration(answer: &[u8]) -> Option<U2fRegistration> {
    let rest = answer.strip_prefix(&[0x05])?;
    let (public_key, rest) = rest.split_first_chunk()?;
    let (&length, rest) = rest.split_first()?;
    let (key_handle, rest) = rest.split_at_checked(length.into())?;
    let (certificate, signature) = rest.split_at_checked(der_len(rest)?)?;
    Some(U2fRegistration {
        public_key: *public_key,
        key_handle: key_handle.to_vec(),
        certificate: certificate.to_vec(),
        signature: signature.to_vec(),
    })
}

/// The length of the DER sequence at the start of `bytes`, head counted.
fn der_len(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [0x30, short @ 0..=0x7F, ..] => Some(2 + usize::from(short)),
        [0x30, 0x81, length, ..] => Some(3 + usize::from(length)),
        [0x30, 0x82, high, low, ..] => Some(4 + usize::from(u16::from_be_bytes([high, low]))),
        _ => None,
    }
}

fn read_signature(answer: &[u8]) -> Option<U2fSignature> {
    let (&user_presence, rest) = answer.split_first()?;
    let (counter, signature) = rest.split_first_chunk()?;
    Some(U2fSignature {
        user_presence,
        counter: u32::from_be_bytes(*counter),
        signature: signature.to_vec(),
    })
}
