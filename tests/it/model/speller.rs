//! Text under a grammar, with the oracle that can spell any text: whatever its logits say, what it writes is JSON of the
//! schema; what the schema forces is not asked for; and a row is what it would be alone.

#![expect(clippy::unwrap_used, reason = "a rig that cannot be set up fails its test")]

use std::time::Duration;

use wader::{
    model::{Ended, Flamingo, Gates, Generation, Grammar, Language, Model, Row, Rule, VisualTokens, Work, Writing},
    prompt::Schema,
};

use crate::support::model::{on_cpu, oracle, speller_folder, window};

fn speller() -> Flamingo {
    Flamingo::load(&speller_folder(), &on_cpu()).unwrap()
}

/// Every kind of schema, each with an end that even a model without any sense comes to.
const SCHEMAS: [&str; 8] = [
    r#"{"type": "object", "required": ["colour"], "properties": {"colour": {"enum": ["red", "green", "reddish", null]}}}"#,
    r#"{"type": "object", "properties": {"frame": {"type": "integer", "minimum": 0, "maximum": 9}, "k": {"const": "x"}},
        "required": ["frame", "k"]}"#,
    r#"{"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "boolean"}}"#,
    r#"{"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string", "maxLength": 4}, "b": {"type":
        "object", "properties": {"frame": {"type": ["integer", "null"], "minimum": -9, "maximum": 99}}}}}"#,
    r#"{"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[a-f]{3}$"}]}"#,
    r##"{"$defs": {"light": {"enum": ["bright", "dim"]}}, "type": "object", "required": ["l", "m"], "properties": {"l":
        {"$ref": "#/$defs/light"}, "m": {"$ref": "#/$defs/light"}}}"##,
    r#"{"type": "string", "format": "date"}"#,
    r#"{"const": {"nothing": ["to", "choose"]}}"#,
];

fn grammar(schema: &str) -> Grammar {
    Schema::read(schema).unwrap_or_else(|error| panic!("{schema}: {error}")).grammar().clone()
}

fn rule(schema: &str) -> Rule {
    Rule { grammar: grammar(schema), max_time: Duration::from_secs(600) }
}

/// A question of these words about the only window, whose text must be JSON of this schema.
fn asking(model: &Flamingo, question: &str, schema: &str) -> Writing {
    let ids = model.template().question(question).suffix;
    Writing { row: Row { media: vec![0], ids, read: vec![] }, max_tokens: 100, rule: Some(rule(schema)) }
}

/// A window of one frame with this number, or of none.
fn media(model: &mut Flamingo, frame: Option<u32>) -> VisualTokens {
    let moments = window(model, 1, &[frame.map(|number| (number, 0.0))]);
    model.resample(&[moments]).unwrap()
}

/// What was written, which must be JSON of the schema.
fn json(model: &Flamingo, text: &Generation, schema: &str) -> serde_json::Value {
    let said = model.template().decode(&text.ids);
    assert_eq!(text.ended, Ended::Itself, "{said}");
    let value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{said}: {error}"));
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    assert!(validator.is_valid(&value), "{said} is not of {schema}");
    value
}

#[test]
fn whatever_the_logits_say_the_text_is_json_of_the_schema() {
    let mut model = speller();
    let prefix = model.prefix(&model.template().question("").prefix).unwrap();
    let blank = media(&mut model, None);
    for round in 0..6 {
        // The logits hang on every token before: another question is another throw of the dice.
        let texts: Vec<Writing> = SCHEMAS
            .iter()
            .map(|schema| asking(&model, &format!("{round} {}", "?".repeat(schema.len() % 7)), schema))
            .collect();
        let together = model.generate(&prefix, &blank, &texts).unwrap();
        for (text, schema) in together.iter().zip(SCHEMAS) {
            json(&model, text, schema);
        }
    }
}

#[test]
fn a_row_is_what_it_would_be_alone_whatever_the_others_grammars_force() {
    let mut model = speller();
    let prefix = model.prefix(&model.template().question("").prefix).unwrap();
    let media = media(&mut model, Some(7));
    let mut texts: Vec<Writing> = SCHEMAS.iter().map(|schema| asking(&model, "What is there?", schema)).collect();
    let free = Writing { rule: None, max_tokens: 9, ..asking(&model, "What happens here?", SCHEMAS[0]) };
    texts.insert(1, free);
    let together = model.generate(&prefix, &media, &texts).unwrap();
    for (text, together) in texts.iter().zip(&together) {
        let alone = model.generate(&prefix, &media, std::slice::from_ref(text)).unwrap().remove(0);
        assert_eq!(&alone, together);
    }
    // One pass over the whole text gives each chosen token what it got when it was written: positions, masks and K/V
    // were right across forced runs and holes.
    let free = &together[1];
    let ids: Vec<_> = texts[1].row.ids.iter().chain(&free.ids).copied().collect();
    let read = (texts[1].row.ids.len() - 1..ids.len() - 1).collect();
    let scores = model.score(&prefix, Some(&media), &[Row { media: vec![0], ids, read }], Gates::Open).unwrap();
    for ((place, &id), written) in scores[0].iter().zip(&free.ids).zip(&free.log_probabilities) {
        assert!((place[id as usize] - written).abs() < 1e-4);
    }
    for (text, written) in texts.iter().zip(&together).filter(|(text, _)| text.rule.is_some()) {
        let ids: Vec<_> = text.row.ids.iter().chain(&written.ids).copied().collect();
        let read = (text.row.ids.len() - 1..ids.len() - 1).collect();
        let scores = model.score(&prefix, Some(&media), &[Row { media: vec![0], ids, read }], Gates::Open).unwrap();
        // Chosen tokens are some of all: in their order, each has the probability that scoring gives it.
        let mut places = scores[0].iter().zip(&written.ids).map(|(place, &id)| place[id as usize]);
        let ends = usize::from(written.log_probabilities.len() > written.ids.len());
        let chosen = written.log_probabilities.iter().zip(&written.log_masses).map(|(share, mass)| share + mass);
        for log in chosen.take(written.log_probabilities.len() - ends) {
            let found = places.any(|scored| (scored - log).abs() < 1e-3);
            assert!(found, "{}: {log}", model.template().decode(&written.ids));
        }
    }
}

