//! Frames one by one, for cases about CTAPHID itself.

use std::time::Duration;

use wardkey_sim::hid_client::{ChannelId, Command, Frame, HidError, frame_of, reports_of};
use wardkey_sim::report::Report;

use crate::bench::Bench;
use crate::case::{Outcome, Stop, ensure, ensure_eq};
use crate::key::Wire;

/// How long a key may take to answer what needs no user.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(500);

/// How long a key is listened to that has to be silent.
pub(crate) const SILENCE: Duration = Duration::from_millis(600);

/// A way to send and receive frames on a channel.
pub(crate) struct Frames {
    wire: Wire,
    pub(crate) channel: ChannelId,
}

/// The first frame of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Initial {
    pub(crate) channel: ChannelId,
    pub(crate) command: Command,
    pub(crate) length: u16,
    pub(crate) data: [u8; 57],
}

impl Frames {
    /// On the channel of the bench's client.
    pub(crate) fn of(bench: &mut Bench) -> Self {
        let channel = bench.client().pipe_mut().init_reply().channel;
        Self {
            wire: bench.wire(),
            channel,
        }
    }

    /// The same key on another channel.
    pub(crate) fn on(&self, channel: ChannelId) -> Self {
        Self {
            wire: self.wire.clone(),
            channel,
        }
    }

    /// The reports of one message.
    pub(crate) fn reports(&self, command: Command, payload: &[u8]) -> Result<Vec<Report>, Stop> {
        Ok(reports_of(self.channel, command, payload)?)
    }

    /// Sends a whole message.
    pub(crate) fn send(&self, command: Command, payload: &[u8]) -> Outcome {
        self.send_reports(&self.reports(command, payload)?)
    }

    /// Sends reports.
    pub(crate) fn send_reports(&self, reports: &[Report]) -> Outcome {
        for report in reports {
            self.wire.0.borrow_mut().send(report)?;
        }
        Ok(())
    }

    /// The next frame on any channel.
    pub(crate) fn next(&self, within: Duration) -> Result<Option<(ChannelId, Frame)>, Stop> {
        let report = self.wire.0.borrow_mut().receive(within)?;
        Ok(report.as_ref().map(frame_of))
    }

    /// The next frame, which starts a message.
    pub(crate) fn initial(&self, within: Duration) -> Result<Initial, Stop> {
        match self.next(within)? {
            Some((
                channel,
                Frame::Initial {
                    command,
                    length,
                    data,
                },
            )) => Ok(Initial {
                channel,
                command,
                length,
                data,
            }),
            Some((_, Frame::Continuation { .. })) => {
                Err(Stop::Failed("a continuation packet without a message".to_owned()))
            }
            None => Err(Stop::Failed("the key did not answer".to_owned())),
        }
    }

    /// A whole message on this channel; KEEPALIVE counts as one.
    pub(crate) fn message(&self, within: Duration) -> Result<(Command, Vec<u8>), Stop> {
        let first = self.initial(within)?;
        ensure_eq!(first.channel, self.channel, "the channel of the answer");
        let length = usize::from(first.length);
        let mut payload: Vec<u8> = first.data.into_iter().take(length).collect();
        while payload.len() < length {
            match self.next(within)? {
                Some((channel, Frame::Continuation { data, .. })) if channel == self.channel => {
                    let missing = length - payload.len();
                    payload.extend(data.into_iter().take(missing));
                }
                other => return Err(Stop::Failed(format!("the answer goes on with {other:?}"))),
            }
        }
        Ok((first.command, payload))
    }

    /// The key answers on this channel with this error, and nothing else.
    pub(crate) fn error(&self, expected: HidError) -> Outcome {
        let answer = self.initial(AT_ONCE)?;
        ensure_eq!(answer.command, Command::ERROR, "the answer");
        ensure_eq!(answer.channel, self.channel, "the channel of the error");
        ensure_eq!(answer.length, 1, "the length of the error");
        ensure_eq!(answer.data.first().copied(), Some(expected.0), "the error");
        Ok(())
    }

    /// The key says nothing.
    pub(crate) fn silence(&self, duration: Duration) -> Outcome {
        let heard = self.next(duration)?;
        ensure!(heard.is_none(), "the key should be silent, and sent {heard:?}");
        Ok(())
    }

    /// The key echoes.
    pub(crate) fn echo(&self, payload: &[u8]) -> Outcome {
        self.send(Command::PING, payload)?;
        let (command, answer) = self.message(AT_ONCE)?;
        ensure_eq!(command, Command::PING, "the answer to PING");
        ensure!(answer == payload, "PING came back changed");
        Ok(())
    }

    /// Waits for a KEEPALIVE, as cases with a user who is not there do.
    pub(crate) fn keepalive(&self) -> Outcome {
        let keepalive = self.initial(AT_ONCE)?;
        ensure_eq!(keepalive.command, Command::KEEPALIVE, "the first frame");
        ensure_eq!(keepalive.channel, self.channel, "the channel of KEEPALIVE");
        ensure_eq!(keepalive.length, 1, "the length of KEEPALIVE");
        let status = keepalive.data.first().copied();
        ensure!(
            matches!(status, Some(1 | 2)),
            "the status of KEEPALIVE is {status:?}"
        );
        Ok(())
    }

    /// Sends CANCEL; the running command ends with KEEPALIVE_CANCEL, and a second CANCEL has no answer.
    pub(crate) fn cancel(&self) -> Outcome {
        const KEEPALIVE_CANCEL: u8 = 0x2D;
        self.send(Command::CANCEL, &[])?;
        let answer = loop {
            match self.message(AT_ONCE)? {
                // On its way before CANCEL arrived.
                (Command::KEEPALIVE, _) => {}
                answer => break answer,
            }
        };
        ensure_eq!(
            answer,
            (Command::CBOR, vec![KEEPALIVE_CANCEL]),
            "the answer to CANCEL"
        );
        self.send(Command::CANCEL, &[])?;
        self.silence(SILENCE)
    }
}
