//! The state table of `link.rs`, row by row, as dialogues. Each ends in silence.

use proptest::prelude::*;

use super::*;
use crate::ctaphid::{CHANNELS_MAX, SHORT_REPLIES_MAX};

const HOST: Port = Port(1);
const OTHER_HOST: Port = Port(2);

const BROADCAST: u32 = 0xFFFF_FFFF;
const UNALLOCATED: u32 = 0x1122_3344;
const NONCE: [u8; 8] = *b"nonce678";

const INVALID_CMD: u8 = 0x01;
const INVALID_LEN: u8 = 0x03;
const INVALID_SEQ: u8 = 0x04;
const MSG_TIMEOUT: u8 = 0x05;
const CHANNEL_BUSY: u8 = 0x06;
const INVALID_CHANNEL: u8 = 0x0B;
const OTHER: u8 = 0x7F;

const PROCESSING: u8 = 1;
const UP_NEEDED: u8 = 2;

/// A key, its hosts and a clock.
struct Dialogue {
    link: Link,
    now: Instant,
    port: Port,
}

impl Dialogue {
    fn new() -> Self {
        let link = Link::new(Config { version: [1, 2, 3] });
        Self {
            link,
            now: Instant::from_millis(1_000),
            port: HOST,
        }
    }

    /// From here on the other host speaks and listens.
    fn on(&mut self, port: Port) -> &mut Self {
        self.port = port;
        self
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
        self.link.handle_timeout(self.now);
    }

    fn send_report(&mut self, report: Report) {
        self.link.handle_report(self.now, self.port, &report);
    }

    fn recv_report(&mut self) -> Option<Report> {
        self.link.poll_report(self.port)
    }

    /// Sends the first packet of a message that declares `len` bytes.
    fn send_start(&mut self, cid: u32, command: u8, len: u16, data: &[u8]) {
        let mut bytes = cid.to_be_bytes().to_vec();
        bytes.push(command | 0x80);
        bytes.extend(len.to_be_bytes());
        bytes.extend(data);
        self.send_report(Report::padded(&bytes));
    }

    fn send_continuation(&mut self, cid: u32, sequence: u8, data: &[u8]) {
        let mut bytes = cid.to_be_bytes().to_vec();
        bytes.push(sequence);
        bytes.extend(data);
        self.send_report(Report::padded(&bytes));
    }

    /// Sends a whole message.
    fn send(&mut self, cid: u32, command: u8, payload: &[u8]) {
        let (first, rest) = payload.split_at(payload.len().min(57));
        self.send_start(cid, command, payload.len().try_into().unwrap(), first);
        for (sequence, data) in (0..).zip(rest.chunks(59)) {
            self.send_continuation(cid, sequence, data);
        }
    }

    /// Receives a whole message.
    fn recv(&mut self) -> (u32, u8, Vec<u8>) {
        let report = self.recv_report().expect("a report").0;
        let cid = u32::from_be_bytes(*report.first_chunk().unwrap());
        let len = usize::from(u16::from_be_bytes([report[5], report[6]]));
        assert_eq!(report[4] & 0x80, 0x80, "a message starts");
        let mut payload = report[7..].to_vec();
        let mut sequence = 0;
        while payload.len() < len {
            let report = self.recv_report().expect("the rest of the message").0;
            let (head, data) = report.split_at(5);
            assert_eq!((&head[..4], head[4]), (&cid.to_be_bytes()[..], sequence));
            payload.extend(data);
            sequence += 1;
        }
        assert!(
            payload.split_off(len).iter().all(|byte| *byte == 0),
            "padding is zero"
        );
        (cid, report[4] & 0x7F, payload)
    }

    fn expect(&mut self, cid: u32, command: u8, payload: &[u8]) {
        assert_eq!(self.recv(), (cid, command, payload.to_vec()));
    }

    fn expect_error(&mut self, cid: u32, error: u8) {
        self.expect(cid, code::ERROR, &[error]);
    }

    fn expect_keepalive(&mut self, cid: u32, status: u8) {
        self.expect(cid, code::KEEPALIVE, &[status]);
    }

    fn expect_init(&mut self, on: u32, cid: u32) {
        let mut payload = NONCE.to_vec();
        payload.extend(cid.to_be_bytes());
        payload.extend([2, 1, 2, 3, 0x05]);
        self.expect(on, code::INIT, &payload);
    }

    /// A new channel.
    fn open(&mut self) -> u32 {
        self.send(BROADCAST, code::INIT, &NONCE);
        let (on, command, payload) = self.recv();
        assert_eq!((on, command, payload.len()), (BROADCAST, code::INIT, 17));
        u32::from_be_bytes(payload[8..12].try_into().unwrap())
    }

    /// The authenticator has fetched a CBOR command of this channel.
    fn processing(&mut self, cid: u32) {
        self.send(cid, code::CBOR, &[4]);
        assert_eq!(self.link.poll_request(), Some(Request::Cbor(vec![4])));
    }

    /// The first of two packets of a PING has come.
    fn receiving(&mut self, cid: u32) {
        self.send_start(cid, code::PING, 100, &[7; 57]);
    }

