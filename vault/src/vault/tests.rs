use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use super::*;
use crate::Event;
use crate::testing::{Disk, TestRng, passkey, root_key};

mod power_cut;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const PASSKEYS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("passkeys");

fn reset() -> Record {
    Record {
        unix_ms: 1_700_000_000_000,
        event: Event::Reset,
    }
}

fn open(disk: &Disk) -> Vault {
    Vault::open(disk.clone(), &root_key(1), &mut TestRng(1_000_000)).unwrap()
}

fn open_error(disk: &Disk) -> Error {
    Vault::open(disk.clone(), &root_key(1), &mut TestRng(2_000_000))
        .err()
        .unwrap()
}

fn store(vault: &mut Vault, rng: &mut TestRng, rp_id: &str, user: &str) {
    let passkey = passkey(rng, rp_id, user);
    vault.store(rng, passkey, None).unwrap();
}

/// A disk with a vault and a passkey for each of `users` at example.org.
fn disk_with(users: &[&str]) -> Disk {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    for user in users {
        store(&mut vault, &mut rng, "example.org", user);
    }
    disk
}

/// Changes the database behind the vault's back.
fn edit(disk: &Disk, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

fn rows(disk: &Disk) -> Vec<([u8; 16], Vec<u8>)> {
    let database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let table = database.begin_read().unwrap().open_table(PASSKEYS).unwrap();
    table
        .iter()
        .unwrap()
        .map(|row| row.unwrap())
        .map(|(id, value)| (*id.value(), value.value().to_vec()))
        .collect()
}

fn rp() -> RpIdHash {
    RpIdHash::of("example.org")
}

fn users(vault: &Vault) -> Vec<Vec<u8>> {
    let load = |entry: &Entry| vault.load(&entry.id).unwrap().unwrap().user_id;
    vault.entries().iter().map(load).collect()
}

// --- stored credentials -------------------------------------------------------------------------------------------

#[test]
fn a_stored_passkey_is_there_after_reopening() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let stored = passkey(&mut rng, "example.org", "ann");
    let (id, private_key) = (stored.id.clone(), stored.private_key.expose_secret().to_vec());
    open(&disk).store(&mut rng, stored, None).unwrap();

    let vault = open(&disk);
    assert_eq!(
        vault.find_by_rp(&rp(), CredProtect::Required),
        std::slice::from_ref(&id)
    );
    let loaded = vault.load(&id).unwrap().unwrap();
    assert_eq!(loaded.private_key.expose_secret(), private_key);
    assert_eq!(
        (loaded.rp_id.as_str(), loaded.user_id.as_slice()),
        ("example.org", b"ann".as_slice())
    );
    assert_eq!(loaded.user_name.as_deref(), Some("ann@example.org"));
}

#[test]
fn unknown_ids_and_relying_parties_have_nothing() {
    let vault = open(&disk_with(&["ann"]));
    assert!(vault.load(&CredentialId::new(&[1]).unwrap()).unwrap().is_none());
    assert!(
        vault
            .find_by_rp(&RpIdHash::of("example.com"), CredProtect::Required)
            .is_empty()
    );
}

#[test]
fn the_same_account_is_replaced_and_others_are_not() {
    let disk = disk_with(&["ann", "bob", "ann"]);
    let mut rng = TestRng(50);
    store(&mut open(&disk), &mut rng, "example.com", "ann");
    let vault = open(&disk);
    assert_eq!(vault.find_by_rp(&rp(), CredProtect::Required).len(), 2);
    assert_eq!(users(&vault), [b"bob", b"ann", b"ann"]);
    assert_eq!(rows(&disk).len(), 3);
}

#[test]
fn a_repeated_credential_id_replaces_too() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let (one, mut other) = (
        passkey(&mut rng, "example.org", "ann"),
        passkey(&mut rng, "example.org", "bob"),
    );
    other.id = one.id.clone();
    vault.store(&mut rng, one, None).unwrap();
    vault.store(&mut rng, other, None).unwrap();
    assert_eq!(users(&vault), [b"bob"]);
    assert_eq!(users(&open(&disk)), [b"bob"]);
}

