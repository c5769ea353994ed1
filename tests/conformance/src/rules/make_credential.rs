//! `wardkey-make-credential`: authenticatorMakeCredential step by step, CTAP 2.3 §6.1.2.

use ciborium::Value;
use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{Permissions, PinProtocol, PinUvAuthToken, Status};

use crate::bench::{Bench, MAKE_CREDENTIAL, RP_ID};
use crate::case::{Case, Outcome, Script, Stop, ensure, ensure_eq, present, refused};
use crate::key::User;
use crate::parameters::{Parameters, descriptor};

pub(super) const SCRIPT: Script = Script {
    name: "wardkey-make-credential",
    cases: &[
        Case::new(
            "probe-without-pin",
            "answers an empty pinUvAuthParam after a touch",
            probe_without_pin,
        ),
        Case::new(
            "probe-with-pin",
            "answers an empty pinUvAuthParam after a touch",
            probe_with_pin,
        ),
        Case::new(
            "probe-untouched",
            "does not answer a probe that nobody touches",
            probe_untouched,
        ),
        Case::new(
            "protocol-missing",
            "wants to know the protocol of a pinUvAuthParam",
            protocol_missing,
        ),
        Case::new(
            "protocol-unknown",
            "refuses a protocol that it does not know",
            protocol_unknown,
        ),
        Case::new(
            "nothing-to-verify",
            "ignores a pinUvAuthParam before there is a PIN",
            nothing_to_verify,
        ),
        Case::new(
            "wrong-param",
            "refuses a pinUvAuthParam that is wrong",
            wrong_param,
        ),
        Case::new(
            "no-permission",
            "refuses a token for something else",
            no_permission,
        ),
        Case::new("other-rp", "refuses a token for another relying party", other_rp),
        Case::new(
            "first-use-binds",
            "binds a token to the relying party of its first use",
            first_use_binds,
        ),
        Case::new("used-up", "takes the permission away after a touch", used_up),
        Case::new(
            "rk-unverified",
            "stores nothing for somebody whom it could verify and did not",
            rk_unverified,
        ),
        Case::new(
            "non-rk-unverified",
            "registers unverified what it does not store",
            non_rk_unverified,
        ),
        Case::new("uv-unknown", "refuses to verify when it cannot", uv_unknown),
        Case::new("declined", "tells that the user refused", declined),
        Case::new("timed-out", "tells that the user did nothing", timed_out),
        Case::new(
            "excluded-declined",
            "tells that there is a credential, whatever the user does",
            excluded_declined,
        ),
        Case::new(
            "excluded-hidden",
            "does not tell strangers about protected credentials",
            excluded_hidden,
        ),
        Case::new(
            "empty-rp-id",
            "serves no relying party without an id",
            empty_rp_id,
        ),
        Case::new("user-id", "takes user ids of 1 to 64 bytes", user_id),
        Case::new(
            "exclude-list-length",
            "takes lists as long as it says",
            exclude_list_length,
        ),
        Case::new("icon", "ignores icons", icon),
        Case::new(
            "non-discoverable",
            "does not let a credential be found that it does not store",
            non_discoverable,
        ),
        Case::new(
            "backup-flags",
            "sets BE for synced credentials only, and BS never without BE",
            backup_flags,
        ),
        Case::new("long-names", "keeps long names whole", long_names),
        Case::new("any-rp-id", "takes ids that are no domains", any_rp_id),
    ],
};

const PARAM: u8 = 8;
const PROTOCOL: u8 = 9;
const TWO: PinProtocol = PinProtocol::Two;

fn probe(bench: &mut Bench) -> Parameters {
    Parameters::from(&bench.registration())
        .with(PARAM, Value::Bytes(Vec::new()))
        .with(PROTOCOL, 1)
}

fn probe_without_pin(bench: &mut Bench) -> Outcome {
    let request = probe(bench);
    bench.refuses(MAKE_CREDENTIAL, &request, Status::PIN_NOT_SET)
}

/// Also with a protocol that does not exist: step 1 comes before step 2.
fn probe_with_pin(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let request = probe(bench);
    bench.refuses(MAKE_CREDENTIAL, &request, Status::PIN_INVALID)?;
    bench.refuses(MAKE_CREDENTIAL, &request.with(PROTOCOL, 9), Status::PIN_INVALID)
}

fn probe_untouched(bench: &mut Bench) -> Outcome {
    bench.user(User::Refuses)?;
    let request = probe(bench);
    bench.refuses(MAKE_CREDENTIAL, &request, Status::OPERATION_DENIED)
}

fn protocol_missing(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = token(bench)?;
    let request = Parameters::from(&bench.registration().authorized_by(&token)).without(PROTOCOL);
    bench.refuses(MAKE_CREDENTIAL, &request, Status::MISSING_PARAMETER)
}

