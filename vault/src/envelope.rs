//! Something secret for one recipient: HPKE (RFC 9180, base mode) to his P-256 key, and around that HPKE to his X-Wing
//! key (X25519 and ML-KEM-768). It stays closed as long as one of the two does. `FORMAT.md` §9.
//!
//! The P-256 private key may be in a chip, which gives no more than the result of the key agreement; so the receiving
//! side of that layer is written out here (RFC 9180 §4.1, §5.1).

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{DhP256HkdfSha256, XWing};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Secret;
use crate::cbor::{Reader, Writer};
use crate::frame::ObjectHash;
use crate::keys::TAG_LEN;
use crate::object::bytes;
use crate::once::once;
use crate::signature::PublicPoint;

/// DHKEM(P-256, HKDF-SHA256).
const P256_SUITE: &[u8] = b"KEM\x00\x10";
/// The same with HKDF-SHA256 and AES-256-GCM.
const HPKE_SUITE: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x02";
const VERSION: &[u8] = b"HPKE-v1";

const X_WING_PUBLIC_LEN: usize = 1216;
const X_WING_ENCAPSULATED_LEN: usize = 1120;

/// A public key of X-Wing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XWingPublic(<XWing as Kem>::PublicKey);

impl XWingPublic {
    /// Its length in bytes.
    pub const LEN: usize = X_WING_PUBLIC_LEN;

    /// `None` for bytes that are no public key.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let input = || [b"x-wing key", bytes].concat();
        once(input, || Deserializable::from_bytes(bytes).ok().map(Self))
    }

    /// The public key of a seed.
    pub fn of(seed: &Secret<32>) -> Self {
        let input = || [b"x-wing", &seed.expose_secret()[..]].concat();
        once(input, || Self(XWing::sk_to_pk(&x_wing_key(seed))))
    }

    /// As it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes().to_vec()
    }
}

/// The keys to which an envelope is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientPublic {
    /// The key that a chip can hold.
    pub agreement: PublicPoint,
    /// The key that withstands a quantum computer.
    pub post_quantum: XWingPublic,
}

impl RecipientPublic {
    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.map(2);
        out.unsigned(1).bytes(self.agreement.as_bytes());
        out.unsigned(2).bytes(&self.post_quantum.to_bytes());
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Option<Self> {
        if input.map()? != 2 {
            return None;
        }
        Some(Self {
            agreement: PublicPoint::new(&bytes::<{ PublicPoint::LEN }>(input, 1)?)?,
            post_quantum: XWingPublic::new(&bytes::<{ XWingPublic::LEN }>(input, 2)?)?,
        })
    }
}

/// What an envelope is for; it opens for nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Purpose<'a> {
    /// A label, and the vault.
    pub(crate) info: &'a [u8],
    /// What else belongs to it.
    pub(crate) associated: &'a [u8],
}

/// Closes `text` to `recipient`.
pub(crate) fn close(
    recipient: &RecipientPublic,
    purpose: Purpose<'_>,
    text: &[u8],
    mut rng: &mut dyn CryptoRng,
) -> Vec<u8> {
    let agreement = <DhP256HkdfSha256 as Kem>::PublicKey::from_bytes(recipient.agreement.as_bytes())
        .expect("a point of P-256");
    let inner = seal::<DhP256HkdfSha256>(&agreement, purpose, text, &mut rng);
    seal::<XWing>(&recipient.post_quantum.0, purpose, &inner, &mut rng)
}

fn seal<K: Kem>(
    recipient: &K::PublicKey,
    purpose: Purpose<'_>,
    text: &[u8],
    rng: &mut &mut dyn CryptoRng,
) -> Vec<u8> {
    let Purpose { info, associated } = purpose;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, K>(
        &OpModeS::Base,
        recipient,
        info,
        text,
        associated,
        rng,
    )
    .expect("sealing short texts to a valid key does not fail");
    [encapsulated.to_bytes().as_slice(), &sealed].concat()
}

