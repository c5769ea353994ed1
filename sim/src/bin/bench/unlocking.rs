//! How long it takes to open the vault, and what memory the key has before, then, and after.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::backends::FileBackend;
use wardkey_sim::clock;
use wardkey_sim::scenario::SeededRng;
use wardkey_vault::{GuessLimit, KdfCost, KnownKey, Locked, NewPin};

use crate::commands::Commands;
use crate::daemon::{self, VAULT_PIN, Vault};
use crate::failure::Failure;
use crate::machine::resident_bytes;
use crate::operations;
use crate::samples::Samples;
use crate::schedule::Plan;
use crate::subjects::{self, Opened};

/// How often each vault is opened.
const ROUNDS: usize = 15;
const ROUNDS_QUICK: usize = 3;
/// After this, a process has given back what it does not need any more.
const SETTLED: Duration = Duration::from_secs(1);

/// All that was measured.
pub(crate) struct Unlocking {
    /// Argon2id alone, in this process, at the cost that the vaults have.
    pub(crate) argon2id: Samples,
    pub(crate) vaults: Vec<Measured>,
}

/// A vault with so many credentials stored.
pub(crate) struct Measured {
    pub(crate) stored: u32,
    /// From the Vault PIN to the answer to the first assertion.
    pub(crate) times: Samples,
    pub(crate) memory: Memory,
}

/// What was resident, in bytes.
#[derive(Default)]
pub(crate) struct Memory {
    /// Before the vault was ever open.
    pub(crate) before: u64,
    pub(crate) open: u64,
    pub(crate) locked_again: u64,
}

/// Opens these vaults in turns.
pub(crate) fn measure(
    plan: &Plan<'_>,
    vaults: &[(u32, Result<PathBuf, Failure>)],
) -> Result<Unlocking, Failure> {
    eprintln!("unlocking");
    let mut cost = None;
    let mut keys = Vec::new();
    for (stored, folder) in vaults {
        let folder = folder.as_ref().map_err(Clone::clone)?;
        cost = Some(cost_of(folder)?);
        keys.push(Key::start(plan, *stored, folder)?);
    }
    let cost = cost.unwrap_or(KdfCost::FLOOR);
    let mut argon2id = Samples::default();
    for _ in 0..if plan.quick { ROUNDS_QUICK } else { ROUNDS } {
        argon2id.time(|| stretch(cost))?;
        for key in &mut keys {
            key.unlock()?;
            key.commands.lock()?;
        }
    }
    let vaults = keys.into_iter().map(Key::end).collect::<Result<_, _>>()?;
    Ok(Unlocking { argon2id, vaults })
}

/// A key whose vault is locked between the rounds.
struct Key {
    opened: Opened,
    commands: Commands,
    measured: Measured,
}

impl Key {
    fn start(plan: &Plan<'_>, stored: u32, folder: &Path) -> Result<Self, Failure> {
        let opened = subjects::authenticator(daemon::up(plan.wardkey, folder, Vault::Locked)?)?;
        clock::pause(SETTLED);
        let memory = Memory {
            before: resident_bytes(opened.process.id()),
            ..Memory::default()
        };
        Ok(Self {
            opened,
            commands: Commands::connect(folder)?,
            measured: Measured {
                stored,
                times: Samples::default(),
                memory,
            },
        })
    }

    fn unlock(&mut self) -> Result<(), Failure> {
        let Self {
            opened,
            commands,
            measured,
        } = self;
        measured.times.time(|| {
            commands.unlock(VAULT_PIN)?;
            operations::log_in(&mut opened.client)
        })
    }

    /// Opens and locks it once more, with time to settle.
    fn end(mut self) -> Result<Measured, Failure> {
        let process = self.opened.process.id();
        self.commands.unlock(VAULT_PIN)?;
        operations::log_in(&mut self.opened.client)?;
        clock::pause(SETTLED);
        self.measured.memory.open = resident_bytes(process);
        self.commands.lock()?;
        clock::pause(SETTLED);
        self.measured.memory.locked_again = resident_bytes(process);
        self.opened.process.end()?;
        Ok(self.measured)
    }
}

/// Argon2id as for one guess.
fn stretch(cost: KdfCost) -> Result<(), Failure> {
    let pin = NewPin::choose(VAULT_PIN, GuessLimit::None, cost, &mut SeededRng::new(0));
    pin.map(drop)
        .map_err(|error| Failure::new(error.to_string(), "free some memory"))
}

/// How much work a guess at the Vault PIN is.
fn cost_of(folder: &Path) -> Result<KdfCost, Failure> {
    let unreadable =
        |error: &dyn std::error::Error| Failure::new(format!("no vault was made: {error}"), "report this");
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(folder.join("vault.redb"))?;
    let backend = FileBackend::new(file).map_err(|error| unreadable(&error))?;
    let known = KnownKey::random(&mut SeededRng::new(0));
    let locked = Locked::open(backend, known, Duration::ZERO).map_err(|error| unreadable(&error))?;
    let kdf = locked
        .trust()
        .kdf()
        .ok_or_else(|| Failure::new("a vault without a Vault PIN", "report this"))?;
    Ok(kdf.cost())
}
