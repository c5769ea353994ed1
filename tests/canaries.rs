//! Secrets that are known to the test go through everything that the program does; then they are looked for in all that it
//! said, on its disk, and in its memory after the vault was locked.
//!
//! Mutation: what is read from a file with a secret is printed; `Vault::load` keeps a copy of the private key.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use common::memory::memory_of;
use common::terminal::Session;
use common::{
    Client, Key, RP_ID, VAULT_PIN, new_folder, passkey_of, status, wardkey, write_script, write_secret,
};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;
use wardkey_sim::fido_client::{
    GetAssertion, MakeCredential, PinProtocol, Status, User, hmac_secret_input, hmac_secret_output,
};
use wardkey_vault::open_backup;

const NEXT_VAULT_PIN: &str = "Zr9-umber-falcon-reef";
const WRONG_VAULT_PIN: &str = "Vt8-silver-otter-moss";
const PASSPHRASE: &str = "Hn2-cobalt-heron-fjord";
const WRONG_PASSPHRASE: &str = "Jx5-ochre-marten-glen";
const KEY_PIN: &str = "kw7Rz41q";
const NEXT_KEY_PIN: &str = "pd3Vy82m";
const WRONG_KEY_PIN: &str = "xu6Lt97b";
const USER: &str = "florentyna-canary";
const DISPLAY_NAME: &str = "Florentyna of the Canaries";
const RP_NAME: &str = "The Site of the Canaries";

/// Before the page with a recovery kit.
const PAGE_FOLLOWS: &str = "Press Enter to see it. ";

/// A state folder, a desk with files, and a person.
struct Owner {
    state: TempDir,
    desk: TempDir,
    /// All that commands said.
    said: Vec<u8>,
}

impl Owner {
    fn new() -> Self {
        let owner = Self {
            state: new_folder(),
            desk: tempfile::tempdir().unwrap(),
            said: Vec::new(),
        };
        let body = "here=$(dirname \"$0\")\nquestion=$(cat)\n\
            case $question in\n\
            *'\"demand\":\"vault-pin\"'*) head -n 1 \"$here/typed\"; sed -i 1d \"$here/typed\";;\n\
            esac";
        write_script(&owner.desk.path().join("person"), body);
        owner
    }

    /// A file with a secret, for a command.
    fn file(&self, secret: &str) -> String {
        let folder = tempfile::tempdir_in(self.desk.path()).unwrap().keep();
        write_secret(&folder.join("secret"), secret)
    }

    fn types(&self, lines: &[&str]) {
        fs::write(self.desk.path().join("typed"), lines.join("\n") + "\n").unwrap();
    }

    fn start_key(&self) -> Key {
        let person = self.desk.path().join("person");
        let options = ["--prompt-command", person.to_str().unwrap()];
        Key::start_at(self.state.path(), self.desk.path(), &options, |command| command)
    }

    /// Runs a command as people and as programs do, and keeps what it says; whether it succeeded.
    fn command(&mut self, arguments: &[&str]) -> bool {
        let Output {
            status,
            stdout,
            stderr,
        } = wardkey(self.state.path(), arguments).output().unwrap();
        self.said.extend(stdout);
        self.said.extend(stderr);
        status.success()
    }

    /// A command that fails.
    fn fails(&mut self, arguments: &[&str]) {
        assert!(!self.command(arguments), "{arguments:?}");
    }

    fn succeeds(&mut self, arguments: &[&str]) {
        let said = self.said.len();
        let done = self.command(arguments);
        assert!(
            done,
            "{arguments:?}: {}",
            String::from_utf8_lossy(&self.said[said..])
        );
    }
}

fn make_vault(owner: &mut Owner) -> String {
    let mut session = Session::start(owner.state.path(), &["init"]);
    for prompt in ["New Vault PIN: ", "Once more: "] {
        session.shows(prompt);
        session.types(&format!("{VAULT_PIN}\n"));
    }
    owner.said.extend(session.shows(PAGE_FOLLOWS).into_bytes());
    let kit = write_kit_down(&mut session);
    session.shows("Start the key: wardkey up");
    assert!(session.ended());
    kit
}

/// Gives the kit that the session shows on a page of its own.
fn write_kit_down(session: &mut Session) -> String {
    session.types("\n");
    let page = session.shows("gone from the screen. ");
    session.types("\n");
    for _ in 0..2 {
        session.shows("Group ");
        let number = session.shows(": ");
        let group = group(&page, number.trim_end_matches(": "));
        session.types(&format!("{group}\n"));
    }
    (1..=9).map(|number| group(&page, &number.to_string())).collect()
}

