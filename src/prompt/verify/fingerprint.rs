//! Verifies by a finger on a reader of this computer, through fprintd.
//!
//! While the reader waits, the question is on show in whichever way questions are asked, and can be refused there. When
//! it cannot be shown, no finger counts: nobody would know what it agrees to.

mod fprintd;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use self::fprintd::{Outcome, Reader};
use super::super::asked::Asked;
use super::super::probe::probe_within;
use super::super::withdrawal::Withdrawal;
use super::super::worker::Workers;
use super::super::{Answer, AnswerHandle, Asker, Decision, Modality, Question, Shown, Unavailable};
use super::Verifier;
use crate::bus::Bus;

/// How long the bus and fprintd together may take to say what there is.
const PROBE_PATIENCE: Duration = Duration::from_secs(8);

/// Verifies by fingerprint.
pub(crate) struct Fingerprint {
    bus: Bus,
    asker: Arc<dyn Asker>,
    workers: Workers,
}

impl Fingerprint {
    /// Uses the reader of this computer; `asker` shows the question meanwhile.
    pub(crate) fn of_this_computer(asker: Arc<dyn Asker>) -> Self {
        Self::on(Bus::System, asker)
    }

    fn on(bus: Bus, asker: Arc<dyn Asker>) -> Self {
        Self {
            bus,
            asker,
            workers: Workers::default(),
        }
    }
}

impl Verifier for Fingerprint {
    fn modality(&self) -> Modality {
        Modality::Fingerprint
    }

    fn verify(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let bus = self.bus.clone();
        let asker = Arc::clone(&self.asker);
        let question = question.clone();
        self.workers.start_future(answer, move |withdrawal| async move {
            verify(&bus, asker.as_ref(), question, &withdrawal).await
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        let bus = self.bus.clone();
        probe_within(PROBE_PATIENCE, "fprintd does not answer", async move {
            Reader::find(&bus).await?.describe().await
        })
    }
}

/// Nothing when the question was taken away.
async fn verify(
    bus: &Bus,
    asker: &dyn Asker,
    question: Question,
    withdrawal: &Withdrawal,
) -> Result<Option<Decision>, Unavailable> {
    let Some(reader) = withdrawal.unless_withdrawn(Reader::find(bus)).await else {
        return Ok(None);
    };
    let reader = reader?;
    // Not interrupted: what was begun has to be ended. Calls have a time-out.
    reader.claim().await?;
    let attempt = async {
        let mut notice = Notice::show(asker, question);
        let mut scan = reader.start_scan().await?;
        poll_fn(|context| poll_decision(&mut scan, &mut notice, context)).await
    };
    let decided = withdrawal.unless_withdrawn(attempt).await;
    reader.release().await;
    decided.transpose()
}

/// The question on show, beside the reader.
struct Notice<'a> {
    asker: &'a dyn Asker,
    question: Question,
    asked: Asked,
}

impl<'a> Notice<'a> {
    fn show(asker: &'a dyn Asker, question: Question) -> Self {
        Self {
            asked: Asked::through(asker, &question),
            asker,
            question,
        }
    }

    /// Tells how the finger was read, unless the user has read that already.
    fn tell(&mut self, note: &'static str) {
        if self.question.note != Some(note) {
            self.question.note = Some(note);
            self.asked = Asked::through(self.asker, &self.question);
        }
    }
}

fn poll_decision(
    scan: &mut fprintd::Scan,
    notice: &mut Notice<'_>,
    context: &mut Context<'_>,
) -> Poll<Result<Decision, Unavailable>> {
    while let Poll::Ready(outcome) = scan.poll_outcome(context) {
        match outcome {
            Outcome::Match => return Poll::Ready(Ok(Decision::Verified)),
            Outcome::NoMatch => return Poll::Ready(Ok(Decision::NotVerified)),
            Outcome::Again(note) => notice.tell(note),
            Outcome::Broken(unavailable) => return Poll::Ready(Err(unavailable)),
        }
    }
    while let Poll::Ready(answer) = notice.asked.poll_answer(context) {
        match answer {
            Answer::Decided(Decision::Declined) => return Poll::Ready(Ok(Decision::Declined)),
            Answer::Unavailable(unavailable) => return Poll::Ready(Err(unavailable)),
            // Seen, and not refused: the finger decides.
            Answer::Decided(_) | Answer::Pin(_) => {}
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests;
