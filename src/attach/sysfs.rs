//! The kernel's virtual USB host controller as it shows itself in sysfs (kernel: `drivers/usb/usbip`,
//! `vhci_sysfs.c`): which ports are free, attach a socket to one, detach.
//!
//! Every device that is attached gets a device id of our choice. The kernel shows it beside the port, so that
//! only a port that still has our device is ever detached.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A port of the virtual host controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PortNumber(pub(crate) u32);

/// What the kernel shows beside a port: chosen by who attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeviceId(pub(super) u32);

/// Controllers that a kernel can have (`CONFIG_USBIP_VHCI_NR_HCS`).
const CONTROLLERS_MAX: usize = 128;
/// A sysfs file is at most a page; pages are at most so large.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// `VDEV_ST_NULL`: nothing is attached.
const STATE_FREE: u32 = 4;
/// `USB_SPEED_FULL`.
const SPEED_FULL: u32 = 2;

/// The folder of the first controller, through which all of them are used.
#[derive(Debug, Clone)]
pub(crate) struct Vhci {
    folder: PathBuf,
}

/// One line of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PortStatus {
    port: PortNumber,
    is_super_speed: bool,
    state: u32,
    device: DeviceId,
}

/// What went wrong while attaching.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttachError {
    #[error("every port is in use")]
    NoFreePort,
    #[error("{0}")]
    Refused(#[from] io::Error),
}

impl Vhci {
    /// The controller of this machine.
    pub(crate) fn of_this_machine() -> Self {
        Self::under(Path::new("/"))
    }

    /// The controller below another root folder.
    pub(crate) fn under(root: &Path) -> Self {
        Self {
            folder: root.join("sys/devices/platform/vhci_hcd.0"),
        }
    }

    /// Whether the kernel module is loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.folder.join("status").exists()
    }

    /// How many ports can take a full-speed device.
    pub(crate) fn free_ports(&self) -> io::Result<u32> {
        let free = self.status()?.iter().filter(|status| status.is_free()).count();
        Ok(u32::try_from(free).unwrap_or(u32::MAX))
    }

    /// Gives the kernel a device: `device_end` is the socket over which it speaks.
    pub(super) fn attach(
        &self,
        device_end: BorrowedFd<'_>,
        device: DeviceId,
    ) -> Result<PortNumber, AttachError> {
        for status in self.status()?.iter().filter(|status| status.is_free()) {
            let PortNumber(port) = status.port;
            let request = format!("{port} {} {} {SPEED_FULL}", device_end.as_raw_fd(), device.0);
            match self.write("attach", &request) {
                Ok(()) => return Ok(status.port),
                // Another program was faster.
                Err(error) if error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AttachError::NoFreePort)
    }

    /// Whether `device` is attached to `port`.
    pub(super) fn has(&self, port: PortNumber, device: DeviceId) -> io::Result<bool> {
        let is_it = |status: &PortStatus| status.port == port && status.device == device && !status.is_free();
        Ok(self.status()?.iter().any(is_it))
    }

    /// Detaches `device` from `port`, if it is still there.
    pub(super) fn detach(&self, port: PortNumber, device: DeviceId) -> io::Result<()> {
        if self.has(port, device)? {
            self.write("detach", &port.0.to_string())
        } else {
            Ok(())
        }
    }

    /// One write call: the kernel takes each as a whole request.
    fn write(&self, name: &str, request: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.folder.join(name))?;
        let written = file.write(request.as_bytes())?;
        if written == request.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    /// The ports of every controller: `status`, `status.1`, `status.2`, …
    fn status(&self) -> io::Result<Vec<PortStatus>> {
        let mut ports = parse_status(&read(&self.folder.join("status"))?);
        for controller in 1..CONTROLLERS_MAX {
            let path = self.folder.join(format!("status.{controller}"));
            if !fs::exists(&path)? {
                break;
            }
            ports.extend(parse_status(&read(&path)?));
        }
        Ok(ports)
    }
}

impl PortStatus {
    fn is_free(&self) -> bool {
        self.state == STATE_FREE && !self.is_super_speed
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// `hub port sta spd dev sockfd local_busid`, one line per port below a line of titles. Lines of another form
/// are passed over: a port that cannot be understood is not used.
fn parse_status(text: &str) -> Vec<PortStatus> {
    text.lines().filter_map(parse_status_line).collect()
}

fn parse_status_line(line: &str) -> Option<PortStatus> {
    let mut words = line.split_ascii_whitespace();
    let is_super_speed = match words.next()? {
        "hs" => false,
        "ss" => true,
        _ => return None,
    };
    let port = PortNumber(words.next()?.parse().ok()?);
    let state = words.next()?.parse().ok()?;
    let _speed = words.next()?;
    let device = DeviceId(u32::from_str_radix(words.next()?, 16).ok()?);
    Some(PortStatus {
        port,
        is_super_speed,
        state,
        device,
    })
}

#[cfg(test)]
pub(super) mod tests;
