//! The whole key as one sans-IO machine: bytes from a host in, bytes for that host out.
//!
//! In: bytes of each attached host, the time, the user's gestures. Out: bytes for each host, prompts to show and to
//! take away, the next moment at which time matters. The daemon and the simulator drive this same machine. It joins
//! the layers and decides nothing about USB, CTAPHID or CTAP2 itself.
//!
//! The caller's rule: after each input, write [`Device::output`] of every port, take every [`Device::poll_event`],
//! and ask [`Device::poll_timeout`] when to call [`Device::handle_timeout`].

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use wardkey_transport::ctaphid::{Link, Port, Request, Status};
use wardkey_transport::time::Instant;
use wardkey_transport::usbip;

use wardkey_vault::{Error, Locked, RightGuess};

use crate::authenticator::Authenticator;
use crate::away::AwayOutcome;
use crate::gesture::{Gesture, Outcome, Pending, Prompt};
use crate::locked::LockedOutcome;
use crate::pin::built_in::Verifier;
use crate::u2f::StatusWord;

mod aside;
mod host;
mod machine;

pub use aside::AWAY_TIMEOUT;
use host::Host;
pub use host::{HostError, HostKind};
pub use machine::Machine;

/// How long the user has to answer a prompt. CTAP 2.3 asks for at least 10 s and calls 30 s reasonable.
pub const GESTURE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the user has to enter the Vault PIN, which is longer than most.
pub const UNLOCK_TIMEOUT: Duration = Duration::from_secs(120);

/// authenticatorReset is allowed by the time at which it arrived, whatever the vault takes to be opened.
const RESET: u8 = 0x07;

/// A U2F client that has not repeated its request for this long has given up (U2F polls a few times per second).
const U2F_POLL_TIMEOUT: Duration = Duration::from_secs(2);

/// U2F's "the user has not touched the key yet".
const NOT_YET: [u8; 2] = StatusWord::CONDITIONS_NOT_SATISFIED.bytes();

/// Names one prompt, for as long as the key is powered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptId(pub u64);

/// What the shell has to do for the key.
#[derive(Debug)]
pub enum Event {
    /// Show this prompt; answer with [`Device::handle_gesture`], and one for the Vault PIN with [`Device::unlock`].
    Ask {
        /// Names the prompt in the answer.
        id: PromptId,
        /// What to ask.
        prompt: Prompt,
        /// When the answer comes too late.
        deadline: Instant,
    },
    /// The prompt is no longer needed: take it away.
    Withdraw(PromptId),
    /// The host asks the key to make itself noticed (CTAPHID_WINK).
    Wink,
    /// A host took (`true`) or gave back (`false`) the USB device.
    Imported(bool),
}

/// What the key waits for from its user.
enum Waiting {
    Nothing,
    /// A CTAP2 command is open; the host gets KEEPALIVE.
    Command {
        id: PromptId,
        pending: Pending,
        deadline: Instant,
    },
    /// A CTAP2 command waits for the vault; the host gets KEEPALIVE.
    Vault {
        id: PromptId,
        message: Vec<u8>,
        arrived: Instant,
        deadline: Instant,
    },
    /// A CTAP2 command waits until the vault is back; the host gets KEEPALIVE.
    Return {
        message: Vec<u8>,
        arrived: Instant,
        deadline: Instant,
    },
    /// A U2F request was answered with "not yet"; the host repeats it until the user has acted.
    Poll {
        id: PromptId,
        apdu: Vec<u8>,
        answer: PollAnswer,
        last_poll: Instant,
        deadline: Instant,
    },
}

/// What the user said about a U2F request that the host repeats.
enum PollAnswer {
    /// The vault must be opened first.
    NeedsVault,
    Open(Pending),
    Approved(Pending),
    Refused,
}

/// The key: transport, authenticator and vault together.
pub struct Device {
    link: Link,
    machine: Machine,
    last_use: Instant,
    hosts: BTreeMap<Port, Host>,
    next_port: u32,
    importer: Option<Port>,
    waiting: Waiting,
    next_prompt: u64,
    events: VecDeque<Event>,
}

