//! The device as a USB host uses it: whole control transfers, OUT data, IN reports.
//!
//! In: transfers of a host. Out: their results. `usb-device` answers standard requests, `usb/hid.rs` the rest;
//! this file cuts transfers into packets and back (USB 2.0 §5.5.5, §8.5.3). No URB, no USB/IP.

use self_cell::self_cell;
use usb_device::UsbDirection;
use usb_device::bus::UsbBusAllocator;
use usb_device::control::Request;
use usb_device::device::{StringDescriptors, UsbDevice, UsbDeviceBuilder, UsbDeviceState, UsbRev, UsbVidPid};

use super::bus::{Bus, PACKET_LEN, Pipe};
use super::hid::FidoHid;
use super::identity::Identity;
use crate::report::Report;

/// The most data that a control transfer returns: the control buffer of `usb-device`.
const CONTROL_DATA_MAX: usize = 128;

/// Data of a control transfer to the host.
pub(crate) type ControlData = heapless::Vec<u8, CONTROL_DATA_MAX>;

/// The eight bytes that start a control transfer (USB 2.0 §9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup(pub(crate) [u8; 8]);

/// Why a transfer did not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The device answers STALL.
    Stalled,
    /// The device has no such endpoint, or not in this configuration: it does not answer.
    Silent,
}

/// A plugged-in key.
pub(crate) struct Device(Cell);

/// What the stack borrows.
struct Hardware {
    allocator: UsbBusAllocator<Bus>,
    identity: Identity,
}

/// `usb-device` with its only class.
struct Stack<'a> {
    device: UsbDevice<'a, Bus>,
    hid: FidoHid<'a>,
}

self_cell!(
    struct Cell {
        owner: Hardware,
        #[covariant]
        dependent: Stack,
    }
);

impl Setup {
    /// Whether the data stage goes to the host.
    pub(crate) fn is_in(self) -> bool {
        UsbDirection::from(self.0[0]) == UsbDirection::In
    }

    /// `wLength`.
    fn length(self) -> u16 {
        let [.., low, high] = self.0;
        u16::from_le_bytes([low, high])
    }

    /// Whether this is SET_CONFIGURATION (USB 2.0 §9.4.7).
    pub(crate) fn is_set_configuration(self) -> bool {
        matches!(self.0, [0x00, Request::SET_CONFIGURATION, ..])
    }
}

impl Device {
    /// The device of that identity, just plugged in.
    pub(crate) fn new(identity: &Identity) -> Self {
        let hardware = Hardware {
            allocator: UsbBusAllocator::new(Bus::new()),
            identity: identity.bounded(),
        };
        let mut device = Self(Cell::new(hardware, |hardware| Stack::new(hardware)));
        device.poll(); // the reset
        device
    }

    /// Whether the host has configured the device, so that its interrupt endpoints exist.
    pub(crate) fn is_configured(&self) -> bool {
        self.stack().device.state() == UsbDeviceState::Configured
    }

    /// Whether the host has halted the IN endpoint.
    pub(crate) fn is_in_halted(&self) -> bool {
        self.bus().is_interrupt_halted(UsbDirection::In)
    }

    /// A control transfer with data to the host, or with none.
    ///
    /// # Errors
    /// [`Refused::Stalled`] when the device does not know or like the request.
    pub(crate) fn control_in(&mut self, setup: Setup) -> Result<ControlData, Refused> {
        self.bus().put_setup(setup.0);
        self.poll();
        let mut data = ControlData::new();
        let mut packet = self.bus().take_in(Pipe::Control).ok_or(Refused::Stalled)?;
        loop {
            self.poll();
            let is_last = data.extend_from_slice(&packet).is_err() || packet.len() < PACKET_LEN;
            packet = match self.bus().take_in(Pipe::Control) {
                Some(packet) if !is_last => packet,
                _ => break,
            };
        }
        self.bus().put_out(Pipe::Control, &[]); // the status stage
        self.poll();
        Ok(data)
    }

