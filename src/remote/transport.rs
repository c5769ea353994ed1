//! HTTP for one request to a store. Bounds what the service sends, keeps to the service's own address, and notes what
//! was seen on the wire, which is what troubles are told by.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use http::header::{CONTENT_LENGTH, HeaderValue, IF_NONE_MATCH};
use http::{Method, Request, Response, StatusCode};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, HttpTransporter};
use opendal_http_transport_reqwest::ReqwestTransport;
use url::Url;

use super::limits::{IN_FLIGHT_MAX, PAGE_LEN_MAX, PLAIN_ANSWER_LEN_MAX, Patience, ROUNDS_MAX};
use super::service::label;
use super::trouble::Trouble;
use crate::prompt::text::visible;

/// Bytes in which a listing says that it is one.
const MARKED_LEN_MAX: usize = 1 << 10;

/// The HTTP client of one service.
#[derive(Clone)]
pub(super) struct Client {
    transport: ReqwestTransport,
    service: Arc<Url>,
}

impl Client {
    /// Connects to `service`, and to nothing else.
    pub(super) fn new(service: &Url, patience: Patience) -> Result<Self, Trouble> {
        // Whoever was first has chosen the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience.connecting)
            .read_timeout(patience.silence)
            .pool_max_idle_per_host(IN_FLIGHT_MAX)
            .user_agent("wardkey");
        if service.scheme() == "http" {
            // A proxy would be told everything.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            let reason = innermost(&error);
            Trouble::refused(format!("no encrypted connection can be made from here: {reason}"))
        })?;
        Ok(Self {
            transport: ReqwestTransport::new(client),
            service: Arc::new(service.clone()),
        })
    }
}

/// What one request may cost, and what has been seen of it.
pub(super) struct Exchange {
    client: Client,
    answer_len_max: u64,
    /// Adds to a PUT that nothing may be there yet (RFC 9110 §13.1.2). For services that opendal cannot tell so.
    is_new: bool,
    /// What stands at the beginning of a good answer: opendal takes any other document for an empty listing.
    mark: Option<&'static str>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    rounds: u32,
    status: Option<StatusCode>,
    trouble: Option<Trouble>,
}

impl Exchange {
    pub(super) fn new(client: &Client, answer_len_max: u64) -> Self {
        Self {
            client: client.clone(),
            answer_len_max,
            is_new: false,
            mark: None,
            seen: Mutex::default(),
        }
    }

    pub(super) fn of_new_object(client: &Client) -> Self {
        Self {
            is_new: true,
            ..Self::new(client, PLAIN_ANSWER_LEN_MAX)
        }
    }

    pub(super) fn of_listing(client: &Client, mark: &'static str) -> Self {
        Self {
            mark: Some(mark),
            ..Self::new(client, PAGE_LEN_MAX)
        }
    }

    pub(super) fn is_of_new_object(&self) -> bool {
        self.is_new
    }

    /// The service's last word.
    pub(super) fn status(&self) -> Option<u16> {
        self.with_seen(|seen| seen.status.map(|status| status.as_u16()))
    }

    /// What went wrong below HTTP, or against our bounds.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.with_seen(|seen| seen.trouble.clone())
    }

    fn with_seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes the first trouble, and gives opendal an error that says nothing.
    fn stop(&self, trouble: Trouble) -> Error {
        self.with_seen(|seen| seen.trouble.get_or_insert(trouble).kind());
        Error::new(ErrorKind::Unexpected, "stopped")
    }

    fn host(&self) -> String {
        label(&self.client.service)
    }

    fn admit(&self, request: &mut Request<Buffer>) -> Result<(), Error> {
        let target = Url::parse(&request.uri().to_string());
        if !target.is_ok_and(|target| target.origin() == self.client.service.origin()) {
            let text = format!("what comes next is at another address than {}", self.host());
            return Err(self.stop(Trouble::refused(text)));
        }
        let rounds = self.with_seen(|seen| {
            seen.rounds = seen.rounds.saturating_add(1);
            seen.rounds
        });
        if rounds > ROUNDS_MAX {
            let text = format!("{} does not come to an end", self.host());
            return Err(self.stop(Trouble::wrong(text)));
        }
        if self.is_new && request.method() == Method::PUT {
            request
                .headers_mut()
                .insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        Ok(())
    }

    /// No connection, or one that broke.
    fn broken(&self, error: &Error) -> Error {
        let reason = error.source().map_or_else(|| "no answer".to_owned(), innermost);
        let text = format!("{} cannot be reached: {reason}", self.host());
        self.stop(Trouble::unreachable(text))
    }

    fn is_marked(&self, beginning: &[u8]) -> bool {
        let has = |mark: &str| beginning.windows(mark.len()).any(|part| part == mark.as_bytes());
        self.mark.is_none_or(has)
    }

    fn not_a_listing(&self) -> Error {
        let text = format!("what {} sends is not a listing", self.host());
        self.stop(Trouble::wrong(text))
    }

    fn too_large(&self) -> Error {
        let text = format!("{} sends more than {} bytes", self.host(), self.answer_len_max);
        self.stop(Trouble::wrong(text))
    }
}

