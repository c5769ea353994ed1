//! What the devices of a vault tell each other, and what it amounts to.
//!
//! `operation.rs` is what is said, `versions.rs` how far everybody listened, `merge.rs` what all of it amounts to for one
//! passkey, `snapshot.rs` for all of them, `replica.rs` where this device stands. How the vault uses them is in
//! `vault/synced.rs`.
//!
//! `machine.rs` is the dialogue with the store: `exchange.rs` what is asked and answered, `layout.rs` under which names
//! things are there, `status.rs` how it goes.

mod exchange;
mod layout;
mod machine;
mod merge;
mod operation;
mod replica;
mod snapshot;
mod status;
mod versions;

pub use self::exchange::{Answer, NoAnswer, OBJECT_LEN_MAX, Request};
pub use self::layout::MembershipPlaces;
pub use self::machine::{GET_AT_ONCE, Machine, Proposed, Wish};
pub(crate) use self::merge::{Contradiction, Merged, Names, Seen, Stamp, copy};
pub(crate) use self::operation::{DEVICE_NAME_LEN_MAX, Dated, DatedBytes, Entry, Operation, encode_entry};
pub(crate) use self::replica::{Replica, Standing, seal_device_names, seal_foreign};
pub(crate) use self::snapshot::{
    Covered, Known, PART_ITEMS_MAX, PART_LEN, PARTS_MAX, Root, SnapshotKey, StateHash, decode_part,
    encode_part,
};
pub use self::status::{State, Status};
pub(crate) use self::versions::{Reach, Versions};
