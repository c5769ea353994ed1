//! A folder that looks like sysfs, with what the kernel shows there.

use std::os::fd::AsFd as _;

use rustix::net::SocketType;
use tempfile::TempDir;

use super::super::protocol::tests::pair;
use super::*;

pub(in super::super) const FREE: &str = "\
hub port sta spd dev      sockfd local_busid
hs  0000 006 002 00010002 000003 1-1
hs  0001 004 000 00000000 000000 0-0
hs  0002 004 000 00000000 000000 0-0
ss  0008 004 000 00000000 000000 0-0
";

const FULL: &str = "\
hub port sta spd dev      sockfd local_busid
hs  0000 006 002 00010002 000003 1-1
hs  0001 005 002 00010003 000004 0-0
ss  0008 004 000 00000000 000000 0-0
";

/// A folder that looks like sysfs: writes can be read back, nothing happens.
pub(in super::super) struct FakeSysfs {
    pub(in super::super) root: TempDir,
}

impl FakeSysfs {
    pub(in super::super) fn with(status: &str) -> Self {
        let fake = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(&fake.vhci().folder).unwrap();
        for (name, text) in [("status", status), ("attach", ""), ("detach", "")] {
            fake.set(name, text);
        }
        fake
    }

    pub(in super::super) fn vhci(&self) -> Vhci {
        Vhci::under(self.root.path())
    }

    pub(in super::super) fn set(&self, name: &str, text: &str) {
        fs::write(self.vhci().folder.join(name), text).unwrap();
    }

    pub(in super::super) fn written(&self, name: &str) -> String {
        fs::read_to_string(self.vhci().folder.join(name)).unwrap()
    }

    /// What the kernel would show once `device` is attached to port 1.
    pub(in super::super) fn show_attached(&self, device: u32) {
        self.set(
            "status",
            &FREE.replace(
                "hs  0001 004 000 00000000",
                &format!("hs  0001 006 002 {device:08x}"),
            ),
        );
    }
}

#[test]
fn the_first_free_full_speed_port_is_used() {
    let fake = FakeSysfs::with(FREE);
    let (device_end, _ours) = pair(SocketType::STREAM);
    let port = fake
        .vhci()
        .attach(device_end.as_fd(), DeviceId(0x0042_0001))
        .unwrap();
    assert_eq!(port, PortNumber(1));
    assert_eq!(
        fake.written("attach"),
        format!("1 {} 4325377 2", device_end.as_raw_fd())
    );
}

#[test]
fn ports_of_further_controllers_count() {
    let fake = FakeSysfs::with(FULL);
    assert_eq!(fake.vhci().free_ports().unwrap(), 0);
    fake.set("status.1", "hub port sta\nhs  0016 004 000 00000000 000000 0-0\n");
    fake.set("status.3", "hub port sta\nhs  0048 004 000 00000000 000000 0-0\n");
    assert_eq!(
        fake.vhci().free_ports().unwrap(),
        1,
        "the controllers are numbered without gaps"
    );
    let (device_end, _ours) = pair(SocketType::STREAM);
    assert_eq!(
        fake.vhci().attach(device_end.as_fd(), DeviceId(1)).unwrap(),
        PortNumber(16)
    );
}

#[test]
fn no_port_is_used_twice() {
    let fake = FakeSysfs::with(FULL);
    let (device_end, _ours) = pair(SocketType::STREAM);
    let attached = fake.vhci().attach(device_end.as_fd(), DeviceId(1));
    assert!(matches!(attached, Err(AttachError::NoFreePort)), "{attached:?}");
    assert_eq!(fake.written("attach"), "");
}

#[test]
fn only_our_own_device_is_detached() {
    let fake = FakeSysfs::with(FREE);
    let vhci = fake.vhci();
    vhci.detach(PortNumber(0), DeviceId(0x0042_0001)).unwrap();
    vhci.detach(PortNumber(1), DeviceId(0)).unwrap();
    vhci.detach(PortNumber(77), DeviceId(0x0042_0001)).unwrap();
    assert_eq!(fake.written("detach"), "");
    fake.show_attached(0x0042_0001);
    vhci.detach(PortNumber(1), DeviceId(0x0042_0001)).unwrap();
    assert_eq!(fake.written("detach"), "1");
}

#[test]
fn lines_of_another_form_are_passed_over() {
    let odd = "hs\nhs x 004 000 00000000\nhs 0001 004 000 zz\n\u{0}\nhs 99999999999 004 000 0 0 0\n";
    assert_eq!(parse_status(odd), []);
    assert_eq!(parse_status(FREE).len(), 4);
}

#[test]
fn a_module_that_is_not_loaded_is_noticed() {
    let empty = tempfile::tempdir().unwrap();
    assert!(!Vhci::under(empty.path()).is_loaded());
    assert!(FakeSysfs::with(FREE).vhci().is_loaded());
}
