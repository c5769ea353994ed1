//! Tries one way to ask after the other: the next one when a way says that it cannot, at once or later.
//!
//! Which ways there are comes from the command line ([`chain_for`]); by itself: a desktop notification, then
//! pinentry, then the terminal. When no way is left, the answer tells why each of them did not work.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::command::PromptCommand;
use super::notification::Notification;
use super::pinentry::Pinentry;
use super::terminal::Terminal;
use super::{Answer, AnswerHandle, Asker, Question, Shown, Silenced, Unavailable};

/// `--prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Way {
    /// The first that works.
    #[default]
    Auto,
    Notification,
    Pinentry,
    Terminal,
}

/// The ways that the command line asks for. A prompt command is the only way, when there is one.
pub(crate) fn chain_for(way: Way, command: Option<PathBuf>) -> Chain {
    if let Some(program) = command {
        return Chain::new(vec![Box::new(PromptCommand::new(program))]);
    }
    let notification = || -> Box<dyn Asker> { Box::new(Notification::of_this_session()) };
    let pinentry = || -> Box<dyn Asker> { Box::new(Pinentry::of_this_session()) };
    let terminal = || -> Box<dyn Asker> { Box::new(Terminal::controlling()) };
    Chain::new(match way {
        Way::Auto => vec![notification(), pinentry(), terminal()],
        Way::Notification => vec![notification()],
        Way::Pinentry => vec![pinentry()],
        Way::Terminal => vec![terminal()],
    })
    .with_last_resort("give --prompt-command PROGRAM")
}

/// The ways that the command line asks for in which a PIN can be entered.
pub(crate) fn pin_chain_for(way: Way) -> Chain {
    let pinentry = || -> Box<dyn Asker> { Box::new(Pinentry::of_this_session()) };
    let terminal = || -> Box<dyn Asker> { Box::new(Terminal::controlling()) };
    Chain::new(match way {
        Way::Auto | Way::Notification => vec![pinentry(), terminal()],
        Way::Pinentry => vec![pinentry()],
        Way::Terminal => vec![terminal()],
    })
}

/// Ways to ask, best first.
pub(crate) struct Chain {
    ways: Arc<[Box<dyn Asker>]>,
    /// What to do when no way works, besides mending the first.
    last_resort: Option<&'static str>,
}

impl Chain {
    /// A chain of these ways, in this order.
    pub(crate) fn new(ways: Vec<Box<dyn Asker>>) -> Self {
        Self {
            ways: ways.into(),
            last_resort: None,
        }
    }

    fn with_last_resort(self, last_resort: &'static str) -> Self {
        Self {
            last_resort: Some(last_resort),
            ..self
        }
    }

    /// What each way says about itself, in order. May take some seconds.
    pub(crate) fn probe_each(&self) -> Vec<(&'static str, Result<String, Unavailable>)> {
        self.ways.iter().map(|way| (way.name(), way.probe())).collect()
    }
}

impl Asker for Chain {
    fn name(&self) -> &'static str {
        "auto"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let state = State {
            answer: Some(answer),
            silenced: None,
            way: 0,
            shown: None,
            failed: Vec::new(),
        };
        let round = Arc::new(Round {
            ways: Arc::clone(&self.ways),
            last_resort: self.last_resort,
            question: question.clone(),
            state: Mutex::new(state),
        });
        Round::ask_from(&round, 0);
        Box::new(ShownByChain { round })
    }

    /// Whether it can be chosen in any way: a way that cannot leaves the choice to others.
    fn can_choose_account(&self) -> bool {
        self.ways.iter().any(|way| way.can_choose_account())
    }

    /// The first way that works.
    fn probe(&self) -> Result<String, Unavailable> {
        let mut failed = Vec::new();
        for way in self.ways.iter() {
            match way.probe() {
                Ok(description) => return Ok(format!("{}: {description}", way.name())),
                Err(unavailable) => failed.push(Failed {
                    way: way.name(),
                    unavailable,
                }),
            }
        }
        Err(nobody_can_ask(&failed, self.last_resort))
    }
}

/// One question on its way through the chain.
struct Round {
    ways: Arc<[Box<dyn Asker>]>,
    last_resort: Option<&'static str>,
    question: Question,
    state: Mutex<State>,
}

struct State {
    /// Nothing once it was answered or taken away.
    answer: Option<AnswerHandle>,
    /// Once it was taken away: kept for as long as a way may still be showing it.
    silenced: Option<Silenced>,
    /// Whose turn it is.
    way: usize,
    shown: Option<Box<dyn Shown>>,
    failed: Vec<Failed>,
}

/// A way that did not work.
struct Failed {
    way: &'static str,
    unavailable: Unavailable,
}

impl Round {
    /// Starts way number `index`. The lock is never held while a way is called, because a way may answer
    /// from inside `ask`.
    fn ask_from(round: &Arc<Self>, index: usize) {
        let mut state = round.lock();
        let earlier = state.shown.take();
        state.way = index;
        if state.answer.is_none() {
            return;
        }
        drop(state);
        drop(earlier);
        let Some(way) = round.ways.get(index) else {
            round.give_up();
            return;
        };
        let this = Arc::clone(round);
        let name = way.name();
        let handle = AnswerHandle::new(move |outcome| match outcome {
            given @ (Answer::Decided(_) | Answer::Pin(_)) => {
                if let Some(answer) = this.take_answer() {
                    answer.pass_on(given);
                }
            }
            Answer::Unavailable(unavailable) => {
                this.lock().failed.push(Failed {
                    way: name,
                    unavailable,
                });
                Self::ask_from(&this, index.saturating_add(1));
            }
        });
        let shown = way.ask(&round.question, handle);
        round.keep(index, shown);
    }

    /// Keeps what a way shows, unless it is over or another way has its turn by now.
    fn keep(&self, index: usize, shown: Box<dyn Shown>) {
        let mut state = self.lock();
        if state.way == index && state.answer.is_some() {
            state.shown = Some(shown);
        } else {
            drop(state);
            drop(shown);
        }
    }

    fn give_up(&self) {
        let unavailable = nobody_can_ask(&self.lock().failed, self.last_resort);
        if let Some(answer) = self.take_answer() {
            answer.unavailable(unavailable);
        }
    }

    fn take_answer(&self) -> Option<AnswerHandle> {
        self.lock().answer.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody_can_ask(failed: &[Failed], last_resort: Option<&str>) -> Unavailable {
    match failed {
        [] => Unavailable::new("there is no way to ask the user", "choose one with --prompt"),
        [only] => Unavailable::new(
            format!("{}: {}", only.way, only.unavailable),
            only.unavailable.hint(),
        ),
        [first, ..] => {
            let reasons: Vec<String> = failed
                .iter()
                .map(|failed| format!("{}: {}", failed.way, failed.unavailable))
                .collect();
            let first = first.unavailable.hint();
            let hint = last_resort.map_or(first.to_owned(), |last| format!("{first}; or {last}"));
            Unavailable::new(reasons.join("; "), hint)
        }
    }
}

struct ShownByChain {
    round: Arc<Round>,
}

impl Shown for ShownByChain {}

impl Drop for ShownByChain {
    fn drop(&mut self) {
        let mut state = self.round.lock();
        state.silenced = state.answer.take().map(AnswerHandle::silence);
        let shown = state.shown.take();
        drop(state);
        drop(shown);
    }
}

#[cfg(test)]
mod tests;
