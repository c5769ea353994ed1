//! Vault PIN → [`PinSecret`], by Argon2id version 1.3 (RFC 9106). Parameters come from a store that somebody else may
//! write, so they exist only within bounds that are compiled in: a cheaper function would help to guess, a dearer one
//! would hang the device. `FORMAT.md` §7.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::Secret;
use crate::cbor::{Reader, Writer};
use crate::keys::PinSecret;
use crate::pin::VaultPin;

/// Argon2id, version 1.3.
const ARGON2ID: u64 = 1;
const SALT_LEN: usize = 16;

/// How much work one guess is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// The function that a Vault PIN goes through: public, and always within the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParameters {
    cost: KdfCost,
    salt: [u8; SALT_LEN],
}

/// Why parameters are not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KdfRefused {
    /// Not what this program writes.
    #[error("the parameters of the key derivation cannot be read")]
    Malformed,
    /// A function this program does not know.
    #[error("the key derivation function is unknown")]
    UnknownFunction,
    /// Less work than the floor, or than this device has seen for this vault.
    #[error("the key derivation was made weaker")]
    TooCheap,
    /// More work than the ceiling.
    #[error("the key derivation was made unusably slow")]
    TooExpensive,
}

/// The memory that the parameters ask for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is not enough memory to check the Vault PIN")]
pub struct OutOfMemory;

impl KdfCost {
    /// The least that is ever accepted; RFC 9106 §4, second choice, or more.
    pub const FLOOR: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 1,
    };
    /// For a desktop computer: about a second on one core.
    pub const DESKTOP: Self = Self {
        memory_kib: 256 << 10,
        passes: 3,
        lanes: 4,
    };
    /// The most that is ever accepted: about half a minute on one core.
    pub const CEILING: Self = Self {
        memory_kib: 1 << 20,
        passes: 16,
        lanes: 4,
    };

    /// `Err` when a part is out of bounds.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KdfRefused> {
        let (floor, ceiling) = (Self::FLOOR, Self::CEILING);
        if memory_kib < floor.memory_kib || passes < floor.passes || lanes < floor.lanes {
            return Err(KdfRefused::TooCheap);
        }
        if memory_kib > ceiling.memory_kib || passes > ceiling.passes || lanes > ceiling.lanes {
            return Err(KdfRefused::TooExpensive);
        }
        Ok(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    /// `Err` when a guess would be less work than with `seen`, the most that this vault has used.
    pub fn at_least(self, seen: Self) -> Result<(), KdfRefused> {
        // Lanes are how the work is divided, not how much it is.
        if self.memory_kib < seen.memory_kib || self.passes < seen.passes {
            Err(KdfRefused::TooCheap)
        } else {
            Ok(())
        }
    }
}

impl KdfParameters {
    /// Parameters with a new salt, for a new Vault PIN.
    pub fn new(cost: KdfCost, rng: &mut dyn CryptoRng) -> Self {
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        Self { cost, salt }
    }

    /// How much work one guess is.
    pub fn cost(&self) -> KdfCost {
        self.cost
    }

    /// The secret of `pin`.
    #[cfg(not(any(test, feature = "testing")))]
    pub(crate) fn stretch(&self, pin: &VaultPin) -> Result<PinSecret, OutOfMemory> {
        self.work(pin)
    }

