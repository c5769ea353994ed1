//! The FIDO HID function: interface descriptor, class requests, reports (HID 1.11 §7, CTAP 2.3 §11.2.8).
//!
//! In: what `usb-device` found on the bus. Out: reports from the host. What a report means is not here.

use std::collections::VecDeque;

use usb_device::bus::{InterfaceNumber, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::control::{Recipient, Request, RequestType};
use usb_device::descriptor::DescriptorWriter;
use usb_device::endpoint::{EndpointAddress, EndpointIn, EndpointOut};

use super::bus::{Bus, PACKET_LEN};
use super::descriptors::{HID, HID_BODY, INTERFACE_CLASS, REPORT, TYPE_HID, TYPE_REPORT};
use crate::report::{REPORT_LEN, Report};

// HID 1.11 §7.2.
const GET_REPORT: u8 = 0x01;
const GET_IDLE: u8 = 0x02;
const SET_REPORT: u8 = 0x09;
const SET_IDLE: u8 = 0x0A;

// `wValue` of GET_REPORT and SET_REPORT: report type and report id 0 (HID 1.11 §7.2.1).
const INPUT_REPORT: u16 = 0x0100;
const OUTPUT_REPORT: u16 = 0x0200;

/// `bInterval`: the host may poll every millisecond. A host controller emulation between us and the host may
/// keep to it, and a message of 7609 bytes takes 129 polls.
const POLL_INTERVAL_MS: u8 = 1;

const PACKET_SIZE: u16 = 64;

/// The function of the only interface.
pub(super) struct FidoHid<'a> {
    interface: InterfaceNumber,
    to_host: EndpointIn<'a, Bus>,
    from_host: EndpointOut<'a, Bus>,
    pub(super) received: VecDeque<Report>,
}

impl<'a> FidoHid<'a> {
    pub(super) fn new(allocator: &'a UsbBusAllocator<Bus>) -> Self {
        Self {
            interface: allocator.interface(),
            to_host: allocator.interrupt(PACKET_SIZE, POLL_INTERVAL_MS),
            from_host: allocator.interrupt(PACKET_SIZE, POLL_INTERVAL_MS),
            received: VecDeque::new(),
        }
    }

    /// Puts a report into the IN endpoint.
    pub(super) fn send(&self, report: &Report) -> usb_device::Result<()> {
        self.to_host.write(&report.0).map(drop)
    }

    fn is_for_interface(&self, request: &Request) -> bool {
        request.recipient == Recipient::Interface && request.index == u16::from(u8::from(self.interface))
    }

    /// A standard request for an interface or endpoint that this device does not have (USB 2.0 §9.4).
    fn is_for_nothing(&self, request: &Request) -> bool {
        if request.request_type != RequestType::Standard {
            return false;
        }
        match request.recipient {
            Recipient::Interface => !self.is_for_interface(request),
            Recipient::Endpoint => {
                let endpoints = [
                    0x00,
                    0x80,
                    self.to_host.address().into(),
                    self.from_host.address().into(),
                ];
                !endpoints
                    .into_iter()
                    .map(u16::from)
                    .any(|address: u16| address == request.index)
            }
            Recipient::Device | Recipient::Other | Recipient::Reserved => false,
        }
    }

    fn take_report(&mut self, bytes: &[u8]) {
        // A host may leave out trailing zeros; an empty packet carries no report.
        if !bytes.is_empty() {
            self.received.push_back(Report::padded(bytes));
        }
    }
}

impl UsbClass<Bus> for FidoHid<'_> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> usb_device::Result<()> {
        let [class, subclass, protocol] = INTERFACE_CLASS;
        writer.interface(self.interface, class, subclass, protocol)?;
        writer.write(TYPE_HID, &HID_BODY)?;
        writer.endpoint(&self.to_host)?;
        writer.endpoint(&self.from_host)
    }

    fn reset(&mut self) {
        self.received.clear();
    }

    fn control_in(&mut self, transfer: ControlIn<'_, '_, '_, Bus>) {
        let request = *transfer.request();
        // `usb-device` rejects what nobody accepts; an error here could only say that it was answered already.
        let _answered = match (request.request_type, request.request) {
            _ if self.is_for_nothing(&request) => transfer.reject(),
            _ if !self.is_for_interface(&request) => return,
            (RequestType::Standard, Request::GET_DESCRIPTOR) => match request.descriptor_type_index() {
                (TYPE_REPORT, 0) => transfer.accept_with_static(&REPORT),
                (TYPE_HID, 0) => transfer.accept_with_static(&HID),
                _ => transfer.reject(),
            },
            // Mandatory for every HID device. There is no state to report: the report of an empty channel.
            (RequestType::Class, GET_REPORT) if request.value == INPUT_REPORT => {
                transfer.accept_with(&[0; REPORT_LEN])
            }
            // Duration 0: reports are sent when there is something to say.
            (RequestType::Class, GET_IDLE) => transfer.accept_with(&[0]),
            _ => return,
        };
    }

    fn control_out(&mut self, transfer: ControlOut<'_, '_, '_, Bus>) {
        let request = *transfer.request();
        let _answered = match (request.request_type, request.request) {
            _ if self.is_for_nothing(&request) => transfer.reject(),
            _ if !self.is_for_interface(&request) => return,
            // The same report as on the OUT endpoint (HID 1.11 §7.2.2).
            (RequestType::Class, SET_REPORT)
                if request.value == OUTPUT_REPORT && request.length <= PACKET_SIZE =>
            {
                self.take_report(transfer.data());
                transfer.accept()
            }
            // Duration in the high byte; only "indefinite" can be promised.
            (RequestType::Class, SET_IDLE) if request.value <= 0xFF => transfer.accept(),
            _ => return,
        };
    }

    fn endpoint_out(&mut self, address: EndpointAddress) {
        if address != self.from_host.address() {
            return;
        }
        let mut packet = [0; PACKET_LEN];
        if let Ok(len) = self.from_host.read(&mut packet)
            && let Some(packet) = packet.get(..len)
        {
            self.take_report(packet);
        }
    }
}
