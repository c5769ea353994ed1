//! Commands after the import, and their answers: `USBIP_CMD_SUBMIT`, `USBIP_CMD_UNLINK`.

use super::{Parsed, take, u32_be};
use crate::usbip::Error;

/// The longest data stage that is accepted from the host: the longest that a control transfer can have.
pub const DATA_LEN_MAX: usize = 65_535;
/// The length of a command or its answer, without data.
pub const HEADER_LEN: usize = 48;

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

/// Which way the data of a transfer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Host to device.
    Out,
    /// Device to host.
    In,
}

/// A command after the import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// `USBIP_CMD_SUBMIT`.
    Submit(Submit<'a>),
    /// `USBIP_CMD_UNLINK`.
    Unlink {
        /// The number of this command.
        seqnum: u32,
        /// The device that is meant.
        device_id: u32,
        /// The number of the submission to take back.
        target: u32,
    },
}

/// A transfer that the host wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submit<'a> {
    /// The number of this command.
    pub seqnum: u32,
    /// The device that is meant.
    pub device_id: u32,
    /// Which way the data goes.
    pub direction: Direction,
    /// The endpoint number, 0 to 15.
    pub endpoint: u8,
    /// `URB_*` of the kernel.
    pub flags: u32,
    /// How many bytes the host's buffer has. Never allocate by it: a host may ask for 2 GB.
    pub length: u32,
    /// The setup packet, meaningful on endpoint 0.
    pub setup: [u8; 8],
    /// The data, `length` bytes when the direction is out, none otherwise.
    pub data: &'a [u8],
}

/// The head of an answer to a command. The data of a `RET_SUBMIT` follows it when the transfer was an IN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// `USBIP_RET_SUBMIT`.
    Submit {
        /// The number of the submission.
        seqnum: u32,
        /// Zero or a negative errno.
        status: i32,
        /// How many bytes were transferred.
        actual_length: u32,
    },
    /// `USBIP_RET_UNLINK`.
    Unlink {
        /// The number of the unlink command.
        seqnum: u32,
        /// `-ECONNRESET` when the submission was taken back, zero when it was too late.
        status: i32,
    },
}

impl<'a> Command<'a> {
    /// Reads the command at the head of `bytes`.
    ///
    /// # Errors
    /// Anything after which the stream cannot be followed; see [`Error`].
    pub fn parse(bytes: &'a [u8]) -> Result<Parsed<'a, Self>, Error> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Ok(Parsed::Needs(HEADER_LEN));
        };
        let header = Header::parse(header);
        match header.command {
            CMD_SUBMIT => header.submit(rest),
            CMD_UNLINK => Ok(Parsed::Whole(
                Self::Unlink {
                    seqnum: header.seqnum,
                    device_id: header.device_id,
                    target: header.words[0],
                },
                rest,
            )),
            unknown => Err(Error::UnknownCommand(unknown)),
        }
    }

    /// Appends the command to `to`.
    pub fn emit(&self, to: &mut Vec<u8>) {
        match *self {
            Self::Submit(submit) => {
                let direction = match submit.direction {
                    Direction::Out => 0,
                    Direction::In => 1,
                };
                let endpoint = u32::from(submit.endpoint);
                emit_words(
                    to,
                    [CMD_SUBMIT, submit.seqnum, submit.device_id, direction, endpoint],
                );
                emit_words(to, [submit.flags, submit.length, 0, 0, 0]);
                to.extend(submit.setup);
                to.extend(submit.data);
            }
            Self::Unlink {
                seqnum,
                device_id,
                target,
            } => {
                emit_words(to, [CMD_UNLINK, seqnum, device_id, 0, 0]);
                emit_words(to, [target, 0, 0, 0, 0, 0, 0]);
            }
        }
    }
}

