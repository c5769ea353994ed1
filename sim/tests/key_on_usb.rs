//! The host of this crate against the device of `wardkey-transport`, byte for byte and without a socket: two
//! implementations of USB/IP, USB and CTAPHID that share no code.

#![expect(clippy::unwrap_used, reason = "the helpers are a part of the tests")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use wardkey_sim::hid_client::{Command, Error, HidClient, HidError, Keepalive, Wish};
use wardkey_sim::report::{PipeError, Report, ReportPipe};
use wardkey_sim::usb_host::{self, Event, Start, UsbHost, device_list_request, read_device_list};
use wardkey_transport::ctaphid::{Config, Link, Port, Request};
use wardkey_transport::time::Instant;
use wardkey_transport::usbip::{self, Connection, Identity, Phase};

const NONCE: [u8; 8] = *b"a nonce!";

/// What the key does with a CTAP2 command: `[0]` at once, for `WAIT` the answer `[1]` only after a second.
const WAIT: u8 = 0xF0;

/// The key behind all its hosts.
struct Key {
    link: Link,
    now: Instant,
    answer_at: Option<Instant>,
}

impl Key {
    fn shared() -> Rc<RefCell<Self>> {
        let link = Link::new(Config { version: [1, 2, 3] });
        Rc::new(RefCell::new(Self {
            link,
            now: Instant::ZERO,
            answer_at: None,
        }))
    }

    /// Lets a millisecond pass.
    fn tick(&mut self) {
        self.now = self.now + Duration::from_millis(1);
        self.link.handle_timeout(self.now);
        if self.answer_at.is_some_and(|at| at <= self.now) {
            self.answer_at = None;
            self.link.respond(self.now, vec![1]);
        }
    }

    fn work(&mut self) {
        while let Some(request) = self.link.poll_request() {
            match request {
                Request::Cbor(request) if request.first() == Some(&WAIT) => {
                    self.answer_at = Some(self.now + Duration::from_secs(1));
                }
                Request::Cbor(request) => self
                    .link
                    .respond(self.now, request.into_iter().map(|byte| byte ^ 4).collect()),
                Request::Msg(_) => self.link.respond(self.now, vec![0x90, 0x00]),
                Request::Cancel => self.answer_at = None,
                Request::Wink => {}
            }
        }
    }
}

/// A host plugged into the key, with bytes that travel `chunk` at a time.
struct Cable {
    host: UsbHost,
    device: Connection,
    key: Rc<RefCell<Key>>,
    port: Port,
    chunk: usize,
    events: VecDeque<Event>,
}

impl Cable {
    fn new(key: &Rc<RefCell<Key>>, port: u32, start: Start, chunk: usize) -> Self {
        let phase = match start {
            Start::Attached => Phase::Attached,
            Start::Import { .. } => Phase::Service,
        };
        let device = Connection::new(phase, &identity());
        let host = UsbHost::new(start);
        Self {
            host,
            device,
            key: Rc::clone(key),
            port: Port(port),
            chunk,
            events: VecDeque::new(),
        }
    }

    /// Moves bytes and reports until nothing moves any more.
    fn settle(&mut self) -> Result<(), usb_host::Error> {
        while self.host_to_device() | self.device_to_key() | self.device_to_host()? {}
        Ok(())
    }

    fn host_to_device(&mut self) -> bool {
        let length = self.host.output().len().min(self.chunk);
        if length == 0 || !self.device.wants_input() {
            return false;
        }
        self.device.handle_bytes(&self.host.output()[..length]).unwrap();
        self.host.consume_output(length);
        true
    }

    fn device_to_key(&mut self) -> bool {
        let mut key = self.key.borrow_mut();
        let mut moved = false;
        while let Some(event) = self.device.poll_event() {
            if event == usbip::Event::ImportRequested {
                self.device.accept_import();
            }
            moved = true;
        }
        while let Some(report) = self.device.poll_report() {
            let now = key.now;
            key.link.handle_report(now, self.port, &report);
            key.work();
            moved = true;
        }
        while self.device.can_send() {
            let Some(report) = key.link.poll_report(self.port) else {
                break;
            };
            self.device.send_report(report).unwrap();
            moved = true;
        }
        moved
    }

