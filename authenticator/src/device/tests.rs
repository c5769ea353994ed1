//! The whole key over raw reports: what a host and a user see of the joints between the layers.

use std::time::Duration;

use redb::backends::InMemoryBackend;
use wardkey_transport::ctaphid::{self, Link, Port};
use wardkey_transport::time::Instant;
use wardkey_vault::{Logged, Secret, Vault, Wanted};

use super::{Device, Event, GESTURE_TIMEOUT, HostKind, PromptId};
use crate::config::{Algorithms, Attestation, Config, KeyKind, LargeBlobs};
use crate::gesture::{Gesture, Purpose};
use crate::testing::SeededRng;
use crate::{Authenticator, status::StatusCode};

mod aside;
mod vault_pin;

const INIT: u8 = 0x86;
const CBOR: u8 = 0x90;
const MSG: u8 = 0x83;
const CANCEL: u8 = 0x91;
const KEEPALIVE: u8 = 0xBB;
const ERROR: u8 = 0xBF;
const CHANNEL_BUSY: u8 = 0x06;

/// authenticatorSelection: the shortest command that asks the user.
const SELECTION: [u8; 1] = [0x0B];
/// authenticatorReset.
const RESET: [u8; 1] = [0x07];
const NOT_YET: [u8; 2] = [0x69, 0x85];

/// A key, its clock, and what came out of it.
struct Bench {
    device: Device,
    now: Instant,
}

/// One raw host with an open channel.
#[derive(Clone, Copy)]
struct Client {
    port: Port,
    channel: [u8; 4],
}

/// A reply of one packet: command and payload.
type Reply = (u8, Vec<u8>);

impl Bench {
    fn new() -> Self {
        let mut rng = SeededRng::new(7);
        let root = Secret::from_slice(&[1; 32]).unwrap();
        let vault = Vault::open(InMemoryBackend::new(), &root, &mut rng).unwrap();
        let config = Config {
            kind: KeyKind::Synced,
            algorithms: Algorithms::Classical,
            attestation: Attestation::OfItself,
            enterprise: None,
            firmware_version: 1,
            large_blobs: LargeBlobs::Array,
            hide_fido_2_3: false,
            unix_ms_at_zero: 0,
        };
        let authenticator = Authenticator::new(vault, config, Box::new(rng), Instant::ZERO).unwrap();
        let device = Device::new(Link::new(ctaphid::Config { version: [1, 2, 3] }), authenticator);
        Self {
            device,
            now: Instant::ZERO,
        }
    }

    fn client(&mut self) -> Client {
        let port = self.device.attach(self.now, &HostKind::Raw);
        let broadcast = Client {
            port,
            channel: [0xFF; 4],
        };
        self.send(broadcast, INIT, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let (command, payload) = self.receive(broadcast).unwrap();
        assert_eq!((command, payload.len()), (INIT, 17));
        Client {
            port,
            channel: payload[8..12].try_into().unwrap(),
        }
    }

    /// Sends a message that fits into one packet, or the U2F and CTAP2 messages of these tests in two.
    fn send(&mut self, client: Client, command: u8, payload: &[u8]) {
        let (first, rest) = payload.split_at(payload.len().min(57));
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        self.send_report(client, &[&[command], length.as_slice(), first].concat());
        for (sequence, chunk) in (0_u8..).zip(rest.chunks(59)) {
            self.send_report(client, &[&[sequence], chunk].concat());
        }
    }

    fn send_report(&mut self, client: Client, content: &[u8]) {
        let mut report = [client.channel.as_slice(), content].concat();
        report.resize(64, 0);
        self.device.handle_bytes(self.now, client.port, &report).unwrap();
    }

    /// The next reply on the client's channel, of which only the first packet is looked at.
    fn receive(&mut self, client: Client) -> Option<Reply> {
        let report: [u8; 64] = self.device.output(client.port).get(..64)?.try_into().unwrap();
        self.device.consume_output(self.now, client.port, 64);
        assert_eq!(report[..4], client.channel);
        let length = usize::from(u16::from_be_bytes([report[5], report[6]]));
        Some((report[4], report[7..].iter().copied().take(length).collect()))
    }

    fn expect_silence(&mut self, client: Client) {
        assert_eq!(self.receive(client), None);
    }

    fn expect_keepalive(&mut self, client: Client, status: u8) {
        assert_eq!(self.receive(client), Some((KEEPALIVE, vec![status])));
    }

    fn asked(&mut self) -> (PromptId, Purpose) {
        match self.device.poll_event() {
            Some(Event::Ask { id, prompt, .. }) => (id, prompt.purpose),
            other => panic!("no question but {other:?}"),
        }
    }

    fn expect_withdrawn(&mut self, expected: PromptId) {
        match self.device.poll_event() {
            Some(Event::Withdraw(id)) => assert_eq!(id, expected),
            other => panic!("not withdrawn but {other:?}"),
        }
    }

    fn expect_no_event(&mut self) {
        assert!(self.device.poll_event().is_none());
    }

    fn answer(&mut self, id: PromptId, gesture: Gesture) {
        self.device.handle_gesture(self.now, id, gesture);
    }

    /// Lets time pass as the event loop does: from one due moment to the next.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.device.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.device.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Lets time pass while the client reads its keepalives.
    fn pass_reading(&mut self, client: Client, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            let left = end.saturating_duration_since(self.now);
            self.pass(left.min(Duration::from_secs(1)));
            while self
                .receive(client)
                .is_some_and(|(command, _)| command == KEEPALIVE)
            {}
        }
    }

