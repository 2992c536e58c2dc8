//! From a prompt's example pictures on disk to what the engine is shown.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use super::{Error, assemble};
use crate::{
    camera,
    config::{Config, ExampleConfig, PromptConfig},
    engine::{Doubt, Worker},
    frame::{Frame, Size, Stamp},
    model::{Flamingo, Manifest},
    name::{CameraName, PromptName},
    prompt::{Example, Shown, fits},
};

/// What a prompt is shown, in the model's size; `None` for a prompt without examples. Else everything that is wrong.
///
/// Decodes pictures: blocks.
pub fn show(prompt: &PromptConfig, manifest: &Manifest) -> Result<Option<Shown>, Vec<String>> {
    if prompt.examples.is_empty() {
        return Ok(None);
    }
    let name = &prompt.prompt.name;
    let size = Size { width: manifest.vision.width, height: manifest.vision.height };
    let most = manifest.examples.as_ref().map_or(1, |form| form.frames);
    let labels = prompt.prompt.kind.labels();
    let (mut examples, mut wrong) = (Vec::new(), Vec::new());
    if let Err(error) = fits(prompt.examples.len(), manifest.examples.as_ref()) {
        wrong.push(format!("prompts.{name}.examples: {error}"));
    }
    for (number, example) in prompt.examples.iter().enumerate() {
        let state = labels.iter().position(|label| *label == example.answer).unwrap_or(labels.len());
        match frames(example, most, size) {
            Ok(frames) => examples.push(Example { frames, state }),
            Err(error) => wrong.push(format!("prompts.{name}.examples[{number}].path: {error}")),
        }
    }
    if wrong.is_empty() { Ok(Some(Shown { region: prompt.region, examples })) } else { Err(wrong) }
}

/// The newest pictures of an example.
fn frames(example: &ExampleConfig, most: usize, size: Size) -> Result<Vec<Arc<Frame>>, camera::FileError> {
    let newest = &example.pictures[example.pictures.len().saturating_sub(most)..];
    let frame = |(number, file): (u64, &Path)| {
        let pixels = camera::still(file, size)?;
        Ok(Arc::new(Frame { number, taken: Stamp::after_origin(Duration::ZERO), size, pixels }))
    };
    (0..).zip(newest.iter().map(AsRef::as_ref)).map(frame).collect()
}

/// What is shown with each prompt, hashed: answers to other pictures do not compare.
pub(super) type Digests = HashMap<PromptName, String>;

/// The engine's worker for these prompts of these cameras. Blocks: it decodes pictures, and runs the model.
pub(super) fn worker(
    model: Flamingo,
    asked: &[(CameraName, PromptConfig)],
) -> Result<(Worker<Flamingo>, Digests), Error> {
    let (mut all, mut wrong) = (HashMap::new(), Vec::new());
    for (_, prompt) in asked {
        let name = &prompt.prompt.name;
        if all.contains_key(name) {
            continue;
        }
        match show(prompt, model.manifest()) {
            Ok(Some(shown)) => _ = all.insert(name.clone(), shown),
            Ok(None) => {}
            Err(problems) => wrong.extend(problems),
        }
    }
    wrong.sort();
    wrong.dedup(); // a prompt of two cameras was looked at twice
    if !wrong.is_empty() {
        return Err(Error::Config(wrong.join("\n")));
    }
    let prompts: Vec<_> = asked.iter().map(|(camera, p)| (camera.clone(), Arc::new(p.prompt.clone()))).collect();
    let worker = Worker::showing(model, &prompts, &all)?;
    Ok((worker, all.into_iter().map(|(name, shown)| (name, digest(&shown))).collect()))
}

/// Which of these prompts have examples that contradict each other. Blocks: it loads the model and decodes pictures.
pub fn contradictions(config: &Config, prompts: &[&PromptConfig]) -> Result<Vec<Doubt>, Error> {
    let model = Flamingo::load(&config.model.path, &assemble::model_spec(config)).map_err(Box::new)?;
    // examples are held against each other, whatever the camera: one is enough
    let asked: Vec<_> =
        prompts.iter().filter_map(|&prompt| Some((prompt.cameras.first()?.clone(), prompt.clone()))).collect();
    let (worker, _) = worker(model, &asked)?;
    Ok(worker.doubts().to_vec())
}

/// Names what is shown exactly: other pictures, answers or regions are another prompt.
fn digest(shown: &Shown) -> String {
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