    /// A control transfer with data to the device, or with none.
    ///
    /// # Errors
    /// [`Refused::Stalled`] when the device does not know or like the request, or `data` is not as long as it says.
    pub(crate) fn control_out(&mut self, setup: Setup, data: &[u8]) -> Result<(), Refused> {
        if data.len() != usize::from(setup.length()) {
            return Err(Refused::Stalled);
        }
        self.bus().put_setup(setup.0);
        self.poll();
        for packet in data.chunks(PACKET_LEN) {
            self.bus().put_out(Pipe::Control, packet);
            self.poll();
        }
        // The status stage is an empty packet; a device that stalls sends none.
        self.bus().take_in(Pipe::Control).ok_or(Refused::Stalled)?;
        self.poll();
        if setup.is_set_configuration() {
            self.restart_endpoints();
        }
        Ok(())
    }

    /// Data for the OUT endpoint, one report per packet.
    ///
    /// # Errors
    /// [`Refused`] when the endpoint is halted or does not exist now.
    pub(crate) fn interrupt_out(&mut self, data: &[u8]) -> Result<(), Refused> {
        if !self.is_configured() {
            return Err(Refused::Silent);
        }
        if self.bus().is_interrupt_halted(UsbDirection::Out) {
            return Err(Refused::Stalled);
        }
        for packet in data.chunks(PACKET_LEN) {
            self.bus().put_out(Pipe::Interrupt, packet);
            self.poll();
        }
        Ok(())
    }

    /// Passes `report` through the IN endpoint, to a host that waits for it.
    ///
    /// # Errors
    /// [`Refused`] when the endpoint is halted or does not exist now.
    pub(crate) fn interrupt_in(&mut self, report: &Report) -> Result<(), Refused> {
        if !self.is_configured() {
            return Err(Refused::Silent);
        }
        if self.is_in_halted() {
            return Err(Refused::Stalled);
        }
        self.stack().hid.send(report).map_err(|_| Refused::Stalled)?;
        self.bus().take_in(Pipe::Interrupt).ok_or(Refused::Silent)?;
        self.poll();
        Ok(())
    }

    /// The next report from the host.
    pub(crate) fn poll_report(&mut self) -> Option<Report> {
        self.0
            .with_dependent_mut(|_, stack| stack.hid.received.pop_front())
    }

    /// How many reports from the host wait.
    pub(crate) fn reports_waiting(&self) -> usize {
        self.stack().hid.received.len()
    }

    fn restart_endpoints(&mut self) {
        self.bus().restart_interrupt();
        self.0.with_dependent_mut(|_, stack| stack.hid.received.clear());
    }

    fn poll(&mut self) {
        self.0.with_dependent_mut(|_, stack| {
            stack.device.poll(&mut [&mut stack.hid]);
        });
    }

    fn stack(&self) -> &Stack<'_> {
        self.0.borrow_dependent()
    }

    fn bus(&self) -> &Bus {
        self.stack().device.bus()
    }
}

impl<'a> Stack<'a> {
    fn new(hardware: &'a Hardware) -> Self {
        let Hardware { allocator, identity } = hardware;
        let hid = FidoHid::new(allocator);
        let mut strings = StringDescriptors::default()
            .manufacturer(&identity.manufacturer)
            .product(&identity.product);
        if let Some(serial) = &identity.serial {
            strings = strings.serial_number(serial);
        }
        let device = UsbDeviceBuilder::new(allocator, UsbVidPid(identity.vendor_id, identity.product_id))
            .device_release(identity.device_release)
            .usb_rev(UsbRev::Usb200) // 2.00: no BOS descriptor, USB 2.0 has no need of one
            .max_packet_size_0(64)
            .expect("64 is one of the four sizes")
            .strings(&[strings])
            .expect("one language is not too many")
            .build();
        Self { device, hid }
    }
}
