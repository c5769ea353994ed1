//! Layouts against bytes written out by hand, and parse after emit.

use proptest::prelude::*;

use super::*;
use crate::usbip::Error;

/// `USBIP_CMD_SUBMIT` for 18 bytes of device descriptor, as Linux sends it.
const SUBMIT_IN: [u8; 48] = [
    0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0,
    0, // command, seqnum, device, in, endpoint 0
    0, 0, 2, 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, // flags, length, start, packets, interval
    0x80, 6, 0, 1, 0, 0, 18, 0, // setup
];

fn submit_in() -> [u8; 48] {
    SUBMIT_IN
}

/// The same with one 32-bit word replaced.
fn with_word(index: usize, word: u32) -> [u8; 48] {
    let mut bytes = submit_in();
    bytes[index * 4..index * 4 + 4].copy_from_slice(&word.to_be_bytes());
    bytes
}

#[test]
fn submission_is_read_field_by_field() {
    let expected = Submit {
        seqnum: 7,
        device_id: 0x0001_0002,
        direction: Direction::In,
        endpoint: 0,
        flags: 0x200,
        length: 18,
        setup: [0x80, 6, 0, 1, 0, 0, 18, 0],
        data: &[],
    };
    assert_eq!(
        Command::parse(&SUBMIT_IN),
        Ok(Parsed::Whole(Command::Submit(expected), &[]))
    );
}

#[test]
fn data_follows_an_out_submission() {
    let mut bytes = with_word(3, 0).to_vec();
    assert_eq!(Command::parse(&bytes), Ok(Parsed::Needs(48 + 18)));
    bytes.extend([9; 20]);
    let Ok(Parsed::Whole(Command::Submit(submit), rest)) = Command::parse(&bytes) else {
        panic!("a submission")
    };
    assert_eq!((submit.data, rest), (&[9; 18][..], &[9; 2][..]));
}

#[test]
fn unlink_is_read_field_by_field() {
    let mut bytes = [0; 48];
    bytes[..24].copy_from_slice(&[
        0, 0, 0, 2, 0, 0, 0, 8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
    ]);
    let expected = Command::Unlink {
        seqnum: 8,
        device_id: 0x0001_0002,
        target: 7,
    };
    assert_eq!(Command::parse(&bytes), Ok(Parsed::Whole(expected, &[])));
}

#[test]
fn command_that_is_cut_anywhere_needs_more() {
    for length in 0..48 {
        assert_eq!(Command::parse(&SUBMIT_IN[..length]), Ok(Parsed::Needs(48)));
    }
}

#[test]
fn faulty_commands_are_errors() {
    let cases = [
        (0, 0, Error::UnknownCommand(0)),
        (0, 3, Error::UnknownCommand(3)),
        (0, u32::MAX, Error::UnknownCommand(u32::MAX)),
        (3, 2, Error::BadDirection(2)),
        (4, 16, Error::BadEndpoint(16)),
        (4, 256, Error::BadEndpoint(256)),
        (6, u32::MAX, Error::NegativeLength(-1)),
        (6, 0x8000_0000, Error::NegativeLength(i32::MIN)),
        (8, 1, Error::Isochronous(1)),
        (8, 0xFFFF_FFFE, Error::Isochronous(-2)),
    ];
    for (index, word, error) in cases {
        assert_eq!(Command::parse(&with_word(index, word)), Err(error));
    }
}

#[test]
fn both_ways_to_say_not_isochronous_are_read() {
    for packets in [0, u32::MAX] {
        assert!(matches!(
            Command::parse(&with_word(8, packets)),
            Ok(Parsed::Whole(..))
        ));
    }
}

#[test]
fn only_data_from_the_host_is_bounded() {
    let out_of = |length: u32| {
        let mut bytes = with_word(6, length);
        bytes[15] = 0;
        bytes
    };
    assert_eq!(Command::parse(&out_of(65_535)), Ok(Parsed::Needs(48 + 65_535)));
    assert_eq!(Command::parse(&out_of(65_536)), Err(Error::DataTooLong(65_536)));
    assert!(matches!(
        Command::parse(&with_word(6, 0x7FFF_FFFF)),
        Ok(Parsed::Whole(..))
    ));
}

#[test]
fn operations_are_read() {
    let list = [0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0];
    assert_eq!(
        Operation::parse(&list),
        Ok(Parsed::Whole(Operation::DeviceList, &[]))
    );
    let mut import = vec![0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0];
    assert_eq!(Operation::parse(&import), Ok(Parsed::Needs(40)));
    import.extend([b'1'; 32]);
    assert_eq!(
        Operation::parse(&import),
        Ok(Parsed::Whole(Operation::Import { bus_id: [b'1'; 32] }, &[]))
    );
}

#[test]
fn faulty_operations_are_errors() {
    assert_eq!(
        Operation::parse(&[0x01, 0x06, 0x80, 0x05, 0, 0, 0, 0]),
        Err(Error::Version(0x0106))
    );
    assert_eq!(
        Operation::parse(&[0x01, 0x11, 0x80, 0x04, 0, 0, 0, 0]),
        Err(Error::UnknownOperation(0x8004))
    );
    assert_eq!(
        Operation::parse(&[0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0]),
        Err(Error::UnknownOperation(0x0005))
    );
}

#[test]
fn replies_have_no_address_and_no_packets() {
    let mut bytes = Vec::new();
    Reply::Submit {
        seqnum: 7,
        status: -32,
        actual_length: 18,
    }
    .emit(&mut bytes);
    let mut expected = vec![0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expected.extend([0xFF, 0xFF, 0xFF, 0xE0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0; 12]);
    assert_eq!(bytes, expected);
    bytes.clear();
    Reply::Unlink {
        seqnum: 8,
        status: -104,
    }
    .emit(&mut bytes);
    let mut expected = vec![
        0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x98,
    ];
    expected.extend([0; 24]);
    assert_eq!(bytes, expected);
}

fn any_direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::In), Just(Direction::Out)]
}

proptest! {
    #[test]
    fn commands_survive_emit_and_parse(
        (seqnum, device_id, flags, length) in (any::<u32>(), any::<u32>(), any::<u32>(), 0_u32..0x8000_0000),
        (direction, endpoint, setup) in (any_direction(), 0_u8..16, any::<[u8; 8]>()),
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (length, data) = match direction {
            Direction::In => (length, &[][..]),
            Direction::Out => (data.len().try_into().unwrap(), &data[..]),
        };
        let submit = Submit { seqnum, device_id, direction, endpoint, flags, length, setup, data };
        for command in [Command::Submit(submit), Command::Unlink { seqnum, device_id, target: flags }] {
            let mut bytes = Vec::new();
            command.emit(&mut bytes);
            prop_assert_eq!(Command::parse(&bytes), Ok(Parsed::Whole(command, &[])));
        }
    }

    #[test]
    fn replies_survive_emit_and_parse(seqnum: u32, status: i32, actual_length in 0_u32..0x8000_0000) {
        for reply in [Reply::Submit { seqnum, status, actual_length }, Reply::Unlink { seqnum, status }] {
            let mut bytes = Vec::new();
            reply.emit(&mut bytes);
            prop_assert_eq!(Reply::parse(&bytes), Ok(Parsed::Whole(reply, &[])));
        }
    }

    #[test]
    fn any_bytes_are_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = (Command::parse(&bytes), Operation::parse(&bytes), Reply::parse(&bytes));
    }
}
