//! The wrapping keys of a vault by epoch, and the sealed object in which they are kept. `FORMAT.md` §4.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::epochs;
use crate::keys::WrappingKey;

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
        if older.len() + 1 >= epochs::SEALED_MAX {
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

    pub(crate) fn keys(&self) -> impl Iterator<Item = &WrappingKey> {
        self.older.iter().chain([&self.current])
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        epochs::encode_sealed(self.keys().map(|key| (key.epoch, key.secret())))
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let keys = epochs::decode(payload, epochs::SEALED_MAX)?;
        let mut older: Vec<_> = keys
            .into_iter()
            .map(|(epoch, key)| WrappingKey::new(epoch, key))
            .collect();
        let current = older.pop()?;
        Some(Self { older, current })
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
        let epochs: Vec<u32> = (0..)
            .map(|n| u32::MAX - 1000 + n)
            .take(epochs::SEALED_MAX)
            .collect();
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
