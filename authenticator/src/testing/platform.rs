//! The platform's side of user verification: it agrees with the key on a secret, sends PINs, and proves with a token
//! what it may do.

use p256::{PublicKey, SecretKey, ecdh};
use sha2::{Digest, Sha256};
use wardkey_vault::Secret;

use super::{CLIENT_DATA_HASH, Key, Members, SeededRng, bytes_in};
use crate::cbor::{self, Map, Value};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::{Protocol, SharedSecret};
use crate::{Demand, Gesture, Modality, Prompt, StatusCode};

/// The PIN of a key that has one, unless a test says otherwise.
pub(crate) const PIN: &str = "1234";

/// Permissions.
pub(crate) const MC: u64 = 0x01;
pub(crate) const GA: u64 = 0x02;
pub(crate) const CM: u64 = 0x04;
pub(crate) const BE: u64 = 0x08;
pub(crate) const LBW: u64 = 0x10;
pub(crate) const ACFG: u64 = 0x20;
pub(crate) const PCMR: u64 = 0x40;

/// A COSE_Key with which two sides agree on a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoseKey {
    pub(crate) kty: u64,
    pub(crate) crv: u64,
    pub(crate) x: Vec<u8>,
    pub(crate) y: Vec<u8>,
}

impl CoseKey {
    fn of(key: &SecretKey) -> Self {
        let point = p256::Sec1Point::from(key.public_key());
        Self {
            kty: 2,
            crv: 1,
            x: point.x().unwrap().to_vec(),
            y: point.y().unwrap().to_vec(),
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        Value::Map(Map::new([
            (1_i64, Value::Unsigned(self.kty)),
            (3, Value::integer(-25)),
            (-1, Value::Unsigned(self.crv)),
            (-2, Value::Bytes(&self.x)),
            (-3, Value::Bytes(&self.y)),
        ]))
    }
}

/// A secret that platform and key share.
pub(crate) struct Agreement {
    pub(crate) protocol: Protocol,
    pub(crate) key: CoseKey,
    shared: SharedSecret,
}

impl Agreement {
    pub(crate) fn encrypt(&self, text: &[u8]) -> Vec<u8> {
        self.shared.encrypt(&mut SeededRng::new(77), text)
    }

    pub(crate) fn decrypt(&self, encrypted: &[u8]) -> Vec<u8> {
        self.shared.decrypt(encrypted).unwrap().to_vec()
    }

    pub(crate) fn mac(&self, message: &[u8]) -> Vec<u8> {
        self.shared.authenticate(&[message])
    }

    /// A setPIN that is right.
    pub(crate) fn set_pin(&self, pin: &str) -> ClientPin {
        self.set_padded_pin(&padded(pin.as_bytes()))
    }

    /// A setPIN with these bytes for the padded PIN.
    pub(crate) fn set_padded_pin(&self, padded: &[u8]) -> ClientPin {
        let new_pin = self.encrypt(padded);
        ClientPin {
            param: Some(self.mac(&new_pin)),
            new_pin: Some(new_pin),
            ..self.request(0x03)
        }
    }

    /// A changePIN that is right if `old` is.
    pub(crate) fn change_pin(&self, old: &str, new: &str) -> ClientPin {
        self.change_padded_pin(old, &padded(new.as_bytes()))
    }

    /// A changePIN with these bytes for the padded new PIN.
    pub(crate) fn change_padded_pin(&self, old: &str, padded: &[u8]) -> ClientPin {
        let (new_pin, pin_hash) = (self.encrypt(padded), self.encrypt(&hash(old)));
        ClientPin {
            param: Some(self.mac(&[&new_pin[..], &pin_hash].concat())),
            new_pin: Some(new_pin),
            pin_hash: Some(pin_hash),
            ..self.request(0x04)
        }
    }

    /// A getPinToken.
    pub(crate) fn pin_token(&self, pin: &str) -> ClientPin {
        ClientPin {
            pin_hash: Some(self.encrypt(&hash(pin))),
            ..self.request(0x05)
        }
    }

    /// A getPinUvAuthTokenUsingUvWithPermissions.
    pub(crate) fn token_by_uv(&self, permissions: u64) -> ClientPin {
        ClientPin {
            permissions: Some(permissions),
            ..self.request(0x06)
        }
    }

    /// A getPinUvAuthTokenUsingPinWithPermissions.
    pub(crate) fn token(&self, pin: &str, permissions: u64) -> ClientPin {
        ClientPin {
            permissions: Some(permissions),
            subcommand: Some(0x09),
            ..self.pin_token(pin)
        }
    }

