//! ctap-types as a second reader: every request that our key gets, and every answer that it gives, is decoded by
//! ctap-types too. Both have to find a request readable or both not, and what ctap-types reads has to be what is
//! written, except where [`requests`] and [`answers`] say so.

pub(crate) mod answers;
pub(crate) mod requests;

use std::collections::BTreeMap;

use ciborium::Value;
use wardkey_sim::fido_client::{Status, from_bytes};
use wardkey_sim::scenario::{Command, Platform, Step};

use crate::accepted::Accepted;
use crate::compare::{Context, Difference, Found};
use crate::ours::Ours;

/// What came of one sequence.
#[derive(Default)]
pub(crate) struct Outcome {
    /// What is not accepted.
    pub(crate) unlisted: Vec<Found>,
    /// What was accepted.
    pub(crate) used: Vec<&'static Accepted>,
    /// What was compared.
    pub(crate) compared: Vec<Message>,
}

/// A message, by its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Message {
    /// A request.
    Request(u8),
    /// An answer with members.
    Answer(u8),
}

/// Lets our key do the steps, and compares how each message is read.
pub(crate) fn run(seed: u64, steps: &[Step]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut ours = Ours::new(seed);
    let mut platform = Platform::new(seed);
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::PowerCycle => ours.power_cycle(),
            Step::Wait(duration) => ours.set_now(ours.now() + *duration),
            Step::Send(command) => {
                platform.send(command, &mut |request| {
                    let answer = ours.exchange(request, command.user);
                    outcome.compare(index, command, request, &answer);
                    answer
                });
            }
        }
    }
    outcome
}

impl Outcome {
    fn compare(&mut self, index: usize, command: &Command, request: &[u8], answer: &[u8]) {
        let found = |difference| Found {
            index,
            command: command.clone(),
            difference,
            context: Context::default(),
            sent: request.to_vec(),
        };
        let command_byte = *request.first().expect("a request has its command");
        let (&status, body) = answer.split_first().expect("there is a status");
        for difference in requests::compare(request, Status(status)) {
            self.judge(requests::ENTRIES, found(difference));
        }
        self.compared.push(Message::Request(command_byte));
        if status == 0 && !body.is_empty() {
            for difference in answers::compare(request, body) {
                self.judge(answers::ENTRIES, found(difference));
            }
            self.compared.push(Message::Answer(command_byte));
        }
    }

    fn judge(&mut self, entries: &'static [Accepted], found: Found) {
        match entries.iter().find(|accepted| (accepted.is_it)(&found)) {
            Some(accepted) => self.used.push(accepted),
            None => self.unlisted.push(found),
        }
    }
}

/// Everything in a value, by its place. Items of an array are named by what they are.
type Contents = BTreeMap<String, String>;

/// What is in one value and not, or not the same, in the other.
fn differences(written: &Value, read: &Value) -> Vec<Difference> {
    let [ours, theirs] = [written, read].map(|value| {
        let mut contents = Contents::new();
        list(&mut contents, "", value);
        contents
    });
    let places = ours
        .keys()
        .chain(theirs.keys().filter(|path| !ours.contains_key(*path)));
    let differing = places.filter(|path| ours.get(*path) != theirs.get(*path));
    let difference = |path: &String| Difference::Fact {
        path: path.clone(),
        ours: ours.get(path).cloned(),
        theirs: theirs.get(path).cloned(),
    };
    differing.map(difference).collect()
}

fn list(contents: &mut Contents, path: &str, value: &Value) {
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    if let Value::Map(members) = value {
        contents.insert(path.to_owned(), "map".to_owned());
        for (key, member) in members {
            list(contents, &join(&say(key)), member);
        }
    } else if let Value::Array(items) = value {
        contents.insert(path.to_owned(), "array".to_owned());
        for item in items {
            contents.insert(join(&say(item)), "item".to_owned());
        }
    } else {
        contents.insert(path.to_owned(), say(value));
    }
}

/// A value in words.
fn say(value: &Value) -> String {
    if let Value::Text(text) = value {
        text.clone()
    } else if let Value::Integer(integer) = value {
        i128::from(*integer).to_string()
    } else if let Value::Bytes(bytes) = value {
        hex(bytes)
    } else if let Value::Map(members) = value {
        let members = members
            .iter()
            .map(|(key, member)| format!("{}: {}", say(key), say(member)));
        format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
    } else {
        format!("{value:?}")
    }
}

/// Bytes, to be read.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What ctap-types makes of a value, written again.
fn written_again(value: &impl serde::Serialize) -> Value {
    let mut buffer = [0; 8192];
    let bytes = cbor_smol::cbor_serialize(value, &mut buffer).expect("there is room for any message");
    from_bytes(bytes).expect("it writes CBOR")
}
