//! What this device says: from the outbox to an object that is signed, kept, and published.

use std::ops::ControlFlow;

use super::Vault;
use crate::database::{Change, Meta};
use crate::frame::{SealedKind, Unsigned};
use crate::object::{self, LogHead, Position};
use crate::seal::Place;
use crate::signature::{Signature, SignedHash};
use crate::sync::{DatedBytes, encode_entry};
use crate::{Error, ObjectHash};
use rand_core::CryptoRng;

/// How many bytes of operations are put into one object, more or less.
const OBJECT_LEN: usize = 192 << 10;
/// How many operations at most.
const OBJECT_OPERATIONS: usize = 1024;
/// What this device has to say, to be signed by it.
pub struct ToSign {
    object: Unsigned,
    /// The operations in it are those before this number.
    end: u64,
}

impl ToSign {
    /// For the device's key store.
    pub fn hash(&self) -> &SignedHash {
        self.object.to_sign()
    }
}

/// Operations that go into one object, and the number after theirs.
struct Batch {
    operations: Vec<DatedBytes>,
    end: u64,
}

impl Vault {
    /// What this device has to say next, to be signed by it; `None` where there is nothing, or something that was signed
    /// is not in the store yet. That it has read something counts only where it `answers`. `unix_ms` is the time.
    pub fn next_object(
        &self,
        rng: &mut dyn CryptoRng,
        unix_ms: u64,
        answers: bool,
    ) -> Result<Option<ToSign>, Error> {
        let (Some(replica), Some(member), Some(session)) = (&self.replica, &self.member, &self.session)
        else {
            return Ok(None);
        };
        if self.database.meta(Meta::Formed)?.is_some() {
            return Ok(None);
        }
        let Batch { mut operations, end } = self.waiting_operations()?;
        if operations.is_empty() && !(answers && replica.standing.owes_an_answer) {
            return Ok(None);
        }
        // In another life it may have read what nobody has any more: its log does not go back behind that.
        let told = self.told(member.device)?;
        let others = replica.standing.versions.without(member.device).joined(&told);
        let news = others.since(&told);
        let mut time = (unix_ms << 16).max(replica.standing.time + 1);
        for dated in &mut operations {
            dated.reach = others.beyond(&dated.reach);
            time = time.max(dated.time);
        }
        let own = replica.own_head(member.device);
        let known = member.trust.remembered();
        let position = Position {
            author: member.device,
            incarnation: replica.standing.incarnation,
            seq: own.seq() + 1,
            previous: own.hash(),
            time,
            trust_seq: known.seq,
            trust_head: known.head,
            seen: others.hash(),
        };
        // The root key was replaced since the vault was opened.
        let Some(key) = session.keys.get(&member.trust.epoch()) else {
            return Ok(None);
        };
        let entry = encode_entry(&news, &operations);
        let object = object::seal(key, SealedKind::Log, position, entry, rng).ok_or(Error::TooLarge)?;
        Ok(Some(ToSign { object, end }))
    }

    /// The operations that go into the next object, and the number after theirs.
    fn waiting_operations(&self) -> Result<Batch, Error> {
        let (mut operations, mut len, mut end) = (Vec::new(), 0, 0);
        self.database.outbox(|number, sealed| {
            let dated = self.keys.open(Place::Outbox(number), sealed)?;
            let dated = DatedBytes::decode(&dated).ok_or(Error::Tampered)?;
            len += dated.len();
            end = number + 1;
            operations.push(dated);
            let full = len >= OBJECT_LEN || operations.len() == OBJECT_OPERATIONS;
            Ok(if full {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(Batch { operations, end })
    }

    /// Keeps what this device said and signed, until the store has it.
    pub fn keep_object(&mut self, said: ToSign, signature: &Signature) -> Result<(), Error> {
        let object = said.object.signed(signature);
        let formed = [&said.end.to_be_bytes(), object.as_slice()].concat();
        self.database.apply(&Change {
            put_meta: vec![(Meta::Formed, formed)],
            ..Change::default()
        })
    }

    /// The object of this device that is to be put into the store, and where in its log that is.
    pub(crate) fn object_to_publish(&self) -> Result<Option<(LogHead, Vec<u8>)>, Error> {
        let (Some(replica), Some(formed)) = (&self.replica, self.database.meta(Meta::Formed)?) else {
            return Ok(None);
        };
        let object = formed.get(8..).ok_or(Error::Tampered)?;
        let seq = replica.own_head(self.device_id()).seq() + 1;
        let head = LogHead::new(replica.standing.incarnation, seq, ObjectHash::of(object));
        Ok(Some((head, object.to_vec())))
    }

    /// Whether others wait to hear that something was read.
    pub(crate) fn owes_an_answer(&self) -> bool {
        self.replica
            .as_ref()
            .is_some_and(|replica| replica.standing.owes_an_answer)
    }

    /// As if what was signed had never been.
    #[cfg(test)]
    pub(crate) fn disown(&mut self) -> Result<(), Error> {
        self.database.apply(&Change {
            remove_meta: vec![Meta::Formed],
            ..Change::default()
        })
    }
}
