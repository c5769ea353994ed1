//! A store that nobody trusts: what it has, what it shows to whom, and all that can go wrong on the way.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::Rng;
use wardkey_vault::{Answer, NoAnswer, Request};

use crate::scenario::SeededRng;

/// What can go wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Nothing is done, and there is no answer.
    Lost,
    /// It is done, and there is no answer.
    AnswerLost,
    /// There is no answer, and it is done later.
    Late,
    /// It is done, and once more later.
    Twice,
    /// A list has not all names.
    Partial,
    /// Of what was asked for something is not given.
    Withheld,
    /// Something else is given in its place.
    Swapped,
    /// It ends too early.
    Truncated,
    /// A bit is another one.
    Flipped,
    /// Something that was written over is given.
    Old,
    /// It says that it is done, and does nothing.
    Lie,
    /// It says that there is something already.
    Refuses,
    /// It answers something else.
    Nonsense,
}

impl Fault {
    /// All of them.
    pub(super) const ALL: [Self; 13] = [
        Self::Lost,
        Self::AnswerLost,
        Self::Late,
        Self::Twice,
        Self::Partial,
        Self::Withheld,
        Self::Swapped,
        Self::Truncated,
        Self::Flipped,
        Self::Old,
        Self::Lie,
        Self::Refuses,
        Self::Nonsense,
    ];

    fn may_happen_to(self, request: &Request) -> bool {
        match self {
            Self::Lost | Self::AnswerLost | Self::Late | Self::Twice | Self::Nonsense => true,
            Self::Partial => matches!(request, Request::List { .. }),
            Self::Withheld | Self::Swapped | Self::Truncated | Self::Flipped | Self::Old => {
                matches!(request, Request::Get { .. } | Request::Poll { .. })
            }
            Self::Lie => matches!(request, Request::Create { .. } | Request::Put { .. }),
            Self::Refuses => matches!(request, Request::Create { .. }),
        }
    }
}

/// One who asks.
pub(super) type Client = usize;

struct File {
    bytes: Vec<u8>,
    by: Client,
    /// When it was written, in requests.
    at: u64,
}

/// What is kept from one client.
#[derive(Default)]
struct View {
    /// Everything that was written since then.
    since: Option<u64>,
    /// What these wrote since then.
    by: BTreeMap<Client, u64>,
}

/// See above.
pub(super) struct Store {
    files: BTreeMap<String, File>,
    /// What was written over.
    old: Vec<Vec<u8>>,
    /// What devices removed, because snapshots cover it.
    pub(super) given_up: BTreeSet<String>,
    /// What is still to be done.
    late: Vec<(u64, Client, Request)>,
    views: BTreeMap<Client, View>,
    /// Whether something that is there is never written over by a creation.
    pub(super) keeps_first: bool,
    /// What goes wrong, and once in how many requests.
    pub(super) faults: BTreeMap<Fault, u32>,
    requests: u64,
}

impl Store {
    pub(super) fn new(keeps_first: bool) -> Self {
        Self {
            files: BTreeMap::new(),
            old: Vec::new(),
            given_up: BTreeSet::new(),
            late: Vec::new(),
            views: BTreeMap::new(),
            keeps_first,
            faults: BTreeMap::new(),
            requests: 0,
        }
    }

    /// From now on `client` sees nothing that is written, or sees everything again.
    pub(super) fn freeze(&mut self, client: Client, back: u64) {
        let view = self.views.entry(client).or_default();
        view.since = Some(self.requests.saturating_sub(back));
    }

    /// From now on `client` does not see what `other` writes.
    pub(super) fn part(&mut self, client: Client, other: Client) {
        let view = self.views.entry(client).or_default();
        view.by.insert(other, self.requests);
    }

    /// Everybody sees everything.
    pub(super) fn unite(&mut self) {
        self.views.clear();
    }

    /// Removes something for good; says what.
    pub(super) fn remove(&mut self, chance: &mut SeededRng) -> Option<String> {
        let name = pick(chance, self.files.keys().cloned().collect())?;
        self.files.remove(&name);
        Some(name)
    }

    /// Honest from now on: nothing is kept back, and what was under way arrives.
    pub(super) fn reform(&mut self) {
        self.faults.clear();
        self.unite();
        for (_, client, request) in std::mem::take(&mut self.late) {
            // Nobody waits for that answer.
            let _ = self.serve(client, request);
        }
    }

    /// Whether something of what these names begin with is hidden from `client`.
    pub(super) fn hides(&self, client: Client, under: &str) -> bool {
        let of_it = self.files.iter().filter(|(name, _)| name.starts_with(under));
        of_it.into_iter().any(|(_, file)| !self.shows(client, file))
    }

    /// What is under a name, for a client.
    pub(super) fn look(&self, client: Client, name: &str) -> Option<&[u8]> {
        let file = self.files.get(name).filter(|file| self.shows(client, file))?;
        Some(&file.bytes)
    }

    /// The names that a client sees.
    pub(super) fn names(&self, client: Client) -> Vec<String> {
        let seen = self.files.iter().filter(|(_, file)| self.shows(client, file));
        seen.map(|(name, _)| name.clone()).collect()
    }

    fn shows(&self, client: Client, file: &File) -> bool {
        let Some(view) = self.views.get(&client) else {
            return true;
        };
        let hidden = view.since.is_some_and(|since| file.at > since)
            || view.by.get(&file.by).is_some_and(|since| file.at > *since);
        file.by == client || !hidden
    }

