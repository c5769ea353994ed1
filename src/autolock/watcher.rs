//! A thread that listens to logind and tells the event loop when to lock. Where there is no logind it says so once, and
//! looks for one again and again.

use std::io;
use std::thread;
use std::time::Duration;

use super::logind::{Event, Logind, SleepDelay};
use super::{LockOrder, LockReason};
use crate::bus::Bus;
use crate::cli::locking::LockEvent;
use crate::prompt::Unavailable;
use crate::wake::{Waker, Wakeup};

/// The first pause after logind has ended. It doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause, and that of a computer on which there was no logind yet: it may well never have one.
const PAUSE_MAX: Duration = Duration::from_secs(60);

pub(super) fn start(bus: Bus, events: Vec<LockEvent>, waker: Waker) -> io::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut watcher = Watcher {
        events,
        waker,
        told: None,
    };
    let watch = move || watcher.run(&bus);
    thread::Builder::new().name("logind".to_owned()).spawn(watch)?;
    Ok(())
}

struct Watcher {
    events: Vec<LockEvent>,
    waker: Waker,
    /// What to do about the problem that the user knows of.
    told: Option<String>,
}

impl Watcher {
    fn run(&mut self, bus: &Bus) {
        let mut pause = PAUSE_MAX;
        loop {
            match zbus::block_on(self.watch(bus)) {
                // It may be back at once, as after an update.
                Ok(()) => pause = PAUSE_MIN,
                Err(unavailable) => self.tell(
                    "the vault does not lock when the computer sleeps or the session is locked",
                    &unavailable,
                ),
            }
            rest(pause);
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Listens until logind or the bus ends; fails where there is none.
    async fn watch(&mut self, bus: &Bus) -> Result<(), Unavailable> {
        let mut logind = Logind::connect(bus).await?;
        self.told = None;
        let mut sleep_delay = None;
        if self.wants(LockEvent::Suspend) {
            if logind.falls_asleep().await? {
                self.order(LockReason::Suspend, None);
            } else {
                sleep_delay = self.delay_sleep(&logind).await;
            }
        }
        if self.wants(LockEvent::Session) && logind.is_locked().await? {
            self.order(LockReason::SessionLocked, None);
        }
        loop {
            match logind.next_event().await {
                Event::FallsAsleep if self.wants(LockEvent::Suspend) => {
                    self.order(LockReason::Suspend, sleep_delay.take());
                }
                Event::WokeUp if self.wants(LockEvent::Suspend) => {
                    sleep_delay = self.delay_sleep(&logind).await;
                }
                Event::Locked(session) if self.wants(LockEvent::Session) => {
                    if logind.is_ours(&session).await {
                        self.order(LockReason::SessionLocked, None);
                    }
                }
                Event::FallsAsleep | Event::WokeUp | Event::Locked(_) => {}
                Event::Gone => return Ok(()),
            }
        }
    }

    fn wants(&self, event: LockEvent) -> bool {
        self.events.contains(&event)
    }

    async fn delay_sleep(&mut self, logind: &Logind) -> Option<SleepDelay> {
        let delayed = logind.delay_sleep().await;
        delayed
            .inspect_err(|unavailable| {
                self.tell("the computer may sleep before the vault is locked", unavailable)
            })
            .ok()
    }

    fn order(&self, reason: LockReason, sleep_delay: Option<SleepDelay>) {
        self.waker.send(Wakeup::Lock(LockOrder { reason, sleep_delay }));
    }

    /// Says what the user has to know, once for each thing to do about it.
    fn tell(&mut self, what: &str, unavailable: &Unavailable) {
        let hint = unavailable.hint();
        if self.told.as_deref() != Some(hint) {
            let text = format!("{what}: {unavailable}; trying again. hint: {hint}");
            self.waker.send(Wakeup::Problem(text));
            self.told = Some(hint.to_owned());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread that has nothing else to wait for"
)]
fn rest(pause: Duration) {
    thread::sleep(pause);
}

#[cfg(test)]
mod tests;
