//! Choose the frames worth asking about.
//!
//! Pure: time comes in with the frames, nothing here waits or reads a clock.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    frame::{Frame, Stamp},
    name::{CameraName, PromptName},
};

/// The form of a window: this many frames, evenly placed over this span, the newest frame last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spec {
    /// How many frames, one at least.
    pub frames: usize,
    /// From the first frame to the last.
    pub span: Duration,
}

impl Spec {
    /// The distance between neighbouring places of the window; zero where there is one place only.
    pub fn step(&self) -> Duration {
        match self.frames {
            0 | 1 => Duration::ZERO,
            n => self.span / (n as u32 - 1),
        }
    }

    /// How far back such a window may look: a place takes the frame nearest to it.
    pub fn reach(&self) -> Duration {
        self.span + self.step()
    }
}

/// When a prompt wants a window of this camera, and of which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Who asks.
    pub prompt: PromptName,
    /// How often.
    pub every: Duration,
    /// About what.
    pub window: Spec,
}

/// Frames of one camera to be asked about, and who asks.
#[derive(Debug, Clone)]
pub struct Window {
    /// Whose frames.
    pub camera: CameraName,
    /// The form that was wanted.
    pub spec: Spec,
    /// One entry a place, oldest first; `None` where the camera gave no frame near that time.
    pub frames: Vec<Option<Arc<Frame>>>,
    /// The prompts that are due, all asking about these same frames.
    pub prompts: Vec<PromptName>,
}

impl Window {
    /// The newest frame; every window has one.
    pub fn newest(&self) -> Option<&Arc<Frame>> {
        self.frames.iter().rev().flatten().next()
    }

    /// So many of the newest frames that are there, the oldest of them first.
    pub fn newest_of(&self, count: usize) -> Vec<Arc<Frame>> {
        let mut frames: Vec<_> = self.frames.iter().rev().flatten().take(count).cloned().collect();
        frames.reverse();
        frames
    }

    /// The oldest frame.
    pub fn oldest(&self) -> Option<&Arc<Frame>> {
        self.frames.iter().flatten().next()
    }
}

/// So many frames are kept as they come. Where windows reach so far back that there are more, the older ones are thinned.
const MANY: usize = 256;
/// The parts of a span in each of which one frame is kept, once frames are thinned.
const PARTS: u32 = 128;

/// Turns the frames of one camera into windows.
///
/// Prompts that want the same form at the same time share one window, so that its frames are encoded and resampled
/// once. The times at which prompts fall due lie on one grid per interval for that reason.
#[derive(Debug)]
pub struct Sampler {
    camera: CameraName,
    planned: Vec<Planned>,
    recent: VecDeque<Arc<Frame>>,
    /// Some of the older frames were left out.
    is_thinned: bool,
    /// For this form frames are kept, whatever is planned.
    keep_least: Option<Spec>,
    keep: Duration,
    left_out: BTreeSet<PromptName>,
}

/// A schedule and how far it has come.
#[derive(Debug)]
struct Planned {
    schedule: Schedule,
    /// The slot of the grid in which it was last asked, or found without a frame.
    asked: Option<u128>,
    /// When it was last asked.
    asked_at: Option<Stamp>,
    asleep: bool,
    /// Frames of before were thinned for other forms, and lie too far apart for this one.
    from: Option<Stamp>,
}

impl Planned {
    fn slot(&self, now: Stamp) -> u128 {
        now.since_origin().as_nanos() / self.schedule.every.as_nanos().max(1)
    }

    /// The slot in which it is due with the frame of `now`, the one before which came `gap` earlier; `None` where it is not.
    ///
    /// Frames jitter, and where they come about as often as it asks one may come right behind the beginning of a slot and the next
    /// right before its end. Then the next slot has its frame early: its beginning is nearer to that one than to its successor.
    fn due(&self, now: Stamp, gap: Duration) -> Option<u128> {
        let every = self.schedule.every;
        let slot = self.slot(now);
        if self.asked.is_none_or(|asked| slot > asked) {
            return Some(slot);
        }
        let next = self.slot(now.later_by((gap / 2).min(every / 4)));
        let is_early = next > slot && self.asked == Some(slot);
        let is_rested = self.asked_at.is_some_and(|at| now.since(at) >= every * 3 / 4);
        (is_early && is_rested).then_some(next)
    }
}

