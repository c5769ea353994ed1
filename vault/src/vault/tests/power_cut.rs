//! The power goes after each write of a day in a vault's life. What was acknowledged before must be there, and what
//! was being done is there in whole or not at all. (Making a vault is not part of the day: see [`Vault::open`].)

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Store(&'static str),
    Delete(&'static str),
    Count,
    Reset,
}

const DAY: [Step; 9] = [
    Step::Store("ann"),
    Step::Store("bob"),
    Step::Count,
    Step::Store("ann"),
    Step::Delete("bob"),
    Step::Reset,
    Step::Store("cat"),
    Step::Count,
    Step::Store("dan"),
];

/// What a vault shows: its users, oldest first, and its counter.
#[derive(Debug, Clone, PartialEq, Default)]
struct Model {
    users: Vec<&'static str>,
    count: u32,
}

impl Model {
    fn after(mut self, step: Step) -> Self {
        match step {
            Step::Store(user) => {
                self.users.retain(|other| *other != user);
                self.users.push(user);
            }
            Step::Delete(user) => self.users.retain(|other| *other != user),
            Step::Count => self.count += 1,
            Step::Reset => self.users.clear(),
        }
        self
    }

    fn shown_by(&self, vault: &Vault) -> bool {
        let expected: Vec<Vec<u8>> = self.users.iter().map(|user| user.as_bytes().to_vec()).collect();
        users(vault) == expected && vault.signature_count == self.count
    }
}

fn perform(vault: &mut Vault, rng: &mut TestRng, step: Step) -> Result<(), Error> {
    match step {
        Step::Store(user) => {
            let passkey = passkey(rng, "example.org", user);
            vault.store(rng, passkey, None)
        }
        Step::Delete(user) => {
            let find = |entry: &Entry| vault.load(&entry.id).unwrap().unwrap().user_id == user.as_bytes();
            let id = vault.entries().into_iter().find(find).unwrap().id;
            vault.delete(rng, &id, None).map(|_| ())
        }
        Step::Count => vault.next_signature_count(rng, None).map(|_| ()),
        Step::Reset => vault.reset(rng, &reset()),
    }
}

/// Lives the day until the power goes: what was acknowledged, and what would have been next.
fn live(vault: &mut Vault, rng: &mut TestRng) -> (Model, Option<Step>) {
    let mut model = Model::default();
    for step in DAY {
        if perform(vault, rng, step).is_err() {
            return (model, Some(step));
        }
        model = model.after(step);
    }
    (model, None)
}

#[test]
fn a_power_cut_after_any_write_loses_nothing_that_was_acknowledged() {
    let (mut cut_short, mut seeds) = (0, TestRng(0));
    for writes in 0.. {
        let disk = Disk::default();
        let mut vault = open(&disk);
        disk.cut_power_after(writes);
        let (model, next) = live(&mut vault, &mut TestRng(0));
        drop(vault);
        cut_short += u32::from(next.is_some());
        for kept in 0..4 {
            // None of the unsynced sectors, all of them, or half of them by chance.
            let left = disk.after_power_cut(|| match kept {
                0 => false,
                1 => true,
                _ => rand_core::Rng::next_u32(&mut seeds) % 2 == 0,
            });
            let vault = open(&left);
            let before = model.shown_by(&vault);
            let after = next.is_some_and(|step| model.clone().after(step).shown_by(&vault));
            assert!(
                before || after,
                "cut after {writes} writes, {kept}: {model:?}, {next:?}"
            );
        }
        if next.is_none() {
            break;
        }
    }
    assert!(cut_short > 50, "the day took only {cut_short} writes");
}
