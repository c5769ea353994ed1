//! A store for whoever has nothing else to do than wait for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::account::Account;
use super::limits::Patience;
use super::probe::Capabilities;
use super::request::{Answer, Created, Listed, Polled, Request};
use super::store::{Store, Ticket};
use super::tag::Tag;
use super::trouble::Trouble;

/// A store that answers when it has.
pub(crate) struct WaitingStore {
    store: Store,
    answers: Receiver<(Ticket, Result<Answer, Trouble>)>,
}

impl WaitingStore {
    /// Asks nobody yet.
    pub(crate) fn open(
        account: &Account,
        capabilities: Capabilities,
        patience: Patience,
    ) -> Result<Self, Trouble> {
        let (answered, answers) = channel();
        let tell = move |ticket, result| {
            // Whoever asked may have gone.
            let _ = answered.send((ticket, result));
        };
        let store = Store::open(account, capabilities, patience, Arc::new(tell))?;
        Ok(Self { store, answers })
    }

    /// [`Request::List`].
    pub(crate) fn list(&self, under: &str) -> Result<Vec<Listed>, Trouble> {
        let under = under.to_owned();
        let Answer::Listed(listed) = self.call(Request::List { under })? else {
            return Err(mistaken());
        };
        Ok(listed)
    }

    /// [`Request::Get`].
    pub(crate) fn get(&self, name: &str, len_max: u64) -> Result<Option<Vec<u8>>, Trouble> {
        let name = name.to_owned();
        let Answer::Got(bytes) = self.call(Request::Get { name, len_max })? else {
            return Err(mistaken());
        };
        Ok(bytes)
    }

    /// [`Request::Poll`].
    pub(crate) fn poll(&self, name: &str, tag: Option<&Tag>) -> Result<Polled, Trouble> {
        let (name, tag) = (name.to_owned(), tag.cloned());
        let Answer::Polled(polled) = self.call(Request::Poll { name, tag })? else {
            return Err(mistaken());
        };
        Ok(polled)
    }

    /// [`Request::Create`].
    pub(crate) fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, Trouble> {
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        let Answer::Created(created) = self.call(Request::Create { name, bytes })? else {
            return Err(mistaken());
        };
        Ok(created)
    }

    /// [`Request::Put`].
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        let Answer::Put = self.call(Request::Put { name, bytes })? else {
            return Err(mistaken());
        };
        Ok(())
    }

    /// [`Request::Remove`].
    pub(crate) fn remove(&self, name: &str) -> Result<(), Trouble> {
        let name = name.to_owned();
        let Answer::Removed = self.call(Request::Remove { name })? else {
            return Err(mistaken());
        };
        Ok(())
    }

    fn call(&self, request: Request) -> Result<Answer, Trouble> {
        self.call_all([request]).pop().unwrap_or_else(|| Err(gone()))
    }

    /// Several at once; the results are in the same order.
    pub(crate) fn call_all(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> Vec<Result<Answer, Trouble>> {
        let mut results = Vec::new();
        for (ticket, request) in (0..).zip(requests) {
            self.store.ask(ticket, request);
            results.push(Err(gone()));
        }
        for (ticket, result) in self.answers.iter().take(results.len()) {
            if let Some(place) = usize::try_from(ticket).ok().and_then(|at| results.get_mut(at)) {
                *place = result;
            }
        }
        results
    }
}

/// The thread ended before it had answered: a bug in it.
fn gone() -> Trouble {
    Trouble::unreachable("the store's thread has ended")
}

/// An answer to something else: a bug, too.
fn mistaken() -> Trouble {
    Trouble::wrong("the store's thread has answered something else")
}
