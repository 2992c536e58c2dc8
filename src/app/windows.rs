//! The windows that prompts ask for, held against what the model takes and what it was trained on.

use std::collections::BTreeSet;

use super::Error;
use crate::{config::PromptConfig, model::Manifest, telemetry::Event, window::Spec};

/// A prompt with the window that the model is given for it.
pub(super) fn fit(mut prompt: PromptConfig, manifest: &Manifest) -> Result<PromptConfig, Error> {
    match manifest.window(prompt.window.frames, prompt.window.span) {
        Ok((frames, span)) => {
            prompt.window = Spec { frames, span };
            Ok(prompt)
        }
        Err(most) => Err(Error::Config(format!(
            "prompt `{}` asks for {} frames; the model `{}` takes {most} at most",
            prompt.prompt.name, prompt.window.frames, manifest.name
        ))),
    }
}

/// Logs of prompts, fitted to the model, whose windows its weights never saw in training: their answers are a guess of
/// what it makes of them.
pub(super) fn tell_untrained<'a>(prompts: impl IntoIterator<Item = &'a PromptConfig>, manifest: &Manifest) {
    // the words do not go through the three graphs where examples are compared, or will be once there are enough
    let told = prompts.into_iter().filter(|prompt| prompt.examples.is_empty());
    let words = told.filter_map(|p| Some((p.prompt.name.clone(), manifest.untrained(p.window.frames, p.window.span)?)));
    for (prompt, problem) in words.collect::<BTreeSet<_>>() {
        Event::UntrainedWindow { prompt: &prompt, problem: &problem }.emit();
    }
}
