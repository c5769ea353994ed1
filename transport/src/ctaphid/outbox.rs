//! What waits for the host of one port: the reply of a transaction, short replies to others, a KEEPALIVE.
//!
//! The packets of a reply leave without anything between them: a client that reads a message of one channel
//! takes a packet of another channel for an error. A host that does not read for [`super::READ_TIMEOUT`] finds
//! nothing when it comes back.

use core::time::Duration;
use std::collections::VecDeque;

use super::fragmenter::Fragmenter;
use crate::report::Report;
use crate::time::Instant;

/// How many short replies wait for a port; when there are more the oldest goes.
pub const SHORT_REPLIES_MAX: usize = 16;

/// The reports for one port.
#[derive(Default)]
pub(super) struct Outbox {
    reply: Option<Fragmenter>,
    short: VecDeque<Report>,
    /// How many of `short` were there before `reply`.
    short_before_reply: usize,
    keepalive: Option<Report>,
    patience: Option<Patience>,
}

/// How long a host may take to read on.
struct Patience {
    until: Instant,
    has_read: bool,
}

/// A report on its way, and whether it was the last of the transaction's reply.
pub(super) struct Sent {
    pub(super) report: Report,
    pub(super) ends_reply: bool,
}

impl Outbox {
    /// Puts the reply of a transaction behind what waits already.
    pub(super) fn set_reply(&mut self, reply: Fragmenter, until: Instant) {
        self.keepalive = None;
        self.short_before_reply = self.short.len();
        self.reply = Some(reply);
        self.wait(until);
    }

    /// Puts a reply of one packet behind what waits already.
    pub(super) fn push_short(&mut self, report: Report, until: Instant) {
        if self.short.len() >= SHORT_REPLIES_MAX {
            self.short.pop_front();
            self.short_before_reply = self.short_before_reply.saturating_sub(1);
        }
        self.short.push_back(report);
        self.wait(until);
    }

    /// Has a KEEPALIVE sent, instead of one that nobody has read yet.
    pub(super) fn set_keepalive(&mut self, report: Report) {
        self.keepalive = Some(report);
    }

    /// Whether there is a KEEPALIVE that nobody has read yet.
    pub(super) fn has_keepalive(&self) -> bool {
        self.keepalive.is_some()
    }

    /// The transaction has ended without a reply, or the rest of its reply is not wanted any more.
    pub(super) fn end_transaction(&mut self) {
        self.keepalive = None;
        self.reply = None;
        if self.is_empty() {
            self.patience = None;
        }
    }

    /// The next report.
    pub(super) fn poll(&mut self) -> Option<Sent> {
        let sent = self.next()?;
        self.patience = match self.patience.take() {
            Some(patience) if !self.is_empty() => Some(Patience {
                has_read: true,
                ..patience
            }),
            _ => None,
        };
        Some(sent)
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.patience.as_ref().map(|patience| patience.until)
    }

    /// Drops everything if the host has not read for a whole `timeout`; says whether it did. What was read since
    /// the last call counts as read now.
    pub(super) fn handle_timeout(&mut self, now: Instant, timeout: Duration) -> bool {
        match &mut self.patience {
            Some(patience) if patience.has_read => {
                *patience = Patience {
                    until: now + timeout,
                    has_read: false,
                };
                false
            }
            Some(patience) if patience.until <= now => {
                *self = Self::default();
                true
            }
            _ => false,
        }
    }

    fn next(&mut self) -> Option<Sent> {
        if let Some(report) = self.keepalive.take() {
            return Some(Sent {
                report,
                ends_reply: false,
            });
        }
        match &mut self.reply {
            Some(reply) if self.short_before_reply == 0 => {
                let report = reply.next_report();
                let ends_reply = reply.is_finished();
                if ends_reply {
                    self.reply = None;
                }
                Some(Sent { report, ends_reply })
            }
            _ => {
                self.short_before_reply = self.short_before_reply.saturating_sub(1);
                self.short.pop_front().map(|report| Sent {
                    report,
                    ends_reply: false,
                })
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.reply.is_none() && self.short.is_empty()
    }

    fn wait(&mut self, until: Instant) {
        self.patience.get_or_insert(Patience {
            until,
            has_read: false,
        });
    }
}
