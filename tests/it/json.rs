//! Answers in JSON, the whole way: asked property by property of models that cannot spell it, written under the schema by
//! one that can, checked before anything runs.

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use wader::{
    answer::{Outcome, Reading, Thresholds, Value, read},
    engine::{Waiting, Worker},
    frame::{Frame, Size, Stamp},
    model::{Flamingo, Model, Work},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt, Reply, Schema},
    scene,
    window::{Spec, Window},
};

use crate::support::{
    broker::free_port,
    model::{on_cpu, oracle, picture, small_folder},
    service::{Service, answer, config, listen, until, wader},
    video::drawn,
};

fn prompt(name: &str, ask: &str, kind: AnswerKind) -> Arc<Prompt> {
    Arc::new(Prompt { name: PromptName::new(name).unwrap(), ask: ask.to_owned(), also: Vec::new(), kind })
}

fn json(schema: &str) -> AnswerKind {
    let schema = Schema::read(schema).unwrap_or_else(|error| panic!("{error}"));
    AnswerKind::Json { schema, max_tokens: 20, max_time: Duration::from_secs(600) }
}

fn camera() -> CameraName {
    CameraName::new("door").unwrap()
}

/// A window of these frames, about which all of these prompts ask.
fn window(frames: Vec<Arc<Frame>>, prompts: &[Arc<Prompt>]) -> Waiting {
    let window = Window {
        camera: camera(),
        spec: Spec { frames: frames.len(), span: Duration::from_secs(7) },
        frames: frames.into_iter().map(Some).collect(),
        prompts: prompts.iter().map(|prompt| prompt.name.clone()).collect(),
    };
    Waiting { window, since: Stamp::now() }
}

/// What a model says to these prompts about one window.
fn ask<M: Model>(worker: &mut Worker<M>, waiting: &Waiting, prompts: &[Arc<Prompt>]) -> Vec<Reading> {
    let thresholds = Thresholds { min_probability: 0.0, keep_probability: 0.0, min_mass: 0.0 };
    let replied = worker.answer(std::slice::from_ref(waiting));
    replied
        .iter()
        .zip(prompts)
        .map(|(one, prompt)| read(one.reply.as_ref().unwrap(), &prompt.kind, &thresholds, None))
        .collect()
}

fn worker<M: Model>(model: M, prompts: &[Arc<Prompt>]) -> Worker<M> {
    let asked: Vec<_> = prompts.iter().map(|prompt| (camera(), prompt.clone())).collect();
    Worker::new(model, &asked).unwrap()
}

#[track_caller]
fn assert_of_schema(schema: &str, value: &serde_json::Value) {
    let schema = serde_json::from_str(schema).unwrap();
    assert!(jsonschema::is_valid(&schema, value), "{value} is not of {schema}");
}

fn value(reading: &Reading) -> serde_json::Value {
    match &reading.outcome {
        Outcome::Answer(Value::Json(json)) => json.value().clone(),
        other => panic!("{other}"),
    }
}

const ORACLES: &str = r#"{"type": "object", "required": ["scene", "there", "count"], "properties": {
    "scene": {"type": "string", "description": "describe the scene"},
    "there": {"type": "boolean", "description": "is it there"},
    "by": {"const": "the oracle"},
    "count": {"type": "integer", "minimum": 0, "maximum": 16, "description": "how many frames are there"}}}"#;

#[test]
fn properties_are_asked_in_one_batch_about_one_window_and_cost_what_their_questions_cost() {
    let prompts = [prompt("report", "in words that no model ever needs to know", json(ORACLES))];
    let mut worker = worker(oracle(), &prompts);
    let before = worker.work();
    let frames: Vec<_> = [64, 65, 66].map(|number| picture(2, number)).into();
    let [reading] = ask(&mut worker, &window(frames, &prompts), &prompts).try_into().unwrap();
    let expected = r#"{"scene":"saw three frames","there":true,"by":"the oracle","count":3}"#;
    assert_eq!(value(&reading).to_string(), expected, "in the schema's order");
    assert_of_schema(ORACLES, &value(&reading));
    let scores = reading.scores.unwrap();
    let named: Vec<_> = scores.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(named, ["scene", "there", "count"]);
    let least = scores.properties.iter().filter_map(|p| p.reading.scores.as_ref()).map(|s| s.probability);
    assert_eq!(scores.probability, least.fold(1.0, f64::min));

    let model = oracle();
    let suffix = |ask: &str| model.template().question(ask).suffix.len() as u64;
    let questions = ["describe the scene", "is it there", "how many frames are there"];
    let expected = Work {
        frames_encoded: 3,
        windows_resampled: 1,
        prefill_tokens: before.prefill_tokens + questions.map(suffix).iter().sum::<u64>(),
        prefill_rows: before.prefill_rows + 3,
        decode_tokens: 3,
        // one call scores both closed questions; the text takes one for the question and one for each of its words
        calls: [1, 1, before.calls[2] + 1 + 4, 0, 0],
        ..before
    };
    assert_eq!(worker.work(), expected);
}

