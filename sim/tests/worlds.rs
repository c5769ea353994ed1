//! Worlds of several devices and a store that cannot be relied on: `cargo xtask sim` runs more of them.

use wardkey_sim::world;

/// The seeds that found something, and what: all of it is mended.
const FOUND: [(u64, &str); 20] = [
    (
        1,
        "a device that joined ended its dialogue where a slot that it never had was not listed",
    ),
    (
        13,
        "a removed device forgot in the next round that it was removed",
    ),
    (
        19,
        "a store that said that a name was taken made a device sign a number twice",
    ),
    (
        47,
        "what one had read of a removed device after its end was waited for by all others",
    ),
    (52, "what was taken back from the trash could be taken back again"),
    (
        73,
        "a deletion that was read beat what waited to be told, which is newer",
    ),
    (
        137,
        "that the Vault PIN is needed went unnoticed where something else was wrong, too",
    ),
    (
        181,
        "slots that only an entry in between needs were lost, and nobody could go on",
    ),
    (
        204,
        "where a request was lost, an entry was written without what it names",
    ),
    (
        282,
        "the check itself: who has to unlock the vault anew has not compared the store yet",
    ),
    (
        413,
        "an entry that was read back as something else was given up with all that it names",
    ),
    (
        143,
        "what a member had read of a removed device was passed over in the round that read of the removal",
    ),
    (774, "two lives of a device made snapshots under one number"),
    (
        1098,
        "a slot that the store lost and nobody had any more stopped a vault for good",
    ),
    (1116, "healing wrote over what was there since"),
    (
        1391,
        "the world itself: a device that another one had just removed was to be removed",
    ),
    (
        1599,
        "a removed device put back what the others had removed since",
    ),
    (
        2697,
        "the world itself: what was signed before a copy and sent after it was not known",
    ),
    (
        3264,
        "what is missing could not be told, and passkeys counted as backed up",
    ),
    (
        3320,
        "a device that was put back said that it had read less than its log says",
    ),
];

fn run(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let outcome = world::run(seed);
        assert!(outcome.is_good(), "{outcome}");
    }
}

#[test]
fn what_was_found_is_mended() {
    for (seed, what) in FOUND {
        let outcome = world::run(seed);
        assert!(outcome.is_good(), "{what}\n{outcome}");
    }
}

#[test]
fn in_the_first_worlds_all_is_well() {
    run(0..20);
}
