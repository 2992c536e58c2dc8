//! The configuration: the shipped sample, the layers, secrets, and the report of each kind of mistake.

use std::{fs, path::Path, time::Duration};

use proptest::prelude::*;
use wader::{
    camera::Address,
    config::{BrokerConfig, Device, Loaded, PromptConfig, Report, Sources, load, print},
    name::CameraName,
    prompt::AnswerKind,
};

use crate::support::config::{assert_of_schema, folders, load_text, no_values, root, uncomment};

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

#[test]
fn each_shipped_configuration_is_right_and_makes_no_warning() {
    let files = fs::read_dir(root().join("config")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let loaded = load(&Sources::of_file(&file), &no_values).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(loaded.warnings, [], "{}", file.display());
    }
}

#[test]
fn the_defaults_that_the_sample_states_are_the_defaults() {
    let sample = fs::read_to_string(root().join("config/wader.toml")).unwrap();
    let as_shipped = load_text(&sample).unwrap();
    let all_written = load_text(&uncomment(&sample, false)).unwrap();
    assert_eq!(as_shipped.config, all_written.config);
    assert!(uncomment(&sample, false).lines().count() > 0 && uncomment(&sample, false) != sample);
}

/// What a complaint quotes of the world, such as a path, may hold what was filled in.
#[test]
fn a_value_that_is_filled_in_is_in_no_report() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    let prompt = "ask = \"Is it?\"\nanswer = \"yes_no\"\nexamples = [{ path = \"a/${KEY}.png\", answer = \"yes\" }]\n";
    fs::write(&file, format!("[cameras]\ndoor = \"rtsp://10.0.0.5/sub\"\n[prompts.p]\n{prompt}")).unwrap();
    let report = load(&Sources::of_file(&file), &|_| Ok(Some("hunter2/".to_owned()))).unwrap_err().to_string();
    assert!(report.contains("there is no `") && report.contains("a/***.png"), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
    // in a schema it may be a key, which says where
    let prompt = r#"ask = "What?"
        answer = "json"
        schema = '{"type": "object", "properties": {"a": {"t${KEY}ype": "boolean"}}}'"#;
    fs::write(&file, format!("[cameras]\ndoor = \"rtsp://10.0.0.5/sub\"\n[prompts.p]\n{prompt}")).unwrap();
    let report = load(&Sources::of_file(&file), &|_| Ok(Some("hunter2/".to_owned()))).unwrap_err().to_string();
    assert!(report.contains("t***ype") && !report.contains("hunter2"), "{report}");
    // one that could stand in a URL was percent-encoded
    let prompt = "ask = \"What?\"\nanswer = \"json\"\nschema = \"rtsp://me:${KEY}@10.0.0.5/sub\"\n";
    fs::write(&file, format!("[cameras]\ndoor = \"rtsp://10.0.0.5/sub\"\n[prompts.p]\n{prompt}")).unwrap();
    let report = load(&Sources::of_file(&file), &|_| Ok(Some("p@ss/word".to_owned()))).unwrap_err().to_string();
    assert!(report.contains("rtsp://me:***@10.0.0.5/sub` cannot be read"), "{report}");
}

/// What the configuration takes for a picture; whether it can be decoded shows later.
fn picture(file: &Path) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, if file.extension().unwrap() == "png" { b"\x89PNG\r\n\x1a\n" } else { b"\xff\xd8\xff\xe0JFIF" })
        .unwrap();
}