#[test]
fn what_is_written_tells_the_frame_that_was_seen() {
    let mut model = speller();
    let prefix = model.prefix(&model.template().question("").prefix).unwrap();
    let moments: Vec<_> = [3, 48, 1237].map(|number| window(&mut model, 1, &[Some((number, 0.0))])).into();
    let media = model.resample(&moments).unwrap();
    let texts: Vec<Writing> = (0..3)
        .map(|window| {
            let text = asking(&model, &"Which? ".repeat(window + 1), SCHEMAS[1]);
            Writing { row: Row { media: vec![window], ..text.row }, ..text }
        })
        .collect();
    let written = model.generate(&prefix, &media, &texts).unwrap();
    let told: Vec<_> = written.iter().map(|text| json(&model, text, SCHEMAS[1])["frame"].as_u64().unwrap()).collect();
    assert_eq!(told, [3, 48 % 10, 1237 % 64 % 10]);
}

#[test]
fn what_the_schema_forces_is_counted_and_makes_no_pass() {
    let mut model = speller();
    let question = model.template().question("Which?");
    let prefix = model.prefix(&question.prefix).unwrap();
    let media = media(&mut model, Some(5));
    let before = model.work();
    let text = asking(&model, "Which?", SCHEMAS[1]);
    let written = model.generate(&prefix, &media, std::slice::from_ref(&text)).unwrap().remove(0);
    assert_eq!(model.template().decode(&written.ids), r#"{"frame":5,"k":"x"}"#);
    let done = model.work();
    let tokens = written.ids.len() as u64;
    // The digit is the one choice there is; all before it is run with the question, nothing after it at all.
    assert_eq!(written.log_probabilities.len(), 1);
    assert!(tokens > 6, "{tokens}");
    let forced_before = written.ids.iter().position(|&id| model.template().decode(&[id]) == "5").unwrap() as u64;
    let expected = Work {
        prefill_tokens: before.prefill_tokens + question.suffix.len() as u64 + forced_before,
        prefill_rows: before.prefill_rows + 1,
        forced_tokens: tokens - 1,
        calls: [before.calls[0], before.calls[1], before.calls[2] + 1, 0, 0],
        ..before
    };
    assert_eq!(done, expected);

    // Two choices with a run between them: three passes fewer than tokens, and the run goes through in one of them.
    let two = r#"{"type": "object", "required": ["frame", "colour"], "properties": {"frame": {"enum": [1, 5]}, "colour":
        {"enum": ["red", "green"]}}}"#;
    let text = asking(&model, "Which?", two);
    let written = model.generate(&prefix, &media, std::slice::from_ref(&text)).unwrap().remove(0);
    let after = model.work();
    json(&model, &written, two);
    let (passes, chosen) = (after.calls[2] - done.calls[2], written.log_probabilities.len() as u64);
    assert_eq!(after.forced_tokens - done.forced_tokens, written.ids.len() as u64 - chosen);
    assert_eq!(passes, chosen, "a pass for each choice");
    assert!(passes < written.ids.len() as u64 / 2, "{passes} passes for {} tokens", written.ids.len());
    assert!(after.decode_tokens > done.decode_tokens + passes - 1, "a pass runs the forced tokens of its row together");
}

#[test]
fn what_is_not_whole_within_its_limits_says_so() {
    let mut model = speller();
    let prefix = model.prefix(&model.template().question("").prefix).unwrap();
    let media = media(&mut model, Some(5));
    // Where a frame is seen its digit comes after everything, so that a text without a longest length has no end.
    let endless = r#"{"type": "object", "required": ["s"], "properties": {"s": {"type": "string"}}}"#;
    let text = asking(&model, "What?", endless);
    let late = Writing { rule: Some(Rule { max_time: Duration::ZERO, ..rule(endless) }), ..text.clone() };
    let short = Writing { max_tokens: 3, ..asking(&model, "Which?", SCHEMAS[7]) };
    let none = Writing { max_tokens: 0, ..text.clone() };
    let other = asking(&model, "Which?", SCHEMAS[1]);
    let written = model.generate(&prefix, &media, &[text, late, short, none, other]).unwrap();
    let ends: Vec<_> = written.iter().map(|text| (text.ended, text.ids.len())).collect();
    assert_eq!(ends[0], (Ended::Tokens, 100));
    assert_eq!(ends[1].0, Ended::Time);
    assert_eq!((ends[2], ends[3]), ((Ended::Tokens, 3), (Ended::Tokens, 0)));
    json(&model, &written[4], SCHEMAS[1]);
}

#[test]
fn a_vocabulary_of_words_cannot_spell() {
    assert!(speller().template().spells());
    let mut model = oracle();
    assert!(!model.template().spells());
    let prefix = model.prefix(&[]).unwrap();
    let media = media(&mut model, None);
    let error = model.generate(&prefix, &media, &[asking(&model, "count", SCHEMAS[0])]).unwrap_err();
    assert!(error.to_string().contains("cannot spell JSON"), "{error}");
}
