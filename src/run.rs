//! The event loop: sockets, prompts and the clock on one side, the [`Device`] on the other. The only loop there is;
//! it never waits for anything but the next event.

mod aside;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wardkey_authenticator::{Demand, Device, EnteredPin, Event, Gesture, HostKind, Prompt, PromptId};
use wardkey_transport::ctaphid::Port;
use wardkey_transport::time::Instant;
use wardkey_transport::usbip::Identity;
use wardkey_vault::{Event as VaultEvent, LockCause, NotCounted, Record, RightGuess};
use zeroize::Zeroize as _;

pub(crate) use self::aside::{Claim, Standing};
use crate::autolock::idle::IdleLock;
use crate::autolock::{LockOrder, LockReason};
use crate::commands_socket::{Commands, Desk, Wanted, stays_locked};
use crate::control;
use crate::error::Failure;
use crate::host;
use crate::kernel::Kernel;
use crate::log::Log;
use crate::prompt::{Answer, Decision};
use crate::questions::Questions;
use crate::sockets::{Listener, Purpose};
use crate::state::Watch;
use crate::sync::{Exchange, News, words};
use crate::test_control::{Action, Order};
use crate::unlock::{self, NotRight, NotTried, Tried, Unlocker};
use crate::wake::{Mailbox, Waker, Wakeup};

/// Clients beyond this number are turned away at once.
const CONNECTIONS_MAX: usize = 32;

/// The most that is read from one connection before the others get their turn, in bytes.
const READ_LEN_MAX: usize = 16 * 1024;

/// Everything the loop drives.
pub(crate) struct Daemon {
    pub(crate) device: Device,
    /// Tells when the disk under the vault fails; a temporary key has none.
    pub(crate) disk: Option<Watch>,
    pub(crate) identity: Identity,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) kernel: Option<Kernel>,
    pub(crate) questions: Questions,
    pub(crate) mailbox: Mailbox,
    pub(crate) waker: Waker,
    pub(crate) standing: Standing,
    /// A temporary key never locks; one that stands aside has nothing to unlock.
    pub(crate) unlocker: Option<Unlocker>,
    pub(crate) exchange: Exchange,
    /// The question for the Vault PIN that the key has asked last.
    pub(crate) vault_pin_prompt: Option<VaultPinPrompt>,
    pub(crate) idle: IdleLock,
    /// Becomes readable when the process is asked to stop.
    pub(crate) stop: UnixStream,
    pub(crate) log: Log,
    pub(crate) connections: Vec<Connection>,
    pub(crate) next_connection: u64,
    /// `false` while a test has unplugged the key.
    pub(crate) powered: bool,
}

/// A question for the Vault PIN, to be asked again after a wrong one.
pub(crate) struct VaultPinPrompt {
    id: PromptId,
    prompt: Prompt,
    deadline: Instant,
}

/// An open connection.
pub(crate) struct Connection {
    number: u64,
    socket: OwnedFd,
    role: Role,
}

/// Who is at the other end.
enum Role {
    /// A USB/IP client, or a program that exchanges raw reports.
    Host(Port),
    /// The local kernel.
    Kernel(Port),
    /// Another `wardkey` command of the same user.
    Commands(Commands),
}

/// What a descriptor that became ready belongs to.
enum Source {
    Stop,
    Mailbox,
    Listener(usize),
    Connection(usize),
}

