//! Dialogues between a USB host and the connection: enumeration as Linux does it, pending and taken-back
//! transfers, the service phase, hostile bytes.

use proptest::prelude::*;

use super::*;

const DEVICE_ID: u32 = 0x0003_0004;
const EPIPE: i32 = -32;
const ECONNRESET: i32 = -104;

const SET_CONFIGURATION: [u8; 8] = [0x00, 9, 1, 0, 0, 0, 0, 0];
const DECONFIGURE: [u8; 8] = [0x00, 9, 0, 0, 0, 0, 0, 0];
const HALT_IN: [u8; 8] = [0x02, 3, 0, 0, 0x81, 0, 0, 0];
const UNHALT_IN: [u8; 8] = [0x02, 1, 0, 0, 0x81, 0, 0, 0];
const HALT_OUT: [u8; 8] = [0x02, 3, 0, 0, 0x01, 0, 0, 0];
const UNHALT_OUT: [u8; 8] = [0x02, 1, 0, 0, 0x01, 0, 0, 0];

const REPORT_A: Report = Report([0xA; 64]);
const REPORT_B: Report = Report([0xB; 64]);

/// A USB host that knows what it asked for.
struct Host {
    connection: Connection,
    seqnum: u32,
}

impl Host {
    fn new() -> Self {
        Self {
            connection: Connection::new(Phase::Attached, &Identity::default()),
            seqnum: 0,
        }
    }

    /// A host that has got as far as SET_CONFIGURATION.
    fn configured() -> Self {
        let mut host = Self::new();
        assert_eq!(host.control_out(SET_CONFIGURATION, &[]), 0);
        assert_eq!(host.connection.poll_event(), Some(Event::Configured));
        host
    }

    fn send(&mut self, command: &Command<'_>) {
        let mut bytes = Vec::new();
        command.emit(&mut bytes);
        self.connection.handle_bytes(&bytes).expect("a connection");
    }

    fn submit(&mut self, submit: Submit<'_>) -> u32 {
        self.seqnum += 1;
        self.send(&Command::Submit(Submit {
            seqnum: self.seqnum,
            device_id: DEVICE_ID,
            ..submit
        }));
        self.seqnum
    }

    fn submit_in(&mut self, length: u32) -> u32 {
        self.submit(Submit {
            direction: Direction::In,
            endpoint: 1,
            length,
            ..NOTHING
        })
    }

    fn submit_out(&mut self, data: &[u8]) -> u32 {
        self.submit(Submit {
            endpoint: 1,
            length: data.len().try_into().unwrap(),
            data,
            ..NOTHING
        })
    }

    fn unlink(&mut self, target: u32) -> u32 {
        self.seqnum += 1;
        self.send(&Command::Unlink {
            seqnum: self.seqnum,
            device_id: DEVICE_ID,
            target,
        });
        self.seqnum
    }

    /// The next reply without its data.
    fn recv(&mut self) -> Reply {
        let Ok(Parsed::Whole(reply, _)) = Reply::parse(self.connection.output()) else {
            panic!("no reply")
        };
        self.connection.consume_output(48);
        reply
    }

    /// The next reply, to an IN transfer.
    fn recv_data(&mut self) -> (u32, i32, Vec<u8>) {
        let Reply::Submit {
            seqnum,
            status,
            actual_length,
        } = self.recv()
        else {
            panic!("no transfer")
        };
        let len = usize::try_from(actual_length).unwrap();
        let data = self.connection.output()[..len].to_vec();
        self.connection.consume_output(len);
        (seqnum, status, data)
    }

    fn expect_report(&mut self, seqnum: u32, report: Report) {
        assert_eq!(self.recv_data(), (seqnum, 0, report.0.to_vec()));
    }

    fn expect_status(&mut self, seqnum: u32, status: i32) {
        assert_eq!(
            self.recv(),
            Reply::Submit {
                seqnum,
                status,
                actual_length: 0
            }
        );
    }

    fn expect_unlinked(&mut self, seqnum: u32, status: i32) {
        assert_eq!(self.recv(), Reply::Unlink { seqnum, status });
    }

    fn expect_silence(&mut self) {
        assert_eq!(self.connection.output().len(), 0);
        assert_eq!(self.connection.poll_report(), None);
        assert_eq!(self.connection.poll_event(), None);
    }

    /// A control transfer to the host with a buffer of `wLength` bytes.
    fn control_in(&mut self, setup: [u8; 8]) -> Result<Vec<u8>, i32> {
        let length = u32::from(u16::from_le_bytes([setup[6], setup[7]]));
        let seqnum = self.submit(Submit {
            direction: Direction::In,
            length,
            setup,
            ..NOTHING
        });
        let (answered, status, data) = self.recv_data();
        assert_eq!(answered, seqnum);
        if status == 0 { Ok(data) } else { Err(status) }
    }

