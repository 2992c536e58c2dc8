//! An answer on a line, for people.

use crate::answer::wire::AnswerMessage;

/// Text that others wrote, or a model: nothing in it moves a terminal's cursor or begins another line.
pub(super) fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(shown).collect()
}

/// What was said, and how surely: `yes  0.98`, `unsure (low_mass)`.
pub(super) fn said(answer: &AnswerMessage) -> String {
    let said = answer.answer.as_ref().map_or_else(
        || format!("{} ({})", answer.outcome, answer.reason.as_deref().unwrap_or("no reason")),
        |value| plain(&value.to_string()),
    );
    let sure = answer.sure().map_or(String::new(), |p| format!("  {p:.2}"));
    format!("{said}{sure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_moves_the_cursor() {
        assert_eq!(plain("größer?\n\u{1b}[2J\u{9b}m"), "größer?\\n\\u{1b}[2J\\u{9b}m");
    }
}
