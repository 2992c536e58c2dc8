//! Makes the engine's worker ready to be asked: its prompts, what they are shown, and what others taught them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    Error, assemble, lessons, served,
    shown::{Digests, digest, show},
};
use crate::{
    config::{Config, PromptConfig},
    engine::{Added, Lesson, Worker},
    model::Flamingo,
    name::{CameraName, PromptName},
    prompt::{Contradiction, Prompt},
    store::feedback::Stored,
};

/// The engine's worker, ready to be asked.
pub(super) struct Prepared {
    pub(super) worker: Worker<Flamingo>,
    /// Of what prompts are shown by the configuration,
    pub(super) digests: Digests,
    /// and of what others taught them, which takes its place.
    pub(super) learnt: Digests,
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
    let digests: Digests = prompts.iter().filter_map(of).collect();
    let mut learnt = Digests::new();
    let (mut lessons, mut refused) = (Vec::new(), Vec::new());
    for (camera, prompt) in added {
        let one = Added { camera: camera.clone(), prompt: Arc::new(prompt.prompt.clone()), shown: None, taught: None };
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
        let lesson = worker.teach(camera, &Arc::new(prompt.prompt.clone()), &shown).map_err(|error| error.to_string());
        if lesson.as_ref().is_ok_and(Lesson::is_learnt) {
            learnt.insert((camera.clone(), prompt.prompt.name.clone()), digest(&shown));
        }
        lessons.push(lesson);
    }
    Ok(Prepared { worker, digests, learnt, lessons, refused })
}

/// The worker for all prompts of a configuration, and what others said of their answers. Blocks: it loads the model, decodes
/// pictures, and runs the model.
pub(super) fn whole(config: &Config, said: &[Stored]) -> Result<Prepared, Error> {
    let model = served::load_model(config)?;
    let watched = assemble::watched(config, model.manifest())?;
    let asked: Vec<_> = watched.iter().flat_map(assemble::Watched::asked).collect();
    worker(model, &asked, &[], said)
}

/// Which of these prompts have examples that contradict each other. Blocks: it loads the model and decodes pictures.
pub fn contradictions(
    config: &Config,
    prompts: &[&PromptConfig],
) -> Result<BTreeMap<PromptName, Contradiction>, Error> {
    let model = Flamingo::load(&config.model.path, &served::model_spec(config)).map_err(Box::new)?;
    // examples are held against each other, whatever the camera: one is enough
    let asked: Vec<_> =
        prompts.iter().filter_map(|&prompt| Some((prompt.cameras.first()?.clone(), prompt.clone()))).collect();
    Ok(worker(model, &asked, &[], &[])?.worker.contradictions())
}

/// What prompts learn from what others said of their answers; the errors are what is wrong with its pictures. Blocks: it
/// loads the model and decodes pictures.
pub fn learnt(config: &Config) -> Result<Vec<Result<Lesson, String>>, Error> {
    let said = lessons::said(config)?;
    if said.is_empty() {
        return Ok(Vec::new());
    }
    Ok(whole(config, &said)?.lessons)
}
