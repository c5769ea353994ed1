//! Dialogues with a scripted device.

mod script;

use proptest::prelude::*;

use super::*;
use script::{Script, enumerate, exported, ready, rep_import, reply, ret_submit, ret_unlink, sent, sent_one};

// Enumeration

#[test]
fn a_device_is_asked_what_linux_asks_in_its_order() {
    let mut host = UsbHost::new(Start::Attached);
    let setups = enumerate(&mut host, &Script::default()).unwrap();
    assert_eq!(
        setups,
        [
            [0x80, 6, 0, 1, 0, 0, 64, 0],
            [0x80, 6, 0, 1, 0, 0, 18, 0],
            [0x80, 6, 0, 2, 0, 0, 9, 0],
            [0x80, 6, 0, 2, 0, 0, 41, 0],
            [0x80, 6, 0, 3, 0, 0, 255, 0],
            [0x80, 6, 2, 3, 9, 4, 255, 0],
            [0x80, 6, 1, 3, 9, 4, 255, 0],
            [0x80, 6, 3, 3, 9, 4, 255, 0],
            [0x00, 9, 1, 0, 0, 0, 0, 0],
            [0x21, 10, 0, 0, 0, 0, 0, 0],
            [0x81, 6, 0, 0x22, 0, 0, 34, 0],
        ]
    );
}

#[test]
fn the_enumeration_reads_the_device() {
    let (host, _) = ready();
    let device = host.device().unwrap();
    assert_eq!(
        (device.vendor_id, device.product_id, device.device_release),
        (0x1209, 0x5AFE, 0x0102)
    );
    assert_eq!(device.manufacturer.as_deref(), Some("maker"));
    assert_eq!(device.product.as_deref(), Some("key ü"));
    assert_eq!(device.serial.as_deref(), Some("0001"));
    assert_eq!(
        device.input,
        Endpoint {
            number: 1,
            packet_len_max: 64,
            interval: 5
        }
    );
    assert_eq!(
        device.output,
        Endpoint {
            number: 1,
            packet_len_max: 64,
            interval: 5
        }
    );
    assert_eq!(device.report_descriptor, script::REPORT_DESCRIPTOR);
}

#[test]
fn strings_that_the_device_does_not_have_are_not_asked_for() {
    let mut script = Script::default();
    script.device[14..17].copy_from_slice(&[0, 0, 0]);
    let mut host = UsbHost::new(Start::Attached);
    let setups = enumerate(&mut host, &script).unwrap();
    assert!(setups.iter().all(|setup| setup[3] != 3), "{setups:?}");
    assert_eq!(host.device().unwrap().product, None);
}

#[test]
fn a_device_without_set_idle_is_enumerated() {
    let mut host = UsbHost::new(Start::Attached);
    let mut packet = sent_one(&mut host);
    while packet.setup[..2] != [0x21, 0x0A] {
        host.handle_bytes(&Script::default().reply(&packet)).unwrap();
        packet = sent_one(&mut host);
    }
    host.handle_bytes(&ret_submit(packet.seqnum, -32, 0, &[]))
        .unwrap();
    assert_eq!(sent_one(&mut host).setup[..2], [0x81, 6]);
}

#[test]
fn a_short_report_descriptor_is_asked_for_four_times() {
    let mut script = Script::default();
    script.report_descriptor.truncate(33);
    let mut host = UsbHost::new(Start::Attached);
    let mut asked = 0;
    let error = loop {
        let packet = sent_one(&mut host);
        asked += u32::from(packet.setup[3] == 0x22);
        if let Err(error) = host.handle_bytes(&script.reply(&packet)) {
            break error;
        }
    };
    assert_eq!((asked, error), (4, Error::Descriptor("report descriptor")));
}

#[test]
fn replies_may_arrive_byte_by_byte() {
    let mut host = UsbHost::new(Start::Attached);
    let packet = sent_one(&mut host);
    for byte in reply(&packet, &Script::default().device) {
        assert!(host.output().is_empty());
        host.handle_bytes(&[byte]).unwrap();
    }
    assert_eq!(sent_one(&mut host).setup, [0x80, 6, 0, 1, 0, 0, 18, 0]);
}

