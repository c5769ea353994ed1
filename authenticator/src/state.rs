//! What the key remembers besides credentials when it is without power: PIN, counters, settings. [`State`] ⇄ CBOR, kept
//! by the vault as one sealed document. `SPEC.md` has the table of its members.

use rand_core::CryptoRng;
use wardkey_transport::time::Instant;
use wardkey_vault::{Document, Error, Event, Locked, Record, Secret, Vault};
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::cbor::{self, Map, Value};
use crate::parameters::{self, array, boolean, text};
use crate::pin::entry::{self, RETRIES_MAX};
use crate::status::StatusCode;

/// The shortest PIN unless a longer one is demanded, in code points; `CTAP 2.3 §6.4`, `minPINLength`.
pub(crate) const MIN_PIN_LENGTH: u8 = 4;
/// How many failed built-in user verifications block that way.
pub(crate) const UV_RETRIES_MAX: u8 = 8;

const PIN_HASH: u64 = 1;
const PIN_CODE_POINTS: u64 = 2;
const PIN_RETRIES: u64 = 3;
const UV_RETRIES: u64 = 4;
const UV_COUNT: u64 = 5;
const MIN_LENGTH: u64 = 6;
const MIN_LENGTH_RP_IDS: u64 = 7;
const FORCE_PIN_CHANGE: u64 = 8;
const COMPLEXITY: u64 = 9;
const ALWAYS_UV: u64 = 10;
const ENTERPRISE_ATTESTATION: u64 = 11;
const LONG_TOUCH: u64 = 12;
const PERSISTENT_TOKEN: u64 = 13;
const DEVICE_IDENTIFIER: u64 = 14;
const PIN_IS_COMPLEX: u64 = 15;
/// Only in the public part.
const HAS_PIN: u64 = 16;

/// A PIN that is set.
pub(crate) struct Pin {
    pub(crate) hash: Secret<{ entry::HASH_LEN }>,
    /// Its length as `minPINLength` counts.
    pub(crate) code_points: u8,
    /// Whether it satisfies the complexity policy.
    pub(crate) is_complex: bool,
}

/// What survives a power cycle.
pub(crate) struct State {
    pub(crate) pin: Option<Pin>,
    pub(crate) pin_retries: u8,
    pub(crate) uv_retries: u8,
    /// Built-in user verifications since the PIN was last entered.
    pub(crate) uv_count: u32,
    pub(crate) min_pin_length: u8,
    /// Who is told the minimum length and the complexity policy.
    pub(crate) min_pin_length_rp_ids: Vec<String>,
    pub(crate) force_pin_change: bool,
    pub(crate) pin_complexity_policy: bool,
    pub(crate) always_uv: bool,
    pub(crate) enterprise_attestation: bool,
    pub(crate) long_touch_for_reset: bool,
    /// Grants read-only credential management, `CTAP 2.3 §6.5.2.1`.
    pub(crate) persistent_token: Option<Secret<32>>,
    /// Random; only holders of the persistent token can read it.
    pub(crate) device_identifier: [u8; 16],
}

