//! `wardkey recover --store URL`: takes a vault over with its recovery kit, on a computer that has nothing of it, from the
//! store where it is exchanged.

use std::collections::{BTreeMap, BTreeSet};

use wardkey_vault::{
    Attempts, Change, DeviceId, Event, Here, Kept, LogHead, MembershipPlaces, Name, OBJECT_LEN_MAX,
    ObjectHash, Recovered, RecoveryKit, Refused, Trust, VaultId, head_of, recover_anew, snapshot_of,
};

use super::exchange::{exchange, try_out};
use super::fetched::{Fetched, not_believed};
use super::join::{count, empty_folder, settle_in};
use super::opened::{not_changed, record};
use super::recover::{Owner, enter_kit_of, is_expected, report};
use super::{Call, init, now};
use crate::cli::membership::Recover;
use crate::cli::sync::StoreOptions;
use crate::error::Failure;
use crate::host;
use crate::remote::{Created, Patience, WaitingStore};
use crate::state::since_boot;

/// More vaults than anybody keeps in one place.
const VAULTS_MAX: usize = 64;

/// Takes the vault over: this computer is its only device from then on, and the others hear of it.
pub(super) fn recover_at_store(
    call: &mut Call<'_>,
    options: &Recover,
    store: &StoreOptions,
) -> Result<(), Failure> {
    let beginning = empty_folder(
        call.given,
        "give an empty folder: --state DIR; or recover that vault itself, without --store",
    )?;
    let storage = try_out(call, store)?;
    let store = WaitingStore::open(&storage.account, storage.capabilities, Patience::default())?;
    let (vault, kit) = choose_vault(call, &store)?;
    if !is_expected(&vault.trust, call.dialogue)? {
        return Err(Failure::new(
            "stopped; nothing was changed",
            "look for the storage that has the newest",
        ));
    }
    let Owner {
        mut keys,
        kit: new_kit,
        pin,
        limit,
        ..
    } = Owner::of(call, options, &vault.trust)?;
    let rng = &mut host::rng();
    let accepted = heads(&store, &vault)?;
    let snapshots = snapshots(&store, &vault)?;
    let object = |hash| vault.objects.get(&hash).cloned();
    let kept = Kept {
        entries: &vault.entries,
        object: &object,
    };
    let counted = count(&mut Attempts::from_bytes(None, since_boot()), call)?;
    let mut here = Here {
        device: init::new_device(),
        store: &mut *keys.keys,
        time: now(),
    };
    let here = (&mut here, &keys.auth);
    let recovered = recover_anew(
        kept,
        (&kit, (&accepted, &snapshots)),
        here,
        (pin, counted),
        &new_kit,
        rng,
    );
    let Recovered { change, joined } = recovered.map_err(|error| not_changed(error, &*keys.keys))?;
    call.dialogue.check_wanted()?;

    publish(&store, &vault, &change)?;
    let (mut vault, held) = settle_in(beginning, joined, &storage, None)?;
    record(&mut vault, Event::Recovered)?;
    exchange(call, &mut vault, &held, |_| {})?;
    report(call, &held, (&keys, limit), (vault.len(), accepted.len()))
}

/// Puts the change into the store, what it names first.
fn publish(store: &WaitingStore, vault: &Fetched, change: &Change) -> Result<(), Failure> {
    let places = MembershipPlaces::of(vault.trust.vault());
    for (name, bytes) in &change.before {
        if let Name::Object(hash) = name {
            store.create(&places.object(*hash), bytes)?;
        }
    }
    let (_, entry) = &change.commit;
    let place = places.entry(vault.trust.remembered().seq + 1);
    // A store that replaces what is there has kept what came last.
    let is_new = store.create(&place, entry)? == Created::New;
    if !is_new || store.get(&place, OBJECT_LEN_MAX)?.as_ref() != Some(entry) {
        return Err(Failure::new(
            "another device changed who can open the vault at the same moment; nothing was changed",
            "begin again",
        ));
    }
    Ok(())
}

/// The vault that the kit is of, of all that the store has.
fn choose_vault(call: &mut Call<'_>, store: &WaitingStore) -> Result<(Fetched, RecoveryKit), Failure> {
    let listed = store.list("pkv1/")?;
    let names = listed.iter().map(|object| object.name.as_str());
    let ids: Vec<VaultId> = names
        .filter_map(MembershipPlaces::vault_of_first_entry)
        .take(VAULTS_MAX)
        .collect();
    let mut vaults = Vec::new();
    let mut damaged = None;
    for id in ids {
        match Fetched::of(store, id, None) {
            Ok(vault) => vaults.push(vault),
            Err(failure) => damaged = Some(failure),
        }
    }
    if vaults.is_empty() {
        return Err(damaged.unwrap_or_else(|| {
            Failure::new(
                "there is no vault at this address",
                "give the address that the other devices have: wardkey sync status",
            )
        }));
    }
    let kits: Vec<_> = vaults.iter().filter_map(|vault| vault.trust.recovery()).collect();
    let kit = enter_kit_of(&kits, call.dialogue)?;
    let is_of = |vault: &Fetched| vault.trust.recovery() == Some(&kit.public());
    let vault = vaults.into_iter().find(is_of);
    Ok((vault.expect("the kit is of one of them"), kit))
}

/// How far the log of each device goes, as the store shows it and the device has signed.
fn heads(store: &WaitingStore, vault: &Fetched) -> Result<BTreeMap<DeviceId, LogHead>, Failure> {
    let places = MembershipPlaces::of(vault.trust.vault());
    let listed = store.list(&places.logs())?;
    let names = listed.iter().map(|object| object.name.as_str());
    let mut heads: BTreeMap<_, _> = vault
        .trust
        .members()
        .map(|device| (device, LogHead::START))
        .collect();
    for (device, name) in places.last_of_logs(names) {
        heads.extend(signed_by(store, vault, (device, &name), head_of)?.map(|head| (device, head)));
    }
    Ok(heads)
}

/// The newest snapshot of each device: what it covers may be nowhere else any more.
fn snapshots(store: &WaitingStore, vault: &Fetched) -> Result<BTreeSet<ObjectHash>, Failure> {
    let places = MembershipPlaces::of(vault.trust.vault());
    let listed = store.list(&places.snapshots())?;
    let names = listed.iter().map(|object| object.name.as_str());
    let mut snapshots = BTreeSet::new();
    for (device, name) in places.newest_snapshots(names) {
        snapshots.extend(signed_by(store, vault, (device, &name), snapshot_of)?);
    }
    Ok(snapshots)
}

/// Finds out who signed an object, and something of it.
type Reader<T> = fn(&Trust, &[u8]) -> Result<(DeviceId, T), Refused>;

/// What `read` finds in an object, if its author is a member; it has to be `device`.
fn signed_by<T>(
    store: &WaitingStore,
    vault: &Fetched,
    (device, name): (DeviceId, &str),
    read: Reader<T>,
) -> Result<Option<T>, Failure> {
    if vault.trust.member(device).is_none() {
        return Ok(None);
    }
    let object = store.get(name, OBJECT_LEN_MAX)?.unwrap_or_default();
    match read(&vault.trust, &object) {
        Ok((author, found)) if author == device => Ok(Some(found)),
        Ok(_) => Err(not_believed(&Refused::Misplaced)),
        Err(refused) => Err(not_believed(&refused)),
    }
}
