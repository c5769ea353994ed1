//! Tells a future that its question was taken away.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Dropping it takes the question away.
pub(super) struct WithdrawOnDrop(Withdrawal);

/// The asking side.
#[derive(Clone)]
pub(super) struct Withdrawal {
    state: Arc<Mutex<State>>,
}

enum State {
    Wanted(Option<Waker>),
    Withdrawn,
}

/// Two ends of one question.
pub(super) fn pair() -> (WithdrawOnDrop, Withdrawal) {
    let withdrawal = Withdrawal {
        state: Arc::new(Mutex::new(State::Wanted(None))),
    };
    (WithdrawOnDrop(withdrawal.clone()), withdrawal)
}

impl Withdrawal {
    /// The result of `work`, or nothing as soon as the question is taken away.
    pub(super) async fn unless_withdrawn<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            if self.poll_withdrawn(context).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        })
        .await
    }

    fn poll_withdrawn(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        match *state {
            State::Withdrawn => Poll::Ready(()),
            State::Wanted(_) => {
                *state = State::Wanted(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WithdrawOnDrop {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.0.lock(), State::Withdrawn);
        if let State::Wanted(Some(waker)) = before {
            waker.wake();
        }
    }
}
