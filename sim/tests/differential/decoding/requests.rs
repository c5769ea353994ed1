//! Requests: what ctap-types and our key make of their encoding.

use ciborium::Value;
use ctap_types::ctap2::Request;
use wardkey_sim::fido_client::{Status, from_bytes};

use super::{differences, written_again};
use crate::accepted::{Accepted, Then};
use crate::compare::{Difference, Found};

/// The answers of our key to a request that it cannot read. Whatever else it answers, it has read it.
const UNREADABLE: [Status; 6] = [
    Status::INVALID_COMMAND,
    Status::INVALID_LENGTH,
    Status::CBOR_UNEXPECTED_TYPE,
    Status::INVALID_CBOR,
    Status::MISSING_PARAMETER,
    Status::INVALID_SUBCOMMAND,
];

/// How ctap-types reads a request that our key answered with `status`, where it is not how our key did.
pub(super) fn compare(request: &[u8], status: Status) -> Vec<Difference> {
    let theirs = Request::deserialize(request);
    let is_read = !UNREADABLE.contains(&status);
    match &theirs {
        Ok(theirs) if is_read => read(theirs).map_or_else(Vec::new, |read| {
            let written = request.get(1..).and_then(|body| from_bytes(body).ok());
            differences(&written.expect("both have read it"), &read)
        }),
        Err(error) if !is_read && u8::from(*error) == status.0 => Vec::new(),
        theirs => vec![Difference::Status {
            ours: status.0,
            theirs: theirs.as_ref().err().map_or(0, |error| u8::from(*error)),
        }],
    }
}

/// The parameters that ctap-types read, if the command has any.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other commands have none, and the enum may grow"
)]
fn read(request: &Request<'_>) -> Option<Value> {
    Some(match request {
        Request::MakeCredential(request) => written_again(request),
        Request::GetAssertion(request) => written_again(request),
        Request::ClientPin(request) => written_again(request),
        Request::CredentialManagement(request) => written_again(request),
        Request::LargeBlobs(request) => written_again(request),
        Request::Config(request) => written_again(request),
        _ => return None,
    })
}

