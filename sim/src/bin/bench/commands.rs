//! The socket through which `wardkey unlock` and the like talk to the running key: a line of JSON, and one back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::failure::Failure;

/// A connection to a running key.
pub(crate) struct Commands(BufReader<UnixStream>);

impl Commands {
    /// Connects to the key that runs on a state folder.
    pub(crate) fn connect(state: &Path) -> Result<Self, Failure> {
        let socket = UnixStream::connect(state.join("control.sock"))?;
        Ok(Self(BufReader::new(socket)))
    }

    /// `wardkey unlock`.
    pub(crate) fn unlock(&mut self, vault_pin: &str) -> Result<(), Failure> {
        self.ask(
            &json!({ "request": "unlock", "vault_pin": vault_pin }),
            "unlocked",
        )
    }

    /// `wardkey lock`.
    pub(crate) fn lock(&mut self) -> Result<(), Failure> {
        self.ask(&json!({ "request": "lock" }), "locked")
    }

    fn ask(&mut self, request: &Value, expected: &str) -> Result<(), Failure> {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes())?;
        let mut answer = String::new();
        self.0.read_line(&mut answer)?;
        let is_expected = serde_json::from_str::<Value>(&answer)
            .is_ok_and(|answer| answer.get("answer").is_some_and(|answer| answer == expected));
        if is_expected {
            Ok(())
        } else {
            Err(Failure::new(
                format!("the key answers {}", answer.trim()),
                "measure the version of wardkey that this program was built with",
            ))
        }
    }
}
