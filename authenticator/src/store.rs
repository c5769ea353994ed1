//! Credentials as commands use them, kept in the vault or carried by their own id. The only file that knows both what
//! a credential is and how the vault keeps it.
//!
//! What a wrapped credential id carries, sealed by the vault: version `02`, the COSE algorithm identifier (4 bytes, big
//! endian), a byte of traits (bits 0 and 1 credProtect, bit 2 thirdPartyPayment), and 32 random bytes from which HKDF
//! makes the private key and CredRandom. Version `01` has the private key itself (32 bytes) behind the algorithm, and
//! neither traits nor CredRandom; it is read, but no longer made.

use rand_core::CryptoRng;
use wardkey_vault::{
    CredProtect, CredentialId, Error, LargeBlob, Passkey, Profile, RpIdHash, Secret, SecretBytes, Site,
    Subject, Vault,
};
use zeroize::Zeroizing;

use crate::cose::Algorithm;
use crate::entity::{RelyingParty, RpId, User};
use crate::pin::protocol::expand;
use crate::private_key::{PrivateKey, SigningKey};

const WRAPPED_VERSION: u8 = 2;
const WRAPPED_VERSION_KEY: u8 = 1;

/// The length of the ids of stored credentials: as random as their keys.
const STORED_ID_LEN: usize = 32;

/// HKDF labels of what is made from the seed in a wrapped credential.
const CRED_RANDOM_WITH_UV: &[u8] = b"wardkey credRandom with uv";
const CRED_RANDOM_WITHOUT_UV: &[u8] = b"wardkey credRandom without uv";

/// A credential of this key.
pub(crate) struct Credential {
    pub(crate) id: CredentialId,
    pub(crate) profile: Profile,
    pub(crate) key: PrivateKey,
    /// Whose it is; only stored credentials know.
    pub(crate) user: Option<User>,
    pub(crate) traits: Traits,
    pub(crate) cred_random: Option<Secret<64>>,
    pub(crate) cred_blob: Option<Vec<u8>>,
    pub(crate) large_blob_key: Option<Secret<32>>,
    pub(crate) large_blob: Option<LargeBlob>,
}

impl Credential {
    /// The credential as the log names it.
    pub(crate) fn subject(&self, site: Site) -> Subject {
        let user_name = self.user.as_ref().and_then(|user| user.name.as_deref());
        Subject::new(site, self.id.clone(), user_name)
    }
}

/// What a relying party chose for a credential, wherever it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traits {
    pub(crate) cred_protect: CredProtect,
    pub(crate) third_party_payment: bool,
}

/// A credential that exists nowhere but here yet, unless its id carries it.
pub(crate) struct Minted {
    pub(crate) id: CredentialId,
    pub(crate) profile: Profile,
    pub(crate) key: PrivateKey,
    pub(crate) signing_key: SigningKey,
    pub(crate) cred_random: Secret<64>,
}

/// What is stored of a new credential besides its secrets.
pub(crate) struct NewCredential {
    pub(crate) id: CredentialId,
    pub(crate) rp: RelyingParty,
    pub(crate) user: User,
    pub(crate) profile: Profile,
    pub(crate) created_unix_ms: u64,
    pub(crate) traits: Traits,
    pub(crate) cred_blob: Option<Vec<u8>>,
    pub(crate) large_blob_key: Option<Secret<32>>,
}

/// What a wrapped credential is bound to.
pub(crate) struct Binding<'a> {
    pub(crate) rp_id_hash: &'a RpIdHash,
    pub(crate) profile: Profile,
}

/// The credential with this id for this relying party, wherever it is kept; `None` when it is not one of ours.
pub(crate) fn find(vault: &Vault, rp: &RpIdHash, id: &CredentialId) -> Result<Option<Credential>, Error> {
    if let Some(passkey) = vault.load(id)? {
        // A credential is used only for the relying party it was made for, WebAuthn L3 §6.3.3.
        return Ok(from_passkey(passkey)
            .filter(|(rp_id, _)| rp_id.hash() == *rp)
            .map(|(_, credential)| credential));
    }
    Ok(vault.unwrap(rp, id).and_then(|(profile, secret)| {
        let Opened {
            key,
            traits,
            cred_random,
        } = open_wrapped(&secret)?;
        Some(Credential {
            id: id.clone(),
            profile,
            key,
            user: None,
            traits,
            cred_random,
            cred_blob: None,
            large_blob_key: None,
            large_blob: None,
        })
    }))
}

