//! The PIN: which ones are allowed, and how often it may be guessed. Every attempt is counted durably before it is
//! compared. `CTAP 2.3 §6.5.5.5` to `§6.5.5.7`.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wardkey_transport::time::Instant;
use wardkey_vault::{Event, Secret};
use zeroize::Zeroizing;

use super::protocol::Protocol;
use crate::authenticator::Authenticator;
use crate::state::{Pin, State};
use crate::status::StatusCode;

/// How many wrong PINs block the key for ever.
pub(crate) const RETRIES_MAX: u8 = 8;
/// How many wrong PINs in a row block it until it has been without power.
const MISMATCHES_MAX: u8 = 3;
/// The longest PIN, in bytes and so in code points.
pub(crate) const LEN_MAX: usize = 63;
/// What an encrypted new PIN is padded to.
pub(crate) const PADDED_LEN: usize = 64;
/// The beginning of SHA-256 of the PIN is what is compared and kept.
pub(crate) const HASH_LEN: usize = 16;

/// The first [`HASH_LEN`] bytes of the hash of a PIN.
pub(crate) fn hash(pin: &[u8]) -> Secret<HASH_LEN> {
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(pin)));
    Secret::from_slice(&digest[..HASH_LEN]).expect("16 bytes")
}

impl<V> Authenticator<V> {
    /// Whether another attempt is allowed at all.
    pub(crate) fn allow_pin_attempt(&self) -> Result<(), StatusCode> {
        if self.state.pin.is_none() {
            Err(StatusCode::PIN_NOT_SET)
        } else if self.state.pin_retries == 0 {
            Err(StatusCode::PIN_BLOCKED)
        } else if self.pin_mismatches >= MISMATCHES_MAX {
            Err(StatusCode::PIN_AUTH_BLOCKED)
        } else {
            Ok(())
        }
    }

    /// Whether only a power cycle allows further attempts.
    pub(crate) fn needs_power_cycle(&self) -> bool {
        self.allow_pin_attempt() == Err(StatusCode::PIN_AUTH_BLOCKED)
    }
}

impl Authenticator {
    /// How many wrong PINs in a row are allowed now.
    pub(crate) fn pin_attempts_left(&self) -> u8 {
        match self.allow_pin_attempt() {
            Ok(()) => self.state.pin_retries.min(MISMATCHES_MAX - self.pin_mismatches),
            Err(_) => 0,
        }
    }

    /// Compares with the PIN. `protocol` is how it arrived; a mismatch ends what was agreed on with the platform.
    pub(crate) fn check_pin(
        &mut self,
        now: Instant,
        protocol: Option<Protocol>,
        candidate: &Secret<HASH_LEN>,
    ) -> Result<(), StatusCode> {
        self.allow_pin_attempt()?;
        self.update_state(|state| state.pin_retries -= 1)?;
        let matches = self
            .state
            .pin
            .as_ref()
            .is_some_and(|pin| bool::from(pin.hash.expose_secret().ct_eq(candidate.expose_secret())));
        if !matches {
            self.pin_mismatches += 1;
            if let Some(protocol) = protocol {
                self.key_agreement.regenerate(protocol);
            }
            let attempts_left = self.state.pin_retries;
            self.note(now, Event::WrongPin { attempts_left })?;
            return Err(self.allow_pin_attempt().err().unwrap_or(StatusCode::PIN_INVALID));
        }
        self.update_state(State::verified_by_pin)?;
        self.pin_mismatches = 0;
        Ok(())
    }

    /// Reads a decrypted new PIN and holds it against the policy.
    pub(crate) fn read_new_pin(&self, padded: &[u8]) -> Result<Pin, StatusCode> {
        if padded.len() != PADDED_LEN {
            return Err(StatusCode::INVALID_PARAMETER);
        }
        let len = padded
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let pin = padded.get(..len).filter(|pin| pin.len() <= LEN_MAX);
        let text = pin
            .and_then(|pin| core::str::from_utf8(pin).ok())
            .ok_or(StatusCode::PIN_POLICY_VIOLATION)?;
        let code_points = u8::try_from(text.chars().count()).expect("at most 63");
        let is_complex = is_complex(text);
        if code_points < self.state.min_pin_length || (self.state.pin_complexity_policy && !is_complex) {
            return Err(StatusCode::PIN_POLICY_VIOLATION);
        }
        Ok(Pin {
            hash: hash(text.as_bytes()),
            code_points,
            is_complex,
        })
    }
}

/// The complexity policy: not one character repeated, and not the digits or letters in their order.
fn is_complex(pin: &str) -> bool {
    let points: Vec<u32> = pin.chars().map(u32::from).collect();
    let steps_by = |step: i64| {
        points
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if i64::from(*b) - i64::from(*a) == step))
    };
    !(steps_by(0) || steps_by(1) || steps_by(-1))
}

#[cfg(test)]
mod tests;
