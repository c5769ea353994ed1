//! The kernel's side of USB/IP for one FIDO device: bytes from the device in, bytes for the device out.
//!
//! Imports the device where the connection starts with that, enumerates it as Linux does, and then keeps one
//! interrupt-IN transfer pending and sends reports one at a time, like Linux's HID driver. It is stricter than the
//! kernel: what a correct device would never send is an [`Error`]. No socket and no clock are here; [`UsbConnection`]
//! drives the machine over a socket.

mod connection;
mod descriptors;
mod enumeration;
mod error;
#[cfg(test)]
mod tests;
mod transfers;
mod wire;

use std::collections::VecDeque;

pub use connection::{UsbConnection, list_devices};
pub use descriptors::{Device, Endpoint};
pub use error::Error;
pub use wire::{ExportedDevice, device_list_request, read_device_list};

use crate::report::{REPORT_LEN, Report};
use enumeration::{Answer, Enumeration};
use transfers::{Fitting, Purpose, Transfer, Transfers};
use wire::{HEADER_LEN, Reply};

/// `-ECONNRESET`: how a request ends that was unlinked.
const UNLINKED: i32 = -104;

/// How a connection starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The device is attached already, as through the kernel's sysfs file: transfers at once.
    Attached,
    /// `OP_REQ_IMPORT` first, as `usbip attach` does over TCP.
    Import {
        /// Which device.
        bus_id: String,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The import was accepted.
    Imported(ExportedDevice),
    /// The enumeration is done; reports can be sent and will come.
    Ready,
    /// The device took the report that was sent last.
    ReportTaken,
    /// A report from the device.
    Report(Report),
    /// The interrupt-IN transfer was taken back (see [`UsbHost::close_input`]).
    InputClosed {
        /// Whether the device had answered it before the UNLINK arrived; the report came before this event.
        answered_before: bool,
    },
}

/// A report cannot be sent now: the device is not ready, or has not taken the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device cannot be given a report now")]
pub struct NotNow;

#[derive(Debug, Clone, Copy)]
struct Unlink {
    seqnum: u32,
    unlinked: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Closing,
    Closed,
}

enum State {
    Importing { bus_id: String },
    Enumerating(Enumeration),
    Ready { device: Device, input: Input },
    Failed(Error),
}

/// A USB host with one device.
pub struct UsbHost {
    state: State,
    device_id: u32,
    transfers: Transfers,
    unlink: Option<Unlink>,
    received: Vec<u8>,
    output: Vec<u8>,
    events: VecDeque<Event>,
}

impl UsbHost {
    /// A host to which a device was just attached.
    pub fn new(start: Start) -> Self {
        let mut host = Self {
            state: State::Enumerating(Enumeration::new()),
            device_id: 1 << 16 | 1,
            transfers: Transfers::default(),
            unlink: None,
            received: Vec::new(),
            output: Vec::new(),
            events: VecDeque::new(),
        };
        match start {
            Start::Attached => host.submit_control(),
            Start::Import { bus_id } => {
                wire::write_import(&mut host.output, &bus_id);
                host.state = State::Importing { bus_id };
            }
        }
        host
    }

    /// The device, once it is enumerated.
    pub fn device(&self) -> Option<&Device> {
        match &self.state {
            State::Ready { device, .. } => Some(device),
            State::Importing { .. } | State::Enumerating(_) | State::Failed(_) => None,
        }
    }

    /// Takes bytes from the device. After an error the connection is of no use, and every further call repeats it.
    pub fn handle_bytes(&mut self, input: &[u8]) -> Result<(), Error> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        self.received.extend(input);
        let result = self.handle_received();
        if let Err(error) = result {
            self.state = State::Failed(error);
            self.output.clear();
        }
        result
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes for the device.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Forgets the first `length` bytes of [`Self::output`], which were sent.
    pub fn consume_output(&mut self, length: usize) {
        self.output.drain(..length.min(self.output.len()));
    }

    /// Whether a report can be sent now.
    pub fn can_send(&self) -> bool {
        self.device().is_some() && self.transfers.seqnum_of(Purpose::InterruptOut).is_none()
    }

    /// Sends a report; [`Event::ReportTaken`] tells when the device has it.
    pub fn send_report(&mut self, report: &Report) -> Result<(), NotNow> {
        let Some(endpoint) = self.device().map(|device| device.output) else {
            return Err(NotNow);
        };
        if !self.can_send() {
            return Err(NotNow);
        }
        self.submit(Transfer::interrupt_out(endpoint, report));
        Ok(())
    }

    /// Takes the pending interrupt-IN transfer back, as Linux does when the last program closes the device.
    /// [`Event::InputClosed`] tells when the device has confirmed it.
    pub fn close_input(&mut self) {
        let State::Ready { input, .. } = &mut self.state else {
            return;
        };
        if *input != Input::Open {
            return;
        }
        *input = Input::Closing;
        let pending = self.transfers.seqnum_of(Purpose::InterruptIn);
        let unlinked = pending.expect("an open input has a pending transfer");
        let seqnum = self.transfers.next_seqnum();
        wire::write_unlink(&mut self.output, seqnum, self.device_id, unlinked);
        self.unlink = Some(Unlink { seqnum, unlinked });
    }

