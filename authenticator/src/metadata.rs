//! What relying parties and test tools are told of the model, `FIDO Metadata Statement 3.1.1 §4`. In: all that this key
//! says in getInfo, and its configuration. Out: the members of the statement; where JSON has base64, a byte string.
//!
//! What getInfo says is said from there; this file adds only what getInfo has no member for. Not here: how the statement
//! looks in JSON, and its icon.

use crate::authenticator::Authenticator;
use crate::cbor::{Map, Value};
use crate::config::{Attestation, Config, KeyKind};
use crate::cose::{Algorithm, Scheme};
use crate::pin::entry::RETRIES_MAX;

/// The same in every statement.
const LEGAL_HEADER: &str = "Submission of this statement and retrieval and use of this statement indicates acceptance of \
     the appropriate agreement located at https://fidoalliance.org/metadata/metadata-legal-terms/.";
/// Bits of security: those of P-256 and of Ed25519.
const CRYPTO_STRENGTH: u64 = 128;
/// How many characters a PIN chooses from, as statements put it: CTAP allows all of Unicode.
const PIN_CHARACTERS: u64 = 64;

// Members of getInfo, `CTAP 2.3 §6.4`, from which other members of the statement follow.
const VERSIONS: u64 = 0x01;
const AAGUID: u64 = 0x03;
const OPTIONS: u64 = 0x04;
const ALGORITHMS: u64 = 0x0A;
const MIN_PIN_LENGTH: u64 = 0x0D;
const FIRMWARE_VERSION: u64 = 0x0E;
const UV_MODALITY: u64 = 0x12;

/// The members of getInfo that are in a statement, and their names there. The others (14, 17, 19, 1E) say how a key
/// stands, and nothing of its model.
const NAMES: [(u64, &str); 27] = [
    (VERSIONS, "versions"),
    (0x02, "extensions"),
    (AAGUID, "aaguid"),
    (OPTIONS, "options"),
    (0x05, "maxMsgSize"),
    (0x06, "pinUvAuthProtocols"),
    (0x07, "maxCredentialCountInList"),
    (0x08, "maxCredentialIdLength"),
    (0x09, "transports"),
    (ALGORITHMS, "algorithms"),
    (0x0B, "maxSerializedLargeBlobArray"),
    (0x0C, "forcePINChange"),
    (MIN_PIN_LENGTH, "minPINLength"),
    (FIRMWARE_VERSION, "firmwareVersion"),
    (0x0F, "maxCredBlobLength"),
    (0x10, "maxRPIDsForSetMinPINLength"),
    (0x11, "preferredPlatformUvAttempts"),
    (UV_MODALITY, "uvModality"),
    (0x13, "certifications"),
    (0x15, "vendorPrototypeConfigCommands"),
    (0x16, "attestationFormats"),
    (0x18, "longTouchForReset"),
    (0x1A, "transportsForReset"),
    (0x1B, "pinComplexityPolicy"),
    (0x1C, "pinComplexityPolicyURL"),
    (0x1D, "maxPINLength"),
    (0x1F, "authenticatorConfigCommands"),
];

impl Authenticator {
    /// Hands the members of the model's metadata statement to `tell`. A statement is about keys that were never used, so
    /// this should be one. `attestation_root` is the certificate of the authority by which attestation shall be
    /// recognized; it is left out where passkeys attest themselves only.
    pub fn metadata_statement<T>(&mut self, attestation_root: &[u8], tell: impl FnOnce(&Map<'_>) -> T) -> T {
        let config = self.config.clone();
        let hex = config.kind.aaguid().0.map(|byte| format!("{byte:02x}")).concat();
        let uuid = [0..8, 8..12, 12..16, 16..20, 20..32]
            .map(|group| &hex[group])
            .join("-");
        self.describe(|info| {
            let named = NAMES
                .into_iter()
                .filter_map(|(key, name)| Some((name, info.get(key)?.clone())));
            let mut named = Map::new(named);
            named.insert("aaguid", Value::Text(&hex));
            let mut statement = beyond_get_info(&config, attestation_root);
            for (name, value) in [
                ("aaguid", Value::Text(&uuid)),
                (
                    "authenticatorVersion",
                    Value::Unsigned(number(&info, FIRMWARE_VERSION)),
                ),
                ("upv", protocol_versions(&info)),
                ("authenticationAlgorithms", authentication_algorithms(&info)),
                ("userVerificationDetails", user_verification(&info)),
                ("authenticatorGetInfo", Value::Map(named)),
            ] {
                statement.insert(name, value);
            }
            tell(&statement)
        })
    }
}

/// What getInfo has no member for.
fn beyond_get_info<'a>(config: &Config, attestation_root: &'a [u8]) -> Map<'a> {
    const ITSELF: &str = "basic_surrogate";
    const AUTHORITY: &str = "basic_full";
    let (attestation_types, roots) = match (config.attestation, &config.enterprise) {
        (Attestation::OfItself, None) => (&[ITSELF][..], vec![]),
        (Attestation::OfItself, Some(_)) => (&[ITSELF, AUTHORITY][..], vec![attestation_root]),
        (Attestation::Authority, _) => (&[AUTHORITY][..], vec![attestation_root]),
    };
    let multi_device = match config.kind {
        KeyKind::Synced => "implicit",
        KeyKind::DeviceBound => "unsupported",
    };
    Map::new([
        ("schema", Value::Unsigned(3)),
        ("protocolFamily", Value::Text("fido2")),
        ("legalHeader", Value::Text(LEGAL_HEADER)),
        (
            "description",
            Value::Text("wardkey, a FIDO2 security key made of software"),
        ),
        (
            "friendlyNames",
            Value::Map(Map::new([("en-US", Value::Text("wardkey"))])),
        ),
        ("publicKeyAlgAndEncodings", texts(&["cose"])),
        ("attestationTypes", texts(attestation_types)),
        (
            "attestationRootCertificates",
            Value::Array(roots.into_iter().map(Value::Bytes).collect()),
        ),
        ("multiDeviceCredentialSupport", Value::Text(multi_device)),
        ("keyProtection", texts(&["software"])),
        ("matcherProtection", texts(&["software"])),
        ("cryptoStrength", Value::Unsigned(CRYPTO_STRENGTH)),
        ("attachmentHint", texts(&["external", "wired"])),
        ("tcDisplay", texts(&[])),
    ])
}

