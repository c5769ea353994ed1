//! How devices exchange passkeys: what a new device has to read, when a change is on another device, and what each of
//! that is in requests and bytes. The store is Garage on this computer, reached through a way that counts; the devices
//! are wardkey as it runs everywhere.

mod computer;
mod counting;
mod garage;
pub(crate) mod output;

use std::collections::BTreeMap;
use std::time::Duration;

use wardkey_sim::clock;

use self::computer::{Computer, Joining, Place};
use self::counting::{Traffic, Way};
use self::garage::Garage;
use crate::failure::Failure;
use crate::operations;
use crate::samples::Samples;
use crate::schedule::Plan;
use crate::subjects::Opened;

/// So many devices have one vault.
const DEVICES: [usize; 3] = [2, 5, 20];
/// Before a change, for so long there was none, and so often that is measured.
const QUIET_BEFORE: [(Duration, usize); 2] = [(Duration::from_secs(1), 20), (Duration::from_secs(10), 10)];
/// Changes come at other moments each time, as seen from the device that looks for them.
const SHIFT_MS: u64 = 370;
/// How often a new device is let in, and how often the store is tried out.
const ROUNDS: usize = 3;
/// Nothing is under way any more when for so long nobody did more than look whether there is something.
const REST: Duration = Duration::from_secs(5);
/// How long devices are watched that have nothing to do.
const IDLE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(300);

/// All that was measured.
pub(crate) struct Measured {
    store: String,
    alone: BTreeMap<String, Samples>,
    joins: Vec<Join>,
    changes: Vec<Change>,
    /// How long it took that a passkey was on another device, by how long there was no change before.
    seen: Vec<(Duration, Samples)>,
}

/// How passkeys came into a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Before it was exchanged.
    AtOnce,
    /// Each was in the store before the next was made.
    OneByOne,
}

/// A new device, and what is in the vault.
struct Join {
    passkeys: u32,
    made: Made,
    times: Samples,
    traffic: Traffic,
    /// What the vault had written until then.
    stored_bytes: u64,
}

/// What one change is, with so many devices running.
struct Change {
    devices: usize,
    /// Until all of them had it.
    duration: Duration,
    traffic: Traffic,
    /// All of them, with nothing to do, for [`IDLE`].
    idle: Traffic,
    /// The last of them, when it was let in.
    joining: Joining,
}

/// Measures everything.
pub(crate) fn measure(plan: &Plan<'_>) -> Result<Measured, Failure> {
    let garage = Garage::start(&plan.folder.join("store"))?;
    let way = Way::to(garage.s3)?;
    let few = (plan.some / 100).max(2);
    let mut joins = vec![join(plan, &way, (1, Made::AtOnce))?];
    for passkeys in [few, few * 10, few * 100] {
        for made in [Made::AtOnce, Made::OneByOne] {
            joins.push(join(plan, &way, (passkeys, made))?);
        }
    }
    let place = place(plan, &way, "company");
    let first = Computer::first(&place)?;
    register_at_once(&first, few)?;
    first.exchange_from_now_on()?;
    let alone = first.try_store(rounds(plan))?;
    let (changes, seen) = in_company(plan, &way, first)?;
    Ok(Measured {
        store: garage.version()?,
        alone,
        joins,
        changes,
        seen,
    })
}

fn rounds(plan: &Plan<'_>) -> usize {
    if plan.quick { 1 } else { ROUNDS }
}

/// A vault of its own.
fn place<'a>(plan: &Plan<'a>, way: &'a Way, name: &str) -> Place<'a> {
    Place {
        wardkey: plan.wardkey,
        way,
        url: garage::url(way.address, name),
        folder: plan.folder.join(name),
    }
}

/// Lets devices into a vault with so many passkeys.
fn join(plan: &Plan<'_>, way: &Way, (passkeys, made): (u32, Made)) -> Result<Join, Failure> {
    eprintln!("a new device, {passkeys} passkeys, {made:?}");
    let place = place(plan, way, &format!("{made:?}-{passkeys}"));
    let first = Computer::first(&place)?;
    let before = way.traffic();
    match made {
        Made::AtOnce => {
            register_at_once(&first, passkeys)?;
            first.exchange_from_now_on()?;
        }
        Made::OneByOne => {
            first.exchange_from_now_on()?;
            register_one_by_one(&first, way, passkeys)?;
        }
    }
    let stored_bytes = (way.traffic() - before).written_bytes;
    // The first one; those after it find one device more.
    let (_, Joining { duration, traffic }) = first.let_in(2)?;
    let mut times = Samples::default();
    times.push(duration);
    for number in 1..rounds(plan) {
        times.push(first.let_in(number + 2)?.1.duration);
    }
    Ok(Join {
        passkeys,
        made,
        times,
        traffic,
        stored_bytes,
    })
}

