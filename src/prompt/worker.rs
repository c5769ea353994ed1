//! One thread for one question that is being asked, and the wire by which it learns that the question was
//! taken away: a pipe whose other end is in the [`Shown`] value. Threads wait with `poll` on that pipe beside
//! whatever else they wait for, so taking away needs no time and no lock.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::withdrawal::{self, WithdrawOnDrop};
use super::{AnswerHandle, Decision, NothingShown, Shown, Unavailable};
use crate::readiness::retry;

/// Threads of one way that may live at once: the question that is shown, and some that are being taken away.
const LIVING_MAX: usize = 4;

/// The threads of one way to ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Workers {
    living: Arc<AtomicUsize>,
}

impl Workers {
    /// Runs `work` on a thread of its own. `work` ends soon after it sees that the question was taken away.
    pub(super) fn start(
        &self,
        answer: AnswerHandle,
        work: impl FnOnce(&Withdrawal, AnswerHandle) + Send + 'static,
    ) -> Box<dyn Shown> {
        let Some(place) = Place::take(&self.living) else {
            answer.unavailable(too_busy("earlier questions have not ended yet"));
            return Box::new(NothingShown);
        };
        let (withdrawn, shown) = match pipe_with(PipeFlags::CLOEXEC) {
            Ok(ends) => ends,
            Err(error) => {
                answer.unavailable(too_busy(&format!("no pipe could be made: {error}")));
                return Box::new(NothingShown);
            }
        };
        // When no thread can be started the closure is dropped, and with it the handle, which then answers.
        let started = thread::Builder::new().name("ask".to_owned()).spawn(move || {
            let _place = place;
            work(&Withdrawal { withdrawn }, answer);
        });
        match started {
            Ok(_) => Box::new(ShownByWorker {
                _open_while_shown: shown,
            }),
            Err(_) => Box::new(NothingShown),
        }
    }

    /// Runs a future on a thread of its own. It ends with nothing soon after it sees that the question was taken away.
    pub(super) fn start_future<F>(
        &self,
        answer: AnswerHandle,
        work: impl FnOnce(withdrawal::Withdrawal) -> F + Send + 'static,
    ) -> Box<dyn Shown>
    where
        F: Future<Output = Result<Option<Decision>, Unavailable>>,
    {
        let (withdraw, withdrawal) = withdrawal::pair();
        let worker = self.start(answer, move |_, answer| match zbus::block_on(work(withdrawal)) {
            Ok(Some(decision)) => answer.give(decision),
            Ok(None) => answer.dismiss(),
            Err(unavailable) => answer.unavailable(unavailable),
        });
        Box::new(ShownByFuture {
            _withdraw: withdraw,
            _worker: worker,
        })
    }
}

fn too_busy(reason: &str) -> Unavailable {
    Unavailable::new(reason, "wait a moment, then try again")
}

/// One of the [`LIVING_MAX`] places, given back on drop.
struct Place {
    living: Arc<AtomicUsize>,
}

impl Place {
    fn take(living: &Arc<AtomicUsize>) -> Option<Self> {
        let one_more = |count: usize| (count < LIVING_MAX).then_some(count.saturating_add(1));
        living
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .ok()?;
        Some(Self {
            living: Arc::clone(living),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.living.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Dropping it closes the pipe.
struct ShownByWorker {
    _open_while_shown: OwnedFd,
}

impl Shown for ShownByWorker {}

/// Dropping it tells the future.
struct ShownByFuture {
    _withdraw: WithdrawOnDrop,
    _worker: Box<dyn Shown>,
}

impl Shown for ShownByFuture {}

/// The thread's end of the pipe.
pub(super) struct Withdrawal {
    withdrawn: OwnedFd,
}

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The question was taken away.
    Withdrawn,
    /// The awaited descriptor can be read, or has ended.
    Ready,
}

impl Withdrawal {
    /// Waits until `source` can be read or the question is taken away.
    pub(super) fn wait(&self, source: BorrowedFd<'_>) -> io::Result<Woken> {
        let mut sources = [
            PollFd::from_borrowed_fd(self.withdrawn.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(source, PollFlags::IN),
        ];
        retry(|| poll(&mut sources, None))?;
        let [withdrawn, _] = &sources;
        Ok(if withdrawn.revents().is_empty() {
            Woken::Ready
        } else {
            Woken::Withdrawn
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A_WHILE, SOON, answers, decided, reason};
    use super::*;

    fn wait_until_withdrawn(withdrawal: &Withdrawal, answer: AnswerHandle) {
        let (silent, _open) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        assert_eq!(withdrawal.wait(silent.as_fd()).unwrap(), Woken::Withdrawn);
        answer.give(Decision::Declined);
    }

    #[test]
    fn dropping_what_is_shown_wakes_the_thread() {
        let workers = Workers::default();
        let (answer, received) = answers();
        let shown = workers.start(answer, wait_until_withdrawn);
        assert!(received.recv_timeout(A_WHILE).is_err());
        drop(shown);
        assert_eq!(decided(&received), Decision::Declined);
    }

    #[test]
    fn no_more_threads_live_than_there_are_places() {
        let workers = Workers::default();
        let asked: Vec<_> = (0..LIVING_MAX)
            .map(|_| {
                let (answer, received) = answers();
                (workers.start(answer, wait_until_withdrawn), received)
            })
            .collect();
        let (answer, received) = answers();
        let _nothing = workers.start(answer, wait_until_withdrawn);
        assert_eq!(reason(&received), "earlier questions have not ended yet");
        for (shown, received) in asked {
            drop(shown);
            received.recv_timeout(SOON).unwrap();
        }
    }

    #[test]
    fn a_thread_that_dies_answers_that_it_did() {
        let (answer, received) = answers();
        let _shown = Workers::default().start(answer, |_, answer| {
            let _answer = answer;
            panic!("on purpose");
        });
        assert_eq!(reason(&received), "the question ended without an answer");
    }
}
