//! What one reply says: an answer, or why not.
//!
//! Knows nothing of replies before this one but the state that they left, which it is given; `policy` does.

use super::{FailedReason, Outcome, UnsureReason, Value};
use crate::prompt::{AnswerKind, Reply, Scored};

/// How sure the model must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Below this probability of the best answer (0..1) there is no answer.
    pub min_probability: f64,
    /// The same where the best answer is the state held already: at most `min_probability`, so that a probability which
    /// swings around that does not alternate between an answer and none.
    pub keep_probability: f64,
    /// Below this probability of all allowed answers together (0..1) the model did not speak to the question.
    pub min_mass: f64,
}

impl Thresholds {
    /// What this answer needs while `held` is the state.
    fn needed(&self, value: &Value, held: Option<&Value>) -> f64 {
        if held == Some(value) { self.keep_probability.min(self.min_probability) } else { self.min_probability }
    }
}

impl Default for Thresholds {
    /// Takes the best answer whatever its probability, unless the model would rather have said something else
    /// altogether: nine tenths of its belief elsewhere is no answer to the question.
    fn default() -> Self {
        Self { min_probability: 0.0, keep_probability: 0.0, min_mass: 0.1 }
    }
}

/// The numbers behind an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The best answer's share; of a text, the geometric mean of its tokens' probabilities.
    pub probability: f64,
    /// The probability of all allowed answers together; scored answers only.
    pub mass: Option<f64>,
    /// How much of the answer's log-odds it owes to the picture; scored answers only.
    pub evidence: Option<f64>,
    /// All allowed answers with their shares, in the prompt's order; none for a text.
    pub candidates: Vec<Scored>,
    /// Whether a text was cut at the prompt's limit.
    pub cut: bool,
}

/// What one reply says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The outcome: an answer, unsure, or failed.
    pub outcome: Outcome,
    /// The numbers behind it; absent where the reply holds none that make sense.
    pub scores: Option<Scores>,
}

/// Reads a reply to a prompt of this kind, while `held` is its state.
///
/// A reply that makes no sense (shares that are no numbers, a label the prompt does not allow) is a failure.
pub fn read(reply: &Reply, kind: &AnswerKind, thresholds: &Thresholds, held: Option<&Value>) -> Reading {
    let needed = |value: &Value| thresholds.needed(value, held);
    match reply {
        Reply::UnknownWords(words) => {
            Reading { outcome: Outcome::Unsure(UnsureReason::UnknownWords(words.clone())), scores: None }
        }
        Reply::ContradictingExamples { percent, needed } => {
            let reason = UnsureReason::ContradictingExamples { percent: *percent, needed: *needed };
            Reading { outcome: Outcome::Unsure(reason), scores: None }
        }
        Reply::Closed { scores, mass, evidence } => {
            closed(scores, (*mass, thresholds.min_mass), *evidence, kind, &needed)
        }
        Reply::Text { text, finished, probability } => open(text, *finished, *probability, &needed),
    }
}

fn failed(why: String) -> Reading {
    Reading { outcome: Outcome::Failed(FailedReason::BadReply(why)), scores: None }
}

fn is_probability(x: f64) -> bool {
    // Sums of exponentials end a few units of the last place above one.
    (0.0..=1.0 + 1e-6).contains(&x)
}

fn closed(
    scored: &[Scored],
    (mass, min_mass): (f64, f64),
    evidence: f64,
    kind: &AnswerKind,
    needed: &dyn Fn(&Value) -> f64,
) -> Reading {
    if let Some(bad) = scored.iter().find(|one| !is_probability(one.share)) {
        return failed(format!("the share of `{}` is `{}`, which is no probability", bad.label, bad.share));
    }
    if !is_probability(mass) || !evidence.is_finite() {
        return failed(format!("mass `{mass}` or evidence `{evidence}` is not a sensible number"));
    }
    let Some(best) = scored.iter().reduce(|best, one| if one.share > best.share { one } else { best }) else {
        return failed("the reply scores no answer".to_owned());
    };
    let Some(value) = value(&best.label, kind) else {
        return failed(format!("`{}` is not an answer this prompt allows", best.label));
    };
    let outcome = if mass < min_mass {
        Outcome::Unsure(UnsureReason::LowMass)
    } else if best.share < needed(&value) {
        Outcome::Unsure(UnsureReason::LowProbability)
    } else {
        Outcome::Answer(value)
    };
    let scores = Scores {
        probability: best.share,
        mass: Some(mass),
        evidence: Some(evidence),
        candidates: scored.to_vec(),
        cut: false,
    };
    Reading { outcome, scores: Some(scores) }
}

fn value(label: &str, kind: &AnswerKind) -> Option<Value> {
    match kind {
        AnswerKind::YesNo => match label {
            "yes" => Some(Value::YesNo(true)),
            "no" => Some(Value::YesNo(false)),
            _ => None,
        },
        AnswerKind::Choice(labels) => labels.iter().any(|one| one == label).then(|| Value::Choice(label.to_owned())),
        AnswerKind::Number { min, max } => {
            label.parse().ok().filter(|number| (min..=max).contains(&number)).map(Value::Number)
        }
        AnswerKind::Text { .. } => None,
    }
}

