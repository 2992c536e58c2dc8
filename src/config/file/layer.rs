//! One file, or the environment, as a tree of values that knows where each was written.
//!
//! Reports what cannot be read: syntax, and `${…}` that cannot be filled.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::super::{
    problem::{Place, Problem},
    secret::{HIDDEN, Secret, names_its_secret, redact},
    template,
};

/// Finds the value of a name in `${…}`.
pub(in crate::config) type Lookup<'a> = &'a dyn Fn(&str) -> template::Found;

/// The names of the tables around a key, then the key; an item of a list goes by its number.
pub(super) type KeyPath = Vec<String>;

/// How each variable of the environment that speaks of the configuration begins.
const VARIABLE_PREFIX: &str = "WADER__";

/// The longest part of a value that a report shows.
const SHOWN: usize = 72;

/// Where a key and its value were written, and how.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) key: Place,
    pub(super) value: Place,
    /// The value as written, secrets hidden; `None` for a table.
    pub(super) written: Option<String>,
    /// The text came out of `${…}` or the environment, so it may stand for a number or a truth value.
    pub(super) untyped: bool,
    /// What `${…}` put into it.
    pub(super) filled: Vec<Secret>,
}

/// The values of one file or of the environment.
#[derive(Debug, Default)]
pub(in crate::config) struct Layer {
    pub(super) values: Table,
    pub(super) spots: BTreeMap<KeyPath, Spot>,
    /// Keys whose value was wrong and has been taken out.
    pub(super) broken: BTreeSet<KeyPath>,
    /// The syntax was wrong somewhere, so that something may be missing which was written.
    pub(super) torn: bool,
}

impl Layer {
    /// Reads the text of a file.
    pub(in crate::config) fn file(
        path: &Arc<PathBuf>,
        text: &str,
        lookup: Lookup<'_>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader { path, text, lookup, problems, layer: Self::default(), torn_lines: BTreeSet::new() };
        for error in errors {
            reader.syntax_error(&error);
        }
        let values = reader.table(document.into_inner(), &mut Vec::new());
        let mut layer = reader.layer;
        layer.values = values;
        layer.finish()
    }

    /// Reads the variables `WADER__TABLE__KEY`; values that begin with `[` or `{` are TOML, all others are text.
    pub(in crate::config) fn environment(
        variables: impl IntoIterator<Item = (String, String)>,
        lookup: Lookup<'_>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut layer = Self::default();
        let mine = variables.into_iter().filter_map(|(variable, value)| {
            let path: KeyPath =
                variable.strip_prefix(VARIABLE_PREFIX)?.to_lowercase().split("__").map(str::to_owned).collect();
            Some((path, variable, value))
        });
        let mine: BTreeSet<_> = mine.collect();
        for (path, variable, value) in mine {
            layer.variable(path, variable, &value, lookup, problems);
        }
        layer.finish()
    }

    fn variable(
        &mut self,
        path: KeyPath,
        variable: String,
        text: &str,
        lookup: Lookup<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let place = Place::Environment(variable);
        let written = Some(show(&path, &spell(text)));
        let (filled_in, filled) = fill(text, lookup);
        let spot = Spot { key: place.clone(), value: place.clone(), written: written.clone(), untyped: true, filled };
        for length in 1..path.len() {
            let around = Spot { written: None, filled: Vec::new(), ..spot.clone() };
            self.spots.entry(path[..length].to_vec()).or_insert(around);
        }
        self.spots.insert(path.clone(), spot);
        let value = filled_in.and_then(|text| {
            if !text.starts_with(['[', '{']) {
                return Ok(Value::String(text));
            }
            let parsed = toml::from_str::<Table>(&format!("value = {text}"));
            parsed
                .ok()
                .and_then(|mut table| table.remove("value"))
                .ok_or_else(|| "is not a list or table as TOML writes them, such as `[\"a\", \"b\"]`".to_owned())
        });
        let set = value.and_then(|value| {
            insert(&mut self.values, &path, value)
                .ok_or_else(|| "another variable sets this table or value too".to_owned())
        });
        if let Err(wrong) = set {
            problems.push(Problem { place, key: spell_path(&path), value: written, wrong, right: None });
            self.broken.insert(path);
        }
    }

    fn finish(mut self) -> Self {
        self.lengthen_cameras();
        self.write_schemas();
        self
    }

    /// Makes each camera that is given by its URL alone a table with a `url`.
    fn lengthen_cameras(&mut self) {
        let Some(Value::Table(cameras)) = self.values.get_mut("cameras") else { return };
        for (name, camera) in cameras.iter_mut().filter(|(_, camera)| camera.is_str()) {
            let short = vec!["cameras".to_owned(), name.clone()];
            let long = vec!["cameras".to_owned(), name.clone(), "url".to_owned()];
            if let Some(spot) = self.spots.get_mut(&short) {
                let written = spot.written.take();
                self.spots.insert(long, Spot { written, ..self.spots[&short].clone() });
            }
            let url = std::mem::replace(camera, Value::Boolean(false));
            *camera = Value::Table(Table::from_iter([("url".to_owned(), url)]));
        }
    }

