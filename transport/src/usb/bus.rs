//! The wires between the USB/IP side and `usb-device`: one packet buffer per endpoint and direction.
//!
//! The host side ([`crate::usb::Device`]) puts SETUP and OUT packets in and takes IN packets out, then polls
//! `usb-device`, which finds here what a USB peripheral would tell it. A `Mutex` because `usb-device` shares
//! the bus by reference; it is never contended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use usb_device::bus::{PollResult, UsbBus};
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

/// The packet size of both endpoints, the largest at full speed (USB 2.0 §5.5.3, §5.7.3).
pub(super) const PACKET_LEN: usize = 64;

/// One packet on the bus.
pub(super) type Packet = heapless::Vec<u8, PACKET_LEN>;

/// The endpoints of this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pipe {
    /// Endpoint 0.
    Control,
    /// Endpoint 1, both directions.
    Interrupt,
}

/// The bus as `usb-device` wants it.
pub(super) struct Bus(Mutex<Wires>);

/// What is on the wires.
#[derive(Default)]
struct Wires {
    reset: bool,
    setup: Option<[u8; 8]>,
    control: Buffers,
    interrupt: Buffers,
}

/// Both directions of an endpoint.
#[derive(Default)]
struct Buffers {
    to_device: Option<Packet>,
    to_host: Option<Packet>,
    to_host_taken: bool,
    out_halted: bool,
    in_halted: bool,
}

impl Bus {
    /// A bus that starts with a reset, as a device sees it when it is plugged in.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Wires {
            reset: true,
            ..Wires::default()
        }))
    }

    /// A SETUP packet from the host. It ends whatever endpoint 0 was doing (USB 2.0 §8.5.3).
    pub(super) fn put_setup(&self, setup: [u8; 8]) {
        let mut wires = self.wires();
        wires.setup = Some(setup);
        wires.control = Buffers::default();
    }

    /// An OUT packet from the host.
    pub(super) fn put_out(&self, pipe: Pipe, packet: &[u8]) {
        let packet = Packet::from_slice(packet).ok();
        self.wires().pipe(pipe).to_device = packet;
    }

    /// The IN packet that the device has ready, if any.
    pub(super) fn take_in(&self, pipe: Pipe) -> Option<Packet> {
        let mut wires = self.wires();
        let buffers = wires.pipe(pipe);
        let packet = buffers.to_host.take();
        buffers.to_host_taken |= packet.is_some();
        packet
    }

    /// Empties the interrupt endpoint and ends its halt, both ways (USB 2.0 §9.1.1.5).
    pub(super) fn restart_interrupt(&self) {
        self.wires().interrupt = Buffers::default();
    }

    /// Whether the interrupt endpoint is halted in that direction.
    pub(super) fn is_interrupt_halted(&self, direction: UsbDirection) -> bool {
        let mut wires = self.wires();
        *wires.interrupt.halt(direction)
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wires {
    fn pipe(&mut self, pipe: Pipe) -> &mut Buffers {
        match pipe {
            Pipe::Control => &mut self.control,
            Pipe::Interrupt => &mut self.interrupt,
        }
    }

    fn at(&mut self, address: EndpointAddress) -> Result<&mut Buffers> {
        match address.index() {
            0 => Ok(&mut self.control),
            1 => Ok(&mut self.interrupt),
            _ => Err(UsbError::InvalidEndpoint),
        }
    }
}

impl Buffers {
    fn halt(&mut self, direction: UsbDirection) -> &mut bool {
        match direction {
            UsbDirection::Out => &mut self.out_halted,
            UsbDirection::In => &mut self.in_halted,
        }
    }
}

impl UsbBus for Bus {
    fn alloc_ep(
        &mut self,
        direction: UsbDirection,
        _address: Option<EndpointAddress>,
        kind: EndpointType,
        _max_packet_size: u16,
        _interval: u8,
    ) -> Result<EndpointAddress> {
        match kind {
            EndpointType::Control => Ok(EndpointAddress::from_parts(0, direction)),
            EndpointType::Interrupt => Ok(EndpointAddress::from_parts(1, direction)),
            EndpointType::Bulk | EndpointType::Isochronous { .. } => Err(UsbError::EndpointOverflow),
        }
    }

    fn enable(&mut self) {}

    fn reset(&self) {
        *self.wires() = Wires::default();
    }

    fn set_device_address(&self, _address: u8) {
        // USB/IP names the device in each command; its address on the host's virtual bus is not ours to know.
    }

    fn write(&self, address: EndpointAddress, packet: &[u8]) -> Result<usize> {
        let packet = Packet::from_slice(packet).map_err(|_| UsbError::BufferOverflow)?;
        let mut wires = self.wires();
        let buffers = wires.at(address)?;
        if buffers.to_host.is_some() {
            return Err(UsbError::WouldBlock);
        }
        let len = packet.len();
        buffers.to_host = Some(packet);
        Ok(len)
    }

    fn read(&self, address: EndpointAddress, to: &mut [u8]) -> Result<usize> {
        let mut wires = self.wires();
        if address.index() == 0
            && let Some(setup) = wires.setup.take()
        {
            return copy(&setup, to);
        }
        let packet = wires.at(address)?.to_device.take().ok_or(UsbError::WouldBlock)?;
        copy(&packet, to)
    }

    fn set_stalled(&self, address: EndpointAddress, stalled: bool) {
        if let Ok(buffers) = self.wires().at(address) {
            *buffers.halt(address.direction()) = stalled;
        }
    }

    fn is_stalled(&self, address: EndpointAddress) -> bool {
        self.wires()
            .at(address)
            .is_ok_and(|buffers| *buffers.halt(address.direction()))
    }

    fn suspend(&self) {}

    fn resume(&self) {}

    fn poll(&self) -> PollResult {
        let mut wires = self.wires();
        if core::mem::take(&mut wires.reset) {
            return PollResult::Reset;
        }
        let taken = |buffers: &mut Buffers, bit| {
            if core::mem::take(&mut buffers.to_host_taken) {
                bit
            } else {
                0
            }
        };
        let came = |buffers: &Buffers, bit| if buffers.to_device.is_some() { bit } else { 0 };
        let ep_setup = u16::from(wires.setup.is_some());
        let ep_out = came(&wires.control, 1) | came(&wires.interrupt, 2);
        let ep_in_complete = taken(&mut wires.control, 1) | taken(&mut wires.interrupt, 2);
        if ep_setup | ep_out | ep_in_complete == 0 {
            return PollResult::None;
        }
        PollResult::Data {
            ep_out,
            ep_in_complete,
            ep_setup,
        }
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> Result<usize> {
    let to = to.get_mut(..from.len()).ok_or(UsbError::BufferOverflow)?;
    to.copy_from_slice(from);
    Ok(from.len())
}
