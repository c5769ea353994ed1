//! Where a Vault PIN comes from: the person, who chooses or enters it, or a file.

use std::path::Path;

use wardkey_vault::{GuessLimit, NotChosen, PinRefused, VaultPin};
use zeroize::Zeroizing;

use super::dialogue::Dialogue;
use super::secret_file::first_line;
use crate::cli::membership::VaultPinSource;
use crate::error::Failure;

impl VaultPinSource {
    /// The Vault PIN, unless somebody has to be asked for it.
    pub(crate) fn read(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        self.vault_pin_file.as_deref().map(first_line).transpose()
    }
}

/// A Vault PIN to be: of the file, or chosen at the terminal.
pub(super) fn choose(
    file: Option<&Path>,
    limit: GuessLimit,
    dialogue: &mut dyn Dialogue,
) -> Result<Zeroizing<String>, Failure> {
    let Some(file) = file else {
        dialogue.say(&format!("{}\n\n", rule(limit)))?;
        return choose_word("Vault PIN", limit, dialogue);
    };
    let pin = first_line(file)?;
    match VaultPin::chosen(&pin, limit) {
        Ok(_) => Ok(pin),
        Err(refused) => Err(not_chosen(refused.into())),
    }
}

/// Asks twice for a new word, until it may be chosen.
pub(super) fn choose_word(
    what: &str,
    limit: GuessLimit,
    dialogue: &mut dyn Dialogue,
) -> Result<Zeroizing<String>, Failure> {
    loop {
        let word = dialogue.ask_hidden(&format!("New {what}: "))?;
        if let Err(refused) = VaultPin::chosen(&word, limit) {
            dialogue.say(&format!("This cannot be the {what}: {refused}.\n"))?;
            continue;
        }
        if *dialogue.ask_hidden("Once more: ")? == *word {
            return Ok(word);
        }
        dialogue.say("The two are not the same.\n")?;
    }
}

/// How a Vault PIN must look.
fn rule(limit: GuessLimit) -> String {
    match limit {
        GuessLimit::Hardware => format!("A chip counts wrong ones: {}.", PinRefused::TooShort),
        GuessLimit::OperatingSystem | GuessLimit::None => {
            let refused = PinRefused::NotAPassphrase.to_string();
            let mut letters = refused.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            first.chain(letters).chain(['.']).collect()
        }
    }
}

pub(super) fn not_chosen(reason: NotChosen) -> Failure {
    match reason {
        NotChosen::Refused(refused) => Failure::new(
            format!("this cannot be the Vault PIN: {refused}"),
            "choose another one, for example six words that do not belong together",
        ),
        NotChosen::OutOfMemory(error) => out_of_memory(&error),
    }
}

pub(super) fn out_of_memory(error: &wardkey_vault::OutOfMemory) -> Failure {
    Failure::new(error, "close other programs, and try again")
}
