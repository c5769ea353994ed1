//! The little CBOR (RFC 8949) that headers and payloads need: integers, byte strings, text and maps with ascending
//! integer keys, in the deterministic encoding of §4.2.1. The reader takes nothing else, and every length it reads
//! is a length of what it was given: it allocates nothing.

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Appends to a buffer whose capacity the caller chose, so that secrets are not left behind by a reallocation.
pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn map(&mut self, entries: u64) -> &mut Self {
        self.head(MAP, entries)
    }

    pub(crate) fn array(&mut self, items: u64) -> &mut Self {
        self.head(ARRAY, items)
    }

    pub(crate) fn unsigned(&mut self, value: u64) -> &mut Self {
        self.head(UNSIGNED, value)
    }

    pub(crate) fn integer(&mut self, value: i32) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            // -1 - n is stored as n.
            Err(_) => self.head(NEGATIVE, u64::from(value.unsigned_abs()) - 1),
        }
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.string(BYTES, value)
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.string(TEXT, value.as_bytes())
    }

    fn string(&mut self, major: u8, value: &[u8]) -> &mut Self {
        self.head(
            major,
            u64::try_from(value.len()).expect("a length fits in 64 bits"),
        );
        self.0.extend_from_slice(value);
        self
    }

    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let major = major << 5;
        if let Ok(small @ 0..=23) = u8::try_from(argument) {
            self.0.push(major | small);
        } else if let Ok(value) = u8::try_from(argument) {
            self.0.extend_from_slice(&[major | 24, value]);
        } else if let Ok(value) = u16::try_from(argument) {
            self.0.push(major | 25);
            self.0.extend_from_slice(&value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(argument) {
            self.0.push(major | 26);
            self.0.extend_from_slice(&value.to_be_bytes());
        } else {
            self.0.push(major | 27);
            self.0.extend_from_slice(&argument.to_be_bytes());
        }
        self
    }
}

/// Takes one item after the other from the front; `None` for whatever is not the item asked for.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn map(&mut self) -> Option<u64> {
        self.argument(MAP)
    }

    pub(crate) fn array(&mut self) -> Option<u64> {
        self.argument(ARRAY)
    }

    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        self.argument(UNSIGNED)
    }

    pub(crate) fn integer(&mut self) -> Option<i32> {
        match self.head()? {
            (UNSIGNED, value) => i32::try_from(value).ok(),
            (NEGATIVE, value) => i32::try_from(-1 - i64::try_from(value).ok()?).ok(),
            _ => None,
        }
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        self.string(BYTES)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string(TEXT)?).ok()
    }

    /// Everything was read.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn string(&mut self, major: u8) -> Option<&'a [u8]> {
        let len = usize::try_from(self.argument(major)?).ok()?;
        self.take(len)
    }

    fn argument(&mut self, major: u8) -> Option<u64> {
        let (found, argument) = self.head()?;
        (found == major).then_some(argument)
    }

    fn head(&mut self) -> Option<(u8, u64)> {
        let first = *self.take(1)?.first()?;
        let (argument, least) = match first & 0x1f {
            small @ 0..=23 => (u64::from(small), 0),
            24 => (u64::from(u8::from_be_bytes(self.chunk()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.chunk()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.chunk()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.chunk()?), 1 << 32),
            _ => return None,
        };
        // RFC 8949 §4.2.1: the shortest form only.
        (argument >= least).then_some((first >> 5, argument))
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Reads a map whose keys ascend, key by key.
pub(crate) struct Fields<'a> {
    input: Reader<'a>,
    left: u64,
    next: Option<u64>,
}

impl<'a> Fields<'a> {
    /// `None` when `map` does not begin with a map.
    pub(crate) fn begin(map: &'a [u8]) -> Option<Self> {
        let mut input = Reader(map);
        let left = input.map()?;
        let mut fields = Self {
            input,
            left,
            next: None,
        };
        fields.advance()?;
        Some(fields)
    }

    /// The value of a key that has to be there.
    pub(crate) fn required<T>(
        &mut self,
        key: u64,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        self.optional(key, read)?
    }

    /// The value of a key, if it is there. The outer option is `None` when the value is not of the type that `read` takes.
    pub(crate) fn optional<T>(
        &mut self,
        key: u64,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.next != Some(key) {
            return Some(None);
        }
        let value = read(&mut self.input)?;
        self.advance()?;
        Some(Some(value))
    }

    fn advance(&mut self) -> Option<()> {
        self.next = match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(self.input.unsigned()?)
            }
            None => None,
        };
        Some(())
    }

    /// Everything was read.
    pub(crate) fn end(self) -> Option<()> {
        self.input.end().filter(|()| self.next.is_none())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 8949 Appendix A.
    #[test]
    fn integers_of_the_standards_appendix() {
        let encoded = |value: i32| {
            let mut out = Vec::new();
            Writer(&mut out).integer(value);
            out
        };
        assert_eq!(encoded(0), [0x00]);
        assert_eq!(encoded(23), [0x17]);
        assert_eq!(encoded(24), [0x18, 0x18]);
        assert_eq!(encoded(1000), [0x19, 0x03, 0xe8]);
        assert_eq!(encoded(1_000_000), [0x1a, 0x00, 0x0f, 0x42, 0x40]);
        assert_eq!(encoded(-1), [0x20]);
        assert_eq!(encoded(-1000), [0x39, 0x03, 0xe7]);
    }

    #[test]
    fn longer_forms_indefinite_lengths_and_other_types_are_refused() {
        assert!(Reader(&[0x18, 0x17]).unsigned().is_none());
        assert!(Reader(&[0x19, 0x00, 0xff]).unsigned().is_none());
        assert!(Reader(&[0x1a, 0x00, 0x00, 0xff, 0xff]).unsigned().is_none());
        assert!(
            Reader(&[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
                .unsigned()
                .is_none()
        );
        assert!(Reader(&[0x5f, 0xff]).bytes().is_none());
        assert!(Reader(&[0x41, 0x00]).text().is_none());
        assert!(Reader(&[0x61, 0xff]).text().is_none());
        assert!(
            Reader(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
                .bytes()
                .is_none()
        );
        assert!(Reader(&[0x3a, 0xff, 0xff, 0xff, 0xff]).integer().is_none());
        assert!(Reader(&[]).unsigned().is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: u64, number: i32, blob: Vec<u8>, text: String) {
            let mut out = Vec::new();
            Writer(&mut out).map(value).array(value).unsigned(value).integer(number).bytes(&blob).text(&text);
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.map(), Some(value));
            prop_assert_eq!(reader.array(), Some(value));
            prop_assert_eq!(reader.unsigned(), Some(value));
            prop_assert_eq!(reader.integer(), Some(number));
            prop_assert_eq!(reader.bytes(), Some(&blob[..]));
            prop_assert_eq!(reader.text(), Some(&text[..]));
            prop_assert!(reader.end().is_some());
        }
    }
}
