//! What is promised of every store.

use std::collections::BTreeSet;

use super::super::probe::probe;
use super::servers::s3::{self, S3};
use super::*;

/// A store that does everything, and is empty.
pub(super) fn keeps_its_promises(account: &Account, capabilities: Capabilities) {
    let store = WaitingStore::open(account, capabilities, PATIENCE).unwrap();
    assert_eq!(store.list(""), Ok(Vec::new()));
    assert_eq!(store.get("v/t/1.obj", 100), Ok(None));
    objects_are_made_once(&store, capabilities);
    listings_are_complete(&store);
    polls_tell_what_has_changed(&store, capabilities);
    what_is_removed_is_gone(&store);
}

fn objects_are_made_once(store: &WaitingStore, capabilities: Capabilities) {
    assert_eq!(store.create("v/t/1.obj", b"one"), Ok(Created::New));
    if capabilities.exclusive_create {
        assert_eq!(store.create("v/t/1.obj", b"two"), Ok(Created::AlreadyThere));
    }
    assert_eq!(store.get("v/t/1.obj", 3), Ok(Some(b"one".to_vec())));
    assert_eq!(kind(store.get("v/t/1.obj", 2)), Some(Kind::Wrong));
    assert_eq!(store.create("v/t/empty.obj", b""), Ok(Created::New));
    assert_eq!(store.get("v/t/empty.obj", 0), Ok(Some(Vec::new())));
    let large: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    assert_eq!(store.create("v/s/ab~0.snap", &large), Ok(Created::New));
    assert_eq!(store.get("v/s/ab~0.snap", 1 << 20), Ok(Some(large)));
}

fn listings_are_complete(store: &WaitingStore) {
    let device = |number: u32| format!("v/d/{number:04x}/1-0001.obj");
    let created = store.call_all((0..50).map(|number| Request::Create {
        name: device(number),
        bytes: number.to_be_bytes().to_vec(),
    }));
    assert!(
        created
            .into_iter()
            .all(|result| result == Ok(Answer::Created(Created::New)))
    );
    let got = store.call_all((0..50).map(|number| Request::Get {
        name: device(number),
        len_max: 4,
    }));
    for (number, got) in (0_u32..).zip(got) {
        assert_eq!(got, Ok(Answer::Got(Some(number.to_be_bytes().to_vec()))));
    }
    let listed = store.list("v/d/").unwrap();
    assert_eq!(names(&listed), (0..50).map(device).collect::<Vec<_>>());
    assert!(listed.iter().all(|listed| listed.len == 4));
    assert_eq!(names(&store.list("v/d/0001/").unwrap()), ["v/d/0001/1-0001.obj"]);
    let all = store.list("").unwrap();
    assert_eq!(all.len(), 53);
    assert_eq!(store.list("v/"), Ok(all));
    assert_eq!(store.list("none/"), Ok(Vec::new()));
    for name in ["../v", "V", "v//a", "/v", "v/.hidden"] {
        assert_eq!(kind(store.get(name, 1)), Some(Kind::Wrong), "{name}");
        assert_eq!(kind(store.put(name, b"")), Some(Kind::Wrong), "{name}");
    }
}

fn polls_tell_what_has_changed(store: &WaitingStore, capabilities: Capabilities) {
    assert_eq!(store.poll("v/hint", None), Ok(Polled::Gone));
    store.put("v/hint", b"0123456789abcdef").unwrap();
    let Polled::Changed { bytes, tag } = store.poll("v/hint", None).unwrap() else {
        panic!("it is new");
    };
    assert_eq!(bytes, b"0123456789abcdef");
    assert_eq!(
        store.poll("v/hint", Some(&tag)),
        Ok(Polled::Unchanged),
        "{capabilities:?}"
    );
    store.put("v/hint", b"another, as long").unwrap();
    let Polled::Changed { bytes, tag: next } = store.poll("v/hint", Some(&tag)).unwrap() else {
        panic!("it is another");
    };
    assert_eq!(bytes, b"another, as long");
    assert_ne!(next, tag);
    store.put("v/hint", &[0; 2000]).unwrap();
    assert_eq!(kind(store.poll("v/hint", Some(&next))), Some(Kind::Wrong));
    store.remove("v/hint").unwrap();
    assert_eq!(store.poll("v/hint", Some(&next)), Ok(Polled::Gone));
}