/// Takes the outer layer off; `None` when `sealed` is not for this key and purpose.
pub(crate) fn open_outer(seed: &Secret<32>, purpose: Purpose<'_>, sealed: &[u8]) -> Option<Inner> {
    let Purpose { info, associated } = purpose;
    let input = || {
        let public = ObjectHash::of(&[info, b"\0", associated, b"\0", sealed].concat());
        [b"outer", &seed.expose_secret()[..], &public.0].concat()
    };
    let inner = once(input, || {
        let (encapsulated, sealed) = sealed.split_at_checked(X_WING_ENCAPSULATED_LEN)?;
        let encapsulated = Deserializable::from_bytes(encapsulated).ok()?;
        let (mode, key) = (OpModeR::Base, x_wing_key(seed));
        hpke::single_shot_open::<AesGcm256, HkdfSha256, XWing>(
            &mode,
            &key,
            &encapsulated,
            info,
            sealed,
            associated,
        )
        .ok()
    })?;
    let (encapsulated, sealed) = inner.split_at_checked(PublicPoint::LEN)?;
    Some(Inner {
        encapsulated: PublicPoint::new(encapsulated)?,
        sealed: sealed.to_vec(),
    })
}

/// The inner layer of an envelope.
pub(crate) struct Inner {
    encapsulated: PublicPoint,
    sealed: Vec<u8>,
}

impl Inner {
    /// With what the recipient's private key has to agree.
    pub(crate) fn point(&self) -> &PublicPoint {
        &self.encapsulated
    }

    /// `agreed` is the x coordinate that came of it; `None` when this is not for that key and purpose.
    pub(crate) fn open(
        &self,
        recipient: &PublicPoint,
        agreed: &Secret<32>,
        purpose: Purpose<'_>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let shared = shared_secret(agreed, &self.encapsulated, recipient);
        let (key, nonce) = key_schedule(&shared, purpose.info);
        let (text, tag) = self.sealed.split_last_chunk::<TAG_LEN>()?;
        let mut text = Zeroizing::new(text.to_vec());
        Aes256Gcm::new(key.expose_secret().into())
            .decrypt_inout_detached(
                &Nonce::from(*nonce.expose_secret()),
                purpose.associated,
                text.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .ok()?;
        Some(text)
    }
}

/// ExtractAndExpand, RFC 9180 §4.1.
fn shared_secret(agreed: &Secret<32>, encapsulated: &PublicPoint, recipient: &PublicPoint) -> Secret<32> {
    let extracted = labelled_extract(P256_SUITE, &[], b"eae_prk", agreed.expose_secret());
    let context = [encapsulated.as_bytes().as_slice(), recipient.as_bytes()].concat();
    labelled_expand(P256_SUITE, &extracted, b"shared_secret", &context)
}

/// KeySchedule in base mode, RFC 9180 §5.1: the key and the nonce of the first message.
fn key_schedule(shared: &Secret<32>, info: &[u8]) -> (Secret<32>, Secret<12>) {
    let mode_base = [0].as_slice();
    let psk_id_hash = labelled_extract(HPKE_SUITE, &[], b"psk_id_hash", &[]);
    let info_hash = labelled_extract(HPKE_SUITE, &[], b"info_hash", info);
    let context = [mode_base, psk_id_hash.expose_secret(), info_hash.expose_secret()].concat();
    let secret = labelled_extract(HPKE_SUITE, shared.expose_secret(), b"secret", &[]);
    (
        labelled_expand(HPKE_SUITE, &secret, b"key", &context),
        labelled_expand(HPKE_SUITE, &secret, b"base_nonce", &context),
    )
}

fn labelled_extract(suite: &[u8], salt: &[u8], label: &[u8], key: &[u8]) -> Secret<32> {
    let mut labelled = Zeroizing::new(Vec::with_capacity(64 + key.len()));
    for part in [VERSION, suite, label, key] {
        labelled.extend_from_slice(part);
    }
    let (mut extracted, _) = Hkdf::<Sha256>::extract(Some(salt), &labelled);
    let secret = Secret::from_slice(&extracted).expect("SHA-256 gives 32 bytes");
    zeroize::Zeroize::zeroize(extracted.as_mut_slice());
    secret
}

fn labelled_expand<const N: usize>(
    suite: &[u8],
    secret: &Secret<32>,
    label: &[u8],
    context: &[u8],
) -> Secret<N> {
    let len = u16::try_from(N).expect("at most 32").to_be_bytes();
    Secret::fill_with(|out| {
        Hkdf::<Sha256>::from_prk(secret.expose_secret())
            .expect("32 bytes are a whole SHA-256 output")
            .expand_multi_info(&[&len, VERSION, suite, label, context], out)
    })
    .expect("at most 32 bytes are asked for")
}

fn x_wing_key(seed: &Secret<32>) -> <XWing as Kem>::PrivateKey {
    Deserializable::from_bytes(seed.expose_secret()).expect("every 32 bytes are a seed")
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;
    use crate::device_key::{agree, public_point};
    use crate::testing::TestRng;

    const PURPOSE: Purpose<'_> = Purpose {
        info: b"Ode on a Grecian Urn",
        associated: b"Count-0",
    };

