//! Layers become one: each is held against the mirror alone, then the config crate lays them over each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_path_to_error::Segment;
use toml::{Value, de::DeValue};

use super::{
    super::{
        problem::{Place, Problem, suggest},
        secret::Secret,
    },
    File,
    layer::{KeyPath, Layer, Spot, spell_path},
};

/// Reports all that does not fit the mirror, and takes it out.
///
/// Serde stops at the first mistake; so what it found is taken out and it is asked again, until it finds none.
fn fit(layer: &mut Layer, problems: &mut Vec<Problem>) {
    let mut lists = Vec::new();
    find_lists(&layer.values, &mut KeyPath::new(), &mut lists);
    for path in lists {
        problems.push(no_table(layer, &path));
        let removed = remove(&mut layer.values, &path);
        layer.broken.insert(removed);
    }
    while let Err(error) = serde_path_to_error::deserialize::<_, File>(Value::Table(layer.values.clone())) {
        let path = key_path(error.path());
        let message = error.inner().message();
        if retype(layer, &path) {
            continue;
        }
        problems.push(misfit(layer, &path, message));
        let removed = remove(&mut layer.values, &path);
        layer.broken.insert(removed);
    }
}

/// Keys whose lists hold tables.
const OF_TABLES: [&str; 2] = ["active", "examples"];

/// Where tables stand; `*` is any name. Serde would take a list for one, its values in the order of the mirror's fields.
const TABLES: [&[&str]; 24] = [
    &["mqtt"],
    &["mqtt", "outbox"],
    &["homeassistant"],
    &["history"],
    &["web"],
    &["model"],
    &["paths"],
    &["log"],
    &["defaults"],
    &["defaults", "camera"],
    &["defaults", "prompt"],
    &["defaults", "prompt", "window"],
    &["defaults", "prompt", "escalate"],
    &["cameras"],
    &["cameras", "*"],
    &["groups"],
    &["prompts"],
    &["prompts", "*"],
    &["prompts", "*", "on"],
    &["prompts", "*", "on", "*"],
    &["prompts", "*", "on", "*", "window"],
    &["prompts", "*", "on", "*", "escalate"],
    &["prompts", "*", "window"],
    &["prompts", "*", "escalate"],
];

/// The paths of lists that stand where tables should.
fn find_lists(table: &toml::Table, above: &mut KeyPath, found: &mut Vec<KeyPath>) {
    for (key, value) in table {
        above.push(key.clone());
        let fits = |pattern: &&[&str]| {
            pattern.len() == above.len() && pattern.iter().zip(&*above).all(|(want, key)| ["*", key].contains(want))
        };
        match value {
            Value::Array(_) if TABLES.iter().any(fits) => found.push(above.clone()),
            Value::Array(items) if OF_TABLES.contains(&key.as_str()) && items.iter().any(Value::is_array) => {
                found.push(above.clone());
            }
            Value::Table(inner) => find_lists(inner, above, found),
            _ => {}
        }
        above.pop();
    }
}

fn no_table(layer: &Layer, path: &[String]) -> Problem {
    let place = layer.spot(path).map_or(Place::Nowhere, |spot| spot.value.clone());
    let key = spell_path(path);
    let (wrong, right) = match path.last().is_some_and(|key| OF_TABLES.contains(&key.as_str())) {
        true => ("must be a list of tables, and holds lists", "write each with braces and its keys by name".to_owned()),
        false => ("must be a table, and is a list", format!("`[{key}]` with single brackets, and its keys by name")),
    };
    Problem { place, key, value: None, wrong: wrong.to_owned(), right: Some(right) }
}

fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    let names = path.iter().map(|segment| match segment {
        Segment::Seq { index } => index.to_string(),
        Segment::Map { key } => key.clone(),
        Segment::Enum { variant } => variant.clone(),
        Segment::Unknown => String::new(),
    });
    names.collect()
}