#[test]
fn the_samples_examples_are_legal() {
    let sample = fs::read_to_string(root().join("config/wader.toml")).unwrap();
    let everything = uncomment(&sample, true)
        .replace("mqtt://localhost:1883", "mqtts://broker.lan")
        .replace("pipelines = \"pipelines\"", "")
        .replace("${MQTT_PASSWORD}", "hunter2");
    let folder = tempfile::tempdir().unwrap();
    picture(&folder.path().join("examples/gate/open-1/00000.png"));
    picture(&folder.path().join("examples/gate/shut-1.jpg"));
    fs::write(folder.path().join("wader.toml"), everything).unwrap();
    let loaded = load(&Sources::of_file(folder.path().join("wader.toml")), &no_values);
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.config.prompts.iter().map(|prompt| prompt.examples.len()).sum::<usize>(), 2);
    let BrokerConfig::Remote { host, port, tls, login } = loaded.config.mqtt.broker else { panic!("not remote") };
    assert_eq!((host.as_str(), port, login.unwrap().password.reveal()), ("broker.lan", 8883, "hunter2"));
    let tls = tls.unwrap();
    assert_eq!(tls.ca.unwrap(), Path::new("/etc/ssl/certs/broker-ca.pem"));
    assert_eq!(tls.client.unwrap().key, Path::new("/etc/wader/mqtt.key"));
    assert_eq!(loaded.config.model.threads.unwrap().get(), 2);
}

#[test]
fn a_file_with_a_camera_only_gets_a_caption() {
    let config = load_text("[cameras]\ndoor = \"rtsp://10.0.0.5/sub\"").unwrap().config;
    let [camera] = config.cameras.as_slice() else { panic!("{:?}", config.cameras) };
    assert_eq!((camera.name.as_str(), camera.pipeline.as_str()), ("door", "rtsp-cpu"));
    assert_eq!((camera.url.as_str(), &camera.login), ("rtsp://10.0.0.5/sub", &None));
    assert_eq!((camera.frames_per_second, camera.silence), (2.0, Duration::from_secs(4)));
    let [caption] = config.prompts.as_slice() else { panic!("{:?}", config.prompts) };
    assert_eq!(caption.prompt.name.as_str(), "caption");
    assert_eq!(caption.prompt.ask, "Describe what happens.");
    assert!(matches!(caption.prompt.kind, AnswerKind::Text { .. }));
    assert_eq!(
        (caption.every, caption.window.frames, caption.window.span),
        (Duration::from_secs(10), 8, Duration::from_secs(7))
    );
    assert_eq!(caption.cameras, std::slice::from_ref(&camera.name));
}

/// A first file, one of `conf.d` and the environment.
struct Layers {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Layers {
    fn new(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary file");
        fs::create_dir(folder.path().join("conf.d")).expect("a temporary file");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a temporary file");
        }
        let environment = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { folder, environment }
    }

    fn load(&self) -> Result<Loaded, Report> {
        let sources = Sources {
            environment: self.environment.clone(),
            ..Sources::of_file(self.folder.path().join("wader.toml"))
        };
        let loaded = load(&sources, &|name| Ok((name == "DOOR").then(|| "p@ss/word".to_owned())))?;
        for file in &loaded.files {
            assert_of_schema(&fs::read_to_string(file).expect("a temporary file"), true);
        }
        Ok(loaded)
    }
}