    fn control_out(&mut self, setup: [u8; 8], data: &[u8]) -> i32 {
        let seqnum = self.submit(Submit {
            length: data.len().try_into().unwrap(),
            setup,
            data,
            ..NOTHING
        });
        let Reply::Submit {
            seqnum: answered,
            status,
            actual_length,
        } = self.recv()
        else {
            panic!("no transfer")
        };
        assert_eq!(answered, seqnum);
        assert_eq!(
            usize::try_from(actual_length).unwrap(),
            if status == 0 { data.len() } else { 0 }
        );
        status
    }

    fn descriptor(&mut self, kind: u8, index: u8, language: u16, length: u16) -> Result<Vec<u8>, i32> {
        let ([low, high], [short, long]) = (language.to_le_bytes(), length.to_le_bytes());
        self.control_in([0x80, 6, index, kind, low, high, short, long])
    }
}

/// A control transfer without data, to fill up from.
const NOTHING: Submit<'static> = Submit {
    seqnum: 0,
    device_id: DEVICE_ID,
    direction: Direction::Out,
    endpoint: 0,
    flags: 0,
    length: 0,
    setup: [0; 8],
    data: &[],
};

fn string_descriptor(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut descriptor = vec![u8::try_from(units.len() + 2).unwrap(), 3];
    descriptor.extend(units);
    descriptor
}

// ---------------------------------------------------------------- Enumeration

const DEVICE_DESCRIPTOR: [u8; 18] = [
    18, 1, 0x00, 0x02, 0, 0, 0, 64, // USB 2.00, class given by the interface, 64 bytes on endpoint 0
    0x09, 0x12, 0x7D, 0x3A, 0x10, 0x00, 1, 2, 0, 1, // 1209:3a7d 0.10, two strings, one configuration
];

const CONFIGURATION_DESCRIPTOR: [u8; 41] = [
    9, 2, 41, 0, 1, 1, 0, 0x80, 50, // one interface, bus powered, 100 mA
    9, 4, 0, 0, 2, 3, 0, 0, 0, // HID, two endpoints
    9, 0x21, 0x11, 0x01, 0, 1, 0x22, 34, 0, // HID 1.11, report descriptor of 34 bytes
    7, 5, 0x81, 3, 64, 0, 1, // interrupt IN, 64 bytes
    7, 5, 0x01, 3, 64, 0, 1, // interrupt OUT, 64 bytes
];

const REPORT_DESCRIPTOR: [u8; 34] = [
    0x06, 0xD0, 0xF1, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95,
    0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xC0,
];

#[test]
fn linux_enumerates_the_key() {
    let mut host = Host::new();
    assert_eq!(host.descriptor(1, 0, 0, 64), Ok(DEVICE_DESCRIPTOR.to_vec()));
    assert_eq!(
        host.control_out([0x00, 5, 9, 0, 0, 0, 0, 0], &[]),
        0,
        "SET_ADDRESS"
    );
    assert_eq!(host.descriptor(1, 0, 0, 18), Ok(DEVICE_DESCRIPTOR.to_vec()));
    assert_eq!(host.descriptor(15, 0, 0, 5), Err(EPIPE), "no BOS");
    assert_eq!(host.descriptor(6, 0, 0, 10), Err(EPIPE), "no other speed");
    assert_eq!(
        host.descriptor(2, 0, 0, 9),
        Ok(CONFIGURATION_DESCRIPTOR[..9].to_vec())
    );
    assert_eq!(
        host.descriptor(2, 0, 0, 41),
        Ok(CONFIGURATION_DESCRIPTOR.to_vec())
    );
    assert_eq!(host.descriptor(3, 0, 0, 255), Ok(vec![4, 3, 0x09, 0x04]));
    assert_eq!(
        host.descriptor(3, 2, 0x0409, 255),
        Ok(string_descriptor("wardkey FIDO2 security key"))
    );
    assert_eq!(
        host.descriptor(3, 1, 0x0409, 255),
        Ok(string_descriptor("wardkey"))
    );
    assert_eq!(host.descriptor(3, 3, 0x0409, 255), Err(EPIPE), "no serial number");
    assert_eq!(host.control_out(SET_CONFIGURATION, &[]), 0);
    assert_eq!(host.connection.poll_event(), Some(Event::Configured));
    assert_eq!(
        host.control_out([0x21, 0x0A, 0, 0, 0, 0, 0, 0], &[]),
        0,
        "SET_IDLE"
    );
    assert_eq!(
        host.control_in([0x81, 6, 0, 0x22, 0, 0, 34, 0]),
        Ok(REPORT_DESCRIPTOR.to_vec())
    );
    let waiting = host.submit_in(64);
    let out = host.submit_out(&REPORT_A.0);
    assert_eq!(
        host.recv(),
        Reply::Submit {
            seqnum: out,
            status: 0,
            actual_length: 64
        }
    );
    assert_eq!(host.connection.poll_report(), Some(REPORT_A));
    host.connection.send_report(REPORT_B).unwrap();
    host.expect_report(waiting, REPORT_B);
    host.expect_silence();
}

