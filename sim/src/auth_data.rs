//! Authenticator data taken apart, WebAuthn L3 §6.1. Signatures are made over the raw bytes; these are kept.

use ciborium::Value;

/// Authenticator data, raw and taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthData {
    /// The bytes that were signed.
    pub raw: Vec<u8>,
    /// SHA-256 of the relying party id.
    pub rp_id_hash: [u8; 32],
    /// The flags.
    pub flags: Flags,
    /// The signature counter.
    pub sign_count: u32,
    /// The new credential, after a registration.
    pub attested: Option<AttestedCredential>,
    /// Extension outputs.
    pub extensions: Option<Value>,
}

/// The flags of authenticator data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// A user was present.
    pub const USER_PRESENT: Self = Self(0x01);
    /// The user was verified.
    pub const USER_VERIFIED: Self = Self(0x04);
    /// The credential may be backed up.
    pub const BACKUP_ELIGIBLE: Self = Self(0x08);
    /// The credential is backed up.
    pub const BACKUP_STATE: Self = Self(0x10);
    /// There is a new credential.
    pub const ATTESTED: Self = Self(0x40);
    /// There are extension outputs.
    pub const EXTENSIONS: Self = Self(0x80);

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A new credential.
#[derive(Debug, Clone, PartialEq)]
pub struct AttestedCredential {
    /// The model of the key.
    pub aaguid: [u8; 16],
    /// Names the credential.
    pub credential_id: Vec<u8>,
    /// The public key, a COSE key as it came.
    pub public_key_cose: Vec<u8>,
    /// The same, decoded.
    pub public_key: Value,
}

/// Why authenticator data cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends too early.
    #[error("the authenticator data ends too early")]
    Truncated,
    /// The public key or the extensions are not CBOR.
    #[error("the authenticator data contains bytes that are not CBOR")]
    NotCbor,
    /// It goes on after its end.
    #[error("the authenticator data goes on for {0} bytes after its end")]
    Trailing(usize),
}

/// Takes authenticator data apart.
pub fn parse(raw: Vec<u8>) -> Result<AuthData, Error> {
    let mut rest = raw.as_slice();
    let rp_id_hash = take::<32>(&mut rest)?;
    let [flags] = take::<1>(&mut rest)?;
    let flags = Flags(flags);
    let sign_count = u32::from_be_bytes(take::<4>(&mut rest)?);
    let attested = flags
        .contains(Flags::ATTESTED)
        .then(|| take_credential(&mut rest))
        .transpose()?;
    let extensions = flags
        .contains(Flags::EXTENSIONS)
        .then(|| take_cbor(&mut rest))
        .transpose()?;
    if !rest.is_empty() {
        return Err(Error::Trailing(rest.len()));
    }
    let extensions = extensions.map(|(value, _)| value);
    Ok(AuthData {
        rp_id_hash,
        flags,
        sign_count,
        attested,
        extensions,
        raw,
    })
}

fn take_credential(rest: &mut &[u8]) -> Result<AttestedCredential, Error> {
    let aaguid = take::<16>(rest)?;
    let length = u16::from_be_bytes(take::<2>(rest)?);
    let (credential_id, tail) = rest.split_at_checked(length.into()).ok_or(Error::Truncated)?;
    *rest = tail;
    let (public_key, public_key_cose) = take_cbor(rest)?;
    Ok(AttestedCredential {
        aaguid,
        credential_id: credential_id.to_vec(),
        public_key_cose,
        public_key,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (head, tail) = rest.split_first_chunk().ok_or(Error::Truncated)?;
    *rest = tail;
    Ok(*head)
}

fn take_cbor(rest: &mut &[u8]) -> Result<(Value, Vec<u8>), Error> {
    let before = *rest;
    let value = ciborium::from_reader(&mut *rest).map_err(|_| Error::NotCbor)?;
    let length = before.len() - rest.len();
    let raw = before.iter().copied().take(length).collect();
    Ok((value, raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> Vec<u8> {
        let mut bytes = vec![7; 32];
        bytes.extend([0x41, 0, 0, 0, 9]);
        bytes.extend([0xAA; 16]);
        bytes.extend([0, 3, 1, 2, 3]);
        bytes.extend([0xA1, 0x01, 0x02]);
        bytes
    }

    #[test]
    fn a_registration_is_taken_apart() {
        let data = parse(registration()).unwrap();
        let credential = data.attested.unwrap();
        assert_eq!(data.sign_count, 9);
        assert!(data.flags.contains(Flags::USER_PRESENT) && !data.flags.contains(Flags::USER_VERIFIED));
        assert_eq!(credential.credential_id, [1, 2, 3]);
        assert_eq!(credential.public_key_cose, [0xA1, 0x01, 0x02]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = registration();
        for length in 0..whole.len() {
            assert!(
                parse(whole[..length].to_vec()).is_err(),
                "{length} bytes were enough"
            );
        }
    }

    #[test]
    fn bytes_after_the_end_are_an_error() {
        let mut bytes = registration();
        bytes.push(0);
        assert_eq!(parse(bytes), Err(Error::Trailing(1)));
    }
}
