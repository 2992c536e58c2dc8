//! The files of the repository, as the rules of the house read them.

use std::{fs, path::Path, process::Command};

use super::config::root;

/// What was found wrong, each with its file.
pub(crate) type Complaints = Vec<String>;

/// Fails with all complaints, if there are any.
pub(crate) fn none(complaints: &Complaints) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// A text file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

/// All files that git tracks or would track; without git (an unpacked archive) all files but builds.
fn paths() -> Vec<String> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut paths: Vec<String> = match git {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect()
        }
        _ => {
            let mut found = Vec::new();
            walk(root(), "", &mut found);
            found
        }
    };
    paths.retain(|path| root().join(path).is_file());
    paths.sort();
    assert!(paths.iter().any(|path| path == "src/lib.rs"), "the repository's files were not found");
    paths
}

fn walk(folder: &Path, below: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{below}{name}");
        match entry.path().is_dir() {
            true if matches!(name.as_str(), "target" | ".git" | "__pycache__" | ".cache") => {}
            true => walk(&entry.path(), &format!("{path}/"), found),
            false => found.push(path),
        }
    }
}

/// Every text file.
pub(crate) fn repository() -> Vec<Source> {
    let texts = paths().into_iter().filter_map(|path| {
        let text = String::from_utf8(fs::read(root().join(&path)).ok()?).ok()?;
        Some(Source { path, text })
    });
    texts.collect()
}

/// The text files of some folders with an ending.
pub(crate) fn tracked(folders: &[&str], ending: &str) -> Vec<Source> {
    let ending = format!(".{ending}");
    let wanted =
        |path: &str| path.ends_with(&ending) && folders.iter().any(|folder| path.starts_with(&format!("{folder}/")));
    repository().into_iter().filter(|file| wanted(&file.path)).collect()
}

/// Each file with its bytes.
pub(crate) fn sizes() -> Vec<(String, u64)> {
    let size = |path: &String| fs::metadata(root().join(path)).map_or(0, |metadata| metadata.len());
    paths().into_iter().map(|path| (path.clone(), size(&path))).collect()
}

/// Whether a path from the root exists.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}
