//! `wardkey-built-in-uv`: user verification by the key itself, CTAP 2.3 §6.5.3.1 and §6.5.5.7.3.

use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{Error, Grant, Permissions, PinProtocol, PinUvAuthToken, Status};

use crate::bench::{Bench, PIN, RP_ID};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, refused};
use crate::key::User;

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-built-in-uv",
    cases: &[
        Case::new("stranger-token", "gives strangers no token", stranger_token),
        Case::new("stranger-registers", "registers no strangers", stranger_registers),
        Case::new("stranger-signs", "signs for no strangers", stranger_signs),
        Case::new(
            "blocked",
            "stops trying after too many failures, until the PIN comes",
            blocked,
        ),
        Case::new(
            "blocked-survives",
            "stays blocked without power",
            blocked_survives,
        ),
        Case::new(
            "presence",
            "does not ask again for presence after verifying",
            presence,
        ),
        Case::new(
            "resident",
            "stores nothing for somebody whom it did not verify",
            resident,
        ),
        Case::new("refuses", "gives no token when the user refuses", user_refuses),
    ],
};

const TWO: PinProtocol = PinProtocol::Two;

fn needed(bench: &mut Bench) -> Outcome {
    bench.needs_option("uv", "the key has no built-in user verification")
}

fn token(bench: &mut Bench) -> Result<PinUvAuthToken, Error> {
    let grant = Grant {
        permissions: Permissions::MAKE_CREDENTIAL,
        rp_id: Some(RP_ID),
    };
    let (client, rng) = bench.client_and_rng();
    client.uv_token_for(TWO, grant, rng)
}

fn stranger_token(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let before = bench.client().uv_retries()?;
    bench.user(User::IsStranger)?;
    refused(token(bench), Status::UV_INVALID)?;
    let after = bench.client().uv_retries()?;
    ensure!(after < before, "uvRetries was {before} and is {after}");
    bench.user(User::Agrees)?;
    token(bench)?;
    ensure_eq!(bench.client().uv_retries()?, before, "uvRetries after a success");
    Ok(())
}

/// With a PIN, the platform is told to ask for that.
fn stranger_registers(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    bench.user(User::IsStranger)?;
    let mut request = bench.registration();
    request.uv = Some(true);
    refused(bench.client().make_credential(&request), Status::OPERATION_DENIED)
}

fn stranger_signs(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let request = bench.registration();
    let credential = bench.register(&request)?;
    bench.user(User::IsStranger)?;
    let mut request = bench.assertion_of(&credential);
    request.uv = Some(true);
    refused(bench.client().get_assertion(&request), Status::OPERATION_DENIED)?;
    bench.set_pin(TWO)?;
    refused(bench.client().get_assertion(&request), Status::PUAT_REQUIRED)
}

/// Fails until nothing is left.
fn block(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    bench.user(User::IsStranger)?;
    for _ in 0..25 {
        if bench.client().uv_retries()? == 0 {
            bench.user(User::Agrees)?;
            return Ok(());
        }
        ensure!(token(bench).is_err(), "a stranger got a token");
    }
    Err(Stop::Failed("25 failures do not block".to_owned()))
}

fn blocked(bench: &mut Bench) -> Outcome {
    block(bench)?;
    refused(token(bench), Status::UV_BLOCKED)?;
    let mut request = bench.registration();
    request.uv = Some(true);
    refused(bench.client().make_credential(&request), Status::PIN_BLOCKED)?;
    bench.set_pin(TWO)?;
    let (client, rng) = bench.client_and_rng();
    client.pin_token(TWO, PIN, rng)?;
    ensure!(
        bench.client().uv_retries()? > 0,
        "uvRetries is 0 after the right PIN"
    );
    token(bench)?;
    Ok(())
}

fn blocked_survives(bench: &mut Bench) -> Outcome {
    block(bench)?;
    bench.power_cycle()?;
    ensure_eq!(bench.client().uv_retries()?, 0, "uvRetries");
    refused(token(bench), Status::UV_BLOCKED)
}

fn presence(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let token = token(bench)?;
    bench.user(User::Absent)?;
    let request = bench.registration().authorized_by(&token);
    let flags = bench.register(&request)?.attestation.auth_data.flags;
    ensure!(flags.contains(Flags::USER_PRESENT), "flag UP is not set");
    ensure!(flags.contains(Flags::USER_VERIFIED), "flag UV is not set");
    Ok(())
}

fn resident(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    let mut request = bench.resident_registration();
    request.uv = None;
    refused(bench.client().make_credential(&request), Status::OPERATION_DENIED)?;
    bench.set_pin(TWO)?;
    refused(bench.client().make_credential(&request), Status::PUAT_REQUIRED)
}

fn user_refuses(bench: &mut Bench) -> Outcome {
    needed(bench)?;
    bench.user(User::Refuses)?;
    refused(token(bench), Status::OPERATION_DENIED)
}