/// The exchange as opendal uses it.
pub(super) fn transporter(exchange: &Arc<Exchange>) -> HttpTransporter {
    HttpTransporter::new(Guard(Arc::clone(exchange)))
}

struct Guard(Arc<Exchange>);

impl HttpTransport for Guard {
    async fn fetch(&self, mut request: Request<Buffer>) -> Result<Response<HttpBody>, Error> {
        let exchange = &self.0;
        exchange.admit(&mut request)?;
        let fetched = exchange.client.transport.fetch(request).await;
        let (parts, body) = fetched.map_err(|error| exchange.broken(&error))?.into_parts();
        exchange.with_seen(|seen| seen.status = Some(parts.status));
        if !parts.status.is_success() {
            return Ok(Response::from_parts(parts, beginning(body).await));
        }
        let announced = parts
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|len| len.to_str().ok());
        if announced
            .and_then(|len| len.parse::<u64>().ok())
            .is_some_and(|len| len > exchange.answer_len_max)
        {
            return Err(exchange.too_large());
        }
        let body = body.map_inner(|inner| {
            Box::new(Bounded {
                inner,
                left: exchange.answer_len_max,
                beginning: Vec::new(),
                exchange: Arc::clone(exchange),
            })
        });
        Ok(Response::from_parts(parts, body))
    }
}

type Stretches = dyn Stream<Item = Result<Buffer, Error>> + Send + Sync + Unpin;

/// An answer that ends when it becomes too large, and has to begin as it should.
struct Bounded {
    inner: Box<Stretches>,
    left: u64,
    beginning: Vec<u8>,
    exchange: Arc<Exchange>,
}

impl Bounded {
    fn take(&mut self, stretch: Buffer) -> Result<Buffer, Error> {
        let len = u64::try_from(stretch.len()).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(len)
            .ok_or_else(|| self.exchange.too_large())?;
        if self.exchange.mark.is_some() {
            let wanted = MARKED_LEN_MAX
                .saturating_sub(self.beginning.len())
                .min(stretch.len());
            self.beginning
                .extend_from_slice(&stretch.slice(..wanted).to_bytes());
        }
        Ok(stretch)
    }
}

impl Stream for Bounded {
    type Item = Result<Buffer, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(next) = Pin::new(&mut self.inner).poll_next(context) else {
            return Poll::Pending;
        };
        Poll::Ready(match next {
            Some(Ok(stretch)) => Some(self.take(stretch)),
            Some(Err(error)) => Some(Err(self.exchange.broken(&error))),
            None if self.exchange.is_marked(&self.beginning) => None,
            None => Some(Err(self.exchange.not_a_listing())),
        })
    }
}

/// What a service says with a refusal: opendal looks there for its reason. A long one is cut.
async fn beginning(body: HttpBody) -> HttpBody {
    let mut left = usize::try_from(PLAIN_ANSWER_LEN_MAX).unwrap_or(0);
    let mut text = Vec::new();
    let mut inner = None;
    let _ = body.map_inner(|stream| {
        inner = Some(stream);
        Box::new(Once(None))
    });
    while let Some(stream) = &mut inner {
        match std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await {
            Some(Ok(stretch)) if left > 0 => {
                let mut stretch = stretch.to_vec();
                stretch.truncate(left);
                left -= stretch.len();
                text.append(&mut stretch);
            }
            _ => break,
        }
    }
    HttpBody::new(Once(Some(text.into())), None)
}

/// A stream of one stretch, or none.
struct Once(Option<Buffer>);

impl Stream for Once {
    type Item = Result<Buffer, Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// The last reason of a chain of errors: the system's or the TLS library's own words.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    visible(&error.to_string())
}
