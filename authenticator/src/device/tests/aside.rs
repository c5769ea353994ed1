//! A device whose vault somebody else has when a host wants something of it.

use super::vault_pin::registration;
use super::*;
use crate::device::{AWAY_TIMEOUT, UNLOCK_TIMEOUT};
use crate::testing::disk::Disk;
use crate::testing::vault_pin::{kept_disk, locked_key_on, locked_vault, right_guess};

/// A device, and the disk that its vault is on.
fn bench() -> (Bench, Disk) {
    let disk = kept_disk();
    let link = Link::new(ctaphid::Config { version: [1, 2, 3] });
    let bench = Bench {
        device: Device::new(link, locked_key_on(disk.clone())),
        now: Instant::ZERO,
    };
    (bench, disk)
}

/// The same, and somebody else has the vault.
fn aside() -> (Bench, Disk) {
    let (mut bench, disk) = bench();
    assert!(bench.device.stand_aside(bench.now));
    (bench, disk)
}

impl Bench {
    fn come_back(&mut self, disk: &Disk) {
        self.device.come_back(Some(locked_vault(disk.clone())));
    }
}

/// Mutation: the vault is kept.
#[test]
fn nothing_of_the_vault_is_open_meanwhile() {
    let (mut bench, disk) = bench();
    assert_eq!(disk.users(), 2);
    bench.device.unlock(bench.now, right_guess()).unwrap();
    assert!(bench.device.stand_aside(bench.now));
    assert_eq!(disk.users(), 1);
    assert!(bench.device.authenticator_mut().is_none() && bench.device.locked_mut().is_none());
    assert!(bench.device.unlock(bench.now, right_guess()).is_err());
    assert!(
        !bench.device.stand_aside(bench.now),
        "there is nothing to give away"
    );
    bench.come_back(&disk);
    bench.device.unlock(bench.now, right_guess()).unwrap();
}

#[test]
fn a_command_waits_for_the_vault_and_then_for_the_vault_pin() {
    let (mut bench, disk) = aside();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.expect_silence(client);
    bench.pass(Duration::from_millis(80));
    bench.expect_keepalive(client, 1);
    bench.pass_reading(client, AWAY_TIMEOUT - Duration::from_secs(1));
    bench.expect_no_event();
    bench.come_back(&disk);
    bench.expect_no_event();
    bench.device.go_on(bench.now);
    let (id, purpose) = bench.asked_for_vault_pin();
    assert_eq!(purpose, Purpose::Register);
    // Whoever has to enter it has all of the time for that.
    bench.pass_reading(client, UNLOCK_TIMEOUT - Duration::from_secs(1));
    bench.expect_no_event();
    bench.device.unlock(bench.now, right_guess()).unwrap();
    bench.expect_withdrawn(id);
    assert_eq!(bench.asked().1, Purpose::Register);
}

#[test]
fn a_vault_that_is_opened_at_once_is_not_asked_for() {
    let (mut bench, disk) = aside();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.come_back(&disk);
    bench.device.unlock(bench.now, right_guess()).unwrap();
    let (id, purpose) = bench.asked();
    assert_eq!(purpose, Purpose::Register);
    bench.answer(id, Gesture::Approved);
    let (command, payload) = bench.receive_after_keepalives(client).unwrap();
    assert_eq!((command, payload[0]), (CBOR, 0));
}

#[test]
fn a_command_that_waits_for_the_vault_can_be_cancelled() {
    let (mut bench, disk) = aside();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.send(client, CANCEL, &[]);
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::KEEPALIVE_CANCEL)
    );
    bench.come_back(&disk);
    bench.device.go_on(bench.now);
    bench.expect_no_event();
    bench.expect_silence(client);
}

#[test]
fn nobody_waits_for_the_vault_for_ever() {
    let (mut bench, disk) = aside();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.pass_reading(client, AWAY_TIMEOUT - Duration::from_millis(1));
    bench.expect_silence(client);
    bench.pass(Duration::from_millis(1));
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::OPERATION_DENIED)
    );
    bench.come_back(&disk);
    bench.device.go_on(bench.now);
    bench.expect_no_event();
}

#[test]
fn who_is_asked_for_the_vault_pin_is_asked_again_afterwards() {
    let (mut bench, disk) = bench();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    let (id, _) = bench.asked_for_vault_pin();
    bench.expect_keepalive(client, 2);
    assert!(bench.device.stand_aside(bench.now));
    bench.expect_withdrawn(id);
    bench.expect_keepalive(client, 1);
    bench.come_back(&disk);
    bench.device.go_on(bench.now);
    assert_ne!(bench.asked_for_vault_pin().0, id);
}

#[test]
fn what_waits_for_the_user_with_an_open_vault_ends() {
    let (mut bench, _disk) = bench();
    let client = bench.client();
    bench.device.unlock(bench.now, right_guess()).unwrap();
    bench.send(client, CBOR, &registration());
    let (id, _) = bench.asked();
    assert!(bench.device.stand_aside(bench.now));
    bench.expect_withdrawn(id);
    assert_eq!(
        bench.receive_after_keepalives(client),
        cbor(StatusCode::OPERATION_DENIED)
    );
}

#[test]
fn what_needs_no_vault_is_answered_meanwhile() {
    let (mut bench, _disk) = bench();
    let client = bench.client();
    // Asked for before, and answered meanwhile.
    bench.send(client, CBOR, &SELECTION);
    let (id, _) = bench.asked();
    assert!(bench.device.stand_aside(bench.now));
    bench.answer(id, Gesture::Approved);
    assert_eq!(bench.receive_after_keepalives(client), cbor(StatusCode::OK));
    bench.send(client, MSG, &register(9));
    assert_eq!(bench.receive(client), Some((MSG, NOT_YET.to_vec())));
    bench.expect_no_event();
}

#[test]
fn a_reset_is_judged_by_the_time_at_which_it_arrived_here_too() {
    let (mut bench, disk) = aside();
    let client = bench.client();
    bench.pass(Duration::from_secs(9));
    bench.send(client, CBOR, &RESET);
    bench.pass_reading(client, Duration::from_secs(30));
    bench.come_back(&disk);
    bench.device.go_on(bench.now);
    bench.asked_for_vault_pin();
    bench.pass_reading(client, Duration::from_secs(30));
    bench.device.unlock(bench.now, right_guess()).unwrap();
    bench.device.poll_event();
    assert_eq!(bench.asked().1, Purpose::Reset);
}

#[test]
fn a_vault_that_does_not_come_back_is_an_error_for_who_waits_and_who_comes() {
    let (mut bench, _disk) = aside();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.device.come_back(None);
    bench.device.go_on(bench.now);
    assert_eq!(bench.receive_after_keepalives(client), cbor(StatusCode::OTHER));
    bench.send(client, CBOR, &registration());
    assert_eq!(bench.receive(client), cbor(StatusCode::OTHER));
}

#[test]
fn a_key_that_loses_power_meanwhile_forgets_who_waits() {
    let (mut bench, disk) = aside();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.device.power_cycle(bench.now);
    bench.come_back(&disk);
    bench.device.go_on(bench.now);
    bench.expect_no_event();
    let client = bench.client();
    bench.send(client, CBOR, &registration());
    bench.asked_for_vault_pin();
}
