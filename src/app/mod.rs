//! Puts the parts together and takes them apart: the one owner of every task.

mod alone;
mod answers;
mod ask;
mod asks;
mod assemble;
mod bench;
mod board;
mod changes;
mod complain;
mod control;
mod feedback;
mod foundation;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod holds;
mod kept;
mod lessons;
mod memory;
mod newcomers;
mod ports;
mod prepare;
mod rations;
mod replay;
mod roster;
mod running;
mod served;
mod shown;
mod status;
mod switches;
mod troubles;
mod watch;
mod watchdog;
mod watchers;
mod windows;

use std::{net::SocketAddr, path::PathBuf, pin::pin, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use alone::Alone;
use changes::Files;
use foundation::Foundation;
use running::Running;

use crate::{
    config::Loaded,
    engine::Unaskable,
    mqtt,
    supervise::{Ended, Stop},
    systemd::Notify,
    telemetry::chain,
};
pub use ask::{LONGEST_TEXT, Picture, ask_file, json_of, kind_of};
pub use assemble::{broker_access, camera_spec, topics};
pub use bench::{Load, Measured, bench};
pub use history::history_file;
pub use lessons::feedback_folder;
pub use prepare::{contradictions, learnt};
pub use replay::{Replayed, replay};
pub use served::{canvas, model_spec};
pub use shown::show;

/// How long the parts may take to end after they were asked to.
const STOP_WITHIN: Duration = Duration::from_secs(4);
/// How long a start may take: as the unit's `TimeoutStartSec` has it.
const START_WITHIN: Duration = Duration::from_secs(180);
/// Several times in the unit's `WatchdogSec`.
const FEED_EVERY: Duration = Duration::from_secs(10);

/// Why the service could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be carried out.
    #[error("{0}")]
    Config(String),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] Box<crate::model::Error>),
    /// A prompt cannot be asked of this model.
    #[error(transparent)]
    Prompt(#[from] Unaskable),
    /// Another process has the name and the folder.
    #[error(
        "another wader{} runs as client `{client_id}` with this state folder (`{}` is locked): stop it, or give one of them \
         its own `client_id` and `prefix` below `[mqtt]`",
        .process.map(|process| format!(" (process {process})")).unwrap_or_default(),
        .lock.display()
    )]
    Taken {
        /// Its number, where it could be read.
        process: Option<u32>,
        /// The name.
        client_id: String,
        /// The file that it has locked.
        lock: PathBuf,
    },
    /// The broker inside wader did not start.
    #[error(transparent)]
    Broker(#[from] mqtt::broker::Error),
    /// The broker cannot be talked to.
    #[error(transparent)]
    Mqtt(#[from] mqtt::Error),
    /// The page cannot be shown.
    #[error("cannot listen on {listen}, as `listen` below `[web]` wants it: {error}")]
    Web {
        /// Where.
        listen: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The broker's address is wrong.
    #[error(transparent)]
    Access(#[from] mqtt::AccessError),
    /// A file to be asked about cannot be decoded.
    #[error(transparent)]
    File(#[from] crate::camera::FileError),
    /// What was said of answers cannot be read.
    #[error("what was said of answers cannot be read: {0}")]
    Feedback(#[from] crate::store::feedback::FeedbackError),
    /// A question that is asked once cannot be asked.
    #[error("{0}")]
    Question(String),
    /// A thread did not start.
    #[error("cannot start the engine's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The engine ended by itself: only a new process can be trusted with the accelerator.
    #[error("the engine broke; see the log above")]
    EngineBroke,
    /// A task that must not end has ended.
    #[error("task `{task}` ended: {why}")]
    TaskEnded {
        /// Its name.
        task: String,
        /// What it said when it panicked.
        why: String,
    },
    /// A stage has work and does nothing: only a new process helps.
    #[error("stage `{0}` hangs")]
    Hangs(&'static str),
}

impl From<Ended> for Error {
    fn from(Ended { name: task, panic, .. }: Ended) -> Self {
        Self::TaskEnded { task, why: panic.unwrap_or_else(|| "nobody had asked it to".to_owned()) }
    }
}

/// The service, ready to run.
pub struct App {
    loaded: Loaded,
    notify: Notify,
}

impl App {
    /// A service of this configuration, and of the prompts that others added before.
    pub const fn new(loaded: Loaded, notify: Notify) -> Self {
        Self { loaded, notify }
    }

    /// Runs until `stop` is given, or until something breaks that a restart of the process must mend. Where a changed
    /// configuration makes all begin anew, it does so here; if that fails after all, the one before takes its place again.
    pub async fn run(self, stop: Stop) -> Result<(), Error> {
        let Self { mut loaded, notify } = self;
        let (mut before, mut refused) = (None, None);
        loop {
            let begun = fed(notify, begin(&loaded, refused.take(), notify, &stop)).await;
            let (_alone, mut running) = match (begun, before.take()) {
                (Ok(None), _) => return Ok(()),
                (Ok(Some(begun)), _) => begun,
                (Err(error), Some(last)) => {
                    refused = Some(chain(&error));
                    // its files are those that failed, and are not read again before they change
                    let failed = std::mem::replace(&mut loaded, last);
                    loaded.written = failed.written;
                    continue;
                }
                (Err(error), None) => return Err(error),
            };
            let outcome = running.outcome(&stop).await;
            running.end(&outcome).await;
            match outcome? {
                Some(anew) => (before, loaded) = (Some(anew.before), anew.now),
                None => return Ok(()),
            }
        }
    }
}

/// Feeds the service manager's watchdog meanwhile, for as long as a start may take: after the first one it watches, and nothing
/// that is being begun can feed it.
async fn fed<T>(notify: Notify, work: impl Future<Output = T>) -> T {
    let (mut work, mut feeds) = (pin!(work), tokio::time::interval(FEED_EVERY));
    let begun = Instant::now(); // which stands still while the machine sleeps, as systemd's does
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = feeds.tick(), if begun.elapsed() < START_WITHIN => notify.watchdog(),
        }
    }
}

/// Begins all of it, unless `stop` is given before it has all that it stands on; `refused` says why the files' own
/// configuration is not the one that begins, if so.
async fn begin(
    loaded: &Loaded,
    refused: Option<String>,
    notify: Notify,
    stop: &Stop,
) -> Result<Option<(Option<Alone>, Running)>, Error> {
    let alone = Alone::take(&loaded.config)?;
    let hangup = signal(SignalKind::hangup())?;
    let own = changes::own_prompts(&loaded.config);
    let mut config = loaded.config.clone();
    config.prompts.extend(newcomers::remembered(loaded));
    let Some(foundation) = Foundation::lay_unless(stop, config, &own, notify).await? else { return Ok(None) };
    let files = Files { loaded: loaded.clone(), own, refused };
    Running::begin(foundation, files, hangup, notify, stop).map(|running| Some((alone, running)))
}

/// A report as it fits into a message: on one line. A line that is indented belongs to the one before it.
fn on_one_line(report: &str) -> String {
    let lines = report.lines().filter(|line| !line.trim().is_empty());
    lines.fold(String::new(), |mut whole, line| {
        if !whole.is_empty() {
            whole.push_str(if line.starts_with(' ') { " " } else { "; " });
        }
        whole + line.trim()
    })
}

/// Work that waits for the disk, on a thread for such.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_on_one_line_keeps_its_problems_apart() {
        let report =
            "a.toml:1:1: x = 3\n    must be a table\na.toml:2:1: y\n    unknown key; did you mean `z`?\n2 problems";
        let line = "a.toml:1:1: x = 3 must be a table; a.toml:2:1: y unknown key; did you mean `z`?; 2 problems";
        assert_eq!(on_one_line(report), line);
        assert_eq!(on_one_line("one\n"), "one");
    }
}
