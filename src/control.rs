//! How other `wardkey` commands talk to a running key: a Unix socket in the state folder, one JSON object per line,
//! an answer for each request.
//!
//! The running key calls [`handle`] from its event loop; nothing here waits there, and an answer is bounded.
//! The commands use [`Client`].

pub(crate) mod log;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wardkey_authenticator::{Authenticator, Facts, KeyKind, LargeBlobs as Kept};
use wardkey_vault::{CredentialId, Entry, Error as VaultError, Passkey, Profile, Trashed, Vault};
use zeroize::Zeroizing;

use self::log::Page;
use crate::host;
use crate::prompt::Modality;
use crate::state::{Folder, control_socket};
use crate::sync;

/// Passkeys in one answer.
const PAGE_LEN: usize = 256;
/// The longest answer a client reads: more than [`PAGE_LEN`] of the longest records, escaped.
const ANSWER_LEN_MAX: u64 = 32 << 20;
/// More than a request takes.
const REQUEST_LEN_MAX: usize = 8 * 1024;
/// How long a client waits for the running key.
const PATIENCE: Duration = Duration::from_secs(10);
/// And while that tries a Vault PIN, which is work on purpose, and longer where a TPM or the computer is slow.
const PATIENCE_WITH_PIN: Duration = Duration::from_secs(120);

/// What a command wants of the key.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The passkeys made after this time, oldest first; as many as fit into an answer.
    List { after_unix_ms: u64 },
    /// Delete the passkey with exactly this id.
    Delete { id: String },
    /// What was deleted and is kept, with ids after this one, ascending; as many as fit into an answer.
    Trash { after: Option<String> },
    /// Take the passkey with exactly this id back from the trash.
    TakeBack { id: String },
    /// What the key is.
    Info,
    /// The certificate of the attestation authority; the authority is made where there is none.
    AttestationRoot,
    /// The lines of the log before this entry, the newest first; as many as fit into an answer.
    Log { before: Option<u64> },
    /// Whether the vault is open.
    Status,
    /// Open the vault.
    Unlock { vault_pin: SentPin },
    /// Close the vault.
    Lock,
    /// How the exchange with other devices goes; and something to be done first.
    Sync { first: Option<SyncAction> },
    /// Leave the state folder to this command until it asks back, or its connection ends.
    StandAside { command: String, process: u32 },
    /// Take the state folder back, and open the vault if it was open before and nothing has locked it since.
    ComeBack { vault_pin: Option<SentPin> },
}

/// What a command wants of the exchange with other devices.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SyncAction {
    /// Exchange now.
    Now,
    /// Put back what the store has no more.
    Heal,
}

/// How the exchange goes.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct SyncStatus {
    /// Where; `None` where the vault is not exchanged.
    pub(crate) store: Option<String>,
    /// One of a few words.
    pub(crate) state: String,
    /// A sentence.
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
    /// Why the store did not answer.
    pub(crate) trouble: Option<String>,
    /// What the store has no more, by name.
    pub(crate) missing: Vec<String>,
    /// When all was well last, since the vault was opened.
    pub(crate) fresh_unix_ms: Option<u64>,
    /// How many objects were read, of how many.
    pub(crate) read: usize,
    pub(crate) to_read: usize,
    /// How many objects were written since the vault was opened.
    pub(crate) written: usize,
    /// Nothing is under way.
    pub(crate) rests: bool,
    pub(crate) devices: Vec<DeviceStatus>,
}

/// A device of the vault.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct DeviceStatus {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) is_this: bool,
    pub(crate) is_removed: bool,
    /// When it wrote last, by its clock.
    pub(crate) last_written_unix_ms: Option<u64>,
    /// How many objects of it were read.
    pub(crate) objects: u32,
}

/// A Vault PIN on its way to the running key: wiped when dropped, not shown.
#[derive(PartialEq, Eq)]
pub(crate) struct SentPin(Zeroizing<String>);

impl SentPin {
    pub(crate) fn new(pin: Zeroizing<String>) -> Self {
        Self(pin)
    }