impl Device {
    /// A key that is powered up and attached to nothing.
    pub fn new(mut link: Link, machine: impl Into<Machine>) -> Self {
        let machine = machine.into();
        link.set_u2f(machine.is_u2f_allowed());
        Self {
            link,
            machine,
            last_use: Instant::ZERO,
            hosts: BTreeMap::new(),
            next_port: 0,
            importer: None,
            waiting: Waiting::Nothing,
            next_prompt: 0,
            events: VecDeque::new(),
        }
    }

    /// Connects a host. A kernel that attaches directly powers the key up; a USB/IP client does so when it imports
    /// the device; raw hosts share a key that is already powered.
    pub fn attach(&mut self, now: Instant, kind: &HostKind) -> Port {
        let port = Port(self.next_port);
        self.next_port = self.next_port.wrapping_add(1);
        self.hosts.insert(port, Host::new(kind));
        if matches!(kind, HostKind::Kernel(_)) {
            self.take_import(now, port);
        }
        port
    }

    /// The connection to a host ended.
    pub fn detach(&mut self, now: Instant, port: Port) {
        if self.hosts.remove(&port).is_none() {
            return;
        }
        self.link.forget_port(port);
        if self.importer == Some(port) {
            self.importer = None;
            self.events.push_back(Event::Imported(false));
        }
        self.pump(now);
    }

    /// Bytes arrived from a host. On an error the connection must be closed and [`Self::detach`]ed; nothing else is
    /// harmed.
    pub fn handle_bytes(&mut self, now: Instant, port: Port, input: &[u8]) -> Result<(), HostError> {
        let Some(host) = self.hosts.get_mut(&port) else {
            return Ok(());
        };
        let result = host.handle_bytes(input);
        self.pump(now);
        result
    }

    /// Bytes to write to a host.
    pub fn output(&self, port: Port) -> &[u8] {
        self.hosts.get(&port).map_or(&[], Host::output)
    }

    /// `count` bytes of [`Self::output`] were written.
    pub fn consume_output(&mut self, now: Instant, port: Port, count: usize) {
        if let Some(host) = self.hosts.get_mut(&port) {
            host.consume_output(count);
            self.pump(now);
        }
    }

    /// Whether more bytes of this host should be read now; `false` asks it to wait.
    pub fn wants_input(&self, port: Port) -> bool {
        self.hosts.get(&port).is_some_and(Host::wants_input)
    }