impl State {
    /// The state of a key that was never used, or was just reset.
    pub(crate) fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut device_identifier = [0; 16];
        rng.fill_bytes(&mut device_identifier);
        Self::with_device_identifier(device_identifier)
    }

    fn with_device_identifier(device_identifier: [u8; 16]) -> Self {
        Self {
            pin: None,
            pin_retries: RETRIES_MAX,
            uv_retries: UV_RETRIES_MAX,
            uv_count: 0,
            min_pin_length: MIN_PIN_LENGTH,
            min_pin_length_rp_ids: Vec::new(),
            force_pin_change: false,
            pin_complexity_policy: false,
            always_uv: false,
            enterprise_attestation: false,
            long_touch_for_reset: false,
            persistent_token: None,
            device_identifier,
        }
    }

    /// The PIN was entered and is right: it and the other way to verify start anew.
    pub(crate) fn verified_by_pin(&mut self) {
        self.pin_retries = RETRIES_MAX;
        self.uv_retries = UV_RETRIES_MAX;
        self.uv_count = 0;
    }

    /// The document.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let Self {
            pin,
            pin_retries,
            uv_retries,
            uv_count,
            min_pin_length,
            min_pin_length_rp_ids,
            force_pin_change,
            pin_complexity_policy,
            always_uv,
            enterprise_attestation,
            long_touch_for_reset,
            persistent_token,
            device_identifier,
        } = self;
        let rp_ids = min_pin_length_rp_ids.iter().map(|id| Value::Text(id)).collect();
        let mut members = Map::new([
            (PIN_RETRIES, Value::Unsigned(u64::from(*pin_retries))),
            (UV_RETRIES, Value::Unsigned(u64::from(*uv_retries))),
            (UV_COUNT, Value::Unsigned(u64::from(*uv_count))),
            (MIN_LENGTH, Value::Unsigned(u64::from(*min_pin_length))),
            (MIN_LENGTH_RP_IDS, Value::Array(rp_ids)),
            (FORCE_PIN_CHANGE, Value::Bool(*force_pin_change)),
            (COMPLEXITY, Value::Bool(*pin_complexity_policy)),
            (ALWAYS_UV, Value::Bool(*always_uv)),
            (ENTERPRISE_ATTESTATION, Value::Bool(*enterprise_attestation)),
            (LONG_TOUCH, Value::Bool(*long_touch_for_reset)),
            (DEVICE_IDENTIFIER, Value::Bytes(device_identifier)),
        ]);
        if let Some(Pin {
            hash,
            code_points,
            is_complex,
        }) = pin
        {
            members.insert(PIN_IS_COMPLEX, Value::Bool(*is_complex));
            members.insert(PIN_HASH, Value::Bytes(hash.expose_secret()));
            members.insert(PIN_CODE_POINTS, Value::Unsigned(u64::from(*code_points)));
        }
        if let Some(token) = persistent_token {
            members.insert(PERSISTENT_TOKEN, Value::Bytes(token.expose_secret()));
        }
        Zeroizing::new(cbor::encode(&Value::Map(members)))
    }

    /// The state that is kept in an open vault, or a new one.
    pub(crate) fn read(vault: &Vault, rng: &mut dyn CryptoRng) -> Result<Self, Error> {
        match vault.document(Document::AuthenticatorState)? {
            None => Ok(Self::new(rng)),
            Some(document) => Self::decode(&document).ok_or(Error::Tampered),
        }
    }

    /// As much of the state as there is without the Vault PIN: no PIN compares equal to the one in it, nobody holds its
    /// tokens. What somebody else wrote is as if there were none; the true state takes its place when the vault is opened.
    pub(crate) fn known_while_locked(vault: &Locked) -> Self {
        let kept = vault.public_state().and_then(Self::decode_public);
        kept.unwrap_or_else(|| Self::with_device_identifier([0; 16]))
    }

    /// What getInfo and the numbers of retries need, which hosts can ask for anyway.
    pub(crate) fn encode_public(&self) -> Vec<u8> {
        let flags = [
            (FORCE_PIN_CHANGE, self.force_pin_change),
            (COMPLEXITY, self.pin_complexity_policy),
            (ALWAYS_UV, self.always_uv),
            (ENTERPRISE_ATTESTATION, self.enterprise_attestation),
            (LONG_TOUCH, self.long_touch_for_reset),
            (HAS_PIN, self.pin.is_some()),
        ];
        let numbers = [
            (PIN_RETRIES, u32::from(self.pin_retries)),
            (UV_RETRIES, u32::from(self.uv_retries)),
            (UV_COUNT, self.uv_count),
            (MIN_LENGTH, u32::from(self.min_pin_length)),
        ];
        let flags = flags.map(|(key, flag)| (key, Value::Bool(flag)));
        let numbers = numbers.map(|(key, number)| (key, Value::Unsigned(u64::from(number))));
        cbor::encode(&Value::Map(Map::new(flags.into_iter().chain(numbers))))
    }

    fn decode_public(document: &[u8]) -> Option<Self> {
        let members = Members::read(document)?;
        let mut state = members.settings()?;
        state.pin = members.flag(HAS_PIN)?.then(|| Pin {
            hash: Secret::from_slice(&[0; entry::HASH_LEN]).expect("of that length"),
            code_points: u8::MAX,
            is_complex: true,
        });
        Some(state)
    }

    /// What [`Self::encode`] wrote; `None` for everything else.
    pub(crate) fn decode(document: &[u8]) -> Option<Self> {
        let members = Members::read(document)?;
        let mut state = members.settings()?;
        if members.0.get(PIN_HASH).is_some() {
            state.pin = Some(Pin {
                hash: Secret::from_slice(members.bytes(PIN_HASH)?)?,
                code_points: members.byte(PIN_CODE_POINTS)?,
                is_complex: members.flag(PIN_IS_COMPLEX)?,
            });
        }
        if members.0.get(PERSISTENT_TOKEN).is_some() {
            state.persistent_token = Some(Secret::from_slice(members.bytes(PERSISTENT_TOKEN)?)?);
        }
        state.min_pin_length_rp_ids = texts(members.0.get(MIN_LENGTH_RP_IDS)?)?;
        state.device_identifier = members.bytes(DEVICE_IDENTIFIER)?.try_into().ok()?;
        Some(state)
    }
}

