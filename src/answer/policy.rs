//! What of an outcome is news: when a state changes, when an answer is published, when that is an event.
//!
//! A state machine without a clock, queue or wire: outcome and time in, [`News`] out. Lengths of time are measured on the
//! monotonic clock, so that a wall clock that is set makes nobody wait.

use std::time::{Duration, SystemTime};

use super::{Outcome, StaleReason, Value};
use crate::frame::{Now, Stamp};

/// Which answers are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Publish {
    /// Only where the outcome, or the answer's value, differs from the one published last, or the state changes or escalates.
    #[default]
    OnChange,
    /// Each one.
    Always,
}

/// How a prompt's state follows its answers, and what of that is an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Which answers are published.
    pub publish: Publish,
    /// How many equal answers in a row change the state; 0 means 1. A text is hardly ever said twice, so it always
    /// changes its state at once.
    pub hold: u32,
    /// For so long after a transition that was an event, further ones are none: they are counted.
    pub cooldown: Duration,
    /// Which state is an event once more when it lasts.
    pub escalate: Option<Escalate>,
}

impl Default for Spec {
    fn default() -> Self {
        Self { publish: Publish::OnChange, hold: 1, cooldown: Duration::ZERO, escalate: None }
    }
}

/// Which state is an event once more when it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalate {
    /// How long it must have lasted.
    pub after: Duration,
    /// Which one; `None` is whichever is held.
    pub state: Option<Value>,
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
    /// How many transitions since the last event were none, because it was too short ago.
    pub suppressed: u32,
}

/// A state has lasted long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The state.
    pub state: Value,
    /// Since when it is held.
    pub since: SystemTime,
    /// When the answer came that showed it to last.
    pub at: SystemTime,
    /// How many transitions since the last event were none, because it was too short ago.
    pub suppressed: u32,
}

/// What to publish after an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// Publish this state.
    pub state: Option<Value>,
    /// Publish the whole answer.
    pub answer: bool,
    /// The state became another; the first one after a start is none.
    pub changed: bool,
    /// Publish this transition. The first state after a start is none: a restart rings no bell.
    pub transition: Option<Transition>,
    /// Publish this escalation.
    pub escalation: Option<Escalation>,
}

/// The state that is held.
#[derive(Debug, Clone)]
struct Held {
    value: Value,
    since: SystemTime,
    /// When the present episode began: with the state, or when the prompt was asked again after a pause.
    episode: Stamp,
    /// Whether this episode was an escalation already.
    escalated: bool,
}

/// Follows the outcomes of one prompt on one camera.
#[derive(Debug, Clone)]
pub struct Policy {
    spec: Spec,
    state: Option<Held>,
    /// The value said by the answers since the last different outcome, and how many they were.
    row: Option<(Value, u32)>,
    published: Option<Outcome>,
    /// When the last transition was an event.
    event: Option<Stamp>,
    /// Transitions since the last event.
    suppressed: u32,
}

impl Policy {
    /// Begins without a state.
    pub const fn new(spec: Spec) -> Self {
        Self { spec, state: None, row: None, published: None, event: None, suppressed: 0 }
    }

    /// These rules, for a prompt that was asked under others before: what it held, it holds.
    #[must_use]
    pub fn after(self, before: Self) -> Self {
        Self { spec: self.spec, ..before }
    }

    /// Whether this outcome is an answer, and enough like it came in a row to be the state.
    pub fn is_settled(&self, outcome: &Outcome) -> bool {
        outcome.value().is_some_and(|value| self.state() == Some(value))
    }

    /// The state held now.
    pub fn state(&self) -> Option<&Value> {
        self.state.as_ref().map(|held| &held.value)
    }

    /// Takes the next outcome, which came at `now`, and says what of it is news.
    ///
    /// Only an answer moves the state. Anything else leaves the state as it is and ends a row of equal answers, but for a
    /// late one: it says nothing about the camera, and a model that is too slow would else never change a state.
    pub fn take(&mut self, outcome: &Outcome, now: Now) -> News {
        let (changed, transition) = self.follow(outcome, now);
        let escalation = self.lasting(outcome, now);
        let news = News {
            state: match (self.spec.publish, outcome.value()) {
                (_, None) => None,
                (Publish::OnChange, Some(_)) => self.state().filter(|_| changed).cloned(),
                (Publish::Always, Some(_)) => self.state().cloned(),
            },
            // who hears of a change finds the answer that made it
            answer: self.spec.publish == Publish::Always
                || changed
                || escalation.is_some()
                || !self.published.as_ref().is_some_and(|published| same(published, outcome)),
            changed: transition.is_some(),
            transition: transition.and_then(|transition| self.cooled(transition, now)),
            escalation,
        };
        if news.answer {
            self.published = Some(outcome.clone());
        }
        news
    }

