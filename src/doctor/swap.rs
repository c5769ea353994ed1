//! Swap: what the key has in memory may be written there, unless that memory is locked.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

use super::{Finding, Machine};

const CHECK: &str = "swap";

/// Devices below devices that are looked through, such as a volume on an encrypted disk.
const DEPTH_MAX: u32 = 8;

pub(super) fn check(machine: &Machine) -> Finding {
    let swaps = machine.read("/proc/swaps").unwrap_or_default();
    // The first line names the columns.
    let swaps: Vec<&str> = swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let unsafe_ones: Vec<&str> = swaps
        .iter()
        .copied()
        .filter(|swap| !is_safe(machine, Path::new(swap)))
        .collect();
    if swaps.is_empty() {
        return Finding::ok(
            CHECK,
            "this computer has none, so that memory is not written to a disk",
        );
    }
    if machine.may_lock_memory {
        return Finding::ok(CHECK, "what the key has in memory is locked there");
    }
    if unsafe_ones.is_empty() {
        return Finding::ok(
            CHECK,
            format!("{} is encrypted, or in memory itself", swaps.join(", ")),
        );
    }
    let mend = format!(
        "sudo setcap cap_ipc_lock=ep {}\nor encrypt the swap",
        machine.program.display()
    );
    let found = format!(
        "what the key has in memory may be written to {}, which is not known to be encrypted",
        unsafe_ones.join(", ")
    );
    Finding::warn(CHECK, found, mend)
}

fn is_safe(machine: &Machine, swap: &Path) -> bool {
    let Some(device) = device_of(machine, swap) else {
        return false;
    };
    is_compressed_memory(&device) || is_encrypted(&device, DEPTH_MAX)
}

/// The folder of sysfs that describes what is swapped to: a device, or the device that a file is on.
fn device_of(machine: &Machine, swap: &Path) -> Option<PathBuf> {
    if let Ok(name) = swap.strip_prefix("/dev") {
        return Some(machine.path("/sys/class/block").join(name));
    }
    let device = fs::metadata(machine.path(swap.to_str()?)).ok()?.dev();
    let number = format!("{}:{}", major(device), minor(device));
    Some(machine.path("/sys/dev/block").join(number))
}

/// zram, unless it writes to a disk what it cannot compress.
fn is_compressed_memory(device: &Path) -> bool {
    let is_zram = device
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with("zram"));
    let disk = fs::read_to_string(device.join("backing_dev"));
    is_zram && disk.map_or(true, |disk| disk.trim() == "none")
}

/// dm-crypt, or a volume of which each part is on dm-crypt.
fn is_encrypted(device: &Path, depth_left: u32) -> bool {
    let uuid = fs::read_to_string(device.join("dm/uuid"));
    if uuid.is_ok_and(|uuid| uuid.starts_with("CRYPT-")) {
        return true;
    }
    let below = fs::read_dir(device.join("slaves"))
        .into_iter()
        .flatten()
        .flatten();
    let mut below = below.map(|entry| entry.path()).peekable();
    depth_left > 0
        && below.peek().is_some()
        && below.all(|device| is_encrypted(&device, depth_left.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::testing::{MadeUp, expect};
    use super::*;

    fn made(swaps: &[&str]) -> MadeUp {
        let lines = swaps.iter().map(|swap| format!("{swap}  partition  1000 0 -2\n"));
        let text = ["Filename Type Size Used Priority\n".to_owned()]
            .into_iter()
            .chain(lines);
        MadeUp::empty().with("/proc/swaps", text.collect::<String>())
    }

    fn is_well(made: &MadeUp) {
        let found = check(&made.machine);
        assert_eq!(found.level, Level::Ok, "{}", found.found);
    }

    #[track_caller]
    fn is_warned_of(made: &MadeUp, swap: &str) {
        let found = format!(
            "what the key has in memory may be written to {swap}, which is not known to be encrypted"
        );
        let mend = expect(&check(&made.machine), Level::Warn, &found);
        assert_eq!(
            mend,
            "sudo setcap cap_ipc_lock=ep /usr/bin/wardkey\nor encrypt the swap"
        );
    }

    #[test]
    fn no_swap_is_well() {
        let found = "this computer has none, so that memory is not written to a disk";
        expect(&check(&MadeUp::empty().machine), Level::Ok, found);
        expect(&check(&made(&[]).machine), Level::Ok, found);
    }

    #[test]
    fn a_plain_partition_is_not() {
        is_warned_of(&made(&["/dev/sda2"]), "/dev/sda2");
        let volume = made(&["/dev/dm-1"]).with("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n");
        is_warned_of(&volume, "/dev/dm-1");
        let on_disk = volume.with_folder("/sys/class/block/dm-1/slaves/sda3");
        is_warned_of(&on_disk, "/dev/dm-1");
    }

    #[test]
    fn an_encrypted_one_is_well_and_so_is_a_volume_on_it() {
        is_well(&made(&["/dev/dm-0"]).with("/sys/class/block/dm-0/dm/uuid", "CRYPT-PLAIN-swap\n"));
        let volume = made(&["/dev/dm-1"])
            .with("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n")
            .with("/sys/class/block/dm-1/slaves/dm-0/dm/uuid", "CRYPT-LUKS2-def\n");
        is_well(&volume);
        let in_part = volume.with_folder("/sys/class/block/dm-1/slaves/sdb");
        is_warned_of(&in_part, "/dev/dm-1");
    }

    #[test]
    fn compressed_memory_is_well_unless_it_spills() {
        let zram = made(&["/dev/zram0"]).with("/sys/class/block/zram0/backing_dev", "none\n");
        is_well(&zram);
        is_warned_of(
            &zram.with("/sys/class/block/zram0/backing_dev", "/dev/sdb\n"),
            "/dev/zram0",
        );
    }

    #[test]
    fn a_file_is_as_good_as_the_disk_it_is_on() {
        let made = made(&["/swap.img"]).with("/swap.img", "");
        is_warned_of(&made, "/swap.img");
        let device = fs::metadata(made.machine.path("/swap.img")).unwrap().dev();
        let uuid = format!("/sys/dev/block/{}:{}/dm/uuid", major(device), minor(device));
        is_well(&made.with(&uuid, "CRYPT-LUKS2-def\n"));
    }

    #[test]
    fn the_ones_that_are_not_encrypted_are_named() {
        let made = made(&["/dev/zram0", "/dev/sda2", "/dev/sdb1"]);
        is_warned_of(&made, "/dev/sda2, /dev/sdb1");
    }

    #[test]
    fn locked_memory_is_well() {
        let mut made = made(&["/dev/sda2"]);
        made.machine.may_lock_memory = true;
        expect(
            &check(&made.machine),
            Level::Ok,
            "what the key has in memory is locked there",
        );
    }
}
