//! `wardkey demo`: a key is made, plugged in, registers and logs in; each step is told as it happens, with its time.
//!
//! In: the state folder to use. Out: the steps, on standard output or as JSON. It succeeds only if the relying party
//! has verified both answers, and has refused one with a changed bit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use url::Url;
use wardkey_authenticator::{Prompt, Purpose};
use wardkey_sim::fido_client::Info;
use wardkey_sim::usb_host;
use wardkey_transport::usbip::Identity;

use super::browser;
use super::narrator::Narrator;
use super::plugged_key::{Key, KeyInUse, PluggedKey, fault};
use super::relying_party::{
    Algorithm, FlagNames, LoggedIn, LoginWish, RP_ID, Refused, Registered, RegistrationWish, RelyingParty,
    ResidentKey, discouraged, uuid,
};
use crate::error::Failure;
use crate::membership::unattended::Computer;

const NAME: &str = "ada";
const ORIGIN: &str = "http://localhost";

/// Plays the whole story once.
pub(crate) fn play(folder: &Path, identity: &Identity, narrator: &mut Narrator) -> Result<(), Failure> {
    let mut website = RelyingParty::new(Url::parse(ORIGIN).expect("it is a URL"));
    let folders = Folders::below(folder);
    let desk = folders.computer("desk", &folders.desk);

    let mut key = begin(&desk, identity, narrator)?;
    register(&mut website, &mut key, narrator)?;
    key.unplug()?;

    let laptop = folders.computer("laptop", &folders.laptop);
    share(&desk, &laptop, &folders.store, narrator)?;
    let mut key = Key::power_up(laptop.folder)?.plug_in(identity.clone())?.open()?;
    log_in(&mut website, &mut key, narrator)?;
    tamper(&mut website, &mut key, narrator)?;
    key.unplug()
}

/// What the demo makes, below the folder that goes with it.
struct Folders {
    desk: PathBuf,
    laptop: PathBuf,
    store: PathBuf,
    vault_pin_file: PathBuf,
}

impl Folders {
    fn below(folder: &Path) -> Self {
        Self {
            desk: folder.join("desk"),
            laptop: folder.join("laptop"),
            store: folder.join("shared"),
            vault_pin_file: folder.join("vault-pin"),
        }
    }

    fn computer<'a>(&self, name: &'a str, folder: &'a Path) -> Computer<'a> {
        Computer {
            name,
            folder,
            vault_pin_file: self.vault_pin_file.clone(),
        }
    }
}

/// The passkey comes to another computer, through a folder.
fn share(
    desk: &Computer<'_>,
    laptop: &Computer<'_>,
    store: &Path,
    narrator: &mut Narrator,
) -> Result<(), Failure> {
    narrator.begin();
    fs::create_dir(store).map_err(|error| fault("the shared folder", &error))?;
    desk.set_up_sync(store)?;
    laptop.join(desk, store)?;
    let shared = Shared::of(store).map_err(|error| fault("the shared folder", &error))?;
    if shared.names_somebody {
        return Err(fault(
            "the sealing of the shared folder",
            &"it names the site or the account",
        ));
    }
    narrator.step(
        "shared",
        "A second computer is let into the vault; a folder is all that the two share",
        json!({ "folder": store, "objects": shared.objects, "bytes": shared.bytes }),
    );
    narrator.detail(
        "let in",
        "by the code that it showed; the Vault PIN proved the vault to it",
    );
    narrator.detail(
        "folder",
        &format!(
            "{} objects, {} bytes, sealed and signed; searched for the site and the account: not there",
            shared.objects, shared.bytes
        ),
    );
    Ok(())
}

/// What is in the folder that the computers share.
#[derive(Default)]
struct Shared {
    objects: usize,
    bytes: usize,
    names_somebody: bool,
}

impl Shared {
    fn of(folder: &Path) -> io::Result<Self> {
        let mut shared = Self::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                let below = Self::of(&path)?;
                shared.objects += below.objects;
                shared.bytes += below.bytes;
                shared.names_somebody |= below.names_somebody;
                continue;
            }
            let content = fs::read(&path)?;
            let has = |text: &str| content.windows(text.len()).any(|part| part == text.as_bytes());
            shared.objects += 1;
            shared.bytes += content.len();
            shared.names_somebody |= has(RP_ID) || has(NAME);
        }
        Ok(shared)
    }
}

