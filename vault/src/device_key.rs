//! The keys of a device, and the seam behind which they are kept. Software keeps them sealed under what the Vault PIN
//! gives (the shell has the bytes); a chip keeps the P-256 keys so that they never leave it, and counts wrong PINs.

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::elliptic_curve::Generate;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Secret;
use crate::cbor::{Reader, Writer};
use crate::envelope::{RecipientPublic, XWingPublic};
use crate::keys::{COMMITMENT_LEN, KeyAuth, TAG_LEN};
use crate::object::{at, bytes};
use crate::once::once;
use crate::pin::GuessLimit;
use crate::signature::{PublicPoint, Signature, SignedHash};

/// The public halves of the keys of a device, or of a recovery kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeys {
    /// Signs what it writes.
    pub signing: PublicPoint,
    /// Slots are closed to these.
    pub recipient: RecipientPublic,
}

impl PublicKeys {
    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.map(2);
        out.unsigned(1).bytes(self.signing.as_bytes());
        self.recipient.encode(out.unsigned(2));
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Option<Self> {
        if input.map()? != 2 {
            return None;
        }
        Some(Self {
            signing: PublicPoint::new(&bytes::<{ PublicPoint::LEN }>(input, 1)?)?,
            recipient: RecipientPublic::decode(at(input, 2)?)?,
        })
    }
}

/// Why a key store did not use a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyStoreError {
    /// The Vault PIN is wrong, or the sealed keys are damaged: software cannot tell.
    #[error("the Vault PIN is wrong, or the device's keys are damaged")]
    WrongAuth,
    /// The chip accepts no further guesses for now.
    #[error("the chip that holds the device's keys accepts no further guesses for now")]
    LockedOut,
    /// The chip cannot be used.
    #[error("the chip that holds the device's keys cannot be used")]
    Unavailable,
}

/// A place that keeps the keys of one device. How they are made differs from place to place.
pub trait KeyStore {
    /// The public halves.
    fn public(&self) -> &PublicKeys;

    /// What stops somebody who has the device from guessing the Vault PIN.
    fn guess_limit(&self) -> GuessLimit;

    /// Signs for the device.
    fn sign(&mut self, auth: &KeyAuth, hash: &SignedHash) -> Result<Signature, KeyStoreError>;

    /// The x coordinate of the ECDH of the agreement key and `point`.
    fn agree(&mut self, auth: &KeyAuth, point: &PublicPoint) -> Result<Secret<32>, KeyStoreError>;

    /// The seed of the X-Wing key, which no chip holds yet. In a store whose chip counts guesses it must not be
    /// sealed with `auth`: that would be a way to try PINs without the chip.
    fn post_quantum(&mut self, auth: &KeyAuth) -> Result<Secret<32>, KeyStoreError>;

    /// The same keys under another auth value, as they are to be kept from then on. What was kept before stays as it
    /// is, and stays good until it is thrown away.
    fn resealed(
        &mut self,
        auth: &KeyAuth,
        new_auth: &KeyAuth,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, KeyStoreError>;
}

/// Starts sealed keys; the last byte is the version.
const MAGIC: &[u8; 5] = b"PKVK\x01";
const RANDOM_LEN: usize = 16;
const PUBLIC_LEN: usize = 2 * PublicPoint::LEN + XWingPublic::LEN;
const START_LEN: usize = MAGIC.len() + RANDOM_LEN + PUBLIC_LEN;
/// Signing key, agreement key, X-Wing seed.
const SECRETS_LEN: usize = 96;

/// Keys that are bytes, sealed under what the Vault PIN gives. `FORMAT.md` §9.
pub struct SoftwareKeys {
    public: PublicKeys,
    sealed: Vec<u8>,
}

impl SoftwareKeys {
    /// New keys, sealed under `auth`.
    pub fn generate(auth: &KeyAuth, rng: &mut dyn CryptoRng) -> Self {
        let secrets = Secrets {
            signing: p256::SecretKey::generate_from_rng(rng),
            agreement: p256::SecretKey::generate_from_rng(rng),
            post_quantum: Secret::random(rng),
        };
        secrets.seal(auth, rng)
    }

