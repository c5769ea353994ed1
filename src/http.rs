//! HTTP/1.1 as much as a local page and a test port need (RFC 9112): request bytes in, response bytes out.
//!
//! One request per connection; nothing grows beyond the named bounds. Not here: sockets (`server.rs`), routes (`site.rs`).

pub(crate) mod server;

use std::borrow::Cow;

/// The request line and the headers together.
const HEAD_LEN_MAX: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;
/// A registration with a long certificate chain would be 10 kB.
pub(crate) const BODY_LEN_MAX: usize = 64 * 1024;
/// A request is never longer than this.
pub(crate) const REQUEST_LEN_MAX: usize = HEAD_LEN_MAX + BODY_LEN_MAX;

/// A whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query, exactly as it was sent.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) host: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// What the bytes so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The beginning of a request.
    Incomplete,
    /// A request; what follows it is ignored.
    Request(Request),
    /// Nothing that is served.
    Refused(Status),
}

/// Response codes, RFC 9110 §15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "demo"),
    expect(dead_code, reason = "only the page gives some of these answers")
)]
pub(crate) enum Status {
    Ok,
    NoContent,
    PermanentRedirect,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    ContentTooLarge,
    UnsupportedMediaType,
    MisdirectedRequest,
    UnprocessableContent,
    HeadersTooLarge,
    NotImplemented,
    ServiceUnavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::NoContent => "204 No Content",
            Self::PermanentRedirect => "308 Permanent Redirect",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::UnsupportedMediaType => "415 Unsupported Media Type",
            Self::MisdirectedRequest => "421 Misdirected Request",
            Self::UnprocessableContent => "422 Unprocessable Content",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::ServiceUnavailable => "503 Service Unavailable",
        }
    }
}

/// A response before it is bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: Status,
    pub(crate) content_type: &'static str,
    pub(crate) body: Cow<'static, [u8]>,
    /// One header that only this response has.
    pub(crate) extra: Option<(&'static str, String)>,
}

/// Sent with every response: the page loads nothing from elsewhere, is framed by nobody, and is not kept.
const ALWAYS: &str = "\
    Connection: close\r\n\
    Cache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n";

impl Response {
    pub(crate) fn new(
        status: Status,
        content_type: &'static str,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
            extra: None,
        }
    }

    /// A response whose body is its own status line.
    pub(crate) fn bare(status: Status) -> Self {
        Self::new(
            status,
            "text/plain; charset=utf-8",
            format!("{}\n", status.line()).into_bytes(),
        )
    }

    /// The same with one more header.
    #[cfg(feature = "demo")]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.extra = Some((name, value.into()));
        self
    }

    pub(crate) fn to_bytes(&self, to_head: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n{ALWAYS}", self.status.line());
        if let Some((name, value)) = &self.extra {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != Status::NoContent {
            head.push_str(&format!(
                "Content-Type: {}\r\nContent-Length: {}\r\n",
                self.content_type,
                self.body.len()
            ));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !to_head && self.status != Status::NoContent {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// Looks at what has arrived on a connection so far.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let head_len = match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= HEAD_LEN_MAX => len,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_LEN_MAX => return Parsed::Incomplete,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(Status::HeadersTooLarge),
        Err(_) => return Parsed::Refused(Status::BadRequest),
    };
    match request(&head, bytes.get(head_len..).unwrap_or_default()) {
        Ok(Some(request)) => Parsed::Request(request),
        Ok(None) => Parsed::Incomplete,
        Err(status) => Parsed::Refused(status),
    }
}

/// The request, once its body is there.
fn request(head: &httparse::Request<'_, '_>, rest: &[u8]) -> Result<Option<Request>, Status> {
    if header(head, "transfer-encoding")?.is_some() {
        return Err(Status::NotImplemented);
    }
    let body_len = match header(head, "content-length")? {
        None => 0,
        // RFC 9110 §8.6: digits only, so no sign, as `parse` would allow.
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            text.parse().map_err(|_| Status::ContentTooLarge)?
        }
        Some(_) => return Err(Status::BadRequest),
    };
    if body_len > BODY_LEN_MAX {
        return Err(Status::ContentTooLarge);
    }
    let Some(body) = rest.get(..body_len) else {
        return Ok(None);
    };
    let (path, query) = split_target(head.path.unwrap_or_default()).ok_or(Status::BadRequest)?;
    Ok(Some(Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        host: header(head, "host")?,
        origin: header(head, "origin")?,
        content_type: header(head, "content-type")?,
        body: body.to_vec(),
    }))
}

