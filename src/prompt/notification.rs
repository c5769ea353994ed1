//! Asks with a desktop notification that has the buttons Approve and Deny (Desktop Notifications
//! Specification 1.2, `org.freedesktop.Notifications`).
//!
//! A daemon without buttons (no `actions` capability) cannot ask. Only the button Approve approves: clicking
//! on the notification itself does not, and closing it declines. Answers count only when they come from the
//! program that showed the notification. It is closed when the question is taken away.

mod desktop;
mod page;

use std::time::Duration;

use self::desktop::{Desktop, Event, Visible};
use self::page::{Action, Page};
use super::probe::probe_within;
use super::withdrawal::Withdrawal;
use super::worker::Workers;
use super::{AnswerHandle, Asker, Decision, Question, Shown, Unavailable};
use crate::bus::Bus;

/// How long the bus and the daemon together may take to say what they can do.
const PROBE_PATIENCE: Duration = Duration::from_secs(8);

/// Asks with a notification.
#[derive(Debug)]
pub(crate) struct Notification {
    bus: Bus,
    workers: Workers,
}

impl Notification {
    /// Asks on the desktop of this session.
    pub(crate) fn of_this_session() -> Self {
        Self::on(Bus::Session)
    }

    fn on(bus: Bus) -> Self {
        Self {
            bus,
            workers: Workers::default(),
        }
    }
}

impl Asker for Notification {
    fn name(&self) -> &'static str {
        "notification"
    }

    fn ask(&self, question: &Question, answer: AnswerHandle) -> Box<dyn Shown> {
        let bus = self.bus.clone();
        let Some(pages) = page::pages(question) else {
            answer.unavailable(Unavailable::new(
                "a PIN cannot be entered in a notification",
                "use --prompt pinentry or --prompt terminal",
            ));
            return Box::new(super::NothingShown);
        };
        let seconds_left = question.seconds_left;
        self.workers.start_future(answer, move |withdrawal| async move {
            show_and_wait(&bus, &pages, seconds_left, &withdrawal).await
        })
    }

    fn can_choose_account(&self) -> bool {
        true
    }

    fn probe(&self) -> Result<String, Unavailable> {
        self.probe_within(PROBE_PATIENCE)
    }
}

impl Notification {
    fn probe_within(&self, patience: Duration) -> Result<String, Unavailable> {
        let bus = self.bus.clone();
        probe_within(patience, "the session bus does not answer", async move {
            Desktop::connect(&bus).await?.name().await
        })
    }
}

/// Nothing when the question was taken away.
async fn show_and_wait(
    bus: &Bus,
    pages: &[Page],
    seconds_left: u32,
    withdrawal: &Withdrawal,
) -> Result<Option<Decision>, Unavailable> {
    let Some(desktop) = withdrawal.unless_withdrawn(Desktop::connect(bus)).await else {
        return Ok(None);
    };
    let desktop = desktop?;
    for page in pages.iter().cycle() {
        // Not interrupted: only the daemon's reply tells what has to be closed. Calls have a time-out.
        let mut visible = desktop.show(page, seconds_left).await?;
        let action = withdrawal
            .unless_withdrawn(wait_for_action(page, &mut visible))
            .await;
        if let Some(Ok(Action::Decide(decision))) = action {
            return Ok(Some(decision));
        }
        desktop.close(&visible).await;
        if action.transpose()?.is_none() {
            break;
        }
    }
    Ok(None)
}

async fn wait_for_action(page: &Page, visible: &mut Visible) -> Result<Action, Unavailable> {
    loop {
        match visible.next_event().await {
            Event::Pressed(key) => {
                if let Some(button) = page.buttons.iter().find(|button| button.key() == key) {
                    return Ok(button.action);
                }
            }
            Event::ClosedByUser => return Ok(Action::Decide(Decision::Declined)),
            Event::Gone(reason) => {
                return Err(Unavailable::new(reason, "choose another way with --prompt"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
