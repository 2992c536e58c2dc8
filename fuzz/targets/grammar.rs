//! Schemas of strangers, and texts that are held to them: nothing panics, whatever a grammar lets through is JSON of its
//! schema, and so is whatever is put together from the questions that a schema is made of.
//!
//! An input is a schema and the choices of a model, parted by a byte 0xff.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use wader::{
    model::{Manifest, Template, fuzzing::write},
    prompt::{AnswerKind, Asked, Schema},
};
use wader_fuzz::{parts, repository};

static SPELLER: LazyLock<Template> = LazyLock::new(|| {
    let folder = repository("tests/models/speller");
    let manifest = Manifest::read(&folder).expect("a manifest");
    Template::load(&folder, &manifest).expect("a tokenizer")
});

/// A value that answers a question about a property.
fn answer(kind: &AnswerKind, choice: u8) -> Value {
    match kind {
        AnswerKind::YesNo => json!(choice % 2 == 0),
        AnswerKind::Choice(choices) => json!(choices[usize::from(choice) % choices.len()]),
        AnswerKind::Number { min, max } => json!(min + u32::from(choice) % (max - min + 1)),
        AnswerKind::Text { .. } => json!("a text"),
        AnswerKind::Json { .. } => unreachable!("a property is asked in JSON"),
    }
}

fuzz_target!(|data: &[u8]| {
    let [text, choices] = parts(data);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let schema = match Schema::read(text) {
        Ok(schema) => schema,
        Err(error) => {
            assert!(error.to_string().lines().count() <= 1, "{error}");
            return;
        }
    };
    // it is the same once it was read
    assert_eq!(Schema::read(schema.text()).expect("it was accepted").text(), schema.text());
    let own: Value = serde_json::from_str(schema.text()).expect("JSON");
    // another reader may know a format or a pattern differently, or refuse the schema
    let Ok(judge) = jsonschema::validator_for(&own) else { return };
    if let Ok(properties) = schema.properties() {
        let value = |(place, property): (usize, &wader::prompt::Property)| {
            let value = match &property.asked {
                Asked::Constant(value) => value.value().clone(),
                Asked::Question { kind, .. } => answer(kind, choices.get(place).copied().unwrap_or_default()),
            };
            (property.name.clone(), value)
        };
        let object: Map<String, Value> = properties.iter().enumerate().map(value).collect();
        let object = Value::Object(object);
        assert!(judge.is_valid(&object), "not of {}: {object}", schema.text());
    }
    let mut choices = choices.iter().copied();
    let choose = |open: &[u32]| open[usize::from(choices.next().unwrap_or_default()) % open.len()];
    let Ok(Some(written)) = write(&SPELLER, schema.grammar(), 200, choose) else { return };
    let value: Value = match serde_json::from_str(&written) {
        Ok(value) => value,
        // the grammar knows no largest number; such an answer is told as failed
        Err(error) if error.to_string().starts_with("number out of range") => return,
        Err(error) => panic!("not JSON ({error}): {written:?} of {}", schema.text()),
    };
    if ["pattern", "format", "multipleOf"].iter().all(|key| !schema.text().contains(key)) {
        assert!(judge.is_valid(&value), "{written:?} is not of {}", schema.text());
    }
});