/// The members of a document.
struct Members<'a>(Map<'a>);

impl<'a> Members<'a> {
    fn read(document: &'a [u8]) -> Option<Self> {
        match cbor::decode(document) {
            Ok(Value::Map(members)) => Some(Self(members)),
            _ => None,
        }
    }

    fn unsigned(&self, key: u64) -> Option<u32> {
        u32::try_from(parameters::unsigned(self.0.get(key)?).ok()?).ok()
    }

    fn byte(&self, key: u64) -> Option<u8> {
        u8::try_from(self.unsigned(key)?).ok()
    }

    fn flag(&self, key: u64) -> Option<bool> {
        boolean(self.0.get(key)?).ok()
    }

    fn bytes(&self, key: u64) -> Option<&'a [u8]> {
        parameters::bytes(self.0.get(key)?).ok()
    }

    /// A state with what is no secret in it.
    fn settings(&self) -> Option<State> {
        Some(State {
            pin_retries: self.byte(PIN_RETRIES)?,
            uv_retries: self.byte(UV_RETRIES)?,
            uv_count: self.unsigned(UV_COUNT)?,
            min_pin_length: self.byte(MIN_LENGTH)?,
            force_pin_change: self.flag(FORCE_PIN_CHANGE)?,
            pin_complexity_policy: self.flag(COMPLEXITY)?,
            always_uv: self.flag(ALWAYS_UV)?,
            enterprise_attestation: self.flag(ENTERPRISE_ATTESTATION)?,
            long_touch_for_reset: self.flag(LONG_TOUCH)?,
            ..State::with_device_identifier([0; 16])
        })
    }
}

fn texts(value: &Value<'_>) -> Option<Vec<String>> {
    let owned = |item: &Value<'_>| text(item).map(str::to_owned).ok();
    array(value).ok()?.iter().map(owned).collect()
}

impl Authenticator {
    /// Writes the part of the state that can be read while the vault is locked, where something else is there.
    pub(crate) fn mend_public_state(&mut self) -> Result<(), Error> {
        let is_kept = self.vault.document(Document::AuthenticatorState)?.is_some();
        let public = self.state.encode_public();
        if !is_kept || self.vault.public_state()?.as_ref() == Some(&public) {
            return Ok(());
        }
        let document = self.state.encode();
        self.vault.put_state(&mut *self.rng, document, public, None)
    }

    /// Changes the state durably. What cannot be kept is not changed.
    pub(crate) fn update_state(&mut self, change: impl FnOnce(&mut State)) -> Result<(), StatusCode> {
        self.update_state_with(None, change)
    }

    /// The same, and writes into the log what happens with it.
    pub(crate) fn update_state_and_log(
        &mut self,
        now: Instant,
        event: Event,
        change: impl FnOnce(&mut State),
    ) -> Result<(), StatusCode> {
        let entry = self.entry(now, event);
        self.update_state_with(entry.as_ref(), change)
    }

