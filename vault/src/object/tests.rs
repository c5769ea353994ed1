//! The names and numbers of the tests are those of the threat table in `DESIGN.md`. "Mutation" says which defence was
//! taken out to see the test fail.

use aes_gcm::KeyInit;
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as P256Signature, SigningKey};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::frame::SealedKind::{EarlierKeys, Log, Snapshot};
use crate::keys::OneTimeKey;
use crate::seal::PREFIX_LEN;
use crate::signature::{Signature, SignedHash};
use crate::testing::{TestRng, root_key};

const VAULT: VaultId = VaultId([0x11; 32]);
const ANN: DeviceId = DeviceId([0xa1; 16]);
const BEN: DeviceId = DeviceId([0xb2; 16]);

fn signing_key(device: DeviceId) -> SigningKey {
    SigningKey::from_slice(&[device.0[0] ^ 0x33; 32]).unwrap()
}

/// Ann and Ben.
struct Two;

impl Members for Two {
    fn signing_key(&self, device: DeviceId) -> Option<PublicPoint> {
        let key = signing_key(device);
        let point = PublicPoint::new(key.verifying_key().to_sec1_point(false).as_bytes());
        point.filter(|_| [ANN, BEN].contains(&device))
    }
}

fn sign(device: DeviceId, hash: &SignedHash) -> Signature {
    let signature: P256Signature = signing_key(device).sign_prehash(hash.as_bytes()).unwrap();
    Signature::new(&signature.to_bytes().into()).unwrap()
}

fn key() -> VaultKey {
    VaultKey::of_epoch(&root_key(0x22), VAULT, 1)
}

fn position(author: DeviceId, seq: u32, previous: ObjectHash) -> Position {
    Position {
        author,
        incarnation: 1,
        seq,
        previous,
        time: 0x018b_cfe5_6800_0000,
        trust_seq: 2,
        trust_head: ObjectHash([0x77; 32]),
        seen: [0x88; 32],
    }
}

fn object_at(kind: SealedKind, position: Position, payload: &[u8]) -> Vec<u8> {
    let mut rng = TestRng(u64::from(position.seq));
    let unsigned = seal(&key(), kind, position, Zeroizing::new(payload.to_vec()), &mut rng).unwrap();
    let signature = sign(position.author, unsigned.to_sign());
    unsigned.signed(&signature)
}

fn object() -> Vec<u8> {
    object_at(Log, position(ANN, 1, ObjectHash::NONE), b"payload")
}

fn read(bytes: &[u8], kind: SealedKind) -> Result<Authentic<'_>, Refused> {
    Authentic::read(bytes, kind, VAULT, &Two)
}

fn open(bytes: &[u8], kind: SealedKind) -> Result<Vec<u8>, Refused> {
    read(bytes, kind)?.open(&key()).map(|payload| payload.to_vec())
}

/// Where header, commitment, body and signature begin.
fn parts(object: &[u8]) -> [usize; 4] {
    let header_len = u32::from_be_bytes(object[8..12].try_into().unwrap());
    let commitment = PREFIX_LEN + usize::try_from(header_len).unwrap();
    [PREFIX_LEN, commitment, commitment + 32, object.len() - 64]
}

/// `object` with another signature: that of `author` over what is there now. Shows what is left when the author
/// himself does harm, or his signing key is known.
fn signed_again(mut object: Vec<u8>, author: DeviceId) -> Vec<u8> {
    let [_, commitment, body, signature] = parts(&object);
    let (start, rest) = object.split_at(commitment);
    let hash = Sha256::new()
        .chain_update(b"pkv1/sig/obj\0")
        .chain_update(start)
        .chain_update(&rest[..32])
        .chain_update(Sha256::digest(&object[body + 4..signature]))
        .finalize();
    object.truncate(signature);
    object.extend_from_slice(sign(author, &SignedHash::new(hash.into())).as_bytes());
    object
}

