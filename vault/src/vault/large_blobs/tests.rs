use super::*;
use crate::testing::house::SECOND;
use crate::testing::party::{MemoryStore, Party};
use crate::testing::passkey;
use crate::{LargeBlob, Secret, State};

fn blob(data: &[u8]) -> LargeBlob {
    LargeBlob {
        data: data.to_vec(),
        original_size: 99,
    }
}

fn register(party: &mut Party, user: &str) -> CredentialId {
    let mut passkey = passkey(&mut party.rng, "example.org", user);
    passkey.large_blob_key = Some(Secret::random(&mut party.rng));
    let id = passkey.id.clone();
    party.vault.store(&mut party.rng, passkey, None).unwrap();
    id
}

fn write(party: &mut Party, blobs: &[(&CredentialId, Option<LargeBlob>)], others: &[u8]) {
    let blobs = blobs.iter().map(|(id, blob)| ((*id).clone(), blob.clone()));
    party
        .vault
        .put_large_blobs(
            &mut party.rng,
            blobs.collect(),
            Zeroizing::new(others.to_vec()),
            None,
        )
        .unwrap();
}

fn read(party: &Party, id: &CredentialId) -> Option<LargeBlob> {
    party.vault.load(id).unwrap().unwrap().large_blob
}

/// F-04. Mutation: the devices are not told.
#[test]
fn large_blobs_of_two_credentials_written_on_two_devices_both_survive() {
    let (mut one, mut store) = (Party::first(), MemoryStore::default());
    let (ann, bob) = (register(&mut one, "ann"), register(&mut one, "bob"));
    let mut two = Party::added_by(&mut one, SECOND, &mut store);
    assert_eq!(two.sync(&mut store), &State::Fresh);
    write(&mut one, &[(&ann, Some(blob(b"from one")))], b"others of one");
    write(&mut two, &[(&bob, Some(blob(b"from two")))], b"others of two");
    for _ in 0..2 {
        one.sync(&mut store);
        two.sync(&mut store);
    }
    for party in [&one, &two] {
        assert_eq!(read(party, &ann), Some(blob(b"from one")));
        assert_eq!(read(party, &bob), Some(blob(b"from two")));
    }
    // What belongs to no credential stays where it is.
    let others = |party: &Party| party.vault.document(Document::LargeBlobs).unwrap().unwrap();
    assert_eq!(*others(&one), b"others of one");
    assert_eq!(*others(&two), b"others of two");

    write(&mut two, &[(&ann, None)], b"");
    two.sync(&mut store);
    one.sync(&mut store);
    assert_eq!(
        (read(&one, &ann), read(&one, &bob)),
        (None, Some(blob(b"from two")))
    );
}

#[test]
fn blobs_and_what_belongs_to_none_are_written_in_one_step() {
    let mut party = Party::first();
    let (ann, bob) = (register(&mut party, "ann"), register(&mut party, "bob"));
    let state = party.vault.store_state();
    let gone = CredentialId::new(&[1; 16]).unwrap();
    let too_large = blob(&[0; crate::padding::SIZE_MAX]);
    let blobs = vec![(ann.clone(), Some(blob(b"ann"))), (bob.clone(), Some(too_large))];
    let refused = party
        .vault
        .put_large_blobs(&mut party.rng, blobs, Zeroizing::new(vec![1]), None);
    assert!(matches!(refused, Err(Error::TooLarge)));
    assert_eq!((read(&party, &ann), party.vault.store_state()), (None, state));
    assert!(party.vault.document(Document::LargeBlobs).unwrap().is_none());

    write(
        &mut party,
        &[(&gone, None), (&ann, Some(blob(b"ann")))],
        b"others",
    );
    assert_ne!(party.vault.store_state(), state);
    let party = party.reopened(5);
    assert_eq!(
        (read(&party, &ann), read(&party, &bob)),
        (Some(blob(b"ann")), None)
    );
    assert_eq!(
        *party.vault.document(Document::LargeBlobs).unwrap().unwrap(),
        b"others"
    );
    assert_eq!(party.vault.with_large_blob_key().unwrap().len(), 2);
}
