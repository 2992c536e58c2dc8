//! What is kept of cameras' frames between windows, so that each is encoded once, and resampled once by a model that takes
//! frames one by one; and how the frames of several windows are put into one call of the decoder.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    frame::{Frame, Stamp},
    model::{self, Features, Language, Media, Medium, Model, Moments, Scope},
    name::CameraName,
    prompt::Pictures,
    window::{Spec, Window},
};

/// A form of window that no prompt asked for in this time keeps nothing for later.
const FORM_REMEMBERED: Duration = Duration::from_secs(600);

/// A frame among those of all cameras.
type Key = (CameraName, u64);

/// What is kept of all cameras' frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    cameras: HashMap<CameraName, Kept>,
}

/// The frame that something is kept of: for no longer than a later window can reach back, and whoever makes windows has it.
#[derive(Debug, Clone)]
struct Of {
    taken: Stamp,
    frame: Weak<Frame>,
}

impl Of {
    fn new(frame: &Arc<Frame>) -> Self {
        Self { taken: frame.taken, frame: Arc::downgrade(frame) }
    }
}

/// What is kept of one camera's frames, by their numbers.
#[derive(Debug, Default)]
struct Kept {
    /// For a model that takes whole windows; for one that takes frames one by one, until it has taken them.
    features: BTreeMap<u64, (Of, Features)>,
    /// For a model that takes frames one by one.
    media: BTreeMap<u64, (Of, Medium)>,
    /// Each form of window, and the newest frame that was asked about in it.
    forms: BTreeMap<Spec, Stamp>,
}

impl Kept {
    fn knows(&self, number: u64) -> bool {
        self.features.contains_key(&number) || self.media.contains_key(&number)
    }

    /// Forgets what neither these windows of the camera nor later ones can need.
    fn forget_old(&mut self, windows: &[&Window]) {
        let taken = |frame: Option<&Arc<Frame>>| frame.map(|frame| frame.taken);
        let Some(newest) = windows.iter().filter_map(|window| taken(window.newest())).max() else { return };
        let needed = windows.iter().filter_map(|window| taken(window.oldest())).min().unwrap_or(newest);
        self.forms.extend(windows.iter().map(|window| (window.spec, newest)));
        self.forms.retain(|_, asked| newest.since(*asked) < FORM_REMEMBERED);
        // a place takes the frame nearest to it, so one may be a step older
        let reach = self.forms.keys().map(|form| form.span + form.step()).max().unwrap_or_default();
        // however long a window is, few of its frames are kept: what was left out of them comes in no window any more
        let may_come = |of: &Of| of.frame.strong_count() > 0 && (of.taken >= needed || newest.since(of.taken) <= reach);
        self.features.retain(|_, (of, _)| may_come(of));
        self.media.retain(|_, (of, _)| may_come(of));
    }
}

/// The windows that go through the decoder in one call, and which rows of media it needs for them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The windows, by their place in the batch.
    pub(super) windows: Vec<usize>,
    /// The frame of each row; empty for a model whose rows are windows, one for each.
    rows: Vec<Key>,
    /// The rows of each window, oldest frame first.
    media: Vec<Vec<usize>>,
}

impl Frames {
    /// Forgets what is kept of a camera's frames.
    pub(super) fn forget(&mut self, camera: &CameraName) {
        self.cameras.remove(camera);
    }

