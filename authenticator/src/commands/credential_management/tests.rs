use StatusCode as S;

use super::*;
use crate::config::KeyKind;
use crate::testing::platform::{CM, PIN};
use crate::testing::{Key, Members, RP_ID, option};

/// What enumerateCredentialsBegin for [`RP_ID`] is answered with a token that is bound to `rp_id`.
fn list_with_token_for(rp_id: &'static str) -> StatusCode {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&Members::make_credential().with(7, option("rk", true)));
    key.set_pin(PIN);
    let hash = RpIdHash::of(RP_ID);
    let parameters = Value::Map(Map::new([(1_u64, Value::Bytes(&hash.0))]));
    let request = key
        .token(CM, Some(rp_id))
        .manage_credentials(0x04, Some(parameters));
    key.cbor(&request).status()
}

#[test]
fn a_token_for_one_relying_party_lists_its_credentials() {
    assert_eq!(list_with_token_for(RP_ID), S::OK);
}

#[test]
fn a_token_for_another_relying_party_lists_nothing() {
    assert_eq!(list_with_token_for("other.example"), S::PIN_AUTH_INVALID);
}
