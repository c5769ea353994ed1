//! The shell.

#[expect(dead_code, reason = "used by the commands, which are not here yet")]
mod attach;
mod programs;
#[expect(dead_code, reason = "used by the commands, which are not here yet")]
mod prompt;
mod readiness;

fn main() {}
