//! The disk breaks after each of the changes that a command makes. A command that succeeds has done everything that a power
//! cut leaves; one that fails, everything or nothing: where the disk breaks after its last write, nobody can tell.

use wardkey_transport::time::Instant;
use wardkey_vault::{CredentialId, Document, RpIdHash, Secret, Vault};

use crate::authenticator::Authenticator;
use crate::cbor::{self, Map, Value};
use crate::config::{Config, KeyKind, LargeBlobs};
use crate::pin::protocol::Protocol;
use crate::state::State;
use crate::status::StatusCode;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, CM, GA, LBW, MC, PCMR, PIN, Protection, agree_to};
use crate::testing::vault_pin::{kept_disk, open_vault, public_state};
use crate::testing::{Key, Members, RP_ID, SeededRng, descriptors, hex, map, option, resident, user};

/// A command that changes something.
struct Case {
    name: &'static str,
    config: fn(Config) -> Config,
    /// What is there before.
    prepare: fn(&mut Key),
    /// The command.
    request: fn(&mut Key) -> Vec<u8>,
}

impl Case {
    const fn new(name: &'static str, prepare: fn(&mut Key), request: fn(&mut Key) -> Vec<u8>) -> Self {
        Self {
            name,
            config: |config| config,
            prepare,
            request,
        }
    }

    fn key(&self, kind: Kind, disk: Disk, seed: u64) -> Key {
        let config = (self.config)(Key::config(KeyKind::DeviceBound));
        match kind {
            Kind::KeyFile => Key::configured(config, disk, seed),
            Kind::VaultPin => {
                let rng = Box::new(SeededRng::new(seed));
                let now = Instant::from_millis(5_000);
                let authenticator = Authenticator::new(open_vault(disk), config, rng, now).unwrap();
                Key { authenticator, now }
            }
        }
    }
}

/// How the vault opens.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// With a key that is a file.
    KeyFile,
    /// With a Vault PIN.
    VaultPin,
}

impl Kind {
    const ALL: [Self; 2] = [Self::KeyFile, Self::VaultPin];

    fn new_disk(self) -> Disk {
        match self {
            Self::KeyFile => Disk::default(),
            Self::VaultPin => kept_disk(),
        }
    }

    fn open(self, disk: Disk) -> Vault {
        match self {
            Self::KeyFile => {
                let root = Secret::from_slice(&[7; 32]).unwrap();
                Vault::open(disk, &root, &mut SeededRng::new(3)).unwrap()
            }
            Self::VaultPin => open_vault(disk),
        }
    }
}

/// What a power cut leaves, as far as one can tell. How often the user was or may still be verified is not among it: that
/// is counted whatever happens then.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    passkeys: Vec<Passkey>,
    state: Option<Vec<u8>>,
    large_blobs: Option<Vec<u8>>,
    wrapped_is_known: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Passkey {
    id: Vec<u8>,
    user_name: Option<String>,
    large_blob: Option<Vec<u8>>,
}

/// pinRetries, uvRetries and uvCountSinceLastPinEntry.
const COUNTERS: [u64; 3] = [3, 4, 5];

impl Left {
    fn on(kind: Kind, disk: &Disk, wrapped: &[u8]) -> Self {
        let left = disk.after_power_cut();
        let public = match kind {
            Kind::KeyFile => None,
            Kind::VaultPin => public_state(left.after_power_cut()),
        };
        let vault = kind.open(left);
        let passkeys = vault.entries().into_iter().map(|entry| {
            let passkey = vault.load(&entry.id).unwrap().unwrap();
            Passkey {
                id: entry.id.as_bytes().to_vec(),
                user_name: passkey.user_name,
                large_blob: passkey.large_blob.map(|blob| blob.data),
            }
        });
        let state = vault.document(Document::AuthenticatorState).unwrap();
        if let (Some(state), Kind::VaultPin) = (&state, kind) {
            // A locked vault says the same, of the attempts that are left, too.
            assert_eq!(public, Some(State::decode(state).unwrap().encode_public()));
        }
        let wrapped = CredentialId::new(wrapped).unwrap();
        Self {
            passkeys: passkeys.collect(),
            state: state.map(|state| without_counters(&state)),
            large_blobs: vault
                .document(Document::LargeBlobs)
                .unwrap()
                .map(|array| array.to_vec()),
            wrapped_is_known: vault.unwrap(&RpIdHash::of(RP_ID), &wrapped).is_some(),
        }
    }
}

