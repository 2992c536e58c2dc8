//! `wader ask`: one question, asked now, of the running service or about a file.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, bail};

use crate::{
    answer::wire::{self, AnswerMessage},
    app::{self, Picture},
    cli,
    config::{Config, shipped_model},
    model::{Device, Flamingo, Spec},
    mqtt::{
        Listener, Topics,
        wire::{AskMessage, ErrorMessage},
    },
    name::CameraName,
    prompt::AnswerKind,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// The camera, which the running service watches, and the question in plain words; about a file the question alone.
    #[arg(required = true, num_args = 1.., value_names = ["CAMERA", "QUESTION"])]
    words: Vec<String>,
    /// Ask about this picture (PNG or JPEG), without a service.
    #[arg(long, value_name = "FILE", conflicts_with = "clip")]
    image: Option<PathBuf>,
    /// The model folder, for a file: else the one of a configuration that is named, else the shipped one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// What to ask it on, for a file: `auto`, `cuda`, `cuda:N` or `cpu`.
    #[arg(long, default_value = "auto")]
    device: Device,
    /// How many seconds to wait for the service's answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,
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
    /// JSON of the JSON Schema in this file is the answer.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["choices", "number", "text", "yes_no"])]
    schema: Option<PathBuf>,
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
    let of_file = options.image.is_some() || options.clip.is_some();
    if of_file && options.words.len() == 2 && options.words[1].contains(' ') {
        bail!("a file is no camera's: write the question alone");
    }
    let question = options.words.get(usize::from(!of_file)..).unwrap_or_default().join(" ");
    let question = question.trim();
    if question.is_empty() {
        bail!("say what to ask: a camera and a question, or a question and --image or --clip");
    }
    let kind = options.kind(question)?;
    let until = match options.at {
        Some(at) => Some(Duration::try_from_secs_f64(at).context("--at is no moment")?),
        None => None,
    };
    let picture = match (&options.image, &options.clip) {
        (Some(file), _) => Picture::Still(file),
        (None, Some(file)) => Picture::Clip { file, until },
        (None, None) => {
            let Some(loaded) = options.config.load() else { return Ok(cli::exit::CONFIG) };
            let camera = cli::camera(&loaded.config, &options.words[0])?.name.clone();
            return ask_service(&loaded.config, &camera, question, &kind, options);
        }
    };
    let folder = match &options.model {
        Some(folder) => folder.clone(),
        None if options.config.is_given() => {
            let Some(loaded) = options.config.load() else { return Ok(cli::exit::CONFIG) };
            loaded.config.model.path
        }
        None => shipped_model(),
    };
    let spec = Spec { device: options.device, ..Spec::default() };
    let model = match Flamingo::load(&folder, &spec) {
        Ok(model) => model,
        Err(error) => {
            cli::say(format_args!("wader: {error}"));
            return Ok(cli::exit::UNAVAILABLE);
        }
    };
    tell(&AnswerMessage::from(&app::ask_file(model, question, kind, picture)?), options.json)
}

/// Asks the service that watches the camera, as anybody could, through its broker.
fn ask_service(
    config: &Config,
    camera: &CameraName,
    question: &str,
    kind: &AnswerKind,
    options: &Options,
) -> anyhow::Result<u8> {
    let patience = Duration::try_from_secs_f64(options.timeout).context("--timeout is no number of seconds")?;
    let topics = Topics::new(&config.mqtt.prefix)?;
    let id = format!("{:016x}", fastrand::u64(..));
    let response = format!("{}/{id}", topics.responses());
    let question = AskMessage { id: Some(id.clone()), ..message(question, kind, options.timeout) };
    let question = serde_json::to_vec(&question)?;
    let asked = tokio::runtime::Runtime::new()?.block_on(async {
        let access = app::broker_access(config)?;
        let mut answers = Listener::connect(&access, &response).await?;
        // not everybody may read complaints: then it is not told why no answer comes
        let complaints = Listener::connect(&access, &topics.error()).await.ok();
        answers.ask(&topics.ask(camera), &question, &response)?;
        // the service says itself when time is up; what comes later than this, it did not say
        let longest = patience + Duration::from_secs(3);
        let complaint = async {
            if let Some(mut complaints) = complaints {
                while let Ok(arrival) = complaints.next().await {
                    if let Some(problem) = about(&arrival.payload, &id) {
                        return problem;
                    }
                }
            }
            std::future::pending().await
        };
        let silence =
            format!("no answer came: does `wader run` run there, with this configuration, and watch `{camera}`?");
        Ok::<_, anyhow::Error>(tokio::select! {
            answer = answers.next() => Ok(answer?),
            problem = complaint => Err(problem),
            () = tokio::time::sleep(longest) => Err(silence),
        })
    });
    let problem = match asked {
        Ok(Ok(arrival)) => return tell(&wire::read_answer(&arrival.payload)?, options.json),
        Ok(Err(problem)) => problem,
        Err(error) => format!("cannot ask by way of the broker: {error:#}"),
    };
    cli::say(format_args!("wader: {problem}"));
    Ok(cli::exit::UNAVAILABLE)
}

