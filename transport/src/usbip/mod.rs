//! USB/IP: one [`Connection`] per host, bytes in, bytes out.
//!
//! The protocol is the one of the Linux kernel, `Documentation/usb/usbip_protocol.rst`.

mod connection;
mod error;
mod output;
pub mod wire;

pub use crate::usb::Identity;
pub use connection::{Connection, Event, Full, PENDING_URBS_MAX, Phase};
pub use error::Error;