#[test]
fn descriptor_is_cut_to_what_is_asked_for() {
    let mut host = Host::new();
    for length in 0..80 {
        let expected = &DEVICE_DESCRIPTOR[..usize::from(length).min(18)];
        assert_eq!(host.descriptor(1, 0, 0, length), Ok(expected.to_vec()));
    }
}

#[test]
fn reply_is_never_longer_than_the_buffer() {
    let mut host = Host::new();
    for length in 0..40 {
        let setup = [0x80, 6, 0, 2, 0, 0, 255, 0];
        let seqnum = host.submit(Submit {
            direction: Direction::In,
            length,
            setup,
            ..NOTHING
        });
        let len = usize::try_from(length).unwrap();
        assert_eq!(
            host.recv_data(),
            (seqnum, 0, CONFIGURATION_DESCRIPTOR[..len].to_vec())
        );
    }
}

#[test]
fn host_may_insist_on_all_it_asks_for() {
    let mut host = Host::new();
    let setup = [0x80, 6, 0, 1, 0, 0, 64, 0];
    let seqnum = host.submit(Submit {
        direction: Direction::In,
        length: 64,
        flags: 1,
        setup,
        ..NOTHING
    });
    assert_eq!(host.recv_data(), (seqnum, -121, DEVICE_DESCRIPTOR.to_vec()));
    let seqnum = host.submit(Submit {
        direction: Direction::In,
        length: 18,
        flags: 1,
        setup,
        ..NOTHING
    });
    assert_eq!(host.recv_data(), (seqnum, 0, DEVICE_DESCRIPTOR.to_vec()));
}

#[test]
fn longest_strings_are_sent_whole() {
    let long = "é".repeat(62);
    let identity = Identity {
        manufacturer: long.clone(),
        product: "x".repeat(1_000),
        serial: Some("0001".into()),
        ..Identity::default()
    };
    let mut host = Host {
        connection: Connection::new(Phase::Attached, &identity),
        seqnum: 0,
    };
    assert_eq!(host.descriptor(1, 0, 0, 18).unwrap()[14..17], [1, 2, 3]);
    assert_eq!(host.descriptor(3, 1, 0x0409, 255), Ok(string_descriptor(&long)));
    assert_eq!(
        host.descriptor(3, 2, 0x0409, 255),
        Ok(string_descriptor(&"x".repeat(62)))
    );
    assert_eq!(host.descriptor(3, 3, 0x0409, 255), Ok(string_descriptor("0001")));
}

#[test]
fn unknown_requests_stall_and_the_next_one_works() {
    let mut host = Host::configured();
    let refused = [
        [0x80, 6, 0xEE, 3, 0, 0, 18, 0],   // string 238, Windows' question
        [0x80, 6, 2, 3, 0x07, 0x04, 9, 0], // a language that is not there
        [0x81, 6, 0, 0x23, 0, 0, 9, 0],    // physical descriptor
        [0x81, 6, 0, 0x22, 1, 0, 34, 0],   // report descriptor of another interface
        [0x82, 0, 0, 0, 0x82, 0, 2, 0],    // status of an endpoint that is not there
        [0xC0, 1, 0, 0, 0, 0, 8, 0],       // vendor request
        [0xA1, 3, 0, 0, 0, 0, 1, 0],       // GET_PROTOCOL, for boot devices only
        [0xA1, 1, 0, 3, 0, 0, 64, 0],      // GET_REPORT of a feature
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    ];
    for setup in refused {
        assert_eq!(host.control_in(setup), Err(EPIPE), "{setup:x?}");
        assert_eq!(host.descriptor(1, 0, 0, 18), Ok(DEVICE_DESCRIPTOR.to_vec()));
    }
    let refused = [
        [0x00, 9, 2, 0, 0, 0, 0, 0],    // SET_CONFIGURATION 2
        [0x01, 11, 1, 0, 0, 0, 0, 0],   // SET_INTERFACE, an alternate setting
        [0x01, 11, 0, 0, 7, 0, 0, 0],   // SET_INTERFACE 7
        [0x02, 3, 0, 0, 0x82, 0, 0, 0], // halt an endpoint that is not there
        [0x21, 0x0B, 0, 0, 0, 0, 0, 0], // SET_PROTOCOL
        [0x21, 0x0A, 0, 4, 0, 0, 0, 0], // SET_IDLE with a duration
        [0x40, 1, 0, 0, 0, 0, 0, 0],    // vendor request
    ];
    for setup in refused {
        assert_eq!(host.control_out(setup, &[]), EPIPE, "{setup:x?}");
        assert_eq!(host.descriptor(1, 0, 0, 18), Ok(DEVICE_DESCRIPTOR.to_vec()));
    }
    host.expect_silence();
}

