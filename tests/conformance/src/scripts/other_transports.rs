//! `nfc-1` and `ble-1`: transports that a USB key does not have. The tool has 8 and 10 cases for them.

use crate::case::{Case, Script};

const USB_ONLY: &str = "the key has USB only; the tool runs these cases for keys with the transport";

pub(super) const NFC: Script = Script {
    name: "nfc-1",
    cases: &[Case::skipped("all", "speaks CTAP over NFC (8 cases)", USB_ONLY)],
};

pub(super) const BLE: Script = Script {
    name: "ble-1",
    cases: &[Case::skipped(
        "all",
        "speaks CTAP over Bluetooth (10 cases)",
        USB_ONLY,
    )],
};
