//! Every configuration in every state says nothing that contradicts itself: `CTAP 2.3 §6.4`, `§9`, and what clients take
//! for granted.

use wardkey_vault::Secret;

use crate::cbor::{self, Key as MapKey, Map, Value};
use crate::command::MESSAGE_LEN_MAX;
use crate::config::{Algorithms, Enterprise};
use crate::gesture::Modality;
use crate::parameters;
use crate::pin::built_in::Verifier;
use crate::pin::entry;
use crate::state::Pin;
use crate::testing::Key;
use crate::{KeyKind, LargeBlobs};

const VERSIONS: [&str; 5] = ["U2F_V2", "FIDO_2_0", "FIDO_2_1_PRE", "FIDO_2_1", "FIDO_2_3"];

const OPTIONS: [&str; 21] = [
    "plat",
    "rk",
    "clientPin",
    "up",
    "uv",
    "pinUvAuthToken",
    "noMcGaPermissionsWithClientPin",
    "largeBlobs",
    "ep",
    "bioEnroll",
    "userVerificationMgmtPreview",
    "uvBioEnroll",
    "authnrCfg",
    "uvAcfg",
    "credMgmt",
    "perCredMgmtRO",
    "credentialMgmtPreview",
    "setMinPINLength",
    "makeCredUvNotRqd",
    "alwaysUv",
    "uvToken",
];

/// Takes yes or no after yes or no from the bits of a number.
struct Choices(u32);

impl Choices {
    fn next(&mut self) -> bool {
        let choice = self.0 & 1 == 1;
        self.0 >>= 1;
        choice
    }
}

/// Sets the key up as the bits of `choices` say: eleven of them, and the verifier.
fn set_up(key: &mut Key, choices: u32, verifier: Option<Verifier>) {
    let mut yes = Choices(choices);
    let authenticator = &mut key.authenticator;
    let config = &mut authenticator.config;
    // These three have no bearing on anything else, so they vary together.
    let (kind, algorithms, hide_fido_2_3) = if yes.next() {
        (KeyKind::Synced, Algorithms::WithMlDsa, true)
    } else {
        (KeyKind::DeviceBound, Algorithms::Classical, false)
    };
    config.kind = kind;
    config.algorithms = algorithms;
    config.hide_fido_2_3 = hide_fido_2_3;
    config.large_blobs = if yes.next() {
        LargeBlobs::Array
    } else {
        LargeBlobs::Extension
    };
    config.enterprise = yes.next().then(Enterprise::default);
    let state = &mut authenticator.state;
    state.pin = yes.next().then(|| Pin {
        hash: entry::hash(b"1234"),
        code_points: 4,
        is_complex: false,
    });
    state.force_pin_change = yes.next() && state.pin.is_some();
    state.min_pin_length = if yes.next() { 63 } else { 4 };
    state.pin_complexity_policy = yes.next();
    state.always_uv = yes.next();
    state.enterprise_attestation = yes.next();
    state.long_touch_for_reset = yes.next();
    state.persistent_token = yes.next().then(|| Secret::from_slice(&[7; 32]).unwrap());
    assert_eq!(yes.0, 0, "every choice is used");
    authenticator.set_verifier(verifier);
}

const CHOICES: u32 = 1 << 11;

fn verifiers() -> Vec<Option<Verifier>> {
    let modalities = [Modality::Fingerprint, Modality::Password, Modality::Pin];
    let verifiers = modalities
        .into_iter()
        .flat_map(|modality| [false, true].map(|ready| Some(Verifier { modality, ready })));
    [None].into_iter().chain(verifiers).collect()
}

/// An answer to getInfo, for questions about it.
struct Info<'a> {
    members: Map<'a>,
    options: Map<'a>,
}

impl<'a> Info<'a> {
    fn new(members: Map<'a>) -> Self {
        let Some(Value::Map(options)) = members.get(0x04_u64).cloned() else {
            panic!()
        };
        Self { members, options }
    }

    fn has(&self, key: u64) -> bool {
        self.members.get(key).is_some()
    }

    fn unsigned(&self, key: u64) -> Option<u64> {
        let value = self.members.get(key)?;
        Some(parameters::unsigned(value).unwrap())
    }

    fn flag(&self, key: u64) -> Option<bool> {
        let value = self.members.get(key)?;
        Some(parameters::boolean(value).unwrap())
    }