    /// Makes each `schema` that is a table JSON: it is one value, which another file replaces whole.
    fn write_schemas(&mut self) {
        let Some(Value::Table(prompts)) = self.values.get_mut("prompts") else { return };
        for (name, prompt) in prompts.iter_mut() {
            let Some(schema) = prompt.as_table_mut().and_then(|prompt| prompt.get_mut("schema")) else { continue };
            if !schema.is_table() {
                continue;
            }
            let Ok(json) = serde_json::to_string(schema) else { continue };
            *schema = Value::String(json);
            if let Some(spot) = self.spots.get_mut(["prompts".to_owned(), name.clone(), "schema".to_owned()].as_slice())
            {
                spot.written.get_or_insert_with(|| "{ … }".to_owned());
            }
        }
    }

    /// The names in a table, of those that are tables with this `key` if one is given, each with the place of the name's own key.
    pub(in crate::config) fn defined(&self, table: &str, key: Option<&str>) -> Vec<(String, Place)> {
        let found = self.spots.iter().filter_map(|(path, spot)| match path.as_slice() {
            [first, name] if first == table && key.is_none() => Some((name.clone(), spot.key.clone())),
            [first, name, last] if first == table && Some(last.as_str()) == key => {
                let around = self.spots.get(&path[..2]).unwrap_or(spot);
                Some((name.clone(), around.key.clone()))
            }
            _ => None,
        });
        found.collect()
    }

    /// The spot of a key, or else of the nearest table around it.
    pub(super) fn spot(&self, path: &[String]) -> Option<&Spot> {
        (0..=path.len()).rev().find_map(|length| self.spots.get(&path[..length]))
    }
}

/// Walks one parsed file.
struct Reader<'a> {
    path: &'a Arc<PathBuf>,
    text: &'a str,
    lookup: Lookup<'a>,
    problems: &'a mut Vec<Problem>,
    layer: Layer,
    /// Lines where the parser had to guess; what it made of them is thrown away.
    torn_lines: BTreeSet<usize>,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place::File { path: Arc::clone(self.path), line, column }
    }

    fn syntax_error(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let place = self.place(span.start);
        if let Place::File { line, .. } = place {
            self.torn_lines.insert(line);
        }
        self.layer.torn = true;
        let twice = error.message() == "duplicate key";
        // The text of other errors is not shown: a quote too few, and it is somebody's password.
        let key = self.text.get(span).filter(|_| twice).unwrap_or_default().to_owned();
        let (wrong, right) = if twice {
            ("defined twice in this file".to_owned(), Some("give one of them another name, or delete it".to_owned()))
        } else {
            (format!("not TOML: {}", error.message()), None)
        };
        self.problems.push(Problem { place, key, value: None, wrong, right });
    }

    fn table(&mut self, table: DeTable<'_>, path: &mut KeyPath) -> Table {
        let mut values = Table::new();
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            if let Some(read) = self.value(key.span(), value.span(), value.into_inner(), path) {
                values.insert(key.into_inner().into_owned(), read);
            } else {
                self.layer.broken.insert(path.clone());
            }
            path.pop();
        }
        values
    }

    fn value(&mut self, key: Range<usize>, at: Range<usize>, value: DeValue<'_>, path: &mut KeyPath) -> Option<Value> {
        let (key, place) = (self.place(key.start), self.place(at.start));
        let is_table = matches!(value, DeValue::Table(_));
        let torn = matches!(place, Place::File { line, .. } if self.torn_lines.contains(&line));
        if torn && !is_table {
            return None;
        }
        let text = self.text.get(at).unwrap_or_default();
        let written = (!is_table).then(|| show(path, text));
        let untyped = matches!(&value, DeValue::String(text) if template::is_template(text));
        let mut spot = Spot { key, value: place, written, untyped, filled: Vec::new() };
        self.layer.spots.insert(path.clone(), spot.clone());
        match value {
            DeValue::Table(table) => Some(Value::Table(self.table(table, path))),
            DeValue::Array(items) => {
                let read = items.into_iter().enumerate().map(|(number, item)| {
                    path.push(number.to_string());
                    let read = self.value(item.span(), item.span(), item.into_inner(), path);
                    path.pop();
                    read
                });
                // All items are looked at, so that each mistake is reported.
                read.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
            }
            scalar => match self.scalar(scalar, &mut spot.filled) {
                Ok(value) => {
                    self.layer.spots.insert(path.clone(), spot);
                    Some(value)
                }
                Err(wrong) => {
                    let Spot { value: place, written, .. } = spot;
                    self.problems.push(Problem { place, key: spell_path(path), value: written, wrong, right: None });
                    None
                }
            },
        }
    }

    fn scalar(&self, value: DeValue<'_>, filled: &mut Vec<Secret>) -> Result<Value, String> {
        match value {
            DeValue::String(text) => {
                let (text, values) = fill(&text, self.lookup);
                *filled = values;
                text.map(Value::String)
            }
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map(Value::Integer)
                .map_err(|_| "too large a number".to_owned()),
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) if f64::is_finite(number) => Ok(Value::Float(number)),
                _ => Err("not a number that can be used".to_owned()),
            },
            DeValue::Boolean(truth) => Ok(Value::Boolean(truth)),
            _ => Err("no key takes a date; put it in quotes if it is text".to_owned()),
        }
    }
}

