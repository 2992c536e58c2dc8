//! `[[prompts.NAME.examples]]` and `region`: what a prompt is shown, in place of being told.
//!
//! Looks at files only as far as to know that they are there and are pictures; whether they can be decoded shows when the
//! model is at hand.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    super::{
        ExampleConfig, Sources, fewest_examples,
        file::{self, spell},
        problem::{Place, suggest},
        sources::shell_word,
    },
    checker::Checker,
    limits::Limits,
};
use crate::{
    name::CameraName,
    prompt::{AnswerKind, Region},
};

/// The most examples of a prompt, until the model's manifest says its own number.
const MOST_EXAMPLES: usize = 16;
/// As many examples of each answer can be held against each other.
const BETTER: usize = 4;

/// How PNG and JPEG files begin.
const SIGNATURES: [&[u8]; 2] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"];
/// How their names end, in small letters.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// A prompt's examples that can be used, and where to look.
pub(super) fn read(
    checker: &mut Checker<'_>,
    name: &str,
    prompt: &file::Prompt,
    kind: Option<&AnswerKind>,
    cameras: &[CameraName],
    limits: &Limits<'_>,
) -> (Vec<ExampleConfig>, Option<Region>) {
    let at = ["prompts", name, "examples"];
    let region = region(checker, name, prompt);
    let Some(given) = &prompt.examples else { return (Vec::new(), region) };
    let labels = match kind {
        Some(kind @ (AnswerKind::YesNo | AnswerKind::Choice(_))) => Some(kind.labels()),
        None => None, // that was reported
        Some(AnswerKind::Number { .. } | AnswerKind::Text { .. } | AnswerKind::Json { .. }) => {
            let wrong = "examples show which of some answers is right, and this prompt has no such answers";
            checker.wrong_key_with(
                &at,
                wrong,
                "ask with `answer = \"yes_no\"` or `\"choice\"`, or delete the examples",
            );
            None
        }
    };
    let mut examples: Vec<ExampleConfig> = Vec::new();
    let mut answers = Some(Vec::new());
    for (number, example) in given.iter().enumerate() {
        let number = number.to_string();
        let item = [at[0], at[1], at[2], number.as_str()];
        let answer = answer(checker, &item, example, labels.as_deref());
        match (&answer, &mut answers) {
            (Some(answer), Some(answers)) => answers.push(answer.clone()),
            // Nobody knows which answer it was meant to show: there is nothing to count.
            _ => answers = None,
        }
        let found = path(checker, &item, example, answer.as_deref(), cameras, limits);
        if let (Some(answer), Some((path, pictures))) = (answer, found) {
            if examples.iter().any(|other| other.path == path) {
                checker.wrong([item.as_slice(), &["path"]].concat().as_slice(), "stands here twice");
            }
            examples.push(ExampleConfig { path, pictures, answer });
        }
    }
    if given.len() > MOST_EXAMPLES {
        let wrong = format!("{} examples are more than {MOST_EXAMPLES}", given.len());
        checker.wrong_key_with(&at, wrong, "keep those that differ most: other times of the day, other weather");
    }
    if let (Some(answers), Some(labels)) = (answers, labels) {
        let needed = fewest_examples(prompt.region.is_some());
        if labels.len() * needed > MOST_EXAMPLES {
            let wrong = format!(
                "of {} answers {needed} each are more than the {MOST_EXAMPLES} that are compared",
                labels.len()
            );
            let right =
                if labels.len() > MOST_EXAMPLES { "" } else { "mark the `region`, where one of each is enough, or " };
            checker.wrong_key_with(&at, wrong, format!("{right}ask with fewer answers"));
            return (examples, region);
        }
        for label in labels {
            let has = answers.iter().filter(|answer| **answer == label).count();
            if has < needed {
                few(checker, name, &label, (has, needed), cameras, limits);
            }
        }
    }
    if cameras.len() > 1 {
        let wrong = format!("the examples are of one camera, and {} cameras are held against them", cameras.len());
        checker.warn_key(&at, wrong, "write `cameras` with that one, and a prompt for each other camera");
    }
    (examples, region)
}

/// Too few examples of an answer, with the command that takes one. No error: they are taken one after the other, on other days
/// and in other weather, and all else is watched meanwhile.
fn few(
    checker: &mut Checker<'_>,
    name: &str,
    label: &str,
    (has, needed): (usize, usize),
    cameras: &[CameraName],
    limits: &Limits<'_>,
) {
    let plural = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let wrong = format!(
        "prompt `{name}` has {} of `{label}`, and is asked in words until it has more; {} needed, {BETTER} are better",
        plural(has, "example", "examples"),
        plural(needed, "is", "are"),
    );
    checker.warn_key(&["prompts", name, "examples"], wrong, taking_one(name, label, cameras, limits.sources));
}

