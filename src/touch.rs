//! For tests only: a touch sensor that `--control` presses, and that can know whose finger it is. It answers questions
//! instead of a person.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wardkey_transport::time::Instant;

use crate::host;
use crate::prompt::verify::Verifier;
use crate::prompt::{AnswerHandle, Asker, Decision, Demand, Modality, Question, Shown, Unavailable};

/// A finger that is put down and forgotten lets go after this time.
const HOLD_MAX: Duration = Duration::from_secs(10);

/// A single touch that comes just before the question it is for still counts.
const TOUCH_EARLY_MAX: Duration = Duration::from_secs(2);

/// The sensor. Clones are the same sensor.
#[derive(Clone, Default)]
pub(crate) struct Touch {
    sensor: Arc<Mutex<Sensor>>,
}

#[derive(Default)]
struct Sensor {
    finger: Finger,
    /// How the next verification ends that comes before then.
    verdict: Option<(Decision, Instant)>,
    waiting: Option<Waiting>,
}

#[derive(Default)]
enum Finger {
    #[default]
    Away,
    /// Answers every question until then.
    Held { until: Instant },
    /// Answers one question that comes before then.
    Tapped { until: Instant },
}

/// A question that waits.
struct Waiting {
    id: u64,
    demand: Demand,
    answer: AnswerHandle,
}

impl Touch {
    /// Puts the finger on the sensor.
    pub(crate) fn hold(&self) {
        let mut sensor = self.lock();
        sensor.finger = Finger::Held {
            until: host::now() + HOLD_MAX,
        };
        sensor.approve_waiting();
    }

    /// Takes the finger away.
    pub(crate) fn release(&self) {
        self.lock().finger = Finger::Away;
    }

    /// Touches once: the question that waits, or else one that comes at once.
    pub(crate) fn tap(&self) {
        let mut sensor = self.lock();
        if !sensor.approve_waiting() {
            sensor.finger = Finger::Tapped {
                until: host::now() + TOUCH_EARLY_MAX,
            };
        }
    }

    /// Ends one verification: the one that waits, or else one that comes at once.
    pub(crate) fn verify(&self, verdict: Decision) {
        let mut sensor = self.lock();
        if !sensor.end_verification(verdict) {
            sensor.verdict = Some((verdict, host::now() + TOUCH_EARLY_MAX));
        }
    }