    /// The prompt is asked again after a pause, in which nobody looked: what was held before it has not been seen to last,
    /// and answers from both sides of it make no row.
    pub fn resume(&mut self, now: Now) {
        self.row = None;
        if let Some(held) = &mut self.state {
            (held.episode, held.escalated) = (now.mono, false);
        }
    }

    /// Moves the state where the outcome does; says whether it moved, and from which state.
    fn follow(&mut self, outcome: &Outcome, now: Now) -> (bool, Option<Transition>) {
        let Some(value) = outcome.value() else {
            if *outcome != Outcome::Stale(StaleReason::Late) {
                self.row = None;
            }
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
        let held = Held { value: value.clone(), since: now.wall, episode: now.mono, escalated: false };
        let before = self.state.replace(held);
        let transition = |Held { value: before, since, .. }| Transition {
            before,
            after,
            before_since: since,
            at: now.wall,
            suppressed: 0,
        };
        (true, before.map(transition))
    }

    /// The transition as an event, unless it comes too soon after another.
    fn cooled(&mut self, transition: Transition, now: Now) -> Option<Transition> {
        if self.event.is_some_and(|event| now.mono.since(event) < self.spec.cooldown) {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.event = Some(now.mono);
        Some(Transition { suppressed: std::mem::take(&mut self.suppressed), ..transition })
    }

    /// The escalation that this outcome brings about. Only an answer does, and only one that says the state again: what
    /// nobody has seen to last is not known to.
    fn lasting(&mut self, outcome: &Outcome, now: Now) -> Option<Escalation> {
        let (wanted, held) = (self.spec.escalate.as_ref()?, self.state.as_mut()?);
        let is_meant = wanted.state.as_ref().is_none_or(|state| *state == held.value);
        let lasts = now.mono.since(held.episode) >= wanted.after;
        if held.escalated || !is_meant || !lasts || outcome.value() != Some(&held.value) {
            return None;
        }
        held.escalated = true;
        let suppressed = std::mem::take(&mut self.suppressed);
        Some(Escalation { state: held.value.clone(), since: held.since, at: now.wall, suppressed })
    }
}

/// Whether two outcomes say the same to a reader; a failure's detail may differ from time to time.
fn same(a: &Outcome, b: &Outcome) -> bool {
    (a.word(), a.reason(), a.value()) == (b.word(), b.reason(), b.value())
}

#[cfg(test)]
mod tests {
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
            'l' => Outcome::Stale(StaleReason::Late),
            _ => Outcome::Failed(FailedReason::ModelError("out of memory".to_owned())),
        }
    }

    /// This many seconds after the beginning, on both clocks.
    fn at(second: u64) -> Now {
        let since = Duration::from_secs(second);
        Now { mono: Stamp::after_origin(since), wall: SystemTime::UNIX_EPOCH + since }
    }

    /// Each outcome is a letter, one a second, `-` a second without one and `w` the end of a pause; each piece of news is
    /// written as `s` state, `a` answer, `e` event (with the number of those suppressed, if any), `E` escalation, `.`
    /// nothing.
    fn follow(spec: Spec, outcomes: &str, expected: &str) {
        let mut policy = Policy::new(spec.clone());
        let mut said = Vec::new();
        for (second, letter) in (0..).zip(outcomes.chars()) {
            match letter {
                '-' => continue,
                'w' => {
                    policy.resume(at(second));
                    continue;
                }
                _ => {}
            }
            let news = policy.take(&outcome(letter), at(second));
            let number = |suppressed: u32| if suppressed > 0 { suppressed.to_string() } else { String::new() };
            let mut now = String::new();
            now.extend(news.state.map(|_| 's'));
            now.extend(news.answer.then_some('a'));
            now.extend(news.transition.map(|event| format!("e{}", number(event.suppressed))));
            now.extend(news.escalation.map(|event| format!("E{}", number(event.suppressed))));
            said.push(if now.is_empty() { ".".to_owned() } else { now });
        }
        assert_eq!(said.join(" "), expected, "{spec:?}: {outcomes}");
    }