    /// Keys from the bytes that [`Self::as_bytes`] gave; `None` when they are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let start = bytes.get(..START_LEN)?;
        let public = start.strip_prefix(MAGIC)?.get(RANDOM_LEN..)?;
        let (signing, public) = public.split_at_checked(PublicPoint::LEN)?;
        let (agreement, post_quantum) = public.split_at_checked(PublicPoint::LEN)?;
        let public = PublicKeys {
            signing: PublicPoint::new(signing)?,
            recipient: RecipientPublic {
                agreement: PublicPoint::new(agreement)?,
                post_quantum: XWingPublic::new(post_quantum)?,
            },
        };
        let len = START_LEN + COMMITMENT_LEN + SECRETS_LEN + TAG_LEN;
        (bytes.len() == len).then(|| Self {
            public,
            sealed: bytes.to_vec(),
        })
    }

    /// What the shell keeps, readable for its user alone.
    pub fn as_bytes(&self) -> &[u8] {
        &self.sealed
    }

    fn open(&self, auth: &KeyAuth) -> Result<Secrets, KeyStoreError> {
        self.unseal(auth)
            .filter(|secrets| secrets.public() == self.public)
            .ok_or(KeyStoreError::WrongAuth)
    }

    fn unseal(&self, auth: &KeyAuth) -> Option<Secrets> {
        let (start, rest) = self.sealed.split_at_checked(START_LEN)?;
        let (found, rest) = rest.split_first_chunk::<COMMITMENT_LEN>()?;
        let (text, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let (key, commitment) = auth.sealing_key(start);
        if !bool::from(commitment.ct_eq(found)) {
            return None;
        }
        let mut text = Zeroizing::new(text.to_vec());
        key.decrypt(start, &mut text, tag)?;
        let (signing, rest) = text.split_first_chunk::<32>()?;
        let (agreement, post_quantum) = rest.split_first_chunk::<32>()?;
        Some(Secrets {
            signing: p256::SecretKey::from_slice(signing).ok()?,
            agreement: p256::SecretKey::from_slice(agreement).ok()?,
            post_quantum: Secret::from_slice(post_quantum)?,
        })
    }
}

impl KeyStore for SoftwareKeys {
    fn public(&self) -> &PublicKeys {
        &self.public
    }

    fn guess_limit(&self) -> GuessLimit {
        GuessLimit::None
    }

    fn sign(&mut self, auth: &KeyAuth, hash: &SignedHash) -> Result<Signature, KeyStoreError> {
        Ok(sign(&self.open(auth)?.signing, hash))
    }

    fn agree(&mut self, auth: &KeyAuth, point: &PublicPoint) -> Result<Secret<32>, KeyStoreError> {
        Ok(agree(&self.open(auth)?.agreement, point))
    }

    fn post_quantum(&mut self, auth: &KeyAuth) -> Result<Secret<32>, KeyStoreError> {
        Ok(self.open(auth)?.post_quantum)
    }

    fn resealed(
        &mut self,
        auth: &KeyAuth,
        new_auth: &KeyAuth,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, KeyStoreError> {
        Ok(self.open(auth)?.seal(new_auth, rng).sealed)
    }
}

/// The private keys. They wipe themselves.
struct Secrets {
    signing: p256::SecretKey,
    agreement: p256::SecretKey,
    post_quantum: Secret<32>,
}

impl Secrets {
    fn public(&self) -> PublicKeys {
        PublicKeys {
            signing: public_point(&self.signing),
            recipient: RecipientPublic {
                agreement: public_point(&self.agreement),
                post_quantum: XWingPublic::of(&self.post_quantum),
            },
        }
    }

