//! What has to be true of any answer to authenticatorGetInfo, CTAP 2.3 §6.4 and §9.

use std::collections::HashSet;

use ciborium::Value;
use wardkey_sim::fido_client::to_bytes;

use crate::case::{Outcome, Stop, ensure, ensure_eq, present};
use crate::parameters::{member_of, numbered};

/// The members by number and name.
pub(crate) const MEMBERS: [(u8, &str); 31] = [
    (0x01, "versions"),
    (0x02, "extensions"),
    (0x03, "aaguid"),
    (0x04, "options"),
    (0x05, "maxMsgSize"),
    (0x06, "pinUvAuthProtocols"),
    (0x07, "maxCredentialCountInList"),
    (0x08, "maxCredentialIdLength"),
    (0x09, "transports"),
    (0x0A, "algorithms"),
    (0x0B, "maxSerializedLargeBlobArray"),
    (0x0C, "forcePINChange"),
    (0x0D, "minPINLength"),
    (0x0E, "firmwareVersion"),
    (0x0F, "maxCredBlobLength"),
    (0x10, "maxRPIDsForSetMinPINLength"),
    (0x11, "preferredPlatformUvAttempts"),
    (0x12, "uvModality"),
    (0x13, "certifications"),
    (0x14, "remainingDiscoverableCredentials"),
    (0x15, "vendorPrototypeConfigCommands"),
    (0x16, "attestationFormats"),
    (0x17, "uvCountSinceLastPinEntry"),
    (0x18, "longTouchForReset"),
    (0x19, "encIdentifier"),
    (0x1A, "transportsForReset"),
    (0x1B, "pinComplexityPolicy"),
    (0x1C, "pinComplexityPolicyURL"),
    (0x1D, "maxPINLength"),
    (0x1E, "encCredStoreState"),
    (0x1F, "authenticatorConfigCommands"),
];

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

const VERSIONS: [&str; 5] = ["U2F_V2", "FIDO_2_0", "FIDO_2_1_PRE", "FIDO_2_1", "FIDO_2_3"];

/// An answer, seen by the names of its members.
pub(crate) struct Info<'i>(&'i Value);

impl<'i> Info<'i> {
    pub(crate) const fn new(raw: &'i Value) -> Self {
        Self(raw)
    }

    fn has(&self, key: u8) -> bool {
        numbered(self.0, key).is_some()
    }

    fn option(&self, name: &str) -> Option<bool> {
        member_of(numbered(self.0, 0x04)?, name)?.as_bool()
    }

    fn extends(&self, name: &str) -> bool {
        let extensions = numbered(self.0, 0x02).and_then(Value::as_array);
        extensions.is_some_and(|extensions| extensions.contains(&Value::from(name)))
    }

    fn configures(&self, subcommand: u8) -> bool {
        let commands = numbered(self.0, 0x1F).and_then(Value::as_array);
        commands.is_some_and(|commands| commands.contains(&Value::from(subcommand)))
    }

    fn number(&self, key: u8) -> Result<Option<i128>, Stop> {
        let Some(value) = numbered(self.0, key) else {
            return Ok(None);
        };
        let number = value.as_integer().map(i128::from).filter(|number| *number >= 0);
        present(number, &format!("member {key:#04x}, a number,")).map(Some)
    }

