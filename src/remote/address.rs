//! Where a store is, as people write it:
//!
//! - `/mnt/share/wardkey`, or `file:///mnt/share/wardkey`: a folder, which has to be there;
//! - `s3://BUCKET/PREFIX?endpoint=URL&region=REGION`: a bucket, AWS's unless there is an endpoint;
//! - `webdavs://HOST/PATH` (also `davs://`): a folder on a WebDAV server, through HTTPS; `webdav://` through HTTP.
//!
//! HTTP without TLS is for this computer only, unless `unencrypted=yes` is among what follows the `?`.

use std::env;
use std::fmt;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use url::{Host, Url};

use crate::error::Failure;

/// Where AWS has what is nowhere in particular.
const REGION: &str = "us-east-1";

/// Where a store is. What it shows can be parsed again, and says all: no variable changes it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A folder of this computer.
    Folder(PathBuf),
    /// S3.
    S3(Bucket),
    /// The URL of a folder, with `http` or `https`.
    WebDav(Url),
}

/// A part of an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    name: String,
    prefix: String,
    endpoint: Url,
    region: String,
}

/// Why this is no address of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAddress {
    #[error("this is not a whole address")]
    Incomplete,
    #[error("there is no store behind {0}://")]
    UnknownScheme(String),
    #[error("{0} is not known here")]
    UnknownOption(String),
    #[error("a password in an address is seen by others")]
    Password,
    #[error("http:// would send it over the network unencrypted")]
    Unencrypted,
}

impl Address {
    /// Reads an address. What S3 programs take from the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`) is taken from there.
    pub(crate) fn parse(text: &str) -> Result<Self, NoAddress> {
        Self::parse_in(text, &|name| env::var(name).ok())
    }

