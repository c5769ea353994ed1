//! The store as a service that speaks HTTP: an S3 bucket, or a folder on a WebDAV server, through opendal.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream as _;
use opendal::{ErrorKind, OperationContext, Operator, services};
use tokio::time::timeout;
use url::Url;

use super::account::{Account, Secrets};
use super::address::{Address, Bucket};
use super::limits::{ENTRIES_MAX, PLAIN_ANSWER_LEN_MAX, POLLED_LEN_MAX, Patience};
use super::name;
use super::probe::Capabilities;
use super::request::{Answer, Created, Listed, Polled, Request};
use super::tag::Tag;
use super::transport::{Client, Exchange, transporter};
use super::trouble::Trouble;

/// A service, and what it is known to do.
pub(super) struct Service {
    operator: Operator,
    client: Client,
    kind: Kind,
    capabilities: Capabilities,
    patience: Patience,
    host: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    S3,
    WebDav,
}

/// What a service has of an object.
enum Found {
    Nothing,
    TheSame,
    Object { bytes: Vec<u8>, tag: Option<Tag> },
}

impl Service {
    /// Asks nobody yet. Nothing for a folder, which is no service.
    pub(super) fn new(
        account: &Account,
        capabilities: Capabilities,
        patience: Patience,
    ) -> Result<Option<Self>, Trouble> {
        let secrets = account.secrets();
        let (kind, at, operator) = match account.address() {
            Address::Folder(_) => return Ok(None),
            Address::S3(bucket) => (Kind::S3, bucket.endpoint(), s3(bucket, secrets)),
            Address::WebDav(url) => (Kind::WebDav, url, webdav(url, secrets)),
        };
        let operator =
            operator.map_err(|_| Trouble::wrong(format!("{} cannot be used", account.address())))?;
        Ok(Some(Self {
            operator,
            client: Client::new(at, patience)?,
            kind,
            capabilities,
            patience,
            host: label(at),
        }))
    }

    pub(super) async fn perform(&self, request: Request) -> Result<Answer, Trouble> {
        match timeout(self.patience.whole, self.attempt(request)).await {
            Ok(result) => result,
            Err(_) => Err(Trouble::unreachable(format!("{} takes too long", self.host))),
        }
    }

    async fn attempt(&self, request: Request) -> Result<Answer, Trouble> {
        match request {
            Request::List { under } => self.list(name::folder(&under)?).await.map(Answer::Listed),
            Request::Get { name, len_max } => {
                let found = self.read(name::object(&name)?, len_max, None).await?;
                Ok(Answer::Got(match found {
                    Found::Object { bytes, .. } => Some(bytes),
                    Found::Nothing | Found::TheSame => None,
                }))
            }
            Request::Poll { name, tag } => self.poll(name::object(&name)?, tag).await.map(Answer::Polled),
            Request::Create { name, bytes } => {
                let created = self.create(name::object(&name)?, bytes).await;
                created.map(Answer::Created)
            }
            Request::Put { name, bytes } => {
                let exchange = Exchange::new(&self.client, PLAIN_ANSWER_LEN_MAX);
                let put = self.write(name::object(&name)?, bytes, exchange).await;
                put.map(|_| Answer::Put)
            }
            Request::Remove { name } => self.remove(name::object(&name)?).await.map(|()| Answer::Removed),
        }
    }

    async fn list(&self, under: &str) -> Result<Vec<Listed>, Trouble> {
        let mark = match self.kind {
            Kind::S3 => "<ListBucketResult",
            Kind::WebDav => "multistatus",
        };
        let exchange = Arc::new(Exchange::of_listing(&self.client, mark));
        let failed = |error| self.explain(&exchange, &error);
        let operator = self.operator(&exchange);
        let mut lister = operator
            .lister_with(under)
            .recursive(true)
            .await
            .map_err(failed)?;
        let mut found = BTreeMap::new();
        let mut seen = 0;
        while let Some(entry) = poll_fn(|context| Pin::new(&mut lister).poll_next(context)).await {
            let entry = entry.map_err(failed)?;
            seen += 1;
            if seen > ENTRIES_MAX {
                let text = format!("{} lists more than {ENTRIES_MAX} objects", self.host);
                return Err(Trouble::wrong(text));
            }
            let (path, metadata) = entry.into_parts();
            if metadata.is_file() && path.starts_with(under) && name::is_object(&path) {
                found.insert(path, metadata.content_length());
            }
        }
        let listed = |(name, len)| Listed { name, len };
        Ok(found.into_iter().map(listed).collect())
    }

    async fn poll(&self, name: &str, tag: Option<Tag>) -> Result<Polled, Trouble> {
        let entity = tag
            .as_ref()
            .filter(|_| self.capabilities.conditional_read)
            .and_then(Tag::as_entity);
        Ok(match self.read(name, POLLED_LEN_MAX, entity).await? {
            Found::Nothing => Polled::Gone,
            Found::TheSame => Polled::Unchanged,
            Found::Object { bytes, .. } if tag.is_some_and(|tag| tag.is_of(&bytes)) => Polled::Unchanged,
            Found::Object { bytes, tag } => Polled::Changed {
                tag: tag
                    .filter(|_| self.capabilities.conditional_read)
                    .unwrap_or_else(|| Tag::content(&bytes)),
                bytes,
            },
        })
    }

