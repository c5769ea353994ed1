//! A slot holds the root key of one epoch for one recipient: a device, which needs its keys and the Vault PIN, or the
//! recovery kit. `FORMAT.md` §9.
//!
//! ```text
//! device:  X-Wing ( P-256 ( commitment ‖ AES-256-GCM under the Vault PIN ( root key ) ) )
//! kit:     X-Wing ( P-256 ( root key ) )
//! ```
//! A slot is used only if the trust log lists it, by its hash, and a member signed it.

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::attempts::{Counted, RightPin};
use crate::cbor::{Reader, Writer};
use crate::device_key::{KeyStore, KeyStoreError};
use crate::envelope::{self, Inner, Purpose, RecipientPublic};
use crate::frame::{Frame, Kind, ObjectHash, Refused, Unsigned};
use crate::kdf::{KdfParameters, OutOfMemory};
use crate::keys::{COMMITMENT_LEN, DeviceId, KeyAuth, PinSecret, SLOT, TAG_LEN, VaultId};
use crate::object::{Members, at, bytes, number};
use crate::pin::VaultPin;
use crate::recovery_kit::RecoveryKit;
use crate::trust::{Target, Trust};
use crate::{RootKey, Secret};

const ROOT_KEY_LEN: usize = 32;

/// What stands before the encrypted body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotHeader {
    pub(crate) vault: VaultId,
    pub(crate) epoch: u32,
    pub(crate) target: SlotTarget,
    pub(crate) author: DeviceId,
    /// The last entry of the trust log before the one that lists this slot.
    pub(crate) trust_head: ObjectHash,
    /// SHA-256 of the recipient's keys.
    pub(crate) recipient: [u8; 32],
}

/// Whom it is for, and what is asked of him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotTarget {
    RecoveryKit,
    Device {
        device: DeviceId,
        pin_generation: u32,
        kdf: KdfParameters,
    },
}

impl SlotTarget {
    fn who(&self) -> Target {
        match self {
            Self::RecoveryKit => Target::RecoveryKit,
            Self::Device { device, .. } => Target::Device(*device),
        }
    }
}

impl SlotHeader {
    fn encode(&self) -> Vec<u8> {
        let mut header = Vec::new();
        let mut out = Writer(&mut header);
        out.map(match self.target {
            SlotTarget::RecoveryKit => 5,
            SlotTarget::Device { .. } => 8,
        });
        out.unsigned(1).bytes(&self.vault.0);
        out.unsigned(2).unsigned(u64::from(self.epoch));
        if let SlotTarget::Device {
            device,
            pin_generation,
            kdf,
        } = &self.target
        {
            out.unsigned(3).bytes(&device.0);
            out.unsigned(4).unsigned(u64::from(*pin_generation));
            kdf.encode(out.unsigned(5));
        }
        out.unsigned(6).bytes(&self.author.0);
        out.unsigned(7).bytes(&self.trust_head.0);
        out.unsigned(8).bytes(&self.recipient);
        header
    }

    fn decode(header: &[u8]) -> Option<Self> {
        let mut input = Reader(header);
        let input = &mut input;
        let fields = input.map()?;
        let (vault, epoch) = (VaultId(bytes(input, 1)?), number(input, 2)?);
        let target = match fields {
            5 => SlotTarget::RecoveryKit,
            8 => SlotTarget::Device {
                device: DeviceId(bytes(input, 3)?),
                pin_generation: number(input, 4)?,
                kdf: KdfParameters::decode(at(input, 5)?).ok()?,
            },
            _ => return None,
        };
        let header = Self {
            vault,
            epoch,
            target,
            author: DeviceId(bytes(input, 6)?),
            trust_head: ObjectHash(bytes(input, 7)?),
            recipient: bytes(input, 8)?,
        };
        input.end().map(|()| header)
    }

