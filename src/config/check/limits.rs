//! What prompts are held against that lies outside of them.

use std::{collections::BTreeMap, path::Path};

use crate::name::CameraName;

/// The cameras of each group, as far as they could be read.
pub(super) type Groups = BTreeMap<String, Vec<CameraName>>;

/// What lies outside the prompts themselves.
pub(super) struct Limits<'a> {
    /// The names of all cameras, as written.
    pub(super) cameras: &'a [String],
    /// The cameras of each group.
    pub(super) groups: &'a Groups,
    /// The most frames of a window.
    pub(super) max_window_frames: usize,
    /// Whether a prompt may have too few examples.
    pub(super) examples_may_be_few: bool,
    /// Where paths begin that come from no file.
    pub(super) beside: &'a Path,
}
