//! COSE algorithm identifiers and public keys as relying parties see them. `RFC 9053 §2`, `§7`, `RFC 9864 §2`,
//! `RFC 9964 §3`, `WebAuthn L3 §5.8.5`, `§6.5.1.1`: the required members of the key type and `alg`, no others.

use crate::cbor::{self, Map, Value};

/// A signature algorithm as a relying party names it. Some schemes have two names; a credential keeps the one that
/// was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ECDSA with SHA-256; in WebAuthn always with P-256.
    Es256,
    /// EdDSA; in WebAuthn always with Ed25519.
    EdDsa,
    /// ECDSA with SHA-384; in WebAuthn always with P-384.
    Es384,
    /// ECDSA with P-256 and SHA-256: ES256, fully specified.
    Esp256,
    /// EdDSA with Ed25519, fully specified.
    Ed25519,
    /// ECDSA with P-384 and SHA-384: ES384, fully specified.
    Esp384,
    /// ML-DSA-44, `FIPS 204`.
    MlDsa44,
    /// ML-DSA-65, `FIPS 204`.
    MlDsa65,
}

/// What an algorithm computes, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// ECDSA with P-256 and SHA-256.
    P256,
    /// ECDSA with P-384 and SHA-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44, without pre-hash and context.
    MlDsa44,
    /// ML-DSA-65, without pre-hash and context.
    MlDsa65,
}

impl Algorithm {
    /// Every algorithm, the preferred one first.
    pub(crate) const ALL: [Self; 8] = [
        Self::Es256,
        Self::EdDsa,
        Self::Es384,
        Self::MlDsa65,
        Self::MlDsa44,
        Self::Esp256,
        Self::Ed25519,
        Self::Esp384,
    ];

    /// The COSE identifier.
    pub(crate) const fn identifier(self) -> i32 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Esp256 => -9,
            Self::Ed25519 => -19,
            Self::Es384 => -35,
            Self::MlDsa44 => -48,
            Self::MlDsa65 => -49,
            Self::Esp384 => -51,
        }
    }

    /// The algorithm with this COSE identifier.
    pub(crate) fn from_identifier(identifier: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.identifier() == identifier)
    }

    /// What it computes.
    pub(crate) const fn scheme(self) -> Scheme {
        match self {
            Self::Es256 | Self::Esp256 => Scheme::P256,
            Self::Es384 | Self::Esp384 => Scheme::P384,
            Self::EdDsa | Self::Ed25519 => Scheme::Ed25519,
            Self::MlDsa44 => Scheme::MlDsa44,
            Self::MlDsa65 => Scheme::MlDsa65,
        }
    }

    /// Whether getInfo names it. The second names of a scheme are understood, but not named there: whoever asks for
    /// one is advised by `WebAuthn L3 §5.8.5` to ask for the first as well, and there are clients that refuse a key for
    /// a name they have never heard.
    pub(crate) const fn is_advertised(self) -> bool {
        match self {
            Self::Es256 | Self::EdDsa | Self::Es384 | Self::MlDsa44 | Self::MlDsa65 => true,
            Self::Esp256 | Self::Ed25519 | Self::Esp384 => false,
        }
    }
}

/// A public key, and the algorithm it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) value: KeyValue,
}

/// The key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyValue {
    /// The coordinates of a point on P-256, big endian.
    P256 { x: [u8; 32], y: [u8; 32] },
    /// The coordinates of a point on P-384, big endian.
    P384 { x: [u8; 48], y: [u8; 48] },
    /// A point on Curve25519 in Edwards form, as `RFC 8032` encodes it.
    Ed25519([u8; 32]),
    /// An ML-DSA key, as `FIPS 204` encodes it.
    MlDsa(Vec<u8>),
}

impl PublicKey {
    /// The COSE_Key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        const KTY: i64 = 1;
        const ALG: i64 = 3;
        // The members of EC2 and OKP keys, RFC 9053 §7.1 and §7.2.
        const CRV: i64 = -1;
        const X: i64 = -2;
        const Y: i64 = -3;
        // The member of an AKP key, RFC 9964 §3.
        const PUB: i64 = -1;
        const OKP: Value<'_> = Value::Unsigned(1);
        const EC2: Value<'_> = Value::Unsigned(2);
        const AKP: Value<'_> = Value::Unsigned(7);
        let alg = Value::integer(i64::from(self.algorithm.identifier()));
        let ec2 = |curve, x, y| {
            Map::new([
                (KTY, EC2),
                (ALG, alg.clone()),
                (CRV, Value::Unsigned(curve)),
                (X, Value::Bytes(x)),
                (Y, Value::Bytes(y)),
            ])
        };
        let map = match &self.value {
            KeyValue::P256 { x, y } => ec2(1, x, y),
            KeyValue::P384 { x, y } => ec2(2, x, y),
            KeyValue::Ed25519(x) => Map::new([
                (KTY, OKP),
                (ALG, alg),
                (CRV, Value::Unsigned(6)),
                (X, Value::Bytes(x)),
            ]),
            KeyValue::MlDsa(key) => Map::new([(KTY, AKP), (ALG, alg), (PUB, Value::Bytes(key))]),
        };
        cbor::encode(&Value::Map(map))
    }
}

#[cfg(test)]
mod tests;
