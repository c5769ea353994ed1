//! authenticatorReset, `CTAP 2.3 §6.6`: every credential stops working, stored or wrapped. Only shortly after power-up,
//! because a key without a display cannot say what is about to happen; ours could, but the rule holds all the same.

use core::time::Duration;

use wardkey_transport::time::Instant;

use super::Step;
use crate::authenticator::Authenticator;
use crate::gesture::{Gesture, Next, Prompt, Purpose, Refusal};
use crate::response::Response;
use crate::session::Session;
use crate::status::StatusCode;

/// How long after power-up a reset may be requested.
const RESET_WINDOW: Duration = Duration::from_secs(10);

impl Authenticator {
    pub(crate) fn reset(&mut self, now: Instant) -> Result<Step, StatusCode> {
        if now.saturating_duration_since(self.powered_up) > RESET_WINDOW {
            return Err(StatusCode::NOT_ALLOWED);
        }
        Ok(Step::ask(Prompt::bare(Purpose::Reset), Next::Reset))
    }

    /// After the gesture.
    pub(crate) fn erase(&mut self, gesture: Gesture) -> Result<Response, StatusCode> {
        gesture.evidence().map_err(Refusal::of_selection)?;
        self.vault.reset(&mut *self.rng)?;
        self.session = Session::Idle;
        Ok(Response::empty())
    }
}

#[cfg(test)]
mod tests;