    fn finish_receiving(&mut self, cid: u32) {
        self.send_continuation(cid, 0, &[7; 43]);
        self.expect(cid, code::PING, &[7; 100]);
    }

    /// The first of two packets of a reply has left.
    fn sending(&mut self, cid: u32) {
        self.send(cid, code::PING, &[7; 100]);
        assert_eq!(self.recv_report().unwrap().0[4], code::PING | 0x80);
    }

    fn finish_sending(&mut self, cid: u32) {
        let mut bytes = cid.to_be_bytes().to_vec();
        bytes.push(0);
        bytes.extend([7; 43]);
        assert_eq!(self.recv_report(), Some(Report::padded(&bytes)));
    }

    /// Nothing more to say, to do or to wait for, now or later.
    fn silence(&mut self) {
        for port in [HOST, OTHER_HOST] {
            assert_eq!(self.link.poll_report(port), None);
        }
        assert_eq!(self.link.poll_request(), None);
        assert_eq!(self.link.poll_timeout(), None);
    }

    /// A transaction is possible: the machine is idle.
    fn idle(&mut self) {
        self.silence();
        self.on(HOST);
        let cid = self.open();
        self.send(cid, code::PING, b"idle");
        self.expect(cid, code::PING, b"idle");
        self.silence();
    }
}