fn group(page: &str, number: &str) -> String {
    let words: Vec<&str> = page.split_whitespace().collect();
    let at = words.iter().position(|word| *word == number).unwrap();
    words[at + 1].to_owned()
}

/// The 32 bytes of a recovery kit: 52 digits of Crockford's base 32, FORMAT.md §11.
fn bytes_of_kit(kit: &str) -> Vec<u8> {
    let mut bytes = [0_u8; 33];
    for digit in kit.chars().take(52) {
        let value = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(digit).unwrap();
        let mut carry = value;
        for byte in bytes.iter_mut().rev() {
            let shifted = usize::from(*byte) * 32 + carry;
            *byte = u8::try_from(shifted % 256).unwrap();
            carry = shifted / 256;
        }
    }
    assert_eq!(bytes[0], 0);
    bytes[1..].to_vec()
}

fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn passkey() -> MakeCredential {
    let mut request = passkey_of(USER);
    request.user = User {
        display_name: Some(DISPLAY_NAME.to_owned()),
        ..request.user
    };
    request.rp.name = Some(RP_NAME.to_owned());
    request.with_extensions([("hmac-secret", true.into())])
}

/// Signs in with two salts, and gives the two secrets.
fn log_in(client: &mut Client) -> Vec<Vec<u8>> {
    let secret = client.share_secret(PinProtocol::Two, &mut rng()).unwrap();
    let salts = [[0x31; 32], [0x32; 32]].concat();
    let request = GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    };
    let input = hmac_secret_input(&secret, &salts, &mut rng());
    let assertion = client
        .get_assertion(&request.with_extensions([("hmac-secret", input)]))
        .unwrap();
    let outputs = assertion.auth_data.extensions.unwrap();
    let output = outputs
        .as_map()
        .unwrap()
        .iter()
        .find(|(name, _)| name.as_text() == Some("hmac-secret"));
    let secrets = hmac_secret_output(&secret, &output.unwrap().1).unwrap();
    secrets.into_iter().map(|secret| secret.to_vec()).collect()
}

/// A secret, and a name for it.
type Canary = (&'static str, Vec<u8>);

fn texts() -> Vec<Canary> {
    let texts = [
        ("the Vault PIN", VAULT_PIN),
        ("the next Vault PIN", NEXT_VAULT_PIN),
        ("a wrong Vault PIN", WRONG_VAULT_PIN),
        ("the passphrase of the backup", PASSPHRASE),
        ("a wrong passphrase", WRONG_PASSPHRASE),
        ("the key's PIN", KEY_PIN),
        ("the key's next PIN", NEXT_KEY_PIN),
        ("a wrong PIN", WRONG_KEY_PIN),
    ];
    texts
        .map(|(name, text)| (name, text.as_bytes().to_vec()))
        .to_vec()
}

/// What sites and accounts are called: `wardkey list` says it, the disk does not.
fn names() -> Vec<Canary> {
    let names = [USER, DISPLAY_NAME, RP_NAME, RP_ID];
    names.map(|name| (name, name.as_bytes().to_vec())).to_vec()
}

/// A kit as it is shown, as it is typed, and as it is.
fn of_kit(kit: &str) -> Vec<Canary> {
    let groups: Vec<&str> = (0..9).map(|number| &kit[number * 6..][..6]).collect();
    let mut canaries = vec![
        ("the kit", kit.as_bytes().to_vec()),
        ("the kit in small letters", kit.to_lowercase().into_bytes()),
        ("the bytes of the kit", bytes_of_kit(kit)),
    ];
    canaries.extend(
        groups
            .iter()
            .map(|group| ("a group of the kit", group.as_bytes().to_vec())),
    );
    canaries
}

/// Each as it is, and as it would be printed.
fn forms(canaries: &[Canary]) -> Vec<Canary> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let forms = |(name, secret): &Canary| {
        let printed = [
            hex(secret),
            Base64::encode_string(secret),
            Base64UrlUnpadded::encode_string(secret),
        ];
        let printed = printed.map(|text| (*name, text.trim_end_matches('=').as_bytes().to_vec()));
        [(*name, secret.clone())].into_iter().chain(printed)
    };
    canaries.iter().flat_map(forms).collect()
}