/// Why this question is not answered, if that is what a complaint is about.
fn about(payload: &[u8], id: &str) -> Option<String> {
    let complaint: ErrorMessage = serde_json::from_slice(payload).ok()?;
    (complaint.id.as_deref() == Some(id)).then_some(complaint.message)
}

/// The question as the service reads it.
fn message(question: &str, kind: &AnswerKind, timeout: f64) -> AskMessage {
    let mut message = AskMessage { question: question.to_owned(), timeout: Some(timeout), ..AskMessage::default() };
    let word = match kind {
        AnswerKind::YesNo => "yes_no",
        AnswerKind::Choice(choices) => {
            message.choices = Some(choices.clone());
            "choice"
        }
        AnswerKind::Number { min, max } => {
            (message.min, message.max) = (Some(*min), Some(*max));
            "number"
        }
        AnswerKind::Json { schema, .. } => {
            message.schema = serde_json::from_str(schema.text()).ok();
            "json"
        }
        AnswerKind::Text { .. } => "text",
    };
    AskMessage { answer: Some(word.to_owned()), ..message }
}

/// Prints the answer; anything else is told, and is no success.
fn tell(answer: &AnswerMessage, json: bool) -> anyhow::Result<u8> {
    if json {
        cli::put(format_args!("{}", serde_json::to_string(answer)?))?;
    } else if let Some(value) = &answer.answer {
        cli::put(format_args!("{}", cli::line::plain(&value.to_string())))?;
    }
    let sure = answer.sure().map_or(String::new(), |probability| format!(", probability {probability:.2}"));
    let reason = answer.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
    let detail = answer.detail.as_ref().map_or(String::new(), |detail| format!(": {detail}"));
    let seen = match answer.window.frames {
        1 => "1 picture".to_owned(),
        more => format!("{more} pictures"),
    };
    cli::say(format_args!("{}{reason}{detail}{sure}, from {seen}", answer.outcome));
    Ok(match answer.outcome.as_str() {
        "answer" => cli::exit::OK,
        "failed" => cli::exit::UNAVAILABLE, // the model was not asked, or gave nothing
        _ => cli::exit::FAILURE,
    })
}

impl Options {
    fn kind(&self, question: &str) -> anyhow::Result<AnswerKind> {
        if let Some(file) = &self.schema {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
            return app::json_of(&text).with_context(|| format!("`{}` is no schema for an answer", file.display()));
        }
        Ok(match (self.choices.as_slice(), self.number) {
            ([], None) if self.text => AnswerKind::Text { max_tokens: app::LONGEST_TEXT },
            ([], None) if self.yes_no => AnswerKind::YesNo,
            ([], None) => app::kind_of(question),
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
    fn what_is_said_of_another_question_ends_none() {
        let complaint = |id: &str| {
            let said = serde_json::json!({
                "schema": "wader.error/1", "code": "bad_payload", "message": "no", "camera": "yard", "id": id, "at": "now",
            });
            about(said.to_string().as_bytes(), "mine")
        };
        assert_eq!(complaint("mine").as_deref(), Some("no"));
        assert_eq!(complaint("theirs"), None);
    }

    #[test]
    fn bounds_are_two_numbers() {
        assert_eq!(bounds("0..9"), Ok((0, 9)));
        for wrong in ["9..0", "3..3", "0-9", "a..b", "", "0..999999"] {
            assert!(bounds(wrong).unwrap_err().contains("like 0..9"), "{wrong}");
        }
    }
}