impl Sampler {
    /// A sampler without frames.
    pub fn new(camera: CameraName, schedules: Vec<Schedule>) -> Self {
        let (planned, recent, keep) = (Vec::new(), VecDeque::new(), Duration::ZERO);
        let mut sampler =
            Self { camera, planned, recent, is_thinned: false, keep_least: None, keep, left_out: BTreeSet::new() };
        sampler.plan(schedules);
        sampler
    }

    /// Keeps frames for at least as long as this form needs, so that it can be asked about at any time.
    #[must_use]
    pub fn keeping(mut self, spec: Spec) -> Self {
        self.keep_least = Some(spec);
        self.keep = self.keep.max(spec.reach());
        self
    }

    /// From now on these prompts are not due, and all others are again; gives those that were not due until now.
    pub fn leave_out(&mut self, prompts: &BTreeSet<PromptName>) -> Vec<PromptName> {
        if self.left_out == *prompts {
            return Vec::new();
        }
        let back = self.left_out.difference(prompts).cloned().collect();
        self.left_out.clone_from(prompts);
        back
    }

    /// Takes the next frame; gives the windows that are due with it, one a form.
    pub fn offer(&mut self, frame: Arc<Frame>) -> Vec<Window> {
        let now = frame.taken;
        let before = self.recent.back().map(|last| last.taken);
        if before.is_some_and(|before| before >= now) {
            return Vec::new(); // a frame from the past would make a window whose last picture is not its newest
        }
        let gap = before.map_or(Duration::ZERO, |before| now.since(before));
        self.recent.push_back(frame);
        while self.recent.front().is_some_and(|oldest| now.since(oldest.taken) > self.keep) {
            self.recent.pop_front();
        }
        if self.recent.len() > MANY {
            self.thin(now);
        }
        let mut windows: Vec<Window> = Vec::new();
        for planned in &mut self.planned {
            if planned.asleep || self.left_out.contains(&planned.schedule.prompt) {
                continue;
            }
            let Some(slot) = planned.due(now, gap).filter(|_| covers(&self.recent, planned, now)) else { continue };
            (planned.asked, planned.asked_at) = (Some(slot), Some(now));
            let schedule = &planned.schedule;
            match windows.iter_mut().find(|w| w.spec == schedule.window) {
                Some(window) => window.prompts.push(schedule.prompt.clone()),
                None => windows.push(Window {
                    camera: self.camera.clone(),
                    spec: schedule.window,
                    frames: choose(&self.recent, schedule.window, now),
                    prompts: vec![schedule.prompt.clone()],
                }),
            }
        }
        windows
    }

    /// Leaves of the frames so many as the forms that reach back to them can tell from each other: a window holds a few, and an
    /// hour of them all is gigabytes.
    fn thin(&mut self, now: Stamp) {
        let forms: Vec<Spec> = self.planned.iter().map(|p| p.schedule.window).chain(self.keep_least).collect();
        let apart = |age: Duration| {
            let wanted_by = forms.iter().filter(|form| form.reach() >= age);
            wanted_by.map(|form| form.span / PARTS).min().unwrap_or_default()
        };
        let before_thinning = self.recent.len();
        let mut before: Option<Stamp> = None;
        self.recent.retain(|frame| {
            let keep = before.is_none_or(|kept| frame.taken.since(kept) >= apart(now.since(frame.taken)));
            if keep {
                before = Some(frame.taken);
            }
            keep || frame.taken == now
        });
        self.is_thinned |= self.recent.len() < before_thinning;
    }

    /// A window of the newest frames there are, for a question that is asked now; `None` before the first frame. Frames are
    /// kept for as long as prompts need them, so a longer span has absent places.
    pub fn newest(&self, spec: Spec) -> Option<Window> {
        let now = self.recent.back()?.taken;
        let frames = choose(&self.recent, spec, now);
        Some(Window { camera: self.camera.clone(), spec, frames, prompts: Vec::new() })
    }

