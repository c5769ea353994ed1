//! What the FIDO function tells about itself (HID 1.11 §6.2, CTAP 2.3 §11.2.8).
//!
//! Device, configuration and endpoint descriptors are written by `usb-device` from the numbers in
//! `usb/device.rs` and `usb/hid.rs`.

/// Class, subclass and protocol of the interface: HID, no boot interface.
pub(crate) const INTERFACE_CLASS: [u8; 3] = [0x03, 0x00, 0x00];

/// `USB_SPEED_FULL` of the kernel's `enum usb_device_speed`.
pub(crate) const SPEED_FULL: u32 = 2;

/// Descriptor types, HID 1.11 §7.1.
pub(super) const TYPE_HID: u8 = 0x21;
/// Report descriptor.
pub(super) const TYPE_REPORT: u8 = 0x22;

/// The report descriptor: FIDO usage page, one input and one output report of 64 bytes, no report id.
pub(super) const REPORT: [u8; 34] = [
    0x06, 0xD0, 0xF1, // Usage Page (FIDO Alliance)
    0x09, 0x01, // Usage (CTAPHID)
    0xA1, 0x01, // Collection (Application)
    0x09, 0x20, //   Usage (data in)
    0x15, 0x00, //   Logical Minimum (0)
    0x26, 0xFF, 0x00, //   Logical Maximum (255)
    0x75, 0x08, //   Report Size (8 bits)
    0x95, 0x40, //   Report Count (64)
    0x81, 0x02, //   Input (Data, Variable, Absolute)
    0x09, 0x21, //   Usage (data out)
    0x15, 0x00, //   Logical Minimum (0)
    0x26, 0xFF, 0x00, //   Logical Maximum (255)
    0x75, 0x08, //   Report Size (8 bits)
    0x95, 0x40, //   Report Count (64)
    0x91, 0x02, //   Output (Data, Variable, Absolute)
    0xC0, // End Collection
];

/// The HID descriptor without its length and type: HID 1.11, no country, one report descriptor of 34 bytes.
pub(super) const HID_BODY: [u8; 7] = [0x11, 0x01, 0x00, 0x01, TYPE_REPORT, 34, 0x00];

/// The whole HID descriptor, for GET_DESCRIPTOR.
pub(super) const HID: [u8; 9] = [0x09, TYPE_HID, 0x11, 0x01, 0x00, 0x01, TYPE_REPORT, 34, 0x00];
