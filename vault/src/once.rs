//! For tests that do the same work many times: what depends on its input alone is worked out once. Without the feature
//! `testing` there is none of this; with it nothing is remembered before the program asks for it, except that the tests of
//! this crate stretch each Vault PIN once.

#[cfg(feature = "testing")]
pub use self::remembering::remember_work;
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::remembering::{once, stretched_once};

/// What `work` gives.
#[cfg(not(any(test, feature = "testing")))]
pub(crate) fn once<T>(_input: impl FnOnce() -> Vec<u8>, work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(any(test, feature = "testing"))]
mod remembering {
    use std::any::Any;
    use std::cell::RefCell;
    use std::collections::{BTreeMap, HashMap};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, PoisonError};

    use crate::{OutOfMemory, PinSecret, Secret};

    static REMEMBERS: AtomicBool = AtomicBool::new(false);

    /// As much is remembered, and then everything is forgotten.
    const DONE_MAX: usize = 50_000;

    thread_local! {
        static DONE: RefCell<HashMap<Vec<u8>, Box<dyn Any>>> = RefCell::default();
    }

    /// From now on this program remembers what each Vault PIN gave, and each thread what became of keys, signatures and
    /// slots: only for tests whose secrets protect nothing.
    #[cfg(feature = "testing")]
    pub fn remember_work() {
        REMEMBERS.store(true, Ordering::Relaxed);
    }

    /// What can be given out more than once.
    pub(crate) trait Again: Sized + 'static {
        /// Another one, equal to this.
        fn again(&self) -> Self;
    }

    impl<T: Clone + 'static> Again for T {
        fn again(&self) -> Self {
            self.clone()
        }
    }

    impl<const N: usize> Again for Secret<N> {
        fn again(&self) -> Self {
            Self::from_slice(self.expose_secret()).expect("of the same length")
        }
    }

    /// What `work`, which depends on `input` alone, gives. The input begins with a name for the work.
    pub(crate) fn once<T: Again>(input: impl FnOnce() -> Vec<u8>, work: impl FnOnce() -> T) -> T {
        if !REMEMBERS.load(Ordering::Relaxed) {
            return work();
        }
        let input = input();
        let found = DONE.with_borrow(|done| done.get(&input)?.downcast_ref().map(T::again));
        if let Some(found) = found {
            return found;
        }
        let done = work();
        DONE.with_borrow_mut(|all| {
            if all.len() == DONE_MAX {
                all.clear();
            }
            all.insert(input, Box::new(done.again()));
        });
        done
    }

    /// The same for a Vault PIN, whose work is much more, and is done once for all threads.
    pub(crate) fn stretched_once(
        input: &[&[u8]],
        work: impl FnOnce() -> Result<PinSecret, OutOfMemory>,
    ) -> Result<PinSecret, OutOfMemory> {
        static DONE: Mutex<BTreeMap<Vec<u8>, [u8; 32]>> = Mutex::new(BTreeMap::new());
        if !(cfg!(test) || REMEMBERS.load(Ordering::Relaxed)) {
            return work();
        }
        let input = input.join(&[0xff][..]);
        let done = || DONE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = done().get(&input).copied();
        if let Some(secret) = found.and_then(|secret| Secret::from_slice(&secret)) {
            return Ok(PinSecret::new(secret));
        }
        let secret = work()?;
        done().insert(input, *secret.expose_secret());
        Ok(secret)
    }
}
