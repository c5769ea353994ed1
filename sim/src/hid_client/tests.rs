//! Dialogues with a scripted key.

use std::collections::VecDeque;

use super::*;
use crate::report::{PipeError, REPORT_LEN};

const NONCE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const OURS: ChannelId = ChannelId(0x0001_0002);
const OTHER: ChannelId = ChannelId(0x0009_0009);

/// Answers the n-th report with the n-th list.
#[derive(Default)]
struct ScriptedKey {
    sent: Vec<Report>,
    answers: VecDeque<Vec<Report>>,
    waiting: VecDeque<Report>,
}

impl ReportPipe for ScriptedKey {
    fn send_report(&mut self, report: &Report) -> Result<(), PipeError> {
        self.sent.push(*report);
        self.waiting.extend(self.answers.pop_front().unwrap_or_default());
        Ok(())
    }

    fn receive_report(&mut self, _timeout: Duration) -> Result<Option<Report>, PipeError> {
        Ok(self.waiting.pop_front())
    }
}

fn message(channel: ChannelId, command: Command, payload: &[u8]) -> Vec<Report> {
    reports_of(channel, command, payload).unwrap()
}

fn init_payload(nonce: [u8; 8], channel: ChannelId) -> Vec<u8> {
    [nonce.as_slice(), &channel.0.to_be_bytes(), &[2, 1, 2, 3, 0x05]].concat()
}

fn init_reply() -> Vec<Report> {
    message(ChannelId::BROADCAST, Command::INIT, &init_payload(NONCE, OURS))
}

/// A client on [`OURS`] whose key answers what it is sent next with `answers`, report by report.
fn client(answers: impl IntoIterator<Item = Vec<Report>>) -> HidClient<ScriptedKey> {
    let answers = [init_reply()].into_iter().chain(answers).collect();
    let key = ScriptedKey {
        answers,
        ..ScriptedKey::default()
    };
    let mut client = HidClient::open(key, NONCE).unwrap();
    let at_once = Patience {
        between_frames: Duration::ZERO,
        whole_answer: Duration::ZERO,
    };
    client.set_patience(at_once);
    client.pipe_mut().sent.clear();
    client
}

fn wait(_: Keepalive) -> Wish {
    Wish::Wait
}

// INIT

#[test]
fn a_channel_is_opened_with_init_on_broadcast() {
    let mut client = client([]);
    assert_eq!(client.init_reply().channel, OURS);
    assert_eq!(client.init_reply().device_version, [1, 2, 3]);
    let capabilities = client.init_reply().capabilities;
    assert!(capabilities.has_wink() && capabilities.has_cbor() && capabilities.has_msg());
    client.wink().unwrap_err();
    assert_eq!(client.pipe_mut().sent[0].0[..7], [0, 1, 0, 2, 0x88, 0, 0]);
}

#[test]
fn init_answers_to_other_clients_are_skipped() {
    let others = message(ChannelId::BROADCAST, Command::INIT, &init_payload([9; 8], OTHER));
    let answers = [[others, init_reply()].concat()].into();
    let client = HidClient::open(
        ScriptedKey {
            answers,
            ..ScriptedKey::default()
        },
        NONCE,
    )
    .unwrap();
    assert_eq!(client.init_reply().channel, OURS);
}

#[test]
fn an_init_answer_of_another_length_is_an_error() {
    for length in [16, 18] {
        let mut payload = init_payload(NONCE, OURS);
        payload.resize(length, 0);
        let answers = [message(ChannelId::BROADCAST, Command::INIT, &payload)].into();
        let key = ScriptedKey {
            answers,
            ..ScriptedKey::default()
        };
        let Err(error) = HidClient::open(key, NONCE) else {
            panic!("{length} bytes were accepted")
        };
        assert!(matches!(error, Error::WrongInitLength(wrong) if wrong == length));
    }
}

#[test]
fn resynchronising_skips_what_was_under_way() {
    let mut rest = message(OURS, Command::PING, &[0; 100]);
    rest.extend(message(OURS, Command::INIT, &init_payload(NONCE, OURS)));
    let mut client = client([rest]);
    assert_eq!(client.resynchronise(NONCE).unwrap().channel, OURS);
}

// Messages

#[test]
fn a_message_is_cut_into_reports_and_put_together() {
    let payload: Vec<u8> = (0..=255).cycle().take(MESSAGE_LEN_MAX).collect();
    let mut answers = vec![Vec::new(); 128];
    answers.push(message(OURS, Command::PING, &payload));
    let mut client = client(answers);
    client.ping(&payload).unwrap();
    let sent = &client.pipe_mut().sent;
    assert_eq!(sent.len(), 129);
    assert_eq!(sent[0].0[..8], [0, 1, 0, 2, 0x81, 0x1D, 0xB9, 0]);
    assert_eq!(sent[128].0[..6], [0, 1, 0, 2, 0x7F, payload[57 + 127 * 59]]);
}

#[test]
fn a_message_that_ctaphid_cannot_carry_is_not_sent() {
    let mut client = client([]);
    assert!(matches!(
        client.ping(&[0; MESSAGE_LEN_MAX + 1]),
        Err(Error::TooLong(7610))
    ));
    assert!(client.pipe_mut().sent.is_empty());
}