    /// The same, but tests do each piece of work once.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn stretch(&self, pin: &VaultPin) -> Result<PinSecret, OutOfMemory> {
        crate::once::stretched_once(&[&self.to_bytes(), pin.expose_secret()], || self.work(pin))
    }

    pub(crate) fn work(&self, pin: &VaultPin) -> Result<PinSecret, OutOfMemory> {
        let KdfCost {
            memory_kib,
            passes,
            lanes,
        } = self.cost;
        let params = Params::new(memory_kib, passes, lanes, Some(32)).expect("the bounds are Argon2's, too");
        let mut blocks = Vec::new();
        blocks
            .try_reserve_exact(params.block_count())
            .map_err(|_| OutOfMemory)?;
        blocks.resize(params.block_count(), Block::new());
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let secret = Secret::fill_with(|out| {
            argon2.hash_password_into_with_memory(pin.expose_secret(), &self.salt, out, &mut blocks)
        });
        blocks.zeroize();
        Ok(PinSecret::new(
            secret.expect("lengths of PIN and salt are in Argon2's range"),
        ))
    }

    /// As they are stored: `FORMAT.md` §7.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut Writer(&mut bytes));
        bytes
    }

    /// Of the bytes that [`Self::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KdfRefused> {
        let mut input = Reader(bytes);
        let parameters = Self::decode(&mut input)?;
        input.end().map(|()| parameters).ok_or(KdfRefused::Malformed)
    }

    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.array(5).unsigned(ARGON2ID);
        out.unsigned(u64::from(self.cost.memory_kib));
        out.unsigned(u64::from(self.cost.passes));
        out.unsigned(u64::from(self.cost.lanes));
        out.bytes(&self.salt);
    }

    /// Nothing is computed with parameters that are refused.
    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, KdfRefused> {
        if input.array() != Some(5) {
            return Err(KdfRefused::Malformed);
        }
        match input.unsigned() {
            Some(ARGON2ID) => {}
            Some(_) => return Err(KdfRefused::UnknownFunction),
            None => return Err(KdfRefused::Malformed),
        }
        let mut number = || input.unsigned().ok_or(KdfRefused::Malformed);
        let numbers = [number()?, number()?, number()?];
        let [memory_kib, passes, lanes] = numbers.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let salt = input.bytes().and_then(|salt| salt.try_into().ok());
        Ok(Self {
            cost: KdfCost::new(memory_kib, passes, lanes)?,
            salt: salt.ok_or(KdfRefused::Malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRng;

    fn encoded(numbers: [u64; 4], salt: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer(&mut out);
        writer.array(5);
        for number in numbers {
            writer.unsigned(number);
        }
        writer.bytes(salt);
        out
    }

    fn decoded(numbers: [u64; 4]) -> Result<KdfParameters, KdfRefused> {
        KdfParameters::from_bytes(&encoded(numbers, &[0x5a; 16]))
    }

    /// The values were computed by another implementation of Argon2.
    #[test]
    fn a_known_pin_gives_the_known_secret() {
        let parameters = decoded([ARGON2ID, 65_536, 3, 4]).unwrap();
        let secret = parameters.work(&VaultPin::typed("493817").unwrap()).unwrap();
        assert_eq!(
            secret.expose_secret(),
            &[
                0xd5, 0xfd, 0x22, 0xe8, 0x3a, 0xce, 0x95, 0x0c, 0xbc, 0x5b, 0xde, 0xaa, 0xea, 0x8d, 0x15,
                0x41, 0xfd, 0x55, 0x3a, 0xdc, 0x16, 0x8c, 0x24, 0x76, 0x0b, 0x79, 0xe0, 0x6c, 0x22, 0xb6,
                0xcc, 0x8a,
            ]
        );
    }

    /// C-07 kdf_downgrade. The parameters come from the store; none under the floor become a value that could be
    /// computed with. Without the first comparison of [`KdfCost::new`] this fails.
    #[test]
    fn kdf_downgrade() {
        for numbers in [
            [ARGON2ID, 65_535, 3, 4],
            [ARGON2ID, 65_536, 2, 4],
            [ARGON2ID, 65_536, 3, 0],
            [ARGON2ID, 0, 0, 0],
        ] {
            assert_eq!(decoded(numbers), Err(KdfRefused::TooCheap), "{numbers:?}");
        }
        for function in [0, 2, u64::MAX] {
            assert_eq!(
                decoded([function, 65_536, 3, 4]),
                Err(KdfRefused::UnknownFunction)
            );
        }
    }

    /// C-07 kdf_downgrade, above the floor. Without the comparison of [`KdfCost::at_least`] this fails.
    #[test]
    fn kdf_downgrade_below_what_was_seen() {
        let seen = KdfCost::DESKTOP;
        for (memory_kib, passes) in [(64 << 10, 3), ((256 << 10) - 1, 16)] {
            let less = KdfCost::new(memory_kib, passes, 4).unwrap();
            assert_eq!(less.at_least(seen), Err(KdfRefused::TooCheap));
        }
        assert_eq!(KdfCost::new(256 << 10, 3, 1).unwrap().at_least(seen), Ok(()));
    }

    /// C-08 kdf_bomb. Without the second comparison of [`KdfCost::new`] this fails.
    #[test]
    fn kdf_bomb() {
        for numbers in [
            [ARGON2ID, 64 << 20, 3, 4],
            [ARGON2ID, (1 << 20) + 1, 3, 4],
            [ARGON2ID, 65_536, 17, 4],
            [ARGON2ID, 65_536, 3, 5],
            [ARGON2ID, u64::MAX, u64::MAX, u64::MAX],
        ] {
            assert_eq!(decoded(numbers), Err(KdfRefused::TooExpensive), "{numbers:?}");
        }
        assert!(decoded([ARGON2ID, 1 << 20, 16, 4]).is_ok());
    }

    #[test]
    fn another_salt_length_or_shape_is_refused() {
        for salt in [&[0x5a; 15][..], &[0x5a; 17], &[]] {
            let parameters = encoded([ARGON2ID, 65_536, 3, 4], salt);
            assert_eq!(KdfParameters::from_bytes(&parameters), Err(KdfRefused::Malformed));
        }
        for len in 0..24 {
            let parameters = &encoded([ARGON2ID, 65_536, 3, 4], &[0x5a; 16])[..len];
            assert_eq!(KdfParameters::from_bytes(parameters), Err(KdfRefused::Malformed));
        }
    }

    #[test]
    fn what_is_written_is_read_and_every_salt_is_new() {
        let mut rng = TestRng(0);
        let one = KdfParameters::new(KdfCost::DESKTOP, &mut rng);
        let other = KdfParameters::new(KdfCost::DESKTOP, &mut rng);
        assert_eq!(KdfParameters::from_bytes(&one.to_bytes()), Ok(one));
        assert_eq!(
            KdfParameters::from_bytes(&[one.to_bytes(), vec![0]].concat()),
            Err(KdfRefused::Malformed)
        );
        assert_ne!(one, other);
    }
}