/// A new discoverable credential as the vault stores it.
pub(crate) fn passkey(credential: NewCredential, minted: Minted) -> Passkey {
    let NewCredential {
        id,
        rp,
        user,
        profile,
        created_unix_ms,
        traits,
        cred_blob,
        large_blob_key,
    } = credential;
    Passkey {
        id,
        rp_id: rp.id.0,
        rp_name: rp.name,
        user_id: user.id,
        user_name: user.name,
        user_display_name: user.display_name,
        algorithm: minted.key.algorithm.identifier(),
        private_key: minted.key.secret,
        profile,
        created_unix_ms,
        cred_protect: traits.cred_protect,
        cred_random: Some(minted.cred_random),
        cred_blob,
        large_blob_key,
        large_blob: None,
        third_party_payment: traits.third_party_payment,
    }
}

/// A new credential that will be stored: a random id, and secrets of its own.
pub(crate) fn mint_stored(rng: &mut dyn CryptoRng, profile: Profile, algorithm: Algorithm) -> Minted {
    let (key, signing_key) = PrivateKey::generate(rng, algorithm);
    let mut id = [0; STORED_ID_LEN];
    rng.fill_bytes(&mut id);
    Minted {
        id: CredentialId::new(&id).expect("32 bytes are neither none nor too many"),
        profile,
        key,
        signing_key,
        cred_random: Secret::random(rng),
    }
}

/// A new credential that is stored nowhere but in its id.
pub(crate) fn mint_wrapped(
    vault: &mut Vault,
    rng: &mut dyn CryptoRng,
    binding: &Binding<'_>,
    algorithm: Algorithm,
    traits: Traits,
) -> Result<Minted, Error> {
    let seed = Secret::random(rng);
    let key = PrivateKey::derive(&seed, algorithm);
    let signing_key = key.load().expect("what is derived is a key");
    let payload = seal_wrapped(algorithm, traits, &seed);
    Ok(Minted {
        id: vault.wrap(rng, binding.rp_id_hash, binding.profile, &payload)?,
        profile: binding.profile,
        key,
        signing_key,
        cred_random: derive_cred_random(&seed),
    })
}

/// The credential in a record of the vault, and whose it is.
pub(crate) fn from_passkey(passkey: Passkey) -> Option<(RpId, Credential)> {
    let algorithm = Algorithm::from_identifier(passkey.algorithm)?;
    let credential = Credential {
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
        traits: Traits {
            cred_protect: passkey.cred_protect,
            third_party_payment: passkey.third_party_payment,
        },
        cred_random: passkey.cred_random,
        cred_blob: passkey.cred_blob,
        large_blob_key: passkey.large_blob_key,
        large_blob: passkey.large_blob,
    };
    Some((RpId(passkey.rp_id), credential))
}

fn derive_cred_random(seed: &Secret<32>) -> Secret<64> {
    let with_uv: Secret<32> = expand(seed.expose_secret(), CRED_RANDOM_WITH_UV);
    let without_uv: Secret<32> = expand(seed.expose_secret(), CRED_RANDOM_WITHOUT_UV);
    let both = Zeroizing::new([*with_uv.expose_secret(), *without_uv.expose_secret()].concat());
    Secret::from_slice(&both).expect("32 + 32 bytes")
}

fn seal_wrapped(algorithm: Algorithm, traits: Traits, seed: &Secret<32>) -> Zeroizing<Vec<u8>> {
    let mut payload = Zeroizing::new(Vec::with_capacity(1 + 4 + 1 + 32));
    payload.push(WRAPPED_VERSION);
    payload.extend(algorithm.identifier().to_be_bytes());
    payload.push(traits.to_byte());
    payload.extend(seed.expose_secret());
    payload
}

/// What a wrapped credential id carries.
struct Opened {
    key: PrivateKey,
    traits: Traits,
    cred_random: Option<Secret<64>>,
}

