//! The document in which a key keeps its state: any bytes are refused, or make a key that answers.

use wardkey_authenticator::{Authenticator, Outcome};
use wardkey_sim::scenario::SeededRng;
use wardkey_transport::time::Instant;
use wardkey_vault::{Document, Vault};
use zeroize::Zeroizing;

use crate::answer;
use crate::disk::Disk;
use crate::key::{config, root_key};

/// getInfo, getPINRetries, getUVRetries, getKeyAgreement, toggleAlwaysUv, getInfo.
const REQUESTS: [&[u8]; 6] = [
    &[0x04],
    &[0x06, 0xA1, 0x02, 0x01],
    &[0x06, 0xA1, 0x02, 0x07],
    &[0x06, 0xA2, 0x01, 0x02, 0x02, 0x02],
    &[0x0D, 0xA1, 0x01, 0x02],
    &[0x04],
];

/// Starts a key with this state; where it starts, it answers, and starts again with what it made of it.
pub fn start_with(state: &[u8]) {
    let disk = Disk::default();
    let mut rng = SeededRng::new(1);
    let mut vault = Vault::open(disk.clone(), &root_key(), &mut rng).expect("an empty disk is sound");
    let document = Zeroizing::new(state.to_vec());
    if vault
        .put_document(&mut rng, Document::AuthenticatorState, document, None)
        .is_err()
    {
        return;
    }
    let started = Authenticator::new(vault, config(false), Box::new(rng), Instant::ZERO);
    let Ok(mut authenticator) = started else {
        return;
    };
    for request in REQUESTS {
        let Outcome::Done(answer) = authenticator.handle_cbor(Instant::ZERO, request) else {
            panic!("nothing here asks the user");
        };
        answer::check(&answer);
    }
    drop(authenticator);
    crate::key::open(&disk, false, Instant::ZERO, 2);
}
