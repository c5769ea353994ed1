//! authenticatorGetAssertion and authenticatorGetNextAssertion.

use wardkey_sim::fido_client::Status;
use wardkey_sim::scenario::{Get, Request};

use super::{Accepted, Then};
use crate::compare::Found;

pub(super) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "gives the account's names only where there are several accounts",
        clause: "CTAP 2.3 §6.2.2 step 12",
        why: "What hides them is that the user was not verified; here the user was.",
        then: Then::GoOn,
        is_it: |found| {
            get(found).is_some()
                && (found.is_at("04.name") || found.is_at("04.displayName"))
                && found.only_ours_has_it()
        },
    },
    Accepted {
        reference: "answers INVALID_OPTION to the option rk",
        clause: "CTAP 2.3 §6.2.2 step 4",
        why: "UNSUPPORTED_OPTION, and before credentials are looked for.",
        then: Then::GoOn,
        is_it: |found| {
            get(found).is_some_and(|get| get.rk.is_some()) && found.ours_is(Status::UNSUPPORTED_OPTION)
        },
    },
    Accepted {
        reference: "asks for a token before it looks at the option uv",
        clause: "CTAP 2.3 §6.1.2 steps 5 and 6, §6.2.2 steps 4 and 5",
        why: "INVALID_OPTION comes first.",
        then: Then::GoOn,
        is_it: |found| {
            found.command.request.uv() == Some(true)
                && found.is(Status::INVALID_OPTION, Status::PUAT_REQUIRED)
        },
    },
    Accepted {
        reference: "asks for presence before it says that there is no credential",
        clause: "CTAP 2.3 §6.2.2 step 7",
        why: "NO_CREDENTIALS comes before any touch since CTAP 2.1.",
        then: Then::GoOn,
        is_it: |found| get(found).is_some() && found.is(Status::NO_CREDENTIALS, Status::USER_ACTION_TIMEOUT),
    },
    Accepted {
        reference: "answers INVALID_LENGTH to salts that are not one or two",
        clause: "CTAP 2.3 §12.5",
        why: "INVALID_PARAMETER.",
        then: Then::GoOn,
        is_it: |found| {
            let salts = found.command.request.salts();
            salts.is_some_and(|salts| ![32, 64].contains(&salts.len))
                && found.is(Status::INVALID_PARAMETER, Status::INVALID_LENGTH)
        },
    },
    Accepted {
        reference: "goes on with getNextAssertion after any other command and after any time",
        clause: "CTAP 2.3 §6, §6.3 step 3",
        why: "After 30 seconds it must be refused. Other commands may end it, and here they do.",
        then: Then::GoOn,
        is_it: |found| {
            found.command.request == Request::GetNext
                && !found.context.is_next_due
                && found.ours_is(Status::NOT_ALLOWED)
        },
    },
];

fn get(found: &Found) -> Option<&Get> {
    found.command.request.get()
}