    async fn read(&self, name: &str, len_max: u64, unless: Option<&str>) -> Result<Found, Trouble> {
        let exchange = Arc::new(Exchange::new(&self.client, len_max));
        let operator = self.operator(&exchange);
        let reader = match unless {
            Some(tag) => operator.reader_with(name).if_none_match(tag).await,
            None => operator.reader(name).await,
        };
        let reader = reader.map_err(|error| self.explain(&exchange, &error))?;
        match reader.read(..).await {
            Ok(bytes) => Ok(Found::Object {
                bytes: bytes.to_vec(),
                tag: reader
                    .metadata()
                    .and_then(|seen| seen.etag())
                    .and_then(Tag::entity),
            }),
            Err(error) => match (exchange.trouble(), exchange.status()) {
                (None, Some(404)) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
                (None, Some(304)) if unless.is_some() => Ok(Found::TheSame),
                _ => Err(self.explain(&exchange, &error)),
            },
        }
    }

    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Created, Trouble> {
        let exchange = if self.capabilities.exclusive_create {
            Exchange::of_new_object(&self.client)
        } else {
            Exchange::new(&self.client, PLAIN_ANSWER_LEN_MAX)
        };
        self.write(name, bytes, exchange).await
    }

    async fn write(&self, name: &str, bytes: Vec<u8>, exchange: Exchange) -> Result<Created, Trouble> {
        let exchange = Arc::new(exchange);
        let operator = self.operator(&exchange);
        let mut written = self.write_once(&operator, &exchange, name, bytes.clone()).await;
        // RFC 4918 §9.7.1: 409 where the folder is missing; some say 404.
        if self.kind == Kind::WebDav
            && written.is_err()
            && matches!(exchange.status(), Some(404 | 409))
            && let Some(slash) = name.rfind('/')
        {
            let (folder, _) = name.split_at(slash + 1);
            let made = operator.create_dir(folder).await;
            made.map_err(|error| match exchange.status() {
                Some(404 | 409) => Trouble::refused(format!("{} has no folder at this address", self.host)),
                _ => self.explain(&exchange, &error),
            })?;
            written = self.write_once(&operator, &exchange, name, bytes).await;
        }
        match (written, exchange.trouble(), exchange.status()) {
            (Ok(()), ..) => Ok(Created::New),
            (Err(_), None, Some(412)) if exchange.is_of_new_object() => Ok(Created::AlreadyThere),
            (Err(error), ..) => Err(self.explain(&exchange, &error)),
        }
    }

    async fn write_once(
        &self,
        operator: &Operator,
        exchange: &Exchange,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<(), opendal::Error> {
        let write = operator.write_with(name, bytes);
        // On S3 the condition has to be signed with the rest.
        let is_said_by_opendal = self.kind == Kind::S3 && exchange.is_of_new_object();
        write.if_not_exists(is_said_by_opendal).await.map(|_| ())
    }

    async fn remove(&self, name: &str) -> Result<(), Trouble> {
        let exchange = Arc::new(Exchange::new(&self.client, PLAIN_ANSWER_LEN_MAX));
        let removed = self.operator(&exchange).delete(name).await;
        removed.map_err(|error| self.explain(&exchange, &error))
    }

    /// For one request.
    fn operator(&self, exchange: &Arc<Exchange>) -> Operator {
        let context = OperationContext::default().with_http_transport(transporter(exchange));
        self.operator.clone().with_context(context)
    }

    /// By what was seen on the wire. What opendal makes of it quotes the service, and stays here.
    fn explain(&self, exchange: &Exchange, error: &opendal::Error) -> Trouble {
        let host = &self.host;
        if let Some(trouble) = exchange.trouble() {
            return trouble;
        }
        match exchange.status() {
            None => Trouble::refused(format!("there are no credentials for {host}")),
            Some(404) if self.kind == Kind::S3 => Trouble::refused(format!("{host} has no such bucket")),
            Some(status @ (401 | 403)) => {
                Trouble::refused(format!("{host} does not allow it (HTTP status {status})"))
            }
            Some(status @ (413 | 507)) => Trouble::full(format!("{host} has no room (HTTP status {status})")),
            Some(status @ (408 | 409 | 423 | 425 | 429 | 499 | 500 | 502..=504)) => {
                Trouble::unreachable(format!("{host} cannot answer now (HTTP status {status})"))
            }
            Some(status @ 300..=399) => Trouble::wrong(format!(
                "{host} points to another address, which is not followed (HTTP status {status})"
            )),
            Some(status @ 200..=299) => Trouble::wrong(format!(
                "what {host} answers is not understood ({}, HTTP status {status})",
                error.kind()
            )),
            Some(400) if self.kind == Kind::S3 => Trouble::wrong(format!(
                "{host} does not understand the request: the region may be another (HTTP status 400)"
            )),
            Some(status) => Trouble::wrong(format!("{host} refuses the request (HTTP status {status})")),
        }
    }
}

/// The service's host, with its port if that is not the usual one.
pub(super) fn label(service: &Url) -> String {
    let host = service.host_str().unwrap_or_default();
    match service.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn s3(bucket: &Bucket, secrets: Option<&Secrets>) -> opendal::Result<Operator> {
    let mut builder = services::S3::default()
        .bucket(bucket.name())
        .root(bucket.prefix())
        .endpoint(bucket.endpoint().as_str().trim_end_matches('/'))
        .region(bucket.region())
        .disable_ec2_metadata();
    if let Some(secrets) = secrets {
        builder = builder
            .disable_config_load()
            .access_key_id(secrets.user())
            .secret_access_key(secrets.password());
        if let Some(session) = secrets.session() {
            builder = builder.session_token(session);
        }
    }
    Operator::new(builder)
}

fn webdav(url: &Url, secrets: Option<&Secrets>) -> opendal::Result<Operator> {
    let mut builder = services::Webdav::default()
        .endpoint(url.as_str().trim_end_matches('/'))
        // Folders are made when one is missing: looking for them each time would cost a request for each write.
        .disable_create_dir(true);
    if let Some(secrets) = secrets {
        builder = builder.username(secrets.user()).password(secrets.password());
    }
    Operator::new(builder)
}
