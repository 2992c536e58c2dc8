//! Does each thing once: encodes a frame once, resamples a window once, decodes its prompts as one batch.
//!
//! The only place that knows the order of the three graphs.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{Replied, Seen, Spent, Waiting};
use crate::{
    frame::{Frame, Stamp},
    model::{self, Features, Gates, Language, Model, Moments, Row, TokenId},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Plan, PlanError, Prompt, Reply, blind_log_odds, closed_reply},
    window::Window,
};

/// What a prompt needs, made when it was first seen.
enum Ready {
    Ask { plan: Plan, blind: Vec<f64> },
    Unknown(Vec<String>),
}

/// A prompt that cannot be asked of this model.
#[derive(Debug, thiserror::Error)]
#[error("prompt `{prompt}` for camera `{camera}`: {source}")]
pub struct Unaskable {
    /// The camera.
    pub camera: CameraName,
    /// The prompt.
    pub prompt: PromptName,
    /// Why not.
    pub source: Box<PlanError>,
}

/// Owns the model and everything that is kept between windows.
pub struct Worker<M: Model> {
    model: M,
    prompts: HashMap<(CameraName, PromptName), Ready>,
    prefixes: HashMap<Vec<TokenId>, M::Prefix>,
    features: HashMap<CameraName, BTreeMap<u64, Features>>,
}

impl<M: Model> Worker<M> {
    /// Prepares every prompt: tokens, text before the picture, and the answer with the gates shut, each computed once.
    ///
    /// A question in words that the model never learned is no error: it gets [`Reply::UnknownWords`] each time.
    pub fn new(mut model: M, asked: &[(CameraName, Arc<Prompt>)]) -> Result<Self, Unaskable> {
        let mut prefixes: HashMap<Vec<TokenId>, M::Prefix> = HashMap::new();
        let mut blind_of: HashMap<&Prompt, (Plan, Vec<f64>)> = HashMap::new();
        let mut prompts = HashMap::new();
        for (camera, prompt) in asked {
            let named = |source: PlanError| Unaskable {
                camera: camera.clone(),
                prompt: prompt.name.clone(),
                source: Box::new(source),
            };
            let ready = match Plan::new(prompt, model.language()) {
                Err(PlanError::UnknownWords(words)) => Ready::Unknown(words),
                Err(error) => return Err(named(error)),
                Ok(plan) => {
                    let (plan, blind) = match blind_of.get(prompt.as_ref()) {
                        Some(known) => known.clone(),
                        None => {
                            let blind = prepare(&mut model, &mut prefixes, &plan).map_err(|e| named(e.into()))?;
                            blind_of.insert(prompt, (plan.clone(), blind.clone()));
                            (plan, blind)
                        }
                    };
                    Ready::Ask { plan, blind }
                }
            };
            prompts.insert((camera.clone(), prompt.name.clone()), ready);
        }
        Ok(Self { model, prompts, prefixes, features: HashMap::new() })
    }

    /// Counts of work so far.
    pub fn work(&self) -> model::Work {
        self.model.work()
    }

    /// Answers all prompts of these windows. A fault of the model is every prompt's failure, never an answer.
    pub fn answer(&mut self, waiting: &[Waiting]) -> Vec<Replied> {
        let begun = Stamp::now();
        let mut spent = Spent::default();
        let replies = self.replies(waiting, &mut spent);
        let done = Stamp::now();
        let mut all = Vec::new();
        let mut replies = replies.map(|r| r.into_iter()).map_err(|e| e.to_string());
        for (Waiting { window, since }, prompt) in pairs(waiting) {
            let reply = match &mut replies {
                Ok(replies) => replies.next().ok_or_else(|| "the engine lost a reply".to_owned()),
                Err(reason) => Err(reason.clone()),
            };
            let waited = begun.since(*since);
            all.push(Replied {
                camera: window.camera.clone(),
                prompt: prompt.clone(),
                reply,
                seen: Seen::of(window),
                spent: Spent { waited, ..spent },
                done,
            });
        }
        all
    }

    /// One reply for each pair of window and prompt, in order.
    fn replies(&mut self, waiting: &[Waiting], spent: &mut Spent) -> Result<Vec<Reply>, model::Error> {
        let asks = |(window, prompt): &(&Waiting, &PromptName)| {
            let key = (window.window.camera.clone(), (*prompt).clone());
            matches!(self.prompts.get(&key), Some(Ready::Ask { .. }))
        };
        if !pairs(waiting).any(|pair| asks(&pair)) {
            return Ok(pairs(waiting).map(|(w, p)| self.unasked(&w.window.camera, p)).collect());
        }
        timed(&mut spent.encoding, || self.encode(waiting))?;
        let moments: Vec<Moments> = waiting.iter().map(|w| self.moments(&w.window)).collect();
        let media = timed(&mut spent.resampling, || self.model.resample(&moments))?;
        timed(&mut spent.decoding, || self.decode(waiting, &media))
    }

