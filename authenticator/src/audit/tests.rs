use sha2::{Digest, Sha256};
use wardkey_vault::{LogOrigin, Logged, RpIdHash, Setting};

use super::*;
use crate::cbor::{Map, Value};
use crate::config::KeyKind;
use crate::gesture::{Gesture, Modality};
use crate::pin::built_in::Verifier;
use crate::pin::protocol::Protocol;
use crate::status::StatusCode;
use crate::testing::disk::Disk;
use crate::testing::platform::{ACFG, CM, GA, MC, PIN};
use crate::testing::{Key, Members, RP_ID, descriptors, map, option, resident, user};

const KINDS: [KeyKind; 2] = [KeyKind::Synced, KeyKind::DeviceBound];
/// When the tests happen: the clock at zero, and the moment at which their keys get power.
const NOW: u64 = 1_800_000_005_000;

/// What the log tells, the oldest first.
fn log(key: &Key) -> Vec<Event> {
    let entry = |logged| match logged {
        Ok(Logged::Entry { record, .. }) => record.event,
        other => panic!("{other:?}"),
    };
    let log = key.authenticator.vault().log(None).unwrap();
    let mut events: Vec<Event> = log.map(entry).collect();
    events.reverse();
    events
}

/// What the log tells of what `act` does.
fn logged_of<T>(key: &mut Key, act: impl FnOnce(&mut Key) -> T) -> Vec<Event> {
    let before = log(key).len();
    act(key);
    log(key).split_off(before)
}

fn ali(id: &[u8]) -> Subject {
    let id = CredentialId::new(id).unwrap();
    Subject::new(Site::named(RP_ID), id, Some("ali@example.org"))
}

/// The same where the name is not known.
fn someone(id: &[u8]) -> Subject {
    Subject {
        user_name: None,
        ..ali(id)
    }
}

fn signed_in(credential: Subject, consent: Consent) -> Event {
    Event::SignedIn { credential, consent }
}

fn assertion(ids: &[&[u8]], up: bool) -> Members<'static> {
    let request = Members::get_assertion().with(5, option("up", up));
    let list = match ids {
        [] => return request,
        ids => descriptors(ids.iter().copied()),
    };
    // The ids live as long as the test.
    request.with(3, leak(list))
}

