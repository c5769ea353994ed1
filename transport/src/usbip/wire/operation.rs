//! Requests before the import, and their answers: `OP_REQ_DEVLIST`, `OP_REQ_IMPORT`.

use super::{Parsed, take, u16_be, u32_be};
use crate::usbip::Error;

/// The protocol version, 1.1.1.
pub const VERSION: u16 = 0x0111;
/// The length of a bus id, zero-padded text.
pub const BUS_ID_LEN: usize = 32;

/// The length of a request without the bus id.
const OPERATION_LEN: usize = 8;
const PATH_LEN: usize = 256;

const OP_REQ_DEVLIST: u16 = 0x8005;
const OP_REP_DEVLIST: u16 = 0x0005;
const OP_REQ_IMPORT: u16 = 0x8003;
const OP_REP_IMPORT: u16 = 0x0003;

/// A request before the import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `OP_REQ_DEVLIST`.
    DeviceList,
    /// `OP_REQ_IMPORT`.
    Import {
        /// The device that is asked for.
        bus_id: [u8; BUS_ID_LEN],
    },
}

/// The status of an `OP_REP_IMPORT` (`ST_*` of the kernel's usbip tools).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else has imported the device.
    Busy,
    /// There is no device of that bus id.
    NoDevice,
}

/// The device record of `OP_REP_DEVLIST` and `OP_REP_IMPORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRecord<'a> {
    /// A path that names the device, for people.
    pub path: &'a str,
    /// What `OP_REQ_IMPORT` has to name.
    pub bus_id: &'a str,
    /// Half of the device id of the commands.
    pub bus_number: u16,
    /// The other half.
    pub device_number: u16,
    /// `enum usb_device_speed` of the kernel.
    pub speed: u32,
    /// `idVendor`.
    pub vendor_id: u16,
    /// `idProduct`.
    pub product_id: u16,
    /// `bcdDevice`.
    pub device_release: u16,
    /// Class, subclass and protocol of the only interface.
    pub interface: [u8; 3],
}

impl Operation {
    /// Reads the request at the head of `bytes`.
    ///
    /// # Errors
    /// [`Error::Version`] or [`Error::UnknownOperation`].
    pub fn parse(bytes: &[u8]) -> Result<Parsed<'_, Self>, Error> {
        let mut rest = bytes;
        let (Some(version), Some(code), Some(_status)) =
            (u16_be(&mut rest), u16_be(&mut rest), u32_be(&mut rest))
        else {
            return Ok(Parsed::Needs(OPERATION_LEN));
        };
        if version != VERSION {
            return Err(Error::Version(version));
        }
        match code {
            OP_REQ_DEVLIST => Ok(Parsed::Whole(Self::DeviceList, rest)),
            OP_REQ_IMPORT => match take(&mut rest) {
                Some(bus_id) => Ok(Parsed::Whole(Self::Import { bus_id }, rest)),
                None => Ok(Parsed::Needs(OPERATION_LEN + BUS_ID_LEN)),
            },
            _ => Err(Error::UnknownOperation(code)),
        }
    }

    /// Appends the request to `to`.
    pub fn emit(&self, to: &mut Vec<u8>) {
        match self {
            Self::DeviceList => emit_operation(to, OP_REQ_DEVLIST, 0),
            Self::Import { bus_id } => {
                emit_operation(to, OP_REQ_IMPORT, 0);
                to.extend(bus_id);
            }
        }
    }
}

impl Refusal {
    /// `ST_DEV_BUSY` and `ST_NODEV`.
    fn code(self) -> u32 {
        match self {
            Self::Busy => 2,
            Self::NoDevice => 4,
        }
    }
}

/// Appends an `OP_REP_DEVLIST` with one device to `to`.
pub fn emit_device_list(device: &DeviceRecord<'_>, to: &mut Vec<u8>) {
    emit_operation(to, OP_REP_DEVLIST, 0);
    to.extend(1_u32.to_be_bytes());
    emit_device(device, to);
    to.extend(device.interface);
    to.push(0);
}

/// Appends an `OP_REP_IMPORT` to `to`: the device, or why not.
pub fn emit_import(answer: Result<&DeviceRecord<'_>, Refusal>, to: &mut Vec<u8>) {
    match answer {
        Ok(device) => {
            emit_operation(to, OP_REP_IMPORT, 0);
            emit_device(device, to);
        }
        Err(refusal) => emit_operation(to, OP_REP_IMPORT, refusal.code()),
    }
}

fn emit_operation(to: &mut Vec<u8>, code: u16, status: u32) {
    to.extend(VERSION.to_be_bytes());
    to.extend(code.to_be_bytes());
    to.extend(status.to_be_bytes());
}

fn emit_device(device: &DeviceRecord<'_>, to: &mut Vec<u8>) {
    emit_text::<PATH_LEN>(device.path, to);
    emit_text::<BUS_ID_LEN>(device.bus_id, to);
    to.extend(u32::from(device.bus_number).to_be_bytes());
    to.extend(u32::from(device.device_number).to_be_bytes());
    to.extend(device.speed.to_be_bytes());
    to.extend(device.vendor_id.to_be_bytes());
    to.extend(device.product_id.to_be_bytes());
    to.extend(device.device_release.to_be_bytes());
    // bDeviceClass, bDeviceSubClass, bDeviceProtocol: given by the interface. bConfigurationValue,
    // bNumConfigurations, bNumInterfaces: one each.
    to.extend([0, 0, 0, 1, 1, 1]);
}

fn emit_text<const N: usize>(text: &str, to: &mut Vec<u8>) {
    to.extend(padded::<N>(text));
}

/// `text`, zero-padded to `N` bytes of which the last is always zero.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    let room = N.saturating_sub(1);
    field
        .iter_mut()
        .take(room)
        .zip(text.bytes())
        .for_each(|(to, from)| *to = from);
    field
}

impl DeviceRecord<'_> {
    /// The id that commands carry for this device.
    pub fn device_id(&self) -> u32 {
        (u32::from(self.bus_number) << 16) | u32::from(self.device_number)
    }

    /// The bus id as `OP_REQ_IMPORT` carries it.
    pub fn bus_id_field(&self) -> [u8; BUS_ID_LEN] {
        padded(self.bus_id)
    }
}
