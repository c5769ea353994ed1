//! U2F_AUTHENTICATE, `U2F Raw Message Formats §5`: check a key handle, or sign with it.

use wardkey_transport::time::Instant;
use wardkey_vault::{CredProtect, CredentialId, Event, Locked, Profile, RpIdHash, Site};

use super::{StatusWord, Step, answer};
use crate::authenticator::Authenticator;
use crate::cose::Scheme;
use crate::gesture::{Evidence, Gesture, Next, Prompt, Purpose};
use crate::store::{self, Credential};

/// What the first parameter byte asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    CheckOnly,
    EnforceUserPresence,
    DontEnforceUserPresence,
}

impl Control {
    pub(super) fn read(parameter_1: u8) -> Result<Self, StatusWord> {
        match parameter_1 {
            0x07 => Ok(Self::CheckOnly),
            0x03 => Ok(Self::EnforceUserPresence),
            0x08 => Ok(Self::DontEnforceUserPresence),
            _ => Err(StatusWord::INCORRECT_P1_P2),
        }
    }
}

/// The parameters.
pub(crate) struct Request {
    challenge: [u8; 32],
    application: RpIdHash,
    /// `None` where it cannot be ours.
    key_handle: Option<CredentialId>,
}

impl Request {
    pub(super) fn read(data: &[u8]) -> Result<Self, StatusWord> {
        let (challenge, rest) = data.split_first_chunk().ok_or(StatusWord::WRONG_LENGTH)?;
        let (application, rest) = rest.split_first_chunk().ok_or(StatusWord::WRONG_LENGTH)?;
        let (length, key_handle) = rest.split_first().ok_or(StatusWord::WRONG_LENGTH)?;
        if usize::from(*length) != key_handle.len() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let key_handle = CredentialId::new(key_handle);
        Ok(Self {
            challenge: *challenge,
            application: RpIdHash(*application),
            key_handle,
        })
    }
}

impl Request {
    /// Whether the key handle may be one of ours for this application.
    pub(super) fn may_be_in(&self, vault: &Locked) -> Result<bool, StatusWord> {
        match &self.key_handle {
            None => Ok(false),
            Some(id) => Ok(vault.may_have(&self.application, id)?),
        }
    }
}

impl Authenticator {
    pub(super) fn u2f_authenticate(
        &mut self,
        now: Instant,
        control: Control,
        request: Request,
    ) -> Result<Step, StatusWord> {
        let credential = self.u2f_credential(&request)?;
        match control {
            Control::CheckOnly => Err(StatusWord::CONDITIONS_NOT_SATISFIED),
            Control::EnforceUserPresence => Ok(Step::Ask(
                Prompt::bare(Purpose::SignIn),
                Next::U2fAuthenticate(request),
            )),
            Control::DontEnforceUserPresence => self
                .u2f_sign(now, &request, &credential, &Evidence::none())
                .map(Step::Answer),
        }
    }

    /// After the gesture. Without approval the host is told to ask again, as it does anyway.
    pub(crate) fn u2f_authenticated(&mut self, now: Instant, request: &Request, gesture: Gesture) -> Vec<u8> {
        answer(self.signed_after(now, request, gesture))
    }

    fn signed_after(
        &mut self,
        now: Instant,
        request: &Request,
        gesture: Gesture,
    ) -> Result<Vec<u8>, StatusWord> {
        let present = gesture
            .evidence()
            .map_err(|_| StatusWord::CONDITIONS_NOT_SATISFIED)?;
        let credential = self.u2f_credential(request)?;
        self.u2f_sign(now, request, &credential, &Evidence::of(present))
    }

    /// The credential that a key handle names, if U2F may use it: its signatures are ECDSA, and have no place for the
    /// backup flags, so a synced credential would seem to have changed its nature (`WebAuthn L3 §6.1.3`). It verifies
    /// nobody, so a credential that demands that does not exist here (`CTAP 2.3 §12.1`).
    fn u2f_credential(&self, request: &Request) -> Result<Credential, StatusWord> {
        let id = request.key_handle.as_ref().ok_or(StatusWord::WRONG_DATA)?;
        let credential = store::find(&self.vault, &request.application, id)?;
        credential.filter(is_usable).ok_or(StatusWord::WRONG_DATA)
    }

    fn u2f_sign(
        &mut self,
        now: Instant,
        request: &Request,
        credential: &Credential,
        evidence: &Evidence,
    ) -> Result<Vec<u8>, StatusWord> {
        let Request {
            challenge,
            application,
            key_handle: _,
        } = request;
        let signing_key = credential.key.load().ok_or(StatusWord::NO_PRECISE_DIAGNOSIS)?;
        let presence = u8::from(evidence.is_present());
        let signed_in = Event::SignedIn {
            credential: credential.subject(Site::Hash(*application)),
            consent: evidence.consent(),
        };
        let count = self.count_signature(now, credential.profile, Some(signed_in))?;
        let count = count.to_be_bytes();
        let message = [&application.0[..], &[presence], &count, challenge].concat();
        let signature = signing_key.sign(&mut *self.rng, &message);
        Ok([&[presence][..], &count, &signature].concat())
    }
}

fn is_usable(credential: &Credential) -> bool {
    let counts = match credential.profile {
        Profile::Synced => false,
        Profile::DeviceBound | Profile::U2f => true,
    };
    counts
        && credential.key.algorithm.scheme() == Scheme::P256
        && credential.traits.cred_protect != CredProtect::Required
}
