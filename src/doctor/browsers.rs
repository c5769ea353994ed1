//! Browsers that come as Flatpak or Snap see only the devices that they are given. A Flatpak needs all devices,
//! because there is no finer permission for hidraw. A Snap needs its interface u2f-devices, which lets only keys
//! through whose USB numbers snapd knows; ours needs a rule of its own beside that.

use std::path::{Path, PathBuf};

use super::{Finding, Machine, UsbId};

/// Flathub's names of browsers, and what their users call them.
const FLATPAKS: [(&str, &str); 12] = [
    ("app.zen_browser.zen", "Zen"),
    ("com.brave.Browser", "Brave"),
    ("com.google.Chrome", "Chrome"),
    ("com.microsoft.Edge", "Edge"),
    ("com.opera.Opera", "Opera"),
    ("com.vivaldi.Vivaldi", "Vivaldi"),
    (
        "io.github.ungoogled_software.ungoogled_chromium",
        "Ungoogled Chromium",
    ),
    ("io.gitlab.librewolf-community", "LibreWolf"),
    ("net.waterfox.waterfox", "Waterfox"),
    ("one.ablaze.floorp", "Floorp"),
    ("org.chromium.Chromium", "Chromium"),
    ("org.mozilla.firefox", "Firefox"),
];
const SNAPS: [(&str, &str); 7] = [
    ("brave", "Brave"),
    ("chromium", "Chromium"),
    ("edge", "Edge"),
    ("firefox", "Firefox"),
    ("librewolf", "LibreWolf"),
    ("opera", "Opera"),
    ("vivaldi", "Vivaldi"),
];

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let flatpaks = FLATPAKS
        .into_iter()
        .filter_map(|(id, name)| flatpak(machine, id, name));
    let snaps = SNAPS.into_iter().filter_map(|(id, name)| snap(machine, id, name));
    let found: Vec<Finding> = flatpaks.chain(snaps).collect();
    if found.is_empty() {
        return vec![Finding::ok(
            "browsers",
            "none is packaged as Flatpak or Snap: they see every key",
        )];
    }
    found
}

fn flatpak(machine: &Machine, id: &str, name: &str) -> Option<Finding> {
    let system = machine.path("/var/lib/flatpak");
    let user = machine
        .home
        .as_ref()
        .map(|home| home.join(".local/share/flatpak"));
    let installations: Vec<PathBuf> = user.into_iter().chain([system.clone()]).collect();
    let metadata = installations
        .iter()
        .map(|installation| installation.join(format!("app/{id}/current/active/metadata")))
        .find(|metadata| metadata.exists())?;
    // Overrides of the user come last (flatpak-override(1)), those of one application after those of all.
    let overrides = installations
        .iter()
        .rev()
        .flat_map(|installation| ["global", id].map(|name| installation.join("overrides").join(name)));
    let mut has_all_devices = false;
    for settings in [metadata].into_iter().chain(overrides) {
        has_all_devices = all_devices(&settings).unwrap_or(has_all_devices);
    }
    let check = format!("{name} (Flatpak)");
    Some(if has_all_devices {
        Finding::ok(check, "has access to devices")
    } else {
        let mend = format!("flatpak override --user --device=all {id}, then restart {name}");
        Finding::warn(check, "has no access to security keys", mend)
    })
}

/// What a file of Flatpak's says about all devices, if it says anything.
fn all_devices(settings: &Path) -> Option<bool> {
    let text = std::fs::read_to_string(settings).ok()?;
    let context = text.lines().skip_while(|line| line.trim() != "[Context]").skip(1);
    let mut lines = context.take_while(|line| !line.starts_with('['));
    let devices = lines.find_map(|line| line.trim().strip_prefix("devices="))?;
    devices.split(';').rev().find_map(|device| match device.trim() {
        "all" => Some(true),
        "!all" => Some(false),
        _ => None,
    })
}

fn snap(machine: &Machine, id: &str, name: &str) -> Option<Finding> {
    let folders = ["/snap", "/var/lib/snapd/snap"];
    if !folders
        .iter()
        .any(|folder| machine.path(&format!("{folder}/{id}/current")).exists())
    {
        return None;
    }
    let check = format!("{name} (Snap)");
    let is_connected = machine
        .read(&format!("/etc/udev/rules.d/70-snap.{id}.rules"))
        .is_some_and(|rules| rules.contains("# u2f-devices"));
    let connect = format!("sudo snap connect {id}:u2f-devices");
    Some(match (is_connected, lets_our_key_through(machine, id)) {
        (true, true) => Finding::ok(check, "has access to this key"),
        (true, false) => Finding::warn(
            check,
            "has access to security keys, but not to this one",
            rule(machine, id),
        ),
        (false, true) => Finding::warn(check, "has no access to security keys", connect),
        (false, false) => {
            let mend = format!("{connect}\n{}", rule(machine, id));
            Finding::warn(check, "has no access to security keys", mend)
        }
    })
}

