//! `wardkey-config`: authenticatorConfig in its order, CTAP 2.3 §6.11, and what alwaysUv means, §7.2.

use ciborium::Value;
use wardkey_sim::fido_client::{Configuration, Error, MinPinLength, Permissions, PinProtocol, Status};
use wardkey_sim::hid_client::{self, HidError};

use crate::bench::{Bench, RP_ID};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, refused};
use crate::parameters::Parameters;

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-config",
    cases: &[
        Case::new(
            "unknown-subcommand",
            "refuses a subcommand that it does not know",
            unknown_subcommand,
        ),
        Case::new(
            "unauthorised",
            "wants a token where users can be verified",
            unauthorised,
        ),
        Case::new("new-key", "wants no token from who has no PIN", new_key),
        Case::new("shorter", "does not allow shorter PINs again", shorter),
        Case::new("too-long", "demands no PINs that cannot be", too_long),
        Case::new(
            "force-without-pin",
            "forces no change of a PIN that is not there",
            force_without_pin,
        ),
        Case::new(
            "long-enough",
            "forces no change of a PIN that is long enough",
            long_enough,
        ),
        Case::new("too-many", "takes no more relying parties than it says", too_many),
        Case::new("replaces", "replaces the list of relying parties", replaces),
        Case::new(
            "length-counts",
            "refuses PINs that are too short now",
            length_counts,
        ),
        Case::new(
            "force-ends-tokens",
            "ends tokens when a change is forced",
            force_ends_tokens,
        ),
        Case::new(
            "always-uv",
            "signs and registers only for verified users",
            always_uv,
        ),
        Case::new(
            "always-uv-silent",
            "signs without presence all the same",
            always_uv_silent,
        ),
        Case::new(
            "always-uv-u2f",
            "speaks no U2F, which verifies nobody",
            always_uv_u2f,
        ),
        Case::new(
            "always-uv-ends",
            "lets somebody without a PIN end it",
            always_uv_ends,
        ),
        Case::new("reset", "has its first settings after a reset", reset),
    ],
};

const TWO: PinProtocol = PinProtocol::Two;
const COMMAND: u8 = 0x0D;

/// Configures the key as its owner.
fn configure(bench: &mut Bench, setting: &Configuration) -> Outcome {
    let token = bench.token(TWO, Permissions::CONFIGURATION, None)?;
    Ok(bench.client().configure(setting, Some(&token))?)
}

fn refuses(bench: &mut Bench, setting: &Configuration, expected: Status) -> Outcome {
    let token = bench.token(TWO, Permissions::CONFIGURATION, None)?;
    refused(bench.client().configure(setting, Some(&token)), expected)
}

fn policy(policy: MinPinLength) -> Configuration {
    Configuration::SetMinPinLength(policy)
}

fn length(length: u32) -> Configuration {
    policy(MinPinLength {
        new_min_pin_length: Some(length),
        ..MinPinLength::default()
    })
}

fn rp_ids(count: usize) -> Configuration {
    policy(MinPinLength {
        rp_ids: Some((0..count).map(|number| format!("rp{number}.example")).collect()),
        ..MinPinLength::default()
    })
}

fn unknown_subcommand(bench: &mut Bench) -> Outcome {
    for subcommand in [0x00, 0x05, 0x7F] {
        let request = Parameters::decode(&Configuration::ToggleAlwaysUv.to_bytes(None))?;
        bench.refuses(COMMAND, &request.with(1, subcommand), Status::INVALID_SUBCOMMAND)?;
    }
    Ok(())
}

fn unauthorised(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let setting = length(6);
    refused(bench.client().configure(&setting, None), Status::PUAT_REQUIRED)?;
    let token = bench.token(TWO, Permissions::CONFIGURATION, None)?;
    let request = Parameters::decode(&setting.to_bytes(Some(&token)))?;
    bench.refuses(COMMAND, &request.clone().without(3), Status::MISSING_PARAMETER)?;
    bench.refuses(COMMAND, &request.clone().with(3, 3), Status::INVALID_PARAMETER)?;
    bench.refuses(COMMAND, &request.with(4, vec![0; 32]), Status::PIN_AUTH_INVALID)?;
    let all_others = Permissions::CREDENTIAL_MANAGEMENT.and(Permissions::MAKE_CREDENTIAL);
    let other = bench.token(TWO, all_others, Some(RP_ID))?;
    refused(
        bench.client().configure(&setting, Some(&other)),
        Status::PIN_AUTH_INVALID,
    )
}

