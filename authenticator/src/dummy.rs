//! Requests that register nothing: programs send them to make a key blink, so that the user can choose one. They look
//! like registrations, and must not look so to the user, nor leave anything behind.

use sha2::{Digest, Sha256};
use wardkey_vault::RpIdHash;

use crate::entity::{ClientDataHash, RelyingParty, User};

/// The relying party ids with which Chromium and Firefox ask for a touch.
const BLINK_RP_IDS: [&str; 2] = [".dummy", "make.me.blink"];

/// The applications with which libfido2 and Chromium ask for a touch over U2F.
const BLINK_APPLICATIONS: [RpIdHash; 2] = [RpIdHash([0xFF; 32]), RpIdHash([0x41; 32])];

/// Whether a makeCredential only asks for a touch.
pub(crate) fn is_dummy_registration(rp: &RelyingParty, user: &User, client_data: &ClientDataHash) -> bool {
    let RelyingParty { id: rp_id, name: _ } = rp;
    BLINK_RP_IDS.contains(&rp_id.0.as_str()) || (rp_id.0 == "localhost" && is_of_libfido2(user, client_data))
}

/// libfido2 names a host that also developers use, but with this user and empty client data.
fn is_of_libfido2(user: &User, client_data: &ClientDataHash) -> bool {
    user.id == [1] && user.name.as_deref() == Some("dummy") && *client_data == ClientDataHash::of(b"")
}

/// Whether a U2F registration only asks for a touch.
pub(crate) fn is_dummy_application(application: &RpIdHash) -> bool {
    BLINK_APPLICATIONS.contains(application)
        || BLINK_RP_IDS
            .iter()
            .any(|id| Sha256::digest(id.as_bytes())[..] == application.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::RpId;

    fn rp(id: &str) -> RelyingParty {
        RelyingParty {
            id: RpId(id.to_owned()),
            name: None,
        }
    }

    fn user(id: &[u8], name: &str) -> User {
        User {
            id: id.to_vec(),
            name: Some(name.to_owned()),
            display_name: None,
        }
    }

    #[test]
    fn the_browsers_names_are_dummies() {
        let hash = ClientDataHash::of(b"anything");
        assert!(is_dummy_registration(&rp(".dummy"), &user(&[1], "dummy"), &hash));
        assert!(is_dummy_registration(
            &rp("make.me.blink"),
            &user(&[0], "make.me.blink"),
            &hash
        ));
        assert!(!is_dummy_registration(
            &rp("example.org"),
            &user(&[1], "dummy"),
            &hash
        ));
    }

    #[test]
    fn localhost_is_a_dummy_only_the_way_libfido2_sends_it() {
        let empty = ClientDataHash::of(b"");
        assert!(is_dummy_registration(
            &rp("localhost"),
            &user(&[1], "dummy"),
            &empty
        ));
        assert!(!is_dummy_registration(
            &rp("localhost"),
            &user(&[1], "dummy"),
            &ClientDataHash::of(b"{}")
        ));
        assert!(!is_dummy_registration(
            &rp("localhost"),
            &user(&[2], "dummy"),
            &empty
        ));
        assert!(!is_dummy_registration(
            &rp("localhost"),
            &user(&[1], "ali"),
            &empty
        ));
    }

    #[test]
    fn bogus_applications_are_dummies() {
        assert!(is_dummy_application(&RpIdHash([0xFF; 32])));
        assert!(is_dummy_application(&RpIdHash([0x41; 32])));
        assert!(is_dummy_application(&rp(".dummy").id.hash()));
        assert!(is_dummy_application(&rp("make.me.blink").id.hash()));
        assert!(!is_dummy_application(&RpIdHash([0x42; 32])));
        assert!(!is_dummy_application(&rp("localhost").id.hash()));
    }
}
