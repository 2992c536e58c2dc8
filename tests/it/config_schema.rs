//! `wader schema config`: it refuses nothing that wader accepts, and most of what wader refuses.
//!
//! `load_text` holds every right configuration of the other tests against it, too.

use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use wader::config::{Problem, Report, Sources, json_schema, load};

use crate::support::{
    config::{against_schema, assert_of_schema, folders, load_text, no_values, root, uncomment},
    service::wader,
};

// What it looks like --------------------------------------------------------------------------------------------------

/// Each key of the schema with the names of the tables around it; `*` stands for a name that the user chooses.
fn keys() -> Vec<(Vec<String>, Value)> {
    fn walk(part: &Value, schema: &Value, path: &[String], keys: &mut Vec<(Vec<String>, Value)>) {
        let reference = part["$ref"].as_str().map(|table| table.trim_start_matches('#'));
        let table = reference.map_or(part, |table| schema.pointer(table).unwrap());
        let named = table["additionalProperties"].as_object().map(|_| ("*", &table["additionalProperties"]));
        let keyed = table["properties"].as_object().into_iter().flatten().map(|(key, part)| (key.as_str(), part));
        for (key, part) in keyed.chain(named) {
            let path = [path, &[key.to_owned()]].concat();
            keys.push((path.clone(), part.clone()));
            walk(part, schema, &path, keys);
        }
    }
    let (schema, mut keys) = (json_schema(false), Vec::new());
    walk(&schema, &schema, &[], &mut keys);
    keys
}

#[test]
fn it_is_a_json_schema_that_describes_each_key_in_a_sentence() {
    for partial in [false, true] {
        let schema = json_schema(partial);
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        assert!(!schema.to_string().contains("\"null\""), "TOML has no null");
    }
    let keys = keys();
    assert!(keys.len() > 100, "{}", keys.len());
    for (path, key) in keys.iter().filter(|(path, _)| path.last().is_some_and(|key| key != "*")) {
        let said = key["description"].as_str().unwrap_or_default();
        assert!(said.ends_with('.') && said.matches(". ").count() == 0, "{path:?}: `{said}`");
    }
    let lists = ["Example", "Period"].map(|table| json_schema(false)["$defs"][table]["properties"].clone());
    for (key, form) in lists.iter().flat_map(|keys| keys.as_object().unwrap()) {
        assert!(form["description"].is_string(), "{key}");
    }
}

#[tokio::test]
async fn it_is_printed() {
    for (arguments, partial) in [(&["schema", "config"][..], false), (&["schema", "config", "--partial"], true)] {
        let said = wader(arguments).await;
        assert_eq!(said.code, 0);
        assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap(), json_schema(partial));
    }
}

// What is shipped and documented ---------------------------------------------------------------------------------------