fn open_wrapped(payload: &[u8]) -> Option<Opened> {
    let (version, payload) = payload.split_first()?;
    let (algorithm, payload) = payload.split_first_chunk()?;
    let algorithm = Algorithm::from_identifier(i32::from_be_bytes(*algorithm))?;
    match *version {
        WRAPPED_VERSION => {
            let (traits, seed) = payload.split_first()?;
            let seed = Secret::from_slice(seed)?;
            let key = PrivateKey::derive(&seed, algorithm);
            Some(Opened {
                key,
                traits: Traits::from_byte(*traits)?,
                cred_random: Some(derive_cred_random(&seed)),
            })
        }
        WRAPPED_VERSION_KEY => Some(Opened {
            key: PrivateKey {
                algorithm,
                secret: SecretBytes::from_slice(<&[u8; 32]>::try_from(payload).ok()?),
            },
            traits: Traits::default(),
            cred_random: None,
        }),
        _ => None,
    }
}

impl Traits {
    const THIRD_PARTY_PAYMENT: u8 = 1 << 2;

    fn to_byte(self) -> u8 {
        let payment = if self.third_party_payment {
            Self::THIRD_PARTY_PAYMENT
        } else {
            0
        };
        self.cred_protect.code() | payment
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Some(Self {
            cred_protect: CredProtect::from_code(byte & !Self::THIRD_PARTY_PAYMENT)?,
            third_party_payment: byte & Self::THIRD_PARTY_PAYMENT != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;

    fn seed() -> Secret<32> {
        Secret::random(&mut SeededRng::new(1))
    }

    #[test]
    fn a_wrapped_payload_is_version_algorithm_traits_and_seed() {
        let traits = Traits {
            cred_protect: CredProtect::Required,
            third_party_payment: true,
        };
        let payload = seal_wrapped(Algorithm::EdDsa, traits, &seed());
        assert_eq!(
            payload.as_slice(),
            [&[0x02, 0xFF, 0xFF, 0xFF, 0xF8, 0x07][..], seed().expose_secret()].concat()
        );
        let opened = open_wrapped(&payload).unwrap();
        assert_eq!((opened.key.algorithm, opened.traits), (Algorithm::EdDsa, traits));
    }

    #[test]
    fn key_and_random_are_made_from_the_seed_and_differ() {
        let open = |algorithm| open_wrapped(&seal_wrapped(algorithm, Traits::default(), &seed())).unwrap();
        let (one, again, other) = (
            open(Algorithm::Es256),
            open(Algorithm::Es256),
            open(Algorithm::EdDsa),
        );
        assert_eq!(one.key.secret.expose_secret(), again.key.secret.expose_secret());
        assert_ne!(one.key.secret.expose_secret(), other.key.secret.expose_secret());
        let random = one.cred_random.unwrap();
        let (with_uv, without_uv) = random.expose_secret().split_at(32);
        assert_ne!(with_uv, without_uv);
        assert_ne!(with_uv, one.key.secret.expose_secret());
        assert_eq!(again.cred_random.unwrap().expose_secret(), random.expose_secret());
    }

    #[test]
    fn a_payload_of_version_1_is_the_key_itself() {
        let payload = [&[0x01, 0xFF, 0xFF, 0xFF, 0xF9][..], &[0x5A; 32]].concat();
        let opened = open_wrapped(&payload).unwrap();
        assert_eq!(opened.key.algorithm, Algorithm::Es256);
        assert_eq!(opened.key.secret.expose_secret(), &[0x5A; 32]);
        assert_eq!(opened.traits, Traits::default());
        assert!(opened.cred_random.is_none());
        assert!(open_wrapped(&payload[..36]).is_none());
    }

    #[test]
    fn a_payload_of_another_version_algorithm_trait_or_length_is_not_opened() {
        let payload = seal_wrapped(Algorithm::Es256, Traits::default(), &seed());
        assert!(open_wrapped(&payload).is_some());
        let changed = |at: usize, to: u8| {
            let mut payload = payload.clone();
            payload[at] = to;
            payload
        };
        let long = Zeroizing::new([payload.as_slice(), &[0]].concat());
        for damaged in [
            Zeroizing::new(Vec::new()),
            changed(0, 3),
            changed(4, 0),
            changed(5, 0),
            changed(5, 0x11),
            Zeroizing::new(payload[..37].to_vec()),
            long,
        ] {
            assert!(open_wrapped(&damaged).is_none());
        }
    }
}
