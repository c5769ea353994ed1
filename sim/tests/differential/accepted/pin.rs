//! authenticatorClientPIN.

use wardkey_sim::fido_client::Status;
use wardkey_sim::scenario::{Damage, Pin};

use super::{Accepted, Then};
use crate::compare::Found;

pub(super) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "answers INVALID_CBOR or INVALID_PARAMETER to a subcommand that it does not have",
        clause: "CTAP 2.3 §8.1",
        why: "INVALID_SUBCOMMAND.",
        then: Then::GoOn,
        is_it: |found| {
            let is_unknown = matches!(
                pin(found),
                Some(Pin::Other(_) | Pin::UvRetries | Pin::TokenByUv(..))
            );
            is_unknown && found.ours_is(Status::INVALID_SUBCOMMAND)
        },
    },
    Accepted {
        reference: "never tells powerCycleState",
        clause: "CTAP 2.3 §6.5.5.2",
        why: "It is optional; ours always tells it.",
        then: Then::GoOn,
        is_it: |found| pin(found) == Some(Pin::Retries) && found.is_at("04") && found.only_ours_has_it(),
    },
    Accepted {
        reference: "counts attempts while no PIN is set",
        clause: "CTAP 2.3 §6.5.5.7.2",
        why: "There is nothing to compare with, and nothing to guess.",
        then: Then::Stop,
        is_it: |found| {
            let is_counted = pin(found) == Some(Pin::Retries) && found.is_at("03");
            !found.context.has_pin && (is_counted || found.ours_is(Status::PIN_NOT_SET))
        },
    },
    Accepted {
        reference: "has one key-agreement key for both protocols",
        clause: "CTAP 2.3 §6.5.5.7, §6.5.6",
        why: "A wrong PIN ends the secrets of the protocol it came under; each protocol has a key of its own.",
        then: Then::Stop,
        is_it: |found| {
            let agreement = pin(found).and_then(Pin::agreement);
            let is_outdated = agreement.is_some_and(|agreement| agreement.reused)
                && [
                    Status::PIN_INVALID,
                    Status::PIN_AUTH_INVALID,
                    Status::PIN_AUTH_BLOCKED,
                    Status::PIN_BLOCKED,
                ]
                .iter()
                .any(|status| found.theirs_is(*status));
            is_outdated || (matches!(pin(found), Some(Pin::KeyAgreement(_))) && found.is_at("01"))
        },
    },
    Accepted {
        reference: "wants the algorithm of the platform's key to be there",
        clause: "CTAP 2.3 §6.5.6",
        why: "It names an algorithm that is not the one that is used. What counts is the point.",
        then: Then::GoOn,
        is_it: |found| {
            pin(found).is_some()
                && matches!(found.command.damage, Some(Damage::Replace(..) | Damage::Omit(_)))
                && (found.is(Status::OK, Status::INVALID_CBOR)
                    || found.is(Status::OK, Status::MISSING_PARAMETER))
        },
    },
    Accepted {
        reference: "takes permissions that do not exist for none",
        clause: "CTAP 2.3 §6.5.5.7.2",
        why: "The value is not 0; bits that mean nothing are ignored, and the token is good for nothing.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(pin(found), Some(Pin::TokenFor(_, _, wanted)) if wanted.permissions == 0x80)
                && found.theirs_is(Status::INVALID_PARAMETER)
        },
    },
    Accepted {
        reference: "ignores the permission pcmr",
        clause: "CTAP 2.3 §6.5.5.7",
        why: "It stands alone, or the request is refused.",
        then: Then::Stop,
        is_it: |found| {
            matches!(pin(found), Some(Pin::TokenFor(_, _, wanted)) if wanted.permissions & 0x40 != 0)
                && (found.ours_is(Status::UNAUTHORIZED_PERMISSION)
                    || found.theirs_is(Status::INVALID_PARAMETER))
        },
    },
];

fn pin(found: &Found) -> Option<Pin> {
    found.command.request.pin()
}