fn leak(value: Value<'_>) -> Value<'static> {
    let encoded: &'static [u8] = Box::leak(crate::cbor::encode(&value).into_boxed_slice());
    crate::cbor::decode(encoded).unwrap()
}

fn with_finger(key: &mut Key) {
    key.authenticator.set_verifier(Some(Verifier {
        modality: Modality::Fingerprint,
        ready: true,
    }));
}

// --- uses ---------------------------------------------------------------------------------------------------------

#[test]
fn each_registration_and_each_sign_in_makes_exactly_one_entry() {
    for kind in KINDS {
        for kept in [false, true] {
            let mut key = Key::new(kind);
            let id = key
                .register(&Members::make_credential().with(7, option("rk", kept)))
                .id;
            let name = if kept { ali } else { someone };
            key.cbor(&assertion(&[&id], true).encode(0x02));
            let expected = [
                Event::Registered {
                    credential: ali(&id),
                    profile: kind.profile(),
                    stored: kept,
                    consent: Consent::Present,
                },
                signed_in(name(&id), Consent::Present),
            ];
            assert_eq!(log(&key), expected, "{kind:?}, {kept}");
        }
    }
}

#[test]
fn u2f_is_recorded_by_the_hash_of_the_application() {
    let application: [u8; 32] = Sha256::digest(RP_ID).into();
    let mut key = Key::new(KeyKind::Synced);
    let request = [&[0, 1, 0, 0, 0, 0, 64][..], &[7; 32], &application, &[0, 0]].concat();
    let answer = key.msg(&request);
    let length = usize::from(answer.bytes[66]);
    let handle = answer.bytes[67..67 + length].to_vec();
    let site = Site::Hash(RpIdHash(application));
    let credential = Subject::new(site, CredentialId::new(&handle).unwrap(), None);
    let authenticate = |control: u8| {
        let length = u8::try_from(handle.len()).unwrap();
        let data = [&[7; 32][..], &application, &[length], &handle].concat();
        let total = u8::try_from(data.len()).unwrap();
        [&[0, 2, control, 0, 0, 0, total][..], &data, &[0, 0]].concat()
    };
    // Checking, which signs nothing; a signature that the user agrees to; one without asking, twice.
    for control in [0x07, 0x03] {
        key.msg(&authenticate(control));
    }
    for _ in 0..2 {
        key.msg(&authenticate(0x08));
    }
    let expected = [
        Event::Registered {
            credential: credential.clone(),
            profile: Profile::U2f,
            stored: false,
            consent: Consent::Present,
        },
        signed_in(credential.clone(), Consent::Present),
        signed_in(credential, Consent::Unasked),
    ];
    assert_eq!(log(&key), expected);
}

#[test]
fn each_of_several_accounts_that_sign_is_recorded() {
    let mut key = Key::new(KeyKind::Synced);
    let ids = [b"ali", b"bob"].map(|id| key.register(&resident().with(3, user(id))).id);
    let signed = logged_of(&mut key, |key| {
        key.cbor(&assertion(&[], true).encode(0x02));
        key.cbor(&[0x08]);
        // There is no third one.
        key.cbor(&[0x08]);
    });
    let expected = [&ids[1], &ids[0]].map(|id| signed_in(ali(id), Consent::Present));
    assert_eq!(signed, expected);
}

#[test]
fn verification_is_recorded_with_the_use() {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let request = key.token(MC, Some(RP_ID)).make_credential(resident());
    let registered = logged_of(&mut key, |key| key.cbor(&request));
    let [
        Event::Registered {
            credential, consent, ..
        },
    ] = &registered[..]
    else {
        panic!("{registered:?}")
    };
    assert_eq!(*consent, Consent::Verified);
    let request = key.token(GA, Some(RP_ID)).get_assertion(assertion(&[], true));
    let signed = logged_of(&mut key, |key| key.cbor(&request));
    assert_eq!(signed, [signed_in(credential.clone(), Consent::Verified)]);
}

#[test]
fn entries_have_the_time_of_the_wall_clock() {
    let mut key = Key::new(KeyKind::Synced);
    let times = |key: &Key| {
        let log = key.authenticator.vault().log(None).unwrap();
        let time = |logged| match logged {
            Ok(Logged::Entry { record, .. }) => record.unix_ms,
            other => panic!("{other:?}"),
        };
        log.map(time).collect::<Vec<u64>>()
    };
    key.register(&resident());
    key.wait(Duration::from_secs(3));
    key.cbor(&assertion(&[], true).encode(0x02));
    assert_eq!(times(&key), [NOW + 3_000, NOW]);
}

// --- what makes none ----------------------------------------------------------------------------------------------

#[test]
fn what_only_looks_makes_no_entry() {
    let mut key = Key::new(KeyKind::Synced);
    let id = key.register(&resident()).id;
    let dummy = Members::make_credential().with(2, map([("id", Value::Text("make.me.blink"))]));
    let dummy_application = [&[0, 1, 0, 0, 0, 0, 64][..], &[7; 32], &[0x41; 32], &[0, 0]].concat();
    let logged = logged_of(&mut key, |key| {
        key.cbor(&[0x04]);
        // An excluded credential, a credential that is not there, a touch.
        key.cbor(&resident().with(5, descriptors([&id[..]])).encode(0x01));
        key.cbor(&assertion(&[&[9; 32]], true).encode(0x02));
        key.cbor(&assertion(&[&[9; 32]], false).encode(0x02));
        key.cbor(&[0x0B]);
        key.cbor(&dummy.encode(0x01));
        key.msg(&dummy_application);
        key.pin_retries();
        for gesture in [Gesture::TimedOut, Gesture::Cancelled] {
            key.cbor_and(&assertion(&[], true).encode(0x02), gesture);
        }
    });
    assert_eq!(logged, []);
}

#[test]
fn a_credential_that_signs_without_asking_is_recorded_once_a_day() {
    for kind in KINDS {
        let mut key = Key::new(kind);
        let [ali_id, bob] = [b"ali", b"bob"].map(|id| key.register(&resident().with(3, user(id))).id);
        let probe = |key: &mut Key| {
            for id in [&ali_id, &bob, &ali_id] {
                let answer = key.cbor(&assertion(&[id], false).encode(0x02));
                assert_eq!(answer.status(), StatusCode::OK);
            }
        };
        let expected = [&ali_id, &bob].map(|id| signed_in(ali(id), Consent::Unasked));
        assert_eq!(logged_of(&mut key, probe), expected);
        key.wait(DAY - Duration::from_millis(1));
        key.authenticator.power_cycle(key.now);
        assert_eq!(logged_of(&mut key, probe), []);
        key.wait(Duration::from_millis(1));
        assert_eq!(logged_of(&mut key, probe), expected);
    }
}

#[test]
fn a_flood_without_the_user_is_recorded_up_to_a_bound_and_hides_nothing_else() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    let flood = logged_of(&mut key, |key| {
        for _ in 0..500 {
            key.cbor_and(&assertion(&[], true).encode(0x02), Gesture::Declined);
        }
    });
    assert_eq!(flood.len(), usize::try_from(FREQUENT_MAX).unwrap() + 1);
    assert_eq!(flood.last(), Some(&Event::Omitted(Frequent::Refusals)));
    let others = logged_of(&mut key, |key| {
        key.cbor(&assertion(&[], true).encode(0x02));
        key.cbor(&assertion(&[], false).encode(0x02));
        key.set_pin(PIN);
    });
    assert_eq!(others.len(), 3, "{others:?}");
    key.wait(DAY);
    let tomorrow = logged_of(&mut key, |key| {
        key.cbor_and(&assertion(&[], true).encode(0x02), Gesture::Declined)
    });
    assert_eq!(tomorrow.len(), 1);
}

