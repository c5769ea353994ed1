//! When something is done: a round, a look at the hint, an answer, another try.

use std::time::Duration;

use super::compacting::Snapshots;
use super::{Machine, Round, Wish};
use crate::Trust;
use crate::sync::exchange::{NoAnswer, Outstanding, Request};
use crate::sync::layout::{Listing, StoreName};
use crate::sync::status::State;
use crate::vault::Vault;

/// How soon the hint is looked at again after something happened, …
pub(super) const POLL_SOON: Duration = Duration::from_secs(1);
/// … and while somebody uses the vault.
const POLL_IN_USE: Duration = Duration::from_millis(500);
/// How seldom, when nothing happens.
const POLL_SELDOM: Duration = Duration::from_secs(60);
/// The hint is not signed: whether something is new is found out without it now and then.
const LIST_AT_LEAST: Duration = Duration::from_secs(600);
/// Others hear within so long that something was read, where nobody waits for that.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);
/// Where somebody waits, so many devices answer at once. Of two one is not the one that waits.
const ANSWER_AT_ONCE: usize = 2;
/// How soon it is tried again after a failure, …
const RETRY_SOON: Duration = Duration::from_secs(5);
/// … and how seldom after many.
const RETRY_SELDOM: Duration = Duration::from_secs(900);

/// When others hear that something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Answers {
    /// With the next change, or when it is time.
    #[default]
    Later,
    /// In this round, when they look the next time.
    Quietly,
    /// In this round, and they are told to look.
    AtOnce,
}

impl Machine {
    /// Begins a round, or says what else is to be done.
    pub(super) fn begin(&mut self, vault: &Vault, now: Duration) -> Option<Wish> {
        let answers = self.answers(vault, now);
        let has_to_say = vault.waiting() > 0 || (vault.owes_an_answer() && answers != Answers::Later);
        let speaks = has_to_say && self.may_speak();
        if !(self.wanted || speaks || now >= self.next) {
            return Some(Wish::Rest(self.rest()));
        }
        if self.wanted || now >= self.next_list || self.failures > 0 || self.status.state != State::Fresh {
            self.wanted = false;
            self.asked = false;
            self.round = Some(Round {
                answers,
                ..Round::default()
            });
            return None;
        }
        if speaks {
            // What the store has was compared a moment ago, and what is written is written under a new name.
            self.round = Some(Round {
                listing: Some(Listing::default()),
                trust_is_read: true,
                only_speaks: true,
                snapshots: Snapshots::passed_over(),
                answers,
                ..Round::default()
            });
            return None;
        }
        let name = self.layout.name(StoreName::Hint);
        let tag = self.tag.clone();
        Some(self.ask(Outstanding::Hint, Request::Poll { name, tag }))
    }

    /// Whether a change may be written without looking first at what the store has.
    fn may_speak(&self) -> bool {
        self.failures == 0 && !self.status.state.is_red()
    }

    /// When others hear of what was read. They wait for it where there is no recovery kit: what another device has read is
    /// what makes a passkey outlive its author.
    fn answers(&self, vault: &Vault, now: Duration) -> Answers {
        let mut waited_for = vault
            .trust()
            .into_iter()
            .filter(|trust| trust.recovery().is_none());
        let answers = |trust: &Trust| {
            trust
                .members()
                .take(ANSWER_AT_ONCE)
                .any(|id| id == vault.device_id())
        };
        if self.asked || waited_for.any(answers) {
            Answers::AtOnce
        } else if self.answer_at.is_some_and(|at| at <= now) {
            Answers::Quietly
        } else {
            Answers::Later
        }
    }

    /// When there is something to do next.
    pub(super) fn rest(&self) -> Duration {
        let answer = self.answer_at.filter(|_| self.may_speak());
        answer.map_or(self.next, |at| at.min(self.next))
    }

    /// Somebody uses the vault: the hint is looked at soon, and often.
    pub fn in_use(&mut self) {
        if self.failures == 0 {
            let looked = self.next.saturating_sub(self.poll_after);
            self.poll_after = POLL_IN_USE;
            self.next = looked + POLL_IN_USE;
        }
    }

    /// After a round in which everything was answered.
    pub(super) fn rest_after(&mut self, vault: &Vault, only_spoke: bool, now: Duration) {
        let due = self.answer_at.filter(|at| *at > now);
        let owed = vault.owes_an_answer();
        self.answer_at = owed.then(|| due.unwrap_or(now + ANSWER_WITHIN));
        self.next = now + self.poll_after;
        if !only_spoke {
            self.next_list = now + LIST_AT_LEAST;
        }
    }

    pub(super) fn poll_later(&mut self, now: Duration) {
        self.poll_after = (self.poll_after * 3 / 2).min(POLL_SELDOM);
        self.next = now + self.poll_after;
    }

    /// It is tried again later, from the start.
    pub(super) fn give_up(&mut self, reason: NoAnswer, now: Duration) {
        self.round = None;
        self.compare = None;
        self.needed = None;
        self.heal.clear();
        if let Some(proposal) = &mut self.proposal {
            // Whether the last of its objects was written is not known.
            proposal.written = 0;
        }
        if !self.status.state.is_red() {
            self.status.state = State::Offline(reason);
        }
        let wait = RETRY_SOON * 2_u32.saturating_pow(self.failures.min(16));
        self.failures += 1;
        self.next = now + wait.min(RETRY_SELDOM);
    }
}
