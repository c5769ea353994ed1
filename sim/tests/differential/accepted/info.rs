//! authenticatorGetInfo: what the two keys are.

use wardkey_sim::scenario::Request;

use super::{Accepted, Then};
use crate::compare::Found;

pub(super) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "lists its extensions in another order, and does not have pinComplexityPolicy",
        clause: "CTAP 2.3 §6.4, §12.9",
        why: "The order means nothing; the extension is optional.",
        then: Then::GoOn,
        is_it: |found| is_info(found) && found.is_within("02"),
    },
    Accepted {
        reference: "does not have ES384",
        clause: "CTAP 2.3 §6.4 algorithms",
        why: "Each authenticator has its own.",
        then: Then::GoOn,
        is_it: |found| is_info(found) && found.is_within("0A"),
    },
    Accepted {
        reference: "has smaller limits",
        clause: "CTAP 2.3 §6.4",
        why: "maxMsgSize, maxCredentialCountInList, maxSerializedLargeBlobArray, maxCredBlobLength, \
              maxRPIDsForSetMinPINLength and remainingDiscoverableCredentials are each authenticator's own.",
        then: Then::GoOn,
        is_it: |found| {
            let limits = ["05", "07", "0B", "0F", "10", "14"];
            is_info(found) && limits.iter().any(|limit| found.is_at(limit))
        },
    },
    Accepted {
        reference: "does not tell firmwareVersion, transportsForReset, pinComplexityPolicy, maxPINLength",
        clause: "CTAP 2.3 §6.4",
        why: "They are optional.",
        then: Then::GoOn,
        is_it: |found| {
            let optional = ["0E", "1A", "1B", "1D"];
            is_info(found)
                && found.only_ours_has_it()
                && optional.iter().any(|member| found.is_within(member))
        },
    },
    Accepted {
        reference: "has neither the persistent token nor the subcommand enableLongTouchForReset",
        clause: "CTAP 2.3 §6.4 perCredMgmtRO, encIdentifier, encCredStoreState, authenticatorConfigCommands",
        why: "They are optional.",
        then: Then::GoOn,
        is_it: |found| {
            let optional = ["04.perCredMgmtRO", "19", "1E", "1F", "1F.2"];
            is_info(found) && optional.iter().any(|member| found.is_at(member))
        },
    },
];

fn is_info(found: &Found) -> bool {
    found.command.request == Request::Info
}