    fn check(publish: Publish, hold: u32, outcomes: &str, expected: &str) {
        follow(Spec { publish, hold, ..Spec::default() }, outcomes, expected);
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
        check(Publish::OnChange, 2, "yynynn", "a sa a a a sae");
        // Anything that is no answer ends the row.
        check(Publish::OnChange, 2, "yynunn", "a sa a a a sae");
        // A model that is late says nothing about the camera.
        check(Publish::OnChange, 2, "nlnlyly", "a a sa a a a sae");
        check(Publish::OnChange, 3, "nnnyyfyyy", "a . sa a . a a . sae");
        // A text is hardly ever said twice.
        check(Publish::OnChange, 3, "tT", "sa sae");
    }

    #[test]
    fn a_transition_says_from_where_and_since_when() {
        let mut policy = Policy::new(Spec::default());
        policy.take(&outcome('n'), at(1));
        policy.take(&outcome('n'), at(2));
        let transition = policy.take(&outcome('y'), at(3)).transition.unwrap();
        let expected = Transition {
            before: Value::YesNo(false),
            after: Value::YesNo(true),
            before_since: at(1).wall,
            at: at(3).wall,
            suppressed: 0,
        };
        assert_eq!(transition, expected);
        assert_eq!(policy.state(), Some(&Value::YesNo(true)));
    }

    #[test]
    fn too_soon_after_an_event_there_is_none_and_the_next_one_says_how_many_there_would_have_been() {
        let cooled = |seconds, outcomes, expected| {
            follow(Spec { cooldown: Duration::from_secs(seconds), ..Spec::default() }, outcomes, expected);
        };
        cooled(0, "nyny", "sa sae sae sae");
        // the state follows all the same
        cooled(3, "nynyn", "sa sae sa sa sae2");
        // the time is counted from the last event, not from the last transition
        cooled(3, "nyny-n", "sa sae sa sa sae2");
        cooled(3, "nyn---y---n", "sa sae sa sae1 sae");
        // the first state is no event, so nothing has to cool down after it
        cooled(9, "ny", "sa sae");
    }

    #[test]
    fn a_state_that_lasts_is_an_event_once_an_episode() {
        let yes = Some(Value::YesNo(true));
        let lasting = |state: &Option<Value>, outcomes, expected| {
            let escalate = Some(Escalate { after: Duration::from_secs(3), state: state.clone() });
            follow(Spec { escalate, ..Spec::default() }, outcomes, expected);
        };
        lasting(&yes, "nyyyyyy", "sa sae . . aE . .");
        // left before: nothing; the next episode is one of its own
        lasting(&yes, "nyynyyyyy", "sa sae . sae sae . . aE .");
        // another state does not count, unless any does
        lasting(&yes, "nnnnnn", "sa . . . . .");
        lasting(&None, "nnnnyyyyy", "sa . . aE sae . . aE .");
        // the first state counts from the start on
        lasting(&yes, "yyyy", "sa . . aE");
        // what is no answer neither ends an episode nor shows that it lasts
        lasting(&yes, "yuuuuuy", "sa a . . . . aE");
        lasting(&yes, "y----s--y", "sa a aE");
        // where nobody looked, nothing was seen to last; an episode that goes on after a pause is a new one
        lasting(&yes, "yy----wyyyyy", "sa . . . aE . .");
        lasting(&yes, "yyyyywyyyy", "sa . . aE . . . aE .");
    }

    #[test]
    fn an_escalation_is_not_held_back_by_the_cooldown_and_tells_what_was() {
        let escalate = Some(Escalate { after: Duration::from_secs(2), state: Some(Value::YesNo(true)) });
        let spec = Spec { cooldown: Duration::from_secs(60), escalate, ..Spec::default() };
        follow(spec, "nynyyyy", "sa sae sa sa . aE2 .");
    }

    #[test]
    fn hold_waits_for_a_row_that_no_pause_divides() {
        follow(Spec { hold: 2, ..Spec::default() }, "nny-wyy", "a sa a . sae");
    }

    #[test]
    fn a_wall_clock_that_is_set_changes_no_length_of_time() {
        let escalate = Some(Escalate { after: Duration::from_secs(60), state: None });
        let mut policy = Policy::new(Spec { cooldown: Duration::from_secs(9), escalate, ..Spec::default() });
        let set_by_a_day = |second| Now { wall: at(second).wall + Duration::from_secs(86_400), ..at(second) };
        policy.take(&outcome('n'), at(1));
        assert!(policy.take(&outcome('y'), at(2)).transition.is_some());
        assert!(policy.take(&outcome('n'), set_by_a_day(3)).transition.is_none());
        assert!(policy.take(&outcome('n'), set_by_a_day(4)).escalation.is_none());
        let escalation = policy.take(&outcome('n'), set_by_a_day(63)).escalation.unwrap();
        assert_eq!((escalation.since, escalation.suppressed), (set_by_a_day(3).wall, 1));
    }
}
