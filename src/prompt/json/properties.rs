//! A schema as questions: for a model that cannot spell JSON, each property of an object is asked by itself.

use std::fmt;

use serde_json::{Map, Value};

use super::{
    Json,
    keywords::{TALKING, types_of},
};
use crate::prompt::{AnswerKind, MOST_ANSWERS};

/// One property of an object, and what is asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// What decides its value.
    pub asked: Asked,
    /// Whether it may be `null`.
    pub nullable: bool,
    /// Whether it may not be left out.
    pub required: bool,
}

/// What decides a property's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asked {
    /// This question, answered in this way; `described` where the schema holds the question, and not a name only.
    Question {
        /// The question.
        ask: String,
        /// Whether it stands in the property's `description`.
        described: bool,
        /// How it is answered: with the type that the schema wants.
        kind: AnswerKind,
    },
    /// Nothing: the schema allows no other value.
    Constant(Json),
}

/// Why a schema cannot be asked property by property.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NotByProperty {
    /// The keys that lead to what cannot.
    pub at: String,
    /// What about it cannot.
    pub why: String,
}

impl fmt::Display for NotByProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.at, self.why)
    }
}

/// The questions of a checked schema.
pub(super) fn properties(schema: &Value) -> Result<Vec<Property>, NotByProperty> {
    let no = |at: &str, why: &str| NotByProperty { at: at.to_owned(), why: why.to_owned() };
    let Some(keywords) = schema.as_object().filter(|keywords| types_of(keywords) == ["object"]) else {
        return Err(no("type", "must be `object`"));
    };
    only(keywords, &["type", "properties", "required", "additionalProperties"], "")?;
    let required: Vec<&str> =
        keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let named = keywords.get("properties").and_then(Value::as_object).into_iter().flatten();
    let all = named.map(|(name, schema)| one(name, schema, required.contains(&name.as_str())));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    if !all.iter().any(|property| matches!(property.asked, Asked::Question { .. })) {
        return Err(no("properties", "hold nothing to ask"));
    }
    Ok(all)
}

/// Refuses keywords that no question can keep.
fn only(keywords: &Map<String, Value>, known: &[&str], around: &str) -> Result<(), NotByProperty> {
    let odd = keywords.keys().find(|key| !known.contains(&key.as_str()) && !TALKING.contains(&key.as_str()));
    odd.map_or(Ok(()), |key| {
        Err(NotByProperty { at: format!("{around}{key}"), why: "cannot be kept by a question".to_owned() })
    })
}

fn one(name: &str, schema: &Value, required: bool) -> Result<Property, NotByProperty> {
    let around = format!("properties.{name}.");
    let no = |key: &str, why: String| NotByProperty { at: format!("{around}{key}"), why };
    let Some(keywords) = schema.as_object() else { return Err(no("type", "is missing".to_owned())) };
    only(keywords, &["type", "enum", "const", "minimum", "maximum"], &around)?;
    let mut types = types_of(keywords);
    let listed: Option<Vec<&Value>> = match (keywords.get("const"), keywords.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    };
    let nullable = match &listed {
        Some(values) => values.iter().any(|value| value.is_null()),
        None => types.contains(&"null"),
    };
    types.retain(|name| *name != "null");
    let property = |asked| Property { name: name.to_owned(), asked, nullable, required };
    let values: Option<Vec<&Value>> =
        listed.map(|values| values.into_iter().filter(|value| !value.is_null()).collect());
    let kind = match (values.as_deref(), types.as_slice()) {
        (Some([]), _) => return Ok(property(Asked::Constant(Json::null()))),
        (Some([value]), _) if !nullable => return Ok(property(Asked::Constant(Json((*value).clone())))),
        (Some(values), _) => {
            let labels: Option<Vec<String>> = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
            let labels = labels.ok_or_else(|| no("enum", "must hold texts only".to_owned()))?;
            if labels.len() < 2 {
                return Err(no("enum", "must hold two texts at least to choose from".to_owned()));
            }
            if labels.len() > MOST_ANSWERS {
                return Err(no("enum", format!("must hold {MOST_ANSWERS} texts at most: each is scored")));
            }
            AnswerKind::Choice(labels)
        }
        (None, ["boolean"]) => AnswerKind::YesNo,
        (None, ["integer"]) => number(keywords).map_err(|(key, why)| no(key, why))?,
        // Where it is cut, the prompt says.
        (None, ["string"]) => AnswerKind::Text { max_tokens: usize::MAX },
        (None, []) => return Err(no("type", "is missing".to_owned())),
        (None, _) => {
            let why = "must be one of `boolean`, `integer`, `string`, with or without `null`, or there is an `enum`";
            return Err(no("type", why.to_owned()));
        }
    };
    if !matches!(kind, AnswerKind::Number { .. })
        && let Some(key) = ["minimum", "maximum"].into_iter().find(|key| keywords.contains_key(*key))
    {
        return Err(no(key, "belongs to `type` `integer`".to_owned()));
    }
    let said = |key| keywords.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let described = said("description");
    let ask = described.or_else(|| said("title")).map_or_else(|| name.replace(['_', '-'], " "), str::to_owned);
    Ok(property(Asked::Question { ask, described: described.is_some(), kind }))
}

