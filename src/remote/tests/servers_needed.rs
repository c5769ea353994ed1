//! The same with servers that have to be installed: `cargo xtask store`.

use super::super::probe::probe;
use super::contract::keeps_its_promises;
use super::cut::a_cut_leaves_nothing_half_written;
use super::servers::apache::{self, Apache};
use super::servers::garage::{self, Garage};
use super::*;

fn webdav(url: &str) -> Account {
    account(url, apache::USER, apache::PASSWORD)
}

fn cluster(url: &str) -> Account {
    account(url, garage::ACCESS_KEY, garage::SECRET_KEY)
}

#[test]
#[ignore = "needs Apache"]
fn mod_dav_keeps_its_promises() {
    let server = Apache::start();
    let account = webdav(&server.url());
    let finding = probe(&account, PATIENCE).unwrap();
    assert_eq!(finding.capabilities, Capabilities::HOPED_FOR);
    keeps_its_promises(&account, finding.capabilities);
    assert_eq!(files_below(&server.served()), Vec::<String>::new());
}

#[test]
#[ignore = "needs Apache"]
fn a_webdav_password_that_is_wrong_is_not_repeated() {
    let server = Apache::start();
    let trouble = open(&account(&server.url(), apache::USER, "wrong"))
        .list("")
        .unwrap_err();
    assert_eq!(trouble.kind(), Kind::Refused);
    assert!(!trouble.to_string().contains("wrong"), "{trouble}");
    let missing = format!("{}not/there/", server.url());
    assert_eq!(
        kind(open(&webdav(&missing)).create("v/a", b"")),
        Some(Kind::Refused)
    );
}

#[test]
#[ignore = "needs Apache"]
fn a_cut_leaves_nothing_half_written_on_mod_dav() {
    let server = Apache::start();
    a_cut_leaves_nothing_half_written(server.address, &|address| webdav(&apache::url(address)));
}

#[test]
#[ignore = "needs Garage"]
fn garage_keeps_its_promises() {
    let server = Garage::start(1);
    let account = cluster(&server.url(0));
    let finding = probe(&account, PATIENCE).unwrap();
    // Garage replaces what is there.
    let expected = Capabilities {
        exclusive_create: false,
        ..Capabilities::HOPED_FOR
    };
    assert_eq!(finding.capabilities, expected);
    keeps_its_promises(&account, finding.capabilities);
}

#[test]
#[ignore = "needs Garage"]
fn a_cut_leaves_nothing_half_written_on_garage() {
    let server = Garage::start(1);
    a_cut_leaves_nothing_half_written(server.address(0), &|address| cluster(&garage::url(address)));
}

#[test]
#[ignore = "needs Garage"]
fn a_cluster_that_loses_a_node_goes_on() {
    let mut cluster_of_three = Garage::start(3);
    let name = |number: u32| format!("v/d/{number:08x}.obj");
    let create = |number: u32| Request::Create {
        name: name(number),
        bytes: vec![7; 800],
    };
    let first = open(&cluster(&cluster_of_three.url(0)));
    let mut results = first.call_all((0..100).map(create));
    cluster_of_three.kill(2);
    results.extend(first.call_all((100..200).map(create)));
    // What was under way to the node that has gone may be told to come later.
    for (number, result) in (0..).zip(results) {
        if result != Ok(Answer::Created(Created::New)) {
            assert_eq!(kind(result), Some(Kind::Unreachable));
            assert_eq!(first.create(&name(number), &[7; 800]), Ok(Created::New));
        }
    }
    let second = open(&cluster(&cluster_of_three.url(1)));
    let listed = second.list("v/").unwrap();
    assert_eq!(names(&listed), (0..200).map(name).collect::<Vec<_>>());
    let got = second.call_all((0..200).map(|number| Request::Get {
        name: name(number),
        len_max: 800,
    }));
    assert!(
        got.into_iter()
            .all(|got| got == Ok(Answer::Got(Some(vec![7; 800]))))
    );
    let gone = open(&cluster(&cluster_of_three.url(2)));
    assert_eq!(kind(gone.list("v/")), Some(Kind::Unreachable));
}
