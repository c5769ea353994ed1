//! Two keys, the same steps, one after the other: what they answer differently.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use wardkey_sim::fido_client::{MessagePipe, Status};
use wardkey_sim::hid_client::Wish;
use wardkey_sim::reference::{Controls, Reference, Surroundings, User, with_power};
use wardkey_sim::scenario::{
    Auth, Blobs, Command, Configure, Facts, Manage, Pin, Platform, Report, Request, Step, UserAct,
};

use crate::accepted::{self, Accepted, Then};
use crate::ours::Ours;

/// Something that the two keys answered differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The status.
    Status { ours: u8, theirs: u8 },
    /// A fact about the answers, at this place in them; `None` where it is absent.
    Fact {
        path: String,
        ours: Option<String>,
        theirs: Option<String>,
    },
}

/// A difference, and what it came of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) index: usize,
    pub(crate) command: Command,
    pub(crate) difference: Difference,
    pub(crate) context: Context,
    /// The last request that was sent to ours.
    pub(crate) sent: Vec<u8>,
}

/// What has to be known to judge a difference. It comes of our answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Context {
    /// A PIN is set.
    pub(crate) has_pin: bool,
    /// Since the last token was given out, a user was asked for presence.
    pub(crate) is_token_spent: bool,
    /// For which relying parties the last token was wanted or used, as bits.
    pub(crate) token_rps: u8,
    /// How long ago the last token was given out, if it was not used since.
    pub(crate) token_unused_for: Option<Duration>,
    /// setMinPINLength came after the last token.
    pub(crate) is_token_older_than_policy: bool,
    /// A getNextAssertion would be in order.
    pub(crate) is_next_due: bool,
    /// A fragment of a large-blob array would be in order.
    pub(crate) is_fragment_due: bool,
    /// How much is left of the list that is being walked.
    pub(crate) left: u64,
    /// There was a reset.
    pub(crate) was_reset: bool,
    /// A credential was deleted or replaced.
    pub(crate) was_deleted: bool,
    /// For which accounts of which relying parties a credential was stored, as bits.
    pub(crate) stored: u64,
    /// alwaysUv is on.
    pub(crate) always_uv: bool,
}

/// How long after an assertion the next one may be fetched.
const NEXT_TIMEOUT: Duration = Duration::from_secs(30);

impl Context {
    fn observe(&mut self, request: &Request, report: &Report) {
        if *request == Request::Info {
            return;
        }
        let succeeded = report.status == 0;
        if succeeded {
            self.observe_success(request);
        }
        if let Some(rp) = request.rp().filter(|_| request.auth() == Auth::Token) {
            self.token_rps |= 1 << rp;
        }
        self.is_next_due = succeeded && matches!(request, Request::Get(_) | Request::GetNext);
        self.is_fragment_due = succeeded
            && matches!(
                request,
                Request::Blobs(Blobs::Write { .. } | Blobs::GoOn { .. }, _)
            );
        self.left = match request.manage() {
            Some(Manage::Rps) => number(report, "05").saturating_sub(1),
            Some(Manage::Credentials(_)) => number(report, "09").saturating_sub(1),
            Some(Manage::NextRp | Manage::NextCredential) => self.left.saturating_sub(1),
            Some(Manage::Metadata | Manage::Delete(_) | Manage::Update(..) | Manage::Other(_)) | None => 0,
        };
    }

    fn observe_success(&mut self, request: &Request) {
        if request.auth() == Auth::Token {
            self.token_unused_for = None;
        }
        match request {
            Request::Make(make) => {
                self.is_token_spent = true;
                if make.rk == Some(true) {
                    let account = 1 << (make.rp * 16 + make.user % 16);
                    self.was_deleted |= self.stored & account != 0;
                    self.stored |= account;
                }
            }
            Request::Get(get) => self.is_token_spent |= get.up != Some(false),
            Request::Pin(Pin::Set(..)) => self.has_pin = true,
            Request::Pin(Pin::Token(..)) => self.observe_token(None),
            Request::Pin(Pin::TokenFor(_, _, wanted)) => self.observe_token(wanted.rp),
            Request::Manage(Manage::Delete(_), _) => self.was_deleted = true,
            Request::Configure(Configure::ToggleAlwaysUv, _) => self.always_uv = !self.always_uv,
            Request::Configure(Configure::MinPinLength { .. }, _) => self.is_token_older_than_policy = true,
            Request::Reset => {
                *self = Self {
                    was_reset: true,
                    ..Self::default()
                };
            }
            Request::GetNext
            | Request::Info
            | Request::Pin(_)
            | Request::Manage(..)
            | Request::Blobs(..)
            | Request::Configure(..)
            | Request::Select
            | Request::Other(_) => {}
        }
    }

