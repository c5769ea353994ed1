//! `wardkey device add`: this computer becomes a device of a vault that others have already.

use std::collections::BTreeMap;
use std::convert::Infallible;

use qrcode::{EcLevel, QrCode};
use serde_json::json;
use wardkey_vault::{
    AskToJoin, Attempts, Counted, DeviceId, Document, Here, Invitation, Joined, Kept, MembershipPlaces,
    NotCounted, NotJoined, NotOpened, NotPaired, OBJECT_LEN_MAX, ObjectHash, PAIRING_TIME, Trust, VaultPin,
    join,
};

use super::exchange::{exchange, outcome, try_out};
use super::mailbox::Mailbox;
use super::opened::broken;
use super::{Call, init, now, qr_code};
use crate::cli::device::AddDevice;
use crate::device_keys::New;
use crate::error::Failure;
use crate::host;
use crate::remote::{Patience, WaitingStore};
use crate::state::{Beginning, Folder, State, since_boot};
use crate::sync::Storage;
use crate::unlock::{not_opened, unlock};

/// How often the Vault PIN is asked for.
const TRIES: usize = 3;
/// More than the trust log of a person has.
const ENTRIES_LEN_MAX: usize = 16 << 20;

/// Makes this computer a device of the vault that is exchanged at a store.
pub(crate) fn add_device(call: &mut Call<'_>, options: &AddDevice) -> Result<(), Failure> {
    let beginning = Beginning::open(call.given)?.filter(Beginning::is_new).ok_or_else(|| {
        let path = Folder::locate(call.given).map(|path| path.display().to_string());
        Failure::new(
            format!("there is a vault in {} already", path.unwrap_or_default()),
            "give an empty folder: --state DIR; or, to keep its passkeys: wardkey export, and import them later",
        )
    })?;
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
    let State { locked, held } = beginning.join(&joined)?;
    let rng = &mut host::rng();
    let mut vault = unlock(locked, &joined.into_guess(), 0).map_err(broken)?;
    vault
        .put_document(rng, Document::Storage, storage.to_bytes(), None)
        .map_err(broken)?;
    vault.begin_sync(rng).map_err(broken)?;
    let name = options.device_name.clone().unwrap_or_else(host::name);
    vault.name_device(rng, &name).map_err(broken)?;
    let driver = exchange(call, &mut vault, &held, |_| {})?;
    let path = held.path().display();
    let note = format!("This computer is a device of the vault, in {path}.\nStart the key: wardkey up");
    outcome(call, &vault, &driver, &note)
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
    let Fetched { entries, objects } = Fetched::from(&store, invitation)?;
    let object = |hash| objects.get(&hash).cloned();
    let kept = Kept {
        entries: &entries,
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

fn count(attempts: &mut Attempts, call: &mut Call<'_>) -> Result<Counted, Failure> {
    loop {
        match attempts.count(since_boot(), |_| Ok::<_, Infallible>(())) {
            Ok(counted) => return Ok(counted),
            Err(NotCounted::TooSoon { wait, .. }) => call.dialogue.wait(wait)?,
        }
    }
}

/// What the store has of who belongs to the vault.
struct Fetched {
    entries: Vec<Vec<u8>>,
    objects: BTreeMap<ObjectHash, Vec<u8>>,
}

impl Fetched {
    fn from(store: &WaitingStore, invitation: &Invitation) -> Result<Self, Failure> {
        let places = MembershipPlaces::of(invitation.vault());
        let mut entries = Vec::new();
        let mut len = 0;
        for number in 1.. {
            let Some(entry) = store.get(&places.entry(number), OBJECT_LEN_MAX)? else {
                break;
            };
            len += entry.len();
            if len > ENTRIES_LEN_MAX {
                return Err(Failure::new(
                    "the storage has more about this vault than there can be",
                    "look into who writes there",
                ));
            }
            entries.push(entry);
        }
        let trust = Trust::read(entries.iter().map(Vec::as_slice), Some(invitation.head()));
        let trust = trust.map_err(|error| not_believed(&error.into()))?;
        let mut objects = BTreeMap::new();
        for hash in trust.objects_in_force() {
            if let Some(object) = store.get(&places.object(hash), OBJECT_LEN_MAX)? {
                objects.insert(hash, object);
            }
        }
        Ok(Self { entries, objects })
    }
}

fn not_believed(reason: &NotJoined) -> Failure {
    Failure::new(
        reason,
        "whoever runs the storage may be trying to get in: look into it before you begin again",
    )
}