    /// Throws keepalives away and gives what follows.
    fn receive_after_keepalives(&mut self, client: Client) -> Option<Reply> {
        loop {
            match self.receive(client) {
                Some((KEEPALIVE, _)) => {}
                other => return other,
            }
        }
    }
}

fn cbor(status: StatusCode) -> Option<Reply> {
    Some((CBOR, vec![status.byte()]))
}

/// A U2F registration for the application `fill`.
fn register(fill: u8) -> Vec<u8> {
    let mut apdu = vec![0, 1, 0, 0, 0, 0, 64];
    apdu.extend([7; 32]);
    apdu.extend([fill; 32]);
    apdu.extend([0, 0]);
    apdu
}

#[test]
fn a_command_waits_with_keepalives_until_the_user_approves() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &SELECTION);
    bench.expect_keepalive(client, 2);
    let (id, purpose) = bench.asked();
    assert_eq!(purpose, Purpose::Identify);
    bench.pass(Duration::from_millis(100));
    bench.expect_keepalive(client, 2);
    bench.answer(id, Gesture::Approved);
    assert_eq!(bench.receive_after_keepalives(client), cbor(StatusCode::OK));
    bench.expect_silence(client);
    bench.expect_no_event();
}

#[test]
fn a_refusal_reaches_the_host() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    bench.answer(id, Gesture::Declined);
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::OPERATION_DENIED)
    );
}

#[test]
fn nobody_answers_for_thirty_seconds_and_the_question_goes() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    bench.pass_reading(client, GESTURE_TIMEOUT - Duration::from_millis(1));
    bench.expect_no_event();
    bench.pass(Duration::from_millis(1));
    bench.expect_withdrawn(id);
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::USER_ACTION_TIMEOUT)
    );
    bench.answer(id, Gesture::Approved);
    bench.expect_silence(client);
}

#[test]
fn a_host_that_stops_listening_loses_its_question() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    bench.pass(GESTURE_TIMEOUT - Duration::from_secs(1));
    bench.expect_withdrawn(id);
}

#[test]
fn cancel_answers_once_and_takes_the_question_away() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    bench.send(client, CANCEL, &[]);
    bench.expect_withdrawn(id);
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::KEEPALIVE_CANCEL)
    );
    bench.send(client, CANCEL, &[]);
    bench.answer(id, Gesture::Approved);
    bench.expect_silence(client);
    bench.expect_no_event();
}

#[test]
fn init_on_the_waiting_channel_takes_the_question_away() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    bench.expect_keepalive(client, 2);
    bench.send(client, INIT, &[0; 8]);
    bench.expect_withdrawn(id);
    assert_eq!(bench.receive(client).unwrap().0, INIT);
    bench.answer(id, Gesture::Approved);
    bench.expect_silence(client);
}

#[test]
fn a_host_that_goes_away_takes_its_question_with_it() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    bench.device.detach(bench.now, client.port);
    bench.expect_withdrawn(id);
    assert!(bench.device.output(client.port).is_empty());
    let other = bench.client();
    bench.send(other, CBOR, &SELECTION);
    bench.expect_keepalive(other, 2);
}

#[test]
fn a_second_host_hears_busy_and_does_not_disturb_the_first() {
    let mut bench = Bench::new();
    let (first, second) = (bench.client(), bench.client());
    bench.send(first, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    bench.send(second, CBOR, &SELECTION);
    assert_eq!(bench.receive(second), Some((ERROR, vec![CHANNEL_BUSY])));
    bench.send(second, CANCEL, &[]);
    bench.expect_no_event();
    bench.answer(id, Gesture::Approved);
    assert_eq!(bench.receive_after_keepalives(first), cbor(StatusCode::OK));
    bench.expect_silence(second);
}

#[test]
fn u2f_hears_not_yet_until_the_user_has_approved_and_the_touch_counts_once() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    let (id, purpose) = bench.asked();
    assert_eq!(purpose, Purpose::Register);
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    bench.expect_no_event();
    bench.answer(id, Gesture::Approved);
    bench.expect_silence(client);
    bench.send(client, MSG, &register(9));
    let (command, payload) = bench.receive(client).unwrap();
    assert_eq!((command, payload[0]), (MSG, 0x05));
    while bench.device.output(client.port).len() >= 64 {
        bench.device.consume_output(bench.now, client.port, 64);
    }
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    assert_ne!(bench.asked().0, id);
}

