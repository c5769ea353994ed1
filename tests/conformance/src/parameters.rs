//! Parameters of a command that a test takes apart and puts together wrong.

use crate::case::Stop;
use ciborium::Value;
use wardkey_sim::fido_client::{GetAssertion, MakeCredential, canonical, from_bytes, to_bytes};

/// The members of a map with integer keys.
#[derive(Debug, Clone)]
pub(crate) struct Parameters(Vec<(Value, Value)>);

impl Parameters {
    /// The parameters that are encoded so.
    pub(crate) fn decode(encoded: &[u8]) -> Result<Self, Stop> {
        let members = from_bytes(encoded)?.into_map();
        members
            .map(Self)
            .map_err(|_| Stop::Failed("the parameters are not a map".to_owned()))
    }

    /// What our own client encoded.
    fn of(encoded: &[u8]) -> Self {
        Self::decode(encoded).expect("the client encodes a map")
    }

    /// The same without one of them.
    pub(crate) fn without(mut self, key: u8) -> Self {
        self.0.retain(|(candidate, _)| *candidate != Value::from(key));
        self
    }

    /// The same with this one, instead of what was there.
    pub(crate) fn with(self, key: u8, value: impl Into<Value>) -> Self {
        let mut members = self.without(key);
        members.0.push((Value::from(key), value.into()));
        members
    }

    /// The same, with a member of the map at `key` changed, or added.
    pub(crate) fn with_inner(self, key: u8, name: &str, value: impl Into<Value>) -> Self {
        let mut inner = self.inner(key);
        inner.retain(|(candidate, _)| *candidate != Value::from(name));
        inner.push((Value::from(name), value.into()));
        self.with(key, Value::Map(inner))
    }

    fn inner(&self, key: u8) -> Vec<(Value, Value)> {
        let found = self
            .0
            .iter()
            .find(|(candidate, _)| *candidate == Value::from(key));
        found
            .and_then(|(_, value)| value.as_map().cloned())
            .unwrap_or_default()
    }

    /// As bytes, in the opposite of canonical order.
    pub(crate) fn to_bytes_in_reverse(&self) -> Vec<u8> {
        let canonical = canonical(Value::Map(self.0.clone()));
        let mut members = canonical.into_map().expect("a map stays a map");
        members.reverse();
        to_bytes(&Value::Map(members))
    }

    /// As bytes, in canonical order.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&canonical(Value::Map(self.0.clone())))
    }
}

impl From<&MakeCredential> for Parameters {
    fn from(request: &MakeCredential) -> Self {
        Self::of(&request.to_bytes())
    }
}

impl From<&GetAssertion> for Parameters {
    fn from(request: &GetAssertion) -> Self {
        Self::of(&request.to_bytes())
    }
}

/// A map with text keys.
pub(crate) fn text_map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.map(|(key, value)| (Value::from(key), value)).into())
}

/// A descriptor of a credential.
pub(crate) fn descriptor(id: &[u8]) -> Value {
    text_map([("type", Value::from("public-key")), ("id", Value::from(id))])
}

/// One value of every CBOR type but `but`, for tests of what has to be of one type.
pub(crate) fn values_of_other_types(but: Kind) -> impl Iterator<Item = Value> {
    let all = [
        (Kind::Unsigned, Value::from(1)),
        (Kind::Negative, Value::from(-1)),
        (Kind::Bytes, Value::from(vec![1, 2, 3])),
        (Kind::Text, Value::from("text")),
        (Kind::Array, Value::Array(vec![Value::from(1)])),
        (Kind::Map, text_map([("key", Value::from(1))])),
        (Kind::Bool, Value::from(true)),
    ];
    all.into_iter()
        .filter(move |(kind, _)| *kind != but)
        .map(|(_, value)| value)
}

/// A type of CBOR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Bool,
}

/// A member of a map with text keys.
pub(crate) fn member_of<'v>(map: &'v Value, name: &str) -> Option<&'v Value> {
    let found = map.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name));
    found.map(|(_, value)| value)
}

/// A member of a map with integer keys.
pub(crate) fn numbered(map: &Value, key: impl Into<Value>) -> Option<&Value> {
    let key = key.into();
    let found = map.as_map()?.iter().find(|(candidate, _)| *candidate == key);
    found.map(|(_, value)| value)
}
