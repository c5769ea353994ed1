//! Several devices of one vault, as a person adds and removes them, with a folder as the store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use ciborium::Value;
use common::computer::{Computer, Newcomer, text, two_devices};
use common::terminal::Session;
use common::{Client, VAULT_PIN, listed, new_folder, new_vault, objects, passkey_of, printed};
use tempfile::TempDir;
use wardkey_sim::fido_client::{self, serialize_large_blobs};

const OTHER_PIN: &str = "another passphrase of many words";

fn answer(session: &mut Session, question: &str, text: &str) {
    session.shows(question);
    session.types(&format!("{text}\n"));
}

#[test]
fn what_is_registered_on_one_device_is_on_the_other() {
    let (desk, lap, store) = two_devices();
    desk.register(VAULT_PIN, "ann");
    assert_eq!(lap.users(VAULT_PIN), ["ann"]);
    lap.register(VAULT_PIN, "bob");
    assert_eq!(desk.users(VAULT_PIN), ["ann", "bob"]);
    assert!(!common::holds(store.path(), "ann") && !common::holds(store.path(), "bob"));
    assert!(
        !store.path().join("pkv1/p").exists(),
        "the mailbox is not cleared"
    );
    let devices = desk.run(&["device", "list"]);
    assert!(
        devices.contains("desk, this one") && devices.contains("lap, last heard of on"),
        "{devices}"
    );
}

/// Two computers, of which one waits for the digits that the other one shows.
struct Pairing {
    newcomer: Newcomer,
    approving: Session,
    digits: String,
    wrong: &'static str,
    store: TempDir,
}

fn pair(desk: &Computer, lap: &Computer) -> Pairing {
    let store = new_folder();
    desk.sync_at(store.path());
    let mut newcomer = lap.ask_to_join(store.path(), VAULT_PIN);
    newcomer.told("code");
    let mut approving = Session::start(desk.state.path(), &["device", "approve"]);
    answer(&mut approving, "Vault PIN: ", VAULT_PIN);
    let digits = newcomer.told("digits");
    let wrong = if digits == "1234 5678" {
        "8765 4321"
    } else {
        "1234 5678"
    };
    Pairing {
        newcomer,
        approving,
        digits,
        wrong,
        store,
    }
}

#[test]
fn a_device_is_let_in_with_the_digits_that_it_shows() {
    let (desk, lap) = (Computer::new(new_vault()), Computer::new(new_folder()));
    let Pairing {
        newcomer,
        mut approving,
        digits,
        wrong,
        store: _store,
    } = pair(&desk, &lap);
    answer(&mut approving, "The digits that the new device shows: ", wrong);
    answer(&mut approving, "; 2 tries left.", "");
    answer(&mut approving, "eight digits are needed.", &digits);
    approving.shows("The device is let in.");
    assert!(approving.ended());
    newcomer.ends_well();
}

#[test]
fn three_times_wrong_digits_end_it() {
    let (desk, lap) = (Computer::new(new_vault()), Computer::new(new_folder()));
    let Pairing {
        newcomer,
        mut approving,
        wrong,
        store: _store,
        ..
    } = pair(&desk, &lap);
    for _ in 0..3 {
        answer(&mut approving, "The digits that the new device shows: ", wrong);
    }
    assert!(!approving.ended());
    assert!(newcomer.fails().contains("this pairing is over"));
    assert!(!lap.state.path().join("vault.redb").exists());
    assert_eq!(desk.run(&["device", "list"]).lines().count(), 1);
}

#[test]
fn who_is_not_verified_lets_nobody_in() {
    let store = new_folder();
    let desk = Computer::first(store.path());
    let lap = Computer::new(new_folder());
    let mut newcomer = lap.ask_to_join(store.path(), VAULT_PIN);
    let code = newcomer.told("code");
    let script = |name: &str, exit: &str| {
        let path = desk.secrets.path().join(name);
        common::write_script(&path, exit);
        path.to_str().unwrap().to_owned()
    };
    let never = script("never", "exit 2");
    let approve = ["device", "approve", &code, "--verify-command", &never];
    let refused = desk.fails(VAULT_PIN, &approve);
    assert!(refused.contains("you were not verified"), "{refused}");
    assert_eq!(desk.run(&["device", "list"]).lines().count(), 1);

    let asked = desk.secrets.path().join("asked");
    let always = script("always", &format!("cat > {}", asked.display()));
    desk.run(&["device", "approve", &code, "--verify-command", &always]);
    newcomer.ends_well();
    let asked = std::fs::read_to_string(asked).unwrap();
    assert!(asked.contains("\"purpose\":\"admit-device\""), "{asked}");
}

#[test]
fn a_device_without_the_vault_pin_gets_nothing() {
    let store = new_folder();
    let desk = Computer::first(store.path());
    let lap = Computer::new(new_folder());
    let mut newcomer = lap.ask_to_join(store.path(), "not the one of the vault");
    let code = newcomer.told("code");
    desk.run(&["device", "approve", &code]);
    assert!(newcomer.fails().contains("the Vault PIN does not open the vault"));
    assert!(!lap.state.path().join("vault.redb").exists());
}

