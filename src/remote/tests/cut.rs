//! A network that is slow, and breaks.

use std::net::SocketAddr;

use super::servers::free_address;
use super::servers::proxy::{Proxy, Way};
use super::servers::s3::{self, S3};
use super::*;

/// More than the sockets between a client and a server hold.
const LEN: usize = 20 << 20;

/// The server is at `address`; `account` opens it there or elsewhere.
pub(super) fn a_cut_leaves_nothing_half_written(
    address: SocketAddr,
    account: &dyn Fn(SocketAddr) -> Account,
) {
    let direct = open(&account(address));
    let bytes = vec![0x5a; LEN];
    for cut_request_after in [100, 5_000, LEN / 2] {
        let way = Way {
            cuts: usize::MAX,
            cut_request_after,
            ..Way::CLEAR
        };
        let proxy = Proxy::start(address, way);
        let cut = open(&account(proxy.address)).create("v/s/1.snap", &bytes);
        assert_eq!(kind(cut), Some(Kind::Unreachable), "{cut_request_after}");
        assert!(proxy.connections() > 0);
        assert_eq!(direct.list(""), Ok(Vec::new()), "{cut_request_after}");
        assert_eq!(direct.get("v/s/1.snap", 1 << 30), Ok(None), "{cut_request_after}");
    }
    assert_eq!(direct.create("v/s/1.snap", &bytes), Ok(Created::New));
    let way = Way {
        cuts: usize::MAX,
        cut_answer_after: LEN / 2,
        ..Way::CLEAR
    };
    let proxy = Proxy::start(address, way);
    let cut = open(&account(proxy.address)).get("v/s/1.snap", 1 << 30);
    assert_eq!(kind(cut), Some(Kind::Unreachable));
    assert_eq!(direct.get("v/s/1.snap", 1 << 30), Ok(Some(bytes)));
}

#[test]
fn a_cut_leaves_nothing_half_written_in_a_bucket() {
    let server = S3::start();
    a_cut_leaves_nothing_half_written(server.address, &|address| bucket(&s3::url(address)));
}

#[test]
fn who_did_not_hear_that_it_was_made_finds_it_already_there() {
    let server = S3::start();
    let way = Way {
        cuts: 1,
        cut_answer_after: 10,
        ..Way::CLEAR
    };
    let proxy = Proxy::start(server.address, way);
    let store = open(&bucket(&s3::url(proxy.address)));
    assert_eq!(kind(store.create("v/t/1.obj", b"one")), Some(Kind::Unreachable));
    assert_eq!(proxy.connections(), 1, "nobody tries again by himself");
    assert_eq!(store.create("v/t/1.obj", b"one"), Ok(Created::AlreadyThere));
    assert_eq!(store.get("v/t/1.obj", 3), Ok(Some(b"one".to_vec())));
}

#[test]
fn who_is_slow_is_waited_for_and_who_is_too_slow_is_not() {
    let server = S3::start();
    let bytes = vec![1; 40_000];
    open(&bucket(&s3::url(server.address)))
        .put("v/a", &bytes)
        .unwrap();
    let slow = |pace| Proxy::start(server.address, Way { pace, ..Way::CLEAR });
    let proxy = slow(1000);
    assert_eq!(
        open(&bucket(&s3::url(proxy.address))).get("v/a", 1 << 20),
        Ok(Some(bytes))
    );
    // Forty seconds, at this pace.
    let proxy = slow(10);
    let late = open_with(&bucket(&s3::url(proxy.address)), IMPATIENCE).get("v/a", 1 << 20);
    assert_eq!(kind(late), Some(Kind::Unreachable));
}

#[test]
fn where_nobody_is_nobody_is_reached() {
    let trouble = open(&bucket(&s3::url(free_address()))).list("").unwrap_err();
    assert_eq!(trouble.kind(), Kind::Unreachable);
    assert!(trouble.to_string().contains("refused"), "{trouble}");
}