fn open(text: &str, finished: bool, probability: f64, needed: &dyn Fn(&Value) -> f64) -> Reading {
    if !is_probability(probability) {
        return failed(format!("the text's probability is `{probability}`, which is no probability"));
    }
    let scores = Scores { probability, mass: None, evidence: None, candidates: Vec::new(), cut: !finished };
    let value = Value::Text(text.trim().to_owned());
    let outcome = if text.trim().is_empty() {
        Outcome::Unsure(UnsureReason::NoText)
    } else if probability < needed(&value) {
        Outcome::Unsure(UnsureReason::LowProbability)
    } else {
        Outcome::Answer(value)
    };
    Reading { outcome, scores: Some(scores) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(pairs: &[(&str, f64)]) -> Vec<Scored> {
        pairs.iter().map(|&(label, share)| Scored { label: label.to_owned(), share }).collect()
    }

    fn check(kind: &AnswerKind, shares: &[(&str, f64)], mass: f64, expected: &str) {
        let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.7, min_mass: 0.1 };
        let reply = Reply::Closed { scores: scored(shares), mass, evidence: 0.5 };
        assert_eq!(read(&reply, kind, &thresholds, None).outcome.to_string(), expected, "{shares:?} {mass}");
    }

    #[test]
    fn a_scored_reply_is_an_answer_unsure_or_a_failure() {
        let yes_no = AnswerKind::YesNo;
        check(&yes_no, &[("yes", 0.7), ("no", 0.3)], 1.0, "yes");
        check(&yes_no, &[("yes", 0.1), ("no", 0.9)], 1.0, "no");
        check(&yes_no, &[("yes", 0.31), ("no", 0.69)], 1.0, "unsure (low_probability)");
        check(&yes_no, &[("yes", 0.0), ("no", 1.0)], 0.09, "unsure (low_mass)");
        check(&yes_no, &[("yes", f64::NAN), ("no", 1.0)], 1.0, "failed (bad_reply)");
        check(&yes_no, &[("yes", 0.0), ("no", 1.0)], f64::NAN, "failed (bad_reply)");
        check(&yes_no, &[("maybe", 1.0)], 1.0, "failed (bad_reply)");
        check(&yes_no, &[], 1.0, "failed (bad_reply)");
        check(&AnswerKind::Choice(vec!["cat".to_owned(), "dog".to_owned()]), &[("cat", 0.2), ("dog", 0.8)], 1.0, "dog");
        check(&AnswerKind::Number { min: 0, max: 9 }, &[("0", 0.05), ("7", 0.95)], 1.0, "7");
        check(&AnswerKind::Number { min: 0, max: 5 }, &[("7", 1.0)], 1.0, "failed (bad_reply)");
        check(&AnswerKind::Text { max_tokens: 9 }, &[("yes", 1.0)], 1.0, "failed (bad_reply)");
    }

    #[test]
    fn a_text_is_trimmed_and_an_empty_one_is_no_answer() {
        let kind = AnswerKind::Text { max_tokens: 9 };
        let thresholds = Thresholds { min_probability: 0.2, keep_probability: 0.2, min_mass: 0.0 };
        for (text, probability, expected) in [
            (" a man walks ", 0.4, "a man walks"),
            (" ", 0.4, "unsure (no_text)"),
            ("a man", 0.1, "unsure (low_probability)"),
            ("a man", f64::INFINITY, "failed (bad_reply)"),
        ] {
            let reply = Reply::Text { text: text.to_owned(), finished: false, probability };
            let reading = read(&reply, &kind, &thresholds, None);
            assert_eq!(reading.outcome.to_string(), expected);
            assert!(reading.scores.is_none_or(|scores| scores.cut));
        }
        let reply = Reply::UnknownWords(vec!["gnu".to_owned()]);
        assert_eq!(read(&reply, &kind, &thresholds, None).outcome.to_string(), "unsure (unknown_words)");
        let reply = Reply::ContradictingExamples { percent: 61, needed: 80 };
        assert_eq!(read(&reply, &kind, &thresholds, None).outcome.to_string(), "unsure (contradicting_examples)");
    }

    #[test]
    fn what_is_held_needs_less_to_be_kept_than_another_answer_to_replace_it() {
        let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.5, min_mass: 0.1 };
        let (yes, no) = (Value::YesNo(true), Value::YesNo(false));
        for (held, share_of_yes, expected) in [
            (None, 0.69, "unsure (low_probability)"),
            (None, 0.7, "yes"),
            (Some(&yes), 0.69, "yes"),
            (Some(&yes), 0.5, "yes"),
            (Some(&yes), 0.4, "unsure (low_probability)"),
            (Some(&yes), 0.31, "unsure (low_probability)"),
            (Some(&yes), 0.3, "no"),
            (Some(&no), 0.69, "unsure (low_probability)"),
            (Some(&no), 0.4, "no"),
        ] {
            let shares = scored(&[("yes", share_of_yes), ("no", 1.0 - share_of_yes)]);
            let reply = Reply::Closed { scores: shares, mass: 1.0, evidence: 0.5 };
            let outcome = read(&reply, &AnswerKind::YesNo, &thresholds, held).outcome;
            assert_eq!(outcome.to_string(), expected, "{held:?} held, yes {share_of_yes}");
        }
        // little belief in all answers together is no answer, held or not
        let reply = Reply::Closed { scores: scored(&[("yes", 1.0), ("no", 0.0)]), mass: 0.05, evidence: 0.5 };
        let outcome = read(&reply, &AnswerKind::YesNo, &thresholds, Some(&yes)).outcome;
        assert_eq!(outcome.to_string(), "unsure (low_mass)");
        let reply = Reply::Text { text: "a man".to_owned(), finished: true, probability: 0.6 };
        for (held, expected) in [("a man", "a man"), ("a dog", "unsure (low_probability)")] {
            let held = Value::Text(held.to_owned());
            let outcome = read(&reply, &AnswerKind::Text { max_tokens: 9 }, &thresholds, Some(&held)).outcome;
            assert_eq!(outcome.to_string(), expected);
        }
    }
}
