//! The properties that the targets check, apart from «no panic».

mod answer;
mod disk;
mod exchange;
mod hid;
mod key;
mod mutation;
mod sequence;
mod state;
mod urb;

pub use exchange::exchange;
pub use hid::Key;
pub use key::answer_to;
pub use mutation::mutate;
pub use sequence::Sequence;
pub use state::start_with;
pub use urb::UsbHost;