    /// Plans for these schedules from now on, none of which sleeps; those that were planned for before go on where they are.
    pub fn plan(&mut self, schedules: Vec<Schedule>) {
        let forms = schedules.iter().map(|schedule| schedule.window).chain(self.keep_least);
        self.keep = forms.map(|form| form.reach()).max().unwrap_or_default();
        let before = std::mem::take(&mut self.planned);
        let now = self.recent.back().map(|frame| frame.taken).filter(|_| self.is_thinned);
        let planned = |schedule: Schedule| {
            let same = before.iter().find(|planned| planned.schedule == schedule);
            let (asked, asked_at) = same.map_or((None, None), |same| (same.asked, same.asked_at));
            let known = before.iter().find(|planned| planned.schedule.window == schedule.window);
            let from = known.map_or(now, |known| known.from);
            Planned { schedule, asked, asked_at, asleep: false, from }
        };
        self.planned = schedules.into_iter().map(planned).collect();
    }

    /// What this prompt asks is another question now, or it is shown something else: it is due with the next frame.
    pub fn ask_anew(&mut self, prompt: &PromptName) {
        self.planned
            .iter_mut()
            .filter(|planned| planned.schedule.prompt == *prompt)
            .for_each(|planned| planned.asked = None);
    }

    /// The camera was away, and what was said of it was taken back: all are due with the next frame.
    pub fn begin_anew(&mut self) {
        self.planned.iter_mut().for_each(|planned| planned.asked = None);
    }

    /// Leaves a prompt out of all windows from now on, or takes it in again.
    pub fn set_asleep(&mut self, prompt: &PromptName, asleep: bool) {
        for planned in self.planned.iter_mut().filter(|planned| planned.schedule.prompt == *prompt) {
            planned.asleep = asleep;
        }
    }

    /// The prompts that are due now, and of whose windows no frame is left: the camera gave none for the whole span, and
    /// for longer than an answer is valid (three intervals) and than `patience`. Each is told once an interval.
    pub fn starved(&mut self, now: Stamp, patience: Duration) -> Vec<PromptName> {
        let Some(newest) = self.recent.back().map(|frame| frame.taken) else { return Vec::new() };
        let mut starved = Vec::new();
        for planned in self.planned.iter_mut().filter(|planned| !planned.asleep) {
            let Schedule { prompt, every, window } = &planned.schedule;
            if self.left_out.contains(prompt) {
                continue;
            }
            let slot = planned.slot(now);
            let reach = window.reach().max(*every * 3).max(patience);
            if now.since(newest) > reach && planned.asked.is_none_or(|asked| slot > asked) {
                starved.push(prompt.clone());
                planned.asked = Some(slot);
            }
        }
        starved
    }
}

/// Whether the frames reach far enough back for this to be asked at all: half of the span.
fn covers(recent: &VecDeque<Arc<Frame>>, planned: &Planned, now: Stamp) -> bool {
    let spec = planned.schedule.window;
    let oldest = recent.front().map(|oldest| planned.from.map_or(oldest.taken, |from| oldest.taken.max(from)));
    spec.frames <= 1 || oldest.is_some_and(|oldest| now.since(oldest) * 2 >= spec.span)
}

