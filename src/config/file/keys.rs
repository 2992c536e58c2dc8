//! The keys that the mirror knows, found by asking serde itself; the sample and the schema must show them all.

use std::collections::BTreeSet;

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, value::StrDeserializer},
    forward_to_deserialize_any,
};
use serde_json::Value;

use super::{File, json_schema};

type Error = de::value::Error;

/// Each key with the tables around it; `*` stands for a name that the user chooses.
fn known() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    File::deserialize(Probe { path: String::new(), keys: &mut keys }).unwrap();
    keys
}

/// Gives each struct all of its fields, each map one entry, and notes where values are asked for.
struct Probe<'a> {
    path: String,
    keys: &'a mut BTreeSet<String>,
}

impl<'de> de::Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Entries { around: self.path, names: fields.iter(), now: "", keys: self.keys })
    }

    fn deserialize_map<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entries { around: self.path, names: ["*"].iter(), now: "", keys: self.keys })
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // A value: its type does not matter here.
        self.keys.insert(self.path);
        visitor.visit_none()
    }

    fn deserialize_any<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        panic!("`{}` cannot be left out: each value of the mirror is an option", self.path)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct enum identifier ignored_any
    }
}

struct Entries<'a> {
    around: String,
    names: std::slice::Iter<'a, &'static str>,
    now: &'static str,
    keys: &'a mut BTreeSet<String>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.names.next() else { return Ok(None) };
        self.now = name;
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let dot = if self.around.is_empty() { "" } else { "." };
        seed.deserialize(Probe { path: format!("{}{dot}{}", self.around, self.now), keys: self.keys })
    }
}

/// The keys of a file, names that the user chose as `*`.
fn written(table: &toml::Table, around: &str, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        let key = if matches!(around, "cameras" | "groups" | "prompts" | "prompts.*.on") { "*" } else { key };
        let path = if around.is_empty() { key.to_owned() } else { format!("{around}.{key}") };
        match value {
            // A schema is one value, whatever it holds.
            toml::Value::Table(inner) if path != "prompts.*.schema" => written(inner, &path, keys),
            _ if path == "cameras.*" => _ = keys.insert("cameras.*.url".to_owned()),
            _ => _ = keys.insert(path),
        }
    }
}

#[test]
fn the_sample_shows_every_key_and_no_other() {
    let sample = include_str!("../../../config/wader.toml");
    let uncommented = sample.lines().map(|line| line.strip_prefix("#e.g. ").unwrap_or(line));
    let uncommented = uncommented.map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
        _ => line,
    });
    let text = uncommented.collect::<Vec<_>>().join("\n");
    let mut shown = BTreeSet::new();
    written(&toml::from_str(&text).unwrap(), "", &mut shown);
    let known = known();
    assert!(known.contains("prompts.*.window.span"), "{known:?}");
    let missing: Vec<_> = known.difference(&shown).collect();
    let stale: Vec<_> = shown.difference(&known).collect();
    assert!(missing.is_empty() && stale.is_empty(), "missing in config/wader.toml: {missing:?}; unknown: {stale:?}");
}

/// The keys of the schema: those of a table and of the tables in it, names that the user chooses as `*`.
fn described(part: &Value, schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    let reference = part["$ref"].as_str().map(|table| table.trim_start_matches('#'));
    let table = reference.map_or(part, |table| schema.pointer(table).unwrap());
    let properties = table["properties"].as_object();
    let named = table["additionalProperties"].as_object().map(|_| ("*", &table["additionalProperties"]));
    let inside = properties.into_iter().flatten().map(|(key, part)| (key.as_str(), part)).chain(named);
    let is_value = inside.clone().count() == 0;
    if is_value {
        keys.insert(path.to_owned());
    }
    for (key, part) in inside {
        let dot = if path.is_empty() { "" } else { "." };
        described(part, schema, &format!("{path}{dot}{key}"), keys);
    }
}

#[test]
fn the_schema_has_every_key_and_no_other() {
    for partial in [false, true] {
        let schema = json_schema(partial);
        let mut shown = BTreeSet::new();
        described(&schema, &schema, "", &mut shown);
        let known = known();
        let missing: Vec<_> = known.difference(&shown).collect();
        let stale: Vec<_> = shown.difference(&known).collect();
        assert!(missing.is_empty() && stale.is_empty(), "missing in the schema: {missing:?}; unknown: {stale:?}");
    }
}