#[test]
fn an_answer_that_claims_to_be_longer_is_an_error() {
    let mut report = [0; REPORT_LEN];
    report[..7].copy_from_slice(&[0, 1, 0, 2, 0x81, 0x1D, 0xBA]);
    let mut client = client([vec![Report(report)]]);
    assert!(matches!(client.ping(&[]), Err(Error::TooLong(7610))));
}

#[test]
fn a_changed_echo_is_an_error() {
    let mut client = client([message(OURS, Command::PING, &[1, 2])]);
    assert!(matches!(client.ping(&[1, 3]), Err(Error::WrongEcho)));
}

#[test]
fn frames_of_other_channels_are_skipped() {
    let mut mine = message(OURS, Command::PING, &[5; 100]);
    let second = mine.split_off(1);
    let frames = [
        message(OTHER, Command::PING, &[6; 100]),
        mine,
        message(OTHER, Command::MSG, &[0; 2]),
        second,
    ];
    let mut client = client([Vec::new(), frames.concat()]);
    client.ping(&[5; 100]).unwrap();
}

#[test]
fn continuation_packets_out_of_order_are_an_error() {
    let mut frames = message(OURS, Command::PING, &[5; 200]);
    frames.swap(1, 2);
    let mut client = client([frames]);
    let error = client.ping(&[5; 10]).unwrap_err();
    assert!(matches!(
        error,
        Error::WrongSequence {
            expected: 0,
            received: 1
        }
    ));
}

#[test]
fn a_continuation_packet_without_a_message_is_an_error() {
    let frames = message(OURS, Command::PING, &[5; 100]).split_off(1);
    let mut client = client([frames]);
    assert!(matches!(
        client.ping(&[5; 10]),
        Err(Error::UnexpectedContinuation)
    ));
}

#[test]
fn a_message_inside_a_message_is_an_error() {
    let mut frames = message(OURS, Command::PING, &[5; 100]);
    frames.truncate(1);
    frames.extend(message(OURS, Command::WINK, &[]));
    let mut client = client([frames]);
    assert!(matches!(
        client.ping(&[5; 10]),
        Err(Error::Interrupted(Command::WINK))
    ));
}

#[test]
fn an_error_inside_a_message_ends_it() {
    let mut frames = message(OURS, Command::PING, &[5; 100]);
    frames.truncate(1);
    frames.extend(message(OURS, Command::ERROR, &[0x05]));
    let mut client = client([frames]);
    assert!(matches!(
        client.ping(&[5; 10]),
        Err(Error::Refused(HidError::MSG_TIMEOUT))
    ));
}

#[test]
fn a_refusal_is_an_error_with_its_code() {
    let mut client = client([message(OURS, Command::ERROR, &[0x06])]);
    assert!(matches!(
        client.wink(),
        Err(Error::Refused(HidError::CHANNEL_BUSY))
    ));
}

#[test]
fn another_answer_than_asked_for_is_an_error() {
    let mut client = client([message(OURS, Command::MSG, &[0x90, 0])]);
    let error = client.cbor(&[4], &mut wait).unwrap_err();
    assert!(matches!(
        error,
        Error::UnexpectedMessage {
            sent: Command::CBOR,
            received: Command::MSG
        }
    ));
}

#[test]
fn silence_is_an_error() {
    assert!(matches!(client([]).wink(), Err(Error::NoAnswer)));
}

// KEEPALIVE and CANCEL

#[test]
fn keepalives_are_told_and_the_answer_follows() {
    let frames = [
        message(OURS, Command::KEEPALIVE, &[1]),
        message(OURS, Command::KEEPALIVE, &[2]),
        message(OURS, Command::CBOR, &[0]),
    ];
    let mut client = client([frames.concat()]);
    let mut seen = Vec::new();
    let answer = client.cbor(&[1], &mut |keepalive| {
        seen.push(keepalive);
        Wish::Wait
    });
    assert_eq!(answer.unwrap(), [0]);
    assert_eq!(seen, [Keepalive::Processing, Keepalive::UserPresenceNeeded]);
}

#[test]
fn a_wish_to_cancel_is_sent_once() {
    let keepalive = message(OURS, Command::KEEPALIVE, &[2]);
    let frames = [
        keepalive.clone(),
        keepalive,
        message(OURS, Command::CBOR, &[0x2D]),
    ];
    let mut client = client([frames.concat()]);
    assert_eq!(client.cbor(&[1], &mut |_| Wish::Cancel).unwrap(), [0x2D]);
    let commands: Vec<u8> = client.pipe_mut().sent.iter().map(|report| report.0[4]).collect();
    assert_eq!(commands, [0x90, 0x91]);
}

#[test]
fn a_keepalive_without_meaning_is_an_error() {
    for payload in [[0].as_slice(), &[3], &[], &[1, 1]] {
        let mut client = client([message(OURS, Command::KEEPALIVE, payload)]);
        assert!(
            matches!(client.cbor(&[1], &mut wait), Err(Error::UnexpectedMessage { .. })),
            "{payload:?}"
        );
    }
}

#[test]
fn a_keepalive_during_msg_is_an_error() {
    let mut client = client([message(OURS, Command::KEEPALIVE, &[1])]);
    assert!(matches!(
        client.msg(&[0; 7]),
        Err(Error::UnexpectedMessage { .. })
    ));
}
