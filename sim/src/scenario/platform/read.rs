//! From answers to facts, and to what the platform knows.

use ciborium::Value;

use super::{CLIENT_DATA_HASH, Credential, Platform, Prepared, member};
use crate::fido_client::{Permissions, PinUvAuthToken, canonical, from_bytes, hmac_secret_output, to_bytes};
use crate::scenario::facts::{self, Facts, note};
use crate::scenario::{Manage, PINS, Pin, Report, Request};

impl Platform {
    pub(super) fn read(&mut self, request: &Request, prepared: &Prepared, answer: &[u8]) -> Report {
        let mut facts = Facts::new();
        let Some((&status, body)) = answer.split_first() else {
            note(&mut facts, "answer", "empty");
            return Report {
                status: u8::MAX,
                facts,
            };
        };
        if status != 0 {
            if !body.is_empty() {
                note(&mut facts, "body", "there is one although the command failed");
            }
            return Report { status, facts };
        }
        self.learn(request, &mut facts, prepared, body);
        Report { status, facts }
    }

    fn learn(&mut self, request: &Request, facts: &mut Facts, prepared: &Prepared, body: &[u8]) {
        let Some(body) = decode(facts, body) else {
            return self.learn_success(request);
        };
        facts::describe(facts, "", &body);
        match request {
            Request::Make(_) => self.learn_credential(facts, prepared, &body),
            Request::Get(_) | Request::GetNext => self.learn_assertion(facts, prepared, &body),
            Request::Pin(pin) => self.learn_pin(*pin, facts, prepared, &body),
            Request::Manage(manage, _) => self.learn_managed(*manage, facts, &body),
            Request::Blobs(..) => self.learn_blob(facts, &body),
            Request::Info | Request::Configure(..) | Request::Reset | Request::Select | Request::Other(_) => {
            }
        }
        self.learn_success(request);
    }

    /// What follows from success alone.
    fn learn_success(&mut self, request: &Request) {
        if let Request::Pin(Pin::Set(_, new) | Pin::Change(_, _, new)) = request {
            self.pin = PINS.get(usize::from(*new) % PINS.len()).copied();
        } else if *request == Request::Reset {
            self.pin = None;
        }
    }

    fn learn_credential(&mut self, facts: &mut Facts, prepared: &Prepared, body: &Value) {
        let Some(Value::Bytes(raw)) = member(body, 2) else {
            return;
        };
        facts.remove("02");
        let data = facts::describe_auth_data(facts, &mut self.names, &mut self.last_count, raw);
        self.name_secret(facts, "05", "largeBlobKey", member(body, 5));
        let Some(data) = data else { return };
        self.note_hmac_secret(facts, prepared, data.extensions.as_ref(), "hmac-secret-mc");
        let Some(attested) = data.attested else { return };
        if let Some(Value::Bytes(signature)) =
            member(body, 3).and_then(|statement| text_member(statement, "sig"))
        {
            let message = [raw, &CLIENT_DATA_HASH[..]].concat();
            let valid = facts::verifies(&attested.public_key, &message, signature);
            note(facts, "03.sig", validity(valid));
        }
        self.credentials.push(Credential {
            id: attested.credential_id,
            public_key: attested.public_key,
        });
    }

    fn learn_assertion(&mut self, facts: &mut Facts, prepared: &Prepared, body: &Value) {
        let Some(Value::Bytes(raw)) = member(body, 2) else {
            return;
        };
        facts.remove("02");
        let data = facts::describe_auth_data(facts, &mut self.names, &mut self.last_count, raw);
        self.name_secret(facts, "07", "largeBlobKey", member(body, 7));
        self.name_credential(facts, "01.id", member(body, 1));
        let id = member(body, 1).and_then(|descriptor| text_member(descriptor, "id"));
        let made = self
            .credentials
            .iter()
            .find(|made| Some(&made.id) == id.and_then(Value::as_bytes));
        if let (Some(made), Some(Value::Bytes(signature))) = (made, member(body, 3)) {
            let message = [raw, &CLIENT_DATA_HASH[..]].concat();
            let valid = facts::verifies(&made.public_key, &message, signature);
            note(facts, "03", validity(valid));
        }
        if let Some(data) = data {
            self.note_hmac_secret(facts, prepared, data.extensions.as_ref(), "hmac-secret");
        }
    }

