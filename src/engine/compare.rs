//! Prompts that are shown, not told: their examples are looked at once, each frame of their cameras once, and every
//! window is held against the examples.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    frame::Frame,
    model::{self, Cells, Comparison, Examples, Model},
    name::CameraName,
    prompt::{
        Contradiction, Gain, LeftOut, Origin, PlanError, Prompt, Reply, Shown, compared_reply, contests, fits,
        leave_out, share_of,
    },
    window::Window,
};

/// Frames whose looks are kept for one camera from batch to batch: windows share the newest frames, and a look is large.
const LOOKS_KEPT: usize = 128;

/// A prompt's examples as they look.
#[derive(Debug)]
pub(super) struct Compared {
    labels: Vec<String>,
    examples: Vec<(Cells, usize)>,
    region: Vec<f32>,
}

/// A prompt's examples as they look, unless they contradict each other.
pub(super) type Agreeing = Result<Arc<Compared>, Contradiction>;

impl Compared {
    /// Looks at each example once, and where there are enough of them, whether they agree with each other.
    pub(super) fn new<M: Model>(model: &mut M, prompt: &Prompt, shown: &Shown) -> Result<Agreeing, PlanError> {
        let labels = prompt.kind.labels();
        if labels.len() < 2 {
            return Err(PlanError::OpenWithExamples);
        }
        let form = fits(shown.examples.len(), model.examples())?.clone();
        let mut examples = Vec::with_capacity(shown.examples.len());
        for example in &shown.examples {
            let newest = &example.frames[example.frames.len().saturating_sub(form.frames)..];
            let look = Cells::median(&model.appearance(newest)?)
                .ok_or_else(|| model::Error::Request { problem: "an example without a picture".to_owned() })?;
            examples.push((look, example.state));
        }
        let region = shown.region.map_or_else(|| vec![1.0; form.count()], |region| region.weights(form.cells));
        let compared = Compared { labels, examples, region };
        let needed = form.min_probability_loo;
        let agree = |share| share >= needed; // a share that is no number does not agree
        Ok(match compared.left_out(model)? {
            Some(share) if !agree(share) => {
                Err(Contradiction { percent: (share * 100.0) as u32, needed: (needed * 100.0).round() as u32 })
            }
            _ => Ok(Arc::new(compared)),
        })
    }

    /// What an example's right answer gets from the others on average, when it is left out; `None` where there are too
    /// few to see.
    fn left_out<M: Model>(&self, model: &mut M) -> Result<Option<f64>, model::Error> {
        let states: Vec<usize> = self.examples.iter().map(|(_, state)| *state).collect();
        let all = leave_out(&states, self.labels.len());
        let of = |left_out: &LeftOut| self.comparisons(&self.examples[left_out.asked].0, &left_out.without);
        let comparisons: Vec<_> = all.iter().flat_map(of).collect();
        let logits = model.compare(&comparisons)?;
        let each = all.iter().zip(logits.chunks(contests(self.labels.len()).len()));
        let sum: f64 = each.map(|(left_out, logits)| share_of(logits, states[left_out.asked])).sum();
        Ok((!all.is_empty()).then(|| sum / all.len() as f64))
    }

    /// What these examples make of the answers that some of them were judged by.
    pub(super) fn gain<M: Model>(&self, model: &mut M, shown: &Shown) -> Result<Gain, model::Error> {
        let (mut gain, mut comparisons) = (Gain { judged: 0, before: 0, with: 0 }, Vec::new());
        let judged = shown
            .examples
            .iter()
            .zip(&self.examples)
            .enumerate()
            .filter(|(_, (one, _))| matches!(one.origin, Origin::Judged { .. }));
        for (place, (example, (look, _))) in judged.clone() {
            gain.judged += 1;
            gain.before += usize::from(example.origin == Origin::Judged { right: true });
            comparisons.extend(self.comparisons(look, &[place]));
        }
        let logits = model.compare(&comparisons)?;
        let each = logits.chunks(contests(self.labels.len()).len());
        let answered = |logits: &[f32], state: usize| {
            let share = share_of(logits, state);
            let is_best = (0..self.labels.len()).all(|other| other == state || share_of(logits, other) < share);
            // what would be `unsure` is no answer
            is_best && share >= shown.min_probability
        };
        gain.with = judged.zip(each).filter(|((_, (example, _)), logits)| answered(logits, example.state)).count();
        Ok(gain)
    }

