//! `wardkey-extensions`: what the extensions do beside the official cases, CTAP 2.3 §12.

use ciborium::Value;
use wardkey_sim::fido_client::{Permissions, PinProtocol, Status, hmac_secret_input, hmac_secret_output};

use crate::bench::{Bench, GET_ASSERTION, MAKE_CREDENTIAL, RP_ID};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present, refused};
use crate::parameters::{Parameters, member_of, text_map};

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-extensions",
    cases: &[
        Case::new("unknown", "ignores extensions that it does not know", unknown),
        Case::new("unasked", "gives no outputs that nobody asked for", unasked),
        Case::new(
            "protect-unasked",
            "does not tell a level that nobody asked for",
            protect_unasked,
        ),
        Case::new(
            "protect-levels",
            "refuses levels that do not exist",
            protect_levels,
        ),
        Case::new(
            "protect-verified",
            "finds everything for a verified user",
            protect_verified,
        ),
        Case::new("blob-too-long", "keeps no blob that is too long", blob_too_long),
        Case::new(
            "blob-wrapped",
            "keeps no blob of a credential that it does not store",
            blob_wrapped,
        ),
        Case::new(
            "large-blob-key-wrapped",
            "gives no key to what it does not store",
            large_blob_key_wrapped,
        ),
        Case::new("secret-silent", "makes no secret without presence", secret_silent),
        Case::new(
            "secret-missing",
            "misses the members of the input",
            secret_missing,
        ),
        Case::new(
            "secret-wrong-auth",
            "refuses salts that are not authenticated",
            secret_wrong_auth,
        ),
        Case::new(
            "secret-protocol",
            "refuses a protocol that it does not know",
            secret_protocol,
        ),
        Case::new("secret-next", "makes secrets for every account", secret_next),
        Case::new(
            "secret-stays",
            "makes the same secret after losing power",
            secret_stays,
        ),
        Case::new(
            "secret-unasked",
            "makes no secret with a credential that was not made for it",
            secret_unasked,
        ),
        Case::new("together", "gives all outputs at once, in order", together),
    ],
};

const TWO: PinProtocol = PinProtocol::Two;

fn unknown(bench: &mut Bench) -> Outcome {
    let request = bench
        .registration()
        .with_extensions([("conformance", Value::from("text"))]);
    let credential = bench.register(&request)?;
    ensure_eq!(
        credential.attestation.auth_data.extensions,
        None,
        "the outputs of the registration"
    );
    let request = bench.assertion_of(&credential);
    let request = request.with_extensions([("conformance", Value::from("text"))]);
    ensure_eq!(
        bench.assert(&request)?.auth_data.extensions,
        None,
        "the outputs of the assertion"
    );
    Ok(())
}

fn unasked(bench: &mut Bench) -> Outcome {
    let inputs = || {
        [
            ("credBlob", Value::from(vec![1, 2, 3])),
            ("credProtect", Value::from(2)),
            ("hmac-secret", Value::from(true)),
        ]
    };
    let request = bench.resident_registration().with_extensions(inputs());
    let credential = bench.register(&request)?;
    let request = bench.assertion_of(&credential);
    let assertion = bench.assert(&request)?;
    ensure_eq!(
        assertion.auth_data.extensions,
        None,
        "the outputs of the assertion"
    );
    ensure_eq!(assertion.more, Vec::new(), "further members of the answer");
    Ok(())
}

fn protect_unasked(bench: &mut Bench) -> Outcome {
    let request = bench.resident_registration();
    let extensions = bench.register(&request)?.attestation.auth_data.extensions;
    ensure_eq!(extensions, None, "the outputs");
    Ok(())
}

fn protect_levels(bench: &mut Bench) -> Outcome {
    for level in [0, 4, 255] {
        let request = bench
            .resident_registration()
            .with_extensions([("credProtect", Value::from(level))]);
        bench.refuses(
            MAKE_CREDENTIAL,
            &Parameters::from(&request),
            Status::INVALID_OPTION,
        )?;
    }
    Ok(())
}

