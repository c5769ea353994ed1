//! The library behind `tss-esapi` (libtss2) writes each error to standard error, in words for its authors, unless a
//! variable of the environment forbids it. A process cannot safely change its own environment; so the program starts
//! itself again, as the same process, with the variable set.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const VARIABLE: &str = "TSS2_LOG";
const NOTHING: &str = "all+none";

/// Keeps the library quiet, unless the user has said what it shall write. Does nothing more when that does not work.
pub(crate) fn silence() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    let mut arguments = env::args_os();
    let Some(name) = arguments.next() else {
        return;
    };
    // Comes back only where it failed.
    let _error = Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .env(VARIABLE, NOTHING)
        .exec();
}