#[test]
fn later_layers_win_key_by_key() {
    let layers = Layers::new(
        &[
            ("wader.toml", "[cameras]\ndoor = \"rtsp://a/1\"\n[model]\npath = \"m\"\ndevice = \"cpu\"\nthreads = 1"),
            (
                "conf.d/20.toml",
                "[model]\ndevice = \"cuda:1\"\n[prompts.x]\nask = \"Which?\"\nanswer = \"choice\"\nchoices = [\"a\", \"b\", \"c\"]",
            ),
            ("conf.d/10.toml", "[model]\ndevice = \"auto\"\n[cameras.door]\nframes_per_second = 1"),
            ("conf.d/.hidden.toml", "nonsense"),
            ("conf.d/notes.txt", "nonsense"),
        ],
        &[
            ("WADER__MODEL__THREADS", "4"),
            ("WADER__PROMPTS__X__CHOICES", "[\"a\", \"b\"]"),
            ("WADER__PROMPTS__X__ENABLED", "false"),
            ("WADER__CAMERAS__YARD", "rtsp://b/2"),
            ("WADER_UNRELATED", "x"),
        ],
    );
    let loaded = layers.load().unwrap_or_else(|report| panic!("{report}"));
    let config = &loaded.config;
    assert_eq!(loaded.files.len(), 3);
    assert_eq!((config.model.path.to_str(), config.model.device), (Some("m"), Device::Cuda(1)));
    assert_eq!(config.model.threads.unwrap().get(), 4);
    let cameras: Vec<_> =
        config.cameras.iter().map(|c| (c.name.as_str(), c.url.as_str(), c.frames_per_second)).collect();
    assert_eq!(cameras, [("door", "rtsp://a/1", 1.0), ("yard", "rtsp://b/2", 2.0)]);
    let prompt = &config.prompts[0];
    assert_eq!(prompt.prompt.kind, AnswerKind::Choice(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((prompt.enabled, prompt.cameras.len()), (false, 2));
    let place = |key: &[&str]| loaded.place(key).map(ToString::to_string).unwrap_or_default();
    assert!(place(&["model", "device"]).ends_with("conf.d/20.toml:2:10"));
    assert_eq!(place(&["model", "threads"]), "environment WADER__MODEL__THREADS");
    assert_eq!(place(&["log", "level"]), "");
}

#[test]
fn a_secret_reaches_its_place_and_nothing_that_is_shown() {
    let text = "[cameras]\ndoor = \"rtsp://me:${DOOR}@10.0.0.5/sub?token=${DOOR}\"\n\
        [mqtt]\nuser = \"me\"\npassword = \"${DOOR}\"\n[model]\nthreads = \"${THREADS:-3}\"";
    let loaded = Layers::new(&[("wader.toml", text)], &[]).load().unwrap_or_else(|report| panic!("{report}"));
    let login = loaded.config.cameras[0].login.as_ref().unwrap();
    assert_eq!((login.user.as_str(), login.password.reveal()), ("me", "p@ss/word"));
    assert_eq!(loaded.config.cameras[0].url.username(), "");
    let BrokerConfig::Remote { login: Some(login), .. } = &loaded.config.mqtt.broker else { panic!("no login") };
    assert_eq!(login.password.reveal(), "p@ss/word");
    assert_eq!(loaded.config.model.threads.unwrap().get(), 3);
    let printed = print(&loaded);
    assert!(printed.contains("password = \"***\"") && printed.contains("rtsp://***@10.0.0.5/sub?***"), "{printed}");
    assert!(!printed.contains("p@ss") && !printed.contains("p%40ss"), "{printed}");
}

/// Relays and recorders want a token in the path, which is nobody's password by its place.
#[test]
fn what_a_secret_puts_into_a_path_is_not_shown_either() {
    for (url, shown) in [
        ("rtsp://10.0.0.5/${DOOR}/live", "rtsp://10.0.0.5/***/live"),
        ("rtsp://10.0.0.5/live/a ${TOKEN}b?c", "rtsp://10.0.0.5/live/a%20***?***"),
        ("${WHOLE}/live", "rtsp://***@10.0.0.5/***/live"),
    ] {
        let text = format!("[cameras]\ndoor = \"{url}\"\n");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("wader.toml"), text).unwrap();
        let values = |name: &str| match name {
            "DOOR" => Ok(Some("/hunter2".to_owned())),
            "TOKEN" => Ok(Some("hun ter2?hunter2".to_owned())),
            _ => Ok(Some("rtsp://me:hunter2@10.0.0.5/hun/ter2".to_owned())),
        };
        let loaded = load(&Sources::of_file(folder.path().join("wader.toml")), &values).unwrap();
        let printed = print(&loaded);
        assert!(printed.contains(&format!("url = \"{shown}\"")), "{printed}");
        let size = wader::frame::Size { width: 384, height: 288 };
        let address = wader::app::camera_spec(&loaded.config, &loaded.config.cameras[0], size).unwrap().address;
        assert!(!format!("{address} {address:?}").contains("ter2"), "{address}");
    }
}

#[test]
fn a_group_stands_for_its_cameras_and_what_is_written_of_a_camera_goes_first() {
    let loaded = load_text(
        r#"
        [cameras]
        door = "rtsp://10.0.0.5/sub"
        lane = "rtsp://10.0.0.6/sub"
        yard = "rtsp://10.0.0.7/sub"
        [groups]
        outside = ["yard", "lane"]
        [prompts.person]
        ask = "Is anybody there?"
        answer = "yes_no"
        cameras = ["outside", "yard", "door"]
        hold = 2
        [prompts.person.on.outside]
        every = "5s"
        hold = 3
        [prompts.person.on.yard]
        hold = 4
        [prompts.car]
        ask = "Is there a car?"
        answer = "yes_no"
        cameras = ["outside"]
        "#,
    )
    .unwrap();
    let [car, person] = loaded.config.prompts.as_slice() else { panic!("{:?}", loaded.config.prompts) };
    let names = |prompt: &PromptConfig| prompt.cameras.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (names(car), names(person)),
        (["lane", "yard"].map(str::to_owned).to_vec(), ["door", "lane", "yard"].map(str::to_owned).to_vec())
    );
    let there = |camera: &str| {
        let prompt = person.asked_of(&CameraName::new(camera).unwrap()).unwrap();
        (prompt.every.as_secs(), prompt.hold.get())
    };
    assert_eq!([there("door"), there("lane"), there("yard")], [(2, 2), (5, 3), (5, 4)]);
    let printed = print(&loaded);
    let yard = printed.split("[prompts.person.on.yard]").nth(1).unwrap();
    let line_of = |key: &str| yard.lines().find(|line| line.starts_with(key)).unwrap().rsplit(':').nth(1).unwrap();
    assert_eq!((line_of("every"), line_of("hold")), ("14", "17"), "each value has its place:\n{printed}");
    assert_eq!(load_text(&printed).unwrap().config, loaded.config, "what is printed means the same");
}