#[test]
fn a_stalled_request_ends_the_enumeration() {
    let mut host = UsbHost::new(Start::Attached);
    let packet = sent_one(&mut host);
    let error = host
        .handle_bytes(&ret_submit(packet.seqnum, -32, 0, &[]))
        .unwrap_err();
    assert_eq!(
        error,
        Error::RequestFailed {
            request: "the first GET_DESCRIPTOR(device)",
            status: -32
        }
    );
}

/// A change to the descriptors, and what the host calls wrong.
struct Wrong {
    name: &'static str,
    spoil: fn(&mut Script),
}

#[test]
fn every_wrong_descriptor_is_named() {
    let wrong = [
        Wrong {
            name: "packet size of endpoint 0",
            spoil: |script| script.device[7] = 9,
        },
        Wrong {
            name: "device descriptor",
            spoil: |script| script.device[17] = 0,
        },
        Wrong {
            name: "device descriptor",
            spoil: |script| script.device.truncate(17),
        },
        Wrong {
            name: "configuration descriptor",
            spoil: |script| script.configuration[2] = 8,
        },
        Wrong {
            name: "configuration descriptor",
            spoil: |script| script.configuration[3] = 0x40,
        },
        Wrong {
            name: "length of the configuration",
            spoil: |script| script.configuration.truncate(40),
        },
        Wrong {
            name: "descriptor length in the configuration",
            spoil: |script| script.configuration[9] = 0,
        },
        Wrong {
            name: "HID descriptor",
            spoil: |script| script.configuration[25] = 0,
        },
        Wrong {
            name: "interrupt IN endpoint",
            spoil: |script| script.configuration[31] = 8,
        },
        Wrong {
            name: "interrupt OUT endpoint",
            spoil: |script| script.configuration[36] = 0x82,
        },
        Wrong {
            name: "list of languages",
            spoil: |script| script.languages.truncate(2),
        },
        Wrong {
            name: "string",
            spoil: |script| script.strings[1][0] = 5,
        },
        Wrong {
            name: "report descriptor",
            spoil: |script| script.report_descriptor[1] = 0,
        },
    ];
    for Wrong { name, spoil } in wrong {
        let mut script = Script::default();
        spoil(&mut script);
        let mut host = UsbHost::new(Start::Attached);
        assert_eq!(
            enumerate(&mut host, &script).unwrap_err(),
            Error::Descriptor(name)
        );
    }
}

// Import

fn importing() -> UsbHost {
    UsbHost::new(Start::Import { bus_id: "1-1".into() })
}

#[test]
fn an_import_names_the_device_and_comes_before_the_enumeration() {
    let mut host = importing();
    let mut request = vec![0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0];
    request.extend(b"1-1");
    request.resize(40, 0);
    assert_eq!(host.output(), request);
    host.consume_output(40);

    host.handle_bytes(&rep_import(0, "1-1")).unwrap();
    let Some(Event::Imported(device)) = host.poll_event() else {
        panic!("no import")
    };
    assert_eq!(
        (device.device_id, device.speed, device.vendor_id),
        (0x0003_0007, 2, 0x1209)
    );
    assert_eq!(sent_one(&mut host).device_id, 0x0003_0007);
}

#[test]
fn a_refused_import_is_an_error() {
    assert_eq!(
        importing().handle_bytes(&rep_import(1, "1-1")),
        Err(Error::ImportRefused(1))
    );
}

#[test]
fn an_import_of_another_device_is_an_error() {
    assert_eq!(
        importing().handle_bytes(&rep_import(0, "1-2")),
        Err(Error::WrongBusId)
    );
}

#[test]
fn another_answer_than_an_import_is_an_error() {
    let list = [0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0];
    let error = Error::WrongImportReply {
        version: 0x0111,
        code: 5,
    };
    assert_eq!(importing().handle_bytes(&list), Err(error));
}

#[test]
fn a_device_list_is_read_when_it_is_complete() {
    let mut bytes = vec![0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 2];
    for bus_id in ["1-1", "1-2"] {
        bytes.extend(exported(bus_id));
        bytes.extend([3, 0, 0, 0]);
    }
    for length in 0..bytes.len() {
        assert_eq!(read_device_list(&bytes[..length]), Ok(None));
    }
    let devices = read_device_list(&bytes).unwrap().unwrap();
    assert_eq!(
        devices
            .iter()
            .map(|device| device.bus_id.as_str())
            .collect::<Vec<_>>(),
        ["1-1", "1-2"]
    );
}