#[test]
fn each_sample_and_each_block_of_the_readme_is_of_it() {
    let files = fs::read_dir(root().join("config")).unwrap().map(|entry| entry.unwrap().path());
    let samples: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    assert!(samples.len() >= 2, "{samples:?}");
    for sample in samples {
        let text = fs::read_to_string(sample).unwrap();
        assert_of_schema(&text, false);
        assert_of_schema(&uncomment(&text, false), false);
        // An authority belongs to TLS, and the sample's broker is another.
        assert_of_schema(&uncomment(&text, true).replace("mqtt://localhost:1883", "mqtts://broker.lan"), false);
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(blocks.len() >= 5, "{blocks:?}");
    for block in blocks {
        // Some show a part of a file.
        assert_of_schema(block, !block.contains("[cameras"));
    }
}

// Whether both say the same --------------------------------------------------------------------------------------------

const CAMERA: &str = "[cameras]\ndoor = \"rtsp://10.0.0.5/sub\"\n";
const PROMPT: &str = "[prompts.person]\nask = \"Is there a person?\"\nanswer = \"yes_no\"\n";

#[test]
fn what_is_right_is_right_for_both() {
    let unset = "mqtt.url = \"mqtts://${HOST:-broker.lan}\"\nmqtt.prefix = \"home/${SITE:-lake}\"\n\
        model.device = \"${DEVICE:-cpu}\"\nmodel.threads = \"${THREADS:-3}\"\nlog.level = \"${LEVEL:-debug}\"\n\
        history.enabled = \"${HISTORY:-false}\"\nhistory.max_age = \"${DAYS:-30}0h\"\n\
        defaults.camera.frames_per_second = \"${RATE:-0.5}\"\ndefaults.camera.silence = \"${SILENCE:-1m}\"\n\
        defaults.prompt.hold = \"${HOLD:-2}\"\ndefaults.prompt.every = \"${EVERY:-5s}\"\n\
        defaults.prompt.publish = \"${PUBLISH:-always}\"\ndefaults.prompt.escalate.after = \"${AFTER:-off}\"\n\
        [cameras]\ndoor = \"${URL:-rtsp://10.0.0.5/sub}\"\n[prompts.light]\nask = \"${ASK:-How is the light?}\"\n\
        answer = \"${KIND:-choice}\"\nchoices = [\"${ONE:-bright}\", \"dark\"]\ncameras = [\"${CAMERA:-door}\"]\n\
        active = [{ days = [\"${DAY:-mon}\"], from = \"${FROM:-22:00}\" }]\n";
    let right = [
        CAMERA.to_owned(),
        unset.to_owned(),
        format!("{CAMERA}yard = {{ url = \"file:///srv/yard.mp4\", frames_per_second = 1, frozen_after = \"off\" }}\n"),
        format!("{CAMERA}[cameras.yard]\nurl = \" RTSP://10.0.0.6/sub\"\nlatency = \"0.5 s\"\nenabled = false\n"),
        format!("mqtt = {{ url = \"embedded\", listen = \"[::1]:0\" }}\n{CAMERA}"),
        format!(
            "[mqtt]\nurl = \"MQTTS://broker.lan:8884/\"\nuser = \"a\"\npassword = \"b\"\nca = \"/etc/ca.pem\"\n{CAMERA}"
        ),
        format!(
            "[mqtt]\nurl = \"mqtts://broker.lan\"\nca = \"ca.pem\"\ncert = \"own.pem\"\nkey = \"own.key\"\n{CAMERA}"
        ),
        format!("mqtt.response_topics = [\"tools/+/answers\", \"a/#\", \"b\"]\nmodel.device = \"cuda:1\"\n{CAMERA}"),
        format!(
            "{CAMERA}{PROMPT}active = [{{ days = [\"Sun\", \"MON\"], to = \"6:30\" }}, {{ to = \"24:00\" }}, {{}}]\n"
        ),
        format!("{CAMERA}{PROMPT}window.frames = 1\nescalate = {{ after = \"5m\", state = \"no\" }}\n"),
        format!("{CAMERA}{PROMPT}also = [\"Is somebody there?\"]\nnegation = \"Is nobody there?\"\n"),
        format!("{CAMERA}{PROMPT}cameras = [\"door\"]\n[prompts.person.on.door]\nhold = 3\nwindow.span = \"3s\"\n"),
        format!("{CAMERA}[prompts.n]\nask = \"How many?\"\nanswer = \"number\"\nmin = 3\nescalate = {{ state = 4 }}\n"),
        format!("{CAMERA}[prompts.t]\nask = \"What is 2 < 3?\"\nanswer = \"text\"\non.door.max_tokens = 8\n"),
        format!(
            "{CAMERA}[prompts.j]\nask = \"What?\"\nanswer = \"json\"\nmax_time = \"1m\"\nschema = '{{\"type\":\"boolean\"}}'\n"
        ),
        format!(
            "{CAMERA}[prompts.j]\nask = \"What?\"\nanswer = \"json\"\n[prompts.j.schema]\nproperties.a.type = \"boolean\"\n"
        ),
    ];
    for text in right {
        // `load_text` holds it against the schema.
        load_text(&text).unwrap_or_else(|report| panic!("{report}\n{text}"));
    }
}

#[test]
fn what_is_wrong_in_itself_is_wrong_for_both() {
    let choice = "[prompts.light]\nask = \"How is the light?\"\nanswer = \"choice\"\n";
    let wrong = [
        "[mqtt]\n".to_owned(),
        "cameras = {}".to_owned(),
        format!("{CAMERA}[modle]\n"),
        format!("{CAMERA}[mqtt]\nurll = \"embedded\"\n"),
        format!("mqtt.url = \"http://broker.lan\"\n{CAMERA}"),
        format!("mqtt.url = \"mqtt://broker.lan/topic\"\n{CAMERA}"),
        format!("mqtt.user = \"wader\"\n{CAMERA}"),
        format!("mqtt.prefix = \"home/#\"\n{CAMERA}"),
        format!("mqtt.client_id = \"wader 1\"\n{CAMERA}"),
        format!("mqtt.response_topics = [\"#\"]\n{CAMERA}"),
        format!("mqtt = {{ url = \"embedded\", listen = \"localhost\" }}\n{CAMERA}"),
        format!("mqtt = {{ url = \"embedded\", ca = \"/etc/ca.pem\" }}\n{CAMERA}"),
        format!("mqtt = {{ url = \"mqtt://localhost\", ca = \"/etc/ca.pem\" }}\n{CAMERA}"),
        format!("mqtt.ca = \"/etc/ca.pem\"\n{CAMERA}"),
        format!("mqtt = {{ url = \"mqtts://localhost\", ca = \"a.pem\", cert = \"b.pem\" }}\n{CAMERA}"),
        format!("mqtt = {{ url = \"mqtts://localhost\", ca = \"a.pem\", key = \"b.key\" }}\n{CAMERA}"),
        format!("mqtt = {{ url = \"mqtts://localhost\", cert = \"a.pem\", key = \"b.key\" }}\n{CAMERA}"),
        format!("mqtt = {{ url = \"mqtt://localhost\", ca = \"a\", cert = \"b\", key = \"c\" }}\n{CAMERA}"),
        format!("mqtt = {{ url = \"embedded\", cert = \"a.pem\", key = \"b.key\" }}\n{CAMERA}"),
        format!("model.device = \"gpu\"\n{CAMERA}"),
        format!("model.threads = \"three\"\n{CAMERA}"),
        format!("model.threads = \"${{}}\"\n{CAMERA}"),
        format!("model.threads = \"${{1 2:-3}}\"\n{CAMERA}"),
        format!("model.path = \"\"\n{CAMERA}"),
        format!("log.level = \"verbose\"\n{CAMERA}"),
        format!("log.level = 3\n{CAMERA}"),
        format!("history.enabled = \"no\"\n{CAMERA}"),
        format!("defaults.camera.url = \"rtsp://a/1\"\n{CAMERA}"),
        format!("defaults.prompt.every = 2\n{CAMERA}"),
        format!("defaults.prompt.every = \"2 seconds\"\n{CAMERA}"),
        format!("defaults.prompt.ask = \"What?\"\n{CAMERA}"),
        format!("{CAMERA}yard = 5\n"),
        format!("{CAMERA}yard = \"10.0.0.6/sub\"\n"),
        format!("{CAMERA}yard = {{ frames_per_second = 1 }}\n"),
        format!("{CAMERA}yard = {{ url = \"rtsp://a/1\", fps = 1 }}\n"),
        format!("{CAMERA}yard = {{ url = \"rtsp://a/1\", frozen_after = \"never\" }}\n"),
        format!("{CAMERA}\"Front Door\" = \"rtsp://a/1\"\n"),
        format!("{CAMERA}status = \"rtsp://a/1\"\n"),
        format!("{CAMERA}[prompts.p]\nanswer = \"yes_no\"\n"),
        format!("{CAMERA}[prompts.p]\nask = \"Is it?\"\n"),
        format!("{CAMERA}[prompts.p]\nask = \"Is it?\"\nanswer = \"yesno\"\n"),
        format!("{CAMERA}[prompts.p]\nask = \" \"\nanswer = \"yes_no\"\n"),
        format!("{CAMERA}[prompts.p]\nask = \"<image> Is it?\"\nanswer = \"yes_no\"\n"),
        format!("{CAMERA}[prompts.p]\nask = \"Is\\nit?\"\nanswer = \"yes_no\"\n"),
        format!("{CAMERA}[prompts.p]\nask = \"{}\"\nanswer = \"yes_no\"\n", "a ".repeat(501)),
        format!("{CAMERA}[prompts.\"is.there\"]\nask = \"Is it?\"\nanswer = \"yes_no\"\n"),
        format!("{CAMERA}{choice}"),
        format!("{CAMERA}{choice}choices = [\"bright\"]\n"),
        format!("{CAMERA}{choice}choices = [\"bright\", \"bright\"]\n"),
        format!("{CAMERA}{choice}choices = [\"bright\", \" dark\"]\n"),
        format!("{CAMERA}{choice}choices = \"bright\"\n"),
        format!("{CAMERA}[prompts.j]\nask = \"What?\"\nanswer = \"json\"\n"),
        format!("{CAMERA}[prompts.j]\nask = \"What?\"\nanswer = \"json\"\nschema = 5\n"),
        format!("{CAMERA}[prompts.n]\nask = \"How many?\"\nanswer = \"number\"\nmax = 0\n"),
        format!("{CAMERA}{PROMPT}evry = \"2s\"\n"),
        format!("{CAMERA}{PROMPT}hold = -1\n"),
        format!("{CAMERA}{PROMPT}hold = 1.5\n"),
        format!("{CAMERA}{PROMPT}window = 8\n"),
        format!("{CAMERA}{PROMPT}window.fps = 8\n"),
        format!("{CAMERA}{PROMPT}cameras = []\n"),
        format!("{CAMERA}{PROMPT}cameras = [\"door\", \"door\"]\n"),
        format!("{CAMERA}{PROMPT}also = [\"a?\", \"b?\", \"c?\", \"d?\", \"e?\", \"f?\", \"g?\", \"h?\"]\n"),
        format!("{CAMERA}{PROMPT}region = [0.1, 0.2, 0.4]\nexamples = []\n"),
        format!("{CAMERA}{PROMPT}region = [0.1, 0.2, 0.4, 1.5]\nexamples = []\n"),
        format!("{CAMERA}{PROMPT}examples = [{{ path = \"a.png\" }}]\n"),
        format!("{CAMERA}{PROMPT}examples = [\"a.png\"]\n"),
        format!("{CAMERA}{PROMPT}also = [\"Is one?\"]\nexamples = [{{ path = \"a.png\", answer = \"yes\" }}]\n"),
        format!("{CAMERA}{PROMPT}publish = \"onchange\"\n"),
        format!("{CAMERA}{PROMPT}escalate = {{ state = true }}\n"),
        format!("{CAMERA}{PROMPT}escalate = {{ afer = \"5m\" }}\n"),
        format!("{CAMERA}{PROMPT}active = [{{ days = [\"tues\"] }}]\n"),
        format!("{CAMERA}{PROMPT}active = [{{ days = [] }}]\n"),
        format!("{CAMERA}{PROMPT}active = [{{ from = \"25:00\" }}]\n"),
        format!("{CAMERA}{PROMPT}active = [{{ till = \"6:00\" }}]\n"),
        format!("{CAMERA}{PROMPT}on.door.ask = \"What?\"\n"),
        format!("{CAMERA}{PROMPT}on.door.max_tokens = 9\n"),
    ];
    for text in wrong {
        assert!(load_text(&text).is_err(), "wader accepts\n{text}");
        assert!(!against_schema(&text, false).is_empty(), "the schema accepts\n{text}");
    }
}

/// Mistakes that only `wader check` sees: in another file or the environment, in what is no TOML that can be converted, or in
/// what a URL means.
const FAR: [&str; 8] = [
    "camera_passwords",
    "defined_twice_in_one_file",
    "environment",
    "groups_twice",
    "numbers_and_dates",
    "secrets",
    "syntax",
    "two_prompts_with_one_id",
];

#[test]
fn what_it_refuses_in_wrong_files_the_report_tells_too() {
    for case in folders("tests/data/config/bad") {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let report = load(&Sources::of_file(case.join("wader.toml")), &no_values).err();
        let told: Vec<String> = report.iter().flat_map(Report::problems).map(|problem| dotted(&problem.key)).collect();
        let mut files = vec![case.join("wader.toml")];
        files.extend(fs::read_dir(case.join("conf.d")).into_iter().flatten().map(|entry| entry.unwrap().path()));
        let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
        let texts: Vec<String> = texts.filter(|text| toml::from_str::<toml::Table>(text).is_ok()).collect();
        let refused: Vec<_> = texts.iter().flat_map(|text| against_schema(text, files.len() > 1)).collect();
        assert_eq!(refused.is_empty(), FAR.contains(&name.as_str()), "{name}: {refused:?}");
        for (path, wrong) in refused {
            let path = path.trim_start_matches('/').replace('/', ".");
            // Another file replaces this value, so wader never looks at it; an editor sees one file.
            if path == "prompts.person.hold" && name == "several_files" {
                continue;
            }
            let near = |key: &String| key.starts_with(&path) || path.starts_with(key);
            assert!(told.iter().any(near), "{name}: `{path}`: {wrong}, which wader does not tell: {told:?}");
        }
    }
}

/// A key of a report as a path with dots: `prompts.x.also[1]` is `prompts.x.also.1`.
fn dotted(key: &str) -> String {
    key.replace('[', ".").replace([']', '"'], "")
}

proptest! {
    /// A slip of the hand in a file of all keys: where wader accepts it, so does the schema.
    #[test]
    fn whatever_wader_accepts_it_accepts(at in 0.0..1.0, cut in 0_usize..4, typed in "[ -~]{0,3}") {
        let sample = fs::read_to_string(root().join("config/wader.toml")).unwrap();
        let (told, _) = sample.split_once("# Shown, not told").unwrap();
        let text = uncomment(told, true).replace("mqtt://localhost:1883", "mqtts://broker.lan");
        let gone = |line: &&str| !line.starts_with('#') && !line.is_empty() && !line.starts_with("pipelines");
        let mut text = text.lines().filter(gone).collect::<Vec<_>>().join("\n").replace("${MQTT_PASSWORD}", "x");
        let begin = text.floor_char_boundary((at * text.len() as f64) as usize);
        let end = text.floor_char_boundary((begin + cut).min(text.len()));
        text.replace_range(begin..end, &typed);
        // `load_text` holds it against the schema.
        _ = load_text(&text);
    }
}

// Numbers, words and defaults, each asked of wader itself ----------------------------------------------------------------

/// A right configuration in which a key has a meaning; `path` with the names that stand there for `*`.
fn around(path: &[String]) -> (toml::Table, Vec<String>) {
    let key = path.last().unwrap().as_str();
    let listen = if key == "listen" { "mqtt.url = \"embedded\"\n" } else { "" };
    let kind = match key {
        "min" | "max" => "number",
        "max_tokens" => "text",
        "max_time" => "json",
        _ => "yes_no",
    };
    let schema = if kind == "json" { "schema = '{\"type\":\"boolean\"}'\n" } else { "" };
    let text = format!(
        "{listen}{CAMERA}[cameras.yard]\nurl = \"rtsp://a/1\"\n[prompts.p]\nask = \"Is it?\"\nanswer = \"{kind}\"\n{schema}"
    );
    let named = path.iter().enumerate().map(|(depth, name)| match (name.as_str(), path[0].as_str(), depth) {
        ("*", "prompts", 1) => "p".to_owned(),
        ("*", ..) => "yard".to_owned(),
        _ => name.clone(),
    });
    (toml::from_str(&text).unwrap(), named.collect())
}

/// The configuration around a key, with this value of it.
fn with(path: &[String], value: &Value) -> String {
    let (mut file, path) = around(path);
    let (key, tables) = path.split_last().unwrap();
    let mut table = &mut file;
    for name in tables {
        let inner = table.entry(name.clone()).or_insert_with(|| toml::Table::new().into());
        table = inner.as_table_mut().unwrap();
    }
    let value: toml::Value = serde_json::from_value(value.clone()).unwrap();
    table.insert(key.clone(), value);
    toml::to_string(&file).unwrap()
}

/// What wader says of a value of a key.
fn said_of(path: &[String], value: &Value) -> Vec<String> {
    let named = around(path).1.join(".");
    let problems = load_text(&with(path, value)).err().map(|report| report.problems().to_vec()).unwrap_or_default();
    let said = |problem: Problem| format!("{}; {}", problem.wrong, problem.right.unwrap_or_default());
    problems.into_iter().filter(|problem| dotted(&problem.key) == named).map(said).collect()
}

#[test]
fn its_bounds_are_those_of_wader() {
    let mut bounds = 0;
    for (path, key) in keys() {
        for (bound, outwards) in [("minimum", -1.0), ("maximum", 1.0)] {
            let Some(last) = key[bound].as_f64() else { continue };
            let whole = key["type"][0] == "integer";
            let number = |number: f64| if whole { json!(number as i64) } else { json!(number) };
            let step = if whole { 1.0 } else { 0.001 };
            let refused = |value| said_of(&path, &value).iter().any(|said| said.starts_with("must be"));
            assert!(!refused(number(last)), "{path:?}: wader refuses {last}");
            // Of the largest of two numbers wader says otherwise why it is too small.
            let beyond = number(last + outwards * step);
            let name = path.last().unwrap();
            assert!(refused(beyond.clone()) || name == "max", "{path:?}: wader accepts {beyond}");
            bounds += 1;
        }
    }
    assert!(bounds > 30, "only {bounds}");
}

#[test]
fn its_words_are_those_of_wader() {
    let mut lists = 0;
    for (path, key) in keys() {
        let Some(words) = key["anyOf"][0]["enum"].as_array() else { continue };
        for word in words {
            let known = said_of(&path, word).iter().all(|said| !said.contains("one of"));
            assert!(known, "{path:?}: wader does not know {word}");
        }
        let said = said_of(&path, &json!("zzzzzzzz")).join("");
        let named: Vec<&str> = said.split('`').skip(1).step_by(2).map(|word| word.trim_matches('"')).collect();
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let sorted = |mut words: Vec<&str>| {
            words.retain(|word| *word != "cuda:1");
            words.sort_unstable();
            words.join(" ")
        };
        assert_eq!(sorted(named), sorted(words), "{path:?}: {said}");
        lists += 1;
    }
    assert!(lists >= 8, "only {lists}");
}

#[test]
fn its_defaults_are_those_of_wader_and_all_that_the_sample_states() {
    let keys = keys();
    let mut defaults = 0;
    for (path, key) in keys.iter().filter(|(_, key)| !key["default"].is_null()) {
        let without = toml::to_string(&around(path).0).unwrap();
        let with = with(path, &key["default"]);
        let load = |text: &str| load_text(text).unwrap_or_else(|report| panic!("{path:?}: {report}\n{text}")).config;
        assert_eq!(load(&with), load(&without), "{path:?}");
        defaults += 1;
    }
    assert!(defaults > 40, "only {defaults}");
    let sample = fs::read_to_string(root().join("config/wader.toml")).unwrap();
    let mut table = String::new();
    for line in sample.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = name.to_owned();
        }
        let stated = line.strip_prefix('#').filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
        let Some(stated) = stated.filter(|line| !line.starts_with("e.g. ")).and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        let path = format!("{table}.{}", stated.0);
        let is = |own: &[String], key: &Value| {
            let mut names = path.split('.');
            let here = own.iter().all(|own| names.next().is_some_and(|name| own == "*" || own == name));
            // The default of a table is told at the table.
            here && !key["default"].is_null() && own.len() > 1
        };
        assert!(keys.iter().any(|(own, key)| is(own, key)), "{path}: the sample states a default, the schema none");
    }
}

#[test]
fn each_key_belongs_to_the_same_kinds_of_answer() {
    let keys = [
        "choices = [\"a\", \"b\"]",
        "min = 1",
        "max = 5",
        "max_tokens = 9",
        "max_time = \"1s\"",
        "schema = '{\"type\":\"boolean\"}'",
        "also = [\"Is one there?\"]",
        "negation = \"Is none there?\"",
        "on.door.max_tokens = 9",
        "on.door.max_time = \"1s\"",
        "hold = 2",
    ];
    let mut refused = 0;
    for kind in ["yes_no", "choice", "number", "text", "json"] {
        for key in keys {
            let needed = match kind {
                "choice" if !key.starts_with("choices") => keys[0],
                "json" if !key.starts_with("schema") => keys[5],
                _ => "",
            };
            let text = format!("{CAMERA}[prompts.p]\nask = \"Is it?\"\nanswer = \"{kind}\"\n{needed}\n{key}\n");
            let wader = load_text(&text).is_ok();
            let schema = against_schema(&text, false).is_empty();
            assert_eq!(schema, wader, "the schema and wader differ:\n{text}");
            refused += usize::from(!wader);
        }
    }
    assert!(refused > 20, "only {refused}");
}
