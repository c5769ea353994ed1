//! From steps to requests.

use ciborium::Value;
use sha2::{Digest, Sha256};

use super::{ArrayWrite, CLIENT_DATA_HASH, Exchange, Platform, Prepared};
use crate::fido_client::{
    ClientPin, Configuration, CredentialManagement, GetAssertion, Grant, LargeBlobs, MakeCredential,
    MinPinLength, Permissions, PinProtocol, PinUvAuthToken, RelyingParty, User, canonical, from_bytes,
    hmac_secret_input, serialize_large_blobs,
};
use crate::scenario::{
    Agreement, Auth, Blobs, Configure, Entry, Get, Make, Manage, Named, PINS, Pin, RP_IDS, Report, Request,
    Salts, Wanted,
};

/// The members of a command's parameters that authorize it: pinUvAuthParam, pinUvAuthProtocol.
const OF_MAKE: [u8; 2] = [8, 9];
const OF_GET: [u8; 2] = [6, 7];
const OF_MANAGE: [u8; 2] = [4, 3];
const OF_BLOBS: [u8; 2] = [5, 6];

/// The number of no protocol.
const UNKNOWN_PROTOCOL: u8 = 3;

impl Platform {
    pub(super) fn prepare(
        &mut self,
        request: &Request,
        exchange: &mut Exchange<'_>,
    ) -> Result<Prepared, Report> {
        let bare = |command| Prepared {
            command,
            parameters: None,
            protocol: None,
        };
        Ok(match request {
            Request::Make(make) => self.make(make, exchange)?,
            Request::Get(get) => self.get(get, exchange)?,
            Request::GetNext => bare(0x08),
            Request::Info => bare(0x04),
            Request::Pin(pin) => self.pin(*pin, exchange)?,
            Request::Manage(manage, auth) => self.manage(*manage, *auth),
            Request::Blobs(blobs, auth) => self.blobs(*blobs, *auth),
            Request::Configure(configure, auth) => self.configure(*configure, *auth),
            Request::Reset => bare(0x07),
            Request::Select => bare(0x0B),
            Request::Other(command) => bare(*command),
        })
    }

    fn make(&mut self, make: &Make, exchange: &mut Exchange<'_>) -> Result<Prepared, Report> {
        let mut extensions = vec![
            ("credProtect", make.cred_protect.map(Value::from)),
            ("hmac-secret", make.hmac_secret.map(Value::from)),
            (
                "credBlob",
                make.cred_blob.map(|len| Value::Bytes(vec![0xB1; len.into()])),
            ),
            ("largeBlobKey", make.large_blob_key.map(Value::from)),
            ("minPinLength", make.min_pin_length.map(Value::from)),
            ("thirdPartyPayment", make.third_party_payment.map(Value::from)),
        ];
        if let Some(salts) = make.hmac_secret_mc {
            extensions.push(("hmac-secret-mc", Some(self.salts(salts, exchange)?)));
        }
        let mut request = MakeCredential {
            client_data_hash: CLIENT_DATA_HASH,
            rp: RelyingParty {
                id: rp_id(make.rp),
                name: Some("An Example".to_owned()),
            },
            user: account(make.user),
            algorithms: make.algorithms.clone(),
            rk: make.rk,
            up: make.up,
            uv: make.uv,
            ..MakeCredential::default()
        };
        request.more.extend(self.descriptors(5, &make.exclude));
        if let Some(enterprise) = make.enterprise {
            request.more.push((0x0A, Value::from(enterprise)));
        }
        if let Some(formats) = &make.formats {
            let formats = formats.iter().map(|format| Value::from(*format)).collect();
            request.more.push((0x0B, Value::Array(formats)));
        }
        let extensions = present(extensions);
        if !extensions.is_empty() {
            request = request.with_extensions(extensions);
        }
        if let Some(token) = self.token(make.auth) {
            request = request.authorized_by(&token);
        }
        Ok(Prepared {
            command: 0x01,
            parameters: Some(authorized(&request.to_bytes(), make.auth, OF_MAKE)),
            protocol: make.hmac_secret_mc.map(|salts| salts.protocol),
        })
    }

