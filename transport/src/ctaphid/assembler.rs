//! Packets of one channel → message: sequence and length (CTAP 2.3 §11.2.4).

use super::message::Command;
use super::packet::{ContinuationPacket, InitPacket};

/// A message that is being received.
pub(super) struct Assembler {
    command: Command,
    payload: Vec<u8>,
    len: usize,
    next_sequence: u8,
}

/// What another packet made of it.
pub(super) enum Assembled {
    /// More packets have to come.
    Partly(Assembler),
    /// The message is whole.
    Whole(Command, Vec<u8>),
}

/// The packet is not the one that had to come.
pub(super) struct WrongSequence;

impl Assembler {
    /// Starts with the first packet. Its length has passed [`Command::check`].
    pub(super) fn start(command: Command, packet: &InitPacket<'_>) -> Assembled {
        let payload = Vec::with_capacity(packet.len);
        Self {
            command,
            payload,
            len: packet.len,
            next_sequence: 0,
        }
        .with(packet.data)
    }

    /// Goes on with a further packet.
    pub(super) fn push(mut self, packet: &ContinuationPacket<'_>) -> Result<Assembled, WrongSequence> {
        if packet.sequence != self.next_sequence {
            return Err(WrongSequence);
        }
        self.next_sequence += 1; // at most 128: 7609 bytes are whole by then
        Ok(self.with(packet.data))
    }

    fn with(mut self, data: &[u8]) -> Assembled {
        let missing = self.len - self.payload.len();
        self.payload
            .extend_from_slice(data.get(..missing).unwrap_or(data));
        if self.payload.len() == self.len {
            Assembled::Whole(self.command, self.payload)
        } else {
            Assembled::Partly(self)
        }
    }
}
