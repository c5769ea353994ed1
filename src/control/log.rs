//! The log as it goes over the socket and into `wardkey log --json`.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use wardkey_vault::{
    Consent, Error, Event, Frequent, LockCause, LogOrigin, Logged, Setting, Site, Subject, Vault, Wanted,
};

use super::ProfileName;

/// Lines in one answer.
pub(super) const PAGE_LEN: usize = 256;

/// A part of the log, the newest line first.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) origin: Origin,
    /// The number of the oldest entry that is kept.
    pub(crate) oldest: u64,
    pub(crate) lines: Vec<Line>,
}

/// [`LogOrigin`] on the socket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    New,
    Upgrade,
    Reset,
}

/// [`Logged`] on the socket.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub(crate) enum Line {
    Entry {
        number: u64,
        unix_ms: u64,
        #[serde(flatten)]
        event: Happened,
    },
    Gap {
        first: u64,
        last: u64,
    },
    Damaged {
        number: u64,
    },
}

impl Line {
    /// The number of the oldest entry that this line is about.
    pub(crate) fn oldest(&self) -> u64 {
        match self {
            Self::Entry { number, .. } | Self::Damaged { number } => *number,
            Self::Gap { first, .. } => *first,
        }
    }
}

/// [`Event`] on the socket.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Happened {
    Registered {
        credential: Named,
        profile: ProfileName,
        stored: bool,
        consent: ConsentName,
    },
    SignedIn {
        credential: Named,
        consent: ConsentName,
    },
    Updated {
        credential: Named,
    },
    Deleted {
        credential: Named,
    },
    Refused {
        wanted: WantedName,
        site: Option<SiteName>,
    },
    WrongPin {
        attempts_left: u8,
    },
    NotVerified {
        attempts_left: u8,
    },
    PinSet,
    PinChanged,
    Configured {
        setting: SettingName,
    },
    LargeBlobsWritten,
    Reset,
    Omitted {
        kind: FrequentName,
    },
    VaultMade,
    Unlocked {
        wrong_pins: u32,
    },
    Locked {
        cause: CauseName,
    },
    VaultPinChanged,
    RootKeyReplaced,
    RecoveryKitRenewed,
    Recovered,
    Exported {
        passkeys: u32,
    },
    ExportedInClear {
        passkeys: u32,
    },
    Imported {
        passkeys: u32,
    },
    DeviceAdded {
        /// hexadecimal
        device: String,
    },
    DeviceRemoved {
        /// hexadecimal
        device: String,
    },
    TakenBack {
        credential: Named,
    },
}

/// [`Subject`] on the socket.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) site: SiteName,
    /// base64url
    pub(crate) id: String,
    pub(crate) user_name: Option<String>,
}

/// [`Site`] on the socket.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SiteName {
    RpId(String),
    /// base64url
    RpIdHash(String),
}

/// [`Consent`] on the socket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConsentName {
    Unasked,
    Present,
    Verified,
}

/// [`Wanted`] on the socket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WantedName {
    Registration,
    SignIn,
    Authorization,
    Reset,
    Selection,
}

/// [`Setting`] on the socket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SettingName {
    EnterpriseAttestation,
    AlwaysVerify,
    NotAlwaysVerify,
    PinRules,
    LongTouchForReset,
}

/// [`Frequent`] on the socket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FrequentName {
    UnaskedSignIns,
    Refusals,
    WrongPins,
    PinChanges,
    Settings,
    Updates,
    LargeBlobs,
}

/// [`LockCause`] on the socket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CauseName {
    Asked,
    Idle,
    Suspend,
    Session,
    Stopped,
}

/// The lines before `before`, as many as fit into an answer.
pub(super) fn page(before: Option<u64>, vault: &Vault) -> Result<Page, Error> {
    let log = vault.log(before)?;
    Ok(Page {
        origin: match log.origin() {
            LogOrigin::New => Origin::New,
            LogOrigin::Upgrade => Origin::Upgrade,
            LogOrigin::Reset => Origin::Reset,
        },
        oldest: log.oldest(),
        lines: log
            .take(PAGE_LEN)
            .map(|logged| logged.map(Line::from))
            .collect::<Result<_, _>>()?,
    })
}

impl From<Logged> for Line {
    fn from(logged: Logged) -> Self {
        match logged {
            Logged::Entry { number, record } => Self::Entry {
                number,
                unix_ms: record.unix_ms,
                event: record.event.into(),
            },
            Logged::Gap { first, last } => Self::Gap { first, last },
            Logged::Damaged { number } => Self::Damaged { number },
        }
    }
}

