//! Finds out whether a way works, for a limited time.

use std::future::Future;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::Unavailable;
use super::withdrawal;

/// What `work` finds out; it is given up, and said to be `silent`, when it takes longer than `patience`.
pub(super) fn probe_within(
    patience: Duration,
    silent: &'static str,
    work: impl Future<Output = Result<String, Unavailable>> + Send + 'static,
) -> Result<String, Unavailable> {
    let (withdraw, withdrawal) = withdrawal::pair();
    let (sender, receiver) = channel();
    let probe = move || {
        // Nobody listens any more when it took too long.
        let _late = sender.send(zbus::block_on(withdrawal.unless_withdrawn(work)));
    };
    let started = thread::Builder::new().name("probe".to_owned()).spawn(probe);
    started.map_err(|error| Unavailable::new(format!("no thread could be started: {error}"), "try again"))?;
    let found = receiver.recv_timeout(patience);
    drop(withdraw);
    found
        .ok()
        .flatten()
        .unwrap_or_else(|| Err(Unavailable::new(silent, "log in again, or restart the computer")))
}
