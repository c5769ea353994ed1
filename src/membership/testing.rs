//! A person whose answers are known, for tests.

use std::collections::VecDeque;
use std::time::Duration;

use zeroize::Zeroizing;

use super::dialogue::{Dialogue, Room};
use crate::error::Failure;

pub(super) const PIN: &str = "tin ra of ol";

/// An answer.
pub(super) enum Answer {
    /// This.
    Says(&'static str),
    /// This, which was not known before.
    Types(String),
    /// The group of the recovery kit on the page that the prompt asks for.
    FromPage,
    /// None: the person stops the command.
    Stops,
}

/// Answers in order, and keeps what it was told.
#[derive(Default)]
pub(super) struct Scripted {
    answers: VecDeque<Answer>,
    pub(super) heard: String,
    pub(super) page: String,
    pub(super) pages: usize,
}

impl Scripted {
    pub(super) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            answers: answers.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether every answer was asked for.
    pub(super) fn is_done(&self) -> bool {
        self.answers.is_empty()
    }

    /// The recovery kit that was last shown.
    pub(super) fn kit(&self) -> String {
        (1..=9).map(|number| self.group(number)).collect()
    }

    fn group(&self, number: usize) -> String {
        let words: Vec<&str> = self.page.split_whitespace().collect();
        let number = number.to_string();
        let at = words
            .iter()
            .position(|word| *word == number)
            .expect("the kit was shown");
        words[at + 1].to_owned()
    }
}

impl Dialogue for Scripted {
    fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.heard.push_str(text);
        Ok(())
    }

    fn ask(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        self.heard.push_str(prompt);
        self.heard.push('\n');
        match self.answers.pop_front() {
            Some(Answer::Says(text)) => Ok(Zeroizing::new(text.to_owned())),
            Some(Answer::Types(text)) => Ok(Zeroizing::new(text)),
            Some(Answer::FromPage) => {
                let number = prompt.trim_start_matches("Group ").trim_end_matches(": ");
                Ok(Zeroizing::new(self.group(number.parse().unwrap()).to_lowercase()))
            }
            Some(Answer::Stops) => Err(Failure::new("stopped", "by the test")),
            None => panic!("nothing more to answer: {}", self.heard),
        }
    }

    fn ask_hidden(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        self.ask(prompt)
    }

    fn show(&mut self, page: &dyn Fn(Room) -> Zeroizing<String>) -> Result<(), Failure> {
        self.pages += 1;
        self.page = page(Room { lines: 0, columns: 0 }).to_string();
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> Result<(), Failure> {
        Err(Failure::new(format!("waits {} s", time.as_secs()), "does not"))
    }

    fn check_wanted(&self) -> Result<(), Failure> {
        Ok(())
    }
}
