//! A key with a past, and one request to it: any bytes are answered as [`crate::answer`] says, and never with a sign of
//! user verification that did not happen.

use std::sync::OnceLock;

use wardkey_authenticator::{
    Algorithms, Attestation, Authenticator, Config, Enterprise, Gesture, KeyKind, LargeBlobs, Modality,
    Outcome, Verifier,
};
use wardkey_sim::auth_data::Flags;
use wardkey_sim::fido_client::{
    Configuration, FidoClient, MakeCredential, MessagePipe, PinProtocol, RelyingParty, User, from_bytes,
};
use wardkey_sim::hid_client::{self, Keepalive, Wish};
use wardkey_sim::scenario::SeededRng;
use wardkey_transport::time::Instant;
use wardkey_vault::{RootKey, Secret, Vault};

use crate::answer;
use crate::disk::Disk;

/// Sends one request, or the same one twice. Bits of `what`: 0 and 1 the key's past; 2 large blobs by extension; 3 a
/// fingerprint reader; 4 prompts that let the user choose; 5 the user refuses; 6 the user is verified; 7 twice.
pub fn answer_to(what: u8, request: &[u8]) {
    let is_set = |bit: u8| what & (1 << bit) != 0;
    let mut authenticator = open(&Disk::with(past(what & 3).to_vec()), is_set(2), Instant::ZERO, 1);
    authenticator.set_verifier(is_set(3).then_some(FINGERPRINT));
    authenticator.set_account_choice(is_set(4));
    let verifies = is_set(6);
    for _ in 0..=u8::from(is_set(7)) {
        let mut outcome = authenticator.handle_cbor(Instant::ZERO, request);
        let answer = loop {
            match outcome {
                Outcome::Done(answer) => break answer,
                Outcome::NeedsGesture(pending) => {
                    let gesture = match (is_set(5), verifies) {
                        (true, _) => Gesture::Declined,
                        (false, true) => Gesture::Verified,
                        (false, false) => Gesture::Approved,
                    };
                    outcome = authenticator.resume(Instant::ZERO, pending, gesture);
                }
            }
        };
        answer::check(&answer);
        if !verifies {
            assert!(!claims_verification(request, &answer), "nobody was verified");
        }
    }
}

/// Whether the answer to a makeCredential or getAssertion says that the user was verified.
fn claims_verification(request: &[u8], answer: &[u8]) -> bool {
    let auth_data = match (request.first(), answer) {
        (Some(0x01 | 0x02), [0, body @ ..]) => from_bytes(body).ok().and_then(|body| {
            let members = body.into_map().ok()?.into_iter();
            let found = members.clone().find(|(key, _)| *key == 2.into());
            found.and_then(|(_, data)| data.into_bytes().ok())
        }),
        _ => None,
    };
    let flags = auth_data.and_then(|data| data.get(32).copied().map(Flags));
    flags.is_some_and(|flags| flags.contains(Flags::USER_VERIFIED))
}

const FINGERPRINT: Verifier = Verifier {
    modality: Modality::Fingerprint,
    ready: true,
};

pub(crate) fn root_key() -> RootKey {
    Secret::from_slice(&[7; 32]).expect("32 bytes")
}

/// The key on a disk.
pub(crate) fn open(disk: &Disk, large_blob_extension: bool, now: Instant, seed: u64) -> Authenticator {
    let mut rng = SeededRng::new(seed);
    let vault = Vault::open(disk.clone(), &root_key(), &mut rng).expect("the disk is sound");
    Authenticator::new(vault, config(large_blob_extension), Box::new(rng), now).expect("the state is our own")
}

pub(crate) fn config(large_blob_extension: bool) -> Config {
    Config {
        kind: KeyKind::Synced,
        algorithms: Algorithms::default(),
        attestation: Attestation::OfItself,
        enterprise: Some(Enterprise {
            rp_ids: vec!["a.example".to_owned()],
        }),
        firmware_version: 1,
        unix_ms_at_zero: 1_800_000_000_000,
        large_blobs: if large_blob_extension {
            LargeBlobs::Extension
        } else {
            LargeBlobs::Array
        },
        hide_fido_2_3: false,
    }
}

/// The disk of a key that was used before.
fn past(number: u8) -> &'static [u8] {
    static PASTS: OnceLock<[Vec<u8>; 4]> = OnceLock::new();
    let pasts = PASTS.get_or_init(|| [Past::New, Past::Used, Past::WithPin, Past::AlwaysUv].map(make_past));
    &pasts[usize::from(number & 3)]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Past {
    New,
    Used,
    WithPin,
    AlwaysUv,
}

fn make_past(past: Past) -> Vec<u8> {
    let disk = Disk::default();
    {
        let mut client = FidoClient::new(Approving(open(&disk, false, Instant::ZERO, 2)));
        if past != Past::New {
            for (rp, user) in [("a.example", 1), ("a.example", 2), ("b.example", 1)] {
                let made = client.make_credential(&registration(rp, user));
                made.expect("a new key has room");
            }
        }
        let mut rng = SeededRng::new(3);
        if past == Past::WithPin {
            let set = client.set_pin(PinProtocol::Two, b"7193", &mut rng);
            set.expect("a key without a PIN takes one");
        }
        if past == Past::AlwaysUv {
            let toggled = client.configure(&Configuration::ToggleAlwaysUv, None);
            toggled.expect("nothing protects the key");
        }
    }
    disk.content()
}

fn registration(rp: &str, user: u8) -> MakeCredential {
    MakeCredential {
        rp: RelyingParty {
            id: rp.to_owned(),
            name: None,
        },
        user: User {
            id: vec![user],
            name: Some("a name".to_owned()),
            display_name: None,
        },
        algorithms: vec![-7],
        rk: Some(true),
        ..MakeCredential::default()
    }
    .with_extensions([("credProtect", 2.into()), ("hmac-secret", true.into())])
}

/// The key with a user who agrees to everything.
struct Approving(Authenticator);

impl MessagePipe for Approving {
    fn cbor(
        &mut self,
        request: &[u8],
        _on_keepalive: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, hid_client::Error> {
        let mut outcome = self.0.handle_cbor(Instant::ZERO, request);
        loop {
            match outcome {
                Outcome::Done(answer) => return Ok(answer),
                Outcome::NeedsGesture(pending) => {
                    outcome = self.0.resume(Instant::ZERO, pending, Gesture::Approved);
                }
            }
        }
    }

    fn msg(&mut self, _apdu: &[u8]) -> Result<Vec<u8>, hid_client::Error> {
        Ok(Vec::new())
    }
}
