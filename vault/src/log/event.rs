//! What the log tells: events, and how they are written. `FORMAT.md` §14.

use crate::cbor::{Fields, Reader, Writer};
use crate::keys::DeviceId;
use crate::{CredentialId, Profile, RpIdHash};

/// Of a longer name the log keeps this many bytes.
const NAME_LEN_MAX: usize = 255;

const SITE: u64 = 4;
const SITE_HASH: u64 = 5;
const CREDENTIAL: u64 = 6;
const USER_NAME: u64 = 7;
const PROFILE: u64 = 8;
const CONSENT: u64 = 9;
const STORED: u64 = 10;
const COUNT: u64 = 11;
const DETAIL: u64 = 12;
const DEVICE: u64 = 13;

/// Something that was done with the key, or to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A credential was made.
    Registered {
        /// The new credential.
        credential: Subject,
        /// What it may do.
        profile: Profile,
        /// Whether the vault keeps it; otherwise its id carries it.
        stored: bool,
        /// What the user did for it.
        consent: Consent,
    },
    /// A credential signed.
    SignedIn {
        /// The credential.
        credential: Subject,
        /// What the user did for it.
        consent: Consent,
    },
    /// A stored credential was given other names or other data.
    Updated(Subject),
    /// A stored credential was deleted.
    Deleted(Subject),
    /// A deleted credential was taken back from the trash.
    TakenBack(Subject),
    /// The user refused.
    Refused {
        /// What was asked for.
        wanted: Wanted,
        /// Who asked, where that was known.
        site: Option<Site>,
    },
    /// A PIN of the key was wrong.
    WrongPin {
        /// How many attempts were left.
        attempts_left: u8,
    },
    /// The operating system did not know the user.
    NotVerified {
        /// How many attempts were left.
        attempts_left: u8,
    },
    /// The key was given its first PIN.
    PinSet,
    /// The key was given another PIN.
    PinChanged,
    /// A setting was changed.
    Configured(Setting),
    /// The array of large blobs was written.
    LargeBlobsWritten,
    /// Everything on the key was erased. The log begins with it.
    Reset,
    /// For some time no more events of this kind are recorded: a program caused too many.
    Omitted(Frequent),
    /// The vault was made.
    VaultMade,
    /// The vault was opened with the Vault PIN.
    Unlocked {
        /// How many Vault PINs were wrong before.
        wrong_pins: u32,
    },
    /// The vault was closed.
    Locked(LockCause),
    /// There is another Vault PIN.
    VaultPinChanged,
    /// There is another root key.
    RootKeyReplaced,
    /// There is another recovery kit.
    RecoveryKitRenewed,
    /// The vault was taken over with the recovery kit.
    Recovered,
    /// Passkeys were written into a backup file.
    Exported {
        /// How many.
        passkeys: u32,
    },
    /// Passkeys were written into a file in clear, for other programs.
    ExportedInClear {
        /// How many.
        passkeys: u32,
    },
    /// Passkeys were added from a file.
    Imported {
        /// How many.
        passkeys: u32,
    },
    /// Another device was added to the vault, by this one.
    DeviceAdded(DeviceId),
    /// Another device was removed from the vault, by this one.
    DeviceRemoved(DeviceId),
}

/// A credential as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its relying party.
    pub site: Site,
    /// Its id.
    pub id: CredentialId,
    /// Its account, where that was known.
    pub user_name: Option<String>,
}

impl Subject {
    /// A long name of an account is cut at its end.
    pub fn new(site: Site, id: CredentialId, user_name: Option<&str>) -> Self {
        let cut = |name: &str| {
            let end = name.floor_char_boundary(NAME_LEN_MAX);
            name.get(..end).map(str::to_owned)
        };
        Self {
            site,
            id,
            user_name: user_name.and_then(cut),
        }
    }
}

/// A relying party as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// By its id.
    Id(String),
    /// By the hash of its id, which is all that U2F knows.
    Hash(RpIdHash),
}

impl Site {
    /// Of a long id the end is kept, because that says who owns it.
    pub fn named(rp_id: &str) -> Self {
        let start = rp_id.ceil_char_boundary(rp_id.len().saturating_sub(NAME_LEN_MAX));
        Self::Id(rp_id.get(start..).unwrap_or_default().to_owned())
    }
}

/// What the user did for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing: the program wanted a signature without asking.
    Unasked,
    /// The user agreed.
    Present,
    /// The user agreed, and was verified.
    Verified,
}

/// What somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A new credential.
    Registration,
    /// A signature.
    SignIn,
    /// To use the key for a while.
    Authorization,
    /// To erase everything.
    Reset,
    /// To know which key the user means.
    Selection,
}

/// A setting of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Enterprise attestation was switched on.
    EnterpriseAttestation,
    /// Every use needs user verification from now on.
    AlwaysVerify,
    /// Not every use needs user verification any more.
    NotAlwaysVerify,
    /// The rules for the PIN.
    PinRules,
    /// A reset is asked for twice from now on.
    LongTouchForReset,
}

