//! What the scripts about hmac-secret share: `hmacSecret` and `hmacSecret2` are the same for the two PIN protocols.

use ciborium::Value;
use wardkey_sim::fido_client::{
    Assertion, GetAssertion, Permissions, PinProtocol, SECRET_LEN, Status, hmac_secret_input,
    hmac_secret_output,
};

use crate::bench::{Bench, GET_ASSERTION, MAKE_CREDENTIAL, RP_ID, Registered};
use crate::case::{Outcome, Stop, ensure, ensure_eq, present};
use crate::parameters::{Kind, Parameters, member_of, text_map, values_of_other_types};

/// What a salt is made into.
pub(super) type Secret = [u8; SECRET_LEN];

/// A salt.
pub(super) type Salt = [u8; SECRET_LEN];

const EXTENSION: &str = "hmac-secret";

/// Makes a credential with the extension; stored or not.
pub(super) fn register(bench: &mut Bench, resident: bool) -> Result<Registered, Stop> {
    let request = bench.registration_of(resident);
    let request = request.with_extensions([(EXTENSION, Value::from(true))]);
    let credential = bench.register(&request)?;
    let outputs = credential.attestation.auth_data.extensions.as_ref();
    let outputs = present(outputs, "the extension outputs")?;
    ensure_eq!(
        outputs,
        &text_map([(EXTENSION, Value::from(true))]),
        "the extension outputs"
    );
    Ok(credential)
}

/// The secrets that the key makes of salts.
pub(super) fn secrets(
    bench: &mut Bench,
    protocol: PinProtocol,
    request: GetAssertion,
    salts: &[Salt],
) -> Result<(Vec<Secret>, Assertion), Stop> {
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(protocol, rng)?;
    let input = hmac_secret_input(&shared, salts.as_flattened(), rng);
    let assertion = client.get_assertion(&request.with_extensions([(EXTENSION, input)]))?;
    let outputs = present(assertion.auth_data.extensions.as_ref(), "the extension outputs")?;
    let output = present(member_of(outputs, EXTENSION), EXTENSION)?;
    let secrets = hmac_secret_output(&shared, output)?;
    ensure_eq!(secrets.len(), salts.len(), "the number of secrets");
    Ok((secrets, assertion))
}

/// P-1: the extension is acknowledged.
pub(super) fn acknowledges(bench: &mut Bench) -> Outcome {
    register(bench, true)?;
    register(bench, false).map(drop)
}

/// P-2: the same salt gives the same secret, another salt another.
pub(super) fn same_salt_same_secret(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    for resident in [true, false] {
        let credential = register(bench, resident)?;
        let [first, second] = [bench.rng.bytes::<SECRET_LEN>(), bench.rng.bytes()];
        let request = bench.assertion_of(&credential);
        let (one, _) = secrets(bench, protocol, request, &[first])?;
        let request = bench.assertion_of(&credential);
        let (two, _) = secrets(bench, protocol, request, &[first, second])?;
        ensure_eq!(two.first(), one.first(), "the secret of the same salt");
        ensure!(two.first() != two.get(1), "two salts give the same secret");
    }
    Ok(())
}

/// P-3: verified users get other secrets.
pub(super) fn secrets_depend_on_verification(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    let credential = register(bench, false)?;
    let salts = [bench.rng.bytes(), bench.rng.bytes()];
    let request = bench.assertion_of(&credential);
    let (unverified, _) = secrets(bench, protocol, request, &salts)?;
    let token = bench.token(protocol, Permissions::GET_ASSERTION, Some(RP_ID))?;
    let request = bench.assertion_of(&credential).authorized_by(&token);
    let (verified, _) = secrets(bench, protocol, request, &salts)?;
    for (unverified, verified) in unverified.iter().zip(&verified) {
        ensure!(unverified != verified, "verification does not change the secret");
    }
    ensure!(
        verified.first() != verified.get(1),
        "two salts give the same secret"
    );
    Ok(())
}

/// F-1: an input to makeCredential that is not a boolean.
pub(super) fn refuses_other_types(bench: &mut Bench) -> Outcome {
    for input in values_of_other_types(Kind::Bool) {
        let request = bench.registration().with_extensions([(EXTENSION, input)]);
        bench.refuses(
            MAKE_CREDENTIAL,
            &Parameters::from(&request),
            Status::CBOR_UNEXPECTED_TYPE,
        )?;
    }
    Ok(())
}

/// F-2, F-3: salts of another length than one or two salts have. The protocols carry whole blocks of 16 bytes only.
pub(super) fn refuses_salts(bench: &mut Bench, protocol: PinProtocol, length: usize) -> Outcome {
    let credential = register(bench, false)?;
    let request = bench.assertion_of(&credential);
    let (client, rng) = bench.client_and_rng();
    let shared = client.share_secret(protocol, rng)?;
    let input = hmac_secret_input(&shared, &vec![7; length], rng);
    let request = Parameters::from(&request.with_extensions([(EXTENSION, input)]));
    bench.refuses(GET_ASSERTION, &request, Status::INVALID_PARAMETER)
}
