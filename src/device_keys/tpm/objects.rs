//! The public areas of the objects in the TPM (TPM 2.0 part 2, `TPMT_PUBLIC`). They are not read from the disk but made
//! here, with the key that is kept; so nobody who edits the disk can take a protection off.

use tss_esapi::Result;
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::structures::{
    Digest, EccParameter, EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme, KeyedHashScheme,
    Public, PublicBuilder, PublicEccParametersBuilder, PublicKeyedHashParameters, SymmetricDefinitionObject,
};
use wardkey_vault::PublicPoint;

use super::error::TpmError;

/// A coordinate of a point.
const COORDINATE_LEN: usize = 32;

/// The storage key, made again from the owner's seed each time: nothing of it is kept. Its authorization value is empty
/// and not worth guessing.
pub(super) fn storage() -> Result<Public> {
    let attributes = bound_to_this_tpm()
        .with_sensitive_data_origin(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        EccCurve::NistP256,
    );
    ecc(attributes, parameters, None)
}

/// The key that signs.
pub(super) fn signing(key: Option<&PublicPoint>) -> Result<Public> {
    let attributes = guarded().with_sensitive_data_origin(true).with_sign_encrypt(true);
    let scheme = EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256));
    let parameters = PublicEccParametersBuilder::new_unrestricted_signing_key(scheme, EccCurve::NistP256);
    ecc(attributes.build()?, parameters, key)
}

/// The key that agrees.
pub(super) fn agreement(key: Option<&PublicPoint>) -> Result<Public> {
    let attributes = guarded().with_sensitive_data_origin(true).with_decrypt(true);
    let scheme = EccScheme::EcDh(HashScheme::new(HashingAlgorithm::Sha256));
    let parameters = PublicEccParametersBuilder::new()
        .with_ecc_scheme(scheme)
        .with_curve(EccCurve::NistP256)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .with_is_decryption_key(true);
    ecc(attributes.build()?, parameters, key)
}

/// Something sealed. `unique` is the TPM's digest of it.
pub(super) fn sealed(unique: Option<&[u8; 32]>) -> Result<Public> {
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::KeyedHash)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(guarded().build()?)
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(match unique {
            Some(unique) => Digest::try_from(unique.as_slice())?,
            None => Digest::default(),
        })
        .build()
}

/// What the Vault PIN guards: a wrong authorization value is counted, because `noDA` is not set.
fn guarded() -> ObjectAttributesBuilder {
    bound_to_this_tpm().with_no_da(false)
}

/// It never leaves this TPM and its place in it, and is used with an authorization value.
fn bound_to_this_tpm() -> ObjectAttributesBuilder {
    ObjectAttributes::builder()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_user_with_auth(true)
}

fn ecc(
    attributes: ObjectAttributes,
    parameters: PublicEccParametersBuilder,
    key: Option<&PublicPoint>,
) -> Result<Public> {
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters.build()?)
        .with_ecc_unique_identifier(match key {
            Some(key) => ecc_point(key)?,
            None => EccPoint::default(),
        })
        .build()
}

/// A point for the TPM.
pub(super) fn ecc_point(point: &PublicPoint) -> Result<EccPoint> {
    let [_, coordinates @ ..] = point.as_bytes();
    let (x, y) = coordinates.split_at(COORDINATE_LEN);
    Ok(EccPoint::new(
        EccParameter::try_from(x)?,
        EccParameter::try_from(y)?,
    ))
}

/// The point of a key that the TPM made.
pub(super) fn point(public: &Public) -> std::result::Result<PublicPoint, TpmError> {
    let Public::Ecc { unique, .. } = public else {
        return Err(TpmError::Nonsense);
    };
    let mut point = [0; PublicPoint::LEN];
    let (tag, coordinates) = point.split_at_mut(1);
    let (x, y) = coordinates.split_at_mut(COORDINATE_LEN);
    tag.fill(4);
    pad(unique.x(), x)?;
    pad(unique.y(), y)?;
    PublicPoint::new(&point).ok_or(TpmError::Nonsense)
}

/// The TPM's digest of something sealed.
pub(super) fn digest(public: &Public) -> std::result::Result<[u8; 32], TpmError> {
    let Public::KeyedHash { unique, .. } = public else {
        return Err(TpmError::Nonsense);
    };
    unique.value().try_into().map_err(|_| TpmError::Nonsense)
}

/// A number as it is, in front of it as many zeros as `out` has place for: some TPMs leave them off.
pub(super) fn pad(number: &EccParameter, out: &mut [u8]) -> std::result::Result<(), TpmError> {
    let zeros = out
        .len()
        .checked_sub(number.value().len())
        .ok_or(TpmError::Nonsense)?;
    let (zeros, rest) = out.split_at_mut(zeros);
    zeros.fill(0);
    rest.copy_from_slice(number.value());
    Ok(())
}
