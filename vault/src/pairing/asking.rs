//! The new device.
//!
//! | state | takes | then |
//! | --- | --- | --- |
//! | begun, hello is posted | commitment | posts its keys, waits for what was committed to |
//! | keys are posted | reveal, which is what was committed to | shows the digits |
//! | digits are shown | welcome | is invited |
//! | any but invited | void, or five minutes, ten when digits are shown | is over |

use std::time::Duration;

use rand_core::CryptoRng;

use super::message::{
    NewKeys, Reveal, code_of, commitment_to, plain, read_commitment, read_plain, read_welcome,
};
use super::{Conversation, Digits, NotPaired, PAIRING_TIME, PairingCode, PairingId, Post, Step};
use crate::device_key::PublicKeys;
use crate::keys::{DeviceId, VaultId};
use crate::membership::Invitation;
use crate::trust::Transcript;

/// A device that wants to become a member of a vault.
pub struct AskToJoin {
    pairing: PairingId,
    /// Its message with its keys.
    keys: Vec<u8>,
    deadline: Duration,
    conversation: Conversation,
    state: State,
    post: Option<Post>,
}

enum State {
    Begun,
    KeysPosted { commitment: [u8; 32] },
    DigitsShown { vault: VaultId, transcript: Transcript },
    Invited(Invitation),
    Over,
}

impl AskToJoin {
    /// Begins a pairing. `now` is the time since some moment that does not change while the program runs.
    pub fn begin(device: DeviceId, public: &PublicKeys, now: Duration, rng: &mut dyn CryptoRng) -> Self {
        let pairing = PairingId::random(rng);
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let keys = NewKeys {
            device,
            public: public.clone(),
            nonce,
        };
        let hello = plain(pairing, Step::Hello);
        let mut conversation = Conversation::begin();
        conversation.add(&hello);
        Self {
            pairing,
            keys: keys.encode(pairing),
            deadline: now.saturating_add(PAIRING_TIME),
            conversation,
            state: State::Begun,
            post: Some(pairing.post(Step::Hello, hello)),
        }
    }

    /// What a camera may read from this device instead of the user reading digits.
    pub fn code(&self) -> PairingCode {
        PairingCode {
            pairing: self.pairing,
            keys: code_of(&self.keys),
        }
    }

    /// What is to be put into the mailbox next.
    pub fn poll_post(&mut self) -> Option<Post> {
        self.post.take()
    }

    /// The names of the messages of which one is waited for.
    pub fn awaits(&self) -> Vec<String> {
        let step = match self.state {
            State::Begun => Step::Commitment,
            State::KeysPosted { .. } => Step::Reveal,
            State::DigitsShown { .. } => Step::Welcome,
            State::Invited(_) | State::Over => return Vec::new(),
        };
        vec![self.pairing.name(step), self.pairing.name(Step::Void)]
    }

    /// A message that was found in the mailbox under one of these names.
    pub fn handle_message(&mut self, now: Duration, name: &str, message: &[u8]) -> Result<(), NotPaired> {
        self.handle_timeout(now);
        if !self.awaits().iter().any(|awaited| awaited == name) {
            return Err(match self.state {
                State::Over => NotPaired::Over,
                State::Begun | State::KeysPosted { .. } | State::DigitsShown { .. } | State::Invited(_) => {
                    NotPaired::TooEarly
                }
            });
        }
        if name == self.pairing.name(Step::Void) {
            read_plain(self.pairing, Step::Void, message)?;
            self.state = State::Over;
            return Err(NotPaired::Over);
        }
        match self.state {
            State::Begun => self.take_commitment(message),
            State::KeysPosted { commitment } => self.take_reveal(message, &commitment),
            State::DigitsShown { vault, transcript } => {
                let head = read_welcome(self.pairing, message)?;
                self.state = State::Invited(Invitation {
                    vault,
                    head,
                    transcript,
                });
                Ok(())
            }
            State::Invited(_) | State::Over => Err(NotPaired::Over),
        }
    }

    fn take_commitment(&mut self, message: &[u8]) -> Result<(), NotPaired> {
        let commitment = read_commitment(self.pairing, message)?;
        self.conversation.add(message);
        self.conversation.add(&self.keys);
        self.post = Some(self.pairing.post(Step::Keys, self.keys.clone()));
        self.state = State::KeysPosted { commitment };
        Ok(())
    }

    fn take_reveal(&mut self, message: &[u8], commitment: &[u8; 32]) -> Result<(), NotPaired> {
        let Reveal { vault, .. } = Reveal::decode(self.pairing, message)?;
        if commitment_to(message) != *commitment {
            self.state = State::Over;
            return Err(NotPaired::Commitment);
        }
        self.conversation.add(message);
        let transcript = self.conversation.clone().transcript();
        // The digits count as long as the other device says; adding this one may take as long again.
        self.deadline = self.deadline.saturating_add(PAIRING_TIME);
        self.state = State::DigitsShown { vault, transcript };
        Ok(())
    }

    /// What the user is to type into the other device.
    pub fn digits(&self) -> Option<Digits> {
        match &self.state {
            State::DigitsShown { transcript, .. } => Some(Digits::of(transcript)),
            State::Begun | State::KeysPosted { .. } | State::Invited(_) | State::Over => None,
        }
    }

    /// The other device says that it added this one. Nothing of it is believed before [`join`](crate::join).
    pub fn invitation(&self) -> Option<Invitation> {
        match self.state {
            State::Invited(invitation) => Some(invitation),
            State::Begun | State::KeysPosted { .. } | State::DigitsShown { .. } | State::Over => None,
        }
    }

    /// Which pairing it is.
    pub fn pairing(&self) -> PairingId {
        self.pairing
    }

    /// When it is over; `None` when it is, or when there is nothing more to wait for.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Begun | State::KeysPosted { .. } | State::DigitsShown { .. } => Some(self.deadline),
            State::Invited(_) | State::Over => None,
        }
    }

    /// Ends it when its time is over.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.state = State::Over;
            self.post = None;
        }
    }

    /// Whether it ended without an invitation.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
}
