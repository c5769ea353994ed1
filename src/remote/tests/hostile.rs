//! Services that answer what they should not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

/// What a service says about itself, which nobody has to hear.
const LIE: &str = "call 0900 to get your passkeys back";

/// A service that answers each request by what `answer` writes, given how many there were before.
struct Service {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Service {
    fn start(answer: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("s3://keys?endpoint=http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (mut client, count, answer) = (client.unwrap(), Arc::clone(&count), Arc::clone(&answer));
                thread::spawn(move || {
                    while read_request(&client) {
                        answer(count.fetch_add(1, Ordering::SeqCst), &mut client);
                    }
                });
            }
        });
        Self { url, requests }
    }

    /// One that always says the same.
    fn saying(status: &'static str, headers: &'static str, body: String) -> Self {
        Self::start(move |_, client| say(client, status, headers, &body))
    }

    fn store(&self) -> WaitingStore {
        open(&bucket(&self.url))
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn say(client: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let len = body.len();
    // In one piece: several would wait for each other.
    let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: {len}\r\n\r\n{body}");
    let _ = client.write_all(answer.as_bytes());
}

/// Whether there was one.
fn read_request(client: &TcpStream) -> bool {
    let mut lines = BufReader::new(client);
    let (mut line, mut len) = (String::new(), 0);
    loop {
        line.clear();
        match lines.read_line(&mut line) {
            Ok(2) => return lines.read_exact(&mut vec![0; len]).is_ok(),
            Ok(1..) => {}
            _ => return false,
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let service = Service::start(|_, client| {
        // Would be waited for, if anybody did.
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
    });
    let trouble = service.store().get("v/a", 1000).unwrap_err();
    assert_eq!(trouble.kind(), Kind::Wrong);
    assert!(trouble.to_string().contains("more than 1000 bytes"), "{trouble}");
}

#[test]
fn what_does_not_end_is_cut() {
    let service = Service::start(|_, client| {
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while client.write_all(chunk.as_bytes()).is_ok() {}
    });
    for result in [
        kind(service.store().get("v/a", 1000)),
        kind(service.store().poll("v/a", None)),
        kind(service.store().put("v/a", b"x")),
        kind(service.store().list("")),
    ] {
        assert_eq!(result, Some(Kind::Wrong));
    }
}

#[test]
fn a_refusal_that_does_not_end_is_a_refusal() {
    let service = Service::start(|_, client| {
        let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while client.write_all(chunk.as_bytes()).is_ok() {}
    });
    assert_eq!(kind(service.store().get("v/a", 1000)), Some(Kind::Refused));
}

#[test]
fn a_listing_that_does_not_end_is_wrong() {
    let service = Service::start(|number, client| {
        let page = format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated>\
             <NextContinuationToken>{number}</NextContinuationToken></ListBucketResult>"
        );
        say(client, "200 OK", "", &page);
    });
    let trouble = open(&bucket(&service.url)).list("").unwrap_err();
    assert_eq!(trouble.kind(), Kind::Wrong, "{trouble}");
    assert!(
        trouble.to_string().contains("does not come to an end"),
        "{trouble}"
    );
    assert_eq!(service.requests(), 2000);
}

#[test]
fn names_that_are_not_ours_are_not_listed() {
    let keys = [
        "v/a",
        "v/a (1)",
        "v/../../etc/passwd",
        "../v/b",
        "v/a.sync-conflict-20261125",
        "v/.b",
        "v/B",
        "v/c/",
    ];
    let contents = keys.map(|key| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-25T08:00:00.000Z</LastModified><ETag>\"e\"</ETag>\
             <Size>5</Size></Contents>"
        )
    });
    let page = format!(
        "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>",
        contents.concat()
    );
    let service = Service::saying("200 OK", "", page);
    let listed = service.store().list("").unwrap();
    assert_eq!(names(&listed), ["v/a", "v/a.sync-conflict-20261125"]);
    assert_eq!(service.store().list("w/"), Ok(Vec::new()));
}

#[test]
fn nobody_is_sent_elsewhere() {
    let elsewhere = Service::saying("200 OK", "", "stolen".to_owned());
    let (_, target) = elsewhere.url.split_once("endpoint=").unwrap();
    let location: &'static str = format!("location: {target}/keys/v/a\r\n").leak();
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let service = Service::saying(status, location, String::new());
        let trouble = service.store().get("v/a", 1000).unwrap_err();
        assert_eq!(trouble.kind(), Kind::Wrong, "{status}");
        assert!(trouble.to_string().contains("not followed"), "{trouble}");
        assert_eq!(
            kind(service.store().create("v/a", b"x")),
            Some(Kind::Wrong),
            "{status}"
        );
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[test]
fn each_refusal_is_of_its_kind_and_in_our_words() {
    for (status, expected) in [
        ("401 Unauthorized", Kind::Refused),
        ("403 Forbidden", Kind::Refused),
        ("413 Content Too Large", Kind::Full),
        ("507 Insufficient Storage", Kind::Full),
        ("429 Too Many Requests", Kind::Unreachable),
        ("500 Internal Server Error", Kind::Unreachable),
        ("503 Service Unavailable", Kind::Unreachable),
        ("304 Not Modified", Kind::Wrong),
        ("400 Bad Request", Kind::Wrong),
        ("418 I'm a teapot", Kind::Wrong),
    ] {
        let body = format!("<Error><Code>{LIE}</Code><Message>{LIE}</Message></Error>");
        // RFC 9110 §15.4.5: nothing follows this one.
        let body = if status.starts_with("304") {
            String::new()
        } else {
            body
        };
        let service = Service::saying(status, "x-amz-request-id: 0900\r\n", body);
        let store = service.store();
        for trouble in [
            store.get("v/a", 1000).unwrap_err(),
            store.create("v/a", b"x").unwrap_err(),
            store.remove("v/a").unwrap_err(),
            store.list("").unwrap_err(),
        ] {
            assert_eq!(trouble.kind(), expected, "{status}: {trouble}");
            assert!(!trouble.to_string().contains("0900"), "{trouble}");
        }
        assert_eq!(service.requests(), 4, "{status}: nobody tries again by himself");
    }
}

#[test]
fn what_makes_no_sense_is_wrong() {
    for body in [
        "",
        "<html>log in</html>",
        "<ListBucketResult><IsTruncated>maybe",
        "\u{0}",
    ] {
        let service = Service::saying("200 OK", "", body.to_owned());
        assert_eq!(kind(service.store().list("")), Some(Kind::Wrong), "{body:?}");
    }
    let service = Service::start(|_, client| {
        let _ = client.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
    });
    assert!(service.store().get("v/a", 1000).is_err());
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let service = Service::start(|_, _| {});
    let unheard = open_with(&bucket(&service.url), IMPATIENCE).get("v/a", 1000);
    assert_eq!(kind(unheard), Some(Kind::Unreachable));
}
