//! A key in the hands of a platform, a user and a socket that all do what the input says. Whatever happens:
//!
//! - every answer is as [`crate::answer`] says;
//! - authenticator data tells of verification only after a verification or with a token, of presence only after a
//!   gesture;
//! - a token is given only for the right PIN, or after a verification;
//! - a wrong PIN is counted, only the right one makes the retries grow again, and once they are gone only a reset brings
//!   them back.

use core::time::Duration;

use wardkey_authenticator::{Authenticator, EnteredPin, Gesture, Modality, Outcome, StatusCode, Verifier};
use wardkey_sim::auth_data::Flags;
use wardkey_sim::scenario::{
    Auth, Command, Draw, Entry, PINS, Pin, Plan, Platform, Report, Request, Step, UserAct,
};
use wardkey_transport::time::Instant;
use zeroize::Zeroizing;

use crate::answer;
use crate::disk::Disk;
use crate::key::open;

/// How many steps there are at most.
const STEPS_MAX: usize = 24;
/// How often one command may ask at most: three attempts to verify, a choice, a confirmation.
const QUESTIONS_MAX: usize = 6;
/// How many wrong PINs a key takes.
const RETRIES_MAX: u8 = 8;
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// What is known of the key from outside.
pub struct Sequence<'a> {
    draw: Draw<'a>,
    disk: Disk,
    large_blob_extension: bool,
    authenticator: Option<Authenticator>,
    powered: u64,
    now: Instant,
    seen: Seen,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    /// Tokens that were given out.
    tokens: usize,
    /// A token was given out after a verification, which shows presence, too.
    token_with_presence: bool,
    /// The flags of the last assertion.
    last_flags: Option<Flags>,
    /// The last number of retries, until something may have changed it for the better.
    retries: Option<u8>,
}

/// What the user did during one command.
#[derive(Clone, Copy, Default)]
struct Acts {
    agreed: bool,
    verified: bool,
    entered_right: bool,
    questions: usize,
}

impl<'a> Sequence<'a> {
    /// A new key, and all that is to come.
    pub fn new(input: &'a [u8]) -> Self {
        let mut sequence = Self {
            draw: Draw::Bytes(input),
            disk: Disk::default(),
            large_blob_extension: false,
            authenticator: None,
            powered: 0,
            now: Instant::ZERO,
            seen: Seen::default(),
        };
        sequence.large_blob_extension = sequence.draw.once_in(4);
        sequence.power_up();
        sequence
    }

    /// Lets it come.
    pub fn run(&mut self) {
        let mut platform = Platform::new(1);
        let mut plan = Plan::new();
        let mut steps = plan.begin(&mut self.draw);
        let mut count = 0;
        while count < STEPS_MAX && (count == 0 || !self.draw.is_exhausted()) {
            for step in steps.drain(..) {
                count += 1;
                match step {
                    Step::Wait(duration) => self.now = self.now + duration,
                    Step::PowerCycle => self.power_up(),
                    Step::Send(command) => self.send(&mut platform, &command),
                }
            }
            steps = plan.go_on(&mut self.draw);
        }
    }

    /// All that is left is what is on the disk.
    fn power_up(&mut self) {
        self.authenticator = None;
        self.powered += 1;
        let mut authenticator = open(&self.disk, self.large_blob_extension, self.now, self.powered);
        authenticator.set_verifier(self.draw.maybe(2, |draw| Verifier {
            modality: draw.pick(&[Modality::Fingerprint, Modality::Password, Modality::Pin]),
            ready: draw.below(4) != 3,
        }));
        authenticator.set_account_choice(self.draw.once_in(3));
        self.authenticator = Some(authenticator);
        self.seen.token_with_presence = false;
        self.seen.last_flags = None;
        self.seen.tokens = 0;
    }

    fn send(&mut self, platform: &mut Platform, command: &Command) {
        let mut acts = Acts::default();
        let pin = platform.known_pin();
        let report = platform.send(command, &mut |request| {
            let answer = self.exchange(request, command.user, pin, &mut acts);
            answer::check(&answer);
            answer
        });
        assert_ne!(
            report.facts.get("encoding").map(String::as_str),
            Some("not canonical")
        );
        self.check_flags(command, &report, acts);
        self.check_tokens(command, &report, acts, pin);
        self.check_retries(command, &report, acts);
    }

    fn exchange(&mut self, request: &[u8], user: UserAct, pin: Option<&[u8]>, acts: &mut Acts) -> Vec<u8> {
        let authenticator = self.authenticator.as_mut().expect("it has power");
        let mut outcome = authenticator.handle_cbor(self.now, request);
        loop {
            let pending = match outcome {
                Outcome::Done(answer) => return answer,
                Outcome::NeedsGesture(pending) => pending,
            };
            acts.questions += 1;
            assert!(acts.questions <= QUESTIONS_MAX, "it asks and asks");
            let gesture = match user {
                UserAct::Refuses => Gesture::Declined,
                UserAct::Ignores => {
                    self.now = self.now + USER_TIMEOUT;
                    Gesture::TimedOut
                }
                UserAct::Agrees => draw_gesture(&mut self.draw, pin, acts),
            };
            outcome = authenticator.resume(self.now, pending, gesture);
        }
    }

