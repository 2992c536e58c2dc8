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

#[test]
fn a_fault_where_one_thing_is_asked_is_no_fault_where_another_is_compared() {
    let camera = CameraName::new("door").unwrap();
    let prompt = |name: &str| {
        let prompt = Prompt {
            name: PromptName::new(name).unwrap(),
            ask: "is it red".to_owned(),
            also: Vec::new(),
            kind: AnswerKind::YesNo,
        };
        (camera.clone(), Arc::new(prompt))
    };
    let frame =
        Arc::new(Frame { number: 0, taken: Stamp::now(), size: Size { width: 1, height: 1 }, pixels: [0; 3].into() });
    let example = |state| Example { frames: vec![frame.clone()], state, origin: Origin::Configuration };
    let shown = Shown { region: None, examples: vec![example(0), example(1)] };
    let form = Examples { cells: [1, 1], dim: 1, frames: 3, max_examples: 16, min_probability_loo: 0.8 };
    let model = Failing { compares: Some(form), ..Failing::default() };
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
