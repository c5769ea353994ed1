//! The key's place in the local kernel: plugged in when it should be, and again when the kernel dropped it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use wardkey_transport::time::Instant;

use crate::attach::{Helper, PortNumber};
use crate::error::Failure;

/// The first pause before another attempt. It doubles with each failure.
const RETRY_MIN: Duration = Duration::from_millis(250);

/// The longest pause: a kernel module that comes back is noticed this soon.
const RETRY_MAX: Duration = Duration::from_secs(8);

/// A key that was attached for this long was dropped for a reason of its own: suspend, or a module that was reloaded.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Attaches the key through the helper that may write to vhci_hcd.
pub(crate) struct Kernel {
    helper: Helper,
    state: State,
    pause: Duration,
}

enum State {
    PluggedIn { since: Instant, port: PortNumber },
    Unplugged { retry_at: Instant },
}

impl Kernel {
    /// A key that is to be plugged in at once.
    pub(crate) fn new(helper: Helper, now: Instant) -> Self {
        Self {
            helper,
            state: State::Unplugged { retry_at: now },
            pause: RETRY_MIN,
        }
    }

    /// When to try next; `None` while the key is plugged in.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::PluggedIn { .. } => None,
            State::Unplugged { retry_at } => Some(retry_at),
        }
    }

    /// Whether the key is to be plugged in now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.retry_at().is_some_and(|at| at <= now)
    }

    /// Plug in as soon as possible.
    pub(crate) fn plug_in(&mut self, now: Instant) {
        self.state = State::Unplugged { retry_at: now };
    }

    /// The kernel closed its end.
    pub(crate) fn dropped(&mut self, now: Instant) {
        if matches!(self.state, State::PluggedIn { since, .. } if now.saturating_duration_since(since) >= STABLE_AFTER)
        {
            self.pause = RETRY_MIN;
        }
        self.retry_later(now);
    }

    /// Hands one end of a new socket pair to the kernel and gives the other.
    pub(crate) fn attach(&mut self, now: Instant) -> Result<OwnedFd, Failure> {
        match self.try_attach() {
            Ok((socket, port)) => {
                self.state = State::PluggedIn { since: now, port };
                Ok(socket)
            }
            Err(failure) => {
                self.retry_later(now);
                Err(failure)
            }
        }
    }

    /// Takes the key out. It stays out until [`Self::plug_in`].
    pub(crate) fn unplug(&mut self, now: Instant) {
        if let State::PluggedIn { port, .. } = self.state {
            // Where the helper cannot, the socket that is closed next tells the kernel.
            let _ = self.helper.detach(port);
            self.state = State::Unplugged { retry_at: now };
        }
    }

    fn retry_later(&mut self, now: Instant) {
        self.state = State::Unplugged {
            retry_at: now + self.pause,
        };
        self.pause = RETRY_MAX.min(self.pause * 2);
    }

    fn try_attach(&mut self) -> Result<(OwnedFd, PortNumber), Failure> {
        let (ours, kernels) = UnixStream::pair()
            .and_then(|(ours, kernels)| ours.set_nonblocking(true).map(|()| (ours, kernels)))
            .map_err(|error| {
                Failure::new(
                    format!("no socket pair: {error}"),
                    "close other programs and try again",
                )
            })?;
        let port = self.helper.attach(kernels.into())?;
        Ok((ours.into(), port))
    }
}