fn new_key(bench: &mut Bench) -> Outcome {
    if bench.configuration().built_in_uv {
        return Err(Stop::NotApplicable(
            "the key can verify its user before there is a PIN",
        ));
    }
    bench.client().configure(&length(6), None)?;
    ensure_eq!(min_pin_length(bench)?, Some(Value::from(6)), "minPINLength");
    Ok(())
}

fn min_pin_length(bench: &mut Bench) -> Result<Option<Value>, Stop> {
    Ok(bench.info()?.member(0x0D).cloned())
}

fn shorter(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    configure(bench, &length(8))?;
    configure(bench, &length(8))?;
    refuses(bench, &length(7), Status::PIN_POLICY_VIOLATION)?;
    // The length comes first, and nothing else is done.
    let forced = policy(MinPinLength {
        new_min_pin_length: Some(7),
        force_change_pin: Some(true),
        ..MinPinLength::default()
    });
    refuses(bench, &forced, Status::PIN_POLICY_VIOLATION)?;
    ensure_eq!(forces_change(bench)?, Some(Value::from(false)), "forcePINChange");
    Ok(())
}

fn forces_change(bench: &mut Bench) -> Result<Option<Value>, Stop> {
    Ok(bench.info()?.member(0x0C).cloned())
}

fn too_long(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    refuses(bench, &length(64), Status::PIN_POLICY_VIOLATION)
}

fn force_without_pin(bench: &mut Bench) -> Outcome {
    let forced = policy(MinPinLength {
        new_min_pin_length: Some(9),
        force_change_pin: Some(true),
        ..MinPinLength::default()
    });
    let token = bench.uv_token(Permissions::CONFIGURATION)?;
    refused(
        bench.client().configure(&forced, token.as_ref()),
        Status::PIN_NOT_SET,
    )?;
    ensure_eq!(min_pin_length(bench)?, Some(Value::from(4)), "minPINLength");
    Ok(())
}

fn long_enough(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    configure(bench, &length(12))?;
    ensure_eq!(forces_change(bench)?, Some(Value::from(false)), "forcePINChange");
    Ok(())
}

fn too_many(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let info = bench.info()?;
    let most = info.member(0x10).and_then(Value::as_integer).map(i128::from);
    let most = most
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or_default();
    refuses(bench, &rp_ids(most + 1), Status::KEY_STORE_FULL)
}

fn replaces(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let only = |rp_id: &str| {
        policy(MinPinLength {
            rp_ids: Some(vec![rp_id.to_owned()]),
            ..MinPinLength::default()
        })
    };
    let told = |bench: &mut Bench| -> Result<bool, Stop> {
        let token = bench.token(TWO, Permissions::MAKE_CREDENTIAL, Some(RP_ID))?;
        let request = bench.registration().authorized_by(&token);
        let request = request.with_extensions([("minPinLength", Value::from(true))]);
        Ok(bench
            .register(&request)?
            .attestation
            .auth_data
            .extensions
            .is_some())
    };
    configure(bench, &only(RP_ID))?;
    ensure!(told(bench)?, "a relying party on the list is not told");
    configure(bench, &only("another.example"))?;
    ensure!(
        !told(bench)?,
        "a relying party that is no longer on the list is told"
    );
    Ok(())
}

fn length_counts(bench: &mut Bench) -> Outcome {
    let token = bench.uv_token(Permissions::CONFIGURATION)?;
    bench.client().configure(&length(9), token.as_ref())?;
    let (client, rng) = bench.client_and_rng();
    refused(
        client.set_pin(TWO, b"12345678", rng),
        Status::PIN_POLICY_VIOLATION,
    )?;
    Ok(client.set_pin(TWO, b"123456789", rng)?)
}

