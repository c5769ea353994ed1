//! For tests only: repeatable randomness, a small client that talks to a key in memory, a platform with tokens, and a
//! disk that breaks.

pub(crate) mod disk;
pub(crate) mod platform;
pub(crate) mod prf_vectors;
pub(crate) mod vault_pin;

use core::convert::Infallible;
use core::time::Duration;
use std::collections::BTreeMap;

use ml_dsa::{MlDsa44, MlDsa65, MlDsaParams};
use p256::ecdsa::signature::Verifier;
use rand_core::{TryCryptoRng, TryRng};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use sha2::{Digest, Sha256};
use wardkey_transport::time::Instant;
use wardkey_vault::{Secret, Vault};

use crate::cbor::{self, Map, Value};
use crate::{
    Algorithms, Attestation, Authenticator, Config, Gesture, KeyKind, LargeBlobs, Outcome, Prompt, StatusCode,
};

/// SHA-256 of a seed and a counter: the same seed gives the same bytes.
pub(crate) struct SeededRng {
    seed: u64,
    counter: u64,
}

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        for chunk in destination.chunks_mut(32) {
            self.counter += 1;
            let block = Sha256::digest([self.seed.to_be_bytes(), self.counter.to_be_bytes()].concat());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}

/// Gives the bytes of a test vector, then what another generator gives.
pub(crate) struct VectorRng {
    vector: Vec<u8>,
    then: SeededRng,
}

impl VectorRng {
    pub(crate) fn new(vector: &[u8]) -> Self {
        Self {
            vector: vector.to_vec(),
            then: SeededRng::new(5),
        }
    }
}

impl TryRng for VectorRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        let from_vector = destination.len().min(self.vector.len());
        let (first, rest) = destination.split_at_mut(from_vector);
        first.copy_from_slice(&self.vector[..from_vector]);
        self.vector.drain(..from_vector);
        self.then.try_fill_bytes(rest)
    }
}

impl TryCryptoRng for VectorRng {}

/// The bytes that are written in hexadecimal digits.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// The client data hash of every request, unless a test says otherwise.
pub(crate) const CLIENT_DATA_HASH: [u8; 32] = [0xCD; 32];
/// The relying party of every request, unless a test says otherwise.
pub(crate) const RP_ID: &str = "example.org";

/// A key in memory, its clock, and the client that talks to it.
pub(crate) struct Key {
    pub(crate) authenticator: Authenticator,
    pub(crate) now: Instant,
}

/// What came of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The question to the user, if there was one.
    pub(crate) prompt: Option<Prompt>,
    /// The bytes of the answer.
    pub(crate) bytes: Vec<u8>,
}

impl Key {
    pub(crate) fn new(kind: KeyKind) -> Self {
        Self::seeded(kind, 1)
    }

    pub(crate) fn seeded(kind: KeyKind, seed: u64) -> Self {
        Self::on(kind, InMemoryBackend::new(), seed)
    }

    pub(crate) fn on(kind: KeyKind, disk: impl StorageBackend, seed: u64) -> Self {
        Self::configured(Self::config(kind), disk, seed)
    }

    /// What keys are unless a test says otherwise.
    pub(crate) fn config(kind: KeyKind) -> Config {
        Config {
            kind,
            algorithms: Algorithms::Classical,
            attestation: Attestation::OfItself,
            enterprise: None,
            firmware_version: 3,
            unix_ms_at_zero: 1_800_000_000_000,
            large_blobs: LargeBlobs::Array,
            hide_fido_2_3: false,
        }
    }

    pub(crate) fn configured(config: Config, disk: impl StorageBackend, seed: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        let root = Secret::from_slice(&[7; 32]).unwrap();
        let vault = Vault::open(disk, &root, &mut rng).unwrap();
        let now = Instant::from_millis(5_000);
        Self {
            authenticator: Authenticator::new(vault, config, Box::new(rng), now).unwrap(),
            now,
        }
    }

    /// Sends a CTAP2 request to a user who agrees.
    pub(crate) fn cbor(&mut self, request: &[u8]) -> Answer {
        self.cbor_and(request, Gesture::Approved)
    }

    /// Sends a CTAP2 request to a user who does this.
    pub(crate) fn cbor_and(&mut self, request: &[u8], gesture: Gesture) -> Answer {
        let outcome = self.authenticator.handle_cbor(self.now, request);
        self.finish(outcome, gesture)
    }

    /// Sends an APDU to a user who agrees.
    pub(crate) fn msg(&mut self, apdu: &[u8]) -> Answer {
        self.msg_and(apdu, Gesture::Approved)
    }

    /// Sends an APDU to a user who does this.
    pub(crate) fn msg_and(&mut self, apdu: &[u8], gesture: Gesture) -> Answer {
        let outcome = self.authenticator.handle_msg(self.now, apdu);
        self.finish(outcome, gesture)
    }

