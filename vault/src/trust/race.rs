//! Which entries are in force where a store let two devices write one with the same number. `FORMAT.md` §10.
//!
//! All that was found is a tree; each reader of the same tree comes to the same answer, in whatever order it was found.
//! What lost is not done later by itself: its author looks at the new state and does it again, or not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Body, Head, NotTrusted, Remembered, Trust};
use crate::frame::{Frame, Kind, ObjectHash, Refused};
use crate::keys::{DeviceId, VaultId};

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What the entries in force amount to.
    pub trust: Trust,
    /// Their hashes, from the first on.
    pub entries: Vec<ObjectHash>,
    /// Entries that would have been accepted if there were no others.
    pub passed_over: BTreeSet<ObjectHash>,
}

/// Why none is in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSettled {
    /// There is no trust log of this vault, or not what this device knows of it.
    #[error(transparent)]
    Trust(#[from] NotTrusted),
    /// A device was removed, and signed what contends with that. Nobody but the user can say which of these entries, of one
    /// number, is the right one.
    #[error("devices of this vault contend over who belongs to it")]
    Frozen(Vec<Remembered>),
}

impl Trust {
    /// The entries in force of `vault`, of all that were found. `pinned` is an entry that is in force whatever was found: the
    /// user chose it, or the store is one that never keeps two of one number.
    pub fn choose<'a>(
        vault: VaultId,
        found: impl IntoIterator<Item = &'a [u8]>,
        pinned: Option<Remembered>,
    ) -> Result<Chosen, NotSettled> {
        let mut tree = Tree::grow(vault, found);
        let fixed = tree.fixed(pinned)?;
        let mut entries = Vec::new();
        let mut at = tree.pick(&tree.roots, &fixed)?;
        loop {
            let node = &tree.nodes[at];
            entries.push(node.head.head);
            if node.children.is_empty() {
                break;
            }
            at = tree.pick(&node.children, &fixed)?;
        }
        let in_force: BTreeSet<_> = entries.iter().copied().collect();
        let all = tree.nodes.iter().map(|node| node.head.head);
        let passed_over = all.filter(|hash| !in_force.contains(hash)).collect();
        let trust = tree.nodes[at].trust.take().expect("kept where nothing follows");
        Ok(Chosen {
            trust,
            entries,
            passed_over,
        })
    }
}

/// How an entry does in a race; the first wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Removes,
    NewKeys,
    Other,
}

/// An entry that is accepted after the one before.
struct Node {
    head: Remembered,
    rank: Rank,
    /// Only where nothing follows.
    trust: Option<Trust>,
    parent: Option<usize>,
    children: Vec<usize>,
    /// Of this entry and all that follow.
    branch: Branch,
}

/// Who says what in some entries.
#[derive(Default, Clone)]
struct Branch {
    signers: BTreeSet<DeviceId>,
    removed: BTreeSet<DeviceId>,
    recovers: bool,
}

impl Branch {
    fn add(&mut self, other: &Self) {
        self.signers.extend(&other.signers);
        self.removed.extend(&other.removed);
        self.recovers |= other.recovers;
    }

    /// Whether somebody signed one of them whom the other removes. A recovery removes everybody.
    fn contends(&self, other: &Self) -> bool {
        let removes = |one: &Self, other: &Self| !one.removed.is_disjoint(&other.signers);
        self.recovers || other.recovers || removes(self, other) || removes(other, self)
    }
}

struct Tree {
    /// Each after its parent.
    nodes: Vec<Node>,
    roots: Vec<usize>,
}

