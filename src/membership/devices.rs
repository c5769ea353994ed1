//! `wardkey device approve`, `list` and `revoke`, on a device of the vault.

use std::collections::BTreeSet;

use serde_json::json;
use wardkey_vault::{
    Admission, Admitting, DeviceId, Event, NewDevice, NewPin, NotPaired, PairingCode, PairingId, UsedPairings,
};

use super::agreed::{Shared, open_shared};
use super::exchange::status;
use super::join::not_paired;
use super::mailbox::Mailbox;
use super::opened::{Opened, broken};
use super::verified::verify_user;
use super::{Call, cost, vault_pin};
use crate::cli::device::{ApproveDevice, RevokeDevice};
use crate::cli::membership::VaultPinSource;
use crate::commands::show;
use crate::control::DeviceStatus;
use crate::error::Failure;
use crate::host;
use crate::prompt::text::visible;
use crate::state::since_boot;
use crate::sync::{Storage, called, report};

/// Lets the computer in that waits at the store.
pub(crate) fn approve_device(call: &mut Call<'_>, options: &ApproveDevice) -> Result<(), Failure> {
    let code = match &options.code {
        Some(text) => Some(PairingCode::parse(text.trim()).ok_or_else(|| {
            Failure::new(
                "this is not the code of a device",
                "give all of what the new device shows, from PKVP1: on; or none, to type its digits",
            )
        })?),
        None => None,
    };
    let opened = Opened::of(call, &options.vault_pin)?;
    verify_user(options)?;
    let pin = opened.pin.clone();
    let shared = open_shared(call, opened)?;
    let storage = Storage::of(&shared.vault)?.ok_or_else(|| {
        Failure::new(
            "the vault does not know where it is exchanged",
            "set it up again: wardkey sync setup URL",
        )
    })?;
    let mailbox = Mailbox::open(&storage)?;
    let mut admission = greet(call, &mailbox, &shared, code.as_ref())?;
    let added = let_in(call, &mailbox, &mut admission).and_then(|new| {
        let device = new.device();
        let events = &[Event::DeviceAdded(device)];
        let done = shared.change(call, (&pin, events), |here, right| {
            right
                .unlocked
                .add_device(here, right.right_pin, &new, &mut host::rng())
        })?;
        Ok((device, done))
    });
    let (device, (vault, _held)) = match added {
        Ok(added) => added,
        Err(failure) => {
            admission.refuse();
            if let Some(post) = admission.poll_post() {
                // The other side finds out when its time is over.
                let _ = mailbox.leave(&post);
            }
            return Err(failure);
        }
    };
    if let Some(trust) = vault.trust() {
        let welcomed = admission.handle_added(trust.remembered());
        welcomed.map_err(|error| not_paired(&error))?;
    }
    if let Some(post) = admission.poll_post() {
        mailbox.leave(&post)?;
    }
    call.print(
        &json!({ "added": device.to_string() }),
        "The device is let in. It asks for the Vault PIN now.\n",
    )
}

/// Begins the conversation with the device that waits.
fn greet(
    call: &mut Call<'_>,
    mailbox: &Mailbox,
    shared: &Shared,
    code: Option<&PairingCode>,
) -> Result<Admission, Failure> {
    let (Some(device), Some(trust)) = (shared.vault.this_device(), shared.vault.trust()) else {
        unreachable!("a vault that syncs has members");
    };
    let here = Admitting {
        vault: trust.vault(),
        device,
        public: shared.keys.public(),
    };
    let (pairing, hello) = wait_for_hello(call, mailbox, code.map(PairingCode::pairing))?;
    let (used, now, rng) = (&mut UsedPairings::default(), since_boot(), &mut host::rng());
    let begun = match code {
        Some(code) => Admission::begin_with_code(used, (code, &hello), here, now, rng),
        None => Admission::begin(used, (pairing, &hello), here, now, rng),
    };
    begun.map_err(|reason| not_paired(&reason))
}

fn wait_for_hello(
    call: &mut Call<'_>,
    mailbox: &Mailbox,
    wanted: Option<PairingId>,
) -> Result<(PairingId, Vec<u8>), Failure> {
    let mut said = false;
    loop {
        let mut waiting = match wanted {
            Some(pairing) => vec![pairing],
            None => mailbox.unanswered()?,
        };
        if waiting.len() > 1 {
            return Err(Failure::new(
                format!("{} devices wait to be let in", waiting.len()),
                "say which: wardkey device approve CODE, with the code that it shows",
            ));
        }
        if let Some(pairing) = waiting.pop()
            && let Some((_, hello)) = mailbox.first_of(&[pairing.hello()])?
        {
            return Ok((pairing, hello));
        }
        if !said {
            said = true;
            call.dialogue
                .say("No device waits yet. On the new one: wardkey device add URL. Ctrl-C ends this.\n")?;
        }
        mailbox.pause(call)?;
    }
}

/// Until the person has let the device in.
fn let_in(call: &mut Call<'_>, mailbox: &Mailbox, admission: &mut Admission) -> Result<NewDevice, Failure> {
    loop {
        if let Some(post) = admission.poll_post() {
            mailbox.leave(&post)?;
        }
        if let Some(new) = admission.take_let_in(since_boot()) {
            return Ok(new);
        }
        if admission.is_over() {
            return Err(not_paired(&NotPaired::Over));
        }
        if admission.needs_digits() {
            let typed = call.dialogue.ask("The digits that the new device shows: ")?;
            match admission.handle_digits(since_boot(), &typed) {
                Ok(()) => {}
                Err(
                    reason @ NotPaired::WrongDigits {
                        tries_left: left @ 1..,
                    },
                ) => {
                    let tries = if left == 1 { "1 try" } else { "2 tries" };
                    call.dialogue.say(&format!("No: {reason}; {tries} left.\n"))?;
                }
                Err(reason @ NotPaired::NoDigits) => call.dialogue.say(&format!("No: {reason}.\n"))?,
                Err(reason) => return Err(not_paired(&reason)),
            }
            continue;
        }
        let awaited: Vec<String> = admission.awaits().into_iter().collect();
        let Some((name, message)) = mailbox.first_of(&awaited)? else {
            mailbox.pause(call)?;
            admission.handle_timeout(since_boot());
            continue;
        };
        match admission.handle_message(since_boot(), &name, &message) {
            Ok(()) => {}
            // All of it may come later.
            Err(NotPaired::Malformed) => mailbox.pause(call)?,
            Err(reason) => return Err(not_paired(&reason)),
        }
    }
}

