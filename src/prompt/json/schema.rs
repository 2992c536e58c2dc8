//! A JSON Schema that answers can be held to: every keyword known, nothing in it impossible.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use super::{
    keywords::{ONE, TABLE, TALKING, TELLING, below, types_of},
    properties::{NotByProperty, Property, properties},
};
use crate::model::Grammar;

/// A checked JSON Schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schema {
    text: String,
    grammar: Grammar,
    properties: Result<Vec<Property>, NotByProperty>,
}

/// What is wrong with a schema, and where. Shown in one line, whatever the schema's names hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// The keys and numbers that lead to it.
    pub at: Vec<String>,
    /// What is wrong there.
    pub wrong: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.at.is_empty() { String::new() } else { format!("at `{}`: ", self.at.join(".")) };
        for character in place.chars().chain(self.wrong.chars()) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for SchemaError {}

impl Schema {
    /// Reads and checks a schema.
    pub fn read(text: &str) -> Result<Self, SchemaError> {
        let whole = |wrong: String| SchemaError { at: Vec::new(), wrong };
        let mut schema: Value = serde_json::from_str(text).map_err(|error| whole(format!("is not JSON ({error})")))?;
        check(&schema, &mut Vec::new())?;
        // Nothing that the schema does not name is ever written, or texts would have no end.
        close(&mut schema);
        let text = schema.to_string();
        let grammar = Grammar::of_json_schema(&text).map_err(|error| {
            // Some of its complaints are drawn over several lines.
            let line = error.split_whitespace().collect::<Vec<_>>().join(" ");
            whole(format!("cannot be kept: {line}"))
        })?;
        Ok(Self { properties: properties(&schema), text, grammar })
    }

    /// The schema as JSON.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a text that is JSON of this schema may be.
    pub const fn grammar(&self) -> &Grammar {
        &self.grammar
    }

    /// What is asked for each property of an object, where all can be asked by themselves; else why not.
    pub fn properties(&self) -> Result<&[Property], &NotByProperty> {
        self.properties.as_deref()
    }
}

fn wrong(at: &[String], keyword: Option<&str>, wrong: impl Into<String>) -> SchemaError {
    SchemaError { at: at.iter().cloned().chain(keyword.map(str::to_owned)).collect(), wrong: wrong.into() }
}

/// Checks a schema and the schemas within it; `at` leads to it.
fn check(schema: &Value, at: &mut Vec<String>) -> Result<(), SchemaError> {
    let Some(keywords) = schema.as_object() else {
        return if schema.is_boolean() && !at.is_empty() { Ok(()) } else { Err(wrong(at, None, "must be an object")) };
    };
    for (keyword, value) in keywords {
        let Some((_, counts)) = TELLING.iter().find(|(known, _)| known == keyword) else {
            if TALKING.contains(&keyword.as_str()) {
                continue;
            }
            return Err(wrong(at, Some(keyword), format!("`{keyword}` is no keyword that wader can keep")));
        };
        if *counts && value.as_u64().is_none() {
            return Err(wrong(at, Some(keyword), format!("`{keyword}` must be a whole number, not below 0")));
        }
    }
    types(keywords, at)?;
    bounds(keywords, at)?;
    listed(keywords, at)?;
    required(keywords, at)?;
    for (keys, inner) in below(schema) {
        let depth = at.len();
        at.extend(keys);
        check(inner, at)?;
        at.truncate(depth);
    }
    Ok(())
}

fn types(keywords: &Map<String, Value>, at: &[String]) -> Result<(), SchemaError> {
    let Some(given) = keywords.get("type") else { return Ok(()) };
    let known = ["object", "array", "string", "integer", "number", "boolean", "null"];
    let named = types_of(keywords);
    let all = given.as_array().map_or(1, Vec::len);
    if named.is_empty() || named.len() != all || named.iter().any(|name| !known.contains(name)) {
        return Err(wrong(
            at,
            Some("type"),
            format!("must be one or several of {}", known.map(|k| format!("`{k}`")).join(", ")),
        ));
    }
    Ok(())
}

/// No smallest above its largest.
fn bounds(keywords: &Map<String, Value>, at: &[String]) -> Result<(), SchemaError> {
    for (least, most) in [
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    ] {
        let number = |key| keywords.get(key).and_then(Value::as_f64);
        if let (Some(low), Some(high)) = (number(least), number(most))
            && low > high
        {
            return Err(wrong(
                at,
                Some(most),
                format!("`{most}` {high} is below `{least}` {low}: nothing can be both"),
            ));
        }
    }
    Ok(())
}

