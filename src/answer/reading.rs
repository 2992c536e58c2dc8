//! What one reply says: an answer, or why not.
//!
//! Knows nothing of replies before this one but the state that they left, which it is given; `policy` does.

use super::{FailedReason, Outcome, UnsureReason, Value};
use crate::prompt::{AnswerKind, Asked, Ended, Json, Property, Reply, Scored};

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
    /// The best answer's share; of a text, the geometric mean of its tokens' probabilities; of JSON that was asked property
    /// by property, the smallest of those in it.
    pub probability: f64,
    /// The probability of all allowed answers together, of JSON likewise; none for a text.
    pub mass: Option<f64>,
    /// How much of the answer's log-odds it owes to the picture; scored answers only.
    pub evidence: Option<f64>,
    /// All allowed answers with their shares, in the prompt's order; none for a text.
    pub candidates: Vec<Scored>,
    /// Whether a text was cut at the prompt's limit.
    pub cut: bool,
    /// Each property that was asked for, where JSON was asked property by property.
    pub properties: Vec<PropertyReading>,
}

/// What was said of one property.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyReading {
    /// The property.
    pub name: String,
    /// The outcome and its numbers.
    pub reading: Reading,
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
        Reply::ContradictingExamples(contradiction) => {
            let reason = UnsureReason::ContradictingExamples(*contradiction);
            Reading { outcome: Outcome::Unsure(reason), scores: None }
        }
        Reply::Closed { scores, mass, evidence } => {
            closed(scores, (*mass, thresholds.min_mass), *evidence, kind, &needed)
        }
        Reply::Inconsistent { scores, mass, evidence, said } => {
            let reading = closed(scores, (*mass, thresholds.min_mass), *evidence, kind, &needed);
            // what has no answer is no contradiction, and what makes no sense is none either
            match reading.outcome {
                Outcome::Failed(_) | Outcome::Unsure(UnsureReason::LowMass) => reading,
                _ => Reading { outcome: Outcome::Unsure(UnsureReason::Inconsistent(said.clone())), ..reading },
            }
        }
        Reply::Text { text, finished, probability } => open(text, *finished, *probability, &needed),
        Reply::Json { text, ended, probability, mass } => {
            written(text, *ended, *probability, (*mass, thresholds.min_mass), &needed)
        }
        Reply::Properties(replies) => match kind {
            AnswerKind::Json { schema, .. } => match schema.properties() {
                Ok(properties) => assembled(properties, replies, thresholds, held),
                Err(why) => failed(format!("the schema was not asked property by property: {why}")),
            },
            _ => failed("the prompt asks for no properties".to_owned()),
        },
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
        properties: Vec::new(),
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
        AnswerKind::Text { .. } | AnswerKind::Json { .. } => None,
    }
}