#[test]
fn newest_comes_first_even_when_the_clock_stands_still_or_goes_back() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut stored = Vec::new();
    for (user, clock) in [("a", 5_000), ("b", 5_000), ("c", 1), ("d", 6_000)] {
        let mut passkey = passkey(&mut rng, "example.org", user);
        passkey.created_unix_ms = clock;
        stored.insert(0, passkey.id.clone());
        open(&disk).store(&mut rng, passkey, None).unwrap();
    }
    let vault = open(&disk);
    assert_eq!(vault.find_by_rp(&rp(), CredProtect::Required), stored);
    let times: Vec<u64> = vault
        .entries()
        .iter()
        .map(|entry| entry.created_unix_ms)
        .collect();
    assert_eq!(times, [5_000, 5_001, 5_002, 6_000]);
}

#[test]
fn a_deleted_passkey_is_gone_for_good() {
    let disk = disk_with(&["ann", "bob"]);
    let mut vault = open(&disk);
    let id = vault.find_by_rp(&rp(), CredProtect::Required).remove(0);
    assert!(vault.delete(&mut TestRng(60), &id, None).unwrap());
    assert!(!vault.delete(&mut TestRng(60), &id, None).unwrap());
    drop(vault);
    let vault = open(&disk);
    assert!(vault.load(&id).unwrap().is_none());
    assert_eq!(users(&vault), [b"ann"]);
    assert_eq!(rows(&disk).len(), 1);
}

#[test]
fn a_passkey_that_is_too_large_changes_nothing() {
    let disk = disk_with(&["ann"]);
    let (mut vault, mut rng) = (open(&disk), TestRng(50));
    let mut large = passkey(&mut rng, "example.org", "ann");
    large.rp_name = Some("n".repeat(20_000));
    assert!(matches!(vault.store(&mut rng, large, None), Err(Error::TooLarge)));
    assert_eq!(users(&vault), [b"ann"]);
}

// --- wrapped credentials, counter, reset ----------------------------------------------------------------------------

#[test]
fn a_wrapped_credential_opens_after_reopening() {
    let disk = Disk::default();
    let id = open(&disk)
        .wrap(&mut TestRng(0), &rp(), Profile::DeviceBound, &[7; 32])
        .unwrap();
    let (profile, secret) = open(&disk).unwrap(&rp(), &id).unwrap();
    assert_eq!(
        (profile, secret.as_slice()),
        (Profile::DeviceBound, [7; 32].as_slice())
    );
}

#[test]
fn the_signature_counter_only_rises() {
    let disk = Disk::default();
    for count in 1..=5 {
        assert_eq!(
            open(&disk).next_signature_count(&mut TestRng(70), None).unwrap(),
            count
        );
    }
}

#[test]
fn reset_leaves_nothing_but_the_counter() {
    let disk = disk_with(&["ann", "bob"]);
    let mut vault = open(&disk);
    let wrapped = vault
        .wrap(&mut TestRng(0), &rp(), Profile::U2f, &[7; 32])
        .unwrap();
    let stored = vault.find_by_rp(&rp(), CredProtect::Required).remove(0);
    assert_eq!(vault.next_signature_count(&mut TestRng(70), None).unwrap(), 1);
    vault.reset(&mut TestRng(3), &reset()).unwrap();

    for vault in [vault, open(&disk)] {
        assert!(vault.is_empty());
        assert!(vault.load(&stored).unwrap().is_none());
        assert!(vault.unwrap(&rp(), &wrapped).is_none());
    }
    assert!(rows(&disk).is_empty());
    let mut vault = open(&disk);
    assert_eq!(vault.next_signature_count(&mut TestRng(70), None).unwrap(), 2);
    store(&mut vault, &mut TestRng(4), "example.org", "ann");
    assert_eq!(users(&open(&disk)), [b"ann"]);
}

#[test]
fn a_record_from_before_the_reset_does_not_come_back() {
    let disk = disk_with(&["ann"]);
    let (row, sealed) = rows(&disk).remove(0);
    open(&disk).reset(&mut TestRng(3), &reset()).unwrap();
    edit(&disk, |transaction| {
        transaction
            .open_table(PASSKEYS)
            .unwrap()
            .insert(&row, sealed.as_slice())
            .unwrap();
    });
    assert!(matches!(open_error(&disk), Error::Tampered));
}

// --- someone edits the database -------------------------------------------------------------------------------------

#[test]
fn another_root_key_is_refused_and_changes_nothing() {
    let disk = disk_with(&["ann"]);
    let error = Vault::open(disk.clone(), &root_key(2), &mut TestRng(0))
        .err()
        .unwrap();
    assert!(matches!(error, Error::WrongRootKey));
    assert_eq!(users(&open(&disk)), [b"ann"]);
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let disk = disk_with(&["ann"]);
    edit(&disk, |transaction| {
        let newer = (FORMAT + 1).to_be_bytes();
        transaction
            .open_table(META)
            .unwrap()
            .insert("format", newer.as_slice())
            .unwrap();
    });
    assert!(matches!(
        open_error(&disk),
        Error::NewerFormat {
            found,
            supported: FORMAT
        } if found == FORMAT + 1
    ));
}

