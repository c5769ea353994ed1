//! A vault whose device has its keys in a TPM, with the real program and a TPM 2.0 in software. "Mutation" says which
//! defence was taken out to see the test fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;
#[path = "../src/device_keys/tpm/testing/swtpm.rs"]
mod swtpm;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::terminal::Session;
use common::{Key, NO_TPM, RP_ID, TPM, new_folder, passkey_of, wardkey};
use rand_core::CryptoRng;
use redb::backends::FileBackend;
use rustix::process::Signal;
use serde_json::Value;
use swtpm::{LOCKOUT, Swtpm};
use tempfile::TempDir;
use wardkey_sim::clock::pause;
use wardkey_sim::fido_client::GetAssertion;
use wardkey_vault::{
    GuessLimit, KeyAuth, KeyStore, KeyStoreError, KnownKey, Locked, NotOpened, PublicKeys, PublicPoint,
    Secret, Signature, SignedHash, SoftwareKeys,
};

const PIN: &str = "493817";
const NEXT_PIN: &str = "628405";
const WRONG_PIN: &str = "111222";
const PASSPHRASE: &str = "tin ra of olm";

const LOCKOUT_PASSWORD: &[u8] = b"of the lockout hierarchy";

/// A computer with a TPM, the state folder on it, and a drawer for files with secrets.
struct Computer {
    tpm: Swtpm,
    state: TempDir,
    drawer: TempDir,
}

impl Computer {
    fn with(tpm: Swtpm) -> Self {
        Self {
            tpm,
            state: new_folder(),
            drawer: tempfile::tempdir().unwrap(),
        }
    }

    /// One whose TPM limits guesses, with a vault that a short PIN opens.
    fn with_vault() -> Self {
        Self::with_vault_that_allows(3)
    }

    /// The same, with so many wrong guesses at once.
    fn with_vault_that_allows(wrong: u32) -> Self {
        let tpm = Swtpm::new();
        tpm.set_limits(wrong, 1000).unwrap();
        tpm.set_password(LOCKOUT, b"", LOCKOUT_PASSWORD).unwrap();
        let computer = Self::with(tpm);
        let made = computer.printed(&computer.init(PIN, &[]));
        let told = format!(
            "The keys of this device are in the TPM; guess limit: hardware; 0 of {wrong} wrong guesses counted, one \
             forgotten every 16 minutes.\n"
        );
        assert!(made.ends_with(&told), "{made}");
        computer
    }

    fn path(&self) -> &Path {
        self.state.path()
    }

    fn file(&self, secret: &str) -> String {
        let path = self.drawer.path().join(secret);
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[String]) -> Command {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = wardkey(self.path(), &arguments);
        command.env(TPM, self.tpm.name());
        command
    }

    fn printed(&self, arguments: &[String]) -> String {
        let output = self.command(arguments).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The two lines of a command that fails.
    fn refused(&self, arguments: &[String]) -> (String, String) {
        refusal(&mut self.command(arguments))
    }

    fn init(&self, pin: &str, more: &[&str]) -> Vec<String> {
        let file = self.file(pin);
        let init = ["init", "--vault-pin-file", &file, "--no-recovery-kit"];
        owned(&[&init, more].concat())
    }

    fn pin_change(&self, pin: &str, next: &str) -> Vec<String> {
        let (pin, next) = (self.file(pin), self.file(next));
        owned(&[
            "pin",
            "change",
            "--vault-pin-file",
            &pin,
            "--new-vault-pin-file",
            &next,
        ])
    }

    fn unlock(&self, pin: &str) -> Vec<String> {
        owned(&["unlock", "--vault-pin-file", &self.file(pin)])
    }

    fn serve(&self) -> Vec<String> {
        let raw = format!("unix:{}", self.path().join("raw.sock").display());
        owned(&["serve", "--raw", &raw])
    }

    fn start_key(&self) -> Key {
        let tpm = self.tpm.name();
        Key::start_with(self.path(), &["--presence", "always"], |key| key.env(TPM, tpm))
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.printed(&owned(&["--json", "status"]))).unwrap()
    }

