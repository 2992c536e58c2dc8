//! What the engine does when the model fails: the oracle never does.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::*;
use crate::{
    frame::{Frame, Size},
    model::{self, Features, Gates, Generation, Moments, Row, TokenId},
    prompt::{AnswerKind, Prompt, words::Words},
    window::Spec,
};

/// A model that works until it is shown a frame.
struct Failing {
    panics: bool,
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
    fn generate(&mut self, (): &(), (): &(), _: &[Row], _: usize) -> Result<Vec<Generation>, model::Error> {
        Err(error())
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
        (camera.clone(), Arc::new(Prompt { name, ask: "is it red".to_owned(), kind }))
    };
    let asked = [prompt("closed", AnswerKind::YesNo), prompt("open", AnswerKind::Text { max_tokens: 8 })];
    let worker = Worker::new(Failing { panics }, &asked).unwrap();
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
