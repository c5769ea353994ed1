//! A CTAPHID client, CTAP 2.3 §11.2: messages in, reports to the key; reports back, messages out.
//!
//! Strict where the specification is: a frame of this channel that does not fit is an error, frames of other
//! channels are skipped. What the messages mean is not here.

mod error;
mod frame;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use error::{Error, HidError};
pub use frame::{ChannelId, Command, Frame, MESSAGE_LEN_MAX};

use crate::clock;
use crate::report::{Report, ReportPipe};

/// What a key says of itself in the answer to INIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitReply {
    /// The channel that was given.
    pub channel: ChannelId,
    /// The version of CTAPHID, 2.
    pub protocol_version: u8,
    /// The device's own version: major, minor, build.
    pub device_version: [u8; 3],
    /// The capability bits.
    pub capabilities: Capabilities,
}

/// The capability bits of INIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(pub u8);

impl Capabilities {
    /// The key can WINK.
    pub const fn has_wink(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// The key speaks CTAP2.
    pub const fn has_cbor(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The key speaks U2F (the bit on the wire says that it does not).
    pub const fn has_msg(self) -> bool {
        self.0 & 0x08 == 0
    }
}

/// The state that a KEEPALIVE tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keepalive {
    /// The key works.
    Processing,
    /// The key waits for its user.
    UserPresenceNeeded,
}

/// What a client wants after a KEEPALIVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Go on waiting.
    Wait,
    /// Send CANCEL (once) and go on waiting: the key then answers with `KEEPALIVE_CANCEL`.
    Cancel,
}

/// How long a client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From one frame of the key to the next, KEEPALIVE counted.
    pub between_frames: Duration,
    /// For a whole answer.
    pub whole_answer: Duration,
}

impl Default for Patience {
    /// Chromium's 3 seconds between frames; a minute for the user.
    fn default() -> Self {
        Self {
            between_frames: Duration::from_secs(3),
            whole_answer: Duration::from_secs(60),
        }
    }
}

/// An open channel to a key.
pub struct HidClient<P> {
    pipe: P,
    init: InitReply,
    patience: Patience,
}

impl<P: ReportPipe> HidClient<P> {
    /// Allocates a channel. `nonce` tells our answer from those to other clients.
    pub fn open(mut pipe: P, nonce: [u8; 8]) -> Result<Self, Error> {
        let patience = Patience::default();
        let init = init(&mut pipe, ChannelId::BROADCAST, nonce, patience)?;
        Ok(Self { pipe, init, patience })
    }

    /// Uses a channel that is open already, for example one that another client opened.
    pub fn on_channel(pipe: P, channel: ChannelId) -> Self {
        let init = InitReply {
            channel,
            protocol_version: 2,
            device_version: [0; 3],
            capabilities: Capabilities(0),
        };
        Self {
            pipe,
            init,
            patience: Patience::default(),
        }
    }

    /// What the key said when the channel was opened; of a client made by [`Self::on_channel`] only the channel.
    pub fn init_reply(&self) -> &InitReply {
        &self.init
    }

    /// Changes how long the client waits.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// The pipe underneath.
    pub fn pipe_mut(&mut self) -> &mut P {
        &mut self.pipe
    }

    /// Gives up the channel, keeps the pipe.
    pub fn into_pipe(self) -> P {
        self.pipe
    }

    /// Sends INIT on the open channel: ends what runs on it and brings both sides back in step.
    pub fn resynchronise(&mut self, nonce: [u8; 8]) -> Result<InitReply, Error> {
        init(&mut self.pipe, self.init.channel, nonce, self.patience)
    }