    fn wrong_pins(&self) -> u64 {
        self.status()["wrong_vault_pins"].as_u64().unwrap()
    }

    /// Whether the vault of a folder opens with this PIN, with this computer's TPM.
    fn opens(&self, folder: &Path, pin: &str) -> bool {
        let raw = format!("unix:{}", folder.join("raw.sock").display());
        let serve = ["serve", "--raw", &raw, "--vault-pin-file", &self.file(pin)];
        let mut key = wardkey(folder, &serve)
            .env(TPM, self.tpm.name())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = String::new();
        let mut stdout = BufReader::new(key.stdout.take().unwrap());
        stdout.read_line(&mut printed).unwrap();
        let opens = printed.starts_with("Listening");
        key.kill().unwrap();
        let complaint = key.wait_with_output().unwrap().stderr;
        let complaint = String::from_utf8(complaint).unwrap();
        assert!(
            opens || complaint.contains("the Vault PIN is wrong"),
            "{complaint}"
        );
        opens
    }
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

fn refusal(command: &mut Command) -> (String, String) {
    let output = command.output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    let lines: Vec<&str> = complaint
        .lines()
        .filter(|line| !line.contains("WARNING"))
        .collect();
    let [what, hint] = lines[..] else {
        panic!("not two lines: {complaint}");
    };
    (
        what.strip_prefix("wardkey: ").unwrap().to_owned(),
        hint.strip_prefix("hint: ").unwrap().to_owned(),
    )
}

fn wait_until(happened: impl Fn() -> bool) {
    for _ in 0..3000 {
        if happened() {
            return;
        }
        pause(Duration::from_millis(10));
    }
    panic!("it did not happen");
}

fn copy(folder: &Path) -> TempDir {
    let copy = new_folder();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    copy
}

fn copy_file(name: &str, from: &Path, to: &Path) {
    fs::copy(from.join(name), to.join(name)).unwrap();
}

fn is_logged_in(key: &Key) -> bool {
    let login = GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [2; 32],
        ..GetAssertion::default()
    };
    key.connect().get_assertion(&login).is_ok()
}

#[test]
fn a_short_pin_opens_the_vault_and_the_tpm_counts_the_wrong_ones() {
    let home = Computer::with_vault();
    let key = home.start_key();
    let (wrong, _) = home.refused(&home.unlock(WRONG_PIN));
    assert_eq!(wrong, "the vault stays locked: the Vault PIN is wrong");
    assert_eq!((home.tpm.counted(), home.wrong_pins()), (1, 1));
    home.printed(&home.unlock(PIN));
    assert_eq!(home.wrong_pins(), 0);
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    assert!(is_logged_in(&key));
    let status = home.printed(&owned(&["status"]));
    assert!(
        status.contains("Device keys   in the TPM\nGuess limit   hardware; 1 of 3 wrong guesses counted"),
        "{status}"
    );
    home.printed(&owned(&["lock"]));
    home.printed(&home.unlock(PIN));
    assert!(key.end_by(Signal::TERM).success());

    // What is said of a wrong one does not change with the new PIN, and the passkeys are there.
    home.printed(&home.pin_change(PIN, NEXT_PIN));
    let key = home.start_key();
    let (wrong, _) = home.refused(&home.unlock(PIN));
    assert_eq!(wrong, "the vault stays locked: the Vault PIN is wrong");
    assert_eq!(home.tpm.counted(), 2);
    home.printed(&home.unlock(NEXT_PIN));
    assert!(is_logged_in(&key));
    assert!(!home.path().join("device-keys.1").exists());
    let doctor = home.command(&owned(&["doctor"])).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains("in the TPM; guess limit: hardware\n"), "{doctor}");
}

