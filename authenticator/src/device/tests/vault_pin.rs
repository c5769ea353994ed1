//! A device whose vault is locked when a host wants something of it.

use super::*;
use crate::device::UNLOCK_TIMEOUT;
use crate::gesture::Demand;
use crate::testing::Members;
use crate::testing::vault_pin::{locked_key, right_guess};

impl Bench {
    fn locked() -> Self {
        let link = Link::new(ctaphid::Config { version: [1, 2, 3] });
        Self {
            device: Device::new(link, locked_key()),
            now: Instant::ZERO,
        }
    }

    pub(super) fn asked_for_vault_pin(&mut self) -> (PromptId, Purpose) {
        match self.device.poll_event() {
            Some(Event::Ask { id, prompt, .. }) => {
                assert_eq!(prompt.demand, Demand::VaultPin);
                (id, prompt.purpose)
            }
            other => panic!("no question but {other:?}"),
        }
    }

    fn unlock(&mut self) {
        self.device.unlock(self.now, right_guess()).unwrap();
    }
}

pub(super) fn registration() -> Vec<u8> {
    Members::make_credential().encode(0x01)
}

#[test]
fn a_command_waits_for_the_vault_pin_with_keepalives_and_then_goes_on() {
    let mut bench = Bench::locked();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.expect_keepalive(client, 2);
    let (id, purpose) = bench.asked_for_vault_pin();
    assert_eq!(purpose, Purpose::Register);
    bench.pass_reading(client, Duration::from_secs(60));
    bench.expect_no_event();
    bench.unlock();
    bench.expect_withdrawn(id);
    // The vault is open; the registration itself still wants its user.
    let (id, purpose) = bench.asked();
    assert_eq!(purpose, Purpose::Register);
    bench.answer(id, Gesture::Approved);
    let (command, payload) = bench.receive_after_keepalives(client).unwrap();
    assert_eq!((command, payload[0]), (CBOR, 0));
}

#[test]
fn who_refuses_or_does_not_answer_keeps_the_vault_locked() {
    // What a yes would mean elsewhere opens nothing.
    for gesture in [Some(Gesture::Declined), Some(Gesture::Verified), None] {
        let mut bench = Bench::locked();
        let client = bench.client();
        bench.send(client, CBOR, &registration());
        let (id, _) = bench.asked_for_vault_pin();
        match gesture {
            Some(gesture) => bench.answer(id, gesture),
            None => {
                bench.pass_reading(client, UNLOCK_TIMEOUT - Duration::from_millis(1));
                bench.expect_no_event();
                bench.pass(Duration::from_millis(1));
                bench.expect_withdrawn(id);
            }
        }
        assert_eq!(
            bench.receive_after_keepalives(client),
            cbor(StatusCode::OPERATION_DENIED)
        );
        assert!(bench.device.authenticator_mut().is_none());
    }
}

#[test]
fn a_cancelled_command_does_not_go_on_when_the_vault_is_opened_later() {
    let mut bench = Bench::locked();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    let (id, _) = bench.asked_for_vault_pin();
    bench.send(client, CANCEL, &[]);
    bench.expect_withdrawn(id);
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::KEEPALIVE_CANCEL)
    );
    bench.unlock();
    bench.expect_no_event();
    bench.expect_silence(client);
}

#[test]
fn a_reset_is_judged_by_the_time_at_which_it_arrived() {
    for (seconds, is_in_time) in [(9, true), (11, false)] {
        let mut bench = Bench::locked();
        let client = bench.client();
        bench.pass(Duration::from_secs(seconds));
        bench.send(client, CBOR, &RESET);
        let (id, purpose) = bench.asked_for_vault_pin();
        assert_eq!(purpose, Purpose::Unlock);
        bench.pass_reading(client, Duration::from_secs(30));
        bench.unlock();
        bench.expect_withdrawn(id);
        if is_in_time {
            assert_eq!(bench.asked().1, Purpose::Reset);
        } else {
            assert_eq!(
                bench.receive_after_keepalives(client),
                cbor(StatusCode::NOT_ALLOWED)
            );
        }
    }
}

#[test]
fn u2f_hears_not_yet_until_the_vault_is_open_and_then_until_the_user_is_there() {
    let mut bench = Bench::locked();
    let client = bench.client();
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    let (id, _) = bench.asked_for_vault_pin();
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    bench.expect_no_event();
    bench.unlock();
    bench.expect_withdrawn(id);
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    let (id, _) = bench.asked();
    bench.answer(id, Gesture::Approved);
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client).unwrap().1[0], 0x05);
}

#[test]
fn locking_ends_what_waits_for_the_user_and_is_not_undone_by_a_late_answer() {
    let mut bench = Bench::locked();
    let client = bench.client();
    bench.unlock();
    bench.send(client, CBOR, &registration());
    let (id, _) = bench.asked();
    assert!(bench.device.lock(bench.now));
    bench.expect_withdrawn(id);
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::OPERATION_DENIED)
    );
    bench.answer(id, Gesture::Approved);
    bench.expect_silence(client);
    assert!(bench.device.locked_mut().is_some());
    assert!(!bench.device.lock(bench.now));
}

#[test]
fn get_info_is_no_use_of_the_vault_and_other_commands_are() {
    let mut bench = Bench::locked();
    let client = bench.client();
    bench.unlock();
    bench.pass(Duration::from_secs(5));
    bench.send(client, CBOR, &[0x04]);
    assert_eq!(bench.device.last_use(), Instant::ZERO);
    while bench.device.output(client.port).len() >= 64 {
        bench.device.consume_output(bench.now, client.port, 64);
    }
    bench.send(client, CBOR, &SELECTION);
    assert_eq!(bench.device.last_use(), bench.now);
}
