//! `wardkey device add`: this computer becomes a device of a vault that others have already.

use std::convert::Infallible;
use std::path::Path;

use qrcode::{EcLevel, QrCode};
use serde_json::json;
use wardkey_vault::{
    AskToJoin, Attempts, Counted, DeviceId, Document, Here, Invitation, Joined, Kept, NotCounted, NotJoined,
    NotOpened, NotPaired, PAIRING_TIME, Vault, VaultPin, join,
};

use super::exchange::{exchange, outcome, try_out};
use super::fetched::{Fetched, not_believed};
use super::mailbox::Mailbox;
use super::opened::broken;
use super::{Call, init, now, qr_code};
use crate::cli::device::AddDevice;
use crate::device_keys::New;
use crate::error::Failure;
use crate::host;
use crate::remote::{Patience, WaitingStore};
use crate::state::{Beginning, Folder, Held, State, since_boot};
use crate::sync::Storage;
use crate::unlock::{not_opened, unlock};

/// How often the Vault PIN is asked for.
const TRIES: usize = 3;

/// The state folder, where there is no vault yet.
pub(super) fn empty_folder(given: Option<&Path>, hint: &str) -> Result<Beginning, Failure> {
    Beginning::open(given)?.filter(Beginning::is_new).ok_or_else(|| {
        let path = Folder::locate(given).map(|path| path.display().to_string());
        let path = path.unwrap_or_default();
        Failure::new(format!("there is a vault in {path} already"), hint)
    })
}

/// Makes this computer a device of the vault that is exchanged at a store.
pub(crate) fn add_device(call: &mut Call<'_>, options: &AddDevice) -> Result<(), Failure> {
    let beginning = empty_folder(
        call.given,
        "give an empty folder: --state DIR; or, to keep its passkeys: wardkey export, and import them later",
    )?;
    let storage = try_out(call, &options.store)?;
    let mut new = New::make(options.device_keys.place)?;
    let about_keys = new.explanation()?;
    call.dialogue.say(&about_keys)?;
    let device = init::new_device();
    let mailbox = Mailbox::open(&storage)?;
    let mut asking = AskToJoin::begin(device, new.keys.public(), since_boot(), &mut host::rng());
    let invited = be_let_in(call, &mailbox, &mut asking);
    mailbox.clear(asking.pairing());
    let invitation = invited?;
    call.print(
        &json!({ "device": "let-in" }),
        "This device was let in. The vault is proved to be yours by its Vault PIN.\n",
    )?;

    let joined = enter(call, &storage, &invitation, (device, &mut new), options)?;
    let (mut vault, held) = settle_in(beginning, joined, &storage, options.device_name.as_deref())?;
    let driver = exchange(call, &mut vault, &held, |_| {})?;
    let path = held.path().display();
    let note = format!("This computer is a device of the vault, in {path}.\nStart the key: wardkey up");
    outcome(call, &vault, &driver, &note)
}

/// Keeps the vault of a device that has its keys and nothing else yet, which is exchanged at a store.
pub(super) fn settle_in(
    beginning: Beginning,
    joined: Joined,
    storage: &Storage,
    name: Option<&str>,
) -> Result<(Vault, Held), Failure> {
    let State { locked, held } = beginning.join(&joined)?;
    let rng = &mut host::rng();
    let mut vault = unlock(locked, &joined.into_guess(), 0).map_err(broken)?;
    vault
        .put_document(rng, Document::Storage, storage.to_bytes(), None)
        .map_err(broken)?;
    vault.begin_sync(rng).map_err(broken)?;
    let name = name.map_or_else(host::name, str::to_owned);
    vault.name_device(rng, &name).map_err(broken)?;
    Ok((vault, held))
}

/// The conversation with a device of the vault.
fn be_let_in(call: &mut Call<'_>, mailbox: &Mailbox, asking: &mut AskToJoin) -> Result<Invitation, Failure> {
    let code = asking.code().to_text();
    let mut is_shown = (false, false);
    loop {
        if let Some(post) = asking.poll_post() {
            mailbox.leave(&post)?;
        }
        if !is_shown.0 {
            is_shown.0 = true;
            show_code(call, &code)?;
        }
        if let Some(digits) = asking.digits()
            && !is_shown.1
        {
            is_shown.1 = true;
            let digits = digits.to_text();
            call.print(
                &json!({ "digits": digits }),
                &format!("If it asks for digits, type these there: {digits}\n"),
            )?;
        }
        if let Some(invitation) = asking.invitation() {
            return Ok(invitation);
        }
        asking.handle_timeout(since_boot());
        if asking.is_over() {
            return Err(not_paired(&NotPaired::Over));
        }
        let Some((name, message)) = mailbox.first_of(&asking.awaits())? else {
            mailbox.pause(call)?;
            continue;
        };
        match asking.handle_message(since_boot(), &name, &message) {
            Ok(()) => {}
            // All of it may come later.
            Err(NotPaired::Malformed) => mailbox.pause(call)?,
            Err(reason) => return Err(not_paired(&reason)),
        }
    }
}