    fn update_state_with(
        &mut self,
        entry: Option<&Record>,
        change: impl FnOnce(&mut State),
    ) -> Result<(), StatusCode> {
        let before = self.state.encode();
        change(&mut self.state);
        let (document, public) = (self.state.encode(), self.state.encode_public());
        let kept = self.vault.put_state(&mut *self.rng, document, public, entry);
        if kept.is_err() {
            self.state = State::decode(&before).expect("it was encoded just now");
        }
        Ok(kept?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;

    #[test]
    fn a_new_state_comes_back() {
        let state = State::new(&mut SeededRng::new(1));
        let read = State::decode(&state.encode()).unwrap();
        assert!(read.pin.is_none() && read.persistent_token.is_none());
        assert_eq!((read.pin_retries, read.uv_retries), (8, 8));
        assert_eq!(read.min_pin_length, 4);
        assert_eq!(read.device_identifier, state.device_identifier);
    }

    #[test]
    fn every_member_comes_back() {
        let state = State {
            pin: Some(Pin {
                hash: entry::hash(b"1234"),
                code_points: 4,
                is_complex: true,
            }),
            pin_retries: 3,
            uv_retries: 2,
            uv_count: 70_000,
            min_pin_length: 9,
            min_pin_length_rp_ids: vec!["a.example".to_owned(), "b.example".to_owned()],
            force_pin_change: true,
            pin_complexity_policy: true,
            always_uv: true,
            enterprise_attestation: true,
            long_touch_for_reset: true,
            persistent_token: Secret::from_slice(&[7; 32]),
            device_identifier: [9; 16],
        };
        let read = State::decode(&state.encode()).unwrap();
        let pin = read.pin.unwrap();
        assert_eq!(pin.hash.expose_secret(), entry::hash(b"1234").expose_secret());
        assert!(pin.is_complex);
        assert_eq!((pin.code_points, read.pin_retries, read.uv_retries), (4, 3, 2));
        assert_eq!((read.uv_count, read.min_pin_length), (70_000, 9));
        assert_eq!(read.min_pin_length_rp_ids, state.min_pin_length_rp_ids);
        assert!(read.force_pin_change && read.pin_complexity_policy && read.always_uv);
        assert!(read.enterprise_attestation && read.long_touch_for_reset);
        assert_eq!(read.persistent_token.unwrap().expose_secret(), &[7; 32]);
        assert_eq!(read.device_identifier, [9; 16]);
    }

    #[test]
    fn the_public_part_has_what_hosts_may_ask_for_and_nothing_that_is_secret() {
        let state = State {
            pin: Some(Pin {
                hash: entry::hash(b"1234"),
                code_points: 4,
                is_complex: false,
            }),
            pin_retries: 3,
            uv_retries: 2,
            uv_count: 70_000,
            min_pin_length: 9,
            min_pin_length_rp_ids: vec!["a.example".to_owned()],
            force_pin_change: true,
            pin_complexity_policy: true,
            always_uv: true,
            enterprise_attestation: true,
            long_touch_for_reset: true,
            persistent_token: Secret::from_slice(&[7; 32]),
            device_identifier: [9; 16],
        };
        let public = state.encode_public();
        let has = |bytes: &[u8]| public.windows(bytes.len()).any(|window| window == bytes);
        assert!(!has(&[7; 8]) && !has(&[9; 8]) && !has(b"example"));
        assert!(!has(&entry::hash(b"1234").expose_secret()[..8]));
        let read = State::decode_public(&public).unwrap();
        assert!(read.pin.is_some_and(|pin| pin.hash.expose_secret() == &[0; 16]));
        assert_eq!((read.pin_retries, read.uv_retries, read.uv_count), (3, 2, 70_000));
        assert!(read.force_pin_change && read.pin_complexity_policy && read.always_uv);
        assert!(read.enterprise_attestation && read.long_touch_for_reset);
        assert_eq!(read.min_pin_length, 9);
        assert!(read.persistent_token.is_none() && read.min_pin_length_rp_ids.is_empty());
        assert!(State::decode_public(&public[1..]).is_none() && State::decode_public(&[]).is_none());
    }

    #[test]
    fn what_is_not_a_state_is_refused() {
        let state = State::new(&mut SeededRng::new(1)).encode();
        assert!(State::decode(&[]).is_none());
        assert!(State::decode(&state[..state.len() - 1]).is_none());
        let Ok(Value::Map(members)) = cbor::decode(&state) else {
            panic!()
        };
        for (key, _) in members.entries() {
            let others = members.entries().iter().filter(|(other, _)| other != key);
            let without = Map::new(others.map(|(key, value)| (*key, value.clone())));
            assert!(
                State::decode(&cbor::encode(&Value::Map(without))).is_none(),
                "{key:?}"
            );
        }
    }
}
