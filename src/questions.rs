//! The questions that the user can see now. A prompt of the key goes in; the answer comes back through the mailbox.

use std::collections::BTreeMap;
use std::time::Duration;

use wardkey_authenticator::{Prompt, PromptId, Purpose as Reason};

use crate::prompt::{AnswerHandle, Asker, Demand, Purpose, Question, Shown};
use crate::wake::{Waker, Wakeup};

/// Shows prompts and takes them away.
pub(crate) struct Questions {
    asker: Box<dyn Asker>,
    waker: Waker,
    shown: BTreeMap<PromptId, Box<dyn Shown>>,
}

impl Questions {
    /// Asks through `asker`; answers wake the event loop.
    pub(crate) fn new(asker: Box<dyn Asker>, waker: Waker) -> Self {
        Self {
            asker,
            waker,
            shown: BTreeMap::new(),
        }
    }

    /// Shows `prompt`.
    pub(crate) fn ask(&mut self, id: PromptId, prompt: Prompt, time_left: Duration) {
        let waker = self.waker.clone();
        let answer = AnswerHandle::new(move |answer| waker.send(Wakeup::Answer(id, answer)));
        let shown = self.asker.ask(&question(id, prompt, time_left), answer);
        self.shown.insert(id, shown);
    }

    /// Takes the question away, answered or not.
    pub(crate) fn withdraw(&mut self, id: PromptId) {
        self.shown.remove(&id);
    }
}

fn question(id: PromptId, prompt: Prompt, time_left: Duration) -> Question {
    let purpose = match prompt.purpose {
        Reason::Register => Purpose::Register,
        Reason::SignIn => Purpose::SignIn,
        Reason::AlreadyRegistered => Purpose::AlreadyRegistered,
        Reason::Identify => Purpose::Identify,
        Reason::Verify => Purpose::Verify,
        Reason::ChooseAccount => Purpose::ChooseAccount,
        Reason::Reset => Purpose::Reset,
        Reason::ConfirmReset => Purpose::ConfirmReset,
    };
    Question {
        id: id.0,
        purpose,
        rp_id: prompt.rp_id,
        rp_name: prompt.rp_name,
        user_name: prompt.user_name,
        user_display_name: prompt.user_display_name,
        demand: Demand::Presence,
        accounts: Vec::new(),
        note: None,
        seconds_left: u32::try_from(time_left.as_secs()).unwrap_or(u32::MAX),
    }
}
