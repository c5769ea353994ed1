//! Credentials as commands use them, kept in the vault or carried by their own id. The only file that knows both what
//! a credential is and how the vault keeps it.
//!
//! What a wrapped credential id carries, sealed by the vault: version `01`, the COSE algorithm identifier (4 bytes, big
//! endian), the 32 secret bytes of the key.

use rand_core::CryptoRng;
use wardkey_vault::{CredentialId, Error, Passkey, Profile, RpIdHash, Secret, Vault};
use zeroize::Zeroizing;

use crate::cose::Algorithm;
use crate::entity::{RelyingParty, RpId, User};
use crate::private_key::PrivateKey;

const WRAPPED_VERSION: u8 = 1;

/// The length of the ids of stored credentials: as random as their keys.
const STORED_ID_LEN: usize = 32;

/// A credential of this key.
pub(crate) struct Credential {
    pub(crate) id: CredentialId,
    pub(crate) profile: Profile,
    pub(crate) key: PrivateKey,
    /// Whose it is; only stored credentials know.
    pub(crate) user: Option<User>,
}

/// A new credential to be stored.
pub(crate) struct NewCredential {
    pub(crate) id: CredentialId,
    pub(crate) rp: RelyingParty,
    pub(crate) user: User,
    pub(crate) key: PrivateKey,
    pub(crate) profile: Profile,
    pub(crate) created_unix_ms: u64,
}

/// What a wrapped credential is bound to.
pub(crate) struct Binding<'a> {
    pub(crate) rp_id_hash: &'a RpIdHash,
    pub(crate) profile: Profile,
}

/// The credential with this id for this relying party, wherever it is kept; `None` when it is not one of ours.
pub(crate) fn find(vault: &Vault, rp: &RpIdHash, id: &CredentialId) -> Result<Option<Credential>, Error> {
    if let Some(passkey) = vault.load(id)? {
        return Ok(from_passkey(rp, passkey));
    }
    Ok(vault.unwrap(rp, id).and_then(|(profile, secret)| {
        let key = open_wrapped(&secret)?;
        Some(Credential {
            id: id.clone(),
            profile,
            key,
            user: None,
        })
    }))
}

/// Stores a new discoverable credential; it replaces one of the same user with the same relying party.
pub(crate) fn store(
    vault: &mut Vault,
    rng: &mut dyn CryptoRng,
    credential: NewCredential,
) -> Result<(), Error> {
    let NewCredential {
        id,
        rp,
        user,
        key,
        profile,
        created_unix_ms,
    } = credential;
    let passkey = Passkey {
        id,
        rp_id: rp.id.0,
        rp_name: rp.name,
        user_id: user.id,
        user_name: user.name,
        user_display_name: user.display_name,
        algorithm: key.algorithm.identifier(),
        private_key: key.secret,
        profile,
        created_unix_ms,
    };
    vault.store(rng, passkey)
}

/// A new id for a credential to be stored.
pub(crate) fn random_id(rng: &mut dyn CryptoRng) -> CredentialId {
    let mut id = [0; STORED_ID_LEN];
    rng.fill_bytes(&mut id);
    CredentialId::new(&id).expect("32 bytes are neither none nor too many")
}

/// The id of a new credential that is stored nowhere but in this id.
pub(crate) fn wrap(
    vault: &Vault,
    rng: &mut dyn CryptoRng,
    binding: &Binding<'_>,
    key: &PrivateKey,
) -> CredentialId {
    vault.wrap(rng, binding.rp_id_hash, binding.profile, &seal_wrapped(key))
}

fn from_passkey(rp: &RpIdHash, passkey: Passkey) -> Option<Credential> {
    let rp_id = RpId(passkey.rp_id);
    let algorithm = Algorithm::from_identifier(passkey.algorithm)?;
    // A credential is used only for the relying party it was made for, WebAuthn L3 §6.3.3.
    (rp_id.hash() == *rp).then(|| Credential {
        id: passkey.id,
        profile: passkey.profile,
        key: PrivateKey {
            algorithm,
            secret: passkey.private_key,
        },
        user: Some(User {
            id: passkey.user_id,
            name: passkey.user_name,
            display_name: passkey.user_display_name,
        }),
    })
}

fn seal_wrapped(key: &PrivateKey) -> Zeroizing<Vec<u8>> {
    let mut payload = Zeroizing::new(Vec::with_capacity(1 + 4 + 32));
    payload.push(WRAPPED_VERSION);
    payload.extend(key.algorithm.identifier().to_be_bytes());
    payload.extend(key.secret.expose_secret());
    payload
}

fn open_wrapped(payload: &[u8]) -> Option<PrivateKey> {
    let (&[WRAPPED_VERSION], payload) = payload.split_first_chunk()? else {
        return None;
    };
    let (algorithm, secret) = payload.split_first_chunk()?;
    let algorithm = Algorithm::from_identifier(i32::from_be_bytes(*algorithm))?;
    let secret = Secret::from_slice(secret)?;
    Some(PrivateKey { algorithm, secret })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: Algorithm) -> PrivateKey {
        let secret = Secret::from_slice(&[0x5A; 32]).unwrap();
        PrivateKey { algorithm, secret }
    }

    #[test]
    fn a_wrapped_payload_is_version_algorithm_and_key() {
        let payload = seal_wrapped(&key(Algorithm::EdDsa));
        assert_eq!(
            payload.as_slice(),
            [&[0x01, 0xFF, 0xFF, 0xFF, 0xF8][..], &[0x5A; 32]].concat()
        );
        let opened = open_wrapped(&payload).unwrap();
        assert_eq!(opened.algorithm, Algorithm::EdDsa);
        assert_eq!(opened.secret.expose_secret(), &[0x5A; 32]);
    }

    #[test]
    fn a_payload_of_another_version_algorithm_or_length_is_not_opened() {
        let payload = seal_wrapped(&key(Algorithm::Es256));
        assert!(open_wrapped(&payload).is_some());
        let (mut version, mut algorithm) = (payload.clone(), payload.clone());
        version[0] = 2;
        algorithm[4] = 0;
        let long = [payload.as_slice(), &[0]].concat();
        for damaged in [&[][..], &version, &algorithm, &payload[..36], &long] {
            assert!(open_wrapped(damaged).is_none());
        }
    }
}