fn without_counters(state: &[u8]) -> Vec<u8> {
    let Ok(Value::Map(members)) = cbor::decode(state) else {
        panic!()
    };
    let is_kept = |key: &cbor::Key<'_>| !COUNTERS.map(cbor::Key::from).contains(key);
    let kept = members.entries().iter().filter(|(key, _)| is_kept(key)).cloned();
    cbor::encode(&Value::Map(Map::new(kept)))
}

fn nothing(_: &mut Key) {}

fn register(key: &mut Key) {
    key.register(&resident());
    key.register(&resident().with(3, user(b"zoe")));
}

fn register_and_set_pin(key: &mut Key) {
    register(key);
    key.set_pin(PIN);
}

fn set_pin(key: &mut Key) {
    key.set_pin(PIN);
}

fn set_fingerprint(key: &mut Key) {
    let protection = Protection {
        pin: false,
        fingerprint: true,
        always_uv: false,
    };
    protection.set(key);
}

/// The parameter of credential management that names the newest credential, and what else there is.
fn about_newest(key: &Key, user: Option<Value<'static>>, send: impl FnOnce(Value<'_>) -> Vec<u8>) -> Vec<u8> {
    let entries = key.authenticator.vault().entries();
    let id = &entries.last().unwrap().id;
    let descriptor = map([
        ("type", Value::Text("public-key")),
        ("id", Value::Bytes(id.as_bytes())),
    ]);
    let mut members = Map::new([(2_u64, descriptor)]);
    if let Some(user) = user {
        members.insert(3_u64, user);
    }
    send(Value::Map(members))
}

fn write_own_blob(key: &mut Key) -> Vec<u8> {
    let entries = key.authenticator.vault().entries();
    let input = map([
        ("write", Value::Bytes(b"blob")),
        ("originalSize", Value::Unsigned(4)),
    ]);
    Members::get_assertion()
        .with(3, descriptors([entries[0].id.as_bytes()]))
        .with(4, map([("largeBlob", input)]))
        .encode(0x02)
}

fn write_array(key: &mut Key) -> Vec<u8> {
    // An empty array and its check.
    let array = hex("8076be8b528d0075f7aae98d6fa57a6d3c");
    key.token(LBW, None).write_large_blobs(&array, 0, Some(17))
}

const CASES: [Case; 19] = [
    Case::new("register", nothing, |_| resident().encode(0x01)),
    Case::new("register anew", register, |_| resident().encode(0x01)),
    Case::new("register with a token", set_pin, |key| {
        key.token(MC, None).make_credential(resident())
    }),
    Case::new("register verified by the key", set_pin, |key| {
        set_fingerprint(key);
        let options = map([("rk", Value::Bool(true)), ("uv", Value::Bool(true))]);
        resident().with(7, options).encode(0x01)
    }),
    Case::new("sign in", register, |_| Members::get_assertion().encode(0x02)),
    Case::new("look around", register, |_| {
        Members::get_assertion().with(5, option("up", false)).encode(0x02)
    }),
    Case {
        config: |config| Config {
            large_blobs: LargeBlobs::Extension,
            ..config
        },
        ..Case::new("write a credential's blob", register, write_own_blob)
    },
    Case::new("set the PIN", nothing, |key| {
        key.agree(Protocol::Two).set_pin(PIN).encode()
    }),
    Case::new("change the PIN", set_pin, |key| {
        key.agree(Protocol::Two).change_pin(PIN, "56789").encode()
    }),
    Case::new("enter a wrong PIN", set_pin, |key| {
        key.agree(Protocol::Two).pin_token("4321").encode()
    }),
    Case::new("ask for a token", set_pin, |key| {
        key.agree(Protocol::Two).token(PIN, GA).encode()
    }),
    Case::new("ask for the persistent token", set_pin, |key| {
        key.agree(Protocol::Two).token(PIN, PCMR).encode()
    }),
    Case::new("switch alwaysUv on", set_pin, |key| {
        key.token(ACFG, None).configure(0x02, None)
    }),
    Case::new("lengthen PINs", set_pin, |key| {
        let parameters = Map::new([
            (1_u64, Value::Unsigned(8)),
            (2, Value::Array(vec![Value::Text(RP_ID)])),
        ]);
        key.token(ACFG, None)
            .configure(0x03, Some(Value::Map(parameters)))
    }),
    Case::new("demand a long touch", set_pin, |key| {
        key.token(ACFG, None).configure(0x04, None)
    }),
    Case::new("write the array", set_pin, write_array),
    Case::new("delete", register_and_set_pin, |key| {
        let ticket = key.token(CM, None);
        about_newest(key, None, |parameters| {
            ticket.manage_credentials(0x06, Some(parameters))
        })
    }),
    Case::new("rename", register_and_set_pin, |key| {
        let ticket = key.token(CM, None);
        let renamed = map([("id", Value::Bytes(b"zoe")), ("name", Value::Text("Zoë"))]);
        about_newest(key, Some(renamed), |parameters| {
            ticket.manage_credentials(0x07, Some(parameters))
        })
    }),
    Case::new("reset", register_and_set_pin, |key| {
        let array = write_array(key);
        assert_eq!(key.cbor(&array).status(), StatusCode::OK);
        vec![0x07]
    }),
];

