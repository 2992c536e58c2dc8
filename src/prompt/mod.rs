//! What is asked, and how a reply is read.
//!
//! A closed answer is never parsed out of prose: each allowed answer is scored.

mod hours;
mod json;
mod plan;
mod score;
mod share;
mod shown;
mod wordings;
#[cfg(test)]
pub(crate) mod words;

pub use hours::{DAY, Hours, Period};
pub use json::{Asked, Json, NotByProperty, Property, Schema, SchemaError};
pub use plan::{Candidate, Pictures, Plan, PlanError};
pub use score::{blind_log_odds, closed_reply, written_reply};
pub use shown::{
    Contradiction, ENOUGH_CONFIRMED, ENOUGH_TO_LEARN, Example, Gain, Lacking, LeftOut, Origin, Region, Shown,
    compared_reply, contests, fits, lacking, leave_out, share_of,
};
pub use wordings::{Said, Worded, Wording, combined_reply};

use std::time::Duration;

pub use crate::model::Ended;
use crate::name::PromptName;

/// The most answers a closed question may have: each is scored.
pub const MOST_ANSWERS: usize = 101;

/// What kind of answer a prompt wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AnswerKind {
    /// `yes` or `no`, scored.
    YesNo,
    /// One of these labels, scored; two at least, none twice.
    Choice(Vec<String>),
    /// A whole number within these bounds (both included), scored.
    Number {
        /// The smallest possible answer.
        min: u32,
        /// The largest possible answer.
        max: u32,
    },
    /// Free text of at most this many tokens, decoded.
    Text {
        /// Where text is cut.
        max_tokens: usize,
    },
    /// JSON of a schema: written under it where the model can spell it, else asked property by property.
    Json {
        /// The schema.
        schema: Schema,
        /// A text of more tokens is no answer: the whole, or what is asked for one property.
        max_tokens: usize,
        /// What is not written after so long is no answer.
        max_time: Duration,
    },
}

/// A standing prompt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prompt {
    /// Its name.
    pub name: PromptName,
    /// The question, in the user's words.
    pub ask: String,
    /// Other wordings of the question, asked together with it; for answers that are scored, and without examples.
    pub also: Vec<Wording>,
    /// The kind of answer.
    pub kind: AnswerKind,
}

/// One allowed answer of a closed prompt and the model's belief in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The answer as published: `yes`, `no`, a label, a number.
    pub label: String,
    /// Its share of the probability of all allowed answers; the shares sum to one.
    pub share: f64,
}

/// What the model said to one prompt about one window: one decoding.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A scored answer.
    Closed {
        /// All allowed answers, in the prompt's order.
        scores: Vec<Scored>,
        /// The probability the model gave to the allowed answers together; little mass means that it did not answer.
        mass: f64,
        /// Log-odds of the best answer with the picture minus its log-odds without: with the cross-attention gates shut,
        /// or, where examples are compared, with every answer equally likely.
        evidence: f64,
    },
    /// A scored answer to a question in several wordings, of which two are each sure of another answer.
    Inconsistent {
        /// As if they agreed.
        scores: Vec<Scored>,
        /// The smallest of the wordings' masses.
        mass: f64,
        /// The mean of the wordings' evidence.
        evidence: f64,
        /// What was said to each wording.
        said: Vec<Said>,
    },
    /// A decoded answer.
    Text {
        /// The text.
        text: String,
        /// Whether the model ended by itself, rather than at the limit.
        finished: bool,
        /// Geometric mean of the tokens' probabilities.
        probability: f64,
    },
    /// JSON that was written under the prompt's schema.
    Json {
        /// The JSON, whole only if it ended by itself.
        text: String,
        /// How it ended.
        ended: Ended,
        /// Geometric mean of the shares that the chosen tokens had among those that the schema left open.
        probability: f64,
        /// Geometric mean of the probability that the open tokens had together: little of it, and the model would rather
        /// have written something else.
        mass: f64,
    },
    /// What was asked for the properties of the prompt's schema, one reply for each that is asked for, in their order.
    Properties(Vec<Self>),
    /// The question holds words the model never saw in training; it was not asked.
    UnknownWords(Vec<String>),
    /// The prompt's examples contradict each other; no window was compared with them.
    ContradictingExamples(Contradiction),
}