/// Listed values are there, differ, and have a type that the schema names.
fn listed(keywords: &Map<String, Value>, at: &[String]) -> Result<(), SchemaError> {
    let values: &[Value] = match (keywords.get("enum"), keywords.get("const")) {
        (Some(Value::Array(values)), _) if !values.is_empty() => values,
        (Some(_), _) => return Err(wrong(at, Some("enum"), "must be a list of values, one at least")),
        (None, Some(value)) => std::slice::from_ref(value),
        (None, None) => return Ok(()),
    };
    let keyword = if keywords.contains_key("enum") { "enum" } else { "const" };
    let types = types_of(keywords);
    for (number, value) in values.iter().enumerate() {
        if values[..number].contains(value) {
            return Err(wrong(at, Some(keyword), format!("{value} stands here twice")));
        }
        let is = |name: &str| match value {
            Value::Null => name == "null",
            Value::Bool(_) => name == "boolean",
            Value::Number(number) => {
                name == "number" || (name == "integer" && number.as_f64().is_some_and(|n| n.fract() == 0.0))
            }
            Value::String(_) => name == "string",
            Value::Array(_) => name == "array",
            Value::Object(_) => name == "object",
        };
        if !types.is_empty() && !types.iter().any(|name| is(name)) {
            return Err(wrong(at, Some(keyword), format!("{value} is no {}, as `type` wants", types.join(" or "))));
        }
    }
    Ok(())
}

/// What is required can be there.
fn required(keywords: &Map<String, Value>, at: &[String]) -> Result<(), SchemaError> {
    let Some(given) = keywords.get("required") else { return Ok(()) };
    let names: Option<Vec<&str>> = given.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
    let Some(names) = names else { return Err(wrong(at, Some("required"), "must be a list of names")) };
    let of_patterns = keywords.contains_key("patternProperties") || keywords.contains_key("allOf");
    let has = |name: &&str| keywords.get("properties").is_some_and(|properties| properties.get(name).is_some());
    if let Some(name) = names.iter().find(|name| !of_patterns && !has(name)) {
        return Err(wrong(at, Some("required"), format!("`{name}` is none of the `properties`")));
    }
    Ok(())
}

/// Makes each object that names its properties hold no others.
fn close(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    // Where schemas are laid over each other, each would shut out what the others name.
    let alone = !["allOf", "anyOf", "$ref"].iter().any(|key| keywords.contains_key(*key));
    if alone && keywords.contains_key("properties") && !keywords.contains_key("additionalProperties") {
        keywords.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for (key, value) in keywords {
        match value {
            Value::Object(table) if TABLE.contains(&key.as_str()) => table.values_mut().for_each(close),
            Value::Array(list) if key == "anyOf" || key == "prefixItems" => list.iter_mut().for_each(close),
            one if ONE.contains(&key.as_str()) => close(one),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(schema: &str) -> String {
        Schema::read(schema).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_its_keyword() {
        for (schema, says) in [
            ("{\"type\": ", "is not JSON"),
            ("[1]", "must be an object"),
            (r#"{"not": {}}"#, "at `not`: `not` is no keyword that wader can keep"),
            (r#"{"a\nb": {}}"#, r"at `a\nb`: `a\nb` is no keyword"),
            (r#"{"x-guidance": {}}"#, "at `x-guidance`"),
            (r#"{"type": "objekt"}"#, "at `type`: must be one or several of `object`, `array`"),
            (
                r#"{"properties": {"n": {"type": "integer", "minimum": 5, "maximum": 3}}}"#,
                "at `properties.n.maximum`: `maximum` 3 is below `minimum` 5",
            ),
            (r#"{"items": {"enum": []}}"#, "at `items.enum`: must be a list of values"),
            (r#"{"enum": ["a", "a"]}"#, "at `enum`: \"a\" stands here twice"),
            (r#"{"type": "string", "enum": ["a", 1]}"#, "at `enum`: 1 is no string, as `type` wants"),
            (r#"{"type": "string", "const": 1}"#, "at `const`: 1 is no string"),
            (r#"{"type": "object", "required": ["a"]}"#, "at `required`: `a` is none of the `properties`"),
            (r#"{"minLength": -1}"#, "at `minLength`: `minLength` must be a whole number"),
            (r#"{"anyOf": [{"type": "null"}, {"pattern": "(", "type": "string"}]}"#, "cannot be kept"),
            (r##"{"$ref": "#/$defs/gone"}"##, "cannot be kept"),
        ] {
            let refusal = refused(schema);
            assert!(refusal.contains(says), "{schema}: {refusal}");
        }
    }

    #[test]
    fn places_are_told_exactly_after_lists_and_tables_too() {
        let schema = r#"{"properties": {"a": {"anyOf": [{"type": "null"}, {"items": {"type": "string"}}]},
            "b": {"items": {"type": "null"}, "additionalProperties": false}, "c": {"oneOf": []}}}"#;
        assert!(refused(schema).starts_with("at `properties.c.oneOf`"), "{}", refused(schema));
    }

    #[test]
    fn an_object_holds_what_it_names_and_nothing_else() {
        let schema =
            Schema::read(r#"{"properties": {"a": {"properties": {"properties": {}}}}, "type": "object"}"#).unwrap();
        assert_eq!(
            schema.text(),
            r#"{"properties":{"a":{"properties":{"properties":{}},"additionalProperties":false}},"type":"object","additionalProperties":false}"#
        );
        let open = r#"{"type":"object","properties":{},"additionalProperties":{"type":"integer"}}"#;
        assert_eq!(Schema::read(open).unwrap().text(), open);
    }
}
