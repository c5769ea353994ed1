//! The other side of the key.
