//! authenticatorReset, `CTAP 2.3 §6.6`: every credential stops working, stored or wrapped. Only shortly after power-up,
//! because a key without a display cannot say what is about to happen; ours could, but the rule holds all the same.

use core::time::Duration;

use wardkey_transport::time::Instant;
use wardkey_vault::Event;

use super::Step;
use crate::authenticator::Authenticator;
use crate::gesture::{Gesture, Next, Prompt, Purpose, Refusal};
use crate::response::Response;
use crate::state::State;
use crate::status::StatusCode;

/// How long after power-up a reset may be requested.
const RESET_WINDOW: Duration = Duration::from_secs(10);

/// How often the user must agree. Where the specification wants a long touch (`longTouchForReset`), this key asks twice:
/// nobody presses a prompt for long, and nobody agrees twice by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmations {
    One,
    Two,
}

impl Authenticator {
    pub(crate) fn reset(&mut self, now: Instant) -> Result<Step, StatusCode> {
        if now.saturating_duration_since(self.powered_up) > RESET_WINDOW {
            return Err(StatusCode::NOT_ALLOWED);
        }
        let confirmations = if self.state.long_touch_for_reset {
            Confirmations::Two
        } else {
            Confirmations::One
        };
        Ok(Step::ask(
            Prompt::bare(Purpose::Reset),
            Next::Reset(confirmations),
        ))
    }

    /// After the gesture.
    pub(crate) fn erase(
        &mut self,
        now: Instant,
        gesture: Gesture,
        wanted: Confirmations,
    ) -> Result<Step, StatusCode> {
        gesture.evidence().map_err(Refusal::of_selection)?;
        match wanted {
            Confirmations::Two => Ok(Step::ask(
                Prompt::bare(Purpose::ConfirmReset),
                Next::Reset(Confirmations::One),
            )),
            Confirmations::One => {
                let record = self.record(now, Event::Reset);
                self.vault.reset(&mut *self.rng, &record)?;
                self.state = State::new(&mut *self.rng);
                self.forget_volatile();
                Ok(Step::Answer(Response::empty()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
