//! Which key does what, and every label. One key, one purpose, one type.
//!
//! ```text
//! root key ──HKDF-Extract(salt = vault id)──► VaultKey ──HKDF-Expand(OBJECT ‖ SHA-256(prefix ‖ header))──► OneTimeKey ‖ commitment
//! WrappingKey (random, in the keyring) ──HKDF-Expand(WRAP ‖ start of the id)──► OneTimeKey
//! Vault PIN ──Argon2id──► PinSecret
//! ```
//! HKDF is RFC 5869 with SHA-256, the cipher AES-256-GCM (NIST SP 800-38D).

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use crate::seal::{RANDOM_LEN, RowId, Unique};
use crate::{RootKey, Secret};

/// HKDF label of the key and the commitment of a sealed object.
const OBJECT: &[u8] = b"pkv1/obj\0";
/// HKDF label of the key of a wrapped credential.
const WRAP: &[u8] = b"pkv1/wrap\0";

/// HKDF label of the wrapping key that all devices of a vault have.
const SHARED_WRAPPING: &[u8] = b"pkv1/shared-wrapping\0";

/// HKDF label of what stands for a signature count where other objects have random bytes.
const COUNT: &[u8] = b"pkv1/count\0";

/// Before the first entry of a trust log, whose hash names the vault.
pub(crate) const VAULT_ID: &[u8] = b"pkv1/vault-id\0";
/// Before the vault, in the `info` of a slot's HPKE.
pub(crate) const SLOT: &[u8] = b"pkv1/slot\0";
/// HKDF label of the inner layer of a slot.
const SLOT_PIN: &[u8] = b"pkv1/slot-pin\0";
/// HKDF labels of the keys of a recovery kit.
const KIT_AGREEMENT: &[u8] = b"pkv1/rk-kem\0";
const KIT_POST_QUANTUM: &[u8] = b"pkv1/rk-pq\0";
const KIT_SIGNING: &[u8] = b"pkv1/rk-sig\0";

/// HKDF label of the key that seals a backup file.
const BACKUP: &[u8] = b"pkv1/backup\0";

/// HKDF label of what a key store asks for before it uses a key.
const KEY_AUTH: &[u8] = b"pkv1/tpm-auth\0";

/// HKDF label of the key that seals a device's keys in software.
const DEVICE_KEYS: &[u8] = b"pkv1/device-keys\0";

/// HKDF labels of what is recognized while the vault is locked.
pub(crate) const KNOWN_SITE: &[u8] = b"pkv1/known-site\0";
pub(crate) const KNOWN_CREDENTIAL: &[u8] = b"pkv1/known-credential\0";
pub(crate) const KNOWN_WRAPPED: &[u8] = b"pkv1/known-wrapped\0";
pub(crate) const KNOWN_ANY_WRAPPED: &[u8] = b"pkv1/known-any-wrapped\0";
pub(crate) const KNOWN_SHARE: &[u8] = b"pkv1/known-share\0";
pub(crate) const KNOWN_ALL: &[u8] = b"pkv1/known-all\0";
/// HKDF label of what authenticates the state of the authenticator that can be read while the vault is locked.
pub(crate) const PUBLIC_STATE: &[u8] = b"pkv1/public-state\0";

/// HKDF label of the name of a row.
const MERGED: &[u8] = b"pkv1/merged\0";
/// What a snapshot amounts to.
pub(crate) const SNAPSHOT_STATE: &[u8] = b"pkv1/state\0";

/// Before what two devices say to each other before one adds the other: all of it, …
pub(crate) const PAIRING: &[u8] = b"pkv1/pair\0";
/// … what one commits itself to, …
pub(crate) const PAIRING_COMMITMENT: &[u8] = b"pkv1/pair-commit\0";
/// … and what the other shows as a picture.
pub(crate) const PAIRING_CODE: &[u8] = b"pkv1/pair-code\0";
/// HKDF label of the digits that the user compares.
const PAIRING_DIGITS: &[u8] = b"pkv1/sas\0";

/// Before what a device signs.
pub(crate) const SIGNATURE: &[u8] = b"pkv1/sig/obj\0";

/// AES-256-GCM's tag.
pub(crate) const TAG_LEN: usize = 16;
/// The commitment to the key in a sealed object.
pub(crate) const COMMITMENT_LEN: usize = 32;

/// Names a vault; salt of everything derived in it. Public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultId(pub [u8; 32]);

/// Names a device of a vault; random. Public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub [u8; 16]);

/// Hexadecimal, in small letters.
impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The root key of one epoch as it serves one vault.
pub struct VaultKey {
    pub(crate) vault: VaultId,
    pub(crate) epoch: u32,
    pseudo_random: Secret<32>,
}

impl VaultKey {
    /// The epoch of a vault whose root key was never replaced.
    pub const FIRST_EPOCH: u32 = 1;