fn open(text: &str, finished: bool, probability: f64, needed: &dyn Fn(&Value) -> f64) -> Reading {
    if !is_probability(probability) {
        return failed(format!("the text's probability is `{probability}`, which is no probability"));
    }
    let scores = Scores {
        probability,
        mass: None,
        evidence: None,
        candidates: Vec::new(),
        cut: !finished,
        properties: Vec::new(),
    };
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

/// JSON that was written under the schema: what is not whole is none.
fn written(
    text: &str,
    ended: Ended,
    probability: f64,
    (mass, min_mass): (f64, f64),
    needed: &dyn Fn(&Value) -> f64,
) -> Reading {
    if !is_probability(probability) || !is_probability(mass) {
        return failed(format!("the probability `{probability}` or mass `{mass}` of the JSON is no probability"));
    }
    let json = match ended {
        Ended::Itself => Json::read(text),
        Ended::Tokens | Ended::Time => Ok(Json::null()),
    };
    let outcome = match (ended, json) {
        (Ended::Tokens, _) => Outcome::Unsure(UnsureReason::TokenLimit),
        (Ended::Time, _) => Outcome::Unsure(UnsureReason::TimeLimit),
        (_, Err(error)) => return failed(format!("what was written is not JSON ({error})")),
        (_, Ok(_)) if mass < min_mass => Outcome::Unsure(UnsureReason::LowMass),
        (_, Ok(json)) => {
            let value = Value::Json(json);
            if probability < needed(&value) {
                Outcome::Unsure(UnsureReason::LowProbability)
            } else {
                Outcome::Answer(value)
            }
        }
    };
    let scores = Scores {
        probability,
        mass: Some(mass),
        evidence: None,
        candidates: Vec::new(),
        cut: ended != Ended::Itself,
        properties: Vec::new(),
    };
    Reading { outcome, scores: Some(scores) }
}

/// The object that the answers to its properties make.
///
/// A property without a sure answer is `null` where the schema allows that, left out where it is not required, and else
/// there is no answer at all; nor is there one where no property has an answer.
fn assembled(properties: &[Property], replies: &[Reply], thresholds: &Thresholds, held: Option<&Value>) -> Reading {
    let object_held = if let Some(Value::Json(object)) = held { Some(object) } else { None };
    let (mut replies, mut readings) = (replies.iter(), Vec::new());
    let (mut object, mut missing, mut deciding) = (Vec::new(), None, Vec::new());
    let mut answers = 0;
    for property in properties {
        let kind = match &property.asked {
            Asked::Constant(value) => {
                object.push((property.name.clone(), value.clone()));
                continue;
            }
            Asked::Question { kind, .. } => kind,
        };
        let Some(reply) = replies.next() else { return failed(format!("property `{}` has no reply", property.name)) };
        let held = object_held.and_then(|object| value_of(&object.property(&property.name)?, kind));
        let reading = whole(read(reply, kind, thresholds, held.as_ref()));
        if let Outcome::Failed(FailedReason::BadReply(why)) = &reading.outcome {
            return failed(format!("property `{}`: {why}", property.name));
        }
        let counts = match reading.outcome.value() {
            Some(value) => {
                object.push((property.name.clone(), json(value)));
                answers += 1;
                true
            }
            None if property.nullable => {
                object.push((property.name.clone(), Json::null()));
                false
            }
            None => {
                missing = missing.or_else(|| property.required.then(|| reading.outcome.clone()));
                property.required
            }
        };
        if counts {
            deciding.extend(reading.scores.clone());
        }
        readings.push(PropertyReading { name: property.name.clone(), reading });
    }
    let nothing = || readings.first().map(|first| first.reading.outcome.clone());
    let outcome = match missing.or_else(|| if answers == 0 { nothing() } else { None }) {
        Some(outcome) => outcome,
        None => Outcome::Answer(Value::Json(Json::object(object))),
    };
    if deciding.is_empty() {
        deciding.extend(readings.iter().filter_map(|one| one.reading.scores.clone()));
    }
    let least = |number: fn(&Scores) -> Option<f64>| deciding.iter().filter_map(number).reduce(f64::min);
    let scores = least(|scores| Some(scores.probability)).map(|probability| Scores {
        probability,
        mass: least(|scores| scores.mass),
        evidence: None,
        candidates: Vec::new(),
        cut: false,
        properties: readings,
    });
    Reading { outcome, scores }
}

/// Half a text is no value of a property.
fn whole(reading: Reading) -> Reading {
    let cut = reading.scores.as_ref().is_some_and(|scores| scores.cut);
    let outcome = match reading.outcome {
        Outcome::Answer(_) if cut => Outcome::Unsure(UnsureReason::TokenLimit),
        outcome => outcome,
    };
    Reading { outcome, ..reading }
}

/// An answer as the value of a property.
fn json(value: &Value) -> Json {
    match value {
        Value::YesNo(truth) => Json::from(*truth),
        Value::Number(number) => Json::from(*number),
        Value::Choice(text) | Value::Text(text) => Json::from(text.as_str()),
        Value::Json(json) => json.clone(),
    }
}

/// The scored answer of this kind that is written so.
fn value_of(written: &Json, kind: &AnswerKind) -> Option<Value> {
    let is_it = |value: &Value| json(value) == *written;
    match kind {
        AnswerKind::YesNo => [true, false].map(Value::YesNo).into_iter().find(is_it),
        AnswerKind::Number { min, max } => (*min..=*max).map(Value::Number).find(is_it),
        AnswerKind::Choice(labels) => labels.iter().cloned().map(Value::Choice).find(is_it),
        AnswerKind::Text { .. } | AnswerKind::Json { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Contradiction, Said};

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
    fn wordings_that_contradict_each_other_are_unsure_whatever_is_held_unless_there_is_no_answer() {
        let thresholds = Thresholds { min_probability: 0.6, keep_probability: 0.4, min_mass: 0.1 };
        let said = vec![Said { ask: "is it".to_owned(), answer: "yes".to_owned(), percent: 90 }];
        for (share, mass, expected) in [
            (0.9, 1.0, "unsure (inconsistent)"),
            (0.5, 1.0, "unsure (inconsistent)"),
            (0.9, 0.09, "unsure (low_mass)"),
            (f64::NAN, 1.0, "failed (bad_reply)"),
        ] {
            let scores = scored(&[("yes", share), ("no", 1.0 - share)]);
            let reply = Reply::Inconsistent { scores, mass, evidence: 0.5, said: said.clone() };
            let reading = read(&reply, &AnswerKind::YesNo, &thresholds, Some(&Value::YesNo(true)));
            assert_eq!(reading.outcome.to_string(), expected);
            assert_eq!(reading.scores.is_some(), share.is_finite());
        }
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
        let reply = Reply::ContradictingExamples(Contradiction { percent: 61, needed: 80 });
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

    const OBJECT: &str = r#"{"type": "object", "required": ["people", "dark"], "properties": {
        "kind": {"const": "street"}, "people": {"type": "integer", "minimum": 0, "maximum": 3}, "dark": {"type": ["boolean",
        "null"]}, "light": {"enum": ["bright", "dim"]}, "scene": {"type": ["string", "null"]}}}"#;

    fn asked() -> AnswerKind {
        let schema = crate::prompt::Schema::read(OBJECT).unwrap();
        AnswerKind::Json { schema, max_tokens: 9, max_time: std::time::Duration::from_secs(1) }
    }

    /// People, dark, light, and a scene that is `cut` or not.
    fn properties(people: f64, dark: f64, light: f64, cut: bool) -> Reply {
        let closed = |best: &str, other: &str, share: f64| Reply::Closed {
            scores: scored(&[(other, 1.0 - share), (best, share)]),
            mass: 0.9,
            evidence: 0.5,
        };
        let scene = Reply::Text { text: "two cars".to_owned(), finished: !cut, probability: 0.75 };
        let light = closed("dim", "bright", light);
        Reply::Properties(vec![closed("2", "1", people), closed("no", "yes", dark), light, scene])
    }

    #[test]
    fn an_object_is_made_of_the_answers_to_its_properties() {
        let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.7, min_mass: 0.1 };
        let check = |reply: &Reply, expected: &str, probability: f64| {
            let reading = read(reply, &asked(), &thresholds, None);
            assert_eq!(
                (reading.outcome.to_string().as_str(), reading.scores.unwrap().probability),
                (expected, probability)
            );
        };
        let whole = r#"{"kind":"street","people":2,"dark":false,"light":"dim","scene":"two cars"}"#;
        check(&properties(0.9, 0.8, 0.85, false), whole, 0.75);
        let unsure = r#"{"kind":"street","people":2,"dark":null,"scene":null}"#;
        check(&properties(0.9, 0.6, 0.6, true), unsure, 0.9);
        check(&properties(0.6, 0.8, 0.8, false), "unsure (low_probability)", 0.6);
        let Reply::Properties(mut few) = properties(0.9, 0.9, 0.9, false) else { panic!() };
        few.pop();
        assert_eq!(read(&Reply::Properties(few), &asked(), &thresholds, None).outcome.word(), "failed");
        let reading = read(&properties(0.9, 0.6, 0.8, true), &asked(), &thresholds, None);
        let reasons: Vec<_> =
            reading.scores.unwrap().properties.iter().map(|one| one.reading.outcome.reason()).collect();
        assert_eq!(reasons, [None, Some("low_probability"), None, Some("token_limit")]);
    }

    #[test]
    fn what_a_property_was_it_stays_down_to_keep_probability() {
        let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.5, min_mass: 0.1 };
        let check = |held: &str, expected: &str| {
            let held = Value::Json(Json::read(held).unwrap());
            let reading = read(&properties(0.6, 0.6, 0.6, true), &asked(), &thresholds, Some(&held));
            assert_eq!(reading.outcome.to_string(), expected, "{held:?}");
        };
        let whole = r#"{"kind":"street","people":2,"dark":false,"light":"dim","scene":null}"#;
        check(r#"{"people":2,"dark":false,"light":"dim"}"#, whole);
        check(
            r#"{"people":2,"dark":true,"light":"bright"}"#,
            r#"{"kind":"street","people":2,"dark":null,"scene":null}"#,
        );
        check(r#"{"people":1,"dark":false}"#, "unsure (low_probability)");
    }

    #[test]
    fn an_object_of_nulls_says_nothing_and_is_no_answer() {
        let schema = r#"{"type": "object", "properties": {"dark": {"type": ["boolean", "null"]}, "k": {"const": 1}}}"#;
        let schema = crate::prompt::Schema::read(schema).unwrap();
        let kind = AnswerKind::Json { schema, max_tokens: 9, max_time: std::time::Duration::ZERO };
        let reply = Reply::Closed { scores: scored(&[("yes", 0.5), ("no", 0.5)]), mass: 1.0, evidence: 0.0 };
        let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.7, min_mass: 0.1 };
        let reading = read(&Reply::Properties(vec![reply]), &kind, &thresholds, None);
        assert_eq!(reading.outcome.to_string(), "unsure (low_probability)");
        assert_eq!(reading.scores.unwrap().probability, 0.5);
    }

    #[test]
    fn json_that_was_written_is_whole_or_none() {
        let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.7, min_mass: 0.1 };
        for (text, ended, probability, mass, expected) in [
            (r#"{ "a": 1 }"#, Ended::Itself, 0.7, 0.1, r#"{"a":1}"#),
            (r#"{"a":"#, Ended::Tokens, 1.0, 1.0, "unsure (token_limit)"),
            (r#"{"a":1}"#, Ended::Time, 1.0, 1.0, "unsure (time_limit)"),
            (r#"{"a":1}"#, Ended::Itself, 0.6, 1.0, "unsure (low_probability)"),
            (r#"{"a":1}"#, Ended::Itself, 0.9, 0.05, "unsure (low_mass)"),
            (r#"{"a":"#, Ended::Itself, 1.0, 1.0, "failed (bad_reply)"),
            (r#"{"a":1}"#, Ended::Itself, f64::NAN, 1.0, "failed (bad_reply)"),
        ] {
            let reply = Reply::Json { text: text.to_owned(), ended, probability, mass };
            assert_eq!(read(&reply, &asked(), &thresholds, None).outcome.to_string(), expected, "{text}");
        }
    }
}