/// Format 3 has all that format 4 has, but for devices that sync.
#[test]
fn a_database_of_format_3_keeps_its_log() {
    let disk = disk_with(&["ann"]);
    let mut vault = open(&disk);
    let id = vault.entries().remove(0).id;
    vault.delete(&mut TestRng(3), &id, Some(&reset())).unwrap();
    drop(vault);
    let set = |format: u64| {
        edit(&disk, |transaction| {
            let mut meta = transaction.open_table(META).unwrap();
            meta.insert("format", format.to_be_bytes().as_slice()).unwrap();
        });
    };
    set(3);
    let vault = open(&disk);
    assert_eq!(vault.log(None).unwrap().count(), 1);
    drop(vault);
    let database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    let format = meta.get("format").unwrap().unwrap().value().to_vec();
    assert_eq!(format, FORMAT.to_be_bytes());
}

#[test]
fn swapped_rows_are_refused() {
    let disk = disk_with(&["ann", "bob"]);
    let [(one, ann), (other, bob)] = rows(&disk).try_into().unwrap();
    edit(&disk, |transaction| {
        let mut table = transaction.open_table(PASSKEYS).unwrap();
        table.insert(&one, bob.as_slice()).unwrap();
        table.insert(&other, ann.as_slice()).unwrap();
    });
    assert!(matches!(open_error(&disk), Error::Tampered));
}

#[test]
fn a_copied_row_is_refused() {
    let disk = disk_with(&["ann"]);
    let (_, ann) = rows(&disk).remove(0);
    edit(&disk, |transaction| {
        transaction
            .open_table(PASSKEYS)
            .unwrap()
            .insert(&[9; 16], ann.as_slice())
            .unwrap();
    });
    assert!(matches!(open_error(&disk), Error::Tampered));
}

#[test]
fn a_row_of_another_vault_with_the_same_root_key_is_refused() {
    let other = Disk::default();
    let mut rng = TestRng(77);
    let mut vault = Vault::open(other.clone(), &root_key(1), &mut TestRng(3_000_000)).unwrap();
    store(&mut vault, &mut rng, "example.org", "eve");
    drop(vault);
    let (row, eve) = rows(&other).remove(0);

    let disk = disk_with(&["ann"]);
    edit(&disk, |transaction| {
        transaction
            .open_table(PASSKEYS)
            .unwrap()
            .insert(&row, eve.as_slice())
            .unwrap();
    });
    assert!(matches!(open_error(&disk), Error::Tampered));
}

#[test]
fn a_row_swapped_while_the_vault_is_open_is_refused() {
    // The database of an open vault cannot be edited here, so a vault is given the index of another one.
    let disk = disk_with(&["ann", "bob"]);
    let mut vault = open(&disk);
    let [ann, bob] = vault.entries().try_into().unwrap();
    let row = vault.index.row(&bob.id).unwrap();
    let record = vault.load(&ann.id).unwrap().unwrap();
    vault.index.remove(&ann.id);
    vault.index.insert(&record, row).unwrap();
    assert!(matches!(vault.load(&ann.id), Err(Error::Tampered)));
}

#[test]
fn every_changed_byte_of_the_meta_rows_is_refused() {
    let disk = disk_with(&["ann"]);
    for name in ["format", "vault", "keyring", "counter", "log"] {
        let database = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
        let table = database.begin_read().unwrap().open_table(META).unwrap();
        let value = table.get(name).unwrap().unwrap().value().to_vec();
        drop((table, database));
        for at in (0..value.len()).step_by(7).chain([value.len() - 1]) {
            let mut changed = value.clone();
            changed[at] ^= 0x10;
            let copy = Disk::with(disk.content());
            edit(&copy, |transaction| {
                transaction
                    .open_table(META)
                    .unwrap()
                    .insert(name, changed.as_slice())
                    .unwrap();
            });
            let error = open_error(&copy);
            let expected = match name {
                "format" => matches!(error, Error::NewerFormat { .. }),
                _ => matches!(error, Error::Tampered | Error::WrongRootKey),
            };
            assert!(expected, "{name}, byte {at}: {error:?}");
        }
        edit(&disk, |transaction| {
            let mut table = transaction.open_table(META).unwrap();
            assert_eq!(table.get(name).unwrap().unwrap().value(), value);
            table.insert("unknown", [0].as_slice()).unwrap();
        });
    }
}