    /// Sends a CTAP2 request to a user who does one thing after the other; the answer, and all that was asked.
    pub(crate) fn cbor_after(
        &mut self,
        request: &[u8],
        gestures: impl IntoIterator<Item = Gesture>,
    ) -> (Vec<Prompt>, Answer) {
        let mut gestures = gestures.into_iter();
        let outcome = self.cbor_with(request, |prompt| {
            gestures.next().unwrap_or_else(|| panic!("asked also {prompt:?}"))
        });
        assert!(gestures.next().is_none(), "asked only {:?}", outcome.0);
        outcome
    }

    /// Sends a CTAP2 request to a user who answers each question in this way; the answer, and all that was asked.
    pub(crate) fn cbor_with(
        &mut self,
        request: &[u8],
        mut answer: impl FnMut(&Prompt) -> Gesture,
    ) -> (Vec<Prompt>, Answer) {
        let mut outcome = self.authenticator.handle_cbor(self.now, request);
        let mut prompts = Vec::new();
        loop {
            match outcome {
                Outcome::Done(bytes) => {
                    let prompt = prompts.last().cloned();
                    return (prompts, Answer { prompt, bytes });
                }
                Outcome::NeedsGesture(pending) => {
                    prompts.push(pending.prompt().clone());
                    let gesture = answer(pending.prompt());
                    outcome = self.authenticator.resume(self.now, pending, gesture);
                }
            }
        }
    }

    fn finish(&mut self, outcome: Outcome, gesture: Gesture) -> Answer {
        match outcome {
            Outcome::Done(bytes) => Answer { prompt: None, bytes },
            Outcome::NeedsGesture(pending) => {
                let prompt = Some(pending.prompt().clone());
                match self.authenticator.resume(self.now, pending, gesture) {
                    Outcome::Done(bytes) => Answer { prompt, bytes },
                    Outcome::NeedsGesture(_) => panic!("asked more than once"),
                }
            }
        }
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// Registers and returns what the key made.
    pub(crate) fn register(&mut self, request: &Members<'_>) -> Registration {
        let answer = self.cbor(&request.encode(0x01));
        assert_eq!(answer.status(), StatusCode::OK, "{answer:02x?}");
        Registration::of(&answer)
    }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        *StatusCode::SENT
            .iter()
            .find(|code| code.byte() == self.bytes[0])
            .expect("a code that is sent on purpose")
    }

    /// The members of a successful answer.
    /// What an answer has under each number, encoded.
    pub(crate) fn members_owned(&self) -> BTreeMap<u64, Vec<u8>> {
        let members = self.members();
        let entries = members.entries().iter();
        entries
            .map(|(key, value)| match key {
                cbor::Key::Unsigned(key) => (*key, cbor::encode(value)),
                cbor::Key::Negative(_) | cbor::Key::Bytes(_) | cbor::Key::Text(_) => panic!("{key:?}"),
            })
            .collect()
    }

    pub(crate) fn members(&self) -> Map<'_> {
        let Ok(Value::Map(map)) = cbor::decode(&self.bytes[1..]) else {
            panic!("{:02x?}", self.bytes)
        };
        map
    }

    /// The flags of authenticator data.
    pub(crate) fn flags(&self) -> u8 {
        self.bytes_of(2)[32]
    }

    /// The outputs of extensions in authenticator data, if there are any.
    pub(crate) fn outputs(&self) -> Option<Map<'_>> {
        let members = self.members();
        let Some(Value::Bytes(auth_data)) = members.get(2_u64) else {
            panic!("{members:02x?}")
        };
        let (head, rest) = auth_data.split_at(37);
        let rest = if head[32] & 0x40 == 0 {
            rest
        } else {
            let id_length = usize::from(u16::from_be_bytes(rest[16..18].try_into().unwrap()));
            split_item(&rest[18 + id_length..]).1
        };
        if head[32] & 0x80 == 0 {
            assert!(rest.is_empty());
            return None;
        }
        match cbor::decode(rest) {
            Ok(Value::Map(outputs)) => Some(outputs),
            other => panic!("{other:?}"),
        }
    }

    /// A member that is a byte string.
    pub(crate) fn bytes_of(&self, key: u64) -> Vec<u8> {
        bytes_in(&self.members(), key)
    }
}

/// The parameters of a request.
#[derive(Debug, Clone)]
pub(crate) struct Members<'a>(BTreeMap<u64, Value<'a>>);

impl<'a> Members<'a> {
    /// No parameters.
    pub(crate) fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// A makeCredential that succeeds: ES256, not discoverable.
    pub(crate) fn make_credential() -> Self {
        Self(BTreeMap::from([
            (1, Value::Bytes(&CLIENT_DATA_HASH)),
            (
                2,
                map([("id", Value::Text(RP_ID)), ("name", Value::Text("Example"))]),
            ),
            (3, user(b"ali")),
            (4, Value::Array(vec![algorithm(-7)])),
        ]))
    }

    /// A getAssertion that succeeds once there is a discoverable credential.
    pub(crate) fn get_assertion() -> Self {
        Self(BTreeMap::from([
            (1, Value::Text(RP_ID)),
            (2, Value::Bytes(&CLIENT_DATA_HASH)),
        ]))
    }

    pub(crate) fn with(mut self, key: u64, value: Value<'a>) -> Self {
        self.0.insert(key, value);
        self
    }