fn register_at_once(computer: &Computer<'_>, passkeys: u32) -> Result<(), Failure> {
    let mut key = computer.key()?;
    for number in 0..passkeys {
        operations::register(&mut key.client, number)?;
    }
    end(key)
}

fn register_one_by_one(computer: &Computer<'_>, way: &Way, passkeys: u32) -> Result<(), Failure> {
    let mut key = computer.key()?;
    for number in 0..passkeys {
        // The object, and the hint.
        let written = way.traffic().writes + 2;
        operations::register(&mut key.client, number)?;
        until("a passkey in the store", || Ok(way.traffic().writes >= written))?;
    }
    rest(way)?;
    end(key)
}

type Seen = Vec<(Duration, Samples)>;

/// More and more devices of one vault, and what they do when one of them changes something.
fn in_company(plan: &Plan<'_>, way: &Way, first: Computer<'_>) -> Result<(Vec<Change>, Seen), Failure> {
    let (mut changes, mut seen) = (Vec::new(), Vec::new());
    let mut computers = vec![first];
    let mut numbers = 1_000_000..;
    for devices in DEVICES {
        eprintln!("{devices} devices");
        let mut last = None;
        while let (Some(first), true) = (computers.first(), computers.len() < devices) {
            let (new, joining) = first.let_in(computers.len() + 1)?;
            computers.push(new);
            last = Some(joining);
        }
        let keys = computers.iter().map(Computer::key);
        let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
        if devices == 2 {
            seen = see(plan, way, &mut keys, &mut numbers)?;
        }
        if let (Some(joining), Some(number)) = (last, numbers.next()) {
            changes.push(change(way, &mut keys, number, joining)?);
        }
        for key in keys {
            end(key)?;
        }
    }
    Ok((changes, seen))
}

/// When a passkey that was made on one device is on the others.
fn see(
    plan: &Plan<'_>,
    way: &Way,
    keys: &mut [Opened],
    numbers: &mut impl Iterator<Item = u32>,
) -> Result<Seen, Failure> {
    let mut all = Vec::new();
    for (quiet, count) in QUIET_BEFORE {
        eprintln!("a change after {} s", quiet.as_secs());
        rest(way)?;
        make_one(keys, numbers.next().unwrap_or_default())?;
        let mut samples = Samples::default();
        let mut shift = 0;
        for number in numbers.take(if plan.quick { count / 10 } else { count }) {
            shift = (shift + SHIFT_MS) % 1000;
            clock::pause(quiet + Duration::from_millis(shift));
            samples.push(make_one(keys, number)?);
        }
        all.push((quiet, samples));
    }
    Ok(all)
}

/// A passkey is made on the first, and used on all others as soon as they have it.
fn make_one(keys: &mut [Opened], number: u32) -> Result<Duration, Failure> {
    let Some((maker, others)) = keys.split_first_mut() else {
        return Ok(Duration::ZERO);
    };
    let start = clock::now();
    let id = operations::register(&mut maker.client, number)?;
    for other in others {
        until("a passkey on another device", || {
            operations::logs_in(&mut other.client, number, &id)
        })?;
    }
    Ok(start.elapsed())
}

fn change(way: &Way, keys: &mut [Opened], number: u32, joining: Joining) -> Result<Change, Failure> {
    rest(way)?;
    let before = way.traffic();
    let duration = make_one(keys, number)?;
    rest(way)?;
    let after = way.traffic();
    clock::pause(IDLE);
    Ok(Change {
        devices: keys.len(),
        duration,
        traffic: after - before,
        idle: way.traffic() - after,
        joining,
    })
}

/// Waits until nobody has anything to say or to read.
fn rest(way: &Way) -> Result<(), Failure> {
    let mut seen = (clock::now(), way.traffic().requests_but_polls());
    until("the devices at rest", || {
        let requests = way.traffic().requests_but_polls();
        if requests != seen.1 {
            seen = (clock::now(), requests);
        }
        Ok(seen.0.elapsed() > REST)
    })
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let start = clock::now();
    while !is_so()? {
        if start.elapsed() > PATIENCE {
            return Err(Failure::new(
                format!("never saw {what}"),
                "run the two devices by hand: wardkey sync status",
            ));
        }
        clock::pause(Duration::from_millis(2));
    }
    Ok(())
}

/// Unplugs the key, and lets it end.
fn end(key: Opened) -> Result<(), Failure> {
    let Opened { client, process } = key;
    drop(client);
    process.end()
}
