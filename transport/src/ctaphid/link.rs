//! The transaction machine of CTAPHID (CTAP 2.3 §11.2.5, §11.2.9): one transaction at a time for the whole key.
//!
//! In: reports of any port, the time, responses of the authenticator. Out: requests for the authenticator,
//! reports for each port. LOCK is **not** offered. What a CBOR or U2F message means is not here.
//!
//! `own` is the channel of the transaction under way, `other` any other allocated channel of any port.
//! A channel belongs to the port that allocated it; from elsewhere it is an unallocated one. "–" is silence.
//!
//! | packet or event             | Idle                         | Receiving                 | Processing                             | Sending                   |
//! | --------------------------- | ---------------------------- | ------------------------- | -------------------------------------- | ------------------------- |
//! | INIT, broadcast             | INIT, new channel            | the same                  | the same                               | the same, after reply     |
//! | INIT, own                   | INIT, same channel           | INIT → Idle               | INIT, Cancel → Idle                    | INIT, no rest → Idle      |
//! | INIT, other                 | INIT, same channel           | the same                  | the same                               | the same, after reply     |
//! | INIT, unallocated           | INIT, that id, not allocated | the same                  | the same                               | the same, after reply     |
//! | INIT, channel 0             | INVALID_CHANNEL              | the same                  | the same                               | the same, after reply     |
//! | INIT, length not 8          | INVALID_LEN                  | the same                  | the same                               | the same, after reply     |
//! | CANCEL, own                 | –                            | –                         | `2D`, Cancel → Sending (CBOR), – (MSG) | –                         |
//! | CANCEL, elsewhere           | –                            | –                         | –                                      | –                         |
//! | message, own                | (see below)                  | INVALID_SEQ → Idle        | CHANNEL_BUSY                           | CHANNEL_BUSY, after reply |
//! | message, other              | starts, see below            | CHANNEL_BUSY              | CHANNEL_BUSY                           | CHANNEL_BUSY, after reply |
//! | message, unallocated        | INVALID_CHANNEL              | CHANNEL_BUSY              | CHANNEL_BUSY                           | CHANNEL_BUSY, after reply |
//! | message, broadcast or 0     | INVALID_CHANNEL              | the same                  | the same                               | the same, after reply     |
//! | continuation, own, next     | –                            | goes on, or message whole | –                                      | –                         |
//! | continuation, own, not next | –                            | INVALID_SEQ → Idle        | –                                      | –                         |
//! | continuation, elsewhere     | –                            | –                         | –                                      | –                         |
//! | 500 ms without a packet     |                              | MSG_TIMEOUT → Idle        |                                        |                           |
//! | status changed or 75 ms     |                              |                           | KEEPALIVE (CBOR), – (MSG)              |                           |
//! | response                    | –                            | –                         | → Sending                              | –                         |
//! | last report taken           |                              |                           |                                        | → Idle                    |
//! | 3 s without a reader        |                              |                           |                                        | reply dropped → Idle      |
//! | 5 s without a reader        |                              |                           | as if CANCEL, own                      |                           |
//! | port forgotten              | channels gone                | → Idle if its own         | Cancel → Idle if its own               | → Idle if its own         |
//!
//! A message that starts: unknown command INVALID_CMD, impossible length INVALID_LEN, else Receiving until it
//! is whole; then PING and WINK → Sending, CBOR and MSG → Processing.

use core::time::Duration;

use super::assembler::{Assembled, Assembler, WrongSequence};
use super::error::HidError;
use super::fragmenter::Fragmenter;
use super::message::{Command, MESSAGE_LEN_MAX, code};
use super::packet::{ChannelId, ContinuationPacket, InitPacket, Packet, init_report};
use super::ports::{Owner, Port, Ports};
use super::request::{Request, Status};
use crate::report::Report;
use crate::time::Instant;

/// How long the next packet of a message may take.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_millis(500);
/// How often a client hears that its CBOR command goes on: at least every 100 ms, with room for a late timer.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_millis(75);
/// How long a host may stop reading in a reply before the rest is dropped.
pub const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a host may leave a KEEPALIVE unread before its command is cancelled: the program that asked was ended,
/// and the user should not be left with its question.
pub const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The version of CTAPHID in the INIT response.
const PROTOCOL_VERSION: u8 = 2;
const NONCE_LEN: usize = 8;

