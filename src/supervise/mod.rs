//! How tasks begin, fail, restart and end.

mod backoff;
mod stop;

pub use backoff::Backoff;
pub use stop::Stop;
