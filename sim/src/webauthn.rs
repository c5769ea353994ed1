//! The two calls of a web page, `navigator.credentials.create` and `get`, answered by a key: WebAuthn L3 §5.1.3 and
//! §5.1.4 as far as a client without dialogs goes. No PIN, no extensions.

use sha2::{Digest, Sha256};

use crate::fido_client::{
    Assertion, Error, FidoClient, GetAssertion, MakeCredential, MessagePipe, RelyingParty, User,
};

/// What a page asks for with `create`.
#[derive(Debug, Clone, Default)]
pub struct Create<'a> {
    /// The relying party's challenge.
    pub challenge: &'a [u8],
    /// The relying party.
    pub rp: RelyingParty,
    /// The account.
    pub user: User,
    /// COSE algorithms, the preferred one first.
    pub algorithms: Vec<i32>,
    /// Credentials that must not exist yet.
    pub exclude: Vec<Vec<u8>>,
    /// Whether the key shall store the credential.
    pub resident: bool,
}

/// What a page asks for with `get`.
#[derive(Debug, Clone, Default)]
pub struct Get<'a> {
    /// The relying party's challenge.
    pub challenge: &'a [u8],
    /// The relying party.
    pub rp_id: &'a str,
    /// Only with one of these credentials; empty: whichever the key stores.
    pub allow: Vec<Vec<u8>>,
}

/// What a page gets from `create`, `AuthenticatorAttestationResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The client data.
    pub client_data_json: Vec<u8>,
    /// The attestation object.
    pub attestation_object: Vec<u8>,
    /// The new credential.
    pub credential_id: Vec<u8>,
}

/// What a page gets from `get`, `AuthenticatorAssertionResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    /// The client data.
    pub client_data_json: Vec<u8>,
    /// The authenticator data.
    pub authenticator_data: Vec<u8>,
    /// The signature over authenticator data and the hash of the client data.
    pub signature: Vec<u8>,
    /// The account's user handle, if the key gave it.
    pub user_handle: Option<Vec<u8>>,
    /// The credential that signed.
    pub credential_id: Vec<u8>,
}

/// Registers at the relying party of a page from `origin`.
pub fn create<M: MessagePipe>(
    client: &mut FidoClient<M>,
    origin: &str,
    request: Create<'_>,
) -> Result<Created, Error> {
    let Create {
        challenge,
        rp,
        user,
        algorithms,
        exclude,
        resident,
    } = request;
    let client_data_json = client_data("webauthn.create", challenge, origin);
    let attestation = client.make_credential(&MakeCredential {
        client_data_hash: Sha256::digest(&client_data_json).into(),
        rp,
        user,
        algorithms,
        exclude_list: exclude,
        rk: resident.then_some(true),
        ..MakeCredential::default()
    })?;
    let attestation_object = attestation.object();
    let credential = attestation
        .auth_data
        .attested
        .ok_or(Error::Member("attested credential data"))?;
    Ok(Created {
        client_data_json,
        attestation_object,
        credential_id: credential.credential_id,
    })
}

/// Logs in at the relying party of a page from `origin`; where the key knows several accounts, with the first.
pub fn get<M: MessagePipe>(client: &mut FidoClient<M>, origin: &str, request: Get<'_>) -> Result<Got, Error> {
    let Get {
        challenge,
        rp_id,
        allow,
    } = request;
    let client_data_json = client_data("webauthn.get", challenge, origin);
    let only_allowed = match allow.as_slice() {
        [id] => Some(id.clone()),
        _ => None,
    };
    let Assertion {
        credential_id,
        auth_data,
        signature,
        user,
        ..
    } = client.get_assertion(&GetAssertion {
        rp_id: rp_id.to_owned(),
        client_data_hash: Sha256::digest(&client_data_json).into(),
        allow_list: allow,
        ..GetAssertion::default()
    })?;
    Ok(Got {
        client_data_json,
        authenticator_data: auth_data.raw,
        signature,
        user_handle: user.map(|user| user.id),
        credential_id: credential_id
            .or(only_allowed)
            .ok_or(Error::Member("credential"))?,
    })
}

/// The client data, serialised as WebAuthn L3 §5.8.1.1 wants it.
fn client_data(kind: &str, challenge: &[u8], origin: &str) -> Vec<u8> {
    let origin = serde_json::Value::from(origin);
    let challenge = base64url(challenge);
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":{origin},"crossOrigin":false}}"#)
        .into_bytes()
}

/// Base64url without padding, RFC 4648 §5.
pub fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        for (slot, byte) in group.iter_mut().skip(1).zip(chunk) {
            *slot = *byte;
        }
        let group = u32::from_be_bytes(group);
        for shift in [18, 12, 6, 0].into_iter().take(chunk.len() + 1) {
            let index = usize::try_from(group >> shift & 0x3F).expect("6 bits fit usize");
            text.push(
                ALPHABET
                    .get(index)
                    .copied()
                    .map(char::from)
                    .expect("6 bits index 64 letters"),
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_agrees_with_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xFB, 0xFF]), "-_8");
    }

    #[test]
    fn client_data_is_json_with_the_members_in_order() {
        let json = client_data("webauthn.get", &[0, 1, 2], "https://a\"b");
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"type":"webauthn.get","challenge":"AAEC","origin":"https://a\"b","crossOrigin":false}"#
        );
    }
}
