//! hmac-secret and hmac-secret-mc, `CTAP 2.3 §12.5`, `§12.7`: a symmetric secret computed from the credential and one or
//! two salts, encrypted for the platform. With user verification another secret comes out than without.

use rand_core::CryptoRng;
use wardkey_vault::Secret;
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::cbor::Value;
use crate::parameters::{bytes, map, unsigned};
use crate::pin::key_agreement::PeerKey;
use crate::pin::protocol::{Protocol, SharedSecret, hmac};
use crate::status::StatusCode;

const SALT_LEN: usize = 32;

/// The input as it arrives.
pub(crate) struct Input {
    peer_key: PeerKey,
    encrypted_salts: Vec<u8>,
    mac: Vec<u8>,
    protocol: Option<u64>,
}

/// One or two salts, and how to send back what comes of them.
pub(crate) struct Salts {
    shared: SharedSecret,
    salts: Zeroizing<Vec<u8>>,
}

impl Input {
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        let input = map(value)?;
        let member = |key: u64| input.get(key).ok_or(StatusCode::MISSING_PARAMETER);
        Ok(Self {
            peer_key: PeerKey::read(member(1)?)?,
            encrypted_salts: bytes(member(2)?)?.to_vec(),
            mac: bytes(member(3)?)?.to_vec(),
            protocol: input.get(4_u64).map(unsigned).transpose()?,
        })
    }
}

impl Authenticator {
    /// Decrypts the salts, after everything about them was checked.
    pub(crate) fn open_salts(&mut self, input: &Input) -> Result<Salts, StatusCode> {
        let Input {
            peer_key,
            encrypted_salts,
            mac,
            protocol,
        } = input;
        // Clients of CTAP 2.0 send no protocol and mean the first.
        let protocol = Protocol::from_number(protocol.unwrap_or(Protocol::One.number()))
            .ok_or(StatusCode::INVALID_PARAMETER)?;
        let shared = self
            .key_agreement
            .decapsulate(&mut *self.rng, protocol, peer_key)?;
        if !shared.verify(&[encrypted_salts], mac) {
            return Err(StatusCode::PIN_AUTH_INVALID);
        }
        let salts = shared
            .decrypt(encrypted_salts)
            .filter(|salts| [SALT_LEN, 2 * SALT_LEN].contains(&salts.len()))
            .ok_or(StatusCode::INVALID_PARAMETER)?;
        Ok(Salts { shared, salts })
    }
}

impl Salts {
    /// What comes of the salts for the credential with this CredRandom.
    pub(crate) fn output(
        &self,
        rng: &mut dyn CryptoRng,
        cred_random: &Secret<64>,
        is_verified: bool,
    ) -> Vec<u8> {
        let (with_uv, without_uv) = cred_random
            .expose_secret()
            .split_first_chunk::<32>()
            .expect("64 bytes are more than 32");
        let key = if is_verified {
            with_uv
        } else {
            without_uv.try_into().expect("64 - 32 bytes")
        };
        let mut outputs = Zeroizing::new(Vec::with_capacity(2 * SALT_LEN));
        for salt in self.salts.chunks(SALT_LEN) {
            outputs.extend_from_slice(&*hmac(key, &[salt]));
        }
        self.shared.encrypt(rng, &outputs)
    }
}

#[cfg(test)]
mod tests;
