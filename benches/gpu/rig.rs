//! Cameras without cameras: windows of eight frames that move on by one, and the prompts that are asked about them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use wader::{
    engine::{Waiting, Worker},
    frame::{Frame, Size, Stamp},
    model::Flamingo,
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt},
    window,
};

pub(crate) const FRAMES: usize = 8;
pub(crate) const CAMERAS: usize = 64;
pub(crate) const PROMPTS: usize = 16;
/// The most windows that the service puts through the graphs together.
pub(crate) const BATCH: usize = 16;
pub(crate) const QUESTIONS: [&str; 4] =
    ["is there a person?", "is a car parked?", "did somebody come in?", "is someone wearing red?"];

/// What is answered in a sentence.
pub(crate) const WRITTEN: [&str; 1] = ["what is happening?"];

/// A drawn picture of the model's size.
pub(crate) fn picture(size: Size, number: usize) -> Vec<u8> {
    let (width, height) = (size.width as usize, size.height as usize);
    let shade =
        |place: usize| ((place / 3 % width / 4 + place / 3 / width / 3 + 37 * number + place % 3 * 40) % 251) as u8;
    (0..width * height * 3).map(shade).collect()
}

/// Frames of all cameras; pictures are shared, for only their number says which have been encoded.
pub(crate) struct Cameras {
    names: Vec<CameraName>,
    pictures: Vec<Arc<Frame>>,
    frames: Vec<VecDeque<Arc<Frame>>>,
    taken: u64,
}

impl Cameras {
    pub(crate) fn new(size: Size) -> Self {
        let still = |number: usize| {
            let taken = Stamp::after_origin(Duration::ZERO);
            Arc::new(Frame { number: number as u64, taken, size, pixels: picture(size, number).into() })
        };
        let mut cameras = Self {
            names: (0..CAMERAS).map(|number| CameraName::new(&format!("c{number}")).unwrap()).collect(),
            pictures: (0..FRAMES).map(still).collect(),
            frames: vec![VecDeque::new(); CAMERAS],
            taken: 0,
        };
        for _ in 0..FRAMES {
            (0..CAMERAS).for_each(|camera| cameras.take(camera, Stamp::now()));
        }
        cameras
    }

    /// The next frame of a camera.
    pub(crate) fn take(&mut self, camera: usize, taken: Stamp) {
        self.taken += 1;
        let picture = &self.pictures[self.taken as usize % FRAMES];
        let frame = Frame { number: self.taken, taken, size: picture.size, pixels: picture.pixels.clone() };
        let frames = &mut self.frames[camera];
        frames.push_back(Arc::new(frame));
        if frames.len() > FRAMES {
            frames.pop_front();
        }
    }

    /// The window of a camera's newest frames.
    pub(crate) fn window(&self, camera: usize, prompts: &[PromptName]) -> window::Window {
        let spec = window::Spec { frames: FRAMES, span: Duration::from_secs(7) };
        let frames = self.frames[camera].iter().cloned().map(Some).collect();
        window::Window { camera: self.names[camera].clone(), spec, frames, prompts: prompts.to_vec() }
    }

    /// A frame more of the first so many cameras, and the batches of windows that they end.
    pub(crate) fn round(&mut self, cameras: usize, prompts: &[PromptName]) -> Vec<Vec<Waiting>> {
        let now = Stamp::now();
        (0..cameras).for_each(|camera| self.take(camera, now));
        let all: Vec<_> =
            (0..cameras).map(|camera| Waiting { window: self.window(camera, prompts), since: now }).collect();
        all.chunks(BATCH).map(<[Waiting]>::to_vec).collect()
    }

    /// The engine's worker, with prompts of this kind for every camera; and their names.
    pub(crate) fn worker(&self, model: Flamingo, kind: &AnswerKind) -> (Worker<Flamingo>, Vec<PromptName>) {
        let prompts: Vec<_> = (0..PROMPTS).map(|n| PromptName::new(&format!("p{n}")).unwrap()).collect();
        let prompt = |(name, ask): (&PromptName, &str)| {
            Arc::new(Prompt { name: name.clone(), ask: ask.to_owned(), also: Vec::new(), kind: kind.clone() })
        };
        let asks = if matches!(kind, AnswerKind::Text { .. }) { &WRITTEN[..] } else { &QUESTIONS[..] };
        let asked: Vec<_> = prompts.iter().zip(asks.iter().copied().cycle()).map(prompt).collect();
        let all: Vec<_> =
            self.names.iter().flat_map(|name| asked.iter().map(|prompt| (name.clone(), prompt.clone()))).collect();
        (Worker::new(model, &all).unwrap(), prompts)
    }
}