#[test]
fn what_is_printed_can_be_loaded_again_and_says_where_each_value_is_from() {
    let sample = fs::read_to_string(root().join("config/wader.toml")).unwrap();
    let text = sample.replace("wader:${DOOR_PASSWORD:-change me}@", "");
    let loaded = load_text(&text).unwrap();
    let printed = print(&loaded);
    assert_eq!(load_text(&printed).unwrap_or_else(|report| panic!("{report}\n{printed}")).config, loaded.config);
    let line = |start: &str| printed.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    assert!(line("hold = 2").contains("wader.toml:"), "{printed}");
    assert!(line("device").ends_with("# default"), "{printed}");
}

/// Two cameras, and a prompt that is different on one of them.
const POLICIES: &str = r#"
timezone = "europe/berlin"
[cameras]
door = "rtsp://10.0.0.5/sub"
[cameras.yard]
url = "rtsp://10.0.0.6/sub"
frozen_after = "off"
key_frames_only = false
[defaults.camera]
frozen_after = "30s"
key_frames_only = true
[defaults.prompt]
keep_probability = 0.55
escalate = { after = "5m", state = "no" }
[prompts.person]
ask = "Is there a person?"
answer = "yes_no"
min_probability = 0.7
cooldown = "30s"
active = [{ days = ["Sun", "mon"], from = "22:00", to = "06:00" }, { to = "8:30" }]
[prompts.person.on.yard]
min_probability = 0.5
window.frames = 4
hold = 3
escalate.after = "10m"
active = []
ask_blind = true
[prompts.light]
ask = "How is the light?"
answer = "choice"
choices = ["bright", "dark"]
enabled = false
[prompts.light.on.door]
enabled = true
escalate = { state = "dark" }
[prompts.scene]
ask = "Describe what happens."
answer = "text"
on.yard.max_tokens = 8
"#;