    fn device_to_host(&mut self) -> Result<bool, usb_host::Error> {
        let length = self.device.output().len().min(self.chunk);
        let result = self.host.handle_bytes(&self.device.output()[..length]);
        self.device.consume_output(length);
        while let Some(event) = self.host.poll_event() {
            self.events.push_back(event);
        }
        result.map(|()| length > 0)
    }

    fn take(&mut self, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let index = self.events.iter().position(wanted)?;
        self.events.remove(index)
    }
}

impl ReportPipe for Cable {
    fn send_report(&mut self, report: &Report) -> Result<(), PipeError> {
        self.host.send_report(report).map_err(|_| PipeError::TimedOut)?;
        self.settle()?;
        self.take(|event| *event == Event::ReportTaken)
            .map(drop)
            .ok_or(PipeError::TimedOut)
    }

    fn receive_report(&mut self, timeout: Duration) -> Result<Option<Report>, PipeError> {
        for _ in 0..=timeout.as_millis() {
            self.settle()?;
            if let Some(Event::Report(report)) = self.take(|event| matches!(event, Event::Report(_))) {
                return Ok(Some(report));
            }
            self.key.borrow_mut().tick();
        }
        Ok(None)
    }
}

fn identity() -> Identity {
    Identity {
        serial: Some("0042".into()),
        product: "key ü".into(),
        ..Identity::default()
    }
}

fn attached(chunk: usize) -> Cable {
    let mut cable = Cable::new(&Key::shared(), 1, Start::Attached, chunk);
    cable.settle().unwrap();
    assert!(
        cable.take(|event| *event == Event::Ready).is_some(),
        "not enumerated"
    );
    cable
}

fn import(bus_id: &str) -> Start {
    Start::Import {
        bus_id: bus_id.into(),
    }
}

fn listed() -> Vec<usb_host::ExportedDevice> {
    let mut device = Connection::new(Phase::Service, &identity());
    device.handle_bytes(&device_list_request()).unwrap();
    read_device_list(device.output()).unwrap().unwrap()
}

#[test]
fn the_device_is_enumerated_whatever_the_pieces_of_the_dialogue() {
    for chunk in [1, 7, 47, 48, 49, 4096] {
        let cable = attached(chunk);
        let device = cable.host.device().unwrap();
        assert_eq!(
            (device.vendor_id, device.product_id),
            (identity().vendor_id, identity().product_id)
        );
        assert_eq!(device.manufacturer, Some(identity().manufacturer));
        assert_eq!(device.product.as_deref(), Some("key ü"));
        assert_eq!(device.serial.as_deref(), Some("0042"));
        assert_eq!(device.packet_len_max_0, 64);
        assert_eq!(
            (device.report_descriptor.len(), device.report_descriptor_requests),
            (34, 1)
        );
    }
}

#[test]
fn a_listed_device_can_be_imported() {
    let [device] = listed().try_into().unwrap();
    assert_eq!(
        (device.vendor_id, device.speed, device.interfaces),
        (identity().vendor_id, 2, 1)
    );
    let mut cable = Cable::new(&Key::shared(), 1, import(&device.bus_id), 4096);
    cable.settle().unwrap();
    assert_eq!(
        cable.take(|event| matches!(event, Event::Imported(_))),
        Some(Event::Imported(device))
    );
    assert!(cable.take(|event| *event == Event::Ready).is_some());
}

#[test]
fn an_unknown_bus_id_is_refused() {
    let mut cable = Cable::new(&Key::shared(), 1, import("9-9"), 4096);
    assert!(matches!(cable.settle(), Err(usb_host::Error::ImportRefused(_))));
}

#[test]
fn pings_of_every_length_come_back() {
    let mut client = HidClient::open(attached(4096), NONCE).unwrap();
    for length in (0..200).chain([1023, 1024, 1025, 7550, 7608, 7609]) {
        let payload: Vec<u8> = (0..=255).cycle().take(length).collect();
        client.ping(&payload).unwrap();
    }
}

#[test]
fn a_long_ping_survives_a_wire_of_single_bytes() {
    HidClient::open(attached(1), NONCE)
        .unwrap()
        .ping(&[0xA5; 7609])
        .unwrap();
}

