//! authenticatorCredentialManagement.

use wardkey_sim::fido_client::Status;
use wardkey_sim::scenario::Manage;

use super::{Accepted, Then};
use crate::compare::Found;

pub(super) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "answers MISSING_PARAMETER where pinUvAuthParam is absent",
        clause: "CTAP 2.3 §6.8.2 to §6.8.6",
        why: "PUAT_REQUIRED: the platform has to get a token first.",
        then: Then::GoOn,
        is_it: |found| manage(found).is_some() && found.is(Status::PUAT_REQUIRED, Status::MISSING_PARAMETER),
    },
    Accepted {
        reference: "answers INVALID_CBOR to a subcommand that it does not have",
        clause: "CTAP 2.3 §8.1",
        why: "INVALID_SUBCOMMAND.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(manage(found), Some(Manage::Other(_))) && found.ours_is(Status::INVALID_SUBCOMMAND)
        },
    },
    Accepted {
        reference: "goes on with a list behind its end and after other commands",
        clause: "CTAP 2.3 §6, §6.8.3, §6.8.4",
        why: "Nothing is left, or nothing was begun: NOT_ALLOWED.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(manage(found), Some(Manage::NextRp | Manage::NextCredential))
                && found.context.left == 0
                && found.ours_is(Status::NOT_ALLOWED)
        },
    },
    Accepted {
        reference: "answers OK and no relying party where nothing is stored",
        clause: "CTAP 2.3 §6.8.3",
        why: "NO_CREDENTIALS.",
        then: Then::GoOn,
        is_it: |found| manage(found) == Some(Manage::Rps) && found.is(Status::NO_CREDENTIALS, Status::OK),
    },
    Accepted {
        reference: "answers INVALID_CREDENTIAL where there is no such credential",
        clause: "CTAP 2.3 §6.8.5, §6.8.6",
        why: "NO_CREDENTIALS.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(manage(found), Some(Manage::Delete(_) | Manage::Update(..)))
                && found.is(Status::NO_CREDENTIALS, Status(0x22))
        },
    },
    Accepted {
        reference: "looks at pinUvAuthParam before it looks for the parameters",
        clause: "CTAP 2.3 §6.8.4 to §6.8.6",
        why: "MISSING_PARAMETER comes first.",
        then: Then::GoOn,
        is_it: |found| {
            manage(found).is_some() && found.is(Status::MISSING_PARAMETER, Status::PIN_AUTH_INVALID)
        },
    },
    Accepted {
        reference: "has room for another number of credentials",
        clause: "CTAP 2.3 §6.8.2",
        why: "Ours has room for 200,000.",
        then: Then::GoOn,
        is_it: |found| manage(found) == Some(Manage::Metadata) && found.is_at("02"),
    },
];

fn manage(found: &Found) -> Option<Manage> {
    found.command.request.manage()
}
