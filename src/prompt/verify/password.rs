//! Verifies by the password of this computer, or whatever else its policy accepts, through polkit.
//!
//! The question is asked first, in whichever way questions are asked, because polkit's own dialogue cannot name the site
//! and the account: only programs of the administrator may add to its text. When the user approves, polkit asks for the
//! password; it never learns what for, and this process never sees the password.

mod polkit;

pub(crate) use self::polkit::{POLICY, POLICY_PATH};

use std::sync::Arc;
use std::time::Duration;

use self::polkit::{Authority, Outcome};
use super::super::asked::Asked;
use super::super::probe::probe_within;
use super::super::withdrawal::Withdrawal;
use super::super::worker::Workers;
use super::super::{Answer, AnswerHandle, Asker, Decision, Modality, Question, Shown, Unavailable};
use super::Verifier;
use crate::bus::Bus;

/// How long the bus and polkit together may take to say what the policy is.
const PROBE_PATIENCE: Duration = Duration::from_secs(8);

/// Verifies by password.
pub(crate) struct Password {
    bus: Bus,
    asker: Arc<dyn Asker>,
    workers: Workers,
}

impl Password {
    /// Uses the polkit of this computer; `asker` asks the question before.
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

impl Verifier for Password {
    fn modality(&self) -> Modality {
        Modality::Password
    }

    fn verify(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let bus = self.bus.clone();
        let asker = Arc::clone(&self.asker);
        let question = question.clone();
        self.workers.start_future(answer, move |withdrawal| async move {
            verify(&bus, asker.as_ref(), &question, &withdrawal).await
        })
    }

    fn probe(&self) -> Result<String, Unavailable> {
        let bus = self.bus.clone();
        probe_within(PROBE_PATIENCE, "polkit does not answer", async move {
            Authority::connect(&bus).await?.check_policy().await?;
            Ok("polkit asks for the password".to_owned())
        })
    }
}

/// Nothing when the question was taken away.
async fn verify(
    bus: &Bus,
    asker: &dyn Asker,
    question: &Question,
    withdrawal: &Withdrawal,
) -> Result<Option<Decision>, Unavailable> {
    let prepared = async {
        let authority = Authority::connect(bus).await?;
        // A policy that grants everything verifies nobody. Looked at each time: it may have changed.
        authority.check_policy().await?;
        match Asked::through(asker, question).answer().await {
            Answer::Decided(Decision::Declined | Decision::NotVerified) => Ok(None),
            Answer::Decided(_) | Answer::Pin(_) => Ok(Some(authority)),
            Answer::Unavailable(unavailable) => Err(unavailable),
        }
    };
    let authority = match withdrawal.unless_withdrawn(prepared).await.transpose()? {
        None => return Ok(None),
        Some(None) => return Ok(Some(Decision::Declined)),
        Some(Some(authority)) => authority,
    };
    let outcome = withdrawal.unless_withdrawn(authority.ask_for_password()).await;
    Ok(match outcome.transpose()? {
        None => {
            authority.cancel().await;
            None
        }
        Some(Outcome::Authorized) => Some(Decision::Verified),
        Some(Outcome::NotAuthorized) => Some(Decision::NotVerified),
        Some(Outcome::Dismissed) => Some(Decision::Declined),
    })
}

#[cfg(test)]
mod tests;
