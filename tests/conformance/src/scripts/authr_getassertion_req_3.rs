//! `Authr-GetAssertion-Req-3`: the allowList, CTAP 2.3 §6.2.2 step 7.

use ciborium::Value;
use wardkey_sim::fido_client::Status;

use crate::bench::{Bench, GET_ASSERTION};
use crate::case::{Case, Outcome, Script};
use crate::parameters::{Kind, Parameters, descriptor, text_map, values_of_other_types};
use crate::scripts::get_assertion::{parameters, refuses_values, request};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-GetAssertion-Req-3",
    cases: &[
        Case::new("P-1", "passes over a descriptor of an unknown type", unknown_type),
        Case::new("F-1", "refuses a descriptor that is not a map", |bench| {
            refuses_descriptors(bench, values_of_other_types(Kind::Map))
        }),
        Case::new("F-2", "refuses a descriptor without type", |bench| {
            refuses_descriptors(bench, [text_map([("id", Value::from(vec![1; 32]))])])
        }),
        Case::new("F-3", "refuses a descriptor whose type is not text", |bench| {
            let id = || ("id", Value::from(vec![1; 32]));
            let others = values_of_other_types(Kind::Text);
            refuses_descriptors(bench, others.map(|kind| text_map([("type", kind), id()])))
        }),
        Case::new("F-4", "refuses a descriptor without id", |bench| {
            refuses_descriptors(bench, [text_map([("type", Value::from("public-key"))])])
        }),
        Case::new("F-5", "refuses a descriptor whose id is not bytes", |bench| {
            let kind = || ("type", Value::from("public-key"));
            let others = values_of_other_types(Kind::Bytes);
            refuses_descriptors(bench, others.map(|id| text_map([kind(), ("id", id)])))
        }),
        Case::new(
            "F-6",
            "finds nothing where nothing is discoverable",
            nothing_discoverable,
        ),
    ],
};

fn other_type(id: &[u8]) -> Value {
    text_map([("type", Value::from("private-key")), ("id", Value::from(id))])
}

fn unknown_type(bench: &mut Bench) -> Outcome {
    let (credential, request) = request(bench)?;
    let both = vec![other_type(&credential.id), descriptor(&credential.id)];
    let parameters = Parameters::from(&request).with(3, Value::Array(both));
    bench.asserts(&parameters)?;
    // Alone it names nothing; that is not the same as no list.
    let parameters = parameters.with(3, Value::Array(vec![other_type(&credential.id)]));
    bench.refuses(GET_ASSERTION, &parameters, Status::NO_CREDENTIALS)
}

fn refuses_descriptors(bench: &mut Bench, descriptors: impl IntoIterator<Item = Value>) -> Outcome {
    let good = descriptor(&[9; 32]);
    let lists = descriptors
        .into_iter()
        .map(|bad| Value::Array(vec![good.clone(), bad]));
    refuses_values(bench, 3, lists.collect::<Vec<_>>())
}

/// The tool has this for keys that store nothing; a key that can has nothing stored for this relying party.
fn nothing_discoverable(bench: &mut Bench) -> Outcome {
    let request = parameters(bench)?.without(3);
    bench.refuses(GET_ASSERTION, &request, Status::NO_CREDENTIALS)?;
    let request = request.with(3, Value::Array(Vec::new()));
    bench.refuses(GET_ASSERTION, &request, Status::NO_CREDENTIALS)
}
