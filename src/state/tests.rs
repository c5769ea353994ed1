use std::fs;

use tempfile::TempDir;

use super::testing::{mode, new_folder, set_mode};
use super::*;

fn open(folder: &TempDir) -> Result<State, Error> {
    State::open(Some(folder.path()))
}

fn error(folder: &TempDir) -> Error {
    open(folder).err().unwrap()
}

fn count(folder: &TempDir) -> u32 {
    open(folder)
        .unwrap()
        .vault_mut()
        .next_signature_count(&mut host::rng(), None)
        .unwrap()
}

#[test]
fn a_new_folder_gets_a_key_and_a_database_for_their_owner_alone() {
    let folder = new_folder();
    drop(open(&folder).unwrap());
    for name in ["lock", "root.key", "vault.redb"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
    assert_eq!(fs::read(folder.path().join("root.key")).unwrap().len(), 32);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn what_was_kept_is_there_the_next_time() {
    let folder = new_folder();
    assert_eq!((count(&folder), count(&folder)), (1, 2));
}

#[test]
fn two_folders_have_two_keys() {
    let (one, other) = (new_folder(), new_folder());
    drop((open(&one).unwrap(), open(&other).unwrap()));
    let key = |folder: &TempDir| fs::read(folder.path().join("root.key")).unwrap();
    assert_ne!(key(&one), key(&other));
}

#[test]
fn a_second_one_is_refused_and_told_who_is_there() {
    let folder = new_folder();
    let first = open(&folder).unwrap();
    let refused = error(&folder);
    assert!(matches!(refused, Error::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(refused.hint().contains(&format!("kill {}", std::process::id())));
    let (vault, held) = first.into_vault().unwrap();
    drop(vault);
    assert!(matches!(error(&folder), Error::InUse { .. }));
    drop(held);
    drop(open(&folder).unwrap());
}

#[test]
fn a_missing_key_is_an_error_that_loses_nothing() {
    let folder = new_folder();
    assert_eq!(count(&folder), 1);
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("root.key"), at("elsewhere")).unwrap();
    assert!(matches!(error(&folder), Error::KeyMissing { .. }));
    assert!(!at("root.key").exists());
    fs::rename(at("elsewhere"), at("root.key")).unwrap();
    assert_eq!(count(&folder), 2);
}

#[test]
fn the_key_of_another_folder_is_refused() {
    let (folder, other) = (new_folder(), new_folder());
    drop((open(&folder).unwrap(), open(&other).unwrap()));
    fs::copy(other.path().join("root.key"), folder.path().join("root.key")).unwrap();
    let refused = error(&folder);
    assert!(matches!(
        refused,
        Error::Vault {
            source: wardkey_vault::Error::WrongRootKey,
            ..
        }
    ));
    assert!(refused.hint().contains("belong together"));
}

#[test]
fn a_key_of_another_length_is_refused() {
    for len in [0, 31, 33, 1000] {
        let folder = new_folder();
        drop(open(&folder).unwrap());
        fs::write(folder.path().join("root.key"), vec![1; len]).unwrap();
        assert!(matches!(error(&folder), Error::KeyDamaged(_)), "{len} bytes");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = new_folder();
    drop(open(&folder).unwrap());
    set_mode(&folder.path().join("root.key"), 0o644);
    assert!(matches!(error(&folder), Error::OpenToOthers { mode: 0o644, .. }));
}

#[test]
fn a_key_that_is_only_readable_serves() {
    let folder = new_folder();
    drop(open(&folder).unwrap());
    set_mode(&folder.path().join("root.key"), 0o400);
    drop(open(&folder).unwrap());
}

#[test]
fn an_empty_database_is_not_taken_for_a_new_one() {
    let folder = new_folder();
    drop(open(&folder).unwrap());
    fs::write(folder.path().join("vault.redb"), "").unwrap();
    assert!(matches!(error(&folder), Error::DatabaseEmpty(_)));
}

#[test]
fn a_damaged_database_is_refused() {
    let folder = new_folder();
    drop(open(&folder).unwrap());
    fs::write(folder.path().join("vault.redb"), "no database").unwrap();
    assert!(matches!(error(&folder), Error::Vault { .. }));
}

#[test]
fn what_an_interrupted_first_start_left_is_no_obstacle() {
    let folder = new_folder();
    fs::write(folder.path().join("root.key.new"), [1; 7]).unwrap();
    fs::write(folder.path().join("vault.redb.new"), [0; 4096]).unwrap();
    assert_eq!((count(&folder), count(&folder)), (1, 2));

    // The key was made, and then the power went.
    let folder = new_folder();
    drop(open(&folder).unwrap());
    fs::remove_file(folder.path().join("vault.redb")).unwrap();
    let key = fs::read(folder.path().join("root.key")).unwrap();
    assert_eq!((count(&folder), count(&folder)), (1, 2));
    assert_eq!(fs::read(folder.path().join("root.key")).unwrap(), key);
}

#[test]
fn looking_at_a_folder_that_was_never_used_makes_nothing() {
    let folder = new_folder();
    assert!(State::open_existing(Some(folder.path())).unwrap().is_none());
    assert!(
        State::open_existing(Some(&folder.path().join("none")))
            .unwrap()
            .is_none()
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_error_says_what_to_do() {
    let path = || PathBuf::from("/state/it's here");
    let io = |kind: io::ErrorKind| Error::Io {
        doing: "open",
        path: path(),
        source: kind.into(),
    };
    let vault = |source| Error::Vault { path: path(), source };
    let errors = [
        Error::NoHome,
        Error::SymbolicLink(path()),
        Error::NotAFolder(path()),
        Error::NotAFile(path()),
        Error::NotYours {
            path: path(),
            owner: 0,
        },
        Error::OpenToOthers {
            path: path(),
            mode: 0o755,
            folder: true,
        },
        Error::InUse {
            folder: path(),
            pid: None,
        },
        Error::KeyMissing {
            key: path(),
            database: path(),
        },
        Error::KeyDamaged(path()),
        Error::DatabaseEmpty(path()),
        vault(wardkey_vault::Error::Tampered),
        vault(wardkey_vault::Error::NewerFormat {
            found: 2,
            supported: 1,
        }),
        io(io::ErrorKind::PermissionDenied),
        io(io::ErrorKind::StorageFull),
        io(io::ErrorKind::ReadOnlyFilesystem),
        io(io::ErrorKind::Other),
    ];
    for error in errors {
        assert!(!error.to_string().contains('\n') && !error.hint().contains('\n'));
        assert!(error.hint().len() > 10, "{error}");
    }
    let hint = Error::OpenToOthers {
        path: path(),
        mode: 0o755,
        folder: true,
    }
    .hint();
    assert!(hint.ends_with(r"chmod 700 '/state/it'\''s here'"), "{hint}");
}
