//! What comes in, from whatever program: the passkeys in it, each looked at by itself. What a passkey cannot be without
//! leaves it out; what it has besides, and cannot be kept, leaves that out. Nothing that is unknown is minded, `CXF 1.0
//! §3.1.1`. Nothing of the file is in an error.
//!
//! The same file gives the same passkeys on each device, so that two that read it do not contradict each other.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use wardkey_vault::{CredProtect, CredentialId, LargeBlob, Passkey, Profile, Secret};
use zeroize::Zeroizing;

use super::LEN_MAX;
use super::base64url::ReadBytes;
use super::write::HMAC_SHA256;
use crate::entity::{NAME_LEN_MAX, USER_ID_LEN_MAX};
use crate::extensions::cred_blob;
use crate::large_blob_array::BLOB_LEN_MAX;
use crate::pin::protocol::expand;
use crate::private_key::PrivateKey;
use crate::private_key::pkcs8::NoKey;

/// The major version that is understood.
const MAJOR: u64 = 1;
/// More than any domain has, and any other id of a relying party needs.
const RP_ID_LEN_MAX: usize = 1024;
/// HKDF label of the key for the array of large blobs, which CXF does not have.
const LARGE_BLOB_KEY: &[u8] = b"wardkey large blob key of an import";
/// Some programs put it before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a file has.
pub struct Found {
    /// The passkeys that can be kept, in the order of the file.
    pub passkeys: Vec<Passkey>,
    /// What of them cannot.
    pub incomplete: Vec<Incomplete>,
    /// The passkeys that cannot be kept.
    pub left_out: Vec<LeftOut>,
    /// How many credentials are no passkeys.
    pub others: usize,
}

/// A passkey that is kept without something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incomplete {
    /// Which of the passkeys.
    pub at: usize,
    /// What it is kept without.
    pub lost: Lost,
}

/// What a passkey is kept without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The secrets of hmac-secret (PRF): of another algorithm or length.
    HmacSecret,
    /// The credBlob: malformed, or too long.
    CredBlob,
    /// The large blob: malformed, or too long.
    LargeBlob,
    /// Whether it is for payments: malformed.
    Payments,
    /// All of that: malformed together.
    Extensions,
}

/// A passkey that is not kept. The names are those of the file, and may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its relying party.
    pub rp_id: Option<String>,
    /// Its account.
    pub user_name: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Why a passkey is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Something that every passkey has is missing, or is not what it should be.
    Malformed,
    /// Its relying party's id, its own, or its account's is empty, or longer than can be.
    OutOfBounds,
    /// Its key is for an algorithm that this program does not have.
    UnknownAlgorithm,
    /// Its key is none.
    DamagedKey,
}

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRead {
    /// It is no CXF, or was cut off.
    NotCxf,
    /// It is a later version that is not understood.
    NewerVersion,
    /// More than 64 MiB.
    TooLarge,
}

/// Whether a file can be CXF, and is no backup of this program.
pub fn looks_like_json(bytes: &[u8]) -> bool {
    text_of(bytes).trim_ascii_start().first() == Some(&b'{')
}

/// The passkeys of a file. Those without a time of their own have that of the file, or, without one, `now_unix_ms`.
pub fn read(bytes: &[u8], now_unix_ms: u64) -> Result<Found, NotRead> {
    if bytes.len() > LEN_MAX {
        return Err(NotRead::TooLarge);
    }
    let Announced { version } = parse(text_of(bytes)).ok_or(NotRead::NotCxf)?;
    if version.major != MAJOR {
        return Err(NotRead::NewerVersion);
    }
    let Header { timestamp, accounts } = parse(text_of(bytes)).ok_or(NotRead::NotCxf)?;
    let mut reader = Reader {
        found: Found {
            passkeys: Vec::new(),
            incomplete: Vec::new(),
            left_out: Vec::new(),
            others: 0,
        },
        now_unix_ms,
    };
    let made_unix_ms = reader.unix_ms(timestamp).unwrap_or(now_unix_ms);
    for item in accounts.into_iter().flat_map(|account| account.items) {
        reader.item(item, made_unix_ms);
    }
    Ok(reader.found)
}

fn text_of(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The error would have parts of the text in it.
fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Option<T> {
    serde_json::from_slice(text).ok()
}

fn parse_raw<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    parse(raw.get().as_bytes())
}