    fn hex(digits: &str) -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn recipient(fill: u8) -> (p256::SecretKey, Secret<32>, RecipientPublic) {
        let key = p256::SecretKey::from_slice(&[fill; 32]).unwrap();
        let seed = Secret::from_slice(&[fill; 32]).unwrap();
        let public = RecipientPublic {
            agreement: public_point(&key),
            post_quantum: XWingPublic::of(&seed),
        };
        (key, seed, public)
    }

    fn open(
        (key, seed): (&p256::SecretKey, &Secret<32>),
        purpose: Purpose<'_>,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let inner = open_outer(seed, purpose, sealed)?;
        let agreed = agree(key, inner.point());
        let text = inner.open(&public_point(key), &agreed, purpose)?;
        Some(text.to_vec())
    }

    /// The published test vector of RFC 9180 for this suite (base mode, KEM 0x0010, KDF 0x0001, AEAD 0x0002).
    #[test]
    fn the_receiving_side_opens_the_published_vector() {
        let key = p256::SecretKey::from_slice(&hex(
            "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2",
        ))
        .unwrap();
        let encapsulated = PublicPoint::new(&hex(concat!(
            "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e",
            "0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0",
        )))
        .unwrap();
        let agreed = agree(&key, &encapsulated);
        let shared = shared_secret(&agreed, &encapsulated, &public_point(&key));
        assert_eq!(
            shared.expose_secret().to_vec(),
            hex("48893fecd82f7c3456af6a42d8f56325d21e08c10fa81299986aaff54cde7b49")
        );
        let inner = Inner {
            encapsulated,
            sealed: hex(concat!(
                "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465",
                "e902cd216f8908da49f8f96f",
            )),
        };
        let text = inner.open(&public_point(&key), &agreed, PURPOSE).unwrap();
        assert_eq!(text.as_slice(), b"Beauty is truth, truth beauty");
    }

    /// The first published test vector of X-Wing, by the hash of its 1216 bytes.
    #[test]
    fn a_seed_gives_the_published_x_wing_key() {
        let seed = hex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26");
        let public = XWingPublic::of(&Secret::from_slice(&seed).unwrap());
        assert_eq!(
            Sha256::digest(public.to_bytes()).to_vec(),
            hex("2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb")
        );
    }

    #[test]
    fn what_is_closed_opens_with_both_keys_and_for_its_purpose_alone() {
        let (key, seed, public) = recipient(1);
        let (other_key, other_seed, _) = recipient(2);
        let sealed = close(&public, PURPOSE, b"text", &mut TestRng(0));
        assert_eq!(sealed.len(), 1120 + 16 + 65 + 16 + 4);
        assert_eq!(open((&key, &seed), PURPOSE, &sealed).unwrap(), b"text");
        assert!(open((&other_key, &seed), PURPOSE, &sealed).is_none());
        assert!(open((&key, &other_seed), PURPOSE, &sealed).is_none());
        for purpose in [
            Purpose { info: b"", ..PURPOSE },
            Purpose {
                associated: b"",
                ..PURPOSE
            },
        ] {
            assert!(open((&key, &seed), purpose, &sealed).is_none());
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (key, seed, public) = recipient(1);
        let sealed = close(&public, PURPOSE, b"text", &mut TestRng(0));
        for at in (0..sealed.len()).filter(|at| *at > 1100 || at % 16 == 0) {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open((&key, &seed), PURPOSE, &changed).is_none(), "byte {at}");
        }
        for len in [0, 1119, 1120, 1184, sealed.len() - 1] {
            assert!(open((&key, &seed), PURPOSE, &sealed[..len]).is_none());
        }
    }
}
