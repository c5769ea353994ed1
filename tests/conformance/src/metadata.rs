//! Rules for metadata statements, FIDO Metadata Statement 3.1.1 and the FIDO Registry of Predefined Values. One
//! function per rule, over the JSON of a statement; each is tested with a statement that breaks it.

pub(crate) mod descriptions;
pub(crate) mod get_info;
pub(crate) mod images;
pub(crate) mod members;
pub(crate) mod protection;
pub(crate) mod registry;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::case::{Outcome, Stop, ensure, present};

/// A metadata statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement(Value);

impl Statement {
    pub(crate) const fn new(json: Value) -> Self {
        Self(json)
    }

    /// A member, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A member that must be there.
    fn required(&self, name: &str) -> Result<&Value, Stop> {
        present(self.get(name), name)
    }

    fn members(&self) -> Result<&Map<String, Value>, Stop> {
        present(self.0.as_object(), "the statement, a dictionary,")
    }

    /// A text that is not empty.
    fn text(&self, name: &str) -> Result<&str, Stop> {
        let text = self.required(name)?.as_str().filter(|text| !text.is_empty());
        present(text, &format!("{name}, a text,"))
    }

    /// A text that is not empty, where it is there.
    fn optional_text(&self, name: &str) -> Result<Option<&str>, Stop> {
        match self.get(name) {
            None => Ok(None),
            Some(_) => self.text(name).map(Some),
        }
    }

    /// Texts, possibly none.
    fn texts(&self, name: &str) -> Result<Vec<&str>, Stop> {
        let items = present(self.required(name)?.as_array(), &format!("{name}, a sequence,"))?;
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        present(texts, &format!("{name}, a sequence of texts,"))
    }

    /// Texts, at least one, each of a list.
    fn texts_of(&self, name: &str, known: &[&str]) -> Result<Vec<&str>, Stop> {
        let texts = self.texts(name)?;
        ensure!(!texts.is_empty(), "{name} is empty");
        for text in &texts {
            ensure!(known.contains(text), "{name}: {text} is not in the registry");
        }
        Ok(texts)
    }

    /// A boolean, where it is there.
    fn optional_boolean(&self, name: &str) -> Outcome {
        let value = self.get(name);
        ensure!(value.is_none_or(Value::is_boolean), "{name} is not a boolean");
        Ok(())
    }

    /// Whether attestation is of this type, among others.
    pub(crate) fn attests_by(&self, kind: &str) -> Result<bool, Stop> {
        Ok(self.texts("attestationTypes")?.contains(&kind))
    }

    /// The certificates of the authorities, in DER.
    pub(crate) fn attestation_roots(&self) -> Result<Vec<Vec<u8>>, Stop> {
        let roots = self.texts("attestationRootCertificates")?;
        roots.into_iter().map(members::decode_certificate).collect()
    }

    /// All methods in all combinations of `userVerificationDetails`.
    pub(crate) fn verification_methods(&self) -> Vec<&str> {
        let combinations = self.get("userVerificationDetails").and_then(Value::as_array);
        combinations
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(|descriptor| descriptor.get("userVerificationMethod")?.as_str())
            .collect()
    }
}
