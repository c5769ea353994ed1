//! Rules of the specification that the tool has no case for, or checks less strictly than we do. Scripts and cases are
//! named by us.

mod absent;
mod hid;

use crate::case::Script;

/// All of them.
pub const RULES: &[Script] = &[hid::SCRIPT, absent::SCRIPT];
