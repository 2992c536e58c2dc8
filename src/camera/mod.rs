//! A description and a URL become frames, until they break.
//!
//! Knows no window, prompt or configuration file; never retries by itself: whoever runs it does.

mod latest;

pub use latest::Latest;
