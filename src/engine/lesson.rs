//! What a prompt learns from examples out of what others said of its answers, and whether they help.

use std::sync::Arc;

use super::compare::Compared;
use crate::{
    model::Model,
    name::{CameraName, PromptName},
    prompt::{Contradiction, Gain, Lacking, PlanError, Prompt, Shown, lacking},
};

/// What came of examples out of what others said of a prompt's answers about a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The camera.
    pub camera: CameraName,
    /// The prompt.
    pub prompt: PromptName,
    /// What they bring, or why that cannot be seen.
    pub gain: Result<Gain, Unlearnt>,
}

impl Lesson {
    /// Whether the prompt is answered by the examples from now on: only where they help.
    pub fn is_learnt(&self) -> bool {
        self.gain.as_ref().is_ok_and(Gain::helps)
    }
}

/// Why nothing can be learnt from examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unlearnt {
    /// There are too few.
    #[error(transparent)]
    Lacking(#[from] Lacking),
    /// They contradict each other.
    #[error("the examples contradict each other: {0}")]
    Contradicting(#[from] Contradiction),
}

/// What comes of looking at examples.
pub(super) struct Learnt {
    /// As they look, where they can be used.
    pub(super) compared: Option<Arc<Compared>>,
    pub(super) gain: Result<Gain, Unlearnt>,
}

/// Looks at examples, and at what they would have made of the answers that were judged.
pub(super) fn learn<M: Model>(model: &mut M, prompt: &Prompt, shown: &Shown) -> Result<Learnt, PlanError> {
    let nothing = |why| Learnt { compared: None, gain: Err(why) };
    if let Some(lacking) = lacking(&shown.examples, prompt.kind.labels().len()) {
        return Ok(nothing(lacking.into()));
    }
    Ok(match Compared::new(model, prompt, shown)? {
        Err(contradiction) => nothing(contradiction.into()),
        Ok(compared) => {
            let gain = compared.gain(model, shown)?;
            Learnt { compared: Some(compared), gain: Ok(gain) }
        }
    })
}