// Capabilities in the INIT response.
const CAPABILITY_WINK: u8 = 0x01;
const CAPABILITY_CBOR: u8 = 0x04;
/// CTAPHID_MSG is not implemented.
const CAPABILITY_NMSG: u8 = 0x08;

/// CTAP2_ERR_KEEPALIVE_CANCEL, the answer to a cancelled CBOR command.
const KEEPALIVE_CANCEL: u8 = 0x2D;

/// What INIT tells about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Device version: major, minor, build.
    pub version: [u8; 3],
}

/// The machine; see the module's description.
pub struct Link {
    config: Config,
    ports: Ports,
    state: State,
    requests: Requests,
    speaks_u2f: bool,
}

/// Where the only transaction is.
enum State {
    Idle,
    Receiving {
        owner: Owner,
        assembler: Assembler,
        until: Instant,
    },
    Processing {
        owner: Owner,
        work: Work,
    },
    /// The reply is in the outbox of the owner's port.
    Sending {
        owner: Owner,
    },
}

/// What the authenticator is working on.
enum Work {
    Msg,
    /// `heard_at`: the last KEEPALIVE up to which the host has read all of them.
    Cbor {
        status: Status,
        keepalive_at: Instant,
        heard_at: Instant,
    },
}

/// What the authenticator has not fetched yet; at most one of each, in the order it is to be fetched.
#[derive(Default)]
struct Requests {
    cancel: bool,
    wink: bool,
    message: Option<Request>,
}

