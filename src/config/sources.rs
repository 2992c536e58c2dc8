//! Which files there are, in which order; reading them and the environment.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    Loaded, PromptConfig,
    check::check,
    file::{Layer, Lookup, merge, prompt_text},
    problem::{Place, Problem, Report},
    template::percent_encoded,
};
use crate::name::PromptName;

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
    /// Whether a prompt may have too few examples, because they are about to be taken.
    pub examples_may_be_few: bool,
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
            examples_may_be_few: false,
        }
    }
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

/// Reads all sources, lays them over each other and checks the whole.
///
/// `lookup` finds what `${NAME}` stands for: [`super::system_lookup`] outside tests.
pub fn load(sources: &Sources, lookup: Lookup<'_>) -> Result<Loaded, Report> {
    load_with(sources, lookup, None)
}

/// Reads all sources and, over the files, what somebody wrote of one more prompt: JSON, with the keys of `[prompts.NAME]`.
/// `written` is how its mistakes name it. No `${NAME}` is filled in there: what is asked is published, and others wrote it.
pub fn added(
    sources: &Sources,
    lookup: Lookup<'_>,
    name: &PromptName,
    json: &[u8],
    written: &Path,
) -> Result<PromptConfig, Report> {
    let whole = || Place::File { path: Arc::new(written.to_owned()), line: 0, column: 0 };
    let wrong = |wrong: String| {
        let key = format!("prompts.{name}");
        Report::new(vec![Problem { place: whole(), key, value: None, wrong, right: None }])
    };
    let text = prompt_text(name, json).map_err(wrong)?;
    let loaded = load_with(sources, lookup, Some((written, &text)))?;
    let prompt = loaded.config.prompts.into_iter().find(|prompt| prompt.prompt.name == *name);
    prompt.ok_or_else(|| wrong("is no prompt".to_owned()))
}

fn load_with(sources: &Sources, lookup: Lookup<'_>, added: Option<(&Path, &str)>) -> Result<Loaded, Report> {
    // What was filled in is remembered, so that no report tells it.
    let values = RefCell::new(Vec::new());
    let lookup: Lookup<'_> = &|name| {
        let value = lookup(name);
        values.borrow_mut().extend(value.clone());
        value
    };
    let mut problems = Vec::new();
    let (mut files, mut layers) = (Vec::new(), Vec::new());
    for (path, may_be_absent) in layer_files(sources, &mut problems) {
        match std::fs::read_to_string(&*path) {
            Ok(text) => {
                layers.push(Layer::file(&path, &text, lookup, &mut problems));
                files.push(path.to_path_buf());
            }
            Err(error) if may_be_absent && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => problems.push(unreadable(&path, &error)),
        }
    }
    let first = usize::from(files.first() == Some(&sources.file));
    find_doubles(&layers[first..], &mut problems);
    if let Some((written, text)) = added {
        layers.push(Layer::file(&Arc::new(written.to_owned()), text, &|_| None, &mut problems));
    }
    layers.push(Layer::environment(sources.environment.iter().cloned(), lookup, &mut problems));
    let unread = problems.iter().any(|problem| matches!(problem.place, Place::File { line: 0, .. }));
    let (file, mut origins) = merge(layers, &mut problems);
    if unread {
        origins.tear();
    }
    let mut warnings = Vec::new();
    let config = check(file, &origins, sources, &mut problems, &mut warnings);
    for problem in problems.iter_mut().chain(&mut warnings) {
        for value in values.borrow().iter() {
            problem.hide(value);
            problem.hide(&percent_encoded(value));
        }
    }
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, files, warnings, sources: sources.clone(), origins })
        }
        _ => Err(Report::new(problems)),
    }
}

/// The first file, then those beside it in the order of their names; each with whether it may be absent.
fn layer_files(sources: &Sources, problems: &mut Vec<Problem>) -> Vec<(Arc<PathBuf>, bool)> {
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

fn unreadable(path: &Path, error: &io::Error) -> Problem {
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

/// Two files of `conf.d` that define one camera or prompt: somebody copied a file and forgot to rename it.
///
/// The first file is not among them: to override it is what `conf.d` is for.
fn find_doubles(layers: &[Layer], problems: &mut Vec<Problem>) {
    let mut seen = BTreeMap::new();
    for layer in layers {
        for (table, what, key) in [("prompts", "prompt", "ask"), ("cameras", "camera", "url")] {
            for (name, place) in layer.defined(table, key) {
                let Some(first) = seen.insert((table, name.clone()), place.clone()) else { continue };
                problems.push(Problem {
                    place,
                    key: format!("{table}.{name}"),
                    value: None,
                    wrong: format!("two files define a {what} of this name, the other at {first}"),
                    right: Some("rename one of them".to_owned()),
                });
            }
        }
    }
}

impl Loaded {
    /// Where the value of a key was written; `None` for a built-in default.
    pub fn place(&self, key: &[&str]) -> Option<&Place> {
        self.origins.place(key)
    }
}
