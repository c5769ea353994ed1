//! The properties that the targets check, apart from «no panic».

mod hid;
mod urb;

pub use hid::Key;
pub use urb::UsbHost;
