//! Writes the few forms of DER (`ITU-T X.690`) that a certificate needs.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0C;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of a constructed element of context class.
pub(super) const fn context(number: u8) -> u8 {
    0xA0 | number
}

/// An element whose content is `parts`, one after the other. `X.690 §8.1`, `§10.1`.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length @ ..0x80) => element.push(length),
        Ok(length) => element.extend([0x81, length]),
        Err(_) => {
            let length = u16::try_from(content.len()).expect("certificates of this crate are below 64 KiB");
            element.push(0x82);
            element.extend(length.to_be_bytes());
        }
    }
    element.extend(content);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_in_their_shortest_form() {
        assert_eq!(element(OCTET_STRING, &[]), [0x04, 0x00]);
        assert_eq!(element(SEQUENCE, &[&[1], &[2, 3]]), [0x30, 0x03, 1, 2, 3]);
        assert_eq!(element(OCTET_STRING, &[&[0; 127]])[..2], [0x04, 0x7F]);
        assert_eq!(element(OCTET_STRING, &[&[0; 128]])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(element(OCTET_STRING, &[&[0; 255]])[..3], [0x04, 0x81, 0xFF]);
        assert_eq!(element(OCTET_STRING, &[&[0; 256]])[..4], [0x04, 0x82, 0x01, 0x00]);
    }
}
