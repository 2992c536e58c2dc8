//! Row 35: more is asked than the model can answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use wader::{
    engine::{Counts, Engine, Replied, Worker},
    frame::{Frame, Stamp},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt},
    window::{Spec, Window},
};

use crate::support::{
    faults::{self, Row, keep, of},
    model::picture,
    wrapped::{Wrapped, rest},
};

const CAMERAS: u32 = 10;
/// How often each camera is asked about.
const STRIDE: Duration = Duration::from_millis(500);
/// How long who asks once waits for the answer.
const PATIENCE: Duration = Duration::from_secs(4);
const ASKS: usize = 3;

fn camera(number: u32) -> CameraName {
    CameraName::new(&format!("camera{number}")).unwrap()
}

fn prompt(name: &str) -> Prompt {
    let name = PromptName::new(name).unwrap();
    Prompt { name, ask: "is it there".to_owned(), also: Vec::new(), kind: AnswerKind::YesNo }
}

fn window(of: u32, number: u32) -> Window {
    let frame = |number| Arc::new(Frame { taken: Stamp::now(), ..Frame::clone(&picture(of, number)) });
    Window {
        camera: camera(of),
        spec: Spec { frames: 2, span: STRIDE },
        frames: vec![Some(frame(2 * number)), Some(frame(2 * number + 1))],
        prompts: vec![prompt("there").name],
    }
}

/// What came of a load.
struct Load {
    counts: Counts,
    /// From the newest frame of a window to its answer, sorted.
    ages: Vec<Duration>,
    /// Answers of each camera.
    answers: BTreeMap<CameraName, usize>,
    /// How long questions that are asked once waited.
    asks: Vec<Duration>,
    newest_wins: bool,
}

impl Load {
    /// So many times what the model can answer, for so long.
    fn of(times: u32, length: Duration) -> Self {
        let there = Arc::new(prompt("there"));
        let asked: Vec<_> = (0..CAMERAS).map(|number| (camera(number), there.clone())).collect();
        let worker = Worker::new(Wrapped::slow(STRIDE * times / CAMERAS), &asked).unwrap();
        let (sender, mut receiver) = mpsc::channel::<Replied>(64);
        let engine = Engine::start(worker, 16, sender).unwrap();
        let hear = move || {
            let mut all = Vec::new();
            while let Some(replied) = receiver.blocking_recv() {
                all.push(replied);
            }
            all
        };
        let hear = std::thread::Builder::new().name("hear".to_owned()).spawn(hear).unwrap();
        let (begun, mut asking) = (Stamp::now(), Vec::new());
        let windows = u32::try_from(length.as_millis() / STRIDE.as_millis()).unwrap() * CAMERAS;
        for number in 0..windows {
            // one camera after the other, evenly
            rest(begun.later_by(STRIDE * number / CAMERAS).since(Stamp::now()));
            engine.offer(vec![window(number % CAMERAS, number / CAMERAS)]);
            if number % (windows / 6) == windows / 12 && asking.len() < ASKS {
                let until = Stamp::now().later_by(PATIENCE);
                asking.push(engine.ask(window(0, 1000 + number), prompt("asked"), until).unwrap());
            }
        }
        // what waits from now on is replaced by nothing
        let end = Stamp::now();
        while engine.pulse().busy {
            rest(Duration::from_millis(20));
        }
        let asks = asking.into_iter().filter_map(|reply| reply.blocking_recv().ok()).map(|r| r.unwrap().spent.waited);
        let (asks, counts) = (asks.collect(), engine.counts());
        drop(engine);
        let replied = hear.join().unwrap();
        let mut answers: BTreeMap<CameraName, usize> = (0..CAMERAS).map(|number| (camera(number), 0)).collect();
        let mut last: BTreeMap<CameraName, Stamp> = BTreeMap::new();
        let mut newest_wins = true;
        for replied in &replied {
            assert!(replied.reply.is_ok(), "{replied:?}");
            *answers.get_mut(&replied.camera).unwrap() += 1;
            let before = last.insert(replied.camera.clone(), replied.seen.last);
            newest_wins &= before.is_none_or(|before| before < replied.seen.last);
        }
        let of_load = replied.iter().filter(|replied| replied.done < end);
        let mut ages: Vec<Duration> = of_load.map(|replied| replied.done.since(replied.seen.last)).collect();
        ages.sort();
        Self { counts, ages, answers, asks, newest_wins }
    }

    fn p99(&self) -> Duration {
        self.ages[(self.ages.len() * 99).div_ceil(100) - 1]
    }

    /// One where all cameras have as many answers, 1/n where one has all.
    fn jain(&self) -> f64 {
        let (sum, squares) =
            self.answers.values().fold((0.0, 0.0), |(sum, squares), &n| (sum + n as f64, squares + (n * n) as f64));
        sum * sum / (self.answers.len() as f64 * squares)
    }

    /// Whether each window that was offered was answered, replaced or dropped, and one of these only.
    fn adds_up(&self) -> bool {
        let Counts { tally, windows, replies, .. } = self.counts;
        tally.offered == windows + tally.replaced + tally.dropped && replies == windows
    }

    fn words(&self) -> String {
        let Counts { tally, windows, .. } = self.counts;
        format!(
            "{} offered = {windows} answered + {} replaced + {} dropped",
            tally.offered, tally.replaced, tally.dropped
        )
    }
}

#[test]
fn row_35_under_twice_and_five_times_the_load_the_newest_windows_win_and_no_camera_starves() {
    let length = Duration::from_secs(if faults::long() { 120 } else { 12 });
    let (two, five) = std::thread::scope(|scope| {
        let two = scope.spawn(|| Load::of(2, length));
        let five = scope.spawn(|| Load::of(5, length));
        (two.join().unwrap(), five.join().unwrap())
    });
    let both = [&two, &five];
    let limit = STRIDE + Duration::from_secs(1);
    let patient = both.iter().all(|load| load.asks.len() == ASKS && load.asks.iter().all(|w| *w >= PATIENCE / 2));
    let each = |figure: &dyn Fn(&Load) -> String| format!("{} at 2x, {} at 5x", figure(&two), figure(&five));
    keep(&Row {
        row: 35,
        fault: "2x and 5x of what the model can answer, 10 cameras each asked about every 0.5 s",
        target: "p99 of age <= stride + 1 s; Jain index >= 0.95; each skipped window counted",
        detection: format!("p99 of age {}", each(&|load| faults::seconds(load.p99()))),
        recovery: String::new(),
        lost: if both.iter().all(|load| load.adds_up()) { "0".to_owned() } else { "not known".to_owned() },
        duplicated: String::new(),
        dropped: each(&Load::words),
        effect: format!(
            "Jain index {}; questions asked once waited for half of their patience at least: {}",
            each(&|load| format!("{:.3}", load.jain())),
            of(both.iter().map(|load| load.asks.len()).sum::<usize>(), 2 * ASKS),
        ),
        met: both.iter().all(|load| load.p99() <= limit && load.jain() >= 0.95 && load.adds_up() && load.newest_wins)
            && patient,
        run: "row_35",
    });
}