#[test]
fn a_removed_device_reads_nothing_newer() {
    let (desk, lap, _store) = two_devices();
    desk.register(VAULT_PIN, "ann");
    assert_eq!(lap.users(VAULT_PIN), ["ann"]);
    let removed = desk.run(&["device", "revoke", "lap", "--yes"]);
    assert!(
        removed.contains("“lap” is removed") && removed.contains(common::RP_ID),
        "{removed}"
    );
    desk.register(VAULT_PIN, "bob");
    let status = lap.run(&["--json", "sync", "now"]);
    assert!(status.contains("\"state\":\"removed\""), "{status}");
    assert_eq!(lap.users(VAULT_PIN), ["ann"]);
    let devices = desk.run(&["device", "list"]);
    assert!(devices.contains("lap, removed"), "{devices}");
}

/// All that was written before is summed up and goes, what the removed device wrote, too.
#[test]
fn after_a_removal_a_new_device_needs_nothing_of_before() {
    let (desk, lap, store) = two_devices();
    desk.register(VAULT_PIN, "ann");
    lap.run(&["sync", "now"]);
    let count = |folder| objects(store.path(), folder).len();
    let listed = objects(store.path(), "pkv1");
    assert!(count("d") > 2 && count("s") == 0, "{listed:?}");
    desk.run(&["device", "revoke", "lap", "--yes"]);
    desk.run(&["sync", "now"]);
    desk.run(&["sync", "now"]);
    assert_eq!(
        (count("d"), count("s")),
        (2, 2),
        "the last of each log; a root and a part"
    );

    let tab = Computer::new(new_folder());
    let mut newcomer = tab.ask_to_join(store.path(), VAULT_PIN);
    let code = newcomer.told("code");
    desk.run(&["device", "approve", &code]);
    newcomer.ends_well();
    assert_eq!(tab.users(VAULT_PIN), ["ann"]);
}

#[test]
fn another_device_takes_a_new_vault_pin_over() {
    let (desk, lap, _store) = two_devices();
    let new = desk.secret("new.txt", OTHER_PIN);
    desk.run(&["pin", "change", "--compromised", "--new-vault-pin-file", &new]);
    desk.register(OTHER_PIN, "ann");
    let heard = lap.fails(VAULT_PIN, &["sync", "now"]);
    assert!(
        heard.contains("replaced the root key or the Vault PIN"),
        "{heard}"
    );
    let behind = lap.fails(OTHER_PIN, &["sync", "now"]);
    assert!(behind.contains("wardkey pin adopt"), "{behind}");
    let wrong = lap.secret("old.txt", "none of the two that were");
    let refused = lap.fails(OTHER_PIN, &["pin", "adopt", "--old-vault-pin-file", &wrong]);
    assert!(
        refused.contains("one of the two Vault PINs is wrong"),
        "{refused}"
    );
    let old = lap.secret("old.txt", VAULT_PIN);
    lap.run_with(OTHER_PIN, &["pin", "adopt", "--old-vault-pin-file", &old]);
    assert_eq!(lap.users(OTHER_PIN), ["ann"]);
    let again = lap.fails(OTHER_PIN, &["pin", "adopt", "--old-vault-pin-file", &old]);
    assert!(again.contains("no older Vault PIN"), "{again}");
}

#[test]
fn nobody_is_changed_while_the_store_cannot_be_reached() {
    let (desk, _lap, store) = two_devices();
    let away = store.path().with_extension("away");
    std::fs::rename(store.path(), &away).unwrap();
    let new = desk.secret("new.txt", OTHER_PIN);
    let failed = desk.fails(VAULT_PIN, &["pin", "change", "--new-vault-pin-file", &new]);
    assert!(failed.contains("nothing was changed"), "{failed}");
    std::fs::rename(&away, store.path()).unwrap();
    desk.run(&["sync", "now"]);
}

#[test]
fn what_cannot_be_is_refused_in_two_lines() {
    let store = new_folder();
    let alone = Computer::new(new_vault());
    let approve = alone.fails(VAULT_PIN, &["device", "approve"]);
    assert!(approve.contains("wardkey sync setup URL"), "{approve}");
    let code = alone.fails(VAULT_PIN, &["device", "approve", "PKVP1:00"]);
    assert!(code.contains("this is not the code of a device"), "{code}");
    let add = alone.fails(VAULT_PIN, &["device", "add", text(store.path())]);
    assert!(add.contains("there is a vault in"), "{add}");
    let desk = Computer::first(store.path());
    let nobody = desk.fails(VAULT_PIN, &["device", "revoke", "lap", "--yes"]);
    assert!(
        nobody.contains("no device of the vault is called \"lap\""),
        "{nobody}"
    );
    let itself = desk.fails(VAULT_PIN, &["device", "revoke", "desk", "--yes"]);
    assert!(itself.contains("this is the device you are at"), "{itself}");
    for errors in [approve, code, add, nobody, itself] {
        assert_eq!(
            errors.lines().filter(|line| line.starts_with("hint: ")).count(),
            1,
            "{errors}"
        );
    }
}

