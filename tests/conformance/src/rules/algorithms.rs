//! `wardkey-algorithms`: every algorithm that getInfo names, and credentials that U2F and CTAP2 share.

use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{Error, StatusWord, U2fAuthentication, U2fControl};

use crate::bench::{Bench, sha256};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq};
use crate::signature::{algorithm_of, verifies, verifies_p256};

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-algorithms",
    cases: &[
        Case::new("all", "registers and signs with every algorithm it names", all),
        Case::new("u2f", "registers and signs with U2F", u2f),
        Case::new(
            "u2f-in-ctap2",
            "signs with U2F's credentials for CTAP2",
            u2f_in_ctap2,
        ),
        Case::new(
            "ctap2-in-u2f",
            "signs with CTAP2's credentials for U2F, unless they are synced",
            ctap2_in_u2f,
        ),
        Case::new("u2f-check-only", "checks without a touch", u2f_check_only),
    ],
};

/// How often a client of U2F asks before it gives up.
const POLLS: u32 = 20;

fn all(bench: &mut Bench) -> Outcome {
    let algorithms = bench.info()?.algorithms;
    ensure!(!algorithms.is_empty(), "getInfo names no algorithm");
    for algorithm in algorithms {
        let mut request = bench.registration();
        request.algorithms = vec![algorithm];
        let credential = bench.register(&request)?;
        ensure_eq!(
            algorithm_of(&credential.public_key),
            Some(algorithm),
            "the algorithm of the key"
        );
        let request = bench.assertion_of(&credential);
        let assertion = bench.assert(&request)?;
        let signed = [assertion.auth_data.raw.as_slice(), &request.client_data_hash].concat();
        ensure!(
            verifies(&credential.public_key, &signed, &assertion.signature),
            "the signature with algorithm {algorithm} is wrong"
        );
    }
    Ok(())
}

fn u2f(bench: &mut Bench) -> Outcome {
    let [challenge, application] = [bench.rng.bytes(), sha256("u2f.example")];
    let registration = bench.client().u2f_register(&challenge, &application, POLLS)?;
    let request = U2fAuthentication {
        challenge: &challenge,
        application: &application,
        key_handle: &registration.key_handle,
    };
    let mut counters = Vec::new();
    for _ in 0..2 {
        let signature = bench
            .client()
            .u2f_authenticate(U2fControl::EnforcePresence, &request, POLLS)?;
        ensure_eq!(signature.user_presence, 1, "the user presence byte");
        let mut signed = application.to_vec();
        signed.push(1);
        signed.extend(signature.counter.to_be_bytes());
        signed.extend(challenge);
        ensure!(
            verifies_p256(&registration.public_key, &signed, &signature.signature),
            "the signature is wrong"
        );
        counters.push(signature.counter);
    }
    ensure_eq!(
        counters.get(1).copied(),
        counters.first().map(|first| first + 1),
        "the next counter"
    );
    Ok(())
}

fn u2f_in_ctap2(bench: &mut Bench) -> Outcome {
    let challenge = bench.rng.bytes();
    let registration = bench
        .client()
        .u2f_register(&challenge, &sha256("u2f.example"), POLLS)?;
    let mut request = bench.assertion_for("u2f.example");
    request.allow_list = vec![registration.key_handle];
    let assertion = bench.assert(&request)?;
    let signed = [assertion.auth_data.raw.as_slice(), &request.client_data_hash].concat();
    ensure!(
        verifies_p256(&registration.public_key, &signed, &assertion.signature),
        "the signature is wrong"
    );
    let flags = assertion.auth_data.flags;
    ensure!(
        !flags.contains(Flags::BACKUP_ELIGIBLE),
        "a credential of U2F is backup eligible"
    );
    ensure_eq!(assertion.user, None, "user");
    Ok(())
}

/// A signature of U2F has no backup flags: a synced credential would seem to change.
fn ctap2_in_u2f(bench: &mut Bench) -> Outcome {
    let request = bench.registration();
    let credential = bench.register(&request)?;
    let (challenge, application) = (bench.rng.bytes(), sha256(&credential.rp_id));
    let request = U2fAuthentication {
        challenge: &challenge,
        application: &application,
        key_handle: &credential.id,
    };
    let synced = bench.configuration().synced;
    let answer = bench
        .client()
        .u2f_authenticate(U2fControl::EnforcePresence, &request, POLLS);
    if synced {
        ensure_eq!(status_word(answer)?, StatusWord::WRONG_DATA, "the status word");
        return Ok(());
    }
    let signature = answer?;
    let mut signed = application.to_vec();
    signed.push(1);
    signed.extend(signature.counter.to_be_bytes());
    signed.extend(challenge);
    ensure!(
        verifies(&credential.public_key, &signed, &signature.signature),
        "the signature is wrong"
    );
    Ok(())
}

fn status_word<T>(answer: Result<T, Error>) -> Result<StatusWord, Stop> {
    match answer {
        Err(Error::StatusWord(word)) => Ok(word),
        Err(other) => Err(other.into()),
        Ok(_) => Err(Stop::Failed("the key signed".to_owned())),
    }
}

fn u2f_check_only(bench: &mut Bench) -> Outcome {
    let (challenge, application) = (bench.rng.bytes(), sha256("u2f.example"));
    let registration = bench.client().u2f_register(&challenge, &application, POLLS)?;
    bench.user(crate::key::User::Absent)?;
    for (key_handle, expected) in [
        (registration.key_handle, StatusWord::CONDITIONS_NOT_SATISFIED),
        (vec![7; 64], StatusWord::WRONG_DATA),
    ] {
        let request = U2fAuthentication {
            challenge: &challenge,
            application: &application,
            key_handle: &key_handle,
        };
        let answer = bench
            .client()
            .u2f_authenticate(U2fControl::CheckOnly, &request, 1);
        ensure_eq!(status_word(answer)?, expected, "the status word");
    }
    Ok(())
}