impl Link {
    /// A key that was just powered up.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            ports: Ports::new(),
            state: State::Idle,
            requests: Requests::default(),
            speaks_u2f: true,
        }
    }

    /// Whether CTAPHID_MSG is served from now on; at first it is.
    pub fn set_u2f(&mut self, speaks_u2f: bool) {
        self.speaks_u2f = speaks_u2f;
    }

    /// Takes a report from the host of `port`.
    pub fn handle_report(&mut self, now: Instant, port: Port, report: &Report) {
        self.handle_timeout(now);
        if !self.ports.admit(port) {
            return;
        }
        match Packet::parse(report) {
            Packet::Continuation(packet) => self.handle_continuation(now, port, &packet),
            Packet::Init(packet) => {
                let from = Owner {
                    port,
                    cid: packet.cid,
                };
                match packet.command {
                    code::INIT => self.handle_init(now, from, &packet),
                    code::CANCEL => self.handle_cancel(now, from, &packet),
                    _ => self.handle_start(now, from, &packet),
                }
            }
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Receiving { owner, until, .. } if *until <= now => {
                let owner = *owner;
                self.state = State::Idle;
                self.reply_error(now, owner, HidError::MessageTimeout);
            }
            State::Processing {
                work: Work::Cbor { keepalive_at, .. },
                ..
            } if *keepalive_at <= now => {
                self.send_keepalive(now);
            }
            State::Idle | State::Receiving { .. } | State::Processing { .. } | State::Sending { .. } => {}
        }
        for (port, outbox) in self.ports.entries() {
            let dropped = outbox.handle_timeout(now, READ_TIMEOUT);
            if dropped && matches!(self.state, State::Sending { owner } if owner.port == port) {
                self.state = State::Idle;
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transaction = match &self.state {
            State::Receiving { until, .. } => Some(*until),
            State::Processing {
                work: Work::Cbor { keepalive_at, .. },
                ..
            } => Some(*keepalive_at),
            State::Processing { work: Work::Msg, .. } | State::Idle | State::Sending { .. } => None,
        };
        self.ports
            .outboxes()
            .filter_map(super::outbox::Outbox::poll_timeout)
            .chain(transaction)
            .min()
    }

    /// The next request for the authenticator.
    pub fn poll_request(&mut self) -> Option<Request> {
        let Requests {
            cancel,
            wink,
            message,
        } = &mut self.requests;
        if core::mem::take(cancel) {
            return Some(Request::Cancel);
        }
        if core::mem::take(wink) {
            return Some(Request::Wink);
        }
        message.take()
    }

    /// The next report for the host of `port`, which must be able to take it now.
    pub fn poll_report(&mut self, port: Port) -> Option<Report> {
        let sent = self.ports.outbox(port)?.poll()?;
        if sent.ends_reply {
            self.state = State::Idle;
        }
        Some(sent.report)
    }

    /// Answers the request of the transaction under way; ignored when it was cancelled.
    pub fn respond(&mut self, now: Instant, response: Vec<u8>) {
        if let State::Processing { owner, ref work } = self.state {
            let command = match work {
                Work::Msg => Command::Msg,
                Work::Cbor { .. } => Command::Cbor,
            };
            self.requests.message = None;
            if response.len() > MESSAGE_LEN_MAX {
                self.state = State::Idle;
                return self.reply_error(now, owner, HidError::Other);
            }
            self.reply(now, owner, command, response);
        }
    }

    /// Tells a client that waits for its CBOR command what the key is waiting for.
    pub fn set_status(&mut self, now: Instant, status: Status) {
        if let State::Processing {
            work: Work::Cbor { status: told, .. },
            ..
        } = &mut self.state
            && *told != status
        {
            *told = status;
            self.send_keepalive(now);
        }
    }

    /// The port was unplugged: its channels, its replies and its transaction end.
    pub fn forget_port(&mut self, port: Port) {
        if self.owner().is_some_and(|owner| owner.port == port) {
            self.end_transaction();
        }
        self.ports.forget(port);
    }

    /// The key lost power: all ports are forgotten.
    pub fn reset(&mut self) {
        self.end_transaction();
        self.ports.clear();
        self.requests.wink = false;
    }

    fn handle_init(&mut self, now: Instant, from: Owner, packet: &InitPacket<'_>) {
        if from.cid == ChannelId::RESERVED {
            return self.reply_error(now, from, HidError::InvalidChannel);
        }
        if packet.len != NONCE_LEN {
            return self.reply_error(now, from, HidError::InvalidLength);
        }
        let cid = if from.cid == ChannelId::BROADCAST {
            self.ports.allocate(from.port, self.owner())
        } else {
            // An id that was never allocated is answered and stays unallocated.
            self.ports.touch(from);
            if self.owner() == Some(from) {
                self.end_transaction();
            }
            from.cid
        };
        let response = self.init_response(packet, cid);
        self.reply_short(now, from, code::INIT, &response);
    }

    /// Nonce, channel, version of the protocol and of the device, capabilities (CTAP 2.3 §11.2.9.1.3).
    fn init_response(&self, packet: &InitPacket<'_>, cid: ChannelId) -> [u8; 17] {
        let [n0, n1, n2, n3, n4, n5, n6, n7, ..] = *packet.data;
        let [c0, c1, c2, c3] = cid.0.to_be_bytes();
        let [major, minor, build] = self.config.version;
        let capabilities = if self.speaks_u2f {
            CAPABILITY_WINK | CAPABILITY_CBOR
        } else {
            CAPABILITY_WINK | CAPABILITY_CBOR | CAPABILITY_NMSG
        };
        [
            n0,
            n1,
            n2,
            n3,
            n4,
            n5,
            n6,
            n7,
            c0,
            c1,
            c2,
            c3,
            PROTOCOL_VERSION,
            major,
            minor,
            build,
            capabilities,
        ]
    }

    fn handle_cancel(&mut self, now: Instant, from: Owner, packet: &InitPacket<'_>) {
        if packet.len == 0 && self.owner() == Some(from) {
            self.cancel(now);
        }
    }

    /// Answers a CBOR command under way in place of the authenticator.
    fn cancel(&mut self, now: Instant) {
        if let State::Processing {
            owner,
            work: Work::Cbor { .. },
        } = self.state
        {
            self.give_up_request();
            self.reply(now, owner, Command::Cbor, vec![KEEPALIVE_CANCEL]);
        }
    }

    fn handle_start(&mut self, now: Instant, from: Owner, packet: &InitPacket<'_>) {
        if from.cid == ChannelId::RESERVED || from.cid == ChannelId::BROADCAST {
            return self.reply_error(now, from, HidError::InvalidChannel);
        }
        let is_allocated = self.ports.touch(from);
        match self.state {
            State::Receiving { owner, .. } if owner == from => {
                self.state = State::Idle;
                self.reply_error(now, from, HidError::InvalidSequence);
            }
            State::Receiving { .. } | State::Processing { .. } | State::Sending { .. } => {
                self.reply_error(now, from, HidError::ChannelBusy);
            }
            State::Idle if !is_allocated => self.reply_error(now, from, HidError::InvalidChannel),
            State::Idle => match Command::check(packet.command, packet.len) {
                Err(error) => self.reply_error(now, from, error),
                Ok(command) => self.go_on(now, from, Assembler::start(command, packet)),
            },
        }
    }

    fn handle_continuation(&mut self, now: Instant, port: Port, packet: &ContinuationPacket<'_>) {
        let from = Owner {
            port,
            cid: packet.cid,
        };
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Receiving { owner, assembler, .. } if owner == from => match assembler.push(packet) {
                Ok(assembled) => self.go_on(now, owner, assembled),
                Err(WrongSequence) => self.reply_error(now, owner, HidError::InvalidSequence),
            },
            unchanged @ (State::Idle
            | State::Receiving { .. }
            | State::Processing { .. }
            | State::Sending { .. }) => self.state = unchanged,
        }
    }

    /// A message has begun or gone on.
    fn go_on(&mut self, now: Instant, owner: Owner, assembled: Assembled) {
        match assembled {
            Assembled::Partly(assembler) => {
                self.state = State::Receiving {
                    owner,
                    assembler,
                    until: now + MESSAGE_TIMEOUT,
                };
            }
            Assembled::Whole(Command::Ping, payload) => self.reply(now, owner, Command::Ping, payload),
            Assembled::Whole(Command::Wink, payload) => {
                self.requests.wink = true;
                self.reply(now, owner, Command::Wink, payload);
            }
            Assembled::Whole(Command::Msg, _) if !self.speaks_u2f => {
                self.reply_error(now, owner, HidError::InvalidCommand);
            }
            Assembled::Whole(Command::Msg, payload) => {
                self.requests.message = Some(Request::Msg(payload));
                self.state = State::Processing {
                    owner,
                    work: Work::Msg,
                };
            }
            Assembled::Whole(Command::Cbor, payload) => {
                self.requests.message = Some(Request::Cbor(payload));
                let keepalive_at = now + KEEPALIVE_INTERVAL;
                let work = Work::Cbor {
                    status: Status::Processing,
                    keepalive_at,
                    heard_at: now,
                };
                self.state = State::Processing { owner, work };
            }
        }
    }

    /// Who has the transaction under way.
    fn owner(&self) -> Option<Owner> {
        match self.state {
            State::Idle => None,
            State::Receiving { owner, .. } | State::Processing { owner, .. } | State::Sending { owner } => {
                Some(owner)
            }
        }
    }

    /// Ends the transaction under way without a reply, or without the rest of it.
    fn end_transaction(&mut self) {
        let Some(owner) = self.owner() else { return };
        if matches!(self.state, State::Processing { .. }) {
            self.give_up_request();
        }
        self.state = State::Idle;
        if let Some(outbox) = self.ports.outbox(owner.port) {
            outbox.end_transaction();
        }
    }

    /// Takes the request back: quietly when the authenticator has not seen it, otherwise by a Cancel.
    fn give_up_request(&mut self) {
        if self.requests.message.take().is_none() {
            self.requests.cancel = true;
        }
    }

    fn send_keepalive(&mut self, now: Instant) {
        if let State::Processing {
            owner,
            work:
                Work::Cbor {
                    status,
                    keepalive_at,
                    heard_at,
                },
        } = &mut self.state
            && let Some(outbox) = self.ports.outbox(owner.port)
        {
            if !outbox.has_keepalive() {
                *heard_at = now;
            } else if now.saturating_duration_since(*heard_at) >= LISTEN_TIMEOUT {
                return self.cancel(now);
            }
            *keepalive_at = now + KEEPALIVE_INTERVAL;
            outbox.set_keepalive(init_report(owner.cid, code::KEEPALIVE, &[status.code()]));
        }
    }

    fn reply(&mut self, now: Instant, owner: Owner, command: Command, payload: Vec<u8>) {
        self.state = State::Sending { owner };
        if let Some(outbox) = self.ports.outbox(owner.port) {
            outbox.set_reply(
                Fragmenter::new(owner.cid, command.code(), payload),
                now + READ_TIMEOUT,
            );
        }
    }

    fn reply_error(&mut self, now: Instant, to: Owner, error: HidError) {
        self.reply_short(now, to, code::ERROR, &[error.code()]);
    }

    fn reply_short(&mut self, now: Instant, to: Owner, command: u8, payload: &[u8]) {
        if let Some(outbox) = self.ports.outbox(to.port) {
            outbox.push_short(init_report(to.cid, command, payload), now + READ_TIMEOUT);
        }
    }
}

#[cfg(test)]
mod tests;