    /// Encodes the frames that no earlier window needed, and forgets those that no later window can need.
    pub(super) fn encode<M: Model>(&mut self, model: &mut M, windows: &[&Window]) -> Result<(), model::Error> {
        let mut fresh: Vec<(Key, Arc<Frame>)> = Vec::new();
        // before new ones come
        let mut of_cameras: BTreeMap<&CameraName, Vec<&Window>> = BTreeMap::new();
        windows.iter().for_each(|window| of_cameras.entry(&window.camera).or_default().push(window));
        for (camera, windows) in of_cameras {
            self.cameras.entry(camera.clone()).or_default().forget_old(&windows);
        }
        for window in windows {
            let kept = self.cameras.entry(window.camera.clone()).or_default();
            for frame in window.frames.iter().flatten() {
                let key = (window.camera.clone(), frame.number);
                if !kept.knows(frame.number) && !fresh.iter().any(|(listed, _)| *listed == key) {
                    fresh.push((key, frame.clone()));
                }
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let frames: Vec<Arc<Frame>> = fresh.iter().map(|(_, frame)| frame.clone()).collect();
        for (((camera, number), frame), features) in fresh.into_iter().zip(model.encode(&frames)?) {
            self.cameras.entry(camera).or_default().features.insert(number, (Of::new(&frame), features));
        }
        Ok(())
    }

    /// Resamples the frames that no earlier window needed, for a model that takes them one by one.
    pub(super) fn resample<M: Model>(&mut self, model: &mut M, windows: &[&Window]) -> Result<(), model::Error> {
        if model.media().scope == Scope::Window {
            return Ok(());
        }
        let mut fresh: Vec<(Key, Of, Features)> = Vec::new();
        for window in windows {
            let Some(kept) = self.cameras.get(&window.camera) else { continue };
            for frame in window.frames.iter().flatten() {
                let key = (window.camera.clone(), frame.number);
                if let Some((_, features)) = kept.features.get(&frame.number)
                    && !fresh.iter().any(|(listed, ..)| *listed == key)
                {
                    fresh.push((key, Of::new(frame), features.clone()));
                }
            }
        }
        let features: Vec<Features> = fresh.iter().map(|(_, _, features)| features.clone()).collect();
        for (((camera, number), of, _), medium) in fresh.into_iter().zip(model.resample_frames(&features)?) {
            let kept = self.cameras.entry(camera).or_default();
            kept.features.remove(&number);
            kept.media.insert(number, (of, medium));
        }
        Ok(())
    }

    /// The rows of media K/V for these windows, and what of each window stands in the rows of its prompts. Where frames are
    /// not `written` into the text, a window is one picture.
    pub(super) fn bank<M: Model>(
        &self,
        model: &mut M,
        windows: &[&Window],
        layout: &Layout,
        written: bool,
    ) -> Result<(M::VisualTokens, Vec<Pictures>), model::Error> {
        let media = if layout.rows.is_empty() {
            let moments: Vec<Moments> = layout.windows.iter().map(|&window| self.moments(windows[window])).collect();
            model.resample(&moments)?
        } else {
            let medium = |(camera, number): &Key| Some(&self.cameras.get(camera)?.media.get(number)?.1);
            let media: Option<Vec<&Medium>> = layout.rows.iter().map(medium).collect();
            model.bank(
                &media.ok_or_else(|| model::Error::Request { problem: "a frame was forgotten too soon".into() })?,
            )?
        };
        let pictures = layout.windows.iter().zip(&layout.media).map(|(&window, media)| {
            let text = if written { model.language().frames(&times(windows[window])) } else { Vec::new() };
            Pictures { media: media.clone(), text }
        });
        Ok((media, pictures.collect()))
    }

    fn moments(&self, window: &Window) -> Moments {
        let newest = window.newest().map(|f| f.taken);
        let known = self.cameras.get(&window.camera).map(|kept| &kept.features);
        let moment = |frame: &Arc<Frame>| {
            let (_, features) = known?.get(&frame.number)?;
            Some((features.clone(), -newest?.since(frame.taken).as_secs_f32()))
        };
        Moments { frames: window.frames.iter().map(|place| place.as_ref().and_then(moment)).collect() }
    }
}

/// When each frame of a window that is there was taken, in seconds from the newest.
fn times(window: &Window) -> Vec<f32> {
    let Some(newest) = window.newest().map(|frame| frame.taken) else { return Vec::new() };
    window.frames.iter().flatten().map(|frame| -newest.since(frame.taken).as_secs_f32()).collect()
}

/// Splits windows into calls, none of which has more media than the model takes, in their order.
pub(super) fn lay_out(windows: &[&Window], media: Media, written: bool) -> Vec<Layout> {
    let mut layouts: Vec<Layout> = Vec::new();
    for (window, keys) in windows.iter().enumerate() {
        let newest = if written { usize::MAX } else { 1 };
        let frames: Vec<Key> = keys.newest_of(newest).iter().map(|frame| (keys.camera.clone(), frame.number)).collect();
        let of_window = media.scope == Scope::Window;
        let adds = |layout: &Layout| match of_window {
            true => layout.windows.len() + 1,
            false => {
                let there = |key: &&Key| !media.rule.wants_neighbours() && layout.rows.contains(key);
                layout.rows.len() + frames.len() - frames.iter().filter(there).count()
            }
        };
        if layouts.last().is_none_or(|layout| adds(layout) > media.most) {
            layouts.push(Layout { windows: Vec::new(), rows: Vec::new(), media: Vec::new() });
        }
        let Some(layout) = layouts.last_mut() else { continue };
        layout.windows.push(window);
        if of_window {
            layout.media.push(vec![layout.media.len()]);
            continue;
        }
        let row_of = |key: Key| {
            let known = layout.rows.iter().position(|known| *known == key && !media.rule.wants_neighbours());
            known.unwrap_or_else(|| {
                layout.rows.push(key);
                layout.rows.len() - 1
            })
        };
        let rows = frames.into_iter().map(row_of).collect();
        layout.media.push(rows);
    }
    layouts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        frame::Size,
        model::MediaRule,
        name::PromptName,
        window::{Sampler, Schedule},
    };

    /// A window of a camera's frames with these numbers, taken a second apart.
    fn window(camera: &str, numbers: &[u64]) -> Window {
        let frame = |number: &u64| Frame {
            number: *number,
            taken: Stamp::after_origin(Duration::from_secs(*number)),
            size: Size { width: 1, height: 1 },
            pixels: [0; 3].into(),
        };
        Window {
            camera: CameraName::new(camera).unwrap(),
            spec: Spec { frames: numbers.len(), span: Duration::from_secs(numbers.len() as u64 - 1) },
            frames: numbers.iter().map(|number| Some(Arc::new(frame(number)))).collect(),
            prompts: Vec::new(),
        }
    }

    /// The windows of each call, its number of rows, and the rows of each window.
    fn calls(
        windows: &[Window],
        scope: Scope,
        rule: MediaRule,
        most: usize,
    ) -> Vec<(Vec<usize>, usize, Vec<Vec<usize>>)> {
        let windows: Vec<&Window> = windows.iter().collect();
        let layouts = lay_out(&windows, Media { scope, rule, most }, true);
        layouts.into_iter().map(|layout| (layout.windows, layout.rows.len(), layout.media)).collect()
    }

    #[test]
    fn features_are_kept_for_as_long_as_a_later_window_can_need_them() {
        let features = || Features(ndarray::ArcArray2::zeros((1, 1)));
        let mut kept = Kept::default();
        let mut alive = Vec::new();
        let mut after = |numbers: &[u64], let_go: usize| {
            let window = window("a", numbers);
            alive.extend(window.frames.iter().flatten().cloned());
            alive.drain(..let_go);
            let seen = window.frames.iter().flatten().map(|frame| (frame.number, (Of::new(frame), features())));
            kept.features.extend(seen);
            kept.forget_old(&[&window]);
            kept.features.keys().copied().collect::<Vec<_>>()
        };
        for number in 0..20 {
            after(&[number], 0);
        }
        assert_eq!(after(&[20], 0), [20], "single pictures reach nowhere back");
        assert_eq!(after(&[21, 22, 23], 0), [20, 21, 22, 23], "a place's frame may be a step older");
        assert_eq!(after(&[24], 0), [21, 22, 23, 24], "which holds for what is asked more often too");
        assert_eq!(after(&[25], 23), [23, 24, 25], "of what nobody has any more no window comes");
        let far = FORM_REMEMBERED.as_secs() + 25;
        assert_eq!(after(&[far], 0), [far], "but not for ever");
    }

    #[test]
    fn however_long_a_window_is_and_however_often_it_is_asked_about_each_frame_is_encoded_once() {
        let window = Spec { frames: 8, span: Duration::from_secs(600) };
        let (every, prompt) = (Duration::from_secs(1), PromptName::new("p").unwrap());
        let mut sampler = Sampler::new(CameraName::new("a").unwrap(), vec![Schedule { prompt, every, window }]);
        let (mut kept, mut encoded, mut windows, mut most) = (Kept::default(), BTreeMap::new(), 0, 0);
        for number in 0..2400 {
            let taken = Stamp::after_origin(Duration::from_secs(number));
            let size = Size { width: 1, height: 1 };
            for window in sampler.offer(Arc::new(Frame { number, taken, size, pixels: [0; 3].into() })) {
                kept.forget_old(&[&window]);
                windows += 1;
                for frame in
                    window.frames.iter().flatten().filter(|frame| !kept.knows(frame.number)).collect::<Vec<_>>()
                {
                    *encoded.entry(frame.number).or_insert(0) += 1;
                    let features = Features(ndarray::ArcArray2::zeros((1, 1)));
                    kept.features.insert(frame.number, (Of::new(frame), features));
                }
                most = most.max(kept.features.len());
            }
        }
        assert!(windows > 2000 && encoded.values().all(|&times| times == 1), "{windows}");
        assert!(most < 300, "{most} are kept");
    }

    #[test]
    fn frames_that_windows_share_are_one_row_unless_they_must_be_neighbours() {
        let windows = [window("a", &[1, 2, 3]), window("a", &[3]), window("b", &[3])];
        let shared = vec![(vec![0, 1, 2], 4, vec![vec![0, 1, 2], vec![2], vec![3]])];
        assert_eq!(calls(&windows, Scope::Frame, MediaRule::Position, 4), shared);
        let alone = vec![(vec![0, 1], 4, vec![vec![0, 1, 2], vec![3]]), (vec![2], 1, vec![vec![0]])];
        assert_eq!(calls(&windows, Scope::Frame, MediaRule::Span, 4), alone);
        assert_eq!(calls(&windows, Scope::Frame, MediaRule::Latest, 3).len(), 2);
    }

    #[test]
    fn no_call_has_more_media_than_the_model_takes() {
        let windows: Vec<Window> = (0..5).map(|number| window("a", &[10 * number, 10 * number + 1])).collect();
        for most in 2..9 {
            for rule in [MediaRule::Latest, MediaRule::Span, MediaRule::Position] {
                let calls = calls(&windows, Scope::Frame, rule, most);
                assert!(calls.iter().all(|(_, rows, _)| *rows <= most), "{most}: {calls:?}");
                assert_eq!(calls.len(), 5_usize.div_ceil(most / 2), "{most}: {calls:?}");
            }
        }
        let of_windows =
            vec![(vec![0, 1, 2], 0, vec![vec![0], vec![1], vec![2]]), (vec![3, 4], 0, vec![vec![0], vec![1]])];
        assert_eq!(calls(&windows, Scope::Window, MediaRule::Latest, 3), of_windows);
    }
}
