//! A file with passkeys: any bytes are refused, or what is taken of them can be written, and comes back.

use wardkey_authenticator::exchange::{read, write};
use wardkey_sim::scenario::SeededRng;
use wardkey_vault::{LargeBlob, Passkey};

const NOW: u64 = 1_800_000_000_000;

/// What there is of a passkey that can be compared, but for secrets of a length that is checked elsewhere.
fn content(passkey: &Passkey) -> impl PartialEq + use<> {
    (
        passkey.id.clone(),
        passkey.rp_id.clone(),
        passkey.user_id.clone(),
        (passkey.user_name.clone(), passkey.user_display_name.clone()),
        (passkey.algorithm, passkey.private_key.expose_secret().to_vec()),
        passkey.created_unix_ms,
        passkey.cred_random.as_ref().map(|random| *random.expose_secret()),
        passkey.cred_blob.clone(),
        passkey
            .large_blob
            .as_ref()
            .map(|LargeBlob { data, original_size }| (data.clone(), *original_size)),
        passkey.large_blob_key.as_ref().map(|key| *key.expose_secret()),
        passkey.third_party_payment,
    )
}

/// Reads the file, writes what was taken, and reads that.
pub fn exchange(file: &[u8]) {
    let Ok(taken) = read(file, NOW) else { return };
    assert!(
        taken
            .incomplete
            .iter()
            .all(|incomplete| incomplete.at < taken.passkeys.len())
    );
    let written = write(&taken.passkeys, NOW, &mut SeededRng::new(1))
        .ok()
        .expect("the file is short");
    assert_eq!(
        (written.passkeys, written.left_out.len()),
        (taken.passkeys.len(), 0)
    );
    let again = read(&written.json, NOW).ok().expect("it was written here");
    assert!(again.left_out.is_empty() && again.incomplete.is_empty());
    assert_eq!(again.passkeys.len(), taken.passkeys.len());
    for (again, taken) in again.passkeys.iter().zip(&taken.passkeys) {
        assert!(content(again) == content(taken));
    }
}
