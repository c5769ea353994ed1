//! The transfers that the device has not answered: at most one of each purpose. Numbers and writes new ones, and
//! checks that a reply fits one of them.

use super::descriptors::Endpoint;
use super::enumeration::Control;
use super::wire::{self, Direction, Submit};
use super::{Error, Report};

/// What a transfer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Control,
    InterruptIn,
    InterruptOut,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    seqnum: u32,
    purpose: Purpose,
    direction: Direction,
    /// The most that may come, or what was sent.
    length: u32,
}

/// A transfer before it has a number.
pub(super) struct Transfer<'a> {
    purpose: Purpose,
    endpoint: u8,
    direction: Direction,
    interval: u32,
    setup: [u8; 8],
    /// The most that may come.
    asked: u32,
    /// What is sent.
    data: &'a [u8],
}

impl<'a> Transfer<'a> {
    pub(super) fn control(control: Control) -> Self {
        let direction = if control.is_in() {
            Direction::In
        } else {
            Direction::Out
        };
        let (setup, asked) = (control.setup(), control.length.into());
        Self {
            purpose: Purpose::Control,
            endpoint: 0,
            direction,
            interval: 0,
            setup,
            asked,
            data: &[],
        }
    }

    /// Asks for as much as a packet of the endpoint.
    pub(super) fn interrupt_in(endpoint: Endpoint) -> Self {
        let (purpose, direction) = (Purpose::InterruptIn, Direction::In);
        Self {
            purpose,
            direction,
            asked: endpoint.packet_len_max.into(),
            ..Self::interrupt(endpoint)
        }
    }

    pub(super) fn interrupt_out(endpoint: Endpoint, report: &'a Report) -> Self {
        Self {
            data: &report.0,
            ..Self::interrupt(endpoint)
        }
    }

    /// Linux rounds the interval down to a power of two.
    fn interrupt(endpoint: Endpoint) -> Self {
        let interval = endpoint.interval.checked_ilog2().map_or(0, |log| 1 << log);
        Self {
            purpose: Purpose::InterruptOut,
            endpoint: endpoint.number,
            direction: Direction::Out,
            interval,
            setup: [0; 8],
            asked: 0,
            data: &[],
        }
    }
}

/// A reply that fits a pending transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fitting {
    pub(super) purpose: Purpose,
    /// How many bytes follow the header.
    pub(super) data_len: usize,
}

/// The transfers that are pending.
#[derive(Default)]
pub(super) struct Transfers {
    last_seqnum: u32,
    pending: Vec<Pending>,
}

impl Transfers {
    /// The number of the next packet.
    pub(super) fn next_seqnum(&mut self) -> u32 {
        self.last_seqnum = self.last_seqnum.wrapping_add(1);
        self.last_seqnum
    }

    /// Writes a transfer and waits for its reply.
    pub(super) fn submit(&mut self, output: &mut Vec<u8>, device_id: u32, transfer: Transfer<'_>) {
        let Transfer {
            purpose,
            endpoint,
            direction,
            interval,
            setup,
            asked,
            data,
        } = transfer;
        let seqnum = self.next_seqnum();
        let length = match direction {
            Direction::In => asked,
            Direction::Out => u32::try_from(data.len()).expect("a report has 64 bytes"),
        };
        self.pending.push(Pending {
            seqnum,
            purpose,
            direction,
            length,
        });
        let submit = Submit {
            seqnum,
            device_id,
            endpoint,
            direction,
            interval,
            setup,
            length,
            data,
        };
        wire::write_submit(output, &submit);
    }

    /// The number of the pending transfer for `purpose`.
    pub(super) fn seqnum_of(&self, purpose: Purpose) -> Option<u32> {
        let found = self.pending.iter().find(|pending| pending.purpose == purpose);
        found.map(|pending| pending.seqnum)
    }

    /// Whether the head of a reply fits what is pending.
    pub(super) fn check(&self, seqnum: u32, status: i32, actual_length: i32) -> Result<Fitting, Error> {
        let found = self.pending.iter().find(|pending| pending.seqnum == seqnum);
        let Pending {
            purpose,
            direction,
            length: asked,
            ..
        } = *found.ok_or(Error::NotPending(seqnum))?;
        let too_long = Error::ReplyTooLong {
            seqnum,
            asked,
            actual: actual_length.into(),
        };
        let actual = u32::try_from(actual_length).map_err(|_| too_long)?;
        if actual > asked {
            return Err(too_long);
        }
        match direction {
            Direction::In => Ok(Fitting {
                purpose,
                data_len: usize::try_from(actual).map_err(|_| too_long)?,
            }),
            Direction::Out if status == 0 && actual != asked => Err(Error::ShortOut {
                seqnum,
                sent: asked,
                actual,
            }),
            Direction::Out => Ok(Fitting { purpose, data_len: 0 }),
        }
    }

    /// Forgets a transfer, which was answered or taken back; `false` when it was not pending.
    pub(super) fn remove(&mut self, seqnum: u32) -> bool {
        let before = self.pending.len();
        self.pending.retain(|pending| pending.seqnum != seqnum);
        self.pending.len() < before
    }
}
