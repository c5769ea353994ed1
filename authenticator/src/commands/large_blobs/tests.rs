use StatusCode as S;

use super::*;
use crate::gesture::{Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::Protocol;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, CM, GA, LBW, MC, PCMR, PIN, Ticket, large_blob_write};
use crate::testing::{Key, Members, RP_ID, hex, resident};
use crate::{Config, KeyKind, LargeBlobs, StatusCode};

/// `CTAP 2.3 §6.10`: what an array is before anything was written.
const INITIAL: &str = "8076be8b528d0075f7aae98d6fa57a6d3c";

fn key_with_pin() -> Key {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    key
}

/// An array of this length with its check.
fn array(len: usize) -> Vec<u8> {
    let content: Vec<u8> = (0..len - CHECK_LEN)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    let check = check(&content);
    [&content[..], &check].concat()
}

fn read(offset: u64, count: u64) -> Members<'static> {
    Members::empty()
        .with(1, Value::Unsigned(count))
        .with(3, Value::Unsigned(offset))
}

/// The whole array as it is read.
fn content(key: &mut Key) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let request = read(content.len().try_into().unwrap(), 7_000).encode(0x0C);
        let fragment = key.cbor(&request).bytes_of(1);
        if fragment.is_empty() {
            return content;
        }
        content.extend(fragment);
    }
}

/// Writes in fragments of this length; the last status.
fn write(key: &mut Key, ticket: Option<&Ticket>, array: &[u8], fragment_len: usize) -> StatusCode {
    let mut status = S::OK;
    for (at, fragment) in array.chunks(fragment_len).enumerate() {
        assert_eq!(status, S::OK);
        let offset = u32::try_from(at * fragment_len).unwrap();
        let length = (at == 0).then(|| array.len().try_into().unwrap());
        let request = match ticket {
            None => large_blob_write(fragment, offset, length).encode(0x0C),
            Some(ticket) => ticket.write_large_blobs(fragment, offset, length),
        };
        let answer = key.cbor(&request);
        assert_eq!((&answer.prompt, answer.bytes.len()), (&None, 1));
        status = answer.status();
    }
    status
}

// Reading

#[test]
fn a_new_array_is_empty_and_has_its_check() {
    let mut key = Key::new(KeyKind::Synced);
    assert_eq!(content(&mut key), hex(INITIAL));
}

#[test]
fn what_is_there_of_the_range_is_read() {
    let mut key = Key::new(KeyKind::Synced);
    let initial = hex(INITIAL);
    for (offset, count, expected) in [
        (0, 0, &initial[..0]),
        (0, 1, &initial[..1]),
        (0, 17, &initial),
        (0, 18, &initial),
        (0, 7545, &initial),
        (5, 3, &initial[5..8]),
        (5, 100, &initial[5..]),
        (17, 0, &[]),
        (17, 1, &[]),
    ] {
        let answer = key.cbor(&read(offset, count).encode(0x0C));
        assert_eq!(answer.prompt, None);
        let expected = Map::new([(1_u64, Value::Bytes(expected))]);
        assert_eq!(answer.members(), expected, "{offset} {count}");
    }
}

