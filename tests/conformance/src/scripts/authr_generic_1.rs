//! `Authr-Generic-1`: authenticatorGetInfo, CTAP 2.3 §6.4, and the metadata statement that describes it.

use wardkey_sim::fido_client::PinProtocol;

use crate::bench::Bench;
use crate::case::{Case, Outcome, Script, ensure, ensure_eq, present};
use crate::encrypted_state::{CRED_STORE_STATE, EncryptedState, IDENTIFIER, Member};
use crate::info_rules::Info;
use crate::metadata::{self, Statement};

pub(super) const SCRIPT: Script = Script {
    name: "Authr-Generic-1",
    cases: &[
        Case::new(
            "P-1",
            "describes itself, as its metadata statement does",
            describes_itself,
        ),
        Case::new(
            "P-2",
            "has the options that its metadata statement promises",
            options,
        ),
        Case::new("P-3", "has a metadata statement that mentions the PIN", pin),
        Case::new("P-4", "has another identity after a reset", |bench| {
            reset_changes(bench, IDENTIFIER)
        }),
        Case::new("P-5", "has another state of its store after a reset", |bench| {
            reset_changes(bench, CRED_STORE_STATE)
        }),
    ],
};

fn describes_itself(bench: &mut Bench) -> Outcome {
    let info = bench.info()?;
    Info::new(&info.raw).check()?;
    let statement = Statement::new(bench.metadata()?);
    metadata::get_info::matches(&statement, &info.raw)
}

fn options(bench: &mut Bench) -> Outcome {
    const VERIFIES: [&str; 9] = [
        "fingerprint_internal",
        "voiceprint_internal",
        "faceprint_internal",
        "eyeprint_internal",
        "handprint_internal",
        "pattern_internal",
        "pattern_external",
        "passcode_internal",
        "passcode_external",
    ];
    let info = bench.info()?;
    let statement = Statement::new(bench.metadata()?);
    let methods = statement.verification_methods();
    // The default of up is true, CTAP 2.3 §6.4.
    if info.option("up").unwrap_or(true) {
        ensure!(
            methods.contains(&"presence_internal"),
            "the statement does not mention presence"
        );
    }
    if info.option("uv") == Some(true) {
        let mentioned = methods.iter().any(|method| VERIFIES.contains(method));
        ensure!(mentioned, "the statement does not mention verification");
    }
    Ok(())
}

fn pin(bench: &mut Bench) -> Outcome {
    const PIN_UV_AUTH_PROTOCOLS: u8 = 0x06;
    let protocols = bench.info()?.member(PIN_UV_AUTH_PROTOCOLS).cloned();
    let protocols = present(protocols, "pinUvAuthProtocols")?;
    ensure!(
        protocols.as_array().is_some_and(|list| !list.is_empty()),
        "pinUvAuthProtocols is empty"
    );
    let statement = Statement::new(bench.metadata()?);
    let methods = statement.verification_methods();
    ensure!(
        methods.contains(&"passcode_external"),
        "the statement does not mention the PIN"
    );
    Ok(())
}

fn reset_changes(bench: &mut Bench, member: Member) -> Outcome {
    ensure_eq!(
        bench.info()?.member(member.key()),
        None,
        "the member before there is a token to open it"
    );
    bench.set_pin(PinProtocol::Two)?;
    let before = EncryptedState::new(bench, member)?.read(bench)?;
    bench.reset()?;
    bench.set_pin(PinProtocol::Two)?;
    let after = EncryptedState::new(bench, member)?.read(bench)?;
    ensure!(before != after, "a reset did not change it");
    Ok(())
}
