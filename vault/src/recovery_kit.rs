//! The recovery kit: 256 random bits on paper, from which keys are derived that can open a slot and sign one entry of
//! the trust log. Written in Crockford's base 32, with two more characters that find typing errors. `FORMAT.md` §11.

use hpke::kem::DhP256HkdfSha256;
use hpke::{Kem, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::Secret;
use crate::device_key::{PublicKeys, agree, public_point, sign};
use crate::envelope::{RecipientPublic, XWingPublic};
use crate::keys::KitSecret;
use crate::signature::{PublicPoint, Signature, SignedHash};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 256 bits in groups of 5.
const DIGITS: usize = 52;
const CHECK_DIGITS: usize = 2;
const GROUP: usize = 6;
/// The greatest prime that two digits can hold the remainders of.
const CHECK_PRIME: u32 = 1021;

/// A recovery kit.
pub struct RecoveryKit(KitSecret);

/// Why a text is no recovery kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KitRefused {
    /// Too short or too long.
    #[error("a recovery kit has {} characters, this has {found}", DIGITS + CHECK_DIGITS)]
    Length {
        /// How many there are.
        found: usize,
    },
    /// A character that is never in one.
    #[error("a recovery kit has no {0:?} in it")]
    Character(char),
    /// Two characters were mixed up, or one is wrong.
    #[error("there is a typing error in the recovery kit")]
    Typo,
}

impl RecoveryKit {
    /// A new one. Nothing keeps it but who writes it down.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self(KitSecret(Secret::random(rng)))
    }

    /// To be shown once: nine groups of six characters.
    pub fn to_text(&self) -> Zeroizing<String> {
        let digits = digits_of(self.0.0.expose_secret());
        let check = check_digits(&digits);
        let mut text = Zeroizing::new(String::with_capacity(
            DIGITS + CHECK_DIGITS + (DIGITS + CHECK_DIGITS) / GROUP,
        ));
        for (at, digit) in digits.iter().chain(&check).enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(*digit)]));
        }
        text
    }

    /// From what was typed: small letters, spaces and hyphens are all the same, I and L are 1, O is 0.
    pub fn parse(text: &str) -> Result<Self, KitRefused> {
        let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
        for character in text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '-')
        {
            digits.push(digit_of(character).ok_or(KitRefused::Character(character))?);
        }
        let found = digits.len();
        let (digits, check) = digits
            .split_first_chunk::<DIGITS>()
            .filter(|(_, check)| check.len() == CHECK_DIGITS)
            .ok_or(KitRefused::Length { found })?;
        if check != check_digits(digits) {
            return Err(KitRefused::Typo);
        }
        let secret = secret_of(digits).ok_or(KitRefused::Typo)?;
        Ok(Self(KitSecret(secret)))
    }

    /// What the trust log knows of it.
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            signing: public_point(&key_pair(&self.0.signing())),
            recipient: RecipientPublic {
                agreement: public_point(&key_pair(&self.0.agreement())),
                post_quantum: XWingPublic::of(&self.0.post_quantum()),
            },
        }
    }

    pub(crate) fn sign(&self, hash: &SignedHash) -> Signature {
        sign(&key_pair(&self.0.signing()), hash)
    }

    pub(crate) fn agree(&self, point: &PublicPoint) -> Secret<32> {
        agree(&key_pair(&self.0.agreement()), point)
    }

    pub(crate) fn post_quantum(&self) -> Secret<32> {
        self.0.post_quantum()
    }
}

/// DeriveKeyPair of RFC 9180 §7.1.3.
fn key_pair(material: &Secret<32>) -> p256::SecretKey {
    let (key, _) = DhP256HkdfSha256::derive_keypair(material.expose_secret());
    let bytes = Zeroizing::new(key.to_bytes());
    p256::SecretKey::from_slice(&bytes).expect("a derived key is a scalar of P-256")
}

/// The number that the bytes are, in base 32; the first digit is 0 or 1.
fn digits_of(bytes: &[u8; 32]) -> Zeroizing<[u8; DIGITS]> {
    let mut digits = Zeroizing::new([0; DIGITS]);
    let (mut bits, mut held, mut place) = (0_u32, 0, DIGITS);
    for byte in bytes.iter().rev() {
        bits |= u32::from(*byte) << held;
        held += 8;
        while held >= 5 {
            place -= 1;
            digits[place] = low_digit(bits);
            bits >>= 5;
            held -= 5;
        }
    }
    digits[0] = low_digit(bits);
    digits
}

