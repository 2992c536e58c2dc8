//! Loading configurations of test data.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use wader::config::{Found, Loaded, Report, Sources, json_schema, load};

/// A configuration that consists of this text alone; what is right is of the schema, too.
pub(crate) fn load_text(text: &str) -> Result<Loaded, Report> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("wader.toml");
    std::fs::write(&file, text).expect("a file in it");
    let loaded = load(&Sources::of_file(file), &no_values)?;
    assert_of_schema(text, false);
    Ok(loaded)
}

/// Where, and how, TOML is not as `wader schema config` says of a file that stands alone, or of a partial one.
pub(crate) fn against_schema(text: &str, partial: bool) -> Vec<(String, String)> {
    static SCHEMAS: LazyLock<[jsonschema::Validator; 2]> = LazyLock::new(|| {
        [false, true].map(|partial| jsonschema::validator_for(&json_schema(partial)).expect("a JSON Schema"))
    });
    let file: serde_json::Value = toml::from_str(text).expect("TOML");
    let errors = SCHEMAS[usize::from(partial)].iter_errors(&file);
    errors.map(|error| (error.instance_path().to_string(), error.to_string())).collect()
}

/// Fails where TOML is not as `wader schema config` says.
pub(crate) fn assert_of_schema(text: &str, partial: bool) {
    let errors = against_schema(text, partial);
    assert!(errors.is_empty(), "the schema refuses what wader accepts: {errors:?}\n{text}");
}

/// The sample without its comments: `#key` lines state defaults, `#e.g. ` lines are examples.
pub(crate) fn uncomment(sample: &str, examples: bool) -> String {
    let lines = sample.lines().map(|line| match (line.strip_prefix("#e.g. "), line.strip_prefix('#')) {
        (Some(example), _) if examples => example,
        (None, Some(setting)) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Knows no value for any `${NAME}`.
pub(crate) fn no_values(_: &str) -> Found {
    Ok(None)
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders below one of the repository's, by name.
pub(crate) fn folders(below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(below)).expect("a folder of the repository");
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}
