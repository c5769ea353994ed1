//! PIN/UV auth protocols one and two from the platform's side, CTAP 2.3 §6.5.6 and §6.5.7.
//!
//! In: the key-agreement key of the authenticator, randomness. Out: a shared secret that hides PINs and salts, and a
//! token that authorises commands. Which command sends what is in the files of the commands.

#[cfg(test)]
mod tests;

use std::fmt;

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ciborium::Value;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use p256::{PublicKey, SecretKey};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use super::Error;
use super::cbor::{self, Members};

const BLOCK_LEN: usize = 16;
/// Protocol one has a zero initialization vector, and sends none.
const NO_IV: [u8; BLOCK_LEN] = [0; BLOCK_LEN];

/// A PIN/UV auth protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinProtocol {
    /// One: one key for everything, a zero IV, authentication cut to 16 bytes.
    One,
    /// Two: two keys, random IVs, whole authentication.
    Two,
}

impl PinProtocol {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// Agrees on a secret with the authenticator that has this key-agreement key.
    pub fn encapsulate(
        self,
        authenticator_key: &Value,
        rng: &mut dyn CryptoRng,
    ) -> Result<SharedSecret, Error> {
        let mut private_key = [0; 32];
        loop {
            rng.fill_bytes(&mut private_key);
            // All but one of 2^32 numbers are private keys.
            if let Ok(private_key) = SecretKey::from_slice(&private_key) {
                return self.encapsulate_with(authenticator_key, &private_key);
            }
        }
    }

    fn encapsulate_with(
        self,
        authenticator_key: &Value,
        private_key: &SecretKey,
    ) -> Result<SharedSecret, Error> {
        let authenticator_key = read_public_key(authenticator_key).ok_or(Error::Member("keyAgreement"))?;
        let z = private_key.diffie_hellman(&authenticator_key);
        let keys = self.derive(z.raw_secret_bytes());
        Ok(SharedSecret {
            protocol: self,
            platform_key: public_key_to_cose(&private_key.public_key()),
            keys,
        })
    }

    /// The function `kdf` of the protocol.
    fn derive(self, z: &[u8]) -> Keys {
        match self {
            Self::One => {
                let key = Sha256::digest(z).into();
                Keys { hmac: key, aes: key }
            }
            Self::Two => {
                let hkdf = Hkdf::<Sha256>::new(Some(&[0; 32]), z);
                let expand = |label: &[u8]| {
                    let mut key = [0; 32];
                    hkdf.expand(label, &mut key).expect("HKDF-SHA-256 gives 32 bytes");
                    key
                };
                Keys {
                    hmac: expand(b"CTAP2 HMAC key"),
                    aes: expand(b"CTAP2 AES key"),
                }
            }
        }
    }

    /// The function `authenticate` of the protocol.
    fn authenticate(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        hmac.update(message);
        let mut tag = hmac.finalize().into_bytes().to_vec();
        tag.truncate(match self {
            Self::One => 16,
            Self::Two => 32,
        });
        tag
    }
}

struct Keys {
    hmac: [u8; 32],
    aes: [u8; 32],
}

/// What the platform and the authenticator share after key agreement.
pub struct SharedSecret {
    protocol: PinProtocol,
    platform_key: Value,
    keys: Keys,
}

impl SharedSecret {
    /// The protocol it was agreed on for.
    pub const fn protocol(&self) -> PinProtocol {
        self.protocol
    }

    /// The platform's key-agreement key, a COSE key to send along.
    pub const fn platform_key(&self) -> &Value {
        &self.platform_key
    }

    /// Hides `plaintext` from everybody but the authenticator.
    ///
    /// # Panics
    ///
    /// When `plaintext` is not whole blocks of 16 bytes: the protocols encrypt nothing else.
    pub fn encrypt(&self, plaintext: &[u8], rng: &mut dyn CryptoRng) -> Vec<u8> {
        match self.protocol {
            PinProtocol::One => encrypt(&self.keys.aes, NO_IV, plaintext),
            PinProtocol::Two => {
                let mut iv = [0; BLOCK_LEN];
                rng.fill_bytes(&mut iv);
                [iv.to_vec(), encrypt(&self.keys.aes, iv, plaintext)].concat()
            }
        }
    }

