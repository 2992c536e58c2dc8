//! The rules of the house that no compiler knows: heads, sizes, dead paths. Who may name whom is in `layers.rs`.
//!
//! Each rule is a function from texts to complaints, shown to find a planted violation, and then asked about the tree.

use crate::support::tree::{self, Complaints, Source, none, repository, tracked};

/// No file is longer: then it has two duties.
const LONGEST_FILE: usize = 600;
/// No tracked file is larger: models are the largest.
const LARGEST_BLOB: u64 = 16 << 20;

// Heads --------------------------------------------------------------------------------------------------------------

fn headless(sources: &[Source]) -> Complaints {
    let without = sources.iter().filter(|source| !source.text.starts_with("//! "));
    without.map(|source| format!("{}: begins without a `//!` head that says its duty", source.path)).collect()
}

#[test]
fn each_source_file_says_its_duty() {
    assert_eq!(headless(&[Source::new("src/a.rs", "use b;"), Source::new("src/b.rs", "//! Duty.\n")]).len(), 1);
    none(&headless(&tracked(&["src", "tests", "benches", "fuzz"], "rs")));
}

// Sizes --------------------------------------------------------------------------------------------------------------

fn too_long(sources: &[Source]) -> Complaints {
    let long = sources.iter().map(|source| (source, source.text.lines().count())).filter(|(_, n)| *n > LONGEST_FILE);
    long.map(|(source, n)| format!("{}: {n} lines, more than {LONGEST_FILE}: what is its second duty?", source.path))
        .collect()
}

#[test]
fn no_source_file_has_grown_a_second_duty() {
    let planted = Source::new("src/a.rs", &"x\n".repeat(LONGEST_FILE + 1));
    assert_eq!(too_long(&[planted]).len(), 1);
    assert_eq!(too_long(&[Source::new("src/a.rs", &"x\n".repeat(LONGEST_FILE))]), Complaints::new());
    let mut sources = tracked(&["src", "tests", "benches", "fuzz"], "rs");
    sources.extend(tracked(&["models"], "py"));
    assert!(sources.len() > 20, "only {} source files were found", sources.len());
    none(&too_long(&sources));
}

fn too_large(files: &[(String, u64)]) -> Complaints {
    let large = files.iter().filter(|(_, bytes)| *bytes > LARGEST_BLOB);
    large
        .map(|(path, bytes)| format!("{path}: {bytes} bytes, more than {LARGEST_BLOB}; keep it out of the repository"))
        .collect()
}

#[test]
fn no_tracked_file_is_huge() {
    assert_eq!(too_large(&[("models/a.onnx".to_owned(), LARGEST_BLOB + 1), ("x".to_owned(), 1)]).len(), 1);
    none(&too_large(&tree::sizes()));
}

// Words that belong to one machine -----------------------------------------------------------------------------------

/// Places of the machine on which something was written, and hosts of package registries: clients know theirs.
fn strange_words() -> [String; 8] {
    // Put together here, so that this file does not find itself.
    let slash = "/";
    [
        format!("{slash}work{slash}"),
        format!("{slash}root{slash}"),
        format!("{slash}tmp{slash}bash"),
        format!("{slash}home{slash}"),
        format!("index.crates{}", ".io"),
        format!("pypi{}", ".org"),
        format!("files.pythonhosted{}", ".org"),
        format!("registry.{}", "npmjs.org"),
    ]
}

fn machine_bound(files: &[Source]) -> Complaints {
    let mut complaints = Complaints::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            // A path that goes on from another word (`target/root/x`) is not from the root of the disk.
            let found = strange_words().into_iter().find(|word| {
                line.match_indices(word.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !word.starts_with('/')
                        || !before
                            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '}' | '_' | '-' | '~' | '*'))
                })
            });
            if let Some(word) = found {
                complaints.push(format!("{}:{}: names `{word}`, which only one machine has", file.path, number + 1));
            }
        }
    }
    complaints
}