    /// The slot of a device, or of a recovery kit, which `pin` does not concern; to be signed by the author.
    pub(crate) fn slot(
        &self,
        recipient: &RecipientPublic,
        pin: &PinSecret,
        root: &RootKey,
        rng: &mut dyn CryptoRng,
    ) -> Unsigned {
        let header = self.encode();
        let text = match self.target {
            SlotTarget::RecoveryKit => Zeroizing::new(root.expose_secret().to_vec()),
            SlotTarget::Device {
                device,
                pin_generation,
                ..
            } => {
                let (key, commitment) = pin.slot_key(self.vault, device, self.epoch, pin_generation);
                let mut sealed = Zeroizing::new(*root.expose_secret());
                let tag = key.encrypt(&header, sealed.as_mut_slice());
                Zeroizing::new([commitment.as_slice(), sealed.as_slice(), &tag].concat())
            }
        };
        let info = info(self.vault);
        let purpose = Purpose {
            info: &info,
            associated: &header,
        };
        let body = envelope::close(recipient, purpose, &text, rng);
        Unsigned::clear(Kind::Slot, &header, &body)
    }
}

fn info(vault: VaultId) -> Vec<u8> {
    [SLOT, &vault.0].concat()
}

/// The hash by which a slot names its recipient.
pub(crate) fn recipient_hash(recipient: &RecipientPublic) -> [u8; 32] {
    Sha256::new()
        .chain_update(recipient.agreement.as_bytes())
        .chain_update(recipient.post_quantum.to_bytes())
        .finalize()
        .into()
}

/// A slot that is in force; not opened yet.
struct InForce<'a> {
    header: SlotHeader,
    header_bytes: &'a [u8],
    body: &'a [u8],
    recipient: RecipientPublic,
}

impl<'a> InForce<'a> {
    /// The slot of `target` that `trust` lists. Everything in its header has to be what the trust log says, so that
    /// nothing a store puts there is ever used.
    fn read(slot: &'a [u8], trust: &Trust, target: Target) -> Result<Self, Refused> {
        let frame = Frame::parse(slot, Kind::Slot)?;
        let header = SlotHeader::decode(frame.header).ok_or(Refused::Malformed)?;
        let header_bytes = frame.header;
        if trust.slot(target) != Some(frame.hash()) {
            return Err(Refused::Misplaced);
        }
        let author = trust.signing_key(header.author).ok_or(Refused::NotAMember)?;
        let body = frame.verify(&author)?.body();
        let recipient = match target {
            Target::RecoveryKit => trust.recovery(),
            Target::Device(device) => trust.member(device),
        };
        let recipient = &recipient.ok_or(Refused::NotAMember)?.recipient;
        let pin_as_listed = match header.target {
            SlotTarget::RecoveryKit => true,
            SlotTarget::Device {
                pin_generation, kdf, ..
            } => pin_generation == trust.pin_generation() && Some(kdf) == trust.kdf(),
        };
        let as_listed = header.target.who() == target
            && header.vault == trust.vault()
            && header.epoch == trust.epoch()
            && header.recipient == recipient_hash(recipient)
            && pin_as_listed;
        if !as_listed {
            return Err(Refused::Misplaced);
        }
        Ok(Self {
            header,
            header_bytes,
            body,
            recipient: recipient.clone(),
        })
    }