fn number(keywords: &Map<String, Value>) -> Result<AnswerKind, (&'static str, String)> {
    let bound = |key: &'static str| match keywords.get(key).map(Value::as_u64) {
        None => Err((key, "is missing: a number is scored, so its range must be known".to_owned())),
        Some(None) => Err((key, "must be a whole number, not below 0".to_owned())),
        Some(Some(number)) => Ok(number),
    };
    let (min, max) = (bound("minimum")?, bound("maximum")?);
    if max.checked_sub(min).is_none_or(|range| range >= MOST_ANSWERS as u64) {
        return Err(("maximum", format!("makes more than {MOST_ANSWERS} answers: each is scored")));
    }
    if min == max {
        return Err(("maximum", "leaves nothing to choose from; write `const`".to_owned()));
    }
    match (u32::try_from(min), u32::try_from(max)) {
        (Ok(min), Ok(max)) => Ok(AnswerKind::Number { min, max }),
        _ => Err(("maximum", "is too large a number to be asked for".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Schema, *};

    fn read(properties: &str) -> Result<Vec<Property>, String> {
        let schema = format!(r#"{{"type": "object", "required": ["x"], "properties": {{"x": {properties}}}}}"#);
        let schema = Schema::read(&schema).unwrap();
        schema.properties().map(<[_]>::to_vec).map_err(ToString::to_string)
    }

    #[test]
    fn each_type_is_its_kind_of_question() {
        for (schema, kind) in [
            (r#"{"type": "boolean"}"#, AnswerKind::YesNo),
            (r#"{"enum": ["a", "b", null]}"#, AnswerKind::Choice(vec!["a".into(), "b".into()])),
            (r#"{"type": "integer", "minimum": 1, "maximum": 4}"#, AnswerKind::Number { min: 1, max: 4 }),
            (r#"{"type": ["string", "null"]}"#, AnswerKind::Text { max_tokens: usize::MAX }),
        ] {
            let [property] = read(schema).unwrap().try_into().unwrap();
            assert_eq!((property.required, property.nullable), (true, schema.contains("null")), "{schema}");
            assert_eq!(property.asked, Asked::Question { ask: "x".into(), described: false, kind }, "{schema}");
        }
    }

    #[test]
    fn the_question_is_the_description_then_the_title_then_the_name() {
        let ask = |schema: &str| match read(schema).unwrap().remove(0).asked {
            Asked::Question { ask, described, .. } => (ask, described),
            Asked::Constant(value) => panic!("{value}"),
        };
        assert_eq!(
            ask(r#"{"type": "boolean", "title": "T", "description": " Is it dark? "}"#),
            ("Is it dark?".into(), true)
        );
        assert_eq!(ask(r#"{"type": "boolean", "title": "T", "description": " "}"#), ("T".into(), false));
    }

    #[test]
    fn what_no_question_can_keep_is_told_by_its_place() {
        for (schema, says) in [
            (r#"{"type": "integer", "minimum": 0}"#, "`properties.x.maximum` is missing"),
            (r#"{"type": "integer", "minimum": -1, "maximum": 3}"#, "`properties.x.minimum` must be a whole number"),
            (r#"{"type": "integer", "minimum": 0, "maximum": 101}"#, "makes more than 101 answers"),
            (r#"{"type": "string", "maxLength": 3}"#, "`properties.x.maxLength` cannot be kept"),
            (r#"{"type": "array"}"#, "`properties.x.type` must be one of"),
            (r#"{"enum": ["a", 1]}"#, "`properties.x.enum` must hold texts only"),
            (r#"{"const": 1}"#, "`properties` hold nothing to ask"),
            ("{}", "`properties.x.type` is missing"),
        ] {
            let refusal = read(schema).unwrap_err();
            assert!(refusal.contains(says), "{schema}: {refusal}");
        }
        let many: Vec<String> = (0..=MOST_ANSWERS).map(|number| format!("\"{number}\"")).collect();
        let refusal = read(&format!(r#"{{"enum": [{}]}}"#, many.join(","))).unwrap_err();
        assert!(refusal.contains("`properties.x.enum` must hold 101 texts at most"), "{refusal}");
    }
}