fn show_code(call: &mut Call<'_>, code: &str) -> Result<(), Failure> {
    let minutes = PAIRING_TIME.as_secs() / 60;
    if let Ok(drawn) = QrCode::with_error_correction_level(code, EcLevel::M) {
        let mut text = String::new();
        qr_code::draw(&drawn, &mut text);
        call.dialogue.say(&text)?;
    }
    call.print(
        &json!({ "code": code }),
        &format!(
            "On a device that has the vault, within {minutes} minutes: wardkey device approve\n\
             Without digits, if you can carry this code there: wardkey device approve {code}\n"
        ),
    )
}

pub(super) fn not_paired(reason: &NotPaired) -> Failure {
    let hint = match reason {
        NotPaired::Commitment | NotPaired::OtherKeys => {
            "whoever runs the storage may be trying to get in: look into it before you begin again"
        }
        NotPaired::NewerVersion => "update wardkey on this computer",
        NotPaired::WrongDigits { .. } | NotPaired::NoDigits | NotPaired::TooEarly | NotPaired::Malformed => {
            "type what the new device shows"
        }
        NotPaired::Over => "begin again on the new device: wardkey device add URL",
    };
    Failure::new(reason, hint)
}

/// Reads who belongs to the vault, and opens the slot of this device with the Vault PIN.
fn enter(
    call: &mut Call<'_>,
    storage: &Storage,
    invitation: &Invitation,
    (device, new): (DeviceId, &mut New),
    options: &AddDevice,
) -> Result<Joined, Failure> {
    let store = WaitingStore::open(&storage.account, storage.capabilities, Patience::default())?;
    let fetched = Fetched::of(&store, invitation.vault(), Some(invitation.head()))?;
    let object = |hash| fetched.objects.get(&hash).cloned();
    let kept = Kept {
        entries: &fetched.entries,
        object: &object,
    };
    let given = options.vault_pin.read()?;
    // Nothing is kept of this device yet: whoever stops it has to be let in again.
    let mut attempts = Attempts::from_bytes(None, since_boot());
    for _ in 0..if given.is_some() { 1 } else { TRIES } {
        let typed = match &given {
            Some(pin) => pin.clone(),
            None => call.dialogue.ask_hidden("Vault PIN: ")?,
        };
        let counted = count(&mut attempts, call)?;
        let mut here = Here {
            device,
            store: &mut *new.keys,
            time: now(),
        };
        let here = (&mut here, &new.auth);
        let joined = match VaultPin::typed(&typed) {
            Some(pin) => join(invitation, kept, here, (&pin, counted), &mut host::rng()),
            None => Err(NotOpened::WrongPin.into()),
        };
        match joined {
            Ok(joined) => return Ok(joined),
            Err(NotJoined::Keys(NotOpened::WrongPin)) => call.dialogue.say("The Vault PIN is wrong.\n")?,
            Err(NotJoined::Keys(error)) => return Err(not_opened(&error, &*new.keys)),
            Err(error @ (NotJoined::Trust(_) | NotJoined::OtherVault | NotJoined::NotAdded)) => {
                return Err(not_believed(&error));
            }
        }
    }
    Err(Failure::new(
        "the Vault PIN does not open the vault, so nothing was kept here",
        "on a device that has the vault, remove this one, and begin again: wardkey device list, wardkey device revoke",
    ))
}

pub(super) fn count(attempts: &mut Attempts, call: &mut Call<'_>) -> Result<Counted, Failure> {
    loop {
        match attempts.count(since_boot(), |_| Ok::<_, Infallible>(())) {
            Ok(counted) => return Ok(counted),
            Err(NotCounted::TooSoon { wait, .. }) => call.dialogue.wait(wait)?,
        }
    }
}