fn protocol_unknown(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = token(bench)?;
    for number in [0, 3, 255] {
        let request = Parameters::from(&bench.registration().authorized_by(&token));
        bench.refuses(
            MAKE_CREDENTIAL,
            &request.with(PROTOCOL, number),
            Status::INVALID_PARAMETER,
        )?;
    }
    Ok(())
}

fn nothing_to_verify(bench: &mut Bench) -> Outcome {
    if bench.configuration().built_in_uv {
        return Err(Stop::NotApplicable(
            "the key can verify its user before there is a PIN",
        ));
    }
    let token = PinUvAuthToken::from_parts(TWO, vec![7; 32]);
    let request = bench.registration().authorized_by(&token);
    let flags = bench.register(&request)?.attestation.auth_data.flags;
    ensure!(!flags.contains(Flags::USER_VERIFIED), "flag UV is set");
    Ok(())
}

fn token(bench: &mut Bench) -> Result<PinUvAuthToken, Stop> {
    bench.token(TWO, Permissions::MAKE_CREDENTIAL, Some(RP_ID))
}

fn wrong_param(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = token(bench)?;
    let good = Parameters::from(&bench.registration().authorized_by(&token));
    let other_hash = good.clone().with(1, vec![9; 32]);
    bench.refuses(MAKE_CREDENTIAL, &other_hash, Status::PIN_AUTH_INVALID)?;
    let short = good.clone().with(PARAM, vec![9; 16]);
    bench.refuses(MAKE_CREDENTIAL, &short, Status::PIN_AUTH_INVALID)?;
    // A refusal does not use the token up.
    bench.registers(&good).map(drop)
}

fn no_permission(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let all_others = Permissions::GET_ASSERTION
        .and(Permissions::CREDENTIAL_MANAGEMENT)
        .and(Permissions::CONFIGURATION);
    let token = bench.token(TWO, all_others, Some(RP_ID))?;
    let request = bench.registration().authorized_by(&token);
    refused(bench.client().make_credential(&request), Status::PIN_AUTH_INVALID)
}

fn other_rp(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = bench.token(TWO, Permissions::MAKE_CREDENTIAL, Some("another.example"))?;
    let request = bench.registration().authorized_by(&token);
    refused(bench.client().make_credential(&request), Status::PIN_AUTH_INVALID)
}

fn first_use_binds(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let request = bench.registration();
    let credential = bench.register(&request)?;
    let both = Permissions::MAKE_CREDENTIAL.and(Permissions::GET_ASSERTION);
    let token = bench.token(TWO, both, None)?;
    // Without presence, so that the permissions stay.
    let mut request = bench.assertion_of(&credential);
    request.up = Some(false);
    bench.assert(&request.authorized_by(&token))?;
    let mut request = bench.registration();
    request.rp.id = "another.example".to_owned();
    let answer = bench.client().make_credential(&request.authorized_by(&token));
    refused(answer, Status::PIN_AUTH_INVALID)?;
    let request = bench.registration().authorized_by(&token);
    bench.register(&request).map(drop)
}

fn used_up(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let token = token(bench)?;
    let request = bench.registration().authorized_by(&token);
    bench.register(&request)?;
    let request = bench.registration().authorized_by(&token);
    refused(bench.client().make_credential(&request), Status::PIN_AUTH_INVALID)
}

fn rk_unverified(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let mut request = bench.resident_registration();
    request.uv = None;
    refused(bench.client().make_credential(&request), Status::PUAT_REQUIRED)
}

fn non_rk_unverified(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let request = bench.registration();
    let flags = bench.register(&request)?.attestation.auth_data.flags;
    ensure!(!flags.contains(Flags::USER_VERIFIED), "flag UV is set");
    Ok(())
}

fn uv_unknown(bench: &mut Bench) -> Outcome {
    if bench.configuration().built_in_uv {
        return Err(Stop::NotApplicable("the key has built-in user verification"));
    }
    let mut request = bench.registration();
    request.uv = Some(true);
    refused(bench.client().make_credential(&request), Status::INVALID_OPTION)?;
    request.uv = Some(false);
    bench.register(&request).map(drop)
}

fn declined(bench: &mut Bench) -> Outcome {
    bench.user(User::Refuses)?;
    let request = bench.registration();
    refused(bench.client().make_credential(&request), Status::OPERATION_DENIED)
}

fn timed_out(bench: &mut Bench) -> Outcome {
    bench.needs_virtual_time()?;
    bench.user(User::Absent)?;
    let request = bench.registration();
    refused(bench.client().make_credential(&request), Status::OPERATION_DENIED)
}

