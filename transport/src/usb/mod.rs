//! The USB device that the host sees: descriptors, endpoint 0, one interrupt endpoint each way.

mod bus;
mod descriptors;
mod device;
mod hid;
mod identity;

pub(crate) use descriptors::{INTERFACE_CLASS, SPEED_FULL};
pub(crate) use device::{Device, Refused, Setup};
pub use identity::Identity;