/// Mutation: no look at the TPM before a command asks.
#[test]
fn while_the_tpm_is_in_lockout_it_is_said_how_long() {
    let home = Computer::with_vault_that_allows(2);
    let key = home.start_key();
    for _ in 0..2 {
        home.refused(&home.unlock(WRONG_PIN));
    }
    assert_eq!(home.tpm.counted(), 2);
    let told = "the TPM has counted 2 wrong guesses, of this or another program, and checks no more for up to 16 minutes";
    let hint = "leave the computer on and wait: the TPM forgets one wrong guess after the other";
    let (what, then) = home.refused(&home.unlock(PIN));
    assert_eq!(
        (what.as_str(), then.as_str()),
        (&*format!("the vault stays locked: {told}"), hint)
    );
    let status = home.printed(&owned(&["status"]));
    assert!(status.contains("2 of 2 wrong guesses counted"), "{status}");
    assert!(status.contains("it checks none now"), "{status}");
    key.kill();

    // A command says so before it counts.
    let wrong_pins = home.wrong_pins();
    let (what, then) = home.refused(&home.pin_change(PIN, NEXT_PIN));
    assert_eq!((what.as_str(), then.as_str()), (told, hint));
    assert_eq!(home.wrong_pins(), wrong_pins);
    // The key starts all the same.
    let key = home.start_key();
    home.tpm.reset_counter(LOCKOUT_PASSWORD).unwrap();
    // The wait after wrong PINs is the key's own.
    wait_until(|| home.command(&home.unlock(PIN)).output().unwrap().status.success());
    drop(key);
}

/// Part of C-05 da_reset_detected. Mutation: the limit of a TPM not asked for, but taken to be `Hardware`.
#[test]
fn a_short_pin_is_refused_where_anybody_can_have_the_wrong_ones_forgotten() {
    let home = Computer::with(Swtpm::new());
    let short = "this cannot be the Vault PIN: nothing here limits how often a thief guesses, so a passphrase is needed: at \
         least 12 characters, or 5 different words";
    assert_eq!(home.refused(&home.init(PIN, &[])).0, short);
    assert!(!home.path().join("vault.redb").exists());
    let made = home.printed(&home.init(PASSPHRASE, &[]));
    assert!(
        made.contains("in the TPM; guess limit: operating system only; 0 of 3 wrong guesses counted"),
        "{made}"
    );
    assert!(
        made.contains("whoever starts another system can have all forgotten"),
        "{made}"
    );
    assert_eq!(home.status()["guess_limit"], "operating system only");
    assert_eq!(home.refused(&home.pin_change(PASSPHRASE, PIN)).0, short);

    // With a password nobody can, …
    home.tpm.set_password(LOCKOUT, b"", LOCKOUT_PASSWORD).unwrap();
    assert_eq!(home.status()["guess_limit"], "hardware");
    home.printed(&home.pin_change(PASSPHRASE, PIN));
    // … and when it is taken away, somebody can again: what is there stays, and the next one has to be long.
    home.tpm.set_password(LOCKOUT, LOCKOUT_PASSWORD, b"").unwrap();
    assert_eq!(home.status()["guess_limit"], "operating system only");
    assert_eq!(home.refused(&home.pin_change(PIN, NEXT_PIN)).0, short);
    assert!(home.opens(home.path(), PIN));
}

#[test]
fn software_can_be_chosen_and_a_tpm_that_does_not_work_says_why() {
    let home = Computer::with(Swtpm::with_lockout_password());
    let in_software = ["--device-keys", "software"];
    let (short, _) = home.refused(&home.init(PIN, &in_software));
    assert!(
        short.contains("nothing here limits how often a thief guesses"),
        "{short}"
    );
    let made = home.printed(&home.init(PASSPHRASE, &in_software));
    assert!(
        made.ends_with("The keys of this device are in software; guess limit: none.\n"),
        "{made}"
    );
    let status = home.status();
    assert_eq!(
        (&status["device_keys"], &status["guess_limit"]),
        (&"software".into(), &"none".into())
    );

    let owned_by_others = Computer::with(Swtpm::new());
    owned_by_others
        .tpm
        .set_password(swtpm::OWNER, b"", b"of the owner")
        .unwrap();
    let reason = "the owner of the TPM has set a password, and without it the TPM makes no keys";
    let demanded = owned_by_others.init(PASSPHRASE, &["--device-keys", "tpm"]);
    assert_eq!(owned_by_others.refused(&demanded).0, reason);
    let made = owned_by_others.printed(&owned_by_others.init(PASSPHRASE, &[]));
    assert!(
        made.contains(&format!("The TPM is not used: {reason}.\nhint: ")),
        "{made}"
    );
    assert!(made.ends_with("in software; guess limit: none.\n"), "{made}");
}

