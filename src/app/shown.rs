//! From a prompt's example pictures on disk to what the engine is shown.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{Error, assemble, lessons, served};
use crate::{
    camera::{self, Canvas},
    config::{Config, PromptConfig},
    engine::{Added, Doubt, Lesson, Worker},
    frame::Frame,
    model::{Flamingo, Manifest},
    name::{CameraName, PromptName},
    prompt::{Example, Prompt, Shown, fits},
    store::feedback::Stored,
};

/// What a prompt is shown, in the model's size; `None` for a prompt without examples. Else everything that is wrong.
///
/// Decodes pictures: blocks.
pub fn show(prompt: &PromptConfig, manifest: &Manifest) -> Result<Option<Shown>, Vec<String>> {
    if prompt.examples.is_empty() {
        return Ok(None);
    }
    let name = &prompt.prompt.name;
    let canvas = served::canvas(manifest);
    let most = manifest.examples.as_ref().map_or(1, |form| form.frames);
    let labels = prompt.prompt.kind.labels();
    let (mut examples, mut wrong) = (Vec::new(), Vec::new());
    if let Err(error) = fits(prompt.examples.len(), manifest.examples.as_ref()) {
        wrong.push(format!("prompts.{name}.examples: {error}"));
    }
    for (number, example) in prompt.examples.iter().enumerate() {
        let state = labels.iter().position(|label| *label == example.answer).unwrap_or(labels.len());
        match frames(&example.pictures, most, canvas) {
            Ok(frames) => examples.push(Example { frames, state, judged: None }),
            Err(error) => wrong.push(format!("prompts.{name}.examples[{number}].path: {error}")),
        }
    }
    if wrong.is_empty() { Ok(Some(Shown { region: prompt.region, examples })) } else { Err(wrong) }
}

/// The newest pictures of an example.
pub(super) fn frames(pictures: &[PathBuf], most: usize, canvas: Canvas) -> Result<Vec<Arc<Frame>>, camera::FileError> {
    let newest = &pictures[pictures.len().saturating_sub(most)..];
    let frame = |(number, file): (u64, &Path)| Ok(Arc::new(Frame { number, ..camera::still(file, canvas)? }));
    (0..).zip(newest.iter().map(AsRef::as_ref)).map(frame).collect()
}

/// What is shown with each prompt about each camera, hashed: answers to other pictures do not compare.
pub(super) type Digests = HashMap<(CameraName, PromptName), String>;

/// The engine's worker, ready to be asked.
pub(super) struct Prepared {
    pub(super) worker: Worker<Flamingo>,
    pub(super) digests: Digests,
    /// What came of what others said of answers; the error is what is wrong with its pictures.
    pub(super) lessons: Vec<Result<Lesson, String>>,
    /// The prompts of others that this model cannot be asked, and why.
    pub(super) refused: Vec<(PromptName, String)>,
}

/// The worker for these prompts of these cameras, and what others said of their answers; `added` are the prompts of others,
/// which are no reason not to start. Blocks: it decodes pictures, and runs the model.
pub(super) fn worker(
    model: Flamingo,
    asked: &[(CameraName, PromptConfig)],
    added: &[(CameraName, PromptConfig)],
    said: &[Stored],
) -> Result<Prepared, Error> {
    let (mut all, mut wrong) = (HashMap::new(), Vec::new());
    let mut taught = Vec::new();
    for (camera, prompt) in asked.iter().chain(added).filter(|_| !said.is_empty()) {
        taught.push((camera, prompt, lessons::taught(camera, prompt, model.manifest(), said)));
    }
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
    let mut worker = Worker::showing(model, &prompts, &all)?;
    let of = |(camera, prompt): &(CameraName, Arc<Prompt>)| {
        Some(((camera.clone(), prompt.name.clone()), digest(all.get(&prompt.name)?)))
    };
    let mut digests: Digests = prompts.iter().filter_map(of).collect();
    let (mut lessons, mut refused) = (Vec::new(), Vec::new());
    for (camera, prompt) in added {
        let one = Added { camera: camera.clone(), prompt: Arc::new(prompt.prompt.clone()), shown: None };
        if let Err(error) = worker.add(&[one]) {
            refused.push((prompt.prompt.name.clone(), error.to_string()));
        }
    }
    for (camera, prompt, shown) in taught {
        let shown = match shown {
            Ok(None) => continue,
            Ok(Some(shown)) => shown,
            Err(problems) => {
                lessons.push(Err(problems.join("; ")));
                continue;
            }
        };
        let lesson = worker.teach(camera, &prompt.prompt, &shown).map_err(|error| error.to_string());
        if lesson.as_ref().is_ok_and(Lesson::is_learnt) {
            digests.insert((camera.clone(), prompt.prompt.name.clone()), digest(&shown));
        }
        lessons.push(lesson);
    }
    Ok(Prepared { worker, digests, lessons, refused })
}

/// Which of these prompts have examples that contradict each other. Blocks: it loads the model and decodes pictures.
pub fn contradictions(config: &Config, prompts: &[&PromptConfig]) -> Result<Vec<Doubt>, Error> {
    let model = Flamingo::load(&config.model.path, &served::model_spec(config)).map_err(Box::new)?;
    // examples are held against each other, whatever the camera: one is enough
    let asked: Vec<_> =
        prompts.iter().filter_map(|&prompt| Some((prompt.cameras.first()?.clone(), prompt.clone()))).collect();
    Ok(worker(model, &asked, &[], &[])?.worker.doubts().to_vec())
}

/// What prompts learn from what others said of their answers; the errors are what is wrong with its pictures. Blocks: it
/// loads the model and decodes pictures.
pub fn learnt(config: &Config) -> Result<Vec<Result<Lesson, String>>, Error> {
    let said = lessons::said(config);
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let model = Flamingo::load(&config.model.path, &served::model_spec(config)).map_err(Box::new)?;
    let watched = assemble::watched(config, model.manifest())?;
    let asked: Vec<_> = watched.iter().flat_map(assemble::Watched::asked).collect();
    Ok(worker(model, &asked, &[], &said)?.lessons)
}

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