/// The versions of FIDO2; U2F has statements of its own.
fn protocol_versions(info: &Map<'_>) -> Value<'static> {
    let version = |name: &Value<'_>| {
        let minor = [("FIDO_2_0", 0), ("FIDO_2_1", 1), ("FIDO_2_3", 3)]
            .into_iter()
            .find_map(|(known, minor)| (*name == Value::Text(known)).then_some(minor))?;
        Some(Value::Map(Map::new([
            ("major", Value::Unsigned(1)),
            ("minor", Value::Unsigned(minor)),
        ])))
    };
    Value::Array(array(info, VERSIONS).iter().filter_map(version).collect())
}

/// The algorithms by the names of `FIDO Registry of Predefined Values §3.6.1`, which has none for ML-DSA.
fn authentication_algorithms(info: &Map<'_>) -> Value<'static> {
    let name = |parameters: &Value<'_>| {
        let Value::Map(parameters) = parameters else {
            return None;
        };
        let is_this = |algorithm: &Algorithm| {
            parameters.get("alg") == Some(&Value::integer(i64::from(algorithm.identifier())))
        };
        match Algorithm::ALL.into_iter().find(is_this)?.scheme() {
            Scheme::P256 => Some(Value::Text("secp256r1_ecdsa_sha256_raw")),
            Scheme::P384 => Some(Value::Text("secp384r1_ecdsa_sha384_raw")),
            Scheme::Ed25519 => Some(Value::Text("ed25519_eddsa_sha512_raw")),
            Scheme::MlDsa44 | Scheme::MlDsa65 => None,
        }
    };
    Value::Array(array(info, ALGORITHMS).iter().filter_map(name).collect())
}

/// The ways in which the key can be used, each as what has to be done: nothing, a touch, or a touch and something that
/// only the user can do.
fn user_verification(info: &Map<'_>) -> Value<'static> {
    let method = |name: &'static str| Map::new([("userVerificationMethod", Value::Text(name))]);
    let touch = || Value::Map(method("presence_internal"));
    let with_touch = |method| Value::Array(vec![Value::Map(method), touch()]);
    let mut ways = vec![
        Value::Array(vec![Value::Map(method("none"))]),
        Value::Array(vec![touch()]),
    ];
    let has_pin =
        matches!(info.get(OPTIONS), Some(Value::Map(options)) if options.get("clientPin").is_some());
    if has_pin {
        let mut pin = method("passcode_external");
        pin.insert(
            "caDesc",
            Value::Map(Map::new([
                ("base", Value::Unsigned(PIN_CHARACTERS)),
                ("minLength", Value::Unsigned(number(info, MIN_PIN_LENGTH))),
                ("maxRetries", Value::Unsigned(u64::from(RETRIES_MAX))),
                ("blockSlowdown", Value::Unsigned(0)),
            ])),
        );
        ways.push(with_touch(pin));
    }
    // FIDO Registry of Predefined Values §3.1.
    let built_in = number(info, UV_MODALITY);
    for (bit, name) in [(0x02, "fingerprint_internal"), (0x04, "passcode_internal")] {
        if built_in & bit != 0 {
            ways.push(with_touch(method(name)));
        }
    }
    Value::Array(ways)
}

fn array<'s, 'a>(info: &'s Map<'a>, key: u64) -> &'s [Value<'a>] {
    match info.get(key) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

fn number(info: &Map<'_>, key: u64) -> u64 {
    match info.get(key) {
        Some(Value::Unsigned(number)) => *number,
        _ => 0,
    }
}

fn texts<'a>(texts: &[&'a str]) -> Value<'a> {
    Value::Array(texts.iter().map(|text| Value::Text(text)).collect())
}

#[cfg(test)]
mod tests;
