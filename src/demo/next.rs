//! What to try after the demo: whether the kernel of this computer can have the key plugged in, and what is missing.

use std::fs;
use std::path::Path;

/// How far this computer is from `wardkey up`.
#[derive(Debug, PartialEq, Eq)]
enum Kernel {
    /// vhci_hcd is loaded.
    Ready,
    /// The module is installed.
    Loadable,
    /// A Linux kernel without the module.
    WithoutModule,
    /// Another system.
    NotLinux,
}

/// Lines for the person.
pub(crate) fn steps() -> Vec<String> {
    let mut lines = match Kernel::below(Path::new("/")) {
        Kernel::Ready => vec!["Plug a key into this computer, for browsers, ssh and all others:  wardkey up".to_owned()],
        Kernel::Loadable => vec![
            "Plug a key into this computer, for browsers, ssh and all others:  wardkey up".to_owned(),
            "  It needs the kernel module vhci_hcd, which is installed but not loaded:  sudo modprobe vhci-hcd".to_owned(),
        ],
        Kernel::WithoutModule => vec![
            "This kernel has no module vhci_hcd, so no key can be plugged into this computer; `wardkey doctor`".to_owned(),
            "says how to get it. Other computers can have the key over USB/IP:  wardkey serve --usbip 127.0.0.1:3240"
                .to_owned(),
        ],
        Kernel::NotLinux => vec![
            "A key can be plugged into Linux only. Linux computers, and Windows with a USB/IP client, can have it".to_owned(),
            "over the network:  wardkey serve --usbip 127.0.0.1:3240".to_owned(),
        ],
    };
    lines.push("A website to try it on with a real browser:  wardkey demo --site".to_owned());
    lines
}

impl Kernel {
    fn below(root: &Path) -> Self {
        if !cfg!(target_os = "linux") {
            return Self::NotLinux;
        }
        if root.join("sys/devices/platform/vhci_hcd.0/status").exists() {
            return Self::Ready;
        }
        if Self::has_module(root).unwrap_or(false) {
            Self::Loadable
        } else {
            Self::WithoutModule
        }
    }

    /// Whether modprobe would find the module.
    fn has_module(root: &Path) -> Option<bool> {
        let release = fs::read_to_string(root.join("proc/sys/kernel/osrelease")).ok()?;
        let index =
            fs::read_to_string(root.join("lib/modules").join(release.trim()).join("modules.dep")).ok()?;
        Some(index.lines().any(|line| {
            line.split(':')
                .next()
                .unwrap_or_default()
                .contains("/vhci-hcd.ko")
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::temporary::TemporaryFolder;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_is_ready_loadable_or_without_the_module() {
        let root = TemporaryFolder::new().unwrap();
        let root = root.path();
        assert_eq!(Kernel::below(root), Kernel::WithoutModule);
        write(root, "proc/sys/kernel/osrelease", "6.1.0-test\n");
        write(
            root,
            "lib/modules/6.1.0-test/modules.dep",
            "kernel/a.ko: kernel/drivers/usb/usbip/vhci-hcd.ko\n",
        );
        assert_eq!(Kernel::below(root), Kernel::WithoutModule);
        let index = "kernel/drivers/usb/usbip/vhci-hcd.ko.xz: kernel/drivers/usb/usbip/usbip-core.ko.xz\n";
        write(root, "lib/modules/6.1.0-test/modules.dep", index);
        assert_eq!(Kernel::below(root), Kernel::Loadable);
        write(
            root,
            "sys/devices/platform/vhci_hcd.0/status",
            "hub port sta spd dev sockfd local_busid\n",
        );
        assert_eq!(Kernel::below(root), Kernel::Ready);
    }

    #[test]
    fn every_computer_is_told_about_the_website() {
        assert!(steps().last().unwrap().ends_with("wardkey demo --site"));
    }
}
