//! Which kind of answer a prompt wants.

use super::{
    super::{allowed::LONGEST_LABEL, file, problem::suggest},
    checker::Checker,
    limits::Limits,
    schema,
    settings::Settings,
    text::text_for_model,
};
use crate::prompt::{AnswerKind, MOST_ANSWERS};

const MIN_NUMBER: u32 = 0;
const MAX_NUMBER: u32 = 10;

/// Whether a question asks for more than yes or no, by its first word.
pub(super) fn is_open(ask: &str) -> bool {
    let first = ask.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    ["how", "what", "which", "who", "whose", "where", "when", "why"].contains(&first.to_lowercase().as_str())
}

/// The kind that is written, whole; what is missing or wrong is told.
pub(super) fn kind(
    checker: &mut Checker<'_>,
    path: &[&str; 2],
    prompt: &file::Prompt,
    settings: &Settings,
    limits: &Limits<'_>,
) -> Option<AnswerKind> {
    let at = |key: &'static str| [path[0], path[1], key];
    let Some(answer) = prompt.answer.as_deref() else {
        checker.missing(&at("answer"), "one of `yes_no`, `choice`, `number`, `text`, `json`");
        return None;
    };
    let words = ["yes_no", "choice", "number", "text", "json"];
    if !words.contains(&answer) {
        let right = suggest(answer, words).unwrap_or_default();
        checker.wrong_with(&at("answer"), "is no kind of answer", right);
        return None;
    }
    let owners: [(_, &[&str], _); 6] = [
        ("choices", &["choice"], prompt.choices.is_some()),
        ("min", &["number"], prompt.min.is_some()),
        ("max", &["number"], prompt.max.is_some()),
        ("max_tokens", &["text", "json"], prompt.max_tokens.is_some()),
        ("schema", &["json"], prompt.schema.is_some()),
        ("max_time", &["json"], prompt.max_time.is_some()),
    ];
    for (key, owners, _) in owners.into_iter().filter(|(_, owners, given)| *given && !owners.contains(&answer)) {
        let owners = owners.join("\"` or `\"");
        checker.wrong(&at(key), format!("belongs to `answer = \"{owners}\"`, and this prompt's is `{answer}`"));
    }
    match answer {
        "yes_no" => Some(AnswerKind::YesNo),
        "choice" => choice(checker, &at("choices"), prompt.choices.as_deref()),
        "number" => number(checker, path, prompt),
        "text" => Some(AnswerKind::Text { max_tokens: settings.text_tokens() }),
        _ => Some(AnswerKind::Json {
            schema: schema::read(checker, &at("schema"), prompt.schema.as_ref(), limits)?,
            max_tokens: settings.json_tokens(),
            max_time: settings.max_time,
        }),
    }
}

fn choice(checker: &mut Checker<'_>, at: &[&str], given: Option<&[String]>) -> Option<AnswerKind> {
    let Some(choices) = given else {
        checker.missing(at, "such as `choices = [\"open\", \"shut\"]`");
        return None;
    };
    if choices.len() < 2 || choices.len() > MOST_ANSWERS {
        checker.wrong(at, format!("must be 2 to {MOST_ANSWERS} answers to choose from"));
        return None;
    }
    let mut right = true;
    for (number, choice) in choices.iter().enumerate() {
        let number_text = number.to_string();
        let item = [at, &[number_text.as_str()]].concat();
        if choice.trim() != choice || choice.is_empty() {
            checker.wrong(&item, "is empty, or begins or ends with a space");
            right = false;
        } else if choices[..number].iter().any(|earlier| earlier.to_lowercase() == choice.to_lowercase()) {
            checker.wrong(&item, "stands here twice");
            right = false;
        }
        right &= text_for_model(checker, &item, choice, LONGEST_LABEL);
    }
    right.then(|| AnswerKind::Choice(choices.to_vec()))
}

fn number(checker: &mut Checker<'_>, path: &[&str], prompt: &file::Prompt) -> Option<AnswerKind> {
    let (min, max) = (prompt.min.unwrap_or(MIN_NUMBER), prompt.max.unwrap_or(MAX_NUMBER));
    // The problem is shown where something was written.
    let at = [path, &[if prompt.max.is_some() { "max" } else { "min" }]].concat();
    if min >= max {
        checker.wrong(&at, format!("numbers from {min} to {max} leave nothing to choose from"));
        return None;
    }
    if (max - min) as usize >= MOST_ANSWERS {
        checker.wrong(&at, format!("numbers from {min} to {max} are more than {MOST_ANSWERS} answers"));
        return None;
    }
    Some(AnswerKind::Number { min, max })
}