    /// The user answered a prompt. An answer to a prompt that is gone is ignored.
    pub fn handle_gesture(&mut self, now: Instant, answered: PromptId, gesture: Gesture) {
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Command { id, pending, .. } if id == answered => {
                self.finish_command(now, pending, gesture);
            }
            Waiting::Poll {
                id,
                apdu,
                answer: PollAnswer::Open(pending),
                last_poll,
                deadline,
            } if id == answered => {
                if matches!(gesture, Gesture::Declined) {
                    self.machine.note_refusal(now, pending.prompt());
                }
                let answer = match gesture {
                    Gesture::Approved | Gesture::ApprovedAccount(_) | Gesture::Verified => {
                        PollAnswer::Approved(pending)
                    }
                    Gesture::NotVerified
                    | Gesture::Pin(_)
                    | Gesture::Declined
                    | Gesture::TimedOut
                    | Gesture::Cancelled => PollAnswer::Refused,
                };
                self.waiting = Waiting::Poll {
                    id,
                    apdu,
                    answer,
                    last_poll,
                    deadline,
                };
            }
            // No gesture opens a vault.
            Waiting::Vault { id, message, .. } if id == answered => {
                self.link.respond(now, machine::refusal(&message, &gesture));
            }
            Waiting::Poll {
                id,
                apdu,
                answer: PollAnswer::NeedsVault,
                last_poll,
                deadline,
            } if id == answered => {
                self.waiting = Waiting::Poll {
                    id,
                    apdu,
                    answer: PollAnswer::Refused,
                    last_poll,
                    deadline,
                };
            }
            unchanged @ (Waiting::Nothing
            | Waiting::Command { .. }
            | Waiting::Vault { .. }
            | Waiting::Return { .. }
            | Waiting::Poll { .. }) => {
                self.waiting = unchanged;
            }
        }
        self.pump(now);
    }

    /// The Vault PIN was right: opens the vault and goes on with what waits for that. When it fails, nothing goes on.
    pub fn unlock(&mut self, now: Instant, guess: &RightGuess) -> Result<(), Error> {
        self.machine.unlock(guess)?;
        self.last_use = now;
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Vault {
                id, message, arrived, ..
            } => {
                self.events.push_back(Event::Withdraw(id));
                self.link.set_status(now, Status::Processing);
                self.begin_again(now, arrived, &message);
            }
            Waiting::Return { message, arrived, .. } => self.begin_again(now, arrived, &message),
            // The host asks again.
            waiting @ Waiting::Poll {
                answer: PollAnswer::NeedsVault,
                ..
            } => self.withdraw(&waiting),
            unchanged @ (Waiting::Nothing | Waiting::Command { .. } | Waiting::Poll { .. }) => {
                self.waiting = unchanged;
            }
        }
        self.link.set_u2f(self.machine.is_u2f_allowed());
        self.pump(now);
        Ok(())
    }

    /// Closes the vault, and with it what waits for the user. `false` where it is not open, or has no Vault PIN.
    pub fn lock(&mut self, now: Instant) -> bool {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        self.withdraw(&waiting);
        if let Waiting::Command { pending, .. } = waiting {
            self.finish_command(now, pending, Gesture::Declined);
        }
        let is_locked = self.machine.lock();
        self.link.set_u2f(self.machine.is_u2f_allowed());
        self.pump(now);
        is_locked
    }

    /// The vault was opened in another way than [`Self::unlock`].
    pub fn vault_opened(&mut self, now: Instant) {
        self.last_use = now;
    }

    /// When the open vault was last used for a host, or opened.
    pub fn last_use(&self) -> Instant {
        self.last_use
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
        self.machine.handle_timeout(now);
        if self.waiting.deadline().is_some_and(|deadline| deadline <= now) {
            match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
                Waiting::Command { id, pending, .. } => {
                    self.events.push_back(Event::Withdraw(id));
                    self.finish_command(now, pending, Gesture::TimedOut);
                }
                Waiting::Vault { id, message, .. } => {
                    self.events.push_back(Event::Withdraw(id));
                    self.link
                        .respond(now, machine::refusal(&message, &Gesture::TimedOut));
                }
                Waiting::Return { message, .. } => {
                    self.link
                        .respond(now, machine::refusal(&message, &Gesture::TimedOut));
                }
                poll @ (Waiting::Poll { .. } | Waiting::Nothing) => self.withdraw(&poll),
            }
        }
        self.pump(now);
    }

    /// When [`Self::handle_timeout`] has something to do, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.link.poll_timeout(),
            self.waiting.deadline(),
            self.machine.poll_timeout(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing the shell has to do.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Unplugs the key from every host and powers it up again: volatile state is gone, the reset window is open.
    pub fn power_cycle(&mut self, now: Instant) {
        let ports: Vec<Port> = self.hosts.keys().copied().collect();
        for port in ports {
            self.detach(now, port);
        }
        self.power_up(now);
    }

    /// The authenticator, for what the person does at the computer rather than through a host; `None` while its vault is
    /// locked.
    pub fn authenticator_mut(&mut self) -> Option<&mut Authenticator> {
        match &mut self.machine {
            Machine::Open(authenticator) => Some(authenticator),
            Machine::Locked(_) | Machine::Away(_) | Machine::Broken => None,
        }
    }

    /// Says what built-in user verification there is from now on.
    pub fn set_verifier(&mut self, verifier: Option<Verifier>) {
        match &mut self.machine {
            Machine::Open(authenticator) => authenticator.set_verifier(verifier),
            Machine::Locked(authenticator) => authenticator.set_verifier(verifier),
            Machine::Away(authenticator) => authenticator.set_verifier(verifier),
            Machine::Broken => {}
        }
    }

    /// Says whether prompts can let the user choose an account.
    pub fn set_account_choice(&mut self, account_choice: bool) {
        match &mut self.machine {
            Machine::Open(authenticator) => authenticator.set_account_choice(account_choice),
            Machine::Locked(authenticator) => authenticator.set_account_choice(account_choice),
            Machine::Away(authenticator) => authenticator.set_account_choice(account_choice),
            Machine::Broken => {}
        }
    }

    /// Which Vault PIN is in force; `None` where the vault has none, and so cannot be locked, or is not here.
    pub fn vault_pin_generation(&self) -> Option<u32> {
        match &self.machine {
            Machine::Open(authenticator) => authenticator.vault().pin_generation(),
            Machine::Locked(authenticator) => Some(authenticator.vault().trust().pin_generation()),
            Machine::Away(_) | Machine::Broken => None,
        }
    }

    /// The vault while it is locked.
    pub fn locked_mut(&mut self) -> Option<&mut Locked> {
        match &mut self.machine {
            Machine::Locked(authenticator) => Some(authenticator.vault_mut()),
            Machine::Open(_) | Machine::Away(_) | Machine::Broken => None,
        }
    }

    /// Moves reports and requests between the layers until nothing moves any more.
    fn pump(&mut self, now: Instant) {
        loop {
            let mut moved = self.move_reports_in(now);
            while let Some(request) = self.link.poll_request() {
                self.handle_request(now, request);
                moved = true;
            }
            moved |= self.move_reports_out();
            if !moved {
                return;
            }
        }
    }

    fn move_reports_in(&mut self, now: Instant) -> bool {
        let mut moved = false;
        let mut cursor = self.hosts.first_key_value().map(|(port, _)| *port);
        while let Some(port) = cursor {
            moved |= self.handle_host_event(now, port);
            while let Some(report) = self.hosts.get_mut(&port).and_then(Host::poll_report) {
                self.link.handle_report(now, port, &report);
                moved = true;
            }
            cursor = self
                .hosts
                .range((Bound::Excluded(port), Bound::Unbounded))
                .map(|(port, _)| *port)
                .next();
        }
        moved
    }

    fn move_reports_out(&mut self) -> bool {
        let mut moved = false;
        for (port, host) in &mut self.hosts {
            while host.can_send() {
                let Some(report) = self.link.poll_report(*port) else {
                    break;
                };
                host.send_report(report);
                moved = true;
            }
        }
        moved
    }

    /// Gives the USB device to the client that asks for it, if nobody has it.
    fn handle_host_event(&mut self, now: Instant, port: Port) -> bool {
        let Some(event) = self.hosts.get_mut(&port).and_then(Host::poll_event) else {
            return false;
        };
        match event {
            usbip::Event::ImportRequested => {
                let free = self.importer.is_none();
                if let Some(host) = self.hosts.get_mut(&port) {
                    host.answer_import(free);
                }
                if free {
                    self.take_import(now, port);
                }
            }
            // The host's driver starts anew; so do its channels.
            usbip::Event::Configured | usbip::Event::Deconfigured => self.link.forget_port(port),
        }
        true
    }

    /// To the key, being plugged in is what gives it power.
    fn take_import(&mut self, now: Instant, port: Port) {
        self.importer = Some(port);
        self.power_up(now);
        self.events.push_back(Event::Imported(true));
    }

    fn power_up(&mut self, now: Instant) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        self.withdraw(&waiting);
        self.link.reset();
        self.machine.power_cycle(now);
    }

    fn handle_request(&mut self, now: Instant, request: Request) {
        match request {
            Request::Cbor(message) => self.handle_command(now, &message),
            Request::Msg(apdu) => {
                let response = self.handle_u2f(now, apdu);
                self.link.respond(now, response);
            }
            Request::Wink => self.events.push_back(Event::Wink),
            Request::Cancel => self.handle_cancel(now),
        }
    }

    /// A CTAP2 command. It takes over from a U2F client that was still polling.
    fn handle_command(&mut self, now: Instant, message: &[u8]) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        self.withdraw(&waiting);
        self.begin_command(now, now, message);
    }

    /// Handles a command that is judged by the time at which it was `begun`.
    fn begin_command(&mut self, now: Instant, begun: Instant, message: &[u8]) {
        let outcome = match &mut self.machine {
            Machine::Open(authenticator) => {
                if !machine::is_get_info(message) {
                    self.last_use = now;
                }
                authenticator.handle_cbor(begun, message)
            }
            Machine::Locked(authenticator) => match authenticator.handle_cbor(message) {
                LockedOutcome::Done(response) => Outcome::Done(response),
                LockedOutcome::NeedsGesture(pending) => Outcome::NeedsGesture(pending),
                LockedOutcome::NeedsVault(prompt) => {
                    self.link.set_status(now, Status::UpNeeded);
                    let deadline = now + UNLOCK_TIMEOUT;
                    let id = self.ask(machine::for_vault_pin(prompt), deadline);
                    self.waiting = Waiting::Vault {
                        id,
                        message: message.to_vec(),
                        arrived: begun,
                        deadline,
                    };
                    return;
                }
            },
            Machine::Away(authenticator) => match authenticator.handle_cbor(message) {
                AwayOutcome::Done(response) => Outcome::Done(response),
                AwayOutcome::NeedsGesture(pending) => Outcome::NeedsGesture(pending),
                AwayOutcome::Waits => return self.wait_for_return(now, message.to_vec(), begun),
            },
            Machine::Broken => Outcome::Done(machine::BROKEN.to_vec()),
        };
        self.answer_or_ask(now, outcome);
    }

    /// Handles a command from the start that has waited for the vault.
    fn begin_again(&mut self, now: Instant, arrived: Instant, message: &[u8]) {
        let begun = if message.first() == Some(&RESET) {
            arrived
        } else {
            now
        };
        self.begin_command(now, begun, message);
    }

    fn finish_command(&mut self, now: Instant, pending: Pending, gesture: Gesture) {
        self.link.set_status(now, Status::Processing);
        let outcome = self.machine.resume(now, pending, gesture);
        self.answer_or_ask(now, outcome);
    }

    fn answer_or_ask(&mut self, now: Instant, outcome: Outcome) {
        self.link.set_u2f(self.machine.is_u2f_allowed());
        match outcome {
            Outcome::Done(response) => self.link.respond(now, response),
            Outcome::NeedsGesture(pending) => {
                self.link.set_status(now, Status::UpNeeded);
                let deadline = now + GESTURE_TIMEOUT;
                let id = self.ask(pending.prompt().clone(), deadline);
                self.waiting = Waiting::Command {
                    id,
                    pending,
                    deadline,
                };
            }
        }
    }

    /// The link has answered the host already; what is left is to forget the command.
    fn handle_cancel(&mut self, now: Instant) {
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Command { id, pending, .. } => {
                self.events.push_back(Event::Withdraw(id));
                // The answer is on its way already.
                let (Outcome::Done(_) | Outcome::NeedsGesture(_)) =
                    self.machine.resume(now, pending, Gesture::Cancelled);
            }
            Waiting::Vault { id, .. } => self.events.push_back(Event::Withdraw(id)),
            Waiting::Return { .. } => {}
            unchanged @ (Waiting::Nothing | Waiting::Poll { .. }) => {
                self.waiting = unchanged;
            }
        }
    }

    /// A U2F message is answered at once; where the user has to act, the answer is "not yet" until the host's next
    /// poll finds that they have.
    fn handle_u2f(&mut self, now: Instant, apdu: Vec<u8>) -> Vec<u8> {
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Poll {
                apdu: polled,
                answer: PollAnswer::Approved(pending),
                ..
            } if polled == apdu => match self.machine.resume(now, pending, Gesture::Approved) {
                Outcome::Done(response) => response,
                // U2F asks once.
                Outcome::NeedsGesture(_) => NOT_YET.to_vec(),
            },
            Waiting::Poll {
                id,
                apdu: polled,
                answer,
                deadline,
                ..
            } if polled == apdu => {
                self.waiting = Waiting::Poll {
                    id,
                    apdu: polled,
                    answer,
                    last_poll: now,
                    deadline,
                };
                NOT_YET.to_vec()
            }
            unchanged @ (Waiting::Nothing
            | Waiting::Command { .. }
            | Waiting::Vault { .. }
            | Waiting::Return { .. }
            | Waiting::Poll { .. }) => {
                self.waiting = unchanged;
                self.begin_u2f(now, apdu)
            }
        }
    }

    fn begin_u2f(&mut self, now: Instant, apdu: Vec<u8>) -> Vec<u8> {
        let (prompt, answer, time) = match &mut self.machine {
            Machine::Open(authenticator) => match authenticator.handle_msg(now, &apdu) {
                Outcome::Done(response) => return response,
                Outcome::NeedsGesture(pending) => {
                    self.last_use = now;
                    (
                        pending.prompt().clone(),
                        PollAnswer::Open(pending),
                        GESTURE_TIMEOUT,
                    )
                }
            },
            Machine::Locked(authenticator) => match authenticator.handle_msg(&apdu) {
                LockedOutcome::Done(response) => return response,
                LockedOutcome::NeedsGesture(pending) => (
                    pending.prompt().clone(),
                    PollAnswer::Open(pending),
                    GESTURE_TIMEOUT,
                ),
                LockedOutcome::NeedsVault(prompt) => {
                    let prompt = machine::for_vault_pin(prompt);
                    (prompt, PollAnswer::NeedsVault, UNLOCK_TIMEOUT)
                }
            },
            Machine::Away(authenticator) => return authenticator.handle_msg(&apdu),
            Machine::Broken => return StatusWord::NO_PRECISE_DIAGNOSIS.bytes().to_vec(),
        };
        // One question at a time: while another U2F client polls for its own, this one hears "not yet".
        if matches!(self.waiting, Waiting::Nothing) {
            let deadline = now + time;
            let id = self.ask(prompt, deadline);
            self.waiting = Waiting::Poll {
                id,
                apdu,
                answer,
                last_poll: now,
                deadline,
            };
        }
        NOT_YET.to_vec()
    }

    fn ask(&mut self, prompt: Prompt, deadline: Instant) -> PromptId {
        let id = PromptId(self.next_prompt);
        self.next_prompt = self.next_prompt.wrapping_add(1);
        self.events.push_back(Event::Ask { id, prompt, deadline });
        id
    }

    /// Takes the question away if it still stands.
    fn withdraw(&mut self, waiting: &Waiting) {
        match waiting {
            Waiting::Command { id, .. }
            | Waiting::Vault { id, .. }
            | Waiting::Poll {
                id,
                answer: PollAnswer::Open(_) | PollAnswer::NeedsVault,
                ..
            } => {
                self.events.push_back(Event::Withdraw(*id));
            }
            Waiting::Poll {
                answer: PollAnswer::Approved(_) | PollAnswer::Refused,
                ..
            }
            | Waiting::Return { .. }
            | Waiting::Nothing => {}
        }
    }
}

impl Waiting {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Nothing => None,
            Self::Command { deadline, .. } | Self::Vault { deadline, .. } | Self::Return { deadline, .. } => {
                Some(*deadline)
            }
            Self::Poll {
                last_poll, deadline, ..
            } => Some(*deadline.min(&(*last_poll + U2F_POLL_TIMEOUT))),
        }
    }
}

#[cfg(test)]
mod tests;
