//! `wardkey-large-blobs`: authenticatorLargeBlobs in its order, CTAP 2.3 §6.10.2.

use ciborium::Value;
use wardkey_sim::fido_client::{
    LargeBlobs, Permissions, PinProtocol, Status, largest_fragment, serialize_large_blobs,
};

use crate::bench::{Bench, RP_ID};
use crate::case::{Case, Outcome, Script, Stop, ensure_eq, present, refused};

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-large-blobs",
    cases: &[
        Case::new("absent", "does not know the command without the option", absent),
        Case::new("get-or-set", "reads or writes, one of them", get_or_set),
        Case::new("offset-missing", "wants to know where", offset_missing),
        Case::new(
            "get-with-more",
            "reads without a length and without a token",
            get_with_more,
        ),
        Case::new(
            "get-too-much",
            "reads no more than fits into a message",
            get_too_much,
        ),
        Case::new("get-behind", "reads nothing behind the end", get_behind),
        Case::new(
            "set-length",
            "wants to know the whole length first, and only then",
            set_length,
        ),
        Case::new("set-too-long", "has no room for more than it says", set_too_long),
        Case::new(
            "set-too-short",
            "refuses an array that is shorter than an empty one",
            set_too_short,
        ),
        Case::new("set-offset", "wants one fragment after the other", set_offset),
        Case::new("set-overflow", "refuses more than was announced", set_overflow),
        Case::new(
            "set-checksum",
            "keeps the old array when the checksum is wrong",
            set_checksum,
        ),
        Case::new(
            "set-interrupted",
            "forgets half an array when something else comes",
            set_interrupted,
        ),
        Case::new(
            "set-unauthorised",
            "wants a token where users can be verified",
            set_unauthorised,
        ),
        Case::new(
            "token-lasts",
            "writes every fragment with one token, also after a touch",
            token_lasts,
        ),
    ],
};

const TWO: PinProtocol = PinProtocol::Two;

fn needed(bench: &mut Bench) -> Outcome {
    bench.needs_option("largeBlobs", "the key keeps large blobs with their credentials")
}

fn refuses(bench: &mut Bench, request: &LargeBlobs, expected: Status) -> Outcome {
    refused(bench.client().large_blobs(request), expected)
}

fn absent(bench: &mut Bench) -> Outcome {
    if bench.info()?.option("largeBlobs").is_some() {
        return Err(Stop::NotApplicable("the key has the option"));
    }
    refuses(bench, &LargeBlobs::get(0, 17), Status::INVALID_COMMAND)
}

fn get_or_set(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let neither = LargeBlobs {
        offset: Some(0),
        ..LargeBlobs::default()
    };
    refuses(bench, &neither, Status::INVALID_PARAMETER)?;
    let both = LargeBlobs {
        set: Some(vec![0; 17]),
        ..LargeBlobs::get(0, 17)
    };
    refuses(bench, &both, Status::INVALID_PARAMETER)
}

fn offset_missing(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let request = LargeBlobs {
        offset: None,
        ..LargeBlobs::get(0, 17)
    };
    refuses(bench, &request, Status::INVALID_PARAMETER)
}

fn get_with_more(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let get = || LargeBlobs::get(0, 17);
    let length = LargeBlobs {
        length: Some(17),
        ..get()
    };
    let param = LargeBlobs {
        pin_uv_auth_param: Some(vec![1; 32]),
        ..get()
    };
    let protocol = LargeBlobs {
        protocol: Some(2),
        ..get()
    };
    for request in [length, param, protocol] {
        refuses(bench, &request, Status::INVALID_PARAMETER)?;
    }
    Ok(())
}

fn longest_fragment(bench: &mut Bench) -> Result<u32, Stop> {
    Ok(largest_fragment(bench.info()?.message_len_max))
}

fn get_too_much(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let longest = longest_fragment(bench)?;
    bench.client().large_blobs(&LargeBlobs::get(0, longest))?;
    refuses(bench, &LargeBlobs::get(0, longest + 1), Status::INVALID_LENGTH)
}

fn get_behind(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let at_the_end = bench.client().large_blobs(&LargeBlobs::get(17, 10))?;
    ensure_eq!(at_the_end, Some(Vec::new()), "what is at the end");
    refuses(bench, &LargeBlobs::get(18, 10), Status::INVALID_PARAMETER)
}

/// A fragment, authorised where that is wanted.
fn set(bench: &mut Bench, request: LargeBlobs) -> Result<LargeBlobs, Stop> {
    Ok(match bench.uv_token(Permissions::LARGE_BLOB_WRITE)? {
        Some(token) => request.authorized_by(&token),
        None => request,
    })
}