#[test]
fn a_missing_meta_row_is_refused_and_not_made_anew() {
    for name in ["format", "vault", "keyring", "counter", "log"] {
        let disk = disk_with(&["ann"]);
        edit(&disk, |transaction| {
            transaction.open_table(META).unwrap().remove(name).unwrap();
        });
        assert!(matches!(open_error(&disk), Error::Tampered), "{name}");
    }
}

// --- documents and the store state ---------------------------------------------------------------------------------

fn document(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

#[test]
fn documents_stay_apart_and_survive_reopening() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    for written in Document::ALL {
        assert!(vault.document(written).unwrap().is_none());
        let content = document(&format!("{written:?}"));
        vault.put_document(&mut rng, written, content, None).unwrap();
    }
    let vault = open(&disk);
    for read in Document::ALL {
        assert_eq!(
            vault.document(read).unwrap(),
            Some(document(&format!("{read:?}")))
        );
    }
}

#[test]
fn a_document_has_a_bound() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let mut put =
        |len| vault.put_document(&mut rng, Document::LargeBlobs, Zeroizing::new(vec![1; len]), None);
    assert!(put(Document::LEN_MAX).is_ok());
    assert!(matches!(put(Document::LEN_MAX + 1), Err(Error::TooLarge)));
}

#[test]
fn a_document_in_the_place_of_another_is_refused() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let content = document("state");
    vault
        .put_document(&mut rng, Document::AuthenticatorState, content, None)
        .unwrap();
    drop(vault);
    edit(&disk, |transaction| {
        let mut meta = transaction.open_table(META).unwrap();
        let state = meta.get("authenticator").unwrap().unwrap().value().to_vec();
        meta.insert("large-blobs", state.as_slice()).unwrap();
    });
    assert!(matches!(
        open(&disk).document(Document::LargeBlobs),
        Err(Error::Tampered)
    ));
}

#[test]
fn a_reset_keeps_the_attestation_authority_only() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    for written in Document::ALL {
        vault
            .put_document(&mut rng, written, document("kept"), None)
            .unwrap();
    }
    vault.reset(&mut rng, &reset()).unwrap();
    let vault = open(&disk);
    for read in Document::ALL {
        let expected = (read == Document::Attestation).then(|| document("kept"));
        assert_eq!(vault.document(read).unwrap(), expected, "{read:?}");
    }
}

#[test]
fn the_store_state_changes_with_every_change_and_survives_reopening() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let mut states = vec![vault.store_state()];
    let mut check = |vault: &Vault| {
        assert!(!states.contains(&vault.store_state()));
        states.push(vault.store_state());
    };
    store(&mut vault, &mut rng, "example.org", "ann");
    check(&vault);
    let id = vault.entries().remove(0).id;
    let mut passkey = vault.load(&id).unwrap().unwrap();
    passkey.user_name = Some("anna".to_owned());
    assert!(vault.update(&mut rng, &passkey, None).unwrap());
    check(&vault);
    assert_eq!(open(&disk).store_state(), vault.store_state());
    vault.delete(&mut rng, &id, None).unwrap();
    check(&vault);
    vault.reset(&mut rng, &reset()).unwrap();
    check(&vault);
    let before = vault.store_state();
    vault.next_signature_count(&mut TestRng(70), None).unwrap();
    assert!(!vault.update(&mut rng, &passkey, None).unwrap());
    assert_eq!(vault.store_state(), before);
}

#[test]
fn an_updated_passkey_keeps_its_place_in_the_order() {
    let (disk, mut rng) = (disk_with(&["ann", "bob"]), TestRng(50));
    let mut vault = open(&disk);
    let ann = vault.entries().remove(0).id;
    let mut passkey = vault.load(&ann).unwrap().unwrap();
    passkey.user_name = None;
    vault.update(&mut rng, &passkey, None).unwrap();
    for vault in [vault, open(&disk)] {
        assert_eq!(users(&vault), [b"ann", b"bob"]);
        assert_eq!(vault.load(&ann).unwrap().unwrap().user_name, None);
    }
}

