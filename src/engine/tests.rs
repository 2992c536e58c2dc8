//! What the engine does when the model fails: the oracle never does.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::*;
use crate::{
    frame::{Frame, Size},
    model::{self, Cells, Comparison, Examples, Features, Gates, Generation, Moments, Row, TokenId, Writing},
    prompt::{AnswerKind, Example, Origin, Prompt, Shown, words::Words},
    window::Spec,
};

/// A model that works until it is asked about a frame; it can compare as long as `compares` says.
#[derive(Default)]
struct Failing {
    panics: bool,
    compares: Option<Examples>,
}

fn error() -> model::Error {
    model::Error::Run { graph: "vision_encoder", problem: "out of memory".to_owned() }
}

impl Model for Failing {
    type VisualTokens = ();
    type Prefix = ();
    type Language = Words;

    fn language(&self) -> &Words {
        &Words
    }
    fn encode(&mut self, _: &[Arc<Frame>]) -> Result<Vec<Features>, model::Error> {
        assert!(!self.panics, "the accelerator is gone");
        Err(error())
    }
    fn resample(&mut self, _: &[Moments]) -> Result<(), model::Error> {
        Err(error())
    }
    fn prefix(&mut self, _: &[TokenId]) -> Result<(), model::Error> {
        Ok(())
    }
    fn score(&mut self, (): &(), _: Option<&()>, rows: &[Row], _: Gates) -> Result<Vec<Vec<Vec<f32>>>, model::Error> {
        Ok(rows.iter().map(|row| row.read.iter().map(|_| vec![-3.0; Words::COUNT]).collect()).collect())
    }
    fn generate(&mut self, (): &(), (): &(), _: &[Writing]) -> Result<Vec<Generation>, model::Error> {
        Err(error())
    }
    fn examples(&self) -> Option<&Examples> {
        self.compares.as_ref()
    }
    fn appearance(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Cells>, model::Error> {
        Ok(vec![Cells(ndarray::ArcArray2::zeros((1, 1))); frames.len()])
    }
    fn compare(&mut self, comparisons: &[Comparison<'_>]) -> Result<Vec<f32>, model::Error> {
        Ok(vec![2.0; comparisons.len()])
    }
    fn work(&self) -> Work {
        Work::default()
    }
}

/// An engine of this model, and a window of two prompts that is offered to it.
fn engine(panics: bool) -> (Engine, mpsc::Receiver<Replied>) {
    let camera = CameraName::new("door").unwrap();
    let prompt = |name: &str, kind| {
        let name = PromptName::new(name).unwrap();
        (camera.clone(), Arc::new(Prompt { name, ask: "is it red".to_owned(), also: Vec::new(), kind }))
    };
    let asked = [prompt("closed", AnswerKind::YesNo), prompt("open", AnswerKind::Text { max_tokens: 8 })];
    let worker = Worker::new(Failing { panics, ..Failing::default() }, &asked).unwrap();
    let (replies, replied) = mpsc::channel(8);
    let engine = Engine::start(worker, 4, replies).unwrap();
    let frame = Frame { number: 0, taken: Stamp::now(), size: Size { width: 1, height: 1 }, pixels: [0; 3].into() };
    engine.offer(vec![Window {
        camera,
        spec: Spec { frames: 1, span: Duration::ZERO },
        frames: vec![Some(Arc::new(frame))],
        prompts: asked.iter().map(|(_, prompt)| prompt.name.clone()).collect(),
    }]);
    (engine, replied)
}

#[tokio::test]
async fn a_fault_of_the_model_is_each_prompts_failure_and_never_an_answer() {
    let (_engine, mut replied) = engine(false);
    for prompt in ["closed", "open"] {
        let reply = replied.recv().await.unwrap();
        assert_eq!(reply.prompt.as_str(), prompt);
        let reason = reply.reply.unwrap_err();
        assert!(reason.contains("out of memory"), "{reason}");
    }
}

#[tokio::test]
async fn a_panic_of_the_model_is_known_to_the_owner() {
    let (engine, mut replied) = engine(true);
    engine.ended().await;
    assert!(replied.recv().await.is_none(), "no reply was made up");
}

fn closed(name: &str) -> Prompt {
    let name = PromptName::new(name).unwrap();
    Prompt { name, ask: "is it red".to_owned(), also: Vec::new(), kind: AnswerKind::YesNo }
}

/// One of so many that look alike.
fn picture(number: u64) -> Arc<Frame> {
    let (taken, size) = (Stamp::after_origin(Duration::from_secs(number)), Size { width: 1, height: 1 });
    Arc::new(Frame { number, taken, size, pixels: [0; 3].into() })
}

/// A model that answers a prompt which is shown these examples.
fn comparing() -> (Failing, Shown) {
    let example = |state| Example { frames: vec![picture(0)], state, origin: Origin::Configuration };
    let form = Examples { cells: [1, 1], dim: 1, frames: 3, max_examples: 16, min_probability_loo: 0.8 };
    let shown = Shown { region: None, examples: vec![example(0), example(1)], min_probability: 0.6 };
    (Failing { compares: Some(form), ..Failing::default() }, shown)
}

#[tokio::test]
async fn of_a_still_scene_nothing_is_said_again_before_it_was_heard() {
    let (camera, prompt) = (CameraName::new("door").unwrap(), Arc::new(closed("shown")));
    let (model, shown) = comparing();
    let asked = [(camera.clone(), prompt.clone())];
    let worker = Worker::showing(model, &asked, &HashMap::from([(prompt.name.clone(), shown)])).unwrap();
    let (replies, mut replied) = mpsc::channel(8);
    let engine = Engine::start(worker.skipping_unchanged(true), 4, replies).unwrap();
    let reminder = engine.reminder();
    let mut is_said_again = async |number| {
        engine.offer(vec![Window {
            camera: camera.clone(),
            spec: Spec { frames: 1, span: Duration::ZERO },
            frames: vec![Some(picture(number))],
            prompts: vec![prompt.name.clone()],
        }]);
        replied.recv().await.unwrap().unchanged_since.is_some()
    };
    assert!(!is_said_again(1).await);
    assert!(!is_said_again(2).await, "nobody has heard of the first, which may not be settled");
    reminder.heard();
    reminder.heard();
    assert!(is_said_again(3).await);
    reminder.ask_again(&camera, &prompt.name);
    reminder.heard();
    assert!(!is_said_again(4).await, "it was heard, and is not settled");
}

#[test]
fn a_fault_where_one_thing_is_asked_is_no_fault_where_another_is_compared() {
    let camera = CameraName::new("door").unwrap();
    let frame = picture(0);
    let (model, shown) = comparing();
    let prompt = |name| (camera.clone(), Arc::new(closed(name)));
    let asked = [prompt("told"), prompt("shown")];
    let mut worker = Worker::showing(model, &asked, &HashMap::from([(asked[1].1.name.clone(), shown)])).unwrap();
    let window = Window {
        camera: camera.clone(),
        spec: Spec { frames: 1, span: Duration::ZERO },
        frames: vec![Some(frame)],
        prompts: asked.iter().map(|(_, prompt)| prompt.name.clone()).collect(),
    };
    let replied = worker.answer(&[Waiting { window, since: Stamp::now() }]);
    assert!(replied[0].reply.as_ref().is_err_and(|reason| reason.contains("out of memory")), "{replied:?}");
    assert!(matches!(replied[1].reply, Ok(Reply::Closed { .. })), "{replied:?}");
}
