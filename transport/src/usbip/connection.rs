//! One USB host over one byte stream: the queue of transfers between USB/IP and the USB device.
//!
//! In: bytes from the socket, reports for the host, the answer to an import. Out: bytes for the socket,
//! reports from the host, events. `usbip_protocol.rst` and the kernel's vhci_hcd say what a host expects:
//! - a control or OUT transfer is answered at once, in order;
//! - an interrupt-IN transfer stays pending until there is a report, oldest first;
//! - UNLINK takes a pending transfer back: it is answered with `-ECONNRESET` and the transfer not at all;
//!   any other number is answered with 0, the transfer was completed before;
//! - no answer has more data than the host's buffer.

use std::collections::VecDeque;

use super::error::Error;
use super::output::Output;
use super::wire::{
    self, BUS_ID_LEN, Command, DeviceRecord, Direction, Operation, Parsed, Refusal, Reply, Submit,
};
use crate::report::{REPORT_LEN, Report};
use crate::usb::{Device, INTERFACE_CLASS, Identity, Refused, SPEED_FULL, Setup};

/// How many interrupt-IN transfers may be pending; one more is answered with `-ENOMEM`.
pub const PENDING_URBS_MAX: usize = 64;

/// More output than this, and the host has to read before it may say more.
const OUTPUT_WAITING_MAX: usize = 16 * 1024;
/// More output than this is never kept: who sends so much without reading loses the connection.
const OUTPUT_MAX: usize = 1024 * 1024;
/// More reports than this, and they have to be handled before the host may say more.
const REPORTS_WAITING_MAX: usize = 128;

/// The bus id and number under which the service offers the device.
const BUS_ID: &str = "1-1";
const PATH: &str = "/devices/wardkey/usb1/1-1";
const BUS_NUMBER: u16 = 1;
const DEVICE_NUMBER: u16 = 2;

const URB_SHORT_NOT_OK: u32 = 0x0001;

/// Errno values, negative as the kernel wants them in a URB's status.
mod status {
    pub(super) const OK: i32 = 0;
    /// No room for another transfer.
    pub(super) const ENOMEM: i32 = -12;
    /// The endpoint answered STALL.
    pub(super) const EPIPE: i32 = -32;
    /// Nobody answered.
    pub(super) const EPROTO: i32 = -71;
    /// The packet is longer than the host's buffer.
    pub(super) const EOVERFLOW: i32 = -75;
    /// Taken back by UNLINK.
    pub(super) const ECONNRESET: i32 = -104;
    /// Less data than the host insists on.
    pub(super) const EREMOTEIO: i32 = -121;
}

/// What the first bytes on the connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Transfers at once: the kernel was given this connection together with a device id of its user's choice.
    Attached,
    /// The USB/IP service: the host asks for the device list or imports the device first.
    Service,
}

/// What the owner of the connection has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The host wants the device: call [`Connection::accept_import`] or [`Connection::refuse_import`].
    ImportRequested,
    /// The host has configured the device. It starts anew: what it knew before (channels) is gone.
    Configured,
    /// The host has taken the configuration away; no reports until the next [`Event::Configured`].
    Deconfigured,
}

/// A report was given although [`Connection::can_send`] is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One host's connection; see the module's description.
pub struct Connection {
    stage: Stage,
    identity: Identity,
    device: Device,
    pending: VecDeque<PendingIn>,
    import_requested: bool,
    configuration: Option<Event>,
    partial: Vec<u8>,
    output: Output,
}

/// What the next bytes are.
enum Stage {
    /// Requests before the import.
    Service,
    /// Nothing, the answer to the import is due.
    Deciding,
    /// Commands. The device id is the one of the import, or the first one seen.
    Attached { device_id: Option<u32> },
}

/// An interrupt-IN transfer that waits for a report.
struct PendingIn {
    seqnum: u32,
    flags: u32,
    length: u32,
}

/// What one look at the bytes gave.
enum Step {
    /// A packet of this many bytes was handled.
    Took(usize),
    /// There is no whole packet before there are this many bytes.
    Needs(usize),
}

impl Connection {
    /// A device that was just plugged into this host.
    pub fn new(phase: Phase, identity: &Identity) -> Self {
        Self {
            stage: match phase {
                Phase::Attached => Stage::Attached { device_id: None },
                Phase::Service => Stage::Service,
            },
            identity: identity.clone(),
            device: Device::new(identity),
            pending: VecDeque::new(),
            import_requested: false,
            configuration: None,
            partial: Vec::new(),
            output: Output::default(),
        }
    }

