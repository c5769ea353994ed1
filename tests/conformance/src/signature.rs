//! Signatures as a relying party checks them, RFC 9053 §2.

use ciborium::Value;
use p256::ecdsa::signature::Verifier;

use crate::parameters::numbered;

/// The algorithm of a COSE key.
pub(crate) fn algorithm_of(key: &Value) -> Option<i32> {
    let algorithm = numbered(key, 3)?.as_integer()?;
    i32::try_from(i128::from(algorithm)).ok()
}

/// Whether `signature` over `message` is by this COSE key.
pub(crate) fn verifies(key: &Value, message: &[u8], signature: &[u8]) -> bool {
    let coordinate = |number: i32| numbered(key, number)?.as_bytes();
    let point = || Some([&[4], coordinate(-2)?.as_slice(), coordinate(-3)?.as_slice()].concat());
    let verified = || match algorithm_of(key)? {
        // ES256 and ESP256
        -7 | -9 => verifies_p256(&point()?, message, signature).then_some(()),
        // ES384 and ESP384
        -35 | -51 => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point()?).ok()?;
            let signature = p384::ecdsa::DerSignature::from_bytes(signature).ok()?;
            key.verify(message, &signature).ok()
        }
        // EdDSA and Ed25519
        -8 | -19 => {
            let point = coordinate(-2)?.as_slice().try_into().ok()?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(point).ok()?;
            let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
            key.verify_strict(message, &signature).ok()
        }
        _ => None,
    };
    verified().is_some()
}

/// Whether the DER `signature` over `message` is by the key whose uncompressed point this is.
pub(crate) fn verifies_p256(point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let verified = || {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
        let signature = p256::ecdsa::DerSignature::from_bytes(signature).ok()?;
        key.verify(message, &signature).ok()
    };
    verified().is_some()
}
