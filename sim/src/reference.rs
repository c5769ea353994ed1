//! The reference authenticator: Trussed's fido-authenticator, written by others for hardware keys. CTAP messages in,
//! answers out. Time and the user are what its [`Surroundings`] say.
//!
//! It keeps its credentials in memory and its keys in plain text: it is here to compare with, and nothing else.

mod flash;
mod surroundings;
#[cfg(test)]
mod tests;
pub mod usbip;

pub use surroundings::{Controls, Surroundings, User};

use ctaphid_app::{App, Command};
use fido_authenticator::{Authenticator, Config, Conforming, LargeBlobsConfig};
use heapless_bytes::Bytes;
use trussed::ClientImplementation;
use trussed::backend::BackendId;
use trussed::pipe::{ServiceEndpoint, TrussedChannel};
use trussed::platform::Syscall;
use trussed::service::Service;
use trussed::types::CoreContext;
use trussed::virt::{self, StorageConfig, StoreConfig};
use trussed_core::types::Location;
use trussed_staging::StagingContext;
use trussed_staging::virt::{BackendIds, Dispatcher};

use crate::fido_client::MessagePipe;
use crate::hid_client::{self, HidError, Keepalive, Wish};
use surroundings::Surrounded;

/// What fits into the reference's own buffers.
const MESSAGE_LEN_MAX: usize = 3072;

const BACKENDS: &[BackendId<BackendIds>] = &[BackendId::Custom(BackendIds::StagingBackend), BackendId::Core];

/// Does what the authenticator asks of Trussed at once, in the same thread: Trussed's own runners poll for it every
/// millisecond, which would be measured instead.
struct AtOnce<'a> {
    service: Service<Surrounded<'a>, Dispatcher>,
    endpoints: [ServiceEndpoint<'a, BackendIds, StagingContext>; 1],
}

impl Syscall for AtOnce<'_> {
    fn syscall(&mut self) {
        self.service.process(&mut self.endpoints);
    }
}

type Client<'a> = ClientImplementation<'a, AtOnce<'a>, Dispatcher>;

/// A reference authenticator that has power.
pub struct Reference<'a> {
    app: Authenticator<Conforming, Client<'a>>,
}

/// Runs `f` with a new reference authenticator, whose user agrees to everything.
pub fn with_reference<R>(f: impl FnOnce(Reference<'_>) -> R) -> R {
    with_power(&mut Surroundings::new(), f)
}

/// Gives power to the reference authenticator in `surroundings` until `f` returns. What is in its flash stays there.
pub fn with_power<R>(surroundings: &mut Surroundings, f: impl FnOnce(Reference<'_>) -> R) -> R {
    let format = surroundings.power_up();
    let store = StoreConfig {
        internal: StorageConfig {
            storage: Box::new(surroundings.flash()),
            format,
        },
        ..StoreConfig::ram()
    };
    virt::with_platform(store, |platform| {
        let platform = surroundings.around(platform);
        let channel = TrussedChannel::new();
        let (requester, responder) = channel.split().expect("a new channel was not split before");
        let id = "fido".try_into().expect("the name is a path");
        let endpoints = [ServiceEndpoint::new(responder, CoreContext::new(id), BACKENDS)];
        let service = Service::with_dispatch(platform, Dispatcher::default());
        let client = ClientImplementation::new(requester, AtOnce { service, endpoints }, None);
        let config = Config {
            max_msg_size: MESSAGE_LEN_MAX,
            skip_up_timeout: None,
            max_resident_credential_count: Some(10_000),
            large_blobs: Some(LargeBlobsConfig {
                location: Location::Internal,
            }),
            nfc_transport: false,
            ccid_transport: false,
            firmware_version: None,
            credential_id_version: None,
            long_touch_for_reset: false,
            fido2_up_timeout: Some(surroundings::USER_TIMEOUT_MS),
        };
        f(Reference {
            app: Authenticator::new(client, Conforming {}, config),
        })
    })
}

impl Reference<'_> {
    fn call(&mut self, command: Command, request: &[u8]) -> Result<Vec<u8>, hid_client::Error> {
        let mut response = Bytes::<MESSAGE_LEN_MAX>::new();
        let refused = |_| hid_client::Error::Refused(HidError::INVALID_LEN);
        self.app.call(command, request, &mut response).map_err(refused)?;
        Ok(response.to_vec())
    }
}

impl MessagePipe for Reference<'_> {
    fn cbor(
        &mut self,
        request: &[u8],
        _on_keepalive: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, hid_client::Error> {
        self.call(Command::Cbor, request)
    }

    fn msg(&mut self, apdu: &[u8]) -> Result<Vec<u8>, hid_client::Error> {
        self.call(Command::Msg, apdu)
    }
}
