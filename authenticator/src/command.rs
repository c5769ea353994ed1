//! A CTAPHID_CBOR message becomes a command: one byte says which, the rest are its parameters. `CTAP 2.3 §6`, `§8.1`.

use crate::commands::{
    client_pin, config, credential_management, get_assertion, large_blobs, make_credential,
};
use crate::config::Config;
use crate::parameters::Parameters;
use crate::status::StatusCode;

/// The longest request, shown as `maxMsgSize`: what CTAPHID can carry, `CTAP 2.3 §11.2.4`.
pub(crate) const MESSAGE_LEN_MAX: usize = 7609;

/// A well-formed request.
pub(crate) enum Command {
    MakeCredential(make_credential::Request),
    GetAssertion(get_assertion::Request),
    GetInfo,
    ClientPin(client_pin::Request),
    Reset,
    GetNextAssertion,
    CredentialManagement(credential_management::Request),
    Selection,
    LargeBlobs(large_blobs::Request),
    Config(config::Request),
}

impl Command {
    /// Reads a request. Commands without parameters ignore whatever follows their byte.
    pub(crate) fn decode(request: &[u8], config: &Config) -> Result<Self, StatusCode> {
        if request.len() > MESSAGE_LEN_MAX {
            return Err(StatusCode::REQUEST_TOO_LARGE);
        }
        let (command, body) = request.split_first().ok_or(StatusCode::INVALID_LENGTH)?;
        match command {
            0x01 => {
                make_credential::Request::read(&Parameters::decode(body)?, config).map(Self::MakeCredential)
            }
            0x02 => get_assertion::Request::read(&Parameters::decode(body)?, config).map(Self::GetAssertion),
            0x04 => Ok(Self::GetInfo),
            0x06 => client_pin::Request::read(&Parameters::decode(body)?).map(Self::ClientPin),
            0x07 => Ok(Self::Reset),
            0x08 => Ok(Self::GetNextAssertion),
            // Deviation: 0x41 was the command's number in the preview of CTAP 2.1, and the only one that libfido2 of
            // Debian 12 knows.
            0x0A | 0x41 => credential_management::Request::read(&Parameters::decode(body)?)
                .map(Self::CredentialManagement),
            0x0B => Ok(Self::Selection),
            0x0C if config.large_blobs.is_array() => {
                large_blobs::Request::read(&Parameters::decode(body)?).map(Self::LargeBlobs)
            }
            0x0D => config::Request::read(&Parameters::decode(body)?).map(Self::Config),
            _ => Err(StatusCode::INVALID_COMMAND),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyKind;
    use crate::testing::Key;

    #[test]
    fn other_commands_are_unknown() {
        let mut key = Key::new(KeyKind::Synced);
        let known = [0x01, 0x02, 0x04, 0x06, 0x07, 0x08, 0x0A, 0x0B, 0x0C, 0x0D, 0x41];
        for command in (0..=0xFF).filter(|command| !known.contains(command)) {
            assert_eq!(
                key.cbor(&[command, 0xA0]).bytes,
                [StatusCode::INVALID_COMMAND.byte()],
                "{command:02x}"
            );
        }
    }

    #[test]
    fn credentials_are_managed_by_the_number_of_the_preview_too() {
        let mut key = Key::new(KeyKind::Synced);
        for command in [0x0A, 0x41] {
            let get_creds_metadata = [command, 0xA1, 0x01, 0x01];
            assert_eq!(
                key.cbor(&get_creds_metadata).bytes,
                [StatusCode::PUAT_REQUIRED.byte()]
            );
        }
    }

    #[test]
    fn a_request_has_at_least_its_command_and_at_most_what_ctaphid_carries() {
        let mut key = Key::new(KeyKind::Synced);
        assert_eq!(key.cbor(&[]).status(), StatusCode::INVALID_LENGTH);
        assert_eq!(
            key.cbor(&[0x01; MESSAGE_LEN_MAX]).status(),
            StatusCode::INVALID_CBOR
        );
        assert_eq!(
            key.cbor(&[0x01; MESSAGE_LEN_MAX + 1]).status(),
            StatusCode::REQUEST_TOO_LARGE
        );
    }

    #[test]
    fn what_follows_a_command_without_parameters_is_ignored() {
        assert_eq!(
            Key::new(KeyKind::Synced).cbor(&[0x04, 0xFF]).status(),
            StatusCode::OK
        );
    }
}
