//! What of an outcome is news: when a state changes, when an answer is published, when that is an event.
//!
//! A state machine without a clock, queue or wire: outcome and time in, [`News`] out.

use std::time::SystemTime;

use super::{Outcome, Value};

/// Which answers are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Publish {
    /// Only where the outcome, or the answer's value, differs from the one published last.
    #[default]
    OnChange,
    /// Each one.
    Always,
}

/// How a prompt's state follows its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Which answers are published.
    pub publish: Publish,
    /// How many equal answers in a row change the state; 0 means 1. A text is hardly ever said twice, so it always
    /// changes its state at once.
    pub hold: u32,
}

impl Default for Spec {
    fn default() -> Self {
        Self { publish: Publish::OnChange, hold: 1 }
    }
}

/// A state became another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state until now.
    pub before: Value,
    /// The state from now on.
    pub after: Value,
    /// Since when the state before was held.
    pub before_since: SystemTime,
    /// When it changed.
    pub at: SystemTime,
}

/// What to publish after an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// Publish this state.
    pub state: Option<Value>,
    /// Publish the whole answer.
    pub answer: bool,
    /// Publish this transition. The first state after a start is none: a restart rings no bell.
    pub transition: Option<Transition>,
}

/// Follows the outcomes of one prompt on one camera.
#[derive(Debug, Clone)]
pub struct Policy {
    spec: Spec,
    state: Option<(Value, SystemTime)>,
    /// The value said by the answers since the last different outcome, and how many they were.
    row: Option<(Value, u32)>,
    published: Option<Outcome>,
}

impl Policy {
    /// Begins without a state.
    pub const fn new(spec: Spec) -> Self {
        Self { spec, state: None, row: None, published: None }
    }

    /// The state held now.
    pub fn state(&self) -> Option<&Value> {
        self.state.as_ref().map(|(value, _)| value)
    }

    /// Takes the next outcome, which came at `now`, and says what of it is news.
    ///
    /// Only an answer moves the state. Anything else ends a row of equal answers, and leaves the state as it is.
    pub fn take(&mut self, outcome: &Outcome, now: SystemTime) -> News {
        let (changed, transition) = self.follow(outcome, now);
        let news = News {
            state: match (self.spec.publish, outcome.value()) {
                (_, None) => None,
                (Publish::OnChange, Some(_)) => self.state().filter(|_| changed).cloned(),
                (Publish::Always, Some(_)) => self.state().cloned(),
            },
            answer: self.spec.publish == Publish::Always
                || !self.published.as_ref().is_some_and(|published| same(published, outcome)),
            transition,
        };
        if news.answer {
            self.published = Some(outcome.clone());
        }
        news
    }

    /// Moves the state where the outcome does; says whether it moved, and from which state.
    fn follow(&mut self, outcome: &Outcome, now: SystemTime) -> (bool, Option<Transition>) {
        let Some(value) = outcome.value() else {
            self.row = None;
            return (false, None);
        };
        let length = match self.row.take() {
            Some((before, length)) if before == *value => length.saturating_add(1),
            _ => 1,
        };
        self.row = Some((value.clone(), length));
        let hold = if matches!(value, Value::Text(_)) { 1 } else { self.spec.hold };
        if length < hold || self.state() == Some(value) {
            return (false, None);
        }
        let after = value.clone();
        let before = self.state.replace((value.clone(), now));
        (true, before.map(|(before, before_since)| Transition { before, after, before_since, at: now }))
    }
}

/// Whether two outcomes say the same to a reader; a failure's detail may differ from time to time.
fn same(a: &Outcome, b: &Outcome) -> bool {
    (a.word(), a.reason(), a.value()) == (b.word(), b.reason(), b.value())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::answer::{FailedReason, StaleReason, UnsureReason};

    fn outcome(letter: char) -> Outcome {
        match letter {
            'y' => Outcome::Answer(Value::YesNo(true)),
            'n' => Outcome::Answer(Value::YesNo(false)),
            't' => Outcome::Answer(Value::Text("a man".to_owned())),
            'T' => Outcome::Answer(Value::Text("a dog".to_owned())),
            'u' => Outcome::Unsure(UnsureReason::LowProbability),
            'm' => Outcome::Unsure(UnsureReason::LowMass),
            's' => Outcome::Stale(StaleReason::NoFrames),
            _ => Outcome::Failed(FailedReason::ModelError("out of memory".to_owned())),
        }
    }

    /// Each outcome is a letter; each piece of news is written as `s` state, `a` answer, `e` event, `.` nothing.
    fn check(publish: Publish, hold: u32, outcomes: &str, expected: &str) {
        let mut policy = Policy::new(Spec { publish, hold });
        let news = outcomes.chars().enumerate().map(|(second, letter)| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second as u64);
            let news = policy.take(&outcome(letter), now);
            let mut said = String::new();
            said.extend(news.state.map(|_| 's'));
            said.extend(news.answer.then_some('a'));
            said.extend(news.transition.map(|_| 'e'));
            if said.is_empty() { ".".to_owned() } else { said }
        });
        assert_eq!(news.collect::<Vec<_>>().join(" "), expected, "{publish:?}, hold {hold}: {outcomes}");
    }

    #[test]
    fn on_change_publishes_what_differs_and_an_event_for_each_transition() {
        check(Publish::OnChange, 1, "yyyn", "sa . . sae");
        check(Publish::OnChange, 0, "yn", "sa sae");
        check(Publish::OnChange, 1, "ttT", "sa . sae");
        // A failure is published once, leaves the state, and the same answer after it is news but no transition.
        check(Publish::OnChange, 1, "yffuy", "sa a . a a");
        check(Publish::OnChange, 1, "yumsn", "sa a a a sae");
        check(Publish::OnChange, 1, "fffn", "a . . sa");
    }

    #[test]
    fn always_publishes_each_answer_with_the_state_it_leaves() {
        check(Publish::Always, 1, "yynf", "sa sa sae a");
        check(Publish::Always, 2, "yyn", "a sa sa");
    }

    #[test]
    fn a_state_waits_for_as_many_equal_answers_in_a_row_as_hold_says() {
        check(Publish::OnChange, 2, "yynynn", "a s a a a se");
        // Anything that is no answer ends the row.
        check(Publish::OnChange, 2, "yynunn", "a s a a a se");
        check(Publish::OnChange, 3, "nnnyyfyyy", "a . s a . a a . se");
        // A text is hardly ever said twice.
        check(Publish::OnChange, 3, "tT", "sa sae");
    }

    #[test]
    fn a_transition_says_from_where_and_since_when() {
        let mut policy = Policy::new(Spec::default());
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        policy.take(&outcome('n'), at(1));
        policy.take(&outcome('n'), at(2));
        let transition = policy.take(&outcome('y'), at(3)).transition.unwrap();
        let expected =
            Transition { before: Value::YesNo(false), after: Value::YesNo(true), before_since: at(1), at: at(3) };
        assert_eq!(transition, expected);
        assert_eq!(policy.state(), Some(&Value::YesNo(true)));
    }
}
