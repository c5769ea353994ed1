//! Ways to ask that do as the test says.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::super::testing::{A_WHILE, SOON, answers, decision, reason, sign_in};
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

    fn can_choose_account(&self) -> bool {
        false
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
    assert_eq!(decision(received.try_recv().unwrap()), Decision::Approved);
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
    assert_eq!(chain.probe().unwrap_err().hint(), "mend it");
    let chain = chain.with_last_resort("give up");
    assert_eq!(chain.probe().unwrap_err().hint(), "mend it; or give up");
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