#[test]
fn standard_requests_are_answered() {
    let mut host = Host::configured();
    assert_eq!(
        host.control_in([0x80, 8, 0, 0, 0, 0, 1, 0]),
        Ok(vec![1]),
        "GET_CONFIGURATION"
    );
    assert_eq!(
        host.control_in([0x80, 0, 0, 0, 0, 0, 2, 0]),
        Ok(vec![0, 0]),
        "GET_STATUS"
    );
    assert_eq!(
        host.control_in([0x81, 10, 0, 0, 0, 0, 1, 0]),
        Ok(vec![0]),
        "GET_INTERFACE"
    );
    assert_eq!(
        host.control_out([0x01, 11, 0, 0, 0, 0, 0, 0], &[]),
        0,
        "SET_INTERFACE"
    );
    assert_eq!(
        host.control_in([0x81, 6, 0, 0x21, 0, 0, 9, 0]),
        Ok(CONFIGURATION_DESCRIPTOR[18..27].to_vec())
    );
    assert_eq!(
        host.control_in([0xA1, 2, 0, 0, 0, 0, 1, 0]),
        Ok(vec![0]),
        "GET_IDLE"
    );
    assert_eq!(
        host.control_in([0xA1, 1, 0, 1, 0, 0, 64, 0]),
        Ok(vec![0; 64]),
        "GET_REPORT"
    );
    host.expect_silence();
}

#[test]
fn report_may_come_by_a_control_transfer() {
    let mut host = Host::configured();
    assert_eq!(host.control_out([0x21, 9, 0, 2, 0, 0, 64, 0], &REPORT_A.0), 0);
    assert_eq!(host.connection.poll_report(), Some(REPORT_A));
    assert_eq!(host.control_out([0x21, 9, 0, 2, 0, 0, 65, 0], &[1; 65]), EPIPE);
    assert_eq!(host.control_out([0x21, 9, 0, 2, 0, 0, 200, 0], &[1; 200]), EPIPE);
    host.expect_silence();
}

#[test]
fn control_data_of_another_length_than_announced_stalls() {
    let mut host = Host::configured();
    for len in [0, 63, 65, 128] {
        assert_eq!(
            host.control_out([0x21, 9, 0, 2, 0, 0, 64, 0], &vec![1; len]),
            EPIPE
        );
    }
    assert_eq!(host.descriptor(1, 0, 0, 18), Ok(DEVICE_DESCRIPTOR.to_vec()));
    host.expect_silence();
}

#[test]
fn direction_of_setup_and_transfer_must_agree() {
    let mut host = Host::configured();
    assert_eq!(host.control_out([0x80, 6, 0, 1, 0, 0, 18, 0], &[0; 18]), EPIPE);
    let setup = [0x21, 9, 0, 2, 0, 0, 64, 0];
    let seqnum = host.submit(Submit {
        direction: Direction::In,
        length: 64,
        setup,
        ..NOTHING
    });
    host.expect_status(seqnum, EPIPE);
    host.expect_silence();
}

// ---------------------------------------------------------------- Configuration

#[test]
fn endpoints_do_not_answer_before_the_configuration() {
    let mut host = Host::new();
    let seqnum = host.submit_in(64);
    host.expect_status(seqnum, -71);
    let seqnum = host.submit_out(&REPORT_A.0);
    host.expect_status(seqnum, -71);
    assert!(!host.connection.can_send());
    assert_eq!(host.connection.send_report(REPORT_A), Err(Full));
    host.expect_silence();
}

#[test]
fn endpoints_that_do_not_exist_do_not_answer() {
    let mut host = Host::configured();
    for endpoint in 2..16 {
        for direction in [Direction::In, Direction::Out] {
            let seqnum = host.submit(Submit {
                direction,
                endpoint,
                ..NOTHING
            });
            host.expect_status(seqnum, -71);
        }
    }
    host.expect_silence();
}

