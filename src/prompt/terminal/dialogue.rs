//! What is said in the terminal, and what the lines mean that the user types.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::termios::{QueueSelector, tcflush};
use zeroize::Zeroizing;

use super::super::text::{Text, account_name};
use super::super::worker::{Withdrawal, Woken};
use super::super::{ACCOUNTS_SHOWN_MAX, Account, Answer, Decision, EnteredPin, Offer, Question, Unavailable};
use super::echo::Echo;
use super::{Foreground, HINT};

/// Answers that mean nothing before the question counts as declined.
const UNCLEAR_MAX: usize = 3;
/// Bytes of one answer: all that Linux keeps of a line, n_tty(4). A Vault PIN may be long.
const ANSWER_BYTES_MAX: usize = 4096;

/// A question in a terminal.
pub(super) struct Dialogue<'a> {
    pub(super) terminal: File,
    pub(super) foreground: Foreground,
    pub(super) withdrawal: &'a Withdrawal,
    pub(super) echo: &'a Echo,
}

/// What came of waiting for a line.
enum Line {
    Typed(Zeroizing<Vec<u8>>),
    Withdrawn,
}

impl Dialogue<'_> {
    /// Nothing when the question was taken away.
    pub(super) fn ask(&mut self, question: &Question) -> Result<Option<Answer>, Unavailable> {
        self.forget_what_was_typed();
        let sentence = Text::for_question(question).sentence;
        match question.offer() {
            Offer::Approval => {
                self.say(&format!("\n{sentence} [y/N] "))?;
                self.decide("Please answer y or n: ", approval)
            }
            Offer::Choice(accounts) => {
                self.say(&format!("\n{sentence}\n{}", listed(accounts)))?;
                let count = accounts.len().min(ACCOUNTS_SHOWN_MAX);
                let prompt = format!("A number from 1 to {count}, or n to refuse: ");
                self.say(&prompt)?;
                self.decide(&prompt, |line| choice(line, count))
            }
            Offer::Refusal => {
                self.say(&format!("\n{sentence} [n refuses] "))?;
                self.decide("Put your finger on the reader, or answer n: ", refusal)
            }
            Offer::PinEntry => {
                // Before the question is shown: a quick typist's first characters are neither seen nor lost.
                let _silence = self
                    .echo
                    .turn_off(&self.terminal, self.foreground)
                    .map_err(broken)?;
                self.say(&format!("\n{sentence}\nPIN (Enter alone refuses): "))?;
                self.read_pin()
            }
        }
    }

    fn decide(
        &mut self,
        again: &str,
        meaning: impl Fn(&[u8]) -> Option<Decision>,
    ) -> Result<Option<Answer>, Unavailable> {
        for _ in 0..UNCLEAR_MAX {
            let Line::Typed(line) = self.read_line()? else {
                return self.taken_away();
            };
            match meaning(line.trim_ascii()) {
                None => self.say(again)?,
                Some(Decision::Declined) => return self.decline(),
                Some(decision) => {
                    self.say("Approved.\n")?;
                    return Ok(Some(Answer::Decided(decision)));
                }
            }
        }
        self.say("\n")?;
        self.decline()
    }

    fn read_pin(&mut self) -> Result<Option<Answer>, Unavailable> {
        for _ in 0..UNCLEAR_MAX {
            let Line::Typed(line) = self.read_line()? else {
                return self.taken_away();
            };
            self.say("\n")?;
            let Some(text) = text_of_line(&line) else {
                self.say("This is not text. PIN: ")?;
                continue;
            };
            return match EnteredPin::new(text) {
                Some(pin) => Ok(Some(Answer::Pin(pin))),
                None => self.decline(),
            };
        }
        self.decline()
    }

    fn decline(&mut self) -> Result<Option<Answer>, Unavailable> {
        self.say("Declined.\n")?;
        Ok(Some(Answer::Decided(Decision::Declined)))
    }

    fn taken_away(&mut self) -> Result<Option<Answer>, Unavailable> {
        self.forget_what_was_typed();
        self.say("\nNo answer is needed any more.\n")?;
        Ok(None)
    }

    fn read_line(&mut self) -> Result<Line, Unavailable> {
        if self.withdrawal.wait(self.terminal.as_fd()).map_err(broken)? == Woken::Withdrawn {
            return Ok(Line::Withdrawn);
        }
        self.foreground.check(self.terminal.as_fd())?;
        let mut bytes = Zeroizing::new(vec![0; ANSWER_BYTES_MAX]);
        let count = self.terminal.read(&mut bytes).map_err(broken)?;
        bytes.truncate(count);
        Ok(Line::Typed(bytes))
    }

    fn say(&mut self, text: &str) -> Result<(), Unavailable> {
        self.terminal.write_all(text.as_bytes()).map_err(broken)
    }

    /// In the background it is not ours to forget, and trying would stop this process.
    fn forget_what_was_typed(&self) {
        if self.foreground.check(self.terminal.as_fd()).is_ok() {
            // Where it cannot be forgotten, reading fails as well and says so.
            let _unsupported = tcflush(&self.terminal, QueueSelector::IFlush);
        }
    }
}

fn broken(error: io::Error) -> Unavailable {
    Unavailable::new(format!("the terminal cannot be used: {error}"), HINT)
}

/// The accounts with their numbers, a line for each.
fn listed(accounts: &[Account]) -> String {
    let line = |(index, account): (usize, &Account)| format!("{:>4}  {}\n", index + 1, account_name(account));
    let mut list: String = accounts
        .iter()
        .take(ACCOUNTS_SHOWN_MAX)
        .enumerate()
        .map(line)
        .collect();
    let hidden = accounts.len().saturating_sub(ACCOUNTS_SHOWN_MAX);
    if hidden > 0 {
        list.push_str(&format!("      and {hidden} that were not used for longer\n"));
    }
    list
}

/// An empty line means the default, which is no, and so does the end of input.
fn approval(line: &[u8]) -> Option<Decision> {
    match line.to_ascii_lowercase().as_slice() {
        b"y" | b"yes" => Some(Decision::Approved),
        _ => refusal(line),
    }
}

/// The number of an account, or no.
fn choice(line: &[u8], count: usize) -> Option<Decision> {
    let number = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.parse::<usize>().ok());
    match number {
        Some(number) => (1..=count)
            .contains(&number)
            .then(|| Decision::Chosen(number - 1)),
        None => refusal(line),
    }
}

fn refusal(line: &[u8]) -> Option<Decision> {
    match line.to_ascii_lowercase().as_slice() {
        b"" | b"n" | b"no" => Some(Decision::Declined),
        _ => None,
    }
}

/// The line as it was typed, without its end.
fn text_of_line(line: &[u8]) -> Option<Zeroizing<String>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    std::str::from_utf8(line)
        .ok()
        .map(|text| Zeroizing::new(text.to_owned()))
}