#[test]
fn windows_of_one_call_get_each_its_own_json_whoever_else_asks() {
    let prompts = [prompt("report", "?", json(ORACLES)), prompt("there", "is it there", AnswerKind::YesNo)];
    let mut worker = worker(oracle(), &prompts);
    let frames = |numbers: &[u32]| -> Vec<Arc<Frame>> { numbers.iter().map(|&number| picture(2, number)).collect() };
    let waiting = [
        window(frames(&[1, 2]), &prompts[1..]),
        window(frames(&[70]), &prompts[..1]),
        window(frames(&[3, 4, 5]), &prompts),
    ];
    let replied = worker.answer(&waiting);
    let thresholds = Thresholds { min_probability: 0.0, keep_probability: 0.0, min_mass: 0.0 };
    let of = |place: usize, prompt: usize| {
        read(replied[place].reply.as_ref().unwrap(), &prompts[prompt].kind, &thresholds, None).outcome.to_string()
    };
    assert_eq!((of(0, 1), of(3, 1)), ("no".to_owned(), "no".to_owned()));
    assert_eq!(of(1, 0), r#"{"scene":"saw one frames","there":true,"by":"the oracle","count":1}"#);
    assert_eq!(of(2, 0), r#"{"scene":"saw three frames","there":false,"by":"the oracle","count":3}"#);
}

/// A street by day or by night, in words that wader-small knows.
const STREET: &str = r#"{"type": "object", "required": ["people", "dark", "scene"], "properties": {
    "people": {"type": ["integer", "null"], "minimum": 0, "maximum": 5, "description": "How many people are there?"},
    "dark": {"type": "boolean", "description": "Is it dark?"},
    "scene": {"type": ["string", "null"], "description": "Describe what happens."}}}"#;

/// Grey pictures: what they show does not matter.
fn grey(size: Size, light: u8) -> Vec<Arc<Frame>> {
    let frame = |number: u64| Frame {
        number,
        taken: Stamp::after_origin(Duration::from_secs(number)),
        size,
        pixels: vec![light; size.width as usize * size.height as usize * 3].into(),
    };
    (0..3).map(|number| Arc::new(frame(number))).collect()
}

#[test]
fn the_shipped_models_json_is_what_it_answers_to_each_question_alone() {
    let number = AnswerKind::Number { min: 0, max: 5 };
    let prompts = [
        prompt("report", "What is there?", json(STREET)),
        prompt("people", "How many people are there?", number),
        prompt("dark", "Is it dark?", AnswerKind::YesNo),
        prompt("scene", "Describe what happens.", AnswerKind::Text { max_tokens: 20 }),
    ];
    let model = Flamingo::load(&small_folder(), &on_cpu()).unwrap();
    let size = model.input_size();
    let mut worker = worker(model, &prompts);
    for light in [140, 4] {
        let waiting = window(grey(size, light), &prompts);
        let readings = ask(&mut worker, &waiting, &prompts);
        let (report, alone) = readings.split_first().unwrap();
        assert_of_schema(STREET, &value(report));
        let of_report: BTreeMap<_, _> =
            report.scores.as_ref().unwrap().properties.iter().map(|p| (p.name.as_str(), &p.reading)).collect();
        for (prompt, alone) in prompts[1..].iter().zip(alone) {
            let reading = of_report[prompt.name.as_str()];
            assert_eq!(reading.outcome, alone.outcome, "{}", prompt.name);
            let probability = |reading: &Reading| reading.scores.as_ref().unwrap().probability;
            assert!((probability(reading) - probability(alone)).abs() < 2e-3, "{}", prompt.name);
        }
    }
}

