//! A CTAP2 and U2F client, CTAP 2.3 §6 and §11.2.9: typed commands in, typed answers out.
//!
//! Encodes with its own canonical order, decodes with an ordinary CBOR library: more tolerant than a key must be. Raw
//! authenticator data and signatures are kept, so that a relying party can verify them. Where a secret has to be made
//! up, the caller gives the randomness.

mod cbor;
mod client_pin;
mod command;
mod configuration;
mod credential_management;
mod hmac_secret;
mod large_blobs;
mod pin;
mod status;
#[cfg(test)]
mod tests;
mod u2f;

pub use cbor::{canonical, from_bytes, to_bytes};
pub use client_pin::{ClientPin, ClientPinAnswer, Grant};
pub use command::{
    Assertion, Attestation, GetAssertion, Info, MakeCredential, RelyingParty, User, read_assertion,
    read_attestation,
};
pub use configuration::{Configuration, MinPinLength};
pub use credential_management::{CredentialManagement, CredsMetadata, EnumeratedCredential, EnumeratedRp};
pub use hmac_secret::{SECRET_LEN, hmac_secret_input, hmac_secret_output};
pub use large_blobs::{LargeBlobs, largest_fragment, serialize_large_blobs};
pub use pin::{Permissions, PinProtocol, PinUvAuthToken, SharedSecret};
pub use status::Status;
pub use u2f::{StatusWord, U2fAuthentication, U2fControl, U2fRegistration, U2fSignature};

use crate::auth_data;
use crate::hid_client::{self, HidClient, Keepalive, Wish};
use crate::report::ReportPipe;

/// A thing that carries messages to a key: a CTAPHID channel, or the key itself in one process.
pub trait MessagePipe {
    /// A CTAP2 request (command byte, CBOR) to its answer (status byte, CBOR).
    fn cbor(
        &mut self,
        request: &[u8],
        on_keepalive: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, hid_client::Error>;

    /// A U2F APDU to its answer (data, status word).
    fn msg(&mut self, apdu: &[u8]) -> Result<Vec<u8>, hid_client::Error>;
}

impl<P: ReportPipe> MessagePipe for HidClient<P> {
    fn cbor(
        &mut self,
        request: &[u8],
        on_keepalive: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, hid_client::Error> {
        Self::cbor(self, request, on_keepalive)
    }

    fn msg(&mut self, apdu: &[u8]) -> Result<Vec<u8>, hid_client::Error> {
        Self::msg(self, apdu)
    }
}

/// Why a command had no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The message was not carried.
    #[error(transparent)]
    Hid(#[from] hid_client::Error),
    /// The key answered with an error.
    #[error("the key answered {0}")]
    Status(Status),
    /// The key answered U2F with an error.
    #[error("the key answered {0}")]
    StatusWord(StatusWord),
    /// The answer has no bytes at all.
    #[error("the answer of the key is empty")]
    Empty,
    /// The answer is not CBOR, or goes on after its end.
    #[error("the answer of the key is not one CBOR item")]
    NotCbor,
    /// A member that must be there is missing or of another type.
    #[error("the answer of the key has no valid {0}")]
    Member(&'static str),
    /// The authenticator data cannot be read.
    #[error(transparent)]
    AuthData(#[from] auth_data::Error),
    /// The user did not touch the key in time (U2F polls).
    #[error("nobody touched the key")]
    NotTouched,
}

/// A client of one key.
pub struct FidoClient<M> {
    pipe: M,
    on_keepalive: Box<dyn FnMut(Keepalive) -> Wish>,
}

impl<M: MessagePipe> FidoClient<M> {
    /// Speaks over `pipe`, and waits for as long as the key says that it works.
    pub fn new(pipe: M) -> Self {
        Self {
            pipe,
            on_keepalive: Box::new(|_| Wish::Wait),
        }
    }

    /// Calls `on_keepalive` at every KEEPALIVE from now on; it may cancel the request.
    pub fn on_keepalive(&mut self, on_keepalive: impl FnMut(Keepalive) -> Wish + 'static) {
        self.on_keepalive = Box::new(on_keepalive);
    }

    /// The pipe underneath.
    pub fn pipe_mut(&mut self) -> &mut M {
        &mut self.pipe
    }

    /// Gives up the client, keeps the pipe.
    pub fn into_pipe(self) -> M {
        self.pipe
    }

    /// Any CTAP2 command: `parameters` are CBOR or empty; the answer is the CBOR after the status byte.
    pub fn call(&mut self, command: u8, parameters: &[u8]) -> Result<Vec<u8>, Error> {
        let request: Vec<u8> = [&[command], parameters].concat();
        let mut answer = self.pipe.cbor(&request, &mut *self.on_keepalive)?;
        match answer.first() {
            None => Err(Error::Empty),
            Some(0) => Ok(answer.split_off(1)),
            Some(&code) => Err(Error::Status(Status(code))),
        }
    }

    /// authenticatorGetInfo, CTAP 2.3 §6.4.
    pub fn get_info(&mut self) -> Result<Info, Error> {
        command::read_info(&self.call(command::GET_INFO, &[])?)
    }

    /// authenticatorMakeCredential, CTAP 2.3 §6.1.
    pub fn make_credential(&mut self, request: &MakeCredential) -> Result<Attestation, Error> {
        read_attestation(&self.call(command::MAKE_CREDENTIAL, &request.to_bytes())?)
    }

    /// authenticatorGetAssertion, CTAP 2.3 §6.2.
    pub fn get_assertion(&mut self, request: &GetAssertion) -> Result<Assertion, Error> {
        read_assertion(&self.call(command::GET_ASSERTION, &request.to_bytes())?)
    }

    /// authenticatorGetNextAssertion, CTAP 2.3 §6.3.
    pub fn get_next_assertion(&mut self) -> Result<Assertion, Error> {
        read_assertion(&self.call(command::GET_NEXT_ASSERTION, &[])?)
    }

    /// authenticatorSelection, CTAP 2.3 §6.9.
    pub fn selection(&mut self) -> Result<(), Error> {
        self.call(command::SELECTION, &[]).map(drop)
    }

    /// authenticatorReset, CTAP 2.3 §6.6.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.call(command::RESET, &[]).map(drop)
    }

    /// The version of U2F, `U2F_V2`.
    pub fn u2f_version(&mut self) -> Result<Vec<u8>, Error> {
        u2f::version(&mut self.pipe)
    }

    /// Registers with U2F. Asks again and again until somebody touches the key, as clients do, `polls` times.
    pub fn u2f_register(
        &mut self,
        challenge: &[u8; 32],
        application: &[u8; 32],
        polls: u32,
    ) -> Result<U2fRegistration, Error> {
        u2f::register(&mut self.pipe, challenge, application, polls)
    }

    /// Signs with U2F, asking `polls` times. With [`U2fControl::CheckOnly`] the answer is always an error:
    /// [`StatusWord::CONDITIONS_NOT_SATISFIED`] when the key handle is the key's own.
    pub fn u2f_authenticate(
        &mut self,
        control: U2fControl,
        request: &U2fAuthentication<'_>,
        polls: u32,
    ) -> Result<U2fSignature, Error> {
        u2f::authenticate(&mut self.pipe, control, request, polls)
    }
}