    /// Presence and verification are told only where they are.
    fn check_flags(&mut self, command: &Command, report: &Report, acts: Acts) {
        let is_assertion = matches!(command.request, Request::Get(_) | Request::GetNext);
        let flags = report.facts.get("authData.flags");
        let flags = flags
            .and_then(|flags| u8::from_str_radix(flags, 16).ok())
            .map(Flags);
        if let Some(flags) = flags {
            let auth = match &command.request {
                Request::Make(make) => make.auth,
                Request::Get(get) => get.auth,
                _ => Auth::Absent,
            };
            let by_token = matches!(auth, Auth::Token | Auth::PreviousToken) && self.seen.tokens > 0;
            if command.request == Request::GetNext {
                assert_eq!(
                    Some(flags),
                    self.seen.last_flags,
                    "the flags are those of the first"
                );
            } else {
                let is_verified = acts.verified || by_token;
                assert!(
                    !flags.contains(Flags::USER_VERIFIED) || is_verified,
                    "nobody was verified"
                );
                let is_present = acts.agreed || (by_token && self.seen.token_with_presence);
                assert!(
                    !flags.contains(Flags::USER_PRESENT) || is_present,
                    "nobody was present"
                );
            }
        }
        // A request that cannot be read leaves what was left for getNextAssertion, so nothing but an assertion is told here.
        if is_assertion && flags.is_some() {
            self.seen.last_flags = flags;
        }
    }

    /// A token is given for the right PIN or for a verification.
    fn check_tokens(&mut self, command: &Command, report: &Report, acts: Acts, pin: Option<&[u8]>) {
        if report.status != 0 {
            return;
        }
        let Request::Pin(asked) = command.request else {
            return;
        };
        match asked {
            Pin::Token(_, entry) | Pin::TokenFor(_, entry, _) => {
                assert!(entry == Entry::Right && pin.is_some(), "the PIN was wrong");
                self.seen.tokens += 1;
                self.seen.token_with_presence = false;
            }
            Pin::TokenByUv(..) => {
                assert!(acts.verified, "nobody was verified");
                self.seen.tokens += 1;
                self.seen.token_with_presence = true;
            }
            Pin::Change(_, entry, _) => assert!(entry == Entry::Right && pin.is_some(), "the PIN was wrong"),
            Pin::Set(..) => assert!(pin.is_none(), "there is a PIN"),
            Pin::Retries | Pin::UvRetries | Pin::KeyAgreement(_) | Pin::Other(_) => {}
        }
    }

    /// Wrong PINs never make the retries grow, and once they are gone only a reset brings them back.
    fn check_retries(&mut self, command: &Command, report: &Report, acts: Acts) {
        let is_reset = command.request == Request::Reset && report.status == 0;
        let may_grow = acts.entered_right
            || match command.request {
                Request::Pin(
                    Pin::Token(_, Entry::Right)
                    | Pin::TokenFor(_, Entry::Right, _)
                    | Pin::Change(_, Entry::Right, _),
                ) => true,
                Request::Pin(Pin::Set(..)) => report.status == 0,
                _ => false,
            };
        if is_reset || (may_grow && self.seen.retries != Some(0)) {
            self.seen.retries = None;
        }
        // It ends what a command left for the next, so it comes only after commands that have done so already.
        if matches!(command.request, Request::Pin(_)) {
            let retries = self.retries();
            let before = self.seen.retries.unwrap_or(RETRIES_MAX);
            assert!(retries <= before, "the retries grew");
            let was_wrong = matches!(
                command.request,
                Request::Pin(
                    Pin::Token(_, Entry::Wrong)
                        | Pin::TokenFor(_, Entry::Wrong, _)
                        | Pin::Change(_, Entry::Wrong, _)
                )
            );
            if was_wrong && report.status == StatusCode::PIN_INVALID.byte() {
                assert!(retries < before, "a wrong PIN was not counted");
            }
            self.seen.retries = Some(retries);
        }
    }

    /// getPINRetries.
    fn retries(&mut self) -> u8 {
        let authenticator = self.authenticator.as_mut().expect("it has power");
        match authenticator.handle_cbor(self.now, &[0x06, 0xA1, 0x02, 0x01]) {
            // {3: retries, 4: powerCycleState}
            Outcome::Done(answer) => match answer.as_slice() {
                [0, 0xA2, 3, retries, 4, _] => *retries,
                other => panic!("{other:02x?}"),
            },
            Outcome::NeedsGesture(_) => panic!("nobody has to be asked for this"),
        }
    }
}

/// Anything that a user or a prompt may do.
fn draw_gesture(draw: &mut Draw<'_>, pin: Option<&[u8]>, acts: &mut Acts) -> Gesture {
    let entered = |text: &[u8]| {
        Gesture::Pin(EnteredPin::new(Zeroizing::new(
            String::from_utf8_lossy(text).into_owned(),
        )))
    };
    match draw.below(16) {
        9 => {
            acts.agreed = true;
            Gesture::ApprovedAccount(usize::try_from(draw.below(4)).expect("below 4"))
        }
        10 | 11 => {
            acts.agreed = true;
            acts.verified = true;
            Gesture::Verified
        }
        12 => Gesture::NotVerified,
        13 => {
            // Where nobody asks for the PIN it is only a wrong answer.
            acts.agreed = true;
            acts.verified = true;
            acts.entered_right = true;
            entered(pin.unwrap_or(PINS[0]))
        }
        14 => entered(b"wrong"),
        15 => Gesture::Cancelled,
        _ => {
            acts.agreed = true;
            Gesture::Approved
        }
    }
}