    fn wait(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let mut sensor = self.lock();
        let waiting = Waiting {
            id: question.id,
            demand: question.demand,
            answer,
        };
        if let Some(earlier) = sensor.waiting.replace(waiting) {
            earlier.answer.dismiss();
        }
        sensor.answer_at_once(host::now());
        Box::new(ShownToTouch {
            touch: self.clone(),
            id: question.id,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Sensor> {
        self.sensor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sensor {
    fn approve_waiting(&mut self) -> bool {
        self.answer_waiting(Decision::Approved, |demand| demand == Demand::Presence)
    }

    fn end_verification(&mut self, verdict: Decision) -> bool {
        self.answer_waiting(verdict, |demand| demand != Demand::Presence)
    }

    fn answer_waiting(&mut self, decision: Decision, is_meant: impl Fn(Demand) -> bool) -> bool {
        let waiting = self.waiting.take_if(|waiting| is_meant(waiting.demand));
        let is_answered = waiting.is_some();
        if let Some(waiting) = waiting {
            waiting.answer.give(decision);
        }
        is_answered
    }

    /// What was done just before the question came may be meant for it.
    fn answer_at_once(&mut self, now: Instant) {
        let Some(waiting) = &self.waiting else { return };
        if waiting.demand == Demand::Presence {
            if self.is_touched(now) {
                self.approve_waiting();
            }
        } else if let Some((verdict, until)) = self.verdict.take()
            && now < until
        {
            self.end_verification(verdict);
        }
    }

    /// Whether the finger is on the sensor; a tap is used up.
    fn is_touched(&mut self, now: Instant) -> bool {
        match self.finger {
            Finger::Away => false,
            Finger::Held { until } => now < until,
            Finger::Tapped { until } => {
                self.finger = Finger::Away;
                now < until
            }
        }
    }
}

impl Asker for Touch {
    fn name(&self) -> &'static str {
        "control"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        self.wait(question, answer)
    }

    fn can_choose_account(&self) -> bool {
        false
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Ok("test mode: --control answers".to_owned())
    }
}

impl Verifier for Touch {
    fn modality(&self) -> Modality {
        Modality::Fingerprint
    }

    fn verify(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        self.wait(question, answer)
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Asker::probe(self)
    }
}

/// A question that waits for the finger.
struct ShownToTouch {
    touch: Touch,
    id: u64,
}

impl Shown for ShownToTouch {}

impl Drop for ShownToTouch {
    fn drop(&mut self) {
        let mine = self.touch.lock().waiting.take_if(|waiting| waiting.id == self.id);
        if let Some(waiting) = mine {
            waiting.answer.dismiss();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, TryRecvError};

    use super::*;
    use crate::prompt::Answer;
    use crate::prompt::testing::{answers, decision, sign_in, sign_in_verified};

    fn ask(touch: &Touch, id: u64) -> (Box<dyn Shown>, Receiver<Answer>) {
        let (answer, received) = answers();
        (touch.ask(&Question { id, ..sign_in() }, answer), received)
    }

    fn is_approved(answers: &Receiver<Answer>) -> bool {
        answers
            .try_recv()
            .is_ok_and(|answer| decision(answer) == Decision::Approved)
    }

    #[test]
    fn a_question_waits_for_the_finger() {
        let touch = Touch::default();
        let (_shown, answer) = ask(&touch, 1);
        assert!(answer.try_recv().is_err());
        touch.tap();
        assert!(is_approved(&answer));
    }

    #[test]
    fn a_tap_answers_one_question_and_a_held_finger_all() {
        let touch = Touch::default();
        touch.tap();
        assert!(is_approved(&ask(&touch, 1).1));
        let (shown, answer) = ask(&touch, 2);
        assert!(answer.try_recv().is_err());
        drop(shown);
        touch.hold();
        assert!(is_approved(&ask(&touch, 3).1));
        assert!(is_approved(&ask(&touch, 4).1));
        touch.release();
        let (_shown, answer) = ask(&touch, 5);
        assert!(answer.try_recv().is_err());
    }

    #[test]
    fn a_question_that_was_taken_away_is_not_answered() {
        let touch = Touch::default();
        let (shown, answer) = ask(&touch, 1);
        drop(shown);
        touch.hold();
        assert!(matches!(answer.try_recv(), Err(TryRecvError::Disconnected)));
    }

    fn verify(touch: &Touch, id: u64) -> (Box<dyn Shown>, Receiver<Answer>) {
        let (answer, received) = answers();
        let question = Question {
            id,
            ..sign_in_verified(Modality::Fingerprint)
        };
        (Verifier::verify(touch, &question, answer), received)
    }

    #[test]
    fn a_verification_waits_for_its_verdict_and_a_touch_is_none() {
        let touch = Touch::default();
        touch.hold();
        let (_shown, answer) = verify(&touch, 1);
        touch.tap();
        assert!(answer.try_recv().is_err());
        touch.verify(Decision::NotVerified);
        assert_eq!(decision(answer.try_recv().unwrap()), Decision::NotVerified);
    }

    #[test]
    fn a_verdict_is_for_one_verification_and_for_no_other_question() {
        let touch = Touch::default();
        touch.verify(Decision::Verified);
        let (shown, answer) = ask(&touch, 1);
        assert!(answer.try_recv().is_err());
        drop(shown);
        let (_shown, answer) = verify(&touch, 2);
        assert_eq!(decision(answer.try_recv().unwrap()), Decision::Verified);
        let (_shown, answer) = verify(&touch, 3);
        assert!(answer.try_recv().is_err());
    }
}