/// Without the TPM, with another one, and after it was cleared: said before anything is asked, with nothing lost.
#[test]
fn a_folder_whose_tpm_is_not_here_says_what_to_do() {
    let home = Computer::with_vault();
    let keys = fs::read(home.path().join("device-keys.1")).unwrap();
    let other = Swtpm::with_lockout_password();
    let elsewhere = [
        (NO_TPM.to_owned(), "this computer shows no TPM 2.0"),
        (
            other.name(),
            "this TPM did not make the keys of this device, or it was cleared since",
        ),
    ];
    for (tpm, told) in &elsewhere {
        for arguments in [home.serve(), home.pin_change(PIN, NEXT_PIN)] {
            let (what, hint) = refusal(home.command(&arguments).env(TPM, tpm));
            assert_eq!(&what, told);
            assert!(
                hint.contains("recovery kit") && hint.ends_with("wardkey recover"),
                "{hint}"
            );
        }
        let status = home.command(&owned(&["status"])).env(TPM, tpm).output().unwrap();
        let status = String::from_utf8(status.stdout).unwrap();
        assert!(status.contains("Device keys   in the TPM\n"), "{status}");
    }
    assert_eq!(other.counted(), 0);
    assert_eq!((home.tpm.counted(), home.wrong_pins()), (0, 0));
    assert_eq!(fs::read(home.path().join("device-keys.1")).unwrap(), keys);
    assert!(home.opens(home.path(), PIN));

    // Whoever has the password of the lockout hierarchy can clear it.
    home.tpm.set_password(LOCKOUT, LOCKOUT_PASSWORD, b"").unwrap();
    home.tpm.clear().unwrap();
    let (what, hint) = home.refused(&home.serve());
    assert_eq!(what, elsewhere[1].1);
    assert!(hint.ends_with("wardkey recover"), "{hint}");
    assert_eq!(fs::read(home.path().join("device-keys.1")).unwrap(), keys);
}

/// Writes down the kit that is shown next, and gives it.
fn write_kit_down(session: &mut Session) -> String {
    session.shows("Press Enter to see it. ");
    session.types("\n");
    let page = session.shows("gone from the screen. ");
    let words: Vec<&str> = page.split_whitespace().collect();
    let group = |number: &str| words[words.iter().position(|word| *word == number).unwrap() + 1];
    session.types("\n");
    for _ in 0..2 {
        session.shows("Group ");
        let number = session.shows(": ");
        session.types(&format!("{}\n", group(number.trim_end_matches(": "))));
    }
    (1..=9).map(|number| group(&number.to_string())).collect()
}

fn type_new_pin(session: &mut Session, pin: &str) {
    for prompt in ["New Vault PIN: ", "Once more: "] {
        session.shows(prompt);
        session.types(&format!("{pin}\n"));
    }
}

#[test]
fn a_vault_is_taken_over_on_a_computer_with_another_tpm() {
    let home = Computer::with(Swtpm::with_lockout_password());
    let mut session = Session::start_with(home.path(), &["init"], &home.tpm.name());
    session.shows("The keys of this device are in the TPM; guess limit: hardware; ");
    session.shows("A chip counts wrong ones: at least 6 characters are needed.");
    type_new_pin(&mut session, PIN);
    let kit = write_kit_down(&mut session);
    session.shows("Start the key: wardkey up");
    assert!(session.ended());
    let key = home.start_key();
    home.printed(&home.unlock(PIN));
    key.connect().make_credential(&passkey_of("ann")).unwrap();
    key.kill();

    let new = Computer::with(Swtpm::with_lockout_password());
    let from = home.path().to_str().unwrap();
    let mut session = Session::start_with(new.path(), &["recover", "--from", from], &new.tpm.name());
    session.shows("Recovery kit, all nine groups: ");
    session.types(&format!("{kit}\n"));
    session.shows("[y/N] ");
    session.types("y\n");
    session.shows("The keys of this device are in the TPM; guess limit: hardware; ");
    type_new_pin(&mut session, NEXT_PIN);
    write_kit_down(&mut session);
    session.shows("with 1 passkey.");
    assert!(session.ended());

    let key = new.start_key();
    new.refused(&new.unlock(PIN));
    new.printed(&new.unlock(NEXT_PIN));
    assert!(is_logged_in(&key));
    assert_eq!((new.tpm.counted(), home.tpm.counted()), (1, 0));
}