    /// Takes both layers off that are not the PIN's.
    fn open<E>(
        &self,
        post_quantum: &Secret<32>,
        agree: impl FnOnce(&Inner) -> Result<Secret<32>, E>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, E> {
        let info = info(self.header.vault);
        let purpose = Purpose {
            info: &info,
            associated: self.header_bytes,
        };
        let Some(inner) = envelope::open_outer(post_quantum, purpose, self.body) else {
            return Ok(None);
        };
        let agreed = agree(&inner)?;
        Ok(inner.open(&self.recipient.agreement, &agreed, purpose))
    }

    /// The root key for a device whose key store takes `auth`, with the secret of the PIN in force.
    fn open_for_device(
        &self,
        (store, auth): (&mut dyn KeyStore, &KeyAuth),
        pin: &PinSecret,
    ) -> Result<RootKey, NotOpened> {
        let SlotHeader {
            vault, epoch, target, ..
        } = self.header;
        let SlotTarget::Device {
            device,
            pin_generation,
            ..
        } = target
        else {
            return Err(Refused::Misplaced.into());
        };
        let seed = store.post_quantum(auth)?;
        let text = self
            .open(&seed, |inner| store.agree(auth, inner.point()))?
            .ok_or(NotOpened::WrongPin)?;
        let (key, commitment) = pin.slot_key(vault, device, epoch, pin_generation);
        open_pin_layer(key, &commitment, self.header_bytes, &text).ok_or(NotOpened::WrongPin)
    }
}

/// Why a slot did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The slot is not the one that is in force.
    #[error("the slot of this vault is not the one in force: {0}")]
    Slot(#[from] Refused),
    /// The Vault PIN is wrong, or what it opens is damaged: the two cannot be told apart.
    #[error("the Vault PIN is wrong")]
    WrongPin,
    /// The recovery kit is not the one in force.
    #[error("this recovery kit does not belong to this vault, or was replaced")]
    WrongKit,
    /// The device's keys cannot be used.
    #[error(transparent)]
    KeyStore(KeyStoreError),
    /// There is not enough memory to check the PIN.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl From<KeyStoreError> for NotOpened {
    fn from(error: KeyStoreError) -> Self {
        match error {
            KeyStoreError::WrongAuth => Self::WrongPin,
            KeyStoreError::LockedOut | KeyStoreError::Unavailable => Self::KeyStore(error),
        }
    }
}

/// What a right PIN opens.
pub struct OpenedSlot {
    /// The root key of the epoch in force.
    pub root: RootKey,
    /// To forget the wrong PINs with.
    pub right_pin: RightPin,
    pub(crate) pin: PinSecret,
    pub(crate) auth: KeyAuth,
}

/// Opens the slot of `device`. One guess, which was counted.
pub fn open_device_slot(
    slot: &[u8],
    trust: &Trust,
    device: DeviceId,
    store: &mut dyn KeyStore,
    pin: &VaultPin,
    counted: Counted,
) -> Result<OpenedSlot, NotOpened> {
    let in_force = InForce::read(slot, trust, Target::Device(device))?;
    let kdf = trust.kdf().ok_or(Refused::Misplaced)?;
    let pin = kdf.stretch(pin)?;
    let auth = pin.key_auth(trust.vault(), device);
    let root = in_force.open_for_device((store, &auth), &pin)?;
    Ok(OpenedSlot {
        root,
        right_pin: counted.was_right(),
        pin,
        auth,
    })
}

/// Opens the slot of `device` with keys that are not kept under the Vault PIN in force, and what that was stretched to.
pub(crate) fn open_slot_with(
    slot: &[u8],
    trust: &Trust,
    device: DeviceId,
    keys: (&mut dyn KeyStore, &KeyAuth),
    pin: &PinSecret,
) -> Result<RootKey, NotOpened> {
    InForce::read(slot, trust, Target::Device(device))?.open_for_device(keys, pin)
}

fn open_pin_layer(
    key: crate::keys::OneTimeKey,
    commitment: &[u8; COMMITMENT_LEN],
    header: &[u8],
    text: &[u8],
) -> Option<RootKey> {
    let (found, sealed) = text.split_first_chunk::<COMMITMENT_LEN>()?;
    if !bool::from(found.ct_eq(commitment)) {
        return None;
    }
    let (root, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
    let mut root = Zeroizing::new(<[u8; ROOT_KEY_LEN]>::try_from(root).ok()?);
    key.decrypt(header, root.as_mut_slice(), tag)?;
    Secret::from_slice(root.as_slice())
}

/// Opens the slot of the recovery kit in force.
pub(crate) fn open_kit_slot(slot: &[u8], trust: &Trust, kit: &RecoveryKit) -> Result<RootKey, NotOpened> {
    let in_force = InForce::read(slot, trust, Target::RecoveryKit)?;
    let agree = |inner: &Inner| Ok::<_, NotOpened>(kit.agree(inner.point()));
    let text = in_force
        .open(&kit.post_quantum(), agree)?
        .ok_or(Refused::Unopened)?;
    Secret::from_slice(&text).ok_or(NotOpened::Slot(Refused::Unopened))
}

#[cfg(test)]
mod tests;
