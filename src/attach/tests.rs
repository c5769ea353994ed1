//! The key process's side against a helper that works on a made-up sysfs.

use std::os::fd::AsFd as _;
use std::process::Command;
use std::thread;

use rustix::net::SocketType;

use super::helper::{Service, serve};
use super::protocol::tests::{pair, send_raw};
use super::sysfs::tests::{FREE, FakeSysfs};
use super::*;

/// A key process's side, and the helper behind it.
fn helper_on(fake: &FakeSysfs) -> (Helper, thread::JoinHandle<()>) {
    let (control, helper_end) = pair(SocketType::SEQPACKET);
    let mut service = Service::for_tests(fake.vhci());
    let serving = thread::spawn(move || serve(helper_end.as_fd(), &mut service));
    (
        Helper {
            control,
            starter: None,
        },
        serving,
    )
}

#[test]
fn a_device_is_attached_and_detached_through_the_helper() {
    let fake = FakeSysfs::with(FREE);
    let (mut helper, serving) = helper_on(&fake);
    let (device_end, _ours) = pair(SocketType::STREAM);
    let port = helper.attach(device_end).unwrap();
    assert_eq!(port, PortNumber(1));
    assert!(fake.written("attach").starts_with("1 "));
    helper.detach(port).unwrap();
    drop(helper);
    serving.join().unwrap();
}

#[test]
fn the_helper_keeps_no_copy_of_the_socket() {
    let fake = FakeSysfs::with(FREE);
    let (mut helper, _serving) = helper_on(&fake);
    let (device_end, ours) = pair(SocketType::STREAM);
    helper.attach(device_end).unwrap();
    // The made-up kernel keeps none either: so the other end reads as ended.
    let mut bytes = [0; 1];
    assert_eq!(rustix::io::read(&ours, &mut bytes).unwrap(), 0);
}

#[test]
fn a_helper_s_refusal_says_what_and_what_to_do() {
    let fake = FakeSysfs::with(FREE);
    let (mut helper, _serving) = helper_on(&fake);
    let (packets, _other) = pair(SocketType::SEQPACKET);
    let error = helper.attach(packets).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the helper refused the request: only a Unix stream socket can be attached"
    );
    assert!(!error.hint().is_empty());
}

#[test]
fn a_helper_that_has_ended_is_noticed() {
    let (control, helper_end) = pair(SocketType::SEQPACKET);
    drop(helper_end);
    let mut helper = Helper {
        control,
        starter: None,
    };
    assert!(matches!(
        helper.request(&Request::Probe),
        Err(Error::HelperEnded(_))
    ));
}

#[test]
fn a_helper_that_ends_instead_of_serving_is_told_with_its_exit_code() {
    let mut command = Command::new("sh");
    command.args(["-c", "exit 3"]);
    let mut helper = launch::start(command).unwrap();
    let error = helper.request(&Request::Probe).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the helper that attaches the key has ended (exit status: 3)"
    );
}

#[test]
fn a_helper_that_is_not_there_cannot_be_started() {
    let error = launch::start(Command::new("/nonexistent/sudo")).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot start /nonexistent/sudo: "),
        "{error}"
    );
}

#[test]
fn a_reply_of_the_wrong_kind_is_an_error() {
    let (control, helper_end) = pair(SocketType::SEQPACKET);
    let mut helper = Helper {
        control,
        starter: None,
    };
    send_raw(helper_end.as_fd(), &[1, 3, 0, 0, 0, 0, 0, 0], &[]);
    let (device_end, _ours) = pair(SocketType::STREAM);
    assert!(matches!(helper.attach(device_end), Err(Error::Control(_))));
}
