//! The relying party as a page on localhost: routes, and which requests are answered at all.
//!
//! In: HTTP requests. Out: the page and its two files, the four steps of WebAuthn as JSON, and the result that an
//! automatic run posted. Not here: sockets (`server.rs`), what is verified (`relying_party.rs`).

#[cfg(test)]
mod tests;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use webauthn_rs_core::proto::{PublicKeyCredential, RegisterPublicKeyCredential};

use super::relying_party::{CeremonyId, LoginWish, Refused, RegistrationWish, RelyingParty};
use crate::http::{Request, Response, Status};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// The page and what it has been told.
pub(crate) struct Site {
    port: u16,
    origin: String,
    relying_party: RelyingParty,
    result: Option<Vec<u8>>,
}

/// The client's answer to the options of one ceremony.
#[derive(Deserialize)]
struct Finish<C> {
    ceremony: CeremonyId,
    credential: C,
}

impl Site {
    /// A site on that port of localhost.
    pub(crate) fn new(port: u16) -> Self {
        let mut origin = Url::parse("http://localhost").expect("it is a URL");
        origin.set_port(Some(port)).expect("an http URL has a port");
        let relying_party = RelyingParty::new(origin.clone());
        Self {
            port,
            origin: origin.origin().ascii_serialization(),
            relying_party,
            result: None,
        }
    }

    /// Where to point a browser: RP IDs are names, so the page must be opened by name.
    pub(crate) fn url(&self) -> String {
        format!("{}/", self.origin)
    }

    /// Answers one request.
    pub(crate) fn answer(&mut self, request: &Request) -> Response {
        match self.check_host(request) {
            Ok(()) => self.route(request),
            Err(refusal) => refusal,
        }
    }

    /// A name that merely resolves to this computer (DNS rebinding) is not this site.
    fn check_host(&self, request: &Request) -> Result<(), Response> {
        let host = request.host.as_deref().unwrap_or_default().to_ascii_lowercase();
        let is = |name: &str| host == format!("{name}:{}", self.port) || (self.port == 80 && host == name);
        let by_address = is("127.0.0.1") || is("[::1]");
        if by_address && request.path == "/" {
            let query = if request.query.is_empty() {
                String::new()
            } else {
                format!("?{}", request.query)
            };
            let location = format!("{}{query}", self.url());
            return Err(Response::bare(Status::PermanentRedirect).with("Location", location));
        }
        if by_address || is("localhost") {
            Ok(())
        } else {
            Err(Response::bare(Status::MisdirectedRequest))
        }
    }

    fn route(&mut self, request: &Request) -> Response {
        let asset =
            |content_type, text: &'static str| Response::new(Status::Ok, content_type, text.as_bytes());
        match (request.method.as_str(), request.path.as_str()) {
            ("GET" | "HEAD", "/") => {
                if request.query.contains("auto=") {
                    self.result = None; // A new run: its result is not there yet.
                }
                asset(HTML, include_str!("site/index.html"))
            }
            ("GET" | "HEAD", "/style.css") => {
                asset("text/css; charset=utf-8", include_str!("site/style.css"))
            }
            ("GET" | "HEAD", "/app.js") => {
                asset("text/javascript; charset=utf-8", include_str!("site/app.js"))
            }
            ("GET" | "HEAD", "/icon.svg") => asset("image/svg+xml", include_str!("site/icon.svg")),
            ("GET" | "HEAD", "/result") => match &self.result {
                Some(result) => Response::new(Status::Ok, JSON, result.clone()),
                None => Response::bare(Status::NoContent),
            },
            (
                "POST",
                "/register/start" | "/register/finish" | "/login/start" | "/login/finish" | "/result",
            ) => self.post(request),
            (_, "/" | "/style.css" | "/app.js" | "/icon.svg") => not_allowed("GET, HEAD"),
            (_, "/result") => not_allowed("GET, HEAD, POST"),
            (_, "/register/start" | "/register/finish" | "/login/start" | "/login/finish") => {
                not_allowed("POST")
            }
            (_, _) => Response::bare(Status::NotFound),
        }
    }

    /// Posts come from this page, or from a program that is no browser.
    fn post(&mut self, request: &Request) -> Response {
        if request
            .origin
            .as_ref()
            .is_some_and(|origin| *origin != self.origin)
        {
            return Response::bare(Status::Forbidden);
        }
        let content_type = request.content_type.as_deref().unwrap_or_default();
        if !content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case(JSON)
        {
            return Response::bare(Status::UnsupportedMediaType);
        }
        let answer = match request.path.as_str() {
            "/register/start" => self.start_registration(&request.body),
            "/register/finish" => self.finish_registration(&request.body),
            "/login/start" => self.start_login(&request.body),
            "/login/finish" => self.finish_login(&request.body),
            _ => self.keep_result(&request.body),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn start_registration(&mut self, body: &[u8]) -> Result<Response, Response> {
        let wish: RegistrationWish = read(body)?;
        let (ceremony, options) = self.relying_party.start_registration(wish).map_err(refusal)?;
        Ok(ok(&json!({ "ceremony": ceremony, "options": options })))
    }

    fn finish_registration(&mut self, body: &[u8]) -> Result<Response, Response> {
        let finish: Finish<RegisterPublicKeyCredential> = read(body)?;
        self.relying_party
            .finish_registration(&finish.ceremony, &finish.credential)
            .map_err(refusal)
            .map(|f| ok(&f))
    }

    fn start_login(&mut self, body: &[u8]) -> Result<Response, Response> {
        let wish: LoginWish = read(body)?;
        let (ceremony, options) = self.relying_party.start_login(wish).map_err(refusal)?;
        Ok(ok(&json!({ "ceremony": ceremony, "options": options })))
    }

    fn finish_login(&mut self, body: &[u8]) -> Result<Response, Response> {
        let finish: Finish<PublicKeyCredential> = read(body)?;
        self.relying_party
            .finish_login(&finish.ceremony, &finish.credential)
            .map_err(refusal)
            .map(|f| ok(&f))
    }

    fn keep_result(&mut self, body: &[u8]) -> Result<Response, Response> {
        let IgnoredAny = read(body)?;
        self.result = Some(body.to_vec());
        Ok(Response::bare(Status::NoContent))
    }
}

fn not_allowed(methods: &'static str) -> Response {
    Response::bare(Status::MethodNotAllowed).with("Allow", methods)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    serde_json::from_slice(body).map_err(|error| problem(Status::BadRequest, "bad-json", &error.to_string()))
}

fn ok(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => Response::new(Status::Ok, JSON, body),
        Err(error) => problem(Status::BadRequest, "bad-json", &error.to_string()),
    }
}

fn refusal(refused: Refused) -> Response {
    problem(Status::UnprocessableContent, refused.kind(), &refused.to_string())
}

fn problem(status: Status, kind: &str, message: &str) -> Response {
    let body = json!({ "error": { "kind": kind, "message": message } });
    Response::new(status, JSON, body.to_string().into_bytes())
}
