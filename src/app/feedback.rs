//! What others say of answers: believed, kept with the pictures it is about, and taught to the prompt where that helps.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use super::{
    blocking,
    complain::{complain, not_retained},
    kept::{Judgeable, Kept},
    lessons::{Teacher, can_learn, teachable},
    memory,
    rations::{MOST_A_MINUTE, Rations},
};
use crate::{
    config::PromptConfig,
    frame::Stamp,
    mqtt::{
        Arrival, Code, Complaint, Handle, Topics,
        wire::{FeedbackMessage, read_feedback},
    },
    name::CameraName,
    store::feedback::{self, Feedback},
    supervise::Stop,
    telemetry::Event,
};

/// What others said that waits to be heard.
pub(super) const WAITING: usize = 32;

/// So many judged answers of all prompts together are kept: about a gigabyte of pictures.
const MOST_KEPT: usize = 2048;

/// Everything the task knows that hears what others say of answers.
pub(super) struct Hearing {
    pub(super) kept: Kept,
    /// Where what they said is kept; `None` where the system has no folder for it.
    pub(super) folder: Option<PathBuf>,
    pub(super) teacher: Teacher,
    pub(super) rations: Rations,
    pub(super) topics: Topics,
    pub(super) outbox: Handle,
}

impl Hearing {
    /// Hears until `stop` is given.
    pub(super) async fn run(mut self, mut said: mpsc::Receiver<Arrival>, stop: Stop) {
        loop {
            tokio::select! {
                () = stop.given() => return,
                Some(arrival) = said.recv() => {
                    if let Err(complaint) = self.hear(&arrival).await {
                        complain(&self.outbox, &self.topics, &complaint);
                    }
                }
            }
        }
    }

    async fn hear(&mut self, arrival: &Arrival) -> Result<(), Complaint> {
        not_retained(arrival, "what is said").map_err(|(code, message)| Complaint::new(code, message))?;
        let said = read_feedback(&arrival.payload).map_err(|wrong| Complaint::new(Code::BadPayload, wrong))?;
        let Some(judged) = self.kept.find(&said.answer_id) else {
            let message = format!(
                "there is no answer `{}` to be judged: each prompt's newest can be, and for a while those that changed a state",
                said.answer_id.chars().take(64).collect::<String>().escape_debug()
            );
            return Err(Complaint::new(Code::UnknownAnswer, message));
        };
        let about = |code, message| Complaint {
            camera: Some(judged.camera.to_string()),
            prompt: Some(judged.prompt.to_string()),
            ..Complaint::new(code, message)
        };
        let prompt =
            self.teacher.roster.prompts(&judged.camera).into_iter().find(|prompt| prompt.prompt.name == judged.prompt);
        let labels = prompt.as_ref().map(|prompt| teachable(&prompt.prompt.kind)).unwrap_or_default();
        let (Some(prompt), Some(form), false) = (&prompt, &self.teacher.manifest.examples, labels.is_empty()) else {
            let message = format!(
                "prompt `{}` cannot be taught: it needs `answer = \"yes_no\"` or `\"choice\"`, and a model that compares",
                judged.prompt
            );
            return Err(about(Code::NotTeachable, message));
        };
        let own = |label: &String| prompt.examples_of(label);
        if !can_learn(form, &labels.iter().map(own).collect::<Vec<_>>()) {
            let message = format!(
                "prompt `{}` cannot be taught: of its {} answers there is no room for enough examples beside the {} of the \
                 configuration; the model compares {} at most",
                judged.prompt,
                labels.len(),
                prompt.examples.len(),
                form.max_examples
            );
            return Err(about(Code::NotTeachable, message));
        }
        if judged.ask != prompt.prompt.ask {
            let message = format!(
                "answer `{}` was to `{}`, and prompt `{}` asks something else now; say it of a newer answer",
                judged.id, judged.ask, judged.prompt
            );
            return Err(about(Code::UnknownAnswer, message));
        }
        let right = right_answer(&said, judged.answered.as_deref(), &labels);
        let right = right.map_err(|message| about(Code::BadPayload, message))?;
        if !self.rations.allow(&judged.camera, Stamp::now()) {
            let message = format!(
                "of `{}` more than {MOST_A_MINUTE} answers are judged in a minute; say it later",
                judged.camera
            );
            return Err(about(Code::TooMany, message));
        }
        let key = (&judged.camera, &judged.prompt);
        let feedback =
            Feedback::new(&judged.id, key, &judged.ask, (judged.answered.as_deref(), judged.by_lesson), &right);
        self.keep(&feedback, &judged).await.map_err(|problem| about(Code::NotSaved, problem))?;
        Event::Corrected { camera: key.0, prompt: key.1, answer: &right, was_right: feedback.right }.emit();
        self.teach(&judged.camera, prompt).await.map_err(|problem| about(Code::NotTeachable, problem))
    }