/// For each place of the window the nearest frame, if one lies within half a step; no frame twice.
fn choose(recent: &VecDeque<Arc<Frame>>, spec: Spec, now: Stamp) -> Vec<Option<Arc<Frame>>> {
    let step = spec.step();
    let mut places: Vec<Option<Arc<Frame>>> = vec![None; spec.frames.max(1)];
    let mut before: Option<u64> = None;
    for (back, place) in places.iter_mut().rev().enumerate() {
        let Some(wanted) = now.earlier_by(step * back as u32) else { break };
        let distance = |frame: &Arc<Frame>| wanted.since(frame.taken).max(frame.taken.since(wanted));
        let nearest = recent
            .iter()
            .filter(|frame| before.is_none_or(|number| frame.number < number))
            .min_by_key(|frame| distance(frame))
            .filter(|frame| distance(frame) * 2 <= step);
        if let Some(frame) = nearest {
            before = Some(frame.number);
            *place = Some(frame.clone());
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    fn frame(number: u64, milliseconds: u64) -> Arc<Frame> {
        Arc::new(Frame {
            number,
            taken: Stamp::after_origin(Duration::from_millis(milliseconds)),
            size: Size { width: 1, height: 1 },
            pixels: [0; 3].into(),
        })
    }

    fn schedule(prompt: &str, every_ms: u64, frames: usize, span_ms: u64) -> Schedule {
        Schedule {
            prompt: PromptName::new(prompt).unwrap(),
            every: Duration::from_millis(every_ms),
            window: Spec { frames, span: Duration::from_millis(span_ms) },
        }
    }

    fn numbers(window: &Window) -> Vec<Option<u64>> {
        window.frames.iter().map(|f| f.as_ref().map(|f| f.number)).collect()
    }

    fn run(schedules: Vec<Schedule>, times_ms: &[u64]) -> Vec<Vec<Window>> {
        let mut sampler = Sampler::new(CameraName::new("c").unwrap(), schedules);
        times_ms.iter().enumerate().map(|(i, &ms)| sampler.offer(frame(i as u64, ms))).collect()
    }

    #[test]
    fn a_window_holds_evenly_placed_frames_newest_last() {
        let times: Vec<u64> = (0..9).map(|i| i * 500).collect();
        let windows = run(vec![schedule("p", 1000, 3, 2000)], &times);
        let last = windows[8].first().unwrap();
        assert_eq!(numbers(last), [Some(4), Some(6), Some(8)]);
    }

    #[test]
    fn who_asks_as_often_as_frames_come_is_asked_as_often_whatever_the_phase() {
        for phase in (0..500).step_by(10) {
            // of 25 frames a second two are kept: 480 and 520 ms apart by turns, and the network shakes them
            let shaken = |number: u64| [0, 7, 3, 9, 1][number as usize % 5];
            let times: Vec<u64> = (0..200).map(|n| phase + n * 500 + 20 * (n % 2) + shaken(n)).collect();
            let asked = run(vec![schedule("p", 500, 1, 0)], &times).iter().flatten().count();
            assert!((194..=200).contains(&asked), "{asked} of 200 with a phase of {phase} ms");
            let half = run(vec![schedule("p", 1000, 1, 0)], &times).iter().flatten().count();
            assert!((98..=102).contains(&half), "{half} of 100 with a phase of {phase} ms");
        }
    }

    #[test]
    fn nobody_is_asked_before_half_of_the_span_is_seen() {
        let windows = run(vec![schedule("p", 500, 4, 3000)], &[0, 500, 1000, 1500]);
        assert_eq!(windows.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 0, 1]);
        assert_eq!(numbers(&windows[3][0]), [None, None, Some(1), Some(3)]);
    }

    #[test]
    fn what_the_camera_did_not_give_is_absent_not_repeated() {
        let windows = run(vec![schedule("p", 1000, 5, 4000)], &[0, 1000, 4000]);
        assert_eq!(numbers(&windows[2][0]), [Some(0), Some(1), None, None, Some(2)]);
    }

    #[test]
    fn prompts_of_one_form_share_a_window_and_forms_do_not() {
        let times: Vec<u64> = (0..21).map(|i| i * 500).collect();
        let forms = vec![
            schedule("a", 2000, 2, 1000),
            schedule("b", 2000, 2, 1000),
            schedule("c", 2000, 3, 1000),
            schedule("d", 5000, 2, 1000),
        ];
        let windows = run(forms, &times);
        let at_10_s: Vec<Vec<&str>> =
            windows[20].iter().map(|w| w.prompts.iter().map(PromptName::as_str).collect()).collect();
        assert_eq!(at_10_s, [vec!["a", "b", "d"], vec!["c"]]);
        let asked_b = windows.iter().flatten().flat_map(|w| &w.prompts).filter(|p| p.as_str() == "b").count();
        assert_eq!(asked_b, 6, "once in each slot of 2 s, the first as soon as half the span is seen");
    }

    #[test]
    fn a_question_is_asked_about_the_newest_frames() {
        let mut sampler = Sampler::new(CameraName::new("c").unwrap(), vec![schedule("p", 1000, 3, 2000)]);
        let spec = Spec { frames: 4, span: Duration::from_millis(6000) };
        assert!(sampler.newest(spec).is_none());
        for number in 0..9 {
            sampler.offer(frame(number, number * 1000));
        }
        let window = sampler.newest(spec).unwrap();
        assert_eq!(numbers(&window), [None, Some(5), Some(6), Some(8)], "what nobody needs is not kept");
        assert!(window.prompts.is_empty());
        let mut keeping = Sampler::new(CameraName::new("c").unwrap(), Vec::new()).keeping(spec);
        for number in 0..9 {
            assert!(keeping.offer(frame(number, number * 1000)).is_empty());
        }
        assert_eq!(numbers(&keeping.newest(spec).unwrap()), [Some(2), Some(4), Some(6), Some(8)]);
    }

    #[test]
    fn who_comes_later_is_planned_for_and_the_others_notice_nothing() {
        let (a, b) = (schedule("a", 2000, 2, 1000), schedule("b", 1000, 2, 1000));
        let mut sampler = Sampler::new(CameraName::new("c").unwrap(), vec![a.clone()]);
        let asked = |sampler: &mut Sampler, number: u64| {
            let windows = sampler.offer(frame(number, number * 500));
            windows.iter().flat_map(|w| &w.prompts).map(PromptName::to_string).collect::<Vec<_>>().join("+")
        };
        assert_eq!([0, 1, 2].map(|number| asked(&mut sampler, number)), ["", "a", ""]);
        sampler.plan(vec![a, b.clone()]);
        assert_eq!([3, 4].map(|number| asked(&mut sampler, number)), ["b", "a+b"], "`a` was asked in this slot");
        sampler.plan(vec![b]);
        assert_eq!([5, 6, 7, 8].map(|number| asked(&mut sampler, number)), ["", "b", "", "b"]);
    }

    #[test]
    fn frames_are_kept_for_as_long_as_what_is_planned_needs_them() {
        let wide = schedule("wide", 1000, 2, 60_000);
        let mut sampler = Sampler::new(CameraName::new("c").unwrap(), vec![schedule("p", 1000, 2, 1000), wide])
            .keeping(Spec { frames: 2, span: Duration::from_secs(3) });
        let kept = |sampler: &mut Sampler, second: u64| {
            sampler.offer(frame(second, second * 1000));
            sampler.recent.len()
        };
        assert_eq!((0..=100).map(|second| kept(&mut sampler, second)).max(), Some(101));
        sampler.plan(vec![schedule("p", 1000, 2, 1000)]);
        assert_eq!(
            kept(&mut sampler, 101),
            7,
            "no longer than for the one that asks now, and for what is asked at once"
        );
    }

    #[test]
    fn however_far_windows_reach_back_few_frames_are_kept_and_each_window_has_its_own() {
        let hour = 3_600_000;
        let forms = vec![schedule("wide", 2000, 8, hour), schedule("near", 2000, 8, 7000)];
        let mut sampler = Sampler::new(CameraName::new("c").unwrap(), forms);
        let (mut most, mut last) = (0, Vec::new());
        for number in 0..20_000 {
            let windows = sampler.offer(frame(number, number * 500));
            last = if windows.is_empty() { last } else { windows };
            most = most.max(sampler.recent.len());
        }
        assert!(most <= MANY + 1, "{most}");
        let ages = |window: &Window| -> Vec<f64> {
            let newest = window.newest().unwrap().taken;
            window.frames.iter().flatten().map(|frame| newest.since(frame.taken).as_secs_f64()).collect()
        };
        let [wide, near] = &last[..] else { panic!("{last:?}") };
        assert_eq!(ages(near), [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
        let wanted = (0..8).rev().map(|place| f64::from(place) * 3600.0 / 7.0);
        assert!(ages(wide).into_iter().zip(wanted).all(|(is, wanted)| (is - wanted).abs() <= 30.0), "{:?}", ages(wide));
    }

    #[test]
    fn a_camera_that_was_away_is_asked_about_at_once_however_seldom_that_is() {
        let mut sampler = Sampler::new(CameraName::new("c").unwrap(), vec![schedule("daily", 86_400_000, 1, 0)]);
        let asked = |sampler: &mut Sampler, second: u64| sampler.offer(frame(second, second * 1000)).len();
        assert_eq!([1, 2].map(|second| asked(&mut sampler, second)), [1, 0]);
        sampler.begin_anew();
        assert_eq!([3, 4].map(|second| asked(&mut sampler, second)), [1, 0]);
    }

    #[test]
    fn who_asks_something_else_is_due_with_the_next_frame() {
        let mut sampler = Sampler::new(
            CameraName::new("c").unwrap(),
            vec![schedule("daily", 86_400_000, 1, 0), schedule("other", 86_400_000, 1, 0)],
        );
        let asked = |sampler: &mut Sampler, second: u64| {
            let windows = sampler.offer(frame(second, second * 1000));
            windows.iter().flat_map(|w| &w.prompts).map(PromptName::to_string).collect::<Vec<_>>().join("+")
        };
        assert_eq!([1, 2].map(|second| asked(&mut sampler, second)), ["daily+other", ""]);
        sampler.ask_anew(&PromptName::new("daily").unwrap());
        assert_eq!([3, 4].map(|second| asked(&mut sampler, second)), ["daily", ""]);
    }

    #[test]
    fn who_wants_frames_close_together_waits_for_them_where_those_of_an_hour_were_thinned() {
        let hour = schedule("hour", 60_000, 8, 3_600_000);
        let minute = schedule("minute", 1000, 8, 56_000);
        let mut sampler = Sampler::new(CameraName::new("c").unwrap(), vec![hour.clone()]);
        let windows_of_minute = |sampler: &mut Sampler, second: u64| {
            let windows = sampler.offer(frame(second, second * 1000));
            windows.into_iter().find(|window| window.spec == minute.window)
        };
        assert!((0..2000).all(|second| windows_of_minute(&mut sampler, second).is_none()));
        sampler.plan(vec![hour, minute.clone()]);
        let first = (2000..2100).find_map(|second| Some((second, windows_of_minute(&mut sampler, second)?)));
        let (second, window) = first.unwrap();
        assert_eq!(second, 2027, "half of the span, from the newest frame on that there was");
        let close = window.frames.iter().rev().take(4).flatten().count();
        assert_eq!(close, 4, "each place since then has its frame: {:?}", numbers(&window));
    }

    #[test]
    fn a_frame_from_the_past_is_left_out() {
        let windows = run(vec![schedule("p", 1, 1, 0)], &[1000, 900, 1000, 1001]);
        assert_eq!(windows.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0, 1]);
    }

    #[test]
    fn a_prompt_that_sleeps_is_in_no_window_and_is_due_when_it_wakes() {
        let mut sampler = Sampler::new(
            CameraName::new("c").unwrap(),
            vec![schedule("day", 1000, 2, 1000), schedule("night", 1000, 2, 1000)],
        );
        let night = PromptName::new("night").unwrap();
        let asked = |sampler: &mut Sampler, second: u64| {
            let windows = sampler.offer(frame(second, second * 1000));
            let names: Vec<_> = windows.iter().flat_map(|w| &w.prompts).map(|p| p.as_str().to_owned()).collect();
            names.join("+")
        };
        sampler.set_asleep(&night, true);
        assert_eq!([0, 1, 2].map(|second| asked(&mut sampler, second)), ["", "day", "day"]);
        sampler.set_asleep(&night, false);
        assert_eq!(asked(&mut sampler, 3), "day+night", "the frames before it woke are part of its window");
        sampler.set_asleep(&night, true);
        assert_eq!(asked(&mut sampler, 4), "day");
        sampler.plan(vec![schedule("day", 1000, 2, 1000), schedule("night", 1000, 2, 1000)]);
        assert_eq!(asked(&mut sampler, 5), "day+night", "who plans anew says anew who sleeps");
    }

    #[test]
    fn a_window_without_a_frame_is_told_once_an_interval() {
        let mut sampler = Sampler::new(
            CameraName::new("c").unwrap(),
            vec![schedule("quick", 1000, 2, 1000), schedule("wide", 1000, 3, 8000), schedule("rare", 60_000, 1, 0)],
        );
        let starved = |sampler: &mut Sampler, milliseconds, patience| {
            let now = Stamp::after_origin(Duration::from_millis(milliseconds));
            let names = sampler.starved(now, Duration::from_secs(patience));
            names.iter().map(PromptName::to_string).collect::<Vec<_>>().join("+")
        };
        assert_eq!(starved(&mut sampler, 99_000, 0), "", "a camera without a first frame is not connected");
        sampler.offer(frame(0, 100_000));
        for (milliseconds, patience, expected) in [
            (100_500, 0, ""),
            (103_000, 0, ""), // three intervals
            (103_100, 5, ""), // the camera gives a frame so seldom
            (103_100, 0, "quick"),
            (103_900, 0, ""),
            (104_000, 0, "quick"),
            (112_000, 0, "quick"), // a span and a step
            (112_100, 0, "wide"),
            (113_000, 0, "quick+wide"),
        ] {
            assert_eq!(starved(&mut sampler, milliseconds, patience), expected, "{milliseconds} ms");
        }
        sampler.set_asleep(&PromptName::new("wide").unwrap(), true);
        assert_eq!(starved(&mut sampler, 114_000, 0), "quick");
        sampler.offer(frame(1, 115_000));
        assert_eq!(starved(&mut sampler, 116_000, 0), "");
    }
}
