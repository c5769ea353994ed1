//! For tests only: a touch sensor that `--control` presses. It answers questions instead of a person.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wardkey_transport::time::Instant;

use crate::host;
use crate::prompt::{AnswerHandle, Asker, Decision, Question, Shown, Unavailable};

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
    waiting: Option<(u64, AnswerHandle)>,
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

    fn lock(&self) -> MutexGuard<'_, Sensor> {
        self.sensor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sensor {
    fn approve_waiting(&mut self) -> bool {
        let Some((_, answer)) = self.waiting.take() else {
            return false;
        };
        answer.give(Decision::Approved);
        true
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
        let mut sensor = self.lock();
        if let Some((_, earlier)) = sensor.waiting.replace((question.id, answer)) {
            earlier.dismiss();
        }
        if sensor.is_touched(host::now()) {
            sensor.approve_waiting();
        }
        Box::new(Waiting {
            touch: self.clone(),
            id: question.id,
        })
    }

    fn can_choose_account(&self) -> bool {
        false
    }

    fn probe(&self) -> Result<String, Unavailable> {
        Ok("test mode: --control answers".to_owned())
    }
}

/// A question that waits for the finger.
struct Waiting {
    touch: Touch,
    id: u64,
}

impl Shown for Waiting {}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mine = self.touch.lock().waiting.take_if(|(id, _)| *id == self.id);
        if let Some((_, answer)) = mine {
            answer.dismiss();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, TryRecvError};

    use super::*;
    use crate::prompt::Answer;
    use crate::prompt::testing::{answers, decision, sign_in};

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
}