#[test]
fn configuration_taken_away_ends_reports() {
    let mut host = Host::configured();
    host.submit_in(64);
    assert!(host.connection.can_send());
    assert_eq!(host.control_out(DECONFIGURE, &[]), 0);
    assert_eq!(host.connection.poll_event(), Some(Event::Deconfigured));
    assert!(!host.connection.can_send());
    assert_eq!(host.control_in([0x80, 8, 0, 0, 0, 0, 1, 0]), Ok(vec![0]));
}

#[test]
fn new_address_ends_the_configuration() {
    let mut host = Host::configured();
    assert_eq!(
        host.control_out([0x00, 5, 9, 0, 0, 0, 0, 0], &[]),
        0,
        "SET_ADDRESS"
    );
    assert_eq!(host.connection.poll_event(), Some(Event::Deconfigured));
    host.expect_silence();
}

#[test]
fn new_configuration_drops_reports_of_the_old_one() {
    let mut host = Host::configured();
    host.submit_out(&REPORT_A.0);
    host.recv();
    assert_eq!(host.control_out(SET_CONFIGURATION, &[]), 0);
    assert_eq!(host.connection.poll_event(), Some(Event::Configured));
    host.expect_silence();
}

#[test]
fn connection_may_move_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Host::new().connection);
}

// ---------------------------------------------------------------- Transfers

#[test]
fn in_transfer_waits_while_other_transfers_go_on() {
    let mut host = Host::configured();
    let waiting = host.submit_in(64);
    host.expect_silence();
    for _ in 0..3 {
        let out = host.submit_out(&REPORT_A.0);
        assert_eq!(
            host.recv(),
            Reply::Submit {
                seqnum: out,
                status: 0,
                actual_length: 64
            }
        );
        assert_eq!(host.connection.poll_report(), Some(REPORT_A));
        assert_eq!(host.descriptor(1, 0, 0, 18), Ok(DEVICE_DESCRIPTOR.to_vec()));
    }
    host.expect_silence();
    host.connection.send_report(REPORT_B).unwrap();
    host.expect_report(waiting, REPORT_B);
}

#[test]
fn in_transfers_are_completed_in_order() {
    let mut host = Host::configured();
    let transfers = [host.submit_in(64), host.submit_in(64), host.submit_in(1_000)];
    for (number, seqnum) in (0..).zip(transfers) {
        assert!(host.connection.can_send());
        host.connection.send_report(Report([number; 64])).unwrap();
        host.expect_report(seqnum, Report([number; 64]));
    }
    assert!(!host.connection.can_send());
    assert_eq!(host.connection.send_report(REPORT_A), Err(Full));
    host.expect_silence();
}

#[test]
fn out_transfers_keep_their_order() {
    let mut host = Host::configured();
    for number in 0..5 {
        host.submit_out(&[number; 64]);
    }
    for number in 0..5 {
        assert_eq!(host.connection.poll_report(), Some(Report([number; 64])));
        host.recv();
    }
    host.expect_silence();
}

#[test]
fn out_transfer_is_cut_into_reports() {
    let mut host = Host::configured();
    let data: Vec<u8> = (0..150).collect();
    let seqnum = host.submit_out(&data);
    assert_eq!(
        host.recv(),
        Reply::Submit {
            seqnum,
            status: 0,
            actual_length: 150
        }
    );
    for packet in data.chunks(64) {
        assert_eq!(host.connection.poll_report(), Some(Report::padded(packet)));
    }
    let seqnum = host.submit_out(&[]);
    host.expect_status(seqnum, 0);
    host.expect_silence();
}

#[test]
fn buffer_too_small_for_a_report_overflows() {
    let mut host = Host::configured();
    for length in [0, 1, 63] {
        let seqnum = host.submit_in(length);
        host.expect_status(seqnum, -75);
    }
    host.expect_silence();
}

#[test]
fn pending_transfers_are_bounded() {
    let mut host = Host::configured();
    let first = host.submit_in(64);
    for _ in 1..PENDING_URBS_MAX {
        host.submit_in(64);
    }
    let refused = host.submit_in(64);
    host.expect_status(refused, -12);
    host.connection.send_report(REPORT_A).unwrap();
    host.expect_report(first, REPORT_A);
    host.submit_in(64);
    host.expect_silence();
}