    /// Of the root key of `epoch`.
    pub fn of_epoch(root: &RootKey, vault: VaultId, epoch: u32) -> Self {
        Self {
            vault,
            epoch,
            pseudo_random: extract(vault, root),
        }
    }

    /// The key of the object that starts with `prefix` and `header`, and the commitment to it.
    pub(crate) fn object_key(&self, prefix: &[u8], header: &[u8]) -> (OneTimeKey, [u8; COMMITMENT_LEN]) {
        let start = Sha256::new().chain_update(prefix).chain_update(header).finalize();
        split(&expand(&self.pseudo_random, &[OBJECT, &start]))
    }

    /// Wraps synced credentials on all devices of the vault.
    pub(crate) fn shared_wrapping_key(&self) -> WrappingKey {
        let number = WrappingKey::FIRST_SHARED.saturating_add(self.epoch);
        WrappingKey::new(number, expand(&self.pseudo_random, &[SHARED_WRAPPING]))
    }

    /// Different for every count, and says nothing about it.
    pub(crate) fn count_unique(&self, count: u32) -> Unique {
        let bytes: Secret<RANDOM_LEN> = expand(&self.pseudo_random, &[COUNT, &count.to_be_bytes()]);
        Unique(*bytes.expose_secret())
    }
}

/// What the Vault PIN was stretched to. It opens nothing by itself: a device's keys are needed, too.
pub struct PinSecret(Secret<32>);

impl PinSecret {
    pub(crate) fn new(stretched: Secret<32>) -> Self {
        Self(stretched)
    }

    /// Closes and opens the inner layer of the slot of `device`, and the commitment to it.
    pub(crate) fn slot_key(
        &self,
        vault: VaultId,
        device: DeviceId,
        epoch: u32,
        pin_generation: u32,
    ) -> (OneTimeKey, [u8; COMMITMENT_LEN]) {
        let (epoch, pin_generation) = (epoch.to_be_bytes(), pin_generation.to_be_bytes());
        let info = [SLOT_PIN, &device.0, &epoch, &pin_generation];
        split(&expand(&extract(vault, &self.0), &info))
    }

    /// Seals the backup file that starts with `start`, and the commitment to it.
    pub(crate) fn backup_key(&self, start: &[u8]) -> (OneTimeKey, [u8; COMMITMENT_LEN]) {
        split(&expand(&self.0, &[BACKUP, &Sha256::digest(start)]))
    }

