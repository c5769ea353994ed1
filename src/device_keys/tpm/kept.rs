//! What is kept on the disk of keys in a TPM: public keys, and objects as the TPM encrypted them. `FORMAT.md`.

use tss_esapi::structures::Private as TpmPrivate;
use wardkey_vault::{PublicKeys, PublicPoint, RecipientPublic, XWingPublic};

use super::error::TpmError;

/// Starts it; the last byte is the version.
const MAGIC: &[u8; 5] = b"PKVT\x01";
/// More than any TPM's encryption of an elliptic curve key, or of 32 sealed bytes.
const PRIVATE_LEN_MAX: usize = 1024;

/// What is kept.
#[derive(Clone)]
pub(super) struct Kept {
    /// The storage key of the TPM, to know it again.
    pub(super) storage: PublicPoint,
    /// The keys that others see.
    pub(super) public: PublicKeys,
    /// The TPM's digest of the sealed seed: part of its name, and of no use in guessing the seed, which is random.
    pub(super) seed_name: [u8; 32],
    pub(super) signing: Private,
    pub(super) agreement: Private,
    pub(super) seed: Private,
}

/// The private area of an object, as its TPM encrypted and authenticated it.
#[derive(Clone)]
pub(super) struct Private(Vec<u8>);

impl Private {
    pub(super) fn of(private: &TpmPrivate) -> Result<Self, TpmError> {
        Self::new(private.value()).ok_or(TpmError::Nonsense)
    }

    fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= PRIVATE_LEN_MAX).then(|| Self(bytes.to_vec()))
    }

    pub(super) fn for_tpm(&self) -> Result<TpmPrivate, tss_esapi::Error> {
        TpmPrivate::try_from(self.0.as_slice())
    }
}

impl Kept {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(self.storage.as_bytes());
        bytes.extend_from_slice(self.public.signing.as_bytes());
        bytes.extend_from_slice(self.public.recipient.agreement.as_bytes());
        bytes.extend_from_slice(&self.public.recipient.post_quantum.to_bytes());
        bytes.extend_from_slice(&self.seed_name);
        for Private(private) in [&self.signing, &self.agreement, &self.seed] {
            let len = u16::try_from(private.len()).expect("a private area has at most 1024 bytes");
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(private);
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes.strip_prefix(MAGIC)?;
        let mut point = || PublicPoint::new(take(rest, PublicPoint::LEN)?);
        let (storage, signing, agreement) = (point()?, point()?, point()?);
        let kept = Self {
            storage,
            public: PublicKeys {
                signing,
                recipient: RecipientPublic {
                    agreement,
                    post_quantum: XWingPublic::new(take(rest, XWingPublic::LEN)?)?,
                },
            },
            seed_name: take(rest, 32)?.try_into().ok()?,
            signing: take_private(rest)?,
            agreement: take_private(rest)?,
            seed: take_private(rest)?,
        };
        rest.is_empty().then_some(kept)
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

fn take_private(rest: &mut &[u8]) -> Option<Private> {
    let len = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    Private::new(take(rest, len.into())?)
}