    fn parse_in(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, NoAddress> {
        if !text.contains("://") {
            return folder(Path::new(text));
        }
        let url = Url::parse(text).map_err(|_| NoAddress::Incomplete)?;
        if url.password().is_some() {
            return Err(NoAddress::Password);
        }
        if url.fragment().is_some() {
            return Err(NoAddress::Incomplete);
        }
        match url.scheme() {
            "file" => folder(&url.to_file_path().map_err(|()| NoAddress::Incomplete)?),
            "s3" => bucket(&url, variable).map(Self::S3),
            "webdavs" | "davs" => webdav(&url, "https").map(Self::WebDav),
            "webdav" | "dav" => webdav(&url, "http").map(Self::WebDav),
            scheme => Err(NoAddress::UnknownScheme(scheme.to_owned())),
        }
    }
}

impl Bucket {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::S3(bucket) => {
                let mut url = format!("s3://{}", bucket.name);
                if !bucket.prefix.is_empty() {
                    url = format!("{url}/{}", bucket.prefix);
                }
                let mut options = url::form_urlencoded::Serializer::new(String::new());
                options
                    .append_pair("endpoint", bucket.endpoint.as_str().trim_end_matches('/'))
                    .append_pair("region", &bucket.region);
                if check_encryption(&bucket.endpoint, false).is_err() {
                    options.append_pair("unencrypted", "yes");
                }
                write!(f, "{url}?{}", options.finish())
            }
            Self::WebDav(url) => {
                let url = url.as_str().strip_prefix("http").unwrap_or_default();
                write!(f, "webdav{url}")?;
                match Url::parse(&format!("http{url}")) {
                    Ok(url) if check_encryption(&url, false).is_err() => write!(f, "?unencrypted=yes"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl From<NoAddress> for Failure {
    fn from(error: NoAddress) -> Self {
        let hint = match &error {
            NoAddress::Incomplete | NoAddress::UnknownScheme(_) => {
                "give a folder's path, s3://BUCKET/PREFIX?endpoint=URL, or webdavs://HOST/PATH"
            }
            NoAddress::UnknownOption(_) => {
                "s3:// takes endpoint, region and unencrypted, webdav:// unencrypted"
            }
            NoAddress::Password => "put it into a file of mode 600, for --credentials-file",
            NoAddress::Unencrypted => {
                "use https:// or webdavs://; where something else protects the network, add unencrypted=yes after the ?"
            }
        };
        Self::new(error, hint)
    }
}

fn folder(path: &Path) -> Result<Address, NoAddress> {
    if path.as_os_str().is_empty() {
        return Err(NoAddress::Incomplete);
    }
    // What the path means shall not depend on where a key is started.
    std::path::absolute(path)
        .map(Address::Folder)
        .map_err(|_| NoAddress::Incomplete)
}

fn bucket(url: &Url, variable: &dyn Fn(&str) -> Option<String>) -> Result<Bucket, NoAddress> {
    let name = url.host_str().ok_or(NoAddress::Incomplete)?;
    if url.port().is_some() || !url.username().is_empty() || !is_bucket(name) {
        return Err(NoAddress::Incomplete);
    }
    let prefix = url.path().trim_matches('/');
    if !prefix.is_empty() && !prefix.split('/').all(is_part_of_prefix) {
        return Err(NoAddress::Incomplete);
    }
    let (mut endpoint, mut region, mut may_be_open) = (None, None, false);
    for (key, value) in url.query_pairs() {
        match &*key {
            "endpoint" => endpoint = Some(value.into_owned()),
            "region" => region = Some(value.into_owned()),
            "unencrypted" => may_be_open = value == "yes",
            _ => return Err(NoAddress::UnknownOption(key.into_owned())),
        }
    }
    let first_of = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(variable)
            .filter(|value| !value.is_empty())
    };
    let region = region
        .or_else(|| first_of(["AWS_REGION", "AWS_DEFAULT_REGION"]))
        .unwrap_or_else(|| REGION.to_owned());
    if !is_bucket(&region) {
        return Err(NoAddress::Incomplete);
    }
    let endpoint = endpoint
        .or_else(|| first_of(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]))
        .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let endpoint = Url::parse(&endpoint).map_err(|_| NoAddress::Incomplete)?;
    let is_whole = matches!(endpoint.scheme(), "http" | "https") && endpoint.has_host();
    if !is_whole || endpoint.query().is_some() || endpoint.fragment().is_some() {
        return Err(NoAddress::Incomplete);
    }
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(NoAddress::Password);
    }
    check_encryption(&endpoint, may_be_open)?;
    Ok(Bucket {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        endpoint,
        region,
    })
}

fn webdav(url: &Url, scheme: &str) -> Result<Url, NoAddress> {
    if !url.username().is_empty() {
        return Err(NoAddress::Password);
    }
    let mut may_be_open = false;
    for (key, value) in url.query_pairs() {
        match &*key {
            "unencrypted" => may_be_open = value == "yes",
            _ => return Err(NoAddress::UnknownOption(key.into_owned())),
        }
    }
    // `Url` knows what a host is where the scheme is one of the web's.
    let (_, rest) = url.as_str().split_once("://").ok_or(NoAddress::Incomplete)?;
    let mut url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| NoAddress::Incomplete)?;
    url.set_query(None);
    check_encryption(&url, may_be_open)?;
    Ok(url)
}

/// HTTP may not leave this computer unless somebody says so.
fn check_encryption(url: &Url, may_be_open: bool) -> Result<(), NoAddress> {
    let stays_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || stays_here || may_be_open {
        Ok(())
    } else {
        Err(NoAddress::Unencrypted)
    }
}

/// Whether this can be the name of a bucket, or of a region: it becomes part of a URL.
fn is_bucket(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=63).contains(&name.len()) && name.bytes().all(is_part)
}

/// A prefix is a path without surprises.
fn is_part_of_prefix(part: &str) -> bool {
    let mut components = Path::new(part).components();
    let is_name = matches!(components.next(), Some(Component::Normal(_)));
    is_name && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%')
}

#[cfg(test)]
mod tests;
