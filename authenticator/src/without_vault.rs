//! What an authenticator does without an open vault, whether that is locked (`locked.rs`) or somebody else has it
//! (`away.rs`): what needs no secret and no credential.

use crate::authenticator::Authenticator;
use crate::command::Command;
use crate::commands::Step;
use crate::gesture::{Gesture, Next, Pending, Prompt, Purpose};
use crate::pin_uv_auth::PinUvAuth;
use crate::response::Response;
use crate::status::StatusCode;

/// What was done with a command.
pub(crate) enum Begun {
    Step(Step),
    /// It needs more than there is.
    NeedsVault(Box<Command>),
}

impl<V> Authenticator<V> {
    pub(crate) fn begin_without_vault(&mut self, command: Command) -> Result<Begun, StatusCode> {
        let answer = |response| Ok(Begun::Step(Step::Answer(response)));
        let needs_vault = |command| Ok(Begun::NeedsVault(Box::new(command)));
        match command {
            Command::GetInfo => answer(self.get_info_without_contents()),
            Command::Selection => Ok(Begun::Step(Self::selection())),
            Command::GetNextAssertion => Err(StatusCode::NOT_ALLOWED),
            Command::ClientPin(request) => match request.subcommand() {
                0x01 => answer(self.pin_retries()),
                0x02 => answer(self.own_key(&request)?),
                0x07 => answer(self.uv_retries()?),
                _ => needs_vault(Command::ClientPin(request)),
            },
            Command::GetAssertion(request) => {
                if request.pin_uv_auth().is_empty() {
                    return Ok(blink());
                }
                refuse_token(request.pin_uv_auth())?;
                needs_vault(Command::GetAssertion(request))
            }
            Command::MakeCredential(request) => {
                if request.pin_uv_auth().is_empty() {
                    return Ok(blink());
                }
                refuse_token(request.pin_uv_auth())?;
                needs_vault(Command::MakeCredential(request))
            }
            command @ (Command::Reset
            | Command::CredentialManagement(_)
            | Command::LargeBlobs(_)
            | Command::Config(_)) => needs_vault(command),
        }
    }

    pub(crate) fn resume_without_vault(&self, pending: Pending, gesture: Gesture) -> Vec<u8> {
        let result = match pending.next {
            Next::Selection => Self::selected(gesture),
            Next::AnswerBlink => Err(self.answer_blink(gesture)),
            // Begun with an open vault, which is closed by now.
            Next::MakeCredential(_)
            | Next::RefuseExcluded
            | Next::GetAssertion(_)
            | Next::Reset(_)
            | Next::Verify(_)
            | Next::U2fRegister(_)
            | Next::U2fAuthenticate(_) => Err(StatusCode::OPERATION_DENIED),
        };
        match result.map(Response::into_bytes) {
            Ok(bytes) => bytes,
            Err(status) => vec![status.byte()],
        }
    }
}

fn blink() -> Begun {
    Begun::Step(Step::ask(Prompt::bare(Purpose::Identify), Next::AnswerBlink))
}

/// No token outlives the closing of the vault.
fn refuse_token(pin_uv_auth: &PinUvAuth) -> Result<(), StatusCode> {
    match pin_uv_auth.clone().proof()? {
        None => Ok(()),
        Some(_) => Err(StatusCode::PIN_AUTH_INVALID),
    }
}
