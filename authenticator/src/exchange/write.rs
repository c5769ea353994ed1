//! What goes out: one account with an item for each passkey.

use std::io;

use p256::pkcs8::SecretDocument;
use rand_core::CryptoRng;
use serde::Serialize;
use sha2::{Digest, Sha256};
use wardkey_vault::{CredentialId, LargeBlob, Passkey, Profile, SecretBytes};
use zeroize::Zeroizing;

use super::LEN_MAX;
use super::base64url::Bytes;
use crate::cose::Algorithm;
use crate::private_key::PrivateKey;

/// The one algorithm of [`HmacCredentials`], `CXF 1.0 §3.3.12.3`.
pub(super) const HMAC_SHA256: &str = "hmac-sha256";
/// What this program is called, as a relying party id and to people.
const EXPORTER: &str = "wardkey";

/// A file.
pub struct Written {
    /// Its content, which is in clear.
    pub json: Zeroizing<Vec<u8>>,
    /// How many passkeys are in it.
    pub passkeys: usize,
    /// Those that are not: they count their signatures, or their key is none of an algorithm that this program has.
    pub left_out: Vec<CredentialId>,
}

/// The passkeys need more than 64 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// The file of these passkeys. The generator makes the account's id, which is another one each time.
pub fn write(passkeys: &[Passkey], made_unix_ms: u64, rng: &mut dyn CryptoRng) -> Result<Written, TooLarge> {
    let (mut items, mut left_out) = (Vec::new(), Vec::new());
    for passkey in passkeys {
        match key(passkey) {
            Some(key) => items.push(Item::of(passkey, key)),
            None => left_out.push(passkey.id.clone()),
        }
    }
    let mut account_id = [0; 16];
    rng.fill_bytes(&mut account_id);
    let count = items.len();
    let header = Header {
        version: Version { major: 1, minor: 0 },
        exporter_rp_id: EXPORTER,
        exporter_display_name: EXPORTER,
        timestamp: made_unix_ms / 1000,
        accounts: [Account {
            id: Bytes(&account_id),
            username: "",
            email: "",
            collections: [],
            items,
        }],
    };
    let mut len = Counted(0);
    serde_json::to_writer(&mut len, &header).map_err(|_| TooLarge)?;
    // There is room for all: the buffer is never moved, and no copy is left behind.
    let mut json = Zeroizing::new(Vec::with_capacity(len.0));
    serde_json::to_writer(&mut *json, &header).expect("it was written once, and memory takes it");
    Ok(Written {
        json,
        passkeys: count,
        left_out,
    })
}

/// The key of a passkey that may be in a file. `CXF 1.0 §3.3.12`: none with a signature counter.
fn key(passkey: &Passkey) -> Option<SecretDocument> {
    if passkey.profile != Profile::Synced {
        return None;
    }
    let key = PrivateKey {
        algorithm: Algorithm::from_identifier(passkey.algorithm)?,
        secret: SecretBytes::from_slice(passkey.private_key.expose_secret()),
    };
    key.to_pkcs8()
}

/// Counts what is written, up to the most that a file may have.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        if self.0 > LEN_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `CXF 1.0 §3.1`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    version: Version,
    exporter_rp_id: &'a str,
    exporter_display_name: &'a str,
    /// Seconds since the Unix epoch, as all times.
    timestamp: u64,
    accounts: [Account<'a>; 1],
}

/// `CXF 1.0 §3.1.1`.
#[derive(Serialize)]
struct Version {
    major: u8,
    minor: u8,
}

/// `CXF 1.0 §3.2.1`.
#[derive(Serialize)]
struct Account<'a> {
    id: Bytes<'a>,
    username: &'a str,
    email: &'a str,
    collections: [(); 0],
    items: Vec<Item<'a>>,
}

/// `CXF 1.0 §3.2.3`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(serialize_with = "base64url")]
    id: [u8; 32],
    creation_at: u64,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    credentials: [Credential<'a>; 1],
}

