//! What a store has of who belongs to a vault, for a computer that has nothing of it yet.

use std::collections::BTreeMap;

use wardkey_vault::{MembershipPlaces, NotJoined, OBJECT_LEN_MAX, ObjectHash, Remembered, Trust, VaultId};

use crate::error::Failure;
use crate::remote::WaitingStore;

/// More than the trust log of a person has.
const ENTRIES_LEN_MAX: usize = 16 << 20;

/// The trust log, and what it names.
pub(super) struct Fetched {
    pub(super) trust: Trust,
    pub(super) entries: Vec<Vec<u8>>,
    pub(super) objects: BTreeMap<ObjectHash, Vec<u8>>,
}

impl Fetched {
    /// Of this vault; `known` is an entry that has to be there.
    pub(super) fn of(
        store: &WaitingStore,
        vault: VaultId,
        known: Option<Remembered>,
    ) -> Result<Self, Failure> {
        let places = MembershipPlaces::of(vault);
        let mut entries = Vec::new();
        let mut len = 0;
        for number in 1.. {
            let Some(entry) = store.get(&places.entry(number), OBJECT_LEN_MAX)? else {
                break;
            };
            len += entry.len();
            if len > ENTRIES_LEN_MAX {
                return Err(Failure::new(
                    "the storage has more about this vault than there can be",
                    "look into who writes there",
                ));
            }
            entries.push(entry);
        }
        let trust = Trust::read(entries.iter().map(Vec::as_slice), known);
        let trust = trust.map_err(|error| not_believed(&error))?;
        if trust.vault() != vault {
            return Err(not_believed(&NotJoined::OtherVault));
        }
        let mut objects = BTreeMap::new();
        for hash in trust.objects_in_force() {
            if let Some(object) = store.get(&places.object(hash), OBJECT_LEN_MAX)? {
                objects.insert(hash, object);
            }
        }
        Ok(Self {
            trust,
            entries,
            objects,
        })
    }
}

/// What the store shows is not what a device of the vault has written.
pub(super) fn not_believed(reason: &dyn std::error::Error) -> Failure {
    Failure::new(
        reason,
        "whoever runs the storage may be trying to get in: look into it before you begin again",
    )
}
