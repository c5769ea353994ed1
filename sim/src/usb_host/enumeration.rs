//! What Linux asks of a new device, in its order: the descriptors, the strings, the configuration, and then what its
//! HID driver asks. USB 2.0 §9.4, HID 1.11 §7. SET_ADDRESS is not here: the kernel's virtual host keeps it to itself.

use super::Error;
use super::descriptors::{self, Device};

const GET_DESCRIPTOR: u8 = 0x06;
const SET_CONFIGURATION: u8 = 0x09;
const SET_IDLE: u8 = 0x0A;

const TO_DEVICE: u8 = 0x00;
const FROM_DEVICE: u8 = 0x80;
const FROM_INTERFACE: u8 = 0x81;
const CLASS_TO_INTERFACE: u8 = 0x21;

const DEVICE: u16 = 0x0100;
const CONFIGURATION: u16 = 0x0200;
const STRING: u16 = 0x0300;
const HID_REPORT: u16 = 0x2200;

/// What the kernel asks for before it knows the packet size of endpoint 0.
const FIRST_DEVICE_DESCRIPTOR_LEN: u16 = 64;
const STRING_LEN_MAX: u16 = 255;
/// Linux's HID driver asks again when the answer is short.
const REPORT_DESCRIPTOR_REQUESTS_MAX: u8 = 4;

/// One control transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) request_type: u8,
    pub(super) request: u8,
    pub(super) value: u16,
    pub(super) index: u16,
    /// How many bytes may come; nothing is sent to the device.
    pub(super) length: u16,
}

impl Control {
    pub(super) fn is_in(self) -> bool {
        self.request_type & FROM_DEVICE != 0
    }

    /// The setup packet.
    pub(super) fn setup(self) -> [u8; 8] {
        let [v0, v1] = self.value.to_le_bytes();
        let [i0, i1] = self.index.to_le_bytes();
        let [l0, l1] = self.length.to_le_bytes();
        [self.request_type, self.request, v0, v1, i0, i1, l0, l1]
    }
}

/// How a control transfer ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: i32,
    pub(super) data: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    FirstDeviceDescriptor,
    DeviceDescriptor,
    ConfigurationHead,
    Configuration(u16),
    Languages,
    Product,
    Manufacturer,
    Serial,
    SetConfiguration,
    SetIdle,
    ReportDescriptor,
    Done,
}

/// An enumeration under way.
pub(super) struct Enumeration {
    step: Step,
    language: u16,
    device: Device,
}

impl Enumeration {
    pub(super) fn new() -> Self {
        Self {
            step: Step::FirstDeviceDescriptor,
            language: 0,
            device: Device::default(),
        }
    }

    /// The device, once everything was asked.
    pub(super) fn finished(&self) -> Option<&Device> {
        (self.step == Step::Done).then_some(&self.device)
    }

    /// The transfer of the current step, `None` when nothing is left to ask.
    pub(super) fn request(&self) -> Option<Control> {
        let get = |value, index, length| Control {
            request_type: FROM_DEVICE,
            request: GET_DESCRIPTOR,
            value,
            index,
            length,
        };
        let string = |index: Option<u8>| {
            get(
                STRING | u16::from(index.unwrap_or(0)),
                self.language,
                STRING_LEN_MAX,
            )
        };
        let interface = self.device.interface_number.into();
        Some(match self.step {
            Step::FirstDeviceDescriptor => get(DEVICE, 0, FIRST_DEVICE_DESCRIPTOR_LEN),
            Step::DeviceDescriptor => get(DEVICE, 0, descriptors::DEVICE_LEN),
            Step::ConfigurationHead => get(CONFIGURATION, 0, descriptors::CONFIGURATION_LEN),
            Step::Configuration(length) => get(CONFIGURATION, 0, length),
            Step::Languages => get(STRING, 0, STRING_LEN_MAX),
            Step::Product => string(self.device.product_index),
            Step::Manufacturer => string(self.device.manufacturer_index),
            Step::Serial => string(self.device.serial_index),
            Step::SetConfiguration => Control {
                request_type: TO_DEVICE,
                request: SET_CONFIGURATION,
                value: self.device.configuration_value.into(),
                index: 0,
                length: 0,
            },
            Step::SetIdle => Control {
                request_type: CLASS_TO_INTERFACE,
                request: SET_IDLE,
                value: 0,
                index: interface,
                length: 0,
            },
            Step::ReportDescriptor => Control {
                request_type: FROM_INTERFACE,
                request: GET_DESCRIPTOR,
                value: HID_REPORT,
                index: interface,
                length: self.device.report_descriptor_len,
            },
            Step::Done => return None,
        })
    }