    /// The input of hmac-secret and hmac-secret-mc for these salts.
    pub(crate) fn hmac_secret(&self, salts: &[u8]) -> HmacSecret {
        let salt_enc = self.encrypt(salts);
        HmacSecret {
            key_agreement: Some(self.key.clone()),
            salt_auth: Some(self.mac(&salt_enc)),
            salt_enc: Some(salt_enc),
            protocol: Some(self.protocol.number()),
        }
    }

    fn request(&self, subcommand: u64) -> ClientPin {
        ClientPin {
            protocol: Some(self.protocol.number()),
            subcommand: Some(subcommand),
            key_agreement: Some(self.key.clone()),
            ..ClientPin::default()
        }
    }
}

/// The input of hmac-secret and hmac-secret-mc.
#[derive(Debug, Clone)]
pub(crate) struct HmacSecret {
    pub(crate) key_agreement: Option<CoseKey>,
    pub(crate) salt_enc: Option<Vec<u8>>,
    pub(crate) salt_auth: Option<Vec<u8>>,
    pub(crate) protocol: Option<u64>,
}

impl HmacSecret {
    pub(crate) fn value(&self) -> Value<'_> {
        let members = [
            (1_u64, self.key_agreement.as_ref().map(CoseKey::value)),
            (2, self.salt_enc.as_deref().map(Value::Bytes)),
            (3, self.salt_auth.as_deref().map(Value::Bytes)),
            (4, self.protocol.map(Value::Unsigned)),
        ];
        Value::Map(Map::new(
            members.into_iter().filter_map(|(key, value)| Some((key, value?))),
        ))
    }
}

/// A PIN as it is encrypted.
pub(crate) fn padded(pin: &[u8]) -> Vec<u8> {
    let mut padded = pin.to_vec();
    padded.resize(64, 0);
    padded
}

/// What is sent of a PIN.
pub(crate) fn hash(pin: &str) -> Vec<u8> {
    Sha256::digest(pin)[..16].to_vec()
}

/// The parameters of clientPIN.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientPin {
    pub(crate) protocol: Option<u64>,
    pub(crate) subcommand: Option<u64>,
    pub(crate) key_agreement: Option<CoseKey>,
    pub(crate) param: Option<Vec<u8>>,
    pub(crate) new_pin: Option<Vec<u8>>,
    pub(crate) pin_hash: Option<Vec<u8>>,
    pub(crate) permissions: Option<u64>,
    pub(crate) rp_id: Option<&'static str>,
}

impl ClientPin {
    /// A request with nothing but its subcommand.
    pub(crate) fn bare(subcommand: u64) -> Self {
        Self {
            subcommand: Some(subcommand),
            ..Self::default()
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.members().encode(0x06)
    }

    pub(crate) fn members(&self) -> Members<'_> {
        let unsigned = |number: Option<u64>| number.map(Value::Unsigned);
        let members = [
            (1, unsigned(self.protocol)),
            (2, unsigned(self.subcommand)),
            (3, self.key_agreement.as_ref().map(CoseKey::value)),
            (4, self.param.as_deref().map(Value::Bytes)),
            (5, self.new_pin.as_deref().map(Value::Bytes)),
            (6, self.pin_hash.as_deref().map(Value::Bytes)),
            (9, unsigned(self.permissions)),
            (10, self.rp_id.map(Value::Text)),
        ];
        members
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .fold(Members::empty(), |members, (key, value)| members.with(key, value))
    }
}

/// A token in the hands of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) protocol: Protocol,
    pub(crate) secret: Vec<u8>,
}

impl Ticket {
    pub(crate) fn mac(&self, message: &[u8]) -> Vec<u8> {
        let secret = Secret::from_slice(&self.secret).unwrap();
        self.protocol.authenticate(&secret, &[message])
    }

    /// `request` with a proof of `message` in the members with these numbers.
    pub(crate) fn prove(
        &self,
        request: Members<'_>,
        [param, protocol]: [u64; 2],
        message: &[u8],
        command: u8,
    ) -> Vec<u8> {
        let mac = self.mac(message);
        request
            .with(param, Value::Bytes(&mac))
            .with(protocol, Value::Unsigned(self.protocol.number()))
            .encode(command)
    }

    pub(crate) fn make_credential(&self, request: Members<'_>) -> Vec<u8> {
        self.prove(request, [8, 9], &CLIENT_DATA_HASH, 0x01)
    }

    pub(crate) fn get_assertion(&self, request: Members<'_>) -> Vec<u8> {
        self.prove(request, [6, 7], &CLIENT_DATA_HASH, 0x02)
    }

    pub(crate) fn manage_credentials(&self, subcommand: u8, parameters: Option<Value<'_>>) -> Vec<u8> {
        let (request, encoded) = with_parameters(subcommand, parameters);
        let message = match subcommand {
            0x04 | 0x06 | 0x07 => [&[subcommand][..], &encoded].concat(),
            _ => vec![subcommand],
        };
        self.prove(request, [4, 3], &message, 0x0A)
    }

