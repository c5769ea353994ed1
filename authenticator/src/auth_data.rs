//! Authenticator data, `WebAuthn L3 §6.1`. In: whose credential, what is known about the user, what is attested.
//! Out: the bytes that are signed. The flags are computed from evidence and profile and cannot be set otherwise.

use wardkey_vault::{CredentialId, Profile, RpIdHash};

use crate::config::Aaguid;
use crate::cose::PublicKey;
use crate::extensions::Outputs;
use crate::gesture::Evidence;

const USER_PRESENT: u8 = 1 << 0;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED_CREDENTIAL_DATA: u8 = 1 << 6;
const EXTENSION_DATA: u8 = 1 << 7;

/// What authenticator data says at registration and at every use.
pub(crate) struct AuthData<'a> {
    pub(crate) rp_id_hash: &'a RpIdHash,
    pub(crate) evidence: &'a Evidence,
    pub(crate) profile: Profile,
    /// Of a credential that stays on its device it says nothing.
    pub(crate) is_backed_up: bool,
    pub(crate) signature_count: u32,
    pub(crate) outputs: &'a Outputs,
}

/// What authenticator data says at registration only, `WebAuthn L3 §6.5.1`.
pub(crate) struct Attested<'a> {
    pub(crate) aaguid: Aaguid,
    pub(crate) credential_id: &'a CredentialId,
    pub(crate) public_key: &'a PublicKey,
}

impl AuthData<'_> {
    /// The bytes for an assertion: 37, and then the outputs of extensions if there are any.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.around(0, &[])
    }

    /// The bytes for a registration.
    pub(crate) fn encode_attested(&self, attested: &Attested<'_>) -> Vec<u8> {
        let Attested {
            aaguid,
            credential_id,
            public_key,
        } = attested;
        let id = credential_id.as_bytes();
        let id_length = u16::try_from(id.len()).expect("a credential id has at most 255 bytes");
        let attested = [&aaguid.0[..], &id_length.to_be_bytes(), id, &public_key.encode()].concat();
        self.around(ATTESTED_CREDENTIAL_DATA, &attested)
    }

    fn around(&self, content: u8, attested: &[u8]) -> Vec<u8> {
        let outputs = self.outputs.encode();
        let extension_data = if outputs.is_some() { EXTENSION_DATA } else { 0 };
        let mut data = self.rp_id_hash.0.to_vec();
        data.push(flags(self.evidence, self.profile, self.is_backed_up) | content | extension_data);
        data.extend(self.signature_count.to_be_bytes());
        data.extend(attested);
        data.extend(outputs.unwrap_or_default());
        data
    }
}

/// What is known about the user, and the backup flags, `WebAuthn L3 §6.1.3`: only what is eligible can be backed up.
fn flags(evidence: &Evidence, profile: Profile, is_backed_up: bool) -> u8 {
    let backup = match profile {
        Profile::Synced if is_backed_up => BACKUP_ELIGIBLE | BACKED_UP,
        Profile::Synced => BACKUP_ELIGIBLE,
        Profile::DeviceBound | Profile::U2f => 0,
    };
    let present = if evidence.is_present() { USER_PRESENT } else { 0 };
    let verified = if evidence.is_verified() { USER_VERIFIED } else { 0 };
    present | verified | backup
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cose::{Algorithm, KeyValue};

    fn auth_data(evidence: &Evidence, profile: Profile) -> Vec<u8> {
        backed_up(evidence, profile, false)
    }

    fn backed_up(evidence: &Evidence, profile: Profile, is_backed_up: bool) -> Vec<u8> {
        AuthData {
            rp_id_hash: &RpIdHash([0x11; 32]),
            evidence,
            profile,
            is_backed_up,
            signature_count: 0x0102_0304,
            outputs: &Outputs::default(),
        }
        .encode()
    }

    #[test]
    fn an_assertion_has_37_bytes() {
        let data = auth_data(&Evidence::in_test(true, false), Profile::DeviceBound);
        assert_eq!(data, [&[0x11; 32][..], &[0x01, 0x01, 0x02, 0x03, 0x04]].concat());
    }

    /// F-01: backup eligibility is the profile's alone, and nothing is backed up that is not eligible.
    #[test]
    fn backed_up_is_only_what_is_eligible() {
        let evidence = Evidence::in_test(true, false);
        for (profile, flags) in [
            (Profile::Synced, 0x19),
            (Profile::DeviceBound, 0x01),
            (Profile::U2f, 0x01),
        ] {
            assert_eq!(backed_up(&evidence, profile, true)[32], flags, "{profile:?}");
        }
    }

    #[test]
    fn flags_follow_evidence_and_profile() {
        for (present, verified, profile, flags) in [
            (false, false, Profile::DeviceBound, 0x00),
            (true, false, Profile::DeviceBound, 0x01),
            (false, true, Profile::DeviceBound, 0x04),
            (true, true, Profile::DeviceBound, 0x05),
            (true, false, Profile::U2f, 0x01),
            (false, false, Profile::Synced, 0x08),
            (true, true, Profile::Synced, 0x0D),
        ] {
            assert_eq!(
                auth_data(&Evidence::in_test(present, verified), profile)[32],
                flags
            );
        }
    }

    #[test]
    fn a_registration_names_model_credential_and_key() {
        let evidence = Evidence::in_test(true, false);
        let id = CredentialId::new(&[0x22; 40]).unwrap();
        let public_key = PublicKey {
            algorithm: Algorithm::EdDsa,
            value: KeyValue::Ed25519([0x33; 32]),
        };
        let data = AuthData {
            rp_id_hash: &RpIdHash([0x11; 32]),
            evidence: &evidence,
            is_backed_up: false,
            profile: Profile::Synced,
            signature_count: 0,
            outputs: &Outputs::default(),
        }
        .encode_attested(&Attested {
            aaguid: Aaguid::SYNCED,
            credential_id: &id,
            public_key: &public_key,
        });
        let mut expected = vec![0x11; 32];
        expected.extend([0x49, 0, 0, 0, 0]);
        expected.extend(Aaguid::SYNCED.0);
        expected.extend([0, 40]);
        expected.extend([0x22; 40]);
        expected.extend(public_key.encode());
        assert_eq!(data, expected);
    }
}