    fn seal(&self, auth: &KeyAuth, rng: &mut dyn CryptoRng) -> SoftwareKeys {
        let public = self.public();
        let mut random = [0; RANDOM_LEN];
        rng.fill_bytes(&mut random);
        let mut start = Vec::with_capacity(START_LEN);
        start.extend_from_slice(MAGIC);
        start.extend_from_slice(&random);
        start.extend_from_slice(public.signing.as_bytes());
        start.extend_from_slice(public.recipient.agreement.as_bytes());
        start.extend_from_slice(&public.recipient.post_quantum.to_bytes());

        let mut text = Zeroizing::new(Vec::with_capacity(SECRETS_LEN));
        text.extend_from_slice(&Zeroizing::new(self.signing.to_bytes()));
        text.extend_from_slice(&Zeroizing::new(self.agreement.to_bytes()));
        text.extend_from_slice(self.post_quantum.expose_secret());
        let (key, commitment) = auth.sealing_key(&start);
        let tag = key.encrypt(&start, &mut text);
        SoftwareKeys {
            public,
            sealed: [start.as_slice(), &commitment, &text, &tag].concat(),
        }
    }
}

/// Signs with a key that is at hand.
pub(crate) fn sign(key: &p256::SecretKey, hash: &SignedHash) -> Signature {
    let input = || [b"sign", &key.to_bytes()[..], hash.as_bytes()].concat();
    once(input, || {
        let signature: p256::ecdsa::Signature = p256::ecdsa::SigningKey::from(key)
            .sign_prehash(hash.as_bytes())
            .expect("a hash of 32 bytes can be signed");
        Signature::new(&signature.to_bytes().into()).expect("a signature")
    })
}

/// ECDH with a key that is at hand.
pub(crate) fn agree(key: &p256::SecretKey, point: &PublicPoint) -> Secret<32> {
    let input = || [b"agree", &key.to_bytes()[..], point.as_bytes()].concat();
    once(input, || {
        let agreed = key.diffie_hellman(&point.to_key());
        Secret::from_slice(agreed.raw_secret_bytes()).expect("a coordinate has 32 bytes")
    })
}

/// The public half of a key that is at hand.
pub(crate) fn public_point(key: &p256::SecretKey) -> PublicPoint {
    let input = || [b"point", &key.to_bytes()[..]].concat();
    once(input, || {
        let point = p256::Sec1Point::from(key.public_key());
        PublicPoint::new(point.as_bytes()).expect("the public half of a key is a point")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRng;

    fn auth(fill: u8) -> KeyAuth {
        KeyAuth::random(&mut TestRng(u64::from(fill) << 32))
    }

    fn keys() -> SoftwareKeys {
        SoftwareKeys::generate(&auth(1), &mut TestRng(0))
    }

    #[test]
    fn sealed_keys_come_back_and_are_the_same() {
        let made = keys();
        let mut keys = SoftwareKeys::from_bytes(made.as_bytes()).unwrap();
        assert_eq!(keys.public(), made.public());
        let hash = SignedHash::new([7; 32]);
        let signature = keys.sign(&auth(1), &hash).unwrap();
        assert!(keys.public().signing.verify(&hash, &signature));
        let seed = keys.post_quantum(&auth(1)).unwrap();
        assert_eq!(XWingPublic::of(&seed), keys.public().recipient.post_quantum);
    }

    #[test]
    fn both_sides_agree_on_the_same_secret() {
        let (mut keys, other) = (keys(), p256::SecretKey::from_slice(&[9; 32]).unwrap());
        let here = keys.agree(&auth(1), &public_point(&other)).unwrap();
        let there = agree(&other, &keys.public().recipient.agreement);
        assert_eq!(here.expose_secret(), there.expose_secret());
    }

    /// Mutation: the key that seals them not derived from the auth value.
    #[test]
    fn another_auth_value_uses_no_key() {
        let (mut keys, wrong) = (keys(), auth(2));
        let point = keys.public().recipient.agreement;
        assert_eq!(
            keys.sign(&wrong, &SignedHash::new([7; 32])).err(),
            Some(KeyStoreError::WrongAuth)
        );
        assert_eq!(keys.agree(&wrong, &point).err(), Some(KeyStoreError::WrongAuth));
        assert_eq!(keys.post_quantum(&wrong).err(), Some(KeyStoreError::WrongAuth));
    }

    #[test]
    fn resealed_keys_open_under_the_new_value_alone() {
        let new = keys().resealed(&auth(1), &auth(2), &mut TestRng(5)).unwrap();
        let mut new = SoftwareKeys::from_bytes(&new).unwrap();
        assert_eq!(new.public(), keys().public());
        assert!(new.post_quantum(&auth(2)).is_ok());
        assert!(new.post_quantum(&auth(1)).is_err());
        assert!(keys().resealed(&auth(2), &auth(1), &mut TestRng(5)).is_err());
    }

    #[test]
    fn every_changed_byte_and_every_other_length_is_noticed() {
        let sealed = keys().as_bytes().to_vec();
        // A changed byte in the X-Wing key costs a key generation each; every 16th will do there.
        for at in (0..sealed.len()).filter(|at| !(200..1300).contains(at) || at % 16 == 0) {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let opened = SoftwareKeys::from_bytes(&changed).and_then(|keys| keys.open(&auth(1)).ok());
            assert!(opened.is_none(), "byte {at}");
        }
        for len in [0, 4, START_LEN, sealed.len() - 1] {
            assert!(SoftwareKeys::from_bytes(&sealed[..len]).is_none());
        }
        assert!(SoftwareKeys::from_bytes(&[&sealed[..], &[0]].concat()).is_none());
    }
}