pub(crate) const ENTRIES: &[Accepted] = &[
    Accepted {
        reference: "reads CBOR that is not canonical",
        clause: "CTAP 2.3 §8",
        why: "Keys out of order and bytes behind the end are not CTAP2 canonical CBOR: INVALID_CBOR. Where ctap-types \
              refuses as well, it may find something else wrong with it.",
        then: Then::GoOn,
        is_it: |found| {
            !found.parameters().is_empty() && !found.is_canonical() && found.ours_is(Status::INVALID_CBOR)
        },
    },
    Accepted {
        reference: "cannot read that there are no parameters",
        clause: "CTAP 2.3 §6, §6.10.2 step 1",
        why: "No bytes are no members, so what is required is missing: MISSING_PARAMETER, or INVALID_PARAMETER where it \
              is the offset of a large blob.",
        then: Then::GoOn,
        is_it: |found| {
            found.parameters().is_empty()
                && found.theirs_is(Status::INVALID_CBOR)
                && found.ours_is_among(&[Status::MISSING_PARAMETER, Status::INVALID_PARAMETER])
        },
    },
    Accepted {
        reference: "cannot read a map with a number that it does not know",
        clause: "CTAP 2.3 §8, §6",
        why: "Later editions add members; a platform may send them to every authenticator.",
        then: Then::GoOn,
        is_it: |found| has_unknown_member(found) && found.theirs_is(Status::INVALID_CBOR),
    },
    Accepted {
        reference: "does not tell a wrong type or length from bytes that are not CBOR",
        clause: "CTAP 2.3 §8, §8.2",
        why: "What is well-formed and of a wrong type is CBOR_UNEXPECTED_TYPE, of a wrong length INVALID_LENGTH.",
        then: Then::GoOn,
        is_it: |found| {
            found.theirs_is(Status::INVALID_CBOR)
                && found.ours_is_among(&[Status::CBOR_UNEXPECTED_TYPE, Status::INVALID_LENGTH])
        },
    },
    Accepted {
        reference: "calls a member of another member a parameter",
        clause: "CTAP 2.3 §8, §6.1.2 step 3",
        why: "Only members of the outermost map are parameters. What is missing further inside is \
              CBOR_UNEXPECTED_TYPE, or INVALID_CBOR in pubKeyCredParams; a COSE key, or the input of hmac-secret, is \
              looked at when it is needed.",
        then: Then::GoOn,
        is_it: |found| has_required_members(found) && found.theirs_is(Status::MISSING_PARAMETER),
    },
    Accepted {
        reference: "takes the offset of a large blob for a parameter like others",
        clause: "CTAP 2.3 §6.10.2 step 1",
        why: "Without it the command is INVALID_PARAMETER.",
        then: Then::GoOn,
        is_it: |found| {
            command(found) == 0x0C
                && member(found, 3).is_none()
                && found.is(Status::INVALID_PARAMETER, Status::MISSING_PARAMETER)
        },
    },
    Accepted {
        reference: "does not miss the number of the protocol beside a pinUvAuthParam",
        clause: "CTAP 2.3 §6.1.2 step 2, §6.2.2 step 2, §6.8, §6.10.2, §6.11",
        why: "It is required then: MISSING_PARAMETER. ctap-types leaves that to the command.",
        then: Then::GoOn,
        is_it: |found| lacks_protocol(found) && found.is(Status::MISSING_PARAMETER, Status::OK),
    },
    Accepted {
        reference: "does not know which parameters a subcommand has",
        clause: "CTAP 2.3 §6.5.5.4 to §6.5.5.7, §6.8.4 to §6.8.6",
        why: "One that is required and missing is MISSING_PARAMETER. ctap-types leaves that to the command.",
        then: Then::GoOn,
        is_it: |found| lacks_what_subcommand_needs(found) && found.is(Status::MISSING_PARAMETER, Status::OK),
    },
    Accepted {
        reference: "does not miss hmac-secret beside hmac-secret-mc",
        clause: "CTAP 2.3 §12.7",
        why: "It is required then: MISSING_PARAMETER. ctap-types leaves that to the command.",
        then: Then::GoOn,
        is_it: |found| {
            let extensions = member(found, 6).unwrap_or(Value::Null);
            let has = |name| of(&extensions, name).is_some();
            has("hmac-secret-mc") && !has("hmac-secret") && found.is(Status::MISSING_PARAMETER, Status::OK)
        },
    },
    Accepted {
        reference: "reads a clientDataHash and a user id of any length",
        clause: "CTAP 2.3 §6.1.1, §6.2.1, §6.8.6, WebAuthn L3 §5.4.3",
        why: "A SHA-256 has 32 bytes, a user handle has 1 to 64: INVALID_LENGTH.",
        then: Then::GoOn,
        is_it: |found| has_wrong_length(found) && found.is(Status::INVALID_LENGTH, Status::OK),
    },
    Accepted {
        reference: "reads null as nothing, and an array as bytes",
        clause: "CTAP 2.3 §8",
        why: "It is there, and of a wrong type.",
        then: Then::GoOn,
        is_it: |found| {
            has_null_or_empty_array(&parameters(found)) && found.is(Status::CBOR_UNEXPECTED_TYPE, Status::OK)
        },
    },
    Accepted {
        reference: "cannot read a list of more than 16 credentials, or to sign with more than 10",
        clause: "CTAP 2.3 §6.4 maxCredentialCountInList, §8",
        why: "The list is sound. Whether it is too long the command says, after it knows that the user may ask.",
        then: Then::GoOn,
        is_it: |found| has_long_list(found) && found.theirs_is(Status::INVALID_CBOR),
    },
    Accepted {
        reference: "cannot read a subcommand that it does not know",
        clause: "CTAP 2.3 §8.1",
        why: "INVALID_SUBCOMMAND.",
        then: Then::GoOn,
        is_it: |found| found.is(Status::INVALID_SUBCOMMAND, Status::INVALID_CBOR),
    },
    Accepted {
        reference: "knows subcommands and commands that the key does not have",
        clause: "CTAP 2.3 §8.1, §6.5.5.7.3, §6.11",
        why: "Built-in user verification where there is none, and vendorPrototype: INVALID_SUBCOMMAND. Commands of \
              vendors: INVALID_COMMAND.",
        then: Then::GoOn,
        is_it: |found| {
            found.is(Status::INVALID_SUBCOMMAND, Status::OK) || found.is(Status::INVALID_COMMAND, Status::OK)
        },
    },
    Accepted {
        reference: "cannot read a COSE key that is no point of the curve",
        clause: "CTAP 2.3 §6.5.6",
        why: "It is looked at when it is needed: INVALID_PARAMETER then. Its algorithm is one that nobody uses.",
        then: Then::GoOn,
        is_it: |found| {
            let (_, key) = cose_key(found);
            key.is_some_and(|key| !is_complete(&key)) && found.theirs_is(Status::INVALID_CBOR)
        },
    },
    Accepted {
        reference: "reads in a COSE key what is not there: its algorithm, a coordinate that is an empty array",
        clause: "CTAP 2.3 §6.5.6",
        why: "It supposes the only algorithm there can be. Without a coordinate it is no point of the curve.",
        then: Then::GoOn,
        is_it: |found| {
            let (place, key) = cose_key(found);
            key.is_some_and(|key| !is_complete(&key)) && found.is_within(place)
        },
    },
    Accepted {
        reference: "cannot read an attestationFormatsPreference that is no list of texts",
        clause: "CTAP 2.3 §6.1.2 step 19",
        why: "It is a wish. One that cannot be followed is no reason to refuse.",
        then: Then::GoOn,
        is_it: |found| {
            let preference = (command(found) == 0x01).then(|| member(found, 0x0B)).flatten();
            let is_list = |value: &Value| {
                value
                    .as_array()
                    .is_some_and(|items| items.iter().all(Value::is_text))
            };
            preference.is_some_and(|preference| !is_list(&preference))
                && found.theirs_is(Status::INVALID_CBOR)
        },
    },
    Accepted {
        reference: "leaves algorithms and types out that it does not know",
        clause: "CTAP 2.3 §6.1.2 step 3",
        why: "The command passes over them as well.",
        then: Then::GoOn,
        is_it: |found| {
            let known = ["4.{alg: -7, type: public-key}", "4.{alg: -8, type: public-key}"];
            let is_known = known.contains(&found.path());
            command(found) == 0x01 && found.path().starts_with("4.{alg:") && !is_known
        },
    },
    Accepted {
        reference: "leaves formats of attestation out that it does not know",
        clause: "CTAP 2.3 §6.1.2 step 19",
        why: "The command passes over them as well.",
        then: Then::GoOn,
        is_it: |found| {
            let is_known = found.is_at("11.none") || found.is_at("11.packed");
            command(found) == 0x01 && found.is_within("11") && !is_known
        },
    },
];

