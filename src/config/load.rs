//! Reads the files and the environment, lays them over each other, and checks the whole.

use std::{cell::RefCell, collections::BTreeMap, io, path::Path, sync::Arc};

use super::{
    Loaded, PromptConfig,
    check::check,
    file::{Layer, Lookup, merge, prompt_text},
    problem::{Place, Problem, Report},
    sources::{Sources, layer_files, unreadable},
    template::percent_encoded,
};
use crate::name::PromptName;

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
        let value = lookup(name)?;
        values.borrow_mut().extend(value.clone());
        Ok(value)
    };
    let written = sources.written(); // before they are read: what is written meanwhile is a change
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
    if let Some((name, text)) = added {
        layers.push(Layer::file(&Arc::new(name.to_owned()), text, &|_| Ok(None), &mut problems));
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
            problem.hide(format!("{value:?}").trim_matches('"')); // as a key in quotes has it
        }
    }
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, files, warnings, sources: sources.clone(), written, origins })
        }
        _ => Err(Report::new(problems)),
    }
}

/// Two files of `conf.d` that define one camera, prompt or group: somebody copied a file and forgot to rename it.
///
/// The first file is not among them: to override it is what `conf.d` is for.
fn find_doubles(layers: &[Layer], problems: &mut Vec<Problem>) {
    let mut seen = BTreeMap::new();
    for layer in layers {
        let kinds = [("prompts", "prompt", Some("ask")), ("cameras", "camera", Some("url")), ("groups", "group", None)];
        for (table, what, key) in kinds {
            for (name, place) in layer.defined(table, key) {
                let Some(first) = seen.insert((table, name.clone()), place.clone()) else { continue };
                problems.push(Problem {
                    place,
                    key: format!("{table}.{name}"),
                    value: None,
                    wrong: format!("two files define a {what} of this name, the other at {first}"),
                    right: Some(
                        "rename one of them; only what the first file defines can be overridden from `conf.d`"
                            .to_owned(),
                    ),
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
