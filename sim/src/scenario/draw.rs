//! Numbers: from a seed, the same for the same seed, or from the bytes of a fuzzer, which then steers what happens.

use std::convert::Infallible;

use rand_core::{Rng, TryCryptoRng, TryRng};

/// SplitMix64: repeatable, and good for nothing that has to stay secret.
#[derive(Debug, Clone)]
pub struct SeededRng(u64);

impl SeededRng {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let [.., a, b, c, d] = self.try_next_u64()?.to_be_bytes();
        Ok(u32::from_be_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        for chunk in destination.chunks_mut(8) {
            let bytes = self.try_next_u64()?.to_be_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
        Ok(())
    }
}

// It is none; what the clients make up only has to differ.
impl TryCryptoRng for SeededRng {}

/// Where the numbers come from.
pub enum Draw<'a> {
    /// A seed; there is no end.
    Seed(SeededRng),
    /// A fuzzer; behind the end everything is zero.
    Bytes(&'a [u8]),
}

impl Draw<'_> {
    /// The numbers of this seed.
    pub const fn from_seed(seed: u64) -> Self {
        Self::Seed(SeededRng::new(seed))
    }

    /// Whether nothing is left to draw from.
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Self::Bytes([]))
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        match self {
            Self::Seed(rng) => rng.next_u32() % bound,
            Self::Bytes(bytes) => {
                let wide = bound > 256;
                let mut number = u32::from(take(bytes));
                if wide {
                    number = number << 8 | u32::from(take(bytes));
                }
                number % bound
            }
        }
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u32) -> bool {
        // Zero, which is all there is behind a fuzzer's end, is the ordinary case.
        self.below(times) == times - 1
    }

    /// One of these, of which there is one.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let count = u32::try_from(of.len()).expect("no list here is that long");
        let index = usize::try_from(self.below(count)).expect("an index of a list");
        of.get(index).cloned().expect("it is below the count")
    }

    /// Something once in `times`.
    pub fn maybe<T>(&mut self, times: u32, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.once_in(times).then(|| draw(self))
    }
}

fn take(bytes: &mut &[u8]) -> u8 {
    match bytes.split_first() {
        Some((first, rest)) => {
            *bytes = rest;
            *first
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| {
            let mut draw = Draw::from_seed(seed);
            (0..20).map(|_| draw.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn behind_the_end_of_bytes_is_the_ordinary_case() {
        let mut draw = Draw::Bytes(&[1, 2, 3]);
        assert_eq!((draw.below(10), draw.below(1000)), (1, 0x0203));
        assert!(draw.is_exhausted());
        assert_eq!((draw.below(10), draw.once_in(3)), (0, false));
    }
}