    /// The items of an array, of which there are some, and each once.
    fn items(&self, key: u64) -> &[Value<'a>] {
        let Some(Value::Array(items)) = self.members.get(key) else {
            panic!("{key:02x}")
        };
        assert!(!items.is_empty(), "{key:02x}");
        for (at, item) in items.iter().enumerate() {
            assert!(!items[..at].contains(item), "{key:02x} {item:?}");
        }
        items
    }

    fn texts(&self, key: u64) -> Vec<&str> {
        let text = |item| parameters::text(item).unwrap();
        self.items(key).iter().map(text).collect()
    }

    fn option(&self, name: &str) -> Option<bool> {
        let value = self.options.get(name)?;
        Some(parameters::boolean(value).unwrap())
    }

    fn is_on(&self, name: &str) -> bool {
        self.option(name) == Some(true)
    }
}

#[test]
fn in_every_configuration_and_state_the_members_fit_together() {
    let mut key = Key::new(KeyKind::Synced);
    for verifier in verifiers() {
        for choices in 0..CHOICES {
            set_up(&mut key, choices, verifier);
            let answer = key.cbor(&[0x04]);
            assert!(answer.bytes.len() <= 2048, "the buffer of libfido2");
            let info = Info::new(answer.members());
            types_and_ranges(&info);
            options_fit_together(&info);
            members_follow_options(&info);
            mandatory_features(&info);
            what_is_said_is_so(&info, &key);
            let encoded = cbor::encode(&Value::Map(info.members));
            assert_eq!(encoded, answer.bytes[1..], "canonical");
        }
    }
}

fn types_and_ranges(info: &Info<'_>) {
    for (key, _) in info.members.entries() {
        assert!(matches!(key, MapKey::Unsigned(0x01..=0x1F)), "{key:?}");
    }
    let versions = info.texts(0x01);
    assert!(versions.iter().all(|version| VERSIONS.contains(version)));
    assert!(
        ["FIDO_2_0", "FIDO_2_1"]
            .iter()
            .all(|version| versions.contains(version))
    );
    info.texts(0x02);
    assert!(matches!(info.members.get(0x03_u64), Some(Value::Bytes(aaguid)) if aaguid.len() == 16));
    for (name, value) in info.options.entries() {
        assert!(
            matches!(name, MapKey::Text(name) if OPTIONS.contains(name)),
            "{name:?}"
        );
        assert!(matches!(value, Value::Bool(_)), "{name:?}");
    }
    let message_len = info.unsigned(0x05).unwrap();
    assert!((1024..=MESSAGE_LEN_MAX.try_into().unwrap()).contains(&message_len));
    assert!(info.items(0x06).contains(&Value::Unsigned(2)));
    assert!(info.unsigned(0x07).unwrap() > 0 && info.unsigned(0x08).unwrap() > 0);
    assert_eq!((info.texts(0x09), info.texts(0x1A)), (vec!["usb"], vec!["usb"]));
    for parameters in info.items(0x0A) {
        let Value::Map(parameters) = parameters else {
            panic!()
        };
        assert_eq!(parameters.entries().len(), 2);
        assert_eq!(parameters.get("type"), Some(&Value::Text("public-key")));
        assert!(matches!(parameters.get("alg"), Some(Value::Negative(_))));
    }
    assert!(info.flag(0x0C).is_some() && info.flag(0x18).is_some());
    let (min, max) = (info.unsigned(0x0D).unwrap(), info.unsigned(0x1D).unwrap());
    assert!(4 <= min && min <= max && (8..=63).contains(&max));
    assert!(info.unsigned(0x0E).is_some() && info.unsigned(0x14).is_some());
    assert!(!info.texts(0x16).contains(&"none"));
    for key in [0x19_u64, 0x1E] {
        let value = info.members.get(key);
        assert!(matches!(value, None | Some(Value::Bytes(_))));
        assert!(!matches!(value, Some(Value::Bytes(bytes)) if bytes.len() != 32));
    }
}

fn options_fit_together(info: &Info<'_>) {
    let is_present = |name| info.option(name).is_some();
    assert!(info.is_on("up") && info.is_on("rk"));
    assert!(!is_present("noMcGaPermissionsWithClientPin") || is_present("clientPin"));
    assert!(!is_present("uvBioEnroll") || is_present("bioEnroll"));
    assert!(!is_present("uvAcfg") || (is_present("authnrCfg") && is_present("uv")));
    assert!(!is_present("perCredMgmtRO") || info.is_on("credMgmt"));
    assert!(!(info.is_on("alwaysUv") && info.is_on("makeCredUvNotRqd")));
    assert!(!info.is_on("alwaysUv") || info.is_on("uv") || !info.texts(0x01).contains(&"U2F_V2"));
    assert!(!is_present("largeBlobs") || info.is_on("rk"));
    let may_verify = info.is_on("clientPin") || info.is_on("uv");
    assert!(!may_verify || info.is_on("pinUvAuthToken"));
    assert!(!info.is_on("setMinPINLength") || info.is_on("authnrCfg"));
}