/// The second half of each that is long: memory that was given back has something else at its beginning.
fn ends(canaries: &[Canary]) -> Vec<Canary> {
    let long = canaries.iter().filter(|(_, secret)| secret.len() > 16);
    long.map(|(name, secret)| (*name, secret[secret.len() / 2..].to_vec()))
        .collect()
}

/// The names of those that are there.
fn found(canaries: &[Canary], bytes: &[u8]) -> Vec<&'static str> {
    let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    canaries
        .iter()
        .filter(|(_, secret)| holds(secret))
        .map(|(name, _)| *name)
        .collect()
}

fn assert_none(canaries: &[Canary], bytes: &[u8], place: &str) {
    let found = found(canaries, bytes);
    assert!(found.is_empty(), "{place}: {found:?}");
}

/// All files of a folder, one after the other.
fn disk(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap();
    // Sockets cannot be read, and hold nothing.
    files
        .flat_map(|file| fs::read(file.unwrap().path()).unwrap_or_default())
        .collect()
}

/// What a host does with the open key, right and wrong.
fn use_key(owner: &mut Owner, key: &Key) -> Vec<Vec<u8>> {
    let mut client = key.connect();
    owner.types(&[WRONG_VAULT_PIN, VAULT_PIN]);
    client.make_credential(&passkey()).unwrap();
    client
        .set_pin(PinProtocol::Two, KEY_PIN.as_bytes(), &mut rng())
        .unwrap();
    let wrong = client.pin_token(PinProtocol::Two, WRONG_KEY_PIN.as_bytes(), &mut rng());
    assert_eq!(status(wrong), Status::PIN_INVALID);
    client
        .pin_token(PinProtocol::Two, KEY_PIN.as_bytes(), &mut rng())
        .unwrap();
    let change = client.change_pin(
        PinProtocol::Two,
        KEY_PIN.as_bytes(),
        NEXT_KEY_PIN.as_bytes(),
        &mut rng(),
    );
    change.unwrap();
    client.u2f_register(&[1; 32], &[7; 32], 50).unwrap();
    let mut secrets = log_in(&mut client);
    for command in [
        &["list"][..],
        &["log"],
        &["info"],
        &["status"],
        &["metadata"],
        &["delete", "--yes", "AAAA"],
    ] {
        owner.command(command);
        owner.command(&[&["--json"], command].concat());
    }
    owner.succeeds(&["lock"]);
    let wrong = owner.file(WRONG_VAULT_PIN);
    owner.fails(&["unlock", "--vault-pin-file", &wrong]);
    owner.fails(&["list"]);
    let right = owner.file(VAULT_PIN);
    owner.succeeds(&["unlock", "--vault-pin-file", &right]);
    secrets.extend(log_in(&mut client));
    owner.succeeds(&["lock"]);
    secrets
}

/// Passkeys go out in clear and come in, damaged, too.
fn exchange(owner: &mut Owner, pin: &str, wrong_pin: &str) {
    let cxf = owner.desk.path().join("passkeys.json");
    let cxf = cxf.to_str().unwrap().to_owned();
    let export = ["--json", "export", "--format", "cxf", &cxf, "--vault-pin-file"];
    owner.fails(&[&export[..], &[wrong_pin]].concat());
    owner.succeeds(&[&export[..], &[pin]].concat());
    owner.succeeds(&["import", &cxf, "--vault-pin-file", pin]);
    // A key that is damaged, and one that is cut off with the file.
    let content = fs::read_to_string(&cxf).unwrap();
    fs::write(&cxf, content.replacen("\"key\":\"MI", "\"key\":\"NI", 1)).unwrap();
    owner.succeeds(&["import", &cxf, "--vault-pin-file", pin]);
    fs::write(&cxf, &content[..content.len() - 2]).unwrap();
    owner.fails(&["import", &cxf, "--vault-pin-file", pin]);
}