    /// Writes it, with the pictures.
    async fn keep(&self, feedback: &Feedback, judged: &Judgeable) -> Result<(), String> {
        let folder = self.folder.clone().ok_or(memory::NOWHERE)?;
        let (feedback, pictures, roster) = (feedback.clone(), judged.pictures.clone(), self.teacher.roster.clone());
        let is_asked = move |said: &Feedback| {
            let prompts = roster.find(&said.camera).map(|camera| roster.prompts(&camera)).unwrap_or_default();
            prompts.iter().any(|prompt| prompt.prompt.name.as_str() == said.prompt)
        };
        blocking(move || {
            let pictures: Result<Vec<_>, _> = pictures.iter().map(|picture| picture.png()).collect();
            let pictures = pictures.map_err(|error| error.to_string())?;
            let kept = feedback::keep(&folder, &feedback, &pictures);
            kept.and_then(|()| feedback::bound(&folder, MOST_KEPT, is_asked)).map_err(|error| error.to_string())
        })
        .await
    }

    /// Teaches the prompt by all that was said of its answers about the camera.
    async fn teach(&self, camera: &CameraName, prompt: &PromptConfig) -> Result<(), String> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let said = blocking(move || feedback::kept(&folder).map_err(|error| error.to_string())).await?;
        self.teacher.teach(camera, prompt, Arc::new(said)).await
    }
}

/// What is right, after what somebody said of an answer. The error is for them.
fn right_answer(said: &FeedbackMessage, answered: Option<&str>, labels: &[String]) -> Result<String, String> {
    let all = || labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
    if let Some(answer) = said.answer.as_ref().filter(|answer| !labels.contains(answer)) {
        let shown: String = answer.chars().take(64).collect();
        return Err(format!("`{}` is no answer of this prompt: {} are", shown.escape_debug(), all()));
    }
    match (said.right, answered, &said.answer) {
        (true, None, None) => Err(format!("nothing was answered; say `answer`, one of {}", all())),
        (true, Some(answered), Some(answer)) if answered != answer => {
            Err(format!("`{answered}` was answered, and it cannot be right if `{answer}` is"))
        }
        (false, Some(answered), Some(answer)) if answered == answer => {
            Err(format!("`{answered}` was answered; say what is right in its place, or `\"right\": true`"))
        }
        (_, _, Some(answer)) => Ok(answer.clone()),
        (true, Some(answered), None) => Ok(answered.to_owned()),
        (false, answered, None) => {
            let mut others = labels.iter().filter(|label| Some(label.as_str()) != answered);
            match (answered, others.next(), others.next()) {
                (Some(_), Some(other), None) => Ok(other.clone()),
                _ => Err(format!("what is right? say `answer`, one of {}", all())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_is_said_or_follows() {
        let two = ["yes".to_owned(), "no".to_owned()];
        let three = ["red", "blue", "green"].map(str::to_owned);
        let said = |right, answer: Option<&str>| FeedbackMessage {
            answer_id: String::new(),
            right,
            answer: answer.map(str::to_owned),
        };
        for (right, answer, answered, labels, expected) in [
            (true, None, Some("yes"), &two[..], Ok("yes")),
            (false, None, Some("yes"), &two, Ok("no")),
            (false, Some("no"), Some("yes"), &two, Ok("no")),
            (false, Some("no"), None, &two, Ok("no")),
            (true, Some("no"), None, &two, Ok("no")),
            (false, Some("blue"), Some("red"), &three, Ok("blue")),
            (false, None, Some("red"), &three, Err("what is right? say `answer`, one of `red`, `blue`, `green`")),
            (false, None, None, &two, Err("what is right?")),
            (true, None, None, &two, Err("nothing was answered")),
            (true, Some("no"), Some("yes"), &two, Err("cannot be right if `no` is")),
            (false, Some("yes"), Some("yes"), &two, Err("say what is right in its place")),
            (false, Some("maybe"), Some("yes"), &two, Err("`maybe` is no answer of this prompt: `yes`, `no` are")),
        ] {
            match (right_answer(&said(right, answer), answered, labels), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{right} {answer:?} of {answered:?}: {found:?}, not {expected:?}"),
            }
        }
    }
}
