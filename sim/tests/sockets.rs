//! The clients over real sockets: what a key at the other end can do to them.

#![expect(clippy::unwrap_used, reason = "the helpers are a part of the tests")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wardkey_sim::hid_client::{Error, HidClient, Patience};
use wardkey_sim::raw_stream::RawStream;
use wardkey_sim::report::{PipeError, Report, ReportPipe};
use wardkey_sim::usb_host::{self, Start, UsbConnection, list_devices};
use wardkey_transport::ctaphid::{Config, Link, Port};
use wardkey_transport::time::Instant;
use wardkey_transport::usbip::{Connection, Event, Identity, Phase};

const PORT: Port = Port(1);
const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(20);

/// A key on a socket, in a thread that ends when the host hangs up.
fn key(phase: Phase) -> (UnixStream, JoinHandle<()>) {
    let (ours, mut socket) = UnixStream::pair().unwrap();
    let thread = thread::spawn(move || {
        let mut device = Connection::new(phase, &Identity::default());
        let mut link = Link::new(Config { version: [0, 0, 1] });
        let mut buffer = [0; 1000];
        while let Ok(length @ 1..) = socket.read(&mut buffer) {
            device.handle_bytes(&buffer[..length]).unwrap();
            work(&mut device, &mut link);
            let output = device.output().to_vec();
            device.consume_output(output.len());
            if socket.write_all(&output).is_err() {
                break;
            }
        }
    });
    (ours, thread)
}

fn work(device: &mut Connection, link: &mut Link) {
    while let Some(event) = device.poll_event() {
        if event == Event::ImportRequested {
            device.accept_import();
        }
    }
    while let Some(report) = device.poll_report() {
        link.handle_report(Instant::ZERO, PORT, &report);
    }
    while device.can_send()
        && let Some(report) = link.poll_report(PORT)
    {
        device.send_report(wardkey_transport::Report(report.0)).unwrap();
    }
}

#[test]
fn a_key_is_used_over_a_socket() {
    let (socket, thread) = key(Phase::Attached);
    let connection = UsbConnection::open(socket, Start::Attached, LONG).unwrap();
    assert_eq!(
        connection.device().manufacturer,
        Some(Identity::default().manufacturer)
    );
    let mut client = HidClient::open(connection, [1; 8]).unwrap();
    client.ping(&[7; 7609]).unwrap();
    drop(client);
    thread.join().unwrap();
}

#[test]
fn a_service_lists_its_device_and_gives_it() {
    let (mut socket, _) = key(Phase::Service);
    let devices = list_devices(&mut socket, LONG).unwrap();
    let [device] = devices.as_slice() else {
        panic!("{devices:?}")
    };
    let (socket, _) = key(Phase::Service);
    let start = Start::Import {
        bus_id: device.bus_id.clone(),
    };
    let connection = UsbConnection::open(socket, start, LONG).unwrap();
    HidClient::open(connection, [1; 8]).unwrap().ping(&[1]).unwrap();
}

#[test]
fn a_device_that_never_answers_is_given_up() {
    let (socket, _silent) = UnixStream::pair().unwrap();
    let opened = UsbConnection::open(socket, Start::Attached, SOON);
    assert!(matches!(opened.err(), Some(PipeError::TimedOut)));
}

#[test]
fn a_device_that_hangs_up_is_unplugged() {
    let (socket, gone) = UnixStream::pair().unwrap();
    drop(gone);
    let opened = UsbConnection::open(socket, Start::Attached, LONG);
    assert!(matches!(opened.err(), Some(PipeError::Unplugged)));
}

#[test]
fn a_device_that_sends_nonsense_is_an_error() {
    let (socket, mut device) = UnixStream::pair().unwrap();
    device.write_all(&[0xFF; 48]).unwrap();
    let opened = UsbConnection::open(socket, Start::Attached, LONG);
    assert!(matches!(
        opened.err(),
        Some(PipeError::Usb(usb_host::Error::UnknownCommand(u32::MAX)))
    ));
}

#[test]
fn no_report_is_not_an_error() {
    let (socket, _thread) = key(Phase::Attached);
    let mut connection = UsbConnection::open(socket, Start::Attached, LONG).unwrap();
    assert_eq!(connection.receive_report(SOON).unwrap(), None);
    HidClient::open(connection, [1; 8]).unwrap().ping(&[1]).unwrap();
}

#[test]
fn raw_reports_have_64_bytes_however_they_arrive() {
    let (socket, mut key) = UnixStream::pair().unwrap();
    let mut pipe = RawStream::new(socket);
    key.write_all(&[1; 40]).unwrap();
    assert_eq!(pipe.receive_report(SOON).unwrap(), None);
    key.write_all(&[1; 24 + 64]).unwrap();
    assert_eq!(pipe.receive_report(LONG).unwrap(), Some(Report([1; 64])));
    assert_eq!(pipe.receive_report(LONG).unwrap(), Some(Report([1; 64])));
    pipe.send_report(&Report([2; 64])).unwrap();
    let mut sent = [0; 64];
    key.read_exact(&mut sent).unwrap();
    assert_eq!(sent, [2; 64]);
    drop(key);
    assert!(matches!(pipe.receive_report(LONG), Err(PipeError::Unplugged)));
}

#[test]
fn a_client_gives_up_on_a_silent_key() {
    let (socket, _silent) = UnixStream::pair().unwrap();
    let patience = Patience {
        between_frames: SOON,
        whole_answer: LONG,
    };
    let mut client = HidClient::on_channel(RawStream::new(socket), wardkey_sim::hid_client::ChannelId(1));
    client.set_patience(patience);
    assert!(matches!(client.ping(&[1]), Err(Error::NoAnswer)));
}
