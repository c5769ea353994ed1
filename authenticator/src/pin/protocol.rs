//! The two PIN/UV auth protocols: what platform and key derive from a shared point, and how they encrypt and
//! authenticate with it. `CTAP 2.3 §6.5.6`, `§6.5.7`.

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wardkey_vault::Secret;
use zeroize::Zeroizing;

const BLOCK_LEN: usize = 16;
/// Protocol one has no initialization vector.
const NO_IV: [u8; BLOCK_LEN] = [0; BLOCK_LEN];

/// A PIN/UV auth protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    One,
    Two,
}

impl Protocol {
    /// Every protocol, the preferred one first.
    pub(crate) const ALL: [Self; 2] = [Self::Two, Self::One];

    pub(crate) fn number(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.number() == number)
    }

    /// How many bytes of the HMAC are sent.
    fn mac_len(self) -> usize {
        match self {
            Self::One => 16,
            Self::Two => 32,
        }
    }

    /// Whether `mac` authenticates the joined `message` under `key`.
    pub(crate) fn verify(self, key: &Secret<32>, message: &[&[u8]], mac: &[u8]) -> bool {
        let full = hmac(key.expose_secret(), message);
        bool::from(full[..self.mac_len()].ct_eq(mac))
    }

    /// What [`Self::verify`] accepts.
    #[cfg(test)]
    pub(crate) fn authenticate(self, key: &Secret<32>, message: &[&[u8]]) -> Vec<u8> {
        hmac(key.expose_secret(), message)[..self.mac_len()].to_vec()
    }
}

/// What platform and key share for one exchange.
pub(crate) struct SharedSecret {
    protocol: Protocol,
    hmac_key: Secret<32>,
    aes_key: Secret<32>,
}

impl SharedSecret {
    /// From the x-coordinate of the point that both have computed.
    pub(crate) fn derive(protocol: Protocol, z: &[u8]) -> Self {
        match protocol {
            Protocol::One => {
                let hash = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(z)));
                Self {
                    protocol,
                    hmac_key: copy(&hash),
                    aes_key: copy(&hash),
                }
            }
            Protocol::Two => Self {
                protocol,
                hmac_key: expand(z, b"CTAP2 HMAC key"),
                aes_key: expand(z, b"CTAP2 AES key"),
            },
        }
    }

    /// Encrypts whole blocks.
    pub(crate) fn encrypt(&self, rng: &mut dyn CryptoRng, plaintext: &[u8]) -> Vec<u8> {
        let mut iv = NO_IV;
        let mut output = Vec::new();
        match self.protocol {
            Protocol::One => {}
            Protocol::Two => {
                rng.fill_bytes(&mut iv);
                output.extend(iv);
            }
        }
        output.extend(
            cbc::Encryptor::<Aes256>::new(self.aes_key.expose_secret().into(), &iv.into())
                .encrypt_padded_vec::<NoPadding>(plaintext),
        );
        output
    }

    /// Decrypts what is a whole number of blocks, and under protocol two has an initialization vector in front.
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (iv, blocks) = match self.protocol {
            Protocol::One => (&NO_IV, ciphertext),
            Protocol::Two => ciphertext.split_first_chunk()?,
        };
        let mut text = Zeroizing::new(blocks.to_vec());
        cbc::Decryptor::<Aes256>::new(self.aes_key.expose_secret().into(), iv.into())
            .decrypt_padded::<NoPadding>(&mut text)
            .ok()?;
        Some(text)
    }

    /// Whether `mac` authenticates the joined `message`.
    pub(crate) fn verify(&self, message: &[&[u8]], mac: &[u8]) -> bool {
        self.protocol.verify(&self.hmac_key, message, mac)
    }

    /// What [`Self::verify`] accepts.
    #[cfg(test)]
    pub(crate) fn authenticate(&self, message: &[&[u8]]) -> Vec<u8> {
        self.protocol.authenticate(&self.hmac_key, message)
    }
}

/// HMAC-SHA-256 of the joined `message`.
pub(crate) fn hmac(key: &[u8; 32], message: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in message {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HKDF-SHA-256 with a salt of 32 zero bytes.
pub(crate) fn expand<const N: usize>(input: &[u8], info: &[u8]) -> Secret<N> {
    Secret::fill_with(|out| Hkdf::<Sha256>::new(Some(&[0; 32]), input).expand(info, out))
        .expect("at most 32 bytes are asked for")
}

fn copy(bytes: &[u8; 32]) -> Secret<32> {
    Secret::from_slice(bytes).expect("32 bytes")
}

#[cfg(test)]
mod tests;
