//! The steps.

use std::time::Duration;

use crate::fido_client::PinProtocol;

use super::Damage;

/// The relying parties that occur.
pub const RP_IDS: [&str; 3] = ["a.example", "b.example", "ssh:"];

/// The PINs that occur: good ones first, then one for each rule that a PIN can break.
pub const PINS: [&[u8]; 9] = [
    b"7193",
    b"correct horse",
    "pìn-Ⅻ-ꙮ".as_bytes(),
    b"719",
    "ⅫⅫⅫ".as_bytes(),
    b"",
    &[b'x'; 63],
    &[b'x'; 64],
    b"\xFF\xFE\xFD\xFC",
];

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The platform sends a command.
    Send(Command),
    /// Time passes.
    Wait(Duration),
    /// The key loses power and gets it back.
    PowerCycle,
}

/// A command, and what goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What the platform wants.
    pub request: Request,
    /// What is wrong with its encoding.
    pub damage: Option<Damage>,
    /// What the user does if asked.
    pub user: UserAct,
}

/// What the user does if asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserAct {
    /// Agrees.
    #[default]
    Agrees,
    /// Refuses.
    Refuses,
    /// Does nothing.
    Ignores,
}

/// What the platform wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// authenticatorMakeCredential.
    Make(Make),
    /// authenticatorGetAssertion.
    Get(Get),
    /// authenticatorGetNextAssertion.
    GetNext,
    /// authenticatorGetInfo.
    Info,
    /// authenticatorClientPIN.
    Pin(Pin),
    /// authenticatorCredentialManagement.
    Manage(Manage, Auth),
    /// authenticatorLargeBlobs.
    Blobs(Blobs, Auth),
    /// authenticatorConfig.
    Configure(Configure, Auth),
    /// authenticatorReset.
    Reset,
    /// authenticatorSelection.
    Select,
    /// A command by its number, without parameters.
    Other(u8),
}

impl Request {
    /// The parameters of authenticatorMakeCredential.
    pub const fn make(&self) -> Option<&Make> {
        if let Self::Make(make) = self {
            Some(make)
        } else {
            None
        }
    }

    /// The parameters of authenticatorGetAssertion.
    pub const fn get(&self) -> Option<&Get> {
        if let Self::Get(get) = self {
            Some(get)
        } else {
            None
        }
    }

    /// The parameters of authenticatorClientPIN.
    pub const fn pin(&self) -> Option<Pin> {
        if let Self::Pin(pin) = self {
            Some(*pin)
        } else {
            None
        }
    }

    /// The parameters of authenticatorCredentialManagement.
    pub const fn manage(&self) -> Option<Manage> {
        if let Self::Manage(manage, _) = self {
            Some(*manage)
        } else {
            None
        }
    }

    /// The parameters of authenticatorLargeBlobs.
    pub const fn blobs(&self) -> Option<Blobs> {
        if let Self::Blobs(blobs, _) = self {
            Some(*blobs)
        } else {
            None
        }
    }

    /// The parameters of authenticatorConfig.
    pub const fn configure(&self) -> Option<Configure> {
        if let Self::Configure(configure, _) = self {
            Some(*configure)
        } else {
            None
        }
    }

    /// What it proves.
    pub const fn auth(&self) -> Auth {
        match self {
            Self::Make(make) => make.auth,
            Self::Get(get) => get.auth,
            Self::Manage(_, auth) | Self::Blobs(_, auth) | Self::Configure(_, auth) => *auth,
            Self::GetNext | Self::Info | Self::Pin(_) | Self::Reset | Self::Select | Self::Other(_) => {
                Auth::Absent
            }
        }
    }

    /// The relying party of authenticatorMakeCredential and authenticatorGetAssertion.
    pub fn rp(&self) -> Option<u8> {
        let of_make = self.make().map(|make| make.rp);
        of_make.or_else(|| self.get().map(|get| get.rp))
    }

    /// Their option `uv`.
    pub fn uv(&self) -> Option<bool> {
        let of_make = self.make().and_then(|make| make.uv);
        of_make.or_else(|| self.get().and_then(|get| get.uv))
    }

    /// Their salts.
    pub fn salts(&self) -> Option<Salts> {
        let of_make = self.make().and_then(|make| make.hmac_secret_mc);
        of_make.or_else(|| self.get().and_then(|get| get.hmac_secret))
    }

    /// Their list of credentials.
    pub fn list(&self) -> &[Named] {
        match self {
            Self::Make(make) => &make.exclude,
            Self::Get(get) => &get.allow,
            Self::GetNext
            | Self::Info
            | Self::Pin(_)
            | Self::Manage(..)
            | Self::Blobs(..)
            | Self::Configure(..)
            | Self::Reset
            | Self::Select
            | Self::Other(_) => &[],
        }
    }
}

/// What a request proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    Absent,
    /// That the platform has the last token, or a made-up one where there is none.
    Token,
    /// That it has the token before that.
    PreviousToken,
    /// That it has the token that lasts.
    PersistentToken,
    /// Like [`Self::Token`], but a bit is wrong.
    Forged,
    /// Like [`Self::Token`], but too short.
    Short,
    /// Like [`Self::Token`], without the number of the protocol.
    WithoutProtocol,
    /// Like [`Self::Token`], with the number of no protocol.
    UnknownProtocol,
    /// A pinUvAuthParam of zero bytes.
    Empty,
}

/// A credential in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// One that was made before, counted from the first and, behind the last, again from the first.
    Made(u8),
    /// The same under a type that does not exist.
    OtherType(u8),
    /// One that nobody made.
    Foreign,
}