/// A text out of `${…}` or the environment that does not fit may stand for a number or a truth value.
fn retype(layer: &mut Layer, path: &[String]) -> bool {
    let Some(spot) = layer.spots.get_mut(path).filter(|spot| spot.untyped) else { return false };
    // Once: what it stands for either fits or is wrong.
    spot.untyped = false;
    let Some(value) = find(&mut layer.values, path) else { return false };
    let typed = match value.as_str().map(DeValue::parse) {
        Some(Ok(parsed)) => match parsed.into_inner() {
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix()).ok().map(Value::Integer),
            DeValue::Float(digits) => digits.as_str().parse().ok().filter(|n| f64::is_finite(*n)).map(Value::Float),
            DeValue::Boolean(truth) => Some(Value::Boolean(truth)),
            _ => None,
        },
        _ => None,
    };
    let fits = typed.is_some();
    if let Some(typed) = typed {
        *value = typed;
    }
    fits
}

fn misfit(layer: &Layer, path: &[String], message: &str) -> Problem {
    let spot = layer.spot(path);
    let key = spell_path(path);
    let value = spot.and_then(|spot| spot.written.clone());
    if message.starts_with("unknown field") {
        let place = spot.map_or(Place::Nowhere, |spot| spot.key.clone());
        let known = message.split_once(", expected").map_or("", |(_, known)| known);
        let right = suggest(path.last().map_or("", String::as_str), known.split('`').skip(1).step_by(2));
        return Problem { place, key, value, wrong: "unknown key".to_owned(), right };
    }
    let place = spot.map_or(Place::Nowhere, |spot| spot.value.clone());
    let wanted = message.rsplit_once(", expected ").map_or(message, |(_, wanted)| wanted.lines().next().unwrap_or(""));
    let wanted = match wanted {
        "a string" => "a text in quotes",
        "a boolean" => "`true` or `false`",
        "f64" => "a number",
        "u32" | "u64" | "usize" => "a whole number, not below 0",
        "a sequence" if path.last().is_some_and(|key| key == "active") => {
            "a list, such as `[{ from = \"22:00\", to = \"06:00\" }]`"
        }
        "a sequence" if path.last().is_some_and(|key| key == "examples") => "a list: write double brackets around it",
        "a sequence" => "a list, such as `[\"one\", \"two\"]`",
        "path string" => "a path in quotes",
        "a map" => "a table",
        table if table.starts_with("struct") => "a table",
        other => other,
    };
    Problem { place, key, value, wrong: format!("must be {wanted}"), right: None }
}

fn find<'a>(table: &'a mut toml::Table, path: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get_mut(first)?, |value, key| match value {
        Value::Table(inner) => inner.get_mut(key),
        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Removes what stands at a path, or the list around it, or else the nearest table; says what was removed.
fn remove(table: &mut toml::Table, path: &[String]) -> KeyPath {
    for length in (1..=path.len()).rev() {
        let (key, around) = (&path[length - 1], &path[..length - 1]);
        let removed = match around {
            [] => table.remove(key),
            _ => find(table, around).and_then(Value::as_table_mut).and_then(|inner| inner.remove(key)),
        };
        if removed.is_some() {
            return path[..length].to_vec();
        }
    }
    // Serde found a mistake at a place that does not exist: nothing of this layer can be used.
    table.clear();
    KeyPath::new()
}

/// Where each value of the merged files was written.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct Origins {
    spots: BTreeMap<KeyPath, Spot>,
    broken: BTreeSet<KeyPath>,
    torn: bool,
}

impl Origins {
    /// A problem with the value at a path.
    pub(in crate::config) fn problem(&self, path: &[&str], wrong: String, right: Option<String>) -> Problem {
        let spot = self.spot(path);
        let place = spot.map_or(Place::Nowhere, |spot| spot.value.clone());
        Problem { place, key: spell_path(path), value: spot.and_then(|spot| spot.written.clone()), wrong, right }
    }

