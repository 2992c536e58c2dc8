//! What a soak's figures come to, and what in them is not as it should be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Plan,
    gaps::{Stretch, gaps},
    measure::{Sample, median, slope},
    rig::Past,
};

/// Answers are wanted once a second: three of them may be late, and the machine may stutter.
pub(super) const LONGEST_PAUSE: f64 = 3.0 + 2.0;
/// The target, in MB an hour.
const STEEPEST: f64 = 0.5;
/// Below so many seconds of samples a slope says nothing.
const ENOUGH: f64 = 1800.0;
/// What a process at rest may hold more than before: files are opened for a moment.
const MORE_DESCRIPTORS: f64 = 4.0;
/// Pools of threads keep one that they do not need just now.
const MORE_THREADS: f64 = 6.0;

/// A soak that is over.
pub(super) struct Run {
    pub(super) plan: Plan,
    /// When all cameras were there, in seconds of the run.
    pub(super) begun: f64,
    /// When all faults were over.
    pub(super) ended: f64,
    /// At rest, before the first fault.
    pub(super) before: Sample,
    /// At rest, after the last.
    pub(super) after: Sample,
    pub(super) samples: Vec<Sample>,
    pub(super) past: Past,
}

/// A pause of a camera's, as it is told of.
pub(super) struct Pause {
    pub(super) camera: String,
    pub(super) between: Stretch,
    pub(super) bare: f64,
}

/// What is to be made of it.
pub(super) struct Findings {
    pub(super) pauses: Vec<Pause>,
    /// Answers of the history that nobody heard.
    pub(super) lost: usize,
    /// Answers that came late though the broker was there.
    pub(super) late: Vec<Stretch>,
    /// MB an hour, and its standard error, of samples after the beginning.
    pub(super) slope: Option<(f64, f64)>,
    pub(super) anonymous_slope: Option<(f64, f64)>,
    /// That of the second half alone: heaps take a while until each has held its most.
    pub(super) late_slope: Option<(f64, f64)>,
    /// From when on.
    pub(super) warm: f64,
    /// Between the medians of the first and the last fifth after the beginning.
    pub(super) more_threads: f64,
    pub(super) more_descriptors: f64,
    /// By kind.
    pub(super) troubles: BTreeMap<String, u64>,
    /// Lines of the log that wader did not write.
    pub(super) foreign: BTreeMap<String, u64>,
    /// What is not as it should be.
    pub(super) complaints: Vec<String>,
}

impl Findings {
    pub(super) fn of(run: &Run) -> Self {
        let Run { samples, past, .. } = run;
        let length = run.ended - run.begun;
        // An hour and more has half an hour to warm up, less has a tenth of itself.
        let warm = run.begun + if length >= 3600.0 { 1800.0 } else { length / 10.0 };
        let steady: Vec<&Sample> = samples.iter().filter(|sample| sample.at >= warm).collect();
        let line = |of: fn(&Sample) -> f64| -> Vec<(f64, f64)> {
            steady.iter().map(|sample| (sample.at / 3600.0, of(sample))).collect()
        };
        let fifth = steady.len().div_ceil(5);
        let more = |of: fn(&Sample) -> f64| {
            let middle = |samples: &[&Sample]| median(samples.iter().map(|sample| of(sample)));
            middle(&steady[steady.len() - fifth..]) - middle(&steady[..fifth])
        };
        let covers =
            |stretches: &[Stretch], at: f64| stretches.iter().any(|(from, until)| (*from..*until).contains(&at));
        let late = |&(answered, arrived): &Stretch| {
            let excused = |at| covers(&past.broker_away, at) || covers(&past.heard.starved, at);
            !excused(answered) && !excused(arrived)
        };
        let (troubles, foreign) = troubles(&past.log);
        let mut found = Self {
            pauses: pauses(run),
            lost: past.kept.iter().filter(|id| !past.heard.ids.contains(id)).count(),
            late: past.heard.late.iter().filter(|stretch| late(stretch)).copied().collect(),
            slope: slope(&line(|sample| sample.resident)),
            late_slope: slope(&line(|sample| sample.resident).split_off(steady.len() / 2)),
            anonymous_slope: slope(&line(|sample| sample.anonymous)),
            warm,
            more_threads: more(|sample| sample.threads as f64),
            more_descriptors: more(|sample| sample.descriptors as f64),
            troubles,
            foreign,
            complaints: Vec::new(),
        };
        found.complaints = found.complain(run);
        found
    }

    pub(super) fn unexplained(&self) -> impl Iterator<Item = &Pause> {
        self.pauses.iter().filter(|pause| pause.bare > LONGEST_PAUSE)
    }

    /// Whether the slope says something: a short run meets no target, whatever it finds.
    pub(super) fn is_long_enough(&self, run: &Run) -> bool {
        run.ended - self.warm >= ENOUGH
    }