#[test]
fn every_fault_of_reading_has_its_code() {
    let base = || read(0, 1);
    for (name, request, status) in [
        ("nothing wrong", base(), S::OK),
        ("no offset", base().without(3), S::INVALID_PARAMETER),
        ("no get", base().without(1), S::INVALID_PARAMETER),
        ("nothing", Members::empty(), S::INVALID_PARAMETER),
        (
            "get and set",
            base().with(2, Value::Bytes(b"x")),
            S::INVALID_PARAMETER,
        ),
        (
            "a length",
            base().with(4, Value::Unsigned(17)),
            S::INVALID_PARAMETER,
        ),
        (
            "a proof",
            base().with(5, Value::Bytes(&[1; 32])),
            S::INVALID_PARAMETER,
        ),
        (
            "a protocol",
            base().with(6, Value::Unsigned(2)),
            S::INVALID_PARAMETER,
        ),
        ("more than a fragment", read(0, 7546), S::INVALID_LENGTH),
        ("very much more", read(0, u64::MAX), S::INVALID_LENGTH),
        ("behind the end", read(18, 0), S::INVALID_PARAMETER),
        ("far behind the end", read(u64::MAX, 0), S::INVALID_PARAMETER),
        // Two at a time.
        (
            "no offset, more than a fragment",
            read(0, 7546).without(3),
            S::INVALID_PARAMETER,
        ),
        (
            "a length, more than a fragment",
            read(0, 7546).with(4, Value::Unsigned(17)),
            S::INVALID_PARAMETER,
        ),
        (
            "more than a fragment, behind the end",
            read(18, 7546),
            S::INVALID_LENGTH,
        ),
    ] {
        let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x0C));
        assert_eq!(answer.status(), status, "{name}");
        assert!(answer.bytes.len() == 1 || status == S::OK, "{name}");
    }
}

#[test]
fn reading_is_free_also_where_writing_is_not() {
    let mut key = key_with_pin();
    let ticket = key.token(ACFG, None);
    assert_eq!(key.cbor(&ticket.configure(0x02, None)).status(), S::OK);
    assert_eq!(content(&mut key), hex(INITIAL));
}

// Writing

#[test]
fn what_was_written_is_read_in_fragments_of_any_length() {
    for (len, fragment_len) in [
        (17, 17),
        (17, 1),
        (1000, 7545),
        (1000, 999),
        (7545, 7545),
        (7546, 7545),
        (16_000, 7545),
        (16_000, 1024),
    ] {
        let mut key = key_with_pin();
        let ticket = key.token(LBW, None);
        let array = array(len);
        let status = write(&mut key, Some(&ticket), &array, fragment_len);
        assert_eq!(status, S::OK, "{len} {fragment_len}");
        assert_eq!(content(&mut key), array);
    }
}

#[test]
fn an_array_survives_a_power_cut_and_not_a_reset() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    let array = array(3000);
    assert_eq!(write(&mut key, None, &array, 2000), S::OK);
    let mut key = Key::on(KeyKind::Synced, disk.after_power_cut(), 2);
    assert_eq!(content(&mut key), array);
    assert_eq!(key.cbor(&[0x07]).status(), S::OK);
    assert_eq!(content(&mut key), hex(INITIAL));
}

#[test]
fn an_array_whose_check_is_wrong_leaves_the_old_one() {
    let mut key = Key::new(KeyKind::Synced);
    let old = array(100);
    assert_eq!(write(&mut key, None, &old, 100), S::OK);
    for at in [0, 150, 199] {
        let mut new = array(200);
        new[at] ^= 1;
        assert_eq!(write(&mut key, None, &new, 90), S::INTEGRITY_FAILURE);
        assert_eq!(content(&mut key), old);
    }
    assert_eq!(write(&mut key, None, &array(200), 90), S::OK);
}

#[test]
fn until_the_last_fragment_the_old_array_is_there() {
    let mut key = Key::new(KeyKind::Synced);
    let old = array(100);
    assert_eq!(write(&mut key, None, &old, 100), S::OK);
    let new = array(60);
    let first = large_blob_write(&new[..30], 0, Some(60)).encode(0x0C);
    assert_eq!(key.cbor(&first).status(), S::OK);
    assert_eq!(content(&mut key), old);
}

