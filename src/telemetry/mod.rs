//! What operators see: the log.

use std::fmt;

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
    /// The journal's own under systemd, else plain.
    Auto,
    /// Text for people, on standard error.
    Plain,
    /// A JSON object a line, on standard error.
    Json,
    /// systemd's journal, with fields.
    Journald,
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