    fn complain(&self, run: &Run) -> Vec<String> {
        let mut complaints: Vec<String> = self
            .unexplained()
            .map(|pause| format!("{}: no answer from {:.1} to {:.1} s", pause.camera, pause.between.0, pause.between.1))
            .collect();
        let mut must = |holds: bool, what: String| {
            if !holds {
                complaints.push(what);
            }
        };
        must(run.past.ended_well, "wader did not end as it should".to_owned());
        must(self.lost == 0, format!("{} answers of the history never arrived", self.lost));
        must(self.late.is_empty(), format!("answers came late without a reason: {:?}", self.late));
        must(run.past.heard.mixed_up.is_empty(), format!("another camera's picture: {:?}", run.past.heard.mixed_up));
        must(self.foreign.is_empty(), format!("the log holds what wader did not write: {:?}", self.foreign));
        let rest = |of: fn(&Sample) -> u64| of(&run.after) as f64 - of(&run.before) as f64;
        let descriptors = rest(|sample| sample.descriptors);
        must(descriptors <= MORE_DESCRIPTORS, format!("{descriptors} descriptors more at rest than before"));
        let threads = rest(|sample| sample.threads);
        must(threads <= MORE_THREADS, format!("{threads} threads more at rest than before"));
        if let Some((slope, _)) = self.slope.filter(|_| self.is_long_enough(run)) {
            must(slope <= STEEPEST, format!("memory grows by {slope:.2} MB/h"));
        }
        complaints
    }
}

/// All pauses of all cameras, and how much of each no fault explains.
fn pauses(run: &Run) -> Vec<Pause> {
    let Past { heard, suffered, cameras, extra_wanted, .. } = &run.past;
    let none = Vec::new();
    let of = |camera: &String, expected: Stretch| -> Vec<Pause> {
        let faults = suffered.iter().filter(|fault| fault.cameras.contains(camera));
        let excuses: Vec<Stretch> = faults.flat_map(|fault| &fault.excuses).chain(&heard.starved).copied().collect();
        let found = gaps(heard.answered.get(camera).unwrap_or(&none), expected, &excuses, LONGEST_PAUSE);
        found.into_iter().map(|gap| Pause { camera: camera.clone(), between: gap.between, bare: gap.bare }).collect()
    };
    let all = cameras.iter().flat_map(|camera| of(camera, (run.begun, run.ended)));
    let extra =
        extra_wanted.iter().filter(|wanted| wanted.1 > wanted.0).flat_map(|wanted| of(&"extra".to_owned(), *wanted));
    all.chain(extra).collect()
}

/// How often the log tells of each kind of trouble, and which lines of it are not wader's own.
fn troubles(log: &str) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let (mut own, mut foreign) = (BTreeMap::new(), BTreeMap::new());
    for line in log.lines().filter(|line| !line.trim().is_empty()) {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            // Libraries begin with who says it, and when.
            let said =
                line.split_once("**: ").map_or(line, |(_, rest)| rest.split_once(' ').map_or(rest, |(_, said)| said));
            *foreign.entry(said.to_owned()).or_insert(0) += 1;
            continue;
        };
        let [level, event, code] = ["level", "event", "code"].map(|key| line[key].as_str().unwrap_or_default());
        if level != "INFO" {
            *own.entry(format!("{} {event} {code}", level.to_lowercase()).trim_end().to_owned()).or_insert(0) += 1;
        }
    }
    (own, foreign)
}

/// By kind of fault: how long after each one's end its cameras were answered about again, in order.
pub(super) fn recoveries(past: &Past) -> BTreeMap<String, Vec<f64>> {
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for fault in &past.suffered {
        let (_, until) = fault.lasted;
        let answered = fault.cameras.iter().filter_map(|camera| past.heard.answered.get(camera));
        let after = answered.filter_map(|times| times.iter().copied().filter(|at| *at >= until).min_by(f64::total_cmp));
        all.entry(fault.kind.name()).or_default().extend(after.map(|at| at - until));
    }
    all.retain(|_, times| !times.is_empty());
    all.values_mut().for_each(|times| times.sort_by(f64::total_cmp));
    all
}

#[test]
fn what_libraries_say_is_told_from_what_wader_says() {
    let log = "{\"level\":\"INFO\",\"event\":\"ready\"}\n{\"level\":\"WARN\",\"event\":\"camera_offline\"}\n\n\
               (wader:1): GStreamer-CRITICAL **: 14:28:48.809: it failed\n";
    let (own, foreign) = troubles(log);
    assert_eq!(own, BTreeMap::from([("warn camera_offline".to_owned(), 1)]));
    assert_eq!(foreign, BTreeMap::from([("it failed".to_owned(), 1)]));
}