fn protect_verified(bench: &mut Bench) -> Outcome {
    let request = bench
        .resident_registration()
        .with_extensions([("credProtect", Value::from(3))]);
    let credential = bench.register(&request)?;
    bench.set_pin(TWO)?;
    for request in [bench.assertion_of(&credential), bench.assertion_for(RP_ID)] {
        refused(bench.client().get_assertion(&request), Status::NO_CREDENTIALS)?;
        let token = bench.token(TWO, Permissions::GET_ASSERTION, Some(RP_ID))?;
        bench.assert(&request.authorized_by(&token))?;
    }
    Ok(())
}

fn blob_output(bench: &mut Bench, resident: bool, length: usize) -> Result<Option<Value>, Stop> {
    let request = bench.registration_of(resident);
    let request = request.with_extensions([("credBlob", Value::from(vec![7; length]))]);
    Ok(bench.register(&request)?.attestation.auth_data.extensions)
}

fn not_kept() -> Option<Value> {
    Some(text_map([("credBlob", Value::from(false))]))
}

fn blob_too_long(bench: &mut Bench) -> Outcome {
    let info = bench.info()?;
    let longest = info.member(0x0F).and_then(Value::as_integer).map(i128::from);
    let longest = longest.and_then(|longest| usize::try_from(longest).ok());
    let longest = present(longest, "maxCredBlobLength")?;
    ensure_eq!(blob_output(bench, true, longest + 1)?, not_kept(), "the outputs");
    Ok(())
}

fn blob_wrapped(bench: &mut Bench) -> Outcome {
    ensure_eq!(blob_output(bench, false, 16)?, not_kept(), "the outputs");
    Ok(())
}

fn large_blob_key_wrapped(bench: &mut Bench) -> Outcome {
    bench.needs_extension("largeBlobKey", "the key keeps large blobs with their credentials")?;
    let request = bench
        .registration()
        .with_extensions([("largeBlobKey", Value::from(true))]);
    bench.refuses(
        MAKE_CREDENTIAL,
        &Parameters::from(&request),
        Status::INVALID_OPTION,
    )
}

/// An input of hmac-secret that the key would accept, in an assertion that it would accept.
fn secret_request(bench: &mut Bench) -> Result<(Parameters, Value), Stop> {
    let request = bench
        .registration()
        .with_extensions([("hmac-secret", Value::from(true))]);
    let credential = bench.register(&request)?;
    let request = bench.assertion_of(&credential);
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(TWO, rng)?;
    let input = hmac_secret_input(&shared, &[7; 32], rng);
    Ok((Parameters::from(&request), input))
}

fn with_input(request: &Parameters, input: Value) -> Parameters {
    request.clone().with(4, text_map([("hmac-secret", input)]))
}

fn secret_silent(bench: &mut Bench) -> Outcome {
    let (request, input) = secret_request(bench)?;
    let request = with_input(&request, input).with_inner(5, "up", false);
    bench.refuses(GET_ASSERTION, &request, Status::UNSUPPORTED_OPTION)
}

fn changed(input: &Value, key: u8, value: Option<Value>) -> Value {
    let mut members = input.as_map().cloned().unwrap_or_default();
    members.retain(|(candidate, _)| *candidate != Value::from(key));
    members.extend(value.map(|value| (Value::from(key), value)));
    Value::Map(members)
}

fn secret_missing(bench: &mut Bench) -> Outcome {
    let (request, input) = secret_request(bench)?;
    for key in [1, 2, 3] {
        let request = with_input(&request, changed(&input, key, None));
        bench.refuses(GET_ASSERTION, &request, Status::MISSING_PARAMETER)?;
    }
    Ok(())
}

fn secret_wrong_auth(bench: &mut Bench) -> Outcome {
    let (request, input) = secret_request(bench)?;
    for auth in [vec![0; 32], vec![0; 16], Vec::new()] {
        let request = with_input(&request, changed(&input, 3, Some(Value::Bytes(auth))));
        bench.refuses(GET_ASSERTION, &request, Status::PIN_AUTH_INVALID)?;
    }
    Ok(())
}