/// Kinds of events that a program can cause without the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequent {
    /// Signatures for which nobody was asked.
    UnaskedSignIns,
    /// Refusals: where nobody can be asked, the answer is no.
    Refusals,
    /// Wrong PINs.
    WrongPins,
    /// New PINs.
    PinChanges,
    /// Changed settings.
    Settings,
    /// Updated credentials.
    Updates,
    /// Written large blobs.
    LargeBlobs,
}

/// Why the vault was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockCause {
    /// The user wanted it.
    Asked,
    /// Nobody used it.
    Idle,
    /// The computer went to sleep.
    Suspend,
    /// The user's session was locked.
    Session,
    /// The program ended.
    Stopped,
}

/// A kind of thing of which there are a few, each with a number. Only appended to.
trait Numbered: Copy + PartialEq + 'static {
    /// In the order of the numbers, from 1.
    const ALL: &'static [Self];

    fn number(self) -> u64 {
        (1..)
            .zip(Self::ALL)
            .find_map(|(number, other)| (*other == self).then_some(number))
            .expect("all of them are listed, which a test checks")
    }

    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let index = usize::try_from(input.unsigned()?.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }
}

impl Numbered for Consent {
    const ALL: &'static [Self] = &[Self::Unasked, Self::Present, Self::Verified];
}

impl Numbered for Wanted {
    const ALL: &'static [Self] = &[
        Self::Registration,
        Self::SignIn,
        Self::Authorization,
        Self::Reset,
        Self::Selection,
    ];
}

impl Numbered for Setting {
    const ALL: &'static [Self] = &[
        Self::EnterpriseAttestation,
        Self::AlwaysVerify,
        Self::NotAlwaysVerify,
        Self::PinRules,
        Self::LongTouchForReset,
    ];
}

impl Numbered for Frequent {
    const ALL: &'static [Self] = &[
        Self::UnaskedSignIns,
        Self::Refusals,
        Self::WrongPins,
        Self::PinChanges,
        Self::Settings,
        Self::Updates,
        Self::LargeBlobs,
    ];
}

impl Numbered for LockCause {
    const ALL: &'static [Self] = &[
        Self::Asked,
        Self::Idle,
        Self::Suspend,
        Self::Session,
        Self::Stopped,
    ];
}

/// The value of a field.
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
}

/// Fields in the order of their keys.
pub(super) type Written<'a> = Vec<(u64, Value<'a>)>;

impl Event {
    /// The number of the event, and its fields.
    pub(super) fn write(&self) -> (u64, Written<'_>) {
        let number = |key, number| vec![(key, Value::Number(number))];
        let count = |count: u32| number(COUNT, u64::from(count));
        match self {
            Self::Registered {
                credential,
                profile,
                stored,
                consent,
            } => {
                let mut fields = credential.write();
                fields.push((PROFILE, Value::Number(u64::from(profile.code()))));
                fields.push((CONSENT, Value::Number(consent.number())));
                fields.push((STORED, Value::Number(u64::from(*stored))));
                (1, fields)
            }
            Self::SignedIn { credential, consent } => {
                let mut fields = credential.write();
                fields.push((CONSENT, Value::Number(consent.number())));
                (2, fields)
            }
            Self::Updated(credential) => (3, credential.write()),
            Self::Deleted(credential) => (4, credential.write()),
            Self::Refused { wanted, site } => {
                let mut fields: Written<'_> = site.iter().map(Site::write).collect();
                fields.push((DETAIL, Value::Number(wanted.number())));
                (5, fields)
            }
            Self::WrongPin { attempts_left } => (6, count(u32::from(*attempts_left))),
            Self::NotVerified { attempts_left } => (7, count(u32::from(*attempts_left))),
            Self::PinSet => (8, Vec::new()),
            Self::PinChanged => (9, Vec::new()),
            Self::Configured(setting) => (10, number(DETAIL, setting.number())),
            Self::LargeBlobsWritten => (11, Vec::new()),
            Self::Reset => (12, Vec::new()),
            Self::Omitted(kind) => (13, number(DETAIL, kind.number())),
            Self::VaultMade => (14, Vec::new()),
            Self::Unlocked { wrong_pins } => (15, count(*wrong_pins)),
            Self::Locked(cause) => (16, number(DETAIL, cause.number())),
            Self::VaultPinChanged => (18, Vec::new()),
            Self::RootKeyReplaced => (19, Vec::new()),
            Self::RecoveryKitRenewed => (20, Vec::new()),
            Self::Recovered => (21, Vec::new()),
            Self::Exported { passkeys } => (22, count(*passkeys)),
            Self::Imported { passkeys } => (23, count(*passkeys)),
            Self::DeviceAdded(device) => (24, vec![(DEVICE, Value::Bytes(&device.0))]),
            Self::DeviceRemoved(device) => (25, vec![(DEVICE, Value::Bytes(&device.0))]),
            Self::TakenBack(credential) => (26, credential.write()),
            Self::ExportedInClear { passkeys } => (27, count(*passkeys)),
        }
    }

