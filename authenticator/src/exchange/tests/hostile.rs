//! Files that want to do harm.

use proptest::prelude::*;

use super::*;

fn refused(bytes: &[u8]) -> Option<NotRead> {
    read(bytes, NOW).err()
}

#[test]
fn what_is_no_cxf_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "{\"accounts\":[]}",
        "{\"version\":{\"major\":1,\"minor\":0}}",
        "{\"version\":{\"major\":1,\"minor\":0},\"accounts\":{}}",
        "{\"version\":{\"major\":1,\"minor\":0},\"accounts\":[{}]}",
        "{\"version\":{\"major\":1,\"minor\":0},\"accounts\":[{\"items\":7}]}",
        "{\"version\":{\"major\":1,\"minor\":0},\"accounts\":[],\"accounts\":[]}",
        "{\"version\":{\"major\":1,\"minor\":0},\"accounts\":[]} and more",
        "{\"version\":1,\"accounts\":[]}",
    ] {
        assert_eq!(refused(text.as_bytes()), Some(NotRead::NotCxf), "{text}");
    }
    assert_eq!(refused(b"{\"version\":{\"major\":1},\"accounts\":[]}"), None);
    let newer = b"{\"version\":{\"major\":2},\"folks\":[]}";
    assert_eq!(refused(newer), Some(NotRead::NewerVersion));
    assert_eq!(refused(&vec![b' '; LEN_MAX + 1]), Some(NotRead::TooLarge));
}

#[test]
fn a_file_that_was_cut_off_gives_nothing() {
    let file = file(item(json!([passkey_of_another()])));
    for len in 0..file.len() {
        assert!(refused(&file[..len]).is_some(), "{len}");
    }
}

#[test]
fn text_that_is_no_utf_8_gives_nothing() {
    let mut file = file(item(json!([passkey_of_another()])));
    let at = file.windows(3).position(|window| window == b"Ann").unwrap();
    file[at] = 0xFF;
    assert_eq!(refused(&file), Some(NotRead::NotCxf));
}

/// Programs differ in which of two they take.
#[test]
fn a_member_that_is_there_twice_is_no_member() {
    let text = String::from_utf8(file(item(json!([passkey_of_another()])))).unwrap();
    let twice = text.replace("\"rpId\":", "\"rpId\":\"example.com\",\"rpId\":");
    let found = read(twice.as_bytes(), NOW).ok().unwrap();
    assert_eq!(found.passkeys.len(), 0);
    assert_eq!(found.left_out[0].reason, Reason::Malformed);
}

#[test]
fn what_is_nested_without_end_does_no_harm() {
    let whole = String::from_utf8(file(item(json!(["HERE", passkey_of_another()])))).unwrap();
    let extended = passkey_with(json!({ "fido2Extensions": "HERE" }));
    let extended = String::from_utf8(file(item(json!([extended])))).unwrap();
    for depth in [100, 100_000] {
        for (open, inner, close) in [("[", "", "]"), ("{\"a\":", "1", "}")] {
            let nested = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            for file in [
                nested.clone(),
                whole.replace("\"HERE\"", &nested),
                whole.replace("\"work\"", &nested),
                extended.replace("\"HERE\"", &nested),
            ] {
                if let Ok(found) = read(file.as_bytes(), NOW) {
                    assert_eq!(found.passkeys.len(), 1);
                }
            }
        }
    }
}

#[test]
fn very_many_entries_are_looked_at_one_by_one() {
    let items = format!("[{}1]", "1,".repeat(300_000));
    let text = format!("{{\"version\":{{\"major\":1}},\"accounts\":[{{\"items\":{items}}}]}}");
    let found = read(text.as_bytes(), NOW).ok().unwrap();
    assert_eq!(found.left_out.len(), 300_001);
}

/// The members that a passkey can have.
const MEMBERS: [&str; 17] = [
    "type",
    "credentialId",
    "rpId",
    "username",
    "userDisplayName",
    "userHandle",
    "key",
    "fido2Extensions",
    "hmacCredentials",
    "credBlob",
    "largeBlob",
    "payments",
    "algorithm",
    "credWithUV",
    "credWithoutUV",
    "uncompressedSize",
    "data",
];

/// Any JSON with these members.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[A-Za-z0-9_=-]{0,60}".prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
        prop::sample::select(vec![KEY, "passkey", "hmac-sha256"]).prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let name = prop::sample::select(MEMBERS.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
        prop_assert!(refused(&bytes).is_some());
        looks_like_json(&bytes);
    }

    /// Whatever members a passkey has: it is kept, or left out. What is kept can be written.
    #[test]
    fn arbitrary_members_do_no_harm(members in any_json()) {
        let mut passkey = passkey_of_another();
        if let Json::Object(members) = members {
            passkey.as_object_mut().unwrap().extend(members);
        }
        let found = found(json!([passkey]));
        prop_assert_eq!(found.passkeys.len() + found.left_out.len() + found.others, 1);
        let again = written(&found.passkeys);
        prop_assert_eq!(again.passkeys, found.passkeys.len());
    }

    #[test]
    fn arbitrary_items_do_no_harm(item in any_json()) {
        prop_assert!(read(&file(json!([item])), NOW).is_ok());
    }

    #[test]
    fn a_changed_byte_does_no_harm(at: prop::sample::Index, byte: u8) {
        let passkey = passkey_with(json!({ "fido2Extensions": { "credBlob": "AQ", "payments": true } }));
        let mut file = file(item(json!([passkey])));
        let at = at.index(file.len());
        file[at] = byte;
        if let Ok(found) = read(&file, NOW) {
            prop_assert!(found.passkeys.len() <= 1);
        }
    }
}
