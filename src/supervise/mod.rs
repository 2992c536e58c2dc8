//! How tasks begin, fail, restart and end.

mod backoff;
mod progress;
mod stop;
mod tasks;
mod turns;

pub use backoff::Backoff;
pub use progress::{Progress, Pulse};
pub use stop::Stop;
pub use tasks::{Ended, Tasks, panic_message};
pub use turns::{Turn, Turns};
