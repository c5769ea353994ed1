//! "Mutation" says which defence was taken out to see the test fail.

use std::collections::BTreeMap;

use super::message::{NewKeys, Reveal, commitment, commitment_to, read_commitment};
use super::*;
use crate::cbor::Writer;
use crate::device_key::KeyStore;
use crate::frame::ObjectHash;
use crate::testing::TestRng;
use crate::testing::home::{DEVICE, NEXT_PIN, PIN, steps};
use crate::testing::house::{House, Newcomer, SECOND};
use crate::trust::Remembered;
use crate::{DeviceId, NewDevice, NotJoined, NotOpened, SoftwareKeys, VaultId};

const VAULT: VaultId = VaultId([7; 32]);
const NOW: Duration = Duration::from_secs(1000);
const HEAD: Remembered = Remembered {
    seq: 3,
    head: ObjectHash([3; 32]),
};

/// The keys of one device, which are made once.
fn keys(of: DeviceId) -> SoftwareKeys {
    Newcomer::new(of).keys
}

fn asking(seed: u64) -> AskToJoin {
    AskToJoin::begin(SECOND, keys(SECOND).public(), NOW, &mut TestRng(seed << 16))
}

/// The pairing that a hello in the mailbox begins.
fn admitting(
    used: &mut UsedPairings,
    hello: &Post,
    code: Option<&PairingCode>,
) -> Result<Admission, NotPaired> {
    let keys = keys(DEVICE);
    let here = Admitting {
        vault: VAULT,
        device: DEVICE,
        public: keys.public(),
    };
    let rng = &mut TestRng(9 << 40);
    match code {
        Some(code) => Admission::begin_with_code(used, (code, &hello.bytes), here, NOW, rng),
        None => {
            let pairing = PairingId::of_hello(&hello.name).unwrap();
            Admission::begin(used, (pairing, &hello.bytes), here, NOW, rng)
        }
    }
}

/// Both sides, and everything that was put into the mailbox.
struct Pair {
    asks: AskToJoin,
    admits: Admission,
    mailbox: Vec<Post>,
    used: UsedPairings,
}

impl Pair {
    fn new(with_code: bool) -> Self {
        let mut asks = asking(1);
        let mut used = UsedPairings::default();
        let hello = asks.poll_post().unwrap();
        let code = asks.code();
        let admits = admitting(&mut used, &hello, with_code.then_some(&code)).unwrap();
        Self {
            asks,
            admits,
            mailbox: vec![hello],
            used,
        }
    }

