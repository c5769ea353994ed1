//! COSE algorithm identifiers and public keys as relying parties see them. `RFC 9053 §2`, `§7`, `WebAuthn L3 §5.8.5`,
//! `§6.5.1.1`: the required members of the key type and `alg`, no others.

use crate::cbor::{self, Map, Value};

/// A signature algorithm this key can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// EdDSA with Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, the preferred one first.
    pub(crate) const ALL: [Self; 2] = [Self::Es256, Self::EdDsa];

    /// The COSE identifier.
    pub(crate) const fn identifier(self) -> i32 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
        }
    }

    /// The algorithm with this COSE identifier.
    pub(crate) fn from_identifier(identifier: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.identifier() == identifier)
    }
}

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// The coordinates of a point on P-256, big endian.
    P256 { x: [u8; 32], y: [u8; 32] },
    /// A point on Curve25519 in Edwards form, as `RFC 8032` encodes it.
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// The COSE_Key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        const KTY: i64 = 1;
        const ALG: i64 = 3;
        const CRV: i64 = -1;
        const X: i64 = -2;
        const Y: i64 = -3;
        let alg = |algorithm: Algorithm| Value::integer(i64::from(algorithm.identifier()));
        let map = match self {
            Self::P256 { x, y } => Map::new([
                (KTY, Value::Unsigned(2)), // EC2
                (ALG, alg(Algorithm::Es256)),
                (CRV, Value::Unsigned(1)), // P-256
                (X, Value::Bytes(x)),
                (Y, Value::Bytes(y)),
            ]),
            Self::Ed25519(x) => Map::new([
                (KTY, Value::Unsigned(1)), // OKP
                (ALG, alg(Algorithm::EdDsa)),
                (CRV, Value::Unsigned(6)), // Ed25519
                (X, Value::Bytes(x)),
            ]),
        };
        cbor::encode(&Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p256_key_has_its_five_members_in_order() {
        let encoded = PublicKey::P256 {
            x: [0xAA; 32],
            y: [0xBB; 32],
        }
        .encode();
        let mut expected = vec![0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        expected.extend([0xAA; 32]);
        expected.extend([0x22, 0x58, 0x20]);
        expected.extend([0xBB; 32]);
        assert_eq!(encoded, expected);
    }

    #[test]
    fn an_ed25519_key_has_its_four_members_in_order() {
        let encoded = PublicKey::Ed25519([0xCC; 32]).encode();
        let mut expected = vec![0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
        expected.extend([0xCC; 32]);
        assert_eq!(encoded, expected);
    }

    #[test]
    fn only_the_advertised_algorithms_are_known() {
        assert_eq!(Algorithm::from_identifier(-7), Some(Algorithm::Es256));
        assert_eq!(Algorithm::from_identifier(-8), Some(Algorithm::EdDsa));
        assert_eq!(Algorithm::from_identifier(-257), None);
        assert_eq!(Algorithm::from_identifier(7), None);
    }
}