/// Runs the command on a copy of the disk that breaks after so many changes; the answer, what was there just before, and
/// what is there then.
fn run(
    (case, kind): (&Case, Kind),
    disk: &Disk,
    wrapped: &[u8],
    changes: Option<usize>,
) -> (StatusCode, Left, Left) {
    let disk = disk.after_power_cut();
    let mut key = case.key(kind, disk.clone(), 2);
    let request = (case.request)(&mut key);
    let before = Left::on(kind, &disk, wrapped);
    if let Some(changes) = changes {
        disk.break_after(changes);
    }
    let (_, answer) = key.cbor_with(&request, agree_to);
    let status = answer.status();
    assert!(status == StatusCode::OK || answer.bytes.len() == 1);
    (status, before, Left::on(kind, &disk, wrapped))
}

/// Mutation: `Vault::put_state` writes the public state in a transaction of its own.
#[test]
fn a_command_does_all_or_nothing_wherever_the_disk_breaks() {
    for (kind, case) in Kind::ALL
        .into_iter()
        .flat_map(|kind| CASES.iter().map(move |case| (kind, case)))
    {
        let name = format!("{}, {kind:?}", case.name);
        let disk = kind.new_disk();
        let mut key = case.key(kind, disk.clone(), 1);
        let wrapped = key.register(&Members::make_credential()).id;
        (case.prepare)(&mut key);
        let (done, _, all) = run((case, kind), &disk, &wrapped, None);
        let mut changes = 0;
        loop {
            let (status, before, after) = run((case, kind), &disk, &wrapped, Some(changes));
            if status == done {
                assert_eq!(after, all, "{name} after {changes}");
                break;
            }
            assert_eq!(status, StatusCode::OTHER, "{name} after {changes}");
            let is_whole = after == before || after == all;
            assert!(is_whole, "{name} after {changes}: {after:?}");
            changes += 1;
        }
        let reads_only = case.name == "look around";
        assert!(changes > 2 || reads_only, "{name} changes the disk");
    }
}

/// Mutation: the counter is written after the PIN was compared.
#[test]
fn a_wrong_pin_that_was_answered_is_counted_wherever_the_disk_breaks() {
    let retries = |kind: Kind, disk: &Disk| {
        let vault = kind.open(disk.after_power_cut());
        let state = vault.document(Document::AuthenticatorState).unwrap().unwrap();
        State::decode(&state).unwrap().pin_retries
    };
    for kind in Kind::ALL {
        let disk = kind.new_disk();
        let case = Case::new("enter a wrong PIN", nothing, |key| {
            key.agree(Protocol::Two).pin_token("4321").encode()
        });
        case.key(kind, disk.clone(), 1).set_pin(PIN);
        for changes in 0.. {
            let disk = disk.after_power_cut();
            let mut key = case.key(kind, disk.clone(), 2);
            let request = (case.request)(&mut key);
            disk.break_after(changes);
            let status = key.cbor(&request).status();
            let left = retries(kind, &disk);
            if status == StatusCode::PIN_INVALID {
                assert_eq!(left, 7, "{kind:?} after {changes}");
                break;
            }
            assert_eq!(status, StatusCode::OTHER);
            assert!([7, 8].contains(&left), "{kind:?} after {changes}: {left}");
        }
    }
}

#[test]
fn what_a_broken_disk_could_not_keep_is_not_in_memory_either() {
    for case in &CASES {
        let disk = Disk::default();
        let mut key = case.key(Kind::KeyFile, disk.clone(), 1);
        key.register(&Members::make_credential());
        (case.prepare)(&mut key);
        let request = (case.request)(&mut key);
        let before = (
            key.authenticator.vault().entries(),
            without_counters(&key.authenticator.state.encode()),
        );
        disk.break_after(0);
        let (_, answer) = key.cbor_with(&request, agree_to);
        if answer.status() == StatusCode::OTHER {
            let after = (
                key.authenticator.vault().entries(),
                without_counters(&key.authenticator.state.encode()),
            );
            assert_eq!(after, before, "{}", case.name);
        }
    }
}
