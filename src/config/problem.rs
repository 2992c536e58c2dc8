//! What is wrong with the files, and where: one report for all of them.

use std::{
    fmt::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use super::secret::HIDDEN;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file; line and column count from 1, and are 0 where the whole file is meant.
    File {
        /// The file.
        path: Arc<PathBuf>,
        /// Its line.
        line: usize,
        /// The character in that line.
        column: usize,
    },
    /// In a variable of the environment.
    Environment(String),
    /// Nowhere: something that should have been written is not.
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// Its key with the tables around it, as `prompts.scene.every`; empty where no key is meant.
    pub key: String,
    /// The value as it was written, secrets hidden.
    pub value: Option<String>,
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub right: Option<String>,
}

/// A value of fewer characters is no secret, and would be found in words that have nothing to do with it.
pub(super) const LEAST_SECRET: usize = 6;

impl Problem {
    /// Takes out a value that was filled in, which may be a secret. The key may hold it, too, where it stood in a schema's.
    pub(super) fn hide(&mut self, value: &str) {
        if value.chars().count() < LEAST_SECRET {
            return;
        }
        for text in [Some(&mut self.wrong), self.right.as_mut(), Some(&mut self.key)].into_iter().flatten() {
            if text.contains(value) {
                *text = text.replace(value, HIDDEN);
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        match (self.key.is_empty(), &self.value) {
            (false, Some(value)) => write!(f, ": {} = {value}", self.key)?,
            (false, None) => write!(f, ": {}", self.key)?,
            (true, Some(value)) => write!(f, ": {value}")?,
            (true, None) => {}
        }
        write!(f, "\n    {}", self.wrong)?;
        match &self.right {
            Some(right) => write!(f, "; {right}"),
            None => Ok(()),
        }
    }
}

/// Every mistake found, by file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(Vec<Problem>);

impl Report {
    /// Sorts the problems by place.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self(problems)
    }

    /// The problems, by file and line.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        match self.0.len() {
            1 => f.write_str("1 problem in the configuration"),
            n => write!(f, "{n} problems in the configuration"),
        }
    }
}

impl std::error::Error for Report {}

/// "did you mean …", when one of the words is near; else all of them.
pub(super) fn suggest<'a>(given: &str, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let words: Vec<&str> = words.into_iter().collect();
    let nearest = words
        .iter()
        .map(|word| (strsim::jaro_winkler(&given.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, word)) => Some(format!("did you mean `{word}`?")),
        None if words.is_empty() => None,
        None => Some(one_of(&words)),
    }
}

/// "one of `a`, `b`, `c`".
fn one_of(words: &[&str]) -> String {
    let mut text = String::from(if words.len() == 1 { "there is " } else { "one of " });
    for (i, word) in words.iter().enumerate() {
        // Writing into a String cannot fail.
        _ = write!(text, "{}`{word}`", if i == 0 { "" } else { ", " });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, line: usize, wrong: &str) -> Problem {
        let place = Place::File { path: Arc::new(path.into()), line, column: 1 };
        Problem { place, key: "log.level".into(), value: Some("\"x\"".into()), wrong: wrong.into(), right: None }
    }

    #[test]
    fn a_report_goes_by_file_and_line_and_says_nothing_twice() {
        let (first, second, third) = (at("a", 2, "is bad"), at("a", 10, "is bad"), at("b", 1, "is worse"));
        let report = Report::new(vec![third.clone(), second.clone(), first.clone(), second.clone()]);
        assert_eq!(report.problems(), [first, second, third]);
        assert!(report.to_string().starts_with("a:2:1: log.level = \"x\"\n    is bad\n"));
        assert!(report.to_string().ends_with("3 problems in the configuration"));
    }

    #[test]
    fn a_near_word_is_suggested_and_else_all_are_named() {
        let words = ["yes_no", "choice", "number", "text"];
        assert_eq!(suggest("yesno", words).unwrap(), "did you mean `yes_no`?");
        assert_eq!(suggest("Choices", words).unwrap(), "did you mean `choice`?");
        assert_eq!(suggest("europe/berln", ["UTC", "Europe/Berlin"]).unwrap(), "did you mean `Europe/Berlin`?");
        assert_eq!(suggest("json", words).unwrap(), "one of `yes_no`, `choice`, `number`, `text`");
        assert_eq!(suggest("x", []), None);
    }
}
