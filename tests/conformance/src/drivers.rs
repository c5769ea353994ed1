//! The two ways to a key.

pub mod in_process;
pub mod raw_socket;
