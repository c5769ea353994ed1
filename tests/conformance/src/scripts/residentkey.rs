//! `ResidentKey`: discoverable credentials, CTAP 2.3 §6.1.2 step 17, §6.2.2 step 12 and §6.3.

use ciborium::Value;
use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{Assertion, GetAssertion, Permissions, PinProtocol, PinUvAuthToken, Status};

use crate::bench::{Bench, RP_ID, Registered};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present, refused};
use crate::encrypted_state::{CRED_STORE_STATE, EncryptedState};
use crate::key::User;
use crate::parameters::numbered;
use crate::scripts::get_assertion::is_signed_by;

pub(super) const SCRIPT: Script = Script {
    name: "ResidentKey",
    cases: &[
        Case::new("P-1", "stores a credential", stores),
        Case::new(
            "P-2",
            "gives one account after the other, without names",
            accounts_without_verification,
        ),
        Case::new(
            "P-3",
            "gives one account after the other, with names",
            accounts_with_verification,
        ),
        Case::new(
            "P-4",
            "lets the user choose the account on its display",
            chosen_account,
        ),
        Case::new(
            "P-5",
            "changes the state of the store with every credential",
            store_state,
        ),
        Case::new("P-6", "replaces the credential of the same account", replaces),
    ],
};

const NO_DISPLAY_NEEDED: &str = "the key has a display, on which the user chooses; P-4 is about that";

fn stores(bench: &mut Bench) -> Outcome {
    let request = bench.resident_registration();
    let credential = bench.register(&request)?;
    let request = bench.assertion_for(RP_ID);
    let assertion = bench.assert(&request)?;
    is_signed_by(&credential, &request, &assertion)?;
    ensure_eq!(
        assertion.number_of_credentials,
        None,
        "numberOfCredentials of one credential"
    );
    Ok(())
}

fn register_accounts(
    bench: &mut Bench,
    count: usize,
    token: Option<&PinUvAuthToken>,
) -> Result<Vec<Registered>, Stop> {
    let mut credentials = Vec::new();
    for number in 0..count {
        let mut request = bench.resident_registration();
        request.user.name = Some(format!("account {number}"));
        if let Some(token) = token {
            request = request.authorized_by(token);
        }
        credentials.push(bench.register(&request)?);
    }
    Ok(credentials)
}

/// Takes all assertions of a request, and checks that the newest credential comes first and all belong to the request.
fn all_assertions(
    bench: &mut Bench,
    request: &GetAssertion,
    credentials: &[Registered],
) -> Result<Vec<Assertion>, Stop> {
    let first = bench.assert(request)?;
    let count = u32::try_from(credentials.len()).ok();
    ensure_eq!(first.number_of_credentials, count, "numberOfCredentials");
    let mut assertions = vec![first];
    for _ in 1..credentials.len() {
        let next = bench.client().get_next_assertion()?;
        ensure_eq!(
            next.number_of_credentials,
            None,
            "numberOfCredentials of a later answer"
        );
        assertions.push(next);
    }
    for (credential, assertion) in credentials.iter().rev().zip(&assertions) {
        is_signed_by(credential, request, assertion)?;
    }
    refused(bench.client().get_next_assertion(), Status::NOT_ALLOWED)?;
    Ok(assertions)
}

fn accounts_without_verification(bench: &mut Bench) -> Outcome {
    if bench.configuration().display {
        return Err(Stop::NotApplicable(NO_DISPLAY_NEEDED));
    }
    let credentials = register_accounts(bench, 3, None)?;
    let request = bench.assertion_for(RP_ID);
    let assertions = all_assertions(bench, &request, &credentials)?;
    for (credential, assertion) in credentials.iter().rev().zip(&assertions) {
        let user = present(assertion.user.as_ref(), "user")?;
        ensure_eq!(user.id, credential.account.id, "user.id");
        ensure_eq!(user.name, None, "user.name without verification");
        ensure_eq!(user.display_name, None, "user.displayName without verification");
    }
    Ok(())
}

fn accounts_with_verification(bench: &mut Bench) -> Outcome {
    if bench.configuration().display {
        return Err(Stop::NotApplicable(NO_DISPLAY_NEEDED));
    }
    bench.set_pin(PinProtocol::Two)?;
    let mut credentials = Vec::new();
    for _ in 0..2 {
        let token = bench.token(PinProtocol::Two, Permissions::MAKE_CREDENTIAL, Some(RP_ID))?;
        credentials.extend(register_accounts(bench, 1, Some(&token))?);
    }
    let token = bench.token(PinProtocol::Two, Permissions::GET_ASSERTION, Some(RP_ID))?;
    let request = bench.assertion_for(RP_ID).authorized_by(&token);
    let assertions = all_assertions(bench, &request, &credentials)?;
    for (credential, assertion) in credentials.iter().rev().zip(&assertions) {
        ensure!(
            assertion.auth_data.flags.contains(Flags::USER_VERIFIED),
            "flag UV is not set"
        );
        ensure_eq!(assertion.user.as_ref(), Some(&credential.account), "user");
    }
    Ok(())
}

fn chosen_account(bench: &mut Bench) -> Outcome {
    const USER_SELECTED: u8 = 6;
    if !bench.configuration().display {
        return Err(Stop::NotApplicable(
            "the key has no display; P-2 and P-3 are about that",
        ));
    }
    let credentials = register_accounts(bench, 3, None)?;
    for choice in [2, 0, 1] {
        bench.user(User::Chooses(choice))?;
        let request = bench.assertion_for(RP_ID);
        let assertion = bench.assert(&request)?;
        let newest_first = credentials.iter().rev().nth(choice);
        is_signed_by(
            present(newest_first, "the chosen credential")?,
            &request,
            &assertion,
        )?;
        ensure_eq!(
            assertion.number_of_credentials,
            None,
            "numberOfCredentials after a choice"
        );
        let selected = numbered(&Value::Map(assertion.more), USER_SELECTED).cloned();
        ensure_eq!(selected, Some(Value::from(true)), "userSelected");
        refused(bench.client().get_next_assertion(), Status::NOT_ALLOWED)?;
    }
    Ok(())
}

fn store_state(bench: &mut Bench) -> Outcome {
    bench.set_pin(PinProtocol::Two)?;
    let state = EncryptedState::new(bench, CRED_STORE_STATE)?;
    let before = state.read(bench)?;
    let token = bench.token(PinProtocol::Two, Permissions::MAKE_CREDENTIAL, Some(RP_ID))?;
    let request = bench.resident_registration().authorized_by(&token);
    bench.register(&request)?;
    let after = state.read(bench)?;
    ensure!(
        before != after,
        "a new credential did not change the state of the store"
    );
    Ok(())
}

fn replaces(bench: &mut Bench) -> Outcome {
    let request = bench.resident_registration();
    let first = bench.register(&request)?;
    let second = bench.register(&request)?;
    ensure!(first.id != second.id, "the new credential has the old id");
    ensure!(
        first.public_key != second.public_key,
        "the new credential has the old key"
    );
    let request = bench.assertion_of(&first);
    refused(bench.client().get_assertion(&request), Status::NO_CREDENTIALS)?;
    let request = bench.assertion_for(RP_ID);
    let assertion = bench.assert(&request)?;
    is_signed_by(&second, &request, &assertion)?;
    ensure_eq!(
        assertion.number_of_credentials,
        None,
        "numberOfCredentials of one account"
    );
    Ok(())
}
