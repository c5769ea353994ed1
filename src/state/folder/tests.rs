use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;
use crate::state::testing::{mode, new_folder, set_mode};

fn locate_default(state_home: Option<&str>, home: Option<&str>) -> Option<PathBuf> {
    locate(None, state_home.map(OsString::from), home.map(OsString::from)).ok()
}

#[test]
fn the_default_folder_follows_the_xdg_specification() {
    assert_eq!(locate_default(Some("/s"), Some("/h")), Some("/s/wardkey".into()));
    assert_eq!(
        locate_default(None, Some("/h")),
        Some("/h/.local/state/wardkey".into())
    );
    assert_eq!(
        locate_default(Some("relative"), Some("/h")),
        Some("/h/.local/state/wardkey".into())
    );
    assert_eq!(locate_default(Some(""), None), None);
}

#[test]
fn a_given_folder_goes_before_the_default() {
    let found = locate(Some(Path::new("given/")), Some("/s".into()), None).unwrap();
    assert_eq!(found.as_os_str(), "given");
}

#[test]
fn a_missing_folder_is_made_for_its_owner_alone() {
    let parent = new_folder();
    let path = parent.path().join("a/b");
    assert!(Folder::open(&path).unwrap().is_none());
    Folder::open_or_create(&path).unwrap();
    assert_eq!((mode(&path), mode(&parent.path().join("a"))), (0o700, 0o700));
}

#[test]
fn a_folder_that_others_can_use_is_refused() {
    let folder = new_folder();
    for mode in [0o701, 0o710, 0o740, 0o755, 0o777] {
        set_mode(folder.path(), mode);
        let error = Folder::open_or_create(folder.path()).err().unwrap();
        assert!(matches!(error, Error::OpenToOthers { mode: found, .. } if found == mode));
        assert_eq!(
            error.hint().split(": ").last().unwrap(),
            format!("chmod 700 {}", folder.path().display())
        );
    }
}

#[test]
fn a_folder_of_another_user_is_refused() {
    // Everyone has a root folder that is not theirs, except root.
    if !geteuid().is_root() {
        assert!(matches!(
            Folder::open(Path::new("/")),
            Err(Error::NotYours { owner: 0, .. })
        ));
        return;
    }
    let folder = new_folder();
    std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
    assert!(matches!(
        Folder::open(folder.path()),
        Err(Error::NotYours { owner: 12_345, .. })
    ));
}

#[test]
fn a_link_in_the_place_of_the_folder_is_refused() {
    let folder = new_folder();
    fs::create_dir(folder.path().join("real")).unwrap();
    set_mode(&folder.path().join("real"), 0o700);
    symlink("real", folder.path().join("link")).unwrap();
    assert!(matches!(
        Folder::open_or_create(&folder.path().join("link")),
        Err(Error::SymbolicLink(_))
    ));
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    assert!(matches!(
        Folder::open(&folder.path().join("dangling")),
        Err(Error::SymbolicLink(_))
    ));
}

#[test]
fn a_file_in_the_place_of_the_folder_is_refused() {
    let folder = new_folder();
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(
        Folder::open_or_create(&folder.path().join("file")),
        Err(Error::NotAFolder(_))
    ));
}

#[test]
fn links_folders_pipes_and_sockets_in_the_place_of_a_file_are_refused() {
    let temporary = new_folder();
    let folder = Folder::open(temporary.path()).unwrap().unwrap();
    let at = |name: &str| temporary.path().join(name);
    fs::write(at("target"), "").unwrap();
    symlink("target", at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();

    assert!(matches!(folder.open_file("link"), Err(Error::SymbolicLink(_))));
    for name in ["folder", "socket", "pipe"] {
        assert!(
            matches!(folder.open_file(name), Err(Error::NotAFile(_))),
            "{name}"
        );
    }
    assert!(matches!(
        folder.open_or_create_file("link"),
        Err(Error::SymbolicLink(_))
    ));
}

#[test]
fn a_file_that_others_can_use_is_refused() {
    let temporary = new_folder();
    let folder = Folder::open(temporary.path()).unwrap().unwrap();
    drop(folder.open_or_create_file("file").unwrap());
    assert_eq!(mode(&temporary.path().join("file")), 0o600);
    set_mode(&temporary.path().join("file"), 0o640);
    let error = folder.open_file("file").err().unwrap();
    assert!(matches!(
        error,
        Error::OpenToOthers {
            mode: 0o640,
            folder: false,
            ..
        }
    ));
    assert!(error.hint().contains("chmod 600 "));
}

#[test]
fn a_file_has_its_name_when_it_is_finished_and_leftovers_are_replaced() {
    let temporary = new_folder();
    let folder = Folder::open(temporary.path()).unwrap().unwrap();
    fs::write(temporary.path().join("new"), "left by an earlier run").unwrap();
    let mut file = folder.begin_file("new").unwrap();
    file.write_all(b"whole").unwrap();
    assert!(folder.open_file("name").unwrap().is_none());
    folder.finish_file(&file, "new", "name").unwrap();
    assert_eq!(fs::read(temporary.path().join("name")).unwrap(), b"whole");
    assert!(folder.open_file("new").unwrap().is_none());
}

#[test]
fn a_socket_path_is_never_longer_than_the_kernel_takes() {
    let temporary = new_folder();
    let deep = temporary.path().join("d".repeat(100)).join("e".repeat(100));
    let folder = Folder::open_or_create(&deep).unwrap();
    let path = folder.socket_path("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    assert!(deep.join("socket").exists());
}