#[test]
fn messages_are_answered() {
    let mut client = HidClient::open(attached(4096), NONCE).unwrap();
    assert_eq!(client.init_reply().device_version, [1, 2, 3]);
    assert_eq!(client.cbor(&[4, 5], &mut |_| Wish::Wait).unwrap(), [0, 1]);
    assert_eq!(client.msg(&[0, 3, 0, 0]).unwrap(), [0x90, 0x00]);
    client.wink().unwrap();
}

#[test]
fn keepalives_come_while_the_key_works() {
    let mut client = HidClient::open(attached(4096), NONCE).unwrap();
    let mut keepalives = 0;
    let answer = client.cbor(&[WAIT], &mut |keepalive| {
        assert_eq!(keepalive, Keepalive::Processing);
        keepalives += 1;
        Wish::Wait
    });
    assert_eq!(answer.unwrap(), [1]);
    assert!((10..=20).contains(&keepalives), "{keepalives} in a second");
}

#[test]
fn a_cancelled_command_is_answered_once() {
    let mut client = HidClient::open(attached(4096), NONCE).unwrap();
    assert_eq!(client.cbor(&[WAIT], &mut |_| Wish::Cancel).unwrap(), [0x2D]);
    client.ping(&[1]).unwrap();
}

#[test]
fn a_new_channel_does_not_disturb_the_old() {
    let mut first = HidClient::open(attached(4096), NONCE).unwrap();
    let channel = first.init_reply().channel;
    let second = HidClient::open(first.into_pipe(), *b"another!").unwrap();
    assert_ne!(second.init_reply().channel, channel);
    first = HidClient::on_channel(second.into_pipe(), channel);
    first.ping(&[1, 2, 3]).unwrap();
}

#[test]
fn an_unknown_channel_is_refused() {
    let mut client = HidClient::open(attached(4096), NONCE).unwrap();
    let mut channel = client.init_reply().channel;
    channel.0 ^= 0x0101_0101;
    client = HidClient::on_channel(client.into_pipe(), channel);
    assert!(matches!(
        client.ping(&[1]),
        Err(Error::Refused(HidError::INVALID_CHANNEL))
    ));
}

#[test]
fn a_second_host_hears_that_the_key_is_busy() {
    let key = Key::shared();
    let mut clients = [1, 2].map(|port| {
        let mut cable = Cable::new(&key, port, Start::Attached, 4096);
        cable.settle().unwrap();
        HidClient::open(cable, NONCE).unwrap()
    });
    let [first, second] = &mut clients;
    first.send(Command::CBOR, &[WAIT]).unwrap();
    assert!(matches!(
        second.ping(&[1]),
        Err(Error::Refused(HidError::CHANNEL_BUSY))
    ));
    assert_eq!(first.receive(Command::CBOR, &mut |_| Wish::Wait).unwrap(), [1]);
    second.ping(&[1]).unwrap();
}

#[test]
fn a_pending_transfer_is_unlinked_and_submitted_again() {
    let mut cable = attached(4096);
    for _ in 0..20 {
        cable.host.close_input();
        cable.settle().unwrap();
        let closed = Event::InputClosed {
            answered_before: false,
        };
        assert!(cable.take(|event| *event == closed).is_some(), "not closed");
        cable.host.open_input();
        cable.settle().unwrap();
    }
    HidClient::open(cable, NONCE).unwrap().ping(&[1]).unwrap();
}

#[test]
fn a_report_that_crosses_the_unlink_is_not_lost() {
    let mut cable = attached(4096);
    // The device answers the pending transfer before it reads the UNLINK.
    cable
        .device
        .send_report(wardkey_transport::Report([7; 64]))
        .unwrap();
    cable.host.close_input();
    cable.settle().unwrap();
    assert_eq!(
        cable.events,
        [
            Event::Report(Report([7; 64])),
            Event::InputClosed {
                answered_before: true
            }
        ]
    );
}

#[test]
fn a_key_can_be_plugged_in_many_times() {
    let key = Key::shared();
    for _ in 0..100 {
        let mut cable = Cable::new(&key, 1, Start::Attached, 4096);
        cable.settle().unwrap();
        HidClient::open(cable, NONCE).unwrap().ping(&[1; 100]).unwrap();
        key.borrow_mut().link.forget_port(Port(1));
    }
}