    /// Answers, if nothing goes wrong.
    fn serve(&mut self, client: Client, request: Request) -> Answer {
        match request {
            Request::List { under } => {
                let mut names = self.names(client);
                names.retain(|name| name.starts_with(&under));
                Answer::Listed(names)
            }
            Request::Get { names } => {
                let got = names
                    .iter()
                    .map(|name| self.look(client, name).map(<[u8]>::to_vec));
                Answer::Got(got.collect())
            }
            Request::Poll { name, tag } => {
                let content = self.look(client, &name).map(<[u8]>::to_vec);
                let now = content.as_ref().map(|content| format!("{content:02x?}"));
                if tag.is_some() && tag == now {
                    Answer::Unchanged
                } else {
                    Answer::Polled(content, now)
                }
            }
            Request::Remove { names } => {
                self.files.retain(|name, _| !names.contains(name));
                self.given_up.extend(names);
                Answer::Removed
            }
            Request::Create { name, .. } if self.keeps_first && self.files.contains_key(&name) => {
                Answer::AlreadyThere
            }
            Request::Create { name, bytes } | Request::Put { name, bytes } => {
                let (by, at) = (client, self.requests);
                if let Some(file) = self.files.insert(name, File { bytes, by, at }) {
                    self.old.push(file.bytes);
                }
                Answer::Kept
            }
        }
    }

    /// Answers, or not, or falsely; says what went wrong.
    pub(super) fn ask(
        &mut self,
        client: Client,
        request: Request,
        chance: &mut SeededRng,
    ) -> (Result<Answer, NoAnswer>, Option<Fault>) {
        self.requests += 1;
        let due: Vec<_> = self
            .late
            .extract_if(.., |(when, ..)| *when <= self.requests)
            .collect();
        for (_, client, request) in due {
            // Nobody waits for that answer.
            let _ = self.serve(client, request);
        }
        let happens =
            |(fault, times): (&Fault, &u32)| chance.next_u32().is_multiple_of(*times).then_some(*fault);
        let fault = self
            .faults
            .iter()
            .filter_map(happens)
            .find(|fault| fault.may_happen_to(&request));
        let Some(fault) = fault else {
            return (Ok(self.serve(client, request)), None);
        };
        let later = self.requests + 1 + u64::from(chance.next_u32() % 40);
        let answer = match fault {
            Fault::Lost => Err(NoAnswer::Unreachable),
            Fault::AnswerLost => {
                let _ = self.serve(client, request);
                Err(NoAnswer::Unreachable)
            }
            Fault::Late => {
                self.late.push((later, client, request));
                Err(NoAnswer::Unreachable)
            }
            Fault::Twice => {
                self.late.push((later, client, request.clone()));
                Ok(self.serve(client, request))
            }
            Fault::Lie => Ok(Answer::Kept),
            Fault::Refuses => Ok(Answer::AlreadyThere),
            Fault::Nonsense => Ok(Answer::Unchanged),
            Fault::Partial
            | Fault::Withheld
            | Fault::Swapped
            | Fault::Truncated
            | Fault::Flipped
            | Fault::Old => {
                let mut answer = self.serve(client, request);
                self.spoil(&mut answer, fault, chance);
                Ok(answer)
            }
        };
        (answer, Some(fault))
    }

    fn spoil(&self, answer: &mut Answer, fault: Fault, chance: &mut SeededRng) {
        match answer {
            Answer::Listed(names) if fault == Fault::Partial => {
                names.retain(|_| !chance.next_u32().is_multiple_of(4))
            }
            Answer::Got(got) => {
                let at = chance.next_u32() % 16;
                let at = usize::try_from(at).unwrap_or(0) % got.len().max(1);
                if let Some(content) = got.get_mut(at) {
                    self.spoil_content(content, fault, chance);
                }
            }
            Answer::Polled(content, _) => self.spoil_content(content, fault, chance),
            Answer::Listed(_) | Answer::Unchanged | Answer::Kept | Answer::Removed | Answer::AlreadyThere => {
            }
        }
    }

    fn spoil_content(&self, content: &mut Option<Vec<u8>>, fault: Fault, chance: &mut SeededRng) {
        let number = usize::try_from(chance.next_u32()).unwrap_or(0);
        let Some(bytes) = content else { return };
        match fault {
            Fault::Withheld => *content = None,
            Fault::Swapped => {
                let other = self.files.values().nth(number % self.files.len().max(1));
                *content = other.map(|file| file.bytes.clone());
            }
            Fault::Truncated => bytes.truncate(number % bytes.len().max(1)),
            Fault::Flipped => {
                let at = number % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (number / 8 % 8);
                }
            }
            Fault::Old => *content = pick(chance, self.old.clone()),
            Fault::Lost
            | Fault::AnswerLost
            | Fault::Late
            | Fault::Twice
            | Fault::Partial
            | Fault::Lie
            | Fault::Refuses
            | Fault::Nonsense => {}
        }
    }

    /// Everything that it has, whoever may see it.
    pub(super) fn all_names(&self) -> BTreeSet<&str> {
        self.files.keys().map(String::as_str).collect()
    }
}

/// One of these.
pub(super) fn pick<T>(chance: &mut SeededRng, of: Vec<T>) -> Option<T> {
    let count = u32::try_from(of.len()).ok().filter(|count| *count > 0)?;
    of.into_iter()
        .nth(usize::try_from(chance.next_u32() % count).ok()?)
}