fn command(found: &Found) -> u8 {
    *found.sent.first().expect("a request has its command")
}

/// The parameters; null if they are no CBOR.
fn parameters(found: &Found) -> Value {
    from_bytes(found.parameters()).unwrap_or(Value::Null)
}

/// A parameter by its number.
fn member(found: &Found, key: u64) -> Option<Value> {
    of(&parameters(found), key).cloned()
}

fn of(map: &Value, key: impl Into<Value>) -> Option<&Value> {
    let key = key.into();
    let mut members = map.as_map().into_iter().flatten();
    members.find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn has_unknown_member(found: &Found) -> bool {
    let last = match command(found) {
        0x01 => 0x0B,
        0x02 => 0x09,
        0x06 => 0x0A,
        0x0C => 0x06,
        _ => 0x04,
    };
    let parameters = parameters(found);
    let mut members = parameters.as_map().into_iter().flatten();
    members.any(|(key, _)| (1..=last).all(|known: u64| *key != Value::from(known)))
}

fn has_required_members(found: &Found) -> bool {
    let required: &[u64] = match command(found) {
        0x01 => &[1, 2, 3, 4],
        0x02 => &[1, 2],
        0x06 => &[2],
        0x0C => &[3],
        _ => &[1],
    };
    required.iter().all(|key| member(found, *key).is_some())
}

fn lacks_protocol(found: &Found) -> bool {
    let (param, protocol) = match command(found) {
        0x01 => (8, 9),
        0x02 => (6, 7),
        0x0A | 0x0D => (4, 3),
        0x0C => (5, 6),
        _ => return false,
    };
    member(found, param).is_some() && member(found, protocol).is_none()
}

fn lacks_what_subcommand_needs(found: &Found) -> bool {
    let parameters = parameters(found);
    let (holder, subcommand) = match command(found) {
        0x06 => (Some(&parameters), of(&parameters, 2)),
        0x0A => (of(&parameters, 2), of(&parameters, 1)),
        _ => return false,
    };
    let subcommand = subcommand.and_then(|value| u8::try_from(value.as_integer()?).ok());
    let needed: &[u64] = match (command(found), subcommand) {
        (0x06, Some(0x02)) => &[1],
        (0x06, Some(0x03)) => &[1, 3, 4, 5],
        (0x06, Some(0x04)) => &[1, 3, 4, 5, 6],
        (0x06, Some(0x05)) => &[1, 3, 6],
        (0x06, Some(0x09)) => &[1, 3, 6, 9],
        (0x0A, Some(0x04)) => &[1],
        (0x0A, Some(0x06)) => &[2],
        (0x0A, Some(0x07)) => &[2, 3],
        _ => &[],
    };
    needed
        .iter()
        .any(|key| holder.and_then(|holder| of(holder, *key)).is_none())
}

fn has_wrong_length(found: &Found) -> bool {
    let (hash, user) = match command(found) {
        0x01 => (member(found, 1), member(found, 3)),
        0x02 => (member(found, 2), None),
        0x0A => (None, member(found, 2).and_then(|params| of(&params, 3).cloned())),
        _ => return false,
    };
    let len = |value: &Value| value.as_bytes().map(Vec::len);
    let user_id = user.as_ref().and_then(|user| of(user, "id"));
    hash.is_some_and(|hash| len(&hash) != Some(32))
        || user_id.is_some_and(|id| len(id).is_none_or(|len| !(1..=64).contains(&len)))
}

/// The platform's key for an agreement, and where it is.
fn cose_key(found: &Found) -> (&'static str, Option<Value>) {
    let of_extension = |inputs, extension| {
        let inputs = member(found, inputs)?;
        of(of(&inputs, extension)?, 1).cloned()
    };
    match command(found) {
        0x01 => ("6.hmac-secret-mc.1", of_extension(6, "hmac-secret-mc")),
        0x02 => ("4.hmac-secret.1", of_extension(4, "hmac-secret")),
        0x06 => ("3", member(found, 3)),
        _ => ("", None),
    }
}

/// Whether it is {1: 2, 3: -25, -1: 1, -2: x, -3: y}.
fn is_complete(key: &Value) -> bool {
    let number = |label: i64| of(key, label).and_then(|value| i64::try_from(value.as_integer()?).ok());
    let len = |label: i64| of(key, label).and_then(Value::as_bytes).map(Vec::len);
    [number(1), number(3), number(-1)] == [Some(2), Some(-25), Some(1)] && [len(-2), len(-3)] == [Some(32); 2]
}

fn has_long_list(found: &Found) -> bool {
    let (key, len_max) = match command(found) {
        0x01 => (5, 16),
        0x02 => (3, 10),
        _ => return false,
    };
    member(found, key).is_some_and(|list| list.as_array().is_some_and(|list| list.len() > len_max))
}

fn has_null_or_empty_array(value: &Value) -> bool {
    if let Value::Array(items) = value {
        items.is_empty() || items.iter().any(has_null_or_empty_array)
    } else {
        let mut members = value.as_map().into_iter().flatten();
        value.is_null() || members.any(|(_, member)| has_null_or_empty_array(member))
    }
}