/// From nothing to a key that a program can use.
fn begin(computer: &Computer<'_>, identity: &Identity, narrator: &mut Narrator) -> Result<KeyInUse, Failure> {
    narrator.begin();
    let key = Key::make(computer)?;
    narrator.step(
        "powered-up",
        "A vault is made, and a new key is powered up",
        json!({ "state": computer.folder }),
    );
    narrator.detail(
        "state",
        &format!("sealed in {}, removed at the end", computer.folder.display()),
    );
    narrator.detail("opened", "with a Vault PIN and the keys of this device, both");

    narrator.begin();
    let plugged = key.plug_in(identity.clone())?;
    tell_usb(&plugged, narrator);

    narrator.begin();
    let mut key = plugged.open()?;
    let info = key.client.get_info().map_err(|error| fault("getInfo", &error))?;
    tell_info(&info, narrator);
    Ok(key)
}

fn register(website: &mut RelyingParty, key: &mut KeyInUse, narrator: &mut Narrator) -> Result<(), Failure> {
    narrator.begin();
    let wish = RegistrationWish {
        name: NAME.to_owned(),
        resident_key: ResidentKey::Required,
        algorithm: Algorithm::Es256,
        user_verification: discouraged(),
    };
    let (id, options) = website
        .start_registration(wish)
        .map_err(|refused| not_verified("registration", &refused))?;
    let answer = browser::register(&mut key.client, ORIGIN, &options)
        .map_err(|error| fault("the registration at the key", &error))?;
    let facts = website
        .finish_registration(&id, &answer)
        .map_err(|refused| not_verified("registration", &refused))?;
    tell_registered(&facts, key.asked().as_ref(), narrator);
    Ok(())
}

fn log_in(website: &mut RelyingParty, key: &mut KeyInUse, narrator: &mut Narrator) -> Result<(), Failure> {
    narrator.begin();
    let (id, options) = website
        .start_login(nobody())
        .map_err(|refused| not_verified("login", &refused))?;
    let answer = browser::log_in(&mut key.client, ORIGIN, &options)
        .map_err(|error| fault("the login at the key", &error))?;
    let facts = website
        .finish_login(&id, &answer)
        .map_err(|refused| not_verified("login", &refused))?;
    tell_logged_in(&facts, key.asked().as_ref(), narrator);
    Ok(())
}

/// A website that accepts anything would tell the same story; so it has to refuse once.
fn tamper(website: &mut RelyingParty, key: &mut KeyInUse, narrator: &mut Narrator) -> Result<(), Failure> {
    narrator.begin();
    let (id, options) = website
        .start_login(nobody())
        .map_err(|refused| not_verified("login", &refused))?;
    let mut answer = browser::log_in(&mut key.client, ORIGIN, &options)
        .map_err(|error| fault("the login at the key", &error))?;
    let last = answer
        .response
        .signature
        .last_mut()
        .ok_or_else(|| fault("the login at the key", &"no signature"))?;
    *last ^= 1;
    match website.finish_login(&id, &answer) {
        Err(refused @ Refused::BadSignature) => {
            narrator.step(
                "tampered",
                "To be sure: another login, with one bit of the signature changed",
                json!({ "refused": refused.kind() }),
            );
            narrator.detail("refused", &refused.to_string());
            Ok(())
        }
        Err(other) => Err(not_verified("changed login", &other)),
        Ok(_) => Err(fault(
            "the relying party",
            &"it accepted a signature with a changed bit",
        )),
    }
}

fn nobody() -> LoginWish {
    LoginWish {
        name: None,
        user_verification: discouraged(),
    }
}