/// A text with each `${…}` replaced, and what came in their places.
fn fill(text: &str, lookup: Lookup<'_>) -> (Result<String, String>, Vec<Secret>) {
    let values = RefCell::new(Vec::new());
    let filled = template::fill(text, &|name| {
        let found = lookup(name)?;
        values.borrow_mut().extend(found.clone().map(Secret::new));
        Ok(found)
    });
    (filled.map_err(|error| error.to_string()), values.into_inner())
}

/// A text as TOML writes it, in quotes.
pub(in crate::config) fn spell(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// A key with the tables around it as a report shows it: `prompts.scene.choices[1]`.
pub(super) fn spell_path<K: AsRef<str>>(path: &[K]) -> String {
    let mut spelt = String::new();
    for (depth, key) in path.iter().map(AsRef::as_ref).enumerate() {
        // Lists stand inside of a camera, a prompt or another named table, never above.
        if depth > 1 && key.bytes().all(|b| b.is_ascii_digit()) {
            spelt.push_str(&format!("[{key}]"));
            continue;
        }
        if depth > 0 {
            spelt.push('.');
        }
        let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        spelt.push_str(&if bare { key.to_owned() } else { spell(key) });
    }
    spelt
}

/// What a report may show of a value: one line, not too long, no secrets.
fn show(path: &[String], written: &str) -> String {
    // below `cameras` stand names, and what is said of one is its URL
    let named = path.len() == 2 && path[0] == "cameras";
    if !named && path.last().is_some_and(|key| is_password(key)) && !names_its_secret(written.trim_matches(['"', '\'']))
    {
        return HIDDEN.to_owned();
    }
    let line = redact(written.lines().next().unwrap_or_default());
    let cut = line.char_indices().nth(SHOWN).map_or(line.len(), |(at, _)| at);
    if cut < line.len() || written.contains('\n') { format!("{} …", &line[..cut]) } else { line }
}

/// Whether a key means a password, also where it is misspelt or another program's.
fn is_password(key: &str) -> bool {
    let key = key.to_lowercase();
    let like = ["pass", "pwd", "secret"].iter().any(|word| key.contains(word)) || key.ends_with("token");
    like || strsim::osa_distance(&key, "password") <= 3
}

/// Puts a value at a path, making the tables around it; `None` when something other than a table is in the way.
fn insert(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    match path {
        [] => None,
        [key] if table.contains_key(key) => None,
        [key] => {
            table.insert(key.clone(), value);
            Some(())
        }
        [key, rest @ ..] => {
            let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            insert(inner.as_table_mut()?, rest, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_shown_only_as_the_name_of_its_secret() {
        let path = ["mqtt".to_owned(), "password".to_owned()];
        for (written, shown) in [
            ("\"hunter2\"", "***"),
            ("\"${MQTT}\"", "\"${MQTT}\""),
            ("\"hunter${MQTT}\"", "***"),
            ("\"${MQTT:-hunter2}\"", "***"),
            ("12345", "***"),
        ] {
            assert_eq!(show(&path, written), shown);
        }
    }

    #[test]
    fn a_misspelt_password_is_one() {
        for key in ["password", "pasword", "Passwort", "passwd", "mqtt_pass", "PWD", "token", "paswrod"] {
            assert_eq!(show(&["mqtt".to_owned(), key.to_owned()], "\"hunter2\""), "***", "{key}");
        }
        assert_eq!(show(&["mqtt".to_owned(), "key".to_owned()], "\"own.key\""), "\"own.key\"");
    }

    #[test]
    fn a_long_value_is_cut_and_a_path_is_spelt_as_toml_would() {
        let long = "x".repeat(100);
        assert_eq!(show(&["ask".to_owned()], &long), format!("{} …", "x".repeat(SHOWN)));
        assert_eq!(show(&["ask".to_owned()], "one\ntwo"), "one …");
        assert_eq!(spell_path(&["prompts", "scene", "choices", "1"]), "prompts.scene.choices[1]");
        assert_eq!(spell_path(&["cameras", "1", "url"]), "cameras.1.url");
        assert_eq!(spell_path(&["cameras", "Front Door"]), "cameras.\"Front Door\"");
    }
}
