//! The host over a socket: reads and writes what the machine wants, waits with a limit of time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Device, Event, ExportedDevice, NotNow, Start, UsbHost, device_list_request, read_device_list};
use crate::clock;
use crate::report::{PipeError, Report, ReportPipe, TimedStream, read_some, write_all};

/// The longest list of devices that is read.
const DEVICE_LIST_LEN_MAX: usize = 64 * 1024;
/// How many reports wait for the program; more are lost, as in Linux (where it is 64).
const REPORTS_MAX: usize = 256;
/// How long a device may take to accept a report; Linux's HID driver waits as long.
const TAKE_REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// A USB host connected to a device. Dropping it unplugs the device.
pub struct UsbConnection<S> {
    stream: S,
    host: UsbHost,
    device: Device,
    reports: VecDeque<Report>,
    buffer: Box<[u8; 4096]>,
}

impl<S: TimedStream> UsbConnection<S> {
    /// Attaches the device at the other end of `stream` and enumerates it. For TCP the caller turns off Nagle's
    /// algorithm.
    pub fn open(stream: S, start: Start, timeout: Duration) -> Result<Self, PipeError> {
        let host = UsbHost::new(start);
        let (device, reports, buffer) = (Device::default(), VecDeque::new(), Box::new([0; 4096]));
        let mut connection = Self {
            stream,
            host,
            device,
            reports,
            buffer,
        };
        connection.wait_for(&Event::Ready, clock::now() + timeout)?;
        connection.device = connection
            .host
            .device()
            .cloned()
            .expect("Event::Ready comes with the device");
        Ok(connection)
    }

    /// What the enumeration found.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn wait_for(&mut self, wanted: &Event, deadline: Instant) -> Result<(), PipeError> {
        while !self.next_events(deadline)?.contains(wanted) {}
        Ok(())
    }

    /// Writes what is to be written, and waits for at least one event; reports are kept.
    fn next_events(&mut self, deadline: Instant) -> Result<Vec<Event>, PipeError> {
        loop {
            self.write_output()?;
            let events = self.take_events();
            if !events.is_empty() {
                return Ok(events);
            }
            self.read_input(deadline)?;
        }
    }

    fn write_output(&mut self) -> Result<(), PipeError> {
        if !self.host.output().is_empty() {
            write_all(&mut self.stream, self.host.output())?;
            self.host.consume_output(self.host.output().len());
        }
        Ok(())
    }

    fn take_events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.host.poll_event() {
            match event {
                Event::Report(report) if self.reports.len() < REPORTS_MAX => self.reports.push_back(report),
                Event::Report(_)
                | Event::Imported(_)
                | Event::Ready
                | Event::ReportTaken
                | Event::InputClosed { .. } => {}
            }
            events.push(event);
        }
        events
    }

    fn read_input(&mut self, deadline: Instant) -> Result<(), PipeError> {
        let left = deadline.saturating_duration_since(clock::now());
        match read_some(&mut self.stream, self.buffer.as_mut_slice(), left)? {
            Some(length) => self
                .host
                .handle_bytes(self.buffer.get(..length).unwrap_or_default())?,
            None if left.is_zero() => return Err(PipeError::TimedOut),
            None => {}
        }
        Ok(())
    }
}

impl<S: TimedStream> ReportPipe for UsbConnection<S> {
    /// Returns when the device has taken the report, like a write to Linux's hidraw.
    fn send_report(&mut self, report: &Report) -> Result<(), PipeError> {
        self.host
            .send_report(report)
            .map_err(|NotNow| PipeError::TimedOut)?;
        self.wait_for(&Event::ReportTaken, clock::now() + TAKE_REPORT_TIMEOUT)
    }

    fn receive_report(&mut self, timeout: Duration) -> Result<Option<Report>, PipeError> {
        let deadline = clock::now() + timeout;
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Ok(Some(report));
            }
            match self.next_events(deadline) {
                Ok(_) => {}
                Err(PipeError::TimedOut) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Asks a USB/IP service which devices it has. The service closes the connection afterwards.
pub fn list_devices<S: TimedStream>(
    stream: &mut S,
    timeout: Duration,
) -> Result<Vec<ExportedDevice>, PipeError> {
    let deadline = clock::now() + timeout;
    write_all(stream, &device_list_request())?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while received.len() < DEVICE_LIST_LEN_MAX {
        if let Some(devices) = read_device_list(&received)? {
            return Ok(devices);
        }
        let left = deadline.saturating_duration_since(clock::now());
        match read_some(stream, &mut buffer, left)? {
            Some(length) => received.extend(buffer.iter().take(length)),
            None if left.is_zero() => return Err(PipeError::TimedOut),
            None => {}
        }
    }
    Err(PipeError::TimedOut)
}
