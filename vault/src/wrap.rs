//! Credential ids that carry their own key, so that the vault stores nothing. `FORMAT.md` §5.
//!
//! ```text
//! version ‖ epoch ‖ 16 random bytes ‖ text (profile ‖ secret) ‖ tag
//! └───────────── start ───────────┘
//! ```
//! The start selects the key; start and relying party are the associated data. Ids arrive from anyone: whatever is
//! not exactly what this vault made for this relying party is `None`.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::keys::{TAG_LEN, WrappingKey};
use crate::{CredentialId, Profile, RpIdHash};

const VERSION: u8 = 0x01;
const RANDOM_LEN: usize = 16;
const START_LEN: usize = 1 + 4 + RANDOM_LEN;

/// The longest secret that is wrapped, in bytes.
pub(crate) const SECRET_LEN_MAX: usize = 64;

pub(crate) fn wrap(
    key: &WrappingKey,
    rng: &mut dyn CryptoRng,
    rp: &RpIdHash,
    profile: Profile,
    secret: &[u8],
) -> CredentialId {
    assert!(
        secret.len() <= SECRET_LEN_MAX,
        "a wrapped secret has at most {SECRET_LEN_MAX} bytes"
    );
    let mut start = [VERSION].to_vec();
    start.extend_from_slice(&key.epoch.to_be_bytes());
    let mut random = [0; RANDOM_LEN];
    rng.fill_bytes(&mut random);
    start.extend_from_slice(&random);

    let mut text = Zeroizing::new(Vec::with_capacity(1 + SECRET_LEN_MAX));
    text.push(profile.code());
    text.extend_from_slice(secret);
    let tag = key
        .credential_key(&start)
        .encrypt(&associated(&start, rp), &mut text);
    CredentialId::new(&[start.as_slice(), &text, &tag].concat()).expect("21 + 1 + 64 + 16 bytes at most")
}

/// The number of the key that an id claims to be wrapped with.
pub(crate) fn key_number(id: &CredentialId) -> Option<u32> {
    let (version, rest) = id.as_bytes().split_first()?;
    let (number, _) = rest.split_first_chunk()?;
    (*version == VERSION).then_some(u32::from_be_bytes(*number))
}

pub(crate) fn unwrap(
    key: &WrappingKey,
    rp: &RpIdHash,
    id: &CredentialId,
) -> Option<(Profile, Zeroizing<Vec<u8>>)> {
    let (start, rest) = id.as_bytes().split_at_checked(START_LEN)?;
    let (version, rest_of_start) = start.split_first()?;
    let (number, _random) = rest_of_start.split_first_chunk()?;
    let (text, tag) = rest.split_last_chunk::<TAG_LEN>()?;
    if *version != VERSION || text.len() > 1 + SECRET_LEN_MAX {
        return None;
    }
    if key.epoch != u32::from_be_bytes(*number) {
        return None;
    }
    let mut text = Zeroizing::new(text.to_vec());
    key.credential_key(start)
        .decrypt(&associated(start, rp), &mut text, tag)?;
    let (profile, secret) = text.split_first()?;
    Some((Profile::from_code(*profile)?, Zeroizing::new(secret.to_vec())))
}

/// Whether an id looks like one that [`wrap`] makes.
pub(crate) fn may_be_wrapped(id: &CredentialId) -> bool {
    let lengths = START_LEN + 1 + TAG_LEN..=START_LEN + 1 + SECRET_LEN_MAX + TAG_LEN;
    lengths.contains(&id.as_bytes().len()) && id.as_bytes().first() == Some(&VERSION)
}

fn associated(start: &[u8], rp: &RpIdHash) -> Vec<u8> {
    [start, &rp.0].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keyring::Keyring;
    use crate::testing::TestRng;

    const RP: RpIdHash = RpIdHash([7; 32]);

    #[test]
    fn every_length_of_secret_and_every_profile_comes_back() {
        let mut rng = TestRng(0);
        let keyring = Keyring::new(&mut rng);
        for profile in [Profile::Synced, Profile::DeviceBound, Profile::U2f] {
            for len in 0..=SECRET_LEN_MAX {
                let secret = vec![0x5a; len];
                let id = wrap(keyring.current(), &mut rng, &RP, profile, &secret);
                let (found, opened) = unwrap(keyring.current(), &RP, &id).unwrap();
                assert_eq!((found, opened.as_slice()), (profile, secret.as_slice()));
            }
        }
    }

    #[test]
    fn another_relying_party_gets_nothing() {
        let mut rng = TestRng(0);
        let keyring = Keyring::new(&mut rng);
        let id = wrap(keyring.current(), &mut rng, &RP, Profile::U2f, &[1; 32]);
        assert!(unwrap(keyring.current(), &RpIdHash([8; 32]), &id).is_none());
    }

    #[test]
    fn another_keyring_opens_nothing() {
        let mut rng = TestRng(0);
        let (mine, other) = (Keyring::new(&mut rng), Keyring::new(&mut rng));
        let id = wrap(mine.current(), &mut rng, &RP, Profile::U2f, &[1; 32]);
        assert!(unwrap(other.current(), &RP, &id).is_none());
    }

    #[test]
    fn every_changed_byte_and_every_other_length_is_refused() {
        let mut rng = TestRng(0);
        let keyring = Keyring::new(&mut rng);
        let id = wrap(keyring.current(), &mut rng, &RP, Profile::Synced, &[1; 32]);
        let opens =
            |bytes: &[u8]| unwrap(keyring.current(), &RP, &CredentialId::new(bytes).unwrap()).is_some();
        for at in 0..id.as_bytes().len() {
            for bit in 0..8 {
                let mut changed = id.as_bytes().to_vec();
                changed[at] ^= 1 << bit;
                assert!(!opens(&changed), "byte {at}, bit {bit}");
            }
            assert!(at == 0 || !opens(&id.as_bytes()[..at]));
        }
        assert!(!opens(&[id.as_bytes(), &[0]].concat()));
        assert!(opens(id.as_bytes()));
    }

    #[test]
    #[should_panic(expected = "at most 64 bytes")]
    fn a_secret_that_is_too_long_is_a_bug_of_the_caller() {
        let mut rng = TestRng(0);
        let keyring = Keyring::new(&mut rng);
        wrap(
            keyring.current(),
            &mut rng,
            &RP,
            Profile::Synced,
            &[0; SECRET_LEN_MAX + 1],
        );
    }

    proptest! {
        #[test]
        fn arbitrary_ids_are_refused(bytes in prop::collection::vec(any::<u8>(), 1..=CredentialId::LEN_MAX)) {
            let keyring = Keyring::new(&mut TestRng(0));
            prop_assert!(unwrap(keyring.current(), &RP, &CredentialId::new(&bytes).unwrap()).is_none());
        }

        #[test]
        fn arbitrary_ends_of_a_true_start_are_refused(end in prop::collection::vec(any::<u8>(), 0..=200)) {
            let mut rng = TestRng(0);
            let keyring = Keyring::new(&mut rng);
            let id = wrap(keyring.current(), &mut rng, &RP, Profile::Synced, &[1; 32]);
            let forged = [&id.as_bytes()[..START_LEN], &end].concat();
            prop_assert!(unwrap(keyring.current(), &RP, &CredentialId::new(&forged).unwrap()).is_none());
        }
    }
}
