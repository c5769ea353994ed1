//! The device of the vault.
//!
//! | state | takes | then |
//! | --- | --- | --- |
//! | begun, commitment is posted | keys | reveals; after a code that fits: the device is let in |
//! | revealed | the right digits, at the third try at last | the device is let in |
//! | let in | is asked for the device | the device is being added |
//! | being added | the entry that added it | posts the welcome |
//! | any but the last | five minutes | is over, posts that |

use std::collections::VecDeque;
use std::time::Duration;

use rand_core::CryptoRng;

use super::message::{NewKeys, Reveal, code_of, commitment, commitment_to, plain, read_plain, welcome};
use super::{Conversation, Digits, NotPaired, PAIRING_TIME, PairingCode, PairingId, Post, Step};
use crate::device_key::PublicKeys;
use crate::keys::{DeviceId, VaultId};
use crate::membership::NewDevice;
use crate::trust::Remembered;

const TRIES: u32 = 3;
/// More than a user starts while the program runs.
const USED_MAX: usize = 1024;

/// The pairings that were begun here: none is begun twice.
#[derive(Default)]
pub struct UsedPairings(VecDeque<PairingId>);

impl UsedPairings {
    fn take(&mut self, pairing: PairingId) -> Result<(), NotPaired> {
        if self.0.contains(&pairing) {
            return Err(NotPaired::Over);
        }
        if self.0.len() >= USED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(pairing);
        Ok(())
    }
}

/// The pairing with a device that wants to become a member, on a device that is one.
pub struct Admission {
    pairing: PairingId,
    /// Its message that says who it is.
    reveal: Vec<u8>,
    /// What the code says that was read from the new device.
    code: Option<[u8; 32]>,
    deadline: Duration,
    conversation: Conversation,
    state: State,
    post: Option<Post>,
}

enum State {
    Begun,
    Revealed { new: NewDevice, tries_left: u32 },
    LetIn(NewDevice),
    BeingAdded,
    Welcomed,
    Over,
}

/// This device.
#[derive(Clone, Copy)]
pub struct Admitting<'a> {
    /// The vault.
    pub vault: VaultId,
    /// Its name there.
    pub device: DeviceId,
    /// Its keys.
    pub public: &'a PublicKeys,
}

