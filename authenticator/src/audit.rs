//! What the log is told, and how often. The log itself is the vault's.
//!
//! No entry, no signature: a use whose entry cannot be written fails. The entry of a change is written together with the
//! change. That of a use which changes nothing is written at once, and made durable a moment later, when
//! [`Authenticator::poll_timeout`] says so: once for all that was written meanwhile.
//!
//! A program that the user lets do nothing must not be able to push older entries out of the log. What needs the user's
//! agreement is recorded each time. Of every other kind the first few on each day are, and then that it was too many. A
//! credential that signs without asking is recorded once a day: browsers have every key on their list sign, to find out
//! which it has.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use wardkey_transport::time::Instant;
use wardkey_vault::{
    Consent, CredentialId, Error, Event, Frequent, Passkey, Profile, Record, Site, Subject, Trashed, Wanted,
};

use crate::authenticator::Authenticator;
use crate::gesture::{Evidence, Prompt, Purpose};

/// How many events of a kind that programs can cause by themselves are recorded in a [`DAY`].
const FREQUENT_MAX: u32 = 64;
const DAY: Duration = Duration::from_hours(24);

/// How long an entry may wait to become durable.
const FLUSH_DELAY: Duration = Duration::from_secs(1);

/// What was told, and what waits.
#[derive(Default)]
pub(crate) struct Audit {
    frequent: BTreeMap<Frequent, Today>,
    /// When what was written has to be made durable.
    flush_at: Option<Instant>,
}

/// Events of one kind.
struct Today {
    since: Instant,
    count: u32,
    /// The credentials that signed without asking.
    unasked: BTreeSet<CredentialId>,
}

impl Today {
    fn begin(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
            unasked: BTreeSet::new(),
        }
    }
}

impl Audit {
    /// What the log is told of this event.
    fn admit(&mut self, now: Instant, event: Event) -> Option<Event> {
        let Some(kind) = frequent(&event) else {
            return Some(event);
        };
        let today = self.frequent.entry(kind).or_insert_with(|| Today::begin(now));
        if now.saturating_duration_since(today.since) >= DAY {
            *today = Today::begin(now);
        }
        if today.count > FREQUENT_MAX || !is_first(&event, &mut today.unasked) {
            return None;
        }
        today.count += 1;
        if today.count > FREQUENT_MAX {
            return Some(Event::Omitted(kind));
        }
        Some(event)
    }
}

/// The kind of an event that needs no user.
fn frequent(event: &Event) -> Option<Frequent> {
    match event {
        Event::SignedIn {
            consent: Consent::Unasked,
            ..
        } => Some(Frequent::UnaskedSignIns),
        // Where nobody can be asked, the shell says no.
        Event::Refused { .. } => Some(Frequent::Refusals),
        Event::WrongPin { .. } => Some(Frequent::WrongPins),
        Event::PinSet | Event::PinChanged => Some(Frequent::PinChanges),
        Event::Configured(_) => Some(Frequent::Settings),
        Event::Updated(_) => Some(Frequent::Updates),
        Event::LargeBlobsWritten => Some(Frequent::LargeBlobs),
        // The user agreed or failed to be verified; or it was at this computer; or, for deletions, there are only as many
        // as there were registrations.
        Event::Registered { .. }
        | Event::SignedIn {
            consent: Consent::Present | Consent::Verified,
            ..
        }
        | Event::Deleted(_)
        | Event::TakenBack(_)
        | Event::NotVerified { .. }
        | Event::Reset
        | Event::Omitted(_)
        | Event::VaultMade
        | Event::Unlocked { .. }
        | Event::Locked(_)
        | Event::VaultPinChanged
        | Event::RootKeyReplaced
        | Event::RecoveryKitRenewed
        | Event::Recovered
        | Event::Exported { .. }
        | Event::ExportedInClear { .. }
        | Event::Imported { .. }
        | Event::DeviceAdded(_)
        | Event::DeviceRemoved(_) => None,
    }
}

/// Whether no credential is concerned, or one that was not concerned before.
fn is_first(event: &Event, before: &mut BTreeSet<CredentialId>) -> bool {
    let Event::SignedIn { credential, .. } = event else {
        return true;
    };
    before.insert(credential.id.clone())
}