    /// Carries what there is to carry.
    fn talk(&mut self) {
        loop {
            let posts = [self.admits.poll_post(), self.asks.poll_post()];
            if posts.iter().all(Option::is_none) {
                return;
            }
            for post in posts.into_iter().flatten() {
                if self.admits.awaits().as_ref() == Some(&post.name) {
                    self.admits.handle_message(NOW, &post.name, &post.bytes).unwrap();
                }
                if self.asks.awaits().contains(&post.name) {
                    // A void ends it.
                    let _ = self.asks.handle_message(NOW, &post.name, &post.bytes);
                }
                self.mailbox.push(post);
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        let steps = self
            .mailbox
            .iter()
            .map(|post| post.name.rsplit('/').next().unwrap());
        steps.collect()
    }
}

fn other_digits(digits: Digits) -> String {
    Digits((digits.0 + 1) % 100_000_000).to_text()
}

// --- the conversation -------------------------------------------------------------------------------------------------

/// Mutation: one of the four messages not added to the conversation, on either side.
#[test]
fn a_device_is_let_in_after_the_digits_that_it_shows_were_typed() {
    let mut pair = Pair::new(false);
    pair.talk();
    assert_eq!(pair.names(), ["hello", "commitment", "keys", "reveal"]);
    let digits = pair.asks.digits().unwrap();
    assert!(pair.admits.needs_digits());
    assert_eq!(pair.admits.take_let_in(NOW), None);
    assert_eq!(pair.admits.handle_added(HEAD), Err(NotPaired::TooEarly));
    pair.admits.handle_digits(NOW, &digits.to_text()).unwrap();
    let new = pair.admits.take_let_in(NOW).unwrap();
    assert_eq!((new.device, &new.public), (SECOND, keys(SECOND).public()));
    // It is given once.
    assert_eq!(pair.admits.take_let_in(NOW), None);
    pair.admits.handle_added(HEAD).unwrap();
    pair.talk();
    let invitation = pair.asks.invitation().unwrap();
    assert_eq!(invitation.transcript, new.transcript);
    assert_eq!((invitation.vault(), invitation.head()), (VAULT, HEAD));
    assert_eq!(pair.names().len(), 5);
    assert!(!pair.asks.is_over() && pair.asks.awaits().is_empty());
}

#[test]
fn with_a_camera_no_digits_are_typed() {
    let mut pair = Pair::new(true);
    pair.talk();
    let new = pair.admits.take_let_in(NOW).unwrap();
    assert_eq!(&new.public, keys(SECOND).public());
    assert_eq!(pair.admits.handle_digits(NOW, "12345678"), Err(NotPaired::Over));
    pair.admits.handle_added(HEAD).unwrap();
    pair.talk();
    assert_eq!(pair.asks.invitation().unwrap().transcript, new.transcript);
}

#[test]
fn the_code_is_read_back_and_nothing_else_is_a_code() {
    let code = asking(1).code();
    let text = code.to_text();
    assert_eq!(PairingCode::parse(&text), Some(code));
    for wrong in [
        &text[..text.len() - 1],
        &text[..text.len() - 2],
        &format!("{text}0"),
        &text.to_lowercase(),
        &text.replace("PKVP1", "PKVP2"),
        &format!("{}+A", &text[..text.len() - 2]),
        "",
    ] {
        assert_eq!(PairingCode::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn digits_are_two_groups_of_four_and_are_typed_in_any_way() {
    assert_eq!(Digits(12_034).to_text(), "0001 2034");
    for typed in ["00012034", "0001 2034", " 0001-2034\n", "0 0 0 1 2 0 3 4"] {
        assert_eq!(Digits::typed(typed), Some(Digits(12_034)));
    }
    for wrong in ["", "0001203", "000120345", "0001203x", "0001 2034 0001 2034"] {
        assert_eq!(Digits::typed(wrong), None, "{wrong}");
    }
    let mut pair = Pair::new(false);
    pair.talk();
    // What is not even digits is no try.
    for _ in 0..5 {
        assert_eq!(pair.admits.handle_digits(NOW, "1234"), Err(NotPaired::NoDigits));
    }
    let digits = pair.asks.digits().unwrap();
    assert_eq!(pair.admits.handle_digits(NOW, &digits.to_text()), Ok(()));
}

#[test]
fn every_digit_comes_as_often_as_every_other() {
    let mut counts = [0_u32; 10];
    for seed in 0..2000_u32 {
        let number = pairing_digits(&Sha256::digest(seed.to_be_bytes()).into());
        assert!(number < 100_000_000);
        for place in 0..8 {
            let digit = number / 10_u32.pow(place) % 10;
            counts[usize::try_from(digit).unwrap()] += 1;
        }
    }
    // 1600 each; six standard deviations are 230.
    assert!(
        counts.iter().all(|count| count.abs_diff(1600) < 230),
        "{counts:?}"
    );
}

#[test]
fn names_of_hellos_are_recognized_in_one_form_only() {
    let hello = asking(1).poll_post().unwrap();
    let pairing = PairingId::of_hello(&hello.name).unwrap();
    assert_eq!(hello.name.len(), 40);
    assert!(pairing.names().contains(&hello.name));
    for name in [
        hello.name.to_uppercase(),
        hello.name.replace("hello", "keys"),
        hello.name.replace("p/", "q/"),
        hello.name.replacen(char::is_numeric, "", 1),
        format!("p/+{}", &hello.name[3..]),
        "p//hello".to_owned(),
        format!("p/{}/hello", "\u{e9}".repeat(16)),
    ] {
        assert_eq!(PairingId::of_hello(&name), None, "{name}");
    }
}

/// The whole way: paired, added, joined.
#[test]
fn a_paired_device_joins_the_vault() {
    let house = House::new();
    let mut newcomer = Newcomer::new(SECOND);
    let public = newcomer.keys.public().clone();
    let rng = &mut TestRng(1 << 20);
    let mut asks = AskToJoin::begin(SECOND, &public, NOW, rng);
    let trust = house.trust();
    let here = Admitting {
        vault: trust.vault(),
        device: DEVICE,
        public: trust.member(DEVICE).unwrap(),
    };
    let hello = asks.poll_post().unwrap();
    let mut used = UsedPairings::default();
    let begins = (PairingId::of_hello(&hello.name).unwrap(), &hello.bytes[..]);
    let admits = Admission::begin(&mut used, begins, here, NOW, rng).unwrap();
    let mut pair = Pair {
        asks,
        admits,
        mailbox: vec![hello],
        used,
    };
    pair.talk();
    let digits = pair.asks.digits().unwrap();
    pair.admits.handle_digits(NOW, &digits.to_text()).unwrap();
    let new = pair.admits.take_let_in(NOW).unwrap();
    let house = house.changed(DEVICE, |unlocked, here, pin, rng| {
        unlocked.add_device(here, pin, &new, rng).unwrap()
    });
    pair.admits.handle_added(house.trust().remembered()).unwrap();
    pair.talk();
    let invitation = pair.asks.invitation().unwrap();
    assert_eq!(
        newcomer.join(&invitation, &house.store, NEXT_PIN).err(),
        Some(NotJoined::Keys(NotOpened::WrongPin))
    );
    assert!(newcomer.join(&invitation, &house.store, PIN).is_ok());
}

// --- attacks ----------------------------------------------------------------------------------------------------------

/// Who stands in the middle, after he heard hello: his own keys and name, and a number that he can choose.
fn their_reveal(pairing: PairingId, number: u64) -> Vec<u8> {
    let mut nonce = [0; 32];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    let reveal = Reveal {
        vault: VAULT,
        device: DEVICE,
        public: keys(DeviceId([0xe5; 16])).public().clone(),
        nonce,
    };
    reveal.encode(pairing)
}

fn their_keys(pairing: PairingId) -> Vec<u8> {
    let new = NewKeys {
        device: DeviceId([0xe5; 16]),
        public: keys(DeviceId([0xe5; 16])).public().clone(),
        nonce: [0xe5; 32],
    };
    new.encode(pairing)
}

/// So that a search takes no time.
fn short(digits: Digits) -> u32 {
    digits.0 % 1000
}

/// K-05 somebody in the middle of a pairing, with and without the commitment. He speaks with each side as if he were the
/// other. Without the commitment he would look for a reveal for which both sides have the same digits, and find one: here for the
/// last three of the eight digits, which takes a thousand hashes, as all eight take 10^8. With it the new device
/// refuses every one but the one that he chose before he knew the digits. Mutation: the reveal not compared with the
/// commitment in `take_reveal`.
#[test]
fn somebody_in_the_middle_of_a_pairing() {
    let mut asks = asking(1);
    let hello = asks.poll_post().unwrap();
    let pairing = asks.pairing();
    let mut admits = admitting(&mut UsedPairings::default(), &hello, None).unwrap();

    // To the new device he commits himself first, to something.
    let promised = commitment(pairing, &commitment_to(&their_reveal(pairing, 0)));
    asks.handle_message(NOW, &pairing.name(Step::Commitment), &promised)
        .unwrap();
    let its_keys = asks.poll_post().unwrap();
    // With the device of the vault he talks to the end: what the user would have to type there is fixed.
    let its_commitment = admits.poll_post().unwrap();
    admits
        .handle_message(NOW, &pairing.name(Step::Keys), &their_keys(pairing))
        .unwrap();
    let its_reveal = admits.poll_post().unwrap();
    let mut heard = Conversation::begin();
    for message in [
        &hello.bytes,
        &its_commitment.bytes,
        &their_keys(pairing),
        &its_reveal.bytes,
    ] {
        heard.add(message);
    }
    let wanted = short(Digits::of(&heard.transcript()));

    // What the new device would show if he revealed this.
    let shown = |reveal: &[u8]| {
        let mut said = Conversation::begin();
        for message in [&hello.bytes[..], &promised, &its_keys.bytes, reveal] {
            said.add(message);
        }
        short(Digits::of(&said.transcript()))
    };
    let found = (1..20_000).find(|number| shown(&their_reveal(pairing, *number)) == wanted);
    let colliding = their_reveal(pairing, found.expect("one in a thousand does"));
    assert_eq!(shown(&colliding), wanted);

    let refused = asks.handle_message(NOW, &pairing.name(Step::Reveal), &colliding);
    assert_eq!(refused, Err(NotPaired::Commitment));
    assert!(asks.is_over() && asks.digits().is_none());

    // What he had promised is taken, and the digits differ.
    let mut honest = asking(1);
    honest
        .handle_message(NOW, &pairing.name(Step::Commitment), &promised)
        .unwrap();
    honest
        .handle_message(NOW, &pairing.name(Step::Reveal), &their_reveal(pairing, 0))
        .unwrap();
    assert_ne!(short(honest.digits().unwrap()), wanted);
    let typed = honest.digits().unwrap().to_text();
    assert_eq!(
        admits.handle_digits(NOW, &typed),
        Err(NotPaired::WrongDigits { tries_left: 2 })
    );
    assert_eq!(admits.take_let_in(NOW), None);
}

/// K-05 with a camera: the keys of somebody in the middle are not those of the code. Mutation: the code not compared.
#[test]
fn somebody_in_the_middle_of_a_pairing_with_a_camera() {
    let mut pair = Pair::new(true);
    let pairing = pair.asks.pairing();
    pair.admits.poll_post().unwrap();
    let name = pairing.name(Step::Keys);
    assert_eq!(
        pair.admits.handle_message(NOW, &name, &their_keys(pairing)),
        Err(NotPaired::OtherKeys)
    );
    assert!(pair.admits.is_over());
    assert_eq!(pair.admits.poll_post().unwrap().name, pairing.name(Step::Void));
}

/// Mutation: one of the first three messages not added to the conversation by the new device, or a message's length by either.
#[test]
fn every_byte_that_was_said_is_in_the_digits() {
    let mut pair = Pair::new(false);
    pair.talk();
    let shown = pair.asks.digits().unwrap();
    let transcript = |messages: &[Post]| {
        let mut said = Conversation::begin();
        for post in messages {
            said.add(&post.bytes);
        }
        said.transcript()
    };
    let all = transcript(&pair.mailbox);
    assert_eq!(Digits::of(&all), shown);
    for message in 0..4 {
        for at in (0..pair.mailbox[message].bytes.len()).step_by(53) {
            let mut changed = pair.mailbox.clone();
            changed[message].bytes[at] ^= 1;
            assert_ne!(transcript(&changed), all);
        }
        let mut without = pair.mailbox.clone();
        without.remove(message);
        assert_ne!(transcript(&without), all);
    }
    // What one message ends with, the next cannot begin with.
    let mut moved = pair.mailbox.clone();
    let last = moved[0].bytes.pop().unwrap();
    moved[1].bytes.insert(0, last);
    assert_ne!(transcript(&moved), all);
}

/// All was said, and these are the digits.
fn talked() -> (Pair, Digits) {
    let mut pair = Pair::new(false);
    pair.talk();
    let digits = pair.asks.digits().unwrap();
    (pair, digits)
}

/// K-06 wrong digits: three of them end the pairing, and the new device is told. Mutation: `tries_left` not lowered.
#[test]
fn three_wrong_digits() {
    let (mut pair, digits) = talked();
    for tries_left in [2, 1, 0] {
        assert_eq!(
            pair.admits.handle_digits(NOW, &other_digits(digits)),
            Err(NotPaired::WrongDigits { tries_left })
        );
    }
    assert_eq!(
        pair.admits.handle_digits(NOW, &digits.to_text()),
        Err(NotPaired::Over)
    );
    assert_eq!(pair.admits.take_let_in(NOW), None);
    pair.talk();
    assert!(pair.asks.is_over());
    assert_eq!(pair.names().last(), Some(&"void"));
}

/// K-06 replay: a pairing is begun once, whatever became of it, and its messages are those of no other. Mutations:
/// `UsedPairings::take` takes all; the pairing not compared in `read`.
#[test]
fn replayed_pairing() {
    let (mut pair, _) = talked();
    // The same hello again, with all that followed it.
    let hello = pair.mailbox[0].clone();
    assert_eq!(
        admitting(&mut pair.used, &hello, None).err(),
        Some(NotPaired::Over)
    );
    let code = asking(1).code();
    assert_eq!(
        admitting(&mut pair.used, &hello, Some(&code)).err(),
        Some(NotPaired::Over)
    );
    // Another pairing takes none of its messages.
    let mut other = asking(2);
    let hello = other.poll_post().unwrap();
    let mut admits = admitting(&mut pair.used, &hello, None).unwrap();
    let foreign = &pair.mailbox[2].bytes;
    let name = other.pairing().name(Step::Keys);
    assert_eq!(
        admits.handle_message(NOW, &name, foreign),
        Err(NotPaired::Malformed)
    );
    assert_eq!(
        admits.handle_message(NOW, &pair.mailbox[2].name, foreign),
        Err(NotPaired::TooEarly)
    );
}

/// K-06 expiry: five minutes after it began a pairing is over, on each side by its own clock. Mutations: no `handle_timeout` in
/// `handle_digits`, in `take_let_in`, or in `handle_message` of either side.
#[test]
fn expired_pairing() {
    let late = NOW + PAIRING_TIME;
    let before = late - Duration::from_millis(1);
    let (mut pair, digits) = talked();
    assert_eq!(pair.admits.poll_timeout(), Some(late));
    assert_eq!(
        pair.admits.handle_digits(late, &digits.to_text()),
        Err(NotPaired::Over)
    );
    assert!(pair.admits.is_over());
    let (mut pair, digits) = talked();
    pair.admits.handle_digits(before, &digits.to_text()).unwrap();
    assert_eq!(pair.admits.take_let_in(late), None);
    let (mut pair, digits) = talked();
    pair.admits.handle_digits(before, &digits.to_text()).unwrap();
    assert!(pair.admits.take_let_in(before).is_some());
    // What is being added has the time it takes; but the new device does not wait for ever.
    pair.admits.handle_timeout(late);
    pair.admits.handle_added(HEAD).unwrap();
    let welcome = pair.admits.poll_post().unwrap();
    let much_later = late + PAIRING_TIME;
    assert_eq!(pair.asks.poll_timeout(), Some(much_later));
    let (mut slow, _) = talked();
    assert_eq!(
        slow.asks
            .handle_message(much_later, &welcome.name, &welcome.bytes),
        Err(NotPaired::Over)
    );
    assert!(slow.asks.is_over() && slow.asks.digits().is_none() && slow.asks.invitation().is_none());
    let mut asks = asking(3);
    let pairing = asks.pairing();
    let promised = commitment(pairing, &[1; 32]);
    assert_eq!(
        asks.handle_message(late, &pairing.name(Step::Commitment), &promised),
        Err(NotPaired::Over)
    );
    assert!(asks.poll_post().is_none());
    let mut pair = Pair::new(false);
    let name = pair.asks.pairing().name(Step::Keys);
    let keys = their_keys(pair.asks.pairing());
    let late = pair.admits.handle_message(late, &name, &keys);
    assert_eq!(late, Err(NotPaired::Over));
}

/// K-06 nothing of the vault but its name is in the mailbox before the user let the device in, and nothing but the number and
/// hash of an entry after that; the slot is in the store with the entry that adds the device. Mutation: `take_let_in` gives the
/// device in the state `Revealed`.
#[test]
fn no_ciphertext_before_approval() {
    let mut pair = Pair::new(false);
    pair.talk();
    assert_eq!(pair.admits.take_let_in(NOW), None);
    let pairing = pair.asks.pairing();
    let from_vault: BTreeMap<_, _> = pair
        .mailbox
        .iter()
        .map(|post| (post.name.clone(), post.bytes.clone()))
        .collect();
    let committed = read_commitment(pairing, &from_vault[&pairing.name(Step::Commitment)]).unwrap();
    let reveal = &from_vault[&pairing.name(Step::Reveal)];
    // All that it said, to the byte: who it is, and a random number.
    let said = Reveal::decode(pairing, reveal).unwrap();
    assert_eq!((said.vault, said.device), (VAULT, DEVICE));
    assert_eq!(&said.public, keys(DEVICE).public());
    assert_eq!(committed, commitment_to(reveal));
    assert_eq!(&said.encode(pairing), reveal);

    // Nothing else is ever needed to add it: without what is given here no slot can be made.
    let digits = pair.asks.digits().unwrap();
    pair.admits.handle_digits(NOW, &digits.to_text()).unwrap();
    let new: NewDevice = pair.admits.take_let_in(NOW).unwrap();
    let house = House::new();
    let change = house.change(DEVICE, |unlocked, here, pin, rng| {
        unlocked.add_device(here, pin, &new, rng).unwrap()
    });
    assert_eq!(steps(change).len(), 2);
    pair.admits.handle_added(HEAD).unwrap();
    let welcome = pair.admits.poll_post().unwrap();
    assert!(welcome.bytes.len() < 80);
}

// --- bytes ------------------------------------------------------------------------------------------------------------

/// A message that cannot be read, because all of it is not there yet, ends nothing. A newer one is told apart. Mutation: the step
/// not compared in `read`.
#[test]
fn what_cannot_be_read_is_waited_for() {
    let mut pair = Pair::new(false);
    let commitment = pair.admits.poll_post().unwrap();
    let (name, bytes) = (&commitment.name, &commitment.bytes);
    for len in 0..bytes.len() {
        assert_eq!(
            pair.asks.handle_message(NOW, name, &bytes[..len]),
            Err(NotPaired::Malformed)
        );
    }
    let long = [bytes.as_slice(), &[0]].concat();
    assert_eq!(
        pair.asks.handle_message(NOW, name, &long),
        Err(NotPaired::Malformed)
    );
    // The version is the third byte.
    let mut newer = bytes.clone();
    newer[2] = 2;
    assert_eq!(
        pair.asks.handle_message(NOW, name, &newer),
        Err(NotPaired::NewerVersion)
    );
    newer[2] = 0;
    assert_eq!(
        pair.asks.handle_message(NOW, name, &newer),
        Err(NotPaired::Malformed)
    );
    // Another message of the same pairing, under the name that ends it.
    let void = pair.asks.pairing().name(Step::Void);
    let hello = &pair.mailbox[0].bytes;
    assert_eq!(
        pair.asks.handle_message(NOW, &void, hello),
        Err(NotPaired::Malformed)
    );
    assert!(!pair.asks.is_over());
    assert_eq!(pair.asks.handle_message(NOW, name, bytes), Ok(()));
    // The next step's name, with the message of this one.
    let reveal = pair.asks.pairing().name(Step::Reveal);
    assert_eq!(
        pair.asks.handle_message(NOW, &reveal, bytes),
        Err(NotPaired::Malformed)
    );
}

/// Mutation: no comparison with `PAIRING_MESSAGE_LEN_MAX`.
#[test]
fn messages_are_short() {
    let pairing = asking(1).pairing();
    assert!(their_reveal(pairing, 1).len() < PAIRING_MESSAGE_LEN_MAX);
    assert!(their_keys(pairing).len() < PAIRING_MESSAGE_LEN_MAX);
    let mut message = Vec::new();
    let mut out = Writer(&mut message);
    out.map(4).unsigned(1).unsigned(2);
    out.unsigned(2).bytes(&vec![0; PAIRING_MESSAGE_LEN_MAX]);
    assert_eq!(read_commitment(pairing, &message), Err(NotPaired::Malformed));
}

/// The digits that the new device shows and what becomes of them on the other side, when one message of the conversation is
/// carried as `carry` says; `None` when it is refused.
fn digits_match(mut carry: impl FnMut(usize, Post) -> Post) -> Option<bool> {
    let mut pair = Pair::new(false);
    let commitment = carry(0, pair.admits.poll_post()?);
    pair.asks
        .handle_message(NOW, &commitment.name, &commitment.bytes)
        .ok()?;
    let keys = carry(1, pair.asks.poll_post()?);
    pair.admits.handle_message(NOW, &keys.name, &keys.bytes).ok()?;
    let reveal = carry(2, pair.admits.poll_post()?);
    pair.asks.handle_message(NOW, &reveal.name, &reveal.bytes).ok()?;
    let shown = pair.asks.digits()?.to_text();
    Some(pair.admits.handle_digits(NOW, &shown).is_ok())
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(32))]

    /// I-12, for what devices say to each other: a message with a changed byte is refused, or shows in the digits.
    #[test]
    fn changed_messages_do_no_harm(step in 0_usize..3, at: proptest::sample::Index, value: u8) {
        let mut is_same = true;
        let matched = digits_match(|number, mut post| {
            if number == step {
                let byte = at.get_mut(&mut post.bytes);
                is_same = *byte == value;
                *byte = value;
            }
            post
        });
        proptest::prop_assert_eq!(matched == Some(true), is_same);
    }

    /// I-12, by chance.
    #[test]
    fn arbitrary_messages_do_no_harm(message in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let pairing = PairingId([1; 16]);
        proptest::prop_assert!(NewKeys::decode(pairing, &message).is_err());
        proptest::prop_assert!(Reveal::decode(pairing, &message).is_err());
        proptest::prop_assert!(read_commitment(pairing, &message).is_err());
        let text = String::from_utf8_lossy(&message);
        proptest::prop_assert_eq!(PairingCode::parse(&text), None);
        proptest::prop_assert_eq!(PairingId::of_hello(&text), None);
    }
}
