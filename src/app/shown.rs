//! From a prompt's example pictures on disk to what the engine is shown.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::served;
use crate::{
    camera::{self, Canvas},
    config::PromptConfig,
    frame::Frame,
    model::Manifest,
    name::{CameraName, PromptName},
    prompt::{Example, Origin, Shown, fits},
};

/// What a prompt is shown, in the model's size; `None` for a prompt that is put into words. Else everything that is wrong.
///
/// Decodes pictures: blocks.
pub fn show(prompt: &PromptConfig, manifest: &Manifest) -> Result<Option<Shown>, Vec<String>> {
    if prompt.is_shown() { examples(prompt, manifest).map(Some) } else { Ok(None) }
}

/// The examples of a prompt, be they enough or not. Decodes pictures: blocks.
pub(super) fn examples(prompt: &PromptConfig, manifest: &Manifest) -> Result<Shown, Vec<String>> {
    let name = &prompt.prompt.name;
    let canvas = served::canvas(manifest);
    let most = manifest.examples.as_ref().map_or(1, |form| form.frames);
    let labels = prompt.prompt.kind.labels();
    let (mut examples, mut wrong) = (Vec::new(), Vec::new());
    if !prompt.examples.is_empty()
        && let Err(error) = fits(prompt.examples.len(), manifest.examples.as_ref())
    {
        wrong.push(format!("prompts.{name}.examples: {error}"));
    }
    for (number, example) in prompt.examples.iter().enumerate() {
        let state = labels.iter().position(|label| *label == example.answer).unwrap_or(labels.len());
        match frames(&example.pictures, most, canvas) {
            Ok(frames) => examples.push(Example { frames, state, origin: Origin::Configuration }),
            Err(error) => wrong.push(format!("prompts.{name}.examples[{number}].path: {error}")),
        }
    }
    if wrong.is_empty() {
        Ok(Shown { region: prompt.region, examples, min_probability: prompt.min_probability })
    } else {
        Err(wrong)
    }
}

/// The newest pictures of an example.
pub(super) fn frames(pictures: &[PathBuf], most: usize, canvas: Canvas) -> Result<Vec<Arc<Frame>>, camera::FileError> {
    let newest = &pictures[pictures.len().saturating_sub(most)..];
    let frame = |(number, file): (u64, &Path)| Ok(Arc::new(Frame { number, ..camera::still(file, canvas)? }));
    (0..).zip(newest.iter().map(AsRef::as_ref)).map(frame).collect()
}

/// What is shown with each prompt about each camera, hashed: answers to other pictures do not compare.
pub(super) type Digests = HashMap<(CameraName, PromptName), String>;

/// Names what is shown exactly: other pictures, answers or regions are another prompt.
pub(super) fn digest(shown: &Shown) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", shown.region.map(|region| region.edges())));
    for example in &shown.examples {
        hash.update(format!("{} {}", example.state, example.frames.len()));
        for frame in &example.frames {
            hash.update(&frame.pixels);
        }
    }
    format!("{:x}", hash.finalize())
}