#[test]
fn words_that_the_model_never_saw_leave_the_whole_unasked() {
    let schema = r#"{"type": "object", "properties": {"a": {"type": "boolean", "description": "is a zeppelin there"},
        "b": {"enum": ["f0", "yacht"], "description": "is it there"}}}"#;
    let prompts = [prompt("report", "is it there", json(schema))];
    let mut worker = worker(oracle(), &prompts);
    let replied = worker.answer(&[window(vec![picture(1, 1)], &prompts)]);
    assert_eq!(
        replied[0].reply.as_ref().unwrap(),
        &Reply::UnknownWords(vec!["yacht".to_owned(), "zeppelin".to_owned()])
    );
}

/// What the speller writes under this schema: the frame's number modulo 64, modulo 10.
const REPORT: &str = r#"
[prompts.report]
ask = "What is there?"
answer = "json"
schema = { type = "object", required = ["kind", "frame"], properties = { kind = { const = "street" }, frame = { type = "integer", minimum = 0, maximum = 9 } } }
every = "300ms"
window = { frames = 1 }
publish = "always"
[prompts.endless]
ask = "What is there?"
answer = "json"
schema = '{"type": "string"}'
max_tokens = 12
every = "300ms"
window = { frames = 1 }
publish = "always"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_can_spell_writes_json_under_the_schema() {
    let camera = scene::serve(drawn(4), 0).unwrap();
    let port = free_port().await;
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let speller =
        config(&broker, &[("yard", camera.url())], REPORT).replace("tests/models/oracle", "tests/models/speller");
    let mut service = Service::start(&speller);
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    let mut frames = Vec::new();
    while frames.len() < 3 {
        let said = answer(&mut listener, "wader/yard/report/answer").await;
        assert_eq!((said.kind.as_str(), said.outcome.as_str()), ("json", "answer"), "{said:?}");
        let json = said.json.unwrap();
        let frame = json["frame"].as_u64().unwrap();
        assert_eq!(json.to_string(), format!("{{\"kind\":\"street\",\"frame\":{frame}}}"));
        assert_eq!(said.answer.unwrap().to_string(), json.to_string(), "and as text");
        assert!(said.probability.is_some_and(|p| p > 0.9) && said.mass.is_some_and(|m| m > 0.9));
        if !frames.contains(&frame) {
            frames.push(frame);
        }
    }
    let state = until(&mut listener, "a state", |a| a.topic == "wader/yard/report/state").await;
    assert!(state.text().starts_with("{\"kind\":\"street\",\"frame\":"), "{}", state.text());
    let said = answer(&mut listener, "wader/yard/endless/answer").await;
    assert_eq!((said.outcome.as_str(), said.reason.as_deref()), ("unsure", Some("token_limit")), "{said:?}");
    assert_eq!((said.json, said.answer, said.cut), (None, None, true), "never half a JSON");
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test]
async fn a_schema_is_held_against_the_model_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    let check = async |model: &str, schema: &str| {
        let prompt = format!("[prompts.report]\nask = \"is it there\"\nanswer = \"json\"\nschema = '''{schema}'''\n");
        let text = config("", &[("yard", "rtsp://a/1")], &prompt).replace("tests/models/oracle", model);
        fs::write(&file, text).unwrap();
        wader(&["check", "--config", file.to_str().unwrap()]).await
    };
    let list = r#"{"type": "array", "items": {"type": "boolean"}}"#;
    let said = check("tests/models/speller", list).await;
    assert_eq!(said.code, 0, "one that can spell writes anything: {said:?}");
    for (schema, code, says) in [
        (
            list,
            78,
            "prompts.report: the model cannot spell JSON, so each property of the schema is asked by itself, and `type` must be `object`",
        ),
        (
            r#"{"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 90, "title": "is it"}}}"#,
            78,
            "property `n`: the model cannot say the number `21`",
        ),
        (
            r#"{"type": "object", "properties": {"there_now": {"type": "boolean"}}}"#,
            0,
            "prompts.report.schema.properties.there_now: the model cannot spell JSON and is asked `there now`",
        ),
        (
            r#"{"type": "object", "properties": {"a": {"type": "boolean", "description": "is a zeppelin there"}}}"#,
            0,
            "will always be `unsure`: the model never learned `zeppelin`",
        ),
        (ORACLES, 0, "the configuration is good: 1 camera, 1 standing prompt"),
    ] {
        let said = check("tests/models/oracle", schema).await;
        assert_eq!(said.code, code, "{schema}: {said:?}");
        assert!(said.err.contains(says), "{schema}: {said:?}");
    }
}
