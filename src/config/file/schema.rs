//! The mirror as a JSON Schema (2020-12), from which editors complete and check a file while it is written.
//!
//! schemars makes it of the mirror's own types, so that no key can be missing or of another kind. Here is what the types do
//! not say: which texts are legal, which keys go together, and that a `${NAME}` may stand for any value. It must never
//! refuse a file that `wader check` accepts; what it cannot say (one key less than another, a camera that is there), it leaves
//! out.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema as schema};
use serde_json::{Map, Value, json};

use super::{
    super::{
        allowed::{BUILT_IN_PIPELINES, DAYS, LONGEST_ASK, LONGEST_LABEL, MOST_WORDINGS},
        duration, template,
    },
    File, Limit, SchemaText, Span, Word,
};
use crate::{
    name,
    prompt::MOST_ANSWERS,
    telemetry::{Format, Level},
};

/// What a URL begins with.
const URL: &str = r"^\s*[A-Za-z][A-Za-z0-9+.-]*:";

/// The JSON Schema of a file of the configuration.
///
/// Of one that stands alone, or of a partial one, which leaves to other files whatever it likes.
pub fn json_schema(partial: bool) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>().to_value();
    schema["title"] = "The configuration of wader".into();
    schema["description"] = "What wader watches, what it asks about it, and where the answers go.".into();
    inherit(&mut schema, "Camera", "CameraDefaults");
    inherit(&mut schema, "Prompt", "PromptDefaults");
    there(&mut schema);
    tidy(&mut schema);
    if !partial {
        complete(&mut schema);
    }
    schema
}

// From the mirror to what a person writes ----------------------------------------------------------------------------

/// A key that stands in two tables is described where its default is.
fn inherit(schema: &mut Value, heir: &str, table: &str) {
    let inherited = schema["$defs"][table]["properties"].clone();
    if let (Some(own), Value::Object(inherited)) = (schema["$defs"][heir]["properties"].as_object_mut(), inherited) {
        own.extend(inherited);
    }
}

/// What is different on one camera has no defaults of its own: it is as the prompt says.
fn there(schema: &mut Value) {
    let mut there = schema["$defs"]["PromptDefaults"].clone();
    there["description"] = "What is different on one camera; what is not written here is as the prompt says.".into();
    for key in there["properties"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        key.as_object_mut().and_then(|key| key.shift_remove("default"));
    }
    schema["$defs"]["PromptThere"] = there;
}

/// Takes out what is true of Rust and not of TOML (`null`, the width of numbers), and lets `${NAME}` stand for a number or
/// a truth value.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(keys) => {
            without_null(keys);
            if let Some(kind @ ("integer" | "number" | "boolean")) = keys.get("type").and_then(Value::as_str) {
                let or_text = json!([kind, "string"]);
                keys.insert("type".to_owned(), or_text);
                keys.shift_remove("format");
                keys.insert("pattern".to_owned(), template::PATTERN.into());
            }
            keys.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// An optional value is one that may be left out.
fn without_null(keys: &mut Map<String, Value>) {
    if keys.get("default") == Some(&Value::Null) {
        keys.shift_remove("default");
    }
    if let Some(Value::Array(types)) = keys.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [kind] = types.as_slice() {
            let kind = kind.clone();
            keys.insert("type".to_owned(), kind);
        }
    }
    let null = json!({ "type": "null" });
    if let Some(Value::Array(forms)) = keys.get_mut("anyOf").filter(|forms| forms.get(1) == Some(&null))
        && let Value::Object(form) = forms.swap_remove(0)
    {
        keys.shift_remove("anyOf");
        keys.extend(form);
    }
}

/// What must be there in a file that stands alone.
fn complete(schema: &mut Value) {
    schema["required"] = json!(["cameras"]);
    schema["properties"]["cameras"]["minProperties"] = 1.into();
    let tables = &mut schema["$defs"];
    tables["Mqtt"]["dependentRequired"] = json!({ "user": ["password"], "password": ["user"], "ca": ["url"],
        "cert": ["key", "ca"], "key": ["cert", "ca"] });
    tables["Camera"]["required"] = json!(["url"]);
    tables["Prompt"]["required"] = json!(["ask", "answer"]);
    for (answer, key) in [("choice", "choices"), ("json", "schema")] {
        let rule = json!({ "if": is("answer", answer), "then": { "required": [key] } });
        tables["Prompt"]["allOf"].as_array_mut().into_iter().for_each(|rules| rules.push(rule.clone()));
    }
}

