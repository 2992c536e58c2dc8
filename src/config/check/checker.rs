//! Where each check reports what it finds, and the checks that every kind of value shares.

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use super::super::{
    duration,
    file::{Limit, Origins, Span},
    problem::{Problem, suggest},
};

/// Collects problems while values are checked.
pub(super) struct Checker<'a> {
    pub(super) origins: &'a Origins,
    pub(super) problems: &'a mut Vec<Problem>,
    pub(super) warnings: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    /// The value at a path is wrong.
    pub(super) fn wrong(&mut self, path: &[&str], wrong: impl Into<String>) {
        self.problems.push(self.origins.problem(path, wrong.into(), None));
    }

    /// The value at a path is wrong, and this would be right.
    pub(super) fn wrong_with(&mut self, path: &[&str], wrong: impl Into<String>, right: impl Into<String>) {
        self.problems.push(self.origins.problem(path, wrong.into(), Some(right.into())));
    }

    /// The key at a path, a name, is wrong.
    pub(super) fn wrong_key(&mut self, path: &[&str], wrong: impl Into<String>) {
        self.problems.push(self.origins.key_problem(path, wrong.into(), None));
    }

    /// The key at a path is wrong, whatever its value, and this would be right.
    pub(super) fn wrong_key_with(&mut self, path: &[&str], wrong: impl Into<String>, right: impl Into<String>) {
        self.problems.push(self.origins.key_problem(path, wrong.into(), Some(right.into())));
    }

    /// A key that must be there is not; silent where it may have been written but could not be read.
    pub(super) fn missing(&mut self, path: &[&str], right: impl Into<String>) {
        if !self.origins.may_be_broken(path) {
            let (key, table) = path.split_last().unwrap_or((&"", &[]));
            let wrong = format!("`{key}` is missing");
            self.problems.push(self.origins.key_problem(table, wrong, Some(right.into())));
        }
    }

    /// A legal value that is hardly meant.
    pub(super) fn warn(&mut self, path: &[&str], wrong: impl Into<String>, right: impl Into<String>) {
        self.warnings.push(self.origins.problem(path, wrong.into(), Some(right.into())));
    }

    /// The same of a list or a table, of which the key alone is shown.
    pub(super) fn warn_key(&mut self, path: &[&str], wrong: impl Into<String>, right: impl Into<String>) {
        self.warnings.push(self.origins.key_problem(path, wrong.into(), Some(right.into())));
    }

    /// One of some words, or the default.
    pub(super) fn choose<T: Copy>(&mut self, path: &[&str], given: Option<&str>, default: T, words: &[(&str, T)]) -> T {
        let Some(given) = given else { return default };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return *meaning;
        }
        let right = suggest(given, words.iter().map(|(word, _)| *word)).unwrap_or_default();
        self.wrong_with(path, "is not known here", right);
        default
    }

    /// A number within bounds (both included), or the default.
    pub(super) fn within<T: Copy + PartialOrd + Display>(
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
    pub(super) fn time_within(
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
    pub(super) fn limit_within(
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
