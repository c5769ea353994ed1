//! One file per CTAP2 command. A command looks at its request once and either answers or asks; what happens after the
//! gesture is a second function beside the first.

pub(crate) mod client_pin;
pub(crate) mod config;
pub(crate) mod credential_management;
pub(crate) mod get_assertion;
mod get_info;
mod get_next_assertion;
pub(crate) mod large_blobs;
pub(crate) mod make_credential;
pub(crate) mod reset;
mod selection;

use crate::gesture::{Next, Pending, Prompt};
use crate::response::Response;

/// What a command did with its first look at the request.
pub(crate) enum Step {
    /// The answer is ready.
    Answer(Response),
    /// The user must act first.
    Ask(Box<Pending>),
}

impl Step {
    pub(crate) fn ask(prompt: Prompt, next: Next) -> Self {
        Self::Ask(Box::new(Pending { prompt, next }))
    }
}