    /// Takes the answer to [`Self::request`] and goes on to the next step.
    pub(super) fn handle_answer(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.step = match self.step {
            Step::FirstDeviceDescriptor => {
                descriptors::read_packet_size(must("the first GET_DESCRIPTOR(device)", answer)?)?;
                Step::DeviceDescriptor
            }
            Step::DeviceDescriptor => {
                self.device.read_device(must("GET_DESCRIPTOR(device)", answer)?)?;
                Step::ConfigurationHead
            }
            Step::ConfigurationHead => {
                let head = must("the first GET_DESCRIPTOR(configuration)", answer)?;
                Step::Configuration(descriptors::read_total_length(head)?)
            }
            Step::Configuration(length) => {
                self.device
                    .read_configuration(must("GET_DESCRIPTOR(configuration)", answer)?, length)?;
                self.after_configuration()
            }
            Step::Languages => {
                self.language = descriptors::read_language(must("GET_DESCRIPTOR(languages)", answer)?)?;
                self.string_after(Step::Languages)
            }
            Step::Product => {
                self.device.product = read_string("GET_DESCRIPTOR(product)", answer)?;
                self.string_after(Step::Product)
            }
            Step::Manufacturer => {
                self.device.manufacturer = read_string("GET_DESCRIPTOR(manufacturer)", answer)?;
                self.string_after(Step::Manufacturer)
            }
            Step::Serial => {
                self.device.serial = read_string("GET_DESCRIPTOR(serial)", answer)?;
                Step::SetConfiguration
            }
            Step::SetConfiguration => {
                must("SET_CONFIGURATION", answer)?;
                Step::SetIdle
            }
            // Linux does not mind a device without SET_IDLE.
            Step::SetIdle => Step::ReportDescriptor,
            Step::ReportDescriptor => {
                let bytes = must("GET_DESCRIPTOR(report)", answer)?;
                self.device.report_descriptor_requests += 1;
                if self.device.is_report_descriptor_short(bytes) && self.may_ask_for_report_descriptor() {
                    Step::ReportDescriptor
                } else {
                    self.device.read_report_descriptor(bytes)?;
                    Step::Done
                }
            }
            Step::Done => Step::Done,
        };
        Ok(())
    }

    fn may_ask_for_report_descriptor(&self) -> bool {
        self.device.report_descriptor_requests < REPORT_DESCRIPTOR_REQUESTS_MAX
    }

    fn after_configuration(&self) -> Step {
        let Device {
            product_index,
            manufacturer_index,
            serial_index,
            ..
        } = self.device;
        match [product_index, manufacturer_index, serial_index] {
            [None, None, None] => Step::SetConfiguration,
            _ => Step::Languages,
        }
    }

    /// The next string that the device has, in the kernel's order.
    fn string_after(&self, step: Step) -> Step {
        let strings = [
            (Step::Product, self.device.product_index),
            (Step::Manufacturer, self.device.manufacturer_index),
            (Step::Serial, self.device.serial_index),
        ];
        let done = strings
            .iter()
            .position(|(string, _)| *string == step)
            .map_or(0, |index| index + 1);
        let next = strings.iter().skip(done).find(|(_, index)| index.is_some());
        next.map_or(Step::SetConfiguration, |(string, _)| *string)
    }
}

fn must<'a>(request: &'static str, answer: Answer<'a>) -> Result<&'a [u8], Error> {
    match answer.status {
        0 => Ok(answer.data),
        status => Err(Error::RequestFailed { request, status }),
    }
}

fn read_string(request: &'static str, answer: Answer<'_>) -> Result<Option<String>, Error> {
    descriptors::read_string(must(request, answer)?).map(Some)
}
