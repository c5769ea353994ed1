//! The user as the key knows them: who answers its questions, and what verifies that it is they. From the command line,
//! once, when the key starts.

use std::sync::Arc;

use crate::cli::{Key, Presence, Prompting, Verification, VerifyBy};
use crate::error::Failure;
use crate::log::Log;
use crate::prompt::Asker;
use crate::prompt::chain::{chain_for, pin_chain_for};
use crate::prompt::command::PromptCommand;
use crate::prompt::fixed::Fixed;
use crate::prompt::verify::Verifier;
use crate::prompt::verify::command::VerifyCommand;
use crate::prompt::verify::fingerprint::Fingerprint;
use crate::prompt::verify::password::Password;
use crate::prompt::verify::pin::Pin;
use crate::test_control;
use crate::touch::Touch;
use crate::wake::Waker;

/// Who is asked, and what verifies them.
pub(crate) struct User {
    pub(crate) asker: Arc<dyn Asker>,
    /// Where the Vault PIN is asked for.
    pub(crate) vault_pin: Arc<dyn Asker>,
    pub(crate) verifier: Option<Box<dyn Verifier>>,
}

impl User {
    /// Who the command line says; what is for tests alone says so in the log.
    pub(crate) fn of(options: &Key, waker: &Waker, log: &Log) -> Result<Self, Failure> {
        let touch = Touch::default();
        if let Some(address) = options.control {
            let address = test_control::serve(address, touch.clone(), waker.clone())?;
            log.test_mode(&format!("http://{address} touches and replugs the key"));
        }
        let asker = asker(options, &touch, log);
        let verifier = verifier(options, touch, &asker, log);
        Ok(Self {
            asker,
            vault_pin: vault_pin(&options.prompting),
            verifier,
        })
    }
}

fn vault_pin(options: &Prompting) -> Arc<dyn Asker> {
    match &options.prompt_command {
        Some(program) => Arc::new(PromptCommand::new(program.clone())),
        None => Arc::new(pin_chain_for(options.prompt.into())),
    }
}

fn asker(options: &Key, touch: &Touch, log: &Log) -> Arc<dyn Asker> {
    match options.presence {
        Presence::Always => {
            log.test_mode("every request is approved without asking");
            Arc::new(Fixed::Always)
        }
        Presence::Never => {
            log.test_mode("nobody answers requests");
            Arc::new(Fixed::Never)
        }
        Presence::Ask if options.control.is_some() => Arc::new(touch.clone()),
        Presence::Ask => {
            let Prompting {
                prompt,
                prompt_command,
            } = &options.prompting;
            Arc::new(chain_for((*prompt).into(), prompt_command.clone()))
        }
    }
}

fn verifier(options: &Key, touch: Touch, asker: &Arc<dyn Asker>, log: &Log) -> Option<Box<dyn Verifier>> {
    match options.verification {
        None => {}
        Some(Verification::Always) => {
            log.test_mode("every verification of the user succeeds");
            return Some(Box::new(Fixed::Always));
        }
        Some(Verification::Never) => {
            log.test_mode("no verification of the user ever ends");
            return Some(Box::new(Fixed::Never));
        }
        Some(Verification::Control) => {
            log.test_mode("--control decides whether the user is verified");
            return Some(Box::new(touch));
        }
    }
    if let Some(program) = &options.verify_command {
        return Some(Box::new(VerifyCommand::new(program.clone())));
    }
    Some(match options.verify? {
        VerifyBy::Fingerprint => Box::new(Fingerprint::of_this_computer(Arc::clone(asker))),
        VerifyBy::Password => Box::new(Password::of_this_computer(Arc::clone(asker))),
        VerifyBy::Pin => Box::new(Pin::by(options.prompting.prompt.into())),
    })
}
