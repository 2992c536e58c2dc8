//! From what is written to what can be used: defaults filled in, ranges, references from one key to another.

mod camera;
mod examples;
mod hours;
mod prompt;
mod schema;
mod service;
mod wordings;

pub(super) use hours::{DAYS, print as print_time};
pub(super) use prompt::{LONGEST_ASK, LONGEST_LABEL, MOST_ANSWERS};
pub(super) use service::BUILT_IN_PIPELINES;
pub(super) use wordings::MOST_WORDINGS;

use std::{fmt::Display, ops::RangeInclusive, path::Path, time::Duration};

use super::{
    Config, duration,
    file::{File, Limit, Origins, Span},
    problem::{Place, Problem, suggest},
    sources::Sources,
};

/// Checks the merged files; `None`, or any problem added, means that there is no configuration.
pub(super) fn check(
    file: File,
    origins: &Origins,
    sources: &Sources,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Option<Config> {
    let mut checker = Checker { origins, problems, warnings };
    let mqtt = service::mqtt(&mut checker, &file.mqtt);
    let homeassistant = service::homeassistant(&mut checker, &file.homeassistant);
    let history = service::history(&mut checker, &file.history);
    let web = service::web(&mut checker, &file.web);
    let model = service::model(&mut checker, file.model);
    let log = service::log(&mut checker, &file.log);
    let timezone = hours::zone(&mut checker, file.timezone.as_deref());
    let beside = sources.file.parent().unwrap_or(Path::new("")).join("pipelines");
    let state = service::state(&mut checker, &file.paths);
    let pipelines = service::pipelines(&mut checker, file.paths, &beside);
    let known = service::known_pipelines(pipelines.as_deref());
    let camera_names: Vec<String> = file.cameras.keys().cloned().collect();
    let cameras = camera::cameras(&mut checker, &file.defaults.camera, file.cameras, &known);
    let prompt_limits = prompt::Limits {
        cameras: &camera_names,
        max_window_frames: sources.max_window_frames,
        examples_may_be_few: sources.examples_may_be_few,
        beside: sources.file.parent().unwrap_or(Path::new("")),
    };
    let prompts = prompt::prompts(&mut checker, &file.defaults.prompt, file.prompts, &prompt_limits);
    prompt::warn_of_thin_windows(&mut checker, &prompts, &cameras);
    if camera_names.is_empty() && !origins.may_be_broken(&["cameras"]) && !origins.broken_below(&["cameras"]) {
        let place = Place::File { path: sources.file.clone().into(), line: 0, column: 0 };
        problems.push(Problem {
            place,
            key: "cameras".to_owned(),
            value: None,
            wrong: "no camera is defined".to_owned(),
            right: Some("one line is enough, below `[cameras]`: `door = \"rtsp://10.0.0.5/stream\"`".to_owned()),
        });
    }
    Some(Config {
        mqtt: mqtt?,
        homeassistant,
        history,
        web,
        model: model?,
        pipelines,
        state,
        cameras,
        prompts,
        timezone,
        log,
    })
}

/// Collects problems while values are checked.
struct Checker<'a> {
    origins: &'a Origins,
    problems: &'a mut Vec<Problem>,
    warnings: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    /// The value at a path is wrong.
    fn wrong(&mut self, path: &[&str], wrong: impl Into<String>) {
        self.problems.push(self.origins.problem(path, wrong.into(), None));
    }

    /// The value at a path is wrong, and this would be right.
    fn wrong_with(&mut self, path: &[&str], wrong: impl Into<String>, right: impl Into<String>) {
        self.problems.push(self.origins.problem(path, wrong.into(), Some(right.into())));
    }

    /// The key at a path, a name, is wrong.
    fn wrong_key(&mut self, path: &[&str], wrong: impl Into<String>) {
        self.problems.push(self.origins.key_problem(path, wrong.into(), None));
    }

    /// The key at a path is wrong, whatever its value, and this would be right.
    fn wrong_key_with(&mut self, path: &[&str], wrong: impl Into<String>, right: impl Into<String>) {
        self.problems.push(self.origins.key_problem(path, wrong.into(), Some(right.into())));
    }

    /// A key that must be there is not; silent where it may have been written but could not be read.
    fn missing(&mut self, path: &[&str], right: impl Into<String>) {
        if !self.origins.may_be_broken(path) {
            let (key, table) = path.split_last().unwrap_or((&"", &[]));
            let wrong = format!("`{key}` is missing");
            self.problems.push(self.origins.key_problem(table, wrong, Some(right.into())));
        }
    }

    /// A legal value that is hardly meant.
    fn warn(&mut self, path: &[&str], wrong: impl Into<String>, right: impl Into<String>) {
        self.warnings.push(self.origins.problem(path, wrong.into(), Some(right.into())));
    }

    /// One of some words, or the default.
    fn choose<T: Copy>(&mut self, path: &[&str], given: Option<&str>, default: T, words: &[(&str, T)]) -> T {
        let Some(given) = given else { return default };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return *meaning;
        }
        let right = suggest(given, words.iter().map(|(word, _)| *word)).unwrap_or_default();
        self.wrong_with(path, "is not known here", right);
        default
    }

    /// A number within bounds (both included), or the default.
    fn within<T: Copy + PartialOrd + Display>(
        &mut self,
        path: &[&str],
        given: Option<T>,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T {
        let Some(given) = given else { return default };
        if bounds.contains(&given) {
            return given;
        }
        self.wrong(path, format!("must be from {} to {}", bounds.start(), bounds.end()));
        default
    }

    /// A length of time within bounds (both included), or the default.
    fn time_within(
        &mut self,
        path: &[&str],
        given: Option<Span>,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(Span(given)) = given else { return default };
        if bounds.contains(&given) {
            return given;
        }
        let (least, most) = (duration::print(*bounds.start()), duration::print(*bounds.end()));
        self.wrong(path, format!("must be from {least} to {most}"));
        default
    }

    /// A length of time within bounds (both included) or `None` for the word `off`, or the default.
    fn limit_within(
        &mut self,
        path: &[&str],
        given: Option<Limit>,
        default: Option<Duration>,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        match given {
            None => default,
            Some(Limit(None)) => None,
            Some(Limit(Some(given))) => {
                let usual = default.unwrap_or(*bounds.start());
                Some(self.time_within(path, Some(Span(given)), usual, bounds))
            }
        }
    }
}
