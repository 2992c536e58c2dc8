//! `schema` of a prompt that is answered in JSON: a table, JSON in quotes, or the path of a file.

use std::{fs, path::Path};

use super::{
    super::{
        allowed::{LONGEST_ASK, LONGEST_LABEL},
        file::SchemaText,
        problem::Place,
    },
    checker::Checker,
    limits::Limits,
    text::text_for_model,
};
use crate::prompt::{AnswerKind, Asked, Schema};

/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// The schema, checked; `at` is its key.
pub(super) fn read(
    checker: &mut Checker<'_>,
    at: &[&str; 3],
    given: Option<&SchemaText>,
    limits: &Limits<'_>,
) -> Option<Schema> {
    let Some(SchemaText(given)) = given else {
        let right = "a JSON Schema, such as `schema = { type = \"object\", required = [\"dark\"], properties = { dark = \
                     { type = \"boolean\", description = \"Is it dark?\" } } }`, or the path of a file that holds one";
        checker.missing(at, right);
        return None;
    };
    if given.trim_start().starts_with('{') {
        return checked(checker, at, given, None);
    }
    let beside = match checker.origins.place(at) {
        Some(Place::File { path, .. }) => path.parent().unwrap_or(Path::new("")).to_owned(),
        _ => limits.beside().to_owned(),
    };
    let path = beside.join(given);
    let text = match fs::metadata(&path) {
        Ok(file) if file.len() > LARGEST => {
            checker.wrong(at, format!("`{}` is larger than {LARGEST} bytes", path.display()));
            return None;
        }
        _ => fs::read_to_string(&path),
    };
    match text {
        Ok(text) => checked(checker, at, &text, Some(given)),
        Err(error) => {
            let right = "a JSON Schema as a table, or the path of its file, from the folder of this file";
            checker.wrong_with(at, format!("`{}` cannot be read ({error})", path.display()), right);
            None
        }
    }
}

/// A schema's text, checked; a mistake is told at its own line where the schema stands in a file of the configuration.
fn checked(checker: &mut Checker<'_>, at: &[&str; 3], text: &str, file: Option<&str>) -> Option<Schema> {
    let schema = match (Schema::read(text), file) {
        (Ok(schema), _) => schema,
        (Err(error), Some(file)) => {
            checker.wrong(at, format!("`{file}`: {error}"));
            return None;
        }
        (Err(error), None) => {
            let inside: Vec<&str> = at.iter().copied().chain(error.at.iter().map(String::as_str)).collect();
            checker.wrong(&inside, error.wrong);
            return None;
        }
    };
    let mut right = true;
    for property in schema.properties().unwrap_or_default() {
        let Asked::Question { ask, kind, .. } = &property.asked else { continue };
        let inside = match file {
            None => [at.as_slice(), &["properties", property.name.as_str()]].concat(),
            Some(_) => at.to_vec(),
        };
        right &= text_for_model(checker, &inside, ask, LONGEST_ASK);
        if let AnswerKind::Choice(labels) = kind {
            for label in labels {
                right &= text_for_model(checker, &inside, label, LONGEST_LABEL);
            }
        }
    }
    right.then_some(schema)
}