/// The array of large blobs as a platform knows it: with a credential's key it finds and adds what belongs to that.
struct Array(Vec<u8>);

impl Array {
    fn of(client: &mut Client) -> Self {
        Self(client.read_large_blobs(1_000).unwrap())
    }

    fn elements(&self) -> Vec<Value> {
        let content = &self.0[..self.0.len() - 16];
        assert_eq!(serialize_large_blobs(content), self.0, "the check behind it");
        fido_client::from_bytes(content).unwrap().into_array().unwrap()
    }

    fn find(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        self.elements().iter().find_map(|element| {
            let member = |number: u8| {
                let members = element.as_map().unwrap().iter();
                let mut found = members.filter(|(key, _)| *key == Value::from(number));
                found.next().map(|(_, value)| value.clone()).unwrap()
            };
            let (text, nonce) = (member(1).into_bytes().unwrap(), member(2).into_bytes().unwrap());
            let size = u64::try_from(member(3).into_integer().unwrap()).unwrap();
            let nonce = Nonce::try_from(nonce.as_slice()).unwrap();
            let (aad, cipher) = (associated(size), Aes256Gcm::new(key.into()));
            cipher
                .decrypt(
                    &nonce,
                    Payload {
                        msg: &text,
                        aad: &aad,
                    },
                )
                .ok()
        })
    }

    fn with(&self, key: &[u8; 32], data: &[u8]) -> Vec<u8> {
        let aad = associated(1_000);
        let payload = Payload { msg: data, aad: &aad };
        let text = Aes256Gcm::new(key.into()).encrypt(&Nonce::default(), payload);
        let element = [
            (1, Value::from(text.unwrap())),
            (2, Value::from(vec![0; 12])),
            (3, Value::from(1_000)),
        ];
        let element = element.map(|(number, value)| (Value::from(number), value));
        let mut elements = self.elements();
        elements.push(Value::Map(element.into()));
        serialize_large_blobs(&fido_client::to_bytes(&Value::Array(elements)))
    }
}

fn associated(original_size: u64) -> Vec<u8> {
    [&b"blob"[..], &original_size.to_le_bytes()].concat()
}

#[test]
fn large_blobs_written_on_two_devices_that_do_not_reach_each_other_are_on_both() {
    let (desk, lap, store) = two_devices();
    let key = desk.start_key(VAULT_PIN);
    let mut client = key.connect();
    let [ann, bob]: [[u8; 32]; 2] = ["ann", "bob"].map(|user| {
        let wanted = [("largeBlobKey", Value::Bool(true))];
        let request = passkey_of(user).with_extensions(wanted);
        let made = client.make_credential(&request).unwrap().more;
        let key = made
            .into_iter()
            .find(|(number, _)| *number == Value::from(5))
            .unwrap()
            .1;
        key.into_bytes().unwrap().try_into().unwrap()
    });
    drop((client, key));
    for computer in [&desk, &lap] {
        computer.run(&["sync", "now"]);
    }
    let away = store.path().with_extension("away");
    std::fs::rename(store.path(), &away).unwrap();
    for (computer, key, data) in [(&desk, &ann, b"from desk"), (&lap, &bob, b"from lap.")] {
        let running = computer.start_key(VAULT_PIN);
        let mut client = running.connect();
        let array = Array::of(&mut client).with(key, data);
        client.write_large_blobs(None, &array, 1_000).unwrap();
    }
    std::fs::rename(&away, store.path()).unwrap();
    for computer in [&desk, &lap, &desk] {
        computer.run(&["sync", "now"]);
    }
    for computer in [&desk, &lap] {
        let running = computer.start_key(VAULT_PIN);
        let array = Array::of(&mut running.connect());
        assert_eq!(array.find(&ann).unwrap(), b"from desk");
        assert_eq!(array.find(&bob).unwrap(), b"from lap.");
    }
    assert!(!common::holds(store.path(), "from desk"));
}

#[test]
fn what_was_deleted_on_one_device_is_taken_back_on_the_other() {
    let (desk, lap, _store) = two_devices();
    desk.register(VAULT_PIN, "ann");
    assert_eq!(lap.users(VAULT_PIN), ["ann"]);
    let run = |computer: &Computer, arguments: &[&str]| {
        let key = computer.start_key(VAULT_PIN);
        let said = printed(computer.state.path(), arguments);
        drop(key);
        computer.run(&["sync", "now"]);
        said
    };
    let key = lap.start_key(VAULT_PIN);
    let [id] = listed(lap.state.path(), "id").try_into().unwrap();
    drop(key);
    run(&lap, &["delete", "--yes", "--", &id]);
    assert!(desk.users(VAULT_PIN).is_empty());
    let trash = run(&desk, &["trash", "list"]);
    assert!(trash.contains("ann"), "{trash}");
    run(&desk, &["trash", "restore", "--", &id]);
    assert_eq!(lap.users(VAULT_PIN), ["ann"]);
}