impl Reply {
    /// Reads the head of the answer at the head of `bytes`.
    ///
    /// # Errors
    /// [`Error::UnknownCommand`] or [`Error::NegativeLength`].
    pub fn parse(bytes: &[u8]) -> Result<Parsed<'_, Self>, Error> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Ok(Parsed::Needs(HEADER_LEN));
        };
        let Header {
            command,
            seqnum,
            words: [status, length, ..],
            ..
        } = Header::parse(header);
        let status = status.cast_signed();
        match command {
            RET_SUBMIT => {
                let actual_length = length_of(length)?;
                Ok(Parsed::Whole(
                    Self::Submit {
                        seqnum,
                        status,
                        actual_length,
                    },
                    rest,
                ))
            }
            RET_UNLINK => Ok(Parsed::Whole(Self::Unlink { seqnum, status }, rest)),
            unknown => Err(Error::UnknownCommand(unknown)),
        }
    }

    /// Appends the head of the answer to `to`. As the protocol wants, device, direction and endpoint are zero.
    pub fn emit(&self, to: &mut Vec<u8>) {
        match *self {
            Self::Submit {
                seqnum,
                status,
                actual_length,
            } => {
                emit_words(to, [RET_SUBMIT, seqnum, 0, 0, 0]);
                emit_words(to, [status.cast_unsigned(), actual_length, 0, 0, 0, 0, 0]);
            }
            Self::Unlink { seqnum, status } => {
                emit_words(to, [RET_UNLINK, seqnum, 0, 0, 0]);
                emit_words(to, [status.cast_unsigned(), 0, 0, 0, 0, 0, 0]);
            }
        }
    }
}

/// The 48 bytes that every command and answer starts with.
struct Header {
    command: u32,
    seqnum: u32,
    device_id: u32,
    direction: u32,
    endpoint: u32,
    words: [u32; 5],
    setup: [u8; 8],
}

impl Header {
    fn parse(bytes: &[u8; HEADER_LEN]) -> Self {
        let mut rest: &[u8] = bytes;
        let mut word = || u32_be(&mut rest).expect("48 bytes are ten words and eight bytes");
        let [command, seqnum, device_id, direction, endpoint] = [word(), word(), word(), word(), word()];
        let words = [word(), word(), word(), word(), word()];
        let setup = take(&mut rest).expect("48 bytes are ten words and eight bytes");
        Self {
            command,
            seqnum,
            device_id,
            direction,
            endpoint,
            words,
            setup,
        }
    }

    fn submit(self, rest: &[u8]) -> Result<Parsed<'_, Command<'_>>, Error> {
        let [flags, length, _start_frame, packets, _interval] = self.words;
        let direction = match self.direction {
            0 => Direction::Out,
            1 => Direction::In,
            unknown => return Err(Error::BadDirection(unknown)),
        };
        let Ok(endpoint @ 0..=15) = u8::try_from(self.endpoint) else {
            return Err(Error::BadEndpoint(self.endpoint));
        };
        // Linux sends 0 for other transfers, the protocol document says -1.
        if packets != 0 && packets != u32::MAX {
            return Err(Error::Isochronous(packets.cast_signed()));
        }
        let length = length_of(length)?;
        let data_len = match direction {
            Direction::In => 0,
            Direction::Out => data_len_of(length)?,
        };
        let Some((data, rest)) = rest.split_at_checked(data_len) else {
            return Ok(Parsed::Needs(HEADER_LEN + data_len));
        };
        let Self {
            seqnum,
            device_id,
            setup,
            ..
        } = self;
        let submit = Submit {
            seqnum,
            device_id,
            direction,
            endpoint,
            flags,
            length,
            setup,
            data,
        };
        Ok(Parsed::Whole(Command::Submit(submit), rest))
    }
}

fn length_of(word: u32) -> Result<u32, Error> {
    match word.cast_signed() {
        negative @ ..0 => Err(Error::NegativeLength(negative)),
        _ => Ok(word),
    }
}

fn data_len_of(length: u32) -> Result<usize, Error> {
    match usize::try_from(length) {
        Ok(len @ ..=DATA_LEN_MAX) => Ok(len),
        _ => Err(Error::DataTooLong(length)),
    }
}

fn emit_words<const N: usize>(to: &mut Vec<u8>, words: [u32; N]) {
    to.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}
