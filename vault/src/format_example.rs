//! The worked example of `FORMAT.md` is what the code makes and opens.

use zeroize::Zeroizing;

use crate::keyring::Keyring;
use crate::keys::{VaultId, VaultKey, WrappingKey};
use crate::local_keys::LocalKeys;
use crate::log::LogHead;
use crate::seal::{Place, RowId, Unique, open, seal};
use crate::testing::root_key;
use crate::{
    Consent, CredProtect, CredentialId, Event, KdfParameters, LogOrigin, Passkey, Profile, Record, RpIdHash,
    Secret, SecretBytes, Site, Subject, VaultPin, payload, wrap,
};

const FORMAT: &str = include_str!("../FORMAT.md");
const ROW: RowId = RowId([0xa1; 16]);

/// The bytes of the block that starts with "```hex NAME".
fn block(name: &str) -> Vec<u8> {
    block_in(FORMAT, name)
}

pub(crate) fn block_in(document: &str, name: &str) -> Vec<u8> {
    let (_, rest) = document.split_once(&format!("```hex {name}\n")).expect(name);
    let (lines, _) = rest.split_once("```").unwrap();
    let digits: Vec<u8> = lines
        .lines()
        .map(|line| line.split('#').next().unwrap())
        .flat_map(|line| line.bytes().filter(|byte| !byte.is_ascii_whitespace()))
        .collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn assert_shown(name: &str, made: &[u8]) {
    assert_shown_in(FORMAT, name, made);
}

/// Where the document is wrong, this prints what belongs there.
pub(crate) fn assert_shown_in(document: &str, name: &str, made: &[u8]) {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: Vec<String> = made.chunks(40).map(line).collect();
    assert!(
        block_in(document, name) == made,
        "the block `{name}` should be\n{}",
        lines.join("\n")
    );
}

fn passkey() -> Passkey {
    Passkey {
        id: CredentialId::new(&[0xc1; 16]).unwrap(),
        rp_id: "example.org".to_owned(),
        rp_name: None,
        user_id: vec![0x01, 0x02],
        user_name: Some("ann".to_owned()),
        user_display_name: None,
        algorithm: -7,
        private_key: SecretBytes::from_slice(&[0x44; 32]),
        profile: Profile::Synced,
        created_unix_ms: 1_700_000_000_000,
        cred_protect: CredProtect::Optional,
        cred_random: None,
        cred_blob: None,
        large_blob_key: None,
        large_blob: None,
        third_party_payment: false,
    }
}

fn local_keys() -> LocalKeys {
    LocalKeys::first(VaultId([0x11; 32]), root_key(0x22))
}

fn vault_key() -> VaultKey {
    VaultKey::of_epoch(&root_key(0x22), VaultId([0x11; 32]), 1)
}

fn keyring() -> Keyring {
    Keyring::decode(&block("keyring")).unwrap()
}

#[test]
fn the_payload_is_as_shown() {
    assert_shown("payload", &payload::encode(&passkey()).unwrap());
}

#[test]
fn the_sealed_record_is_as_shown() {
    let text = payload::encode(&passkey()).unwrap();
    assert_shown(
        "sealed",
        &seal(&vault_key(), Unique([0x5a; 16]), Place::Passkey(ROW), text).unwrap(),
    );
}

#[test]
fn the_sealed_record_opens() {
    let text = open(&vault_key(), Place::Passkey(ROW), &block("sealed")).unwrap();
    assert_eq!(text, Zeroizing::new(block("payload")));
    let found = payload::decode(&text).unwrap();
    assert_eq!(
        (found.rp_id.as_str(), found.user_name.as_deref()),
        ("example.org", Some("ann"))
    );
}

#[test]
fn the_entry_of_the_log_and_the_head_are_as_shown_and_open() {
    let event = Event::SignedIn {
        credential: Subject::new(
            Site::named("example.org"),
            CredentialId::new(&[0xc1; 16]).unwrap(),
            Some("ann"),
        ),
        consent: Consent::Present,
    };
    let unix_ms = 1_700_000_000_000;
    let record = Record { unix_ms, event };
    let appended = LogHead::begin(LogOrigin::New)
        .append(&local_keys(), &record, &mut Constant(0x5a))
        .unwrap();
    let entry = open(&vault_key(), Place::LogEntry(1), &appended.sealed).unwrap();
    assert_shown("log-entry", &entry);
    let start = block("log-entry-start");
    assert_shown("log-entry-start", &appended.sealed[..start.len()]);
    let sealed = appended.head.seal(&local_keys(), &mut Constant(0x5a));
    assert_shown("log-head", &open(&vault_key(), Place::LogHead, &sealed).unwrap());
    assert_eq!(LogHead::open(&local_keys(), &sealed).unwrap(), appended.head);
}

#[test]
fn the_keyring_is_as_shown() {
    assert_shown("keyring", &keyring().encode());
    assert_eq!(keyring().current().epoch, 1);
}

#[test]
fn the_wrapped_id_is_as_shown_and_opens() {
    let rp = RpIdHash::of("example.org");
    let key = WrappingKey::new(1, Secret::from_slice(&[0x33; 32]).unwrap());
    let id = wrap::wrap(&key, &mut Constant(0x5a), &rp, Profile::U2f, &[0x44; 32]);
    assert_shown("wrapped", id.as_bytes());
    let (profile, secret) = wrap::unwrap(
        keyring().current(),
        &rp,
        &CredentialId::new(&block("wrapped")).unwrap(),
    )
    .unwrap();
    assert_eq!(
        (profile, secret.as_slice()),
        (Profile::U2f, [0x44; 32].as_slice())
    );
}

#[test]
fn the_parameters_of_the_vault_pin_are_as_shown_and_give_the_secret() {
    let parameters = KdfParameters::from_bytes(&block("kdf")).unwrap();
    assert_shown("kdf", &parameters.to_bytes());
    let secret = parameters.stretch(&VaultPin::typed("493817").unwrap()).unwrap();
    assert_shown("pin-secret", secret.expose_secret());
}

/// Randomness for an example: one byte for ever.
struct Constant(u8);

impl rand_core::TryRng for Constant {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_be_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_be_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Constant {}
