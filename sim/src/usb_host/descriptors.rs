//! Descriptors as a host reads them, USB 2.0 §9.6 and HID 1.11 §6.2: bytes in, a checked [`Device`] out.

use super::Error;

pub(super) const DEVICE_LEN: u16 = 18;
pub(super) const CONFIGURATION_LEN: u16 = 9;
/// A configuration with one HID interface has 41 bytes; Linux itself takes up to 65535.
const TOTAL_LENGTH_MAX: u16 = 4096;
/// Linux's `HID_MAX_DESCRIPTOR_SIZE`.
const REPORT_DESCRIPTOR_LEN_MAX: u16 = 4096;

const TYPE_DEVICE: u8 = 1;
const TYPE_CONFIGURATION: u8 = 2;
const TYPE_STRING: u8 = 3;
const TYPE_INTERFACE: u8 = 4;
const TYPE_ENDPOINT: u8 = 5;
const TYPE_HID: u8 = 0x21;
const TYPE_REPORT: u8 = 0x22;
const CLASS_HID: u8 = 3;
const TRANSFER_INTERRUPT: u8 = 3;
/// Usage page 0xF1D0, usage 1: how every client finds a FIDO device.
const FIDO_USAGE: [u8; 5] = [0x06, 0xD0, 0xF1, 0x09, 0x01];

/// An interrupt endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Its number, without the direction.
    pub number: u8,
    /// Its largest packet.
    pub packet_len_max: u16,
    /// How often it is polled, in frames of 1 ms at full speed.
    pub interval: u8,
}

/// A device as the enumeration found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The version of USB, for example 0x0200.
    pub usb_release: u16,
    /// The packet size of endpoint 0.
    pub packet_len_max_0: u8,
    /// The vendor.
    pub vendor_id: u16,
    /// The product.
    pub product_id: u16,
    /// The release of the product.
    pub device_release: u16,
    /// The manufacturer's name.
    pub manufacturer: Option<String>,
    /// The product's name.
    pub product: Option<String>,
    /// The serial number.
    pub serial: Option<String>,
    /// The number of the configuration that was chosen.
    pub configuration_value: u8,
    /// The number of the HID interface.
    pub interface_number: u8,
    /// The interrupt IN endpoint.
    pub input: Endpoint,
    /// The interrupt OUT endpoint.
    pub output: Endpoint,
    /// The HID report descriptor.
    pub report_descriptor: Vec<u8>,
    /// How often the host had to ask for it: a correct device answers the first time.
    pub report_descriptor_requests: u8,
    pub(super) manufacturer_index: Option<u8>,
    pub(super) product_index: Option<u8>,
    pub(super) serial_index: Option<u8>,
    pub(super) report_descriptor_len: u16,
}

/// The packet size of endpoint 0, from the first bytes of the device descriptor.
pub(super) fn read_packet_size(bytes: &[u8]) -> Result<u8, Error> {
    match *bytes {
        [_, TYPE_DEVICE, _, _, _, _, _, size @ (8 | 16 | 32 | 64), ..] => Ok(size),
        _ => Err(Error::Descriptor("packet size of endpoint 0")),
    }
}

/// The length of the whole configuration.
pub(super) fn read_total_length(bytes: &[u8]) -> Result<u16, Error> {
    match *bytes {
        [9, TYPE_CONFIGURATION, low, high, ..] => Some(u16::from_le_bytes([low, high])),
        _ => None,
    }
    .filter(|length| (CONFIGURATION_LEN..=TOTAL_LENGTH_MAX).contains(length))
    .ok_or(Error::Descriptor("configuration descriptor"))
}

/// The first language of the strings.
pub(super) fn read_language(bytes: &[u8]) -> Result<u16, Error> {
    match *bytes {
        [4..=u8::MAX, TYPE_STRING, low, high, ..] => Ok(u16::from_le_bytes([low, high])),
        _ => Err(Error::Descriptor("list of languages")),
    }
}

/// A string in UTF-16, little endian.
pub(super) fn read_string(bytes: &[u8]) -> Result<String, Error> {
    let invalid = Error::Descriptor("string");
    let [length, TYPE_STRING, text @ ..] = bytes else {
        return Err(invalid);
    };
    if usize::from(*length) != bytes.len() || !text.len().is_multiple_of(2) {
        return Err(invalid);
    }
    let (pairs, _) = text.as_chunks();
    let units = pairs.iter().copied().map(u16::from_le_bytes);
    char::decode_utf16(units)
        .collect::<Result<_, _>>()
        .map_err(|_| invalid)
}

