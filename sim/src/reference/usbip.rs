//! The reference authenticator as a USB device over `usbip-device`, the transport that is compared with ours.
//!
//! That crate listens on the fixed address 127.0.0.1:3240, panics on whatever it does not expect, and can only be
//! polled: it belongs into a process of its own. Polling without a pause makes it as fast as it can be.

use ctaphid_dispatch::{Channel, DEFAULT_MESSAGE_SIZE, Dispatch};
use usb_device::bus::UsbBusAllocator;
use usb_device::device::{StringDescriptors, UsbDeviceBuilder, UsbVidPid};
use usbd_ctaphid::CtapHid;
use usbip_device::UsbIpBus;

use super::with_reference;

/// Where the device listens.
pub const ADDRESS: &str = "127.0.0.1:3240";
/// The name to import the device by.
pub const BUS_ID: &str = "1-1";

/// Runs the device until the process ends. `ready` is called when it listens.
pub fn serve(ready: impl FnOnce()) {
    with_reference(|mut reference| {
        let allocator = UsbBusAllocator::new(UsbIpBus::new());
        let channel = Channel::<DEFAULT_MESSAGE_SIZE>::new();
        let (requester, responder) = channel.split().expect("a new channel was not split before");
        let hid = CtapHid::new(&allocator, requester, 0);
        let mut hid = hid.implements_ctap1().implements_ctap2().implements_wink();
        let mut dispatch = Dispatch::new(responder);
        let strings = StringDescriptors::default()
            .manufacturer("reference")
            .product("reference");
        let mut device = UsbDeviceBuilder::new(&allocator, UsbVidPid(0x1209, 0x0001))
            .strings(&[strings])
            .and_then(|builder| builder.max_packet_size_0(64))
            .expect("one language and 64 bytes are valid")
            .build();
        ready();
        loop {
            hid.check_for_app_response();
            device.poll(&mut [&mut hid]);
            dispatch.poll(&mut [&mut reference.app]);
        }
    })
}
