//! The shipped [`Device`] in this process: its own time, which passes only while somebody waits, a disk in memory, and a
//! user who does as told. Losing power is a cold start from what is on the disk.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use redb::StorageBackend;
use serde_json::Value;
use wardkey_authenticator::cbor::{self, Map};
use wardkey_authenticator::{
    Algorithms, Attestation, Authenticator, Config, Demand, Device, Enterprise, Event, Gesture, HostKind,
    KeyKind, LargeBlobs, Modality, Prompt, PromptId, Verifier,
};
use wardkey_sim::report::{REPORT_LEN, Report};
use wardkey_transport::ctaphid::{self, Link, Port};
use wardkey_transport::time::Instant;
use wardkey_vault::{Secret, Vault};

use crate::configuration::{Configuration, ENTERPRISE_RP_ID};
use crate::key::{Broken, Key, User};
use crate::random::Seeded;
use crate::run::Driver;

/// Makes keys in this process.
pub struct InProcessDriver;

impl Driver for InProcessDriver {
    fn name(&self) -> &'static str {
        "in process"
    }

    fn new_key(&self, configuration: Configuration, name: &str) -> Result<Box<dyn Key>, Broken> {
        Ok(Box::new(InProcess::new(configuration, name)?))
    }
}

/// Seals the disk in memory.
const ROOT_KEY: [u8; 32] = [7; 32];

/// A key in this process.
pub struct InProcess {
    configuration: Configuration,
    rng: Seeded,
    disk: Disk,
    device: Option<Device>,
    port: Port,
    now: Instant,
    user: User,
    received: VecDeque<u8>,
}

impl InProcess {
    /// A key that was never used. `name` decides what its random numbers are.
    pub fn new(configuration: Configuration, name: &str) -> Result<Self, Broken> {
        let mut key = Self {
            configuration,
            rng: Seeded::new(name),
            disk: Disk::default(),
            device: None,
            port: Port(0),
            now: Instant::from_millis(1_000),
            user: User::Agrees,
            received: VecDeque::new(),
        };
        key.plug_in()?;
        Ok(key)
    }

    fn plug_in(&mut self) -> Result<(), Broken> {
        let root = Secret::from_slice(&ROOT_KEY).ok_or(Broken::CannotDo("the root key has 32 bytes"))?;
        let vault = Vault::open(self.disk.clone(), &root, &mut self.rng)
            .map_err(|error| Broken::Gone(format!("the vault does not open: {error}")))?;
        let rng = Box::new(self.rng.fork());
        let mut authenticator = Authenticator::new(vault, config(self.configuration), rng, self.now)
            .map_err(|error| Broken::Gone(format!("the state does not open: {error}")))?;
        authenticator.set_verifier(self.configuration.built_in_uv.then_some(Verifier {
            modality: Modality::Fingerprint,
            ready: true,
        }));
        authenticator.set_account_choice(self.configuration.display);
        let link = Link::new(ctaphid::Config { version: [0, 1, 0] });
        let mut device = Device::new(link, authenticator);
        self.port = device.attach(self.now, &HostKind::Raw);
        self.received.clear();
        self.device = Some(device);
        Ok(())
    }

    fn device(&mut self) -> Result<&mut Device, Broken> {
        self.device
            .as_mut()
            .ok_or_else(|| Broken::Gone("it is unplugged".to_owned()))
    }

    fn authenticator(&mut self) -> Result<&mut Authenticator, Broken> {
        let is_locked = || Broken::Gone("its vault is locked".to_owned());
        self.device()?.authenticator_mut().ok_or_else(is_locked)
    }

