//! A store, and what opens it. The credentials of a store protect what it costs, not what is in it.

use std::env;
use std::path::Path;

use zeroize::Zeroizing;

use super::address::Address;
use crate::error::Failure;
use crate::membership::secret_lines;

/// The first byte of an account that is kept.
const FORMAT: u8 = 1;

/// A store, and what opens it.
pub(crate) struct Account {
    address: Address,
    secrets: Option<Secrets>,
}

/// A user name and a password, or an access key's id and its secret.
pub(crate) struct Secrets {
    user: Zeroizing<String>,
    password: Zeroizing<String>,
    session: Option<Zeroizing<String>>,
}

impl Account {
    pub(crate) fn new(address: Address, secrets: Option<Secrets>) -> Self {
        Self { address, secrets }
    }

    /// Where the store is.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn secrets(&self) -> Option<&Secrets> {
        self.secrets.as_ref()
    }

    /// For keeping it where secrets are kept.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let address = self.address.to_string();
        let mut fields = vec![address.as_str()];
        if let Some(secrets) = &self.secrets {
            fields.extend([secrets.user.as_str(), secrets.password.as_str()]);
            fields.extend(secrets.session.as_ref().map(|session| session.as_str()));
        }
        // In one piece: a vector that grows leaves copies behind.
        let len = fields.iter().map(|field| field.len() + 4).sum::<usize>() + 2;
        let mut bytes = Zeroizing::new(Vec::with_capacity(len));
        bytes.extend([
            FORMAT,
            u8::try_from(fields.len()).expect("there are four at most"),
        ]);
        for field in fields {
            let len = u32::try_from(field.len()).expect("no text of this program is that long");
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes
    }

    /// What [`Account::to_bytes`] has made.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([FORMAT, count], mut rest) = bytes.split_first_chunk()? else {
            return None;
        };
        let mut fields = Vec::new();
        for _ in 0..*count {
            let (len, after) = rest.split_first_chunk()?;
            let (field, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
            fields.push(std::str::from_utf8(field).ok()?);
            rest = after;
        }
        if !rest.is_empty() {
            return None;
        }
        let secret = |field: &str| Zeroizing::new(field.to_owned());
        let (address, secrets) = match fields.as_slice() {
            [address] => (address, None),
            [address, user, password, session @ ..] if session.len() <= 1 => {
                let session = session.first().map(|session| secret(session));
                let (user, password) = (secret(user), secret(password));
                (
                    address,
                    Some(Secrets {
                        user,
                        password,
                        session,
                    }),
                )
            }
            _ => return None,
        };
        Some(Self::new(Address::parse(address).ok()?, secrets))
    }
}

impl Secrets {
    #[cfg(test)]
    pub(super) fn new(user: Zeroizing<String>, password: Zeroizing<String>) -> Self {
        Self {
            user,
            password,
            session: None,
        }
    }

    #[cfg(test)]
    pub(super) fn set_session(&mut self, session: Zeroizing<String>) {
        self.session = Some(session);
    }

    /// From a file of two lines, or three with the token of a temporary access key.
    pub(crate) fn from_file(path: &Path) -> Result<Self, Failure> {
        let mut lines = secret_lines(path, 3)?.into_iter();
        match (lines.next(), lines.next()) {
            (Some(user), Some(password)) if !password.is_empty() => Ok(Self {
                user,
                password,
                session: lines.next().filter(|session| !session.is_empty()),
            }),
            _ => Err(Failure::new(
                format!("{} holds no credentials", path.display()),
                "it needs two lines: user name and password, or the id of an access key and its secret",
            )),
        }
    }

    /// Where programs look for the access key of an S3 service first.
    pub(crate) fn from_environment() -> Option<Self> {
        let variable = |name| {
            env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .map(Zeroizing::new)
        };
        Some(Self {
            user: variable("AWS_ACCESS_KEY_ID")?,
            password: variable("AWS_SECRET_ACCESS_KEY")?,
            session: variable("AWS_SESSION_TOKEN"),
        })
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.as_str())
    }
}