    /// What [`Self::write`] wrote with this number; `None` for everything else.
    pub(super) fn read(number: u64, fields: &mut Fields<'_>) -> Option<Self> {
        Some(match number {
            1 => Self::Registered {
                credential: Subject::read(fields)?,
                profile: fields.required(PROFILE, read_profile)?,
                consent: fields.required(CONSENT, Consent::read)?,
                stored: fields.required(STORED, read_flag)?,
            },
            2 => Self::SignedIn {
                credential: Subject::read(fields)?,
                consent: fields.required(CONSENT, Consent::read)?,
            },
            3 => Self::Updated(Subject::read(fields)?),
            4 => Self::Deleted(Subject::read(fields)?),
            5 => Self::Refused {
                site: Site::read(fields)?,
                wanted: fields.required(DETAIL, Wanted::read)?,
            },
            6 => Self::WrongPin {
                attempts_left: read_count(fields)?,
            },
            7 => Self::NotVerified {
                attempts_left: read_count(fields)?,
            },
            8 => Self::PinSet,
            9 => Self::PinChanged,
            10 => Self::Configured(fields.required(DETAIL, Setting::read)?),
            11 => Self::LargeBlobsWritten,
            12 => Self::Reset,
            13 => Self::Omitted(fields.required(DETAIL, Frequent::read)?),
            14 => Self::VaultMade,
            15 => Self::Unlocked {
                wrong_pins: read_count(fields)?,
            },
            16 => Self::Locked(fields.required(DETAIL, LockCause::read)?),
            18 => Self::VaultPinChanged,
            19 => Self::RootKeyReplaced,
            20 => Self::RecoveryKitRenewed,
            21 => Self::Recovered,
            22 => Self::Exported {
                passkeys: read_count(fields)?,
            },
            23 => Self::Imported {
                passkeys: read_count(fields)?,
            },
            24 => Self::DeviceAdded(read_device(fields)?),
            25 => Self::DeviceRemoved(read_device(fields)?),
            26 => Self::TakenBack(Subject::read(fields)?),
            27 => Self::ExportedInClear {
                passkeys: read_count(fields)?,
            },
            _ => return None,
        })
    }
}

impl Subject {
    fn write(&self) -> Written<'_> {
        let Self { site, id, user_name } = self;
        let mut fields = vec![site.write(), (CREDENTIAL, Value::Bytes(id.as_bytes()))];
        fields.extend(user_name.iter().map(|name| (USER_NAME, Value::Text(name))));
        fields
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            site: Site::read(fields)??,
            id: CredentialId::new(fields.required(CREDENTIAL, Reader::bytes)?)?,
            user_name: fields.optional(USER_NAME, Reader::text)?.map(str::to_owned),
        })
    }
}

impl Site {
    fn write(&self) -> (u64, Value<'_>) {
        match self {
            Self::Id(id) => (SITE, Value::Text(id)),
            Self::Hash(RpIdHash(hash)) => (SITE_HASH, Value::Bytes(hash)),
        }
    }

    /// The inner option is `None` where there is neither id nor hash.
    fn read(fields: &mut Fields<'_>) -> Option<Option<Self>> {
        if let Some(id) = fields.optional(SITE, Reader::text)? {
            return Some(Some(Self::Id(id.to_owned())));
        }
        let hash = fields.optional(SITE_HASH, |input| input.bytes()?.try_into().ok())?;
        Some(hash.map(RpIdHash).map(Self::Hash))
    }
}

impl Value<'_> {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        match self {
            Self::Number(number) => out.unsigned(*number),
            Self::Bytes(bytes) => out.bytes(bytes),
            Self::Text(text) => out.text(text),
        };
    }

    /// At least as many bytes as it takes, without what stands before it.
    pub(super) fn len_max(&self) -> usize {
        match self {
            Self::Number(_) => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) => text.len(),
        }
    }
}

fn read_profile(input: &mut Reader<'_>) -> Option<Profile> {
    Profile::from_code(u8::try_from(input.unsigned()?).ok()?)
}

fn read_flag(input: &mut Reader<'_>) -> Option<bool> {
    match input.unsigned()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn read_count<N: TryFrom<u64>>(fields: &mut Fields<'_>) -> Option<N> {
    N::try_from(fields.required(COUNT, Reader::unsigned)?).ok()
}

fn read_device(fields: &mut Fields<'_>) -> Option<DeviceId> {
    fields
        .required(DEVICE, |input| input.bytes()?.try_into().ok())
        .map(DeviceId)
}

#[cfg(test)]
pub(super) mod tests;
