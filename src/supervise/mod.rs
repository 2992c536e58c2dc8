//! How tasks begin, fail, restart and end.

mod backoff;
mod stop;
mod tasks;
mod turns;

pub use backoff::Backoff;
pub use stop::Stop;
pub use tasks::{Ended, Tasks, panic_message};
pub use turns::{Turn, Turns};