fn set_length(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let unknown = LargeBlobs {
        length: None,
        ..LargeBlobs::set(&[0; 17], 0, 17)
    };
    refuses(bench, &unknown, Status::INVALID_PARAMETER)?;
    let again = LargeBlobs {
        length: Some(34),
        ..LargeBlobs::set(&[0; 17], 17, 34)
    };
    refuses(bench, &again, Status::INVALID_PARAMETER)
}

fn room(bench: &mut Bench) -> Result<u32, Stop> {
    let info = bench.info()?;
    let room = info.member(0x0B).and_then(Value::as_integer);
    let room = room.and_then(|room| u32::try_from(i128::from(room)).ok());
    present(room, "maxSerializedLargeBlobArray")
}

fn set_too_long(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let room = room(bench)?;
    let request = LargeBlobs::set(&[0; 17], 0, room + 1);
    refuses(bench, &request, Status::LARGE_BLOB_STORAGE_FULL)
}

fn set_too_short(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    refuses(
        bench,
        &LargeBlobs::set(&[0; 16], 0, 16),
        Status::INVALID_PARAMETER,
    )
}

fn set_offset(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    // Nothing was begun.
    refuses(bench, &LargeBlobs::set(&[0; 17], 17, 34), Status::INVALID_SEQ)?;
    let first = set(bench, LargeBlobs::set(&[0; 17], 0, 60))?;
    bench.client().large_blobs(&first)?;
    refuses(bench, &LargeBlobs::set(&[0; 17], 18, 60), Status::INVALID_SEQ)
}

fn set_overflow(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let request = set(bench, LargeBlobs::set(&[0; 18], 0, 17))?;
    refuses(bench, &request, Status::INVALID_PARAMETER)
}

fn set_checksum(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let mut serialized = serialize_large_blobs(&[0x81, 0x01]);
    serialized.push(0);
    let length = u32::try_from(serialized.len()).unwrap_or_default();
    let request = set(bench, LargeBlobs::set(&serialized, 0, length))?;
    refuses(bench, &request, Status::INTEGRITY_FAILURE)?;
    let kept = bench.client().read_large_blobs(200)?;
    ensure_eq!(kept, serialize_large_blobs(&[0x80]), "the array");
    Ok(())
}

fn set_interrupted(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let first = set(bench, LargeBlobs::set(&[0; 17], 0, 60))?;
    bench.client().large_blobs(&first)?;
    let unknown = bench.assertion_for(RP_ID);
    refused(bench.client().get_assertion(&unknown), Status::NO_CREDENTIALS)?;
    refuses(bench, &LargeBlobs::set(&[0; 17], 17, 60), Status::INVALID_SEQ)
}

fn set_unauthorised(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    bench.set_pin(TWO)?;
    let request = || LargeBlobs::set(&serialize_large_blobs(&[0x80]), 0, 17);
    refuses(bench, &request(), Status::PUAT_REQUIRED)?;
    let token = bench.token(TWO, Permissions::LARGE_BLOB_WRITE, None)?;
    let no_protocol = LargeBlobs {
        protocol: None,
        ..request().authorized_by(&token)
    };
    refuses(bench, &no_protocol, Status::MISSING_PARAMETER)?;
    let unknown_protocol = LargeBlobs {
        protocol: Some(3),
        ..request().authorized_by(&token)
    };
    refuses(bench, &unknown_protocol, Status::INVALID_PARAMETER)?;
    let other_fragment = LargeBlobs {
        set: Some(vec![0; 17]),
        ..request().authorized_by(&token)
    };
    refuses(bench, &other_fragment, Status::PIN_AUTH_INVALID)?;
    let all_others = Permissions::CREDENTIAL_MANAGEMENT.and(Permissions::CONFIGURATION);
    let other = bench.token(TWO, all_others, None)?;
    refuses(bench, &request().authorized_by(&other), Status::PIN_AUTH_INVALID)
}

fn token_lasts(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    bench.set_pin(TWO)?;
    let both = Permissions::MAKE_CREDENTIAL.and(Permissions::LARGE_BLOB_WRITE);
    let token = bench.token(TWO, both, Some(RP_ID))?;
    let request = bench.registration().authorized_by(&token);
    bench.register(&request)?;
    let serialized = serialize_large_blobs(&bench.rng.bytes::<500>());
    bench.client().write_large_blobs(Some(&token), &serialized, 100)?;
    ensure_eq!(bench.client().read_large_blobs(200)?, serialized, "the array");
    Ok(())
}
