//! `wader ask`: one question, asked now.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};

use crate::{
    answer::{Answer, Outcome, wire},
    app::{self, Picture},
    cli,
    model::{Device, Flamingo, Spec},
    prompt::AnswerKind,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The model folder.
    #[arg(long, value_name = "DIR", default_value = "models/wader-small")]
    model: PathBuf,
    /// What to ask it on: `auto`, `cuda`, `cuda:N` or `cpu`.
    #[arg(long, default_value = "auto")]
    device: Device,
    /// The question, in plain words.
    question: String,
    /// Ask about this picture (PNG or JPEG).
    #[arg(long, value_name = "FILE", conflicts_with = "clip", required_unless_present = "clip")]
    image: Option<PathBuf>,
    /// Ask about the end of this recording.
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Ask about this moment of the recording, in seconds from its beginning.
    #[arg(long, value_name = "SECONDS", requires = "clip")]
    at: Option<f64>,
    /// The allowed answers: the likeliest of them is the answer.
    #[arg(long, value_delimiter = ',', value_name = "A,B,…", conflicts_with_all = ["number", "text", "yes_no"])]
    choices: Vec<String>,
    /// A whole number within these bounds is the answer.
    #[arg(long, value_name = "MIN..MAX", value_parser = bounds, conflicts_with_all = ["text", "yes_no"])]
    number: Option<(u32, u32)>,
    /// A sentence is the answer, whatever the question.
    #[arg(long, conflicts_with = "yes_no")]
    text: bool,
    /// Yes or no is the answer, whatever the question.
    #[arg(long)]
    yes_no: bool,
    /// The whole answer as JSON, as it would be published.
    #[arg(long)]
    json: bool,
}

/// `0..9`: both ends are allowed answers.
fn bounds(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("`{text}` is not two numbers like 0..9, the smaller one first");
    let (min, max) = text.split_once("..").ok_or_else(wrong)?;
    let (min, max) = (min.parse().map_err(|_| wrong())?, max.parse().map_err(|_| wrong())?);
    if min < max && max - min < 1000 { Ok((min, max)) } else { Err(wrong()) }
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let kind = options.kind()?;
    let until = match options.at {
        Some(at) => Some(Duration::try_from_secs_f64(at).context("--at is no moment")?),
        None => None,
    };
    let picture = match (&options.image, &options.clip) {
        (Some(file), _) => Picture::Still(file),
        (None, Some(file)) => Picture::Clip { file, until },
        (None, None) => bail!("say what to look at: --image or --clip"),
    };
    let spec = Spec { device: options.device, ..Spec::default() };
    let model = match Flamingo::load(&options.model, &spec) {
        Ok(model) => model,
        Err(error) => {
            cli::say(format_args!("wader: {error}"));
            return Ok(cli::exit::UNAVAILABLE);
        }
    };
    tell(&app::ask_file(model, options.question.trim(), kind, picture)?, options.json)
}

/// Prints the answer; anything else is told, and is no success.
fn tell(answer: &Answer, json: bool) -> anyhow::Result<u8> {
    if json {
        cli::put(format_args!("{}", String::from_utf8_lossy(&wire::answer(answer))))?;
    } else if let Outcome::Answer(value) = &answer.outcome {
        cli::put(format_args!("{}", value.state()))?;
    }
    let sure =
        answer.scores.as_ref().map_or(String::new(), |scores| format!(", probability {:.2}", scores.probability));
    let detail = answer.outcome.detail().map_or(String::new(), |detail| format!(": {detail}"));
    let seen = match answer.frames.present {
        1 => "1 picture".to_owned(),
        more => format!("{more} pictures"),
    };
    cli::say(format_args!("{}{detail}{sure}, from {seen}", answer.outcome));
    Ok(if matches!(answer.outcome, Outcome::Answer(_)) { cli::exit::OK } else { cli::exit::FAILURE })
}

impl Options {
    fn kind(&self) -> anyhow::Result<AnswerKind> {
        if self.question.trim().is_empty() {
            bail!("the question is empty");
        }
        Ok(match (self.choices.as_slice(), self.number) {
            ([], None) if self.text => AnswerKind::Text { max_tokens: app::LONGEST_TEXT },
            ([], None) if self.yes_no => AnswerKind::YesNo,
            ([], None) => app::kind_of(&self.question),
            ([], Some((min, max))) => AnswerKind::Number { min, max },
            ([_], _) => bail!("one choice is none: name two at least, as in --choices open,shut"),
            (choices, _) => {
                let mut choices: Vec<String> = choices.iter().map(|choice| choice.trim().to_owned()).collect();
                choices.dedup();
                if choices.len() < self.choices.len() || choices.iter().any(String::is_empty) {
                    bail!("a choice is empty, or named twice");
                }
                AnswerKind::Choice(choices)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_two_numbers() {
        assert_eq!(bounds("0..9"), Ok((0, 9)));
        for wrong in ["9..0", "3..3", "0-9", "a..b", "", "0..999999"] {
            assert!(bounds(wrong).unwrap_err().contains("like 0..9"), "{wrong}");
        }
    }
}