    fn observe_token(&mut self, rp: Option<u8>) {
        self.is_token_spent = false;
        self.token_rps = rp.map_or(0, |rp| 1 << rp);
        self.token_unused_for = Some(Duration::ZERO);
        self.is_token_older_than_policy = false;
    }
}

fn number(report: &Report, path: &str) -> u64 {
    report
        .facts
        .get(path)
        .and_then(|fact| fact.parse().ok())
        .unwrap_or(0)
}

/// What came of one sequence.
pub(crate) struct Outcome {
    /// The first difference that is not accepted.
    pub(crate) unlisted: Option<Found>,
    /// What was accepted.
    pub(crate) used: Vec<&'static Accepted>,
    /// How many commands were compared.
    pub(crate) compared: usize,
}

/// Runs the steps with both keys until the first difference that is not accepted, or that ends the comparison.
pub(crate) fn run(seed: u64, steps: &[Step]) -> Outcome {
    let mut surroundings = Surroundings::new();
    let mut pair = Pair {
        ours: Ours::new(seed),
        controls: surroundings.controls(),
        platforms: [Platform::new(seed), Platform::new(seed)],
        outcome: Outcome {
            unlisted: None,
            used: Vec::new(),
            compared: 0,
        },
        context: Context::default(),
        lists: [Vec::new(), Vec::new()],
    };
    let mut index = 0;
    while index < steps.len() {
        if index > 0 {
            pair.power_cycle();
        }
        let goes_on = with_power(&mut surroundings, |mut reference| {
            while let Some(step) = steps.get(index) {
                index += 1;
                match step {
                    Step::PowerCycle => return true,
                    Step::Wait(duration) => pair.wait(*duration),
                    Step::Send(command) => {
                        if !pair.compare(&mut reference, index - 1, command) {
                            return false;
                        }
                    }
                }
            }
            false
        });
        if !goes_on {
            break;
        }
    }
    pair.outcome
}

struct Pair {
    ours: Ours,
    controls: Controls,
    platforms: [Platform; 2],
    outcome: Outcome,
    context: Context,
    /// What was listed so far, by ours and by theirs.
    lists: [Vec<Facts>; 2],
}

/// Where a list says how long it is: relying parties, credentials.
const TOTALS: [&str; 2] = ["05", "09"];

fn total(facts: &Facts) -> Facts {
    let totals = facts.iter().filter(|(path, _)| TOTALS.contains(&path.as_str()));
    totals.map(|(path, fact)| (path.clone(), fact.clone())).collect()
}

fn is_listing(request: &Request) -> bool {
    matches!(
        request,
        Request::Manage(
            Manage::Rps | Manage::NextRp | Manage::Credentials(_) | Manage::NextCredential,
            _
        )
    )
}

impl Pair {
    /// Sends a command to both; `false` when there is nothing more to compare.
    fn compare(&mut self, reference: &mut Reference<'_>, index: usize, command: &Command) -> bool {
        let [ours, theirs] = &mut self.platforms;
        let user = command.user;
        let mut sent = Vec::new();
        let ours = ours.send(command, &mut |request| {
            sent = request.to_vec();
            self.ours.exchange(request, user)
        });
        self.controls.set_user(match user {
            UserAct::Agrees => User::Touches,
            UserAct::Refuses | UserAct::Ignores => User::Ignores,
        });
        let theirs = theirs.send(command, &mut |request| exchange(reference, request));
        self.set_now(self.ours.now().max(self.controls.now()));
        self.outcome.compared += 1;
        let context = self.context;
        self.context.observe(&command.request, &ours);
        let differences = if is_listing(&command.request) && ours.status == 0 && theirs.status == 0 {
            self.compare_list(&command.request, ours, theirs)
        } else {
            differences(&ours, &theirs)
        };
        let found = differences.into_iter().map(|difference| Found {
            index,
            command: command.clone(),
            difference,
            context,
            sent: sent.clone(),
        });
        let mut goes_on = true;
        for found in found {
            let Some(accepted) = accepted::find(&found) else {
                self.outcome.unlisted = Some(found);
                return false;
            };
            self.outcome.used.push(accepted);
            goes_on &= accepted.then == Then::GoOn && !found.difference.is_one_refused();
        }
        goes_on
    }

