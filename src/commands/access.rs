//! The way to the passkeys: through the key that runs on the state folder, or, where none runs, by opening it.

use std::io;
use std::path::{Path, PathBuf};

use wardkey_authenticator::Authenticator;
use wardkey_vault::Vault;

use super::log::{Beginning, History};
use crate::cli::Model;
use crate::control::log::{Line, Page};
use crate::control::{self, Answer, Client, Discarded, Listed, Request};
use crate::error::Failure;
use crate::key;
use crate::state::{Folder, Held, State};
use crate::unlock::{ask_for_vault_pin, open_with_pin};

/// The passkeys of a state folder.
pub(crate) struct Access {
    pub(super) path: PathBuf,
    way: Way,
}

enum Way {
    Running(Client),
    Here(Box<Here>),
    /// There is no key yet.
    Unused,
}

/// A key that does not run.
struct Here {
    authenticator: Authenticator,
    _held: Held,
}

impl Access {
    /// Asks for the Vault PIN where no key runs.
    pub(crate) fn open(given: Option<&Path>) -> Result<Self, Failure> {
        Self::through(Folder::locate(given)?, || {
            let Some(State { locked, held }) = State::open(given)? else {
                return Ok(None);
            };
            let vault = open_with_pin(locked, &held, &ask_for_vault_pin()?)?;
            Ok(Some((vault, held)))
        })
    }

    /// Where no key runs, with the vault that `open` gives, if there is one.
    pub(super) fn through(
        path: PathBuf,
        open: impl FnOnce() -> Result<Option<(Vault, Held)>, Failure>,
    ) -> Result<Self, Failure> {
        let way = match Folder::open(&path)? {
            None => Way::Unused,
            Some(folder) => match Client::connect(&folder).map_err(|error| lost(&error))? {
                Some(client) => Way::Running(client),
                None => match open()? {
                    Some((vault, held)) => Way::Here(Box::new(Here {
                        authenticator: key::authenticator(vault, key::config(&Model::default()))?,
                        _held: held,
                    })),
                    None => Way::Unused,
                },
            },
        };
        Ok(Self { path, way })
    }

    /// Whether a key runs on the folder.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.way, Way::Running(_))
    }

    /// `None` where there is no key yet.
    pub(super) fn request(&mut self, request: &Request) -> Result<Option<Answer>, Failure> {
        let answer = match &mut self.way {
            Way::Running(client) => client.request(request).map_err(|error| lost(&error))?,
            Way::Here(here) => control::handle(request, &mut here.authenticator),
            Way::Unused => return Ok(None),
        };
        if let Answer::Failed { reason } = answer {
            return Err(Failure::new(
                reason,
                "look at what the running key printed; stop it and start it again",
            ));
        }
        if let Answer::StandsAsideFor { command } = &answer {
            return Err(stands_aside_for(command));
        }
        if answer == Answer::Locked {
            return Err(Failure::new(
                "the vault is locked",
                "unlock it first: wardkey unlock",
            ));
        }
        Ok(Some(answer))
    }

    /// The certificate of the attestation authority, DER in base64; `None` where there is no key yet.
    pub(super) fn attestation_root(&mut self) -> Result<Option<String>, Failure> {
        match self.request(&Request::AttestationRoot)? {
            Some(Answer::AttestationRoot { certificate }) => Ok(Some(certificate)),
            Some(_) => Err(misunderstood()),
            None => Ok(None),
        }
    }

    /// Every passkey, oldest first.
    pub(super) fn passkeys(&mut self) -> Result<Vec<Listed>, Failure> {
        let mut all: Vec<Listed> = Vec::new();
        loop {
            let after_unix_ms = all.last().map_or(0, |last| last.created_unix_ms);
            match self.request(&Request::List { after_unix_ms })? {
                None => return Ok(all),
                Some(Answer::Passkeys { passkeys, .. }) if passkeys.is_empty() => return Ok(all),
                Some(Answer::Passkeys { passkeys, .. }) => all.extend(passkeys),
                Some(_) => return Err(misunderstood()),
            }
        }
    }

    /// Whether what is deleted is kept for a while.
    pub(super) fn has_trash(&mut self) -> Result<bool, Failure> {
        let none = Request::List {
            after_unix_ms: u64::MAX,
        };
        match self.request(&none)? {
            None => Ok(false),
            Some(Answer::Passkeys { has_trash, .. }) => Ok(has_trash),
            Some(_) => Err(misunderstood()),
        }
    }

    /// Every passkey that was deleted and is kept, in the order of their ids; `None` where nothing is kept.
    pub(super) fn trash(&mut self) -> Result<Option<Vec<Discarded>>, Failure> {
        let mut all: Vec<Discarded> = Vec::new();
        loop {
            let after = all.last().map(|last| last.passkey.id.clone());
            match self.request(&Request::Trash { after })? {
                None => return Ok(Some(all)),
                Some(Answer::Trash { passkeys: None }) => return Ok(None),
                Some(Answer::Trash {
                    passkeys: Some(passkeys),
                }) if passkeys.is_empty() => return Ok(Some(all)),
                Some(Answer::Trash {
                    passkeys: Some(passkeys),
                }) => all.extend(passkeys),
                Some(_) => return Err(misunderstood()),
            }
        }
    }
}

impl Access {
    /// The newest `limit` lines of the log, or all; `None` where there is no key yet.
    pub(super) fn log(&mut self, limit: usize) -> Result<Option<History>, Failure> {
        let mut lines: Vec<Line> = Vec::new();
        let mut before = None;
        loop {
            let Some(page) = self.log_page(before)? else {
                return Ok(None);
            };
            let Page {
                origin,
                oldest,
                lines: mut more,
            } = page;
            let is_last = more.last().is_none_or(|line| line.oldest() <= oldest);
            let room = limit - lines.len();
            let is_cut = more.len() > room;
            more.truncate(room);
            before = more.last().map(Line::oldest);
            lines.extend(more);
            if is_cut || is_last || lines.len() == limit {
                lines.reverse();
                let beginning = (is_last && !is_cut).then_some(match oldest {
                    1 => Beginning::Origin(origin),
                    _ => Beginning::Dropped,
                });
                return Ok(Some(History { lines, beginning }));
            }
        }
    }

    fn log_page(&mut self, before: Option<u64>) -> Result<Option<Page>, Failure> {
        match self.request(&Request::Log { before })? {
            None => Ok(None),
            Some(Answer::Log(page)) => Ok(Some(page)),
            Some(_) => Err(misunderstood()),
        }
    }
}

/// The running key does not answer as this program expects.
pub(crate) fn misunderstood() -> Failure {
    Failure::new(
        "the running key answered something else than was asked",
        "it may be another version of wardkey: stop it and start it again",
    )
}

/// Another command has the state folder.
pub(crate) fn stands_aside_for(command: &str) -> Failure {
    Failure::new(
        format!("the running key stands aside for {command}"),
        "try again when that command has ended",
    )
}

pub(crate) fn lost(error: &io::Error) -> Failure {
    Failure::new(
        format!("the running key does not answer: {error}"),
        "stop it and start it again",
    )
}
