//! What a process holds and how busy the machine is, looked at again and again.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::Pid;
use tokio::task::JoinSet;

use super::witness::Clock;

/// One look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    /// In seconds of the run.
    pub(super) at: f64,
    /// Resident memory, in MB of 1024 kB.
    pub(super) resident: f64,
    /// That part of it which no file is behind.
    pub(super) anonymous: f64,
    pub(super) threads: u64,
    pub(super) descriptors: u64,
    /// CPU time used so far, in seconds.
    pub(super) cpu: f64,
    /// The machine's load average over a minute.
    pub(super) load: f64,
    /// The share of the last ten seconds, in percent, in which something waited for a processor; 0 where the kernel does not
    /// tell.
    pub(super) pressure: f64,
}

impl Sample {
    /// Of this process; `None` once it is gone.
    pub(super) fn of(process: Pid, at: f64) -> Option<Self> {
        let folder = format!("/proc/{}", process.as_raw_nonzero());
        let status = fs::read_to_string(format!("{folder}/status")).ok()?;
        let number = |key: &str| -> Option<f64> {
            status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
        };
        let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().ok()? + fields[12].parse::<f64>().ok()?;
        let load = fs::read_to_string("/proc/loadavg").ok()?;
        let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
        let waiting = pressure.split("avg10=").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        Some(Self {
            at,
            resident: number("VmRSS:")? / 1024.0,
            anonymous: number("RssAnon:")? / 1024.0,
            threads: number("Threads:")? as u64,
            descriptors: fs::read_dir(format!("{folder}/fd")).ok()?.count() as u64,
            cpu: ticks / 100.0,
            load: load.split(' ').next()?.parse().ok()?,
            pressure: waiting.unwrap_or_default(),
        })
    }
}

/// Looks at a process until it is told to end.
pub(super) struct Looks {
    samples: Arc<Mutex<Vec<Sample>>>,
    _task: JoinSet<()>,
}

impl Looks {
    pub(super) fn start(process: Pid, clock: Clock, every: Duration) -> Self {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let (mut task, kept) = (JoinSet::new(), Arc::clone(&samples));
        task.spawn(async move {
            let mut tick = tokio::time::interval(every);
            loop {
                tick.tick().await;
                let Some(sample) = Sample::of(process, clock.now()) else { return };
                kept.lock().unwrap().push(sample);
            }
        });
        Self { samples, _task: task }
    }

    pub(super) fn last(&self) -> Sample {
        self.samples.lock().unwrap().last().copied().unwrap_or_default()
    }

    pub(super) fn end(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples.lock().unwrap())
    }
}

/// A line through points by least squares: its slope, and the slope's standard error.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    Some((slope, (rest / (count - 2.0) / spread).sqrt()))
}

/// The value in the middle.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[test]
fn a_slope_is_that_of_the_line_that_fits_best() {
    let line: Vec<(f64, f64)> = (0..50).map(|n| (f64::from(n), 3.0 + 0.5 * f64::from(n))).collect();
    let (steep, error) = slope(&line).unwrap();
    assert!((steep - 0.5).abs() < 1e-9 && error < 1e-6, "{steep} {error}");
    let noisy: Vec<(f64, f64)> = (0..50).map(|n| (f64::from(n), f64::from(n % 2))).collect();
    let (flat, error) = slope(&noisy).unwrap();
    assert!(flat.abs() < 2.0 * error, "{flat} {error}");
    assert_eq!(slope(&line[..2]), None);
    assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
}
