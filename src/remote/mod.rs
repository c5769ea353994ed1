//! Where synced objects are kept: a folder, an S3 bucket, a folder on a WebDAV server.
//!
//! In comes a [`request::Request`], out goes a [`request::Answer`] or a [`trouble::Trouble`]. The store is believed
//! nothing: what it sends is bounded here, and what it says is judged by whoever asked, by signatures and hashes. Nothing
//! is tried twice here, and nothing waits but the store's own thread.

mod account;
mod address;
mod files;
mod limits;
mod name;
mod probe;
mod request;
mod service;
mod store;
mod tag;
mod transport;
mod trouble;
mod waiting;

pub(crate) use self::account::{Account, Secrets};
pub(crate) use self::address::Address;
pub(crate) use self::limits::Patience;
pub(crate) use self::probe::{Capabilities, Finding, Step, probe};
pub(crate) use self::request::{Answer, Created, Polled, Request};
pub(crate) use self::store::{Store, Tell, Ticket};
pub(crate) use self::tag::Tag;
pub(crate) use self::trouble::{Kind, Trouble};
pub(crate) use self::waiting::WaitingStore;

#[cfg(test)]
mod tests;
