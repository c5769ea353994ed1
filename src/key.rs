//! Puts a key together: the vault, the authenticator and the link, with the real randomness and clock.

use redb::backends::InMemoryBackend;
use wardkey_authenticator::{
    Algorithms, Attestation, Authenticator, Config, Device, Enterprise, KeyKind, LargeBlobs,
};
use wardkey_transport::ctaphid::{self, Link};
use wardkey_transport::usbip::Identity;
use wardkey_vault::{Locked, RootKey, Vault};

use crate::cli::{self, AttestationBy, Kind, Model};
use crate::error::Failure;
use crate::host;

/// The program's version as one number, shown as `firmwareVersion`: 0.1.0 is 100.
const FIRMWARE_VERSION: u32 = 100;

/// The same version as CTAPHID_INIT and the USB device descriptor (binary coded decimal) show it.
const DEVICE_VERSION: [u8; 3] = [0, 1, 0];
const DEVICE_RELEASE: u16 = 0x0010;

/// What this program's key is.
pub(crate) fn config(model: &Model) -> Config {
    let now = host::now().as_millis();
    let Model {
        kind,
        large_blobs,
        post_quantum,
        attestation,
        enterprise,
        ref enterprise_site,
        hide_fido_2_3,
    } = *model;
    Config {
        kind: match kind {
            Kind::Synced => KeyKind::Synced,
            Kind::DeviceBound => KeyKind::DeviceBound,
        },
        algorithms: if post_quantum {
            Algorithms::WithMlDsa
        } else {
            Algorithms::Classical
        },
        attestation: match attestation {
            AttestationBy::Itself => Attestation::OfItself,
            AttestationBy::Authority => Attestation::Authority,
        },
        enterprise: enterprise.then(|| Enterprise {
            rp_ids: enterprise_site.clone(),
        }),
        firmware_version: FIRMWARE_VERSION,
        unix_ms_at_zero: host::unix_now_ms().saturating_sub(now),
        large_blobs: match large_blobs {
            cli::LargeBlobs::Array => LargeBlobs::Array,
            cli::LargeBlobs::Extension => LargeBlobs::Extension,
        },
        hide_fido_2_3,
    }
}

/// An empty vault in memory, under a key that is kept nowhere.
pub(crate) fn temporary_vault() -> Result<Vault, Failure> {
    let rng = &mut host::rng();
    Vault::open(InMemoryBackend::new(), &RootKey::random(rng), rng)
        .map_err(|error| Failure::new(error, "make room in memory"))
}

/// The authenticator over `vault`, powered up now.
pub(crate) fn authenticator(vault: Vault, config: Config) -> Result<Authenticator, Failure> {
    Authenticator::new(vault, config, Box::new(host::rng()), host::now()).map_err(broken_state)
}

/// The vault is sound, but not what the authenticator keeps in it.
pub(crate) fn broken_state(error: wardkey_vault::Error) -> Failure {
    Failure::new(
        format!("the key's own state cannot be read: {error}"),
        "restore the state folder from a backup, or move it away to start with an empty key",
    )
}

/// A key over `vault`, powered up now and attached to nothing.
pub(crate) fn device(vault: Vault, config: Config) -> Result<Device, Failure> {
    let link = Link::new(ctaphid::Config {
        version: DEVICE_VERSION,
    });
    Ok(Device::new(link, authenticator(vault, config)?))
}

/// A key whose vault is locked, powered up now and attached to nothing.
pub(crate) fn locked_device(vault: Locked, config: Config) -> Device {
    let link = Link::new(ctaphid::Config {
        version: DEVICE_VERSION,
    });
    let authenticator = Authenticator::locked(vault, config, Box::new(host::rng()), host::now());
    Device::new(link, authenticator)
}

/// What the key calls itself on the bus.
pub(crate) fn identity((vendor_id, product_id): (u16, u16)) -> Identity {
    Identity {
        vendor_id,
        product_id,
        device_release: DEVICE_RELEASE,
        ..Identity::default()
    }
}
