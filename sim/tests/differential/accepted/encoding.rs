//! Requests that are not the CBOR they should be.

use wardkey_sim::fido_client::Status;
use wardkey_sim::scenario::{Damage, Kind};

use super::{Accepted, Then};

pub(super) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "accepts CBOR that is not canonical, or finds something else wrong with it",
        clause: "CTAP 2.3 §8",
        why: "Heads that are too long, tags, floating-point numbers, keys that are repeated or out of order, more \
              than 4 levels, and bytes behind the end are not CTAP2 canonical CBOR: INVALID_CBOR, before anything \
              else.",
        then: Then::GoOn,
        is_it: |found| {
            !found.parameters().is_empty() && !found.is_canonical() && found.ours_is(Status::INVALID_CBOR)
        },
    },
    Accepted {
        reference: "answers INVALID_CBOR where there are no parameters at all",
        clause: "CTAP 2.3 §6",
        why: "What is required and absent is MISSING_PARAMETER; no bytes are read as no members.",
        then: Then::GoOn,
        is_it: |found| {
            found.parameters().is_empty()
                && found.theirs_is(Status::INVALID_CBOR)
                && found.ours_is_among(&[Status::MISSING_PARAMETER, Status::INVALID_PARAMETER])
        },
    },
    Accepted {
        reference: "answers INVALID_CBOR to an item of a wrong type or length",
        clause: "CTAP 2.3 §8",
        why: "A well-formed item of a wrong type is CBOR_UNEXPECTED_TYPE; what is wrong with an item of the right type \
              the command says. The reference's decoder has one error for nearly everything.",
        then: Then::GoOn,
        is_it: |found| {
            let is_changed = matches!(
                found.command.damage,
                Some(Damage::Replace(..) | Damage::NoMap(_) | Damage::Omit(_))
            );
            is_changed && found.theirs_is(Status::INVALID_CBOR) && !found.ours_is(Status::OK)
        },
    },
    Accepted {
        reference: "answers MISSING_PARAMETER where a member is missing inside another",
        clause: "CTAP 2.3 §8",
        why: "Only members of the outermost map are parameters. Inside it is CBOR_UNEXPECTED_TYPE, of \
              pubKeyCredParams INVALID_CBOR, and a COSE key without a member is no key of the curve: it is looked at \
              when it is needed.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(
                found.command.damage,
                Some(Damage::Omit(_) | Damage::Replace(_, Kind::Map))
            ) && found.theirs_is(Status::MISSING_PARAMETER)
                && !found.ours_is(Status::OK)
        },
    },
    Accepted {
        reference: "reads null as absent, and an empty array as no bytes",
        clause: "CTAP 2.3 §8",
        why: "It is there, and of a wrong type.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(
                found.command.damage,
                Some(Damage::Replace(_, Kind::Null | Kind::Array))
            ) && found.ours_is(Status::CBOR_UNEXPECTED_TYPE)
        },
    },
    Accepted {
        reference: "refuses members that it does not know",
        clause: "CTAP 2.3 §8, §6",
        why: "Later editions add members; a platform may send them to every authenticator.",
        then: Then::GoOn,
        is_it: |found| {
            let is_added = matches!(
                found.command.damage,
                Some(Damage::AddMember | Damage::Nest(0..=3))
            );
            is_added && found.theirs_is(Status::INVALID_CBOR)
        },
    },
];
