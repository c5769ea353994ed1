//! What the scripts about authenticatorMakeCredential share.

use ciborium::Value;
use wardkey_sim::fido_client::Status;

use crate::bench::{Bench, MAKE_CREDENTIAL};
use crate::case::Outcome;
use crate::parameters::{Kind, Parameters, values_of_other_types};

/// The parameters of a request that the key accepts.
pub(super) fn parameters(bench: &mut Bench) -> Parameters {
    Parameters::from(&bench.registration())
}

/// Without one of its parameters the request is refused.
pub(super) fn missing(bench: &mut Bench, key: u8) -> Outcome {
    let request = parameters(bench).without(key);
    bench.refuses(MAKE_CREDENTIAL, &request, Status::MISSING_PARAMETER)
}

/// With a parameter of any other type the request is refused.
pub(super) fn wrong_type(bench: &mut Bench, key: u8, kind: Kind) -> Outcome {
    refuses_values(bench, key, values_of_other_types(kind))
}

/// With a member of any other type in the map at `key`, the request is refused.
pub(super) fn wrong_inner_type(bench: &mut Bench, key: u8, name: &str, kind: Kind) -> Outcome {
    for value in values_of_other_types(kind) {
        let request = parameters(bench).with_inner(key, name, value);
        bench.refuses(MAKE_CREDENTIAL, &request, Status::CBOR_UNEXPECTED_TYPE)?;
    }
    Ok(())
}

/// With each of these values at `key` the request is refused, because of the type.
pub(super) fn refuses_values(bench: &mut Bench, key: u8, values: impl IntoIterator<Item = Value>) -> Outcome {
    for value in values {
        let request = parameters(bench).with(key, value);
        bench.refuses(MAKE_CREDENTIAL, &request, Status::CBOR_UNEXPECTED_TYPE)?;
    }
    Ok(())
}
