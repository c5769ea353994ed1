//! The way to the passkeys: through the key that runs on the state folder, or, where none runs, by opening it.

use std::io;
use std::path::{Path, PathBuf};

use wardkey_authenticator::Authenticator;

use crate::cli::Model;
use crate::control::{self, Answer, Client, Listed, Request};
use crate::error::Failure;
use crate::key;
use crate::state::{Folder, Held, State};

/// The passkeys of a state folder.
pub(super) struct Access {
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
    pub(super) fn open(given: Option<&Path>) -> Result<Self, Failure> {
        let path = Folder::locate(given)?;
        let way = match Folder::open(&path)? {
            None => Way::Unused,
            Some(folder) => match Client::connect(&folder).map_err(|error| lost(&error))? {
                Some(client) => Way::Running(client),
                None => match State::open_existing(given)? {
                    Some(state) => Way::Here(Box::new(Here::open(state)?)),
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
                Some(Answer::Passkeys { passkeys }) if passkeys.is_empty() => return Ok(all),
                Some(Answer::Passkeys { passkeys }) => all.extend(passkeys),
                Some(_) => return Err(misunderstood()),
            }
        }
    }
}

impl Here {
    fn open(state: State) -> Result<Self, Failure> {
        let (vault, held) = state.into_vault();
        Ok(Self {
            authenticator: key::authenticator(vault, key::config(&Model::default()))?,
            _held: held,
        })
    }
}

/// The running key does not answer as this program expects.
pub(super) fn misunderstood() -> Failure {
    Failure::new(
        "the running key answered something else than was asked",
        "it may be another version of wardkey: stop it and start it again",
    )
}

fn lost(error: &io::Error) -> Failure {
    Failure::new(
        format!("the running key does not answer: {error}"),
        "stop it and start it again",
    )
}
