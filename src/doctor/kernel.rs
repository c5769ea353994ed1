//! The kernel module vhci_hcd: loaded with free ports, or there to be loaded, or missing, and then in which
//! package it is.

use super::{Finding, Machine};
use crate::attach::sysfs::Vhci;

const CHECK: &str = "kernel";

pub(super) fn check(machine: &Machine) -> Finding {
    let vhci = Vhci::under(&machine.root);
    if vhci.is_loaded() {
        return match vhci.free_ports() {
            Ok(0) => Finding::fail(
                CHECK,
                "vhci_hcd is loaded, but every port is in use",
                "`usbip port` lists what is attached, `sudo usbip detach -p PORT` detaches it",
            ),
            Ok(free) => Finding::ok(CHECK, format!("vhci_hcd is loaded, {free} ports are free")),
            Err(error) => Finding::fail(
                CHECK,
                format!("vhci_hcd is loaded, but its ports cannot be read: {error}"),
                "check that /sys is mounted, and that this is not a container",
            ),
        };
    }
    let release = &machine.kernel_release;
    let Some(modules) = ["/lib/modules", "/usr/lib/modules"]
        .map(|folder| format!("{folder}/{release}"))
        .into_iter()
        .find(|folder| machine.path(folder).is_dir())
    else {
        return without_modules(machine);
    };
    let lists = ["modules.dep", "modules.builtin"].map(|name| machine.read(&format!("{modules}/{name}")));
    if lists.iter().flatten().any(|list| list.contains("/vhci-hcd.ko")) {
        return Finding::ok(CHECK, "vhci_hcd is there; `wardkey up` loads it");
    }
    Finding::fail(
        CHECK,
        format!("kernel {release} has no module vhci_hcd"),
        package(machine),
    )
}

fn without_modules(machine: &Machine) -> Finding {
    let release = &machine.kernel_release;
    let has_others =
        std::fs::read_dir(machine.path("/lib/modules")).is_ok_and(|mut entries| entries.next().is_some());
    if has_others {
        return Finding::fail(
            CHECK,
            format!("the modules of the running kernel {release} are gone: the kernel was updated"),
            "restart the computer",
        );
    }
    Finding::fail(
        CHECK,
        "this system has no kernel modules; it may be a container",
        "run `wardkey up` on the host, or `wardkey serve --usbip` here and attach from the host",
    )
}

/// How to get the module on this distribution.
fn package(machine: &Machine) -> String {
    let release = &machine.kernel_release;
    if release.to_ascii_lowercase().contains("microsoft") {
        return "`wsl --update` in Windows, or `wardkey serve --usbip` here and a USB/IP client in Windows"
            .to_owned();
    }
    let text = machine.read("/etc/os-release").unwrap_or_default();
    let values = text
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
    let names: Vec<&str> = values
        .flat_map(|value| value.trim_matches('"').split(' '))
        .collect();
    let is_like = |name: &str| names.contains(&name);
    if is_like("ubuntu") {
        return format!("sudo apt install linux-modules-extra-{release}");
    }
    if is_like("debian") {
        return "sudo apt install linux-image-amd64 (the cloud kernels leave it out), then restart into it"
            .to_owned();
    }
    if is_like("fedora") || is_like("rhel") {
        return format!("sudo dnf install kernel-modules-extra-{release}");
    }
    if is_like("suse") || is_like("opensuse") {
        return "sudo zypper install kernel-default (kernel-default-base leaves it out), then restart into it".to_owned();
    }
    "install a kernel that was built with CONFIG_USBIP_VHCI_HCD".to_owned()
}

#[cfg(test)]
mod tests {
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
}
