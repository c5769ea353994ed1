//! The page's HTTP surface: what is served, what is refused, and a whole login over real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Site;
use crate::demo::relying_party::Algorithm;
use crate::demo::relying_party::software_signer::SoftwareSigner;
use crate::http::server::serve;
use crate::http::{BODY_LEN_MAX, Parsed, Request, Response, Status, parse};

const PORT: u16 = 8000;
const ORIGIN: &str = "http://localhost:8000";

fn request(method: &str, target: &str, body: &str) -> Request {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost:{PORT}\r\norigin: {ORIGIN}\r\n\
         content-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    match parse(head.as_bytes()) {
        Parsed::Request(request) => request,
        refused @ (Parsed::Incomplete | Parsed::Refused(_)) => panic!("{refused:?}"),
    }
}

fn get(site: &mut Site, target: &str) -> Response {
    site.answer(&request("GET", target, ""))
}

fn post(site: &mut Site, target: &str, body: &Value) -> (Status, Value) {
    let response = site.answer(&request("POST", target, &body.to_string()));
    (
        response.status,
        serde_json::from_slice(&response.body).unwrap_or_default(),
    )
}

#[test]
fn the_page_and_its_files_are_served() {
    let mut site = Site::new(PORT);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/?auto=abort", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let response = get(&mut site, path);
        assert_eq!(
            (response.status, response.content_type),
            (Status::Ok, kind),
            "{path}"
        );
        assert!(!response.body.is_empty());
    }
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline() {
    let page = include_str!("index.html");
    let policy = String::from_utf8(get(&mut Site::new(PORT), "/").to_bytes(true)).unwrap();
    assert!(
        policy.contains("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'")
    );
    for text in [page, include_str!("style.css")] {
        assert!(!text.contains("://") && !text.contains("url("));
    }
    for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script src=\"/app.js\"").count()
    );
}

#[test]
fn paths_that_are_not_served_are_not_found() {
    let mut site = Site::new(PORT);
    for path in [
        "/index.html",
        "/..",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "//",
        "/style.css/",
        "/STYLE.CSS",
        "/result/",
        "/.git/config",
        "/\\..\\x",
        "/register",
        "/login/start/..",
    ] {
        assert_eq!(get(&mut site, path).status, Status::NotFound, "{path}");
    }
}

#[test]
fn other_methods_are_not_allowed_and_the_right_ones_are_named() {
    let mut site = Site::new(PORT);
    for (method, path, allowed) in [
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/app.js", "GET, HEAD"),
        ("GET", "/register/start", "POST"),
        ("PUT", "/login/finish", "POST"),
        ("PATCH", "/result", "GET, HEAD, POST"),
        ("get", "/", "GET, HEAD"),
    ] {
        let response = site.answer(&request(method, path, ""));
        assert_eq!(response.status, Status::MethodNotAllowed, "{method} {path}");
        assert_eq!(
            response.extra,
            Some(("Allow", allowed.to_owned())),
            "{method} {path}"
        );
    }
}

#[test]
fn other_names_for_this_computer_are_misdirected() {
    let mut site = Site::new(PORT);
    for host in [
        None,
        Some(""),
        Some("evil.example:8000"),
        Some("localhost"),
        Some("localhost:8001"),
        Some("x.localhost:8000"),
    ] {
        let request = Request {
            host: host.map(str::to_owned),
            ..request("GET", "/", "")
        };
        assert_eq!(
            site.answer(&request).status,
            Status::MisdirectedRequest,
            "{host:?}"
        );
    }
    let shouted = Request {
        host: Some("LOCALHOST:8000".to_owned()),
        ..request("GET", "/", "")
    };
    assert_eq!(site.answer(&shouted).status, Status::Ok);
}

#[test]
fn an_address_is_redirected_to_the_name_that_credentials_are_for() {
    let mut site = Site::new(PORT);
    for host in ["127.0.0.1:8000", "[::1]:8000"] {
        let request = Request {
            host: Some(host.to_owned()),
            ..request("GET", "/?auto=abort", "")
        };
        let response = site.answer(&request);
        assert_eq!(response.status, Status::PermanentRedirect);
        assert_eq!(
            response.extra,
            Some(("Location", "http://localhost:8000/?auto=abort".to_owned()))
        );
    }
    let result = Request {
        host: Some("127.0.0.1:8000".to_owned()),
        ..request("GET", "/result", "")
    };
    assert_eq!(site.answer(&result).status, Status::NoContent);
}

#[test]
fn posts_from_other_pages_are_forbidden() {
    let mut site = Site::new(PORT);
    for origin in [
        "http://evil.example",
        "http://localhost:8001",
        "null",
        "http://127.0.0.1:8000",
    ] {
        let request = Request {
            origin: Some(origin.to_owned()),
            ..request("POST", "/result", "1")
        };
        assert_eq!(site.answer(&request).status, Status::Forbidden, "{origin}");
    }
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
    ] {
        let request = Request {
            content_type: content_type.map(str::to_owned),
            ..request("POST", "/result", "1")
        };
        assert_eq!(
            site.answer(&request).status,
            Status::UnsupportedMediaType,
            "{content_type:?}"
        );
    }
    let program = Request {
        origin: None,
        ..request("POST", "/result", "1")
    };
    assert_eq!(site.answer(&program).status, Status::NoContent);
}