fn secret_protocol(bench: &mut Bench) -> Outcome {
    let (request, input) = secret_request(bench)?;
    let request = with_input(&request, changed(&input, 4, Some(Value::from(3))));
    bench.refuses(GET_ASSERTION, &request, Status::INVALID_PARAMETER)
}

fn secret_next(bench: &mut Bench) -> Outcome {
    if bench.configuration().display {
        return Err(Stop::NotApplicable("the key lets its user choose the account"));
    }
    for _ in 0..2 {
        let request = bench.resident_registration();
        bench.register(&request.with_extensions([("hmac-secret", Value::from(true))]))?;
    }
    let request = bench.assertion_for(RP_ID);
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(TWO, rng)?;
    let input = hmac_secret_input(&shared, &[7; 32], rng);
    let first = client.get_assertion(&request.with_extensions([("hmac-secret", input)]))?;
    let next = client.get_next_assertion()?;
    let mut secrets = Vec::new();
    for assertion in [first, next] {
        let outputs = present(assertion.auth_data.extensions, "the extension outputs")?;
        let output = present(member_of(&outputs, "hmac-secret"), "hmac-secret")?;
        secrets.push(hmac_secret_output(&shared, output)?);
    }
    ensure!(
        secrets.first() != secrets.get(1),
        "two accounts have the same secret"
    );
    Ok(())
}

fn secret_stays(bench: &mut Bench) -> Outcome {
    for resident in [false, true] {
        let request = bench.registration_of(resident);
        let request = request.with_extensions([("hmac-secret", Value::from(true))]);
        let credential = bench.register(&request)?;
        let mut secrets = Vec::new();
        for protocol in [PinProtocol::One, PinProtocol::Two] {
            let request = bench.assertion_of(&credential);
            let (client, rng) = bench.client_and_rng();
            let shared = client.share_secret(protocol, rng)?;
            let input = hmac_secret_input(&shared, &[7; 64], rng);
            let assertion = client.get_assertion(&request.with_extensions([("hmac-secret", input)]))?;
            let outputs = present(assertion.auth_data.extensions, "the extension outputs")?;
            let output = present(member_of(&outputs, "hmac-secret"), "hmac-secret")?;
            secrets.push(hmac_secret_output(&shared, output)?);
            bench.power_cycle()?;
        }
        ensure_eq!(
            secrets.first(),
            secrets.get(1),
            "the secret, later and with the other protocol"
        );
    }
    Ok(())
}

/// Every credential has the secrets behind it, `CTAP 2.3 §12`, so that asking later works, too.
fn secret_unasked(bench: &mut Bench) -> Outcome {
    let request = bench.registration();
    let credential = bench.register(&request)?;
    let request = bench.assertion_of(&credential);
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(TWO, rng)?;
    let input = hmac_secret_input(&shared, &[7; 32], rng);
    let assertion = client.get_assertion(&request.with_extensions([("hmac-secret", input)]))?;
    ensure!(assertion.auth_data.extensions.is_some(), "there is no output");
    Ok(())
}

/// Windows refuses a key whose outputs are out of order.
fn together(bench: &mut Bench) -> Outcome {
    let request = bench.resident_registration().with_extensions([
        ("credBlob", Value::from(vec![7; 8])),
        ("credProtect", Value::from(2)),
        ("hmac-secret", Value::from(true)),
        ("thirdPartyPayment", Value::from(true)),
    ]);
    let credential = bench.register(&request)?;
    let outputs = credential.attestation.auth_data.extensions;
    let expected = text_map([
        ("credBlob", Value::from(true)),
        ("credProtect", Value::from(2)),
        ("hmac-secret", Value::from(true)),
    ]);
    ensure_eq!(outputs, Some(expected), "the outputs");
    Ok(())
}