impl From<Event> for Happened {
    fn from(event: Event) -> Self {
        match event {
            Event::Registered {
                credential,
                profile,
                stored,
                consent,
            } => Self::Registered {
                credential: credential.into(),
                profile: profile.into(),
                stored,
                consent: consent.into(),
            },
            Event::SignedIn { credential, consent } => Self::SignedIn {
                credential: credential.into(),
                consent: consent.into(),
            },
            Event::Updated(credential) => Self::Updated {
                credential: credential.into(),
            },
            Event::Deleted(credential) => Self::Deleted {
                credential: credential.into(),
            },
            Event::Refused { wanted, site } => Self::Refused {
                wanted: wanted.into(),
                site: site.map(SiteName::from),
            },
            Event::WrongPin { attempts_left } => Self::WrongPin { attempts_left },
            Event::NotVerified { attempts_left } => Self::NotVerified { attempts_left },
            Event::PinSet => Self::PinSet,
            Event::PinChanged => Self::PinChanged,
            Event::Configured(setting) => Self::Configured {
                setting: setting.into(),
            },
            Event::LargeBlobsWritten => Self::LargeBlobsWritten,
            Event::Reset => Self::Reset,
            Event::Omitted(kind) => Self::Omitted { kind: kind.into() },
            Event::VaultMade => Self::VaultMade,
            Event::Unlocked { wrong_pins } => Self::Unlocked { wrong_pins },
            Event::Locked(cause) => Self::Locked { cause: cause.into() },
            Event::VaultPinChanged => Self::VaultPinChanged,
            Event::RootKeyReplaced => Self::RootKeyReplaced,
            Event::RecoveryKitRenewed => Self::RecoveryKitRenewed,
            Event::Recovered => Self::Recovered,
            Event::Exported { passkeys } => Self::Exported { passkeys },
            Event::ExportedInClear { passkeys } => Self::ExportedInClear { passkeys },
            Event::Imported { passkeys } => Self::Imported { passkeys },
            Event::DeviceAdded(device) => Self::DeviceAdded {
                device: device.to_string(),
            },
            Event::DeviceRemoved(device) => Self::DeviceRemoved {
                device: device.to_string(),
            },
            Event::TakenBack(credential) => Self::TakenBack {
                credential: credential.into(),
            },
        }
    }
}

impl From<Subject> for Named {
    fn from(Subject { site, id, user_name }: Subject) -> Self {
        Self {
            site: site.into(),
            id: Base64UrlUnpadded::encode_string(id.as_bytes()),
            user_name,
        }
    }
}

impl From<Site> for SiteName {
    fn from(site: Site) -> Self {
        match site {
            Site::Id(id) => Self::RpId(id),
            Site::Hash(hash) => Self::RpIdHash(Base64UrlUnpadded::encode_string(&hash.0)),
        }
    }
}

impl From<Consent> for ConsentName {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Unasked => Self::Unasked,
            Consent::Present => Self::Present,
            Consent::Verified => Self::Verified,
        }
    }
}

impl From<Wanted> for WantedName {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Registration => Self::Registration,
            Wanted::SignIn => Self::SignIn,
            Wanted::Authorization => Self::Authorization,
            Wanted::Reset => Self::Reset,
            Wanted::Selection => Self::Selection,
        }
    }
}

impl From<Setting> for SettingName {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::EnterpriseAttestation => Self::EnterpriseAttestation,
            Setting::AlwaysVerify => Self::AlwaysVerify,
            Setting::NotAlwaysVerify => Self::NotAlwaysVerify,
            Setting::PinRules => Self::PinRules,
            Setting::LongTouchForReset => Self::LongTouchForReset,
        }
    }
}

impl From<Frequent> for FrequentName {
    fn from(kind: Frequent) -> Self {
        match kind {
            Frequent::UnaskedSignIns => Self::UnaskedSignIns,
            Frequent::Refusals => Self::Refusals,
            Frequent::WrongPins => Self::WrongPins,
            Frequent::PinChanges => Self::PinChanges,
            Frequent::Settings => Self::Settings,
            Frequent::Updates => Self::Updates,
            Frequent::LargeBlobs => Self::LargeBlobs,
        }
    }
}

impl From<LockCause> for CauseName {
    fn from(cause: LockCause) -> Self {
        match cause {
            LockCause::Asked => Self::Asked,
            LockCause::Idle => Self::Idle,
            LockCause::Suspend => Self::Suspend,
            LockCause::Session => Self::Session,
            LockCause::Stopped => Self::Stopped,
        }
    }
}
