//! What a running key tells the person: a line per event, or a JSON object per event. Names, lengths and codes only.

use std::io::{Write, stderr, stdout};

use serde_json::{Value, json};
use wardkey_transport::usbip::Identity;

use crate::autolock::LockReason;
use crate::prompt::Modality;
use crate::sockets::{Address, Purpose};

/// Where the lines go and how many there are.
pub(crate) struct Log {
    json: bool,
    verbose: bool,
}

impl Log {
    /// `json` for scripts; `verbose` adds connections.
    pub(crate) fn new(json: bool, verbose: bool) -> Self {
        Self { json, verbose }
    }

    /// Something failed and the key goes on.
    pub(crate) fn problem(&self, text: &str) {
        if self.json {
            self.line("", &json!({ "event": "problem", "text": text }));
        } else {
            let _ = writeln!(stderr(), "wardkey: {text}");
        }
    }

    /// Clients can connect now.
    pub(crate) fn listening(&self, purpose: Purpose, address: &Address) {
        let (kind, what) = match purpose {
            Purpose::Usbip => ("usbip", "USB/IP clients"),
            Purpose::Raw => ("raw", "programs with raw reports"),
            Purpose::Commands => return,
        };
        let event = json!({ "event": "listening", "kind": kind, "address": address.to_string() });
        self.line(&format!("Listening for {what} on {address}."), &event);
    }

    /// The user can be verified.
    pub(crate) fn verifies(&self, modality: Modality, found: &str) {
        let event = json!({ "event": "verification", "modality": modality, "found": found });
        self.line(
            &format!("You are verified by {} ({found}).", modality.name()),
            &event,
        );
    }

    /// The local kernel has the key.
    pub(crate) fn attached(&self, identity: &Identity) {
        let id = format!("{:04x}:{:04x}", identity.vendor_id, identity.product_id);
        let text = format!(
            "The key is plugged in ({id}, {}). Ctrl-C unplugs it.",
            identity.product
        );
        self.line(&text, &json!({ "event": "attached", "usb_id": id }));
    }

    /// A USB/IP client took or gave back the key.
    pub(crate) fn imported(&self, taken: bool) {
        if self.verbose {
            let text = if taken {
                "A host has the key."
            } else {
                "The key is free again."
            };
            self.line(
                text,
                &json!({ "event": if taken { "imported" } else { "released" } }),
            );
        }
    }

    /// A client connected.
    pub(crate) fn connected(&self, purpose: Purpose) {
        if self.verbose {
            let text = match purpose {
                Purpose::Usbip => "A USB/IP client connected.",
                Purpose::Raw => "A program connected for raw reports.",
                Purpose::Commands => "A wardkey command connected.",
            };
            self.line(
                text,
                &json!({ "event": "connected", "kind": format!("{purpose:?}").to_lowercase() }),
            );
        }
    }

    /// A client is gone.
    pub(crate) fn disconnected(&self, reason: &str) {
        if self.verbose {
            self.line(
                &format!("A connection ended: {reason}."),
                &json!({ "event": "disconnected", "reason": reason }),
            );
        }
    }

    /// The vault waits for its Vault PIN.
    pub(crate) fn starts_locked(&self) {
        let text = "The vault is locked: its Vault PIN is asked for when it is needed, or unlock it now: wardkey unlock";
        self.line(text, &json!({ "event": "locked", "reason": "start" }));
    }

    /// The vault is open.
    pub(crate) fn unlocked(&self, passkeys: usize) {
        let event = json!({ "event": "unlocked", "passkeys": passkeys });
        self.line("The vault is unlocked.", &event);
    }

    /// The vault was locked.
    pub(crate) fn locked(&self, reason: LockReason) {
        let event = json!({ "event": "locked", "reason": reason.name() });
        self.line(&format!("The vault is locked: {reason}."), &event);
    }

    /// A command has the state folder.
    pub(crate) fn stands_aside(&self, command: &str) {
        let event = json!({ "event": "stands-aside", "command": command });
        self.line(&format!("The key stands aside for {command}."), &event);
    }

    /// The key has its state folder again, and its vault is locked.
    pub(crate) fn is_back(&self) {
        self.line("The key is back.", &json!({ "event": "back" }));
    }

    /// The host asks the key to blink.
    pub(crate) fn wink(&self) {
        self.line(
            "A program asks the key to make itself noticed: here it is.",
            &json!({ "event": "wink" }),
        );
    }

    /// The key runs for tests; nobody may take it for the real thing.
    pub(crate) fn test_mode(&self, what: &str) {
        self.problem(&format!(
            "TEST MODE: {what}. Never use this key for a real account."
        ));
    }

    fn line(&self, text: &str, event: &Value) {
        // The reader may be gone; the key goes on.
        let _ = if self.json {
            writeln!(stdout(), "{event}")
        } else {
            writeln!(stdout(), "{text}")
        };
    }
}
