//! A device written down byte by byte, and what a test does with it.

use super::*;

pub(super) const REPORT_DESCRIPTOR: [u8; 34] = [
    0x06, 0xD0, 0xF1, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95,
    0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xC0,
];

/// The bytes of a device's descriptors; tests change them.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) device: Vec<u8>,
    pub(super) configuration: Vec<u8>,
    pub(super) languages: Vec<u8>,
    pub(super) strings: [Vec<u8>; 3],
    pub(super) report_descriptor: Vec<u8>,
}

impl Default for Script {
    fn default() -> Self {
        let device = [
            18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x09, 0x12, 0xFE, 0x5A, 0x02, 0x01, 1, 2, 3, 1,
        ];
        let head = [9, 2, 41, 0, 1, 1, 0, 0x80, 50];
        let interface = [9, 4, 0, 0, 2, 3, 0, 0, 0];
        let hid = [9, 0x21, 0x11, 0x01, 0, 1, 0x22, 34, 0];
        let endpoints = [7, 5, 0x81, 3, 64, 0, 5, 7, 5, 0x01, 3, 64, 0, 5];
        Self {
            device: device.to_vec(),
            configuration: [head.as_slice(), &interface, &hid, &endpoints].concat(),
            languages: vec![4, 3, 0x09, 0x04],
            strings: [string("maker"), string("key ü"), string("0001")],
            report_descriptor: REPORT_DESCRIPTOR.to_vec(),
        }
    }
}

pub(super) fn string(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = u8::try_from(units.len() + 2).unwrap();
    [&[length, 3], units.as_slice()].concat()
}

impl Script {
    /// The packet that answers a control request.
    pub(super) fn reply(&self, packet: &Packet) -> Vec<u8> {
        let (status, data) = self.answer(packet.setup);
        ret_submit(packet.seqnum, status, i32::try_from(data.len()).unwrap(), &data)
    }

    /// The answer to a control request: a status and data, cut to what was asked for.
    fn answer(&self, setup: [u8; 8]) -> (i32, Vec<u8>) {
        let data = match setup {
            [0x80, 6, _, 1, ..] => self.device.clone(),
            [0x80, 6, _, 2, ..] => self.configuration.clone(),
            [0x80, 6, 0, 3, ..] => self.languages.clone(),
            [0x80, 6, index @ 1..=3, 3, ..] => self.strings[usize::from(index) - 1].clone(),
            [0x81, 6, 0, 0x22, ..] => self.report_descriptor.clone(),
            [0x00, 9, 1, ..] | [0x21, 0x0A, ..] => Vec::new(),
            _ => return (-32, Vec::new()),
        };
        let asked = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
        (0, data.into_iter().take(asked).collect())
    }
}

/// One packet from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) command: u32,
    pub(super) seqnum: u32,
    pub(super) device_id: u32,
    pub(super) direction: u32,
    pub(super) endpoint: u32,
    /// Submit: flags, length, start frame, packets, interval. Unlink: the number, padding.
    pub(super) words: [u32; 5],
    pub(super) setup: [u8; 8],
    pub(super) data: Vec<u8>,
}

/// Takes every packet that the host wants to send.
pub(super) fn sent(host: &mut UsbHost) -> Vec<Packet> {
    let output = host.output().to_vec();
    host.consume_output(output.len());
    let mut rest = output.as_slice();
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let (header, tail) = rest.split_at(48);
        let word = |index: usize| u32::from_be_bytes(header[index * 4..index * 4 + 4].try_into().unwrap());
        let out_len = if word(0) == 1 && word(3) == 0 {
            usize::try_from(word(6)).unwrap()
        } else {
            0
        };
        let (data, tail) = tail.split_at(out_len);
        packets.push(Packet {
            command: word(0),
            seqnum: word(1),
            device_id: word(2),
            direction: word(3),
            endpoint: word(4),
            words: [word(5), word(6), word(7), word(8), word(9)],
            setup: header[40..].try_into().unwrap(),
            data: data.to_vec(),
        });
        rest = tail;
    }
    packets
}

/// Takes the one packet that the host wants to send.
pub(super) fn sent_one(host: &mut UsbHost) -> Packet {
    let packets = sent(host);
    let [packet] = packets.as_slice() else {
        panic!("the host sent {packets:?}")
    };
    packet.clone()
}

pub(super) fn ret_submit(seqnum: u32, status: i32, actual_length: i32, data: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [3, seqnum, 0, 0, 0]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .collect();
    bytes.extend(status.to_be_bytes());
    bytes.extend(actual_length.to_be_bytes());
    bytes.extend([0; 20]);
    bytes.extend(data);
    bytes
}

pub(super) fn ret_unlink(seqnum: u32, status: i32) -> Vec<u8> {
    let mut bytes: Vec<u8> = [4, seqnum, 0, 0, 0]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .collect();
    bytes.extend(status.to_be_bytes());
    bytes.extend([0; 24]);
    bytes
}

/// Answers an IN transfer with all of `data`, an OUT transfer by taking all of it.
pub(super) fn reply(packet: &Packet, data: &[u8]) -> Vec<u8> {
    let length = if packet.direction == 1 {
        data.len()
    } else {
        packet.data.len()
    };
    ret_submit(packet.seqnum, 0, i32::try_from(length).unwrap(), data)
}

/// Answers control requests until the host asks for something else, and returns the setup packets.
pub(super) fn enumerate(host: &mut UsbHost, script: &Script) -> Result<Vec<[u8; 8]>, Error> {
    let mut setups = Vec::new();
    loop {
        let packet = sent_one(host);
        if packet.endpoint != 0 {
            assert_eq!(
                (packet.direction, packet.words[1]),
                (1, 64),
                "the first transfer is interrupt-IN"
            );
            return Ok(setups);
        }
        setups.push(packet.setup);
        host.handle_bytes(&script.reply(&packet))?;
    }
}

/// A host with an enumerated device, and the number of its pending interrupt-IN transfer.
pub(super) fn ready() -> (UsbHost, u32) {
    let mut host = UsbHost::new(Start::Attached);
    let requests = enumerate(&mut host, &Script::default()).unwrap();
    assert_eq!(host.poll_event(), Some(Event::Ready));
    (host, u32::try_from(requests.len()).unwrap() + 1)
}

/// `OP_REP_IMPORT` for a full-speed device, or its refusal.
pub(super) fn rep_import(status: u32, bus_id: &str) -> Vec<u8> {
    let mut bytes = vec![0x01, 0x11, 0x00, 0x03];
    bytes.extend(status.to_be_bytes());
    if status == 0 {
        bytes.extend(exported(bus_id));
    }
    bytes
}

pub(super) fn exported(bus_id: &str) -> Vec<u8> {
    let mut bytes = vec![b'/'; 255];
    bytes.push(0);
    bytes.extend(bus_id.as_bytes());
    bytes.resize(256 + 32, 0);
    bytes.extend([3, 7, 2].into_iter().flat_map(u32::to_be_bytes));
    bytes.extend([0x12, 0x09, 0x5A, 0xFE, 0x01, 0x02, 0, 0, 0, 0, 1, 1]);
    bytes
}
