//! What the scripts about authenticatorClientPIN share: most cases are there for each of the two PIN protocols.

use ciborium::Value;
use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{
    ClientPin, Configuration, MinPinLength, Permissions, PinProtocol, PinUvAuthToken, Status,
};

use crate::bench::{Bench, PIN, RP_ID};
use crate::case::{Outcome, Stop, ensure, ensure_eq, present, refused};
use crate::parameters::numbered;
use crate::scripts::get_assertion::is_signed_by;

/// Another PIN than the usual one.
pub(super) const NEW_PIN: &[u8] = b"wardkey-1357";
const WRONG_PIN: &[u8] = b"wardkey-9999";

/// How often a PIN may be wrong, CTAP 2.3 §6.5.1.
const RETRIES: u32 = 8;

const MIN_PIN_LENGTH: u8 = 0x0D;
const FORCE_PIN_CHANGE: u8 = 0x0C;
const MAX_PIN_LENGTH: u8 = 0x1D;

/// The key-agreement key is a COSE key with the members that it has to have, and no others.
pub(super) fn key_agreement(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    let answer = bench
        .client()
        .client_pin(&ClientPin::get_key_agreement(protocol))?;
    let key = present(answer.key_agreement, "keyAgreement")?;
    let members = present(key.as_map(), "keyAgreement, a map,")?;
    ensure_eq!(members.len(), 5, "the number of members of the key");
    for (member, expected) in [(1, 2), (3, -25), (-1, 1)] {
        ensure_eq!(
            numbered(&key, member),
            Some(&Value::from(expected)),
            "member {member} of the key"
        );
    }
    for coordinate in [-2, -3] {
        let bytes = present(
            numbered(&key, coordinate).and_then(Value::as_bytes),
            "a coordinate",
        )?;
        ensure_eq!(bytes.len(), 32, "the length of coordinate {coordinate}");
    }
    Ok(())
}

/// A first PIN is set.
pub(super) fn sets_pin(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    ensure_eq!(
        bench.info()?.option("clientPin"),
        Some(false),
        "option clientPin of a new key"
    );
    bench.set_pin(protocol)?;
    ensure_eq!(bench.info()?.option("clientPin"), Some(true), "option clientPin");
    old_token(bench, protocol, PIN).map(drop)
}

/// The PIN is changed; the old one is of no use any more.
pub(super) fn changes_pin(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    change_pin(bench, protocol)?;
    old_token(bench, protocol, NEW_PIN)?;
    let (client, rng) = bench.client_and_rng();
    refused(client.pin_token(protocol, PIN, rng), Status::PIN_INVALID)
}

fn change_pin(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    let (client, rng) = bench.client_and_rng();
    Ok(client.change_pin(protocol, PIN, NEW_PIN, rng)?)
}

/// A token with the subcommand of CTAP 2.0.
pub(super) fn old_token(
    bench: &mut Bench,
    protocol: PinProtocol,
    pin: &[u8],
) -> Result<PinUvAuthToken, Stop> {
    let (client, rng) = bench.client_and_rng();
    let token = client.pin_token(protocol, pin, rng)?;
    ensure_eq!(token.expose_secret().len(), 32, "the length of the token");
    Ok(token)
}

/// getPinToken gives a token.
pub(super) fn gives_old_token(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    old_token(bench, protocol, PIN).map(drop)
}

/// A credential that is made with a token tells that the user was verified.
pub(super) fn registers_with(bench: &mut Bench, token: &PinUvAuthToken, resident: bool) -> Outcome {
    let request = bench.registration_of(resident);
    let flags = bench
        .register(&request.authorized_by(token))?
        .attestation
        .auth_data
        .flags;
    ensure!(flags.contains(Flags::USER_VERIFIED), "flag UV is not set");
    ensure!(flags.contains(Flags::USER_PRESENT), "flag UP is not set");
    Ok(())
}

/// An assertion with the token that `token` gets tells that the user was verified.
pub(super) fn asserts_with(
    bench: &mut Bench,
    token: impl FnOnce(&mut Bench) -> Result<PinUvAuthToken, Stop>,
) -> Outcome {
    let request = bench.registration();
    let credential = bench.register(&request)?;
    let token = token(bench)?;
    let request = bench.assertion_of(&credential).authorized_by(&token);
    let assertion = bench.assert(&request)?;
    is_signed_by(&credential, &request, &assertion)?;
    let flags = assertion.auth_data.flags;
    ensure!(flags.contains(Flags::USER_VERIFIED), "flag UV is not set");
    ensure!(flags.contains(Flags::USER_PRESENT), "flag UP is not set");
    Ok(())
}

/// A token that may be used for this, at the usual relying party.
pub(super) fn token_for(
    bench: &mut Bench,
    protocol: PinProtocol,
    permissions: Permissions,
) -> Result<PinUvAuthToken, Stop> {
    bench.token(protocol, permissions, Some(RP_ID))
}

/// Sets a PIN, and demands that it be changed.
pub(super) fn force_pin_change(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    let token = bench.token(protocol, Permissions::CONFIGURATION, None)?;
    let setting = Configuration::SetMinPinLength(MinPinLength {
        force_change_pin: Some(true),
        ..MinPinLength::default()
    });
    bench.client().configure(&setting, Some(&token))?;
    ensure_eq!(forces_pin_change(bench)?, true, "forcePINChange");
    Ok(())
}

/// Whether the PIN has to be changed.
pub(super) fn forces_pin_change(bench: &mut Bench) -> Result<bool, Stop> {
    let info = bench.info()?;
    Ok(info
        .member(FORCE_PIN_CHANGE)
        .and_then(Value::as_bool)
        .unwrap_or(false))
}