    /// What the key store of `device` asks for before it uses a key.
    pub(crate) fn key_auth(&self, vault: VaultId, device: DeviceId) -> KeyAuth {
        KeyAuth(expand(&extract(vault, &self.0), &[KEY_AUTH, &device.0]))
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn expose_secret(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

/// Lets a key store use its keys. A chip compares it and counts; in software it is a key.
pub struct KeyAuth(Secret<32>);

impl KeyAuth {
    /// For the time between the making of the keys and the choosing of a Vault PIN.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Seals the keys of a device whose sealed bytes start with `start`, and the commitment to it.
    pub(crate) fn copy(&self) -> Self {
        Self(Secret::from_slice(self.0.expose_secret()).expect("they are of one length"))
    }

    pub(crate) fn sealing_key(&self, start: &[u8]) -> (OneTimeKey, [u8; COMMITMENT_LEN]) {
        split(&expand(&self.0, &[DEVICE_KEYS, &Sha256::digest(start)]))
    }

    /// The bytes, for a key store.
    pub fn expose_secret(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

/// Makes of a relying party or a credential what is recognized while the vault is locked, and authenticates what is in
/// clear then. It belongs to the device, and is not kept with the database: with both at hand, guesses at relying parties
/// can be confirmed.
pub struct KnownKey(Secret<32>);

impl KnownKey {
    /// A new one.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// From the bytes that [`Self::expose_secret`] gave; `None` when there are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Secret::from_slice(bytes).map(Self)
    }

    /// The bytes, for whoever keeps them.
    pub fn expose_secret(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// One 16-byte value for each sequence of parts, whose lengths the label fixes.
    pub(crate) fn hash(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 16] {
        let info: Vec<&[u8]> = [label].into_iter().chain(parts.iter().copied()).collect();
        *expand::<16>(&self.0, &info).expose_secret()
    }
}

/// Names the rows of what devices told each other of a passkey, so that one is found without an index, and says
/// nothing.
pub(crate) struct MergedNames(Secret<32>);

impl MergedNames {
    pub(crate) fn new(secret: Secret<32>) -> Self {
        Self(secret)
    }

    pub(crate) fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The row of the passkey that is called `id`.
    pub(crate) fn row(&self, id: &[u8]) -> RowId {
        RowId(*expand::<16>(&self.0, &[MERGED, id]).expose_secret())
    }
}

/// The secret of a recovery kit: random, on paper, and nowhere else.
pub(crate) struct KitSecret(pub(crate) Secret<32>);

impl KitSecret {
    /// From which the agreement key is derived.
    pub(crate) fn agreement(&self) -> Secret<32> {
        self.derive(KIT_AGREEMENT)
    }

    /// The seed of the X-Wing key.
    pub(crate) fn post_quantum(&self) -> Secret<32> {
        self.derive(KIT_POST_QUANTUM)
    }

    /// From which the signing key is derived.
    pub(crate) fn signing(&self) -> Secret<32> {
        self.derive(KIT_SIGNING)
    }

    fn derive(&self, label: &[u8]) -> Secret<32> {
        // The kit is there before the vault has a name: no salt.
        expand(&extract(VaultId([0; 32]), &self.0), &[label])
    }
}

/// Opens and makes wrapped credential ids of one epoch.
pub(crate) struct WrappingKey {
    pub(crate) epoch: u32,
    key: Secret<32>,
}

impl WrappingKey {
    /// The keys that follow from the root key of an epoch have this number and the epoch's added; those of one device
    /// have lesser ones.
    pub(crate) const FIRST_SHARED: u32 = 1 << 31;

    /// The epoch of a vault that was never rotated.
    pub(crate) const FIRST_EPOCH: u32 = 1;

    pub(crate) fn new(epoch: u32, key: Secret<32>) -> Self {
        Self { epoch, key }
    }

    pub(crate) fn random(rng: &mut dyn CryptoRng, epoch: u32) -> Self {
        Self::new(epoch, Secret::random(rng))
    }

    pub(crate) fn copy(&self) -> Self {
        Self::new(
            self.epoch,
            Secret::from_slice(self.key.expose_secret()).expect("they are of one length"),
        )
    }

    /// The key of the credential whose id starts with `start`, which holds 16 random bytes.
    pub(crate) fn credential_key(&self, start: &[u8]) -> OneTimeKey {
        OneTimeKey(expand(&self.key, &[WRAP, start]))
    }

    /// For the keyring alone.
    pub(crate) fn secret(&self) -> &Secret<32> {
        &self.key
    }
}

/// Encrypts one message, or opens one: it is derived from fresh random bytes and used up by either, which is why
/// its nonce is always zero.
pub(crate) struct OneTimeKey(Secret<32>);

impl OneTimeKey {
    /// Encrypts `text` in place.
    pub(crate) fn encrypt(self, associated: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        self.cipher()
            .encrypt_inout_detached(&Nonce::default(), associated, text.into())
            .expect("messages are far below the length limit of GCM")
            .into()
    }

    /// Decrypts `text` in place; `None` when it does not authenticate, and then `text` holds no plaintext.
    pub(crate) fn decrypt(self, associated: &[u8], text: &mut [u8], tag: &[u8; TAG_LEN]) -> Option<()> {
        self.cipher()
            .decrypt_inout_detached(&Nonce::default(), associated, text.into(), &Tag::from(*tag))
            .ok()
    }

    #[cfg(test)]
    pub(crate) fn expose_secret(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.0.expose_secret().into())
    }
}

/// HKDF-Extract, with the vault as the salt.
fn extract(vault: VaultId, secret: &Secret<32>) -> Secret<32> {
    let (mut extracted, _) = Hkdf::<Sha256>::extract(Some(&vault.0), secret.expose_secret());
    let pseudo_random = Secret::from_slice(&extracted).expect("SHA-256 gives 32 bytes");
    zeroize::Zeroize::zeroize(extracted.as_mut_slice());
    pseudo_random
}

/// A number below 10^8 for what two devices said to each other. 64 bits are reduced: no number is more likely than
/// another by more than 10^8 / 2^64, which is nothing beside the chance of 10^-8 itself.
pub(crate) fn pairing_digits(transcript: &[u8; 32]) -> u32 {
    let mut bytes = [0; 8];
    Hkdf::<Sha256>::new(None, transcript)
        .expand(PAIRING_DIGITS, &mut bytes)
        .expect("8 bytes are few");
    u32::try_from(u64::from_be_bytes(bytes) % 100_000_000).expect("less than 10^8")
}

/// A key and the commitment to it.
fn split(both: &Secret<64>) -> (OneTimeKey, [u8; COMMITMENT_LEN]) {
    let (key, commitment) = both
        .expose_secret()
        .split_first_chunk::<32>()
        .expect("64 bytes are more than 32");
    let key = OneTimeKey(Secret::from_slice(key).expect("32 bytes"));
    (key, commitment.try_into().expect("64 - 32 bytes"))
}

fn expand<const N: usize>(key: &Secret<32>, info: &[&[u8]]) -> Secret<N> {
    Secret::fill_with(|out| {
        Hkdf::<Sha256>::from_prk(key.expose_secret())
            .expect("32 bytes are a whole SHA-256 output")
            .expand_multi_info(info, out)
    })
    .expect("at most 64 bytes are asked for")
}

#[cfg(test)]
mod tests;