    pub(crate) fn into_secret(self) -> Zeroizing<String> {
        self.0
    }
}

impl Serialize for SentPin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SentPin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

impl fmt::Debug for SentPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentPin")
    }
}

/// What the key says.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// No passkeys: there are none after these.
    Passkeys {
        passkeys: Vec<Listed>,
        /// Whether what is deleted is kept for a while.
        has_trash: bool,
    },
    /// Whether there was one to delete.
    Deleted {
        existed: bool,
    },
    /// No passkeys: there are none after these. Nothing where nothing is kept.
    Trash {
        passkeys: Option<Vec<Discarded>>,
    },
    /// Whether there was one to take back, and whether another one of its account is in the trash for it.
    TakenBack {
        existed: bool,
        replaced: bool,
    },
    Info(Info),
    Log(Page),
    AttestationRoot {
        /// DER in base64
        certificate: String,
    },
    Status(Status),
    Sync(Box<SyncStatus>),
    /// The state folder is the command's.
    StandsAside {
        /// The vault was open before.
        was_open: bool,
    },
    /// Another command has the state folder.
    StandsAsideFor {
        command: String,
    },
    Unlocked,
    /// The vault was not opened.
    StaysLocked {
        reason: String,
        hint: String,
    },
    /// The vault is locked; what was asked for needs it, or it was asked for.
    Locked,
    /// The request was not understood, or the vault failed.
    Failed {
        reason: String,
    },
}

/// Whether the vault is open.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Status {
    /// The process that has the vault; nothing where no key runs.
    pub(crate) process: Option<u32>,
    pub(crate) vault: VaultState,
    /// Since the last right one.
    pub(crate) wrong_pins: u32,
    /// Which Vault PIN is in force; nothing where there is no vault, or one from before, or a command has it.
    pub(crate) pin_generation: Option<u32>,
    /// The command that has the state folder, and its process.
    pub(crate) stands_aside_for: Option<String>,
}

/// The state of a vault.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VaultState {
    /// There is none.
    None,
    /// It is from before, and has no Vault PIN.
    WithoutPin,
    Open,
    Locked,
}

/// A passkey as the commands see it: everything but the private key.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Listed {
    /// base64url
    pub(crate) id: String,
    pub(crate) rp_id: String,
    pub(crate) rp_name: Option<String>,
    /// base64url
    pub(crate) user_id: String,
    pub(crate) user_name: Option<String>,
    pub(crate) user_display_name: Option<String>,
    /// COSE
    pub(crate) algorithm: i32,
    pub(crate) profile: ProfileName,
    pub(crate) created_unix_ms: u64,
}

/// A passkey in the trash.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Discarded {
    #[serde(flatten)]
    pub(crate) passkey: Listed,
    pub(crate) deleted_unix_ms: u64,
    /// At least; days on which the vault does not sync are not counted.
    pub(crate) days_left: u8,
}

/// [`Profile`] on the socket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProfileName {
    Synced,
    DeviceBound,
    U2f,
}

/// The process that has the vault, and how the key stands.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) version: String,
    pub(crate) process: u32,
    pub(crate) passkeys: usize,
    pub(crate) kind: ProfileName,
    pub(crate) aaguid: [u8; 16],
    pub(crate) speaks: Vec<String>,
    pub(crate) pin: Pin,
    pub(crate) verification: Verification,
    pub(crate) large_blobs: LargeBlobs,
}

/// The key's PIN.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) is_set: bool,
    pub(crate) attempts_left: u8,
    /// No attempt is allowed until the key has been unplugged.
    pub(crate) needs_replug: bool,
}

/// Built-in user verification.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Verification {
    /// Nothing where the key offers none.
    pub(crate) modality: Option<Modality>,
    pub(crate) is_ready: bool,
    pub(crate) attempts_left: u8,
}

/// What relying parties keep on the key.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "kept", rename_all = "kebab-case")]
pub(crate) enum LargeBlobs {
    /// In one array of this length.
    Array { bytes: usize },
    /// With each passkey.
    Extension,
}