    /// What the authenticator hid; `None` when it is not whole blocks.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let (iv, blocks) = match self.protocol {
            PinProtocol::One => (&NO_IV, ciphertext),
            PinProtocol::Two => ciphertext.split_first_chunk()?,
        };
        cbc::Decryptor::<Aes256>::new(&self.keys.aes.into(), &(*iv).into())
            .decrypt_padded_vec::<NoPadding>(blocks)
            .ok()
    }

    /// Proves that `message` comes from who agreed on this secret.
    pub fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        self.protocol.authenticate(&self.keys.hmac, message)
    }
}

fn encrypt(key: &[u8; 32], iv: [u8; BLOCK_LEN], plaintext: &[u8]) -> Vec<u8> {
    assert!(
        plaintext.len().is_multiple_of(BLOCK_LEN),
        "only whole blocks can be encrypted"
    );
    cbc::Encryptor::<Aes256>::new(key.into(), &iv.into()).encrypt_padded_vec::<NoPadding>(plaintext)
}

/// A pinUvAuthToken: authorises commands for a while.
#[derive(Clone, PartialEq, Eq)]
pub struct PinUvAuthToken {
    protocol: PinProtocol,
    token: Vec<u8>,
}

impl PinUvAuthToken {
    /// A token that came from elsewhere, or that nobody gave: for tests of what a key refuses.
    pub const fn from_parts(protocol: PinProtocol, token: Vec<u8>) -> Self {
        Self { protocol, token }
    }

    /// The protocol it was given for.
    pub const fn protocol(&self) -> PinProtocol {
        self.protocol
    }

    /// The bytes; the keys to encIdentifier and encCredStoreState are derived from them.
    pub fn expose_secret(&self) -> &[u8] {
        &self.token
    }

    /// The pinUvAuthParam of a command that authenticates `message`.
    pub fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        self.protocol.authenticate(&self.token, message)
    }
}

impl fmt::Debug for PinUvAuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinUvAuthToken")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// Permissions of a pinUvAuthToken, CTAP 2.3 §6.5.5.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions(pub u8);

impl Permissions {
    /// authenticatorMakeCredential.
    pub const MAKE_CREDENTIAL: Self = Self(0x01);
    /// authenticatorGetAssertion.
    pub const GET_ASSERTION: Self = Self(0x02);
    /// authenticatorCredentialManagement.
    pub const CREDENTIAL_MANAGEMENT: Self = Self(0x04);
    /// authenticatorBioEnrollment.
    pub const BIO_ENROLLMENT: Self = Self(0x08);
    /// Writing with authenticatorLargeBlobs.
    pub const LARGE_BLOB_WRITE: Self = Self(0x10);
    /// authenticatorConfig.
    pub const CONFIGURATION: Self = Self(0x20);
    /// Reading with authenticatorCredentialManagement, for as long as the PIN stays the same.
    pub const PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY: Self = Self(0x40);

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A PIN as setPIN and changePIN carry it: padded with zeros to 64 bytes, or, where it is too long for that, to the
/// next multiple.
pub(super) fn pad(pin: &[u8]) -> Vec<u8> {
    const PADDED_LEN: usize = 64;
    let mut padded = pin.to_vec();
    padded.resize(pin.len().next_multiple_of(PADDED_LEN).max(PADDED_LEN), 0);
    padded
}

/// A PIN as a token is asked for with it: the first half of its hash.
pub(super) fn hash(pin: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::digest(pin).to_vec();
    hash.truncate(16);
    hash
}

/// The COSE key of a key-agreement key, CTAP 2.3 §6.5.6 `getPublicKey`.
fn public_key_to_cose(key: &PublicKey) -> Value {
    let sec1 = key.to_sec1_bytes();
    let (x, y) = sec1
        .split_first()
        .and_then(|(_, point)| point.split_at_checked(32))
        .expect("an uncompressed point of P-256 has 65 bytes");
    let members = [
        (1, Value::from(2)),
        (3, Value::from(-25)),
        (-1, Value::from(1)),
        (-2, Value::from(x)),
        (-3, Value::from(y)),
    ];
    Value::Map(members.map(|(key, value)| (Value::from(key), value)).into())
}

fn read_public_key(key: &Value) -> Option<PublicKey> {
    let mut members = Members::new(key.clone())?;
    let mut coordinate = |key: i8| cbor::bytes(members.take(key)?).filter(|bytes| bytes.len() == 32);
    let sec1 = [vec![4], coordinate(-2)?, coordinate(-3)?].concat();
    PublicKey::from_sec1_bytes(&sec1).ok()
}