/// The command that takes an example.
fn taking_one(name: &str, label: &str, cameras: &[CameraName], sources: &Sources) -> String {
    let camera = cameras.first().map_or("CAMERA", CameraName::as_str);
    let (option, folder) = (sources.option(), sources.examples_folder(name));
    format!("`wader snapshot {camera}{option} --label {} --out {folder}` takes one", shell_word(label))
}

fn region(checker: &mut Checker<'_>, name: &str, prompt: &file::Prompt) -> Option<Region> {
    let at = ["prompts", name, "region"];
    let given = prompt.region.as_ref()?; // also without examples: what others say of answers makes some
    let region = <[f64; 4]>::try_from(given.as_slice()).ok().and_then(Region::new);
    if region.is_none() {
        let right = "left, top, right, bottom in fractions of the picture, such as `[0.1, 0.2, 0.4, 0.6]`";
        checker.wrong_with(&at, "is no part of the picture", right);
    }
    region
}

/// An example's answer, if it is one of the prompt's.
fn answer(
    checker: &mut Checker<'_>,
    item: &[&str; 4],
    example: &file::Example,
    labels: Option<&[String]>,
) -> Option<String> {
    let at = [item.as_slice(), &["answer"]].concat();
    let Some(answer) = &example.answer else {
        let right = labels.and_then(|labels| labels.first()).map_or("open", String::as_str);
        checker.missing(&at, format!("what the pictures show, such as `answer = {}`", spell(right)));
        return None;
    };
    let labels = labels?;
    if !labels.contains(answer) {
        let right = suggest(answer, labels.iter().map(String::as_str)).unwrap_or_default();
        checker.wrong_with(&at, "is none of the prompt's answers", right);
        return None;
    }
    Some(answer.clone())
}

/// An example's file or folder, from the root of the disk, and its pictures.
fn path(
    checker: &mut Checker<'_>,
    item: &[&str; 4],
    example: &file::Example,
    answer: Option<&str>,
    cameras: &[CameraName],
    limits: &Limits<'_>,
) -> Option<(PathBuf, Vec<PathBuf>)> {
    let at = [item.as_slice(), &["path"]].concat();
    let Some(written) = &example.path else {
        checker.missing(&at, "a picture, or a folder of pictures, such as `path = \"examples/gate/open-1\"`");
        return None;
    };
    let beside = match checker.origins.place(&at) {
        Some(Place::File { path, .. }) => path.parent().unwrap_or(Path::new("")).to_owned(),
        _ => limits.beside().to_owned(),
    };
    let path = std::path::absolute(beside.join(written)).unwrap_or_else(|_| beside.join(written));
    match pictures(&path) {
        Ok(pictures) => Some((path, pictures)),
        Err(Wrong::Absent) => {
            let right = taking_one(item[1], answer.unwrap_or("ANSWER"), cameras, limits.sources);
            checker.wrong_with(&at, format!("there is no `{}`", path.display()), right);
            None
        }
        Err(Wrong::Other { wrong, right }) => {
            checker.wrong_with(&at, wrong, right);
            None
        }
    }
}

enum Wrong {
    Absent,
    Other { wrong: String, right: &'static str },
}

/// The pictures of a file or a folder, by name: as they were taken.
fn pictures(path: &Path) -> Result<Vec<PathBuf>, Wrong> {
    let unreadable = |path: &Path, error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => Wrong::Absent,
        _ => Wrong::Other {
            wrong: format!("`{}` cannot be read ({error})", path.display()),
            right: "give the user that runs wader the right to",
        },
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let mut pictures = if metadata.is_dir() {
        let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_named_as_picture(path)).collect()
    } else {
        vec![path.to_owned()]
    };
    pictures.sort();
    if pictures.is_empty() {
        let wrong = format!("`{}` holds no picture", path.display());
        return Err(Wrong::Other { wrong, right: "pictures end in .png, .jpg or .jpeg" });
    }
    for picture in &pictures {
        if !begins_as_picture(picture).map_err(|error| unreadable(picture, &error))? {
            let wrong = format!("`{}` is no picture", picture.display());
            return Err(Wrong::Other { wrong, right: "wader reads PNG and JPEG" });
        }
    }
    Ok(pictures)
}

fn is_named_as_picture(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    !hidden && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn begins_as_picture(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(8).read_to_end(&mut begin)?;
    Ok(SIGNATURES.iter().any(|signature| begin.starts_with(signature)))
}