/// The commands that change who can open the vault, and those that take passkeys out and in; with the wrong secrets, too.
fn manage(owner: &mut Owner, kit: &str) -> (Vec<u8>, Vec<String>) {
    let (pin, wrong_pin) = (owner.file(VAULT_PIN), owner.file(WRONG_VAULT_PIN));
    let (passphrase, wrong_passphrase) = (owner.file(PASSPHRASE), owner.file(WRONG_PASSPHRASE));
    let backup = owner.desk.path().join("backup");
    let backup = backup.to_str().unwrap().to_owned();
    let secrets = |pin: &str, passphrase: &str| {
        ["--vault-pin-file", pin, "--passphrase-file", passphrase].map(str::to_owned)
    };
    for (name, pin, passphrase, succeeds) in [
        ("export", &wrong_pin, &passphrase, false),
        ("export", &pin, &passphrase, true),
        ("export", &pin, &passphrase, false),
        ("import", &pin, &wrong_passphrase, false),
        ("import", &pin, &passphrase, true),
    ] {
        let secrets = secrets(pin, passphrase);
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let done = owner.command(&[&["--json", name, &backup], secrets.as_slice()].concat());
        assert_eq!(done, succeeds, "{name}: {}", String::from_utf8_lossy(&owner.said));
    }
    exchange(owner, &pin, &wrong_pin);
    let next = owner.file(NEXT_VAULT_PIN);
    let change = [
        "pin",
        "change",
        "--vault-pin-file",
        &pin,
        "--new-vault-pin-file",
        &next,
    ];
    owner.fails(&[
        "pin",
        "change",
        "--vault-pin-file",
        &wrong_pin,
        "--new-vault-pin-file",
        &next,
    ]);
    owner.succeeds(&change);
    owner.fails(&change);
    owner.succeeds(&[
        "pin",
        "change",
        "--compromised",
        "--vault-pin-file",
        &next,
        "--new-vault-pin-file",
        &pin,
    ]);

    let mut session = Session::start(
        owner.state.path(),
        &["recovery-kit", "renew", "--vault-pin-file", &pin],
    );
    owner.said.extend(session.shows(PAGE_FOLLOWS).into_bytes());
    let renewed = write_kit_down(&mut session);
    session.shows("The new recovery kit is in force.");
    assert!(session.ended());

    let mut session = Session::start(owner.state.path(), &["recover", "--new-vault-pin-file", &next]);
    for kit in [kit, &renewed] {
        session.shows("all nine groups: ");
        session.types(&format!("{kit}\n"));
    }
    session.shows("[y/N] ");
    session.types("y\n");
    // What was typed is shown.
    session.shows(PAGE_FOLLOWS);
    let last = write_kit_down(&mut session);
    session.shows("destroy the kit.");
    assert!(session.ended());
    (fs::read(backup).unwrap(), vec![renewed, last])
}

#[test]
fn no_secret_is_said_or_on_the_disk_or_after_locking_in_memory() {
    let mut owner = Owner::new();
    let kit = make_vault(&mut owner);
    let key = owner.start_key();
    let hmac_secrets = use_key(&mut owner, &key);
    let mut canaries = texts();
    canaries.extend(of_kit(&kit));
    canaries.extend(hmac_secrets.into_iter().map(|secret| ("an hmac-secret", secret)));
    let in_memory = memory_of(&key);
    owner.said.extend(key.complaints().into_bytes());
    assert!(key.end_by(Signal::TERM).success());

    let (backup, kits) = manage(&mut owner, &kit);
    let passkeys = open_backup(&backup, PASSPHRASE).ok().unwrap();
    let [passkey] = &passkeys[..] else {
        panic!("{} passkeys", passkeys.len())
    };
    let cred_random = passkey.cred_random.as_ref().unwrap().expose_secret();
    canaries.push(("a private key", passkey.private_key.expose_secret().to_vec()));
    canaries.push(("CredRandom with verification", cred_random[..32].to_vec()));
    canaries.push(("CredRandom without verification", cred_random[32..].to_vec()));
    // Only root may look into a process that protects itself.
    if geteuid().is_root() {
        assert_none(&canaries, &in_memory, "in memory");
        assert_none(&ends(&canaries), &in_memory, "in memory");
        // Something that is there.
        let path = owner.state.path().to_str().unwrap().into();
        assert_eq!(found(&[("the folder", path)], &in_memory), ["the folder"]);
    }
    canaries.extend(kits.iter().flat_map(|kit| of_kit(kit)));
    let forms = forms(&canaries);
    assert_none(&forms, &owner.said, "was said");
    let on_disk = disk(owner.state.path());
    assert_none(&forms, &on_disk, "on the disk");
    assert_none(&names(), &on_disk, "on the disk");
    assert_none(&names(), &backup, "in the backup");
    assert_none(&canaries, &backup, "in the backup");
}
