//! authenticatorConfig, authenticatorLargeBlobs, authenticatorReset, authenticatorSelection.

use wardkey_sim::fido_client::Status;
use wardkey_sim::scenario::{Blobs, Configure, Request, UserAct};

use super::{Accepted, Then};
use crate::compare::Found;

pub(super) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "answers INVALID_CBOR or INVALID_PARAMETER to a subcommand of authenticatorConfig that it does not \
                    have",
        clause: "CTAP 2.3 §8.1",
        why: "INVALID_SUBCOMMAND.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(
                configure(found),
                Some(Configure::Other(_) | Configure::EnterpriseAttestation)
            ) && found.ours_is(Status::INVALID_SUBCOMMAND)
        },
    },
    Accepted {
        reference: "cannot enable a long touch for reset",
        clause: "CTAP 2.3 §6.11.5",
        why: "Ours can; it asks twice.",
        then: Then::Stop,
        is_it: |found| {
            configure(found) == Some(Configure::LongTouch) && found.theirs_is(Status::INVALID_PARAMETER)
        },
    },
    Accepted {
        reference: "takes a minimum that no PIN can reach",
        clause: "CTAP 2.3 §6.4 maxPINLength, §6.11.4",
        why: "A PIN has at most 63 code points: PIN_POLICY_VIOLATION.",
        then: Then::Stop,
        is_it: |found| {
            matches!(
                configure(found),
                Some(Configure::MinPinLength { len: Some(64), .. })
            ) && found.is(Status::PIN_POLICY_VIOLATION, Status::OK)
        },
    },
    Accepted {
        reference: "wants subCommandParams of setMinPINLength to be there",
        clause: "CTAP 2.3 §6.11.4",
        why: "All of them are optional; none of them is as good as an empty map.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(configure(found), Some(Configure::MinPinLength { .. }))
                && found.is(Status::OK, Status::MISSING_PARAMETER)
        },
    },
    Accepted {
        reference: "goes on writing large blobs after other commands, and after a check that failed",
        clause: "CTAP 2.3 §6, §6.10.2",
        why: "Whatever else comes ends the write: INVALID_SEQ.",
        then: Then::Stop,
        is_it: |found| {
            matches!(found.command.request, Request::Blobs(Blobs::GoOn { .. }, _))
                && !found.context.is_fragment_due
                && found.ours_is(Status::INVALID_SEQ)
        },
    },
    Accepted {
        reference: "answers MISSING_PARAMETER where offset is missing",
        clause: "CTAP 2.3 §6.10.2 step 1",
        why: "INVALID_PARAMETER.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(found.command.request, Request::Blobs(..))
                && found.is(Status::INVALID_PARAMETER, Status::MISSING_PARAMETER)
        },
    },
    Accepted {
        reference: "answers PUAT_REQUIRED where the number of the protocol is missing",
        clause: "CTAP 2.3 §6.10.2",
        why: "MISSING_PARAMETER.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(found.command.request, Request::Blobs(..))
                && found.is(Status::MISSING_PARAMETER, Status::PUAT_REQUIRED)
        },
    },
    Accepted {
        reference: "writes large blobs for everybody while alwaysUv is on and no PIN is set",
        clause: "CTAP 2.3 §6.10.2",
        why: "Under alwaysUv a token is needed.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(found.command.request, Request::Blobs(..))
                && found.context.always_uv
                && !found.context.has_pin
                && found.ours_is_among(&[
                    Status::PUAT_REQUIRED,
                    Status::PIN_AUTH_INVALID,
                    Status::MISSING_PARAMETER,
                    Status::INVALID_PARAMETER,
                ])
        },
    },
    Accepted {
        reference: "does not end tokens when the PIN has to be changed",
        clause: "CTAP 2.3 §6.11.4",
        why: "It has to be changed before anything is authorized again.",
        then: Then::GoOn,
        is_it: |found| found.context.is_token_older_than_policy && found.ours_is(Status::PIN_AUTH_INVALID),
    },
    Accepted {
        reference: "knows no refusal, so that it times out",
        clause: "CTAP 2.3 §6.6, §6.9",
        why: "An explicit refusal is OPERATION_DENIED.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(found.command.request, Request::Reset | Request::Select)
                && found.command.user == UserAct::Refuses
                && found.is(Status::OPERATION_DENIED, Status::USER_ACTION_TIMEOUT)
        },
    },
];

fn configure(found: &Found) -> Option<Configure> {
    found.command.request.configure()
}
