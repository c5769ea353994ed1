//! The code that a new device shows to a camera.

use std::fmt::Write as _;

use super::PairingId;

/// The pairing, and the hash of the message with the keys of the new device. Who reads it from the device itself knows that
/// the keys are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairingCode {
    pub(super) pairing: PairingId,
    pub(super) keys: [u8; 32],
}

const START: &str = "PKVP1:";

impl PairingCode {
    /// For a QR code, of characters of its alphanumeric mode.
    pub fn to_text(&self) -> String {
        let mut text = String::from(START);
        for byte in self.pairing.0.iter().chain(&self.keys) {
            write!(text, "{byte:02X}").expect("text can be made longer");
        }
        text
    }

    /// What was read; `None` when it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(START)?;
        let mut code = Self {
            pairing: PairingId([0; 16]),
            keys: [0; 32],
        };
        let bytes = code.pairing.0.iter_mut().chain(&mut code.keys);
        for (at, byte) in bytes.enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        (code.to_text() == text).then_some(code)
    }

    /// Which pairing it is.
    pub fn pairing(&self) -> PairingId {
        self.pairing
    }
}
