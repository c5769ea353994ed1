//! The key's half of the key agreement: one P-256 key per protocol, made when it is first asked for, and a new one at
//! power-up and after every wrong PIN. `CTAP 2.3 §6.5.6`.

use p256::{PublicKey, SecretKey, ecdh};
use rand_core::CryptoRng;
use wardkey_vault::Secret;

use super::protocol::{Protocol, SharedSecret};
use crate::cbor::{Map, Value};
use crate::parameters::map;
use crate::status::StatusCode;

const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
/// EC2
const KTY_EC2: u64 = 2;
/// P-256
const CRV_P256: u64 = 1;
/// ECDH-ES + HKDF-256, though the key is not derived that way; `CTAP 2.3 §6.5.6`.
const ALG_ECDH: i64 = -25;

/// The platform's public key as it arrived; it may be none.
pub(crate) struct PeerKey(Option<PublicKey>);

impl PeerKey {
    /// Reads a COSE_Key. That it is a map is asked here, that it is a key in [`KeyAgreement::decapsulate`].
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, StatusCode> {
        let key = map(value)?;
        let coordinate = |name: i64| match key.get(name) {
            Some(Value::Bytes(bytes)) => <&[u8; 32]>::try_from(*bytes).ok(),
            _ => None,
        };
        let is_p256 = key.get(KTY) == Some(&Value::Unsigned(KTY_EC2))
            && key.get(CRV) == Some(&Value::Unsigned(CRV_P256));
        let point = coordinate(X).zip(coordinate(Y)).filter(|_| is_p256);
        Ok(Self(point.and_then(|(x, y)| {
            PublicKey::from_sec1_bytes(&[&[0x04][..], x, y].concat()).ok()
        })))
    }
}

/// The public half of a key-agreement key.
pub(crate) struct OwnKey {
    x: [u8; 32],
    y: [u8; 32],
}

impl OwnKey {
    /// The COSE_Key.
    pub(crate) fn members(&self) -> Map<'_> {
        Map::new([
            (KTY, Value::Unsigned(KTY_EC2)),
            (ALG, Value::integer(ALG_ECDH)),
            (CRV, Value::Unsigned(CRV_P256)),
            (X, Value::Bytes(&self.x)),
            (Y, Value::Bytes(&self.y)),
        ])
    }
}

/// The key-agreement keys.
#[derive(Default)]
pub(crate) struct KeyAgreement {
    one: Option<SecretKey>,
    two: Option<SecretKey>,
}

impl KeyAgreement {
    /// The same key for every protocol.
    #[cfg(test)]
    pub(crate) fn in_test(key: &SecretKey) -> Self {
        Self {
            one: Some(key.clone()),
            two: Some(key.clone()),
        }
    }

    pub(crate) fn public_key(&mut self, rng: &mut dyn CryptoRng, protocol: Protocol) -> OwnKey {
        let point = p256::Sec1Point::from(self.key(rng, protocol).public_key());
        let coordinate =
            |field: Option<&_>| <[u8; 32]>::from(*field.expect("an uncompressed point has both"));
        OwnKey {
            x: coordinate(point.x()),
            y: coordinate(point.y()),
        }
    }

    /// What is shared with the platform that has this public key.
    pub(crate) fn decapsulate(
        &mut self,
        rng: &mut dyn CryptoRng,
        protocol: Protocol,
        peer: &PeerKey,
    ) -> Result<SharedSecret, StatusCode> {
        let peer = peer.0.as_ref().ok_or(StatusCode::INVALID_PARAMETER)?;
        let key = self.key(rng, protocol);
        let point = ecdh::diffie_hellman(key.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::derive(protocol, point.raw_secret_bytes()))
    }

    /// Forgets the key of this protocol: secrets that were agreed on before are worth nothing any more.
    pub(crate) fn regenerate(&mut self, protocol: Protocol) {
        *self.slot(protocol) = None;
    }

    fn key(&mut self, rng: &mut dyn CryptoRng, protocol: Protocol) -> &SecretKey {
        self.slot(protocol).get_or_insert_with(|| random_key(rng))
    }

    fn slot(&mut self, protocol: Protocol) -> &mut Option<SecretKey> {
        match protocol {
            Protocol::One => &mut self.one,
            Protocol::Two => &mut self.two,
        }
    }
}

fn random_key(rng: &mut dyn CryptoRng) -> SecretKey {
    loop {
        // One in 2^32 random strings is no scalar; then the next one is.
        if let Ok(key) = SecretKey::from_slice(Secret::<32>::random(rng).expose_secret()) {
            return key;
        }
    }
}