#[test]
fn the_last_result_is_kept_until_a_new_run_begins() {
    let mut site = Site::new(PORT);
    assert_eq!(get(&mut site, "/result").status, Status::NoContent);
    for result in [r#"{"ok":false}"#, r#"{"ok":true}"#] {
        assert_eq!(
            site.answer(&request("POST", "/result", result)).status,
            Status::NoContent
        );
        assert_eq!(&*get(&mut site, "/result").body, result.as_bytes());
    }
    get(&mut site, "/");
    assert_eq!(get(&mut site, "/result").status, Status::Ok);
    get(&mut site, "/?auto=register-login");
    assert_eq!(get(&mut site, "/result").status, Status::NoContent);
}

#[test]
fn bodies_that_are_not_what_is_expected_are_bad_requests() {
    let mut site = Site::new(PORT);
    let deep = "[".repeat(BODY_LEN_MAX);
    for path in [
        "/register/start",
        "/register/finish",
        "/login/start",
        "/login/finish",
        "/result",
    ] {
        for body in ["", "{", "\u{0}", "{\"name\":", "[]x", &deep] {
            let response = site.answer(&request("POST", path, body));
            assert_eq!(
                response.status,
                Status::BadRequest,
                "{path} {:?}",
                &body[..body.len().min(10)]
            );
            let json: Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(json["error"]["kind"], "bad-json");
        }
    }
    for wish in [
        json!({ "name": 7 }),
        json!({ "name": "ada", "admin": true }),
        json!({ "name": "ada", "algorithm": "RS1" }),
    ] {
        assert_eq!(
            post(&mut site, "/register/start", &wish).0,
            Status::BadRequest,
            "{wish}"
        );
    }
}

#[test]
fn refusals_say_why() {
    let mut site = Site::new(PORT);
    let (status, json) = post(&mut site, "/login/start", &json!({ "name": "nobody" }));
    assert_eq!(status, Status::UnprocessableContent);
    assert_eq!(json["error"]["kind"], "unknown-name");
    assert!(json["error"]["message"].as_str().unwrap().contains("registered"));
}

/// One request over a socket, like a client that is no browser.
fn talk(port: u16, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Runs `clients` against a site on a free port, and then stops it.
fn with_site(clients: impl FnOnce(u16)) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopper) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let mut site = Site::new(port);
        serve(&listener, stop.as_fd(), |request| site.answer(request))
    });
    clients(port);
    drop(stopper);
    server.join().unwrap().unwrap();
}

#[test]
fn a_software_signer_registers_and_logs_in_over_http() {
    with_site(|port| {
        let mut key = SoftwareSigner::new(Algorithm::Eddsa, &format!("http://localhost:{port}"));
        let begun = talk(
            port,
            "/register/start",
            &json!({ "name": "ada", "algorithm": "EdDSA" }),
        );
        let credential = key.register(&serde_json::from_value(begun["options"].clone()).unwrap());
        let finish = json!({ "ceremony": begun["ceremony"], "credential": credential });
        let facts = talk(port, "/register/finish", &finish);
        assert_eq!(facts["algorithm"], "EdDSA");
        assert_eq!(
            facts["flags"],
            json!({ "UP": true, "UV": false, "BE": false, "BS": false })
        );

        for (wish, without_name) in [(json!({ "name": "ada" }), false), (json!({}), true)] {
            let begun = talk(port, "/login/start", &wish);
            let credential = key.login(&serde_json::from_value(begun["options"].clone()).unwrap());
            let facts = talk(
                port,
                "/login/finish",
                &json!({ "ceremony": begun["ceremony"], "credential": credential }),
            );
            assert_eq!(facts["name"], "ada");
            assert_eq!(facts["withoutName"], without_name);
        }
    });
}

#[test]
fn silent_half_and_oversized_clients_hold_up_nobody() {
    with_site(|port| {
        let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
        let silent: Vec<_> = (0..40).map(|_| connect()).collect();
        let mut half = connect();
        half.write_all(b"POST /result HTTP/1.1\r\ncontent-length: 10\r\n\r\n12345")
            .unwrap();
        let mut gone = connect();
        gone.write_all(b"GET / HT").unwrap();
        gone.shutdown(Shutdown::Both).unwrap();

        let mut oversized = connect();
        oversized.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head = format!(
            "POST /result HTTP/1.1\r\ncontent-length: {}\r\n\r\n",
            10 * BODY_LEN_MAX
        );
        oversized.write_all(head.as_bytes()).unwrap();
        oversized.write_all(&vec![b'x'; 10 * BODY_LEN_MAX]).unwrap();
        let mut answer = String::new();
        oversized.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

        talk(port, "/login/start", &json!({}));
        drop((silent, half));
    });
}
