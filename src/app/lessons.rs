//! From what others said of answers to examples that a prompt about a camera is taught by, at the start and later.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use super::{
    answers::Input,
    blocking, memory,
    roster::Roster,
    served::{self, standing_hash},
    shown,
};
use crate::{
    config::{Config, PromptConfig},
    engine::{Engine, Lesson},
    model::{Examples, Manifest},
    name::CameraName,
    prompt::{AnswerKind, ENOUGH_CONFIRMED, ENOUGH_TO_LEARN, Example, Origin, Shown},
    store::feedback::{Feedback, FeedbackError, Stored, kept, newest},
    telemetry::Event,
};

/// The folder of what others said of a service's answers; `None` where the system has no folder for it.
pub fn feedback_folder(config: &Config) -> Option<PathBuf> {
    memory::file(config.state.as_deref(), &config.mqtt.client_id, "feedback")
}

/// What others said of this service's answers. Blocks for a moment.
pub(super) fn said(config: &Config) -> Result<Vec<Stored>, FeedbackError> {
    feedback_folder(config).map_or_else(|| Ok(Vec::new()), |folder| kept(&folder))
}

/// The same for the service: what cannot be read is told of, and done without.
pub(super) fn said_or_told(config: &Config) -> Vec<Stored> {
    said(config).unwrap_or_else(|error| {
        let problem = format!("what was said of answers cannot be read: {error}");
        Event::FeedbackProblem { problem: &problem }.emit();
        Vec::new()
    })
}

/// So many examples of each answer can be learnt beside those of the configuration, the newest of what was said.
pub(super) fn room(form: &Examples, own: usize, labels: usize) -> usize {
    form.max_examples.saturating_sub(own) / labels.max(1)
}

/// Whether what others say of a prompt's answers can ever teach it anything, where so many examples of each are its own: there
/// must be room for enough of them.
pub(super) fn can_learn(form: &Examples, own: &[usize]) -> bool {
    let room = room(form, own.iter().sum(), own.len());
    // some that confirm, and one more that was wrong and would be right
    own.iter().all(|own| own + room >= ENOUGH_TO_LEARN) && room * own.len() > ENOUGH_CONFIRMED
}

/// The answers of which somebody can say which was right; none for a prompt that cannot be taught.
pub(super) fn teachable(kind: &AnswerKind) -> Vec<String> {
    match kind {
        AnswerKind::YesNo | AnswerKind::Choice(_) => kind.labels(),
        AnswerKind::Number { .. } | AnswerKind::Text { .. } | AnswerKind::Json { .. } => Vec::new(),
    }
}

/// What a prompt about a camera is shown, with what others said of its answers; `None` where they said nothing of use: of
/// another question, or with an answer that the prompt does not have any more. The error is what is wrong with pictures.
///
/// Decodes pictures: blocks.
pub(super) fn taught(
    camera: &CameraName,
    prompt: &PromptConfig,
    manifest: &Manifest,
    kept: &[Stored],
) -> Result<Option<Shown>, Vec<String>> {
    let (Some(form), labels) = (&manifest.examples, teachable(&prompt.prompt.kind)) else { return Ok(None) };
    let about = |stored: &&Stored| {
        let said = &stored.feedback;
        said.camera == camera.as_str() && said.prompt == prompt.prompt.name.as_str() && said.ask == prompt.prompt.ask
    };
    let said: Vec<&Stored> = kept.iter().filter(about).collect();
    if said.is_empty() {
        return Ok(None); // before any picture is decoded
    }
    let mut all = shown::examples(prompt, manifest)?;
    let room = room(form, all.examples.len(), labels.len());
    let canvas = served::canvas(manifest);
    let before = all.examples.len();
    for (state, label) in labels.iter().enumerate() {
        let of_label = said.iter().filter(|stored| stored.feedback.answer == *label).copied().collect();
        for stored in newest(of_label, room) {
            match shown::frames(&stored.pictures, form.frames, canvas) {
                Ok(frames) => {
                    let Feedback { right, by_lesson, .. } = stored.feedback;
                    let origin = if by_lesson { Origin::OfLesson } else { Origin::Judged { right } };
                    all.examples.push(Example { frames, state, origin });
                }
                // one that the disk has lost is no reason to forget the others
                Err(error) => Event::FeedbackProblem { problem: &error.to_string() }.emit(),
            }
        }
    }
    Ok((all.examples.len() > before).then_some(all))
}

/// Teaches prompts while the service runs.
#[derive(Clone)]
pub(super) struct Teacher {
    pub(super) manifest: Manifest,
    pub(super) roster: Roster,
    pub(super) engine: Arc<Engine>,
    pub(super) answers: mpsc::Sender<Input>,
}

impl Teacher {
    /// Teaches a prompt by all that was said of its answers about a camera. The error is what is wrong with pictures.
    pub(super) async fn teach(
        &self,
        camera: &CameraName,
        prompt: &PromptConfig,
        said: Arc<Vec<Stored>>,
    ) -> Result<(), String> {
        let (about, asked, manifest) = (camera.clone(), prompt.clone(), self.manifest.clone());
        let shown = blocking(move || taught(&about, &asked, &manifest, &said).map_err(|problems| problems.join("; ")));
        let Some(shown) = shown.await? else { return Ok(()) };
        let digest = shown::digest(&shown);
        let learnt = self.engine.teach(camera.clone(), Arc::new(prompt.prompt.clone()), shown).await;
        let Ok(lesson) = learnt else { return Ok(()) }; // the engine is ending
        let lesson = lesson?;
        tell(&lesson);
        let key = (camera.clone(), prompt.prompt.name.clone());
        let shown = if lesson.is_learnt() { Some(digest) } else { self.roster.shown(&key.0, &key.1) };
        let hash = standing_hash(prompt, shown.as_ref());
        self.answers.send(Input::Taught { camera: key.0, prompt: key.1, hash }).await.ok(); // or the process is ending
        Ok(())
    }
}

/// Logs what came of a lesson.
pub(super) fn tell(lesson: &Lesson) {
    let (camera, prompt) = (&lesson.camera, &lesson.prompt);
    match &lesson.gain {
        Ok(gain) => {
            let (judged, before, with) = (gain.judged, gain.before, gain.with);
            Event::Taught { camera, prompt, judged, before, with, used: gain.helps() }.emit();
        }
        Err(why) => Event::NotTaught { camera, prompt, why: &why.to_string() }.emit(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_can_teach_where_there_is_room_for_enough_of_it() {
        let form = Examples { cells: [1, 1], dim: 1, frames: 1, max_examples: 16, min_probability_loo: 0.5 };
        for (own, expected) in [
            (&[0, 0][..], true),
            (&[4, 4], true),
            (&[4, 4, 4], true), // one more of each
            (&[7, 7], false),   // two may confirm, and nothing is left to be learnt
            (&[5, 5, 5], false),
            (&[0; 9], false), // one of each, which cannot be left out in turn
        ] {
            assert_eq!(can_learn(&form, own), expected, "{own:?}");
        }
    }
}
