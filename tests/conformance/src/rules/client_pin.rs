//! `wardkey-client-pin`: authenticatorClientPIN and tokens, CTAP 2.3 §6.5.

use std::time::Duration;

use ciborium::Value;
use wardkey_sim::fido_client::{
    ClientPin, Error, Grant, Permissions, PinProtocol, PinUvAuthToken, SharedSecret, Status,
};

use crate::bench::{Bench, PIN, RP_ID};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, refused};

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-client-pin",
    cases: &[
        Case::new(
            "unknown-subcommand",
            "refuses a subcommand that it does not know",
            unknown_subcommand,
        ),
        Case::new(
            "missing",
            "misses every parameter that a subcommand needs",
            missing,
        ),
        Case::new(
            "protocol-unknown",
            "refuses a protocol that it does not know",
            protocol_unknown,
        ),
        Case::new(
            "key-off-curve",
            "refuses a key that is no point of the curve",
            key_off_curve,
        ),
        Case::new("set-twice", "sets a PIN once", set_twice),
        Case::new(
            "set-wrong-param",
            "sets no PIN that is not authenticated",
            set_wrong_param,
        ),
        Case::new(
            "set-length",
            "refuses a PIN that is not padded to 64 bytes",
            set_length,
        ),
        Case::new("set-utf-8", "refuses a PIN that is not UTF-8", set_utf_8),
        Case::new("code-points", "counts characters, not bytes", code_points),
        Case::new(
            "change-without-pin",
            "changes no PIN before there is one",
            change_without_pin,
        ),
        Case::new(
            "change-wrong",
            "counts a wrong PIN when it is changed",
            change_wrong,
        ),
        Case::new(
            "change-to-same",
            "changes the PIN to itself unless forced",
            change_to_same,
        ),
        Case::new(
            "token-without-pin",
            "gives no token before there is a PIN",
            token_without_pin,
        ),
        Case::new(
            "retries-without-pin",
            "has all retries before there is a PIN",
            retries_without_pin,
        ),
        Case::new(
            "old-with-permissions",
            "refuses permissions with getPinToken",
            old_with_permissions,
        ),
        Case::new("no-permissions", "gives no token for nothing", no_permissions),
        Case::new(
            "unknown-permissions",
            "ignores permissions that do not exist",
            unknown_permissions,
        ),
        Case::new(
            "bio-permission",
            "gives no token for what it does not have",
            bio_permission,
        ),
        Case::new(
            "persistent-alone",
            "gives the persistent permission only alone",
            persistent_alone,
        ),
        Case::new("new-key", "agrees on a new key after a wrong PIN", new_key),
        Case::new("retries-survive", "counts on after losing power", retries_survive),
        Case::new(
            "new-token",
            "forgets the old token when it gives a new one",
            new_token,
        ),
        Case::new(
            "token-replug",
            "forgets the token when it loses power",
            token_replug,
        ),
        Case::new(
            "token-unused",
            "forgets a token that is not used for 30 seconds",
            token_unused,
        ),
        Case::new("token-oldest", "forgets a token after ten minutes", token_oldest),
        Case::new("uv-absent", "does not verify what it cannot", uv_absent),
    ],
};

const TWO: PinProtocol = PinProtocol::Two;

fn ask(bench: &mut Bench, request: &ClientPin, expected: Status) -> Outcome {
    refused(bench.client().client_pin(request), expected)
}

fn share(bench: &mut Bench, protocol: PinProtocol) -> Result<SharedSecret, Stop> {
    let (client, rng) = bench.client_and_rng();
    Ok(client.share_secret(protocol, rng)?)
}

fn unknown_subcommand(bench: &mut Bench) -> Outcome {
    for subcommand in [0x00, 0x08, 0x0A, 0xFF] {
        ask(bench, &ClientPin::bare(subcommand), Status::INVALID_SUBCOMMAND)?;
    }
    Ok(())
}

fn missing(bench: &mut Bench) -> Outcome {
    ask(
        bench,
        &ClientPin::bare(ClientPin::GET_KEY_AGREEMENT),
        Status::MISSING_PARAMETER,
    )?;
    ask(bench, &ClientPin::default(), Status::MISSING_PARAMETER)?;
    let secret = share(bench, TWO)?;
    let grant = Grant {
        permissions: Permissions::MAKE_CREDENTIAL,
        rp_id: None,
    };
    let rng = &mut bench.rng;
    let requests = [
        ClientPin::set_pin(&secret, PIN, rng),
        ClientPin::change_pin(&secret, PIN, PIN, rng),
        ClientPin::get_pin_token(&secret, PIN, rng),
        ClientPin::get_token_using_pin(&secret, PIN, grant, rng),
    ];
    let removals: [fn(&mut ClientPin) -> bool; 6] = [
        |request| request.protocol.take().is_some(),
        |request| request.key_agreement.take().is_some(),
        |request| request.pin_uv_auth_param.take().is_some(),
        |request| request.new_pin_enc.take().is_some(),
        |request| request.pin_hash_enc.take().is_some(),
        |request| request.permissions.take().is_some(),
    ];
    for request in requests {
        for remove in removals {
            let mut request = request.clone();
            if remove(&mut request) {
                ask(bench, &request, Status::MISSING_PARAMETER)?;
            }
        }
    }
    Ok(())
}