#[test]
fn no_tracked_file_knows_the_machine_it_was_written_on() {
    let [work, _, _, _, crates, ..] = strange_words();
    let planted = format!("see {work}notes\nfine\nhttps://{crates}/x\ntarget{work}x");
    assert_eq!(machine_bound(&[Source::new("README.md", &planted)]).len(), 2);
    // Cargo writes the registry's name into its lock file; the models' notices and lock files name where weights are from.
    let files =
        repository().into_iter().filter(|file| !file.path.ends_with(".lock") && !file.path.starts_with("models/"));
    none(&machine_bound(&files.collect::<Vec<_>>()));
}

// Dead paths ---------------------------------------------------------------------------------------------------------

/// Texts in backquotes and link targets that look like paths of this repository.
fn mentioned_paths(document: &str) -> Vec<(usize, String)> {
    let folders =
        ["src", "tests", "benches", "fuzz", "config", "systemd", "pipelines", "models", "docs", ".ci", ".config"];
    let mut paths = Vec::new();
    for (number, line) in document.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for text in quoted.chain(linked) {
            let path = text.split(['#', ' ', ':']).next().unwrap_or_default().trim_end_matches('/');
            let (first, is_deep) = path.split_once('/').map_or((path, false), |(first, _)| (first, true));
            let is_file = !is_deep && path.len() > 3 && (path.ends_with(".md") || path.ends_with(".toml"));
            let is_pattern = path.contains(['*', '{', '<', '$', '…', '(']) || path.contains("NAME");
            if (is_file || (is_deep && folders.contains(&first))) && !is_pattern {
                paths.push((number + 1, path.to_owned()));
            }
        }
    }
    paths
}

/// Paths that a document names and that are neither below the root nor beside the document.
fn dead_paths(documents: &[Source], exists: impl Fn(&str) -> bool) -> Complaints {
    let mut complaints = Complaints::new();
    for document in documents {
        let beside = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, path) in mentioned_paths(&document.text) {
            if !exists(&path) && !exists(&format!("{beside}/{path}")) {
                complaints.push(format!("{}:{line}: `{path}` does not exist", document.path));
            }
        }
    }
    complaints
}

#[test]
fn documents_name_only_files_that_exist() {
    let planted = "See `src/gone.rs`, [there](docs/gone.md#part), `src/here.rs`, `config/*.toml` and `a/b`.";
    let complaints = dead_paths(&[Source::new("README.md", planted)], |path| path == "src/here.rs");
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    let documents: Vec<_> = repository().into_iter().filter(|file| file.path.ends_with(".md")).collect();
    assert!(!documents.is_empty());
    none(&dead_paths(&documents, tree::exists));
}

// The change log -----------------------------------------------------------------------------------------------------

fn change_log(text: &str, version: &str) -> Complaints {
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut complaints = Complaints::new();
    if headings.first().is_none_or(|first| first.trim_matches(['[', ']']) != "Unreleased") {
        complaints.push("CHANGELOG.md: its first section must be `## Unreleased`".to_owned());
    }
    let released = headings.iter().any(|heading| heading.trim_start_matches('[').starts_with(version));
    if headings.len() > 1 && !released {
        complaints.push(format!("CHANGELOG.md: has releases, but no section of the present version {version}"));
    }
    complaints
}

#[test]
fn the_change_log_has_a_place_for_what_comes() {
    assert_eq!(change_log("# Changes\n## 0.1.0\n", "0.1.0").len(), 1);
    assert_eq!(change_log("## Unreleased\n## 0.0.9\n", "0.1.0").len(), 1);
    assert_eq!(change_log("## [Unreleased]\n## [0.1.0] - 2026\n", "0.1.0"), Complaints::new());
    let text = repository().into_iter().find(|file| file.path == "CHANGELOG.md").expect("CHANGELOG.md").text;
    none(&change_log(&text, env!("CARGO_PKG_VERSION")));
}