/// Only the origin form of RFC 9112 §3.2.1 is served.
fn split_target(target: &str) -> Option<(&str, &str)> {
    target
        .starts_with('/')
        .then(|| target.split_once('?').unwrap_or((target, "")))
}

/// A header that may come once.
fn header(head: &httparse::Request<'_, '_>, name: &str) -> Result<Option<String>, Status> {
    let mut found = head
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => {
            let value = std::str::from_utf8(one.value).map_err(|_| Status::BadRequest)?;
            Ok(Some(value.to_owned()))
        }
        (Some(_), Some(_)) => Err(Status::BadRequest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> Status {
        match parse(bytes) {
            Parsed::Refused(status) => status,
            Parsed::Incomplete => panic!("incomplete"),
            Parsed::Request(request) => panic!("{request:?}"),
        }
    }

    #[test]
    fn a_request_is_complete_with_its_last_byte_only() {
        let bytes = b"POST /result?a=1?2 HTTP/1.1\r\nhost: localhost:8000\r\nContent-Length: 4\r\n\r\nbody";
        for len in 0..bytes.len() {
            assert_eq!(parse(&bytes[..len]), Parsed::Incomplete, "{len}");
        }
        let Parsed::Request(request) = parse(bytes) else {
            panic!("not a request")
        };
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/result")
        );
        assert_eq!(request.query, "a=1?2");
        assert_eq!(request.host.as_deref(), Some("localhost:8000"));
        assert_eq!(request.body, b"body");
    }

    #[test]
    fn what_is_not_http_is_a_bad_request() {
        assert_eq!(
            refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            Status::BadRequest
        );
        assert_eq!(
            refused(b"GET http://elsewhere/ HTTP/1.1\r\n\r\n"),
            Status::BadRequest
        );
        assert_eq!(
            refused(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
            Status::BadRequest
        );
        assert_eq!(
            refused(b"GET / HTTP/1.1\r\nhost: \xff\r\n\r\n"),
            Status::BadRequest
        );
    }

    #[test]
    fn lengths_that_are_no_lengths_are_refused() {
        for length in ["-1", "+1", "1, 1", "0x10", "", "1 1"] {
            let bytes = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
            assert_eq!(refused(bytes.as_bytes()), Status::BadRequest, "{length}");
        }
        assert_eq!(
            refused(b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"),
            Status::BadRequest
        );
        assert_eq!(
            refused(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"),
            Status::NotImplemented
        );
    }

    #[test]
    fn too_long_is_refused_before_it_has_arrived() {
        for length in [BODY_LEN_MAX + 1, usize::MAX] {
            let bytes = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
            assert_eq!(refused(bytes.as_bytes()), Status::ContentTooLarge);
        }
        assert_eq!(
            refused(b"POST / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n"),
            Status::ContentTooLarge
        );
        let endless = [b"GET /".as_slice(), &[b'a'; HEAD_LEN_MAX]].concat();
        assert_eq!(refused(&endless), Status::HeadersTooLarge);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(refused(many.as_bytes()), Status::HeadersTooLarge);
    }

    #[test]
    fn a_response_says_its_length_and_a_head_response_has_no_body() {
        let response = Response::new(Status::Ok, "text/plain", b"hello".as_slice());
        let text = String::from_utf8(response.to_bytes(false)).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(text.contains("Content-Length: 5\r\n"));
        assert!(text.ends_with("\r\n\r\nhello"));
        assert!(
            String::from_utf8(response.to_bytes(true))
                .unwrap()
                .ends_with("\r\n\r\n")
        );
        let text = String::from_utf8(Response::bare(Status::NoContent).to_bytes(false)).unwrap();
        assert!(!text.contains("Content-Length") && text.ends_with("\r\n\r\n"));
    }
}