/// What the file is, before anything else of it is believed to be known.
#[derive(Deserialize)]
struct Announced {
    version: Version,
}

#[derive(Deserialize)]
struct Version {
    major: u64,
}

/// `CXF 1.0 §3.1`.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    accounts: Vec<Account<'a>>,
}

/// `CXF 1.0 §3.2.1`.
#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// `CXF 1.0 §3.2.3`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    creation_at: Option<&'a RawValue>,
    #[serde(borrow)]
    credentials: Vec<&'a RawValue>,
}

/// `CXF 1.0 §3.3`.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// `CXF 1.0 §3.3.12`. The names of an account are required there, and not missed here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential<'a> {
    credential_id: ReadBytes,
    rp_id: String,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    user_display_name: Option<String>,
    user_handle: ReadBytes,
    key: ReadBytes,
    #[serde(borrow, default)]
    fido2_extensions: Option<&'a RawValue>,
}

/// Whose a passkey is, where all of it cannot be read.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Names {
    rp_id: Option<String>,
    username: Option<String>,
}

/// `CXF 1.0 §3.3.12.2`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions<'a> {
    #[serde(borrow)]
    hmac_credentials: Option<&'a RawValue>,
    #[serde(borrow)]
    cred_blob: Option<&'a RawValue>,
    #[serde(borrow)]
    large_blob: Option<&'a RawValue>,
    #[serde(borrow)]
    payments: Option<&'a RawValue>,
}

/// `CXF 1.0 §3.3.12.3`.
#[derive(Deserialize)]
struct HmacCredentials<'a> {
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    #[serde(rename = "credWithUV")]
    cred_with_uv: ReadBytes,
    #[serde(rename = "credWithoutUV")]
    cred_without_uv: ReadBytes,
}

/// `CXF 1.0 §3.3.12.5`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    uncompressed_size: u64,
    data: ReadBytes,
}

struct Reader {
    found: Found,
    now_unix_ms: u64,
}

impl Reader {
    /// Nothing was made later than now.
    fn unix_ms(&self, seconds: Option<&RawValue>) -> Option<u64> {
        let seconds: u64 = parse_raw(seconds?)?;
        Some(seconds.saturating_mul(1000).min(self.now_unix_ms))
    }

    fn item(&mut self, raw: &RawValue, made_unix_ms: u64) {
        let Some(Item {
            creation_at,
            credentials,
        }) = parse_raw(raw)
        else {
            self.leave_out(Names::default(), Reason::Malformed);
            return;
        };
        let created_unix_ms = self.unix_ms(creation_at).unwrap_or(made_unix_ms);
        for credential in credentials {
            match parse_raw::<Kind<'_>>(credential) {
                Some(kind) if kind.r#type == "passkey" => self.passkey(credential, created_unix_ms),
                Some(_) => self.found.others += 1,
                None => self.leave_out(Names::default(), Reason::Malformed),
            }
        }
    }

    fn passkey(&mut self, raw: &RawValue, created_unix_ms: u64) {
        let Some(credential) = parse_raw::<Credential<'_>>(raw) else {
            self.leave_out(parse_raw(raw).unwrap_or_default(), Reason::Malformed);
            return;
        };
        let extensions = credential.fido2_extensions;
        match passkey(&credential, created_unix_ms) {
            Ok(mut passkey) => {
                let lost = extend(&mut passkey, extensions);
                let at = self.found.passkeys.len();
                let incomplete = lost.into_iter().map(|lost| Incomplete { at, lost });
                self.found.incomplete.extend(incomplete);
                self.found.passkeys.push(passkey);
            }
            Err(reason) => {
                let Credential { rp_id, username, .. } = credential;
                let names = Names {
                    rp_id: Some(rp_id),
                    username,
                };
                self.leave_out(names, reason);
            }
        }
    }

    fn leave_out(&mut self, Names { rp_id, username }: Names, reason: Reason) {
        self.found.left_out.push(LeftOut {
            rp_id: rp_id.map(|rp_id| cut(&rp_id, RP_ID_LEN_MAX).to_owned()),
            user_name: username.map(|name| cut(&name, NAME_LEN_MAX).to_owned()),
            reason,
        });
    }
}