    /// A problem with the key itself at a path.
    pub(in crate::config) fn key_problem(&self, path: &[&str], wrong: String, right: Option<String>) -> Problem {
        let place = self.spot(path).map_or(Place::Nowhere, |spot| spot.key.clone());
        Problem { place, key: spell_path(path), value: None, wrong, right }
    }

    /// Where the value at a path was written; `None` for a built-in default.
    pub(in crate::config) fn place(&self, path: &[&str]) -> Option<&Place> {
        self.spots.get(&owned(path)).map(|spot| &spot.value)
    }

    /// What `${…}` put into the value at a path.
    pub(in crate::config) fn filled(&self, path: &[&str]) -> &[Secret] {
        self.spots.get(&owned(path)).map_or(&[], |spot| &spot.filled)
    }

    /// Whether something may have been written at this path that could not be read, and so must not be called missing.
    pub(in crate::config) fn may_be_broken(&self, path: &[&str]) -> bool {
        self.torn || (0..=path.len()).any(|length| self.broken.contains(&owned(&path[..length])))
    }

    /// Whether something below this path was written and could not be read.
    pub(in crate::config) fn broken_below(&self, path: &[&str]) -> bool {
        self.broken.range(owned(path)..).next().is_some_and(|broken| broken.starts_with(&owned(path)))
    }

    /// Some source could not be read at all: nothing may be called missing.
    pub(in crate::config) const fn tear(&mut self) {
        self.torn = true;
    }

    fn spot(&self, path: &[&str]) -> Option<&Spot> {
        (1..=path.len()).rev().find_map(|length| self.spots.get(&owned(&path[..length])))
    }

    fn lay_over(&mut self, layer: Layer) -> toml::Table {
        for (path, spot) in layer.spots {
            if spot.written.is_none() {
                // Layers share a table; the first that opened it is where something missing should stand.
                self.spots.entry(path).or_insert(spot);
                continue;
            }
            // A value replaces another whole: a list of two must not keep the third item's place.
            self.spots.retain(|older, _| !older.starts_with(&path));
            self.spots.insert(path, spot);
        }
        self.broken.extend(layer.broken);
        self.torn |= layer.torn;
        layer.values
    }
}

fn owned(path: &[&str]) -> KeyPath {
    path.iter().map(|&key| key.to_owned()).collect()
}

/// Lays each layer, as far as it fits the mirror, over those before it.
pub(in crate::config) fn merge(layers: Vec<Layer>, problems: &mut Vec<Problem>) -> (File, Origins) {
    let mut origins = Origins::default();
    let mut builder = config::Config::builder();
    for mut layer in layers {
        fit(&mut layer, problems);
        builder = builder.add_source(Values(origins.lay_over(layer)));
    }
    let merged = builder.build().and_then(config::Config::try_deserialize);
    let file = merged.unwrap_or_else(|_| {
        // Each layer fitted the mirror, so this cannot be; the error is not shown, since it quotes values.
        let wrong = "the files do not fit together, though each is right alone".to_owned();
        problems.push(Problem { place: Place::Nowhere, key: String::new(), value: None, wrong, right: None });
        File::default()
    });
    (file, origins)
}

/// One layer as the config crate takes it.
#[derive(Debug, Clone)]
struct Values(toml::Table);

impl config::Source for Values {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        Ok(convert_table(&self.0))
    }
}

fn convert_table(table: &toml::Table) -> config::Map<String, config::Value> {
    table.iter().map(|(key, value)| (key.clone(), convert(value))).collect()
}

fn convert(value: &Value) -> config::Value {
    let kind = match value {
        Value::String(text) => text.clone().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(truth) => (*truth).into(),
        Value::Array(items) => config::ValueKind::Array(items.iter().map(convert).collect()),
        Value::Table(table) => config::ValueKind::Table(convert_table(table)),
        // No key takes one; the mirror has refused it.
        Value::Datetime(date) => date.to_string().into(),
    };
    config::Value::new(None, kind)
}