    pub(crate) fn without(mut self, key: u64) -> Self {
        self.0.remove(&key);
        self
    }

    pub(crate) fn encode(&self, command: u8) -> Vec<u8> {
        let mut request = vec![command];
        request.extend(cbor::encode(&Value::Map(Map::new(self.0.clone()))));
        request
    }
}

/// A request with one thing in it that matters, and the code it is answered with.
pub(crate) struct Fault<'a> {
    pub(crate) name: &'static str,
    pub(crate) request: Members<'a>,
    pub(crate) status: StatusCode,
}

pub(crate) fn map<'a, const N: usize>(entries: [(&'a str, Value<'a>); N]) -> Value<'a> {
    Value::Map(Map::new(entries))
}

pub(crate) fn user(id: &[u8]) -> Value<'_> {
    map([
        ("id", Value::Bytes(id)),
        ("name", Value::Text("ali@example.org")),
        ("displayName", Value::Text("Ali")),
    ])
}

/// A makeCredential for a discoverable credential.
pub(crate) fn resident() -> Members<'static> {
    Members::make_credential().with(7, option("rk", true))
}

pub(crate) fn algorithm(identifier: i64) -> Value<'static> {
    map([
        ("type", Value::Text("public-key")),
        ("alg", Value::integer(identifier)),
    ])
}

pub(crate) fn option(name: &str, value: bool) -> Value<'_> {
    map([(name, Value::Bool(value))])
}

pub(crate) fn descriptors<'a>(ids: impl IntoIterator<Item = &'a [u8]>) -> Value<'a> {
    let descriptor = |id| map([("type", Value::Text("public-key")), ("id", Value::Bytes(id))]);
    Value::Array(ids.into_iter().map(descriptor).collect())
}

/// What a registration gave, taken apart.
pub(crate) struct Registration {
    pub(crate) format: String,
    pub(crate) auth_data: Vec<u8>,
    pub(crate) flags: u8,
    pub(crate) signature_count: u32,
    pub(crate) aaguid: [u8; 16],
    pub(crate) id: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
}

impl Registration {
    fn of(answer: &Answer) -> Self {
        let members = answer.members();
        let Some(Value::Text(format)) = members.get(1_u64) else {
            panic!()
        };
        let auth_data = bytes_in(&members, 2);
        let id_length = usize::from(u16::from_be_bytes(auth_data[53..55].try_into().unwrap()));
        Self {
            format: (*format).to_owned(),
            flags: auth_data[32],
            signature_count: u32::from_be_bytes(auth_data[33..37].try_into().unwrap()),
            aaguid: auth_data[37..53].try_into().unwrap(),
            id: auth_data[55..55 + id_length].to_vec(),
            public_key: split_item(&auth_data[55 + id_length..]).0.to_vec(),
            auth_data,
        }
    }
}

/// The first CBOR item, and what follows it.
fn split_item(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = (1..=bytes.len()).find(|end| cbor::decode(&bytes[..*end]).is_ok());
    bytes.split_at(end.expect("an item"))
}

pub(crate) fn bytes_in(map: &Map<'_>, key: u64) -> Vec<u8> {
    let Some(Value::Bytes(bytes)) = map.get(key) else {
        panic!("{map:02x?}")
    };
    bytes.to_vec()
}

/// Whether `signature` over `message` is by the key in this COSE_Key.
pub(crate) fn verifies(cose_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(Value::Map(key)) = cbor::decode(cose_key) else {
        panic!("{cose_key:02x?}")
    };
    let bytes = |name: i64| match key.get(name) {
        Some(Value::Bytes(bytes)) => bytes.to_vec(),
        other => panic!("{other:?}"),
    };
    let point = || [&[4][..], &bytes(-2), &bytes(-3)].concat();
    let Some(&Value::Negative(identifier)) = key.get(3_u64) else {
        panic!("{cose_key:02x?}")
    };
    match identifier + 1 {
        7 | 9 => verifies_p256(&point(), message, signature),
        35 | 51 => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point()).unwrap();
            let signature = p384::ecdsa::DerSignature::from_bytes(signature).unwrap();
            key.verify(message, &signature).is_ok()
        }
        8 | 19 => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes(-2).try_into().unwrap()).unwrap();
            let signature = ed25519_dalek::Signature::from_slice(signature).unwrap();
            key.verify_strict(message, &signature).is_ok()
        }
        48 => verifies_ml_dsa::<MlDsa44>(&bytes(-1), message, signature),
        49 => verifies_ml_dsa::<MlDsa65>(&bytes(-1), message, signature),
        other => panic!("-{other}"),
    }
}

fn verifies_ml_dsa<P: MlDsaParams>(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = ml_dsa::VerifyingKey::<P>::decode(key.try_into().unwrap());
    let signature = ml_dsa::Signature::try_from(signature).unwrap();
    key.verify_with_context(message, &[], &signature)
}

/// Whether the DER `signature` over `message` is by the key whose uncompressed point this is.
pub(crate) fn verifies_p256(point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    let signature = p256::ecdsa::DerSignature::from_bytes(signature).unwrap();
    key.verify(message, &signature).is_ok()
}