#[test]
fn relying_parties_are_counted_and_walked() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let names = ["a.example", "b.example", "c.example"];
    for (rp, user) in names.iter().flat_map(|rp| [(rp, "ann"), (rp, "bob")]) {
        store(&mut vault, &mut rng, rp, user);
    }
    let walk = |vault: &Vault| {
        let next = |rp: &RpIdHash| vault.next_relying_party(Some(rp));
        std::iter::successors(vault.next_relying_party(None), next).collect::<Vec<_>>()
    };
    let mut expected = names.map(RpIdHash::of).to_vec();
    expected.sort();
    assert_eq!(walk(&vault), expected);
    assert_eq!(vault.relying_parties(), 3);
    for id in vault.find_by_rp(&expected[0], CredProtect::Required) {
        vault.delete(&mut rng, &id, None).unwrap();
    }
    assert_eq!(walk(&vault), expected[1..]);
    assert_eq!(vault.relying_parties(), 2);
    assert_eq!(vault.next_relying_party(Some(&RpIdHash([0xFF; 32]))), None);
}

#[test]
fn protected_passkeys_are_found_by_those_who_may() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let levels = [
        CredProtect::Optional,
        CredProtect::OptionalWithList,
        CredProtect::Required,
    ];
    for level in levels {
        let mut passkey = passkey(&mut rng, "example.org", &format!("{level:?}"));
        passkey.cred_protect = level;
        vault.store(&mut rng, passkey, None).unwrap();
    }
    for vault in [vault, open(&disk)] {
        for (level, count) in levels.into_iter().zip(1..) {
            assert_eq!(vault.find_by_rp(&rp(), level).len(), count);
        }
    }
}

#[test]
fn a_database_of_format_1_is_brought_up_to_date() {
    let disk = disk_with(&["ann"]);
    edit(&disk, |transaction| {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", 1_u64.to_be_bytes().as_slice()).unwrap();
        meta.remove("store-state").unwrap();
        meta.remove("log").unwrap();
    });
    let vault = open(&disk);
    assert_eq!(users(&vault), [b"ann"]);
    let state = vault.store_state();
    drop(vault);
    assert_eq!(open(&disk).store_state(), state);
}

#[test]
fn a_database_of_format_2_is_given_a_log() {
    let disk = disk_with(&["ann"]);
    let state = open(&disk).store_state();
    edit(&disk, |transaction| {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", 2_u64.to_be_bytes().as_slice()).unwrap();
        meta.remove("log").unwrap();
    });
    let mut vault = open(&disk);
    assert_eq!(vault.store_state(), state);
    assert_eq!(vault.log(None).unwrap().origin(), LogOrigin::Upgrade);
    vault.record(&mut TestRng(50), &reset()).unwrap();
    drop(vault);
    let vault = open(&disk);
    assert_eq!(users(&vault), [b"ann"]);
    let log = vault.log(None).unwrap();
    assert_eq!((log.origin(), log.count()), (LogOrigin::Upgrade, 1));
}

#[test]
fn what_is_no_database_is_refused() {
    for content in [vec![0; 4096], b"not a database".to_vec(), vec![0xff; 100_000]] {
        let disk = Disk::with(content.clone());
        assert!(matches!(open_error(&disk), Error::Database(_) | Error::Corrupted));
        assert_eq!(disk.content(), content);
    }
}

/// R-05, as far as one database goes. A copy is put back and used again, with other randomness, as on two devices. Whatever
/// has the same prefix and header, and so the same key, has the same bytes. Mutation: `seal::fresh` gives the same bytes
/// each time; `VaultKey::count_unique` does not depend on the count.
#[test]
fn a_copy_that_was_put_back_uses_no_key_twice() {
    let disk = disk_with(&["ann"]);
    let mut sealed = std::collections::BTreeMap::new();
    let (mut seen, mut seen_again) = (0, 0);
    for life in 1..=3 {
        let disk = Disk::with(disk.content());
        let rng = &mut TestRng(life << 40);
        let mut vault = Vault::open(disk.clone(), &root_key(1), rng).unwrap();
        for step in 0..4 {
            store(&mut vault, rng, "example.org", &format!("{life} {step}"));
            let text = document(&format!("{life} {step}"));
            vault
                .put_document(rng, Document::LargeBlobs, text, Some(&reset()))
                .unwrap();
            for _ in 0..life {
                vault.next_signature_count(rng, Some(&reset())).unwrap();
            }
            vault.flush().unwrap();
            for object in sealed_objects(&vault) {
                let header_len = u32::from_be_bytes(object[8..12].try_into().unwrap());
                let start = object[..12 + usize::try_from(header_len).unwrap()].to_vec();
                seen += 1;
                match sealed.insert(start, object.clone()) {
                    None => {}
                    Some(before) => {
                        assert!(before == object, "one key for two payloads");
                        seen_again += 1;
                    }
                }
            }
        }
    }
    // What was on the copy, and the counts that were reached more than once.
    assert!(seen > 100 && seen_again > 20, "{seen} {seen_again}");
}

