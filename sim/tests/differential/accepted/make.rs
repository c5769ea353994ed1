//! authenticatorMakeCredential.

use std::time::Duration;

use wardkey_sim::fido_client::Status;
use wardkey_sim::scenario::{Auth, Damage, Kind, Make, Named, UserAct};

use super::{Accepted, Then};
use crate::compare::Found;

pub(super) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "answers USER_ACTION_TIMEOUT where nobody touches it, and knows no refusal",
        clause: "CTAP 2.3 §6.1.2 steps 1 and 14, §6.2.2 steps 1 and 9",
        why: "Declined or timed out is OPERATION_DENIED in these commands.",
        then: Then::GoOn,
        is_it: |found| {
            found.command.request.rp().is_some()
                && found.command.user != UserAct::Agrees
                && found.is(Status::OPERATION_DENIED, Status::USER_ACTION_TIMEOUT)
        },
    },
    Accepted {
        reference: "answers MISSING_PARAMETER to an empty relying party id",
        clause: "CTAP 2.3 §6.1.1, §6.2.1",
        why: "It is there, and empty: INVALID_PARAMETER. The text names no code.",
        then: Then::GoOn,
        is_it: |found| {
            let rp = found.command.request.rp();
            rp.is_some()
                && (rp == Some(3) || found.command.damage.is_some())
                && found.is(Status::INVALID_PARAMETER, Status::MISSING_PARAMETER)
        },
    },
    Accepted {
        reference: "answers INVALID_OPTION to a pinUvAuthParam while no PIN is set",
        clause: "CTAP 2.3 §6.1.2 step 11, §6.2.2 step 6",
        why: "An authenticator that nothing protects does not look at it.",
        then: Then::GoOn,
        is_it: |found| {
            !found.context.has_pin
                && found.command.request.auth() != Auth::Absent
                && found.theirs_is(Status::INVALID_OPTION)
        },
    },
    Accepted {
        reference: "lets a token be used again after the user's presence was used up",
        clause: "CTAP 2.3 §6.1.2 step 14, §6.2.2 step 9, §6.5.2.1",
        why: "Presence clears every permission of the token but lbw.",
        then: Then::GoOn,
        is_it: |found| {
            found.context.is_token_spent
                && found.command.request.auth() == Auth::Token
                && found.ours_is(Status::PIN_AUTH_INVALID)
        },
    },
    Accepted {
        reference: "does not bind a token to the relying party it is first used for",
        clause: "CTAP 2.3 §6.1.2 step 11.1, §6.2.2 step 6.1",
        why: "A token that names no relying party is bound by its first use.",
        then: Then::GoOn,
        is_it: |found| {
            let Some(rp) = found.command.request.rp() else {
                return false;
            };
            found.context.token_rps & !(1 << rp) != 0
                && found.command.request.auth() == Auth::Token
                && found.ours_is(Status::PIN_AUTH_INVALID)
        },
    },
    Accepted {
        reference: "starts its signature counter anew when it is reset",
        clause: "CTAP 2.3 §6.6, WebAuthn L3 §6.1.1",
        why: "Both are allowed. A counter that goes on never repeats.",
        then: Then::GoOn,
        is_it: |found| found.context.was_reset && found.is_at("authData.signCount"),
    },
    Accepted {
        reference: "answers INVALID_PARAMETER to a level of credProtect that does not exist",
        clause: "CTAP 2.3 §12.1",
        why: "INVALID_OPTION.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(cred_protect(found), Some(0 | 4))
                && found.is(Status::INVALID_OPTION, Status::INVALID_PARAMETER)
        },
    },
    Accepted {
        reference: "answers INVALID_CBOR to a list with more than 16 credentials",
        clause: "CTAP 2.3 §6.4 maxCredentialCountInList, §8",
        why: "The list is sound and too long: LIMIT_EXCEEDED, once it is known whether the user may ask.",
        then: Then::GoOn,
        is_it: |found| found.command.request.list().len() > 16 && found.theirs_is(Status::INVALID_CBOR),
    },
    Accepted {
        reference: "asks for a token before it looks at the inputs of extensions",
        clause: "CTAP 2.3 §6.1.2 steps 7 and 15, §8",
        why: "A value that no level has is found when the request is read, before anything is decided.",
        then: Then::GoOn,
        is_it: |found| matches!(cred_protect(found), Some(0 | 4)) && found.ours_is(Status::INVALID_OPTION),
    },
    Accepted {
        reference: "looks at enterpriseAttestation before anything else",
        clause: "CTAP 2.3 §6.1.2 steps 6 to 9",
        why: "Whether the user has to be verified comes first.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(make(found), Some(make) if make.enterprise.is_some())
                && found.is(Status::PUAT_REQUIRED, Status::INVALID_PARAMETER)
        },
    },
    Accepted {
        reference: "makes an attestation of the format none for whoever names it behind an unknown one",
        clause: "CTAP 2.3 §6.1.2 step 19",
        why: "It is a wish. Ours attests, unless the platform wants nothing but none.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(make(found), Some(make) if make.formats.as_ref().is_some_and(|formats| formats.len() > 1))
                && (found.is_at("01") || found.is_within("03"))
        },
    },
    Accepted {
        reference: "refuses to register and to sign while the PIN has to be changed",
        clause: "CTAP 2.3 §6.4 forcePINChange, §6.5.5.7",
        why: "Then no token is given out. Nothing else is forbidden.",
        then: Then::GoOn,
        is_it: |found| found.command.request.rp().is_some() && found.theirs_is(Status::PIN_POLICY_VIOLATION),
    },
    Accepted {
        reference: "puts out that it did not make an hmac-secret",
        clause: "CTAP 2.3 §12.5",
        why: "Whoever does not ask for it gets no output.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(make(found), Some(make) if make.hmac_secret == Some(false))
                && (found.is_within("authData.extensions") || found.is_at("authData.flags"))
        },
    },
    Accepted {
        reference: "answers USER_ACTION_TIMEOUT where the credential is excluded and nobody touches it",
        clause: "CTAP 2.3 §6.1.2 step 12",
        why: "CREDENTIAL_EXCLUDED, whatever the user does.",
        then: Then::GoOn,
        is_it: |found| found.is(Status::CREDENTIAL_EXCLUDED, Status::USER_ACTION_TIMEOUT),
    },
    Accepted {
        reference: "chooses the algorithm after it has looked at the token and at the excludeList",
        clause: "CTAP 2.3 §6.1.2 step 3",
        why: "UNSUPPORTED_ALGORITHM comes before all that.",
        then: Then::GoOn,
        is_it: |found| make(found).is_some() && found.ours_is(Status::UNSUPPORTED_ALGORITHM),
    },
    Accepted {
        reference: "does not look at the type of a credential in a list",
        clause: "CTAP 2.3 §6.1.2 step 12, §6.2.2 step 7",
        why: "Only those of the type public-key are meant.",
        then: Then::Stop,
        is_it: |found| {
            let mut list = found.command.request.list().iter();
            list.any(|named| matches!(named, Named::OtherType(_)))
                && (found.theirs_is(Status::CREDENTIAL_EXCLUDED) || found.ours_is(Status::NO_CREDENTIALS))
        },
    },
    Accepted {
        reference: "takes a clientDataHash and a user id of any length",
        clause: "CTAP 2.3 §6.1.1, §6.2.1, WebAuthn L3 §5.4.3",
        why: "A SHA-256 has 32 bytes, a user handle has 1 to 64: INVALID_LENGTH.",
        then: Then::GoOn,
        is_it: |found| {
            matches!(found.command.damage, Some(Damage::Replace(_, Kind::Bytes)))
                && found.ours_is(Status::INVALID_LENGTH)
        },
    },
    Accepted {
        reference: "lets a token die that was not used for 19 seconds",
        clause: "CTAP 2.3 §6.5.2.1",
        why: "30 seconds are recommended for USB.",
        then: Then::Stop,
        is_it: |found| {
            let age = found.context.token_unused_for;
            found.theirs_is(Status::PIN_AUTH_INVALID)
                && age.is_some_and(|age| (Duration::from_secs(19)..Duration::from_secs(30)).contains(&age))
        },
    },
    Accepted {
        reference: "still knows a credential of an excludeList that was deleted or replaced",
        clause: "CTAP 2.3 §6.8.5, §6.1.2 step 12",
        why: "It is not on the authenticator any more.",
        then: Then::Stop,
        is_it: |found| found.context.was_deleted && found.theirs_is(Status::CREDENTIAL_EXCLUDED),
    },
    Accepted {
        reference: "leaves the attestation statement out where the format is none",
        clause: "CTAP 2.3 §6.1.2 step 19, WebAuthn L3 §8.7",
        why: "The statement of the format none is an empty map; clients copy it into the attestation object.",
        then: Then::GoOn,
        is_it: |found| make(found).is_some() && found.is_at("03") && found.only_ours_has_it(),
    },
];

fn make(found: &Found) -> Option<&Make> {
    found.command.request.make()
}

fn cred_protect(found: &Found) -> Option<u8> {
    make(found)?.cred_protect
}
