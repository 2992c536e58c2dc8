//! What a GPU makes of a model folder: placement of nodes, parity, answers/s, latency, the decode loop, memory.
//!
//! Run by `benches/gpu/run.py`, one part per process: `gpu PART --device cuda|cpu --folder F --reference R --seconds S`. Each
//! finding is one line of JSON on the standard output, written as soon as it is known.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its findings are its output")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "nothing pauses a clock here")]

mod bare;
mod decode;
mod latency;
mod parity;
mod rig;
mod search;
mod throughput;

use std::{path::PathBuf, process::Command, time::Instant};

use serde_json::{Value, json};
use wader::model::{Device, Flamingo, Spec};

/// What a part is told.
pub(crate) struct Options {
    pub(crate) cuda: bool,
    pub(crate) folder: PathBuf,
    /// Whose graphs on the processor the device's results are held against.
    pub(crate) reference: PathBuf,
    /// How long the part may measure, all its rows together.
    pub(crate) seconds: f64,
    /// Fewer rows.
    pub(crate) short: bool,
}

impl Options {
    fn read() -> Option<(String, Self)> {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let part = words.first()?.clone();
        let value = |key: &str| words.iter().position(|word| word == key).and_then(|at| words.get(at + 1)).cloned();
        let folder = PathBuf::from(value("--folder")?);
        let reference = value("--reference").map_or_else(|| folder.clone(), PathBuf::from);
        let seconds = value("--seconds").and_then(|text| text.parse().ok()).unwrap_or(5.0);
        let short = words.iter().any(|word| word == "--short");
        Some((part, Self { cuda: value("--device")? == "cuda", folder, reference, seconds, short }))
    }

    /// The folder, loaded as the service loads it; how long that took and where its nodes ran is said.
    pub(crate) fn model(&self) -> Flamingo {
        let device = if self.cuda { Device::Cuda(0) } else { Device::Cpu };
        let begun = Instant::now();
        let model = Flamingo::load(&self.folder, &Spec { device, threads: 1, onnxruntime: None })
            .unwrap_or_else(|error| panic!("{error}"));
        say("load", json!({ "seconds": begun.elapsed().as_secs_f64(), "nodes": model.provider().nodes }));
        model
    }
}

/// One finding.
pub(crate) fn say(what: &str, finding: Value) {
    println!("{}", json!({ "what": what, "finding": finding }));
}

/// Memory of this process, and of the whole device.
fn memory(options: &Options) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let device = options.cuda.then(|| {
        let asked = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
        let told = Command::new("nvidia-smi").args(asked).output().ok()?;
        String::from_utf8_lossy(&told.stdout).lines().next()?.trim().parse::<u64>().ok()
    });
    let mib = |key| kilobytes(key).map(|kilobytes| kilobytes / 1024);
    let finding = json!({ "rss_mib": mib("VmRSS:"), "rss_peak_mib": mib("VmHWM:"), "device_mib": device.flatten() });
    say("memory", finding);
}

fn main() {
    // `cargo test --benches` and `cargo bench` without words have nothing to measure here.
    let Some((part, options)) = Options::read() else {
        eprintln!("see benches/gpu/run.py");
        return;
    };
    match part.as_str() {
        "parity" => parity::run(&options),
        "throughput" => throughput::run(&options),
        "latency" => latency::run(&options),
        "search" => search::run(&options),
        "decode" => decode::run(&options),
        other => panic!("`{other}` is no part"),
    }
    memory(&options);
}

/// The middle one.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