/// `object` with `header` in the place of its own.
fn with_header(object: &[u8], header: &[u8]) -> Vec<u8> {
    let [start, end, ..] = parts(object);
    let len = u32::try_from(header.len()).unwrap().to_be_bytes();
    [&object[..start - 4], &len, header, &object[end..]].concat()
}

#[test]
fn what_was_sealed_and_signed_opens() {
    for kind in [Log, Snapshot, EarlierKeys] {
        let object = object_at(kind, position(BEN, 7, ObjectHash([1; 32])), b"payload");
        let authentic = read(&object, kind).unwrap();
        assert_eq!(authentic.header().position, position(BEN, 7, ObjectHash([1; 32])));
        assert_eq!(authentic.hash(), ObjectHash::of(&object));
        assert_eq!(open(&object, kind), Ok(b"payload".to_vec()));
    }
}

/// I-01 swap_header. Mutation: in `frame.rs` the key derived from the prefix alone, and no associated data.
#[test]
fn swap_header() {
    let (one, other) = two_objects();
    let [start, end, ..] = parts(&other);
    let swapped = with_header(&one, &other[start..end]);
    assert_eq!(open(&swapped, Log), Err(Refused::Signature));
    assert_eq!(open(&signed_again(swapped, ANN), Log), Err(Refused::Unopened));
}

/// I-02 swap_body. Mutation: the same.
#[test]
fn swap_body() {
    let (one, other) = two_objects();
    let [_, commitment, body, signature] = parts(&one);
    for from in [commitment, body] {
        let swapped = [&one[..from], &other[from..signature], &one[signature..]].concat();
        assert_eq!(open(&swapped, Log), Err(Refused::Signature));
        assert_eq!(open(&signed_again(swapped, ANN), Log), Err(Refused::Unopened));
    }
}

fn two_objects() -> (Vec<u8>, Vec<u8>) {
    let one = object();
    let next = position(ANN, 2, ObjectHash::of(&one));
    let other = object_at(Log, next, b"another one");
    (one, other)
}

/// I-03 type_confusion. Mutation: only the first four bytes compared in `Frame::split`.
#[test]
fn type_confusion() {
    for (made, code) in [(Log, 2), (Snapshot, 3), (EarlierKeys, 15)] {
        for taken in [Log, Snapshot, EarlierKeys]
            .into_iter()
            .filter(|kind| *kind != made)
        {
            let object = object_at(made, position(ANN, 1, ObjectHash::NONE), b"payload");
            assert_eq!(open(&object, taken), Err(Refused::Malformed));
            let mut renamed = object_at(taken, position(ANN, 1, ObjectHash::NONE), b"payload");
            renamed[4] = code;
            assert_eq!(open(&renamed, made), Err(Refused::Signature));
            assert_eq!(open(&signed_again(renamed, ANN), made), Err(Refused::Unopened));
        }
    }
    assert_eq!(
        Frame::parse(&object(), Kind::Slot).err(),
        Some(Refused::Malformed)
    );
    assert_eq!(
        Frame::parse(&object(), Kind::Trust).err(),
        Some(Refused::Malformed)
    );
}

/// I-04 cross_vault. Mutation: no comparison of the vault in `Authentic::read`.
#[test]
fn cross_vault() {
    let other = VaultId([0x12; 32]);
    let object = object();
    assert_eq!(
        Authentic::read(&object, Log, other, &Two).err(),
        Some(Refused::Misplaced)
    );
    let header = Header {
        vault: other,
        ..*read(&object, Log).unwrap().header()
    };
    let moved = signed_again(with_header(&object, &header.encode()), ANN);
    let authentic = Authentic::read(&moved, Log, other, &Two).unwrap();
    let same_root_key = VaultKey::of_epoch(&root_key(0x22), other, 1);
    assert_eq!(authentic.open(&same_root_key), Err(Refused::Unopened));
}

