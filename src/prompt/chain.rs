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
use super::{Answer, AnswerHandle, Asker, Question, Shown, Unavailable};

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
}

/// Ways to ask, best first.
pub(crate) struct Chain {
    ways: Arc<[Box<dyn Asker>]>,
}

impl Chain {
    /// A chain of these ways, in this order.
    pub(crate) fn new(ways: Vec<Box<dyn Asker>>) -> Self {
        Self { ways: ways.into() }
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
            way: 0,
            shown: None,
            failed: Vec::new(),
        };
        let round = Arc::new(Round {
            ways: Arc::clone(&self.ways),
            question: question.clone(),
            state: Mutex::new(state),
        });
        Round::ask_from(&round, 0);
        Box::new(ShownByChain { round })
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
        Err(nobody_can_ask(&failed))
    }
}

/// One question on its way through the chain.
struct Round {
    ways: Arc<[Box<dyn Asker>]>,
    question: Question,
    state: Mutex<State>,
}

struct State {
    /// Nothing once it was answered or taken away.
    answer: Option<AnswerHandle>,
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
            Answer::Decided(decision) => this
                .take_answer()
                .into_iter()
                .for_each(|answer| answer.give(decision)),
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
        let unavailable = nobody_can_ask(&self.lock().failed);
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

fn nobody_can_ask(failed: &[Failed]) -> Unavailable {
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
            let hint = format!("{}; or give --prompt-command PROGRAM", first.unavailable.hint());
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
        if let Some(answer) = self.round.take_answer() {
            answer.dismiss();
        }
        let shown = self.round.lock().shown.take();
        drop(shown);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::super::testing::{A_WHILE, SOON, answers, reason, sign_in};
    use super::super::{Decision, NothingShown};
    use super::*;

    /// A way that does as the test says, and reports when its question is taken away.
    struct Scripted {
        name: &'static str,
        behaviour: Behaviour,
        gone: Sender<&'static str>,
    }

    enum Behaviour {
        Answers(Decision),
        FailsAtOnce,
        FailsLater(Mutex<Receiver<()>>),
        Waits,
    }

    struct Visible {
        name: &'static str,
        gone: Sender<&'static str>,
        held: Option<AnswerHandle>,
    }

    impl Shown for Visible {}

    impl Drop for Visible {
        fn drop(&mut self) {
            if let Some(answer) = self.held.take() {
                answer.dismiss();
            }
            let _unheard = self.gone.send(self.name);
        }
    }

    impl Asker for Scripted {
        fn name(&self) -> &'static str {
            self.name
        }

        fn ask(&self, _question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
            let visible = |answer| {
                Box::new(Visible {
                    name: self.name,
                    gone: self.gone.clone(),
                    held: answer,
                })
            };
            match &self.behaviour {
                Behaviour::Answers(decision) => {
                    answer.give(*decision);
                    visible(None)
                }
                Behaviour::FailsAtOnce => {
                    answer.unavailable(Unavailable::new("broken", "mend it"));
                    Box::new(NothingShown)
                }
                Behaviour::FailsLater(when) => {
                    let when = std::mem::replace(&mut *when.lock().unwrap(), channel().1);
                    std::thread::spawn(move || {
                        when.recv().unwrap();
                        answer.unavailable(Unavailable::new("broke", "mend it"));
                    });
                    visible(None)
                }
                Behaviour::Waits => visible(Some(answer)),
            }
        }

        fn probe(&self) -> Result<String, Unavailable> {
            match self.behaviour {
                Behaviour::FailsAtOnce => Err(Unavailable::new("broken", "mend it")),
                Behaviour::Answers(_) | Behaviour::FailsLater(_) | Behaviour::Waits => Ok("here".to_owned()),
            }
        }
    }

    fn chain(behaviours: Vec<Behaviour>) -> (Chain, Receiver<&'static str>) {
        let (gone, is_gone) = channel();
        let names = ["first", "second", "third"];
        let ways = names
            .into_iter()
            .zip(behaviours)
            .map(|(name, behaviour)| -> Box<dyn Asker> {
                Box::new(Scripted {
                    name,
                    behaviour,
                    gone: gone.clone(),
                })
            });
        (Chain::new(ways.collect()), is_gone)
    }

    #[test]
    fn the_first_way_that_works_answers() {
        let (chain, _) = chain(vec![
            Behaviour::FailsAtOnce,
            Behaviour::Answers(Decision::Approved),
            Behaviour::Waits,
        ]);
        let (answer, received) = answers();
        let _shown = chain.ask(&sign_in(), answer);
        assert_eq!(received.try_recv().unwrap(), Answer::Decided(Decision::Approved));
        assert_eq!(chain.probe().unwrap(), "second: here");
    }

    #[test]
    fn a_way_that_fails_later_gives_its_place_to_the_next() {
        let (fail, when) = channel();
        let later = Behaviour::FailsLater(Mutex::new(when));
        let (chain, is_gone) = chain(vec![later, Behaviour::Waits]);
        let (answer, received) = answers();
        let shown = chain.ask(&sign_in(), answer);
        assert!(is_gone.recv_timeout(A_WHILE).is_err());
        fail.send(()).unwrap();
        assert_eq!(is_gone.recv_timeout(SOON).unwrap(), "first");
        assert!(is_gone.recv_timeout(A_WHILE).is_err());
        drop(shown);
        assert_eq!(is_gone.recv_timeout(SOON).unwrap(), "second");
        assert!(received.try_recv().is_err());
    }

    #[test]
    fn a_question_that_was_taken_away_is_not_asked_another_way() {
        let (fail, when) = channel();
        let later = Behaviour::FailsLater(Mutex::new(when));
        let (chain, is_gone) = chain(vec![later, Behaviour::Answers(Decision::Approved)]);
        let (answer, received) = answers();
        drop(chain.ask(&sign_in(), answer));
        assert_eq!(is_gone.recv_timeout(SOON).unwrap(), "first");
        fail.send(()).unwrap();
        assert!(received.recv_timeout(A_WHILE).is_err());
    }

    #[test]
    fn when_no_way_is_left_each_reason_is_told() {
        let (chain, _) = chain(vec![Behaviour::FailsAtOnce, Behaviour::FailsAtOnce]);
        let (answer, received) = answers();
        let _shown = chain.ask(&sign_in(), answer);
        assert_eq!(reason(&received), "first: broken; second: broken");
        let unavailable = chain.probe().unwrap_err();
        assert_eq!(unavailable.hint(), "mend it; or give --prompt-command PROGRAM");
    }

    #[test]
    fn the_command_line_chooses_the_ways() {
        let names = |chain: Chain| chain.ways.iter().map(|way| way.name()).collect::<Vec<_>>();
        assert_eq!(
            names(chain_for(Way::Auto, None)),
            ["notification", "pinentry", "terminal"]
        );
        assert_eq!(names(chain_for(Way::Notification, None)), ["notification"]);
        assert_eq!(names(chain_for(Way::Pinentry, None)), ["pinentry"]);
        assert_eq!(names(chain_for(Way::Terminal, None)), ["terminal"]);
        assert_eq!(
            names(chain_for(Way::Auto, Some("ask".into()))),
            ["prompt-command"]
        );
    }
}