    /// Sends PING and checks that the same bytes return.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        let echo = self.exchange(Command::PING, payload, &mut |_| Wish::Wait)?;
        if echo == payload {
            Ok(())
        } else {
            Err(Error::WrongEcho)
        }
    }

    /// Makes the key show itself.
    pub fn wink(&mut self) -> Result<(), Error> {
        self.exchange(Command::WINK, &[], &mut |_| Wish::Wait).map(drop)
    }

    /// Sends a CTAP2 request and returns status byte and body. `on_keepalive` is asked at every KEEPALIVE.
    pub fn cbor(
        &mut self,
        request: &[u8],
        on_keepalive: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, Error> {
        self.exchange(Command::CBOR, request, on_keepalive)
    }

    /// Sends a U2F APDU and returns data and status word.
    pub fn msg(&mut self, apdu: &[u8]) -> Result<Vec<u8>, Error> {
        self.exchange(Command::MSG, apdu, &mut |_| Wish::Wait)
    }

    /// Sends CANCEL; it has no answer of its own.
    pub fn cancel(&mut self) -> Result<(), Error> {
        self.send(Command::CANCEL, &[])
    }

    /// Sends a message and waits for its answer.
    pub fn exchange(
        &mut self,
        command: Command,
        payload: &[u8],
        on_keepalive: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, Error> {
        self.send(command, payload)?;
        self.receive(command, on_keepalive)
    }

    /// Sends a message and does not wait.
    pub fn send(&mut self, command: Command, payload: &[u8]) -> Result<(), Error> {
        send(&mut self.pipe, self.init.channel, command, payload)
    }

    /// Waits for the answer to `command`.
    pub fn receive(
        &mut self,
        command: Command,
        on_keepalive: &mut dyn FnMut(Keepalive) -> Wish,
    ) -> Result<Vec<u8>, Error> {
        let mut wait = Wait::new(self.init.channel, self.patience);
        let mut cancelled = false;
        loop {
            let (answer, payload) = wait.message(&mut self.pipe)?;
            if answer == command {
                return Ok(payload);
            }
            let keepalive = read_keepalive(command, answer, &payload)?;
            if on_keepalive(keepalive) == Wish::Cancel && !cancelled {
                cancelled = true;
                self.cancel()?;
            }
        }
    }
}

fn read_keepalive(command: Command, answer: Command, payload: &[u8]) -> Result<Keepalive, Error> {
    match (answer, payload) {
        (Command::ERROR, &[code]) => Err(Error::Refused(HidError(code))),
        (Command::KEEPALIVE, [1]) if command == Command::CBOR => Ok(Keepalive::Processing),
        (Command::KEEPALIVE, [2]) if command == Command::CBOR => Ok(Keepalive::UserPresenceNeeded),
        _ => Err(Error::UnexpectedMessage {
            sent: command,
            received: answer,
        }),
    }
}

fn init<P: ReportPipe>(
    pipe: &mut P,
    channel: ChannelId,
    nonce: [u8; 8],
    patience: Patience,
) -> Result<InitReply, Error> {
    send(pipe, channel, Command::INIT, &nonce)?;
    let mut wait = Wait::new(channel, patience);
    loop {
        // Answers to other clients' INIT travel on the broadcast channel as well; on our own channel the rest of what
        // INIT ended may still be on its way.
        match wait.frame(pipe)? {
            Frame::Initial {
                command: Command::INIT,
                length,
                data,
            } if data.starts_with(&nonce) => {
                return read_init_reply(data.get(..usize::from(length)).unwrap_or(&data));
            }
            Frame::Initial {
                command: Command::ERROR,
                data: [code, ..],
                ..
            } => {
                return Err(Error::Refused(HidError(code)));
            }
            Frame::Initial { .. } | Frame::Continuation { .. } => {}
        }
    }
}

fn read_init_reply(payload: &[u8]) -> Result<InitReply, Error> {
    let payload: &[u8; 17] = payload
        .try_into()
        .map_err(|_| Error::WrongInitLength(payload.len()))?;
    let [
        ..,
        c0,
        c1,
        c2,
        c3,
        protocol_version,
        major,
        minor,
        build,
        capabilities,
    ] = *payload;
    Ok(InitReply {
        channel: ChannelId(u32::from_be_bytes([c0, c1, c2, c3])),
        protocol_version,
        device_version: [major, minor, build],
        capabilities: Capabilities(capabilities),
    })
}

fn send<P: ReportPipe>(
    pipe: &mut P,
    channel: ChannelId,
    command: Command,
    payload: &[u8],
) -> Result<(), Error> {
    for report in frame::split(channel, command, payload)? {
        pipe.send_report(&report)?;
    }
    Ok(())
}

/// Collects messages of one channel until the patience ends.
struct Wait {
    channel: ChannelId,
    between_frames: Duration,
    deadline: std::time::Instant,
}

impl Wait {
    fn new(channel: ChannelId, patience: Patience) -> Self {
        let Patience {
            between_frames,
            whole_answer,
        } = patience;
        Self {
            channel,
            between_frames,
            deadline: clock::now() + whole_answer,
        }
    }

    /// The next message of the channel.
    fn message<P: ReportPipe>(&mut self, pipe: &mut P) -> Result<(Command, Vec<u8>), Error> {
        let (command, length, data) = match self.frame(pipe)? {
            Frame::Initial {
                command,
                length,
                data,
            } => (command, usize::from(length), data),
            Frame::Continuation { .. } => return Err(Error::UnexpectedContinuation),
        };
        if length > MESSAGE_LEN_MAX {
            return Err(Error::TooLong(length));
        }
        let mut payload = Vec::with_capacity(length);
        append(&mut payload, &data, length);
        let mut expected = 0;
        while payload.len() < length {
            match self.frame(pipe)? {
                Frame::Continuation { sequence, data } if sequence == expected => {
                    append(&mut payload, &data, length);
                }
                Frame::Continuation { sequence, .. } => {
                    return Err(Error::WrongSequence {
                        expected,
                        received: sequence,
                    });
                }
                Frame::Initial {
                    command: Command::ERROR,
                    data: [code, ..],
                    ..
                } => {
                    return Err(Error::Refused(HidError(code)));
                }
                Frame::Initial { command, .. } => return Err(Error::Interrupted(command)),
            }
            expected += 1;
        }
        Ok((command, payload))
    }

    /// The next frame of the channel.
    fn frame<P: ReportPipe>(&mut self, pipe: &mut P) -> Result<Frame, Error> {
        let frame_deadline = clock::now() + self.between_frames;
        loop {
            let left = frame_deadline
                .min(self.deadline)
                .saturating_duration_since(clock::now());
            match pipe.receive_report(left)? {
                Some(report) => match frame::parse(&report) {
                    (channel, frame) if channel == self.channel => return Ok(frame),
                    _ => {}
                },
                None if left.is_zero() => return Err(Error::NoAnswer),
                None => {}
            }
        }
    }
}

fn append(payload: &mut Vec<u8>, data: &[u8], length: usize) {
    let missing = length.saturating_sub(payload.len());
    payload.extend(data.iter().take(missing));
}

/// Builds the reports of one message, for tests that send them one by one or out of order.
pub fn reports_of(channel: ChannelId, command: Command, payload: &[u8]) -> Result<Vec<Report>, Error> {
    frame::split(channel, command, payload)
}

/// Takes one report apart, for tests that look at every frame.
pub fn frame_of(report: &Report) -> (ChannelId, Frame) {
    frame::parse(report)
}