impl Evidence {
    /// What the user did, as the log tells it.
    pub(crate) fn consent(&self) -> Consent {
        match (self.is_present(), self.is_verified()) {
            (false, false) => Consent::Unasked,
            (true, false) => Consent::Present,
            // Verified without presence: with a token of an earlier agreement. It took no touch.
            (false, true) => Consent::Unasked,
            (true, true) => Consent::Verified,
        }
    }
}

/// A stored credential as the log names it.
pub(crate) fn subject(passkey: &Passkey) -> Subject {
    let site = Site::named(&passkey.rp_id);
    Subject::new(site, passkey.id.clone(), passkey.user_name.as_deref())
}

fn wanted(purpose: Purpose) -> Wanted {
    match purpose {
        Purpose::Register | Purpose::AlreadyRegistered => Wanted::Registration,
        Purpose::SignIn | Purpose::ChooseAccount => Wanted::SignIn,
        Purpose::Verify | Purpose::Unlock => Wanted::Authorization,
        Purpose::Reset | Purpose::ConfirmReset => Wanted::Reset,
        Purpose::Identify => Wanted::Selection,
    }
}

impl Authenticator {
    /// What to write into the log of something that happens now; nothing where that was told often enough.
    pub(crate) fn entry(&mut self, now: Instant, event: Event) -> Option<Record> {
        let event = self.audit.admit(now, event)?;
        Some(self.record(now, event))
    }

    /// What happens now, for the log.
    pub(crate) fn record(&self, now: Instant, event: Event) -> Record {
        let unix_ms = self.config.unix_ms(now);
        Record { unix_ms, event }
    }

    /// Writes into the log what changes nothing else.
    pub(crate) fn note(&mut self, now: Instant, event: Event) -> Result<(), Error> {
        let Some(record) = self.entry(now, event) else {
            return Ok(());
        };
        self.vault.record_later(&mut *self.rng, &record)?;
        self.audit.flush_at.get_or_insert(now + FLUSH_DELAY);
        Ok(())
    }

    /// The signature counter for a new signature, durable before it is shown, and `signed` in the log. `WebAuthn L3
    /// §6.1.1`: a credential that lives on several devices cannot count.
    pub(crate) fn count_signature(
        &mut self,
        now: Instant,
        profile: Profile,
        signed: Option<Event>,
    ) -> Result<u32, Error> {
        match profile {
            Profile::Synced => {
                if let Some(event) = signed {
                    self.note(now, event)?;
                }
                Ok(0)
            }
            Profile::DeviceBound | Profile::U2f => {
                let entry = signed.and_then(|event| self.entry(now, event));
                self.vault.next_signature_count(&mut *self.rng, entry.as_ref())
            }
        }
    }

    /// The user said no.
    pub(crate) fn note_refusal(&mut self, now: Instant, prompt: &Prompt) {
        let event = Event::Refused {
            wanted: wanted(prompt.purpose),
            site: prompt.rp_id.as_deref().map(Site::named),
        };
        // Nothing is done that could be left undone; a vault that cannot be written fails what comes next.
        let _ = self.note(now, event);
    }

    /// Deletes a stored credential, because the user wants it at this computer; `false` when there is none.
    pub fn delete(&mut self, now: Instant, id: &CredentialId) -> Result<bool, Error> {
        let Some(passkey) = self.vault.load(id)? else {
            return Ok(false);
        };
        let entry = self.entry(now, Event::Deleted(subject(&passkey)));
        self.vault.delete(&mut *self.rng, id, entry.as_ref())
    }

    /// Takes a credential back from the trash, because the user wants it at this computer; `false` when it is not there.
    pub fn take_back(&mut self, now: Instant, id: &CredentialId) -> Result<bool, Error> {
        let Some(Trashed { passkey, .. }) = self.vault.trashed(id)? else {
            return Ok(false);
        };
        let entry = self.entry(now, Event::TakenBack(subject(&passkey)));
        self.vault.take_back(&mut *self.rng, id, entry.as_ref())
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.audit.flush_at
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.audit.flush_at.is_some_and(|at| at <= now) {
            self.audit.flush_at = None;
            // A vault that cannot be written fails what comes next.
            let _ = self.vault.flush();
        }
    }
}

#[cfg(test)]
mod tests;
