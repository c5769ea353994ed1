//! authenticatorSelection, `CTAP 2.3 §6.9`: the user shows which of several keys is meant.

use super::Step;
use crate::authenticator::Authenticator;
use crate::gesture::{Next, Prompt, Purpose};

impl Authenticator {
    pub(crate) fn selection() -> Step {
        Step::ask(Prompt::bare(Purpose::Identify), Next::Selection)
    }
}
