//! encIdentifier and encCredStoreState of getInfo, CTAP 2.3 §6.4: what only the holder of the persistent token reads.

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use ciborium::Value;
use hkdf::Hkdf;
use sha2::Sha256;
use wardkey_sim::fido_client::{Permissions, PinProtocol, PinUvAuthToken};

use crate::bench::Bench;
use crate::case::{Stop, ensure, ensure_eq, present};

/// A member of getInfo that is encrypted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    key: u8,
    name: &'static str,
}

/// Who the key is.
pub(crate) const IDENTIFIER: Member = Member {
    key: 0x19,
    name: "encIdentifier",
};

/// Changes when the credentials change.
pub(crate) const CRED_STORE_STATE: Member = Member {
    key: 0x1E,
    name: "encCredStoreState",
};

impl Member {
    /// Its number.
    pub(crate) const fn key(self) -> u8 {
        self.key
    }
}

/// One member, and the token that opens it.
pub(crate) struct EncryptedState {
    member: Member,
    token: PinUvAuthToken,
}

impl EncryptedState {
    /// Gets a persistent token; the key must have a PIN.
    pub(crate) fn new(bench: &mut Bench, member: Member) -> Result<Self, Stop> {
        let permissions = Permissions::PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY;
        let token = bench.token(PinProtocol::Two, permissions, None)?;
        Ok(Self { member, token })
    }

    /// The plaintext, after checking that two readings are of the same, encrypted in two ways.
    pub(crate) fn read(&self, bench: &mut Bench) -> Result<[u8; 16], Stop> {
        let (first_iv, first) = self.decrypt(bench)?;
        let (second_iv, second) = self.decrypt(bench)?;
        ensure!(
            first_iv != second_iv,
            "{} came twice with the same IV",
            self.member.name
        );
        ensure_eq!(second, first, "{} changed by itself", self.member.name);
        Ok(second)
    }

    fn decrypt(&self, bench: &mut Bench) -> Result<([u8; 16], [u8; 16]), Stop> {
        let Member { key, name } = self.member;
        let info = bench.info()?;
        let encrypted = present(info.member(key).and_then(Value::as_bytes), name)?;
        let whole: [u8; 32] = encrypted
            .as_slice()
            .try_into()
            .map_err(|_| Stop::Failed(format!("{name} has {} bytes, not 32", encrypted.len())))?;
        let (iv, ciphertext) = whole
            .split_first_chunk::<16>()
            .expect("32 bytes are more than 16");
        let mut decryption_key = [0; 16];
        Hkdf::<Sha256>::new(Some(&[0; 32]), self.token.expose_secret())
            .expand(name.as_bytes(), &mut decryption_key)
            .expect("HKDF-SHA-256 gives 16 bytes");
        let plaintext = cbc::Decryptor::<Aes128>::new(&decryption_key.into(), iv.into())
            .decrypt_padded_vec::<NoPadding>(ciphertext)
            .ok()
            .and_then(|plaintext| plaintext.try_into().ok());
        Ok((*iv, present(plaintext, name)?))
    }
}
