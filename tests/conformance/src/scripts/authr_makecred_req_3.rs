//! `Authr-MakeCred-Req-3`: the account in authenticatorMakeCredential, CTAP 2.3 §6.1.1.

use crate::case::{Case, Script};
use crate::parameters::Kind;
use crate::scripts::NO_ICON;
use crate::scripts::make_credential::wrong_inner_type;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-MakeCred-Req-3",
    cases: &[
        Case::new("F-1", "refuses a user.id that is not bytes", |bench| {
            wrong_inner_type(bench, 3, "id", Kind::Bytes)
        }),
        Case::new("F-2", "refuses a user.name that is not text", |bench| {
            wrong_inner_type(bench, 3, "name", Kind::Text)
        }),
        Case::new("F-3", "refuses a user.displayName that is not text", |bench| {
            wrong_inner_type(bench, 3, "displayName", Kind::Text)
        }),
        Case::skipped("F-4", "looks at user.icon", NO_ICON),
    ],
};