#[test]
fn a_prompt_is_what_it_says_of_a_camera_then_what_it_says_then_what_all_prompts_say() {
    let loaded = load_text(POLICIES).unwrap_or_else(|report| panic!("{report}"));
    let config = &loaded.config;
    let frozen_after: Vec<_> = config.cameras.iter().map(|camera| camera.frozen_after).collect();
    assert_eq!(frozen_after, [Some(Duration::from_secs(30)), None]);
    assert_eq!(config.cameras.iter().map(|camera| camera.key_frames_only).collect::<Vec<_>>(), [true, false]);
    assert_eq!(config.timezone.as_ref().and_then(|zone| zone.iana_name()), Some("Europe/Berlin"));
    let (door, yard) = (&config.cameras[0].name, &config.cameras[1].name);
    let named = |name: &str| config.prompts.iter().find(|prompt| prompt.prompt.name.as_str() == name).unwrap();

    let (there, here) = (named("person").asked_of(door).unwrap(), named("person").asked_of(yard).unwrap());
    assert_eq!((there.min_probability, there.keep_probability), (0.7, 0.55));
    assert_eq!((here.min_probability, here.keep_probability), (0.5, 0.5), "what is kept never needs more");
    assert_eq!((there.window.frames, there.window.span, there.hold.get()), (8, Duration::from_secs(7), 1));
    assert_eq!((here.window.frames, here.window.span, here.hold.get()), (4, Duration::from_secs(7), 3));
    assert_eq!((there.cooldown, here.cooldown), (Duration::from_secs(30), Duration::from_secs(30)));
    let escalate = |prompt: &PromptConfig| prompt.escalate.clone().map(|escalate| (escalate.after, escalate.state));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!(escalate(there), Some((minutes(5), Some("no".to_owned()))));
    assert_eq!(escalate(here), Some((minutes(10), Some("no".to_owned()))));
    assert_eq!((there.active.0.len(), here.active.0.len()), (2, 0), "a list is replaced whole, an empty one is always");
    assert_eq!((there.active.0[0].from, there.active.0[0].to, there.active.0[1].to), (22 * 60, 6 * 60, 8 * 60 + 30));
    assert_eq!((there.active.0[0].days.len(), there.active.0[1].days.len()), (2, 7));
    assert_eq!((there.ask_blind, here.ask_blind), (false, true));

    let light = named("light");
    assert!(light.asked_of(yard).is_none() && light.asked().len() == 1, "asked about one camera only");
    // `no` is no answer of this prompt: what stands for all is meant for those that have it
    assert_eq!(light.escalate, None);
    assert_eq!(escalate(light.asked_of(door).unwrap()), Some((minutes(5), Some("dark".to_owned()))));
    let tokens = |camera| named("scene").asked_of(camera).unwrap().prompt.kind.clone();
    assert_eq!(tokens(yard), AnswerKind::Text { max_tokens: 8 });
    assert_eq!(tokens(door), AnswerKind::Text { max_tokens: 32 });

    let printed = print(&loaded);
    let again = load_text(&printed).unwrap_or_else(|report| panic!("{report}\n{printed}"));
    assert_eq!(&again.config, config, "{printed}");
    let table = printed.split("[prompts.person.on.yard]").nth(1).unwrap();
    let line = |start: &str| table.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    assert!(line("hold").ends_with("wader.toml:24:8") && line("cooldown").ends_with("wader.toml:19:12"), "{table}");
    assert!(line("publish").ends_with("# default") && line("keep").ends_with("wader.toml:13:20"), "{table}");
}

#[test]
fn without_any_of_it_answers_are_asked_always_and_held_by_one_threshold() {
    let config = load_text("[cameras]\ndoor = \"rtsp://10.0.0.5/sub\"").unwrap().config;
    let [caption] = config.prompts.as_slice() else { panic!("{:?}", config.prompts) };
    assert_eq!(caption.keep_probability, caption.min_probability);
    assert!(
        caption.active.0.is_empty() && caption.escalate.is_none() && caption.cooldown.is_zero() && !caption.ask_blind
    );
    assert_eq!((&config.timezone, config.cameras[0].frozen_after), (&None, Some(Duration::from_secs(60))));
}

