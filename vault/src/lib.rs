//! Records and keys; never CTAP2. The vault stores passkeys sealed, answers by relying party and by credential id
//! from memory, and wraps the keys of credentials that it does not store.
//!
//! Read in this order: `record.rs` (what is kept), `keys.rs` (which key does what), `seal.rs` (one sealed object),
//! `payload.rs` (what is inside), `wrap.rs` (credential ids that carry their own key), `database.rs` (the disk),
//! `index.rs` (the memory), `log.rs` (what was done), `vault.rs` (all of it together). `FORMAT.md` gives every byte, `DESIGN.md` the reasons.
//!
//! The key hierarchy of a vault that has a Vault PIN: `pin.rs` and `kdf.rs` (the Vault PIN), `attempts.rs` (wrong
//! ones), `device_key.rs` (a device's keys), `frame.rs` and `object.rs` (what devices sign), `envelope.rs` and `slot.rs`
//! (the root key for one recipient), `trust.rs` (who belongs to the vault), `recovery_kit.rs`, `membership.rs` (changes),
//! `pairing.rs` (another device),
//! `backup.rs` (all passkeys in a file).
//!
//! Passkeys on several devices: `sync/` (what devices tell each other, and the dialogue with the store between them), `vault/synced.rs` (what a
//! vault makes of it). `SYNC.md` gives every byte.

mod attempts;
mod backup;
mod cbor;
mod database;
mod device_key;
mod document;
mod envelope;
mod epochs;
mod error;
#[cfg(test)]
mod format_example;
mod frame;
#[cfg(test)]
mod hierarchy_example;
mod index;
mod kdf;
mod keyring;
mod keys;
mod known;
mod local_keys;
mod locked;
mod log;
mod membership;
mod object;
mod once;
mod padding;
mod pairing;
mod payload;
mod pin;
mod record;
mod recovery_kit;
mod root_key;
mod seal;
mod secret;
mod signature;
mod slot;
mod sync;
#[cfg(test)]
mod testing;
mod trust;
mod vault;
mod wrap;

pub use attempts::{Attempts, Counted, NotCounted, RightPin};
pub use backup::{Backup, NotExported, NotImported, export, open_backup};
pub use device_key::{KeyStore, KeyStoreError, PublicKeys, SoftwareKeys};
pub use document::{Document, StoreState};
pub use envelope::{RecipientPublic, XWingPublic};
pub use error::Error;
pub use frame::{ObjectHash, Refused, SealedKind, Unsigned};
pub use kdf::{KdfCost, KdfParameters, KdfRefused, OutOfMemory};
pub use keys::{DeviceId, KeyAuth, KnownKey, PinSecret, VaultId, VaultKey};
pub use locked::{Guess, Locked, NotUnlocked, RightGuess};
pub use log::{
    Consent, Event, Frequent, LOG_ENTRIES_MAX, LockCause, Log, LogOrigin, Logged, Record, Setting, Site,
    Subject, Wanted,
};
pub use membership::{
    CaughtUp, Change, Created, EarlierPin, Here, Invitation, Joined, Kept, Name, NewDevice, NewPin,
    NotChanged, NotChosen, NotJoined, Recovered, Unlocked, create, head_of, join, recover, recover_anew,
    snapshot_of,
};
pub use object::{
    Authentic, EXCHANGE_FORMAT, Header, LogHead, Members, NotNext, Position, seal as seal_object,
};
#[cfg(feature = "testing")]
pub use once::remember_work;
pub use pairing::{
    Admission, Admitting, AskToJoin, Digits, NotPaired, PAIRING_MESSAGE_LEN_MAX, PAIRING_TIME, PairingCode,
    PairingId, Post, UsedPairings,
};
pub use pin::{GuessLimit, PinRefused, VaultPin};
pub use record::{CredProtect, CredentialId, LargeBlob, Passkey, Profile, RpIdHash};
pub use recovery_kit::{KitRefused, RecoveryKit};
pub use root_key::RootKey;
pub use secret::{Secret, SecretBytes};
pub use signature::{PublicPoint, Signature, SignedHash};
pub use slot::{NotOpened, OpenedSlot, open_device_slot};
pub use sync::{
    Answer, GET_AT_ONCE, Machine, MembershipPlaces, NoAnswer, OBJECT_LEN_MAX, Proposed, Request, State,
    Status, Wish,
};
pub use trust::{Chosen, NotSettled, NotTrusted, Remembered, Transcript, Trust};
pub use vault::{Entry, History, NotTaken, Taken, ToSign, Trashed, Vault};