impl Daemon {
    /// Runs until the process is asked to stop.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; READ_LEN_MAX];
        self.begin_exchange();
        loop {
            let now = host::now();
            self.attach_to_kernel(now);
            self.take_back(now);
            self.handle_events(now);
            // Whoever waits for an answer has it before the store is spoken with.
            self.write_all(now);
            self.exchange_now(now);
            let ready = self.wait(now)?;
            let now = host::now();
            // Before the sockets: what comes after the time has passed, as when the computer wakes up, finds it locked.
            if self.idle.is_due(now) {
                self.lock(now, LockReason::Idle);
            }
            // Backwards, because a connection that ends makes room by moving a later one.
            for source in ready.into_iter().rev() {
                match source {
                    Source::Stop => {
                        self.unplug(now);
                        self.close_vault(now, LockCause::Stopped);
                        return Ok(());
                    }
                    Source::Mailbox => self.take_messages(now),
                    Source::Listener(index) => self.accept(now, index),
                    Source::Connection(index) => self.read(now, index, &mut buffer),
                }
            }
            if self.device.vault_pin_generation().is_some() && self.device.authenticator_mut().is_some() {
                self.idle.used(self.device.last_use());
            }
            // After the sockets: what a host said in time counts, even when this process came late to hear it.
            if self.device.poll_timeout().is_some_and(|at| at <= now) {
                self.device.handle_timeout(now);
            }
        }
    }

    /// Waits until a descriptor is ready or time matters.
    fn wait(&self, now: Instant) -> Result<Vec<Source>, Failure> {
        let mut sources = vec![Source::Stop, Source::Mailbox];
        let mut fds = vec![
            PollFd::new(&self.stop, PollFlags::IN),
            PollFd::new(&self.mailbox, PollFlags::IN),
        ];
        for (index, listener) in self.listeners.iter().enumerate() {
            if let Some(fd) = listener.fd() {
                sources.push(Source::Listener(index));
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        for (index, connection) in self.connections.iter().enumerate() {
            sources.push(Source::Connection(index));
            fds.push(PollFd::from_borrowed_fd(
                connection.socket.as_fd(),
                self.interest(connection),
            ));
        }
        match poll(&mut fds, self.timeout(now).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io_failure("waiting for events", &error.into())),
        }
        let ready = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(sources
            .into_iter()
            .zip(ready)
            .filter_map(|(source, ready)| ready.then_some(source))
            .collect())
    }

    fn timeout(&self, now: Instant) -> Option<Timespec> {
        let kernel = self
            .kernel
            .as_ref()
            .and_then(Kernel::retry_at)
            .filter(|_| self.powered);
        let timeouts = [
            self.device.poll_timeout(),
            self.idle.poll_timeout(),
            self.exchange.poll_timeout(),
            self.standing.poll_timeout(),
            kernel,
        ];
        let next = timeouts.into_iter().flatten().min()?;
        Timespec::try_from(next.saturating_duration_since(now)).ok()
    }

    fn interest(&self, connection: &Connection) -> PollFlags {
        let (wants_input, has_output) = match &connection.role {
            Role::Host(port) | Role::Kernel(port) => (
                self.device.wants_input(*port),
                !self.device.output(*port).is_empty(),
            ),
            Role::Commands(commands) => (commands.wants_input(), !commands.output().is_empty()),
        };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, wants_input);
        flags.set(PollFlags::OUT, has_output);
        flags
    }

    fn read(&mut self, now: Instant, index: usize, buffer: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        let count = match rustix::io::read(&connection.socket, &mut *buffer) {
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(_) => 0,
        };
        let input = buffer.get_mut(..count).unwrap_or_default();
        let mut wanted = None;
        let result = match &mut connection.role {
            _ if input.is_empty() => Err("the other end closed the connection".to_owned()),
            Role::Host(port) | Role::Kernel(port) => self
                .device
                .handle_bytes(now, *port, input)
                .map_err(|error| error.to_string()),
            Role::Commands(commands) => {
                let mut desk = Desk {
                    device: &mut self.device,
                    unlocker: self.unlocker.as_mut(),
                    exchange: &mut self.exchange,
                    standing: &self.standing,
                    connection: connection.number,
                    wanted: None,
                };
                let result = commands.handle_bytes(input, &mut desk);
                // A Vault PIN may have been in it.
                input.zeroize();
                wanted = desk.wanted;
                result
            }
        };
        match wanted {
            Some(Wanted::Lock) => self.lock(now, LockReason::Asked),
            Some(Wanted::StandAside(claim)) => self.claimed(now, claim),
            Some(Wanted::ComeBack(pin)) => self.come_back(now, pin),
            None => {}
        }
        if let Err(reason) = result {
            self.log.disconnected(&reason);
            self.disconnect(now, index);
        }
    }

    /// Writes what there is to write, as far as the sockets take it.
    fn write_all(&mut self, now: Instant) {
        let mut index = 0;
        while index < self.connections.len() {
            match self.write(now, index) {
                Ok(()) => index += 1,
                Err(_) => self.disconnect(now, index),
            }
        }
    }

    fn write(&mut self, now: Instant, index: usize) -> Result<(), Errno> {
        let Some(connection) = self.connections.get_mut(index) else {
            return Ok(());
        };
        loop {
            let output = match &connection.role {
                Role::Host(port) | Role::Kernel(port) => self.device.output(*port),
                Role::Commands(commands) => commands.output(),
            };
            if output.is_empty() {
                return Ok(());
            }
            let count = match rustix::net::send(&connection.socket, output, rustix::net::SendFlags::NOSIGNAL)
            {
                Ok(count) => count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error),
            };
            match &mut connection.role {
                Role::Host(port) | Role::Kernel(port) => self.device.consume_output(now, *port, count),
                Role::Commands(commands) => commands.consume_output(count),
            }
        }
    }

    fn accept(&mut self, now: Instant, index: usize) {
        let Some(listener) = self.listeners.get(index) else {
            return;
        };
        let socket = match listener.accept() {
            Ok(Some(socket)) => socket,
            Ok(None) => return,
            Err(error) => {
                self.log.problem(&format!(
                    "a client could not connect to {}: {error}",
                    listener.address
                ));
                return;
            }
        };
        if self.connections.len() >= CONNECTIONS_MAX {
            self.log.problem(&format!(
                "more than {CONNECTIONS_MAX} clients: one was turned away"
            ));
            return;
        }
        let role = match listener.purpose {
            Purpose::Usbip => Role::Host(self.device.attach(now, &HostKind::Service(self.identity.clone()))),
            Purpose::Raw => Role::Host(self.device.attach(now, &HostKind::Raw)),
            Purpose::Commands => Role::Commands(Commands::default()),
        };
        self.log.connected(listener.purpose);
        self.connect(socket, role);
    }

    fn connect(&mut self, socket: OwnedFd, role: Role) {
        let number = self.next_connection;
        self.next_connection = number.wrapping_add(1);
        self.connections.push(Connection { number, socket, role });
    }

    fn disconnect(&mut self, now: Instant, index: usize) {
        if index >= self.connections.len() {
            return;
        }
        let connection = self.connections.swap_remove(index);
        match connection.role {
            Role::Host(port) => self.device.detach(now, port),
            Role::Kernel(port) => {
                self.device.detach(now, port);
                if let Some(kernel) = &mut self.kernel {
                    kernel.dropped(now);
                    self.log.problem(
                        "the kernel dropped the key (suspend, or vhci_hcd was unloaded); attaching it again",
                    );
                }
            }
            Role::Commands(_) => self.command_ended(now, connection.number),
        }
    }

    /// Plugs the key into the local kernel when it should be there and is not.
    fn attach_to_kernel(&mut self, now: Instant) {
        let Some(kernel) = self
            .kernel
            .as_mut()
            .filter(|kernel| self.powered && kernel.is_due(now))
        else {
            return;
        };
        match kernel.attach(now) {
            Ok(socket) => {
                let port = self.device.attach(now, &HostKind::Kernel(self.identity.clone()));
                self.connect(socket, Role::Kernel(port));
                self.log.attached(&self.identity);
            }
            Err(failure) => self.log.problem(&format!("{failure}; trying again")),
        }
    }

    /// Does what the key asks for.
    fn handle_events(&mut self, now: Instant) {
        while let Some(event) = self.device.poll_event() {
            match event {
                Event::Ask { id, prompt, deadline } => {
                    let time_left = deadline.saturating_duration_since(now);
                    if prompt.demand == Demand::VaultPin {
                        self.vault_pin_prompt = Some(VaultPinPrompt {
                            id,
                            prompt: prompt.clone(),
                            deadline,
                        });
                    }
                    self.questions.ask(id, prompt, time_left);
                }
                Event::Withdraw(id) => {
                    self.vault_pin_prompt.take_if(|asked| asked.id == id);
                    self.questions.withdraw(id);
                }
                Event::Wink => self.log.wink(),
                Event::Imported(taken) => self.log.imported(taken),
            }
        }
        if let Some(failure) = self.disk.as_ref().and_then(Watch::take_failure) {
            self.log.problem(&format!("{failure}. hint: {}", failure.hint()));
        }
    }

    fn take_messages(&mut self, now: Instant) {
        self.mailbox.answer_bell();
        while let Some(message) = self.mailbox.take() {
            match message {
                Wakeup::Answer(id, answer) => {
                    self.questions.answered(id, &answer);
                    self.answered(now, id, answer);
                }
                Wakeup::Tried(Tried { from, result }) => self.tried(now, from, result),
                Wakeup::Lock(LockOrder { reason, sleep_delay }) => {
                    self.lock(now, reason);
                    drop(sleep_delay);
                }
                Wakeup::Problem(text) => self.log.problem(&text),
                Wakeup::Order(order) => self.obey(now, order),
                Wakeup::Exchange(number, arrived) => {
                    if let Some(authenticator) = self.device.authenticator_mut() {
                        let vault = authenticator.vault_mut();
                        let news = self.exchange.arrived(number, arrived, vault);
                        self.tell_exchange(now, news);
                    }
                }
            }
            self.handle_events(now);
            self.questions.settle();
        }
    }

    fn answered(&mut self, now: Instant, id: PromptId, answer: Answer) {
        let asked = self.vault_pin_prompt.as_ref().filter(|asked| asked.id == id);
        match answer {
            Answer::Pin(pin) if asked.is_some() => {
                let (Some(locked), Some(unlocker)) = (self.device.locked_mut(), &mut self.unlocker) else {
                    return;
                };
                if let Err(reason) = unlocker.try_pin(locked, pin, unlock::From::Prompt(id)) {
                    self.log
                        .problem(&format!("the Vault PIN was not tried: {reason}"));
                    self.ask_again(now, id, not_tried_note(&reason));
                }
            }
            answer @ (Answer::Decided(_) | Answer::Pin(_) | Answer::Unavailable(_)) => {
                let gesture = self.gesture(answer);
                self.device.handle_gesture(now, id, gesture);
            }
        }
    }

    /// Asks for the Vault PIN once more, if the host still waits.
    fn ask_again(&mut self, now: Instant, id: PromptId, note: &'static str) {
        if let Some(asked) = self.vault_pin_prompt.as_ref().filter(|asked| asked.id == id) {
            let time_left = asked.deadline.saturating_duration_since(now);
            self.questions.note(note);
            self.questions.ask(id, asked.prompt.clone(), time_left);
        }
    }

    /// A Vault PIN was tried.
    fn tried(&mut self, now: Instant, from: unlock::From, result: Result<Box<RightGuess>, NotRight>) {
        if let Some(unlocker) = &mut self.unlocker {
            unlocker.ended();
        }
        let result = result.and_then(|guess| self.unlock(now, &guess));
        match (from, result) {
            (unlock::From::Prompt(_), Ok(())) => {}
            (unlock::From::Prompt(id), Err(NotRight { is_wrong, reason })) => {
                self.log.problem(&format!("the vault stays locked: {reason}"));
                let note = if is_wrong {
                    "That was not the Vault PIN."
                } else {
                    NOT_TRIED
                };
                self.ask_again(now, id, note);
            }
            (unlock::From::Command(number), Ok(())) => self.answer(number, &control::Answer::Unlocked),
            (unlock::From::Command(number), Err(NotRight { reason, .. })) => {
                // It came with the vault, which some may have waited for.
                self.device.go_on(now);
                self.answer(number, &stays_locked(&reason, reason.hint()));
            }
        }
        self.settle_claim(now);
    }

    /// Answers the command on this connection, if it is still there.
    fn answer(&mut self, number: u64, answer: &control::Answer) {
        let connections = self.connections.iter_mut();
        let mut asked = connections.filter(|connection| connection.number == number);
        if let Some(Connection {
            role: Role::Commands(commands),
            ..
        }) = asked.next()
        {
            commands.answer(answer);
        }
    }

    fn unlock(&mut self, now: Instant, guess: &RightGuess) -> Result<(), NotRight> {
        let wrong_pins = self.device.locked_mut().map_or(0, |locked| locked.wrong_pins());
        self.device.unlock(now, guess).map_err(|error| {
            let reason = Failure::new(
                format!("the vault cannot be opened: {error}"),
                "start wardkey again, or put the state folder back from a backup",
            );
            self.log.problem(&format!("{reason}. hint: {}", reason.hint()));
            NotRight {
                is_wrong: false,
                reason,
            }
        })?;
        // The one that was right was counted, too.
        let wrong_pins = wrong_pins.saturating_sub(1);
        self.record(VaultEvent::Unlocked { wrong_pins });
        self.begin_exchange();
        let passkeys = self.device.authenticator_mut().map_or(0, |key| key.vault().len());
        self.log.unlocked(passkeys);
        Ok(())
    }

    /// Writes into the log of an open vault. What cannot be written there is told.
    fn record(&mut self, event: VaultEvent) {
        let Some(authenticator) = self.device.authenticator_mut() else {
            return;
        };
        let record = Record {
            unix_ms: host::unix_now_ms(),
            event,
        };
        if let Err(error) = authenticator.vault_mut().record(&mut host::rng(), &record) {
            self.log
                .problem(&format!("the audit log cannot be written: {error}"));
        }
    }

    /// A key that cannot ask its user does nothing: silence is no consent.
    fn gesture(&self, answer: Answer) -> Gesture {
        match answer {
            Answer::Decided(Decision::Approved) => Gesture::Approved,
            Answer::Decided(Decision::Chosen(account)) => Gesture::ApprovedAccount(account),
            Answer::Decided(Decision::Verified) => Gesture::Verified,
            Answer::Decided(Decision::NotVerified) => Gesture::NotVerified,
            Answer::Decided(Decision::Declined) => Gesture::Declined,
            Answer::Pin(pin) => Gesture::Pin(EnteredPin::new(pin.into_secret())),
            Answer::Unavailable(reason) => {
                self.log.problem(&format!(
                    "nobody could be asked: {reason}. hint: {}",
                    reason.hint()
                ));
                Gesture::Declined
            }
        }
    }

    /// Speaks with the store from now on, where the vault is exchanged.
    fn begin_exchange(&mut self) {
        if let Some(authenticator) = self.device.authenticator_mut()
            && let Err(failure) = self.exchange.opened(authenticator.vault())
        {
            self.log.problem(&format!(
                "the vault is not exchanged: {failure}. hint: {}",
                failure.hint()
            ));
        }
    }

    /// Says to the store, and hears from it, what can be said and heard now.
    fn exchange_now(&mut self, now: Instant) {
        let last_use = self.device.last_use();
        if let Some(authenticator) = self.device.authenticator_mut()
            && let Some(unlocker) = &self.unlocker
        {
            let news = self
                .exchange
                .turn(authenticator.vault_mut(), unlocker.held(), last_use);
            self.tell_exchange(now, news);
        }
    }

    fn tell_exchange(&mut self, now: Instant, news: Option<News>) {
        match news {
            None => {}
            Some(News::State(state, trouble)) => {
                let (text, hint) = words::describe(&state, &|device| format!("device {device}"));
                let trouble = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
                let hint = hint.map(|hint| format!(" hint: {hint}")).unwrap_or_default();
                self.log.problem(&format!("sync: {text}{trouble}{hint}"));
            }
            Some(News::Lock) => {
                self.log.problem(
                    "sync: another device replaced the root key or the Vault PIN. hint: wardkey unlock",
                );
                self.lock(now, LockReason::Asked);
            }
            Some(News::Stopped(failure)) => self
                .log
                .problem(&format!("sync stopped: {failure}. hint: {}", failure.hint())),
        }
    }

    /// Locks the vault if it is open and can be locked.
    fn lock(&mut self, now: Instant, reason: LockReason) {
        let cause = match reason {
            LockReason::Asked => LockCause::Asked,
            LockReason::Idle => LockCause::Idle,
            LockReason::Suspend => LockCause::Suspend,
            LockReason::SessionLocked => LockCause::Session,
        };
        self.standing.stay_locked();
        if self.close_vault(now, cause) {
            self.log.locked(reason);
        }
    }

    fn close_vault(&mut self, now: Instant, cause: LockCause) -> bool {
        self.idle.locked();
        if self.device.vault_pin_generation().is_none() || self.device.authenticator_mut().is_none() {
            return false;
        }
        self.exchange.closed();
        self.record(VaultEvent::Locked(cause));
        let is_locked = self.device.lock(now);
        self.handle_events(now);
        is_locked
    }

    /// A test plugs and unplugs the key.
    fn obey(&mut self, now: Instant, order: Order) {
        match order.action {
            Action::Unplug => self.power_off(now),
            Action::PlugIn => self.power_on(now),
            Action::Replug => {
                self.power_off(now);
                self.power_on(now);
            }
        }
        // The sender may have given up waiting; the order is carried out all the same.
        let _ = order.done.send(());
    }

    /// Takes the key out of the local kernel, if it is there.
    fn unplug(&mut self, now: Instant) {
        if let Some(kernel) = &mut self.kernel {
            kernel.unplug(now);
        }
    }

    fn power_off(&mut self, now: Instant) {
        self.powered = false;
        self.unplug(now);
        for index in (0..self.connections.len()).rev() {
            if self
                .connections
                .get(index)
                .is_some_and(|connection| !matches!(connection.role, Role::Commands(_)))
            {
                self.connections.swap_remove(index);
            }
        }
        for listener in self
            .listeners
            .iter_mut()
            .filter(|listener| listener.purpose != Purpose::Commands)
        {
            listener.close();
        }
        self.device.power_cycle(now);
        self.handle_events(now);
    }

    fn power_on(&mut self, now: Instant) {
        self.powered = true;
        self.device.power_cycle(now);
        for listener in self
            .listeners
            .iter_mut()
            .filter(|listener| listener.fd().is_none())
        {
            if let Err(error) = listener.reopen() {
                self.log
                    .problem(&format!("cannot listen on {} again: {error}", listener.address));
            }
        }
        if let Some(kernel) = &mut self.kernel {
            kernel.plug_in(now);
        }
        self.attach_to_kernel(now);
    }
}

/// For the person who entered a Vault PIN that was not compared.
const NOT_TRIED: &str = "It could not be tried; wardkey says why where it runs.";

/// For the person who is asked.
fn not_tried_note(reason: &NotTried) -> &'static str {
    match reason {
        NotTried::NotCounted(NotCounted::TooSoon { .. }) => {
            "Too many were wrong: wait a while before the next."
        }
        NotTried::Busy
        | NotTried::NotCounted(NotCounted::NotKept(_))
        | NotTried::Keys(_)
        | NotTried::NoThread(_) => NOT_TRIED,
    }
}

fn io_failure(doing: &str, error: &io::Error) -> Failure {
    Failure::new(
        format!("{doing} failed: {error}"),
        "this is not expected; start wardkey again, with -v for more",
    )
}
