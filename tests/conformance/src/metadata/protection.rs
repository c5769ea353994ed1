//! How keys and matchers are protected, how users are verified, how the key is attached, what it shows.

use serde_json::Value;

use super::Statement;
use crate::case::{Outcome, ensure, ensure_eq, present};

const METHODS: [&str; 13] = [
    "presence_internal",
    "fingerprint_internal",
    "passcode_internal",
    "voiceprint_internal",
    "faceprint_internal",
    "location_internal",
    "eyeprint_internal",
    "pattern_internal",
    "handprint_internal",
    "passcode_external",
    "pattern_external",
    "none",
    "all",
];

const KEY_PROTECTIONS: [&str; 6] = [
    "software",
    "hardware",
    "tee",
    "secure_element",
    "remote_handle",
    "sync_fabric",
];

const MATCHER_PROTECTIONS: [&str; 3] = ["software", "tee", "on_chip"];

const ATTACHMENT_HINTS: [&str; 9] = [
    "internal",
    "external",
    "wired",
    "wireless",
    "nfc",
    "bluetooth",
    "network",
    "ready",
    "wifi_direct",
];

const DISPLAYS: [&str; 5] = ["any", "privileged_software", "tee", "hardware", "remote"];

/// `userVerificationDetails`: alternatives, each of them methods that are used together.
pub(crate) fn user_verification(statement: &Statement) -> Outcome {
    let Some(details) = statement.get("userVerificationDetails") else {
        return Ok(());
    };
    let alternatives = present(details.as_array(), "userVerificationDetails, a sequence,")?;
    ensure!(!alternatives.is_empty(), "userVerificationDetails is empty");
    for alternative in alternatives {
        let methods = present(alternative.as_array(), "an alternative, a sequence,")?;
        ensure!(
            !methods.is_empty(),
            "an alternative of userVerificationDetails is empty"
        );
        for method in methods {
            verification_method(method)?;
        }
    }
    Ok(())
}

fn verification_method(descriptor: &Value) -> Outcome {
    let method = descriptor.get("userVerificationMethod").and_then(Value::as_str);
    let method = present(method, "userVerificationMethod")?;
    ensure!(METHODS.contains(&method), "there is no method {method}");
    if let Some(code) = descriptor.get("caDesc") {
        ensure!(
            matches!(method, "passcode_internal" | "passcode_external"),
            "caDesc describes {method}"
        );
        let number = |name| code.get(name).and_then(Value::as_u64);
        ensure!(
            number("base").is_some_and(|base| (2..=65_535).contains(&base)),
            "the base of caDesc"
        );
        ensure!(
            number("minLength").is_some_and(|length| length > 0),
            "the minLength of caDesc"
        );
    }
    let is_biometric = |method: &str| {
        ["fingerprint", "voiceprint", "faceprint", "eyeprint", "handprint"]
            .iter()
            .any(|kind| method.starts_with(kind))
    };
    ensure!(
        descriptor.get("baDesc").is_none() || is_biometric(method),
        "baDesc describes {method}"
    );
    ensure!(
        descriptor.get("paDesc").is_none() || method.starts_with("pattern"),
        "paDesc describes {method}"
    );
    Ok(())
}

/// `keyProtection`: combinations that make sense.
pub(crate) fn key_protection(statement: &Statement) -> Outcome {
    let protections = statement.texts_of("keyProtection", &KEY_PROTECTIONS)?;
    let has = |protection| protections.contains(&protection);
    if has("software") {
        for other in ["hardware", "tee", "secure_element"] {
            ensure!(!has(other), "keyProtection has software and {other}");
        }
    }
    for other in ["tee", "secure_element"] {
        ensure!(
            !has(other) || has("hardware"),
            "keyProtection has {other} without hardware"
        );
    }
    if has("sync_fabric") {
        let support = statement
            .get("multiDeviceCredentialSupport")
            .and_then(Value::as_str);
        ensure!(
            matches!(support, Some("implicit" | "explicit")),
            "keyProtection has sync_fabric, multiDeviceCredentialSupport is {support:?}"
        );
    }
    Ok(())
}

/// `matcherProtection`: one for all methods, or one for each.
pub(crate) fn matcher_protection(statement: &Statement) -> Outcome {
    let protections = statement.texts_of("matcherProtection", &MATCHER_PROTECTIONS)?;
    let methods = statement.verification_methods().len();
    ensure!(
        protections.len() == 1 || protections.len() == methods,
        "matcherProtection has {} entries for {methods} methods",
        protections.len()
    );
    Ok(())
}

/// `attachmentHint`: combinations that make sense.
pub(crate) fn attachment_hint(statement: &Statement) -> Outcome {
    let hints = statement.texts_of("attachmentHint", &ATTACHMENT_HINTS)?;
    let has = |hint| hints.contains(&hint);
    ensure!(
        !has("internal") || hints.len() == 1,
        "attachmentHint has internal and others"
    );
    ensure!(
        !has("external") || hints.len() > 1,
        "attachmentHint has external alone"
    );
    ensure!(!has("ready"), "attachmentHint has ready");
    for wireless in ["nfc", "bluetooth", "network", "wifi_direct"] {
        ensure!(
            !has(wireless) || has("wireless"),
            "attachmentHint has {wireless} without wireless"
        );
    }
    Ok(())
}

fn confirms_transactions(statement: &Statement) -> bool {
    let extensions = statement
        .get("authenticatorGetInfo")
        .and_then(|info| info.get("extensions"));
    let extensions = extensions
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    ["txAuthSimple", "txAuthGeneric"]
        .iter()
        .any(|name| extensions.contains(&Value::from(*name)))
}

/// `tcDisplay`: empty unless transactions are confirmed.
pub(crate) fn display(statement: &Statement) -> Outcome {
    let displays = statement.texts("tcDisplay")?;
    for kind in &displays {
        ensure!(
            DISPLAYS.contains(kind),
            "tcDisplay: {kind} is not in the registry"
        );
    }
    let exclusive = ["privileged_software", "tee", "hardware"];
    let chosen = exclusive.iter().filter(|kind| displays.contains(kind)).count();
    ensure!(chosen <= 1, "tcDisplay combines {displays:?}");
    ensure_eq!(
        !displays.is_empty(),
        confirms_transactions(statement),
        "whether there is a tcDisplay"
    );
    Ok(())
}

/// `tcDisplayContentType`: only where transactions are confirmed.
pub(crate) fn display_content_type(statement: &Statement) -> Outcome {
    let kind = statement.optional_text("tcDisplayContentType")?;
    if !confirms_transactions(statement) {
        ensure_eq!(kind, None, "tcDisplayContentType");
        return Ok(());
    }
    ensure!(
        matches!(kind, Some("text/plain" | "image/png")),
        "tcDisplayContentType is {kind:?}"
    );
    Ok(())
}

/// `tcDisplayPNGCharacteristics`: where images are shown.
pub(crate) fn display_images(statement: &Statement) -> Outcome {
    let shows_images = statement.optional_text("tcDisplayContentType")? == Some("image/png");
    if shows_images {
        let characteristics = statement.required("tcDisplayPNGCharacteristics")?.as_array();
        ensure!(
            characteristics.is_some_and(|list| !list.is_empty()),
            "tcDisplayPNGCharacteristics is empty"
        );
    }
    Ok(())
}
