//! Windows in which nothing changes: what was answered about them is said again, and the model is not run.
//!
//! A window is still where all of its frames look alike. What was answered about a still window holds for each later one
//! that looks the same; the first frame that does not is asked about like any other, with those before it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{Replied, Seen, Spent, Waiting};
use crate::{
    frame::{Frame, Stamp},
    name::{CameraName, PromptName},
    prompt::{Prompt, Reply},
    window::{Spec, Window},
};

/// Pictures are compared in blocks of so many pixels a side. People are found from about two blocks of height on.
const BLOCK: usize = 8;

/// Two pictures look alike where no block's mean of a colour differs by more than this part of its brightness, within bounds
/// in grey levels: what a thing adds to a picture and takes from it grows with the light, as does grass in the wind.
///
/// Measured with `wader-small`'s 384x288 pixels. Photographs with noise of 2.5 grey levels a pixel, coded as H.264 and received
/// over RTSP, differ by 2.3 to 4.6, darkened to a third by 2.4 to 3.9. In seven views of the street footage, a picture with
/// somebody differs from the last one without anybody by 12 times this or more, darkened to a quarter by 3 times; lawns
/// without anybody differ by less, trees in the wind by more.
const ALIKE: Alike = Alike { part: 5, least: 8, most: 24 };

struct Alike {
    /// The brightness is divided by this.
    part: u16,
    least: u16,
    most: u16,
}

/// Means are kept in so many parts of a grey level.
const PARTS: u16 = 16;

/// However still a scene is, the model is asked again after so long.
const HOLDS: Duration = Duration::from_secs(300);

/// Frames of a camera whose looks are kept: several windows' worth.
const KEPT: usize = 64;

/// What a picture looks like: the mean of each colour of each block, in [`PARTS`] of a grey level.
#[derive(Debug, PartialEq, Eq)]
struct Look(Vec<[u16; 3]>);

impl Look {
    /// That of a frame; takes each pixel once.
    fn of(frame: &Frame) -> Self {
        let (width, height) = (frame.size.width as usize, frame.size.height as usize);
        let across = width.div_ceil(BLOCK);
        let mut means = Vec::with_capacity(across * height.div_ceil(BLOCK));
        let rows: Vec<&[u8]> = frame.pixels.chunks_exact((width * 3).max(1)).take(height).collect();
        for rows in rows.chunks(BLOCK) {
            let mut sums = vec![[0_u32; 3]; across];
            for row in rows {
                for (pixels, sum) in row.chunks(3 * BLOCK).zip(&mut sums) {
                    for pixel in pixels.as_chunks::<3>().0 {
                        sum.iter_mut().zip(pixel).for_each(|(sum, colour)| *sum += u32::from(*colour));
                    }
                }
            }
            for (column, sum) in sums.iter().enumerate() {
                let pixels = (rows.len() * BLOCK.min(width - column * BLOCK)) as u32;
                means.push(sum.map(|sum| (sum * u32::from(PARTS) / pixels) as u16));
            }
        }
        Self(means)
    }

    /// Whether nothing that counts is elsewhere or of another colour than in the other one.
    fn is_like(&self, other: &Self) -> bool {
        let grey = |[r, g, b]: &[u16; 3]| (r + g + b) / 3;
        let near = |(one, other): (&[u16; 3], &[u16; 3])| {
            let brightness = grey(one).min(grey(other));
            let most = (brightness / ALIKE.part).clamp(ALIKE.least * PARTS, ALIKE.most * PARTS);
            one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= most)
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(near)
    }
}

/// How a window is made up, apart from what it shows: which places have a frame, and which of these is the one before it
/// again, to the last bit. A model takes notice of the latter: no lens sees that, but a camera that hangs.
type Form = Vec<Option<bool>>;

fn form(window: &Window) -> Form {
    let (mut form, mut before) = (Vec::with_capacity(window.frames.len()), None::<&Arc<Frame>>);
    for frame in &window.frames {
        form.push(frame.as_ref().map(|frame| before.is_some_and(|before| before.pixels == frame.pixels)));
        before = frame.as_ref().or(before);
    }
    form
}

/// An answer about a still scene.
#[derive(Debug)]
struct Answered {
    question: Option<Arc<Prompt>>,
    reply: Reply,
    /// When the newest frame was taken that the model was asked about.
    asked: Stamp,
    /// How many of the newest frames go with it.
    newest: usize,
    by_lesson: bool,
}

/// A still scene, and what was answered about this picture of it.
#[derive(Debug)]
struct Scene {
    look: Arc<Look>,
    form: Form,
    answered: HashMap<PromptName, Answered>,
}

impl Scene {
    /// Whether a window of this form shows it, whose frames look like this.
    fn is_shown(&self, form: &Form, looks: &[Arc<Look>]) -> bool {
        self.form == *form && looks.iter().all(|look| look.is_like(&self.look))
    }
}

