//! An answer on a line, for people.

use crate::answer::wire::AnswerMessage;

/// What was said, and how surely: `yes  0.98`, `unsure (low_mass)`.
pub(super) fn said(answer: &AnswerMessage) -> String {
    let said = answer.answer.as_ref().map_or_else(
        || format!("{} ({})", answer.outcome, answer.reason.as_deref().unwrap_or("no reason")),
        ToString::to_string,
    );
    let sure = answer.sure().map_or(String::new(), |p| format!("  {p:.2}"));
    format!("{said}{sure}")
}
