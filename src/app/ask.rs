//! A question that is asked once: which kind of answer it wants, and asking it about a file, without a service.

use std::{path::Path, sync::Arc, time::Duration};

use super::{
    Error,
    answers::{frames, latency},
    served,
};
use crate::{
    answer::{Answer, Frames, Ids, Latency, ModelLabel, Reading, Thresholds, read},
    camera::{self, Canvas},
    config::{MIN_PROBABILITY, WINDOW},
    engine::{Replied, Worker},
    frame::{Now, Stamp},
    model::Flamingo,
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt, Schema, SchemaError},
    window::{Sampler, Spec, Window},
};

/// The longest text, in tokens.
pub const LONGEST_TEXT: usize = 48;

/// The longest schema, in bytes; the longest JSON, in tokens, and how long its writing may hold the engine.
const LONGEST_SCHEMA: usize = 8 << 10;
const LONGEST_JSON: usize = 256;
const LONGEST_WRITING: Duration = Duration::from_secs(5);

/// Words that begin a question which yes or no answers.
const YES_NO: [&str; 19] = [
    "is", "are", "was", "were", "am", "do", "does", "did", "has", "have", "had", "can", "could", "will", "would",
    "may", "should", "isn't", "aren't",
];

/// The kind of answer that a question wants where nobody said: yes or no after the words that ask for it, unless it offers
/// a choice (`is it bright or dark?`); else text.
pub fn kind_of(question: &str) -> AnswerKind {
    let question = question.to_lowercase();
    let mut words = question.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
    let begins = words.next().is_some_and(|word| YES_NO.contains(&word));
    let offers = words.any(|word| word == "or");
    if begins && !offers { AnswerKind::YesNo } else { AnswerKind::Text { max_tokens: LONGEST_TEXT } }
}

/// An answer that is JSON of this schema. The error is for whoever asked.
pub fn json_of(schema: &str) -> Result<AnswerKind, SchemaError> {
    if schema.len() > LONGEST_SCHEMA {
        let wrong = format!("has more than {LONGEST_SCHEMA} bytes");
        return Err(SchemaError { at: Vec::new(), wrong });
    }
    Ok(AnswerKind::Json { schema: Schema::read(schema)?, max_tokens: LONGEST_JSON, max_time: LONGEST_WRITING })
}

/// What to look at instead of a camera.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// A PNG or JPEG file.
    Still(&'a Path),
    /// A recording, up to a moment or to its end.
    Clip {
        /// The file.
        file: &'a Path,
        /// Only what comes before this moment of the recording.
        until: Option<Duration>,
    },
}

/// What an answer to a question must reach that is asked once: nothing was held before it.
pub(super) const fn thresholds(min_mass: f64) -> Thresholds {
    Thresholds { min_probability: MIN_PROBABILITY, keep_probability: MIN_PROBABILITY, min_mass }
}

/// The answer to a question that was asked once; `replied`: where the model was asked.
pub(super) fn answer(
    ids: &mut Ids,
    camera: CameraName,
    prompt: Prompt,
    reading: Reading,
    replied: Option<&Replied>,
    model: ModelLabel,
) -> Answer {
    let now = Now::read();
    let seen = replied.map(|replied| replied.seen);
    let newest = seen.map_or(now.wall, |seen| now.wall_of(seen.last));
    Answer {
        id: ids.next(now.wall),
        camera,
        prompt_hash: served::prompt_hash(&prompt, WINDOW, None),
        prompt: prompt.name,
        ask: prompt.ask,
        kind: prompt.kind,
        outcome: reading.outcome,
        scores: reading.scores,
        frames: seen.map_or_else(Frames::default, |seen| frames(&now, &seen)),
        answered: now.wall,
        newest_frame_age: seen.map(|seen| now.mono.since(seen.last)),
        valid_until: newest + WINDOW.span,
        latency: replied.map(latency),
        unchanged_since: None,
        model,
    }
}

/// Asks about a file. Blocks.
pub fn ask_file(model: Flamingo, question: &str, kind: AnswerKind, picture: Picture<'_>) -> Result<Answer, Error> {
    let manifest = model.manifest();
    let canvas = served::canvas(manifest);
    let label = served::model_label(manifest);
    let min_mass = manifest.prompt.min_mass.unwrap_or(Thresholds::default().min_mass);
    let spec = Spec { frames: WINDOW.frames.min(manifest.resampler.max_frames), ..WINDOW };
    let window = match picture {
        Picture::Still(file) => still(file, canvas)?,
        Picture::Clip { file, until } => clip(file, until, canvas, spec)?,
    };
    let camera = window.camera.clone();
    let prompt = Prompt { name: PromptName::asked(), ask: question.to_owned(), also: Vec::new(), kind };
    let mut worker = Worker::new(model, &[])?;
    let replied = worker.ask_once(window, &prompt, Stamp::now()).map_err(|error| Error::Question(error.to_string()))?;
    let reply = replied.reply.as_ref().map_err(|reason| Error::Question(reason.clone()))?;
    let reading = read(reply, &prompt.kind, &thresholds(min_mass), None);
    let answer = answer(&mut Ids::new(fastrand::Rng::new()), camera, prompt, reading, Some(&replied), label);
    Ok(out_of_time(answer))
}

/// An answer about a file, whose own times are no times of the day.
pub(super) fn out_of_time(answer: Answer) -> Answer {
    let frames = Frames { first: None, last: None, ..answer.frames };
    let latency = answer.latency.map(|latency| Latency { sampled: Duration::ZERO, ..latency });
    Answer { frames, latency, newest_frame_age: None, valid_until: answer.answered, ..answer }
}

fn still(file: &Path, canvas: Canvas) -> Result<Window, Error> {
    let frame = camera::still(file, canvas)?;
    let spec = Spec { frames: 1, span: Duration::ZERO };
    Ok(Window { camera: CameraName::of_a_file(), spec, frames: vec![Some(Arc::new(frame))], prompts: Vec::new() })
}

/// The last window of a recording.
fn clip(file: &Path, until: Option<Duration>, canvas: Canvas, spec: Spec) -> Result<Window, Error> {
    let mut sampler = Sampler::new(CameraName::of_a_file(), Vec::new()).keeping(spec);
    // twice as many as the window has, so that each of its places has a picture near it
    let frames_per_second = 2.0 * (spec.frames.max(2) - 1) as f64 / spec.span.as_secs_f64().max(1e-3);
    camera::clip_until(file, canvas, frames_per_second, until, |frame| {
        sampler.offer(Arc::new(frame));
    })?;
    let none = || camera::FileError::Later { file: file.display().to_string() };
    sampler.newest(spec).ok_or_else(|| none().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_by_its_words_what_answers_it() {
        let is_yes_no = |question| kind_of(question) == AnswerKind::YesNo;
        for question in ["Is anybody there?", "are there  two cars", "Did somebody leave?", "Isn't it dark?"] {
            assert!(is_yes_no(question), "{question}");
        }
        for question in ["How many people are there?", "Is it bright, dim or dark?", "what happens?", "", "issue"] {
            assert!(!is_yes_no(question), "{question}");
        }
    }
}