    fn get(&mut self, get: &Get, exchange: &mut Exchange<'_>) -> Result<Prepared, Report> {
        let mut extensions = vec![
            ("credBlob", get.cred_blob.map(Value::from)),
            ("largeBlobKey", get.large_blob_key.map(Value::from)),
            ("thirdPartyPayment", get.third_party_payment.map(Value::from)),
        ];
        if let Some(salts) = get.hmac_secret {
            extensions.push(("hmac-secret", Some(self.salts(salts, exchange)?)));
        }
        let mut request = GetAssertion {
            rp_id: rp_id(get.rp),
            client_data_hash: CLIENT_DATA_HASH,
            ..GetAssertion::default()
        };
        request.more.extend(self.descriptors(3, &get.allow));
        let options = present(vec![
            ("rk", get.rk.map(Value::from)),
            ("up", get.up.map(Value::from)),
            ("uv", get.uv.map(Value::from)),
        ]);
        if !options.is_empty() {
            request.more.push((5, text_map(options)));
        }
        let extensions = present(extensions);
        if !extensions.is_empty() {
            request = request.with_extensions(extensions);
        }
        if let Some(token) = self.token(get.auth) {
            request = request.authorized_by(&token);
        }
        Ok(Prepared {
            command: 0x02,
            parameters: Some(authorized(&request.to_bytes(), get.auth, OF_GET)),
            protocol: get.hmac_secret.map(|salts| salts.protocol),
        })
    }

    /// The input of hmac-secret. Salts of the same length are the same, so that secrets can be compared.
    fn salts(&mut self, salts: Salts, exchange: &mut Exchange<'_>) -> Result<Value, Report> {
        let Salts {
            protocol,
            len,
            forged,
        } = salts;
        self.agree(protocol, false, exchange)?;
        let (secret, rng) = self.agreed(protocol);
        let mut input = hmac_secret_input(secret, &vec![0x5A; len.into()], rng);
        if forged && let Value::Map(members) = &mut input {
            for (key, value) in members {
                if let (true, Value::Bytes(bytes)) = (*key == Value::from(3), value) {
                    spoil(bytes);
                }
            }
        }
        Ok(input)
    }

    fn pin(&mut self, pin: Pin, exchange: &mut Exchange<'_>) -> Result<Prepared, Report> {
        let agreement = pin.agreement();
        if let Some(Agreement { protocol, reused }) = agreement {
            self.agree(protocol, reused, exchange)?;
        }
        let request = match pin {
            Pin::Retries => ClientPin::bare(ClientPin::GET_PIN_RETRIES),
            Pin::UvRetries => ClientPin::bare(ClientPin::GET_UV_RETRIES),
            Pin::KeyAgreement(protocol) => ClientPin::get_key_agreement(protocol),
            Pin::Set(agreement, new) => {
                let (secret, rng) = self.agreed(agreement.protocol);
                ClientPin::set_pin(secret, pin_text(new), rng)
            }
            Pin::Change(agreement, entry, new) => {
                let current = self.entered(entry);
                let (secret, rng) = self.agreed(agreement.protocol);
                ClientPin::change_pin(secret, current, pin_text(new), rng)
            }
            Pin::Token(agreement, entry) => {
                let pin = self.entered(entry);
                let (secret, rng) = self.agreed(agreement.protocol);
                ClientPin::get_pin_token(secret, pin, rng)
            }
            Pin::TokenFor(agreement, entry, wanted) => {
                let (pin, rp_id) = (self.entered(entry), wanted.rp.map(rp_id));
                let (secret, rng) = self.agreed(agreement.protocol);
                ClientPin::get_token_using_pin(secret, pin, grant(wanted, rp_id.as_deref()), rng)
            }
            Pin::TokenByUv(agreement, wanted) => {
                let rp_id = wanted.rp.map(rp_id);
                let (secret, _) = self.agreed(agreement.protocol);
                ClientPin::get_token_using_uv(secret, grant(wanted, rp_id.as_deref()))
            }
            Pin::Other(subcommand) => ClientPin {
                protocol: Some(2),
                ..ClientPin::bare(subcommand)
            },
        };
        Ok(Prepared {
            command: 0x06,
            parameters: Some(decoded(&request.to_bytes())),
            protocol: agreement.map(|agreement| agreement.protocol),
        })
    }

