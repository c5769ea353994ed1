//! A question that is asked from inside a future.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Answer, AnswerHandle, Asker, Question, Shown};

/// A question on show. Dropping it takes the question away.
pub(super) struct Asked {
    inbox: Arc<Mutex<Inbox>>,
    _shown: Box<dyn Shown>,
}

#[derive(Default)]
struct Inbox {
    answer: Option<Answer>,
    waker: Option<Waker>,
}

impl Asked {
    /// Shows `question` through `asker`.
    pub(super) fn through(asker: &dyn Asker, question: &Question) -> Self {
        let inbox = Arc::<Mutex<Inbox>>::default();
        let arrives = Arc::clone(&inbox);
        let answer = AnswerHandle::new(move |answer| {
            let mut inbox = lock(&arrives);
            inbox.answer = Some(answer);
            if let Some(waker) = inbox.waker.take() {
                waker.wake();
            }
        });
        Self {
            _shown: asker.ask(question, answer),
            inbox,
        }
    }

    /// The answer, once.
    pub(super) fn poll_answer(&self, context: &Context<'_>) -> Poll<Answer> {
        let mut inbox = lock(&self.inbox);
        match inbox.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                inbox.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Waits for the answer.
    pub(super) async fn answer(&self) -> Answer {
        std::future::poll_fn(|context| self.poll_answer(context)).await
    }
}

fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}
