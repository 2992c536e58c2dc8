//! Makes `tests/faults.md` out of what the tests of the matrix recorded.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use serde_json::Value;

use crate::support::{config::root, faults};

const COLUMNS: [(&str, &str); 11] = [
    ("row", "#"),
    ("fault", "fault"),
    ("target", "target"),
    ("detection", "detection"),
    ("recovery", "recovery"),
    ("lost", "lost"),
    ("duplicated", "duplicated"),
    ("dropped_on_purpose", "dropped on purpose"),
    ("effect_on_healthy_cameras", "effect on healthy cameras"),
    ("met", "met"),
    ("how_to_run", "how to run"),
];

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::Bool(met) => if *met { "yes" } else { "**no**" }.to_owned(),
        Value::String(text) => text.replace('|', "\\|").replace('\n', " "),
        other => other.to_string(),
    };
    if text.is_empty() { "–".to_owned() } else { text }
}

/// The table, its rows by number.
fn render(rows: &[Value]) -> String {
    let rows: BTreeMap<u64, &Value> = rows.iter().map(|row| (row["row"].as_u64().unwrap_or(0), row)).collect();
    let met = rows.values().filter(|row| row["met"] == true).count();
    let mut table = format!(
        "# Faults, and what they cost\n\nWritten by `./x faults` from what the tests measured; not by hand. {met} of {} \
         rows meet their target.\n\n",
        rows.len()
    );
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let heads = line(COLUMNS.iter().map(|(_, head)| (*head).to_owned()).collect());
    writeln!(table, "{heads}\n|{}", "---|".repeat(COLUMNS.len())).unwrap();
    for row in rows.values() {
        let cells = COLUMNS.iter().map(|(key, _)| match *key {
            "how_to_run" => format!("`{}`", cell(&row[*key])),
            key => cell(&row[key]),
        });
        writeln!(table, "{}", line(cells.collect())).unwrap();
    }
    table
}

#[test]
fn rows_stand_in_their_order_and_what_does_not_apply_is_a_dash() {
    let row = |number: u32, met: bool| serde_json::json!({ "row": number, "fault": "a | b", "lost": "", "met": met, "how_to_run": "./x" });
    let table = render(&[row(37, false), row(4, true)]);
    let lines: Vec<&str> = table.lines().skip(6).collect();
    assert_eq!(
        lines,
        [
            "| 4 | a \\| b | – | – | – | – | – | – | – | yes | `./x` |",
            "| 37 | a \\| b | – | – | – | – | – | – | – | **no** | `./x` |"
        ]
    );
    assert!(table.contains("1 of 2 rows"));
}

#[test]
#[ignore = "writes tests/faults.md; `./x faults` runs it after all others"]
fn the_matrix_is_written() {
    let files = fs::read_dir(faults::folder()).unwrap().map(|entry| entry.unwrap().path());
    let rows: Vec<Value> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        .collect();
    fs::write(root().join("tests/faults.md"), render(&rows)).unwrap();
}
