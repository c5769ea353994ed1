//! The whole report.

use super::testing::MadeUp;
use super::*;
use crate::prompt::fixed::Fixed;

fn printed(report: &Report, format: Format) -> String {
    let mut text = Vec::new();
    report.write(&mut text, format).unwrap();
    String::from_utf8(text).unwrap()
}

fn report() -> Report {
    Report::of(vec![
        Finding::ok("kernel", "all is well"),
        Finding::warn("Firefox (Snap)", "has no access", "do this\nthen that"),
        Finding::fail("prompts", "none", "install one"),
    ])
}

#[test]
fn each_finding_is_a_line_and_its_mend_follows() {
    let expected = "\
ok    kernel          all is well
warn  Firefox (Snap)  has no access
                      mend: do this
                            then that
fail  prompts         none
                      mend: install one
";
    assert_eq!(printed(&report(), Format::Plain), expected);
}

#[test]
fn colours_are_around_the_level_alone() {
    let text = printed(&report(), Format::Coloured);
    assert!(text.starts_with("\x1b[32mok  \x1b[0m  kernel"), "{text:?}");
    assert_eq!(text.matches('\x1b').count(), 6);
}

#[test]
fn json_says_the_same() {
    let value: serde_json::Value = serde_json::from_str(&printed(&report(), Format::Json)).unwrap();
    assert_eq!(value["is_ready"], false);
    assert_eq!(value["checks"][1]["level"], "warn");
    assert_eq!(value["checks"][1]["mend"], "do this\nthen that");
    assert_eq!(value["checks"][0]["mend"], serde_json::Value::Null);
}

#[test]
fn only_failures_stand_in_the_way() {
    assert!(!report().is_ready());
    let harmless = vec![Finding::ok("a", "b"), Finding::warn("a", "b", "c")];
    assert!(Report::of(harmless).is_ready());
}

#[test]
fn everything_is_looked_at() {
    let made = MadeUp::empty();
    let verifiers: [Box<dyn Verifier>; 1] = [Box::new(Fixed::Always)];
    let report = examine(
        &made.machine,
        &Chain::new(vec![Box::new(Fixed::Always)]),
        &verifiers,
    );
    let checks: Vec<&str> = report
        .checks
        .iter()
        .map(|finding| finding.check.as_str())
        .collect();
    let expected = [
        "kernel",
        "root rights",
        "hidraw",
        "browsers",
        "prompts",
        "verify by fingerprint",
        #[cfg(feature = "tpm")]
        "chip",
        "state folder",
        "swap",
    ];
    assert_eq!(checks, expected);
    assert!(!report.is_ready());
}
