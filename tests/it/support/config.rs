//! Loading configurations of test data.

use std::path::{Path, PathBuf};

use wader::config::{Loaded, Report, Sources, load};

/// A configuration that consists of this text alone.
pub(crate) fn load_text(text: &str) -> Result<Loaded, Report> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("wader.toml");
    std::fs::write(&file, text).expect("a file in it");
    load(&Sources::of_file(file), &no_values)
}

/// Knows no value for any `${NAME}`.
pub(crate) fn no_values(_: &str) -> Option<String> {
    None
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders below one of the repository's, by name.
pub(crate) fn folders(below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(below)).expect("a folder of the repository");
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}