/// A forced change of the PIN ends when it is changed.
pub(super) fn change_ends_force(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    force_pin_change(bench, protocol)?;
    change_pin(bench, protocol)?;
    ensure_eq!(
        forces_pin_change(bench)?,
        false,
        "forcePINChange after the change"
    );
    old_token(bench, protocol, NEW_PIN).map(drop)
}

/// While a change of the PIN is forced, getPinToken gives none.
pub(super) fn no_old_token_when_forced(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    force_pin_change(bench, protocol)?;
    let (client, rng) = bench.client_and_rng();
    refused(client.pin_token(protocol, PIN, rng), Status::PIN_INVALID)?;
    change_pin(bench, protocol)?;
    old_token(bench, protocol, NEW_PIN).map(drop)
}

/// The shortest and longest PIN, in code points.
fn pin_lengths(bench: &mut Bench) -> Result<(usize, usize), Stop> {
    const BYTES_MAX: usize = 63;
    let info = bench.info()?;
    let number = |key| {
        let number = info.member(key)?.as_integer()?;
        usize::try_from(i128::from(number)).ok()
    };
    let shortest = present(number(MIN_PIN_LENGTH), "minPINLength")?;
    ensure!((4..=BYTES_MAX).contains(&shortest), "minPINLength is {shortest}");
    Ok((shortest, number(MAX_PIN_LENGTH).unwrap_or(BYTES_MAX)))
}

/// A PIN of this length, all of whose characters differ from their neighbours.
fn pin_of(length: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(length).collect()
}

/// Longer than the shortest, and up to the longest.
pub(super) fn accepts_lengths(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    let (shortest, longest) = pin_lengths(bench)?;
    for length in [shortest + 1, longest] {
        bench.reset()?;
        let (client, rng) = bench.client_and_rng();
        client.set_pin(protocol, &pin_of(length), rng)?;
        old_token(bench, protocol, &pin_of(length))?;
    }
    Ok(())
}

/// One more than the longest.
pub(super) fn refuses_longer(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    let (_, longest) = pin_lengths(bench)?;
    refuses_pin(bench, protocol, &pin_of(longest + 1))
}

/// A PIN that breaks a rule; there is none afterwards.
pub(super) fn refuses_pin(bench: &mut Bench, protocol: PinProtocol, pin: &[u8]) -> Outcome {
    let (client, rng) = bench.client_and_rng();
    refused(client.set_pin(protocol, pin, rng), Status::PIN_POLICY_VIOLATION)?;
    ensure_eq!(bench.info()?.option("clientPin"), Some(false), "option clientPin");
    Ok(())
}

/// The retries of a key that has a PIN.
pub(super) fn counts_retries(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    ensure_eq!(bench.client().pin_retries()?, RETRIES, "pinRetries");
    Ok(())
}

fn wrong_pin(bench: &mut Bench, protocol: PinProtocol, expected: Status) -> Outcome {
    let (client, rng) = bench.client_and_rng();
    refused(client.pin_token(protocol, WRONG_PIN, rng), expected)
}

/// Wrong PINs cost retries, the right one gives them back.
pub(super) fn right_pin_restores_retries(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    for _ in 0..2 {
        wrong_pin(bench, protocol, Status::PIN_INVALID)?;
    }
    ensure_eq!(
        bench.client().pin_retries()?,
        RETRIES - 2,
        "pinRetries after two wrong PINs"
    );
    let token = old_token(bench, protocol, PIN)?;
    registers_with(bench, &token, false)?;
    ensure_eq!(
        bench.client().pin_retries()?,
        RETRIES,
        "pinRetries after the right PIN"
    );
    Ok(())
}

/// Three wrong PINs in a row block until power is lost.
pub(super) fn three_wrong_pins_block(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    three_wrong_pins(bench, protocol)?;
    let answer = bench
        .client()
        .client_pin(&ClientPin::bare(ClientPin::GET_PIN_RETRIES))?;
    ensure_eq!(answer.power_cycle_state, Some(true), "powerCycleState");
    ensure_eq!(answer.pin_retries, Some(RETRIES - 3), "pinRetries");
    // Not even the right one, and it costs nothing.
    let (client, rng) = bench.client_and_rng();
    refused(client.pin_token(protocol, PIN, rng), Status::PIN_AUTH_BLOCKED)?;
    ensure_eq!(
        bench.client().pin_retries()?,
        RETRIES - 3,
        "pinRetries while blocked"
    );
    bench.power_cycle()?;
    old_token(bench, protocol, PIN).map(drop)
}

fn three_wrong_pins(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    wrong_pin(bench, protocol, Status::PIN_INVALID)?;
    wrong_pin(bench, protocol, Status::PIN_INVALID)?;
    wrong_pin(bench, protocol, Status::PIN_AUTH_BLOCKED)
}

/// Without retries, the right PIN is of no use, either.
pub(super) fn no_retries_block_for_good(bench: &mut Bench, protocol: PinProtocol) -> Outcome {
    bench.set_pin(protocol)?;
    three_wrong_pins(bench, protocol)?;
    bench.power_cycle()?;
    three_wrong_pins(bench, protocol)?;
    bench.power_cycle()?;
    wrong_pin(bench, protocol, Status::PIN_INVALID)?;
    wrong_pin(bench, protocol, Status::PIN_BLOCKED)?;
    ensure_eq!(bench.client().pin_retries()?, 0, "pinRetries");
    for _ in 0..2 {
        let (client, rng) = bench.client_and_rng();
        refused(client.pin_token(protocol, PIN, rng), Status::PIN_BLOCKED)?;
        bench.power_cycle()?;
    }
    // A reset is all that helps.
    bench.client().reset()?;
    bench.set_pin(protocol)?;
    ensure_eq!(bench.client().pin_retries()?, RETRIES, "pinRetries after a reset");
    Ok(())
}
