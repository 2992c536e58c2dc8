//! `also` and `negation`: other wordings of a prompt's question.

use super::{
    super::{
        allowed::{LONGEST_ASK, MOST_WORDINGS},
        file,
    },
    checker::Checker,
    text::text_for_model,
};
use crate::prompt::{AnswerKind, Wording};

/// The wordings beside `ask`, the negation last.
pub(super) fn read(
    checker: &mut Checker<'_>,
    name: &str,
    prompt: &file::Prompt,
    kind: Option<&AnswerKind>,
) -> Vec<Wording> {
    let at = |key: &'static str| ["prompts", name, key];
    let given = [("also", prompt.also.is_some()), ("negation", prompt.negation.is_some())];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        if matches!(kind, Some(AnswerKind::Text { .. } | AnswerKind::Json { .. })) {
            let wrong = "wordings are held against each other by their scores, and this prompt's answer is written";
            let right = format!("ask with `answer = \"yes_no\"`, `\"choice\"` or `\"number\"`, or delete `{key}`");
            checker.wrong_key_with(&at(key), wrong, right);
        } else if prompt.examples.is_some() {
            let wrong = "a prompt with examples is compared with them, and its question is never asked";
            checker.wrong_key_with(&at(key), wrong, format!("delete `{key}` or the examples"));
        }
    }
    if prompt.negation.is_some() && matches!(kind, Some(AnswerKind::Choice(_) | AnswerKind::Number { .. })) {
        let wrong = "only of a `yes_no` prompt is there a question whose yes is its no";
        checker.wrong_key_with(
            &at("negation"),
            wrong,
            "delete it, or put a question with the same answers into `also`",
        );
    }
    let mut wordings: Vec<Wording> = Vec::new();
    let mut take = |checker: &mut Checker<'_>, path: &[&str], text: &str, negated| {
        let ask = text.trim();
        let same = |other: &str| other.trim().to_lowercase() == ask.to_lowercase();
        if ask.is_empty() {
            checker.wrong(path, "is empty");
        } else if prompt.ask.as_deref().is_some_and(same) || wordings.iter().any(|wording| same(&wording.ask)) {
            checker.wrong_with(path, "asks the same again", "ask it in other words, or delete it");
        } else if text_for_model(checker, path, text, LONGEST_ASK) {
            wordings.push(Wording { ask: ask.to_owned(), negated });
        }
    };
    let also = prompt.also.as_deref().unwrap_or_default();
    for (number, text) in also.iter().enumerate() {
        let number = number.to_string();
        take(checker, &["prompts", name, "also", number.as_str()], text, false);
    }
    if let Some(text) = &prompt.negation {
        take(checker, &at("negation"), text, true);
    }
    let all = 1 + also.len() + usize::from(prompt.negation.is_some());
    if all > MOST_WORDINGS {
        let wrong = format!("the question has {all} wordings with its own, and {MOST_WORDINGS} are the most");
        checker.wrong_key_with(&at("also"), wrong, "keep those that differ most");
    }
    wordings
}
