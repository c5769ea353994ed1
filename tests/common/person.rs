//! A person whom a running key asks: a program that enters what the test says.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{Key, write_script};

/// See above.
pub(crate) struct Person {
    desk: TempDir,
}

impl Person {
    /// One who enters the next line of what was typed where the Vault PIN is asked for, and approves everything else. Where
    /// nothing is typed yet, the key waits.
    pub(crate) fn new() -> Self {
        let person = Self {
            desk: tempfile::tempdir().unwrap(),
        };
        let body = "here=$(dirname \"$0\")\nquestion=$(cat)\necho \"$question\" >> \"$here/asked\"\n\
            case $question in\n\
            *'\"demand\":\"vault-pin\"'*)\n\
            while ! [ -s \"$here/typed\" ]; do sleep 0.02; done\n\
            head -n 1 \"$here/typed\"; sed -i 1d \"$here/typed\";;\n\
            esac";
        write_script(&person.program(), body);
        person
    }

    /// Where the person has things.
    pub(crate) fn desk(&self) -> &Path {
        self.desk.path()
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.desk.path().join("person")
    }

    pub(crate) fn types(&self, lines: &[&str]) {
        let hidden = self.desk.path().join("typing");
        fs::write(&hidden, lines.join("\n") + "\n").unwrap();
        fs::rename(hidden, self.desk.path().join("typed")).unwrap();
    }

    /// A key that asks this person.
    pub(crate) fn start_key(&self, state: &Path) -> Key {
        let program = self.program();
        let options = ["--prompt-command", program.to_str().unwrap()];
        Key::start_with(state, &options, |command| command)
    }

    /// The questions so far.
    pub(crate) fn questions(&self) -> Vec<Value> {
        let asked = fs::read_to_string(self.desk.path().join("asked")).unwrap_or_default();
        let questions = asked.lines().map(|line| serde_json::from_str(line).unwrap());
        questions.collect()
    }

    /// The questions so far: what for, and what was demanded.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        let text = |question: &Value, member: &str| question[member].as_str().unwrap().to_owned();
        let questions = self.questions().into_iter();
        questions
            .map(|question| (text(&question, "purpose"), text(&question, "demand")))
            .collect()
    }
}
