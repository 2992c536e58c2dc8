//! Row 30 and 31 of the fault matrix behind seam 2: a model that runs out of memory, or loses its device, as it is told.

use std::{collections::HashMap, sync::Arc};

use super::*;
use crate::{
    frame::{Frame, Size},
    model::{self, Ended, Features, Gates, Generation, Moments, Row, TokenId, Work, Writing},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt, Reply, words::Words},
    window::{Spec, Window},
};

const NO_MEMORY: &str = "bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 939524096";
/// Texts of the model begin with no more tokens.
const LONGEST_TEXT: usize = 8;
const LOST: &str = "CUDA failure 700: an illegal memory access was encountered ; GPU=0";

/// A model with room for so many frames at a time, by how often it was opened; the last number holds on.
#[derive(Default)]
struct Cramped {
    room: Vec<usize>,
    opened: Vec<Reopen>,
    opens: Vec<Reopen>,
    lost: bool,
}

impl Model for Cramped {
    type VisualTokens = ();
    type Prefix = ();
    type Language = Words;

    fn language(&self) -> &Words {
        &Words
    }
    fn encode(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Features>, model::Error> {
        let fails = |problem: &str| Err(model::Error::Run { graph: "vision_encoder", problem: problem.to_owned() });
        let room = self.room.get(self.opened.len()).or(self.room.last()).copied().unwrap_or(usize::MAX);
        match frames.len() {
            _ if self.lost => fails(LOST),
            wanted if wanted > room => fails(NO_MEMORY),
            wanted => Ok(vec![Features(ndarray::ArcArray2::zeros((1, 1))); wanted]),
        }
    }
    fn resample(&mut self, _: &[Moments]) -> Result<(), model::Error> {
        Ok(())
    }
    fn prefix(&mut self, _: &[TokenId]) -> Result<(), model::Error> {
        Ok(())
    }
    fn score(&mut self, (): &(), _: Option<&()>, rows: &[Row], _: Gates) -> Result<Vec<Vec<Vec<f32>>>, model::Error> {
        Ok(rows.iter().map(|row| row.read.iter().map(|_| vec![-3.0; Words::COUNT]).collect()).collect())
    }
    fn generate(&mut self, (): &(), (): &(), texts: &[Writing]) -> Result<Vec<Generation>, model::Error> {
        let said =
            Generation { ids: Vec::new(), log_probabilities: vec![-1.0], log_masses: Vec::new(), ended: Ended::Itself };
        match texts.iter().position(|text| text.row.ids.len() > LONGEST_TEXT) {
            Some(row) => Err(model::Error::Request { problem: format!("row {row} is too long") }),
            None => Ok(vec![said; texts.len()]),
        }
    }
    fn reopen(&mut self, place: Reopen) -> Result<(), model::Error> {
        if !self.opens.contains(&place) {
            return Err(model::Error::Request { problem: "it cannot be opened there".to_owned() });
        }
        self.opened.push(place);
        Ok(())
    }
    fn work(&self) -> Work {
        Work::default()
    }
}

/// What comes of windows of so many cameras, with a frame each.
fn ask(worker: &mut Worker<Cramped>, cameras: usize, number: u64) -> (usize, Vec<Remedy>) {
    let frame = Frame { number, taken: Stamp::now(), size: Size { width: 1, height: 1 }, pixels: [0; 3].into() };
    let waiting: Vec<Waiting> = (0..cameras)
        .map(|camera| {
            let window = Window {
                camera: camera_of(camera),
                spec: Spec { frames: 1, span: Duration::ZERO },
                frames: vec![Some(Arc::new(frame.clone()))],
                prompts: vec![PromptName::new("there").unwrap()],
            };
            Waiting { window, since: Stamp::now() }
        })
        .collect();
    let replied = worker.answer(&waiting);
    assert_eq!(replied.len(), cameras, "each window is replied to once");
    let named: HashMap<_, _> = replied.iter().map(|replied| (replied.camera.clone(), ())).collect();
    assert_eq!(named.len(), cameras);
    let answers = replied.iter().filter(|replied| matches!(replied.reply, Ok(Reply::Closed { .. }))).count();
    (answers, worker.take_troubles().into_iter().map(|trouble| trouble.remedy).collect())
}

fn camera_of(number: usize) -> CameraName {
    CameraName::new(&format!("c{number}")).unwrap()
}

fn worker(room: &[usize], opens: &[Reopen]) -> Worker<Cramped> {
    let prompt = Prompt {
        name: PromptName::new("there").unwrap(),
        ask: "is it red".to_owned(),
        also: Vec::new(),
        kind: AnswerKind::YesNo,
    };
    let asked: Vec<_> = (0..8).map(|camera| (camera_of(camera), Arc::new(prompt.clone()))).collect();
    let model = Cramped { room: room.to_vec(), opens: opens.to_vec(), ..Cramped::default() };
    Worker::new(model, &asked).unwrap()
}

#[test]
fn of_two_faults_in_a_batch_the_graver_one_says_what_is_done() {
    let of = |problem: &str| model::Error::Run { graph: "decoder", problem: problem.to_owned() };
    for (first, second, expected) in [
        (LOST, "CUDNN_STATUS_EXECUTION_FAILED", Fault::Device),
        ("CUDNN_STATUS_EXECUTION_FAILED", LOST, Fault::Device),
        (NO_MEMORY, "CUBLAS_STATUS_NOT_INITIALIZED", Fault::Memory),
        ("what nobody knows", "what nobody knows", Fault::Other),
    ] {
        let mut mending = Mending::default();
        mending.failed(&of(first));
        mending.failed(&of(second));
        assert_eq!(mending.fault.map(|(fault, _)| fault), Some(expected), "{first}, then {second}");
    }
}

#[test]
fn a_batch_without_room_is_halved_until_it_fits_and_all_is_answered() {
    let mut worker = worker(&[2], &[]);
    let (answers, remedies) = ask(&mut worker, 8, 0);
    assert_eq!(answers, 8);
    assert_eq!(
        remedies,
        [Remedy::SmallerBatches(4), Remedy::SmallerBatches(2), Remedy::SmallerBatches(2)],
        "both halves of eight, and then no more"
    );
}

#[test]
fn a_session_that_stays_failing_is_opened_anew_then_left_for_the_processor_and_then_for_a_new_process() {
    // it has room again after it was opened anew: nothing is lost but time
    let mut one = worker(&[0, 9], &[Reopen::There, Reopen::OnProcessor]);
    assert_eq!(ask(&mut one, 1, 0), (1, vec![Remedy::OpenedAnew]));
    assert_eq!(ask(&mut one, 8, 1), (8, vec![]));
    // it has none where it was, and some on the processor
    let mut one = worker(&[0, 0, 9], &[Reopen::There, Reopen::OnProcessor]);
    assert_eq!(ask(&mut one, 1, 0), (1, vec![Remedy::OpenedAnew, Remedy::Processor]));
    // it cannot be opened where it was
    let mut one = worker(&[0, 9], &[Reopen::OnProcessor]);
    assert_eq!(ask(&mut one, 1, 0), (1, vec![Remedy::Processor]));
    // nowhere at all: a failure, and the end of it
    let mut one = worker(&[0], &[Reopen::There, Reopen::OnProcessor]);
    let all = vec![Remedy::OpenedAnew, Remedy::Processor, Remedy::NewProcess];
    assert_eq!(ask(&mut one, 1, 0), (0, all));
    let mut one = worker(&[0], &[]);
    assert_eq!(ask(&mut one, 1, 0), (0, vec![Remedy::NewProcess]));
}

#[test]
fn a_question_that_the_model_cannot_serve_is_its_own_failure_and_no_others() {
    let prompt = |name: &str, words: usize, kind| {
        let name = PromptName::new(name).unwrap();
        Arc::new(Prompt { name, ask: "is ".repeat(words), also: Vec::new(), kind })
    };
    let text = AnswerKind::Text { max_tokens: 4 };
    let prompts =
        [prompt("there", 3, AnswerKind::YesNo), prompt("told", 3, text.clone()), prompt("endless", LONGEST_TEXT, text)];
    let cameras: Vec<_> = (0..3).map(camera_of).collect();
    let asked: Vec<_> =
        cameras.iter().flat_map(|camera| prompts.iter().map(|prompt| (camera.clone(), Arc::clone(prompt)))).collect();
    let mut worker = Worker::new(Cramped { room: vec![9], ..Cramped::default() }, &asked).unwrap();
    let frame = Frame { number: 0, taken: Stamp::now(), size: Size { width: 1, height: 1 }, pixels: [0; 3].into() };
    let windows = cameras.iter().map(|camera| Window {
        camera: camera.clone(),
        spec: Spec { frames: 1, span: Duration::ZERO },
        frames: vec![Some(Arc::new(frame.clone()))],
        prompts: prompts.iter().map(|prompt| prompt.name.clone()).collect(),
    });
    let waiting: Vec<_> = windows.map(|window| Waiting { window, since: Stamp::now() }).collect();
    let replied = worker.answer(&waiting);
    let of: Vec<_> = replied.iter().map(|replied| (replied.camera.clone(), replied.prompt.clone())).collect();
    let expected: Vec<_> = asked.iter().map(|(camera, prompt)| (camera.clone(), prompt.name.clone())).collect();
    assert_eq!(of, expected, "each once, in order");
    for Replied { prompt, reply, .. } in &replied {
        match prompt.as_str() {
            "endless" => assert!(reply.as_ref().is_err_and(|why| why.contains("row 0 is too long")), "{reply:?}"),
            _ => assert!(reply.is_ok(), "{prompt}: {reply:?}"),
        }
    }
    assert!(worker.take_troubles().is_empty(), "the device is well");
}

#[test]
fn a_device_that_is_lost_is_not_asked_again() {
    let mut worker = worker(&[9], &[Reopen::There, Reopen::OnProcessor]);
    worker.model.lost = true;
    assert_eq!(ask(&mut worker, 4, 0), (0, vec![Remedy::NewProcess]));
    assert!(worker.model.opened.is_empty(), "only a new process helps");
}
