//! The helper on a made-up sysfs: what it does, and what it refuses.

use std::fs::File;
use std::net::{TcpListener, TcpStream};

use rustix::net::{SocketFlags, socket};

use super::super::protocol::tests::{pair, send_raw};
use super::super::protocol::{receive_reply, send_request};
use super::super::sysfs::tests::{FREE, FakeSysfs};
use super::*;

fn helper_on(fake: &FakeSysfs) -> Service {
    Service::for_tests(fake.vhci())
}

fn device_end() -> OwnedFd {
    // The other end stays open for as long as the test runs.
    let (device_end, ours) = pair(SocketType::STREAM);
    std::mem::forget(ours);
    device_end
}

fn problem(reply: Reply) -> (Problem, String) {
    let Reply::Failed(problem, detail) = reply else {
        panic!("{reply:?}")
    };
    (problem, detail)
}

#[test]
fn probing_counts_the_free_ports() {
    let fake = FakeSysfs::with(FREE);
    assert_eq!(
        helper_on(&fake).answer(Request::Probe),
        Reply::Ready { free_ports: 2 }
    );
}

#[test]
fn without_root_rights_nothing_is_touched() {
    let fake = FakeSysfs::with(FREE);
    let mut helper = Service {
        check_rights: || false,
        ..helper_on(&fake)
    };
    assert_eq!(problem(helper.answer(Request::Probe)).0, Problem::NotRoot);
    assert_eq!(
        problem(helper.answer(Request::Attach(device_end()))).0,
        Problem::NotRoot
    );
    assert_eq!(fake.written("attach"), "");
}

#[test]
fn a_module_that_cannot_be_loaded_is_reported() {
    let empty = tempfile::tempdir().unwrap();
    let mut helper = Service::for_tests(Vhci::under(empty.path()));
    let (found, detail) = problem(helper.answer(Request::Probe));
    assert_eq!(
        (found, detail.as_str()),
        (Problem::NoModule, "modprobe: FATAL: Module vhci-hcd not found")
    );
    helper.load_module = || Ok(());
    let (found, detail) = problem(helper.answer(Request::Probe));
    assert_eq!(
        (found, detail.as_str()),
        (Problem::NoModule, "vhci-hcd is loaded, but shows no ports")
    );
}

#[test]
fn only_connected_unix_stream_sockets_are_attached() {
    let fake = FakeSysfs::with(FREE);
    let mut helper = helper_on(&fake);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let unconnected = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let (datagrams, _other) = pair(SocketType::DGRAM);
    let (packets, _other) = pair(SocketType::SEQPACKET);
    let file = OwnedFd::from(File::open("/dev/null").unwrap());
    for hostile in [OwnedFd::from(tcp), unconnected, datagrams, packets, file] {
        let (found, _) = problem(helper.answer(Request::Attach(hostile)));
        assert_eq!(found, Problem::BadRequest);
    }
    assert_eq!(fake.written("attach"), "");
    assert_eq!(
        helper.answer(Request::Attach(device_end())),
        Reply::Attached(PortNumber(1))
    );
}

#[test]
fn only_what_was_attached_here_can_be_detached() {
    let fake = FakeSysfs::with(FREE);
    let mut helper = helper_on(&fake);
    assert_eq!(
        problem(helper.answer(Request::Detach(PortNumber(0)))).0,
        Problem::BadRequest
    );
    let device = helper.next_device;
    assert_eq!(
        helper.answer(Request::Attach(device_end())),
        Reply::Attached(PortNumber(1))
    );
    fake.show_attached(device);
    assert_eq!(
        problem(helper.answer(Request::Detach(PortNumber(0)))).0,
        Problem::BadRequest
    );
    assert_eq!(fake.written("detach"), "");
    assert_eq!(helper.answer(Request::Detach(PortNumber(1))), Reply::Detached);
    assert_eq!(fake.written("detach"), "1");
    assert_eq!(
        problem(helper.answer(Request::Detach(PortNumber(1)))).0,
        Problem::BadRequest
    );
}

#[test]
fn a_port_that_another_device_has_by_now_is_left_alone() {
    let fake = FakeSysfs::with(FREE);
    let mut helper = helper_on(&fake);
    let device = helper.next_device;
    assert_eq!(
        helper.answer(Request::Attach(device_end())),
        Reply::Attached(PortNumber(1))
    );
    fake.show_attached(device.wrapping_add(99));
    helper.detach_all();
    assert_eq!(fake.written("detach"), "");
}

#[test]
fn no_more_devices_than_allowed_are_attached_at_a_time() {
    let fake = FakeSysfs::with(FREE);
    let mut helper = helper_on(&fake);
    let device = helper.next_device;
    fake.show_attached(device);
    helper.attached = vec![(PortNumber(1), DeviceId(device)); ATTACHED_MAX];
    assert_eq!(
        problem(helper.answer(Request::Attach(device_end()))).0,
        Problem::BadRequest
    );
    fake.set("status", FREE);
    assert_eq!(
        helper.answer(Request::Attach(device_end())),
        Reply::Attached(PortNumber(1)),
        "the kernel dropped them"
    );
}

#[test]
fn a_conversation_survives_nonsense_and_its_end_detaches() {
    let fake = FakeSysfs::with(FREE);
    let mut helper = helper_on(&fake);
    let device = helper.next_device;
    let (key, helper_end) = pair(SocketType::SEQPACKET);
    thread::scope(|scope| {
        scope.spawn(move || {
            serve(helper_end.as_fd(), &mut helper);
            assert_eq!(helper.attached, []);
        });
        send_raw(
            key.as_fd(),
            &[0xff; 300],
            &[key.as_fd(), key.as_fd(), key.as_fd()],
        );
        let reply = receive_reply(key.as_fd()).unwrap().unwrap();
        assert_eq!(problem(reply).0, Problem::BadRequest);
        send_request(key.as_fd(), &Request::Attach(device_end())).unwrap();
        assert_eq!(
            receive_reply(key.as_fd()).unwrap(),
            Some(Reply::Attached(PortNumber(1)))
        );
        fake.show_attached(device);
        drop(key);
    });
    assert_eq!(fake.written("detach"), "1");
}

#[test]
fn only_a_unix_packet_socket_is_served() {
    let (packets, _other) = pair(SocketType::SEQPACKET);
    assert!(check_control_socket(packets.as_fd()).is_ok());
    let (stream, _other) = pair(SocketType::STREAM);
    let file = File::open("/dev/null").unwrap();
    let inet = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    );
    for other in [stream, OwnedFd::from(file), inet.unwrap()] {
        assert!(matches!(
            check_control_socket(other.as_fd()),
            Err(Error::NoControlSocket)
        ));
    }
}
