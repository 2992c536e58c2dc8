//! What prompts are held against that lies outside of them.

use std::{collections::BTreeMap, path::Path};

use super::super::Sources;
use crate::name::CameraName;

/// The cameras of each group, as far as they could be read.
pub(super) type Groups = BTreeMap<String, Vec<CameraName>>;

/// What lies outside the prompts themselves.
pub(super) struct Limits<'a> {
    /// The names of all cameras, as written.
    pub(super) cameras: &'a [String],
    /// The cameras of each group.
    pub(super) groups: &'a Groups,
    /// Where the configuration comes from, and with it where paths begin that come from no file.
    pub(super) sources: &'a Sources,
}

impl Limits<'_> {
    /// The folder of the first file.
    pub(super) fn beside(&self) -> &Path {
        self.sources.file.parent().unwrap_or(Path::new(""))
    }
}
