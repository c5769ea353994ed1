//! `Authr-MakeCred-Req-2`: the relying party in authenticatorMakeCredential, CTAP 2.3 §6.1.1.

use crate::case::{Case, Script};
use crate::parameters::Kind;
use crate::scripts::NO_ICON;
use crate::scripts::make_credential::wrong_inner_type;

pub(super) const SCRIPT: Script = Script {
    name: "Authr-MakeCred-Req-2",
    cases: &[
        Case::new("F-1", "refuses an rp.id that is not text", |bench| {
            wrong_inner_type(bench, 2, "id", Kind::Text)
        }),
        Case::new("F-2", "refuses an rp.name that is not text", |bench| {
            wrong_inner_type(bench, 2, "name", Kind::Text)
        }),
        Case::skipped("F-3", "looks at rp.icon", NO_ICON),
    ],
};
