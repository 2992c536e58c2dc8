//! Which files there are, in which order.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::problem::{Place, Problem};

/// The first file of an installed wader.
pub const DEFAULT_FILE: &str = "/etc/wader/wader.toml";

/// The most frames of a window, until the model's manifest says its own number.
const MAX_WINDOW_FRAMES: usize = 16;

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The first file; the folder `conf.d` beside it holds the others.
    pub file: PathBuf,
    /// Whether the first file may be absent, because nobody named it.
    pub file_may_be_absent: bool,
    /// The environment; only `WADER__…` is read.
    pub environment: Vec<(String, String)>,
    /// The most frames that a window can hold, a limit of the model.
    pub max_window_frames: usize,
}

impl Sources {
    /// The named file, or else [`DEFAULT_FILE`], and this process' environment.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = file.is_some();
        let file = file.unwrap_or_else(|| DEFAULT_FILE.into());
        Self { file_may_be_absent: !named, environment, ..Self::of_file(file) }
    }

    /// This file, the folder `conf.d` beside it, and nothing of the environment.
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            file_may_be_absent: false,
            environment: Vec::new(),
            max_window_frames: MAX_WINDOW_FRAMES,
        }
    }
}

impl Sources {
    /// What a command needs to read the same files: nothing where nobody named one.
    pub fn option(&self) -> String {
        if self.file_may_be_absent {
            String::new()
        } else {
            format!(" --config {}", shell_word(&self.file.display().to_string()))
        }
    }

    /// Where a prompt's examples lie, as one would type it for a shell: beside the first file, where the service can read them.
    pub fn examples_folder(&self, prompt: &str) -> String {
        let beside = self.file.parent().unwrap_or(Path::new(""));
        shell_word(&beside.join("examples").join(prompt).display().to_string())
    }
}

/// A word as one would type it for a shell.
pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Which files there are, how long each is and when it was written: equal where nobody has touched them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Sources {
    /// How the files stand now. Blocks for a moment.
    pub fn written(&self) -> Written {
        let stands = |(path, _): (Arc<PathBuf>, bool)| {
            let about = std::fs::metadata(&*path).ok()?;
            Some((path.to_path_buf(), about.len(), about.modified().ok()))
        };
        Written(layer_files(self, &mut Vec::new()).into_iter().filter_map(stands).collect())
    }
}

/// The first file, then those beside it in the order of their names; each with whether it may be absent.
pub(super) fn layer_files(sources: &Sources, problems: &mut Vec<Problem>) -> Vec<(Arc<PathBuf>, bool)> {
    let folder = sources.file.parent().unwrap_or(Path::new("")).join("conf.d");
    let mut beside = Vec::new();
    match std::fs::read_dir(&folder) {
        Ok(entries) => {
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let is_toml = |path: &PathBuf| {
                let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
                !hidden && path.extension().is_some_and(|extension| extension == "toml")
            };
            beside.extend(paths.filter(is_toml));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => problems.push(unreadable(&folder, &error)),
    }
    beside.sort();
    let first = (Arc::new(sources.file.clone()), sources.file_may_be_absent);
    std::iter::once(first).chain(beside.into_iter().map(|path| (Arc::new(path), false))).collect()
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let (wrong, right) = match error.kind() {
        io::ErrorKind::NotFound => ("there is no such file", None),
        io::ErrorKind::PermissionDenied => {
            ("may not be read", Some("give the user that runs wader the right to".to_owned()))
        }
        io::ErrorKind::InvalidData => ("is not UTF-8 text", None),
        _ => ("cannot be read", Some(error.to_string())),
    };
    let place = Place::File { path: Arc::new(path.to_owned()), line: 0, column: 0 };
    Problem { place, key: String::new(), value: None, wrong: wrong.to_owned(), right }
}
