//! `wardkey-get-assertion`: authenticatorGetAssertion and authenticatorGetNextAssertion, CTAP 2.3 §6.2.2 and §6.3.

use std::time::Duration;

use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{GetAssertion, Permissions, PinProtocol, Status};

use crate::bench::{Bench, GET_ASSERTION, RP_ID, Registered};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present, refused};
use crate::key::User;
use crate::parameters::Parameters;
use crate::signature::verifies;

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-get-assertion",
    cases: &[
        Case::new("option-rk", "refuses the option rk", option_rk),
        Case::new(
            "up-false",
            "signs without presence, and keeps the token",
            up_false,
        ),
        Case::new("used-up", "takes the permission away after a touch", used_up),
        Case::new(
            "no-permission",
            "refuses a token for something else",
            no_permission,
        ),
        Case::new("declined", "tells that the user refused", declined),
        Case::new("timed-out", "tells that the user did nothing", timed_out),
        Case::new(
            "user-of-listed",
            "names the account of a listed credential that it stores",
            user_of_listed,
        ),
        Case::new(
            "user-of-wrapped",
            "names no account of a credential that it does not store",
            user_of_wrapped,
        ),
        Case::new("other-rp", "does not know the credentials of others", other_rp),
        Case::new(
            "next-without-first",
            "gives no next assertion before the first",
            next_without_first,
        ),
        Case::new(
            "next-expires",
            "gives no next assertion after 30 seconds",
            next_expires,
        ),
        Case::new("next-timer", "gives each next assertion 30 seconds", next_timer),
        Case::new(
            "next-elsewhere",
            "gives the next assertion on any channel",
            next_elsewhere,
        ),
        Case::new(
            "next-after-init",
            "gives the next assertion after INIT and PING",
            next_after_init,
        ),
        Case::new("next-replug", "forgets the rest when it loses power", next_replug),
        Case::new(
            "next-interrupted",
            "forgets the rest when another command comes",
            next_interrupted,
        ),
        Case::new(
            "next-after-info",
            "keeps the rest when asked what it is",
            next_after_info,
        ),
        Case::new("next-flags", "signs the next assertion as the first", next_flags),
        Case::new(
            "survives-power",
            "keeps credentials without power",
            survives_power,
        ),
        Case::new(
            "allow-list-length",
            "takes lists as long as it says",
            allow_list_length,
        ),
    ],
};

const TWO: PinProtocol = PinProtocol::Two;

fn registered(bench: &mut Bench, resident: bool) -> Result<(Registered, GetAssertion), Stop> {
    let request = bench.registration_of(resident);
    let credential = bench.register(&request)?;
    let request = bench.assertion_of(&credential);
    Ok((credential, request))
}

fn option_rk(bench: &mut Bench) -> Outcome {
    let (_, request) = registered(bench, true)?;
    for rk in [false, true] {
        let request = Parameters::from(&request).with_inner(5, "rk", rk);
        bench.refuses(GET_ASSERTION, &request, Status::UNSUPPORTED_OPTION)?;
    }
    Ok(())
}

/// Browsers look for credentials so, and then use the same token.
fn up_false(bench: &mut Bench) -> Outcome {
    let (_, request) = registered(bench, false)?;
    bench.set_pin(TWO)?;
    let token = bench.token(TWO, Permissions::GET_ASSERTION, Some(RP_ID))?;
    bench.user(User::Absent)?;
    let silent = GetAssertion {
        up: Some(false),
        ..request.clone()
    };
    let flags = bench.assert(&silent)?.auth_data.flags;
    ensure_eq!(flags.0 & 0x05, 0, "flags UP and UV");
    for _ in 0..2 {
        let flags = bench
            .assert(&silent.clone().authorized_by(&token))?
            .auth_data
            .flags;
        ensure_eq!(
            flags.0 & 0x05,
            Flags::USER_VERIFIED.0,
            "flags UP and UV, with a token"
        );
    }
    bench.user(User::Agrees)?;
    let flags = bench.assert(&request.authorized_by(&token))?.auth_data.flags;
    ensure_eq!(flags.0 & 0x05, 0x05, "flags UP and UV, with a token and a touch");
    Ok(())
}

fn used_up(bench: &mut Bench) -> Outcome {
    let (_, request) = registered(bench, false)?;
    bench.set_pin(TWO)?;
    let token = bench.token(TWO, Permissions::GET_ASSERTION, Some(RP_ID))?;
    let request = request.authorized_by(&token);
    bench.assert(&request)?;
    refused(bench.client().get_assertion(&request), Status::PIN_AUTH_INVALID)
}

fn no_permission(bench: &mut Bench) -> Outcome {
    let (_, request) = registered(bench, false)?;
    bench.set_pin(TWO)?;
    let token = bench.token(TWO, Permissions::MAKE_CREDENTIAL, Some(RP_ID))?;
    let answer = bench
        .client()
        .get_assertion(&request.clone().authorized_by(&token));
    refused(answer, Status::PIN_AUTH_INVALID)?;
    let token = bench.token(TWO, Permissions::GET_ASSERTION, Some("another.example"))?;
    let answer = bench.client().get_assertion(&request.authorized_by(&token));
    refused(answer, Status::PIN_AUTH_INVALID)
}

fn declined(bench: &mut Bench) -> Outcome {
    let (_, request) = registered(bench, false)?;
    bench.user(User::Refuses)?;
    refused(bench.client().get_assertion(&request), Status::OPERATION_DENIED)
}

