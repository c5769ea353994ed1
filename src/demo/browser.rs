//! The browser's part where there is no browser: hands the relying party's options to the FIDO client, and the client's
//! answer back, each in the form the other wants.

use wardkey_sim::fido_client::{Error, RelyingParty, User};
use wardkey_sim::webauthn::{Create, Created, Get, Got, create, get};
use webauthn_rs_core::proto::{
    AuthenticatorAssertionResponseRaw, AuthenticatorAttestationResponseRaw, CreationChallengeResponse,
    PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse, ResidentKeyRequirement,
};

use super::plugged_key::Client;
use super::relying_party::base64url;

const PUBLIC_KEY: &str = "public-key";

/// `navigator.credentials.create`, on a page from `origin`.
pub(crate) fn register(
    client: &mut Client,
    origin: &str,
    options: &CreationChallengeResponse,
) -> Result<RegisterPublicKeyCredential, Error> {
    let options = &options.public_key;
    let selection = options.authenticator_selection.as_ref();
    let request = Create {
        challenge: &options.challenge,
        rp: RelyingParty {
            id: options.rp.id.clone(),
            name: Some(options.rp.name.clone()),
        },
        user: User {
            id: options.user.id.clone(),
            name: Some(options.user.name.clone()),
            display_name: Some(options.user.display_name.clone()),
        },
        algorithms: options
            .pub_key_cred_params
            .iter()
            .filter_map(|param| i32::try_from(param.alg).ok())
            .collect(),
        exclude: options
            .exclude_credentials
            .iter()
            .flatten()
            .map(|known| known.id.clone())
            .collect(),
        resident: selection.is_some_and(|it| it.resident_key == Some(ResidentKeyRequirement::Required)),
    };
    let Created {
        client_data_json,
        attestation_object,
        credential_id,
    } = create(client, origin, request)?;
    Ok(RegisterPublicKeyCredential {
        id: base64url(&credential_id),
        raw_id: credential_id,
        response: AuthenticatorAttestationResponseRaw {
            attestation_object,
            client_data_json,
            transports: None,
        },
        type_: PUBLIC_KEY.to_owned(),
        extensions: Default::default(),
    })
}

/// `navigator.credentials.get`, on a page from `origin`.
pub(crate) fn log_in(
    client: &mut Client,
    origin: &str,
    options: &RequestChallengeResponse,
) -> Result<PublicKeyCredential, Error> {
    let options = &options.public_key;
    let request = Get {
        challenge: &options.challenge,
        rp_id: &options.rp_id,
        allow: options
            .allow_credentials
            .iter()
            .map(|allowed| allowed.id.clone())
            .collect(),
    };
    let Got {
        client_data_json,
        authenticator_data,
        signature,
        user_handle,
        credential_id,
    } = get(client, origin, request)?;
    Ok(PublicKeyCredential {
        id: base64url(&credential_id),
        raw_id: credential_id,
        response: AuthenticatorAssertionResponseRaw {
            authenticator_data,
            client_data_json,
            signature,
            user_handle,
        },
        extensions: Default::default(),
        type_: PUBLIC_KEY.to_owned(),
    })
}