/// Lists the devices.
pub(crate) fn devices(call: &mut Call<'_>, source: &VaultPinSource) -> Result<(), Failure> {
    let status = status(call, source)?;
    let text: String = status.devices.iter().map(line).collect();
    let json = serde_json::to_value(&status.devices).expect("devices have text keys");
    call.print(&json!({ "devices": json }), &text)
}

fn line(device: &DeviceStatus) -> String {
    let name = device
        .name
        .as_deref()
        .map_or_else(|| "(no name)".to_owned(), visible);
    let when = match device.last_written_unix_ms {
        Some(unix_ms) => format!("last heard of on {} UTC", show::minute(unix_ms)),
        None => "not heard of yet".to_owned(),
    };
    let what = match (device.is_this, device.is_removed) {
        (true, _) => "this one".to_owned(),
        (false, true) => format!("removed, {when}"),
        (false, false) => when,
    };
    format!("{}  {name}, {what}\n", show::short_device(&device.id))
}

/// Removes a device.
pub(crate) fn revoke_device(call: &mut Call<'_>, options: &RevokeDevice) -> Result<(), Failure> {
    let opened = Opened::of(call, &options.vault_pin)?;
    let (pin, limit) = (opened.pin.clone(), opened.keys.guess_limit());
    let kdf_cost = cost(Some(opened.locked.trust()));
    let shared = open_shared(call, opened)?;
    let status = report(&shared.vault, None)?;
    let device = find(&shared, &status.devices, &options.device)?;
    let name = called(&shared.vault, device);
    if !options.yes {
        let answer = call.dialogue.ask(&format!(
            "Remove {name} from the vault? It keeps what it had, and gets nothing new. [y/N] "
        ))?;
        if !["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            return call.print(&json!(null), "Nothing was changed.\n");
        }
    }
    let rng = &mut host::rng();
    let (pin, new_pin) = if options.new_vault_pin {
        let text = vault_pin::choose(options.new_vault_pin_file.as_deref(), limit, call.dialogue)?;
        let chosen = NewPin::choose(&text, limit, kdf_cost, rng).map_err(vault_pin::not_chosen)?;
        (text, Some(chosen))
    } else {
        (pin, None)
    };
    let sites = sites(&shared)?;
    let last = shared.vault.log_head(device);
    let mut events = vec![Event::DeviceRemoved(device), Event::RootKeyReplaced];
    events.extend(new_pin.as_ref().map(|_| Event::VaultPinChanged));
    shared.change(call, (&pin, &events), |here, right| {
        let removed = (device, last);
        right
            .unlocked
            .revoke(here, right.right_pin, removed, new_pin.as_ref(), rng)
    })?;
    let mut text = format!("{name} is removed, and the root key is another one.\n");
    if !sites.is_empty() {
        text.push_str("It has the passkeys for these sites: replace them there.\n");
        text.extend(sites.iter().map(|site| format!("  {}\n", visible(site))));
    }
    if new_pin.is_none() {
        text.push_str(
            "Whoever may know the Vault PIN, too, can open what that device had: wardkey pin change --compromised\n",
        );
    }
    call.print(
        &json!({ "removed": device.to_string(), "sites": sites, "vault_pin_changed": new_pin.is_some() }),
        &text,
    )
}

/// The sites whose passkeys every device has.
fn sites(shared: &Shared) -> Result<BTreeSet<String>, Failure> {
    let mut sites = BTreeSet::new();
    for entry in shared.vault.entries() {
        if let Some(passkey) = shared.vault.load(&entry.id).map_err(broken)?
            && passkey.profile == wardkey_vault::Profile::Synced
        {
            sites.insert(passkey.rp_id);
        }
    }
    Ok(sites)
}

/// The only other device that is called so.
fn find(shared: &Shared, devices: &[DeviceStatus], wanted: &str) -> Result<DeviceId, Failure> {
    let is_meant = |device: &&DeviceStatus| {
        !wanted.is_empty() && (device.name.as_deref() == Some(wanted) || device.id.starts_with(wanted))
    };
    let members = devices.iter().filter(|device| !device.is_removed);
    let found: Vec<&DeviceStatus> = members.filter(is_meant).collect();
    let hint = "see the devices with: wardkey device list";
    let [only] = found.as_slice() else {
        return Err(match found.len() {
            0 => Failure::new(format!("no device of the vault is called {wanted:?}"), hint),
            count => Failure::new(
                format!("{count} devices of the vault are called {wanted:?}"),
                "give the first characters of its id: wardkey device list",
            ),
        });
    };
    if only.is_this {
        return Err(Failure::new(
            "this is the device you are at",
            "remove it from another one, so that it is out of the vault when it is gone",
        ));
    }
    let members = shared.vault.trust().into_iter().flat_map(|trust| trust.members());
    let mut found = members.filter(|device| device.to_string() == only.id);
    found
        .next()
        .ok_or_else(|| Failure::new("the device is gone", hint))
}