#[test]
fn settings_that_anybody_may_change_do_not_fill_the_log() {
    let mut key = Key::new(KeyKind::Synced);
    let toggle = Members::empty().with(1, Value::Unsigned(2)).encode(0x0D);
    let flood = logged_of(&mut key, |key| {
        for _ in 0..200 {
            assert_eq!(key.cbor(&toggle).status(), StatusCode::OK);
        }
    });
    assert_eq!(flood.len(), usize::try_from(FREQUENT_MAX).unwrap() + 1);
    assert_eq!(
        flood[..2],
        [Setting::AlwaysVerify, Setting::NotAlwaysVerify].map(Event::Configured)
    );
}

// --- changes ------------------------------------------------------------------------------------------------------

#[test]
fn refusals_are_recorded_with_what_was_wanted() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    let site = || Some(Site::named(RP_ID));
    for (request, wanted, site) in [
        (resident().encode(0x01), Wanted::Registration, site()),
        (assertion(&[], true).encode(0x02), Wanted::SignIn, site()),
        (vec![0x0B], Wanted::Selection, None),
        (vec![0x07], Wanted::Reset, None),
    ] {
        let logged = logged_of(&mut key, |key| key.cbor_and(&request, Gesture::Declined));
        assert_eq!(logged, [Event::Refused { wanted, site }]);
    }
}

#[test]
fn pins_and_failures_are_recorded() {
    let mut key = Key::new(KeyKind::Synced);
    with_finger(&mut key);
    key.set_pin(PIN);
    let wrong = key.pin_token(Protocol::Two, "4321");
    assert!(wrong.is_err());
    assert_eq!(
        key.change_pin(Protocol::Two, "0000", "5678"),
        StatusCode::PIN_INVALID
    );
    assert_eq!(key.change_pin(Protocol::Two, PIN, "5678"), StatusCode::OK);
    let gestures = [Gesture::NotVerified, Gesture::NotVerified, Gesture::Declined];
    assert!(key.token_by_uv(GA, gestures).is_err());
    let expected = [
        Event::PinSet,
        Event::WrongPin { attempts_left: 7 },
        Event::WrongPin { attempts_left: 6 },
        Event::PinChanged,
        Event::NotVerified { attempts_left: 7 },
        Event::NotVerified { attempts_left: 6 },
        Event::Refused {
            wanted: Wanted::Authorization,
            site: None,
        },
    ];
    assert_eq!(log(&key), expected);
}