/// I-05 cross_epoch. Mutation: no comparison of the epoch in `Authentic::open`.
#[test]
fn cross_epoch() {
    let object = object();
    let next = VaultKey::of_epoch(&root_key(0x23), VAULT, 2);
    let of_epoch = |object: &[u8], key: &VaultKey| read(object, Log).unwrap().open(key).err();
    assert_eq!(of_epoch(&object, &next), Some(Refused::Misplaced));
    let header = Header {
        epoch: 2,
        ..*read(&object, Log).unwrap().header()
    };
    let moved = signed_again(with_header(&object, &header.encode()), ANN);
    assert_eq!(of_epoch(&moved, &key()), Some(Refused::Misplaced));
    assert_eq!(of_epoch(&moved, &next), Some(Refused::Unopened));
}

/// I-06 bitflip. Mutation: `PublicPoint::verify` says yes; the commitment not compared in `Verified::open`.
#[test]
fn bitflip() {
    let object = object();
    let signature = parts(&object)[3];
    for at in 0..object.len() {
        let mut changed = object.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(read(&changed, Log).is_err(), "byte {at}");
        if (PREFIX_LEN..signature).contains(&at) {
            assert!(
                open(&signed_again_if_whole(changed), Log).is_err(),
                "byte {at}, signed"
            );
        }
    }
}

/// A flip in a length leaves no whole object to sign.
fn signed_again_if_whole(object: Vec<u8>) -> Vec<u8> {
    match Frame::parse(&object, Kind::Sealed(Log)) {
        Ok(_) => signed_again(object, ANN),
        Err(_) => object,
    }
}

#[test]
fn the_other_form_of_a_signature_is_no_second_object() {
    let object = object();
    let (rest, signature) = object.split_last_chunk::<64>().unwrap();
    let signature = P256Signature::from_slice(signature).unwrap();
    let other = P256Signature::from_scalars(signature.r(), -*signature.s()).unwrap();
    let malleable = [rest, &other.to_bytes()].concat();
    assert_eq!(read(&malleable, Log).err(), Some(Refused::Signature));
}

/// I-07 metadata. Mutation: the header left out of the hash that is signed; the one of `swap_header`.
#[test]
fn metadata() {
    let object = object();
    let header = *read(&object, Log).unwrap().header();
    let moved = |change: fn(&mut Position)| {
        let mut changed = header;
        change(&mut changed.position);
        changed
    };
    let edits = [
        moved(|position| position.author = BEN),
        moved(|position| position.incarnation += 1),
        moved(|position| position.seq += 1),
        moved(|position| position.previous.0[0] ^= 1),
        moved(|position| position.time += 1),
        moved(|position| position.trust_seq += 1),
        moved(|position| position.trust_head.0[0] ^= 1),
        moved(|position| position.seen[0] ^= 1),
        Header {
            random: [0; 16],
            ..header
        },
        Header {
            min_format: 0,
            ..header
        },
    ];
    for edit in edits {
        let edited = with_header(&object, &edit.encode());
        assert_eq!(read(&edited, Log).err(), Some(Refused::Signature), "{edit:?}");
        let signed = signed_again(edited, edit.position.author);
        assert_eq!(open(&signed, Log), Err(Refused::Unopened), "{edit:?}");
    }
}

/// I-08 drop, duplicate, reorder. Mutation: no comparison of `previous` in `LogHead::after`; no `NotNext::Gap`.
#[test]
fn drop_duplicate_reorder() {
    let first = object();
    let second = object_at(Log, position(ANN, 2, ObjectHash::of(&first)), b"2");
    let third = object_at(Log, position(ANN, 3, ObjectHash::of(&second)), b"3");
    let other_second = object_at(Log, position(ANN, 2, ObjectHash::of(&first)), b"other");
    let other_third = object_at(Log, position(ANN, 3, ObjectHash::of(&other_second)), b"3");
    let after = |head: LogHead, object: &[u8]| head.after(&read(object, Log).unwrap());

    let one = after(LogHead::START, &first).unwrap();
    let two = after(one, &second).unwrap();
    let three = after(two, &third).unwrap();
    assert_eq!(after(LogHead::START, &second), Err(NotNext::Gap));
    assert_eq!(after(one, &third), Err(NotNext::Gap));
    assert_eq!(after(two, &second), Err(NotNext::Known));
    assert_eq!(after(three, &first), Err(NotNext::Older));
    assert_eq!(after(two, &other_second), Err(NotNext::Fork));
    assert_eq!(after(two, &other_third), Err(NotNext::Fork));
}