impl Device {
    pub(super) fn read_device(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Ok(
            [
                18,
                TYPE_DEVICE,
                u0,
                u1,
                _,
                _,
                _,
                size,
                v0,
                v1,
                p0,
                p1,
                r0,
                r1,
                manufacturer,
                product,
                serial,
                1..=u8::MAX,
            ],
        ) = <[u8; 18]>::try_from(bytes)
        else {
            return Err(Error::Descriptor("device descriptor"));
        };
        let index = |index: u8| (index != 0).then_some(index);
        self.usb_release = u16::from_le_bytes([u0, u1]);
        self.packet_len_max_0 = size;
        self.vendor_id = u16::from_le_bytes([v0, v1]);
        self.product_id = u16::from_le_bytes([p0, p1]);
        self.device_release = u16::from_le_bytes([r0, r1]);
        self.manufacturer_index = index(manufacturer);
        self.product_index = index(product);
        self.serial_index = index(serial);
        Ok(())
    }

    /// Reads the configuration: one HID interface with an interrupt endpoint in each direction.
    pub(super) fn read_configuration(&mut self, bytes: &[u8], length: u16) -> Result<(), Error> {
        if bytes.len() != usize::from(length) {
            return Err(Error::Descriptor("length of the configuration"));
        }
        let mut in_hid_interface = false;
        let (mut input, mut output) = (None, None);
        for descriptor in Descriptors(bytes) {
            match *descriptor? {
                [9, TYPE_CONFIGURATION, _, _, _, value, ..] => self.configuration_value = value,
                [9, TYPE_INTERFACE, number, _, _, class, ..] => {
                    in_hid_interface = class == CLASS_HID;
                    if in_hid_interface {
                        self.interface_number = number;
                    }
                }
                [
                    9..=u8::MAX,
                    TYPE_HID,
                    _,
                    _,
                    _,
                    1..=u8::MAX,
                    TYPE_REPORT,
                    low,
                    high,
                    ..,
                ] if in_hid_interface => {
                    self.report_descriptor_len = u16::from_le_bytes([low, high]);
                }
                [7..=u8::MAX, TYPE_ENDPOINT, address, kind, low, high, interval, ..]
                    if in_hid_interface && kind & 0x03 == TRANSFER_INTERRUPT =>
                {
                    let packet_len_max = u16::from_le_bytes([low, high]);
                    let endpoint = Endpoint {
                        number: address & 0x0F,
                        packet_len_max,
                        interval,
                    };
                    let slot = if address & 0x80 == 0 {
                        &mut output
                    } else {
                        &mut input
                    };
                    *slot = slot.or(Some(endpoint));
                }
                _ => {}
            }
        }
        self.input = input
            .filter(is_usable)
            .ok_or(Error::Descriptor("interrupt IN endpoint"))?;
        self.output = output
            .filter(is_usable)
            .ok_or(Error::Descriptor("interrupt OUT endpoint"))?;
        if !(1..=REPORT_DESCRIPTOR_LEN_MAX).contains(&self.report_descriptor_len) {
            return Err(Error::Descriptor("HID descriptor"));
        }
        Ok(())
    }

    pub(super) fn is_report_descriptor_short(&self, bytes: &[u8]) -> bool {
        bytes.len() < usize::from(self.report_descriptor_len)
    }

    pub(super) fn read_report_descriptor(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() != usize::from(self.report_descriptor_len) || !bytes.starts_with(&FIDO_USAGE) {
            return Err(Error::Descriptor("report descriptor"));
        }
        self.report_descriptor = bytes.to_vec();
        Ok(())
    }
}

fn is_usable(endpoint: &Endpoint) -> bool {
    endpoint.number != 0 && endpoint.packet_len_max == 64 && endpoint.interval != 0
}

/// The descriptors that follow each other in a configuration.
struct Descriptors<'a>(&'a [u8]);

impl<'a> Iterator for Descriptors<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(*self.0.first()?);
        match self.0.split_at_checked(length) {
            Some((descriptor @ [_, _, ..], rest)) => {
                self.0 = rest;
                Some(Ok(descriptor))
            }
            _ => {
                self.0 = &[];
                Some(Err(Error::Descriptor("descriptor length in the configuration")))
            }
        }
    }
}