#[test]
fn a_u2f_client_that_stops_polling_loses_its_question() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, MSG, &register(9));
    let (id, _) = bench.asked();
    bench.pass(Duration::from_millis(1900));
    bench.expect_no_event();
    bench.pass(Duration::from_millis(200));
    bench.expect_withdrawn(id);
}

#[test]
fn a_refused_u2f_request_is_not_asked_again_while_it_is_polled() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, MSG, &register(9));
    let (id, _) = bench.asked();
    bench.answer(id, Gesture::Declined);
    for _ in 0..5 {
        bench.pass(Duration::from_millis(200));
        bench.receive(client);
        bench.send(client, MSG, &register(9));
        bench.expect_no_event();
    }
    bench.pass(Duration::from_secs(3));
    bench.receive(client);
    bench.send(client, MSG, &register(9));
    assert_ne!(bench.asked().0, id);
}

#[test]
fn a_refused_u2f_request_is_in_the_log_and_the_log_wakes_the_key_once() {
    let mut bench = Bench::new();
    let client = bench.client();
    assert_eq!(bench.device.poll_timeout(), None);
    bench.send(client, MSG, &register(1));
    let (id, _) = bench.asked();
    bench.answer(id, Gesture::Declined);
    let newest = |bench: &mut Bench| {
        let vault = bench.device.authenticator_mut().unwrap().vault();
        vault.log(None).unwrap().next().unwrap().unwrap()
    };
    let Logged::Entry { number, record } = newest(&mut bench) else {
        panic!()
    };
    let refused = wardkey_vault::Event::Refused {
        wanted: Wanted::Registration,
        site: None,
    };
    assert_eq!((number, record.event), (1, refused));
    // The client stops polling; then there is nothing to wake up for.
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.device.poll_timeout(), None);
}

#[test]
fn a_u2f_approval_is_for_the_request_that_was_shown() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, MSG, &register(9));
    let (id, _) = bench.asked();
    bench.answer(id, Gesture::Approved);
    bench.receive(client);
    bench.send(client, MSG, &register(8));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    bench.expect_no_event();
}

#[test]
fn a_ctap2_command_takes_over_from_a_polling_u2f_client() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, MSG, &register(9));
    bench.receive(client);
    let (polled, _) = bench.asked();
    bench.send(client, CBOR, &SELECTION);
    bench.expect_withdrawn(polled);
    assert_ne!(bench.asked().0, polled);
}

#[test]
fn unplugging_forgets_the_channels_and_opens_the_reset_window() {
    let mut bench = Bench::new();
    let client = bench.client();
    bench.pass(Duration::from_secs(11));
    bench.send(client, CBOR, &RESET);
    assert_eq!(bench.receive(client), cbor(StatusCode::NOT_ALLOWED));
    bench.device.power_cycle(bench.now);
    assert!(!bench.device.wants_input(client.port));
    let client = bench.client();
    bench.send(client, CBOR, &RESET);
    let (id, purpose) = bench.asked();
    assert_eq!(purpose, Purpose::Reset);
    bench.answer(id, Gesture::Approved);
    assert_eq!(bench.receive_after_keepalives(client), cbor(StatusCode::OK));
}

#[test]
fn a_report_may_arrive_byte_by_byte() {
    let mut bench = Bench::new();
    let client = bench.client();
    let mut report = [client.channel.as_slice(), &[CBOR, 0, 1, SELECTION[0]]].concat();
    report.resize(64, 0);
    for byte in report {
        bench.expect_silence(client);
        bench
            .device
            .handle_bytes(bench.now, client.port, &[byte])
            .unwrap();
    }
    bench.expect_keepalive(client, 2);
}

#[test]
fn a_host_that_does_not_read_is_not_read_from() {
    let mut bench = Bench::new();
    let client = bench.client();
    let mut pings = 0;
    while bench.device.wants_input(client.port) {
        bench.send(client, 0x81, &[1]);
        pings += 1;
        assert!(pings < 10_000, "the output is not bounded");
    }
    while bench.receive(client).is_some() {}
    assert!(bench.device.wants_input(client.port));
}

#[test]
fn a_key_that_always_verifies_stops_speaking_u2f_at_once() {
    const TOGGLE_ALWAYS_UV: [u8; 4] = [0x0D, 0xA1, 0x01, 0x02];
    const INVALID_COMMAND: u8 = 0x01;
    let mut bench = Bench::new();
    let client = bench.client();
    bench.send(client, CBOR, &TOGGLE_ALWAYS_UV);
    assert_eq!(bench.receive(client), cbor(StatusCode::OK));
    bench.send(client, MSG, &register(1));
    assert_eq!(bench.receive(client), Some((ERROR, vec![INVALID_COMMAND])));
    bench.send(client, CBOR, &TOGGLE_ALWAYS_UV);
    assert_eq!(bench.receive(client), cbor(StatusCode::OK));
    bench.send(client, MSG, &register(1));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
}
