//! `uvm`: the extension uvm of WebAuthn.

use crate::case::{Case, Script};

pub(super) const SCRIPT: Script = Script {
    name: "uvm",
    cases: &[Case::skipped(
        "P-1",
        "says how the user was verified",
        "the extension is optional and this key does not have it",
    )],
};