    pub(crate) fn configure(&self, subcommand: u8, parameters: Option<Value<'_>>) -> Vec<u8> {
        let (request, encoded) = with_parameters(subcommand, parameters);
        let message = [&[0xFF; 32][..], &[0x0D, subcommand], &encoded].concat();
        self.prove(request, [4, 3], &message, 0x0D)
    }

    /// A fragment for the array of large blobs; `length` is that of the whole, for the first one.
    pub(crate) fn write_large_blobs(&self, fragment: &[u8], offset: u32, length: Option<u64>) -> Vec<u8> {
        let hash = Sha256::digest(fragment);
        let message = [&[0xFF; 32][..], &[0x0C, 0x00], &offset.to_le_bytes(), &hash].concat();
        self.prove(large_blob_write(fragment, offset, length), [5, 6], &message, 0x0C)
    }
}

/// A fragment for the array of large blobs without proof.
pub(crate) fn large_blob_write(fragment: &[u8], offset: u32, length: Option<u64>) -> Members<'_> {
    let request = Members::empty()
        .with(2, Value::Bytes(fragment))
        .with(3, Value::Unsigned(offset.into()));
    match length {
        None => request,
        Some(length) => request.with(4, Value::Unsigned(length)),
    }
}

/// A request for a subcommand, and its parameters as they are authenticated.
fn with_parameters(subcommand: u8, parameters: Option<Value<'_>>) -> (Members<'_>, Vec<u8>) {
    let encoded = parameters.as_ref().map(cbor::encode).unwrap_or_default();
    let request = Members::empty().with(1, Value::Unsigned(subcommand.into()));
    match parameters {
        None => (request, encoded),
        Some(parameters) => (request.with(2, parameters), encoded),
    }
}

impl Key {
    /// Agrees with the key on a secret.
    pub(crate) fn agree(&mut self, protocol: Protocol) -> Agreement {
        self.agree_as(protocol, &SecretKey::from_slice(&[0x17; 32]).unwrap())
    }

    /// Agrees with the key on a secret, as the platform with this key.
    pub(crate) fn agree_as(&mut self, protocol: Protocol, platform: &SecretKey) -> Agreement {
        let key = self.key_agreement_key(protocol);
        let point = [&[4][..], &key.x, &key.y].concat();
        let peer = PublicKey::from_sec1_bytes(&point).unwrap();
        let z = ecdh::diffie_hellman(platform.to_nonzero_scalar(), peer.as_affine());
        Agreement {
            protocol,
            key: CoseKey::of(platform),
            shared: SharedSecret::derive(protocol, z.raw_secret_bytes()),
        }
    }

    /// The key's half.
    pub(crate) fn key_agreement_key(&mut self, protocol: Protocol) -> CoseKey {
        let request = ClientPin {
            protocol: Some(protocol.number()),
            ..ClientPin::bare(0x02)
        };
        let answer = self.cbor(&request.encode());
        let members = answer.members();
        let Some(Value::Map(key)) = members.get(1_u64) else {
            panic!("{answer:02x?}")
        };
        let coordinate = |name: i64| match key.get(name) {
            Some(Value::Bytes(bytes)) => bytes.to_vec(),
            other => panic!("{other:?}"),
        };
        CoseKey {
            kty: 2,
            crv: 1,
            x: coordinate(-2),
            y: coordinate(-3),
        }
    }

    /// Gives the key a PIN.
    pub(crate) fn set_pin(&mut self, pin: &str) {
        let request = self.agree(Protocol::Two).set_pin(pin);
        assert_eq!(self.cbor(&request.encode()).status(), StatusCode::OK);
    }

    pub(crate) fn change_pin(&mut self, protocol: Protocol, old: &str, new: &str) -> StatusCode {
        let request = self.agree(protocol).change_pin(old, new);
        self.cbor(&request.encode()).status()
    }

    /// What getPinToken gives for `pin`.
    pub(crate) fn pin_token(&mut self, protocol: Protocol, pin: &str) -> Result<Ticket, StatusCode> {
        let agreement = self.agree(protocol);
        let answer = self.cbor(&agreement.pin_token(pin).encode());
        ticket(&agreement, &answer)
    }

    /// What getPinUvAuthTokenUsingPinWithPermissions gives for the right PIN.
    pub(crate) fn token(&mut self, permissions: u64, rp_id: Option<&'static str>) -> Ticket {
        self.token_under(Protocol::Two, permissions, rp_id)
    }

