//! The key that runs on the state folder. A command that works on the folder has it stand aside, and tells it when the
//! folder is free again; if the command is killed before, the key finds out by itself.

use std::path::Path;

use zeroize::Zeroizing;

use super::dialogue::Dialogue;
use crate::commands::{lost, misunderstood, stands_aside_for};
use crate::control::{Answer, Client, Request, SentPin};
use crate::error::Failure;
use crate::state::Folder;

/// A running key that stands aside.
pub(super) struct RunningKey {
    client: Client,
    was_open: bool,
    /// The one in force, as far as the command knows it.
    pub(super) vault_pin: Option<Zeroizing<String>>,
}

impl RunningKey {
    /// Has the key stand aside for this command, where one runs.
    pub(super) fn stand_aside(given: Option<&Path>, command: &str) -> Result<Option<Self>, Failure> {
        let Some(folder) = Folder::open(&Folder::locate(given)?)? else {
            return Ok(None);
        };
        let Some(mut client) = Client::connect(&folder).map_err(|error| lost(&error))? else {
            return Ok(None);
        };
        let request = Request::StandAside {
            command: command.to_owned(),
            process: std::process::id(),
        };
        match client.request(&request) {
            Ok(Answer::StandsAside { was_open }) => Ok(Some(Self {
                client,
                was_open,
                vault_pin: None,
            })),
            Ok(Answer::StandsAsideFor { command }) => Err(stands_aside_for(&command)),
            Ok(Answer::Failed { reason }) => Err(Failure::new(
                format!("the running key does not stand aside: {reason}"),
                "stop it, and start it again",
            )),
            Ok(_) => Err(misunderstood()),
            Err(error) => Err(lost(&error)),
        }
    }

    /// The state folder is free. The key opens its vault if it was open before, and the command knows the Vault PIN.
    pub(super) fn come_back(mut self, dialogue: &mut dyn Dialogue) -> Result<(), Failure> {
        let vault_pin = self.vault_pin.take().filter(|_| self.was_open).map(SentPin::new);
        let told = match self.client.request(&Request::ComeBack { vault_pin }) {
            Ok(Answer::Unlocked) => return Ok(()),
            Ok(Answer::Locked) if !self.was_open => return Ok(()),
            Ok(Answer::Locked) => {
                "The running key is locked now: it asks for the Vault PIN when it is needed.".to_owned()
            }
            Ok(Answer::StaysLocked { reason, .. }) => format!("The running key stays locked: {reason}."),
            Ok(Answer::Failed { reason }) => {
                format!("The running key has its state folder not back yet: {reason}.")
            }
            Ok(_) => return Err(misunderstood()),
            Err(_) => "The key that was running has ended meanwhile.".to_owned(),
        };
        dialogue.say(&format!("{told}\n"))
    }
}
