//! Bytes and time in, bytes and time out: USB/IP, the USB device, CTAPHID. Never CTAP2.

pub mod time;
