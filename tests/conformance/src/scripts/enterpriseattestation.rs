//! `EntepriseAttestation`: enterprise attestation, CTAP 2.3 §7.1.

use ciborium::Value;
use wardkey_sim::fido_client::{Attestation, Configuration as Setting, Status};

use crate::bench::{Bench, MAKE_CREDENTIAL};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present};
use crate::certificate;
use crate::configuration::ENTERPRISE_RP_ID;
use crate::metadata::Statement;
use crate::parameters::{Kind, Parameters, member_of, numbered, values_of_other_types};
use crate::signature;

pub(super) const SCRIPT: Script = Script {
    name: "EntepriseAttestation",
    cases: &[
        Case::new("P-1", "says that it can attest for enterprises", offers),
        Case::new(
            "P-2",
            "attests with its own certificate to a relying party on its list",
            vendor_facilitated,
        ),
        Case::new(
            "P-3",
            "attests with its own certificate when the platform decided so",
            platform_managed,
        ),
        Case::new(
            "F-1",
            "does not offer it without an attestation key",
            consumer_option,
        ),
        Case::new(
            "F-2",
            "refuses it without an attestation key (value 1)",
            |bench| consumer(bench, 1),
        ),
        Case::new(
            "F-3",
            "refuses it without an attestation key (value 2)",
            |bench| consumer(bench, 2),
        ),
        Case::new("F-4", "refuses a value that is not a number", not_a_number),
        Case::new("F-5", "refuses a value that is not 1 or 2", unknown_value),
        Case::new(
            "F-6",
            "attests as usual to a relying party that is not on its list",
            other_rp,
        ),
    ],
};

const ENTERPRISE_ATTESTATION: u8 = 0x0A;
const EP_ATT: u8 = 4;

const CONSUMER: &str = "the key has no attestation key for enterprises";
const ENTERPRISE: &str = "the key has an attestation key for enterprises";

/// Ends the case for ordinary keys; for others, allows enterprise attestation.
fn enable(bench: &mut Bench) -> Outcome {
    if !bench.configuration().enterprise {
        return Err(Stop::NotApplicable(CONSUMER));
    }
    Ok(bench
        .client()
        .configure(&Setting::EnableEnterpriseAttestation, None)?)
}

fn parameters(bench: &mut Bench, rp_id: &str, value: Value) -> (Parameters, [u8; 32]) {
    let mut request = bench.registration();
    rp_id.clone_into(&mut request.rp.id);
    let parameters = Parameters::from(&request).with(ENTERPRISE_ATTESTATION, value);
    (parameters, request.client_data_hash)
}

fn register(bench: &mut Bench, rp_id: &str, value: u8) -> Result<(Attestation, [u8; 32]), Stop> {
    let (parameters, client_data_hash) = parameters(bench, rp_id, Value::from(value));
    Ok((bench.registers(&parameters)?, client_data_hash))
}

fn offers(bench: &mut Bench) -> Outcome {
    if !bench.configuration().enterprise {
        return Err(Stop::NotApplicable(CONSUMER));
    }
    ensure_eq!(
        bench.info()?.option("ep"),
        Some(false),
        "option ep before it is enabled"
    );
    enable(bench)?;
    ensure_eq!(
        bench.info()?.option("ep"),
        Some(true),
        "option ep after it is enabled"
    );
    Ok(())
}

fn vendor_facilitated(bench: &mut Bench) -> Outcome {
    enable(bench)?;
    let (attestation, hash) = register(bench, ENTERPRISE_RP_ID, 1)?;
    serial_number(bench, &attestation, &hash).map(drop)
}

/// Also to others; it is the same key for all of them.
fn platform_managed(bench: &mut Bench) -> Outcome {
    enable(bench)?;
    let mut serial_numbers = Vec::new();
    for rp_id in [ENTERPRISE_RP_ID, "any.example"] {
        let (attestation, hash) = register(bench, rp_id, 2)?;
        serial_numbers.push(serial_number(bench, &attestation, &hash)?);
    }
    ensure_eq!(serial_numbers.first(), serial_numbers.get(1), "the serial number");
    Ok(())
}

/// What the certificate of an enterprise attestation says of the key, after everything about it was checked.
fn serial_number(
    bench: &mut Bench,
    attestation: &Attestation,
    client_data_hash: &[u8; 32],
) -> Result<Vec<u8>, Stop> {
    ensure_eq!(attestation.format, "packed", "the format");
    let members = Value::Map(attestation.more.clone());
    ensure_eq!(numbered(&members, EP_ATT), Some(&Value::from(true)), "epAtt");
    let chain = member_of(&attestation.statement, "x5c").and_then(Value::as_array);
    let chain = present(chain, "x5c")?;
    ensure_eq!(chain.len(), 1, "the number of certificates");
    let der = present(chain.first().and_then(Value::as_bytes), "the certificate")?;
    let attested = present(
        attestation.auth_data.attested.as_ref(),
        "attested credential data",
    )?;
    let key = certificate::check_packed(der, &attested.aaguid)?;
    let algorithm = present(member_of(&attestation.statement, "alg"), "alg")?;
    ensure_eq!(algorithm, &Value::from(-7), "the algorithm of the signature");
    let signed = [attestation.auth_data.raw.as_slice(), client_data_hash].concat();
    let sig = present(
        member_of(&attestation.statement, "sig").and_then(Value::as_bytes),
        "sig",
    )?;
    ensure!(
        signature::verifies_p256(&key, &signed, sig),
        "the signature is not by the certificate's key"
    );
    let statement = Statement::new(bench.metadata()?);
    ensure!(
        certificate::is_vouched_for(der, &statement.attestation_roots()?),
        "the metadata statement does not vouch for the certificate"
    );
    present(
        certificate::serial_number_of_key(der),
        "the serial number of the key",
    )
}

fn consumer_option(bench: &mut Bench) -> Outcome {
    if bench.configuration().enterprise {
        return Err(Stop::NotApplicable(ENTERPRISE));
    }
    ensure_eq!(bench.info()?.option("ep"), None, "option ep");
    Ok(())
}

fn consumer(bench: &mut Bench, value: u8) -> Outcome {
    if bench.configuration().enterprise {
        return Err(Stop::NotApplicable(ENTERPRISE));
    }
    let (parameters, _) = parameters(bench, ENTERPRISE_RP_ID, Value::from(value));
    bench.refuses(MAKE_CREDENTIAL, &parameters, Status::INVALID_PARAMETER)
}

fn not_a_number(bench: &mut Bench) -> Outcome {
    enable(bench)?;
    for value in values_of_other_types(Kind::Unsigned) {
        let (parameters, _) = parameters(bench, ENTERPRISE_RP_ID, value);
        bench.refuses(MAKE_CREDENTIAL, &parameters, Status::CBOR_UNEXPECTED_TYPE)?;
    }
    Ok(())
}

fn unknown_value(bench: &mut Bench) -> Outcome {
    enable(bench)?;
    for value in [0, 3, 255] {
        let (parameters, _) = parameters(bench, ENTERPRISE_RP_ID, Value::from(value));
        bench.refuses(MAKE_CREDENTIAL, &parameters, Status::INVALID_OPTION)?;
    }
    Ok(())
}

fn other_rp(bench: &mut Bench) -> Outcome {
    enable(bench)?;
    let (attestation, _) = register(bench, "not-on-the-list.example", 1)?;
    ensure!(
        member_of(&attestation.statement, "x5c").is_none(),
        "there is a certificate"
    );
    ensure_eq!(
        attestation.more,
        Vec::new(),
        "members beside fmt, authData and attStmt"
    );
    Ok(())
}