    fn entered(&self, entry: Entry) -> &'static [u8] {
        let [first, ..] = PINS;
        match entry {
            Entry::Right => self.pin.unwrap_or(first),
            Entry::Wrong => b"wrong",
        }
    }

    fn manage(&mut self, manage: Manage, auth: Auth) -> Prepared {
        let token = self.token(auth);
        let request = match manage {
            Manage::Metadata => CredentialManagement::GetCredsMetadata,
            Manage::Rps => CredentialManagement::EnumerateRpsBegin,
            Manage::NextRp => CredentialManagement::EnumerateRpsGetNextRp,
            Manage::Credentials(rp) => {
                CredentialManagement::EnumerateCredentialsBegin(Sha256::digest(rp_id(rp)).into())
            }
            Manage::NextCredential => CredentialManagement::EnumerateCredentialsGetNextCredential,
            Manage::Delete(named) => CredentialManagement::DeleteCredential(self.credential_id(named)),
            Manage::Update(named, user) => {
                CredentialManagement::UpdateUserInformation(self.credential_id(named), renamed(user))
            }
            Manage::Other(subcommand) => {
                return Prepared {
                    command: 0x0A,
                    parameters: Some(subcommand_only(subcommand)),
                    protocol: None,
                };
            }
        };
        Prepared {
            command: 0x0A,
            parameters: Some(authorized(&request.to_bytes(token.as_ref()), auth, OF_MANAGE)),
            protocol: None,
        }
    }

    fn blobs(&mut self, blobs: Blobs, auth: Auth) -> Prepared {
        let request = match blobs {
            Blobs::Read { offset, count } => LargeBlobs::get(offset.into(), count.into()),
            Blobs::Write { len, fragment, sound } => {
                let array = array(len.into(), sound);
                let fragment = array.get(..fragment.into()).unwrap_or(&array);
                let request = LargeBlobs::set(fragment, 0, len.into());
                let sent = fragment.len();
                self.write = Some(ArrayWrite { array, sent });
                request
            }
            Blobs::GoOn { fragment, skip } => self.next_fragment(fragment.into(), skip.into()),
            Blobs::Neither => LargeBlobs {
                offset: Some(0),
                ..LargeBlobs::default()
            },
            Blobs::Both => LargeBlobs {
                get: Some(17),
                ..LargeBlobs::set(&[0x80], 0, 17)
            },
        };
        let request = match self.token(auth) {
            None => request,
            Some(token) => request.authorized_by(&token),
        };
        Prepared {
            command: 0x0C,
            parameters: Some(authorized(&request.to_bytes(), auth, OF_BLOBS)),
            protocol: None,
        }
    }

    fn next_fragment(&mut self, len: usize, skip: usize) -> LargeBlobs {
        let write = self.write.get_or_insert_with(|| ArrayWrite {
            array: array(64, true),
            sent: 32,
        });
        let rest = write.array.get(write.sent..).unwrap_or_default();
        let fragment = rest.get(..len).unwrap_or(rest).to_vec();
        let offset = u32::try_from(write.sent + skip).expect("arrays are short");
        write.sent += fragment.len();
        LargeBlobs {
            set: Some(fragment),
            offset: Some(offset),
            ..LargeBlobs::default()
        }
    }

    fn configure(&mut self, configure: Configure, auth: Auth) -> Prepared {
        let token = self.token(auth);
        let request = match configure {
            Configure::EnterpriseAttestation => Configuration::EnableEnterpriseAttestation,
            Configure::ToggleAlwaysUv => Configuration::ToggleAlwaysUv,
            Configure::MinPinLength { len, rp_ids, force } => Configuration::SetMinPinLength(MinPinLength {
                new_min_pin_length: len.map(u32::from),
                rp_ids: rp_ids.map(|count| (0..count).map(rp_id).collect()),
                force_change_pin: force,
                pin_complexity_policy: None,
            }),
            Configure::LongTouch => Configuration::EnableLongTouchForReset,
            Configure::Other(subcommand) => {
                return Prepared {
                    command: 0x0D,
                    parameters: Some(subcommand_only(subcommand)),
                    protocol: None,
                };
            }
        };
        Prepared {
            command: 0x0D,
            parameters: Some(authorized(&request.to_bytes(token.as_ref()), auth, OF_MANAGE)),
            protocol: None,
        }
    }

    /// The token to prove something with.
    fn token(&self, auth: Auth) -> Option<PinUvAuthToken> {
        let made_up = || PinUvAuthToken::from_parts(PinProtocol::Two, vec![0x70; 32]);
        let token = match auth {
            Auth::Absent => return None,
            Auth::PersistentToken => self.persistent_token.as_ref(),
            Auth::PreviousToken => self.tokens.iter().rev().nth(1),
            Auth::Token
            | Auth::Forged
            | Auth::Short
            | Auth::WithoutProtocol
            | Auth::UnknownProtocol
            | Auth::Empty => self.tokens.last(),
        };
        Some(token.cloned().unwrap_or_else(made_up))
    }

    fn descriptors(&self, key: u8, list: &[Named]) -> Option<(u8, Value)> {
        let descriptor = |named: &Named| {
            let kind = match named {
                Named::Made(_) | Named::Foreign => "public-key",
                Named::OtherType(_) => "private-key",
            };
            text_map([
                ("id", Value::Bytes(self.credential_id(*named))),
                ("type", Value::from(kind)),
            ])
        };
        (!list.is_empty()).then(|| (key, Value::Array(list.iter().map(descriptor).collect())))
    }

    fn credential_id(&self, named: Named) -> Vec<u8> {
        let foreign = || vec![0xF0; 48];
        match named {
            Named::Made(index) | Named::OtherType(index) => {
                let index = usize::from(index).checked_rem(self.credentials.len());
                index
                    .and_then(|index| self.credentials.get(index))
                    .map_or_else(foreign, |made| made.id.clone())
            }
            Named::Foreign => foreign(),
        }
    }
}