fn excluded_declined(bench: &mut Bench) -> Outcome {
    let mut request = bench.registration();
    request.exclude_list = vec![bench.register(&request)?.id];
    bench.user(User::Refuses)?;
    refused(
        bench.client().make_credential(&request),
        Status::CREDENTIAL_EXCLUDED,
    )
}

/// Level 3 of credProtect: the credential is not known to who is not verified.
fn excluded_hidden(bench: &mut Bench) -> Outcome {
    let request = bench
        .registration()
        .with_extensions([("credProtect", Value::from(3))]);
    let hidden = bench.register(&request)?;
    let mut request = bench.registration();
    request.exclude_list = vec![hidden.id];
    bench.register(&request)?;
    bench.set_pin(TWO)?;
    let token = token(bench)?;
    let answer = bench.client().make_credential(&request.authorized_by(&token));
    refused(answer, Status::CREDENTIAL_EXCLUDED)
}

fn empty_rp_id(bench: &mut Bench) -> Outcome {
    let mut request = bench.registration();
    request.rp.id.clear();
    refused(
        bench.client().make_credential(&request),
        Status::INVALID_PARAMETER,
    )?;
    let request = bench.assertion_for("");
    refused(bench.client().get_assertion(&request), Status::INVALID_PARAMETER)
}

fn user_id(bench: &mut Bench) -> Outcome {
    for (length, fits) in [(0, false), (1, true), (64, true), (65, false)] {
        let mut request = bench.registration();
        request.user.id = vec![7; length];
        let answer = bench.client().make_credential(&request);
        if fits {
            answer?;
        } else {
            refused(answer, Status::INVALID_LENGTH)?;
        }
    }
    Ok(())
}

fn exclude_list_length(bench: &mut Bench) -> Outcome {
    let most = bench.info()?.credentials_in_list_max.unwrap_or_default();
    let list = |length: u32| Value::Array((0..length).map(|_| descriptor(&[9; 32])).collect());
    let request = Parameters::from(&bench.registration());
    bench.registers(&request.clone().with(5, list(most)))?;
    bench.refuses(
        MAKE_CREDENTIAL,
        &request.with(5, list(most + 1)),
        Status::LIMIT_EXCEEDED,
    )
}

fn icon(bench: &mut Bench) -> Outcome {
    for icon in [Value::from("https://icon.example/"), Value::from(7)] {
        let request = Parameters::from(&bench.registration());
        let request = request
            .with_inner(2, "icon", icon.clone())
            .with_inner(3, "icon", icon);
        bench.registers(&request)?;
    }
    Ok(())
}

fn non_discoverable(bench: &mut Bench) -> Outcome {
    for rk in [None, Some(false)] {
        let mut request = bench.registration();
        request.rk = rk;
        bench.register(&request)?;
        let request = bench.assertion_for(RP_ID);
        refused(bench.client().get_assertion(&request), Status::NO_CREDENTIALS)?;
    }
    Ok(())
}

fn backup_flags(bench: &mut Bench) -> Outcome {
    let synced = bench.configuration().synced;
    let request = bench.registration();
    let credential = bench.register(&request)?;
    let request = bench.assertion_of(&credential);
    let flags = [
        credential.attestation.auth_data.flags,
        bench.assert(&request)?.auth_data.flags,
    ];
    for flags in flags {
        ensure_eq!(flags.contains(Flags::BACKUP_ELIGIBLE), synced, "flag BE");
        ensure!(
            synced || !flags.contains(Flags::BACKUP_STATE),
            "flag BS is set without BE"
        );
    }
    Ok(())
}

fn long_names(bench: &mut Bench) -> Outcome {
    bench.set_pin(TWO)?;
    let name = "é".repeat(100);
    let mut request = bench.registration_of(true);
    request.user.name = Some(name.clone());
    request.user.display_name = Some(name.clone());
    let token = token(bench)?;
    bench.register(&request.authorized_by(&token))?;
    let token = bench.token(TWO, Permissions::GET_ASSERTION, Some(RP_ID))?;
    let request = bench.assertion_for(RP_ID).authorized_by(&token);
    let user = present(bench.assert(&request)?.user, "user")?;
    ensure_eq!(user.name.as_deref(), Some(name.as_str()), "user.name");
    ensure_eq!(
        user.display_name.as_deref(),
        Some(name.as_str()),
        "user.displayName"
    );
    Ok(())
}

/// ssh names its relying parties so.
fn any_rp_id(bench: &mut Bench) -> Outcome {
    let mut request = bench.resident_registration();
    request.rp.id = "ssh:conformance".to_owned();
    bench.register(&request)?;
    let request = bench.assertion_for("ssh:conformance");
    bench.assert(&request).map(drop)
}
