//! CTAPHID, CTAP 2.3 §11.2: reports in, requests out; responses in, reports out.
//!
//! One [`Link`] is the key's only transaction machine; each host or raw client is a [`Port`] of it.

mod assembler;
mod channels;
mod error;
mod fragmenter;
mod link;
mod message;
mod outbox;
mod packet;
mod ports;
mod request;

pub use channels::CHANNELS_MAX;
pub use link::{Config, KEEPALIVE_INTERVAL, LISTEN_TIMEOUT, Link, MESSAGE_TIMEOUT, READ_TIMEOUT};
pub use message::MESSAGE_LEN_MAX;
pub use outbox::SHORT_REPLIES_MAX;
pub use ports::{PORTS_MAX, Port};
pub use request::{Request, Status};
