//! A platform that does not know what its key will say: it turns steps into requests, remembers what the answers give
//! (tokens, credentials, the PIN it believes is set), and reports what can be said of them.

mod read;
mod requests;

use ciborium::Value;

use super::damage::damage;
use super::facts::Names;
use super::{Command, Report, SeededRng};
use crate::fido_client::{ClientPin, PinProtocol, PinUvAuthToken, SharedSecret, from_bytes, to_bytes};

/// Carries a request to the key and its answer back: command byte and CBOR, status byte and CBOR.
pub type Exchange<'a> = dyn FnMut(&[u8]) -> Vec<u8> + 'a;

/// The hash of the client data in every request.
const CLIENT_DATA_HASH: [u8; 32] = [0x1D; 32];

/// A platform, and what it knows.
pub struct Platform {
    rng: SeededRng,
    names: Names,
    last_count: u32,
    credentials: Vec<Credential>,
    secrets: [Option<SharedSecret>; 2],
    /// The last one is in use.
    tokens: Vec<PinUvAuthToken>,
    persistent_token: Option<PinUvAuthToken>,
    pin: Option<&'static [u8]>,
    write: Option<ArrayWrite>,
}

/// A credential that the key made.
struct Credential {
    id: Vec<u8>,
    public_key: Value,
}

/// A large-blob array of which fragments were sent.
struct ArrayWrite {
    array: Vec<u8>,
    sent: usize,
}

/// A request before it is damaged.
struct Prepared {
    command: u8,
    /// `None` for a command without parameters.
    parameters: Option<Value>,
    /// Under which secret the answer hides what it hides.
    protocol: Option<PinProtocol>,
}

impl Platform {
    /// A platform that knows nothing. What it makes up comes from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: SeededRng::new(seed),
            names: Names::default(),
            last_count: 0,
            credentials: Vec::new(),
            secrets: [None, None],
            tokens: Vec::new(),
            persistent_token: None,
            pin: None,
            write: None,
        }
    }

    /// The PIN that the platform believes is set.
    pub fn known_pin(&self) -> Option<&'static [u8]> {
        self.pin
    }

    /// Sends a command; where it needs a secret, the platform agrees on one before.
    pub fn send(&mut self, command: &Command, exchange: &mut Exchange<'_>) -> Report {
        let prepared = match self.prepare(&command.request, exchange) {
            Ok(prepared) => prepared,
            Err(report) => return report,
        };
        let parameters = match (&prepared.parameters, command.damage) {
            (None, _) => Vec::new(),
            (Some(parameters), None) => to_bytes(parameters),
            (Some(parameters), Some(what)) => damage(parameters, what),
        };
        let answer = exchange(&[&[prepared.command], &parameters[..]].concat());
        self.read(&command.request, &prepared, &answer)
    }

    /// The secret of a protocol: the one that is there where `reused`, or a new one.
    fn agree(
        &mut self,
        protocol: PinProtocol,
        reused: bool,
        exchange: &mut Exchange<'_>,
    ) -> Result<(), Report> {
        if reused && self.secret(protocol).is_some() {
            return Ok(());
        }
        let request = [&[0x06], &ClientPin::get_key_agreement(protocol).to_bytes()[..]].concat();
        let answer = exchange(&request);
        let (status, body) = answer.split_first().unwrap_or((&u8::MAX, &[]));
        let key = from_bytes(body).ok().and_then(|body| member(&body, 1).cloned());
        let secret = key.and_then(|key| protocol.encapsulate(&key, &mut self.rng).ok());
        match secret {
            Some(secret) => {
                let [one, two] = &mut self.secrets;
                match protocol {
                    PinProtocol::One => *one = Some(secret),
                    PinProtocol::Two => *two = Some(secret),
                }
                Ok(())
            }
            None => Err(Report {
                status: *status,
                facts: [("keyAgreement".to_owned(), "unusable".to_owned())].into(),
            }),
        }
    }

    /// The secret of a protocol that was agreed on, and randomness to use it with.
    fn agreed(&mut self, protocol: PinProtocol) -> (&SharedSecret, &mut SeededRng) {
        let secret = of(&self.secrets, protocol).as_ref();
        (secret.expect("there was an agreement"), &mut self.rng)
    }

    fn secret(&self, protocol: PinProtocol) -> Option<&SharedSecret> {
        of(&self.secrets, protocol).as_ref()
    }
}

fn of<T>([one, two]: &[T; 2], protocol: PinProtocol) -> &T {
    match protocol {
        PinProtocol::One => one,
        PinProtocol::Two => two,
    }
}

/// A member of a map by its number.
fn member(map: &Value, key: u8) -> Option<&Value> {
    let mut members = map.as_map()?.iter();
    members
        .find(|(name, _)| *name == Value::from(key))
        .map(|(_, value)| value)
}
