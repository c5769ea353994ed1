//! Attestation object and authenticator data (WebAuthn L3 §6.1, §6.5): bytes in, their parts out.
//!
//! Shows what a key said, and feeds the Ed25519 checks. Nothing is verified here.

use ciborium::Value;

use super::refused::Refused;

/// A CBOR map as it came.
pub(super) struct CborMap(Vec<(Value, Value)>);

impl CborMap {
    /// The member with that key; with the first one, should there be several.
    pub(super) fn get(&self, key: impl Into<Value>) -> Option<&Value> {
        let key = key.into();
        self.0
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An attestation object, taken apart.
pub(super) struct Attested {
    pub(super) format: String,
    pub(super) statement: CborMap,
    /// The authenticator data as it was signed.
    pub(super) signed: Vec<u8>,
    pub(super) data: AuthenticatorData,
    pub(super) credential: AttestedCredential,
}

/// Authenticator data, WebAuthn L3 §6.1.
pub(super) struct AuthenticatorData {
    pub(super) rp_id_hash: [u8; 32],
    pub(super) flags: Flags,
    pub(super) counter: u32,
    credential: Option<AttestedCredential>,
}

/// Attested credential data, WebAuthn L3 §6.5.1.
pub(super) struct AttestedCredential {
    pub(super) aaguid: [u8; 16],
    pub(super) id: Vec<u8>,
    pub(super) public_key: CborMap,
}

/// The flags byte of authenticator data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    /// UP: the user was present.
    pub(super) const fn user_present(self) -> bool {
        self.0 & 0x01 != 0
    }
    /// UV: the user was verified.
    pub(super) const fn user_verified(self) -> bool {
        self.0 & 0x04 != 0
    }
    /// BE: the credential may be backed up.
    pub(super) const fn backup_eligible(self) -> bool {
        self.0 & 0x08 != 0
    }
    /// BS: the credential is backed up.
    pub(super) const fn backed_up(self) -> bool {
        self.0 & 0x10 != 0
    }
    const fn has_credential(self) -> bool {
        self.0 & 0x40 != 0
    }
    const fn has_extensions(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// Takes an attestation object apart, WebAuthn L3 §6.5.4.
pub(super) fn parse(bytes: &[u8]) -> Result<Attested, Refused> {
    let (Value::Map(object), []) = decode(bytes)? else {
        return Err(malformed("the attestation object is not one map"));
    };
    let object = CborMap(object);
    let (Some(Value::Text(format)), Some(Value::Map(statement)), Some(Value::Bytes(signed))) =
        (object.get("fmt"), object.get("attStmt"), object.get("authData"))
    else {
        return Err(malformed("the attestation object lacks fmt, attStmt or authData"));
    };
    let (format, statement, signed) = (format.clone(), CborMap(statement.clone()), signed.clone());
    let mut data = AuthenticatorData::parse(&signed)?;
    let credential = data
        .credential
        .take()
        .ok_or_else(|| malformed("the authenticator data has no credential"))?;
    Ok(Attested {
        format,
        statement,
        signed,
        data,
        credential,
    })
}

impl AuthenticatorData {
    /// Takes authenticator data apart. Every byte must belong to something.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let short = || malformed("the authenticator data is too short");
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or_else(short)?;
        let (flags, rest) = rest.split_first().ok_or_else(short)?;
        let (counter, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let flags = Flags(*flags);

        let (credential, rest) = if flags.has_credential() {
            let (credential, rest) = AttestedCredential::parse(rest)?;
            (Some(credential), rest)
        } else {
            (None, rest)
        };
        let rest = if flags.has_extensions() {
            decode(rest)?.1
        } else {
            rest
        };
        if !rest.is_empty() {
            return Err(malformed("the authenticator data is too long"));
        }
        Ok(Self {
            rp_id_hash: *rp_id_hash,
            flags,
            counter: u32::from_be_bytes(*counter),
            credential,
        })
    }
}

impl AttestedCredential {
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Refused> {
        let short = || malformed("the attested credential is too short");
        let (aaguid, rest) = bytes.split_first_chunk::<16>().ok_or_else(short)?;
        let (len, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        let (id, rest) = rest
            .split_at_checked(usize::from(u16::from_be_bytes(*len)))
            .ok_or_else(short)?;
        let (Value::Map(public_key), rest) = decode(rest)? else {
            return Err(malformed("the public key is not a map"));
        };
        Ok((
            Self {
                aaguid: *aaguid,
                id: id.to_vec(),
                public_key: CborMap(public_key),
            },
            rest,
        ))
    }
}

/// The first CBOR value, and what follows it.
fn decode(mut bytes: &[u8]) -> Result<(Value, &[u8]), Refused> {
    let value = ciborium::from_reader(&mut bytes).map_err(|error| malformed(&error.to_string()))?;
    Ok((value, bytes))
}

fn malformed(what: &str) -> Refused {
    Refused::Malformed(what.to_owned())
}