// Keys that go together -----------------------------------------------------------------------------------------------

/// That a key is written and has this value.
fn is(key: &str, value: &str) -> Value {
    json!({ "properties": { key: { "const": value } }, "required": [key] })
}

/// That none of these keys is written.
fn none(keys: &[&str]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|&key| (key.to_owned(), false.into())).collect();
    json!({ "properties": properties })
}

/// An IP address and a port.
const ADDRESS: &str = r"^(\[.+\]|[^:]+):[0-9]+$";

/// One of this machine's loopback.
const LOOPBACK: &str = r"^(127\.[0-9.]+|\[[0:]*1(%[0-9]+)?\]):[0-9]+$";

/// Where something listens.
pub(super) fn listen(_: &mut SchemaGenerator) -> Schema {
    like(ADDRESS)
}

/// Which keys have a meaning with which broker.
pub(super) fn brokers() -> Value {
    let mut embedded = none(&["user", "password", "allow_plaintext_password", "ca", "cert", "key"]);
    embedded["properties"]["listen"] = like(LOOPBACK).to_value();
    let plain = json!({ "properties": { "url": { "pattern": r"^\s*[Mm][Qq][Tt][Tt]:" } }, "required": ["url"] });
    json!([
        { "if": is("url", "embedded"), "then": embedded },
        { "if": plain, "then": none(&["ca", "cert", "key"]) },
    ])
}

/// Which keys belong to which kind of answer.
pub(super) fn answers() -> Value {
    let rule = |answer, keys| json!({ "if": is("answer", answer), "then": none(keys) });
    let mut rules = vec![
        rule("yes_no", &["choices", "min", "max", "schema", "max_tokens", "max_time"]),
        rule("choice", &["min", "max", "schema", "max_tokens", "max_time", "negation"]),
        rule("number", &["choices", "schema", "max_tokens", "max_time", "negation", "examples"]),
        rule("text", &["choices", "min", "max", "schema", "max_time", "also", "negation", "examples"]),
        rule("json", &["choices", "min", "max", "also", "negation", "examples"]),
    ];
    for closed in &mut rules[..3] {
        closed["then"]["properties"]["on"] = json!({ "additionalProperties": none(&["max_tokens", "max_time"]) });
    }
    rules[3]["then"]["properties"]["on"] = json!({ "additionalProperties": none(&["max_time"]) });
    rules.push(json!({ "if": { "required": ["examples"] }, "then": none(&["also", "negation"]) }));
    Value::Array(rules)
}

// Texts ---------------------------------------------------------------------------------------------------------------

/// A text that fits a regular expression, or one with `${NAME}` in it: then nobody knows yet what it will be.
fn like(pattern: &str) -> Schema {
    schema!({ "type": "string", "pattern": or_template(pattern) })
}

fn or_template(pattern: &str) -> String {
    format!("{pattern}|{}", template::PATTERN)
}

/// A text of one of these forms, or with `${NAME}` in it.
fn any_of(mut forms: Vec<Value>) -> Schema {
    forms.push(json!({ "pattern": template::PATTERN }));
    schema!({ "type": "string", "anyOf": forms })
}