/// `None` for a number of more than 256 bits.
fn secret_of(digits: &[u8; DIGITS]) -> Option<Secret<32>> {
    Secret::fill_with(|bytes| {
        let (mut bits, mut held, mut place) = (0_u32, 0, bytes.len());
        for digit in digits.iter().rev() {
            bits |= u32::from(*digit) << held;
            held += 5;
            if held >= 8 {
                let [.., low] = bits.to_be_bytes();
                place = place.checked_sub(1).ok_or(())?;
                bytes[place] = low;
                bits >>= 8;
                held -= 8;
            }
        }
        if bits == 0 { Ok(()) } else { Err(()) }
    })
    .ok()
}

/// The number modulo a prime: any one wrong character and any two exchanged ones change it.
fn check_digits(digits: &[u8; DIGITS]) -> [u8; CHECK_DIGITS] {
    let remainder = digits
        .iter()
        .fold(0, |sum, digit| (sum * 32 + u32::from(*digit)) % CHECK_PRIME);
    [low_digit(remainder >> 5), low_digit(remainder)]
}

fn low_digit(bits: u32) -> u8 {
    u8::try_from(bits & 31).expect("5 bits")
}

fn digit_of(character: char) -> Option<u8> {
    let letter = match character.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    };
    (0_u8..)
        .zip(ALPHABET)
        .find_map(|(digit, known)| (char::from(*known) == letter).then_some(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRng;

    fn kit(seed: u64) -> RecoveryKit {
        RecoveryKit::random(&mut TestRng(seed))
    }

    fn secret(kit: &RecoveryKit) -> [u8; 32] {
        *kit.0.0.expose_secret()
    }

    fn refused(text: &str) -> Option<KitRefused> {
        RecoveryKit::parse(text).err()
    }

    #[test]
    fn what_is_shown_is_nine_groups_of_six_and_comes_back() {
        for seed in 0..50 {
            let kit = kit(seed);
            let text = kit.to_text();
            assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [6; 9]);
            assert_eq!(secret(&RecoveryKit::parse(&text).unwrap()), secret(&kit));
        }
        for fill in [0x00, 0xff] {
            let kit = RecoveryKit(KitSecret(Secret::from_slice(&[fill; 32]).unwrap()));
            assert_eq!(secret(&RecoveryKit::parse(&kit.to_text()).unwrap()), [fill; 32]);
        }
    }

    #[test]
    fn it_is_read_as_people_type_it() {
        let text = kit(1).to_text();
        let typed = text
            .to_lowercase()
            .replace('-', " ")
            .replace('0', "o")
            .replace('1', "l");
        assert_eq!(
            secret(&RecoveryKit::parse(&format!("  {typed}\n")).unwrap()),
            secret(&kit(1))
        );
    }

    #[test]
    fn one_wrong_character_is_always_found() {
        let text = kit(1).to_text().replace('-', "");
        for at in 0..text.len() {
            for other in ALPHABET.iter().map(|other| char::from(*other)) {
                let mut typed: Vec<char> = text.chars().collect();
                if typed[at] != other {
                    typed[at] = other;
                    assert_eq!(refused(&String::from_iter(typed)), Some(KitRefused::Typo));
                }
            }
        }
    }

    #[test]
    fn two_exchanged_characters_are_always_found() {
        let text: Vec<char> = kit(1).to_text().replace('-', "").chars().collect();
        for one in 0..DIGITS {
            for other in one + 1..DIGITS {
                let mut typed = text.clone();
                typed.swap(one, other);
                if typed != text {
                    assert_eq!(refused(&String::from_iter(typed)), Some(KitRefused::Typo));
                }
            }
        }
    }

    #[test]
    fn other_lengths_and_characters_are_named() {
        let text = kit(1).to_text();
        assert_eq!(refused(&text[1..]), Some(KitRefused::Length { found: 53 }));
        assert_eq!(
            refused(&[&text, "0"].concat()),
            Some(KitRefused::Length { found: 55 })
        );
        assert_eq!(refused(""), Some(KitRefused::Length { found: 0 }));
        assert_eq!(
            refused(&text.replacen('-', "U", 1)),
            Some(KitRefused::Character('U'))
        );
    }

    #[test]
    fn a_number_of_more_than_256_bits_is_refused() {
        let mut digits = [0; DIGITS];
        digits[0] = 2;
        assert!(secret_of(&digits).is_none());
        digits[0] = 1;
        assert!(secret_of(&digits).is_some());
    }

    #[test]
    fn each_kit_has_its_own_keys_and_each_use_another() {
        let (one, other) = (kit(1).public(), kit(2).public());
        assert_ne!(one, other);
        assert_ne!(one.signing, one.recipient.agreement);
        let hash = SignedHash::new([7; 32]);
        assert!(one.signing.verify(&hash, &kit(1).sign(&hash)));
        assert!(!one.signing.verify(&hash, &kit(2).sign(&hash)));
    }
}