fn timed_out(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    let (_, request) = registered(bench, false)?;
    bench.user(User::Absent)?;
    refused(bench.client().get_assertion(&request), Status::OPERATION_DENIED)
}

/// Only its id without verification, everything with it.
fn user_of_listed(bench: &mut Bench) -> Outcome {
    let (credential, request) = registered(bench, true)?;
    let user = present(bench.assert(&request)?.user, "user")?;
    ensure_eq!(user.id, credential.account.id, "user.id");
    ensure_eq!(
        (user.name, user.display_name),
        (None, None),
        "names without verification"
    );
    bench.set_pin(TWO)?;
    let token = bench.token(TWO, Permissions::GET_ASSERTION, Some(RP_ID))?;
    let user = bench.assert(&request.authorized_by(&token))?.user;
    ensure_eq!(user.as_ref(), Some(&credential.account), "user with verification");
    Ok(())
}

fn user_of_wrapped(bench: &mut Bench) -> Outcome {
    let (_, request) = registered(bench, false)?;
    ensure_eq!(bench.assert(&request)?.user, None, "user");
    Ok(())
}

fn other_rp(bench: &mut Bench) -> Outcome {
    for resident in [false, true] {
        let (_, mut request) = registered(bench, resident)?;
        request.rp_id = "another.example".to_owned();
        refused(bench.client().get_assertion(&request), Status::NO_CREDENTIALS)?;
    }
    Ok(())
}

fn next_without_first(bench: &mut Bench) -> Outcome {
    refused(bench.client().get_next_assertion(), Status::NOT_ALLOWED)?;
    // One credential has no next.
    registered(bench, true)?;
    let request = bench.assertion_for(RP_ID);
    bench.assert(&request)?;
    refused(bench.client().get_next_assertion(), Status::NOT_ALLOWED)
}

/// The first of three assertions.
fn first_of_three(bench: &mut Bench) -> Result<(Vec<Registered>, GetAssertion), Stop> {
    if bench.configuration().display {
        return Err(Stop::NotApplicable("the key lets its user choose the account"));
    }
    let mut credentials = Vec::new();
    for _ in 0..3 {
        credentials.push(registered(bench, true)?.0);
    }
    let request = bench.assertion_for(RP_ID);
    let first = bench.assert(&request)?;
    ensure_eq!(first.number_of_credentials, Some(3), "numberOfCredentials");
    Ok((credentials, request))
}

fn next_expires(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    first_of_three(bench)?;
    bench.wait(Duration::from_millis(30_001))?;
    refused(bench.client().get_next_assertion(), Status::NOT_ALLOWED)
}

fn next_timer(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    first_of_three(bench)?;
    for _ in 0..2 {
        bench.wait(Duration::from_secs(29))?;
        bench.client().get_next_assertion()?;
    }
    Ok(())
}

fn next_elsewhere(bench: &mut Bench) -> Outcome {
    first_of_three(bench)?;
    let mut other = bench.another_client()?;
    other.get_next_assertion()?;
    bench.client().get_next_assertion()?;
    Ok(())
}

fn next_after_init(bench: &mut Bench) -> Outcome {
    first_of_three(bench)?;
    let nonce = bench.rng.bytes();
    bench.client().pipe_mut().resynchronise(nonce)?;
    bench.client().pipe_mut().ping(&[1, 2, 3])?;
    bench.client().get_next_assertion()?;
    Ok(())
}

fn next_replug(bench: &mut Bench) -> Outcome {
    first_of_three(bench)?;
    bench.power_cycle()?;
    refused(bench.client().get_next_assertion(), Status::NOT_ALLOWED)
}

fn next_interrupted(bench: &mut Bench) -> Outcome {
    first_of_three(bench)?;
    let request = bench.registration();
    bench.register(&request)?;
    refused(bench.client().get_next_assertion(), Status::NOT_ALLOWED)
}

fn next_after_info(bench: &mut Bench) -> Outcome {
    first_of_three(bench)?;
    bench.info()?;
    bench.client().get_next_assertion()?;
    Ok(())
}

fn next_flags(bench: &mut Bench) -> Outcome {
    let (credentials, request) = first_of_three(bench)?;
    for credential in credentials.iter().rev().skip(1) {
        let next = bench.client().get_next_assertion()?;
        ensure!(
            next.auth_data.flags.contains(Flags::USER_PRESENT),
            "flag UP is not set"
        );
        let signed = [next.auth_data.raw.as_slice(), &request.client_data_hash].concat();
        ensure!(
            verifies(&credential.public_key, &signed, &next.signature),
            "the signature is not over the first request"
        );
    }
    Ok(())
}

fn survives_power(bench: &mut Bench) -> Outcome {
    for resident in [false, true] {
        let (_, request) = registered(bench, resident)?;
        bench.power_cycle()?;
        bench.assert(&request)?;
    }
    Ok(())
}

fn allow_list_length(bench: &mut Bench) -> Outcome {
    let (_, mut request) = registered(bench, false)?;
    let most = usize::try_from(bench.info()?.credentials_in_list_max.unwrap_or_default()).unwrap_or_default();
    let own = request.allow_list.clone();
    request.allow_list = vec![vec![9; 32]; most - 1];
    request.allow_list.extend(own);
    bench.assert(&request)?;
    request.allow_list.push(vec![9; 32]);
    refused(bench.client().get_assertion(&request), Status::LIMIT_EXCEEDED)
}
