//! The Vault PIN, and which ones may be chosen. It is asked for when the vault is opened, and is not the PIN that a
//! host asks for (that one is CTAP's and stays with the authenticator). How a key comes of it is in `kdf.rs`.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// What stops somebody who has the device from trying one PIN after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuessLimit {
    /// A chip counts wrong guesses and refuses after some.
    Hardware,
    /// Only the operating system: its protection of the files, or a chip that forgets the wrong guesses when whoever
    /// starts another system tells it to.
    OperatingSystem,
    /// Nothing: whoever has the files guesses as fast as his computers allow.
    None,
}

/// Shorter ones are never accepted.
const CHARACTERS_MIN: usize = 6;
/// Where no chip counts guesses, a Vault PIN is at least this long, …
const PASSPHRASE_CHARACTERS_MIN: usize = 12;
/// … or has so many different words.
const PASSPHRASE_WORDS_MIN: usize = 5;
/// Of so many different characters a passphrase consists at least; a PIN of half as many.
const PASSPHRASE_DIFFERENT_MIN: usize = 6;
/// Longer ones are not worth their time.
const BYTES_MAX: usize = 1024;

/// A Vault PIN as it was typed, in Unicode's normal form NFKC, so that it does not matter on which keyboard it was.
pub struct VaultPin(Zeroizing<String>);

/// Why a Vault PIN may not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinRefused {
    /// Too short even where a chip counts guesses.
    #[error("at least {CHARACTERS_MIN} characters are needed")]
    TooShort,
    /// No chip counts guesses, or whoever has it can have them forgotten; and it is no passphrase.
    #[error(
        "nothing here limits how often a thief guesses, so a passphrase is needed: at least \
         {PASSPHRASE_CHARACTERS_MIN} characters, or {PASSPHRASE_WORDS_MIN} different words"
    )]
    NotAPassphrase,
    /// Few characters, many times.
    #[error("it repeats too few different characters")]
    Repetitive,
    /// More than 1024 bytes.
    #[error("it has more than {BYTES_MAX} bytes")]
    TooLong,
}

impl VaultPin {
    /// What was typed to open a vault; `None` when it is longer than any Vault PIN.
    pub fn typed(text: &str) -> Option<Self> {
        // Counted before it is built, so that the buffer is never moved and no copy is left behind.
        let len: usize = text.nfkc().map(char::len_utf8).sum();
        if text.len() > BYTES_MAX || len > BYTES_MAX {
            return None;
        }
        let mut normal = Zeroizing::new(String::with_capacity(len));
        normal.extend(text.nfkc());
        Some(Self(normal))
    }

    /// What was typed to be the Vault PIN from now on, where guesses are limited as `limit` says.
    pub fn chosen(text: &str, limit: GuessLimit) -> Result<Self, PinRefused> {
        let pin = Self::typed(text).ok_or(PinRefused::TooLong)?;
        let characters = pin.0.chars().count();
        let different = pin.0.chars().collect::<BTreeSet<_>>().len();
        let words = pin.0.split_whitespace().collect::<BTreeSet<_>>().len();
        let is_passphrase = characters >= PASSPHRASE_CHARACTERS_MIN || words >= PASSPHRASE_WORDS_MIN;
        let different_min = match limit {
            GuessLimit::Hardware => PASSPHRASE_DIFFERENT_MIN / 2,
            GuessLimit::OperatingSystem | GuessLimit::None if !is_passphrase => {
                return Err(PinRefused::NotAPassphrase);
            }
            GuessLimit::OperatingSystem | GuessLimit::None => PASSPHRASE_DIFFERENT_MIN,
        };
        if characters < CHARACTERS_MIN {
            return Err(PinRefused::TooShort);
        }
        if different < different_min {
            return Err(PinRefused::Repetitive);
        }
        Ok(pin)
    }

    pub(crate) fn expose_secret(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, limit: GuessLimit) -> Option<PinRefused> {
        VaultPin::chosen(text, limit).err()
    }

    #[test]
    fn six_characters_are_enough_only_where_a_chip_counts() {
        assert_eq!(refused("493817", GuessLimit::Hardware), None);
        for limit in [GuessLimit::OperatingSystem, GuessLimit::None] {
            assert_eq!(refused("493817", limit), Some(PinRefused::NotAPassphrase));
        }
        assert_eq!(refused("49381", GuessLimit::Hardware), Some(PinRefused::TooShort));
    }

    #[test]
    fn a_passphrase_is_twelve_characters_or_five_different_words() {
        assert_eq!(refused("tin ra of o.", GuessLimit::None), None);
        assert_eq!(
            refused("tin ra of o", GuessLimit::None),
            Some(PinRefused::NotAPassphrase)
        );
        assert_eq!(refused("海 山 川 空 森", GuessLimit::None), None);
        assert_eq!(
            refused("海 山 川 空 空", GuessLimit::None),
            Some(PinRefused::NotAPassphrase)
        );
    }

    #[test]
    fn the_reason_says_what_is_asked_for() {
        let reason = refused("493817", GuessLimit::None).unwrap().to_string();
        assert!(
            reason.contains("12 characters") && reason.contains("5 different words"),
            "{reason}"
        );
    }

    #[test]
    fn repetitions_are_refused() {
        assert_eq!(
            refused("abababababab", GuessLimit::None),
            Some(PinRefused::Repetitive)
        );
        assert_eq!(
            refused("121212", GuessLimit::Hardware),
            Some(PinRefused::Repetitive)
        );
    }

    #[test]
    fn the_same_letters_are_the_same_pin_on_every_keyboard() {
        let typed = |text| VaultPin::typed(text).unwrap().expose_secret().to_vec();
        // A composed letter and a combining one; a full-width digit and a plain one.
        assert_eq!(typed("Gr\u{fc}n"), typed("Gru\u{308}n"));
        assert_eq!(typed("\u{ff14}\u{ff19}"), typed("49"));
        assert_ne!(typed("Grun"), typed("Gr\u{fc}n"));
    }

    #[test]
    fn what_is_too_long_before_or_after_normalization_is_refused() {
        assert!(VaultPin::typed(&"a".repeat(BYTES_MAX)).is_some());
        assert!(VaultPin::typed(&"a".repeat(BYTES_MAX + 1)).is_none());
        // One character of 3 bytes that becomes 18 characters.
        assert!(VaultPin::typed(&"\u{fdfa}".repeat(100)).is_none());
        assert_eq!(
            refused(&"a".repeat(BYTES_MAX + 1), GuessLimit::None),
            Some(PinRefused::TooLong)
        );
    }
}
