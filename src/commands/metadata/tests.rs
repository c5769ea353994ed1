use std::path::Path;

use super::*;
use crate::commands::tests::access;
use crate::state::testing::{new_folder, open_bare};

fn options(attestation: AttestationBy, enterprise: bool, verify: Option<VerifyBy>) -> Metadata {
    let model = Model {
        attestation,
        enterprise,
        ..Model::default()
    };
    Metadata { model, verify }
}

/// Of a key in `folder`, which is looked at only where it matters.
fn printed(folder: Option<&Path>, options: &Metadata) -> Json {
    let mut out = Vec::new();
    metadata(|| Ok(access(folder.unwrap())), options, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_statement_needs_no_key() {
    let folder = new_folder();
    let statement = printed(Some(folder.path()), &options(AttestationBy::Itself, false, None));
    assert_eq!(statement["schema"], 3);
    assert_eq!(
        statement["authenticatorGetInfo"]["algorithms"][2],
        json!({ "alg": -35, "type": "public-key" })
    );
    assert_eq!(statement["authenticatorGetInfo"]["options"]["clientPin"], false);
    assert_eq!(statement["attestationRootCertificates"], json!([]));
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn a_statement_has_the_icon() {
    let statement = printed(None, &options(AttestationBy::Itself, false, None));
    let icon = statement["icon"]
        .as_str()
        .unwrap()
        .strip_prefix("data:image/png;base64,")
        .unwrap();
    assert!(
        Base64::decode_vec(icon)
            .unwrap()
            .starts_with(b"\x89PNG\r\n\x1A\n")
    );
}

#[test]
fn a_statement_is_about_the_key_with_these_options() {
    let info = |verify| {
        printed(None, &options(AttestationBy::Itself, false, verify))["authenticatorGetInfo"].clone()
    };
    assert_eq!(info(None)["options"].get("uv"), None);
    for (means, uv, modality) in [
        (VerifyBy::Fingerprint, true, 2),
        (VerifyBy::Password, true, 4),
        // A key that was never used has no PIN.
        (VerifyBy::Pin, false, 4),
    ] {
        let info = info(Some(means));
        assert_eq!(
            (&info["options"]["uv"], &info["uvModality"]),
            (&json!(uv), &json!(modality))
        );
    }
}

#[test]
fn the_root_is_that_of_this_installation() {
    let folder = new_folder();
    drop(open_bare(folder.path()));
    for (attestation, enterprise) in [(AttestationBy::Authority, false), (AttestationBy::Itself, true)] {
        let statement = printed(Some(folder.path()), &options(attestation, enterprise, None));
        let root = statement["attestationRootCertificates"][0].as_str().unwrap();
        let mut exported = Vec::new();
        crate::commands::export(access(folder.path()), false, &mut exported).unwrap();
        let exported = String::from_utf8(exported).unwrap().replace('\n', "");
        assert!(exported.contains(&format!("-----{root}-----")), "{exported}");
    }
}

#[test]
fn an_authority_needs_a_key() {
    let folder = new_folder();
    let options = options(AttestationBy::Authority, false, None);
    let failure = metadata(|| Ok(access(folder.path())), &options, &mut Vec::new()).unwrap_err();
    assert!(failure.to_string().starts_with("there is no key in"), "{failure}");
}

#[test]
fn what_json_has_nothing_for_is_not_left_out_in_silence() {
    assert!(members(&Map::new([("a", Value::Null)])).is_none());
    assert!(members(&Map::new([(1_u64, Value::Bool(true))])).is_none());
    let all = Map::new([
        (
            "a",
            Value::Array(vec![Value::Unsigned(7), Value::Negative(6), Value::Bool(true)]),
        ),
        ("b", Value::Map(Map::new([("c", Value::Bytes(&[0xFB, 0xFF]))]))),
    ]);
    assert_eq!(
        Json::Object(members(&all).unwrap()),
        json!({ "a": [7, -7, true], "b": { "c": "+/8=" } })
    );
}