#[test]
fn a_schema_may_be_a_table_or_json_or_a_file_and_another_file_replaces_it_whole() {
    let cameras = "[cameras]\nyard = \"rtsp://a/1\"\n";
    let prompt = "[prompts.report]\nask = \"What is there?\"\nanswer = \"json\"\n";
    let json = r#"{"type":"object","required":["b"],"properties":{"b":{"type":"boolean"},"a":{"enum":["x","y"]}},"additionalProperties":false}"#;
    let table = "[prompts.report.schema]\ntype = \"object\"\nrequired = [\"b\"]\n\
        properties = { b = { type = \"boolean\" }, a = { enum = [\"x\", \"y\"] } }\nadditionalProperties = false\n";
    let inline = "schema = { type = \"object\", required = [\"b\"], properties = { b = { type = \"boolean\" }, a = { enum = \
        [\"x\", \"y\"] } } }\n";
    let path = "schema = \"schemas/report.json\"\n";
    let other = "[prompts.report]\nschema = { type = \"object\", properties = { c = { type = \"boolean\" } } }\n";
    let variable = "{ type = \"object\", required = [\"b\"], properties = { b = { type = \"boolean\" }, a = { enum = [\"x\", \"y\"] } } }";
    for (written, environment) in [
        (table, None),
        (inline, None),
        (path, None),
        (&format!("schema = '{json}'\n"), None),
        (other.split_once('\n').unwrap().1, Some(("WADER__PROMPTS__REPORT__SCHEMA", variable))),
    ] {
        let layers = Layers::new(&[("wader.toml", &format!("{cameras}{prompt}{written}"))], environment.as_slice());
        fs::create_dir(layers.folder.path().join("schemas")).unwrap();
        fs::write(layers.folder.path().join("schemas/report.json"), json).unwrap();
        let loaded = layers.load().unwrap_or_else(|report| panic!("{written}: {report}"));
        let kind = &loaded.config.prompts[0].prompt.kind;
        let AnswerKind::Json { schema, max_tokens, max_time } = kind else { panic!("{kind:?}") };
        assert_eq!(schema.text(), json, "{written}: the order of properties is kept");
        assert_eq!((*max_tokens, *max_time), (256, Duration::from_secs(10)));
        let printed = print(&loaded);
        let again = load_text(&printed).unwrap_or_else(|report| panic!("{report}\n{printed}")).config;
        assert_eq!(again, loaded.config, "{printed}");
    }
    let files = [("wader.toml", &*format!("{cameras}{prompt}{table}")), ("conf.d/10.toml", other)];
    let loaded = Layers::new(&files, &[]).load().unwrap_or_else(|report| panic!("{report}"));
    let AnswerKind::Json { schema, .. } = &loaded.config.prompts[0].prompt.kind else { panic!("no JSON") };
    assert!(!schema.text().contains("\"b\"") && schema.text().contains("\"c\""), "{}", schema.text());
}

