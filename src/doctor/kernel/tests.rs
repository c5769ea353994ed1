//! Made-up machines with and without the module.

use super::super::Level;
use super::super::testing::{MadeUp, expect};
use super::*;

const STATUS: &str = "/sys/devices/platform/vhci_hcd.0/status";
const MODULES: &str = "/lib/modules/6.1.0-30-amd64/modules.dep";

#[test]
fn a_loaded_module_with_free_ports_is_well() {
    let status = "hub port sta spd dev      sockfd local_busid\nhs  0000 004 000 00000000 000000 0-0\n";
    let made = MadeUp::empty().with(STATUS, status);
    expect(
        &check(&made.machine),
        Level::Ok,
        "vhci_hcd is loaded, 1 ports are free",
    );
}

#[test]
fn a_loaded_module_without_free_ports_is_not() {
    let made = MadeUp::empty().with(STATUS, "hs  0000 006 002 00010002 000003 1-1\n");
    expect(
        &check(&made.machine),
        Level::Fail,
        "vhci_hcd is loaded, but every port is in use",
    );
}

#[test]
fn a_module_that_can_be_loaded_is_well() {
    let made = MadeUp::empty().with(MODULES, "kernel/drivers/usb/usbip/vhci-hcd.ko.zst: kernel/x.ko\n");
    expect(
        &check(&made.machine),
        Level::Ok,
        "vhci_hcd is there; `wardkey up` loads it",
    );
}

#[test]
fn the_package_of_a_missing_module_is_named() {
    for (os_release, mend) in [
        (
            "ID=ubuntu\nID_LIKE=debian\n",
            "sudo apt install linux-modules-extra-6.1.0-30-amd64",
        ),
        (
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
            "sudo apt install linux-modules-extra-6.1.0-30-amd64",
        ),
        (
            "ID=fedora\n",
            "sudo dnf install kernel-modules-extra-6.1.0-30-amd64",
        ),
        (
            "ID=other\n",
            "install a kernel that was built with CONFIG_USBIP_VHCI_HCD",
        ),
    ] {
        let made = MadeUp::empty()
            .with(MODULES, "kernel/other.ko:\n")
            .with("/etc/os-release", os_release);
        let found = expect(
            &check(&made.machine),
            Level::Fail,
            "kernel 6.1.0-30-amd64 has no module vhci_hcd",
        );
        assert_eq!(found, mend);
    }
}

#[test]
fn an_updated_kernel_needs_a_restart() {
    let made = MadeUp::empty().with("/lib/modules/6.1.0-31-amd64/modules.dep", "");
    let found = "the modules of the running kernel 6.1.0-30-amd64 are gone: the kernel was updated";
    assert_eq!(
        expect(&check(&made.machine), Level::Fail, found),
        "restart the computer"
    );
}

#[test]
fn a_container_is_recognised() {
    let made = MadeUp::empty();
    expect(
        &check(&made.machine),
        Level::Fail,
        "this system has no kernel modules; it may be a container",
    );
}
