//! The state folder: there or can be made, the user's own, and closed to everybody else.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, access};

use super::{Finding, Machine};

const CHECK: &str = "state folder";
/// Rights of the group and of others.
const OTHERS: u32 = 0o077;
/// Entries of the folder that are looked at.
const ENTRIES_MAX: usize = 1000;

pub(super) fn check(machine: &Machine) -> Finding {
    let folder = machine.state.as_path();
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => check_folder(machine, folder, &metadata),
        Ok(_) => Finding::fail(
            CHECK,
            format!("{shown} is not a folder"),
            "move it away, or give --state DIR",
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => check_parent(folder),
        Err(error) => {
            let mend = "give yourself access to the folders above it, or give --state DIR";
            Finding::fail(CHECK, format!("{shown} cannot be looked at: {error}"), mend)
        }
    }
}

fn check_parent(folder: &Path) -> Finding {
    let shown = folder.display();
    let parent = folder.ancestors().skip(1).find(|parent| parent.exists());
    match parent {
        Some(parent) if parent.is_dir() && access(parent, Access::WRITE_OK | Access::EXEC_OK).is_ok() => {
            Finding::ok(CHECK, format!("{shown} will be made"))
        }
        Some(_) | None => Finding::fail(
            CHECK,
            format!("{shown} is not there and cannot be made"),
            "make a folder that you may write to, and give it with --state DIR",
        ),
    }
}

fn check_folder(machine: &Machine, folder: &Path, metadata: &Metadata) -> Finding {
    let shown = folder.display();
    if metadata.uid() != machine.user {
        let mend = format!("sudo chown -R {} {shown}", machine.user);
        return Finding::fail(CHECK, format!("{shown} belongs to another user"), mend);
    }
    if access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Finding::fail(
            CHECK,
            format!("{shown} cannot be written"),
            format!("chmod 700 {shown}"),
        );
    }
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(ENTRIES_MAX);
    let foreign = entries.filter(|entry| {
        entry
            .metadata()
            .is_ok_and(|metadata| metadata.uid() != machine.user)
    });
    if let Some(entry) = foreign.into_iter().next() {
        let mend = format!("sudo chown -R {} {shown}", machine.user);
        return Finding::fail(
            CHECK,
            format!("{} belongs to another user", entry.path().display()),
            mend,
        );
    }
    if metadata.permissions().mode() & OTHERS != 0 {
        let found = format!("{shown} is open to other users of this computer");
        return Finding::warn(CHECK, found, format!("chmod 700 {shown}"));
    }
    Finding::ok(CHECK, format!("{shown} is yours alone"))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::testing::{MadeUp, expect};
    use super::*;

    const STATE: &str = "/home/alice/.local/state/wardkey";

    /// A machine whose user is the one who runs the tests.
    fn made() -> MadeUp {
        let mut made = MadeUp::empty();
        made.machine.user = rustix::process::geteuid().as_raw();
        made
    }

    fn set_mode(made: &MadeUp, mode: u32) {
        fs::set_permissions(&made.machine.state, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_that_can_be_made_is_well() {
        let made = made().with_folder("/home/alice");
        let found = format!("{} will be made", made.machine.state.display());
        expect(&check(&made.machine), Level::Ok, &found);
    }

    #[test]
    fn a_folder_of_one_s_own_is_well_and_an_open_one_is_not() {
        let made = made().with_folder(STATE);
        let shown = made.machine.state.display();
        set_mode(&made, 0o700);
        expect(
            &check(&made.machine),
            Level::Ok,
            &format!("{shown} is yours alone"),
        );
        set_mode(&made, 0o750);
        let found = format!("{shown} is open to other users of this computer");
        assert_eq!(
            expect(&check(&made.machine), Level::Warn, &found),
            format!("chmod 700 {shown}")
        );
    }

    #[test]
    fn a_folder_of_another_user_is_noticed() {
        let mut made = made().with_folder(STATE);
        made.machine.user = made.machine.user.wrapping_add(1);
        let found = format!("{} belongs to another user", made.machine.state.display());
        expect(&check(&made.machine), Level::Fail, &found);
    }

    #[test]
    fn a_file_in_its_place_or_above_it_is_noticed() {
        let made = made().with(STATE, "");
        let found = format!("{} is not a folder", made.machine.state.display());
        expect(&check(&made.machine), Level::Fail, &found);
        let mut below = made;
        below.machine.state = below.machine.state.join("below");
        assert_eq!(check(&below.machine).level, Level::Fail);
    }
}
