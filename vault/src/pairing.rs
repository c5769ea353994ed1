//! How a device of a vault and a new one make sure of each other over a mailbox that anybody may read and write, before
//! the one adds the other. `FORMAT.md` §16.
//!
//! ```text
//! new device                     mailbox p/<pairing>/             device of the vault
//! hello: the pairing is there    ───────────────────────►
//!                                ◄───────────────────────         commitment to what it will reveal
//! keys: its name, keys, nonce    ───────────────────────►
//!                                ◄───────────────────────         reveal: vault, name, keys, nonce
//! shows eight digits             - - - - the user - - - ►         takes the digits
//!                                ◄───────────────────────         welcome: the entry that added it
//! ```
//! The digits are made from every byte of the first four. Who stands in the middle has to choose all that he says before he
//! knows what they will be; he guesses right once in 10^8 times, and three tries are all there are. Where the device of the
//! vault has a camera, it reads a code from the new device instead, which has the hash of its keys.
//!
//! Nothing of the vault goes into the mailbox but its name. The new device believes nothing of what it was told until its
//! slot opens with the Vault PIN: see [`join`](crate::join).
//!
//! [`AskToJoin`] is the new device, [`Admission`] the other. Each takes the message that it waits for ([`AskToJoin::awaits`]),
//! then gives what it has to say ([`AskToJoin::poll_post`]). Messages are created, never written over.

mod admission;
mod asking;
mod code;
mod message;

use std::fmt::Write as _;
use std::time::Duration;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

pub use self::admission::{Admission, Admitting, UsedPairings};
pub use self::asking::AskToJoin;
pub use self::code::PairingCode;
use crate::keys::{PAIRING, pairing_digits};
use crate::trust::Transcript;

/// So long a pairing lasts, by the clock of either side.
pub const PAIRING_TIME: Duration = Duration::from_secs(300);
/// Nothing longer is looked at.
pub const PAIRING_MESSAGE_LEN_MAX: usize = 2048;

/// Names a pairing; random, used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairingId(pub(crate) [u8; 16]);

/// What is said when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Hello,
    Commitment,
    Keys,
    Reveal,
    Welcome,
    /// Not in the conversation: it is over, and nobody was added.
    Void,
}

/// A message for the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// What it is called there.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The eight digits that the new device shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits(u32);

/// Why a pairing does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPaired {
    /// Not a message of this step, or not all of it is there yet. The pairing waits on.
    #[error("a message of the pairing cannot be read")]
    Malformed,
    /// A newer program wrote it. The pairing waits on.
    #[error("the other device speaks a newer version of the pairing")]
    NewerVersion,
    /// What was revealed is not what was committed to: somebody is in the middle.
    #[error("the other device did not keep to what it had committed itself to")]
    Commitment,
    /// The keys are not those of the code that was read: somebody is in the middle.
    #[error("these are not the keys of the code that was read")]
    OtherKeys,
    /// The digits were wrong.
    #[error("these are not the digits that the new device shows")]
    WrongDigits {
        /// How often they may be tried again.
        tries_left: u32,
    },
    /// Not eight digits; no try was used up.
    #[error("eight digits are needed")]
    NoDigits,
    /// Nobody may go on with it: it took too long, it was used, the digits were wrong too often, or the other side ended it.
    #[error("this pairing is over; begin another one")]
    Over,
    /// It is not time for this yet.
    #[error("the devices have not said enough to each other yet")]
    TooEarly,
}

impl PairingId {
    fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut id = Self([0; 16]);
        rng.fill_bytes(&mut id.0);
        id
    }

    /// The pairing whose first message has this name in the mailbox; `None` for other names.
    pub fn of_hello(name: &str) -> Option<Self> {
        let text = name.strip_prefix("p/")?.strip_suffix("/hello")?;
        let mut id = Self([0; 16]);
        if text.len() != 2 * id.0.len() {
            return None;
        }
        for (at, byte) in id.0.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        // In one form only: small letters.
        (id.name(Step::Hello) == name).then_some(id)
    }

    /// What its first message is called in the mailbox.
    pub fn hello(self) -> String {
        self.name(Step::Hello)
    }

    /// The names of all messages that a pairing may have, to be removed from the mailbox when it is over.
    pub fn names(self) -> Vec<String> {
        let steps = [
            Step::Hello,
            Step::Commitment,
            Step::Keys,
            Step::Reveal,
            Step::Welcome,
            Step::Void,
        ];
        steps.map(|step| self.name(step)).to_vec()
    }

    fn name(self, step: Step) -> String {
        let mut name = String::from("p/");
        for byte in self.0 {
            write!(name, "{byte:02x}").expect("text can be made longer");
        }
        name.push('/');
        name.push_str(match step {
            Step::Hello => "hello",
            Step::Commitment => "commitment",
            Step::Keys => "keys",
            Step::Reveal => "reveal",
            Step::Welcome => "welcome",
            Step::Void => "void",
        });
        name
    }

    fn post(self, step: Step, bytes: Vec<u8>) -> Post {
        Post {
            name: self.name(step),
            bytes,
        }
    }
}

impl Digits {
    fn of(transcript: &Transcript) -> Self {
        Self(pairing_digits(&transcript.0))
    }

    /// As they are shown: two groups of four.
    pub fn to_text(self) -> String {
        let Self(number) = self;
        format!("{:04} {:04}", number / 10_000, number % 10_000)
    }

    /// What was typed; white space and hyphens are nothing. `None` when it is not eight digits.
    fn typed(text: &str) -> Option<Self> {
        let mut number = 0;
        let mut count = 0;
        for character in text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '-')
        {
            count += 1;
            if count > 8 {
                return None;
            }
            number = number * 10 + character.to_digit(10)?;
        }
        (count == 8).then_some(Self(number))
    }
}

/// Everything that was said, in the order in which it has to be said.
#[derive(Clone)]
struct Conversation(Sha256);

impl Conversation {
    fn begin() -> Self {
        Self(Sha256::new_with_prefix(PAIRING))
    }

    /// The steps come one after the other, and each message has its length before it: no two conversations are the same bytes.
    fn add(&mut self, message: &[u8]) {
        let len = u32::try_from(message.len()).expect("messages are short");
        self.0.update(len.to_be_bytes());
        self.0.update(message);
    }

    fn transcript(self) -> Transcript {
        Transcript(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests;
