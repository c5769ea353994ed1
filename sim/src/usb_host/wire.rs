//! USB/IP packets as the kernel's client side writes and reads them (kernel documentation, usbip_protocol.rst).

use super::Error;

const VERSION: u16 = 0x0111;
const OP_REQ_DEVLIST: u16 = 0x8005;
const OP_REP_DEVLIST: u16 = 0x0005;
const OP_REQ_IMPORT: u16 = 0x8003;
const OP_REP_IMPORT: u16 = 0x0003;
const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

const OP_HEADER_LEN: usize = 8;
const DEVICE_LEN: usize = 312;
/// The length of every header after the import.
pub(super) const HEADER_LEN: usize = 48;

/// `URB_DIR_IN`, which the kernel sets in the flags of every IN transfer.
const FLAG_DIRECTION_IN: u32 = 0x0200;

/// Which way the data of a transfer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Out,
    In,
}

/// One transfer to submit.
pub(super) struct Submit<'a> {
    pub(super) seqnum: u32,
    pub(super) device_id: u32,
    pub(super) endpoint: u8,
    pub(super) direction: Direction,
    pub(super) interval: u32,
    pub(super) setup: [u8; 8],
    /// IN: how many bytes may come; OUT: how many there are.
    pub(super) length: u32,
    /// OUT: the bytes.
    pub(super) data: &'a [u8],
}

pub(super) fn write_submit(output: &mut Vec<u8>, submit: &Submit<'_>) {
    let (direction, flags) = match submit.direction {
        Direction::Out => (0, 0),
        Direction::In => (1, FLAG_DIRECTION_IN),
    };
    let head = [
        CMD_SUBMIT,
        submit.seqnum,
        submit.device_id,
        direction,
        submit.endpoint.into(),
    ];
    let rest = [flags, submit.length, 0, 0, submit.interval];
    output.extend(head.into_iter().chain(rest).flat_map(u32::to_be_bytes));
    output.extend(submit.setup);
    output.extend(submit.data);
}

pub(super) fn write_unlink(output: &mut Vec<u8>, seqnum: u32, device_id: u32, unlinked: u32) {
    let head = [CMD_UNLINK, seqnum, device_id, 0, 0, unlinked];
    output.extend(head.into_iter().flat_map(u32::to_be_bytes));
    output.extend([0; 24]);
}

/// The head of a packet from the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Submit {
        seqnum: u32,
        status: i32,
        actual_length: i32,
    },
    Unlink {
        seqnum: u32,
        status: i32,
    },
}

/// Reads the header at the start of `input`, `None` when it is not there yet.
pub(super) fn read_reply(input: &[u8]) -> Result<Option<Reply>, Error> {
    let Some(header) = input.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let word = |index: usize| word(header, index * 4);
    let signed = |index: usize| i32::from_be_bytes(word(index).to_be_bytes());
    let seqnum = word(1);
    match word(0) {
        RET_SUBMIT => Ok(Some(Reply::Submit {
            seqnum,
            status: signed(5),
            actual_length: signed(6),
        })),
        RET_UNLINK => Ok(Some(Reply::Unlink {
            seqnum,
            status: signed(5),
        })),
        command => Err(Error::UnknownCommand(command)),
    }
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    u32::from_be_bytes(*bytes.expect("the offset lies in a packet of checked length"))
}

fn half(bytes: &[u8], offset: usize) -> u16 {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    u16::from_be_bytes(*bytes.expect("the offset lies in a packet of checked length"))
}

/// A device as `OP_REP_DEVLIST` and `OP_REP_IMPORT` describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedDevice {
    /// The name to import it by.
    pub bus_id: String,
    /// Bus number in the upper, device number in the lower half.
    pub device_id: u32,
    /// 1 low, 2 full, 3 high speed.
    pub speed: u32,
    /// The vendor.
    pub vendor_id: u16,
    /// The product.
    pub product_id: u16,
    /// How many interfaces it has.
    pub interfaces: u8,
}

pub(super) fn write_import(output: &mut Vec<u8>, bus_id: &str) {
    let mut padded = [0; 32];
    for (slot, byte) in padded.iter_mut().take(31).zip(bus_id.bytes()) {
        *slot = byte;
    }
    write_op(output, OP_REQ_IMPORT);
    output.extend(padded);
}

/// `OP_REQ_DEVLIST`, the only bytes to send on a connection that asks for the list of devices.
pub fn device_list_request() -> Vec<u8> {
    let mut output = Vec::new();
    write_op(&mut output, OP_REQ_DEVLIST);
    output
}

fn write_op(output: &mut Vec<u8>, code: u16) {
    output.extend(VERSION.to_be_bytes());
    output.extend(code.to_be_bytes());
    output.extend([0; 4]);
}

/// Reads the reply to the import and how many bytes it has, `None` when it is not there yet.
pub(super) fn read_import(input: &[u8]) -> Result<Option<(ExportedDevice, usize)>, Error> {
    let Some(body) = read_op(input, OP_REP_IMPORT)? else {
        return Ok(None);
    };
    Ok(body
        .get(..DEVICE_LEN)
        .map(|device| (read_device(device), OP_HEADER_LEN + DEVICE_LEN)))
}

/// Reads `OP_REP_DEVLIST`, `None` when it is not complete yet.
pub fn read_device_list(input: &[u8]) -> Result<Option<Vec<ExportedDevice>>, Error> {
    let Some(body) = read_op(input, OP_REP_DEVLIST)? else {
        return Ok(None);
    };
    let Some((count, mut rest)) = body.split_first_chunk() else {
        return Ok(None);
    };
    let mut devices = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let Some((device, tail)) = rest.split_at_checked(DEVICE_LEN) else {
            return Ok(None);
        };
        let device = read_device(device);
        let Some(tail) = tail.get(usize::from(device.interfaces) * 4..) else {
            return Ok(None);
        };
        devices.push(device);
        rest = tail;
    }
    Ok(Some(devices))
}

/// What follows a successful reply header with this code.
fn read_op(input: &[u8], wanted: u16) -> Result<Option<&[u8]>, Error> {
    let Some((header, body)) = input.split_first_chunk::<OP_HEADER_LEN>() else {
        return Ok(None);
    };
    let (version, code, status) = (half(header, 0), half(header, 2), word(header, 4));
    if version != VERSION || code != wanted {
        return Err(Error::WrongImportReply { version, code });
    }
    if status != 0 {
        return Err(Error::ImportRefused(status));
    }
    Ok(Some(body))
}

fn read_device(device: &[u8]) -> ExportedDevice {
    let bus_id = device.iter().skip(256).take(32).take_while(|byte| **byte != 0);
    ExportedDevice {
        bus_id: bus_id.copied().map(char::from).collect(),
        device_id: word(device, 288) << 16 | word(device, 292),
        speed: word(device, 296),
        vendor_id: half(device, 300),
        product_id: half(device, 302),
        interfaces: device.last().copied().unwrap_or_default(),
    }
}