fn rp_id(index: u8) -> String {
    RP_IDS
        .get(usize::from(index))
        .map_or_else(String::new, |id| (*id).to_owned())
}

fn account(index: u8) -> User {
    User {
        id: vec![0xA0 + index % 16; 8],
        name: Some(format!("account {index}")),
        display_name: Some(format!("Person {index}")),
    }
}

/// The same account with other names, or without some.
fn renamed(index: u8) -> User {
    User {
        name: index.is_multiple_of(2).then(|| format!("renamed {index}")),
        display_name: (!index.is_multiple_of(3)).then(String::new),
        ..account(index)
    }
}

fn pin_text(index: u8) -> &'static [u8] {
    PINS.get(usize::from(index) % PINS.len())
        .expect("an index below the length")
}

fn grant(wanted: Wanted, rp_id: Option<&str>) -> Grant<'_> {
    Grant {
        permissions: Permissions(wanted.permissions),
        rp_id,
    }
}

/// A large-blob array of this length, or of the shortest there is.
fn array(len: usize, sound: bool) -> Vec<u8> {
    // A byte string of a length that two bytes tell; what is inside does not matter to the key.
    let content = len.saturating_sub(16).max(1);
    let mut array = serialize_large_blobs(&vec![0x80; content]);
    array.truncate(len);
    if !sound {
        spoil(&mut array);
    }
    array
}

fn spoil(bytes: &mut [u8]) {
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
}

fn present(members: Vec<(&str, Option<Value>)>) -> Vec<(&str, Value)> {
    let present = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    present.collect()
}

fn text_map<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members = members
        .into_iter()
        .map(|(name, value)| (Value::from(name), value));
    canonical(Value::Map(members.collect()))
}

fn subcommand_only(subcommand: u8) -> Value {
    Value::Map(vec![(Value::from(1), Value::from(subcommand))])
}

fn decoded(bytes: &[u8]) -> Value {
    from_bytes(bytes).expect("our own client encodes CBOR")
}

/// The parameters, with what proves something changed as `auth` says.
fn authorized(parameters: &[u8], auth: Auth, [param, protocol]: [u8; 2]) -> Value {
    let Value::Map(mut members) = decoded(parameters) else {
        return Value::Null;
    };
    for (key, value) in &mut members {
        match (auth, value) {
            (Auth::Forged, Value::Bytes(bytes)) if *key == Value::from(param) => spoil(bytes),
            (Auth::Short, Value::Bytes(bytes)) if *key == Value::from(param) => bytes.truncate(7),
            (Auth::Empty, Value::Bytes(bytes)) if *key == Value::from(param) => bytes.clear(),
            (Auth::UnknownProtocol, value) if *key == Value::from(protocol) => {
                *value = Value::from(UNKNOWN_PROTOCOL);
            }
            _ => {}
        }
    }
    if auth == Auth::WithoutProtocol {
        members.retain(|(key, _)| *key != Value::from(protocol));
    }
    Value::Map(members)
}
