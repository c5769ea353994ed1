//! The canonical CBOR of CTAP2, in and out. In: the bytes behind a command byte. Out: a [`Value`] that borrows from
//! them, or the reason they are refused. `CTAP 2.3 §8` over `RFC 8949`.
//!
//! Accepted is only what [`encode`] would write: definite lengths, shortest heads, keys in order and once, no tags,
//! no bytes behind the item. So whatever [`decode`] accepts, [`encode`] gives back byte for byte.
//!
//! Not here: what a member means and which type it must have; that is `parameters.rs`.

mod reader;
mod value;
mod writer;

pub use reader::{DEPTH_MAX, Malformed, decode};
pub use value::{Key, Map, Value};
pub use writer::encode;