fn protocol_unknown(bench: &mut Bench) -> Outcome {
    for protocol in [0, 3, 255] {
        let request = ClientPin {
            protocol: Some(protocol),
            ..ClientPin::bare(ClientPin::GET_KEY_AGREEMENT)
        };
        ask(bench, &request, Status::INVALID_PARAMETER)?;
    }
    Ok(())
}

fn key_off_curve(bench: &mut Bench) -> Outcome {
    let secret = share(bench, TWO)?;
    let mut request = ClientPin::set_pin(&secret, PIN, &mut bench.rng);
    let members = [
        (1, Value::from(2)),
        (3, Value::from(-25)),
        (-1, Value::from(1)),
        (-2, Value::from(vec![1; 32])),
        (-3, Value::from(vec![1; 32])),
    ];
    let key = members.map(|(key, value)| (Value::from(key), value));
    request.key_agreement = Some(Value::Map(key.into()));
    ask(bench, &request, Status::INVALID_PARAMETER)
}

fn set_twice(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let (client, rng) = bench.client_and_rng();
    refused(client.set_pin(TWO, b"another-pin", rng), Status::PIN_AUTH_INVALID)
}

fn set_wrong_param(bench: &mut Bench) -> Outcome {
    for protocol in PinProtocol::ALL {
        let secret = share(bench, protocol)?;
        let mut request = ClientPin::set_pin(&secret, PIN, &mut bench.rng);
        request.pin_uv_auth_param = request.pin_uv_auth_param.map(|param| vec![0; param.len()]);
        ask(bench, &request, Status::PIN_AUTH_INVALID)?;
    }
    ensure_eq!(bench.info()?.option("clientPin"), Some(false), "option clientPin");
    Ok(())
}

/// The client pads what is longer to 128 bytes.
fn set_length(bench: &mut Bench) -> Outcome {
    for protocol in PinProtocol::ALL {
        let (client, rng) = bench.client_and_rng();
        refused(
            client.set_pin(protocol, &[b'7'; 65], rng),
            Status::INVALID_PARAMETER,
        )?;
    }
    Ok(())
}

fn set_utf_8(bench: &mut Bench) -> Outcome {
    let (client, rng) = bench.client_and_rng();
    refused(
        client.set_pin(TWO, &[0xFF, 0xFE, 0xFD, 0xFC], rng),
        Status::PIN_POLICY_VIOLATION,
    )
}

fn code_points(bench: &mut Bench) -> Outcome {
    let (client, rng) = bench.client_and_rng();
    refused(
        client.set_pin(TWO, "äöü".as_bytes(), rng),
        Status::PIN_POLICY_VIOLATION,
    )?;
    Ok(client.set_pin(TWO, "äöüß".as_bytes(), rng)?)
}

fn change_without_pin(bench: &mut Bench) -> Outcome {
    let (client, rng) = bench.client_and_rng();
    refused(
        client.change_pin(TWO, PIN, b"another-pin", rng),
        Status::PIN_NOT_SET,
    )
}

fn change_wrong(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let (client, rng) = bench.client_and_rng();
    refused(
        client.change_pin(TWO, b"wrong-pin", b"another-pin", rng),
        Status::PIN_INVALID,
    )?;
    ensure_eq!(bench.client().pin_retries()?, 7, "pinRetries");
    Ok(())
}

fn change_to_same(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let (client, rng) = bench.client_and_rng();
    client.change_pin(TWO, PIN, PIN, rng)?;
    super::force_pin_change(bench)?;
    let (client, rng) = bench.client_and_rng();
    refused(
        client.change_pin(TWO, PIN, PIN, rng),
        Status::PIN_POLICY_VIOLATION,
    )
}

fn token_without_pin(bench: &mut Bench) -> Outcome {
    let (client, rng) = bench.client_and_rng();
    refused(client.pin_token(TWO, PIN, rng), Status::PIN_NOT_SET)?;
    refused(
        client.pin_token_for(TWO, PIN, making(None), rng),
        Status::PIN_NOT_SET,
    )
}

fn making(rp_id: Option<&str>) -> Grant<'_> {
    Grant {
        permissions: Permissions::MAKE_CREDENTIAL,
        rp_id,
    }
}

fn retries_without_pin(bench: &mut Bench) -> Outcome {
    ensure_eq!(bench.client().pin_retries()?, 8, "pinRetries");
    Ok(())
}

fn old_with_permissions(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let secret = share(bench, TWO)?;
    let request = ClientPin::get_pin_token(&secret, PIN, &mut bench.rng);
    let with_permissions = ClientPin {
        permissions: Some(1),
        ..request.clone()
    };
    ask(bench, &with_permissions, Status::INVALID_PARAMETER)?;
    let with_rp_id = ClientPin {
        rp_id: Some(RP_ID.to_owned()),
        ..request
    };
    ask(bench, &with_rp_id, Status::INVALID_PARAMETER)
}

