//! Carries one request of the vault to the store and brings the answer back. A request about many objects is many requests
//! at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkey_vault::{Answer, NoAnswer, OBJECT_LEN_MAX, Request};

use super::storage::Storage;
use crate::remote::{self, Created, Kind, Patience, Polled, Store, Tag, Tell, Ticket, Trouble};

/// Stands for a [`Tag`] in the vault, which only gives it back.
const SEEN: &str = "seen";

/// A store, and what is under way.
pub(super) struct Courier {
    store: Store,
    next: Ticket,
    under_way: BTreeMap<Ticket, usize>,
    got: Vec<Option<Vec<u8>>>,
    tag: Option<Tag>,
    trouble: Option<Trouble>,
}

impl Courier {
    pub(super) fn new(storage: &Storage, tell: Arc<Tell>) -> Result<Self, Trouble> {
        let store = Store::open(&storage.account, storage.capabilities, Patience::default(), tell)?;
        Ok(Self {
            store,
            next: 0,
            under_way: BTreeMap::new(),
            got: Vec::new(),
            tag: None,
            trouble: None,
        })
    }

    /// Why the last request came to nothing, in the words of the store's own side.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Carries a request; the one before was answered.
    pub(super) fn send(&mut self, request: Request) {
        self.under_way.clear();
        self.got.clear();
        self.trouble = None;
        match request {
            Request::List { under } => self.ask(0, remote::Request::List { under }),
            Request::Get { names } => {
                self.got = vec![None; names.len()];
                for (place, name) in names.into_iter().enumerate() {
                    let len_max = OBJECT_LEN_MAX;
                    self.ask(place, remote::Request::Get { name, len_max });
                }
            }
            Request::Poll { name, tag } => {
                let tag = tag.and(self.tag.clone());
                self.ask(0, remote::Request::Poll { name, tag });
            }
            Request::Create { name, bytes } => self.ask(0, remote::Request::Create { name, bytes }),
            Request::Put { name, bytes } => self.ask(0, remote::Request::Put { name, bytes }),
            Request::Remove { names } => {
                for (place, name) in names.into_iter().enumerate() {
                    self.ask(place, remote::Request::Remove { name });
                }
            }
        }
    }

    fn ask(&mut self, place: usize, request: remote::Request) {
        let ticket = self.next;
        self.next = ticket.wrapping_add(1);
        self.under_way.insert(ticket, place);
        self.store.ask(ticket, request);
    }

    /// What the store said; the answer to the request as a whole, if this was the last part of it.
    pub(super) fn arrived(
        &mut self,
        ticket: Ticket,
        answer: Result<remote::Answer, Trouble>,
    ) -> Option<Result<Answer, NoAnswer>> {
        // What was given up may still be answered.
        let place = self.under_way.remove(&ticket)?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(trouble) => {
                self.under_way.clear();
                let reason = no_answer(trouble.kind());
                self.trouble = Some(trouble);
                return Some(Err(reason));
            }
        };
        let answer = match answer {
            remote::Answer::Got(content) => {
                *self.got.get_mut(place)? = content;
                if !self.under_way.is_empty() {
                    return None;
                }
                Answer::Got(std::mem::take(&mut self.got))
            }
            remote::Answer::Listed(listed) => {
                Answer::Listed(listed.into_iter().map(|object| object.name).collect())
            }
            remote::Answer::Polled(polled) => self.polled(polled),
            remote::Answer::Created(Created::AlreadyThere) => Answer::AlreadyThere,
            remote::Answer::Removed if !self.under_way.is_empty() => return None,
            remote::Answer::Removed => Answer::Removed,
            remote::Answer::Created(Created::New) | remote::Answer::Put => Answer::Kept,
        };
        Some(Ok(answer))
    }

    fn polled(&mut self, polled: Polled) -> Answer {
        match polled {
            Polled::Unchanged => Answer::Unchanged,
            Polled::Gone => Answer::Polled(None, None),
            Polled::Changed { bytes, tag } => {
                self.tag = Some(tag);
                Answer::Polled(Some(bytes), Some(SEEN.to_owned()))
            }
        }
    }
}

fn no_answer(kind: Kind) -> NoAnswer {
    match kind {
        Kind::Unreachable => NoAnswer::Unreachable,
        Kind::Refused => NoAnswer::Refused,
        Kind::Full => NoAnswer::Full,
        Kind::Wrong => NoAnswer::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::remote::{Account, Address, Capabilities};

    /// Mutation: a tag that is gone when it was used once.
    #[test]
    fn what_does_not_change_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::parse(folder.path().to_str().unwrap()).unwrap();
        let storage = Storage {
            account: Account::new(address, None),
            capabilities: Capabilities {
                exclusive_create: true,
                conditional_read: true,
                read_after_write: true,
                list_after_write: true,
            },
        };
        let (sender, arrivals) = mpsc::channel();
        let tell = move |ticket, answer| sender.send((ticket, answer)).unwrap();
        let mut courier = Courier::new(&storage, Arc::new(tell)).unwrap();
        let mut carry = |request| {
            courier.send(request);
            let (ticket, answer) = arrivals.recv().unwrap();
            courier.arrived(ticket, answer).unwrap().unwrap()
        };
        let name = || "pkv1/hint".to_owned();
        let put = |bytes: &[u8]| Request::Put {
            name: name(),
            bytes: bytes.to_vec(),
        };
        let poll = |tag| Request::Poll { name: name(), tag };
        for content in [&b"first"[..], b"second"] {
            assert!(matches!(carry(put(content)), Answer::Kept));
            let Answer::Polled(Some(bytes), tag) = carry(poll(None)) else {
                unreachable!("it was written");
            };
            assert_eq!(bytes, content);
            for _ in 0..3 {
                assert!(matches!(carry(poll(tag.clone())), Answer::Unchanged));
            }
        }
    }
}
