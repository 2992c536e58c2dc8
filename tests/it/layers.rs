//! Who may name whom: modules of this crate, and foreign libraries.

use std::collections::BTreeMap;

use crate::support::tree::{Complaints, Source, none, repository, tracked};

/// Each module of `src` and the modules of this crate that it may name.
type Table = BTreeMap<String, Vec<String>>;

/// Reads the table of ARCHITECTURE.md: the first column names a module, the third what it may name.
///
/// `all` stands for every module of the table, `all but` for every other.
fn table(architecture: &str) -> Table {
    let rows = architecture.lines().filter_map(|line| {
        let mut columns = line.strip_prefix("| `")?.split('|');
        let module = columns.next()?.trim().trim_matches('`').to_owned();
        let may_name = columns.nth(1)?.trim().to_owned();
        Some((module, may_name))
    });
    let rows: Vec<(String, String)> = rows.collect();
    let every = || rows.iter().map(|(module, _)| module.clone());
    let allowed = |text: &str| -> Vec<String> {
        let words: Vec<String> = text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        match text.strip_prefix("all") {
            Some(_) => every().filter(|module| !words.contains(module)).collect(),
            None => words,
        }
    };
    rows.iter().map(|(module, text)| (module.clone(), allowed(text))).collect()
}

/// The table as it stands.
fn written_table() -> Table {
    let files = repository();
    let architecture = files.iter().find(|file| file.path == "ARCHITECTURE.md").expect("ARCHITECTURE.md");
    let table = table(&architecture.text);
    assert!(table.len() > 10, "the table of ARCHITECTURE.md was not found: {table:?}");
    table
}

/// Each foreign library and where alone it may be named: files, or folders with a `/` at the end.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("gstreamer", &["camera/pipeline/", "scene/"]),
    ("gstreamer_app", &["camera/pipeline/", "scene/"]),
    ("gstreamer_video", &["camera/pipeline/", "scene/"]),
    ("gstreamer_rtsp_server", &["scene/"]),
    ("tiny_skia", &["scene/"]),
    ("ort", &["model/runtime.rs", "model/runtime/"]),
    ("tokenizers", &["model/tokenizer.rs"]),
    ("llguidance", &["model/constraint.rs"]),
    ("rumqttc", &["mqtt/client/", "mqtt/arrival.rs", "mqtt/listen.rs"]),
    ("mqtt5", &["mqtt/broker.rs"]),
    ("rusqlite", &["store/"]),
    ("config", &["config/file/"]),
    ("toml", &["config/file/"]),
    ("schemars", &["config/file/"]),
    (
        "serde",
        &[
            "config/file/",
            "model/manifest.rs",
            "model/role.rs",
            "model/golden.rs",
            "answer/wire.rs",
            "mqtt/wire.rs",
            "app/memory.rs",
            "store/feedback.rs",
            "cli/demo/truth.rs",
        ],
    ),
    // in the model also what others wrote: ONNX Runtime's profile, the tokenizer's file; and JSON Schemas of users
    (
        "serde_json",
        &[
            "answer/wire.rs",
            "mqtt/wire.rs",
            "mqtt/asyncapi.rs",
            "mqtt/discovery.rs",
            "app/memory.rs",
            "store/feedback.rs",
            "model/constraint.rs",
            "model/manifest.rs",
            "model/golden.rs",
            "model/provider.rs",
            "model/tokenizer.rs",
            "prompt/json/",
            "config/file/",
            "cli/",
        ],
    ),
    ("clap", &["cli/", "cli.rs", "main.rs"]),
    ("clap_complete", &["cli/pages.rs"]),
    ("clap_mangen", &["cli/pages.rs"]),
    ("anyhow", &["cli/", "cli.rs", "main.rs"]),
    ("axum", &["web/"]),
    ("askama", &["web/"]),
    ("sd_notify", &["systemd.rs"]),
    ("tracing_subscriber", &["telemetry/"]),
    ("tracing_journald", &["telemetry/"]),
    ("prometheus_client", &["telemetry/"]),
];

