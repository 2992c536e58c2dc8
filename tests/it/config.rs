//! The configuration: the shipped sample, the layers, secrets, and the report of each kind of mistake.

use std::{fs, path::Path};

use wader::config::{Sources, load};

use crate::support::config::{folders, no_values};

/// Each folder of `bad` holds files with mistakes of one kind, and the whole report about them.
///
/// `UPDATE_GOLDEN=1 cargo test --test it config` writes the reports anew; read the difference before you keep it.
#[test]
fn each_kind_of_mistake_has_its_report() {
    let cases = folders("tests/data/config/bad");
    assert!(cases.len() >= 15, "only {} kinds of mistakes are shown", cases.len());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    for case in &cases {
        let report = report(case);
        let golden = case.join("report.txt");
        if update {
            fs::write(&golden, &report).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if report != expected {
            different.push(format!("== {}\n-- expected\n{expected}-- now\n{report}", case.display()));
        }
        assert!(!report.contains("hunter2"), "{} shows a password:\n{report}", case.display());
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn report(case: &Path) -> String {
    let environment = fs::read_to_string(case.join("environment.txt")).unwrap_or_default();
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let sources = Sources {
        environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..Sources::of_file(case.join("wader.toml"))
    };
    let report = match load(&sources, &no_values) {
        Ok(_) => "no problem\n".to_owned(),
        Err(report) => format!("{report}\n"),
    };
    report.replace(&format!("{}/", case.display()), "")
}