    pub(crate) fn token_under(
        &mut self,
        protocol: Protocol,
        permissions: u64,
        rp_id: Option<&'static str>,
    ) -> Ticket {
        let agreement = self.agree(protocol);
        let request = ClientPin {
            rp_id,
            ..agreement.token(PIN, permissions)
        };
        let answer = self.cbor(&request.encode());
        ticket(&agreement, &answer).unwrap()
    }

    /// What getPinUvAuthTokenUsingUvWithPermissions gives to a user who does this.
    pub(crate) fn token_by_uv(
        &mut self,
        permissions: u64,
        gestures: impl IntoIterator<Item = Gesture>,
    ) -> Result<Ticket, StatusCode> {
        let agreement = self.agree(Protocol::Two);
        let answer = self.cbor_after(&agreement.token_by_uv(permissions).encode(), gestures);
        ticket(&agreement, &answer.1)
    }

    /// What getPINRetries tells: the retries, and whether the key must be without power first.
    pub(crate) fn pin_retries(&mut self) -> (u64, bool) {
        let answer = self.cbor(&ClientPin::bare(0x01).encode());
        let members = answer.members();
        match (members.get(3_u64), members.get(4_u64)) {
            (Some(Value::Unsigned(retries)), Some(Value::Bool(power_cycle))) => (*retries, *power_cycle),
            other => panic!("{other:?}"),
        }
    }

    /// What getUVRetries tells.
    pub(crate) fn uv_retries(&mut self) -> u64 {
        let answer = self.cbor(&ClientPin::bare(0x07).encode());
        match answer.members().get(5_u64) {
            Some(Value::Unsigned(retries)) => *retries,
            other => panic!("{other:?}"),
        }
    }
}

/// What protects a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protection {
    pub(crate) pin: bool,
    pub(crate) fingerprint: bool,
    pub(crate) always_uv: bool,
}

impl Protection {
    /// Every one there is.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..8_u8).map(|bits| Self {
            pin: bits & 1 != 0,
            fingerprint: bits & 2 != 0,
            always_uv: bits & 4 != 0,
        })
    }

    pub(crate) fn protects(self) -> bool {
        self.pin || self.fingerprint
    }

    /// Protects a key that nothing protects yet.
    pub(crate) fn set(self, key: &mut Key) {
        if self.always_uv {
            let toggle = [0x0D, 0xA1, 0x01, 0x02];
            assert_eq!(key.cbor(&toggle).status(), StatusCode::OK);
        }
        if self.pin {
            key.set_pin(PIN);
        }
        key.authenticator
            .set_verifier(self.fingerprint.then_some(Verifier {
                modality: Modality::Fingerprint,
                ready: true,
            }));
    }
}

/// What a request proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Absent,
    /// Of zero bytes.
    Empty,
    /// Not by any token.
    Garbage,
    /// By a token that the PIN gave.
    ByPin,
    /// By a token that built-in verification gave.
    ByFinger,
}

impl Proof {
    pub(crate) const ALL: [Self; 5] = [
        Self::Absent,
        Self::Empty,
        Self::Garbage,
        Self::ByPin,
        Self::ByFinger,
    ];

    /// Whether a key with this protection gives such a proof.
    pub(crate) fn is_possible(self, protection: Protection) -> bool {
        match self {
            Self::Absent | Self::Empty | Self::Garbage => true,
            Self::ByPin => protection.pin,
            Self::ByFinger => protection.fingerprint,
        }
    }

    /// The request with this proof of the client data; `members` are the numbers of param and protocol.
    pub(crate) fn encode(
        self,
        key: &mut Key,
        request: Members<'_>,
        members: [u64; 2],
        command: u8,
    ) -> Vec<u8> {
        let ticket = match self {
            Self::Absent => return request.encode(command),
            Self::Empty => return request.with(members[0], Value::Bytes(&[])).encode(command),
            Self::Garbage => Ticket {
                protocol: Protocol::Two,
                secret: vec![0; 32],
            },
            Self::ByPin => key.token(MC | GA, None),
            Self::ByFinger => key.token_by_uv(MC | GA, [Gesture::Verified]).unwrap(),
        };
        ticket.prove(request, members, &CLIENT_DATA_HASH, command)
    }
}

/// What a user does who agrees to everything that is asked of them.
pub(crate) fn agree_to(prompt: &Prompt) -> Gesture {
    match prompt.demand {
        Demand::Presence => Gesture::Approved,
        Demand::Verification { .. } => Gesture::Verified,
        Demand::VaultPin => panic!("the vault is open"),
    }
}

fn ticket(agreement: &Agreement, answer: &super::Answer) -> Result<Ticket, StatusCode> {
    match answer.status() {
        StatusCode::OK => Ok(Ticket {
            protocol: agreement.protocol,
            secret: agreement.decrypt(&bytes_in(&answer.members(), 2)),
        }),
        status => Err(status),
    }
}
