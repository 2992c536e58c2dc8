//! What several targets need: a folder that costs no disk, and folders of the repository.

use std::path::{Path, PathBuf};

/// A folder of this process alone, in memory where the system has a place for that. It is filled anew by each run.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

/// A folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The parts of an input, between bytes that no text holds.
pub fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = data.splitn(N, |&byte| byte == 0xff);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}
