//! What is at most accepted from a store, and how long it may take.

use std::time::Duration;

/// Objects in a listing. A vault of 20 devices has some thousands.
pub(super) const ENTRIES_MAX: usize = 200_000;
/// Bytes of the name of an object.
pub(super) const NAME_LEN_MAX: usize = 200;
/// Folders between the store and an object.
pub(super) const DEPTH_MAX: usize = 8;
/// Bytes of one page of a listing.
pub(super) const PAGE_LEN_MAX: u64 = 16 << 20;
/// HTTP requests that one of ours may need: pages of a listing, or its folders.
pub(super) const ROUNDS_MAX: u32 = 2_000;
/// Bytes of an object that is polled.
pub(super) const POLLED_LEN_MAX: u64 = 1 << 10;
/// Bytes of an answer that says no more than yes or no.
pub(super) const PLAIN_ANSWER_LEN_MAX: u64 = 64 << 10;
/// Requests under way at once.
pub(super) const IN_FLIGHT_MAX: usize = 16;

/// How long a service may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until it takes the connection.
    pub(crate) connecting: Duration,
    /// Between two parts of an answer.
    pub(crate) silence: Duration,
    /// For a request as a whole.
    pub(crate) whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connecting: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            whole: Duration::from_secs(300),
        }
    }
}
