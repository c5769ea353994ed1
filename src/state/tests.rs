use std::fs;

use tempfile::TempDir;

use super::testing::{new_folder, open_bare, set_mode};
use super::*;

fn open(folder: &TempDir) -> Result<Option<State>, Error> {
    State::open(Some(folder.path()))
}

fn error(folder: &TempDir) -> Error {
    open(folder).err().unwrap()
}

/// A folder from before there were Vault PINs.
fn of_before() -> TempDir {
    let folder = new_folder();
    drop(open_bare(folder.path()));
    folder
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_folder_of_before_is_told_how_it_gets_a_vault_pin_and_stays_as_it_is() {
    let folder = of_before();
    let before = fs::read(folder.path().join("root.key")).unwrap();
    let refused = error(&folder);
    assert!(matches!(refused, Error::WithoutPin(_)), "{refused}");
    assert!(refused.hint().contains("wardkey init"));
    assert_eq!(fs::read(folder.path().join("root.key")).unwrap(), before);
    assert_eq!(names(&folder), ["lock", "root.key", "vault.redb"]);
    assert!(!Beginning::open(Some(folder.path())).unwrap().unwrap().is_new());
}

#[test]
fn a_second_one_is_refused_and_told_who_is_there() {
    let folder = new_folder();
    let (vault, held) = open_bare(folder.path());
    let refused = error(&folder);
    assert!(matches!(refused, Error::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(refused.hint().contains(&format!("kill {}", std::process::id())));
    drop(vault);
    assert!(matches!(error(&folder), Error::InUse { .. }));
    drop(held);
    assert!(matches!(error(&folder), Error::WithoutPin(_)));
}

#[test]
fn a_missing_key_is_an_error_that_loses_nothing() {
    let folder = of_before();
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("root.key"), at("elsewhere")).unwrap();
    assert!(matches!(error(&folder), Error::KeyMissing { .. }));
    assert!(!at("root.key").exists());
    fs::rename(at("elsewhere"), at("root.key")).unwrap();
    assert!(matches!(error(&folder), Error::WithoutPin(_)));
}

#[test]
fn the_key_of_another_folder_is_refused() {
    let folder = of_before();
    fs::write(folder.path().join("root.key"), [1; 32]).unwrap();
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
        let folder = of_before();
        fs::write(folder.path().join("root.key"), vec![1; len]).unwrap();
        assert!(matches!(error(&folder), Error::KeyDamaged(_)), "{len} bytes");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = of_before();
    set_mode(&folder.path().join("root.key"), 0o644);
    assert!(matches!(error(&folder), Error::OpenToOthers { mode: 0o644, .. }));
}

#[test]
fn a_key_that_is_only_readable_serves() {
    let folder = of_before();
    set_mode(&folder.path().join("root.key"), 0o400);
    assert!(matches!(error(&folder), Error::WithoutPin(_)));
}

#[test]
fn an_empty_database_is_not_taken_for_a_new_one() {
    let folder = of_before();
    fs::write(folder.path().join("vault.redb"), "").unwrap();
    assert!(matches!(error(&folder), Error::DatabaseEmpty(_)));
    let beginning = Beginning::open(Some(folder.path()));
    assert!(matches!(beginning.err().unwrap(), Error::DatabaseEmpty(_)));
}

#[test]
fn a_damaged_database_is_refused() {
    let folder = of_before();
    fs::write(folder.path().join("vault.redb"), "no database").unwrap();
    assert!(matches!(error(&folder), Error::Vault { .. }));
}

#[test]
fn looking_at_a_folder_that_was_never_used_makes_nothing() {
    let folder = new_folder();
    assert!(State::open(Some(folder.path())).unwrap().is_none());
    assert!(State::open(Some(&folder.path().join("none"))).unwrap().is_none());
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
        Error::WithoutPin(path()),
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
