//! Padding, so that the size of a sealed object does not tell what is in it: the text, 0x80, then zeros up to the
//! next of a few sizes.

use zeroize::Zeroizing;

/// Objects that devices exchange are padded to 512, 1024, 2048 or 4096 bytes, and above that so that the size tells
/// little more than its order of magnitude (Padmé).
const EXCHANGED_DOUBLING_MAX: usize = 4096;
/// The largest padded size of an object that devices exchange.
pub(crate) const EXCHANGED_SIZE_MAX: usize = 64 << 20;

/// The smallest padded size; larger ones are doublings of it.
const SIZE_MIN: usize = 512;
/// The largest padded size.
pub(crate) const SIZE_MAX: usize = 16_384;

/// The padded size of a text; `None` when it is too long.
pub(crate) fn padded_len(len: usize) -> Option<usize> {
    let size = len.checked_add(1)?.max(SIZE_MIN).checked_next_power_of_two()?;
    (size <= SIZE_MAX).then_some(size)
}

/// The padded size of a text that devices exchange; `None` when it is too long.
pub(crate) fn exchanged_len(len: usize) -> Option<usize> {
    let len = len.checked_add(1)?.max(SIZE_MIN);
    let size = if len <= EXCHANGED_DOUBLING_MAX {
        len.checked_next_power_of_two()?
    } else {
        // Of a length with e + 1 bits, all but the leading ⌊log₂ e⌋ + 1 are rounded away.
        let exponent = len.ilog2();
        let kept = exponent.ilog2() + 1;
        len.checked_next_multiple_of(1 << (exponent - kept))?
    };
    (size <= EXCHANGED_SIZE_MAX).then_some(size)
}

/// Pads `text`; `None` when it is too long. Its allocation should hold the result already: see [`padded_len`].
pub(crate) fn pad(text: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    pad_to(padded_len, text)
}

/// Takes the padding off; `None` when there is none or not exactly what [`pad`] makes.
pub(crate) fn unpad(padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    unpad_from(padded_len, padded)
}

/// [`pad`], for what devices exchange.
pub(crate) fn pad_exchanged(text: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    pad_to(exchanged_len, text)
}

/// [`unpad`], for what devices exchange.
pub(crate) fn unpad_exchanged(padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    unpad_from(exchanged_len, padded)
}

/// One of the two rows of sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    Local,
    Exchanged,
}

impl Sizes {
    pub(crate) fn max(self) -> usize {
        match self {
            Self::Local => SIZE_MAX,
            Self::Exchanged => EXCHANGED_SIZE_MAX,
        }
    }

    pub(crate) fn pad(self, text: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Local => pad(text),
            Self::Exchanged => pad_exchanged(text),
        }
    }

    pub(crate) fn unpad(self, padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Local => unpad(padded),
            Self::Exchanged => unpad_exchanged(padded),
        }
    }
}

fn pad_to(sizes: fn(usize) -> Option<usize>, mut text: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let len = sizes(text.len())?;
    text.push(0x80);
    text.resize(len, 0);
    Some(text)
}

fn unpad_from(
    sizes: fn(usize) -> Option<usize>,
    mut padded: Zeroizing<Vec<u8>>,
) -> Option<Zeroizing<Vec<u8>>> {
    let marker = padded.iter().rposition(|&byte| byte != 0)?;
    if padded.get(marker) != Some(&0x80) || sizes(marker) != Some(padded.len()) {
        return None;
    }
    padded.truncate(marker);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_comes_off_again_and_sizes_are_few() {
        let mut sizes = std::collections::BTreeSet::new();
        for len in 0..SIZE_MAX {
            let text = Zeroizing::new(vec![0x80; len]);
            let padded = pad(text.clone()).unwrap();
            sizes.insert(padded.len());
            assert_eq!(unpad(padded).unwrap(), text);
        }
        assert_eq!(Vec::from_iter(sizes), [512, 1024, 2048, 4096, 8192, 16_384]);
    }

    #[test]
    fn exchanged_sizes_are_few_and_their_overhead_is_small() {
        let sizes: std::collections::BTreeSet<_> = (0..1 << 16).filter_map(exchanged_len).collect();
        assert_eq!(
            Vec::from_iter(sizes.iter().take(6)),
            [&512, &1024, &2048, &4096, &4352, &4608]
        );
        assert!(sizes.len() < 80, "{}", sizes.len());
        for len in 4096..1 << 16 {
            let size = exchanged_len(len).unwrap();
            assert!(size > len && size * 100 <= (len + 1) * 112, "{len}: {size}");
        }
        assert!(exchanged_len(EXCHANGED_SIZE_MAX).is_none());
        for len in [0, 511, 512, 4095, 4096, 5000, 100_000] {
            let text = Zeroizing::new(vec![0x80; len]);
            assert_eq!(
                unpad_exchanged(pad_exchanged(text.clone()).unwrap()).unwrap(),
                text
            );
        }
    }

    #[test]
    fn a_text_over_the_largest_size_is_refused() {
        assert!(pad(Zeroizing::new(vec![0; SIZE_MAX])).is_none());
    }

    #[test]
    fn other_padding_is_refused() {
        let refused = |bytes: Vec<u8>| assert!(unpad(Zeroizing::new(bytes)).is_none());
        refused(vec![]);
        refused(vec![0; 512]);
        refused([vec![0x80], vec![0; 510]].concat());
        refused([vec![0x80], vec![0; 1023]].concat());
        refused([vec![0x80, 0x01], vec![0; 510]].concat());
    }
}
