//! The key's place in the local kernel: plugged in when it should be, and again when the kernel dropped it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use wardkey_transport::time::Instant;

use crate::attach::Helper;
use crate::error::Failure;

/// The first pause before another attempt. It doubles with each failure.
const RETRY_MIN: Duration = Duration::from_millis(250);

/// The longest pause: a kernel module that comes back is noticed this soon.
const RETRY_MAX: Duration = Duration::from_secs(8);

/// Attaches the key through the helper that may write to vhci_hcd.
pub(crate) struct Kernel {
    helper: Helper,
    retry_at: Option<Instant>,
    pause: Duration,
}

impl Kernel {
    /// A key that is to be plugged in at once.
    pub(crate) fn new(helper: Helper, now: Instant) -> Self {
        Self { helper, retry_at: Some(now), pause: RETRY_MIN }
    }

    /// When to try next; `None` while the key is plugged in.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether the key is to be plugged in now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at <= now)
    }

    /// Plug in as soon as possible.
    pub(crate) fn plug_in(&mut self, now: Instant) {
        self.retry_at = Some(now);
    }

    /// The kernel closed its end.
    pub(crate) fn dropped(&mut self, now: Instant) {
        self.retry_at = Some(now + self.pause);
    }

    /// Hands one end of a new socket pair to the kernel and gives the other.
    pub(crate) fn attach(&mut self, now: Instant) -> Result<OwnedFd, Failure> {
        match self.try_attach() {
            Ok(socket) => {
                self.retry_at = None;
                self.pause = RETRY_MIN;
                Ok(socket)
            }
            Err(failure) => {
                self.retry_at = Some(now + self.pause);
                self.pause = RETRY_MAX.min(self.pause * 2);
                Err(failure)
            }
        }
    }

    fn try_attach(&mut self) -> Result<OwnedFd, Failure> {
        let (ours, kernels) = UnixStream::pair()
            .and_then(|(ours, kernels)| ours.set_nonblocking(true).map(|()| (ours, kernels)))
            .map_err(|error| Failure::new(format!("no socket pair: {error}"), "close other programs and try again"))?;
        self.helper.attach(kernels.into())?;
        Ok(ours.into())
    }
}
