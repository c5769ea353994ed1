//! `wardkey recover`: takes a vault over with its recovery kit. The vault is the one of the state folder, or a copy of
//! another, of which the state folder gets its own.

use std::fs::File;
use std::path::Path;

use serde_json::json;
use wardkey_vault::{Event, GuessLimit, Here, Locked, NewPin, ObjectHash, PublicKeys, RecoveryKit, Trust};
use zeroize::Zeroizing;

use super::dialogue::Dialogue;
use super::opened::{broken, carry_out, not_changed};
use super::recover_at_store::recover_at_store;
use super::{Call, cost, init, kit, now, passkeys, vault_pin};
use crate::cli::membership::Recover;
use crate::cli::sync::StoreOptions;
use crate::commands::show;
use crate::device_keys::{New, describe};
use crate::error::Failure;
use crate::host;
use crate::state::{Adopted, Beginning, DATABASE, Folder, Held, State};

/// How often a kit is asked for.
const TRIES: usize = 3;

/// Where the vault is.
enum Place {
    /// In the state folder.
    Here(Held),
    /// Beside the state folder's own, which is not there yet.
    Copied(Adopted),
}

impl Place {
    fn held(&self) -> &Held {
        match self {
            Self::Here(held) => held,
            Self::Copied(adopted) => adopted.held(),
        }
    }
}

/// Takes a vault over: this device is its only one from then on.
pub(crate) fn recover(call: &mut Call<'_>, options: &Recover) -> Result<(), Failure> {
    if let Some(url) = &options.store {
        let store = StoreOptions {
            store: url.clone(),
            credentials_file: options.credentials_file.clone(),
        };
        return recover_at_store(call, options, &store);
    }
    let (locked, place) = match &options.from {
        None => here(call)?,
        Some(from) => copied(call.given, from)?,
    };
    let kits: Vec<_> = locked.trust().recovery().into_iter().collect();
    let kit = enter_kit_of(&kits, call.dialogue)?;
    if !is_expected(locked.trust(), call.dialogue)? {
        return Err(Failure::new(
            "stopped; nothing was changed",
            "look for a newer copy of the vault",
        ));
    }
    let mut owner = Owner::of(call, options, locked.trust())?;
    let devices = locked.trust().members().count();
    let count = take_over(locked, &place, &kit, &mut owner, call.dialogue)?;
    call.vault_pin_is(Some(&owner.text));
    if let Place::Copied(adopted) = &place {
        adopted.finish()?;
    }
    report(call, place.held(), (&owner.keys, owner.limit), (count, devices))
}

/// What opens the vault from then on.
pub(super) struct Owner {
    pub(super) keys: New,
    pub(super) kit: RecoveryKit,
    pub(super) pin: NewPin,
    /// The Vault PIN.
    text: Zeroizing<String>,
    pub(super) limit: GuessLimit,
}

impl Owner {
    /// Makes keys, and has the person choose a Vault PIN and write a kit down.
    pub(super) fn of(call: &mut Call<'_>, options: &Recover, trust: &Trust) -> Result<Self, Failure> {
        let keys = New::make(options.device_keys.place)?;
        let limit = keys.keys.guess_limit();
        call.dialogue.say(&keys.explanation()?)?;
        let text = vault_pin::choose(options.new_vault_pin_file.as_deref(), limit, call.dialogue)?;
        let kit = kit::hand_over(call.dialogue)?;
        call.dialogue
            .say("Taking the vault over. This takes a few seconds.\n")?;
        let pin = NewPin::choose(&text, limit, cost(Some(trust)), &mut host::rng());
        Ok(Self {
            keys,
            kit,
            pin: pin.map_err(vault_pin::not_chosen)?,
            text,
            limit,
        })
    }
}

/// Says how many passkeys there are, and how many devices there were before.
pub(super) fn report(
    call: &mut Call<'_>,
    held: &Held,
    (keys, limit): (&New, GuessLimit),
    (count, devices): (usize, usize),
) -> Result<(), Failure> {
    call.print(
        &json!({
            "vault": "recovered",
            "passkeys": count,
            "devices_before": devices,
            "device_keys": keys.keys.place(),
            "guess_limit": describe(limit),
        }),
        &format!(
            "The vault is taken over, in {}, with {}.\n\
             The old recovery kit and the old Vault PIN open only copies from before: destroy the kit.\n",
            held.path().display(),
            passkeys(count)
        ),
    )
}