impl Tree {
    fn grow<'a>(vault: VaultId, found: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            roots: Vec::new(),
        };
        let mut after: BTreeMap<ObjectHash, BTreeMap<ObjectHash, &[u8]>> = BTreeMap::new();
        for entry in found {
            let Ok(frame) = Frame::parse(entry, Kind::Trust) else {
                continue;
            };
            if let Some(head) = Head::decode(frame.header) {
                let siblings = after.entry(head.previous).or_default();
                siblings.insert(frame.hash(), entry);
            }
        }
        for entry in after
            .get(&ObjectHash::NONE)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            if let Ok(trust) = Trust::begin(entry)
                && trust.vault() == vault
            {
                tree.roots.push(tree.nodes.len());
                tree.nodes.extend(Node::of(entry, trust, None));
            }
        }
        let mut at = 0;
        while let Some(node) = tree.nodes.get_mut(at) {
            let following = after.get(&node.head.head);
            if let Some(trust) = node.trust.take() {
                let accepted = |entry: &&[u8]| Node::of(entry, trust.follow(entry).ok()?, Some(at));
                let children: Vec<_> = following
                    .into_iter()
                    .flat_map(BTreeMap::values)
                    .filter_map(accepted)
                    .collect();
                let first = tree.nodes.len();
                let node = &mut tree.nodes[at];
                node.children = (first..first + children.len()).collect();
                if children.is_empty() {
                    node.trust = Some(trust);
                }
                tree.nodes.extend(children);
            }
            at += 1;
        }
        tree.gather();
        tree
    }

    /// What is said in each branch.
    fn gather(&mut self) {
        for at in (0..self.nodes.len()).rev() {
            let branch = self.nodes[at].branch.clone();
            if let Some(parent) = self.nodes[at].parent {
                self.nodes[parent].branch.add(&branch);
            }
        }
    }

    /// The pinned entry and all before it.
    fn fixed(&self, pinned: Option<Remembered>) -> Result<BTreeSet<usize>, NotTrusted> {
        let Some(pinned) = pinned else {
            return Ok(BTreeSet::new());
        };
        let found = self.nodes.iter().position(|node| node.head == pinned);
        let mut at = Some(found.ok_or(NotTrusted::RolledBack)?);
        let mut fixed = BTreeSet::new();
        while let Some(node) = at {
            fixed.insert(node);
            at = self.nodes[node].parent;
        }
        Ok(fixed)
    }

    /// The one of these entries, all of one number, that is in force.
    fn pick(&self, candidates: &[usize], fixed: &BTreeSet<usize>) -> Result<usize, NotSettled> {
        if let Some(fixed) = candidates.iter().find(|at| fixed.contains(at)) {
            return Ok(*fixed);
        }
        for (place, at) in candidates.iter().enumerate() {
            let mut others = candidates[..place].iter();
            if others.any(|other| self.nodes[*at].branch.contends(&self.nodes[*other].branch)) {
                let heads = candidates.iter().map(|at| self.nodes[*at].head);
                return Err(NotSettled::Frozen(heads.collect()));
            }
        }
        let first = candidates.iter().copied().max_by_key(|at| {
            let Node { rank, head, .. } = &self.nodes[*at];
            Reverse((*rank, head.head))
        });
        Ok(first.ok_or(NotTrusted::Entry {
            seq: 1,
            reason: Refused::Malformed,
        })?)
    }
}

impl Node {
    /// `trust` is what there is after `entry`.
    fn of(entry: &[u8], trust: Trust, parent: Option<usize>) -> Option<Self> {
        let frame = Frame::parse(entry, Kind::Trust).ok()?;
        let actor = Head::decode(frame.header)?.actor;
        let mut branch = Branch::default();
        let rank = match Body::decode(frame.unverified_body())? {
            Body::Revoke { device, .. } => {
                branch.removed.insert(device);
                Rank::Removes
            }
            Body::Recover { .. } => {
                branch.recovers = true;
                Rank::Removes
            }
            Body::Keys(_) => Rank::NewKeys,
            Body::Genesis { .. } | Body::SetRecovery { .. } | Body::AddDevice { .. } => Rank::Other,
        };
        // A recovery is signed by the kit.
        if !branch.recovers {
            branch.signers.insert(actor);
        }
        Some(Self {
            head: trust.remembered(),
            rank,
            trust: Some(trust),
            parent,
            children: Vec::new(),
            branch,
        })
    }
}

#[cfg(test)]
mod tests;
