//! Answers in JSON: the value itself, the schema it is held to, and the questions that a schema is made of.
//!
//! A model that can spell any text writes JSON under a grammar. One that cannot is asked for each property by itself, and
//! its answers are put together; either way what is published is JSON of the schema.

mod keywords;
mod properties;
mod schema;

use std::fmt;

use serde_json::Value;

pub use properties::{Asked, NotByProperty, Property};
pub use schema::{Schema, SchemaError};

/// A value in JSON; its properties stay in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Json(Value);

impl Json {
    /// Reads JSON; else what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Self).map_err(|error| error.to_string())
    }

    /// `null`.
    pub const fn null() -> Self {
        Self(Value::Null)
    }

    /// An object of these properties.
    pub fn object(properties: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self(Value::Object(properties.into_iter().map(|(name, value)| (name, value.0)).collect()))
    }

    /// The value.
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// What an object has under this name.
    pub fn property(&self, name: &str) -> Option<Self> {
        self.0.get(name).cloned().map(Self)
    }

    /// Compact JSON of at most so many characters: where the whole is longer, its longest properties (of a list, its
    /// longest items) are left out, the longest first, so that what remains is JSON still. A single text is cut.
    pub fn within(&self, characters: usize) -> String {
        let mut left = self.0.clone();
        loop {
            let text = left.to_string();
            if text.chars().count() <= characters {
                return text;
            }
            let length = |value: &Value| value.to_string().chars().count();
            match &mut left {
                Value::Object(properties) if !properties.is_empty() => {
                    let longest = properties.iter().max_by_key(|(name, value)| name.chars().count() + length(value));
                    let longest = longest.map(|(name, _)| name.clone()).unwrap_or_default();
                    properties.shift_remove(&longest);
                }
                Value::Array(items) if !items.is_empty() => {
                    let longest = (0..items.len()).max_by_key(|&place| length(&items[place])).unwrap_or_default();
                    items.remove(longest);
                }
                Value::String(whole) => _ = whole.pop(),
                // A number is never so long.
                _ => return text,
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Self {
        Self(truth.into())
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_loses_its_longest_part_and_stays_json() {
        let check = |text: &str, characters, expected: &str| {
            assert_eq!(Json::read(text).unwrap().within(characters), expected);
        };
        let whole = r#"{"people":2,"scene":"größe größe","dark":false}"#;
        check(whole, whole.chars().count(), whole);
        check(whole, whole.chars().count() - 1, r#"{"people":2,"dark":false}"#);
        check(whole, 15, r#"{"people":2}"#);
        check(whole, 3, "{}");
        check("[1,\"two\",3]", 6, "[1,3]");
        check("\"größe\"", 5, "\"grö\"");
    }

    #[test]
    fn properties_keep_their_order() {
        let text = r#"{"b":1,"a":{"d":null,"c":[true]}}"#;
        assert_eq!(Json::read(text).unwrap().to_string(), text);
        let made = Json::object([("z".to_owned(), Json::from(2)), ("a".to_owned(), Json::null())]);
        assert_eq!(made.to_string(), r#"{"z":2,"a":null}"#);
        assert!(Json::read("{\"a\":").is_err());
    }
}
