//! The memory of a running key, for whoever may look into it.

use std::fs::{File, read_to_string};
use std::os::unix::fs::FileExt as _;

use super::Key;

/// All that the key has in memory and may write to.
pub(crate) fn memory_of(key: &Key) -> Vec<u8> {
    let maps = read_to_string(key.about("maps")).unwrap_or_default();
    let Ok(memory) = File::open(key.about("mem")) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut part = vec![0; usize::try_from(end - start).unwrap()];
        if memory.read_exact_at(&mut part, start).is_ok() {
            all.extend(part);
        }
    }
    all
}