    /// Takes bytes from the host, at most a read buffer's worth at a time (64 KiB), and only while
    /// [`wants_input`](Self::wants_input) says so: otherwise the host is taken for one that never reads.
    ///
    /// # Errors
    /// The host broke the protocol: drop the connection. Nothing else is harmed.
    pub fn handle_bytes(&mut self, mut input: &[u8]) -> Result<(), Error> {
        let mut partial = core::mem::take(&mut self.partial);
        loop {
            if partial.is_empty() {
                match self.handle_packet(input)? {
                    Step::Took(n) => input = input.get(n..).unwrap_or_default(),
                    Step::Needs(_) if input.is_empty() => break,
                    Step::Needs(n) => {
                        partial.reserve(n);
                        partial.extend_from_slice(input);
                        break;
                    }
                }
            } else {
                match self.handle_packet(&partial)? {
                    Step::Took(_) => partial.clear(),
                    Step::Needs(_) if input.is_empty() => break,
                    Step::Needs(n) => {
                        let missing = n.saturating_sub(partial.len()).min(input.len());
                        let (head, rest) = input.split_at(missing);
                        partial.extend_from_slice(head);
                        input = rest;
                    }
                }
            }
        }
        self.partial = partial;
        Ok(())
    }

    /// What happened, if anything.
    pub fn poll_event(&mut self) -> Option<Event> {
        if core::mem::take(&mut self.import_requested) {
            return Some(Event::ImportRequested);
        }
        self.configuration.take()
    }

    /// Gives the device to the host that asked for it.
    pub fn accept_import(&mut self) {
        if matches!(self.stage, Stage::Deciding) {
            let record = record(&self.identity);
            wire::emit_import(Ok(&record), self.output.end());
            self.stage = Stage::Attached {
                device_id: Some(record.device_id()),
            };
        }
    }

    /// Tells the host that somebody else has the device. It may ask again.
    pub fn refuse_import(&mut self) {
        if matches!(self.stage, Stage::Deciding) {
            wire::emit_import(Err(Refusal::Busy), self.output.end());
            self.stage = Stage::Service;
        }
    }

