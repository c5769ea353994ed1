//! Bytes and time in, bytes and time out: USB/IP, the USB device, CTAPHID. Never CTAP2.
//!
//! ```text
//! socket ⇄ bytes ⇄ usbip::Connection ⇄ Report [u8; 64] ⇄ ctaphid::Link ⇄ Request / response
//!                  usbip/wire, usb/*                      ctaphid/*
//! ```
//!
//! A [`usbip::Connection`] is one USB host's view of the key; a [`ctaphid::Link`] is the key's one CTAPHID
//! machine, which several hosts may share, each as a [`ctaphid::Port`]. Both do no input or output and read
//! no clock. The caller's rule for both: give one input, drain all outputs, then give the next input.

pub mod ctaphid;
mod report;
pub mod time;
mod usb;
pub mod usbip;

pub use report::{REPORT_LEN, Report};