// Reports

#[test]
fn an_input_transfer_is_pending_again_after_every_report() {
    let (mut host, mut input) = ready();
    for byte in 0..5 {
        host.handle_bytes(&ret_submit(input, 0, 64, &[byte; 64])).unwrap();
        assert_eq!(host.poll_event(), Some(Event::Report(Report([byte; 64]))));
        let next = sent_one(&mut host);
        assert_eq!((next.direction, next.endpoint), (1, 1));
        assert_eq!(
            next.words,
            [0x200, 64, 0, 0, 4],
            "flags, length, start frame, packets, interval"
        );
        input = next.seqnum;
    }
    assert_eq!(host.poll_event(), None);
}

#[test]
fn a_report_is_sent_after_the_one_before_was_taken() {
    let (mut host, _) = ready();
    host.send_report(&Report([1; 64])).unwrap();
    assert_eq!(host.send_report(&Report([2; 64])), Err(NotNow));
    let first = sent_one(&mut host);
    assert_eq!(
        (first.direction, first.endpoint, first.data.as_slice()),
        (0, 1, [1; 64].as_slice())
    );

    host.handle_bytes(&reply(&first, &[])).unwrap();
    assert_eq!(host.poll_event(), Some(Event::ReportTaken));
    host.send_report(&Report([2; 64])).unwrap();
    assert_eq!(sent_one(&mut host).data, [2; 64]);
}

#[test]
fn no_report_is_sent_before_the_device_is_ready() {
    let mut host = UsbHost::new(Start::Attached);
    assert_eq!(host.send_report(&Report([1; 64])), Err(NotNow));
}

#[test]
fn a_report_that_is_taken_in_part_is_an_error() {
    let (mut host, _) = ready();
    host.send_report(&Report([1; 64])).unwrap();
    let seqnum = sent_one(&mut host).seqnum;
    let error = Error::ShortOut {
        seqnum,
        sent: 64,
        actual: 63,
    };
    assert_eq!(host.handle_bytes(&ret_submit(seqnum, 0, 63, &[])), Err(error));
}

#[test]
fn a_short_report_is_an_error() {
    let (mut host, input) = ready();
    assert_eq!(
        host.handle_bytes(&ret_submit(input, 0, 63, &[0; 63])),
        Err(Error::ReportLength(63))
    );
}

#[test]
fn a_stalled_interrupt_transfer_is_an_error() {
    let (mut host, input) = ready();
    assert_eq!(
        host.handle_bytes(&ret_submit(input, -32, 0, &[])),
        Err(Error::TransferFailed(-32))
    );
}

// Replies that the kernel does not accept

#[test]
fn a_reply_that_is_longer_than_asked_is_an_error() {
    let (mut host, input) = ready();
    let error = Error::ReplyTooLong {
        seqnum: input,
        asked: 64,
        actual: 65,
    };
    assert_eq!(host.handle_bytes(&ret_submit(input, 0, 65, &[])), Err(error));
}

#[test]
fn a_negative_length_is_an_error() {
    let (mut host, input) = ready();
    let error = Error::ReplyTooLong {
        seqnum: input,
        asked: 64,
        actual: -1,
    };
    assert_eq!(host.handle_bytes(&ret_submit(input, 0, -1, &[])), Err(error));
}

#[test]
fn a_reply_to_nothing_is_an_error() {
    let (mut host, input) = ready();
    assert_eq!(
        host.handle_bytes(&ret_submit(input + 1, 0, 0, &[])),
        Err(Error::NotPending(input + 1))
    );
}

#[test]
fn a_second_reply_is_an_error() {
    let (mut host, input) = ready();
    let packet = ret_submit(input, 0, 64, &[0; 64]);
    host.handle_bytes(&packet).unwrap();
    assert_eq!(host.handle_bytes(&packet), Err(Error::NotPending(input)));
}

#[test]
fn an_unknown_command_is_an_error() {
    let (mut host, _) = ready();
    let packet = [[0, 0, 0, 1].as_slice(), &[0; 44]].concat();
    assert_eq!(host.handle_bytes(&packet), Err(Error::UnknownCommand(1)));
}

