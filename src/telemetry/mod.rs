//! What operators see: the log, the list of events that make its lines, and the figures that count them.
//!
//! No stage writes to the log by itself what an operator needs: it is an [`Event`]. Passwords are kept out twice, in
//! the events' texts and in each written line.

mod chain;
mod events;
mod metrics;
mod redact;

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::Targets,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

pub use chain::chain;
pub use events::Event;
pub use metrics::{METRICS_TYPE, Now, metrics};
pub use redact::redact;

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The least important events that are still logged.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
}

/// How important an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something does not work and will not by itself.
    Error,
    /// Something does not work for now.
    Warn,
    /// What an operator wants to know of.
    Info,
    /// What a developer wants to know of.
    Debug,
    /// Everything, also single frames.
    Trace,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain; where systemd reads standard error, each line has its priority.
    Auto,
    /// Text for people, on standard error.
    Plain,
    /// A JSON object a line, on standard error.
    Json,
    /// systemd's journal, with fields.
    Journald,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal's socket does not answer.
    #[error("the journal cannot be reached ({0}); set `format = \"plain\"` below `[log]`")]
    Journal(#[source] io::Error),
    /// Something else writes the log of this process already.
    #[error("this process has a log already")]
    Installed,
}

impl Level {
    /// All levels, the most important first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// What libraries may say when wader itself speaks at this level: one step less, for they are chatty.
    const fn of_libraries(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn | Self::Info => "warn",
            Self::Debug => "info",
            Self::Trace => "debug",
        }
    }
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Plain, Self::Json, Self::Journald];

    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Plain => "plain",
            Self::Json => "json",
            Self::Journald => "journald",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Begins this process' log; `RUST_LOG`, where it is set, says what is logged instead of the level.
pub fn install(spec: Spec) -> Result<(), Error> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| filter(spec.level));
    let lines: Lines = match spec.format {
        Format::Journald => journal()?,
        Format::Auto if stands_before_the_journal() => journal_lines(Scrubbed::stderr),
        Format::Json => json(Scrubbed::stderr),
        Format::Plain | Format::Auto => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
            plain(Scrubbed::stderr, colours)
        }
    };
    let all = tracing_subscriber::registry().with(lines.with_filter(filter)).with(counting());
    all.try_init().map_err(|_| Error::Installed)
}

type Lines = Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>;

/// What counts events: all of them, whatever is logged.
fn counting<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl tracing_subscriber::Layer<S> {
    metrics::Count.with_filter(Targets::new().with_target("wader", tracing::Level::TRACE))
}

fn filter(level: Level) -> EnvFilter {
    EnvFilter::new(format!("{},wader={level}", level.of_libraries()))
}

fn plain<W: Write + 'static>(to: impl Fn() -> W + Send + Sync + 'static, colours: bool) -> Lines {
    tracing_subscriber::fmt::layer().with_target(false).with_ansi(colours).with_writer(to).boxed()
}

fn json<W: Write + 'static>(to: impl Fn() -> W + Send + Sync + 'static) -> Lines {
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false).with_writer(to).boxed()
}

/// Plain lines as systemd takes them from standard error: it has their time and, before each, its priority (sd-daemon(3)).
fn journal_lines<W: Write + 'static>(to: impl Fn() -> W + Send + Sync + 'static) -> Lines {
    let line = tracing_subscriber::fmt::format().without_time().with_level(false).with_target(false);
    tracing_subscriber::fmt::layer().with_ansi(false).event_format(Prioritised(line)).with_writer(to).boxed()
}

/// A line after its priority.
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            tracing::Level::ERROR => 3,
            tracing::Level::WARN => 4,
            tracing::Level::INFO => 6,
            tracing::Level::DEBUG | tracing::Level::TRACE => 7,
        };
        write!(to, "<{priority}>")?;
        self.0.format_event(context, to, event)
    }
}

fn journal() -> Result<Lines, Error> {
    let layer = tracing_journald::layer().map_err(Error::Journal)?;
    Ok(layer.with_syslog_identifier("wader".to_owned()).with_field_prefix(Some("WADER".to_owned())).boxed())
}

/// Whether standard error is the very stream that systemd connected to its journal, and was not redirected since.
fn stands_before_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let here = std::fs::metadata("/proc/self/fd/2").ok().map(|stderr| {
        use std::os::unix::fs::MetadataExt;
        format!("{}:{}", stderr.dev(), stderr.ino())
    });
    here.is_some_and(|here| here == stream)
}

/// A writer that takes passwords out of the lines, which come whole.
struct Scrubbed<W>(W);

impl Scrubbed<io::Stderr> {
    fn stderr() -> Self {
        Self(io::stderr())
    }
}

impl<W: Write> Write for Scrubbed<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(redact(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests;
