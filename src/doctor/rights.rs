//! Whether `wardkey up` can become root for the moment in which it plugs in the key.

use std::path::Path;

use super::{Finding, Machine};
use crate::programs::find_program;

const CHECK: &str = "root rights";

pub(super) fn check(machine: &Machine) -> Finding {
    if machine.is_root() {
        return Finding::ok(
            CHECK,
            "this is root; `wardkey up --user NAME` runs the key as that user",
        );
    }
    if may_not_become_root(machine) {
        return Finding::fail(
            CHECK,
            "this session may not gain rights (no_new_privs), so sudo and pkexec do not work",
            "run `wardkey up` in another terminal, outside of sandboxes and containers",
        );
    }
    let has = |name: &str| find_program(Path::new(name), machine.search_path.as_deref()).is_some();
    match (has("sudo"), has("pkexec")) {
        (true, _) if machine.has_terminal => Finding::ok(CHECK, "`wardkey up` asks for them through sudo"),
        (_, true) => Finding::ok(CHECK, "`wardkey up` asks for them through pkexec"),
        (true, false) => Finding::warn(
            CHECK,
            "sudo cannot ask for a password here: there is no terminal",
            "start `wardkey up` in a terminal, or install pkexec (package polkit or pkexec)",
        ),
        (false, false) => Finding::fail(
            CHECK,
            "neither sudo nor pkexec is installed",
            "install sudo, or start it as root: wardkey up --user NAME",
        ),
    }
}

fn may_not_become_root(machine: &Machine) -> bool {
    let status = machine.read("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .filter_map(|line| line.strip_prefix("NoNewPrivs:"))
        .any(|value| value.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::testing::{MadeUp, expect};
    use super::*;

    #[test]
    fn root_needs_nobody() {
        let mut made = MadeUp::empty();
        made.machine.user = 0;
        let found = "this is root; `wardkey up --user NAME` runs the key as that user";
        expect(&check(&made.machine), Level::Ok, found);
    }

    #[test]
    fn sudo_needs_a_terminal_and_pkexec_does_not() {
        let mut made = MadeUp::empty().with_program("sudo");
        expect(
            &check(&made.machine),
            Level::Ok,
            "`wardkey up` asks for them through sudo",
        );
        made.machine.has_terminal = false;
        expect(
            &check(&made.machine),
            Level::Warn,
            "sudo cannot ask for a password here: there is no terminal",
        );
        let made = made.with_program("pkexec");
        expect(
            &check(&made.machine),
            Level::Ok,
            "`wardkey up` asks for them through pkexec",
        );
    }

    #[test]
    fn without_either_there_is_no_way() {
        expect(
            &check(&MadeUp::empty().machine),
            Level::Fail,
            "neither sudo nor pkexec is installed",
        );
    }

    #[test]
    fn a_session_that_may_not_gain_rights_is_recognised() {
        let made = MadeUp::empty().with_program("sudo");
        let made = made.with("/proc/self/status", "Name:\twardkey\nNoNewPrivs:\t1\n");
        let found = "this session may not gain rights (no_new_privs), so sudo and pkexec do not work";
        expect(&check(&made.machine), Level::Fail, found);
        let made = made.with("/proc/self/status", "Name:\twardkey\nNoNewPrivs:\t0\n");
        expect(
            &check(&made.machine),
            Level::Ok,
            "`wardkey up` asks for them through sudo",
        );
    }
}