/// Whether a rule gives our key the tag of the snap.
fn lets_our_key_through(machine: &Machine, id: &str) -> bool {
    let UsbId { vendor, product } = machine.usb_id;
    let parts = [format!("\"{vendor:04x}\""), format!("{product:04x}"), tag(id)];
    let folder = machine.path("/etc/udev/rules.d");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    files
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .any(|line| {
            let rule = line.trim_start();
            !rule.starts_with('#') && parts.iter().all(|part| rule.contains(part.as_str()))
        })
}

fn tag(id: &str) -> String {
    format!("snap_{id}_{id}")
}

/// The tag is set before snapd's own rules (70), which then do the rest for every device that has it.
fn rule(machine: &Machine, id: &str) -> String {
    let UsbId { vendor, product } = machine.usb_id;
    format!(
        "echo 'SUBSYSTEM==\"hidraw\", ATTRS{{idVendor}}==\"{vendor:04x}\", ATTRS{{idProduct}}==\"{product:04x}\", \
         TAG+=\"{}\"' | sudo tee /etc/udev/rules.d/69-wardkey-{id}.rules\n\
         sudo udevadm control --reload, then start `wardkey up` again",
        tag(id)
    )
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::testing::{MadeUp, expect};
    use super::*;

    const FIREFOX: &str = "/var/lib/flatpak/app/org.mozilla.firefox/current/active/metadata";
    const SANDBOXED: &str =
        "[Application]\nname=x\n[Context]\nshared=network;\ndevices=dri;\n[Other]\ndevices=all;\n";

    fn only(made: &MadeUp) -> Finding {
        let mut findings = check(&made.machine);
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }

    #[test]
    fn ordinary_browsers_are_well() {
        let found = "none is packaged as Flatpak or Snap: they see every key";
        expect(&only(&MadeUp::empty()), Level::Ok, found);
    }

    #[test]
    fn a_flatpak_without_devices_is_told_how_to_get_them() {
        let made = MadeUp::empty().with(FIREFOX, SANDBOXED);
        let finding = only(&made);
        assert_eq!(finding.check, "Firefox (Flatpak)");
        let mend = expect(&finding, Level::Warn, "has no access to security keys");
        assert_eq!(
            mend,
            "flatpak override --user --device=all org.mozilla.firefox, then restart Firefox"
        );
    }

    #[test]
    fn permissions_and_overrides_of_a_flatpak_count_in_their_order() {
        let made = MadeUp::empty().with(FIREFOX, "[Context]\ndevices=all;\n");
        expect(&only(&made), Level::Ok, "has access to devices");
        let made = made.with(
            "/var/lib/flatpak/overrides/org.mozilla.firefox",
            "[Context]\ndevices=!all;\n",
        );
        expect(&only(&made), Level::Warn, "has no access to security keys");
        let own = "/home/alice/.local/share/flatpak/overrides";
        let made = made.with(&format!("{own}/global"), "[Context]\ndevices=all;\n");
        expect(&only(&made), Level::Ok, "has access to devices");
        let made = made.with(
            &format!("{own}/org.mozilla.firefox"),
            "[Context]\ndevices=dri;!all;\n",
        );
        expect(&only(&made), Level::Warn, "has no access to security keys");
    }

    #[test]
    fn a_flatpak_of_the_user_alone_is_found() {
        let path = "/home/alice/.local/share/flatpak/app/org.chromium.Chromium/current/active/metadata";
        let made = MadeUp::empty().with(path, SANDBOXED);
        assert_eq!(only(&made).check, "Chromium (Flatpak)");
    }

    #[test]
    fn a_snap_needs_its_interface_and_a_rule_for_our_key() {
        let made = MadeUp::empty().with_folder("/snap/firefox/current");
        let mend = expect(&only(&made), Level::Warn, "has no access to security keys");
        let mut lines = mend.lines();
        assert_eq!(lines.next(), Some("sudo snap connect firefox:u2f-devices"));
        let rule = lines.next().unwrap();
        assert!(
            rule.contains("\"1209\"") && rule.contains("snap_firefox_firefox"),
            "{rule}"
        );

        let known = "# u2f-devices\n# SoloKeys\nSUBSYSTEM==\"hidraw\", ATTRS{idVendor}==\"1209\", \
                     ATTRS{idProduct}==\"5070|50b0\", TAG+=\"snap_firefox_firefox\"\n";
        let made = made.with("/etc/udev/rules.d/70-snap.firefox.rules", known);
        expect(
            &only(&made),
            Level::Warn,
            "has access to security keys, but not to this one",
        );

        let ours = rule.split('\'').nth(1).unwrap();
        let made = made.with("/etc/udev/rules.d/69-wardkey-firefox.rules", format!("{ours}\n"));
        expect(&only(&made), Level::Ok, "has access to this key");
    }
}