/// C-03 pin_guess_counts_before_check: whenever the key is killed, the vault's own count is not behind the TPM's, and
/// neither ever goes back. Mutation: `Attempts::count` keeps nothing.
#[test]
fn pin_guess_counts_before_check() {
    let home = Computer::with_vault_that_allows(30);
    let (mut on_disk, mut in_tpm) = (0, 0);
    // Until it is on the disk, until the TPM has it, until the key has answered.
    let until: [&dyn Fn(&Computer) -> bool; 3] = [
        &|home| home.wrong_pins() == 1,
        &|home| home.tpm.counted() > 0,
        &|home| home.wrong_pins() == 3 && home.tpm.counted() > 1,
    ];
    for happened in until {
        let key = home.start_key();
        let mut unlock = home.command(&home.unlock(WRONG_PIN)).spawn().unwrap();
        wait_until(|| happened(&home));
        key.kill();
        home.tpm.flush();
        assert!(!unlock.wait().unwrap().success());
        let (before_on_disk, before_in_tpm) = (on_disk, in_tpm);
        (on_disk, in_tpm) = (home.wrong_pins(), u64::from(home.tpm.counted()));
        assert_eq!(on_disk, before_on_disk + 1);
        assert!(
            in_tpm >= before_in_tpm && in_tpm <= on_disk,
            "{in_tpm} and {on_disk}"
        );
    }
    assert!(in_tpm > 1);
}

/// C-04 pin_budget_not_renewed_by_rollback: old files bring no guess back, nor does a cut of the power.
#[test]
fn pin_budget_not_renewed_by_rollback() {
    let mut home = Computer::with_vault();
    let before = copy(home.path());
    for wrong in 1..=3 {
        assert!(!home.opens(before.path(), WRONG_PIN));
        assert_eq!(home.tpm.counted(), wrong);
    }
    for again in 0..2 {
        // The files know of no wrong guess, the TPM does.
        assert_eq!(home.wrong_pins(), 0);
        let (what, _) = home.refused(&home.pin_change(PIN, NEXT_PIN));
        assert!(what.starts_with("the TPM has counted 3 wrong guesses"), "{what}");
        if again == 0 {
            home.tpm.cut_power();
        }
    }
}

/// A device that guesses without a TPM: all that can be computed of a PIN is what its keys would be asked with.
struct Guesser {
    public: PublicKeys,
    asked_with: Option<[u8; 32]>,
}

impl KeyStore for Guesser {
    fn public(&self) -> &PublicKeys {
        &self.public
    }

    fn guess_limit(&self) -> GuessLimit {
        GuessLimit::None
    }

    fn sign(&mut self, _: &KeyAuth, _: &SignedHash) -> Result<Signature, KeyStoreError> {
        Err(KeyStoreError::Unavailable)
    }

    fn agree(&mut self, _: &KeyAuth, _: &PublicPoint) -> Result<Secret<32>, KeyStoreError> {
        Err(KeyStoreError::Unavailable)
    }

    fn post_quantum(&mut self, auth: &KeyAuth) -> Result<Secret<32>, KeyStoreError> {
        self.asked_with = Some(*auth.expose_secret());
        Err(KeyStoreError::Unavailable)
    }

    fn resealed(
        &mut self,
        _: &KeyAuth,
        _: &KeyAuth,
        _: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, KeyStoreError> {
        Err(KeyStoreError::Unavailable)
    }
}

/// Somebody with a copy of a state folder and none of its TPM.
struct Thief {
    copy: TempDir,
}

impl Thief {
    fn of(computer: &Computer) -> Self {
        Self {
            copy: copy(computer.path()),
        }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.copy.path().join(name)).unwrap()
    }