    /// The order of a list means nothing: it is compared when it is complete.
    fn compare_list(&mut self, request: &Request, ours: Report, theirs: Report) -> Vec<Difference> {
        if matches!(request, Request::Manage(Manage::Rps | Manage::Credentials(_), _)) {
            self.lists = [Vec::new(), Vec::new()];
        }
        let totals: Vec<_> = [&ours, &theirs].map(|report| total(&report.facts)).into();
        for (list, Report { mut facts, .. }) in self.lists.iter_mut().zip([ours, theirs]) {
            facts.retain(|path, _| !TOTALS.contains(&path.as_str()));
            list.push(facts);
            list.sort();
        }
        let [ours, theirs] = &self.lists;
        let mut found = Vec::new();
        if let [ours, theirs] = &totals[..] {
            found.extend(fact_differences(ours, theirs));
        }
        if self.context.left == 0 {
            let entries = ours.iter().zip(theirs);
            found.extend(entries.flat_map(|(ours, theirs)| fact_differences(ours, theirs)));
        }
        found
    }

    fn wait(&mut self, duration: Duration) {
        self.set_now(self.ours.now() + duration);
        self.context.is_next_due &= duration < NEXT_TIMEOUT;
        if let Some(age) = &mut self.context.token_unused_for {
            *age += duration;
        }
    }

    fn power_cycle(&mut self) {
        self.ours.power_cycle();
        self.context.is_token_spent = true;
        self.context.is_next_due = false;
        self.context.is_fragment_due = false;
        self.context.left = 0;
    }

    fn set_now(&mut self, now: Duration) {
        self.ours.set_now(now);
        self.controls.set_now(now);
    }
}

/// The reference's answer; no bytes where it panicked.
fn exchange(reference: &mut Reference<'_>, request: &[u8]) -> Vec<u8> {
    let answer = catch_unwind(AssertUnwindSafe(|| reference.cbor(request, &mut |_| Wish::Wait)));
    answer.ok().and_then(Result::ok).unwrap_or_default()
}

fn differences(ours: &Report, theirs: &Report) -> Vec<Difference> {
    if ours.status != theirs.status {
        return vec![Difference::Status {
            ours: ours.status,
            theirs: theirs.status,
        }];
    }
    fact_differences(&ours.facts, &theirs.facts)
}

fn fact_differences(ours: &Facts, theirs: &Facts) -> Vec<Difference> {
    let paths = ours
        .keys()
        .chain(theirs.keys().filter(|path| !ours.contains_key(*path)));
    let differing = paths.filter(|path| ours.get(*path) != theirs.get(*path));
    let difference = |path: &String| Difference::Fact {
        path: path.clone(),
        ours: ours.get(path).cloned(),
        theirs: theirs.get(path).cloned(),
    };
    differing.map(difference).collect()
}

impl Difference {
    /// Whether one key did what it was asked and the other did not, or the reference broke.
    fn is_one_refused(&self) -> bool {
        matches!(self, Self::Status { ours, theirs } if *ours == 0 || *theirs == 0 || *theirs == u8::MAX)
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { ours, theirs } => {
                write!(formatter, "ours {}, theirs {}", name(*ours), name(*theirs))
            }
            Self::Fact { path, ours, theirs } => {
                let say = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "absent".to_owned());
                write!(formatter, "{path}: ours {}, theirs {}", say(ours), say(theirs))
            }
        }
    }
}

fn name(status: u8) -> String {
    match status {
        u8::MAX => "no answer".to_owned(),
        status => Status(status).to_string(),
    }
}