    /// Which secrets came out, if they can be decrypted: those of an earlier command have names.
    fn note_hmac_secret(
        &mut self,
        facts: &mut Facts,
        prepared: &Prepared,
        extensions: Option<&Value>,
        extension: &str,
    ) {
        let output = extensions.and_then(|outputs| text_member(outputs, extension));
        let secret = prepared.protocol.and_then(|protocol| self.secret(protocol));
        let (Some(output @ Value::Bytes(_)), Some(secret)) = (output, secret) else {
            return;
        };
        let path = format!("authData.extensions.{extension}.secret");
        match hmac_secret_output(secret, output) {
            Ok(secrets) => {
                let names: Vec<_> = secrets
                    .iter()
                    .map(|secret| self.names.name("secret", secret))
                    .collect();
                note(facts, &path, names.join(", "));
            }
            Err(error) => note(facts, &path, error),
        }
    }

    fn learn_pin(&mut self, pin: Pin, facts: &mut Facts, prepared: &Prepared, body: &Value) {
        if let Some(key) = member(body, 1) {
            note(facts, "01", self.names.name("keyAgreement", &to_bytes(key)));
        }
        let secret = prepared.protocol.and_then(|protocol| self.secret(protocol));
        let (Some(Value::Bytes(encrypted)), Some(secret)) = (member(body, 2), secret) else {
            return;
        };
        let Some(token) = secret.decrypt(encrypted) else {
            return note(facts, "02", "does not decrypt");
        };
        let protocol = secret.protocol();
        note(
            facts,
            "02",
            format!("{} bytes, {}", token.len(), self.names.name("token", &token)),
        );
        let token = PinUvAuthToken::from_parts(protocol, token);
        let lasting = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY.0;
        if let Pin::TokenFor(_, _, wanted) | Pin::TokenByUv(_, wanted) = pin
            && wanted.permissions == lasting
        {
            self.persistent_token = Some(token);
        } else {
            self.tokens.push(token);
        }
    }

    fn learn_managed(&mut self, manage: Manage, facts: &mut Facts, body: &Value) {
        if let Some(Value::Bytes(hash)) = member(body, 4) {
            note(facts, "04", self.names.name("rpIdHash", hash));
        }
        if let Manage::Credentials(_) | Manage::NextCredential = manage {
            self.name_credential(facts, "07.id", member(body, 7));
            self.name_secret(facts, "0B", "largeBlobKey", member(body, 0x0B));
            if let Some(key) = member(body, 8) {
                note(facts, "08", self.names.name("publicKey", &to_bytes(key)));
            }
        }
    }

    fn learn_blob(&mut self, facts: &mut Facts, body: &Value) {
        if let Some(Value::Bytes(fragment)) = member(body, 1) {
            note(
                facts,
                "01",
                format!(
                    "{} bytes, {}",
                    fragment.len(),
                    self.names.name("fragment", fragment)
                ),
            );
        }
    }

    fn name_credential(&mut self, facts: &mut Facts, path: &str, descriptor: Option<&Value>) {
        if let Some(Value::Bytes(id)) = descriptor.and_then(|descriptor| text_member(descriptor, "id")) {
            note(facts, path, self.names.name("credential", id));
        }
    }

    fn name_secret(&mut self, facts: &mut Facts, path: &str, kind: &'static str, value: Option<&Value>) {
        if let Some(Value::Bytes(secret)) = value {
            note(
                facts,
                path,
                format!("{} bytes, {}", secret.len(), self.names.name(kind, secret)),
            );
        }
    }
}

/// The body, if there is one and it is CBOR.
fn decode(facts: &mut Facts, body: &[u8]) -> Option<Value> {
    if body.is_empty() {
        note(facts, "", "nothing");
        return None;
    }
    let Ok(value) = from_bytes(body) else {
        note(facts, "", "no CBOR");
        return None;
    };
    if to_bytes(&canonical(value.clone())) != body {
        note(facts, "encoding", "not canonical");
    }
    Some(value)
}

fn text_member<'a>(map: &'a Value, key: &str) -> Option<&'a Value> {
    let mut members = map.as_map()?.iter();
    members
        .find(|(name, _)| *name == Value::from(key))
        .map(|(_, value)| value)
}

const fn validity(valid: bool) -> &'static str {
    if valid { "valid" } else { "NOT VALID" }
}
