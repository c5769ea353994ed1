//! What a platform, its user and time do to a key: drawn from a seed or from a fuzzer's bytes, most of it valid and much
//! of it not. The steps are data, so that a failure can be printed and shortened; what they refer to (a token, a
//! credential made before) is looked up when they run.
//!
//! ```text
//! draw.rs       numbers
//! plan.rs       numbers          → steps
//! step.rs       the steps
//! platform.rs   steps, answers   → requests, facts about the answers
//! damage.rs     a request        → one that is not what it should be
//! facts.rs      an answer        → what can be said of it without naming random bytes
//! ```

mod damage;
mod draw;
mod facts;
mod plan;
mod platform;
mod step;

pub use damage::{Damage, Kind};
pub use draw::{Draw, SeededRng};
pub use facts::{Facts, Report};
pub use plan::{Plan, plan};
pub use platform::{Exchange, Platform};
pub use step::*;