fn token(bench: &mut Bench, permissions: Permissions) -> Result<PinUvAuthToken, Error> {
    let grant = Grant {
        permissions,
        rp_id: Some(RP_ID),
    };
    let (client, rng) = bench.client_and_rng();
    client.pin_token_for(TWO, PIN, grant, rng)
}

fn no_permissions(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    refused(token(bench, Permissions(0)), Status::INVALID_PARAMETER)
}

fn unknown_permissions(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = token(bench, Permissions::MAKE_CREDENTIAL.and(Permissions(0x80)))?;
    let request = bench.registration().authorized_by(&token);
    bench.register(&request).map(drop)?;
    let token = self::token(bench, Permissions(0x80))?;
    let request = bench.registration().authorized_by(&token);
    refused(bench.client().make_credential(&request), Status::PIN_AUTH_INVALID)
}

fn bio_permission(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    refused(
        token(bench, Permissions::BIO_ENROLLMENT),
        Status::UNAUTHORIZED_PERMISSION,
    )?;
    if bench.info()?.option("largeBlobs").is_none() {
        refused(
            token(bench, Permissions::LARGE_BLOB_WRITE),
            Status::UNAUTHORIZED_PERMISSION,
        )?;
    }
    // It costs no retry: nobody was asked for the PIN.
    ensure_eq!(bench.client().pin_retries()?, 8, "pinRetries");
    Ok(())
}

fn persistent_alone(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let persistent = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY;
    for other in [Permissions::MAKE_CREDENTIAL, Permissions::CREDENTIAL_MANAGEMENT] {
        refused(
            token(bench, persistent.and(other)),
            Status::UNAUTHORIZED_PERMISSION,
        )?;
    }
    token(bench, persistent)?;
    Ok(())
}

/// What was agreed on before a wrong PIN is of no use after it.
fn new_key(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let secret = share(bench, TWO)?;
    let wrong = ClientPin::get_pin_token(&secret, b"wrong-pin", &mut bench.rng);
    ask(bench, &wrong, Status::PIN_INVALID)?;
    let right = ClientPin::get_pin_token(&secret, PIN, &mut bench.rng);
    ask(bench, &right, Status::PIN_INVALID)?;
    let secret = share(bench, TWO)?;
    let right = ClientPin::get_pin_token(&secret, PIN, &mut bench.rng);
    bench.client().client_pin(&right)?;
    Ok(())
}

fn retries_survive(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let (client, rng) = bench.client_and_rng();
    refused(client.pin_token(TWO, b"wrong-pin", rng), Status::PIN_INVALID)?;
    bench.power_cycle()?;
    ensure_eq!(bench.client().pin_retries()?, 7, "pinRetries");
    token(bench, Permissions::MAKE_CREDENTIAL)?;
    ensure_eq!(bench.client().pin_retries()?, 8, "pinRetries after the right PIN");
    Ok(())
}

fn is_forgotten(bench: &mut Bench, token: &PinUvAuthToken) -> Outcome {
    let request = bench.registration().authorized_by(token);
    refused(bench.client().make_credential(&request), Status::PIN_AUTH_INVALID)
}

fn new_token(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let old = token(bench, Permissions::MAKE_CREDENTIAL)?;
    let new = token(bench, Permissions::MAKE_CREDENTIAL)?;
    ensure!(old != new, "the new token is the old one");
    is_forgotten(bench, &old)?;
    let request = bench.registration().authorized_by(&new);
    bench.register(&request).map(drop)
}

fn token_replug(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = token(bench, Permissions::MAKE_CREDENTIAL)?;
    bench.power_cycle()?;
    is_forgotten(bench, &token)
}

fn token_unused(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    bench.set_pin(TWO)?;
    let token = token(bench, Permissions::MAKE_CREDENTIAL)?;
    bench.wait(Duration::from_secs(31))?;
    is_forgotten(bench, &token)
}

/// Also one that is used all the time.
fn token_oldest(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    let request = bench.registration();
    let credential = bench.register(&request)?;
    bench.set_pin(TWO)?;
    let token = token(bench, Permissions::GET_ASSERTION)?;
    let mut request = bench.assertion_of(&credential);
    request.up = Some(false);
    let request = request.authorized_by(&token);
    for _ in 0..29 {
        bench.wait(Duration::from_secs(20))?;
        bench.assert(&request)?;
    }
    bench.wait(Duration::from_secs(21))?;
    refused(bench.client().get_assertion(&request), Status::PIN_AUTH_INVALID)
}

fn uv_absent(bench: &mut Bench) -> Outcome {
    if bench.configuration().built_in_uv {
        return Err(Stop::NotApplicable("the key has built-in user verification"));
    }
    refused(bench.client().uv_retries(), Status::INVALID_SUBCOMMAND)?;
    let (client, rng) = bench.client_and_rng();
    refused(
        client.uv_token_for(TWO, making(Some(RP_ID)), rng),
        Status::INVALID_SUBCOMMAND,
    )
}
