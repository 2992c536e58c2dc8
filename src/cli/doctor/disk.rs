//! Whether there is a folder for what outlives a restart, and room in it.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::finding::Finding;
use crate::{app, config::Config};

const PART: &str = "disk";

/// Whether answers and what waits for the broker can be kept.
pub(super) fn look(config: &Config) -> Finding {
    let Some(folder) = app::history_file(config).and_then(|file| file.parent().map(Path::to_owned)) else {
        let remedy = "name a folder as `state` below `[paths]`";
        return Finding::doubtful(PART, "there is no folder for what outlives a restart", remedy);
    };
    let shown = folder.display();
    let there = nearest(&folder);
    if access(&there, Access::WRITE_OK).is_err() {
        let is = format!("this user may not write to `{}`, where answers are kept", there.display());
        let remedy =
            "where another user runs wader, this tells nothing; else name another folder as `state` below `[paths]`";
        return Finding::doubtful(PART, is, remedy);
    }
    let free = match statvfs(&there) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return Finding::bad(PART, format!("`{shown}` cannot be looked at: {error}"), None),
    };
    let history = if config.history.enabled { config.history.max_bytes } else { 0 };
    let wanted = history.saturating_add(config.mqtt.outbox.max_bytes);
    let is = format!("`{shown}`: {} MiB are free, and at most {} MiB are taken", free >> 20, wanted >> 20);
    if free < wanted {
        return Finding::doubtful(PART, is, "make room, or lower `max_bytes` below `[history]`");
    }
    Finding::good(PART, is)
}

/// The folder, or the nearest one around it that is there.
fn nearest(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    there.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_made_yet_is_judged_by_the_one_around_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest(&folder.path().join("a/b")), folder.path());
        assert_eq!(nearest(folder.path()), folder.path());
    }
}