    /// The comparisons that decide what a window shows; some examples may be left out.
    fn comparisons<'a>(&'a self, query: &'a Cells, without: &[usize]) -> Vec<Comparison<'a>> {
        let others = || self.examples.iter().enumerate().filter(|(place, _)| !without.contains(place));
        let against_the_rest = |one: usize| Comparison {
            query,
            examples: others().map(|(_, (cells, state))| (cells, *state == one)).collect(),
            region: &self.region,
        };
        contests(self.labels.len()).map(against_the_rest).collect()
    }
}

/// How the newest frames of cameras look; only cameras that have prompts with examples are ever looked at.
#[derive(Debug, Default)]
pub(super) struct Looks {
    of: HashMap<CameraName, BTreeMap<u64, Cells>>,
}

impl Looks {
    /// Forgets how a camera's frames look.
    pub(super) fn forget(&mut self, camera: &CameraName) {
        self.of.remove(camera);
    }

    /// Looks at those frames of these windows that were not looked at before.
    pub(super) fn look<M: Model>(&mut self, model: &mut M, windows: &[&Window]) -> Result<(), model::Error> {
        let Some(form) = model.examples().cloned() else { return Ok(()) };
        let mut fresh: Vec<(&CameraName, Arc<Frame>)> = Vec::new();
        for window in windows {
            let known = self.of.entry(window.camera.clone()).or_default();
            // Before new ones come: none that these windows need may be thrown away.
            while known.len() > LOOKS_KEPT {
                known.pop_first();
            }
            for frame in window.newest_of(form.frames) {
                let listed =
                    fresh.iter().any(|(camera, other)| **camera == window.camera && other.number == frame.number);
                if !known.contains_key(&frame.number) && !listed {
                    fresh.push((&window.camera, frame));
                }
            }
        }
        let frames: Vec<Arc<Frame>> = fresh.iter().map(|(_, frame)| frame.clone()).collect();
        for ((camera, frame), cells) in fresh.into_iter().zip(model.appearance(&frames)?) {
            let known = self.of.entry(camera.clone()).or_default();
            known.insert(frame.number, cells);
        }
        Ok(())
    }

    /// How a window looks.
    fn window(&self, window: &Window, form: &Examples) -> Option<Cells> {
        let known = self.of.get(&window.camera)?;
        let cells: Option<Vec<Cells>> =
            window.newest_of(form.frames).iter().map(|frame| known.get(&frame.number).cloned()).collect();
        Cells::median(&cells?)
    }

    /// Holds each window against its examples: one call for all of them, one reply each.
    pub(super) fn compare<M: Model>(
        &self,
        model: &mut M,
        asks: &[(&Window, &Compared)],
    ) -> Result<Vec<Reply>, model::Error> {
        let Some(form) = model.examples().cloned() else { return Ok(Vec::new()) };
        let lost = || model::Error::Request { problem: "a window without a picture".to_owned() };
        let looks = asks.iter().map(|(window, _)| self.window(window, &form).ok_or_else(lost));
        let looks = looks.collect::<Result<Vec<Cells>, _>>()?;
        let comparisons: Vec<Comparison<'_>> =
            asks.iter().zip(&looks).flat_map(|((_, compared), look)| compared.comparisons(look, &[])).collect();
        let logits = model.compare(&comparisons)?;
        let mut rest = logits.as_slice();
        let replies = asks.iter().map(|(_, compared)| {
            let (own, later) = rest.split_at(contests(compared.labels.len()).len().min(rest.len()));
            rest = later;
            compared_reply(&compared.labels, own)
        });
        Ok(replies.collect())
    }
}