/// `CXF 1.0 §3.2.4`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Scope {
    urls: [String; 1],
    android_apps: [(); 0],
}

/// `CXF 1.0 §3.3.12`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credential<'a> {
    r#type: &'static str,
    credential_id: Bytes<'a>,
    rp_id: &'a str,
    username: &'a str,
    user_display_name: &'a str,
    user_handle: Bytes<'a>,
    #[serde(serialize_with = "document")]
    key: SecretDocument,
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    fido2_extensions: Extensions<'a>,
}

/// `CXF 1.0 §3.3.12.2`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hmac_credentials: Option<HmacCredentials<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cred_blob: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    large_blob: Option<WrittenBlob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payments: Option<bool>,
}

/// `CXF 1.0 §3.3.12.3`.
#[derive(Serialize)]
struct HmacCredentials<'a> {
    algorithm: &'static str,
    #[serde(rename = "credWithUV")]
    cred_with_uv: Bytes<'a>,
    #[serde(rename = "credWithoutUV")]
    cred_without_uv: Bytes<'a>,
}

/// `CXF 1.0 §3.3.12.5`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenBlob<'a> {
    uncompressed_size: u64,
    data: Bytes<'a>,
}

impl<'a> Item<'a> {
    fn of(passkey: &'a Passkey, key: SecretDocument) -> Self {
        let named = passkey.rp_name.as_deref().filter(|name| !name.is_empty());
        Self {
            // The same each time, and of no use to find the passkey.
            id: Sha256::digest(passkey.id.as_bytes()).into(),
            creation_at: passkey.created_unix_ms / 1000,
            title: named.unwrap_or(&passkey.rp_id),
            scope: Scope::of(&passkey.rp_id),
            credentials: [Credential {
                r#type: "passkey",
                credential_id: Bytes(passkey.id.as_bytes()),
                rp_id: &passkey.rp_id,
                username: passkey.user_name.as_deref().unwrap_or_default(),
                user_display_name: passkey.user_display_name.as_deref().unwrap_or_default(),
                user_handle: Bytes(&passkey.user_id),
                key,
                fido2_extensions: Extensions::of(passkey),
            }],
        }
    }
}

impl Scope {
    /// `None` for a relying party id that is no domain, such as those of ssh.
    fn of(rp_id: &str) -> Option<Self> {
        let of_domains = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        (!rp_id.is_empty() && rp_id.chars().all(of_domains)).then(|| Self {
            urls: [format!("https://{rp_id}")],
            android_apps: [],
        })
    }
}

impl<'a> Extensions<'a> {
    fn of(passkey: &'a Passkey) -> Self {
        Self {
            hmac_credentials: passkey.cred_random.as_ref().map(|random| {
                let (with_uv, without_uv) = random.expose_secret().split_at(32);
                HmacCredentials {
                    algorithm: HMAC_SHA256,
                    cred_with_uv: Bytes(with_uv),
                    cred_without_uv: Bytes(without_uv),
                }
            }),
            cred_blob: passkey.cred_blob.as_deref().map(Bytes),
            large_blob: passkey.large_blob.as_ref().map(|blob| {
                let LargeBlob { data, original_size } = blob;
                WrittenBlob {
                    uncompressed_size: *original_size,
                    data: Bytes(data),
                }
            }),
            payments: passkey.third_party_payment.then_some(true),
        }
    }

    fn is_empty(&self) -> bool {
        let Self {
            hmac_credentials,
            cred_blob,
            large_blob,
            payments,
        } = self;
        hmac_credentials.is_none() && cred_blob.is_none() && large_blob.is_none() && payments.is_none()
    }
}

fn base64url<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    Bytes(bytes).serialize(serializer)
}

fn document<S: serde::Serializer>(key: &SecretDocument, serializer: S) -> Result<S::Ok, S::Error> {
    Bytes(key.as_bytes()).serialize(serializer)
}