/// What a client asks for in one line; or the answer to what is no request.
pub(crate) fn read(line: &str) -> Result<Request, Answer> {
    serde_json::from_str(line).map_err(|error| Answer::Failed {
        reason: format!("the request was not understood: {error}"),
    })
}

impl Answer {
    /// As it is sent.
    pub(crate) fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("answers have text keys and no maps that fail");
        line.push('\n');
        line
    }
}

/// Answers a request.
pub(crate) fn handle(request: &Request, authenticator: &mut Authenticator) -> Answer {
    let answer = match request {
        Request::List { after_unix_ms } => list(*after_unix_ms, authenticator.vault()),
        Request::Delete { id } => delete(id, authenticator),
        Request::Trash { after } => trash(after.as_deref(), authenticator.vault()),
        Request::TakeBack { id } => take_back(id, authenticator),
        Request::Info => authenticator.facts().map(Info::from).map(Answer::Info),
        // The event loop, which can lock and unlock, answers these before it comes here.
        Request::Status
        | Request::Unlock { .. }
        | Request::Lock
        | Request::StandAside { .. }
        | Request::ComeBack { .. } => {
            return Answer::Failed {
                reason: "only a running key locks and unlocks".to_owned(),
            };
        }
        Request::Sync { .. } => {
            return match sync::report(authenticator.vault(), None) {
                Ok(status) => Answer::Sync(Box::new(status)),
                Err(failure) => Answer::Failed {
                    reason: failure.to_string(),
                },
            };
        }
        Request::AttestationRoot => authenticator
            .attestation_root()
            .map(|root| Answer::AttestationRoot {
                certificate: Base64::encode_string(&root),
            }),
        Request::Log { before } => log::page(*before, authenticator.vault()).map(Answer::Log),
    };
    answer.unwrap_or_else(|error| Answer::Failed {
        reason: error.to_string(),
    })
}

fn list(after_unix_ms: u64, vault: &Vault) -> Result<Answer, VaultError> {
    let entries = vault.entries().into_iter();
    let mut later = entries
        .skip_while(|entry| entry.created_unix_ms <= after_unix_ms)
        .peekable();
    let mut passkeys = Vec::new();
    let mut last_unix_ms = None;
    // Of passkeys that were made in the same moment, on two devices, none is left for a page that begins after it.
    while let Some(Entry {
        id, created_unix_ms, ..
    }) = later.next_if(|entry| passkeys.len() < PAGE_LEN || last_unix_ms == Some(entry.created_unix_ms))
    {
        passkeys.extend(vault.load(&id)?.map(Listed::from));
        last_unix_ms = Some(created_unix_ms);
    }
    Ok(Answer::Passkeys {
        passkeys,
        has_trash: vault.syncs(),
    })
}

fn delete(id: &str, authenticator: &mut Authenticator) -> Result<Answer, VaultError> {
    let existed = credential_id(id)
        .map(|id| authenticator.delete(host::now(), &id))
        .transpose()?
        .unwrap_or(false);
    Ok(Answer::Deleted { existed })
}

fn trash(after: Option<&str>, vault: &Vault) -> Result<Answer, VaultError> {
    if !vault.syncs() {
        return Ok(Answer::Trash { passkeys: None });
    }
    let mut passkeys: Vec<_> = vault.trash()?.into_iter().map(Discarded::from).collect();
    passkeys.retain(|discarded| after.is_none_or(|after| discarded.passkey.id.as_str() > after));
    passkeys.sort_by(|one, other| one.passkey.id.cmp(&other.passkey.id));
    passkeys.truncate(PAGE_LEN);
    Ok(Answer::Trash {
        passkeys: Some(passkeys),
    })
}

fn take_back(id: &str, authenticator: &mut Authenticator) -> Result<Answer, VaultError> {
    let before = authenticator.vault().len();
    let existed = credential_id(id)
        .map(|id| authenticator.take_back(host::now(), &id))
        .transpose()?
        .unwrap_or(false);
    let replaced = existed && authenticator.vault().len() <= before;
    Ok(Answer::TakenBack { existed, replaced })
}

