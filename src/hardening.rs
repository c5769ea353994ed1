//! Keeps what is in this process's memory in this process: no core dumps, no debugger of another process of this user, and
//! nothing in swap where memory may be locked.
//!
//! Locking is all or nothing. Under a limit, which is 8 MiB on most systems, what is locked now would make later
//! allocations fail: opening the vault takes more than that for a moment.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

const NOTHING: Rlimit = Rlimit {
    current: Some(0),
    maximum: Some(0),
};
const UNLIMITED: Rlimit = Rlimit {
    current: None,
    maximum: None,
};

/// user_namespaces(7): the map of the first namespace, in which capabilities mean what they say.
const ALL_USERS: [&str; 3] = ["0", "0", "4294967295"];

/// For the rest of this process. Where the kernel refuses something, all else works the same.
pub(crate) fn protect_memory() {
    // A kernel that hands core dumps to a program does not look at the limit. Programs that this one starts have the
    // limit as well, and some are told a PIN.
    let _ = setrlimit(Resource::Core, NOTHING);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if may_lock_memory() {
        let _ = setrlimit(Resource::Memlock, UNLIMITED);
        // Each page from its first use on, so that no page is used for that alone.
        let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    }
}

/// Whether this process can keep all of its memory out of swap, however much it becomes.
pub(crate) fn may_lock_memory() -> bool {
    getrlimit(Resource::Memlock).maximum.is_none() || is_privileged()
}

fn is_privileged() -> bool {
    let has_capability =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    has_capability
        && std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.split_whitespace().eq(ALL_USERS))
}
