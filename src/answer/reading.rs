//! What one reply says: an answer, or why not.
//!
//! Knows nothing of replies before this one; `policy` does.

use super::{FailedReason, Outcome, UnsureReason, Value};
use crate::prompt::{AnswerKind, Reply, Scored};

/// How sure the model must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Below this probability of the best answer (0..1) there is no answer.
    pub min_probability: f64,
    /// Below this probability of all allowed answers together (0..1) the model did not speak to the question.
    pub min_mass: f64,
}

impl Default for Thresholds {
    /// Takes the best answer whatever its probability, unless the model would rather have said something else
    /// altogether: nine tenths of its belief elsewhere is no answer to the question.
    fn default() -> Self {
        Self { min_probability: 0.0, min_mass: 0.1 }
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

/// Reads a reply to a prompt of this kind.
///
/// A reply that makes no sense (shares that are no numbers, a label the prompt does not allow) is a failure.
pub fn read(reply: &Reply, kind: &AnswerKind, thresholds: &Thresholds) -> Reading {
    match reply {
        Reply::UnknownWords(words) => {
            Reading { outcome: Outcome::Unsure(UnsureReason::UnknownWords(words.clone())), scores: None }
        }
        Reply::ContradictingExamples { percent, needed } => {
            let reason = UnsureReason::ContradictingExamples { percent: *percent, needed: *needed };
            Reading { outcome: Outcome::Unsure(reason), scores: None }
        }
        Reply::Closed { scores, mass, evidence } => closed(scores, *mass, *evidence, kind, thresholds),
        Reply::Text { text, finished, probability } => open(text, *finished, *probability, thresholds),
    }
}

fn failed(why: String) -> Reading {
    Reading { outcome: Outcome::Failed(FailedReason::BadReply(why)), scores: None }
}

fn is_probability(x: f64) -> bool {
    // Sums of exponentials end a few units of the last place above one.
    (0.0..=1.0 + 1e-6).contains(&x)
}

fn closed(scored: &[Scored], mass: f64, evidence: f64, kind: &AnswerKind, thresholds: &Thresholds) -> Reading {
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
    let outcome = if mass < thresholds.min_mass {
        Outcome::Unsure(UnsureReason::LowMass)
    } else if best.share < thresholds.min_probability {
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

fn open(text: &str, finished: bool, probability: f64, thresholds: &Thresholds) -> Reading {
    if !is_probability(probability) {
        return failed(format!("the text's probability is `{probability}`, which is no probability"));
    }
    let scores = Scores { probability, mass: None, evidence: None, candidates: Vec::new(), cut: !finished };
    let outcome = if text.trim().is_empty() {
        Outcome::Unsure(UnsureReason::NoText)
    } else if probability < thresholds.min_probability {
        Outcome::Unsure(UnsureReason::LowProbability)
    } else {
        Outcome::Answer(Value::Text(text.trim().to_owned()))
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
        let thresholds = Thresholds { min_probability: 0.7, min_mass: 0.1 };
        let reply = Reply::Closed { scores: scored(shares), mass, evidence: 0.5 };
        assert_eq!(read(&reply, kind, &thresholds).outcome.to_string(), expected, "{shares:?} {mass}");
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
        let thresholds = Thresholds { min_probability: 0.2, min_mass: 0.0 };
        for (text, probability, expected) in [
            (" a man walks ", 0.4, "a man walks"),
            (" ", 0.4, "unsure (no_text)"),
            ("a man", 0.1, "unsure (low_probability)"),
            ("a man", f64::INFINITY, "failed (bad_reply)"),
        ] {
            let reply = Reply::Text { text: text.to_owned(), finished: false, probability };
            let reading = read(&reply, &kind, &thresholds);
            assert_eq!(reading.outcome.to_string(), expected);
            assert!(reading.scores.is_none_or(|scores| scores.cut));
        }
        let reply = Reply::UnknownWords(vec!["gnu".to_owned()]);
        assert_eq!(read(&reply, &kind, &thresholds).outcome.to_string(), "unsure (unknown_words)");
        let reply = Reply::ContradictingExamples { percent: 61, needed: 80 };
        assert_eq!(read(&reply, &kind, &thresholds).outcome.to_string(), "unsure (contradicting_examples)");
    }
}
