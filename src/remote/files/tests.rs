use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::super::request::Listed;
use super::super::trouble::Kind;
use super::*;

fn new() -> (TempDir, Files) {
    let place = tempfile::tempdir().unwrap();
    let files = Files::new(place.path());
    (place, files)
}

fn listed(files: &Files) -> Vec<String> {
    let listed = files.list("").unwrap();
    listed.into_iter().map(|Listed { name, .. }| name).collect()
}

#[test]
fn what_other_programs_leave_is_passed_over() {
    let (place, files) = new();
    files.write("v/t/1.obj", b"one", Existing::Keep).unwrap();
    for name in [
        "2.obj (conflicted copy)",
        "2.sync-conflict-20261125-080000-ABCDEFG.obj",
        ".syncthing.2.obj.tmp",
        "2 (1).obj",
        ".2.obj.icloud",
        "2.obj.PART",
        "~$2.obj",
        "Thumbs.db",
    ] {
        fs::write(place.path().join("v/t").join(name), b"two").unwrap();
    }
    fs::create_dir_all(place.path().join(".stversions/v/t")).unwrap();
    fs::write(place.path().join(".stversions/v/t/3.obj"), b"three").unwrap();
    assert_eq!(listed(&files), ["v/t/1.obj"]);
}

#[test]
fn no_link_is_followed() {
    let (place, files) = new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    symlink(outside.path(), place.path().join("folder")).unwrap();
    symlink(outside.path().join("secret"), place.path().join("file")).unwrap();
    assert_eq!(listed(&files), Vec::<String>::new());
    for name in ["folder/secret", "file"] {
        assert_eq!(files.read(name, 100).unwrap_err().kind(), Kind::Wrong, "{name}");
    }
    let written = files.write("folder/new", b"", Existing::Replace);
    assert_eq!(written.unwrap_err().kind(), Kind::Wrong);
    assert_eq!(files.remove("folder/secret").unwrap_err().kind(), Kind::Wrong);
    assert_eq!(
        files.write("file", b"two", Existing::Keep),
        Ok(Created::AlreadyThere)
    );
    files.write("file", b"two", Existing::Replace).unwrap();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    // The folder itself may be reached through one.
    symlink(place.path(), outside.path().join("store")).unwrap();
    assert_eq!(
        Files::new(&outside.path().join("store")).read("file", 3),
        Ok(Some(b"two".to_vec()))
    );
}

#[test]
fn what_is_no_file_is_not_read() {
    let (place, files) = new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.path().join("pipe"),
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    fs::create_dir(place.path().join("folder")).unwrap();
    for name in ["pipe", "folder"] {
        assert_eq!(files.read(name, 100).unwrap_err().kind(), Kind::Wrong, "{name}");
        assert_eq!(
            files.write(name, b"", Existing::Keep),
            Ok(Created::AlreadyThere),
            "{name}"
        );
    }
    assert_eq!(listed(&files), Vec::<String>::new());
}

#[test]
fn what_an_interrupted_write_left_is_removed_when_it_is_old() {
    let (place, files) = new();
    let day = Duration::from_secs(86_400);
    let at = |name: &str, age: Duration| {
        let path = place.path().join(name);
        fs::write(&path, b"half").unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap() - age;
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(written)
            .unwrap();
        path
    };
    let old = at(".wardkey-0123456789abcdef.tmp", day * 2);
    let young = at(".wardkey-fedcba9876543210.tmp", day / 2);
    let theirs = at(".syncthing.a.tmp", day * 2);
    let object = at("a", SystemTime::UNIX_EPOCH.elapsed().unwrap());
    assert_eq!(listed(&files), ["a"]);
    assert!(!old.exists() && young.exists() && theirs.exists() && object.exists());
}

#[test]
fn a_folder_that_has_gone_is_not_made() {
    let (place, files) = new();
    files.write("a", b"a", Existing::Keep).unwrap();
    let elsewhere = place.path().with_extension("moved");
    fs::rename(place.path(), &elsewhere).unwrap();
    for kind in [
        files.list("").unwrap_err().kind(),
        files.read("a", 1).unwrap_err().kind(),
        files.write("a", b"", Existing::Replace).unwrap_err().kind(),
        files.remove("a").unwrap_err().kind(),
    ] {
        assert_eq!(kind, Kind::Unreachable);
    }
    assert!(!place.path().exists());
    fs::rename(&elsewhere, place.path()).unwrap();
    assert_eq!(files.read("a", 1), Ok(Some(b"a".to_vec())));
}

#[test]
fn folders_go_with_their_last_file() {
    let (place, files) = new();
    files.write("p/a/1", b"", Existing::Keep).unwrap();
    files.write("p/b/1", b"", Existing::Keep).unwrap();
    files.remove("p/a/1").unwrap();
    assert!(!place.path().join("p/a").exists() && place.path().join("p/b/1").exists());
    files.remove("p/b/1").unwrap();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn depth_has_an_end() {
    let (place, files) = new();
    let deep = "a/".repeat(DEPTH_MAX_FOR_TEST) + "a";
    fs::create_dir_all(place.path().join(&deep)).unwrap();
    fs::write(place.path().join(&deep).join("f"), b"").unwrap();
    assert_eq!(listed(&files), Vec::<String>::new());
}

/// Beyond any name that can be.
const DEPTH_MAX_FOR_TEST: usize = 50;