impl Admission {
    /// Goes into the pairing that `hello` began, and which the user chose. `now` is the time since some moment that does not
    /// change while the program runs.
    pub fn begin(
        used: &mut UsedPairings,
        (pairing, hello): (PairingId, &[u8]),
        here: Admitting<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, NotPaired> {
        read_plain(pairing, Step::Hello, hello)?;
        used.take(pairing)?;
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let reveal = Reveal {
            vault: here.vault,
            device: here.device,
            public: here.public.clone(),
            nonce,
        }
        .encode(pairing);
        let commitment = commitment(pairing, &commitment_to(&reveal));
        let mut conversation = Conversation::begin();
        conversation.add(hello);
        conversation.add(&commitment);
        Ok(Self {
            pairing,
            reveal,
            code: None,
            deadline: now.saturating_add(PAIRING_TIME),
            conversation,
            state: State::Begun,
            post: Some(pairing.post(Step::Commitment, commitment)),
        })
    }

    /// As [`Self::begin`], with the code that was read from the new device: no digits are asked for.
    pub fn begin_with_code(
        used: &mut UsedPairings,
        (code, hello): (&PairingCode, &[u8]),
        here: Admitting<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, NotPaired> {
        let begun = Self::begin(used, (code.pairing, hello), here, now, rng)?;
        Ok(Self {
            code: Some(code.keys),
            ..begun
        })
    }

    /// What is to be put into the mailbox next.
    pub fn poll_post(&mut self) -> Option<Post> {
        self.post.take()
    }

    /// The name of the message that is waited for.
    pub fn awaits(&self) -> Option<String> {
        match self.state {
            State::Begun => Some(self.pairing.name(Step::Keys)),
            State::Revealed { .. } | State::LetIn(_) | State::BeingAdded | State::Welcomed | State::Over => {
                None
            }
        }
    }

    /// The message that was found in the mailbox under this name.
    pub fn handle_message(&mut self, now: Duration, name: &str, message: &[u8]) -> Result<(), NotPaired> {
        self.handle_timeout(now);
        if self.awaits().as_deref() != Some(name) {
            return Err(self.not_now());
        }
        let NewKeys { device, public, .. } = NewKeys::decode(self.pairing, message)?;
        if self.code.is_some_and(|code| code != code_of(message)) {
            self.end();
            return Err(NotPaired::OtherKeys);
        }
        self.conversation.add(message);
        self.conversation.add(&self.reveal);
        let new = NewDevice {
            device,
            public,
            transcript: self.conversation.clone().transcript(),
        };
        self.post = Some(self.pairing.post(Step::Reveal, self.reveal.clone()));
        self.state = match self.code {
            Some(_) => State::LetIn(new),
            None => State::Revealed {
                new,
                tries_left: TRIES,
            },
        };
        Ok(())
    }

    /// The digits that the user read from the new device and typed here.
    pub fn handle_digits(&mut self, now: Duration, typed: &str) -> Result<(), NotPaired> {
        self.handle_timeout(now);
        let State::Revealed { new, tries_left } = &mut self.state else {
            return Err(self.not_now());
        };
        let typed = Digits::typed(typed).ok_or(NotPaired::NoDigits)?;
        if typed == Digits::of(&new.transcript) {
            self.state = State::LetIn(new.clone());
            return Ok(());
        }
        *tries_left -= 1;
        let tries_left = *tries_left;
        if tries_left == 0 {
            self.end();
        }
        Err(NotPaired::WrongDigits { tries_left })
    }

    /// The device that the user let in, to be added to the vault now; `None` before that and after the time is over. It is
    /// given once, and from then on there is time enough.
    pub fn take_let_in(&mut self, now: Duration) -> Option<NewDevice> {
        self.handle_timeout(now);
        if !matches!(self.state, State::LetIn(_)) {
            return None;
        }
        match std::mem::replace(&mut self.state, State::BeingAdded) {
            State::LetIn(new) => Some(new),
            State::Begun | State::Revealed { .. } | State::BeingAdded | State::Welcomed | State::Over => None,
        }
    }

    /// The device was added: `head` is the entry that did it, which is in the store.
    pub fn handle_added(&mut self, head: Remembered) -> Result<(), NotPaired> {
        if !matches!(self.state, State::BeingAdded) {
            return Err(self.not_now());
        }
        self.post = Some(self.pairing.post(Step::Welcome, welcome(self.pairing, head)));
        self.state = State::Welcomed;
        Ok(())
    }

    /// The device was not added: the user does not want it, or it could not be done.
    pub fn refuse(&mut self) {
        match self.state {
            State::Begun | State::Revealed { .. } | State::LetIn(_) | State::BeingAdded => self.end(),
            State::Welcomed | State::Over => {}
        }
    }

    /// Whether the user is to read the digits from the new device and type them here.
    pub fn needs_digits(&self) -> bool {
        matches!(self.state, State::Revealed { .. })
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.post = Some(self.pairing.post(Step::Void, plain(self.pairing, Step::Void)));
    }

    fn not_now(&self) -> NotPaired {
        match self.state {
            State::Begun | State::Revealed { .. } | State::LetIn(_) => NotPaired::TooEarly,
            State::BeingAdded | State::Welcomed | State::Over => NotPaired::Over,
        }
    }

    /// Which pairing it is.
    pub fn pairing(&self) -> PairingId {
        self.pairing
    }

    /// When it is over; `None` when it is, or the device is being added.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Begun | State::Revealed { .. } | State::LetIn(_) => Some(self.deadline),
            State::BeingAdded | State::Welcomed | State::Over => None,
        }
    }

    /// Ends it when its time is over.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.end();
        }
    }

    /// Whether it ended and nobody was let in.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
}