macro_rules! dialogue {
    ($(#[$doc:meta])* $name:ident, |$d:ident| $body:block) => {
        #[test]
        fn $name() {
            let mut dialogue = Dialogue::new();
            let $d = &mut dialogue;
            $body
            $d.idle();
        }
    };
}

// ---------------------------------------------------------------- Idle

dialogue!(an_idle_key_says_nothing, |d| {
    d.wait(3_000);
    d.silence();
});

dialogue!(init_on_broadcast_gives_a_new_channel_each_time, |d| {
    let channels = [d.open(), d.open(), d.open()];
    assert!(channels.iter().all(|cid| *cid != 0 && *cid != BROADCAST));
    assert!(channels[0] != channels[1] && channels[1] != channels[2] && channels[0] != channels[2]);
});

dialogue!(init_response_has_seventeen_bytes, |d| {
    d.send(BROADCAST, code::INIT, &NONCE);
    let (_, _, payload) = d.recv();
    assert_eq!(payload.len(), 17);
    assert_eq!(payload[..8], NONCE);
    assert_eq!(payload[12..], [2, 1, 2, 3, CAPABILITY_WINK | CAPABILITY_CBOR]);
});

dialogue!(a_key_without_u2f_says_so_and_refuses_its_messages, |d| {
    d.link.set_u2f(false);
    d.send(BROADCAST, code::INIT, &NONCE);
    let (_, _, payload) = d.recv();
    let capabilities = CAPABILITY_WINK | CAPABILITY_CBOR | CAPABILITY_NMSG;
    assert_eq!(payload[16], capabilities);
    let a = d.open();
    d.send(a, code::MSG, &[0, 3, 0, 0]);
    d.expect_error(a, INVALID_CMD);
    d.silence();
});

dialogue!(init_on_an_own_channel_answers_there, |d| {
    let a = d.open();
    d.send(a, code::INIT, &NONCE);
    d.expect_init(a, a);
});

dialogue!(
    init_on_an_unallocated_channel_answers_there_without_allocating,
    |d| {
        d.send(UNALLOCATED, code::INIT, &NONCE);
        d.expect_init(UNALLOCATED, UNALLOCATED);
        d.send(UNALLOCATED, code::PING, b"x");
        d.expect_error(UNALLOCATED, INVALID_CHANNEL);
    }
);

dialogue!(init_on_channel_zero_is_invalid, |d| {
    d.send(0, code::INIT, &NONCE);
    d.expect_error(0, INVALID_CHANNEL);
});

dialogue!(init_of_another_length_than_eight_is_invalid, |d| {
    for length in [0, 7, 9, 57] {
        d.send(BROADCAST, code::INIT, &[1; 57][..length]);
        d.expect_error(BROADCAST, INVALID_LEN);
    }
    d.send_start(BROADCAST, code::INIT, 0xFFFF, &NONCE);
    d.expect_error(BROADCAST, INVALID_LEN);
});

dialogue!(cancel_is_silent_when_nothing_runs, |d| {
    let a = d.open();
    for cid in [a, BROADCAST, 0, UNALLOCATED] {
        d.send(cid, code::CANCEL, &[]);
    }
});

dialogue!(message_on_an_unallocated_channel_is_invalid, |d| {
    d.send(UNALLOCATED, code::CBOR, &[4]);
    d.expect_error(UNALLOCATED, INVALID_CHANNEL);
});

dialogue!(message_on_broadcast_or_channel_zero_is_invalid, |d| {
    for cid in [BROADCAST, 0] {
        d.send(cid, code::PING, b"x");
        d.expect_error(cid, INVALID_CHANNEL);
    }
});

dialogue!(channel_of_another_port_is_an_unallocated_one, |d| {
    let a = d.open();
    d.on(OTHER_HOST).send(a, code::PING, b"x");
    d.expect_error(a, INVALID_CHANNEL);
});

dialogue!(continuation_without_a_message_is_silent, |d| {
    let a = d.open();
    for cid in [a, BROADCAST, 0, UNALLOCATED] {
        d.send_continuation(cid, 0, b"stray");
    }
});

dialogue!(ping_echoes_every_length, |d| {
    let a = d.open();
    let payload: Vec<u8> = (0..=255).cycle().take(7609).collect();
    for length in [0, 1, 56, 57, 58, 116, 117, 1024, 7608, 7609] {
        d.send(a, code::PING, &payload[..length]);
        d.expect(a, code::PING, &payload[..length]);
        d.silence();
    }
});

dialogue!(message_longer_than_7609_bytes_is_refused_at_once, |d| {
    let a = d.open();
    for length in [7610, 0xFFFF] {
        d.send_start(a, code::PING, length, &[0; 57]);
        d.expect_error(a, INVALID_LEN);
        d.send_continuation(a, 0, &[0; 59]);
        d.silence();
    }
});

dialogue!(empty_cbor_or_msg_is_refused, |d| {
    let a = d.open();
    for command in [code::CBOR, code::MSG] {
        d.send(a, command, &[]);
        d.expect_error(a, INVALID_LEN);
    }
});

dialogue!(wink_is_answered_and_reported, |d| {
    let a = d.open();
    d.send(a, code::WINK, &[]);
    d.expect(a, code::WINK, &[]);
    assert_eq!(d.link.poll_request(), Some(Request::Wink));
});

dialogue!(wink_with_a_payload_is_refused, |d| {
    let a = d.open();
    d.send(a, code::WINK, b"?");
    d.expect_error(a, INVALID_LEN);
});

dialogue!(unknown_commands_are_refused, |d| {
    let a = d.open();
    for command in [0x00, 0x04, 0x20, 0x3B, 0x3C, 0x3F, 0x40, 0x7F] {
        d.send_start(a, command, 100, &[0; 57]);
        d.expect_error(a, INVALID_CMD);
        d.silence();
    }
});

dialogue!(response_without_a_request_is_ignored, |d| {
    d.link.respond(d.now, vec![0]);
    d.link.set_status(d.now, Status::UpNeeded);
});

// ---------------------------------------------------------------- Receiving

dialogue!(init_from_elsewhere_does_not_disturb_reception, |d| {
    let (a, b) = (d.open(), d.open());
    d.receiving(a);
    d.send(UNALLOCATED, code::INIT, &NONCE);
    d.expect_init(UNALLOCATED, UNALLOCATED);
    d.send(b, code::INIT, &NONCE);
    d.expect_init(b, b);
    let c = d.open();
    d.finish_receiving(a);
    d.send(c, code::PING, b"c");
    d.expect(c, code::PING, b"c");
});

dialogue!(init_on_the_own_channel_aborts_reception, |d| {
    let a = d.open();
    d.receiving(a);
    d.send(a, code::INIT, &NONCE);
    d.expect_init(a, a);
    d.send_continuation(a, 0, &[7; 43]);
});

dialogue!(faulty_init_does_not_disturb_reception, |d| {
    let a = d.open();
    d.receiving(a);
    d.send(0, code::INIT, &NONCE);
    d.expect_error(0, INVALID_CHANNEL);
    d.send(a, code::INIT, b"short");
    d.expect_error(a, INVALID_LEN);
    d.finish_receiving(a);
});

dialogue!(cancel_does_not_disturb_reception, |d| {
    let (a, b) = (d.open(), d.open());
    d.receiving(a);
    for cid in [a, b, BROADCAST, 0, UNALLOCATED] {
        d.send(cid, code::CANCEL, &[]);
    }
    d.finish_receiving(a);
});

dialogue!(message_on_the_own_channel_breaks_the_sequence, |d| {
    let a = d.open();
    d.receiving(a);
    d.send(a, code::PING, b"again");
    d.expect_error(a, INVALID_SEQ);
    d.send_continuation(a, 0, &[7; 43]);
});

dialogue!(message_on_another_channel_finds_the_key_busy, |d| {
    let (a, b) = (d.open(), d.open());
    d.receiving(a);
    d.send(b, code::PING, b"b");
    d.expect_error(b, CHANNEL_BUSY);
    d.finish_receiving(a);
});

dialogue!(message_from_another_port_finds_the_key_busy, |d| {
    let a = d.open();
    let b = d.on(OTHER_HOST).open();
    d.on(HOST).receiving(a);
    d.on(OTHER_HOST).send(b, code::PING, b"b");
    d.expect_error(b, CHANNEL_BUSY);
    d.on(OTHER_HOST).send_continuation(a, 0, &[7; 43]);
    d.on(HOST).finish_receiving(a);
});

dialogue!(message_on_an_unallocated_channel_finds_the_key_busy, |d| {
    let a = d.open();
    d.receiving(a);
    d.send(UNALLOCATED, code::PING, b"?");
    d.expect_error(UNALLOCATED, CHANNEL_BUSY);
    d.finish_receiving(a);
});

dialogue!(message_on_a_reserved_channel_is_invalid_during_reception, |d| {
    let a = d.open();
    d.receiving(a);
    for cid in [0, BROADCAST] {
        d.send(cid, code::PING, b"?");
        d.expect_error(cid, INVALID_CHANNEL);
    }
    d.finish_receiving(a);
});

dialogue!(continuation_out_of_order_breaks_the_sequence, |d| {
    let a = d.open();
    d.receiving(a);
    d.send_continuation(a, 1, &[7; 43]);
    d.expect_error(a, INVALID_SEQ);
    d.send_continuation(a, 0, &[7; 43]);
    d.wait(600);
});

dialogue!(continuation_sent_twice_breaks_the_sequence, |d| {
    let a = d.open();
    d.send_start(a, code::PING, 200, &[7; 57]);
    d.send_continuation(a, 0, &[7; 59]);
    d.send_continuation(a, 0, &[7; 59]);
    d.expect_error(a, INVALID_SEQ);
});

dialogue!(continuation_from_another_channel_is_ignored, |d| {
    let (a, b) = (d.open(), d.open());
    d.receiving(a);
    for cid in [b, BROADCAST, 0, UNALLOCATED] {
        d.send_continuation(cid, 0, b"not yours");
        d.send_continuation(cid, 9, b"not yours");
    }
    d.finish_receiving(a);
});

dialogue!(response_during_reception_is_ignored, |d| {
    let a = d.open();
    d.receiving(a);
    d.link.respond(d.now, vec![0]);
    d.link.set_status(d.now, Status::UpNeeded);
    d.finish_receiving(a);
});

dialogue!(message_times_out_after_half_a_second, |d| {
    let a = d.open();
    d.receiving(a);
    assert_eq!(d.link.poll_timeout(), Some(d.now + MESSAGE_TIMEOUT));
    d.wait(499);
    assert_eq!(d.recv_report(), None);
    d.wait(1);
    d.expect_error(a, MSG_TIMEOUT);
    d.send_continuation(a, 0, &[7; 43]);
});

dialogue!(each_packet_restarts_the_message_timeout, |d| {
    let a = d.open();
    d.send_start(a, code::PING, 200, &[7; 57]);
    for sequence in 0..2 {
        d.wait(499);
        d.send_continuation(a, sequence, &[7; 59]);
    }
    d.wait(499);
    d.send_continuation(a, 2, &[7; 25]);
    d.expect(a, code::PING, &[7; 200]);
});

dialogue!(
    late_packet_finds_the_message_timed_out_even_without_a_timer,
    |d| {
        let a = d.open();
        d.receiving(a);
        d.now = d.now + MESSAGE_TIMEOUT;
        d.send_continuation(a, 0, &[7; 43]);
        d.expect_error(a, MSG_TIMEOUT);
    }
);

dialogue!(forgetting_the_port_ends_reception, |d| {
    let a = d.open();
    d.receiving(a);
    d.link.forget_port(HOST);
    d.send_continuation(a, 0, &[7; 43]);
    d.silence();
    d.send(a, code::PING, b"gone");
    d.expect_error(a, INVALID_CHANNEL);
});

dialogue!(forgetting_another_port_does_not_disturb_reception, |d| {
    let a = d.open();
    d.on(OTHER_HOST).open();
    d.on(HOST).receiving(a);
    d.link.forget_port(OTHER_HOST);
    d.finish_receiving(a);
});

// ---------------------------------------------------------------- Processing

dialogue!(cbor_is_requested_and_answered, |d| {
    let a = d.open();
    let request: Vec<u8> = (0..=255).cycle().take(1000).collect();
    d.send(a, code::CBOR, &request);
    assert_eq!(d.link.poll_request(), Some(Request::Cbor(request.clone())));
    d.link.respond(d.now, request.clone());
    d.expect(a, code::CBOR, &request);
});

dialogue!(msg_is_requested_and_answered, |d| {
    let a = d.open();
    d.send(a, code::MSG, b"apdu");
    assert_eq!(d.link.poll_request(), Some(Request::Msg(b"apdu".to_vec())));
    d.link.respond(d.now, vec![0x90, 0x00]);
    d.expect(a, code::MSG, &[0x90, 0x00]);
});

dialogue!(init_from_elsewhere_does_not_disturb_processing, |d| {
    let (a, b) = (d.open(), d.open());
    d.processing(a);
    d.send(b, code::INIT, &NONCE);
    d.expect_init(b, b);
    d.send(UNALLOCATED, code::INIT, &NONCE);
    d.expect_init(UNALLOCATED, UNALLOCATED);
    d.open();
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(init_on_the_own_channel_aborts_processing, |d| {
    let a = d.open();
    d.processing(a);
    d.link.set_status(d.now, Status::UpNeeded);
    d.send(a, code::INIT, &NONCE);
    d.expect_init(a, a);
    assert_eq!(d.link.poll_request(), Some(Request::Cancel));
    d.link.respond(d.now, vec![0]);
});

dialogue!(request_aborted_before_it_is_fetched_is_never_seen, |d| {
    let a = d.open();
    d.send(a, code::CBOR, &[4]);
    d.send(a, code::INIT, &NONCE);
    d.expect_init(a, a);
    assert_eq!(d.link.poll_request(), None);
});

dialogue!(init_on_the_own_channel_aborts_a_msg, |d| {
    let a = d.open();
    d.send(a, code::MSG, b"apdu");
    d.link.poll_request().unwrap();
    d.send(a, code::INIT, &NONCE);
    d.expect_init(a, a);
    assert_eq!(d.link.poll_request(), Some(Request::Cancel));
});

dialogue!(faulty_init_does_not_disturb_processing, |d| {
    let a = d.open();
    d.processing(a);
    d.send(0, code::INIT, &NONCE);
    d.expect_error(0, INVALID_CHANNEL);
    d.send(a, code::INIT, b"short");
    d.expect_error(a, INVALID_LEN);
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(cancel_answers_the_cbor_command_once_and_at_once, |d| {
    let a = d.open();
    d.processing(a);
    d.link.set_status(d.now, Status::UpNeeded);
    d.expect_keepalive(a, UP_NEEDED);
    d.send(a, code::CANCEL, &[]);
    d.send(a, code::CANCEL, &[]);
    d.expect(a, code::CBOR, &[KEEPALIVE_CANCEL]);
    d.send(a, code::CANCEL, &[]);
    assert_eq!(d.link.poll_request(), Some(Request::Cancel));
    d.link.respond(d.now, vec![0]);
});

dialogue!(cancel_replaces_a_keepalive_that_nobody_has_read, |d| {
    let a = d.open();
    d.processing(a);
    d.link.set_status(d.now, Status::UpNeeded);
    d.send(a, code::CANCEL, &[]);
    d.expect(a, code::CBOR, &[KEEPALIVE_CANCEL]);
    assert_eq!(d.link.poll_request(), Some(Request::Cancel));
});

dialogue!(cancelled_request_that_nobody_fetched_is_never_seen, |d| {
    let a = d.open();
    d.send(a, code::CBOR, &[4]);
    d.send(a, code::CANCEL, &[]);
    assert_eq!(d.link.poll_request(), None);
    d.expect(a, code::CBOR, &[KEEPALIVE_CANCEL]);
});

dialogue!(cancel_of_another_length_is_ignored, |d| {
    let a = d.open();
    d.processing(a);
    d.send(a, code::CANCEL, b"?");
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(cancel_from_elsewhere_is_ignored, |d| {
    let (a, b) = (d.open(), d.open());
    d.processing(a);
    for cid in [b, BROADCAST, 0, UNALLOCATED] {
        d.send(cid, code::CANCEL, &[]);
    }
    d.on(OTHER_HOST).send(a, code::CANCEL, &[]);
    d.link.respond(d.now, vec![0]);
    d.on(HOST).expect(a, code::CBOR, &[0]);
});

dialogue!(cancel_does_not_concern_msg, |d| {
    let a = d.open();
    d.send(a, code::MSG, b"apdu");
    d.link.poll_request().unwrap();
    d.send(a, code::CANCEL, &[]);
    d.link.respond(d.now, vec![0x69, 0x85]);
    d.expect(a, code::MSG, &[0x69, 0x85]);
});

dialogue!(message_on_any_channel_finds_the_key_busy_while_processing, |d| {
    let (a, b) = (d.open(), d.open());
    d.processing(a);
    for cid in [a, b, UNALLOCATED] {
        d.send(cid, code::PING, b"?");
        d.expect_error(cid, CHANNEL_BUSY);
    }
    for cid in [0, BROADCAST] {
        d.send(cid, code::PING, b"?");
        d.expect_error(cid, INVALID_CHANNEL);
    }
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(continuation_while_processing_is_silent, |d| {
    let (a, b) = (d.open(), d.open());
    d.processing(a);
    for cid in [a, b, BROADCAST, 0, UNALLOCATED] {
        d.send_continuation(cid, 0, b"stray");
    }
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(keepalive_comes_at_least_every_100_ms, |d| {
    let a = d.open();
    d.processing(a);
    for _ in 0..10 {
        let next = d.link.poll_timeout().unwrap();
        assert!(next.saturating_duration_since(d.now) <= Duration::from_millis(100));
        d.wait(75);
        d.expect_keepalive(a, PROCESSING);
        assert_eq!(d.recv_report(), None);
    }
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(status_is_told_at_once_and_only_when_it_changes, |d| {
    let a = d.open();
    d.processing(a);
    d.link.set_status(d.now, Status::Processing);
    assert_eq!(d.recv_report(), None);
    d.link.set_status(d.now, Status::UpNeeded);
    d.expect_keepalive(a, UP_NEEDED);
    d.link.set_status(d.now, Status::UpNeeded);
    assert_eq!(d.recv_report(), None);
    d.wait(75);
    d.expect_keepalive(a, UP_NEEDED);
    d.link.set_status(d.now, Status::Processing);
    d.expect_keepalive(a, PROCESSING);
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(keepalives_that_nobody_reads_do_not_pile_up, |d| {
    let a = d.open();
    d.processing(a);
    for _ in 0..10 {
        d.wait(75);
    }
    d.link.set_status(d.now, Status::UpNeeded);
    d.expect_keepalive(a, UP_NEEDED);
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(
    command_of_a_host_that_does_not_listen_any_more_is_cancelled,
    |d| {
        let a = d.open();
        d.processing(a);
        d.wait(75);
        d.expect_keepalive(a, PROCESSING);
        for _ in 0..67 {
            d.wait(75);
        }
        assert_eq!(d.link.poll_request(), None);
        d.wait(75);
        assert_eq!(d.link.poll_request(), Some(Request::Cancel));
        d.expect(a, code::CBOR, &[KEEPALIVE_CANCEL]);
    }
);

dialogue!(command_of_a_host_that_listens_goes_on, |d| {
    let a = d.open();
    d.processing(a);
    for _ in 0..400 {
        d.wait(75);
        d.expect_keepalive(a, PROCESSING);
    }
    d.wait(30_000);
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(msg_has_no_keepalive, |d| {
    let a = d.open();
    d.send(a, code::MSG, b"apdu");
    d.link.poll_request().unwrap();
    d.link.set_status(d.now, Status::UpNeeded);
    d.wait(1_000);
    assert_eq!(d.recv_report(), None);
    assert_eq!(d.link.poll_timeout(), None);
    d.link.respond(d.now, vec![0x90, 0x00]);
    d.expect(a, code::MSG, &[0x90, 0x00]);
});

dialogue!(response_that_no_message_can_hold_is_an_error, |d| {
    let a = d.open();
    d.processing(a);
    d.link.respond(d.now, vec![0; MESSAGE_LEN_MAX + 1]);
    d.expect_error(a, OTHER);
});

dialogue!(forgetting_the_port_cancels_its_request, |d| {
    let a = d.open();
    d.processing(a);
    d.link.forget_port(HOST);
    assert_eq!(d.link.poll_request(), Some(Request::Cancel));
    d.link.respond(d.now, vec![0]);
});

dialogue!(forgetting_another_port_does_not_disturb_processing, |d| {
    let a = d.open();
    d.on(OTHER_HOST).open();
    d.on(HOST).processing(a);
    d.link.forget_port(OTHER_HOST);
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
});

dialogue!(losing_power_cancels_and_forgets_everything, |d| {
    let a = d.open();
    d.processing(a);
    d.send(a, code::PING, b"?");
    d.link.reset();
    assert_eq!(d.link.poll_request(), Some(Request::Cancel));
    d.silence();
    let b = d.open();
    assert_ne!(a, b);
    d.send(a, code::PING, b"stale");
    d.expect_error(a, INVALID_CHANNEL);
});

// ---------------------------------------------------------------- Sending

dialogue!(replies_to_other_channels_wait_behind_the_whole_reply, |d| {
    let (a, b) = (d.open(), d.open());
    d.sending(a);
    d.send(b, code::PING, b"b");
    d.send(UNALLOCATED, code::PING, b"?");
    d.send(0, code::PING, b"?");
    d.send(b, code::INIT, &NONCE);
    d.send(UNALLOCATED, code::INIT, &NONCE);
    d.send(0, code::INIT, &NONCE);
    d.finish_sending(a);
    d.expect_error(b, CHANNEL_BUSY);
    d.expect_error(UNALLOCATED, CHANNEL_BUSY);
    d.expect_error(0, INVALID_CHANNEL);
    d.expect_init(b, b);
    d.expect_init(UNALLOCATED, UNALLOCATED);
    d.expect_error(0, INVALID_CHANNEL);
});

dialogue!(reply_that_has_not_begun_keeps_its_place, |d| {
    let (a, b) = (d.open(), d.open());
    d.processing(a);
    d.send(b, code::PING, b"before");
    d.link.respond(d.now, vec![0; 100]);
    d.send(b, code::PING, b"after");
    d.expect_error(b, CHANNEL_BUSY);
    d.expect(a, code::CBOR, &[0; 100]);
    d.expect_error(b, CHANNEL_BUSY);
});

dialogue!(new_channel_is_given_behind_the_whole_reply, |d| {
    let a = d.open();
    d.sending(a);
    d.send(BROADCAST, code::INIT, &NONCE);
    d.finish_sending(a);
    let (on, command, payload) = d.recv();
    assert_eq!((on, command, payload.len()), (BROADCAST, code::INIT, 17));
});

dialogue!(init_on_the_own_channel_drops_the_rest_of_the_reply, |d| {
    let a = d.open();
    d.sending(a);
    d.send(a, code::INIT, &NONCE);
    d.expect_init(a, a);
});

dialogue!(
    message_on_the_own_channel_finds_the_key_busy_until_the_reply_is_read,
    |d| {
        let a = d.open();
        d.sending(a);
        d.send(a, code::PING, b"early");
        d.finish_sending(a);
        d.expect_error(a, CHANNEL_BUSY);
    }
);

dialogue!(continuation_and_cancel_while_sending_are_silent, |d| {
    let (a, b) = (d.open(), d.open());
    d.sending(a);
    for cid in [a, b, BROADCAST, 0, UNALLOCATED] {
        d.send_continuation(cid, 0, b"stray");
        d.send(cid, code::CANCEL, &[]);
    }
    d.link.respond(d.now, vec![0]);
    d.link.set_status(d.now, Status::UpNeeded);
    d.finish_sending(a);
});

dialogue!(reply_that_nobody_reads_is_dropped, |d| {
    let a = d.open();
    d.send(a, code::PING, &[7; 100]);
    d.send(a, code::PING, b"early");
    d.wait(2_999);
    assert!(d.link.poll_timeout().is_some());
    d.wait(1);
});

dialogue!(rest_of_a_reply_that_nobody_reads_is_dropped, |d| {
    let a = d.open();
    d.sending(a);
    d.wait(1);
    d.wait(2_999);
    d.finish_sending(a);
    d.sending(a);
    d.wait(1);
    d.wait(3_000);
});

dialogue!(reply_that_is_read_slowly_is_not_dropped, |d| {
    let a = d.open();
    d.send(a, code::PING, &[7; 300]);
    for _ in 0..6 {
        d.wait(2_900);
        assert!(d.recv_report().is_some());
    }
});

dialogue!(short_replies_that_nobody_reads_are_bounded, |d| {
    for id in 1..100 {
        d.send(id << 8, code::PING, b"?");
    }
    for id in (1..100).skip(99 - SHORT_REPLIES_MAX) {
        d.expect_error(id << 8, INVALID_CHANNEL);
    }
});

dialogue!(short_replies_that_nobody_reads_are_dropped, |d| {
    d.send(UNALLOCATED, code::PING, b"?");
    d.wait(3_000);
});

dialogue!(dropped_short_replies_do_not_end_anothers_reply, |d| {
    let a = d.open();
    d.on(OTHER_HOST).send(UNALLOCATED, code::PING, b"?");
    d.wait(2_000);
    d.on(HOST).sending(a);
    d.wait(1_000);
    d.finish_sending(a);
});

dialogue!(other_ports_hear_of_a_busy_key_while_a_reply_is_unread, |d| {
    let a = d.open();
    let b = d.on(OTHER_HOST).open();
    d.on(HOST).sending(a);
    d.on(OTHER_HOST).send(b, code::PING, b"?");
    d.expect_error(b, CHANNEL_BUSY);
    d.on(HOST).finish_sending(a);
    d.on(OTHER_HOST).send(b, code::PING, b"!");
    d.expect(b, code::PING, b"!");
});

dialogue!(forgetting_the_port_ends_its_reply, |d| {
    let a = d.open();
    d.sending(a);
    d.link.forget_port(HOST);
});

dialogue!(aborted_reply_does_not_shorten_the_patience_for_the_next, |d| {
    let a = d.open();
    d.send(a, code::PING, b"1");
    d.wait(2_900);
    d.send(a, code::INIT, &NONCE);
    d.wait(2_900);
    d.expect_init(a, a);
});

dialogue!(reply_keeps_its_place_when_short_replies_are_dropped, |d| {
    let (a, b) = (d.open(), d.open());
    d.processing(a);
    for _ in 0..SHORT_REPLIES_MAX {
        d.send(a, code::PING, b"before");
    }
    d.link.respond(d.now, vec![0]);
    d.send(b, code::PING, b"after");
    for _ in 1..SHORT_REPLIES_MAX {
        d.expect_error(a, CHANNEL_BUSY);
    }
    d.expect(a, code::CBOR, &[0]);
    d.expect_error(b, CHANNEL_BUSY);
});

// ---------------------------------------------------------------- Bounds

dialogue!(channels_are_recycled_but_never_the_one_in_use, |d| {
    let a = d.open();
    let b = d.open();
    d.processing(a);
    for _ in 0..CHANNELS_MAX {
        d.open();
    }
    d.link.respond(d.now, vec![0]);
    d.expect(a, code::CBOR, &[0]);
    d.send(a, code::PING, b"mine");
    d.expect(a, code::PING, b"mine");
    d.send(b, code::PING, b"recycled");
    d.expect_error(b, INVALID_CHANNEL);
});

dialogue!(init_on_an_own_channel_keeps_it_from_being_recycled, |d| {
    let a = d.open();
    for _ in 1..CHANNELS_MAX {
        d.open();
    }
    d.send(a, code::INIT, &NONCE);
    d.expect_init(a, a);
    d.open();
    d.send(a, code::PING, b"mine");
    d.expect(a, code::PING, b"mine");
});

dialogue!(one_port_cannot_take_the_channels_of_another, |d| {
    let a = d.open();
    for _ in 0..1_000 {
        d.on(OTHER_HOST).open();
    }
    d.on(HOST).send(a, code::PING, b"mine");
    d.expect(a, code::PING, b"mine");
});

dialogue!(ports_beyond_the_bound_are_not_heard, |d| {
    let a = d.open();
    for port in 2..1_000 {
        d.on(Port(port)).send(BROADCAST, code::INIT, &NONCE);
    }
    assert!(d.recv_report().is_none());
    for port in 2..1_000 {
        d.link.forget_port(Port(port));
    }
    d.on(HOST).send(a, code::PING, b"mine");
    d.expect(a, code::PING, b"mine");
});

// ---------------------------------------------------------------- Properties

/// What a host sees: whole messages, none of them torn apart.
#[derive(Default)]
struct Reader {
    /// Channel, bytes and sequence number still to come.
    expected: Option<(u32, usize, u8)>,
    /// How long nothing was read: the rest of a message may have been dropped.
    pause_ms: u64,
}

impl Reader {
    fn read(&mut self, Report(report): Report) {
        if core::mem::take(&mut self.pause_ms) >= 3_000 && report[4] & 0x80 != 0 {
            self.expected = None;
        }
        let cid = u32::from_be_bytes(*report.first_chunk().unwrap());
        let (len, room) = match self.expected {
            Some((own, len, sequence)) => {
                assert_eq!((cid, report[4]), (own, sequence), "the message goes on");
                self.expected = Some((cid, len, sequence + 1));
                (len, 59)
            }
            None => {
                assert!(report[4] & 0x80 != 0, "a message starts");
                self.expected = Some((cid, 0, 0));
                (usize::from(u16::from_be_bytes([report[5], report[6]])), 57)
            }
        };
        self.expected = match self.expected {
            Some((cid, _, sequence)) if len > room => Some((cid, len - room, sequence)),
            _ => None,
        };
    }
}

/// One thing that happens to the link.
#[derive(Debug, Clone)]
enum Step {
    Report { port: u32, cid: u32, mark: u8, len: u16 },
    Wait(u64),
    Respond(usize),
    Status(bool),
    Read { port: u32, count: usize },
    Forget(u32),
}

fn any_step() -> impl Strategy<Value = Step> {
    let cid = prop_oneof![8 => 1_u32..4, 1 => Just(0), 2 => Just(BROADCAST), 1 => Just(UNALLOCATED)];
    let mark = prop_oneof![
        3 => 0_u8..4,
        6 => prop::sample::select(vec![0x81, 0x83, 0x86, 0x88, 0x90, 0x91]),
        1 => any::<u8>(),
    ];
    let len = prop_oneof![Just(0_u16), Just(8), 1_u16..200, 7_600_u16..7_620];
    prop_oneof![
        10 => (0_u32..2, cid, mark, len).prop_map(|(port, cid, mark, len)| Step::Report { port, cid, mark, len }),
        2 => (0_u64..200).prop_map(Step::Wait),
        1 => (0_u64..4_000).prop_map(Step::Wait),
        3 => (0_usize..200).prop_map(Step::Respond),
        2 => any::<bool>().prop_map(Step::Status),
        6 => (0_u32..2, 0_usize..10).prop_map(|(port, count)| Step::Read { port, count }),
        1 => (0_u32..2).prop_map(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn messages_are_never_torn_and_the_key_is_never_wedged(steps in prop::collection::vec(any_step(), 0..100)) {
        let mut d = Dialogue::new();
        let mut readers = [Reader::default(), Reader::default()];
        for step in steps {
            match step {
                Step::Report { port, cid, mark, len } => {
                    // A message is cut short only when its own client gives it up by INIT.
                    if mark == 0x86 && len == 8 && cid != 0 && cid != BROADCAST {
                        let reader = &mut readers[usize::try_from(port).unwrap()];
                        reader.expected = reader.expected.filter(|(own, ..)| *own != cid);
                    }
                    let [a, b, c, e] = cid.to_be_bytes();
                    let [high, low] = len.to_be_bytes();
                    d.on(Port(port)).send_report(Report::padded(&[a, b, c, e, mark, high, low]));
                }
                Step::Wait(ms) => {
                    d.wait(ms);
                    readers.iter_mut().for_each(|reader| reader.pause_ms += ms);
                }
                Step::Respond(len) => d.link.respond(d.now, vec![0; len]),
                Step::Status(true) => d.link.set_status(d.now, Status::UpNeeded),
                Step::Status(false) => d.link.set_status(d.now, Status::Processing),
                Step::Read { port, count } => {
                    for report in (0..count).map_while(|_| d.link.poll_report(Port(port))) {
                        readers[usize::try_from(port).unwrap()].read(report);
                    }
                }
                Step::Forget(port) => {
                    d.link.forget_port(Port(port));
                    readers[usize::try_from(port).unwrap()].expected = None;
                }
            }
            prop_assert!((0..3).filter_map(|_| d.link.poll_request()).count() <= 3);
        }
        d.wait(500);
        d.link.respond(d.now, vec![0]);
        for port in [0, 1] {
            prop_assert!((0..200).map_while(|_| d.link.poll_report(Port(port))).count() < 200);
        }
        d.idle();
    }
}