/// What is known of the still scenes of all cameras.
#[derive(Debug, Default)]
pub(super) struct Unchanged {
    looks: HashMap<CameraName, BTreeMap<u64, Arc<Look>>>,
    /// For windows of each form, as they were asked about: one where all prompts are asked together.
    scenes: HashMap<(CameraName, Spec), Vec<Scene>>,
}

impl Unchanged {
    /// Says again what holds on, and takes its prompts out of the windows; windows that nobody asks about any more go.
    pub(super) fn settle(&mut self, waiting: &mut Vec<Waiting>) -> Vec<Replied> {
        let mut settled = Vec::new();
        waiting.retain_mut(|Waiting { window, since }| {
            let (looks, form, done) = (self.looks(window), form(window), Stamp::now());
            let scenes = self.scenes.get(&key(window)).into_iter().flatten();
            let shown: Vec<&Scene> = scenes.filter(|scene| scene.is_shown(&form, &looks)).collect();
            let Some(newest) = window.newest().map(|frame| frame.taken) else { return true };
            let holds = |answered: &&Answered| newest.since(answered.asked) < HOLDS;
            for prompt in std::mem::take(&mut window.prompts) {
                let answered = shown.iter().find_map(|scene| scene.answered.get(&prompt).filter(holds));
                let Some(Answered { question, reply, asked, newest, by_lesson }) = answered else {
                    window.prompts.push(prompt);
                    continue;
                };
                settled.push(Replied {
                    camera: window.camera.clone(),
                    prompt,
                    asked: question.clone(),
                    reply: Ok(reply.clone()),
                    seen: Seen::of(window),
                    newest: window.newest_of(*newest),
                    spent: Spent { waited: done.since(*since), ..Spent::default() },
                    done,
                    unchanged_since: Some(*asked),
                    by_lesson: *by_lesson,
                });
            }
            !window.prompts.is_empty()
        });
        settled
    }

    /// Keeps what the model answered about windows that are still.
    pub(super) fn learn(&mut self, asked: &[Waiting], replied: &[Replied]) {
        for Waiting { window, .. } in asked {
            let (looks, form) = (self.looks(window), form(window));
            let (Some(look), Some(newest)) = (looks.last(), window.newest()) else { continue };
            let scenes = self.scenes.entry(key(window)).or_default();
            scenes.retain_mut(|scene| {
                scene.answered.retain(|prompt, _| !window.prompts.contains(prompt));
                !scene.answered.is_empty() && scene.is_shown(&form, &looks)
            });
            let mut scene = Scene { look: look.clone(), form: form.clone(), answered: HashMap::new() };
            if scene.is_shown(&form, &looks) {
                let of_window = |r: &&Replied| r.camera == window.camera && window.prompts.contains(&r.prompt);
                for Replied { prompt, asked, reply, newest: with, by_lesson, .. } in replied.iter().filter(of_window) {
                    if let Ok(reply) = reply {
                        let (prompt, question, reply) = (prompt.clone(), asked.clone(), reply.clone());
                        let (asked, newest) = (newest.taken, with.len());
                        let answered = Answered { question, reply, asked, newest, by_lesson: *by_lesson };
                        scene.answered.insert(prompt, answered);
                    }
                }
                scenes.push(scene);
            }
            if scenes.is_empty() {
                self.scenes.remove(&key(window));
            }
        }
    }

    /// Forgets what was answered of a prompt about a camera.
    pub(super) fn forget_prompt(&mut self, camera: &CameraName, prompt: &PromptName) {
        self.scenes.retain(|(of, _), scenes| {
            if of == camera {
                scenes.retain_mut(|scene| {
                    scene.answered.remove(prompt);
                    !scene.answered.is_empty()
                });
            }
            !scenes.is_empty()
        });
    }

    /// Forgets all that is known of a camera.
    pub(super) fn forget(&mut self, camera: &CameraName) {
        self.looks.remove(camera);
        self.scenes.retain(|(of, _), _| of != camera);
    }

    /// What each frame of a window looks like, the oldest first.
    fn looks(&mut self, window: &Window) -> Vec<Arc<Look>> {
        let known = self.looks.entry(window.camera.clone()).or_default();
        let look = |frame: &Arc<Frame>| known.entry(frame.number).or_insert_with(|| Arc::new(Look::of(frame))).clone();
        let looks = window.frames.iter().flatten().map(look).collect();
        while known.len() > KEPT {
            known.pop_first();
        }
        looks
    }
}

fn key(window: &Window) -> (CameraName, Spec) {
    (window.camera.clone(), window.spec)
}

#[cfg(test)]
#[path = "unchanged/tests.rs"]
mod tests;