fn texts(form: Value) -> Schema {
    any_of(vec![form])
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Schema {
    texts(json!({ "enum": words.into_iter().collect::<Vec<_>>() }))
}

pub(super) fn filled(_: &mut SchemaGenerator) -> Schema {
    schema!({ "type": "string", "minLength": 1 })
}

pub(super) fn level(_: &mut SchemaGenerator) -> Schema {
    words(Level::ALL.iter().map(|level| level.as_str()))
}

pub(super) fn format(_: &mut SchemaGenerator) -> Schema {
    words(Format::ALL.iter().map(|format| format.as_str()))
}

pub(super) fn publish(_: &mut SchemaGenerator) -> Schema {
    words(["on_change", "always"])
}

pub(super) fn answer(_: &mut SchemaGenerator) -> Schema {
    words(["yes_no", "choice", "number", "text", "json"])
}

pub(super) fn device(_: &mut SchemaGenerator) -> Schema {
    any_of(vec![json!({ "enum": ["auto", "cpu", "cuda"] }), json!({ "pattern": r"^cuda:\+?[0-9]+$" })])
}

/// The names of built-in pipelines are for completion: a folder may hold others.
pub(super) fn pipeline(_: &mut SchemaGenerator) -> Schema {
    any_of(vec![json!({ "enum": BUILT_IN_PIPELINES.map(|(name, _)| name) }), json!({ "minLength": 1 })])
}

pub(super) fn broker(_: &mut SchemaGenerator) -> Schema {
    let url = json!({ "pattern": r"^\s*[Mm][Qq][Tt][Tt][Ss]?://[^/?#]+/?\s*$" });
    any_of(vec![json!({ "const": "embedded" }), url])
}

/// The beginning of topics.
pub(super) fn prefix(_: &mut SchemaGenerator) -> Schema {
    texts(json!({ "maxLength": 64, "pattern": "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$" }))
}

pub(super) fn client_id(_: &mut SchemaGenerator) -> Schema {
    like("^[!-~]{1,64}$")
}

pub(super) fn response_topics(_: &mut SchemaGenerator) -> Schema {
    let filter = like(r"^[^$+#/][^+#/]*(/(\+|[^+#/]+))*(/#)?$");
    schema!({ "type": "array", "items": filter })
}

pub(super) fn url(_: &mut SchemaGenerator) -> Schema {
    like(URL)
}

/// The short form of a camera: the schema of its table holds for a text, too.
pub(super) fn short_camera() -> String {
    or_template(URL)
}

pub(super) fn time_of_day(_: &mut SchemaGenerator) -> Schema {
    like(r"^\s*(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)\s*$")
}

/// Days are read in letters of any size; those that are completed are small.
pub(super) fn days(_: &mut SchemaGenerator) -> Schema {
    let days = DAYS.map(|(day, _)| day);
    let letter = |letter: char| format!("[{}{letter}]", letter.to_ascii_uppercase());
    let any_size = days.map(|day| day.chars().map(letter).collect::<String>()).join("|");
    let day = any_of(vec![json!({ "enum": days }), json!({ "pattern": format!("^({any_size})$") })]);
    schema!({ "type": "array", "items": day, "minItems": 1, "uniqueItems": true })
}

/// A text that may be shown to the model, of this form.
fn for_model(pattern: &str, longest: usize) -> Schema {
    let token = json!({ "pattern": "<[A-Za-z0-9|/_:-]+>" });
    texts(json!({ "maxLength": longest, "pattern": pattern, "not": token }))
}

pub(super) fn question(_: &mut SchemaGenerator) -> Schema {
    for_model(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$", LONGEST_ASK)
}

pub(super) fn wordings(generator: &mut SchemaGenerator) -> Schema {
    let question = question(generator);
    schema!({ "type": "array", "items": question, "maxItems": MOST_WORDINGS - 1, "uniqueItems": true })
}

pub(super) fn choices(_: &mut SchemaGenerator) -> Schema {
    let label = for_model(r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$", LONGEST_LABEL);
    schema!({ "type": "array", "items": label, "minItems": 2, "maxItems": MOST_ANSWERS, "uniqueItems": true })
}

// Names ---------------------------------------------------------------------------------------------------------------

/// What a camera or prompt may be called.
pub(super) fn name() -> Value {
    let pattern = format!("^[a-z0-9_-]{{1,{}}}$", name::MAX_LENGTH);
    json!({ "pattern": pattern, "not": { "enum": name::RESERVED } })
}

pub(super) fn camera_names(_: &mut SchemaGenerator) -> Schema {
    schema!({ "type": "array", "items": texts(name()), "minItems": 1, "uniqueItems": true })
}

pub(super) fn groups(generator: &mut SchemaGenerator) -> Schema {
    let members = camera_names(generator);
    schema!({ "type": "object", "propertyNames": name(), "additionalProperties": members })
}

/// The tables of [`there`].
pub(super) fn on(_: &mut SchemaGenerator) -> Schema {
    let there = json!({ "$ref": "#/$defs/PromptThere" });
    schema!({ "type": "object", "propertyNames": name(), "additionalProperties": there })
}

// Values of several forms ---------------------------------------------------------------------------------------------

/// A value's form, written where it is used.
macro_rules! form {
    ($type:ident, $form:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $form
            }
        }
    };
}

form!(Span, like(&format!(r"^\s*{}\s*$", duration::PATTERN)));
form!(
    Limit,
    any_of(vec![json!({ "const": "off" }), json!({ "pattern": format!(r"^\s*(off|{})\s*$", duration::PATTERN) })])
);
form!(Word, schema!({ "type": ["string", "integer"] }));
form!(SchemaText, schema!({ "type": ["object", "string"], "minLength": 1 }));