#[test]
fn a_new_incarnation_goes_on_where_the_old_one_was() {
    let first = object();
    let one = LogHead::START.after(&read(&first, Log).unwrap()).unwrap();
    let of_life = |incarnation, seq| {
        let position = Position {
            incarnation,
            ..position(ANN, seq, ObjectHash::of(&first))
        };
        object_at(Log, position, b"")
    };
    assert!(one.after(&read(&of_life(2, 2), Log).unwrap()).is_ok());
    assert_eq!(one.after(&read(&of_life(2, 1), Log).unwrap()), Err(NotNext::Fork));
    assert_eq!(
        one.after(&read(&of_life(0, 2), Log).unwrap()),
        Err(NotNext::Older)
    );
}

/// I-09 unknown suite, flags, type, format. Mutation: only the first five bytes compared in `Frame::split`; no
/// comparison of `min_format`.
#[test]
fn unknown_suite_flags_or_format() {
    for (at, value) in [
        (0, b'Q'),
        (3, b'2'),
        (4, 5),
        (4, 0),
        (5, 0),
        (5, 2),
        (6, 1),
        (7, 1),
    ] {
        let mut changed = object();
        changed[at] = value;
        assert_eq!(
            read(&signed_again(changed, ANN), Log).err(),
            Some(Refused::Malformed)
        );
    }
    let newer = Header {
        min_format: EXCHANGE_FORMAT + 1,
        ..*read(&object(), Log).unwrap().header()
    };
    let newer = signed_again(with_header(&object(), &newer.encode()), ANN);
    assert_eq!(read(&newer, Log).err(), Some(Refused::NewerFormat));
}

/// I-11 injected objects. Mutation: the signature not checked in `Frame::verify`.
#[test]
fn injected_without_a_members_signature() {
    let stranger = DeviceId([0xc3; 16]);
    let injected = object_at(Log, position(stranger, 1, ObjectHash::NONE), b"payload");
    assert_eq!(read(&injected, Log).err(), Some(Refused::NotAMember));
    let as_ann = with_header(&injected, &read(&object(), Log).unwrap().header().encode());
    assert_eq!(
        read(&signed_again(as_ann.clone(), stranger), Log).err(),
        Some(Refused::Signature)
    );
    assert_eq!(
        read(&signed_again(as_ann, BEN), Log).err(),
        Some(Refused::Signature)
    );
}

/// I-12 non-canonical input. Mutation: the shortest form not demanded in `cbor.rs`; `input.end()` left out.
#[test]
fn non_canonical_headers_and_wrong_lengths() {
    let object = object();
    let [start, end, ..] = parts(&object);
    let header = &object[start..end];
    let longer_form = [&[0xb8, 12], &header[1..]].concat();
    let trailing = [header, &[0]].concat();
    let (one, rest) = header[1..].split_at(2 + 1 + 32);
    let swapped = [&header[..1], &rest[..2], one, &rest[2..]].concat();
    let duplicate = [&[0xad], &header[1..], &[12, 1]].concat();
    for changed in [longer_form, trailing, swapped, duplicate, vec![], vec![0xa0]] {
        let changed = signed_again(with_header(&object, &changed), ANN);
        assert_eq!(read(&changed, Log).err(), Some(Refused::Malformed));
    }
    for at in [8, end + 32] {
        for len in [0, 1, 0x7fff_ffff, u32::MAX] {
            let mut changed = object.clone();
            changed[at..at + 4].copy_from_slice(&len.to_be_bytes());
            assert_eq!(read(&changed, Log).err(), Some(Refused::Malformed));
        }
    }
    assert_eq!(
        read(&[object.as_slice(), &[0]].concat(), Log).err(),
        Some(Refused::Malformed)
    );
    for len in 0..object.len() {
        assert_eq!(
            read(&object[..len], Log).err(),
            Some(Refused::Malformed),
            "{len} bytes"
        );
    }
}