    /// The next report from the host.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.device.poll_report()
    }

    /// Whether the host waits for a report, so that one would reach it now.
    pub fn can_send(&self) -> bool {
        !self.pending.is_empty() && self.device.is_configured()
    }

    /// Sends a report to the host.
    ///
    /// # Errors
    /// [`Full`] when [`can_send`](Self::can_send) is false.
    pub fn send_report(&mut self, report: Report) -> Result<(), Full> {
        if !self.can_send() {
            return Err(Full);
        }
        self.device.interrupt_in(&report).map_err(|_| Full)?;
        let PendingIn {
            seqnum,
            flags,
            length,
        } = self.pending.pop_front().ok_or(Full)?;
        self.reply_in(seqnum, flags, length, &report.0);
        Ok(())
    }

    /// Bytes for the host.
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// Forgets the first `n` bytes of [`output`](Self::output): the socket has them.
    pub fn consume_output(&mut self, n: usize) {
        self.output.consume(n);
    }

    /// Whether to read from the host; false while output, reports or an import have to be dealt with first.
    pub fn wants_input(&self) -> bool {
        self.output.waiting().len() < OUTPUT_WAITING_MAX
            && self.device.reports_waiting() < REPORTS_WAITING_MAX
            && !matches!(self.stage, Stage::Deciding)
    }

    fn handle_packet(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        if self.output.waiting().len() > OUTPUT_MAX {
            return Err(Error::NotReading);
        }
        match self.stage {
            Stage::Deciding if bytes.is_empty() => Ok(Step::Needs(1)),
            Stage::Deciding => Err(Error::TooEarly),
            Stage::Service => match Operation::parse(bytes)? {
                Parsed::Needs(n) => Ok(Step::Needs(n)),
                Parsed::Whole(operation, rest) => {
                    self.handle_operation(operation);
                    Ok(Step::Took(bytes.len() - rest.len()))
                }
            },
            Stage::Attached { device_id } => match Command::parse(bytes)? {
                Parsed::Needs(n) => Ok(Step::Needs(n)),
                Parsed::Whole(command, rest) => {
                    self.handle_command(device_id, command)?;
                    Ok(Step::Took(bytes.len() - rest.len()))
                }
            },
        }
    }

    fn handle_operation(&mut self, operation: Operation) {
        let record = record(&self.identity);
        match operation {
            Operation::DeviceList => wire::emit_device_list(&record, self.output.end()),
            Operation::Import { bus_id } if is_same_text(bus_id, record.bus_id_field()) => {
                self.stage = Stage::Deciding;
                self.import_requested = true;
            }
            Operation::Import { .. } => wire::emit_import(Err(Refusal::NoDevice), self.output.end()),
        }
    }

    fn handle_command(&mut self, device_id: Option<u32>, command: Command<'_>) -> Result<(), Error> {
        let (Command::Submit(Submit { device_id: named, .. }) | Command::Unlink { device_id: named, .. }) =
            command;
        match device_id {
            Some(own) if own != named => return Err(Error::WrongDevice(named)),
            Some(_) => {}
            None => {
                self.stage = Stage::Attached {
                    device_id: Some(named),
                }
            }
        }
        match command {
            Command::Submit(submit) => self.handle_submit(submit),
            Command::Unlink { seqnum, target, .. } => self.handle_unlink(seqnum, target),
        }
        Ok(())
    }

    fn handle_unlink(&mut self, seqnum: u32, target: u32) {
        let position = self.pending.iter().position(|pending| pending.seqnum == target);
        let status = match position.and_then(|position| self.pending.remove(position)) {
            Some(_) => status::ECONNRESET,
            None => status::OK,
        };
        Reply::Unlink { seqnum, status }.emit(self.output.end());
    }

    fn handle_submit(&mut self, submit: Submit<'_>) {
        match (submit.endpoint, submit.direction) {
            (0, _) => self.handle_control(submit),
            (1, Direction::Out) => match self.device.interrupt_out(submit.data) {
                Ok(()) => self.reply_out(submit.seqnum, submit.data),
                Err(refused) => self.reply_refused(submit.seqnum, refused),
            },
            (1, Direction::In) => self.handle_interrupt_in(submit),
            _ => self.reply_refused(submit.seqnum, Refused::Silent),
        }
    }

    fn handle_interrupt_in(&mut self, submit: Submit<'_>) {
        let Submit {
            seqnum,
            flags,
            length,
            ..
        } = submit;
        if !self.device.is_configured() {
            return self.reply_refused(seqnum, Refused::Silent);
        }
        if self.device.is_in_halted() {
            return self.reply_refused(seqnum, Refused::Stalled);
        }
        if usize::try_from(length).is_ok_and(|length| length < REPORT_LEN) {
            return self.reply(seqnum, status::EOVERFLOW, 0);
        }
        if self.pending.len() >= PENDING_URBS_MAX {
            return self.reply(seqnum, status::ENOMEM, 0);
        }
        self.pending.push_back(PendingIn {
            seqnum,
            flags,
            length,
        });
    }

    fn handle_control(&mut self, submit: Submit<'_>) {
        let Submit {
            seqnum,
            flags,
            length,
            direction,
            data,
            ..
        } = submit;
        let setup = Setup(submit.setup);
        let was_configured = self.device.is_configured();
        match (setup.is_in(), direction) {
            (true, Direction::In) => match self.device.control_in(setup) {
                Ok(data) => self.reply_in(seqnum, flags, length, &data),
                Err(refused) => self.reply_refused(seqnum, refused),
            },
            (true, Direction::Out) => self.reply_refused(seqnum, Refused::Stalled),
            (false, _) => match self.device.control_out(setup, data) {
                Ok(()) => {
                    self.reply_out(seqnum, data);
                    self.note_changes(setup, was_configured);
                }
                Err(refused) => self.reply_refused(seqnum, refused),
            },
        }
    }

    /// What a successful request may have changed: the configuration, or a halt of the IN endpoint.
    fn note_changes(&mut self, setup: Setup, was_configured: bool) {
        match (was_configured, self.device.is_configured()) {
            (_, true) if setup.is_set_configuration() => self.configuration = Some(Event::Configured),
            (true, false) => self.configuration = Some(Event::Deconfigured),
            _ => {}
        }
        if self.device.is_in_halted() {
            while let Some(PendingIn { seqnum, .. }) = self.pending.pop_front() {
                self.reply_refused(seqnum, Refused::Stalled);
            }
        }
    }

    fn reply_in(&mut self, seqnum: u32, flags: u32, length: u32, data: &[u8]) {
        let room = usize::try_from(length).unwrap_or(usize::MAX);
        let data = data.get(..room).unwrap_or(data);
        let is_short = data.len() < room;
        let status = if is_short && flags & URB_SHORT_NOT_OK != 0 {
            status::EREMOTEIO
        } else {
            status::OK
        };
        self.reply(seqnum, status, data.len());
        self.output.end().extend_from_slice(data);
    }

    fn reply_out(&mut self, seqnum: u32, data: &[u8]) {
        self.reply(seqnum, status::OK, data.len());
    }

    fn reply_refused(&mut self, seqnum: u32, refused: Refused) {
        let status = match refused {
            Refused::Stalled => status::EPIPE,
            Refused::Silent => status::EPROTO,
        };
        self.reply(seqnum, status, 0);
    }

    fn reply(&mut self, seqnum: u32, status: i32, transferred: usize) {
        let actual_length = u32::try_from(transferred).expect("data is bounded by DATA_LEN_MAX");
        Reply::Submit {
            seqnum,
            status,
            actual_length,
        }
        .emit(self.output.end());
    }
}

fn record(identity: &Identity) -> DeviceRecord<'static> {
    DeviceRecord {
        path: PATH,
        bus_id: BUS_ID,
        bus_number: BUS_NUMBER,
        device_number: DEVICE_NUMBER,
        speed: SPEED_FULL,
        vendor_id: identity.vendor_id,
        product_id: identity.product_id,
        device_release: identity.device_release,
        interface: INTERFACE_CLASS,
    }
}

/// Compares text fields up to their first zero: what follows it is not defined.
fn is_same_text(a: [u8; BUS_ID_LEN], b: [u8; BUS_ID_LEN]) -> bool {
    let text = |field: [u8; BUS_ID_LEN]| field.into_iter().take_while(|byte| *byte != 0);
    text(a).eq(text(b))
}

#[cfg(test)]
mod tests;