    fn texts(&self, key: u8) -> Result<Vec<&'i str>, Stop> {
        let Some(value) = numbered(self.0, key) else {
            return Ok(Vec::new());
        };
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_text).collect();
        let texts = present(texts, &format!("member {key:#04x}, texts,"))?;
        ensure!(!texts.is_empty(), "member {key:#04x} is empty");
        let different: HashSet<&str> = texts.iter().copied().collect();
        ensure_eq!(
            different.len(),
            texts.len(),
            "different texts in member {key:#04x}"
        );
        Ok(texts)
    }

    /// Everything.
    pub(crate) fn check(&self) -> Outcome {
        self.check_keys()?;
        self.check_versions()?;
        self.check_options()?;
        self.check_types()?;
        self.check_ranges()?;
        self.check_presence()?;
        self.check_mandatory_features()?;
        self.check_consistency()
    }

    fn check_keys(&self) -> Outcome {
        let members = present(self.0.as_map(), "the answer, a map,")?;
        let keys: Vec<Vec<u8>> = members.iter().map(|(key, _)| to_bytes(key)).collect();
        ensure!(
            keys.is_sorted_by(|one, next| (one.len(), one) < (next.len(), next)),
            "keys are not in order"
        );
        for (key, _) in members {
            let is_known = MEMBERS.iter().any(|(known, _)| *key == Value::from(*known));
            ensure!(is_known, "there is no member {key:?}");
        }
        Ok(())
    }

    fn check_versions(&self) -> Outcome {
        let versions = self.texts(0x01)?;
        for version in &versions {
            ensure!(VERSIONS.contains(version), "there is no version {version}");
        }
        for version in ["FIDO_2_0", "FIDO_2_1", "FIDO_2_3"] {
            ensure!(versions.contains(&version), "version {version} is not there");
        }
        Ok(())
    }

    fn check_options(&self) -> Outcome {
        let options = present(numbered(self.0, 0x04).and_then(Value::as_map), "options, a map,")?;
        for (name, value) in options {
            let name = present(name.as_text(), "the name of an option")?;
            ensure!(OPTIONS.contains(&name), "there is no option {name}");
            ensure!(value.is_bool(), "option {name} is not a boolean");
        }
        Ok(())
    }

    fn check_types(&self) -> Outcome {
        for key in [0x02, 0x09, 0x16, 0x1A] {
            self.texts(key)?;
        }
        for (key, length) in [(0x03, 16), (0x19, 32), (0x1E, 32)] {
            if let Some(value) = numbered(self.0, key) {
                let found = value.as_bytes().map(Vec::len);
                ensure_eq!(found, Some(length), "the length of member {key:#04x}");
            }
        }
        for key in [0x0C, 0x18, 0x1B] {
            ensure!(
                numbered(self.0, key).is_none_or(Value::is_bool),
                "member {key:#04x} is not a boolean"
            );
        }
        ensure!(
            numbered(self.0, 0x1C).is_none_or(Value::is_bytes),
            "pinComplexityPolicyURL is not bytes"
        );
        ensure!(
            numbered(self.0, 0x13).is_none_or(Value::is_map),
            "certifications is not a map"
        );
        for key in [0x06, 0x0A, 0x15, 0x1F] {
            let Some(value) = numbered(self.0, key) else {
                continue;
            };
            let items = present(value.as_array(), &format!("member {key:#04x}, an array,"))?;
            let different: HashSet<Vec<u8>> = items.iter().map(to_bytes).collect();
            ensure_eq!(
                different.len(),
                items.len(),
                "different items in member {key:#04x}"
            );
            ensure!(!items.is_empty(), "member {key:#04x} is empty");
        }
        Ok(())
    }

    fn check_ranges(&self) -> Outcome {
        let ranges = [
            (0x05, 1024, 7609),
            (0x07, 1, i128::MAX),
            (0x08, 1, 1023),
            (0x0B, 1025, i128::MAX),
            (0x0D, 4, 63),
            (0x0E, 0, i128::MAX),
            (0x0F, 32, i128::MAX),
            (0x10, 0, i128::MAX),
            (0x11, 1, i128::MAX),
            (0x12, 1, i128::MAX),
            (0x14, 0, i128::MAX),
            (0x17, 0, i128::MAX),
            (0x1D, 8, 63),
        ];
        for (key, least, most) in ranges {
            if let Some(number) = self.number(key)? {
                ensure!((least..=most).contains(&number), "member {key:#04x} is {number}");
            }
        }
        let formats = self.texts(0x16)?;
        ensure!(!formats.contains(&"none"), "attestationFormats has none");
        Ok(())
    }

    /// Members that are there if, and only if, what they are about is there.
    fn check_presence(&self) -> Outcome {
        let client_pin = self.option("clientPin").is_some();
        let rules = [
            (0x0B, self.option("largeBlobs") == Some(true)),
            (0x0D, client_pin),
            (0x0F, self.extends("credBlob")),
            (0x10, self.option("setMinPINLength") == Some(true)),
            (0x15, self.configures(0xFF)),
        ];
        for (key, expected) in rules {
            ensure_eq!(self.has(key), expected, "whether there is member {key:#04x}");
        }
        for key in [0x1B, 0x1D] {
            ensure!(
                client_pin || !self.has(key),
                "member {key:#04x} without clientPin"
            );
        }
        Ok(())
    }

    /// CTAP 2.3 §9.
    fn check_mandatory_features(&self) -> Outcome {
        let (client_pin, uv) = (self.option("clientPin"), self.option("uv"));
        let verifies = client_pin.is_some() || uv.is_some();
        ensure!(self.extends("hmac-secret"), "hmac-secret is missing");
        if self.option("rk") == Some(true) {
            ensure!(verifies, "discoverable credentials without a way to verify users");
            ensure_eq!(self.option("credMgmt"), Some(true), "option credMgmt");
        }
        ensure!(!verifies || self.extends("credProtect"), "credProtect is missing");
        if client_pin == Some(true) || uv == Some(true) {
            ensure_eq!(self.option("pinUvAuthToken"), Some(true), "option pinUvAuthToken");
        }
        let protocols = numbered(self.0, 0x06).and_then(Value::as_array);
        let protocols = present(protocols, "pinUvAuthProtocols")?;
        ensure!(
            protocols.contains(&Value::from(2)),
            "PIN/UV auth protocol two is missing"
        );
        Ok(())
    }

    fn check_consistency(&self) -> Outcome {
        let implies = [
            (
                self.option("noMcGaPermissionsWithClientPin").is_some(),
                self.option("clientPin").is_some(),
            ),
            (
                self.option("uvBioEnroll").is_some(),
                self.option("bioEnroll").is_some(),
            ),
            (
                self.option("uvAcfg").is_some(),
                self.option("authnrCfg").is_some(),
            ),
            (self.option("ep").is_some(), self.configures(0x01)),
            (self.extends("credBlob"), self.extends("credProtect")),
            (
                self.extends("largeBlobKey"),
                self.option("largeBlobs") == Some(true),
            ),
            (self.extends("hmac-secret-mc"), self.extends("hmac-secret")),
            (self.has(0x1F), self.option("authnrCfg") == Some(true)),
            (self.option("alwaysUv").is_some(), self.configures(0x02)),
        ];
        for (number, (premise, conclusion)) in implies.into_iter().enumerate() {
            ensure!(!premise || conclusion, "rule {number} of getInfo is broken");
        }
        if self.extends("largeBlob") {
            ensure!(self.option("largeBlobs").is_none(), "largeBlob and largeBlobs");
            ensure!(!self.extends("largeBlobKey"), "largeBlob and largeBlobKey");
        }
        if self.option("alwaysUv") == Some(true) {
            ensure!(
                self.option("makeCredUvNotRqd") != Some(true),
                "alwaysUv and makeCredUvNotRqd"
            );
            let speaks_u2f = self.texts(0x01)?.contains(&"U2F_V2");
            ensure!(
                !speaks_u2f || self.option("uv") == Some(true),
                "alwaysUv and U2F_V2"
            );
        }
        if self.option("setMinPINLength") == Some(true) {
            ensure!(
                self.extends("minPinLength"),
                "setMinPINLength without minPinLength"
            );
            ensure!(self.configures(0x03), "setMinPINLength is not a subcommand");
        }
        Ok(())
    }
}
