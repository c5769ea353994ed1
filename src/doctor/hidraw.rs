//! Whether programs of this user may open the key's `/dev/hidraw*`. A key that is plugged in shows it; without
//! one, the rules of udev and the login manager tell what would happen: udev's `fido_id` recognises a key by its
//! report descriptor, and logind gives it to whoever sits at the machine.

use std::fs;
use std::path::PathBuf;

use rustix::fs::{Access, access};

use super::{Finding, Machine, has_file};

const CHECK: &str = "hidraw";

/// The first item of a FIDO report descriptor: Usage Page (0xF1D0) (CTAP 2.3 §11.2.8.2).
const FIDO_USAGE_PAGE: [u8; 3] = [0x06, 0xd0, 0xf1];

const RULE_FOLDERS: [&str; 4] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];

pub(super) fn check(machine: &Machine) -> Finding {
    let keys = keys(machine);
    let closed: Vec<&str> = keys
        .iter()
        .filter(|key| !key.may_be_opened)
        .map(|key| key.name.as_str())
        .collect();
    if !closed.is_empty() {
        let found = format!(
            "/dev/{} is a security key that you may not open",
            closed.join(", /dev/")
        );
        return Finding::warn(CHECK, found, rule(machine));
    }
    if !keys.is_empty() {
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        return Finding::ok(
            CHECK,
            format!("you may open the security key /dev/{}", names.join(", /dev/")),
        );
    }
    if !machine.path("/run/udev/control").exists() {
        let found = "udev does not run, so nothing gives you access to the key";
        return Finding::warn(CHECK, found, "start systemd-udevd, or use the key as root");
    }
    let has_rule = |is_it: fn(&str) -> bool| {
        RULE_FOLDERS
            .iter()
            .any(|folder| has_file(&machine.path(folder), is_it))
    };
    let is_recognised = has_rule(|name| name.ends_with("-fido-id.rules"))
        || has_rule(|name| name.ends_with("-u2f.rules"))
        || has_rule(|name| name.ends_with("-wardkey.rules"));
    if !is_recognised {
        return Finding::warn(CHECK, "udev has no rule for security keys", rule(machine));
    }
    if machine.is_root() {
        return Finding::ok(
            CHECK,
            "udev recognises security keys, and root may open every device",
        );
    }
    if machine.is_remote_login || !machine.path("/run/systemd/seats").is_dir() {
        let found =
            "only who sits at this computer gets access to the key, and you are logged in from elsewhere";
        return Finding::warn(CHECK, found, rule(machine));
    }
    Finding::ok(
        CHECK,
        "udev recognises security keys, and logind gives you access",
    )
}

/// Gives the key to this user, whoever sits where.
fn rule(machine: &Machine) -> String {
    let super::UsbId { vendor, product } = machine.usb_id;
    format!(
        "echo 'SUBSYSTEM==\"hidraw\", ATTRS{{idVendor}}==\"{vendor:04x}\", ATTRS{{idProduct}}==\"{product:04x}\", \
         TAG+=\"uaccess\", OWNER=\"{}\", MODE=\"0660\"' | sudo tee /etc/udev/rules.d/60-wardkey.rules\n\
         sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=hidraw",
        machine.user
    )
}

struct Key {
    name: String,
    may_be_opened: bool,
}

/// The security keys that are plugged in, by whichever maker.
fn keys(machine: &Machine) -> Vec<Key> {
    let entries = fs::read_dir(machine.path("/sys/class/hidraw"))
        .into_iter()
        .flatten()
        .flatten();
    let mut keys: Vec<Key> = entries
        .filter(|entry| {
            let descriptor = fs::read(entry.path().join("device/report_descriptor"));
            descriptor.is_ok_and(|descriptor| descriptor.starts_with(&FIDO_USAGE_PAGE))
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .map(|name| {
            let device: PathBuf = machine.path("/dev").join(&name);
            Key {
                may_be_opened: access(&device, Access::READ_OK | Access::WRITE_OK).is_ok(),
                name,
            }
        })
        .collect();
    keys.sort_by(|one, other| one.name.cmp(&other.name));
    keys
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::testing::{MadeUp, expect};
    use super::*;

    fn with_udev() -> MadeUp {
        MadeUp::empty().with("/run/udev/control", "")
    }

    fn with_rules() -> MadeUp {
        with_udev().with("/usr/lib/udev/rules.d/60-fido-id.rules", "")
    }

    fn with_key(made: MadeUp) -> MadeUp {
        made.with(
            "/sys/class/hidraw/hidraw3/device/report_descriptor",
            [0x06, 0xd0, 0xf1, 0x09, 0x01],
        )
        .with(
            "/sys/class/hidraw/hidraw0/device/report_descriptor",
            [0x05, 0x01, 0x09, 0x06],
        )
    }

    #[test]
    fn a_key_that_may_be_opened_is_well() {
        let made = with_key(MadeUp::empty()).with("/dev/hidraw3", "");
        expect(
            &check(&made.machine),
            Level::Ok,
            "you may open the security key /dev/hidraw3",
        );
    }

    #[test]
    fn a_key_that_may_not_be_opened_gets_a_rule() {
        // A device that is not there cannot be opened even by root, who runs some tests.
        let made = with_key(MadeUp::empty());
        let found = "/dev/hidraw3 is a security key that you may not open";
        let mend = expect(&check(&made.machine), Level::Warn, found);
        assert!(
            mend.contains("ATTRS{idVendor}==\"1209\", ATTRS{idProduct}==\"3a7d\""),
            "{mend}"
        );
    }

    #[test]
    fn udev_and_a_seat_are_enough_before_a_key_is_plugged_in() {
        let made = with_rules().with_folder("/run/systemd/seats");
        expect(
            &check(&made.machine),
            Level::Ok,
            "udev recognises security keys, and logind gives you access",
        );
    }

    #[test]
    fn without_udev_rules_or_a_seat_the_key_is_not_given_to_the_user() {
        let found = "udev does not run, so nothing gives you access to the key";
        expect(&check(&MadeUp::empty().machine), Level::Warn, found);
        expect(
            &check(&with_udev().machine),
            Level::Warn,
            "udev has no rule for security keys",
        );
        let found =
            "only who sits at this computer gets access to the key, and you are logged in from elsewhere";
        expect(&check(&with_rules().machine), Level::Warn, found);
        let mut made = with_rules().with_folder("/run/systemd/seats");
        made.machine.is_remote_login = true;
        expect(&check(&made.machine), Level::Warn, found);
    }
}
