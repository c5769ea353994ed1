//! What the scripts about authenticatorGetAssertion share.

use ciborium::Value;
use wardkey_sim::fido_client::{Assertion, GetAssertion, Status};

use crate::bench::{Bench, GET_ASSERTION, Registered};
use crate::case::{Outcome, Stop, ensure, present};
use crate::parameters::{Kind, Parameters, values_of_other_types};
use crate::signature::verifies;

/// Makes a credential, and a request to sign with it.
pub(super) fn request(bench: &mut Bench) -> Result<(Registered, GetAssertion), Stop> {
    let registration = bench.registration();
    let credential = bench.register(&registration)?;
    let request = bench.assertion_of(&credential);
    Ok((credential, request))
}

/// The parameters of a request that the key accepts.
pub(super) fn parameters(bench: &mut Bench) -> Result<Parameters, Stop> {
    Ok(Parameters::from(&request(bench)?.1))
}

/// Without one of its parameters the request is refused.
pub(super) fn missing(bench: &mut Bench, key: u8) -> Outcome {
    let request = parameters(bench)?.without(key);
    bench.refuses(GET_ASSERTION, &request, Status::MISSING_PARAMETER)
}

/// With a parameter of any other type the request is refused.
pub(super) fn wrong_type(bench: &mut Bench, key: u8, kind: Kind) -> Outcome {
    refuses_values(bench, key, values_of_other_types(kind))
}

/// With each of these values at `key` the request is refused, because of the type.
pub(super) fn refuses_values(bench: &mut Bench, key: u8, values: impl IntoIterator<Item = Value>) -> Outcome {
    let request = parameters(bench)?;
    for value in values {
        let request = request.clone().with(key, value);
        bench.refuses(GET_ASSERTION, &request, Status::CBOR_UNEXPECTED_TYPE)?;
    }
    Ok(())
}

/// The signature is by the credential, over the authenticator data and the hash of this request.
pub(super) fn is_signed_by(
    credential: &Registered,
    request: &GetAssertion,
    assertion: &Assertion,
) -> Outcome {
    let id = present(assertion.credential_id.as_ref(), "credential")?;
    ensure!(*id == credential.id, "another credential signed");
    let signed = [assertion.auth_data.raw.as_slice(), &request.client_data_hash].concat();
    ensure!(
        verifies(&credential.public_key, &signed, &assertion.signature),
        "the signature is not by the credential's key"
    );
    Ok(())
}