/// Lines of a file that are neither comments nor inside `#[cfg(test)]` modules, with their numbers.
///
/// Texts lose what stands between their quotes: a library's name in a message names nothing.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // By our habit the tests of a file stand at its foot.
        if line.trim_start().starts_with("#[cfg(test)]")
            && text.lines().nth(number + 1).is_some_and(|next| next.starts_with("mod tests"))
        {
            break;
        }
        let line = line.split("//").next().unwrap_or_default();
        let outside: String = line.split('"').step_by(2).collect::<Vec<_>>().join("\"");
        lines.push((number + 1, outside));
    }
    lines
}

/// The module at the top of the crate to which a file belongs; `None` for `lib.rs` and `main.rs`.
fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let top = inside.split('/').next()?.trim_end_matches(".rs");
    (!matches!(top, "lib" | "main")).then_some(top)
}

/// Files that hold nothing but tests.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The crate's top modules that a line names: `crate::a`, and each `b` of `use crate::{a::X, b};`.
fn named_modules(lines: &[(usize, String)]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let joined: Vec<(usize, char)> =
        lines.iter().flat_map(|(number, line)| line.chars().chain(['\n']).map(move |c| (*number, c))).collect();
    let text: String = joined.iter().map(|(_, c)| c).collect();
    let chars: Vec<(usize, usize)> = text.char_indices().zip(&joined).map(|((at, _), (line, _))| (at, *line)).collect();
    let line_at = |at: usize| chars.binary_search_by_key(&at, |(at, _)| *at).map_or(0, |index| chars[index].1);
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push((line_at(at), identifier(rest))),
            Some(group) => {
                let (mut depth, mut begins) = (0_i32, true);
                for (offset, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        c if begins && (c.is_alphanumeric() || c == '_') => {
                            begins = false;
                            found.push((line_at(at), identifier(&group[offset..])));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty() && name.starts_with(|c: char| c.is_lowercase()));
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn wrong_layers(sources: &[Source], table: &Table) -> Complaints {
    let mut complaints = Complaints::new();
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        let Some(module) = module(&source.path) else { continue };
        let Some(allowed) = table.get(module) else {
            complaints.push(format!("{}: `{module}` is not in the table of ARCHITECTURE.md", source.path));
            continue;
        };
        for (line, named) in named_modules(&code(&source.text)) {
            if named != module && !allowed.contains(&named) {
                complaints.push(format!("{}:{line}: `{module}` may not name `{named}`", source.path));
            }
        }
    }
    complaints
}

#[test]
fn stages_name_only_what_lies_below_them() {
    let planted = [
        Source::new(
            "src/camera/a.rs",
            "//! crate::config in a comment\nuse crate::{\n    frame::{Frame, Size},\n    config,\n};",
        ),
        Source::new("src/model/b.rs", "fn f() { crate::prompt::ask() }\nlet x = \"crate::app\";"),
        Source::new("src/name.rs", "#[cfg(test)]\nmod tests {\n    use crate::app;\n}"),
        Source::new("src/window/tests.rs", "use crate::app;"),
        Source::new("src/app/run.rs", "use crate::{camera, cli};"),
        Source::new("src/cli/run.rs", "use crate::app;"),
        Source::new("src/strange.rs", ""),
    ];
    let table = table(
        "| module | duty | may name |\n|---|---|---|\n| `name` | x | |\n| `frame` | x | | y |\n| `camera` | x | `frame` | |\n\
        | `model` | x | `frame` | ort in `runtime.rs` |\n| `window` | x | `frame` | |\n| `app` | x | all but `cli` | |\n| `cli` | x | all |",
    );
    let complaints = wrong_layers(&planted, &table);
    assert_eq!(
        complaints,
        [
            "src/camera/a.rs:2: `camera` may not name `config`",
            "src/model/b.rs:1: `model` may not name `prompt`",
            "src/app/run.rs:1: `app` may not name `cli`",
            "src/strange.rs: `strange` is not in the table of ARCHITECTURE.md",
        ]
    );
    none(&wrong_layers(&tracked(&["src"], "rs"), &written_table()));
}

/// Whether a line names a library: as a path's beginning, in `use`, or in an attribute; not as part of another word.
fn names(line: &str, library: &str) -> bool {
    line.match_indices(library).any(|(at, _)| {
        let before = &line[..at];
        let last = before.chars().next_back();
        if last.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
            return false;
        }
        let after = &line[at + library.len()..];
        let is_path = after.starts_with("::");
        // `crate::config::X` and `super::config::X` are ours; `::config::X` is not.
        let is_ours = before.strip_suffix("::").is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric()));
        let words: Vec<&str> = before.split_whitespace().collect();
        let is_use = words == ["use"] || words == ["pub", "use"];
        let ends_use = after.starts_with(';') || after.starts_with(" as ") || is_path;
        (is_path && !is_ours) || (is_use && ends_use)
    })
}

