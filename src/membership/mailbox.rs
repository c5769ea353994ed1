//! Where a device of the vault and a new one leave messages for each other: in the store, beside the vaults.

use std::time::Duration;

use wardkey_vault::{PAIRING_MESSAGE_LEN_MAX, PairingId, Post};

use super::Call;
use crate::error::Failure;
use crate::remote::{Address, Answer, Created, Kind, Patience, Request, Trouble, WaitingStore};
use crate::sync::Storage;

/// Before the names that the messages have.
const PLACE: &str = "pkv1/";
/// All messages of all pairings.
const MESSAGES: &str = "pkv1/p/";
/// How often it is looked for a message; a folder costs nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const LOOK_AGAIN_IN_A_FOLDER: Duration = Duration::from_millis(100);

/// The mailbox of a store.
pub(super) struct Mailbox {
    store: WaitingStore,
    look_again: Duration,
}

impl Mailbox {
    /// Asks nobody yet.
    pub(super) fn open(storage: &Storage) -> Result<Self, Failure> {
        let store = WaitingStore::open(&storage.account, storage.capabilities, Patience::default())?;
        let look_again = match storage.account.address() {
            Address::Folder(_) => LOOK_AGAIN_IN_A_FOLDER,
            Address::S3(_) | Address::WebDav(_) => LOOK_AGAIN,
        };
        Ok(Self { store, look_again })
    }

    /// Until it is looked into again.
    pub(super) fn pause(&self, call: &mut Call<'_>) -> Result<(), Failure> {
        call.dialogue.wait(self.look_again)
    }

    /// Leaves a message.
    pub(super) fn leave(&self, post: &Post) -> Result<(), Failure> {
        match self.store.create(&place_of(&post.name), &post.bytes)? {
            Created::New => Ok(()),
            Created::AlreadyThere => Err(Failure::new(
                "somebody else answers in this pairing",
                "begin again on the new device: wardkey device add URL",
            )),
        }
    }

    /// The first of these messages that is there.
    pub(super) fn first_of(&self, names: &[String]) -> Result<Option<(String, Vec<u8>)>, Failure> {
        for name in names {
            let found = self.get(name);
            if let Some(message) = patiently(found)?.flatten() {
                return Ok(Some((name.clone(), message)));
            }
        }
        Ok(None)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let len_max = u64::try_from(PAIRING_MESSAGE_LEN_MAX).expect("a length in memory");
        self.store.get(&place_of(name), len_max)
    }

    /// The pairings that nobody has answered yet.
    pub(super) fn unanswered(&self) -> Result<Vec<PairingId>, Failure> {
        let Some(listed) = patiently(self.store.list(MESSAGES))? else {
            return Ok(Vec::new());
        };
        let is_there = |name: &str| listed.iter().any(|object| object.name == place_of(name));
        let names = listed.iter().filter_map(|object| object.name.strip_prefix(PLACE));
        let pairings = names.filter_map(PairingId::of_hello);
        let is_unanswered = |pairing: &PairingId| {
            let names = pairing.names();
            names.iter().filter(|name| is_there(name)).count() == 1
        };
        Ok(pairings.filter(is_unanswered).collect())
    }

    /// Removes what was said in a pairing, as far as that is possible.
    pub(super) fn clear(&self, pairing: PairingId) {
        let remove = |name: String| Request::Remove {
            name: place_of(&name),
        };
        // What stays says nothing, and is never used again.
        let _: Vec<Result<Answer, Trouble>> = self.store.call_all(pairing.names().into_iter().map(remove));
    }
}

fn place_of(message: &str) -> String {
    format!("{PLACE}{message}")
}

/// A store that cannot be reached now may be later.
fn patiently<T>(answer: Result<T, Trouble>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(trouble) if trouble.kind() == Kind::Unreachable => Ok(None),
        Err(trouble) => Err(trouble.into()),
    }
}
