//! Whether and how the user can be asked.

use super::Finding;
use crate::prompt::Unavailable;

const CHECK: &str = "prompts";

/// `ways` are the ways to ask, best first, and what each says about itself.
pub(super) fn check(ways: &[(&'static str, Result<String, Unavailable>)]) -> Finding {
    let works: Vec<String> = ways
        .iter()
        .filter_map(|(name, probed)| Some(format!("{name} ({})", probed.as_ref().ok()?)))
        .collect();
    let failed: Vec<(&str, &Unavailable)> = ways
        .iter()
        .filter_map(|(name, probed)| Some((*name, probed.as_ref().err()?)))
        .collect();
    let mend = || {
        let each = failed
            .iter()
            .map(|(name, reason)| format!("{name}: {reason}; {}", reason.hint()));
        each.collect::<Vec<_>>().join("\n")
    };
    if works.is_empty() {
        return Finding::fail(CHECK, "nobody can be asked", mend());
    }
    let only_terminal = works.len() == 1
        && ways
            .iter()
            .any(|(name, probed)| *name == "terminal" && probed.is_ok());
    if only_terminal && ways.len() > 1 {
        return Finding::warn(
            CHECK,
            "you are asked in the terminal of `wardkey up` only",
            mend(),
        );
    }
    Finding::ok(CHECK, format!("you are asked by {}", works.join(", or else by ")))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::testing::expect;
    use super::*;

    fn broken(reason: &str) -> Result<String, Unavailable> {
        Err(Unavailable::new(reason, format!("mend {reason}")))
    }

    #[test]
    fn what_works_is_named_in_order() {
        let ways = [
            ("notification", Ok("gnome-shell 45".to_owned())),
            ("pinentry", broken("absent")),
            ("terminal", Ok("/dev/tty".to_owned())),
        ];
        let found = "you are asked by notification (gnome-shell 45), or else by terminal (/dev/tty)";
        expect(&check(&ways), Level::Ok, found);
    }

    #[test]
    fn a_terminal_alone_is_a_warning() {
        let ways = [
            ("notification", broken("no bus")),
            ("terminal", Ok("/dev/tty".to_owned())),
        ];
        let found = "you are asked in the terminal of `wardkey up` only";
        assert_eq!(
            expect(&check(&ways), Level::Warn, found),
            "notification: no bus; mend no bus"
        );
    }

    #[test]
    fn nothing_at_all_is_a_failure() {
        let ways = [("pinentry", broken("absent")), ("terminal", broken("none"))];
        let mend = expect(&check(&ways), Level::Fail, "nobody can be asked");
        assert_eq!(mend, "pinentry: absent; mend absent\nterminal: none; mend none");
    }

    #[test]
    fn a_terminal_that_was_chosen_is_well() {
        let ways = [("terminal", Ok("/dev/tty".to_owned()))];
        expect(&check(&ways), Level::Ok, "you are asked by terminal (/dev/tty)");
    }
}