fn force_ends_tokens(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let both = Permissions::CONFIGURATION.and(Permissions::MAKE_CREDENTIAL);
    let token = bench.token(TWO, both, Some(RP_ID))?;
    let forced = policy(MinPinLength {
        force_change_pin: Some(true),
        ..MinPinLength::default()
    });
    bench.client().configure(&forced, Some(&token))?;
    let request = bench.registration().authorized_by(&token);
    refused(bench.client().make_credential(&request), Status::PIN_AUTH_INVALID)
}

/// Turns alwaysUv on, for a key with a PIN.
fn turn_on(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    configure(bench, &Configuration::ToggleAlwaysUv)?;
    ensure_eq!(bench.info()?.option("alwaysUv"), Some(true), "option alwaysUv");
    Ok(())
}

fn always_uv(bench: &mut Bench) -> Outcome {
    let request = bench.registration();
    let credential = bench.register(&request)?;
    turn_on(bench)?;
    let registration = bench.registration();
    let assertion = bench.assertion_of(&credential);
    if bench.configuration().built_in_uv {
        // The key verifies by itself.
        let flags = bench.register(&registration)?.attestation.auth_data.flags.0;
        ensure_eq!(flags & 0x05, 0x05, "flags UP and UV of the registration");
        let flags = bench.assert(&assertion)?.auth_data.flags.0;
        ensure_eq!(flags & 0x05, 0x05, "flags UP and UV of the assertion");
    } else {
        refused(
            bench.client().make_credential(&registration),
            Status::PUAT_REQUIRED,
        )?;
        refused(bench.client().get_assertion(&assertion), Status::PUAT_REQUIRED)?;
    }
    let token = bench.token(TWO, Permissions::MAKE_CREDENTIAL, Some(RP_ID))?;
    bench.register(&registration.authorized_by(&token)).map(drop)
}

fn always_uv_silent(bench: &mut Bench) -> Outcome {
    let request = bench.registration();
    let credential = bench.register(&request)?;
    turn_on(bench)?;
    let mut request = bench.assertion_of(&credential);
    request.up = Some(false);
    let flags = bench.assert(&request)?.auth_data.flags.0;
    ensure_eq!(flags & 0x05, 0, "flags UP and UV");
    Ok(())
}

/// U2F has no user verification. With a built-in one the key might ask for it; it does not.
fn always_uv_u2f(bench: &mut Bench) -> Outcome {
    turn_on(bench)?;
    let speaks = bench.info()?.versions.iter().any(|version| version == "U2F_V2");
    ensure!(!speaks, "the versions name U2F_V2");
    let is_refused = matches!(
        bench.client().u2f_version(),
        Err(Error::Hid(hid_client::Error::Refused(HidError::INVALID_CMD)))
    );
    ensure!(is_refused, "U2F is answered");
    let mut other = bench.another_client()?;
    ensure!(
        !other.pipe_mut().init_reply().capabilities.has_msg(),
        "the capabilities say U2F"
    );
    Ok(())
}

/// Otherwise a key without a PIN were of no use for ever.
fn always_uv_ends(bench: &mut Bench) -> Outcome {
    if bench.configuration().built_in_uv {
        return Err(Stop::NotApplicable(
            "the key can verify its user before there is a PIN",
        ));
    }
    bench.client().configure(&Configuration::ToggleAlwaysUv, None)?;
    let request = bench.registration();
    let answer = bench.client().make_credential(&request);
    refused(answer, Status::PUAT_REQUIRED)?;
    bench.client().configure(&Configuration::ToggleAlwaysUv, None)?;
    ensure_eq!(bench.info()?.option("alwaysUv"), Some(false), "option alwaysUv");
    bench.register(&request).map(drop)
}

fn reset(bench: &mut Bench) -> Outcome {
    let before = bench.info()?;
    bench.set_pin(TWO)?;
    configure(bench, &length(10))?;
    configure(bench, &rp_ids(1))?;
    configure(bench, &Configuration::ToggleAlwaysUv)?;
    configure(bench, &Configuration::EnableLongTouchForReset)?;
    bench.reset()?;
    ensure_eq!(bench.info()?.raw, before.raw, "getInfo after a reset");
    Ok(())
}
