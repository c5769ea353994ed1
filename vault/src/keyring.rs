//! The wrapping keys of a vault by epoch, and the sealed object in which they are kept. `FORMAT.md` §4.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::Secret;
use crate::cbor::{Reader, Writer};
use crate::keys::WrappingKey;

const WRAPPING_KEYS: u64 = 1;
/// As many as one sealed object has room for.
const EPOCHS_MAX: usize = 256;
/// More than one key and its epoch take.
const ENTRY_LEN_MAX: usize = 48;

/// At least one wrapping key; epochs ascend, the last is the one that new credentials are wrapped with.
pub(crate) struct Keyring {
    older: Vec<WrappingKey>,
    current: WrappingKey,
}

impl Keyring {
    /// The keyring of a new vault.
    pub(crate) fn new(rng: &mut dyn CryptoRng) -> Self {
        Self {
            older: Vec::new(),
            current: WrappingKey::random(rng, WrappingKey::FIRST_EPOCH),
        }
    }

    /// These keys and a new one, with which credentials are wrapped from then on; if there is no room, the same keys.
    pub(crate) fn with_next(self, rng: &mut dyn CryptoRng) -> Self {
        let Self { mut older, current } = self;
        if older.len() + 1 >= EPOCHS_MAX {
            return Self { older, current };
        }
        let next = WrappingKey::random(rng, current.epoch + 1);
        older.push(current);
        Self { older, current: next }
    }

    pub(crate) fn current(&self) -> &WrappingKey {
        &self.current
    }

    pub(crate) fn find(&self, epoch: u32) -> Option<&WrappingKey> {
        self.keys().find(|key| key.epoch == epoch)
    }

    fn keys(&self) -> impl Iterator<Item = &WrappingKey> {
        self.older.iter().chain([&self.current])
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let len = self.older.len() + 1;
        // The key is secret: room for the padding too, so that the buffer is never moved.
        let len_max =
            crate::padding::padded_len(16 + len * ENTRY_LEN_MAX).expect("the number of epochs is bounded");
        let mut payload = Zeroizing::new(Vec::with_capacity(len_max));
        let mut out = Writer(&mut payload);
        out.map(1)
            .unsigned(WRAPPING_KEYS)
            .array(u64::try_from(len).expect("the number of epochs is bounded"));
        for key in self.keys() {
            out.array(2)
                .unsigned(u64::from(key.epoch))
                .bytes(key.secret().expose_secret());
        }
        payload
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut input = Reader(payload);
        if (input.map()?, input.unsigned()?) != (1, WRAPPING_KEYS) {
            return None;
        }
        let len = usize::try_from(input.array()?)
            .ok()
            .filter(|len| *len <= EPOCHS_MAX)?;
        let mut keys: Vec<WrappingKey> = Vec::with_capacity(len);
        for _ in 0..len {
            let key = Self::decode_key(&mut input)?;
            if keys.last().is_some_and(|before| before.epoch >= key.epoch) {
                return None;
            }
            keys.push(key);
        }
        input.end()?;
        let current = keys.pop()?;
        Some(Self { older: keys, current })
    }

    fn decode_key(input: &mut Reader<'_>) -> Option<WrappingKey> {
        if input.array()? != 2 {
            return None;
        }
        let epoch = u32::try_from(input.unsigned()?).ok()?;
        Some(WrappingKey::new(epoch, Secret::from_slice(input.bytes()?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRng;

    fn keyring(epochs: &[u32]) -> Keyring {
        let mut rng = TestRng(0);
        let mut keys: Vec<_> = epochs
            .iter()
            .map(|epoch| WrappingKey::random(&mut rng, *epoch))
            .collect();
        let current = keys.pop().unwrap();
        Keyring { older: keys, current }
    }

    #[test]
    fn every_key_comes_back_under_its_epoch() {
        let keyring = keyring(&[1, 2, 70_000]);
        let decoded = Keyring::decode(&keyring.encode()).unwrap();
        assert_eq!(decoded.current().epoch, 70_000);
        for epoch in [1, 2, 70_000] {
            let (before, after) = (keyring.find(epoch).unwrap(), decoded.find(epoch).unwrap());
            assert_eq!(before.secret().expose_secret(), after.secret().expose_secret());
        }
        assert!(decoded.find(3).is_none());
    }

    #[test]
    fn the_longest_keyring_has_room() {
        let epochs: Vec<u32> = (0..).map(|n| u32::MAX - 1000 + n).take(EPOCHS_MAX).collect();
        assert!(Keyring::decode(&keyring(&epochs).encode()).is_some());
    }

    #[test]
    fn repeated_falling_missing_or_too_many_epochs_are_refused() {
        assert!(Keyring::decode(&keyring(&[2, 2]).encode()).is_none());
        assert!(Keyring::decode(&keyring(&[2, 1]).encode()).is_none());
        assert!(Keyring::decode(&[0xa1, 0x01, 0x80]).is_none());
        let epochs: Vec<u32> = (0..=256).collect();
        assert!(Keyring::decode(&keyring(&epochs).encode()).is_none());
    }
}
