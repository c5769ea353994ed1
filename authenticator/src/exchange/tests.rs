//! The names and numbers of the tests are those of the threat table in `vault/DESIGN.md`. "Mutation" says which part was
//! taken out to see the test fail. Files of others are written here by the text of CXF 1.0; the types of another
//! implementation say whether what we write is as it should be.

use credential_exchange_format::{Credential, Fido2HmacCredentialAlgorithm, Header, PasskeyCredential};
use serde_json::{Value as Json, json};
use wardkey_vault::{CredProtect, LargeBlob, Secret, SecretBytes};

use super::*;
use crate::cose::Algorithm;
use crate::private_key::PrivateKey;
use crate::testing::SeededRng;

mod hostile;

/// When files are written and read, unless a test says otherwise.
const NOW: u64 = 1_800_000_000_000;

/// A key that OpenSSL made, and its scalar.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHQy_SXONz8-Emld_O8i_XOSIhEgn609GK4cDw95JIyChRANCAAR2l2o7\
    ZQSZRI6nWWfJkbAZvMjlfXacBJIByPFT17UD9iGGZqlg3SQv0wsbPVZpiHp68jTycyzzoVmokqZcW0PX";
const SCALAR: &str = "1d0cbf49738dcfcf849a577f3bc8bf5ce488844827eb4f462b8703c3de492320";

/// A passkey with everything that the format has.
fn full_passkey(fill: u8, algorithm: Algorithm) -> Passkey {
    let rng = &mut SeededRng::new(u64::from(fill));
    Passkey {
        rp_name: Some("Example".to_owned()),
        user_name: Some("ann \"a\" <ann@example.org>".to_owned()),
        user_display_name: Some("Ann Ⅻ".to_owned()),
        cred_random: Some(Secret::random(rng)),
        cred_blob: Some(vec![fill; 64]),
        large_blob: Some(LargeBlob {
            data: vec![fill; 3000],
            original_size: 70_000,
        }),
        large_blob_key: Some(Secret::random(rng)),
        third_party_payment: true,
        algorithm: algorithm.identifier(),
        private_key: PrivateKey::generate(rng, algorithm).0.secret,
        ..bare_passkey(fill)
    }
}