/// All that is sealed in the database.
fn sealed_objects(vault: &Vault) -> Vec<Vec<u8>> {
    let mut objects = Vec::new();
    vault
        .database
        .passkeys(|_, sealed| {
            objects.push(sealed.to_vec());
            Ok(())
        })
        .unwrap();
    for meta in [
        Meta::Keyring,
        Meta::Counter,
        Meta::StoreState,
        Meta::LargeBlobs,
        Meta::LogHead,
    ] {
        objects.extend(vault.database.meta(meta).unwrap());
    }
    objects.extend((1..100).map_while(|number| vault.database.log_entry(number).unwrap()));
    objects
}

#[test]
fn nothing_that_identifies_is_readable_on_the_disk() {
    let (disk, mut rng) = (Disk::default(), TestRng(0));
    let mut vault = open(&disk);
    let stored = passkey(&mut rng, "very-secret-site.example", "unmistakable-user");
    let (id, private_key) = (stored.id.clone(), stored.private_key.expose_secret().to_vec());
    vault.store(&mut rng, stored, None).unwrap();
    let content = disk.content();
    let (hash, root_key) = (RpIdHash::of("very-secret-site.example").0, root_key(1));
    let planted: [&[u8]; 6] = [
        b"secret-site",
        b"unmistakable",
        id.as_bytes(),
        &private_key,
        &hash,
        root_key.expose_secret(),
    ];
    for needle in planted {
        assert!(
            !content.windows(needle.len()).any(|window| window == needle),
            "{needle:?}"
        );
    }
}

#[test]
fn flipped_bits_anywhere_are_refused_or_do_no_harm() {
    let disk = disk_with(&["ann", "bob"]);
    let content = disk.content();
    // Where there is anything, every 29th byte; of the free space, a little.
    let used: Vec<usize> = (0..content.len())
        .filter(|at| content[*at] != 0)
        .step_by(29)
        .collect();
    let free = (0..content.len()).step_by(content.len() / 50);
    let mut refused = 0;
    for at in used.into_iter().chain(free) {
        let mut changed = content.clone();
        changed[at] ^= 1 << (at % 8);
        match Vault::open(Disk::with(changed), &root_key(1), &mut TestRng(0)) {
            Ok(vault) => assert_eq!(users(&vault), [b"ann", b"bob"], "byte {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20, "only {refused} flips were refused");
}

/// A disk whose driver panics when it is told to.
#[derive(Debug)]
struct Panicking(Disk, std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Panicking {
    fn now(&self) {
        assert!(
            !self.1.load(std::sync::atomic::Ordering::Relaxed),
            "a page makes no sense"
        );
    }
}

impl StorageBackend for Panicking {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.now();
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.now();
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.now();
        self.0.write(offset, data)
    }
}

#[test]
fn a_panic_in_the_database_ends_the_vault_and_not_the_program() {
    let (disk, panicking) = (disk_with(&["ann"]), std::sync::Arc::default());
    let backend = Panicking(disk.clone(), std::sync::Arc::clone(&panicking));
    let mut vault = Vault::open(backend, &root_key(1), &mut TestRng(0)).unwrap();
    panicking.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(
        vault.next_signature_count(&mut TestRng(70), None),
        Err(Error::Corrupted)
    ));
    panicking.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(
        vault.next_signature_count(&mut TestRng(70), None),
        Err(Error::Corrupted)
    ));
    let id = vault.entries().remove(0).id;
    assert!(matches!(vault.load(&id), Err(Error::Corrupted)));
    panicking.store(true, std::sync::atomic::Ordering::Relaxed);
    drop(vault);
    assert_eq!(users(&open(&disk)), [b"ann"]);
}

#[test]
fn a_panic_while_opening_is_an_error() {
    let panicking = std::sync::Arc::new(true.into());
    let error = Vault::open(
        Panicking(disk_with(&["ann"]), panicking),
        &root_key(1),
        &mut TestRng(0),
    )
    .err()
    .unwrap();
    assert!(matches!(error, Error::Corrupted));
}