    /// Takes what the key has to say, and lets the user answer, until nothing moves.
    fn settle(&mut self) -> Result<(), Broken> {
        loop {
            let (now, port) = (self.now, self.port);
            let device = self.device()?;
            let output = device.output(port).to_vec();
            device.consume_output(now, port, output.len());
            let event = device.poll_event();
            let is_quiet = output.is_empty() && event.is_none();
            self.received.extend(output);
            if let Some(Event::Ask { id, prompt, .. }) = event {
                self.answer(id, &prompt)?;
            }
            if is_quiet {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, id: PromptId, prompt: &Prompt) -> Result<(), Broken> {
        let is_verified = matches!(prompt.demand, Demand::Verification { .. });
        let gesture = match self.user {
            User::Absent => return Ok(()),
            User::Refuses => Gesture::Declined,
            User::IsStranger if is_verified => Gesture::NotVerified,
            User::Chooses(place) if !prompt.accounts.is_empty() => Gesture::ApprovedAccount(place),
            User::Agrees | User::IsStranger | User::Chooses(_) => {
                match (is_verified, prompt.accounts.is_empty()) {
                    (true, _) => Gesture::Verified,
                    (false, true) => Gesture::Approved,
                    (false, false) => Gesture::ApprovedAccount(0),
                }
            }
        };
        let now = self.now;
        self.device()?.handle_gesture(now, id, gesture);
        Ok(())
    }

    /// Time goes on to the next moment that matters to the key, but not beyond `end`.
    fn advance(&mut self, end: Instant) -> Result<(), Broken> {
        let next = self.device()?.poll_timeout().filter(|next| *next < end);
        self.now = next.unwrap_or(end).max(self.now);
        let now = self.now;
        self.device()?.handle_timeout(now);
        self.settle()
    }

    fn next_report(&mut self) -> Option<Report> {
        if self.received.len() < REPORT_LEN {
            return None;
        }
        let mut report = [0; REPORT_LEN];
        for (slot, byte) in report.iter_mut().zip(self.received.drain(..REPORT_LEN)) {
            *slot = byte;
        }
        Some(Report(report))
    }
}

impl Key for InProcess {
    fn send(&mut self, report: &Report) -> Result<(), Broken> {
        let (now, port) = (self.now, self.port);
        self.device()?
            .handle_bytes(now, port, &report.0)
            .map_err(|error| Broken::Gone(error.to_string()))?;
        self.settle()
    }

    fn receive(&mut self, within: Duration) -> Result<Option<Report>, Broken> {
        let end = self.now + within;
        loop {
            if let Some(report) = self.next_report() {
                return Ok(Some(report));
            }
            if self.now >= end {
                return Ok(None);
            }
            self.advance(end)?;
        }
    }

    fn power_cycle(&mut self) -> Result<(), Broken> {
        // The vault closes its disk before it is opened again.
        self.device = None;
        self.plug_in()
    }

    fn user(&mut self, user: User) -> Result<(), Broken> {
        self.user = user;
        Ok(())
    }

    fn wait(&mut self, duration: Duration) -> Result<(), Broken> {
        let end = self.now + duration;
        while self.now < end {
            self.advance(end)?;
        }
        Ok(())
    }

    fn has_virtual_time(&self) -> bool {
        true
    }

    fn metadata(&mut self) -> Result<String, Broken> {
        let root = self
            .authenticator()?
            .attestation_root()
            .map_err(|error| Broken::Gone(format!("the authority: {error}")))?;
        // A statement is about keys that were never used.
        let mut unused = Self::new(self.configuration, "metadata")?;
        unused
            .authenticator()?
            .metadata_statement(&root, members)
            .map(|members| members.to_string())
            .ok_or(Broken::CannotDo(
                "JSON has nothing like a member of the statement",
            ))
    }
}

/// CBOR as a metadata statement has it.
fn members(map: &Map<'_>) -> Option<Value> {
    let members = map.entries().iter().map(|(key, value)| match key {
        cbor::Key::Text(name) => Some(((*name).to_owned(), json(value)?)),
        cbor::Key::Unsigned(_) | cbor::Key::Negative(_) | cbor::Key::Bytes(_) => None,
    });
    members.collect::<Option<_>>().map(Value::Object)
}

fn json(value: &cbor::Value<'_>) -> Option<Value> {
    Some(match value {
        cbor::Value::Unsigned(number) => (*number).into(),
        cbor::Value::Negative(number) => (-1 - i64::try_from(*number).ok()?).into(),
        cbor::Value::Bytes(bytes) => Base64::encode_string(bytes).into(),
        cbor::Value::Text(text) => (*text).into(),
        cbor::Value::Array(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        cbor::Value::Map(map) => members(map)?,
        cbor::Value::Bool(flag) => (*flag).into(),
        cbor::Value::Null | cbor::Value::Undefined => return None,
    })
}

fn config(configuration: Configuration) -> Config {
    Config {
        kind: if configuration.synced {
            KeyKind::Synced
        } else {
            KeyKind::DeviceBound
        },
        algorithms: Algorithms::default(),
        attestation: if configuration.authority {
            Attestation::Authority
        } else {
            Attestation::OfItself
        },
        enterprise: configuration.enterprise.then(|| Enterprise {
            rp_ids: vec![ENTERPRISE_RP_ID.to_owned()],
        }),
        firmware_version: 100,
        unix_ms_at_zero: 1_800_000_000_000,
        large_blobs: if configuration.large_blob_array {
            LargeBlobs::Array
        } else {
            LargeBlobs::Extension
        },
        hide_fido_2_3: false,
    }
}

/// A disk in memory that survives the key that uses it.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Vec<u8>>>);

impl Disk {
    fn with<T>(&self, use_bytes: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        use_bytes(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.with(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.with(|bytes| {
            let from = usize::try_from(offset).ok()?;
            let stored = bytes.get(from..from.checked_add(out.len())?)?;
            out.copy_from_slice(stored);
            Some(())
        })
        .ok_or_else(beyond_the_end)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let len = usize::try_from(len).map_err(|_| beyond_the_end())?;
        self.with(|bytes| bytes.resize(len, 0));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.with(|bytes| {
            let from = usize::try_from(offset).ok()?;
            let stored = bytes.get_mut(from..from.checked_add(data.len())?)?;
            stored.copy_from_slice(data);
            Some(())
        })
        .ok_or_else(beyond_the_end)
    }
}

fn beyond_the_end() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