#[test]
fn every_fault_of_the_first_fragment_has_its_code() {
    let long = vec![0; 7546];
    let with_length = |length| large_blob_write(b"x", 0, Some(length));
    for (name, request, status) in [
        ("nothing wrong", with_length(17), S::OK),
        ("no bytes", large_blob_write(b"", 0, Some(17)), S::OK),
        ("no offset", with_length(17).without(3), S::INVALID_PARAMETER),
        (
            "get and set",
            with_length(17).with(1, Value::Unsigned(1)),
            S::INVALID_PARAMETER,
        ),
        (
            "a fragment too long",
            large_blob_write(&long, 0, Some(8000)),
            S::INVALID_LENGTH,
        ),
        (
            "the longest fragment",
            large_blob_write(&long[1..], 0, Some(8000)),
            S::OK,
        ),
        ("no length", large_blob_write(b"x", 0, None), S::INVALID_PARAMETER),
        ("the least length", with_length(17), S::OK),
        ("less", with_length(16), S::INVALID_PARAMETER),
        ("a length of 0", with_length(0), S::INVALID_PARAMETER),
        ("the greatest length", with_length(16_000), S::OK),
        ("more", with_length(16_001), S::LARGE_BLOB_STORAGE_FULL),
        ("much more", with_length(u64::MAX), S::LARGE_BLOB_STORAGE_FULL),
        (
            "more bytes than announced",
            large_blob_write(&[0; 18], 0, Some(17)),
            S::INVALID_PARAMETER,
        ),
        ("no beginning", large_blob_write(b"x", 1, None), S::INVALID_SEQ),
        // Two at a time.
        (
            "no offset, too long",
            large_blob_write(&long, 0, Some(8000)).without(3),
            S::INVALID_PARAMETER,
        ),
        (
            "too long, no length",
            large_blob_write(&long, 0, None),
            S::INVALID_LENGTH,
        ),
        (
            "a length, no beginning",
            large_blob_write(b"x", 1, Some(17)),
            S::INVALID_PARAMETER,
        ),
    ] {
        let answer = Key::new(KeyKind::Synced).cbor(&request.encode(0x0C));
        assert_eq!(answer.bytes, [status.byte()], "{name}");
        // What is wrong with the array is wrong whoever wants to write it.
        let mut key = key_with_pin();
        let expected = match status {
            S::OK => S::PUAT_REQUIRED,
            _ if name == "more bytes than announced" => S::PUAT_REQUIRED,
            other => other,
        };
        assert_eq!(key.cbor(&request.encode(0x0C)).bytes, [expected.byte()], "{name}");
    }
}

#[test]
fn every_fault_of_a_further_fragment_has_its_code_and_ends_the_write() {
    let array = array(100);
    for (name, request, status) in [
        ("nothing wrong", large_blob_write(&array[40..], 40, None), S::OK),
        (
            "a length",
            large_blob_write(&array[40..], 40, Some(100)),
            S::INVALID_PARAMETER,
        ),
        ("a gap", large_blob_write(&array[41..], 41, None), S::INVALID_SEQ),
        (
            "an overlap",
            large_blob_write(&array[39..], 39, None),
            S::INVALID_SEQ,
        ),
        (
            "far behind the end",
            large_blob_write(&array[40..], u32::MAX, None),
            S::INVALID_SEQ,
        ),
        (
            "too many bytes",
            large_blob_write(&[0; 61], 40, None),
            S::INVALID_PARAMETER,
        ),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        let first = large_blob_write(&array[..40], 0, Some(100)).encode(0x0C);
        assert_eq!(key.cbor(&first).status(), S::OK);
        assert_eq!(key.cbor(&request.encode(0x0C)).status(), status, "{name}");
        let rest = large_blob_write(&array[40..], 40, None).encode(0x0C);
        assert_eq!(key.cbor(&rest).status(), S::INVALID_SEQ, "{name}");
        let expected = if status == S::OK {
            array.clone()
        } else {
            hex(INITIAL)
        };
        assert_eq!(content(&mut key), expected, "{name}");
    }
}

#[test]
fn a_new_beginning_takes_the_place_of_the_old_one() {
    let mut key = Key::new(KeyKind::Synced);
    let (given_up, array) = (array(90), array(80));
    for (bytes, offset, length) in [
        (&given_up[..50], 0, Some(90)),
        (&array[..30], 0, Some(80)),
        (&array[30..], 30, None),
    ] {
        let request = large_blob_write(bytes, offset, length).encode(0x0C);
        assert_eq!(key.cbor(&request).status(), S::OK);
    }
    assert_eq!(content(&mut key), array);
}

