//! Command APDUs, `ISO/IEC 7816-4 §5.1`: class, instruction, two parameters, then perhaps a length and data, then perhaps
//! the length of the answer, which is read over: the answer is never cut.

use super::StatusWord;

/// A command without its lengths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Apdu<'a> {
    pub(super) instruction: u8,
    pub(super) parameter_1: u8,
    pub(super) data: &'a [u8],
}

impl<'a> Apdu<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, StatusWord> {
        let (&[class, instruction, parameter_1, _], body) =
            bytes.split_first_chunk().ok_or(StatusWord::WRONG_LENGTH)?;
        if class != 0 {
            return Err(StatusWord::CLA_NOT_SUPPORTED);
        }
        let data = data(body).ok_or(StatusWord::WRONG_LENGTH)?;
        Ok(Self {
            instruction,
            parameter_1,
            data,
        })
    }
}

/// The data of a body in short or extended form; `None` where the lengths do not add up.
fn data(body: &[u8]) -> Option<&[u8]> {
    match body {
        // Without data: nothing, or only the length of the answer, short or extended. `00 00` is a length of data of
        // zero and one of the answer, which no standard has, but some clients do.
        [] | [_] | [0, 0] | [0, _, _] => Some(&[]),
        [0, high, low, rest @ ..] => split(rest, usize::from(u16::from_be_bytes([*high, *low])), 2),
        [length, rest @ ..] => split(rest, usize::from(*length), 1),
    }
}

/// The first `length` bytes, if nothing follows or only the length of the answer.
fn split(bytes: &[u8], length: usize, answer_length: usize) -> Option<&[u8]> {
    let (data, rest) = bytes.split_at_checked(length)?;
    (rest.is_empty() || rest.len() == answer_length).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &[u8]) -> Result<Vec<u8>, StatusWord> {
        Apdu::decode(&[&[0, 3, 7, 0], body].concat()).map(|apdu| {
            assert_eq!((apdu.instruction, apdu.parameter_1), (3, 7));
            apdu.data.to_vec()
        })
    }

    #[test]
    fn every_form_of_lengths_is_read() {
        for body in [
            &[][..],
            &[0],
            &[0x40],
            &[0, 0],
            &[0, 0, 0],
            &[0, 1, 0],
            &[0, 0, 0, 0, 0],
        ] {
            assert_eq!(decoded(body), Ok(vec![]), "{body:?}");
        }
        for body in [
            &[2, 8, 9][..],
            &[2, 8, 9, 0],
            &[0, 0, 2, 8, 9],
            &[0, 0, 2, 8, 9, 0, 0],
        ] {
            assert_eq!(decoded(body), Ok(vec![8, 9]), "{body:?}");
        }
    }

    #[test]
    fn lengths_that_do_not_add_up_are_refused() {
        for body in [
            &[3, 8, 9][..],
            &[1, 8, 9, 0],
            &[0, 0, 3, 8, 9],
            &[0, 0, 2, 8, 9, 0],
            &[0, 0, 2, 8, 9, 0, 0, 0],
            &[0, 0xFF, 0xFF, 8, 9],
        ] {
            assert_eq!(decoded(body), Err(StatusWord::WRONG_LENGTH), "{body:?}");
        }
        assert_eq!(Apdu::decode(&[0, 3, 0]), Err(StatusWord::WRONG_LENGTH));
    }

    #[test]
    fn another_class_is_refused_whatever_follows() {
        assert_eq!(
            Apdu::decode(&[1, 3, 0, 0, 9, 9]),
            Err(StatusWord::CLA_NOT_SUPPORTED)
        );
    }
}
