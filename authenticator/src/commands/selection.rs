//! authenticatorSelection, `CTAP 2.3 §6.9`: the user shows which of several keys is meant.

use super::Step;
use crate::authenticator::Authenticator;
use crate::gesture::{Gesture, Next, Prompt, Purpose, Refusal};
use crate::response::Response;
use crate::status::StatusCode;

impl<V> Authenticator<V> {
    pub(crate) fn selection() -> Step {
        Step::ask(Prompt::bare(Purpose::Identify), Next::Selection)
    }

    /// After the gesture.
    pub(crate) fn selected(gesture: Gesture) -> Result<Response, StatusCode> {
        gesture.evidence().map_err(Refusal::of_selection)?;
        Ok(Response::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyKind;
    use crate::testing::Key;

    #[test]
    fn each_gesture_has_its_code() {
        for (gesture, status) in [
            (Gesture::Approved, StatusCode::OK),
            (Gesture::Declined, StatusCode::OPERATION_DENIED),
            (Gesture::TimedOut, StatusCode::USER_ACTION_TIMEOUT),
            (Gesture::Cancelled, StatusCode::KEEPALIVE_CANCEL),
        ] {
            let answer = Key::new(KeyKind::Synced).cbor_and(&[0x0B], gesture);
            assert_eq!(answer.prompt, Some(Prompt::bare(Purpose::Identify)));
            assert_eq!(answer.bytes, [status.byte()]);
        }
    }
}
