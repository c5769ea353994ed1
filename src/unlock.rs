//! Tries Vault PINs. A try takes a second or so; for the running key it happens on a thread of its own. It was counted
//! durably before.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wardkey_authenticator::PromptId;
use wardkey_vault::{Event, Guess, Locked, NotCounted, NotOpened, NotUnlocked, Record, RightGuess, Vault};
use zeroize::Zeroizing;

use crate::device_keys::DeviceKeys;
use crate::error::Failure;
use crate::host;
use crate::prompt::chain::{Way, pin_chain_for};
use crate::prompt::{Answer, Asker as _, Demand, EnteredPin, Purpose, Question, wait_for_answer};
use crate::state::{self, Folder, Held, since_boot};
use crate::wake::{Waker, Wakeup};

/// How long a person may look for the Vault PIN, in seconds.
const PATIENCE_SECONDS: u32 = 600;

/// Where a Vault PIN came from, and how it went is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A prompt that a host caused.
    Prompt(PromptId),
    /// The command on this connection.
    Command(u64),
}

/// A Vault PIN was tried.
pub(crate) struct Tried {
    pub(crate) from: From,
    pub(crate) result: Result<Box<RightGuess>, NotRight>,
}

/// Why a Vault PIN did not open the vault.
pub(crate) struct NotRight {
    /// It was compared, and is another one.
    pub(crate) is_wrong: bool,
    pub(crate) reason: Failure,
}

/// Why a Vault PIN was not even tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTried {
    #[error("another Vault PIN is being tried")]
    Busy,
    #[error(transparent)]
    NotCounted(#[from] NotCounted<wardkey_vault::Error>),
    #[error(transparent)]
    Keys(#[from] state::Error),
    #[error("no thread could be started: {0}")]
    NoThread(#[from] std::io::Error),
}

impl NotTried {
    /// What to do.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Keys(error) => error.hint(),
            Self::Busy | Self::NotCounted(_) | Self::NoThread(_) => TRY_AGAIN.to_owned(),
        }
    }
}

/// Tries one Vault PIN at a time.
pub(crate) struct Unlocker {
    held: Held,
    waker: Waker,
    is_busy: bool,
}

impl Unlocker {
    /// With the keys of the device that are in the state folder.
    pub(crate) fn new(held: Held, waker: Waker) -> Self {
        Self {
            held,
            waker,
            is_busy: false,
        }
    }

    /// Lets others have the state folder.
    pub(crate) fn release(self) -> Arc<Folder> {
        self.held.release()
    }

    /// Whether a Vault PIN is being tried.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// The keys of the device.
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// Counts the PIN and begins to try it. The event loop hears how it went.
    pub(crate) fn try_pin(
        &mut self,
        locked: &mut Locked,
        pin: EnteredPin,
        from: From,
    ) -> Result<(), NotTried> {
        if self.is_busy {
            return Err(NotTried::Busy);
        }
        let mut keys = self.held.device_keys(locked.trust().pin_generation())?;
        let guess = locked.guess(since_boot())?;
        let waker = self.waker.clone();
        thread::Builder::new()
            .name("vault-pin".to_owned())
            .spawn(move || {
                let result = guess.check_typed(&mut *keys, &pin.into_secret());
                let result = result.map(Box::new).map_err(|error| NotRight {
                    is_wrong: error == NotOpened::WrongPin,
                    reason: not_opened(&error, &*keys),
                });
                waker.send(Wakeup::Tried(Tried { from, result }));
            })?;
        self.is_busy = true;
        Ok(())
    }

    /// The try has ended.
    pub(crate) fn ended(&mut self) {
        self.is_busy = false;
    }
}

/// Asks the person who is there, in a dialog or in the terminal.
pub(crate) fn ask_for_vault_pin() -> Result<Zeroizing<String>, Failure> {
    let question = Question::of_command(Purpose::Open, Demand::VaultPin, PATIENCE_SECONDS);
    match wait_for_answer(|answer| pin_chain_for(Way::Terminal).ask(&question, answer)) {
        Some(Answer::Pin(pin)) => Ok(pin.into_secret()),
        Some(Answer::Unavailable(reason)) => Err(Failure::new(&reason, reason.hint())),
        Some(Answer::Decided(_)) | None => Err(Failure::new("no Vault PIN was entered", "enter it to go on")),
    }
}

/// Opens a vault that no running key has. Its log tells how many Vault PINs were wrong before.
pub(crate) fn open_with_pin(locked: Locked, held: &Held, pin: &str) -> Result<Vault, Failure> {
    let wrong_pins = locked.wrong_pins();
    open_after_wrong_pins(locked, held, pin, wrong_pins)
}

/// The same, where so many were wrong before.
pub(crate) fn open_after_wrong_pins(
    mut locked: Locked,
    held: &Held,
    pin: &str,
    wrong_pins: u32,
) -> Result<Vault, Failure> {
    let mut keys = held.device_keys(locked.trust().pin_generation())?;
    keys.check_not_locked_out()?;
    let guess = count(&mut locked)?;
    let right = guess
        .check_typed(&mut *keys, pin)
        .map_err(|error| not_opened(&error, &*keys))?;
    unlock(locked, &right, wrong_pins).map_err(|error| not_open(&error))
}

/// Opens a vault whose Vault PIN was right. Its log tells that, and how many were wrong before.
pub(crate) fn unlock(
    locked: Locked,
    right: &RightGuess,
    wrong_pins: u32,
) -> Result<Vault, wardkey_vault::Error> {
    let rng = &mut host::rng();
    let mut vault = locked.unlock(right, rng).map_err(NotUnlocked::into_reason)?;
    let record = Record {
        unix_ms: host::unix_now_ms(),
        event: Event::Unlocked { wrong_pins },
    };
    vault.record(rng, &record)?;
    Ok(vault)
}

/// Counts a try. After too many it waits first: that time begins anew with every program that tries.
fn count(locked: &mut Locked) -> Result<Guess, Failure> {
    loop {
        match locked.guess(since_boot()) {
            Ok(guess) => return Ok(guess),
            Err(error @ NotCounted::TooSoon { wait, .. }) => {
                eprintln!("wardkey: {error}");
                pause(wait);
            }
            Err(error @ NotCounted::NotKept(_)) => return Err(not_open(&error)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing else is to be done meanwhile")]
fn pause(wait: Duration) {
    thread::sleep(wait + Duration::from_millis(1));
}

/// What a person has to know about a Vault PIN that did not open the vault, with these keys of the device.
pub(crate) fn not_opened(error: &NotOpened, keys: &dyn DeviceKeys) -> Failure {
    let hint = match error {
        NotOpened::OutOfMemory(_) => "close other programs, and try again",
        NotOpened::WrongPin => TRY_AGAIN,
        NotOpened::Slot(_) | NotOpened::WrongKit | NotOpened::KeyStore(_) => {
            "put the state folder back from a backup, or use the recovery kit: wardkey recover"
        }
    };
    match (error, keys.trouble()) {
        (NotOpened::KeyStore(_), Some(trouble)) => trouble,
        _ => Failure::new(error, hint),
    }
}

/// What to do about a wrong Vault PIN, or one that was not tried.
pub(crate) const TRY_AGAIN: &str =
    "try again; whoever forgot the Vault PIN needs the recovery kit: wardkey recover";

fn not_open(error: &dyn std::error::Error) -> Failure {
    Failure::new(format!("the vault stays locked: {error}"), TRY_AGAIN)
}