    /// Encodes the frames that no earlier window needed, and forgets those that no later window can need.
    fn encode(&mut self, waiting: &[Waiting]) -> Result<(), model::Error> {
        let mut fresh: Vec<(CameraName, Arc<Frame>)> = Vec::new();
        for Waiting { window, .. } in waiting {
            let known = self.features.entry(window.camera.clone()).or_default();
            for frame in window.frames.iter().flatten() {
                let listed = |(camera, other): &(CameraName, Arc<Frame>)| {
                    *camera == window.camera && other.number == frame.number
                };
                if !known.contains_key(&frame.number) && !fresh.iter().any(listed) {
                    fresh.push((window.camera.clone(), frame.clone()));
                }
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let frames: Vec<Arc<Frame>> = fresh.iter().map(|(_, frame)| frame.clone()).collect();
        for ((camera, frame), features) in fresh.into_iter().zip(self.model.encode(&frames)?) {
            let known = self.features.entry(camera).or_default();
            known.insert(frame.number, features);
            while known.len() > FEATURES_KEPT {
                known.pop_first();
            }
        }
        Ok(())
    }

    fn moments(&self, window: &Window) -> Moments {
        let newest = window.newest().map(|f| f.taken);
        let known = self.features.get(&window.camera);
        let moment = |frame: &Arc<Frame>| {
            let features = known?.get(&frame.number)?.clone();
            Some((features, -newest?.since(frame.taken).as_secs_f32()))
        };
        Moments { frames: window.frames.iter().map(|place| place.as_ref().and_then(moment)).collect() }
    }

    /// All prompts of all windows: one batch of closed and one of open prompts for each text before the picture.
    fn decode(&mut self, waiting: &[Waiting], media: &M::VisualTokens) -> Result<Vec<Reply>, model::Error> {
        let mut replies: Vec<Option<Reply>> = Vec::new();
        let mut asks: Vec<(usize, usize, &Plan, &[f64])> = Vec::new();
        for (row, Waiting { window, .. }) in waiting.iter().enumerate() {
            for prompt in &window.prompts {
                match self.prompts.get(&(window.camera.clone(), prompt.clone())) {
                    Some(Ready::Ask { plan, blind }) => {
                        asks.push((replies.len(), row, plan, blind));
                        replies.push(None);
                    }
                    _ => replies.push(Some(self.unasked(&window.camera, prompt))),
                }
            }
        }
        for (text, prefix) in &self.prefixes {
            let of_text = asks.iter().filter(|(_, _, plan, _)| plan.prefix == *text);
            let (open, closed): (Vec<_>, Vec<_>) = of_text.partition(|(_, _, plan, _)| plan.candidates.is_empty());
            score_all(&mut self.model, prefix, media, &closed, &mut replies)?;
            write_all(&mut self.model, prefix, media, &open, &mut replies)?;
        }
        Ok(replies.into_iter().flatten().collect())
    }

    fn unasked(&self, camera: &CameraName, prompt: &PromptName) -> Reply {
        match self.prompts.get(&(camera.clone(), prompt.clone())) {
            Some(Ready::Unknown(words)) => Reply::UnknownWords(words.clone()),
            _ => Reply::UnknownWords(Vec::new()),
        }
    }
}

/// Frames whose features are kept for one camera: the longest window is far shorter.
const FEATURES_KEPT: usize = 256;

type Ask<'a> = (usize, usize, &'a Plan, &'a [f64]);

fn score_all<M: Model>(
    model: &mut M,
    prefix: &M::Prefix,
    media: &M::VisualTokens,
    asks: &[&Ask<'_>],
    replies: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    if asks.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<Row>> = asks.iter().map(|(_, window, plan, _)| plan.rows(Some(*window))).collect();
    let flat: Vec<Row> = rows.iter().flatten().cloned().collect();
    let scores = model.score(prefix, Some(media), &flat, Gates::Open)?;
    let mut rest = scores.as_slice();
    for ((place, _, plan, blind), rows) in asks.iter().zip(&rows) {
        let (own, later) = rest.split_at(rows.len());
        rest = later;
        replies[*place] = Some(closed_reply(plan, own, blind));
    }
    Ok(())
}

fn write_all<M: Model>(
    model: &mut M,
    prefix: &M::Prefix,
    media: &M::VisualTokens,
    asks: &[&Ask<'_>],
    replies: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    let tokens_of = |plan: &Plan| match plan.prompt.kind {
        AnswerKind::Text { max_tokens } => max_tokens,
        _ => 0,
    };
    let Some(max_tokens) = asks.iter().map(|(_, _, plan, _)| tokens_of(plan)).max() else { return Ok(()) };
    let rows: Vec<Row> = asks.iter().flat_map(|(_, window, plan, _)| plan.rows(Some(*window))).collect();
    let written = model.generate(prefix, media, &rows, max_tokens)?;
    for ((place, _, plan, _), mut text) in asks.iter().zip(written) {
        let limit = tokens_of(plan);
        if text.ids.len() > limit {
            text.ids.truncate(limit);
            text.log_probabilities.truncate(limit);
            text.finished = false;
        }
        let sum: f32 = text.log_probabilities.iter().sum();
        let mean = f64::from(sum) / text.log_probabilities.len().max(1) as f64;
        let reply =
            Reply::Text { text: model.language().text(&text.ids), finished: text.finished, probability: mean.exp() };
        replies[*place] = Some(reply);
    }
    Ok(())
}

/// Runs what does not depend on any picture: the text before it, and the answer with the gates shut.
fn prepare<M: Model>(
    model: &mut M,
    prefixes: &mut HashMap<Vec<TokenId>, M::Prefix>,
    plan: &Plan,
) -> Result<Vec<f64>, model::Error> {
    if !prefixes.contains_key(&plan.prefix) {
        let prefix = model.prefix(&plan.prefix)?;
        prefixes.insert(plan.prefix.clone(), prefix);
    }
    if plan.candidates.is_empty() {
        return Ok(Vec::new());
    }
    let prefix = &prefixes[&plan.prefix];
    let scores = model.score(prefix, None, &plan.rows(None), Gates::Shut)?;
    Ok(blind_log_odds(plan, &scores))
}

fn pairs(waiting: &[Waiting]) -> impl Iterator<Item = (&Waiting, &PromptName)> {
    waiting.iter().flat_map(|w| w.window.prompts.iter().map(move |p| (w, p)))
}

fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begun = Stamp::now();
    let result = work();
    *spent = Stamp::now().since(begun);
    result
}