#[test]
fn examples_are_found_beside_the_file_that_names_them() {
    let examples = "[[prompts.gate.examples]]\npath = \"gate/open\"\nanswer = \"yes\"\n\
        [[prompts.gate.examples]]\npath = \"gate/shut.jpg\"\nanswer = \"no\"\n";
    let gate = "[prompts.gate]\nask = \"Is the gate open?\"\nanswer = \"yes_no\"\nregion = [0, 0.25, 0.5, 1]\n";
    let cameras = "[cameras]\nyard = \"rtsp://a/1\"\ndoor = \"rtsp://a/2\"\n";
    let layers = Layers::new(&[("wader.toml", cameras), ("conf.d/gate.toml", &format!("{gate}{examples}"))], &[]);
    let beside = layers.folder.path().join("conf.d/gate");
    for name in ["open/2.png", "open/10.PNG", "open/.hidden.png", "open/notes.txt", "shut.jpg"] {
        picture(&beside.join(name.to_lowercase()));
    }
    let loaded = layers.load().unwrap_or_else(|report| panic!("{report}"));
    let prompt = &loaded.config.prompts[0];
    let [open, shut] = prompt.examples.as_slice() else { panic!("{:?}", prompt.examples) };
    assert_eq!((open.path.clone(), open.answer.as_str()), (beside.join("open"), "yes"));
    assert_eq!(open.pictures, [beside.join("open/10.png"), beside.join("open/2.png")], "by name, and nothing else");
    assert_eq!(shut.pictures, [beside.join("shut.jpg")]);
    assert_eq!(prompt.region.unwrap().edges(), [0.0, 0.25, 0.5, 1.0]);
    assert_eq!(
        (prompt.window.frames, prompt.window.span),
        (3, Duration::from_secs(2)),
        "who walks by is not to be seen"
    );
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert_eq!(warning.wrong, "the examples are of one camera, and 2 cameras are held against them");
    // what is printed can be loaded again, from anywhere
    let printed = print(&loaded);
    let again = load_text(&printed).unwrap_or_else(|report| panic!("{report}\n{printed}")).config;
    assert_eq!(again, loaded.config, "{printed}");
    assert!(printed.contains("[[prompts.gate.examples]]") && printed.contains("gate.toml:6:8"), "{printed}");
    // what was written about windows holds for these too
    let window = "[defaults.prompt]\nwindow = { frames = 5, span = \"4s\" }\n";
    fs::write(layers.folder.path().join("wader.toml"), format!("{cameras}{window}")).unwrap();
    assert_eq!(layers.load().unwrap().config.prompts[0].window.frames, 5);
}

#[test]
fn a_prompt_with_too_few_examples_is_asked_in_words_and_told_of() {
    let text = "[cameras]\nyard = \"rtsp://a/1\"\n[prompts.gate]\nask = \"Is the gate open?\"\nanswer = \"yes_no\"\n";
    let layers = Layers::new(&[("wader.toml", &format!("{text}examples = []"))], &[]);
    let loaded = layers.load().unwrap();
    assert!(!loaded.config.prompts[0].is_shown());
    let told: Vec<_> = loaded.warnings.iter().map(|warning| warning.wrong.as_str()).collect();
    let of = |label| {
        format!(
            "prompt `gate` has 0 examples of `{label}`, and is asked in words until it has more; 2 are needed, 4 are better"
        )
    };
    assert_eq!(told, [of("yes"), of("no")]);
    assert_eq!(loaded.warnings[0].value, None, "the list itself says nothing");
    let beside = layers.folder.path().join("examples/gate");
    let right = loaded.warnings[0].right.as_deref().unwrap_or_default();
    assert!(right.contains(&format!("--out {}`", beside.display())), "{right}");
    // a place is marked also for what others will say of answers
    assert!(Layers::new(&[("wader.toml", &format!("{text}region = [0.1, 0.1, 0.5, 0.5]"))], &[]).load().is_ok());
}

#[test]
fn a_window_that_a_camera_cannot_fill_is_a_warning() {
    let text = "[cameras.door]\nurl = \"rtsp://a/1\"\nframes_per_second = 0.5\n\
        [prompts.person]\nask = \"Is there a person?\"\nanswer = \"yes_no\"\nwindow = { frames = 8, span = \"7s\" }";
    let loaded = load_text(text).unwrap();
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert_eq!(warning.wrong, "wants 8 frames in 7s, and camera `door` gives 4");
}

#[test]
fn a_question_that_yes_or_no_hardly_answers_is_a_warning() {
    let warnings = |ask: &str| {
        let prompt = format!("[prompts.p]\nask = \"{ask}\"\nanswer = \"yes_no\"\n");
        load_text(&format!("[cameras]\ndoor = \"rtsp://a/1\"\n{prompt}")).unwrap().warnings
    };
    let [warning] = &warnings("How many people are there?")[..] else { panic!("no warning") };
    assert_eq!(warning.wrong, "yes or no hardly answers this question");
    for good in ["Is there what was there?", "Somebody who waits?", "¿Hay alguien?"] {
        assert_eq!(warnings(good), [], "{good}");
    }
}

