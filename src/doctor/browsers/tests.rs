//! Made-up machines with Flatpaks and Snaps.

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