#[test]
fn only_get_info_and_u2f_leave_a_write_alone() {
    let array = array(100);
    let make_credential = Members::make_credential().encode(0x01);
    let get_assertion = Members::get_assertion().encode(0x02);
    let retries = [0x06, 0xA1, 0x02, 0x01];
    let read = read(0, 17).encode(0x0C);
    for (request, status) in [
        (&[0x04][..], S::OK),
        (&[0x07], S::INVALID_SEQ),
        (&[0x08], S::INVALID_SEQ),
        (&[0x0B], S::INVALID_SEQ),
        (&make_credential, S::INVALID_SEQ),
        (&get_assertion, S::INVALID_SEQ),
        (&retries, S::INVALID_SEQ),
        (&read, S::INVALID_SEQ),
        (&[0x0A, 0xA1, 0x01, 0x03], S::INVALID_SEQ),
        (&[0x0D, 0xA1, 0x01, 0x04], S::INVALID_SEQ),
    ] {
        let mut key = Key::new(KeyKind::Synced);
        let first = large_blob_write(&array[..40], 0, Some(100)).encode(0x0C);
        let rest = large_blob_write(&array[40..], 40, None).encode(0x0C);
        key.cbor(&first);
        key.cbor_and(request, Gesture::Declined);
        assert_eq!(key.cbor(&rest).status(), status, "{request:02x?}");
        key.cbor(&first);
        key.msg(&[0, 3, 0, 0]);
        assert_eq!(key.cbor(&rest).status(), S::OK);
        key.cbor(&first);
        key.authenticator.power_cycle(key.now);
        assert_eq!(key.cbor(&rest).status(), S::INVALID_SEQ);
    }
}

// Who may

#[test]
fn a_protected_key_wants_a_proof_with_each_fragment() {
    let fingerprint = |key: &mut Key| {
        key.authenticator.set_verifier(Some(Verifier {
            modality: Modality::Fingerprint,
            ready: true,
        }));
    };
    let always_uv = |key: &mut Key| assert_eq!(key.cbor(&[0x0D, 0xA1, 0x01, 0x02]).status(), S::OK);
    for protect in [|key: &mut Key| key.set_pin(PIN), fingerprint, always_uv] {
        let base = || large_blob_write(&[0; 17], 0, Some(17));
        let garbage = || base().with(5, Value::Bytes(&[1; 32]));
        for (name, request, status) in [
            ("no proof", base(), S::PUAT_REQUIRED),
            (
                "only a protocol",
                base().with(6, Value::Unsigned(2)),
                S::PUAT_REQUIRED,
            ),
            ("no protocol", garbage(), S::MISSING_PARAMETER),
            (
                "protocol 3",
                garbage().with(6, Value::Unsigned(3)),
                S::INVALID_PARAMETER,
            ),
            (
                "a wrong proof",
                garbage().with(6, Value::Unsigned(1)),
                S::PIN_AUTH_INVALID,
            ),
            (
                "an empty proof",
                base().with(5, Value::Bytes(&[])).with(6, Value::Unsigned(1)),
                S::PIN_AUTH_INVALID,
            ),
        ] {
            let mut key = Key::new(KeyKind::Synced);
            protect(&mut key);
            assert_eq!(key.cbor(&request.encode(0x0C)).bytes, [status.byte()], "{name}");
        }
    }
    let mut key = key_with_pin();
    let ticket = key.token(LBW, None);
    let array = array(100);
    let first = ticket.write_large_blobs(&array[..40], 0, Some(100));
    assert_eq!(key.cbor(&first).status(), S::OK);
    let rest = large_blob_write(&array[40..], 40, None).encode(0x0C);
    assert_eq!(key.cbor(&rest).status(), S::PUAT_REQUIRED);
    assert_eq!(content(&mut key), hex(INITIAL));
}