fn tell_usb(key: &PluggedKey, narrator: &mut Narrator) {
    let usb_host::Device {
        vendor_id,
        product_id,
        manufacturer,
        product,
        serial,
        report_descriptor,
        ..
    } = key.usb();
    let id = format!("{vendor_id:04x}:{product_id:04x}");
    let name = product.as_deref().unwrap_or("a device without a name");
    narrator.step(
        "enumerated",
        "It is plugged into a USB host, which enumerates it over USB/IP as Linux does",
        json!({ "usbId": id, "manufacturer": manufacturer, "product": product, "serial": serial }),
    );
    narrator.detail("device", &format!("{id} {name}, full speed"));
    narrator.detail(
        "driver",
        &format!(
            "HID, FIDO usage page, 64-byte reports, {}-byte descriptor",
            report_descriptor.len()
        ),
    );
}

fn tell_info(info: &Info, narrator: &mut Narrator) {
    let aaguid = uuid(&info.aaguid);
    narrator.step(
        "identified",
        "A program opens it and asks what it can do",
        json!({ "versions": info.versions, "algorithms": info.algorithms, "aaguid": aaguid }),
    );
    let algorithms: Vec<String> = info
        .algorithms
        .iter()
        .map(|cose| format!("COSE {cose}"))
        .collect();
    narrator.detail("speaks", &info.versions.join(", "));
    narrator.detail("signs with", &algorithms.join(", "));
}

fn tell_registered(facts: &Registered, asked: Option<&Prompt>, narrator: &mut Narrator) {
    let data = serde_json::to_value(facts).unwrap_or_default();
    narrator.step(
        "registered",
        &format!("The website {ORIGIN} registers {NAME}"),
        data,
    );
    tell_question(asked, narrator);
    narrator.detail(
        "passkey",
        &format!("{} ({} bytes)", facts.credential_id, facts.credential_id_len),
    );
    narrator.detail("algorithm", facts.algorithm.words());
    narrator.detail("flags", &flags(facts.flags));
    narrator.detail(
        "verified",
        "challenge, origin, relying party, presence, and the key's signature (attestation: self)",
    );
}

fn tell_logged_in(facts: &LoggedIn, asked: Option<&Prompt>, narrator: &mut Narrator) {
    let data = serde_json::to_value(facts).unwrap_or_default();
    narrator.step(
        "logged-in",
        "At the second computer somebody logs in and gives no name; its key knows it",
        data,
    );
    tell_question(asked, narrator);
    narrator.detail("account", &format!("{}, named by the key", facts.name));
    narrator.detail("flags", &flags(facts.flags));
    narrator.detail(
        "verified",
        "challenge, origin, relying party, presence, and the signature with the registered public key",
    );
}

fn tell_question(asked: Option<&Prompt>, narrator: &mut Narrator) {
    let question = asked.map_or_else(|| "nothing".to_owned(), question);
    narrator.asked(&question);
    narrator.detail(
        "key asks",
        &format!("{question} The demo says yes by itself; a key in use asks you."),
    );
}

fn question(prompt: &Prompt) -> String {
    let site = prompt.rp_id.as_deref().unwrap_or(RP_ID);
    let account = prompt
        .user_name
        .as_ref()
        .map_or_else(String::new, |name| format!(" as {name}"));
    match prompt.purpose {
        Purpose::Register => format!("Register at {site}{account}?"),
        Purpose::SignIn => format!("Sign in to {site}{account}?"),
        Purpose::AlreadyRegistered => format!("Tell {site} that this key is registered already?"),
        Purpose::Identify => "Use this key?".to_owned(),
        Purpose::Verify => "Unlock this key for a program?".to_owned(),
        Purpose::ChooseAccount => format!("Which account at {site}?"),
        Purpose::Reset | Purpose::ConfirmReset => "Erase everything on this key?".to_owned(),
        Purpose::Unlock => "Unlock this key?".to_owned(),
    }
}

fn flags(FlagNames { up, uv, be, bs }: FlagNames) -> String {
    let bit = |set| u8::from(set);
    format!(
        "UP {} (user present), UV {} (user verified), BE {} (may be backed up), BS {} (is backed up)",
        bit(up),
        bit(uv),
        bit(be),
        bit(bs)
    )
}

fn not_verified(what: &str, refused: &Refused) -> Failure {
    fault(
        &format!("the {what}: the relying party did not verify it"),
        refused,
    )
}

#[cfg(test)]
mod tests;
