//! CTAP2 and U2F; never files or sockets. Bytes of a request in, bytes of the answer out, and in between, where the
//! specification wants one, a question to the user as a value. `SPEC.md` says which edition and what is missing.
//!
//! To read it: `authenticator.rs` (the two phases), `command.rs` (bytes to command), `commands/` (one file each),
//! `device.rs` (the whole key), `gesture.rs` (questions and evidence), `auth_data.rs` (what is signed), `store.rs` (credentials and the vault),
//! `u2f/` (the older protocol), `cbor/` (the codec), `exchange.rs` (passkeys as other programs take and give them).

mod attestation;
mod audit;
mod auth_data;
mod authenticator;
mod away;
pub mod cbor;
mod certificate;
mod command;
mod commands;
mod config;
mod cose;
mod device;
mod dummy;
mod entity;
pub mod exchange;
mod extensions;
mod facts;
mod gesture;
mod large_blob_array;
mod locked;
mod metadata;
mod options;
mod parameters;
mod pin;
mod pin_uv_auth;
mod private_key;
mod prompt_text;
mod response;
mod session;
mod state;
mod status;
mod store;
#[cfg(test)]
mod testing;
mod u2f;
mod without_vault;

pub use authenticator::Authenticator;
pub use away::{Away, AwayOutcome};
pub use config::{Aaguid, Algorithms, Attestation, Config, Enterprise, KeyKind, LargeBlobs};
pub use device::{
    AWAY_TIMEOUT, Device, Event, GESTURE_TIMEOUT, HostError, HostKind, Machine, PromptId, UNLOCK_TIMEOUT,
};
pub use facts::Facts;
pub use gesture::{Account, Demand, EnteredPin, Gesture, Modality, Outcome, Pending, Prompt, Purpose};
pub use locked::{LockedOutcome, UnlockFailed};
pub use pin::built_in::Verifier;
pub use status::StatusCode;
pub use u2f::StatusWord;
