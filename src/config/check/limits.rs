//! What prompts are held against that lies outside of them.

use std::path::Path;

/// What lies outside the prompts themselves.
pub(super) struct Limits<'a> {
    /// The names of all cameras, as written.
    pub(super) cameras: &'a [String],
    /// The most frames of a window.
    pub(super) max_window_frames: usize,
    /// Whether a prompt may have too few examples.
    pub(super) examples_may_be_few: bool,
    /// Where paths begin that come from no file.
    pub(super) beside: &'a Path,
}
