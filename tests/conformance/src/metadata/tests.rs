//! A good statement passes every rule; each way to break it is seen by the rule about it.

use serde_json::json;

use super::{Statement, descriptions, get_info, images, members, protection, registry};
use crate::case::Outcome;

type Rule = fn(&Statement) -> Outcome;

/// An image of 1 × 1, and one that is not square.
const PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn svg(text: &str) -> String {
    use base64ct::{Base64, Encoding};
    format!(
        "data:image/svg+xml;base64,{}",
        Base64::encode_string(text.as_bytes())
    )
}

fn logo() -> String {
    svg(r#"<svg version="1.2" baseProfile="tiny-ps" viewBox="0 0 8 8"><title>wardkey</title></svg>"#)
}

fn good() -> Statement {
    Statement::new(json!({
        "legalHeader": "Submission of this statement and retrieval and use of this statement indicates acceptance of \
            the appropriate agreement located at https://fidoalliance.org/metadata/metadata-legal-terms/.",
        "aaguid": "9e326632-c098-4e72-b441-1e8a7ccdf57d",
        "description": "A key",
        "alternativeDescriptions": { "de-AT": "Ein Schlüssel", "ru": "Ключ" },
        "friendlyNames": { "en-US": "Key", "de": "Schlüssel" },
        "authenticatorVersion": 100,
        "protocolFamily": "fido2",
        "schema": 3,
        "upv": [{ "major": 1, "minor": 0 }, { "major": 1, "minor": 3 }],
        "authenticationAlgorithms": ["secp256r1_ecdsa_sha256_raw", "ed25519_eddsa_sha512_raw"],
        "publicKeyAlgAndEncodings": ["cose"],
        "attestationTypes": ["basic_surrogate"],
        "userVerificationDetails": [
            [{ "userVerificationMethod": "presence_internal" }],
            [
                { "userVerificationMethod": "presence_internal" },
                { "userVerificationMethod": "passcode_external", "caDesc": { "base": 10, "minLength": 4 } },
            ],
        ],
        "keyProtection": ["software"],
        "isKeyRestricted": true,
        "isFreshUserVerificationRequired": true,
        "matcherProtection": ["software"],
        "cryptoStrength": 128,
        "attachmentHint": ["external", "wired"],
        "tcDisplay": [],
        "attestationRootCertificates": [],
        "icon": PNG,
        "iconDark": svg("<svg/>"),
        "providerLogoLight": logo(),
        "providerLogoDark": logo(),
        "keyScope": "public-key-credential-source",
        "multiDeviceCredentialSupport": "unsupported",
        "cxpConfigURL": "https://key.example/cxp",
        "authenticatorGetInfo": {
            "versions": ["FIDO_2_0", "FIDO_2_1", "FIDO_2_3"],
            "aaguid": "9e326632c0984e72b4411e8a7ccdf57d",
            "options": { "rk": true },
            "extensions": ["hmac-secret"],
        },
    }))
}

const RULES: [Rule; 37] = [
    members::legal_header,
    members::aaguid,
    members::no_other_identity,
    descriptions::description,
    descriptions::alternative_descriptions,
    members::authenticator_version,
    members::protocol_family,
    members::versions,
    registry::authentication_algorithms,
    registry::public_key_encodings,
    registry::attestation_types,
    protection::user_verification,
    protection::key_protection,
    members::key_restricted,
    members::fresh_verification,
    protection::matcher_protection,
    members::crypto_strength,
    protection::attachment_hint,
    protection::display,
    protection::display_content_type,
    protection::display_images,
    members::root_certificates,
    members::ecdaa_trust_anchors,
    images::icon,
    members::schema,
    get_info::is_well_formed,
    members::no_deprecated,
    members::only_allowed,
    members::no_example,
    members::legal_header_value,
    descriptions::friendly_names,
    images::icon_dark,
    images::logo_light,
    images::logo_dark,
    registry::key_scope,
    registry::multi_device,
    members::exchange_url,
];

/// The good statement with one member changed, or taken away where the value is null.
fn with(name: &str, value: serde_json::Value) -> Statement {
    let Statement(mut json) = good();
    let members = json.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    Statement(json)
}

#[test]
fn a_good_statement_passes_every_rule() {
    for (number, rule) in RULES.into_iter().enumerate() {
        assert!(rule(&good()).is_ok(), "rule {number}: {:?}", rule(&good()));
    }
}

fn broken(rule: Rule, statements: impl IntoIterator<Item = Statement>) {
    for Statement(json) in statements {
        assert!(rule(&Statement(json.clone())).is_err(), "{json:#}");
    }
}

#[test]
fn plain_members_are_checked() {
    broken(
        members::legal_header,
        [with("legalHeader", json!("")), with("legalHeader", json!(1))],
    );
    broken(
        members::legal_header_value,
        [with("legalHeader", json!("https://example.com"))],
    );
    broken(
        members::aaguid,
        [
            with("aaguid", json!(null)),
            with("aaguid", json!("9e326632c0984e72b4411e8a7ccdf57d")),
            with("aaguid", json!("9e326632-c098-4e72-b441-1e8a7ccdf57g")),
        ],
    );
    broken(members::no_other_identity, [with("aaid", json!("1234#5678"))]);
    broken(
        members::authenticator_version,
        [
            with("authenticatorVersion", json!(null)),
            with("authenticatorVersion", json!(65_536)),
            with("authenticatorVersion", json!("1")),
        ],
    );
    broken(members::protocol_family, [with("protocolFamily", json!("uaf"))]);
    broken(
        members::versions,
        [
            with("upv", json!([])),
            with("upv", json!([{ "major": 1, "minor": 1 }])),
            with("upv", json!([{ "major": 1 }, { "major": 1, "minor": 3 }])),
        ],
    );
    broken(
        members::schema,
        [with("schema", json!(2)), with("schema", json!("3"))],
    );
    broken(members::key_restricted, [with("isKeyRestricted", json!("yes"))]);
    broken(
        members::fresh_verification,
        [with("isFreshUserVerificationRequired", json!(1))],
    );
    broken(
        members::crypto_strength,
        [
            with("cryptoStrength", json!(0)),
            with("cryptoStrength", json!("128")),
        ],
    );
    broken(members::exchange_url, [with("cxpConfigURL", json!(""))]);
    broken(members::no_deprecated, [with("assertionScheme", json!("FIDOV2"))]);
    broken(members::only_allowed, [with("wardkey", json!(true))]);
    broken(
        members::no_example,
        [with("aaguid", json!("0132d110-bf4e-4208-a403-ab4f5f12efe5"))],
    );
    broken(
        members::root_certificates,
        [
            with("attestationRootCertificates", json!(null)),
            with("attestationRootCertificates", json!(["bm90IGEgY2VydGlmaWNhdGU="])),
            with("attestationTypes", json!(["basic_full"])),
        ],
    );
    let anchor = json!([{ "X": "x", "Y": "y", "c": "c", "sx": "s", "sy": "s" }]);
    broken(members::ecdaa_trust_anchors, [with("ecdaaTrustAnchors", anchor)]);
}

#[test]
fn texts_for_people_are_checked() {
    broken(
        descriptions::description,
        [
            with("description", json!("")),
            with("description", json!("x".repeat(201))),
        ],
    );
    broken(
        descriptions::alternative_descriptions,
        [
            with("alternativeDescriptions", json!([])),
            with("alternativeDescriptions", json!({ "german": "Ein Schlüssel" })),
            with("alternativeDescriptions", json!({ "de": "" })),
            with("alternativeDescriptions", json!({ "de": "x".repeat(201) })),
        ],
    );
    broken(
        descriptions::friendly_names,
        [
            with("friendlyNames", json!({ "de": "Schlüssel" })),
            with("friendlyNames", json!({ "en": "x".repeat(64) })),
        ],
    );
}

#[test]
fn names_of_the_registry_are_checked() {
    broken(
        registry::authentication_algorithms,
        [
            with("authenticationAlgorithms", json!([])),
            with("authenticationAlgorithms", json!(["es256"])),
        ],
    );
    broken(
        registry::public_key_encodings,
        [
            with("publicKeyAlgAndEncodings", json!(["ecc_x962_raw"])),
            with("publicKeyAlgAndEncodings", json!(["cose", "cbor"])),
        ],
    );
    broken(
        registry::attestation_types,
        [with("attestationTypes", json!(["self"]))],
    );
    broken(registry::key_scope, [with("keyScope", json!("provider"))]);
    broken(
        registry::multi_device,
        [with("multiDeviceCredentialSupport", json!("some"))],
    );
}

#[test]
fn protection_is_checked() {
    let method = |method: serde_json::Value| with("userVerificationDetails", json!([[method]]));
    broken(
        protection::user_verification,
        [
            with("userVerificationDetails", json!([])),
            with("userVerificationDetails", json!([[]])),
            method(json!({})),
            method(json!({ "userVerificationMethod": "finger" })),
            method(
                json!({ "userVerificationMethod": "presence_internal", "caDesc": { "base": 10, "minLength": 4 } }),
            ),
            method(json!({ "userVerificationMethod": "passcode_external", "caDesc": { "base": 10 } })),
            method(json!({ "userVerificationMethod": "passcode_external", "baDesc": {} })),
            method(json!({ "userVerificationMethod": "passcode_external", "paDesc": {} })),
        ],
    );
    broken(
        protection::key_protection,
        [
            with("keyProtection", json!([])),
            with("keyProtection", json!(["software", "hardware"])),
            with("keyProtection", json!(["tee"])),
            with("keyProtection", json!(["software", "sync_fabric"])),
        ],
    );
    broken(
        protection::matcher_protection,
        [
            with("matcherProtection", json!([])),
            with("matcherProtection", json!(["software", "on_chip"])),
        ],
    );
    broken(
        protection::attachment_hint,
        [
            with("attachmentHint", json!(["external"])),
            with("attachmentHint", json!(["internal", "wired"])),
            with("attachmentHint", json!(["external", "ready"])),
            with("attachmentHint", json!(["external", "nfc"])),
            with("attachmentHint", json!(["external", "usb"])),
        ],
    );
    broken(
        protection::display,
        [
            with("tcDisplay", json!(["any"])),
            with("tcDisplay", json!(["screen"])),
        ],
    );
    broken(
        protection::display_content_type,
        [with("tcDisplayContentType", json!("text/plain"))],
    );
    broken(
        protection::display_images,
        [with("tcDisplayContentType", json!("image/png"))],
    );
}

#[test]
fn images_are_checked() {
    let not_png = "data:image/png;base64,AAAA";
    broken(
        images::icon,
        [
            with("icon", json!("")),
            with("icon", json!("icon.png")),
            with("icon", json!(not_png)),
        ],
    );
    broken(images::icon_dark, [with("iconDark", json!(PNG))]);
    let head = r#"<svg version="1.2" baseProfile="tiny-ps""#;
    let bad = [
        svg(r#"<svg version="1.1" baseProfile="tiny-ps" viewBox="0 0 8 8"><title>a</title></svg>"#),
        svg(r#"<svg version="1.2" viewBox="0 0 8 8"><title>a</title></svg>"#),
        svg(&format!(r#"{head} viewBox="0 0 8 9"><title>a</title></svg>"#)),
        svg(&format!(r#"{head} viewBox="0 0 8 8"></svg>"#)),
        svg(&format!(
            r#"{head} viewBox="0 0 8 8"><title>a</title><image/></svg>"#
        )),
        svg(&format!(
            r#"{head} viewBox="0 0 8 8"><title>a</title><!-- b --></svg>"#
        )),
    ];
    for logo in bad {
        broken(images::logo_light, [with("providerLogoLight", json!(logo))]);
        broken(images::logo_dark, [with("providerLogoDark", json!(logo))]);
    }
}

#[test]
fn get_info_in_a_statement_is_checked() {
    let changed = |name: &str, value: serde_json::Value| {
        let Statement(mut json) = good();
        json["authenticatorGetInfo"][name] = value;
        Statement(json)
    };
    broken(
        get_info::is_well_formed,
        [
            with("authenticatorGetInfo", json!(null)),
            changed("versions", json!(["FIDO_2_0"])),
            changed("versions", json!(["FIDO_2_0", "FIDO_2_1", "FIDO_2_1"])),
            changed("aaguid", json!("9e326632c0984e72b4411e8a7ccdf57e")),
            changed("options", json!({ "rk": "yes" })),
            changed("extensions", json!([])),
            changed("wardkey", json!(1)),
        ],
    );
}