#[test]
fn halted_in_endpoint_stalls_until_it_is_cleared() {
    let mut host = Host::configured();
    let pending = host.submit_in(64);
    assert_eq!(host.control_out(HALT_IN, &[]), 0);
    host.expect_status(pending, EPIPE);
    let seqnum = host.submit_in(64);
    host.expect_status(seqnum, EPIPE);
    assert_eq!(
        host.control_in([0x82, 0, 0, 0, 0x81, 0, 2, 0]),
        Ok(vec![1, 0]),
        "GET_STATUS"
    );
    assert!(!host.connection.can_send());
    assert_eq!(host.control_out(UNHALT_IN, &[]), 0);
    assert_eq!(
        host.control_in([0x82, 0, 0, 0, 0x81, 0, 2, 0]),
        Ok(vec![0, 0]),
        "GET_STATUS"
    );
    let seqnum = host.submit_in(64);
    host.connection.send_report(REPORT_A).unwrap();
    host.expect_report(seqnum, REPORT_A);
    host.expect_silence();
}

#[test]
fn halted_out_endpoint_stalls_until_it_is_cleared_or_configured() {
    let mut host = Host::configured();
    for end in [UNHALT_OUT, SET_CONFIGURATION] {
        assert_eq!(host.control_out(HALT_OUT, &[]), 0);
        let seqnum = host.submit_out(&REPORT_A.0);
        host.expect_status(seqnum, EPIPE);
        assert_eq!(host.control_out(end, &[]), 0);
        host.submit_out(&REPORT_A.0);
        host.recv();
        assert_eq!(host.connection.poll_report(), Some(REPORT_A));
    }
}

// ---------------------------------------------------------------- UNLINK

#[test]
fn pending_transfer_is_taken_back() {
    let mut host = Host::configured();
    let (first, second, third) = (host.submit_in(64), host.submit_in(64), host.submit_in(64));
    let unlink = host.unlink(second);
    host.expect_unlinked(unlink, ECONNRESET);
    for (seqnum, report) in [(first, REPORT_A), (third, REPORT_B)] {
        host.connection.send_report(report).unwrap();
        host.expect_report(seqnum, report);
    }
    assert!(!host.connection.can_send());
    host.expect_silence();
}

#[test]
fn unlink_that_comes_too_late_changes_nothing() {
    let mut host = Host::configured();
    let seqnum = host.submit_in(64);
    host.connection.send_report(REPORT_A).unwrap();
    let unlink = host.unlink(seqnum);
    host.expect_report(seqnum, REPORT_A);
    host.expect_unlinked(unlink, 0);
    host.expect_silence();
}

#[test]
fn transfer_is_taken_back_only_once() {
    let mut host = Host::configured();
    let seqnum = host.submit_in(64);
    let unlink = host.unlink(seqnum);
    host.expect_unlinked(unlink, ECONNRESET);
    let unlink = host.unlink(seqnum);
    host.expect_unlinked(unlink, 0);
    host.expect_silence();
}

#[test]
fn unlink_of_an_unknown_or_completed_transfer_answers_zero() {
    let mut host = Host::configured();
    let unlink = host.unlink(99);
    host.expect_unlinked(unlink, 0);
    let out = host.submit_out(&REPORT_A.0);
    host.recv();
    let unlink = host.unlink(out);
    host.expect_unlinked(unlink, 0);
    assert_eq!(host.connection.poll_report(), Some(REPORT_A));
    host.expect_silence();
}

// ---------------------------------------------------------------- Service

fn service() -> Connection {
    Connection::new(Phase::Service, &Identity::default())
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let bytes = connection.output().to_vec();
    connection.consume_output(bytes.len());
    bytes
}

fn import(connection: &mut Connection, bus_id: &str) {
    let mut bytes = vec![0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0];
    bytes.extend(bus_id.bytes());
    bytes.resize(40, 0);
    connection.handle_bytes(&bytes).expect("a connection");
}