#[test]
fn an_unprotected_key_is_written_to_by_anyone() {
    let request = large_blob_write(&array(17), 0, Some(17))
        .with(5, Value::Bytes(&[1; 32]))
        .encode(0x0C);
    assert_eq!(Key::new(KeyKind::Synced).cbor(&request).status(), S::OK);
}

#[test]
fn only_the_permission_for_it_writes() {
    for (permissions, rp_id, status) in [
        (LBW, None, S::OK),
        (LBW, Some(RP_ID), S::OK),
        (MC | GA | CM | ACFG, None, S::PIN_AUTH_INVALID),
        (PCMR, None, S::PIN_AUTH_INVALID),
    ] {
        for protocol in Protocol::ALL {
            let mut key = key_with_pin();
            let ticket = key.token_under(protocol, permissions, rp_id);
            let array = array(60);
            assert_eq!(write(&mut key, Some(&ticket), &array, 60), status);
        }
    }
}

#[test]
fn a_proof_is_of_the_offset_and_the_bytes() {
    let array = array(100);
    let (first, rest) = array.split_at(40);
    let head = [&[0xFF; 32][..], &[0x0C, 0x00]].concat();
    let message =
        |offset: u32, bytes: &[u8]| [&head[..], &offset.to_le_bytes(), &Sha256::digest(bytes)].concat();
    let big_endian = [&head[..], &40_u32.to_be_bytes(), &Sha256::digest(rest)].concat();
    let plain = [&head[..], &40_u32.to_le_bytes(), rest].concat();
    for (message, status) in [
        (message(40, rest), S::OK),
        (message(0, rest), S::PIN_AUTH_INVALID),
        (message(40, first), S::PIN_AUTH_INVALID),
        (big_endian, S::PIN_AUTH_INVALID),
        (plain, S::PIN_AUTH_INVALID),
        (message(40, rest)[1..].to_vec(), S::PIN_AUTH_INVALID),
    ] {
        let mut key = key_with_pin();
        let ticket = key.token(LBW, None);
        let begin = ticket.write_large_blobs(first, 0, Some(100));
        assert_eq!(key.cbor(&begin).status(), S::OK);
        let request = ticket.prove(large_blob_write(rest, 40, None), [5, 6], &message, 0x0C);
        assert_eq!(key.cbor(&request).status(), status);
    }
}

#[test]
fn the_permission_to_write_outlives_a_registration() {
    let mut key = key_with_pin();
    let ticket = key.token(MC | LBW, None);
    assert_eq!(key.cbor(&ticket.make_credential(resident())).status(), S::OK);
    assert_eq!(
        key.cbor(&ticket.make_credential(resident())).status(),
        S::PIN_AUTH_INVALID
    );
    let array = array(60);
    assert_eq!(write(&mut key, Some(&ticket), &array, 30), S::OK);
    assert_eq!(content(&mut key), array);
}

#[test]
fn a_key_that_keeps_blobs_with_credentials_has_no_array() {
    let config = Config {
        large_blobs: LargeBlobs::Extension,
        ..Key::config(KeyKind::Synced)
    };
    let mut key = Key::configured(config, Disk::default(), 1);
    for request in [read(0, 17), large_blob_write(&array(17), 0, Some(17))] {
        assert_eq!(key.cbor(&request.encode(0x0C)).bytes, [S::INVALID_COMMAND.byte()]);
    }
}

#[test]
fn every_parameter_has_its_type() {
    for key in 1..=6 {
        let request = read(0, 1).with(key, Value::Bool(true)).encode(0x0C);
        let answer = Key::new(KeyKind::Synced).cbor(&request);
        assert_eq!(answer.status(), S::CBOR_UNEXPECTED_TYPE, "{key}");
    }
    let mut key = Key::new(KeyKind::Synced);
    for empty in [&[0x0C][..], &[0x0C, 0xA0]] {
        assert_eq!(key.cbor(empty).status(), S::INVALID_PARAMETER);
    }
}

mod exchanged;
mod synced;