    /// Submits an interrupt-IN transfer again after [`Event::InputClosed`].
    pub fn open_input(&mut self) {
        let State::Ready { input, .. } = &mut self.state else {
            return;
        };
        if *input == Input::Closed {
            *input = Input::Open;
            self.submit_input();
        }
    }

    fn handle_received(&mut self) -> Result<(), Error> {
        let received = std::mem::take(&mut self.received);
        let mut rest = received.as_slice();
        while let Some(length) = self.handle_packet(rest)? {
            rest = rest.get(length..).unwrap_or_default();
        }
        self.received = rest.to_vec();
        Ok(())
    }

    /// Handles the packet at the start of `input` and says how long it is; `None` when it is not complete.
    fn handle_packet(&mut self, input: &[u8]) -> Result<Option<usize>, Error> {
        if let State::Importing { bus_id } = &self.state {
            let Some((device, length)) = wire::read_import(input)? else {
                return Ok(None);
            };
            if device.bus_id != *bus_id {
                return Err(Error::WrongBusId);
            }
            self.handle_import(device);
            return Ok(Some(length));
        }
        match wire::read_reply(input)? {
            None => Ok(None),
            Some(Reply::Unlink { seqnum, status }) => {
                self.handle_unlinked(seqnum, status)?;
                Ok(Some(HEADER_LEN))
            }
            Some(Reply::Submit {
                seqnum,
                status,
                actual_length,
            }) => {
                let Fitting { purpose, data_len } = self.transfers.check(seqnum, status, actual_length)?;
                let Some(data) = input.get(HEADER_LEN..HEADER_LEN + data_len) else {
                    return Ok(None);
                };
                self.transfers.remove(seqnum);
                self.handle_answer(purpose, Answer { status, data })?;
                Ok(Some(HEADER_LEN + data_len))
            }
        }
    }

    fn handle_import(&mut self, device: ExportedDevice) {
        self.device_id = device.device_id;
        self.events.push_back(Event::Imported(device));
        self.state = State::Enumerating(Enumeration::new());
        self.submit_control();
    }

    fn handle_answer(&mut self, purpose: Purpose, answer: Answer<'_>) -> Result<(), Error> {
        match purpose {
            Purpose::Control => self.handle_control(answer),
            Purpose::InterruptOut if answer.status == 0 => {
                self.events.push_back(Event::ReportTaken);
                Ok(())
            }
            Purpose::InterruptIn if answer.status == 0 => self.handle_report(answer.data),
            Purpose::InterruptIn | Purpose::InterruptOut => Err(Error::TransferFailed(answer.status)),
        }
    }

    fn handle_control(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        let State::Enumerating(enumeration) = &mut self.state else {
            return Ok(());
        };
        enumeration.handle_answer(answer)?;
        if let Some(device) = enumeration.finished() {
            let device = device.clone();
            self.state = State::Ready {
                device,
                input: Input::Open,
            };
            self.submit_input();
            self.events.push_back(Event::Ready);
        } else {
            self.submit_control();
        }
        Ok(())
    }

    fn handle_report(&mut self, data: &[u8]) -> Result<(), Error> {
        let report: [u8; REPORT_LEN] = data.try_into().map_err(|_| Error::ReportLength(data.len()))?;
        self.events.push_back(Event::Report(Report(report)));
        if matches!(
            self.state,
            State::Ready {
                input: Input::Open,
                ..
            }
        ) {
            self.submit_input();
        }
        Ok(())
    }

    fn handle_unlinked(&mut self, seqnum: u32, status: i32) -> Result<(), Error> {
        let unlink = self
            .unlink
            .take_if(|unlink| unlink.seqnum == seqnum)
            .ok_or(Error::NotPending(seqnum))?;
        let answered_before = match (self.transfers.remove(unlink.unlinked), status) {
            (true, UNLINKED) => false,
            (false, 0) => true,
            _ => {
                return Err(Error::WrongUnlink {
                    seqnum: unlink.unlinked,
                    status,
                });
            }
        };
        if let State::Ready { input, .. } = &mut self.state {
            *input = Input::Closed;
        }
        self.events.push_back(Event::InputClosed { answered_before });
        Ok(())
    }

    fn submit_control(&mut self) {
        let State::Enumerating(enumeration) = &self.state else {
            return;
        };
        if let Some(control) = enumeration.request() {
            self.submit(Transfer::control(control));
        }
    }

    fn submit_input(&mut self) {
        if let Some(endpoint) = self.device().map(|device| device.input) {
            self.submit(Transfer::interrupt_in(endpoint));
        }
    }

    fn submit(&mut self, transfer: Transfer<'_>) {
        self.transfers.submit(&mut self.output, self.device_id, transfer);
    }
}