/// A passkey without anything that may be missing.
fn bare_passkey(fill: u8) -> Passkey {
    Passkey {
        id: CredentialId::new(&[fill; 16]).unwrap(),
        rp_id: "example.org".to_owned(),
        rp_name: None,
        user_id: vec![fill],
        user_name: None,
        user_display_name: None,
        algorithm: -7,
        private_key: SecretBytes::from_slice(&[fill; 32]),
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

fn written(passkeys: &[Passkey]) -> Written {
    write(passkeys, NOW, &mut SeededRng::new(9)).unwrap()
}

fn json_of(passkeys: &[Passkey]) -> Json {
    serde_json::from_slice(&written(passkeys).json).unwrap()
}

/// Everything of a passkey that the format has.
fn assert_same(found: &Passkey, expected: &Passkey) {
    assert_eq!(found.id, expected.id);
    assert_eq!(found.rp_id, expected.rp_id);
    assert_eq!(found.user_id, expected.user_id);
    assert_eq!(found.user_name, expected.user_name);
    assert_eq!(found.user_display_name, expected.user_display_name);
    assert_eq!(found.algorithm, expected.algorithm);
    assert_eq!(
        found.private_key.expose_secret(),
        expected.private_key.expose_secret()
    );
    assert_eq!(found.profile, expected.profile);
    assert_eq!(found.created_unix_ms, expected.created_unix_ms);
    let cred_random = |passkey: &Passkey| passkey.cred_random.as_ref().map(|random| *random.expose_secret());
    assert_eq!(cred_random(found), cred_random(expected));
    assert_eq!(found.cred_blob, expected.cred_blob);
    assert_eq!(found.large_blob, expected.large_blob);
    assert_eq!(found.third_party_payment, expected.third_party_payment);
}

/// A file of another program, with these items.
fn file(items: Json) -> Vec<u8> {
    let file = json!({
        "version": { "major": 1, "minor": 0 },
        "exporterRpId": "manager.example",
        "exporterDisplayName": "A manager of passwords",
        "timestamp": 1_790_000_000,
        "accounts": [{
            "id": "YWNjb3VudA",
            "username": "ann",
            "email": "ann@example.org",
            "collections": [{ "id": "Y29sbGVjdGlvbg", "title": "Work", "items": [{ "item": "aXRlbQ" }] }],
            "items": items
        }]
    });
    file.to_string().into_bytes()
}

fn item(credentials: Json) -> Json {
    json!([{
        "id": "aXRlbQ",
        "creationAt": 1_690_000_000,
        "modifiedAt": 1_695_000_000,
        "title": "Example",
        "favorite": true,
        "scope": { "urls": ["https://example.org"], "androidApps": [] },
        "credentials": credentials,
        "tags": ["work"]
    }])
}

/// A passkey of another program.
fn passkey_of_another() -> Json {
    json!({
        "type": "passkey",
        "credentialId": "AQIDBA",
        "rpId": "example.org",
        "username": "ann",
        "userDisplayName": "Ann",
        "userHandle": "BQY",
        "key": KEY
    })
}

/// The same with other members, or without them where they are null.
fn passkey_with(members: Json) -> Json {
    let mut passkey = passkey_of_another();
    for (name, value) in members.as_object().unwrap() {
        let passkey = passkey.as_object_mut().unwrap();
        if value.is_null() {
            passkey.remove(name);
        } else {
            passkey.insert(name.clone(), value.clone());
        }
    }
    passkey
}

fn found(credentials: Json) -> Found {
    read(&file(item(credentials)), NOW).ok().unwrap()
}

fn only(credential: Json) -> Passkey {
    let Found {
        mut passkeys,
        incomplete,
        left_out,
        others,
    } = found(json!([credential]));
    assert_eq!((incomplete, left_out, others), (vec![], vec![], 0));
    assert_eq!(passkeys.len(), 1);
    passkeys.remove(0)
}

// --- there and back ---------------------------------------------------------------------------------------------------

/// F-06. Mutation: the two halves of CredRandom swapped, on one of the ways; `largeBlob` not read; `payments` not written.
#[test]
fn every_passkey_comes_back_through_the_exchange_format() {
    let mut passkeys: Vec<_> = [
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Es384,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
    ]
    .into_iter()
    .zip(1..)
    .map(|(algorithm, fill)| full_passkey(fill, algorithm))
    .collect();
    passkeys.push(bare_passkey(6));
    let written = written(&passkeys);
    assert_eq!((written.passkeys, written.left_out), (6, vec![]));
    let found = read(&written.json, NOW).ok().unwrap();
    assert_eq!(
        (found.incomplete, found.left_out, found.others),
        (vec![], vec![], 0)
    );
    assert_eq!(found.passkeys.len(), passkeys.len());
    for (found, passkey) in found.passkeys.iter().zip(&passkeys) {
        assert_same(found, passkey);
        assert_eq!(found.large_blob_key.is_some(), passkey.large_blob.is_some());
    }
}

#[test]
fn what_the_format_does_not_have_does_not_come_back() {
    let passkey = Passkey {
        cred_protect: CredProtect::Required,
        ..full_passkey(1, Algorithm::Es256)
    };
    let text = String::from_utf8(written(&[passkey]).json.to_vec()).unwrap();
    let found = read(text.as_bytes(), NOW).ok().unwrap().passkeys.remove(0);
    assert_eq!(found.cred_protect, CredProtect::Optional);
    assert_eq!(found.rp_name, None);
}

#[test]
fn a_second_name_of_a_scheme_comes_back_as_the_first() {
    for (algorithm, comes_back) in [(-9, -7), (-19, -8), (-51, -35)] {
        let algorithm = Algorithm::from_identifier(algorithm).unwrap();
        let passkey = full_passkey(1, algorithm);
        let found = read(&written(&[passkey]).json, NOW).ok().unwrap();
        assert_eq!(found.passkeys[0].algorithm, comes_back);
    }
}

/// Two devices that read one file store the same, or they would contradict each other. Mutation: a random largeBlobKey.
#[test]
fn one_file_gives_the_same_on_each_device() {
    let file = written(&[full_passkey(1, Algorithm::Es384)]).json;
    let key = |now| {
        let passkey = read(&file, now).ok().unwrap().passkeys.remove(0);
        let key = passkey.large_blob_key.unwrap();
        (*key.expose_secret(), passkey.created_unix_ms)
    };
    assert_eq!(key(NOW), key(NOW + 1));
    assert_ne!(key(NOW).0, [0; 32]);
}

/// F-06, F-02. `CXF 1.0 §3.3.12`: what counts its signatures is not exported. Mutation: the profile not looked at, in
/// `leaving` or in `write`.
#[test]
fn what_counts_its_signatures_is_not_exchanged() {
    let rng = &mut SeededRng::new(1);
    let root = Secret::from_slice(&[7; 32]).unwrap();
    let mut vault = Vault::open(redb::backends::InMemoryBackend::new(), &root, rng).unwrap();
    let passkeys: Vec<_> = [Profile::Synced, Profile::DeviceBound, Profile::U2f]
        .into_iter()
        .zip(1..)
        .map(|(profile, fill)| Passkey {
            profile,
            ..bare_passkey(fill)
        })
        .collect();
    assert_eq!(vault.add(rng, &passkeys, |_| None).unwrap(), 3);
    let ids = [1, 2, 3].map(|fill| CredentialId::new(&[fill; 16]).unwrap());
    let leaving = leaving(&vault).unwrap();
    assert_eq!(leaving.passkeys.len(), 1);
    assert_eq!(leaving.passkeys[0].id, ids[0]);
    assert_eq!(leaving.staying, ids[1..]);

    let written = written(&passkeys);
    assert_eq!((written.passkeys, &written.left_out[..]), (1, &ids[1..]));
    let found = read(&written.json, NOW).ok().unwrap();
    assert_eq!(found.passkeys.len(), 1);
    assert_eq!(found.passkeys[0].profile, Profile::Synced);
}

#[test]
fn a_key_that_is_none_is_left_out() {
    for passkey in [
        Passkey {
            private_key: SecretBytes::from_slice(&[0; 32]),
            ..bare_passkey(1)
        },
        Passkey {
            algorithm: -257,
            ..bare_passkey(1)
        },
    ] {
        let written = written(&[passkey, bare_passkey(2)]);
        assert_eq!(written.passkeys, 1);
        assert_eq!(written.left_out, [CredentialId::new(&[1; 16]).unwrap()]);
    }
}

// --- as others read and write it --------------------------------------------------------------------------------------

fn passkeys_in(header: &Header) -> Vec<&PasskeyCredential> {
    let credentials = header.accounts[0].items.iter().flat_map(|item| &item.credentials);
    credentials
        .map(|credential| {
            let Credential::Passkey(passkey) = credential else {
                panic!("{credential:?}");
            };
            &**passkey
        })
        .collect()
}

#[test]
fn another_implementation_reads_what_is_written() {
    let passkeys = [full_passkey(1, Algorithm::Es256), bare_passkey(2)];
    let json = written(&passkeys).json;
    let header: Header = serde_json::from_slice(&json).unwrap();
    assert_eq!((header.version.major, header.version.minor), (1, 0));
    assert_eq!(header.timestamp, NOW / 1000);
    assert_eq!(header.accounts.len(), 1);
    assert!(header.accounts[0].collections.is_empty());
    let item = &header.accounts[0].items[0];
    assert_eq!((&*item.title, item.creation_at), ("Example", Some(1_700_000_000)));
    assert_eq!(header.accounts[0].items[1].title, "example.org");
    assert_eq!(item.scope.as_ref().unwrap().urls, ["https://example.org"]);
    assert!((1..=64).contains(&item.id.as_ref().len()));

    let [full, bare] = passkeys_in(&header)[..] else {
        panic!("there are two");
    };
    assert_eq!(full.credential_id.as_ref(), [1; 16]);
    assert_eq!(full.rp_id, "example.org");
    assert_eq!(full.username, "ann \"a\" <ann@example.org>");
    assert_eq!(full.user_display_name, "Ann Ⅻ");
    assert_eq!(full.user_handle.as_ref(), [1]);
    let key = PrivateKey::from_pkcs8(full.key.as_ref()).ok().unwrap();
    assert_eq!(
        key.secret.expose_secret(),
        passkeys[0].private_key.expose_secret()
    );
    let extensions = full.fido2_extensions.as_ref().unwrap();
    let hmac = extensions.hmac_credentials.as_ref().unwrap();
    assert!(matches!(hmac.algorithm, Fido2HmacCredentialAlgorithm::HmacSha256));
    let (with_uv, without_uv) = passkeys[0]
        .cred_random
        .as_ref()
        .unwrap()
        .expose_secret()
        .split_at(32);
    assert_eq!(hmac.cred_with_uv.as_ref(), with_uv);
    assert_eq!(hmac.cred_without_uv.as_ref(), without_uv);
    assert_eq!(extensions.cred_blob.as_ref().unwrap().as_ref(), [1; 64]);
    let blob = extensions.large_blob.as_ref().unwrap();
    assert_eq!((blob.uncompressed_size, blob.data.as_ref().len()), (70_000, 3000));
    assert_eq!(extensions.payments, Some(true));
    assert!(bare.fido2_extensions.is_none());
    assert_eq!((&*bare.username, &*bare.user_display_name), ("", ""));
    // Nothing of it is unknown there: it writes the same again.
    assert_eq!(serde_json::to_value(&header).unwrap(), json_of(&passkeys));
}

#[test]
fn what_another_implementation_writes_is_read() {
    let passkeys = [full_passkey(1, Algorithm::EdDsa), bare_passkey(2)];
    let header: Header = serde_json::from_slice(&written(&passkeys).json).unwrap();
    let again = serde_json::to_vec_pretty(&header).unwrap();
    let found = read(&again, NOW).ok().unwrap();
    assert_eq!(found.passkeys.len(), 2);
    for (found, passkey) in found.passkeys.iter().zip(&passkeys) {
        assert_same(found, passkey);
    }
}

#[test]
fn the_scope_is_the_site_and_other_relying_parties_have_none() {
    for (rp_id, url) in [
        ("login.example.org", true),
        ("ssh:", false),
        ("ssh:me@host", false),
    ] {
        let passkey = Passkey {
            rp_id: rp_id.to_owned(),
            ..bare_passkey(1)
        };
        let json = json_of(&[passkey]);
        let scope = json.pointer("/accounts/0/items/0/scope");
        assert_eq!(scope.is_some(), url, "{rp_id}");
    }
}

// --- files of others --------------------------------------------------------------------------------------------------

#[test]
fn a_passkey_of_another_program_is_read() {
    let passkey = only(passkey_with(json!({
        "fido2Extensions": {
            "hmacCredentials": {
                "algorithm": "hmac-sha256",
                "credWithUV": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
                "credWithoutUV": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"
            },
            "credBlob": "Bwg",
            "largeBlob": { "uncompressedSize": 12, "data": "SyvMBwA" },
            "payments": true,
            "later": { "than": "this program" }
        },
        "extensions": [{ "name": "unknown" }]
    })));
    assert_eq!(passkey.id.as_bytes(), [1, 2, 3, 4]);
    assert_eq!(passkey.rp_id, "example.org");
    assert_eq!(passkey.user_id, [5, 6]);
    assert_eq!(passkey.user_name.as_deref(), Some("ann"));
    assert_eq!(passkey.user_display_name.as_deref(), Some("Ann"));
    assert_eq!(passkey.algorithm, -7);
    assert_eq!(passkey.private_key.expose_secret(), crate::testing::hex(SCALAR));
    assert_eq!(passkey.profile, Profile::Synced);
    assert_eq!(passkey.created_unix_ms, 1_690_000_000_000);
    let cred_random = passkey.cred_random.unwrap();
    assert_eq!(
        cred_random.expose_secret().split_at(32),
        (&[1; 32][..], &[2; 32][..])
    );
    assert_eq!(passkey.cred_blob, Some(vec![7, 8]));
    let blob = passkey.large_blob.unwrap();
    assert_eq!(
        (blob.original_size, &*blob.data),
        (12, &[0x4b, 0x2b, 0xcc, 0x07, 0x00][..])
    );
    assert!(passkey.large_blob_key.is_some());
    assert!(passkey.third_party_payment);
}

#[test]
fn an_account_without_names_and_bytes_with_padding_and_escapes_are_read() {
    let passkey = only(passkey_with(json!({
        "credentialId": "AQIDBA==", "username": null, "userDisplayName": "", "fido2Extensions": {}
    })));
    assert_eq!((passkey.user_name, passkey.user_display_name), (None, None));
    let text = String::from_utf8(file(item(json!([passkey_of_another()])))).unwrap();
    let escaped = text
        .replace("AQIDBA", "\\u0041QIDBA")
        .replace("\"passkey\"", "\"pass\\u006bey\"");
    let found = read(format!("\u{feff}\n{escaped}").as_bytes(), NOW).ok().unwrap();
    assert_eq!(found.passkeys[0].id.as_bytes(), [1, 2, 3, 4]);
}

#[test]
fn a_long_name_is_cut_as_in_a_registration() {
    let passkey = only(passkey_with(json!({ "username": "é".repeat(1000) })));
    assert_eq!(passkey.user_name, Some("é".repeat(128)));
}

#[test]
fn credentials_of_other_types_are_counted() {
    let found = found(json!([
        { "type": "basic-auth", "username": { "fieldType": "string", "value": "ann" } },
        passkey_of_another(),
        { "type": "totp", "secret": "JBSWY3DPEHPK3PXP" },
        { "type": "Passkey" }
    ]));
    assert_eq!(
        (found.passkeys.len(), found.others, found.left_out.len()),
        (1, 3, 0)
    );
}

#[test]
fn a_time_is_that_of_the_item_or_of_the_file_and_never_later_than_now() {
    let file_at = |created: Json, made: Json| {
        let mut file: Json = serde_json::from_slice(&file(item(json!([passkey_of_another()])))).unwrap();
        file["timestamp"] = made;
        file["accounts"][0]["items"][0]["creationAt"] = created;
        let found = read(file.to_string().as_bytes(), NOW).ok().unwrap();
        found.passkeys[0].created_unix_ms
    };
    let (second, other) = (json!(1_690_000_000), json!(1_790_000_000));
    assert_eq!(file_at(second.clone(), other.clone()), 1_690_000_000_000);
    for unknown in [Json::Null, json!(-5), json!("2024-01-01"), json!(1.5), json!({})] {
        assert_eq!(file_at(unknown.clone(), other.clone()), 1_790_000_000_000);
        assert_eq!(file_at(unknown.clone(), unknown), NOW);
    }
    // Milliseconds, where there should be seconds.
    for late in [json!(1_690_000_000_000_u64), json!(u64::MAX)] {
        assert_eq!(file_at(late, other.clone()), NOW);
    }
}

// --- what cannot be kept ----------------------------------------------------------------------------------------------

#[test]
fn a_passkey_that_cannot_be_kept_is_left_out_with_the_reason() {
    use Reason as R;
    let x25519 = "MC4CAQAwBQYDK2VuBCIEIHAwzBv9augq3jcvaO2ZnyPqyO7rt-RaeCaHZIw2KadE";
    for (members, reason) in [
        (json!({ "credentialId": null }), R::Malformed),
        (json!({ "credentialId": 5 }), R::Malformed),
        (json!({ "credentialId": "A+/=" }), R::Malformed),
        (json!({ "userHandle": null }), R::Malformed),
        (json!({ "key": null }), R::Malformed),
        (json!({ "key": "not base64url" }), R::Malformed),
        (json!({ "rpId": ["example.org"] }), R::Malformed),
        (json!({ "credentialId": "" }), R::OutOfBounds),
        (json!({ "credentialId": "A".repeat(342) }), R::OutOfBounds),
        (json!({ "userHandle": "" }), R::OutOfBounds),
        (json!({ "userHandle": "A".repeat(87) }), R::OutOfBounds),
        (json!({ "rpId": "" }), R::OutOfBounds),
        (json!({ "rpId": "a".repeat(1025) }), R::OutOfBounds),
        (json!({ "key": x25519 }), R::UnknownAlgorithm),
        (json!({ "key": "" }), R::DamagedKey),
        (json!({ "key": &KEY[..100] }), R::DamagedKey),
    ] {
        let found = found(json!([
            passkey_with(members.clone()),
            passkey_with(json!({ "userHandle": "Cg" }))
        ]));
        let reasons: Vec<_> = found.left_out.iter().map(|left_out| left_out.reason).collect();
        assert_eq!(reasons, [reason], "{members}");
        assert_eq!(found.passkeys.len(), 1, "{members}");
    }
}

#[test]
fn who_was_left_out_is_named_where_that_can_be_read() {
    let found = found(json!([
        passkey_with(json!({ "key": 1 })),
        passkey_with(json!({ "rpId": 1 })),
        1,
        {}
    ]));
    let names: Vec<_> = found
        .left_out
        .iter()
        .map(|left_out| (left_out.rp_id.as_deref(), left_out.user_name.as_deref()))
        .collect();
    let nobody = (None, None);
    assert_eq!(
        names,
        [(Some("example.org"), Some("ann")), nobody, nobody, nobody]
    );
}

/// Mutation: the length of one of the secrets, or its algorithm, not looked at.
#[test]
fn what_a_passkey_cannot_keep_is_left_out_alone() {
    let secret = "A".repeat(43);
    let hmac = |algorithm: &str, with: &str, without: &str| json!({ "hmacCredentials": { "algorithm": algorithm, "credWithUV": with, "credWithoutUV": without } });
    let blob = |size: Json, data: String| json!({ "largeBlob": { "uncompressedSize": size, "data": data } });
    for (extensions, lost) in [
        (hmac("hmac-sha512", &secret, &secret), Lost::HmacSecret),
        (hmac("hmac-sha256", "AQ", &secret), Lost::HmacSecret),
        (hmac("hmac-sha256", &secret, &secret[1..]), Lost::HmacSecret),
        (
            hmac("hmac-sha256", &"A".repeat(44), &secret[1..]),
            Lost::HmacSecret,
        ),
        (
            json!({ "hmacCredentials": { "algorithm": "hmac-sha256" } }),
            Lost::HmacSecret,
        ),
        (json!({ "hmacCredentials": [] }), Lost::HmacSecret),
        (json!({ "credBlob": "A".repeat(88) }), Lost::CredBlob),
        (json!({ "credBlob": 1 }), Lost::CredBlob),
        (blob(json!(1), "A".repeat(16_386)), Lost::LargeBlob),
        (blob(json!(-1), "AA".to_owned()), Lost::LargeBlob),
        (blob(json!(1), "?".to_owned()), Lost::LargeBlob),
        (json!({ "largeBlob": {} }), Lost::LargeBlob),
        (json!({ "payments": "yes" }), Lost::Payments),
        (json!("none"), Lost::Extensions),
    ] {
        let found = found(json!([passkey_with(
            json!({ "fido2Extensions": extensions.clone() })
        )]));
        assert_eq!(found.incomplete, [Incomplete { at: 0, lost }], "{extensions}");
        assert_eq!((found.passkeys.len(), found.left_out.len()), (1, 0));
        let passkey = &found.passkeys[0];
        assert!(passkey.cred_random.is_none() && passkey.cred_blob.is_none());
        assert!(passkey.large_blob.is_none() && passkey.large_blob_key.is_none());
        assert!(!passkey.third_party_payment);
    }
}

/// As long as they may be, they go into the vault.
#[test]
fn the_longest_passkey_that_is_read_can_be_stored() {
    let passkey = only(passkey_with(json!({
        "credentialId": "A".repeat(340),
        "rpId": "a".repeat(1024),
        "username": "n".repeat(500),
        "userDisplayName": "n".repeat(500),
        "userHandle": "A".repeat(86),
        "fido2Extensions": {
            "credBlob": "A".repeat(86),
            "largeBlob": { "uncompressedSize": u64::MAX, "data": "A".repeat(16_384) },
        }
    })));
    let rng = &mut SeededRng::new(1);
    let root = Secret::from_slice(&[7; 32]).unwrap();
    let mut vault = Vault::open(redb::backends::InMemoryBackend::new(), &root, rng).unwrap();
    assert_eq!(vault.add(rng, &[passkey], |_| None).unwrap(), 1);
}