#[test]
fn what_is_done_to_stored_credentials_is_recorded() {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let request = key.token(MC, Some(RP_ID)).make_credential(resident());
    key.cbor(&request);
    let id = key.authenticator.vault().entries().remove(0).id;
    let parameters = |user: Option<Value<'static>>| {
        let descriptor = map([
            ("id", Value::Bytes(id.as_bytes())),
            ("type", Value::Text("public-key")),
        ]);
        let mut members = Map::new([(2_u64, descriptor)]);
        if let Some(user) = user {
            members.insert(3_u64, user);
        }
        leak(Value::Map(members))
    };
    let renamed = map([("id", Value::Bytes(b"ali")), ("name", Value::Text("alice"))]);
    let logged = logged_of(&mut key, |key| {
        let ticket = key.token(CM, None);
        for (command, user) in [(0x07, Some(renamed)), (0x06, None)] {
            let answer = key.cbor(&ticket.manage_credentials(command, Some(parameters(user))));
            assert_eq!(answer.status(), StatusCode::OK);
        }
    });
    let alice = Subject::new(Site::named(RP_ID), id.clone(), Some("alice"));
    assert_eq!(logged, [Event::Updated(alice.clone()), Event::Deleted(alice)]);
}

#[test]
fn a_deletion_at_the_computer_is_recorded() {
    let mut key = Key::new(KeyKind::Synced);
    let id = key.register(&resident()).id;
    let logged = logged_of(&mut key, |key| {
        let id = CredentialId::new(&id).unwrap();
        assert!(key.authenticator.delete(key.now, &id).unwrap());
        assert!(!key.authenticator.delete(key.now, &id).unwrap());
    });
    assert_eq!(logged, [Event::Deleted(ali(&id))]);
}

#[test]
fn settings_are_recorded() {
    let mut key = Key::new(KeyKind::Synced);
    key.set_pin(PIN);
    let length = leak(Value::Map(Map::new([(1_u64, Value::Unsigned(4))])));
    for (subcommand, parameters, setting) in [
        (0x02, None, Setting::AlwaysVerify),
        (0x02, None, Setting::NotAlwaysVerify),
        (0x03, Some(length), Setting::PinRules),
        (0x04, None, Setting::LongTouchForReset),
    ] {
        let request = key.token(ACFG, None).configure(subcommand, parameters);
        let logged = logged_of(&mut key, |key| key.cbor(&request));
        assert_eq!(logged, [Event::Configured(setting)]);
    }
}

#[test]
fn a_reset_begins_a_new_log() {
    let mut key = Key::new(KeyKind::Synced);
    key.register(&resident());
    key.cbor(&[0x07]);
    assert_eq!(log(&key), [Event::Reset]);
    let origin = key.authenticator.vault().log(None).unwrap().origin();
    assert_eq!(origin, LogOrigin::Reset);
}

// --- the disk -----------------------------------------------------------------------------------------------------

#[test]
fn a_sign_in_is_durable_after_a_second_and_wakes_the_key_once() {
    let disk = Disk::default();
    let mut key = Key::on(KeyKind::Synced, disk.clone(), 1);
    key.register(&resident());
    let left = || log(&Key::on(KeyKind::Synced, disk.after_power_cut(), 2)).len();
    assert_eq!((left(), key.authenticator.poll_timeout()), (1, None));
    key.cbor(&assertion(&[], true).encode(0x02));
    let at = key.authenticator.poll_timeout();
    assert_eq!(at, Some(key.now + FLUSH_DELAY));
    key.wait(FLUSH_DELAY / 2);
    key.cbor(&assertion(&[], true).encode(0x02));
    key.authenticator.handle_timeout(key.now);
    assert_eq!((left(), key.authenticator.poll_timeout()), (1, at));
    key.wait(FLUSH_DELAY / 2);
    key.authenticator.handle_timeout(key.now);
    assert_eq!((left(), key.authenticator.poll_timeout()), (3, None));
}

#[test]
fn without_an_entry_there_is_no_signature_and_no_credential() {
    for kind in KINDS {
        for request in [
            assertion(&[], true).encode(0x02),
            Members::make_credential().encode(0x01),
            resident().with(3, user(b"bob")).encode(0x01),
        ] {
            let disk = Disk::default();
            let mut key = Key::on(kind, disk.clone(), 1);
            key.register(&resident());
            // The first change that is not written breaks the database: no entry can be made any more.
            disk.break_after(0);
            let broken = key.authenticator.vault_mut().flush();
            assert!(broken.is_err());
            assert_eq!(key.cbor(&request).bytes, [StatusCode::OTHER.byte()]);
            drop(key);
            let key = Key::on(kind, disk.after_power_cut(), 2);
            assert_eq!((log(&key).len(), key.authenticator.vault().len()), (1, 1));
        }
    }
}