#[test]
fn service_lists_the_device() {
    let mut connection = service();
    connection
        .handle_bytes(&[0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0])
        .unwrap();
    let list = drain(&mut connection);
    assert_eq!(list.len(), 8 + 4 + 312 + 4);
    assert_eq!(list[..12], [0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert!(list[12..268].starts_with(b"/devices/wardkey/usb1/1-1\0"));
    assert!(list[268..300].starts_with(b"1-1\0"));
    assert_eq!(
        list[300..312],
        [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2],
        "bus 1, device 2, full speed"
    );
    assert_eq!(list[312..318], [0x12, 0x09, 0x3A, 0x7D, 0x00, 0x10]);
    assert_eq!(list[318..324], [0, 0, 0, 1, 1, 1]);
    assert_eq!(list[324..], [3, 0, 0, 0], "HID");
    assert_eq!(connection.poll_event(), None);
}

#[test]
fn service_gives_the_device_to_who_asks() {
    let mut connection = service();
    import(&mut connection, "1-1");
    assert_eq!(connection.poll_event(), Some(Event::ImportRequested));
    assert_eq!(connection.poll_event(), None);
    assert!(!connection.wants_input());
    connection.accept_import();
    assert!(connection.wants_input());
    let answer = drain(&mut connection);
    assert_eq!(answer.len(), 8 + 312);
    assert_eq!(answer[..8], [0x01, 0x11, 0x00, 0x03, 0, 0, 0, 0]);
    let mut bytes = Vec::new();
    let setup = SET_CONFIGURATION;
    Command::Submit(Submit {
        seqnum: 1,
        device_id: 0x0001_0002,
        setup,
        ..NOTHING
    })
    .emit(&mut bytes);
    connection.handle_bytes(&bytes).unwrap();
    assert_eq!(connection.poll_event(), Some(Event::Configured));
}

#[test]
fn service_refuses_a_second_host_which_may_ask_again() {
    let mut connection = service();
    for _ in 0..2 {
        import(&mut connection, "1-1");
        assert_eq!(connection.poll_event(), Some(Event::ImportRequested));
        connection.refuse_import();
        assert_eq!(drain(&mut connection), [0x01, 0x11, 0x00, 0x03, 0, 0, 0, 2]);
    }
    connection.accept_import();
    assert_eq!(drain(&mut connection), [], "nobody asked");
}

#[test]
fn service_knows_no_other_device() {
    let mut connection = service();
    for bus_id in ["", "1-2", "1-11", "99999999999999999999999999999999"] {
        import(&mut connection, bus_id);
        assert_eq!(connection.poll_event(), None);
        assert_eq!(drain(&mut connection), [0x01, 0x11, 0x00, 0x03, 0, 0, 0, 4]);
    }
}

#[test]
fn service_expects_nothing_before_it_has_answered() {
    let mut connection = service();
    import(&mut connection, "1-1");
    assert_eq!(connection.handle_bytes(&[]), Ok(()));
    assert_eq!(connection.handle_bytes(&[0]), Err(Error::TooEarly));
}

#[test]
fn commands_before_the_import_are_an_error() {
    let mut bytes = Vec::new();
    Command::Submit(NOTHING).emit(&mut bytes);
    assert_eq!(service().handle_bytes(&bytes), Err(Error::Version(0)));
}

// ---------------------------------------------------------------- Hostile peers

#[test]
fn device_id_may_not_change() {
    let mut host = Host::configured();
    let mut bytes = Vec::new();
    Command::Submit(Submit {
        device_id: 5,
        ..NOTHING
    })
    .emit(&mut bytes);
    assert_eq!(host.connection.handle_bytes(&bytes), Err(Error::WrongDevice(5)));
    let mut bytes = Vec::new();
    Command::Unlink {
        seqnum: 1,
        device_id: 6,
        target: 0,
    }
    .emit(&mut bytes);
    assert_eq!(
        Host::configured().connection.handle_bytes(&bytes),
        Err(Error::WrongDevice(6))
    );
}

#[test]
fn imported_device_has_the_id_of_its_record() {
    let mut connection = service();
    import(&mut connection, "1-1");
    connection.accept_import();
    let mut bytes = Vec::new();
    Command::Submit(NOTHING).emit(&mut bytes);
    assert_eq!(
        connection.handle_bytes(&bytes),
        Err(Error::WrongDevice(DEVICE_ID))
    );
}

#[test]
fn errors_of_the_wire_end_the_connection() {
    let mut bytes = Vec::new();
    Command::Submit(Submit {
        length: 70_000,
        ..NOTHING
    })
    .emit(&mut bytes);
    assert_eq!(
        Host::new().connection.handle_bytes(&bytes),
        Err(Error::DataTooLong(70_000))
    );
}

#[test]
fn host_that_never_reads_loses_the_connection() {
    let request = [0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0];
    let mut connection = service();
    let result = (0..10_000).try_for_each(|_| connection.handle_bytes(&request));
    assert_eq!(result, Err(Error::NotReading));
    assert!(connection.output().len() <= OUTPUT_MAX + 328);
    assert_eq!(
        service().handle_bytes(&request.repeat(10_000)),
        Err(Error::NotReading)
    );
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut host = Host::configured();
    let data: Vec<u8> = (0..200).collect();
    let (mut bytes, submit) = (
        Vec::new(),
        Submit {
            seqnum: 9,
            endpoint: 1,
            length: 200,
            data: &data,
            ..NOTHING
        },
    );
    Command::Submit(submit).emit(&mut bytes);
    Command::Unlink {
        seqnum: 10,
        device_id: DEVICE_ID,
        target: 9,
    }
    .emit(&mut bytes);
    for byte in bytes {
        host.connection.handle_bytes(&[byte]).unwrap();
    }
    assert_eq!(
        host.recv(),
        Reply::Submit {
            seqnum: 9,
            status: 0,
            actual_length: 200
        }
    );
    host.expect_unlinked(10, 0);
    for packet in data.chunks(64) {
        assert_eq!(host.connection.poll_report(), Some(Report::padded(packet)));
    }
    host.expect_silence();
}

#[test]
fn connection_wants_no_input_while_much_waits() {
    let mut host = Host::configured();
    while host.connection.wants_input() {
        host.submit_out(&REPORT_A.0);
    }
    assert!(host.connection.output().len() <= OUTPUT_WAITING_MAX);
    while host.connection.poll_report().is_some() {}
    assert!(host.connection.wants_input());
    while host.connection.wants_input() {
        host.seqnum += 1;
        host.submit(Submit {
            direction: Direction::In,
            length: 64,
            setup: [0x80, 6, 0, 1, 0, 0, 64, 0],
            ..NOTHING
        });
    }
    host.connection.consume_output(OUTPUT_WAITING_MAX);
    assert!(host.connection.wants_input());
}

#[test]
fn output_may_be_consumed_in_any_pieces() {
    let mut host = Host::configured();
    let transfers: Vec<u32> = (0..5).map(|_| host.submit_out(&REPORT_A.0)).collect();
    let mut bytes = Vec::new();
    for n in (1..).take_while(|n| n * (n - 1) / 2 < 5 * 48) {
        let piece = host.connection.output();
        bytes.extend_from_slice(&piece[..piece.len().min(n)]);
        host.connection.consume_output(n);
    }
    assert_eq!(bytes.len(), 5 * 48);
    let seqnums: Vec<u32> = bytes
        .chunks(48)
        .map(|reply| u32::from_be_bytes(reply[4..8].try_into().unwrap()))
        .collect();
    assert_eq!(seqnums, transfers);
}

/// A command that is likely to do something.
fn any_command() -> impl Strategy<Value = Vec<u8>> {
    let setups = prop_oneof![
        any::<[u8; 8]>(),
        prop::sample::select(vec![
            SET_CONFIGURATION,
            DECONFIGURE,
            HALT_IN,
            UNHALT_IN,
            HALT_OUT,
            UNHALT_OUT
        ]),
        (0_u8..16, 0_u8..4, any::<u8>())
            .prop_map(|(kind, index, length)| [0x80, 6, index, kind, 0, 0, length, 0]),
    ];
    let data = prop::collection::vec(any::<u8>(), 0..150);
    let fields = (
        0_u32..20,
        any::<bool>(),
        0_u8..3,
        0_u32..200,
        setups,
        data,
        any::<bool>(),
    );
    fields.prop_map(|(seqnum, is_in, endpoint, length, setup, data, is_unlink)| {
        let (direction, length, data) = match is_in {
            true => (Direction::In, length, &[][..]),
            false => (Direction::Out, data.len().try_into().unwrap(), &data[..]),
        };
        let submit = Submit {
            seqnum,
            direction,
            endpoint,
            length,
            setup,
            data,
            ..NOTHING
        };
        let mut bytes = Vec::new();
        match is_unlink {
            true => Command::Unlink {
                seqnum,
                device_id: DEVICE_ID,
                target: length,
            }
            .emit(&mut bytes),
            false => Command::Submit(submit).emit(&mut bytes),
        }
        bytes
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_output_is_bounded(
        attached: bool,
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
    ) {
        let phase = if attached { Phase::Attached } else { Phase::Service };
        let mut connection = Connection::new(phase, &Identity::default());
        for chunk in chunks {
            if connection.handle_bytes(&chunk).is_err() {
                break;
            }
            prop_assert!(connection.output().len() <= 20 * 400);
        }
    }

    #[test]
    fn random_commands_are_answered_within_bounds(
        commands in prop::collection::vec(any_command(), 0..50),
        cut in 1_usize..200,
    ) {
        let mut whole = Host::configured();
        let mut pieces = Host::configured();
        let bytes: Vec<u8> = commands.concat();
        whole.connection.handle_bytes(&bytes).unwrap();
        for piece in bytes.chunks(cut) {
            pieces.connection.handle_bytes(piece).unwrap();
        }
        prop_assert_eq!(whole.connection.output(), pieces.connection.output());
        prop_assert!(whole.connection.output().len() <= 4 * bytes.len());
        prop_assert!(whole.connection.pending.len() <= PENDING_URBS_MAX);
        while whole.connection.can_send() {
            whole.connection.send_report(REPORT_A).unwrap();
        }
    }
}