fn members_follow_options(info: &Info<'_>) {
    let extensions = info.texts(0x02);
    let has_extension = |name| extensions.contains(&name);
    let config_commands = info.items(0x1F);
    let has_command = |number| config_commands.contains(&Value::Unsigned(number));
    let is_present = |name| info.option(name).is_some();

    assert_eq!(info.has(0x0B), info.is_on("largeBlobs"));
    assert!(info.unsigned(0x0B).is_none_or(|len| len >= 2048));
    assert_eq!(has_extension("largeBlobKey"), info.is_on("largeBlobs"));
    assert!(has_extension("largeBlob") != has_extension("largeBlobKey"));

    assert_eq!(info.has(0x0F), has_extension("credBlob"));
    assert!(info.unsigned(0x0F).is_none_or(|len| len >= 32));
    assert!(!has_extension("credBlob") || has_extension("credProtect"));

    assert_eq!(info.has(0x0D), is_present("clientPin"));
    assert_eq!(info.has(0x10), info.is_on("setMinPINLength"));
    assert_eq!(has_command(0x03), info.is_on("setMinPINLength"));
    assert_eq!(has_extension("minPinLength"), info.is_on("setMinPINLength"));
    assert_eq!(info.flag(0x1B).is_some(), has_extension("pinComplexityPolicy"));
    assert!(!info.has(0x1C) || info.flag(0x1B) == Some(true));

    assert_eq!(has_command(0x01), is_present("ep"));
    assert_eq!(has_command(0x02), is_present("alwaysUv"));
    assert_eq!(has_command(0x04), info.has(0x18));
    assert_eq!(has_command(0xFF), info.has(0x15));

    for key in [0x11, 0x12, 0x17] {
        assert_eq!(info.has(key), is_present("uv"), "{key:02x}");
    }
    assert!(info.unsigned(0x11).is_none_or(|attempts| attempts > 0));
    assert!(info.unsigned(0x12).is_none_or(|modality| modality != 0));
    assert_eq!(info.has(0x19), info.has(0x1E));
}

/// `CTAP 2.3 §9`.
fn mandatory_features(info: &Info<'_>) {
    let extensions = info.texts(0x02);
    assert!(extensions.contains(&"hmac-secret"));
    assert!(info.option("clientPin").is_some() || info.option("uv").is_some());
    assert!(info.is_on("credMgmt"));
    assert!(extensions.contains(&"credProtect"));
    assert!(info.items(0x06).contains(&Value::Unsigned(2)));
}

fn what_is_said_is_so(info: &Info<'_>, key: &Key) {
    let (config, state) = (&key.authenticator.config, &key.authenticator.state);
    assert_eq!(info.texts(0x01).contains(&"FIDO_2_3"), !config.hide_fido_2_3);
    assert_eq!(
        info.members.get(0x03_u64),
        Some(&Value::Bytes(&config.kind.aaguid().0))
    );
    assert_eq!(info.option("clientPin"), Some(state.pin.is_some()));
    assert_eq!(info.option("alwaysUv"), Some(state.always_uv));
    assert_eq!(info.option("makeCredUvNotRqd"), Some(!state.always_uv));
    let ep = config
        .enterprise
        .is_some()
        .then_some(state.enterprise_attestation);
    assert_eq!(info.option("ep"), ep);
    assert_eq!(info.flag(0x0C), Some(state.force_pin_change));
    assert_eq!(info.unsigned(0x0D), Some(state.min_pin_length.into()));
    assert_eq!(info.flag(0x18), Some(state.long_touch_for_reset));
    assert_eq!(info.flag(0x1B), Some(state.pin_complexity_policy));
    assert_eq!(info.has(0x19), state.persistent_token.is_some());
    let uv = key
        .authenticator
        .verifier
        .map(|verifier| match verifier.modality {
            Modality::Fingerprint | Modality::Password => verifier.ready,
            Modality::Pin => verifier.ready && state.pin.is_some() && !state.force_pin_change,
        });
    assert_eq!(info.option("uv"), uv);
}