#[test]
fn an_error_stays() {
    let (mut host, input) = ready();
    host.handle_bytes(&ret_submit(input, -32, 0, &[])).unwrap_err();
    assert_eq!(host.handle_bytes(&[]), Err(Error::TransferFailed(-32)));
    assert_eq!(
        (host.device(), host.output(), host.can_send()),
        (None, [].as_slice(), false)
    );
}

// UNLINK

fn closing() -> (UsbHost, u32, u32) {
    let (mut host, input) = ready();
    host.close_input();
    let unlink = sent_one(&mut host);
    assert_eq!((unlink.command, unlink.words[0]), (2, input));
    (host, input, unlink.seqnum)
}

#[test]
fn a_pending_input_transfer_is_unlinked() {
    let (mut host, _, unlink) = closing();
    host.handle_bytes(&ret_unlink(unlink, -104)).unwrap();
    assert_eq!(
        host.poll_event(),
        Some(Event::InputClosed {
            answered_before: false
        })
    );
    assert!(sent(&mut host).is_empty());
}

#[test]
fn a_report_may_overtake_the_unlink() {
    let (mut host, input, unlink) = closing();
    host.handle_bytes(&ret_submit(input, 0, 64, &[7; 64])).unwrap();
    assert_eq!(host.poll_event(), Some(Event::Report(Report([7; 64]))));
    assert!(
        sent(&mut host).is_empty(),
        "a closing input is not submitted again"
    );
    host.handle_bytes(&ret_unlink(unlink, 0)).unwrap();
    assert_eq!(
        host.poll_event(),
        Some(Event::InputClosed {
            answered_before: true
        })
    );
}

#[test]
fn a_closed_input_can_be_opened_again() {
    let (mut host, _, unlink) = closing();
    host.open_input();
    assert!(sent(&mut host).is_empty(), "not before it is closed");
    host.handle_bytes(&ret_unlink(unlink, -104)).unwrap();
    host.open_input();
    assert_eq!(sent_one(&mut host).direction, 1);
}

#[test]
fn closing_twice_unlinks_once() {
    let (mut host, _, _) = closing();
    host.close_input();
    assert!(sent(&mut host).is_empty());
}

#[test]
fn an_unlinked_transfer_that_is_answered_as_done_is_an_error() {
    let (mut host, input, unlink) = closing();
    let error = Error::WrongUnlink {
        seqnum: input,
        status: 0,
    };
    assert_eq!(host.handle_bytes(&ret_unlink(unlink, 0)), Err(error));
}

#[test]
fn a_done_transfer_that_is_answered_as_unlinked_is_an_error() {
    let (mut host, input, unlink) = closing();
    host.handle_bytes(&ret_submit(input, 0, 64, &[7; 64])).unwrap();
    let error = Error::WrongUnlink {
        seqnum: input,
        status: -104,
    };
    assert_eq!(host.handle_bytes(&ret_unlink(unlink, -104)), Err(error));
}

#[test]
fn an_answer_after_the_unlink_is_an_error() {
    let (mut host, input, unlink) = closing();
    host.handle_bytes(&ret_unlink(unlink, -104)).unwrap();
    assert_eq!(
        host.handle_bytes(&ret_submit(input, 0, 0, &[])),
        Err(Error::NotPending(input))
    );
}

#[test]
fn an_unlink_reply_to_nothing_is_an_error() {
    let (mut host, _) = ready();
    assert_eq!(
        host.handle_bytes(&ret_unlink(99, -104)),
        Err(Error::NotPending(99))
    );
}

// Whatever comes

proptest! {
    #[test]
    fn no_bytes_make_the_host_panic(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
        import in any::<bool>(),
    ) {
        let mut host = if import { importing() } else { ready().0 };
        for chunk in chunks {
            let _ = host.handle_bytes(&chunk);
            while host.poll_event().is_some() {}
        }
    }

    #[test]
    fn no_descriptors_make_the_host_panic(
        index in 0_usize..120, byte in any::<u8>(), cut in prop::option::of(0_usize..60)
    ) {
        let mut script = Script::default();
        let parts = [&mut script.device, &mut script.configuration, &mut script.languages, &mut script.report_descriptor];
        if let Some(slot) = parts.into_iter().flatten().nth(index) {
            *slot = byte;
        }
        script.configuration.truncate(cut.unwrap_or(41));
        let mut host = UsbHost::new(Start::Attached);
        let _ = enumerate(&mut host, &script);
    }
}
