//! The pinUvAuthToken: a secret for the platform that stands for a verified user, for some commands, one relying party
//! and a short time. `CTAP 2.3 §6.5.2.1`.
//!
//! One token is in use at a time, under the protocol it was issued for; issuing one ends every other.

use core::time::Duration;

use rand_core::CryptoRng;
use wardkey_transport::time::Instant;
use wardkey_vault::{RpIdHash, Secret};

use super::UserVerified;
use super::permissions::{Permission, Permissions};
use super::protocol::Protocol;
use crate::gesture::UserPresent;
use crate::pin_uv_auth::Proof;
use crate::status::StatusCode;

/// A token that was not used for so long is dead.
const FIRST_USE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long presence that was shown when the token was issued counts.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest life of a token.
const LIFETIME_MAX: Duration = Duration::from_secs(600);

/// The token, if one is in use.
#[derive(Default)]
pub(crate) struct Token(Option<InUse>);

/// What a token is issued for.
pub(crate) struct Grant {
    pub(crate) permissions: Permissions,
    /// `None` binds the token to the first relying party that it is used for.
    pub(crate) rp: Option<RpIdHash>,
    /// Whether the user showed presence, too.
    pub(crate) present: Option<UserPresent>,
}

pub(crate) struct InUse {
    secret: Secret<32>,
    protocol: Protocol,
    permissions: Permissions,
    rp: Option<RpIdHash>,
    present: Option<UserPresent>,
    verified: bool,
    issued: Instant,
    used: bool,
}

impl Token {
    /// Issues a new token; what it replaces is worth nothing any more.
    pub(crate) fn issue(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
        protocol: Protocol,
        grant: Grant,
    ) -> &Secret<32> {
        let Grant {
            permissions,
            rp,
            present,
        } = grant;
        let in_use = self.0.insert(InUse {
            secret: Secret::random(rng),
            protocol,
            permissions,
            rp,
            present,
            verified: true,
            issued: now,
            used: false,
        });
        &in_use.secret
    }

    /// Ends the token.
    pub(crate) fn stop(&mut self) {
        self.0 = None;
    }

    /// The token, when it made `proof` of the joined `message` and has `permission`.
    pub(crate) fn authorize(
        &mut self,
        now: Instant,
        proof: &Proof,
        message: &[&[u8]],
        permission: Permission,
    ) -> Result<&mut InUse, StatusCode> {
        self.observe(now);
        let in_use = self.0.as_mut().ok_or(StatusCode::PIN_AUTH_INVALID)?;
        let Proof { protocol, param } = proof;
        if in_use.protocol != *protocol || !protocol.verify(&in_use.secret, message, param) {
            return Err(StatusCode::PIN_AUTH_INVALID);
        }
        in_use.used = true;
        if in_use.permissions.contains(permission) {
            Ok(in_use)
        } else {
            Err(StatusCode::PIN_AUTH_INVALID)
        }
    }

    /// Whether a token is in use.
    pub(crate) fn is_in_use(&mut self, now: Instant) -> bool {
        self.observe(now);
        self.0.is_some()
    }

    /// Whether presence was shown with the token and still counts.
    pub(crate) fn is_present(&mut self, now: Instant) -> bool {
        self.observe(now);
        self.0.as_ref().is_some_and(|in_use| in_use.present.is_some())
    }

    /// Takes the presence that was shown with the token, if it still counts.
    pub(crate) fn take_presence(&mut self, now: Instant) -> Option<UserPresent> {
        self.observe(now);
        self.0.as_mut().and_then(|in_use| in_use.present.take())
    }

    /// The user's presence was used up: the token is good for nothing but writing large blobs any more.
    pub(crate) fn spend(&mut self) {
        if let Some(in_use) = &mut self.0 {
            in_use.present = None;
            in_use.verified = false;
            in_use.permissions = in_use.permissions.keep_large_blob_write();
        }
    }

    /// Lets the time that passed have its effect.
    fn observe(&mut self, now: Instant) {
        let Some(in_use) = &mut self.0 else { return };
        let age = now.saturating_duration_since(in_use.issued);
        if age >= PRESENCE_TIMEOUT {
            in_use.present = None;
        }
        if age >= LIFETIME_MAX || (age >= FIRST_USE_TIMEOUT && !in_use.used) {
            self.0 = None;
        }
    }
}

impl InUse {
    /// Binds the token to a relying party, or checks that it is bound to this one; then it stands for a verified user.
    pub(crate) fn bind(&mut self, rp: &RpIdHash) -> Result<UserVerified, StatusCode> {
        let bound = *self.rp.get_or_insert(*rp);
        if bound == *rp && self.verified {
            Ok(UserVerified(()))
        } else {
            Err(StatusCode::PIN_AUTH_INVALID)
        }
    }

    /// The relying party that the token is bound to.
    pub(crate) fn rp(&self) -> Option<&RpIdHash> {
        self.rp.as_ref()
    }
}

#[cfg(test)]
mod tests;
