//! One test for each case of the FIDO conformance tool for CTAP 2.3, and the rules it has no case for.
//!
//! ```text
//! scripts/     the official cases, one file per script    functions over a Bench
//! rules/       what has no official case                  functions over a Bench
//! metadata/    rules for metadata statements              functions over JSON
//! bench.rs     a key, a client, and first steps
//! key.rs       what a test may do to a key
//! drivers/     two ways to a key: in this process, and the program over its raw socket
//! run.rs       every case, every configuration, every driver
//! report.rs    what is printed
//! ```
//!
//! The cases are written from public descriptions of the tool and from the specification; `DISPUTES.md` says where the
//! sources differ and which clause decides.

mod bench;
mod case;
mod certificate;
mod configuration;
pub mod drivers;
mod encrypted_state;
mod frames;
mod info_rules;
mod key;
mod metadata;
mod parameters;
mod random;
mod report;
mod rules;
mod run;
mod scripts;
mod signature;

pub use bench::{Bench, Client};
pub use case::{Body, Case, Outcome, Script, Stop};
pub use configuration::Configuration;
pub use key::{Broken, Key, User, Wire};
pub use report::{Totals, json, table};
pub use rules::RULES;
pub use run::{Driver, Entry, Run, Summary, Verdict, run};
pub use scripts::SCRIPTS;
