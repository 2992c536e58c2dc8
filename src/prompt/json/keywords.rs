//! The keywords of JSON Schema that wader knows, and what they lead to.

use serde_json::{Map, Value};

/// Keywords that say something about the value, and whether their own value is a number of things, not below 0.
pub(super) const TELLING: [(&str, bool); 25] = [
    ("type", false),
    ("enum", false),
    ("const", false),
    ("anyOf", false),
    ("allOf", false),
    ("$ref", false),
    ("properties", false),
    ("required", false),
    ("additionalProperties", false),
    ("patternProperties", false),
    ("minProperties", true),
    ("maxProperties", true),
    ("items", false),
    ("prefixItems", false),
    ("minItems", true),
    ("maxItems", true),
    ("minLength", true),
    ("maxLength", true),
    ("pattern", false),
    ("format", false),
    ("minimum", false),
    ("maximum", false),
    ("exclusiveMinimum", false),
    ("exclusiveMaximum", false),
    ("multipleOf", false),
];

/// Keywords that say nothing about the value, or only name things.
pub(super) const TALKING: [&str; 12] = [
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "readOnly",
    "writeOnly",
];

/// Keywords whose value is one schema, a list of schemas, a table of schemas.
pub(super) const ONE: [&str; 2] = ["items", "additionalProperties"];
const LIST: [&str; 3] = ["anyOf", "allOf", "prefixItems"];
pub(super) const TABLE: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// The schemas right within a schema, each with the keys that lead to it.
pub(super) fn below(schema: &Value) -> Vec<(Vec<String>, &Value)> {
    let mut found = Vec::new();
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let key = keyword.as_str();
        match value {
            one if ONE.contains(&key) => found.push((vec![keyword.clone()], one)),
            Value::Array(list) if LIST.contains(&key) => {
                found.extend(list.iter().enumerate().map(|(n, one)| (vec![keyword.clone(), n.to_string()], one)));
            }
            Value::Object(table) if TABLE.contains(&key) => {
                found.extend(table.iter().map(|(name, one)| (vec![keyword.clone(), name.clone()], one)));
            }
            _ => {}
        }
    }
    found
}

/// The types that a schema names; none where it leaves the type open.
pub(super) fn types_of(keywords: &Map<String, Value>) -> Vec<&str> {
    match keywords.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
