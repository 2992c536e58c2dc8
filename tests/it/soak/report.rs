//! What a soak found, as others read it: figures, the plot, and the row of the matrix.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::{Value, json};

use super::{
    Plan,
    findings::{Findings, LONGEST_PAUSE, Pause, Run, recoveries},
    measure::{Sample, median},
    plot,
    rig::Past,
};
use crate::support::{
    config::root,
    faults::{self, Row, say},
};

impl Findings {
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
            "memory": { "from_s": round(self.warm), "rss": slope(self.slope), "anonymous": slope(self.anonymous_slope), "rss_of_the_second_half": slope(self.late_slope) },
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
            "back_after_s": recoveries(&run.past)
                .into_iter()
                .map(|(kind, times)| (kind, json!({ "median": round(median(times.clone())), "worst": times.last().map(|last| round(*last)) })))
                .collect::<BTreeMap<_, _>>(),
            "log": { "troubles": self.troubles, "not_of_wader": self.foreign },
            "faults": suffered.iter().map(fault).collect::<Vec<_>>(),
            "samples": run.samples.iter().map(sample).collect::<Vec<_>>(),
        })
    }

    fn row(&self, run: &Run) -> Row<'static> {
        let heard = &run.past.heard;
        let steepness = self.slope.map_or_else(String::new, |(slope, error)| {
            format!("RSS {slope:+.2} ± {error:.2} MB/h after {:.0} min, ", (self.warm - run.begun) / 60.0)
        });
        Row {
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
            effect: format!(
                "pauses without a reason {}, with one {}; {} answers",
                self.unexplained().count(),
                self.pauses.len() - self.unexplained().count(),
                heard.ids.len()
            ),
            met: self.complaints.is_empty() && self.is_long_enough(run),
            ..Row::default()
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
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
    faults::record(&Row { row: 44, fault: &fault, target, run: "./x soak", ..findings.row(run) });
}