/// C-09 partitioning_oracle. One text and tag are made to decrypt under two keys. Mutation: the commitment not
/// compared in `Verified::open`.
#[test]
fn partitioning_oracle() {
    let keys = [0x22, 0x23].map(|fill| VaultKey::of_epoch(&root_key(fill), VAULT, 1));
    let mut object = object();
    let [start, commitment, body, signature] = parts(&object);
    let one_time_key = |key: &VaultKey| key.object_key(&object[..start], &object[start..commitment]).0;
    let (text, tag) = text_for_two_keys(&keys, &one_time_key, &object[..commitment]);
    for key in &keys {
        let mut text = text.clone();
        assert!(
            one_time_key(key)
                .decrypt(&object[..commitment], &mut text, &tag)
                .is_some()
        );
    }

    object.splice(body + 4..signature, [text, tag.to_vec()].concat());
    let object = signed_again(object, ANN);
    assert_eq!(read(&object, Log).unwrap().open(&keys[1]), Err(Refused::Unopened));
    // The same answer as for a text that opens under no key.
    let mut damaged = object;
    damaged[body + 4] ^= 1;
    assert_eq!(
        read(&signed_again(damaged, ANN), Log).unwrap().open(&keys[0]),
        Err(Refused::Unopened)
    );
}

/// 512 bytes that authenticate under both keys and are well padded under the second: the last block is chosen for the
/// padding, the one before solves the linear equation that GHASH leaves.
fn text_for_two_keys(
    keys: &[VaultKey; 2],
    one_time_key: &dyn Fn(&VaultKey) -> OneTimeKey,
    associated: &[u8],
) -> (Vec<u8>, [u8; 16]) {
    let key_stream = |key: &VaultKey| {
        let mut stream = vec![0; 512];
        one_time_key(key).encrypt(associated, &mut stream);
        stream
    };
    let mut text = vec![0; 512];
    text[496..].copy_from_slice(&key_stream(&keys[1])[496..]);
    text[511] ^= 0x80;
    let tag_of_text = |key: &VaultKey| {
        let stream = key_stream(key);
        let mut plain: Vec<u8> = text
            .iter()
            .zip(stream)
            .map(|(text, stream)| text ^ stream)
            .collect();
        u128::from_be_bytes(one_time_key(key).encrypt(associated, &mut plain))
    };
    // What the last block but one is multiplied with in the tag.
    let cube = |key: &VaultKey| {
        let mut block = aes_gcm::aes::Block::default();
        Aes256::new(one_time_key(key).expose_secret().into()).encrypt_block(&mut block);
        let hash_key = u128::from_be_bytes(block.into());
        multiply(hash_key, multiply(hash_key, hash_key))
    };
    let [one, other] = [&keys[0], &keys[1]];
    let difference = inverse(cube(one) ^ cube(other));
    let block = multiply(tag_of_text(one) ^ tag_of_text(other), difference);
    let tag = tag_of_text(one) ^ multiply(block, cube(one));
    text[480..496].copy_from_slice(&block.to_be_bytes());
    (text, tag.to_be_bytes())
}

/// In the field of GCM.
fn multiply(x: u128, y: u128) -> u128 {
    let (mut product, mut shifted) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= shifted;
        }
        shifted = shifted >> 1 ^ if shifted & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    product
}

/// x^(2^128 - 2).
fn inverse(x: u128) -> u128 {
    let (mut power, mut result) = (x, 1 << 127);
    for _ in 1..128 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

proptest! {
    /// I-12, by chance.
    #[test]
    fn arbitrary_bytes_do_no_harm(end in proptest::collection::vec(any::<u8>(), 0..400)) {
        let start = object()[..PREFIX_LEN].to_vec();
        prop_assert!(read(&end, Log).is_err());
        prop_assert!(read(&[start, end].concat(), Log).is_err());
    }
}
