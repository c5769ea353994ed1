//! The other side of the key: what a computer and its programs do with it. A USB host that speaks USB/IP as the
//! Linux kernel does, a CTAPHID client, and a FIDO client in the manner of a browser.
//!
//! Nothing here shares code with the key, so that one mistake cannot hide on both sides.
//!
//! ```text
//! webauthn      create, get                    as a page asks for them
//! fido_client   CTAP2 and U2F commands         over anything that carries messages
//! hid_client    messages                       over anything that carries reports
//! usb_host      reports                        over USB/IP bytes on a socket
//! raw_stream    reports                        over a socket, 64 bytes each
//! world         several devices of one vault, and a store that cannot be relied on
//! ```

pub mod auth_data;
pub mod clock;
pub mod fido_client;
pub mod hid_client;
pub mod raw_stream;
#[cfg(feature = "reference")]
pub mod reference;
pub mod report;
pub mod scenario;
pub mod usb_host;
pub mod webauthn;
#[cfg(feature = "world")]
pub mod world;
