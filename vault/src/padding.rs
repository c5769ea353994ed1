//! Padding, so that the size of a sealed object does not tell what is in it: the text, 0x80, then zeros up to the
//! next of a few sizes.

use zeroize::Zeroizing;

/// The smallest padded size; larger ones are doublings of it.
const SIZE_MIN: usize = 512;
/// The largest padded size.
pub(crate) const SIZE_MAX: usize = 16_384;

/// The padded size of a text; `None` when it is too long.
pub(crate) fn padded_len(len: usize) -> Option<usize> {
    let size = len.checked_add(1)?.max(SIZE_MIN).checked_next_power_of_two()?;
    (size <= SIZE_MAX).then_some(size)
}

/// Pads `text`; `None` when it is too long. Its allocation should hold the result already: see [`padded_len`].
pub(crate) fn pad(mut text: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let len = padded_len(text.len())?;
    text.push(0x80);
    text.resize(len, 0);
    Some(text)
}

/// Takes the padding off; `None` when there is none or not exactly what [`pad`] makes.
pub(crate) fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let marker = padded.iter().rposition(|&byte| byte != 0)?;
    if padded.get(marker) != Some(&0x80) || padded_len(marker) != Some(padded.len()) {
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