    fn locked(&self) -> Locked {
        let path = self.copy.path().join("vault.redb");
        let file = File::options().read(true).write(true).open(path).unwrap();
        let known = KnownKey::from_slice(&self.read("known.key")).unwrap();
        Locked::open(FileBackend::new(file).unwrap(), known, Duration::ZERO).unwrap()
    }

    fn open_with(&self, keys: &mut dyn KeyStore, pin: &str) -> Result<(), NotOpened> {
        let guess = self.locked().guess(Duration::ZERO).ok().unwrap();
        guess.check_typed(keys, pin).map(|_| ())
    }

    /// Whether a PIN is right, as far as it can be found out.
    fn is_right(&self, pin: &str) -> Option<bool> {
        let mut keys = SoftwareKeys::from_bytes(&self.read("device-keys.1"))?;
        Some(self.open_with(&mut keys, pin).is_ok())
    }

    /// What the keys of the device would be asked with.
    fn auth(&self, pin: &str) -> [u8; 32] {
        let locked = self.locked();
        let mut guesser = Guesser {
            public: locked.trust().member(locked.device()).unwrap().clone(),
            asked_with: None,
        };
        drop(locked);
        self.open_with(&mut guesser, pin).unwrap_err();
        guesser.asked_with.unwrap()
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.copy.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }
}

/// C-06 no_offline_pin_blob_on_disk, for everything that `init` writes: who has the whole folder and knows the right PIN
/// cannot tell it from a wrong one without the TPM. Mutation: keys in software, which the same thief opens.
#[test]
fn no_offline_pin_blob_on_disk() {
    let home = Computer::with_vault();
    let thief = Thief::of(&home);
    assert_eq!((thief.is_right(PIN), thief.is_right(WRONG_PIN)), (None, None));
    // Nor is anything in a file that comes of the PIN.
    let (right, wrong) = (thief.auth(PIN), thief.auth(WRONG_PIN));
    assert_ne!(right, wrong);
    let files = thief.files();
    assert!(files.len() >= 3, "the database, the known key, the device's keys");
    for (path, bytes) in files {
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!holds(PIN.as_bytes()), "{}", path.display());
        for part in right.chunks(8) {
            assert!(!holds(part), "{}", path.display());
        }
    }

    let unprotected = Computer::with(Swtpm::new());
    unprotected.printed(&unprotected.init(PASSPHRASE, &["--device-keys", "software"]));
    let thief = Thief::of(&unprotected);
    assert_eq!(
        (thief.is_right(PASSPHRASE), thief.is_right(WRONG_PIN)),
        (Some(true), Some(false))
    );
}

/// What a power cut may leave of a change of the PIN, and what a killed one does.
#[test]
fn the_old_or_the_new_pin_opens_after_every_step_of_a_change() {
    let home = Computer::with_vault_that_allows(30);
    let before = copy(home.path());
    home.printed(&home.pin_change(PIN, NEXT_PIN));
    let opens = |folder: &Path| (home.opens(folder, PIN), home.opens(folder, NEXT_PIN));

    let (keys_are_kept, is_made) = (copy(before.path()), copy(home.path()));
    copy_file("device-keys.2", home.path(), keys_are_kept.path());
    assert_eq!(opens(keys_are_kept.path()), (true, false));
    copy_file("device-keys.1", before.path(), is_made.path());
    assert_eq!(opens(is_made.path()), (false, true));
    assert_eq!(opens(home.path()), (false, true));

    for tenths in [2, 5, 8] {
        let folder = copy(before.path());
        let arguments = home.pin_change(PIN, NEXT_PIN);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut change = wardkey(folder.path(), &arguments);
        let mut change = change.env(TPM, home.tpm.name()).spawn().unwrap();
        pause(Duration::from_millis(250 * tenths));
        change.kill().unwrap();
        change.wait().unwrap();
        home.tpm.flush();
        let (old, new) = opens(folder.path());
        assert!(old != new, "after {tenths}: {old} and {new}");
    }
}
