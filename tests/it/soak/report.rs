//! What a soak found: figures, complaints, and the row of the matrix.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::{Value, json};

use super::{
    Plan,
    gaps::{Stretch, gaps},
    measure::{Sample, median, slope},
    plot,
    rig::Past,
};
use crate::support::{
    config::root,
    faults::{self, Figures, say},
};

/// Answers are wanted once a second: three of them may be late, and the machine may stutter.
const LONGEST_PAUSE: f64 = 3.0 + 2.0;
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
struct Pause {
    camera: String,
    between: Stretch,
    bare: f64,
}

/// What is to be made of it.
pub(super) struct Findings {
    pauses: Vec<Pause>,
    /// Answers of the history that nobody heard.
    lost: usize,
    /// Answers that came late though the broker was there.
    late: Vec<Stretch>,
    /// MB an hour, and its standard error, of samples after the beginning.
    slope: Option<(f64, f64)>,
    anonymous_slope: Option<(f64, f64)>,
    /// From when on.
    warm: f64,
    /// Between the medians of the first and the last fifth after the beginning.
    more_threads: f64,
    more_descriptors: f64,
    errors: BTreeMap<String, u64>,
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
        let mut found = Self {
            pauses: pauses(run),
            lost: past.kept.iter().filter(|id| !past.heard.ids.contains(id)).count(),
            late: past.heard.late.iter().filter(|stretch| late(stretch)).copied().collect(),
            slope: slope(&line(|sample| sample.resident)),
            anonymous_slope: slope(&line(|sample| sample.anonymous)),
            warm,
            more_threads: more(|sample| sample.threads as f64),
            more_descriptors: more(|sample| sample.descriptors as f64),
            errors: errors(&past.log),
            complaints: Vec::new(),
        };
        found.complaints = found.complain(run);
        found
    }

    fn unexplained(&self) -> impl Iterator<Item = &Pause> {
        self.pauses.iter().filter(|pause| pause.bare > LONGEST_PAUSE)
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
        let rest = |of: fn(&Sample) -> u64| of(&run.after) as f64 - of(&run.before) as f64;
        let descriptors = rest(|sample| sample.descriptors);
        must(descriptors <= MORE_DESCRIPTORS, format!("{descriptors} descriptors more at rest than before"));
        let threads = rest(|sample| sample.threads);
        must(threads <= MORE_THREADS, format!("{threads} threads more at rest than before"));
        if let Some((slope, _)) = self.slope.filter(|_| run.ended - self.warm >= ENOUGH) {
            must(slope <= STEEPEST, format!("memory grows by {slope:.2} MB/h"));
        }
        complaints
    }

    /// All figures.
    pub(super) fn json(&self, run: &Run) -> Value {
        let Past { heard, suffered, .. } = &run.past;
        let sample = |sample: &Sample| {
            json!({ "at_s": round(sample.at), "rss_mb": round(sample.resident), "anonymous_mb": round(sample.anonymous),
                "threads": sample.threads, "descriptors": sample.descriptors, "cpu_s": round(sample.cpu),
                "load_average": sample.load, "cpu_pressure_percent": sample.pressure })
        };
        let pause = |pause: &Pause| {
            json!({ "camera": pause.camera, "from_s": round(pause.between.0), "until_s": round(pause.between.1),
                "unexplained_s": round(pause.bare) })
        };
        let fault = |fault: &super::rig::Suffered| {
            json!({ "fault": fault.kind.name(), "from_s": round(fault.lasted.0), "until_s": round(fault.lasted.1),
                "cameras": fault.cameras })
        };
        let slope = |slope: Option<(f64, f64)>| {
            slope.map(|(slope, error)| json!({ "mb_per_hour": round(slope), "standard_error": round(error) }))
        };
        let cpu = run
            .samples
            .last()
            .zip(run.samples.first())
            .map(|(last, first)| (last.cpu - first.cpu) / (last.at - first.at));
        json!({
            "cameras": run.plan.cameras,
            "minutes": round((run.ended - run.begun) / 60.0),
            "fault_every_s": run.plan.fault_every.as_secs_f64(),
            "seed": run.plan.seed,
            "complaints": self.complaints,
            "memory": { "from_s": round(self.warm), "rss": slope(self.slope), "anonymous": slope(self.anonymous_slope) },
            "growth_after_warm_up": { "threads": self.more_threads, "descriptors": self.more_descriptors },
            "at_rest": { "before": sample(&run.before), "after": sample(&run.after) },
            "cpu_share_of_a_core": cpu.map(round),
            "answers": {
                "all": heard.ids.len(), "duplicates": heard.twice, "by_outcome": heard.outcomes,
                "in_history": run.past.kept.len(), "lost": self.lost,
                "came_late_while_the_broker_was_away": heard.late.len() - self.late.len(),
                "came_late_without_a_reason": self.late,
                "of_another_camera": heard.mixed_up,
                "by_camera": heard.answered.iter().map(|(camera, times)| (camera, times.len())).collect::<BTreeMap<_, _>>(),
            },
            "pauses": {
                "longer_than_s": LONGEST_PAUSE,
                "explained": self.pauses.len() - self.unexplained().count(),
                "unexplained": self.unexplained().map(pause).collect::<Vec<_>>(),
                "all": self.pauses.iter().map(pause).collect::<Vec<_>>(),
            },
            "starved": heard.starved.iter().map(|(from, until)| json!([round(*from), round(*until)])).collect::<Vec<_>>(),
            "log": self.errors,
            "faults": suffered.iter().map(fault).collect::<Vec<_>>(),
            "samples": run.samples.iter().map(sample).collect::<Vec<_>>(),
        })
    }

    fn row(&self, run: &Run) -> Figures {
        let heard = &run.past.heard;
        let steepness = self.slope.map_or_else(String::new, |(slope, error)| {
            format!("RSS {slope:+.2} ± {error:.2} MB/h after {:.0} min, ", (self.warm - run.begun) / 60.0)
        });
        Figures {
            recovery: format!(
                "{steepness}{:.1} MB at rest before, {:.1} MB after; threads {} and {}, descriptors {} and {}",
                run.before.resident,
                run.after.resident,
                run.before.threads,
                run.after.threads,
                run.before.descriptors,
                run.after.descriptors
            ),
            lost: format!("{} of {}", self.lost, run.past.kept.len()),
            duplicated: heard.twice.to_string(),
            healthy: format!(
                "pauses without a reason {}, with one {}; {} answers",
                self.unexplained().count(),
                self.pauses.len() - self.unexplained().count(),
                heard.ids.len()
            ),
            met: self.complaints.is_empty(),
            ..Figures::default()
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
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

/// How often the log tells of each kind of trouble.
fn errors(log: &str) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let level = line["level"].as_str().unwrap_or("not JSON").to_lowercase();
        if level != "info" {
            let code = ["event", "code"].map(|key| line[key].as_str().unwrap_or_default()).join(" ");
            *kinds.entry(format!("{level} {code}").trim_end().to_owned()).or_insert(0) += 1;
        }
    }
    kinds
}

fn folder() -> PathBuf {
    root().join("target/soak")
}

/// Keeps all figures, the plot, the log and the row of the matrix.
pub(super) fn write(run: &Run, findings: &Findings) {
    let all = findings.json(run);
    fs::create_dir_all(folder()).unwrap();
    fs::write(folder().join("soak.json"), format!("{all:#}\n")).unwrap();
    fs::write(folder().join("soak.svg"), plot::draw(run)).unwrap();
    fs::write(folder().join("wader.log"), &run.past.log).unwrap();
    let mut short = all;
    for long in ["samples", "faults"] {
        short.as_object_mut().unwrap().remove(long);
    }
    short["pauses"].as_object_mut().unwrap().remove("all");
    say(&format!("{short:#}\nall of it, and a plot: {}", folder().display()));
    let Plan { cameras, fault_every, .. } = run.plan;
    let fault = format!(
        "soak of {:.0} min, {cameras} cameras, a fault each {} s",
        (run.ended - run.begun) / 60.0,
        fault_every.as_secs()
    );
    let target = "RSS slope ≤0.5 MB/h, descriptors and threads flat, 0 unexplained gaps";
    faults::record(44, &fault, target, "./x soak", &findings.row(run));
}