#[test]
fn files_that_cannot_be_read_are_problems_and_hide_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let absent = load(&Sources::of_file(folder.path().join("wader.toml")), &no_values).unwrap_err();
    assert!(absent.to_string().contains("there is no such file"), "{absent}");
    fs::write(folder.path().join("wader.toml"), b"[cameras]\n# \xff").unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("conf.d/10.toml"), "[modle]").unwrap();
    let report = load(&Sources::of_file(folder.path().join("wader.toml")), &no_values).unwrap_err().to_string();
    assert!(report.contains("is not UTF-8 text") && report.contains("did you mean `model`?"), "{report}");
    assert!(report.ends_with("2 problems in the configuration"), "{report}");
}

#[test]
fn cameras_that_stream_one_whole_file_or_a_pattern_find_their_pipeline() {
    let text = "[cameras]\na = \"file:///srv/yard.mp4\"\nb = \"test:ball\"\nc = \"rtsps://10.0.0.5/sub\"";
    let config = load_text(text).unwrap_or_else(|report| panic!("{report}")).config;
    let pipelines: Vec<_> = config.cameras.iter().map(|camera| camera.pipeline.as_str()).collect();
    assert_eq!(pipelines, ["file", "test-pattern", "rtsp-cpu"]);
}

/// `check` and `run` go by lists of their own: the first may not know what cameras are.
#[test]
fn what_is_checked_for_a_camera_is_what_a_camera_can_be() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pipelines")).unwrap();
    fs::write(folder.path().join("pipelines/own.gst"), "").unwrap();
    let file = folder.path().join("wader.toml");
    for scheme in ["rtsp", "rtsps", "http", "https", "file", "test", "srt", "rtmp", "rtp", "udp", "ftp"] {
        for rest in ["://10.0.0.5/sub", ":///srv/yard.mp4", ":yard"] {
            let url = format!("{scheme}{rest}");
            fs::write(&file, format!("[cameras.door]\nurl = \"{url}\"\npipeline = \"own\"\n")).unwrap();
            let (checked, run) = (load(&Sources::of_file(&file), &no_values), Address::parse(&url));
            assert_eq!(checked.is_ok(), run.is_ok(), "{url}: {checked:?} {run:?}");
        }
    }
}

#[test]
fn a_url_that_only_looks_like_one_with_a_password_is_left_alone() {
    for url in ["file:///srv/left@yard.mp4", "rtsp://me:secret@10.0.0.5/user=a@b", "rtsp://10.0.0.5/a%40b#1"] {
        load_text(&format!("[cameras]\ndoor = \"{url}\"")).unwrap_or_else(|report| panic!("{report}"));
    }
}

proptest! {
    /// A slip of the hand anywhere in a file of all keys: no panic, and no secret in the report or the print.
    #[test]
    fn whatever_is_mistyped_nothing_breaks_and_no_secret_is_shown(at in 0.0..1.0, cut in 0_usize..6, typed in "[ -~]{0,3}") {
        let sample = fs::read_to_string(root().join("config/wader.toml")).unwrap();
        let text = uncomment(&sample, true).replace(":-change me", "");
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut text = lines.collect::<Vec<_>>().join("\n");
        let begin = text.floor_char_boundary((at * text.len() as f64) as usize);
        let end = text.floor_char_boundary((begin + cut).min(text.len()));
        text.replace_range(begin..end, &typed);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wader.toml");
        fs::write(&file, &text).unwrap();
        let shown = match load(&Sources::of_file(file), &|_| Ok(Some("S3CR3T/@".to_owned()))) {
            Ok(loaded) => format!("{}{:?}", print(&loaded), loaded.config),
            Err(report) => report.to_string(),
        };
        prop_assert!(!shown.contains("S3CR3T"), "{shown}");
    }
}
