//! `Authr-MakeCred-Req-5`: excludeList and attestationFormatsPreference, CTAP 2.3 §6.1.2 steps 12 and 19.

use ciborium::Value;
use wardkey_sim::fido_client::Status;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure, ensure_eq, refused};
use crate::parameters::{Kind, descriptor, text_map, values_of_other_types};
use crate::scripts::make_credential::{parameters, refuses_values};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-MakeCred-Req-5",
    cases: &[
        Case::new("P-1", "passes over a descriptor of an unknown type", unknown_type),
        Case::new("P-2", "gives the preferred format that it has", |bench| {
            gives_format(bench, texts(&["tpm", "packed", "none"]), "packed")
        }),
        Case::new(
            "P-3",
            "gives no attestation when that is preferred",
            no_attestation,
        ),
        Case::new(
            "P-4",
            "passes over a preference that it does not understand",
            odd_preference,
        ),
        Case::new("F-1", "refuses a descriptor that is not a map", |bench| {
            refuses_values(
                bench,
                5,
                values_of_other_types(Kind::Map).map(|item| Value::Array(vec![item])),
            )
        }),
        Case::new("F-2", "refuses a descriptor without type", |bench| {
            refuses_descriptors(bench, [text_map([("id", Value::from(vec![1; 32]))])])
        }),
        Case::new("F-3", "refuses a descriptor whose type is not text", |bench| {
            let id = || ("id", Value::from(vec![1; 32]));
            let others = values_of_other_types(Kind::Text);
            refuses_descriptors(bench, others.map(|kind| text_map([("type", kind), id()])))
        }),
        Case::new("F-5", "refuses a descriptor without id", |bench| {
            refuses_descriptors(bench, [text_map([("type", Value::from("public-key"))])])
        }),
        Case::new("F-6", "refuses a descriptor whose id is not bytes", |bench| {
            let kind = || ("type", Value::from("public-key"));
            let others = values_of_other_types(Kind::Bytes);
            refuses_descriptors(bench, others.map(|id| text_map([kind(), ("id", id)])))
        }),
        Case::new("F-7", "says that a credential exists already", excluded),
    ],
};

fn refuses_descriptors(bench: &mut Bench, descriptors: impl IntoIterator<Item = Value>) -> Outcome {
    refuses_values(
        bench,
        5,
        descriptors.into_iter().map(|item| Value::Array(vec![item])),
    )
}

fn texts(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|text| Value::from(*text)).collect())
}

/// The id in the descriptor is one that would exclude, if the type were another.
fn unknown_type(bench: &mut Bench) -> Outcome {
    let request = bench.registration();
    let credential = bench.register(&request)?;
    let other = text_map([
        ("type", Value::from("private-key")),
        ("id", Value::from(credential.id.as_slice())),
    ]);
    let request = parameters(bench).with(5, Value::Array(vec![other]));
    bench.registers(&request).map(drop)
}

fn gives_format(bench: &mut Bench, preference: Value, expected: &str) -> Outcome {
    let request = parameters(bench).with(0x0B, preference);
    let attestation = bench.registers(&request)?;
    ensure_eq!(attestation.format, expected, "the format");
    Ok(())
}

fn no_attestation(bench: &mut Bench) -> Outcome {
    let request = parameters(bench).with(0x0B, texts(&["none"]));
    let attestation = bench.registers(&request)?;
    ensure_eq!(attestation.format, "none", "the format");
    ensure_eq!(attestation.statement, Value::Map(Vec::new()), "the statement");
    Ok(())
}

/// The default format, as if the parameter were absent.
fn odd_preference(bench: &mut Bench) -> Outcome {
    gives_format(bench, Value::Array(vec![Value::from(7)]), "packed")?;
    gives_format(bench, Value::Array(Vec::new()), "packed")?;
    for preference in values_of_other_types(Kind::Array) {
        gives_format(bench, preference, "packed")?;
    }
    Ok(())
}

fn excluded(bench: &mut Bench) -> Outcome {
    for mut request in [bench.registration(), bench.resident_registration()] {
        let credential = bench.register(&request)?;
        request.exclude_list = vec![bench.rng.bytes::<32>().to_vec(), credential.id];
        refused(
            bench.client().make_credential(&request),
            Status::CREDENTIAL_EXCLUDED,
        )?;
        // At another relying party it is nobody's.
        request.rp.id = "another.example".to_owned();
        let other = bench.register(&request)?;
        ensure!(
            other.id != request.exclude_list[1],
            "a credential id was given twice"
        );
    }
    let stranger = parameters(bench).with(5, Value::Array(vec![descriptor(&[9; 32])]));
    bench.registers(&stranger).map(drop)
}
