//! What a look at one part of the service found, for people and for scripts.

use serde_json::{Value, json};

use crate::cli;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// It works, but hardly as it is meant.
    Doubtful,
    Bad,
}

impl Health {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Doubtful => "warn",
            Self::Bad => "FAIL",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The part: `broker`, or `camera yard`.
    pub(super) part: String,
    pub(super) health: Health,
    /// What is so.
    pub(super) is: String,
    /// What mends it.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn good(part: impl Into<String>, is: impl Into<String>) -> Self {
        Self { part: part.into(), health: Health::Good, is: is.into(), remedy: None }
    }

    pub(super) fn doubtful(part: impl Into<String>, is: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { part: part.into(), health: Health::Doubtful, is: is.into(), remedy: Some(remedy.into()) }
    }

    /// The remedy may stand in what is so already.
    pub(super) fn bad(part: impl Into<String>, is: impl Into<String>, remedy: Option<&str>) -> Self {
        Self { part: part.into(), health: Health::Bad, is: is.into(), remedy: remedy.map(ToOwned::to_owned) }
    }

    /// Prints it.
    pub(super) fn put(&self) -> std::io::Result<()> {
        cli::put(format_args!("{:<5} {:<16} {}", self.health.word(), self.part, self.is))?;
        match &self.remedy {
            Some(remedy) => cli::put(format_args!("{:<22} -> {remedy}", "")),
            None => Ok(()),
        }
    }

    pub(super) fn json(&self) -> Value {
        let health = self.health.word().to_lowercase();
        json!({ "part": self.part, "health": health, "is": self.is, "remedy": self.remedy })
    }
}
