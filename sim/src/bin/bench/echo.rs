//! A device that returns every report: the least that a peer can do with the same packets. It knows nothing of
//! CTAPHID, but PING comes back as it was sent, so that the same client can measure it.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use crate::failure::Failure;

const DEVICE: [u8; 18] = [18, 1, 0, 2, 0, 0, 0, 64, 0x09, 0x12, 1, 0, 0, 1, 0, 0, 0, 1];
const CONFIGURATION: [u8; 41] = [
    9, 2, 41, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 2, 3, 0, 0, 0, 9, 0x21, 0x11, 1, 0, 1, 0x22, 34, 0, 7, 5,
    0x81, 3, 64, 0, 5, 7, 5, 0x01, 3, 64, 0, 5,
];
const REPORT: [u8; 34] = [
    0x06, 0xD0, 0xF1, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95,
    0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xC0,
];

/// Echoes on the socket that is standard input.
pub(crate) fn serve_stdin() -> Result<(), Failure> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    echo(socket.try_clone()?, socket)
}

/// Echoes on a TCP port, which it prints.
pub(crate) fn serve_tcp() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    echo(socket.try_clone()?, socket)
}

fn echo(from: impl Read, mut to: impl Write) -> Result<(), Failure> {
    let mut from = BufReader::with_capacity(4096, from);
    let mut reports: VecDeque<[u8; 64]> = VecDeque::new();
    let mut waiting: VecDeque<[u8; 4]> = VecDeque::new();
    let mut header = [0; 48];
    while from.read_exact(&mut header).is_ok() {
        let [
            _,
            _,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            direction,
            _,
            _,
            _,
            endpoint,
            rest @ ..,
        ] = header;
        let seqnum = [s0, s1, s2, s3];
        let setup = rest.last_chunk().expect("the rest of a header has 28 bytes");
        let mut output = Vec::new();
        match (endpoint, direction) {
            (0, _) => reply(&mut output, seqnum, &answer(setup)),
            (_, 0) => {
                let mut report = [0; 64];
                from.read_exact(&mut report)?;
                taken(&mut output, seqnum);
                reports.push_back(report);
            }
            _ => waiting.push_back(seqnum),
        }
        while let (Some(seqnum), Some(report)) = (waiting.front(), reports.front()) {
            reply(&mut output, *seqnum, report);
            waiting.pop_front();
            reports.pop_front();
        }
        to.write_all(&output)?;
    }
    Ok(())
}

/// `USBIP_RET_SUBMIT` with these bytes.
fn reply(output: &mut Vec<u8>, seqnum: [u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).expect("descriptors and reports are short");
    head(output, seqnum, length);
    output.extend(data);
}

/// `USBIP_RET_SUBMIT` for a report that was taken.
fn taken(output: &mut Vec<u8>, seqnum: [u8; 4]) {
    head(output, seqnum, 64);
}

fn head(output: &mut Vec<u8>, seqnum: [u8; 4], length: u32) {
    output.extend([0, 0, 0, 3]);
    output.extend(seqnum);
    output.extend([0; 16]);
    output.extend(length.to_be_bytes());
    output.extend([0; 20]);
}

/// The answer to a control request, cut to what was asked for.
fn answer(setup: &[u8; 8]) -> Vec<u8> {
    let [kind, request, _, descriptor, _, _, low, high] = *setup;
    let whole: &[u8] = match (kind, request, descriptor) {
        (0x80, 6, 1) => &DEVICE,
        (0x80, 6, 2) => &CONFIGURATION,
        (0x81, 6, 0x22) => &REPORT,
        _ => &[],
    };
    whole
        .iter()
        .copied()
        .take(u16::from_le_bytes([low, high]).into())
        .collect()
}