fn here(call: &mut Call<'_>) -> Result<(Locked, Place), Failure> {
    let State { locked, held } = call.state()?;
    Ok((locked, Place::Here(held)))
}

fn copied(given: Option<&Path>, from: &Path) -> Result<(Locked, Place), Failure> {
    let path = if from.is_dir() {
        from.join(DATABASE)
    } else {
        from.to_owned()
    };
    let mut copy = File::open(&path).map_err(|error| {
        Failure::new(
            format!("cannot open {}: {error}", path.display()),
            format!("give a copy of a state folder, or of its {DATABASE}"),
        )
    })?;
    let beginning = Beginning::open(given)?.filter(Beginning::is_new).ok_or_else(|| {
        let path = Folder::locate(given).map(|path| path.display().to_string());
        Failure::new(
            format!("there is a vault in {} already", path.unwrap_or_default()),
            "give an empty folder: --state DIR; or recover that vault itself, without --from",
        )
    })?;
    let (locked, adopted) = beginning.adopt(&mut copy, &path)?;
    Ok((locked, Place::Copied(adopted)))
}

/// The kit of one of these vaults, as it is typed from paper.
pub(super) fn enter_kit_of(
    kits: &[&PublicKeys],
    dialogue: &mut dyn Dialogue,
) -> Result<RecoveryKit, Failure> {
    if kits.is_empty() {
        return Err(Failure::new(
            "this vault has no recovery kit",
            "only its Vault PIN opens it, on its own computer",
        ));
    }
    for _ in 0..TRIES {
        let typed = dialogue.ask("Recovery kit, all nine groups: ")?;
        match RecoveryKit::parse(&typed) {
            Ok(kit) if kits.contains(&&kit.public()) => return Ok(kit),
            Ok(_) => dialogue.say("This kit is of another vault, or was replaced.\n")?,
            Err(refused) => dialogue.say(&format!("That cannot be: {refused}.\n"))?,
        }
    }
    Err(Failure::new(
        "the recovery kit does not open this vault",
        "look for the newest kit, and for the newest copy of the vault",
    ))
}

/// A copy does not know how old it is; the person may.
pub(super) fn is_expected(trust: &Trust, dialogue: &mut dyn Dialogue) -> Result<bool, Failure> {
    let devices = match trust.members().count() {
        1 => "1 device".to_owned(),
        count => format!("{count} devices"),
    };
    let answer = dialogue.ask(&format!(
        "The vault has {devices}; who can open it last changed on {} UTC.\nIs this what you expect? [y/N] ",
        show::minute(trust.newest_unix_ms())
    ))?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Says how many passkeys there are.
fn take_over(
    locked: Locked,
    place: &Place,
    kit: &RecoveryKit,
    owner: &mut Owner,
    dialogue: &dyn Dialogue,
) -> Result<usize, Failure> {
    let rng = &mut host::rng();
    let New { keys, auth, .. } = &mut owner.keys;
    let device = init::new_device();
    let mut here = Here {
        device,
        store: &mut **keys,
        time: now(),
    };
    // What cannot be read is missing.
    let object = |hash: ObjectHash| locked.object(hash).ok().flatten();
    let trust = locked.trust();
    let accepted = locked.log_heads().map_err(broken)?;
    let kit = (kit, &accepted);
    let change = wardkey_vault::recover(
        trust,
        kit,
        &object,
        (&mut here, auth),
        (&owner.pin, &owner.kit),
        rng,
    );
    let change = change.map_err(|error| not_changed(error, &**keys))?;
    dialogue.check_wanted()?;
    let wrong_pins = locked.wrong_pins();
    let vault = carry_out(
        (locked, place.held()),
        (device, &change),
        (&owner.text, wrong_pins),
        &[Event::Recovered],
    )?;
    Ok(vault.len())
}