fn what_is_removed_is_gone(store: &WaitingStore) {
    let all = store.list("").unwrap();
    let removed = store.call_all(all.iter().map(|listed| Request::Remove {
        name: listed.name.clone(),
    }));
    assert!(removed.into_iter().all(|result| result == Ok(Answer::Removed)));
    assert_eq!(store.list(""), Ok(Vec::new()));
    store.remove("v/t/1.obj").unwrap();
    store.remove("never/was").unwrap();
    assert_eq!(store.create("v/t/1.obj", b"two"), Ok(Created::New));
    store.remove("v/t/1.obj").unwrap();
}

#[test]
fn a_folder_keeps_its_promises() {
    let place = tempfile::tempdir().unwrap();
    let account = folder(place.path());
    let finding = probe(&account, PATIENCE).unwrap();
    assert_eq!(finding.capabilities, Capabilities::HOPED_FOR);
    keeps_its_promises(&account, finding.capabilities);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn a_bucket_keeps_its_promises() {
    let server = S3::start();
    let account = bucket(&s3::url(server.address));
    let finding = probe(&account, PATIENCE).unwrap();
    // This server sends an object whatever the client has of it.
    let expected = Capabilities {
        conditional_read: false,
        ..Capabilities::HOPED_FOR
    };
    assert_eq!(finding.capabilities, expected);
    keeps_its_promises(&account, finding.capabilities);
    assert_eq!(files_below(&server.bucket()), Vec::<String>::new());
}

#[test]
fn a_listing_has_all_its_pages() {
    let server = S3::start();
    let below = server.bucket().join("ann/v/d");
    fs::create_dir_all(&below).unwrap();
    for number in 0..2500 {
        fs::write(below.join(format!("1-{number:08x}.obj")), b"x").unwrap();
    }
    let listed = open(&bucket(&s3::url(server.address))).list("v/").unwrap();
    let different: BTreeSet<_> = names(&listed).into_iter().collect();
    assert_eq!((listed.len(), different.len()), (2500, 2500));
}

#[test]
fn who_may_not_is_told_so_without_the_secret() {
    let server = S3::start();
    let url = s3::url(server.address);
    let trouble = open(&account(&url, s3::ACCESS_KEY, "another secret"))
        .list("")
        .unwrap_err();
    assert_eq!(trouble.kind(), Kind::Refused);
    for secret in ["secret", s3::ACCESS_KEY] {
        assert!(!trouble.to_string().contains(secret), "{trouble}");
    }
    let elsewhere = url.replace("keys", "other");
    assert_eq!(kind(open(&bucket(&elsewhere)).list("")), Some(Kind::Refused));
}

#[test]
fn of_two_who_make_the_same_one_does() {
    let place = tempfile::tempdir().unwrap();
    let results: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|writer| {
                let place = place.path();
                scope.spawn(move || open(&folder(place)).create("v/t/1.obj", &[writer; 1000]))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let winners: Vec<_> = (0_u8..)
        .zip(results)
        .filter(|(_, result)| *result == Ok(Created::New))
        .map(|(writer, _)| writer)
        .collect();
    let [winner] = winners.as_slice() else {
        panic!("{winners:?}");
    };
    assert_eq!(
        open(&folder(place.path())).get("v/t/1.obj", 1000),
        Ok(Some(vec![*winner; 1000]))
    );
    assert_eq!(files_below(place.path()), ["1.obj"]);
}