fn strayed_libraries(sources: &[Source]) -> Complaints {
    let mut complaints = Complaints::new();
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        let Some(inside) = source.path.strip_prefix("src/") else { continue };
        let lines = code(&source.text);
        // After `use crate::{…, config}` that word is ours.
        let own: Vec<String> = named_modules(&lines).into_iter().map(|(_, name)| name).collect();
        for (library, homes) in LIBRARIES {
            let at_home =
                homes.iter().any(|home| if home.ends_with('/') { inside.starts_with(home) } else { inside == *home });
            if at_home || own.iter().any(|name| name == library) {
                continue;
            }
            for (line, _) in lines.iter().filter(|(_, line)| names(line, library)) {
                let home = homes.join(", ");
                complaints.push(format!("{}:{line}: `{library}` may be named only in {home}", source.path));
            }
        }
    }
    complaints
}

#[test]
fn each_foreign_library_is_named_only_in_its_file() {
    let planted = [
        Source::new("src/engine/a.rs", "use ort::Session;\nfn f() { effort::x(); sort::y(); }"),
        Source::new("src/model/runtime.rs", "use ort::Session;"),
        Source::new("src/app/a.rs", "use crate::config::{self, Config};\nfn f() { config::load(); }"),
        Source::new("src/app/b.rs", "let x: Result<(), ::toml::Error>;\nlet y = file.toml;"),
        Source::new("src/mqtt/a.rs", "#[derive(serde::Serialize)]"),
        Source::new("src/camera/mod.rs", "use gstreamer as gst;"),
    ];
    let complaints = strayed_libraries(&planted);
    let places: Vec<&str> = complaints.iter().filter_map(|complaint| complaint.split(": ").next()).collect();
    assert_eq!(places, ["src/engine/a.rs:1", "src/app/b.rs:1", "src/mqtt/a.rs:1", "src/camera/mod.rs:1"]);
    none(&strayed_libraries(&tracked(&["src"], "rs")));
}

#[test]
fn the_table_speaks_of_modules_that_exist() {
    let sources = tracked(&["src"], "rs");
    let written: Vec<&str> = sources.iter().filter_map(|source| module(&source.path)).collect();
    let table = written_table();
    let missing: Vec<&String> = table.keys().filter(|module| !written.contains(&module.as_str())).collect();
    assert!(missing.is_empty(), "in the table of ARCHITECTURE.md, but not in src: {missing:?}");
    let unused = LIBRARIES.iter().filter(|(library, homes)| {
        let at_home = |source: &&Source| {
            homes.iter().any(|home| source.path.strip_prefix("src/").is_some_and(|p| p.starts_with(home)))
        };
        let named = sources
            .iter()
            .filter(at_home)
            .any(|source| code(&source.text).iter().any(|(_, line)| names(line, library)));
        let announced = ["rusqlite", "axum", "askama", "prometheus_client"];
        !named && !announced.contains(library)
    });
    let unused: Vec<&str> = unused.map(|(library, _)| *library).collect();
    assert!(unused.is_empty(), "in the table of libraries, but named nowhere: {unused:?}");
}
