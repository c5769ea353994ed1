//! Our key: the authenticator over a vault in memory, with a user who does what the step says.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use wardkey_authenticator::{
    Algorithms, Attestation, Authenticator, Config, Gesture, KeyKind, LargeBlobs, Outcome,
};
use wardkey_sim::scenario::{SeededRng, UserAct};
use wardkey_transport::time::Instant;
use wardkey_vault::{Secret, Vault};

/// How long the user has to answer, as in the daemon.
const USER_TIMEOUT: Duration = Duration::from_millis(30_001);

/// A disk that outlives the vault on it.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<InMemoryBackend>);

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// Our key.
pub(crate) struct Ours {
    disk: Disk,
    /// Differs after every power cycle: nothing is made twice.
    seed: u64,
    authenticator: Option<Authenticator>,
    now: Instant,
}

impl Ours {
    pub(crate) fn new(seed: u64) -> Self {
        let mut ours = Self {
            disk: Disk::default(),
            seed,
            authenticator: None,
            now: Instant::ZERO,
        };
        ours.power_cycle();
        ours
    }

    /// All that is left is what is on the disk.
    pub(crate) fn power_cycle(&mut self) {
        self.authenticator = None;
        self.seed = self.seed.wrapping_add(1);
        let mut rng = SeededRng::new(self.seed);
        let root = Secret::from_slice(&[7; 32]).expect("32 bytes");
        let vault = Vault::open(self.disk.clone(), &root, &mut rng).expect("the disk is sound");
        let config = Config {
            // The reference is bound to its device, too: it has a signature counter, and no backup flags.
            kind: KeyKind::DeviceBound,
            algorithms: Algorithms::default(),
            attestation: Attestation::default(),
            enterprise: None,
            firmware_version: 1,
            unix_ms_at_zero: 1_800_000_000_000,
            large_blobs: LargeBlobs::Array,
            hide_fido_2_3: false,
        };
        let authenticator = Authenticator::new(vault, config, Box::new(rng), self.now);
        self.authenticator = Some(authenticator.expect("the state is our own"));
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(self.now.as_millis())
    }

    pub(crate) fn set_now(&mut self, now: Duration) {
        self.now = Instant::ZERO + now;
    }

    pub(crate) fn exchange(&mut self, request: &[u8], user: UserAct) -> Vec<u8> {
        let authenticator = self.authenticator.as_mut().expect("it has power");
        let mut outcome = authenticator.handle_cbor(self.now, request);
        loop {
            match outcome {
                Outcome::Done(answer) => return answer,
                Outcome::NeedsGesture(pending) => {
                    let gesture = match user {
                        UserAct::Agrees => Gesture::Approved,
                        UserAct::Refuses => Gesture::Declined,
                        UserAct::Ignores => {
                            self.now = self.now + USER_TIMEOUT;
                            Gesture::TimedOut
                        }
                    };
                    outcome = authenticator.resume(self.now, pending, gesture);
                }
            }
        }
    }
}
