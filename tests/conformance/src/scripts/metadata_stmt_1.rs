//! `Metadata-Stmt-1`: the metadata statement of the key, FIDO Metadata Statement 3.1.1.

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script};
use crate::metadata::{Statement, descriptions, get_info, images, members, protection, registry};

macro_rules! rule {
    ($name:literal, $claim:literal, $rule:path) => {
        Case::new($name, $claim, |bench| check(bench, $rule))
    };
}

pub(super) const SCRIPT: Script = Script {
    name: "Metadata-Stmt-1",
    cases: &[
        rule!("P-1", "legalHeader is a text", members::legal_header),
        rule!("P-2", "aaguid is a UUID", members::aaguid),
        rule!(
            "P-3",
            "nothing of other protocol families",
            members::no_other_identity
        ),
        rule!("P-4", "description is a text", descriptions::description),
        rule!(
            "P-5",
            "alternativeDescriptions are texts by language",
            descriptions::alternative_descriptions
        ),
        rule!(
            "P-6",
            "authenticatorVersion is a number",
            members::authenticator_version
        ),
        rule!("P-7", "protocolFamily is fido2", members::protocol_family),
        rule!("P-8", "upv has CTAP 2.3", members::versions),
        rule!(
            "P-11",
            "authenticationAlgorithms are known",
            registry::authentication_algorithms
        ),
        rule!(
            "P-13",
            "publicKeyAlgAndEncodings has cose",
            registry::public_key_encodings
        ),
        rule!("P-14", "attestationTypes are known", registry::attestation_types),
        rule!(
            "P-15",
            "userVerificationDetails are alternatives",
            protection::user_verification
        ),
        rule!("P-16", "keyProtection makes sense", protection::key_protection),
        rule!("P-17", "isKeyRestricted is a boolean", members::key_restricted),
        rule!(
            "P-18",
            "isFreshUserVerificationRequired is a boolean",
            members::fresh_verification
        ),
        rule!(
            "P-19",
            "matcherProtection is known",
            protection::matcher_protection
        ),
        rule!("P-20", "cryptoStrength is a number", members::crypto_strength),
        rule!("P-22", "attachmentHint makes sense", protection::attachment_hint),
        rule!("P-24", "tcDisplay is empty", protection::display),
        rule!(
            "P-25",
            "tcDisplayContentType is absent",
            protection::display_content_type
        ),
        rule!(
            "P-26",
            "tcDisplayPNGCharacteristics go with images",
            protection::display_images
        ),
        rule!(
            "P-27",
            "attestationRootCertificates are certificates",
            members::root_certificates
        ),
        rule!(
            "P-28",
            "ecdaaTrustAnchors are whole",
            members::ecdaa_trust_anchors
        ),
        rule!("P-29", "icon is an image", images::icon),
        rule!("P-31", "schema is 3", members::schema),
        rule!(
            "P-32",
            "authenticatorGetInfo is well formed",
            get_info::is_well_formed
        ),
        rule!("P-33", "nothing deprecated", members::no_deprecated),
        rule!("P-34", "nothing unknown", members::only_allowed),
        rule!("P-35", "nothing of the example", members::no_example),
        rule!(
            "P-36",
            "legalHeader is that of MDS 3",
            members::legal_header_value
        ),
        rule!(
            "P-37",
            "friendlyNames are texts by language",
            descriptions::friendly_names
        ),
        rule!("P-38", "iconDark is an image", images::icon_dark),
        rule!("P-39", "providerLogoLight is a logo", images::logo_light),
        rule!("P-40", "providerLogoDark is a logo", images::logo_dark),
        rule!("P-41", "keyScope is known", registry::key_scope),
        rule!(
            "P-42",
            "multiDeviceCredentialSupport is known",
            registry::multi_device
        ),
        rule!("P-43", "cxpConfigURL is a text", members::exchange_url),
    ],
};

fn check(bench: &mut Bench, rule: fn(&Statement) -> Outcome) -> Outcome {
    rule(&Statement::new(bench.metadata()?))
}