/// authenticatorMakeCredential.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Make {
    /// Which of [`RP_IDS`]; behind the last, an empty id.
    pub rp: u8,
    /// Which account.
    pub user: u8,
    /// COSE algorithms.
    pub algorithms: Vec<i32>,
    /// Option `rk`.
    pub rk: Option<bool>,
    /// Option `up`.
    pub up: Option<bool>,
    /// Option `uv`.
    pub uv: Option<bool>,
    /// pinUvAuthParam.
    pub auth: Auth,
    /// excludeList; more than there may be, where this is long.
    pub exclude: Vec<Named>,
    /// credProtect.
    pub cred_protect: Option<u8>,
    /// hmac-secret.
    pub hmac_secret: Option<bool>,
    /// hmac-secret-mc.
    pub hmac_secret_mc: Option<Salts>,
    /// credBlob, of this length.
    pub cred_blob: Option<u8>,
    /// largeBlobKey.
    pub large_blob_key: Option<bool>,
    /// minPinLength.
    pub min_pin_length: Option<bool>,
    /// thirdPartyPayment.
    pub third_party_payment: Option<bool>,
    /// enterpriseAttestation.
    pub enterprise: Option<u8>,
    /// attestationFormatsPreference.
    pub formats: Option<Vec<&'static str>>,
}

/// authenticatorGetAssertion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Get {
    /// Which of [`RP_IDS`]; behind the last, an empty id.
    pub rp: u8,
    /// allowList.
    pub allow: Vec<Named>,
    /// Option `rk`.
    pub rk: Option<bool>,
    /// Option `up`.
    pub up: Option<bool>,
    /// Option `uv`.
    pub uv: Option<bool>,
    /// pinUvAuthParam.
    pub auth: Auth,
    /// hmac-secret.
    pub hmac_secret: Option<Salts>,
    /// credBlob.
    pub cred_blob: Option<bool>,
    /// largeBlobKey.
    pub large_blob_key: Option<bool>,
    /// thirdPartyPayment.
    pub third_party_payment: Option<bool>,
}

/// The input of hmac-secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salts {
    /// Under which protocol.
    pub protocol: PinProtocol,
    /// How many bytes of salt.
    pub len: u8,
    /// Whether a bit of saltAuth is wrong.
    pub forged: bool,
}

/// Which PIN the user enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The one that is set, as far as the platform knows.
    Right,
    /// Another one.
    Wrong,
}

/// authenticatorClientPIN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pin {
    /// getPINRetries.
    Retries,
    /// getUVRetries.
    UvRetries,
    /// getKeyAgreement.
    KeyAgreement(PinProtocol),
    /// setPIN, to one of [`PINS`].
    Set(Agreement, u8),
    /// changePIN.
    Change(Agreement, Entry, u8),
    /// getPinToken.
    Token(Agreement, Entry),
    /// getPinUvAuthTokenUsingPinWithPermissions.
    TokenFor(Agreement, Entry, Wanted),
    /// getPinUvAuthTokenUsingUvWithPermissions.
    TokenByUv(Agreement, Wanted),
    /// A subcommand by its number.
    Other(u8),
}

impl Pin {
    /// The secret that the request needs.
    pub const fn agreement(self) -> Option<Agreement> {
        match self {
            Self::Set(agreement, _)
            | Self::Change(agreement, ..)
            | Self::Token(agreement, _)
            | Self::TokenFor(agreement, ..)
            | Self::TokenByUv(agreement, _) => Some(agreement),
            Self::Retries | Self::UvRetries | Self::KeyAgreement(_) | Self::Other(_) => None,
        }
    }
}

/// What a token is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The permissions.
    pub permissions: u8,
    /// Which of [`RP_IDS`].
    pub rp: Option<u8>,
}

/// The secret under which PINs travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// Under which protocol.
    pub protocol: PinProtocol,
    /// Whether the platform takes the one that it has, if it has one.
    pub reused: bool,
}

/// authenticatorCredentialManagement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manage {
    /// getCredsMetadata.
    Metadata,
    /// enumerateRPsBegin.
    Rps,
    /// enumerateRPsGetNextRP.
    NextRp,
    /// enumerateCredentialsBegin for one of [`RP_IDS`].
    Credentials(u8),
    /// enumerateCredentialsGetNextCredential.
    NextCredential,
    /// deleteCredential.
    Delete(Named),
    /// updateUserInformation, with the names of this account.
    Update(Named, u8),
    /// A subcommand by its number.
    Other(u8),
}

/// authenticatorLargeBlobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// Reads.
    Read {
        /// From where.
        offset: u16,
        /// How much.
        count: u16,
    },
    /// Writes the first fragment of an array.
    Write {
        /// How long the array is.
        len: u16,
        /// How long the fragment is.
        fragment: u16,
        /// Whether the check at the end is right.
        sound: bool,
    },
    /// Writes the next fragment.
    GoOn {
        /// How long the fragment is.
        fragment: u16,
        /// How far it is from where it belongs.
        skip: u16,
    },
    /// Neither reads nor writes.
    Neither,
    /// Does both.
    Both,
}

/// authenticatorConfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Configure {
    /// enableEnterpriseAttestation.
    EnterpriseAttestation,
    /// toggleAlwaysUv.
    ToggleAlwaysUv,
    /// setMinPINLength.
    MinPinLength {
        /// The shortest PIN from now on.
        len: Option<u8>,
        /// How many of [`RP_IDS`] may know it.
        rp_ids: Option<u8>,
        /// The PIN has to be changed.
        force: Option<bool>,
    },
    /// enableLongTouchForReset.
    LongTouch,
    /// A subcommand by its number.
    Other(u8),
}
