use proptest::prelude::*;

use super::*;

fn id() -> CredentialId {
    CredentialId::new(&[0xc1; 32]).unwrap()
}

pub(in crate::log) fn ann() -> Subject {
    Subject::new(Site::named("example.org"), id(), Some("ann"))
}

/// At least one event of each kind, with every value that a field can have.
pub(in crate::log) fn all() -> Vec<Event> {
    let unknown = Subject::new(Site::Hash(RpIdHash([7; 32])), id(), None);
    let mut events = vec![
        Event::Updated(ann()),
        Event::Deleted(ann()),
        Event::TakenBack(ann()),
        Event::Refused {
            wanted: Wanted::Reset,
            site: None,
        },
        Event::WrongPin { attempts_left: 7 },
        Event::NotVerified { attempts_left: 0 },
        Event::PinSet,
        Event::PinChanged,
        Event::LargeBlobsWritten,
        Event::Reset,
        Event::VaultMade,
        Event::Unlocked { wrong_pins: 70_000 },
        Event::VaultPinChanged,
        Event::RootKeyReplaced,
        Event::RecoveryKitRenewed,
        Event::Recovered,
        Event::Exported { passkeys: 3 },
        Event::ExportedInClear { passkeys: 4 },
        Event::Imported { passkeys: 0 },
        Event::DeviceAdded(DeviceId([0xda; 16])),
        Event::DeviceRemoved(DeviceId([0xdb; 16])),
    ];
    for credential in [ann(), unknown] {
        for consent in Consent::ALL.iter().copied() {
            let credential = credential.clone();
            events.push(Event::SignedIn { credential, consent });
        }
        for (profile, stored) in [
            (Profile::Synced, true),
            (Profile::DeviceBound, false),
            (Profile::U2f, false),
        ] {
            events.push(Event::Registered {
                credential: credential.clone(),
                profile,
                stored,
                consent: Consent::Present,
            });
        }
    }
    events.extend(Wanted::ALL.iter().map(|wanted| Event::Refused {
        wanted: *wanted,
        site: Some(Site::named("example.org")),
    }));
    events.extend(Setting::ALL.iter().copied().map(Event::Configured));
    events.extend(Frequent::ALL.iter().copied().map(Event::Omitted));
    events.extend(LockCause::ALL.iter().copied().map(Event::Locked));
    events
}

fn encode(event: &Event) -> Vec<u8> {
    let (number, fields) = event.write();
    let mut encoded = Vec::new();
    let mut out = Writer(&mut encoded);
    out.map(1 + u64::try_from(fields.len()).unwrap());
    out.unsigned(3).unsigned(number);
    for (key, value) in &fields {
        value.write(out.unsigned(*key));
    }
    encoded
}

fn decode(encoded: &[u8]) -> Option<Event> {
    let mut fields = Fields::begin(encoded)?;
    let number = fields.required(3, Reader::unsigned)?;
    let event = Event::read(number, &mut fields)?;
    fields.end().map(|()| event)
}

#[test]
fn every_event_comes_back() {
    for event in all() {
        assert_eq!(decode(&encode(&event)).as_ref(), Some(&event), "{event:?}");
    }
}