/// The passkey without extensions.
fn passkey(credential: &Credential<'_>, created_unix_ms: u64) -> Result<Passkey, Reason> {
    let Credential {
        credential_id: ReadBytes(id),
        rp_id,
        username,
        user_display_name,
        user_handle: ReadBytes(user_id),
        key: ReadBytes(key),
        fido2_extensions: _,
    } = credential;
    let is_within =
        (1..=RP_ID_LEN_MAX).contains(&rp_id.len()) && (1..=USER_ID_LEN_MAX).contains(&user_id.len());
    let id = CredentialId::new(id)
        .filter(|_| is_within)
        .ok_or(Reason::OutOfBounds)?;
    let key = PrivateKey::from_pkcs8(key).map_err(|no_key| match no_key {
        NoKey::UnknownAlgorithm => Reason::UnknownAlgorithm,
        NoKey::Damaged => Reason::DamagedKey,
    })?;
    Ok(Passkey {
        id,
        rp_id: rp_id.clone(),
        rp_name: None,
        user_id: user_id.to_vec(),
        user_name: name(username.as_deref()),
        user_display_name: name(user_display_name.as_deref()),
        algorithm: key.algorithm.identifier(),
        private_key: key.secret,
        // It does not count its signatures, here or anywhere: CXF 1.0 §3.3.12.
        profile: Profile::Synced,
        created_unix_ms,
        cred_protect: CredProtect::default(),
        cred_random: None,
        cred_blob: None,
        large_blob_key: None,
        large_blob: None,
        third_party_payment: false,
    })
}

/// A name as a registration keeps it. CXF has an empty one where there is none.
fn name(name: Option<&str>) -> Option<String> {
    let name = name.filter(|name| !name.is_empty())?;
    Some(cut(name, NAME_LEN_MAX).to_owned())
}

/// The beginning of a text, up to the end of a character.
fn cut(text: &str, len_max: usize) -> &str {
    text.get(..text.floor_char_boundary(len_max)).unwrap_or_default()
}

/// Gives a passkey its extensions; the result is what of them it cannot have.
fn extend(passkey: &mut Passkey, extensions: Option<&RawValue>) -> Vec<Lost> {
    let Some(extensions) = extensions else {
        return Vec::new();
    };
    let Some(extensions) = parse_raw(extensions) else {
        return vec![Lost::Extensions];
    };
    let Extensions {
        hmac_credentials,
        cred_blob,
        large_blob,
        payments,
    } = extensions;
    let mut all_lost = Vec::new();
    let mut lost = |lost| all_lost.push(lost);
    if let Some(raw) = hmac_credentials {
        passkey.cred_random = cred_random(raw);
        if passkey.cred_random.is_none() {
            lost(Lost::HmacSecret);
        }
    }
    if let Some(raw) = cred_blob {
        passkey.cred_blob = cred_blob_of(raw);
        if passkey.cred_blob.is_none() {
            lost(Lost::CredBlob);
        }
    }
    if let Some(raw) = large_blob {
        passkey.large_blob = large_blob_of(raw);
        match passkey.large_blob {
            Some(_) => {
                let key = expand(passkey.private_key.expose_secret(), LARGE_BLOB_KEY);
                passkey.large_blob_key = Some(key);
            }
            None => lost(Lost::LargeBlob),
        }
    }
    if let Some(raw) = payments {
        match parse_raw(raw) {
            Some(payments) => passkey.third_party_payment = payments,
            None => lost(Lost::Payments),
        }
    }
    all_lost
}

fn cred_random(raw: &RawValue) -> Option<Secret<64>> {
    let HmacCredentials {
        algorithm,
        cred_with_uv: ReadBytes(with_uv),
        cred_without_uv: ReadBytes(without_uv),
    } = parse_raw(raw)?;
    if algorithm != HMAC_SHA256 || (with_uv.len(), without_uv.len()) != (32, 32) {
        return None;
    }
    Secret::from_slice(&Zeroizing::new(
        [with_uv.as_slice(), without_uv.as_slice()].concat(),
    ))
}

fn cred_blob_of(raw: &RawValue) -> Option<Vec<u8>> {
    let ReadBytes(blob) = parse_raw(raw)?;
    (blob.len() <= cred_blob::LEN_MAX).then(|| blob.to_vec())
}

fn large_blob_of(raw: &RawValue) -> Option<LargeBlob> {
    let Blob {
        uncompressed_size,
        data: ReadBytes(data),
    } = parse_raw(raw)?;
    (data.len() <= BLOB_LEN_MAX).then(|| LargeBlob {
        data: data.to_vec(),
        original_size: uncompressed_size,
    })
}