fn credential_id(text: &str) -> Option<CredentialId> {
    CredentialId::new(&Base64UrlUnpadded::decode_vec(text).ok()?)
}

impl From<Facts> for Info {
    fn from(facts: Facts) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            passkeys: facts.credentials,
            kind: match facts.kind {
                KeyKind::Synced => ProfileName::Synced,
                KeyKind::DeviceBound => ProfileName::DeviceBound,
            },
            aaguid: facts.aaguid.0,
            speaks: facts.versions.into_iter().map(str::to_owned).collect(),
            pin: Pin {
                is_set: facts.has_pin,
                attempts_left: facts.pin_retries,
                needs_replug: facts.pin_needs_power_cycle,
            },
            verification: Verification {
                modality: facts.verifier.map(|verifier| verifier.modality.into()),
                is_ready: facts.verifier.is_some_and(|verifier| verifier.ready),
                attempts_left: facts.uv_retries,
            },
            large_blobs: match facts.large_blobs {
                Kept::Array => LargeBlobs::Array {
                    bytes: facts.large_blob_array_len,
                },
                Kept::Extension => LargeBlobs::Extension,
            },
        }
    }
}

impl From<Passkey> for Listed {
    fn from(passkey: Passkey) -> Self {
        let Passkey {
            id,
            rp_id,
            rp_name,
            user_id,
            user_name,
            user_display_name,
            algorithm,
            private_key: _,
            profile,
            created_unix_ms,
            cred_protect: _,
            cred_random: _,
            cred_blob: _,
            large_blob_key: _,
            large_blob: _,
            third_party_payment: _,
        } = passkey;
        Self {
            id: Base64UrlUnpadded::encode_string(id.as_bytes()),
            rp_id,
            rp_name,
            user_id: Base64UrlUnpadded::encode_string(&user_id),
            user_name,
            user_display_name,
            algorithm,
            profile: profile.into(),
            created_unix_ms,
        }
    }
}

impl From<Trashed> for Discarded {
    fn from(trashed: Trashed) -> Self {
        Self {
            deleted_unix_ms: trashed.deleted_unix_ms,
            days_left: trashed.days_left,
            passkey: trashed.passkey.into(),
        }
    }
}

impl From<Profile> for ProfileName {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Synced => Self::Synced,
            Profile::DeviceBound => Self::DeviceBound,
            Profile::U2f => Self::U2f,
        }
    }
}

/// A connection to a running key.
pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    /// `None` where no key runs on this folder.
    pub(crate) fn connect(folder: &Folder) -> io::Result<Option<Self>> {
        match UnixStream::connect(control_socket(folder)) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Some(Self(BufReader::new(stream))))
            }
            Err(error)
                if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) fn request(&mut self, request: &Request) -> io::Result<Answer> {
        // Of a fixed size: a Vault PIN may be in it, and leaves no copy behind.
        let mut line = Zeroizing::new(Vec::with_capacity(REQUEST_LEN_MAX));
        serde_json::to_writer(&mut *line, request)?;
        line.push(b'\n');
        let patience = match request {
            // To stand aside, the key ends what it tries.
            Request::Unlock { .. } | Request::StandAside { .. } | Request::ComeBack { .. } => {
                PATIENCE_WITH_PIN
            }
            Request::List { .. }
            | Request::Delete { .. }
            | Request::Trash { .. }
            | Request::TakeBack { .. }
            | Request::Info
            | Request::AttestationRoot
            | Request::Log { .. }
            | Request::Status
            | Request::Lock
            | Request::Sync { .. } => PATIENCE,
        };
        self.0.get_ref().set_read_timeout(Some(patience))?;
        self.0.get_mut().write_all(&line)?;
        let mut answer = Vec::new();
        (&mut self.0)
            .take(ANSWER_LEN_MAX)
            .read_until(b'\n', &mut answer)?;
        if answer.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

#[cfg(test)]
mod tests;