#[test]
fn every_event_has_a_number_and_no_two_have_the_same() {
    let mut numbers: Vec<u64> = all().iter().map(|event| event.write().0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    // 17 was an event that was never recorded.
    assert_eq!(numbers, (1..=16).chain(18..=27).collect::<Vec<_>>());
}

/// A variant that is not in the list of its numbers cannot be written: here each is named, so that a new one is missed.
#[test]
fn every_detail_is_numbered() {
    let frequent = |kind: Frequent| match kind {
        Frequent::UnaskedSignIns => 1,
        Frequent::Refusals => 2,
        Frequent::WrongPins => 3,
        Frequent::PinChanges => 4,
        Frequent::Settings => 5,
        Frequent::Updates => 6,
        Frequent::LargeBlobs => 7,
    };
    assert!(Frequent::ALL.iter().all(|kind| frequent(*kind) == kind.number()));
    let setting = |setting: Setting| match setting {
        Setting::EnterpriseAttestation => 1,
        Setting::AlwaysVerify => 2,
        Setting::NotAlwaysVerify => 3,
        Setting::PinRules => 4,
        Setting::LongTouchForReset => 5,
    };
    assert!(Setting::ALL.iter().all(|each| setting(*each) == each.number()));
    let wanted = |wanted: Wanted| match wanted {
        Wanted::Registration => 1,
        Wanted::SignIn => 2,
        Wanted::Authorization => 3,
        Wanted::Reset => 4,
        Wanted::Selection => 5,
    };
    assert!(Wanted::ALL.iter().all(|each| wanted(*each) == each.number()));
    let cause = |cause: LockCause| match cause {
        LockCause::Asked => 1,
        LockCause::Idle => 2,
        LockCause::Suspend => 3,
        LockCause::Session => 4,
        LockCause::Stopped => 5,
    };
    assert!(LockCause::ALL.iter().all(|each| cause(*each) == each.number()));
    let consent = |consent: Consent| match consent {
        Consent::Unasked => 1,
        Consent::Present => 2,
        Consent::Verified => 3,
    };
    assert!(Consent::ALL.iter().all(|each| consent(*each) == each.number()));
    let lengths = [
        Frequent::ALL.len(),
        Setting::ALL.len(),
        Wanted::ALL.len(),
        LockCause::ALL.len(),
        Consent::ALL.len(),
    ];
    assert_eq!(lengths, [7, 5, 5, 5, 3]);
}

#[test]
fn what_no_event_writes_is_refused() {
    assert!(decode(&[0xa1, 0x03, 0x08]).is_some());
    for (name, encoded) in [
        ("number 0", &[0xa1, 0x03, 0x00][..]),
        ("a number of tomorrow", &[0xa1, 0x03, 0x18, 0x18]),
        (
            "a field that does not belong to it",
            &[0xa2, 0x03, 0x08, 0x0b, 0x01],
        ),
        ("a field is missing", &[0xa1, 0x03, 0x06]),
        (
            "more attempts than there can be",
            &[0xa2, 0x03, 0x06, 0x0b, 0x19, 0x01, 0x00],
        ),
        ("detail 0", &[0xa2, 0x03, 0x0a, 0x0c, 0x00]),
        ("a detail of tomorrow", &[0xa2, 0x03, 0x0a, 0x0c, 0x06]),
        ("a credential without site", &[0xa2, 0x03, 0x03, 0x06, 0x41, 0x01]),
        (
            "a short hash",
            &[0xa3, 0x03, 0x03, 0x05, 0x41, 0x01, 0x06, 0x41, 0x01],
        ),
        (
            "no credential id",
            &[0xa3, 0x03, 0x03, 0x04, 0x61, 0x61, 0x06, 0x40],
        ),
    ] {
        assert!(decode(encoded).is_none(), "{name}");
    }
}

#[test]
fn of_a_long_site_the_end_is_kept_and_of_a_long_name_the_beginning() {
    let long = format!("{}ö.example.org", "a".repeat(300));
    let Site::Id(kept) = Site::named(&long) else {
        panic!()
    };
    assert!(kept.len() <= NAME_LEN_MAX && kept.len() > NAME_LEN_MAX - 4);
    assert!(long.ends_with(&kept));
    // The cut would be in the middle of a letter.
    let awkward = "ö".repeat(200);
    let Site::Id(kept) = Site::named(&awkward) else {
        panic!()
    };
    assert_eq!(kept, "ö".repeat(127));
    let named = Subject::new(Site::named(""), id(), Some(&awkward));
    assert_eq!(named.user_name, Some("ö".repeat(127)));
    assert_eq!(ann().user_name.as_deref(), Some("ann"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
        decode(&bytes);
    }
}
