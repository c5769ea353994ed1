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
mod tests;
