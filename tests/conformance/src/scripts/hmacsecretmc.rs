//! `hmacSecretMC`: the extension hmac-secret-mc, CTAP 2.3 §12. The tool runs it for both PIN protocols, and for
//! credentials that are stored and that are not.

use ciborium::Value;
use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{
    Permissions, PinProtocol, SECRET_LEN, Status, hmac_secret_input, hmac_secret_output,
};

use crate::bench::{Bench, MAKE_CREDENTIAL, RP_ID, Registered};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present};
use crate::parameters::{Kind, Parameters, member_of, values_of_other_types};
use crate::scripts::hmac_secret::{Salt, Secret, secrets};

pub(super) const SCRIPT: Script = Script {
    name: "hmacSecretMC",
    cases: &[
        Case::new("P-1", "makes other secrets for a verified user", |bench| {
            bench.needs_option(
                "makeCredUvNotRqd",
                "the key registers nobody whom it has not verified",
            )?;
            in_all_ways(bench, verification_matters)
        }),
        Case::new("P-2", "makes the secret that a later assertion makes", |bench| {
            in_all_ways(bench, |bench, way| agrees_with_assertion(bench, way, 1))
        }),
        Case::new(
            "P-3",
            "makes the two secrets that a later assertion makes",
            |bench| in_all_ways(bench, |bench, way| agrees_with_assertion(bench, way, 2)),
        ),
        Case::new("F-1", "refuses it without hmac-secret", |bench| {
            in_all_ways(bench, without_hmac_secret)
        }),
        Case::new("F-2", "refuses an input that is not a map", |bench| {
            in_all_ways(bench, not_a_map)
        }),
        Case::new("F-3", "refuses a salt that is too short", |bench| {
            in_all_ways(bench, |bench, way| refuses_salts(bench, way, 16))
        }),
        Case::new("F-4", "refuses a second salt that is too short", |bench| {
            in_all_ways(bench, |bench, way| refuses_salts(bench, way, 48))
        }),
    ],
};

const EXTENSION: &str = "hmac-secret-mc";

/// How a case is run.
#[derive(Clone, Copy)]
struct Way {
    protocol: PinProtocol,
    resident: bool,
}

fn in_all_ways(bench: &mut Bench, test: fn(&mut Bench, Way) -> Outcome) -> Outcome {
    for protocol in PinProtocol::ALL {
        for resident in [false, true] {
            test(bench, Way { protocol, resident })?;
        }
    }
    Ok(())
}

/// Makes a credential, and secrets with it.
fn register(bench: &mut Bench, way: Way, salts: &[Salt]) -> Result<(Registered, Vec<Secret>), Stop> {
    let request = bench.registration_of(way.resident);
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(way.protocol, rng)?;
    let input = hmac_secret_input(&shared, salts.as_flattened(), rng);
    let request = request.with_extensions([("hmac-secret", Value::from(true)), (EXTENSION, input)]);
    let credential = bench.register(&request)?;
    let outputs = credential.attestation.auth_data.extensions.as_ref();
    let outputs = present(outputs, "the extension outputs")?;
    ensure_eq!(
        member_of(outputs, "hmac-secret"),
        Some(&Value::from(true)),
        "hmac-secret"
    );
    let output = present(member_of(outputs, EXTENSION), EXTENSION)?;
    let secrets = hmac_secret_output(&shared, output)?;
    ensure_eq!(secrets.len(), salts.len(), "the number of secrets");
    Ok((credential, secrets))
}

fn verification_matters(bench: &mut Bench, way: Way) -> Outcome {
    if way.resident && bench.configuration().built_in_uv {
        // Nobody is registered so without being verified.
        return Ok(());
    }
    let salts = [bench.rng.bytes(), bench.rng.bytes()];
    // One way after the other has a key that was never used.
    bench.reset()?;
    let (credential, unverified) = register(bench, way, &salts)?;
    bench.set_pin(way.protocol)?;
    let token = bench.token(way.protocol, Permissions::GET_ASSERTION, Some(RP_ID))?;
    let request = bench.assertion_of(&credential).authorized_by(&token);
    let (verified, _) = secrets(bench, way.protocol, request, &salts)?;
    for (unverified, verified) in unverified.iter().zip(&verified) {
        ensure!(unverified != verified, "verification does not change the secret");
    }
    Ok(())
}

fn agrees_with_assertion(bench: &mut Bench, way: Way, count: usize) -> Outcome {
    let salts: Vec<Salt> = (0..count).map(|_| bench.rng.bytes::<SECRET_LEN>()).collect();
    let (credential, registered) = register(bench, way, &salts)?;
    let mut request = bench.assertion_of(&credential);
    let flags = credential.attestation.auth_data.flags;
    request.uv = flags.contains(Flags::USER_VERIFIED).then_some(true);
    let (asserted, _) = secrets(bench, way.protocol, request, &salts)?;
    ensure_eq!(asserted, registered, "the secrets of the assertion");
    Ok(())
}

fn without_hmac_secret(bench: &mut Bench, way: Way) -> Outcome {
    let request = bench.registration_of(way.resident);
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(way.protocol, rng)?;
    let input = hmac_secret_input(&shared, &[7; SECRET_LEN], rng);
    let request = Parameters::from(&request.with_extensions([(EXTENSION, input)]));
    bench.refuses(MAKE_CREDENTIAL, &request, Status::MISSING_PARAMETER)
}

fn not_a_map(bench: &mut Bench, way: Way) -> Outcome {
    for input in values_of_other_types(Kind::Map) {
        let request = bench.registration_of(way.resident);
        let request = request.with_extensions([("hmac-secret", Value::from(true)), (EXTENSION, input)]);
        bench.refuses(
            MAKE_CREDENTIAL,
            &Parameters::from(&request),
            Status::CBOR_UNEXPECTED_TYPE,
        )?;
    }
    Ok(())
}

fn refuses_salts(bench: &mut Bench, way: Way, length: usize) -> Outcome {
    let request = bench.registration_of(way.resident);
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(way.protocol, rng)?;
    let input = hmac_secret_input(&shared, &vec![7; length], rng);
    let request = request.with_extensions([("hmac-secret", Value::from(true)), (EXTENSION, input)]);
    bench.refuses(
        MAKE_CREDENTIAL,
        &Parameters::from(&request),
        Status::INVALID_PARAMETER,
    )
}
