//! The extensions hmac-secret and hmac-secret-mc, CTAP 2.3 §12: salts in, secrets out, both encrypted.

use ciborium::Value;
use rand_core::CryptoRng;

use super::pin::{PinProtocol, SharedSecret};
use super::{Error, canonical};

/// The length of a salt, and of what is made of it.
pub const SECRET_LEN: usize = 32;

/// The input of the extension. `salts` are one or two of 32 bytes, one after the other; tests send other lengths.
pub fn hmac_secret_input(secret: &SharedSecret, salts: &[u8], rng: &mut dyn CryptoRng) -> Value {
    let salt_enc = secret.encrypt(salts, rng);
    let mut members = vec![
        (Value::from(1), secret.platform_key().clone()),
        (Value::from(3), Value::from(secret.authenticate(&salt_enc))),
        (Value::from(2), Value::from(salt_enc)),
    ];
    // Keys of CTAP 2.0 know only protocol one, and not this member.
    if secret.protocol() != PinProtocol::One {
        members.push((Value::from(4), Value::from(secret.protocol().number())));
    }
    canonical(Value::Map(members))
}

/// The secrets in an output of the extension, one or two.
pub fn hmac_secret_output(secret: &SharedSecret, output: &Value) -> Result<Vec<[u8; SECRET_LEN]>, Error> {
    const MEMBER: Error = Error::Member("hmac-secret");
    let encrypted = output.as_bytes().ok_or(MEMBER)?;
    let decrypted = secret.decrypt(encrypted).ok_or(MEMBER)?;
    let (secrets, rest) = decrypted.as_chunks();
    if rest.is_empty() && matches!(secrets.len(), 1 | 2) {
        Ok(secrets.to_vec())
    } else {
        Err(MEMBER)
    }
}
