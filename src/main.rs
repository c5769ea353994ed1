//! The shell.

#[allow(dead_code, reason = "used by the commands, which are not here yet")]
mod attach;
#[allow(dead_code, reason = "used by the commands, which are not here yet")]
mod doctor;
mod programs;
#[allow(dead_code, reason = "used by the commands, which are not here yet")]
mod prompt;
mod readiness;

fn main() {}
