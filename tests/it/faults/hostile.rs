//! Hostile input, rows 45 to 47 of the fault matrix: floods, what was tampered with, and secrets.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::symlink, process::ExitStatusExt},
    process::{Command, Stdio},
    time::Duration,
};

use wader::{
    frame::Stamp,
    model::{Error, Flamingo, Spec},
    mqtt::{Arrival, Listener, wire::ErrorMessage},
    scene,
};

use crate::support::{
    broker::{Mosquitto, publish, read_until, within},
    faults::{Row, record},
    model::{FolderCopy, on_cpu},
    service::{CANARY, PASSWORD, Service, answer, config, listen, tells, wader},
    video::drawn,
};

// Row 45 --------------------------------------------------------------------------------------------------------------

/// Asked all the time, of every second frame.
const STANDING: &str = r#"
[prompts.there]
ask = "is it there"
answer = "yes_no"
every = "200ms"
window = { frames = 2, span = "400ms" }
publish = "always"
"#;
/// Quiet and flooded stretches in turn, so that what else the machine does is in both.
const STRETCHES: usize = 4;
const STRETCH: Duration = Duration::from_secs(5);
/// From one message of the flood to the next.
const GAP: Duration = Duration::from_millis(10);

/// No answer is older than this under load, in milliseconds: the prompt's interval and a second.
const BOUND: f64 = 1_200.0;

/// The message of this number: where, what, and where the answer is wanted.
fn hostile(number: usize) -> (String, Vec<u8>, &'static str) {
    let to = |topic: &str| topic.to_owned();
    match number % 10 {
        0 => (to("wader/yard/ask"), b"is it there".to_vec(), "wader/response/flood/1"),
        1 => (
            to("wader/yard/ask"),
            "<image> </s> <pad> <unk> is it there ".repeat(20).into_bytes(),
            "wader/response/flood/1",
        ),
        2 => (to("wader/yard/ask"), b"is it there".to_vec(), "elsewhere/answers"),
        3 => (to("wader/nowhere/ask"), b"is it there".to_vec(), "wader/response/flood/1"),
        4 => (
            to("wader/yard/ask"),
            format!("{{\"{}\": 1}}", "\\u001b[2J".repeat(900)).into_bytes(),
            "wader/response/flood/1",
        ),
        5 => (to("wader/yard/there/enabled/set"), b"\xff\xfe".to_vec(), "none"),
        6 => (to("wader/feedback"), "[".repeat(5000).into_bytes(), "none"),
        7 => (to("wader/prompts/flood/set"), b"{\"ask\": \"${PASSWORD}\", \"answer\": \"text\"}".to_vec(), "none"),
        8 if number % 250 == 8 => (to("wader/yard/ask"), vec![b'x'; (1 << 20) - 200], "wader/response/flood/1"),
        8 => (to("wader/yard/ask"), vec![b'x'; 20_000], "wader/response/flood/1"),
        _ => (
            to("wader/yard/ask"),
            b"{\"question\": \"is it there\", \"timeout\": 1e999}".to_vec(),
            "wader/response/flood/1",
        ),
    }
}

/// The resident memory of a process, in KiB.
fn memory(pid: rustix::process::Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The number below which 99 of 100 are.
fn p99(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[(numbers.len() * 99).div_ceil(100).saturating_sub(1)]
}

/// Listens for a while, and counts what is refused and in how many complaints; the ages of the standing prompt's newest frames when they were answered, in ms.
async fn ages(listener: &mut Listener, errors: &mut BTreeMap<String, u64>, said: &mut u64) -> Vec<f64> {
    let mut ages = Vec::new();
    let mut take = |arrival: Arrival| {
        assert!(!tells(&arrival.payload), "a topic tells a password: {}", arrival.text());
        if arrival.topic == "wader/yard/there/answer" {
            ages.push(
                wader::answer::wire::read_answer(&arrival.payload).unwrap().newest_frame_age_ms.unwrap_or(f64::MAX),
            );
        } else if arrival.topic == "wader/error" {
            let error: ErrorMessage = serde_json::from_slice(&arrival.payload).unwrap();
            assert!(error.message.len() < 10_000, "a complaint of {} bytes", error.message.len());
            *said += 1;
            *errors.entry(error.code).or_default() += 1 + error.untold.unwrap_or(0);
        }
    };
    let until = Stamp::now().later_by(STRETCH);
    while let Ok(arrival) = tokio::time::timeout(until.since(Stamp::now()), listener.next()).await {
        take(arrival.unwrap());
    }
    ages
}

#[tokio::test(flavor = "multi_thread")]
async fn row_45_a_flood_of_prompts_slows_no_standing_prompt() {
    let camera = scene::serve(drawn(4), 0).unwrap();
    let broker = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let mut service = Service::start(&config(&format!("url = \"{url}\""), &[("yard", camera.url())], STANDING));
    let mut listener = listen(&url).await;
    for _ in 0..20 {
        answer(&mut listener, "wader/yard/there/answer").await;
    }
    let flooder = listen(&url).await;
    let (mut quiet, mut flooded, mut errors, mut said, mut sent) = (Vec::new(), Vec::new(), BTreeMap::new(), 0, 0);
    // the first flood fills what there is to be filled once
    let mut resident = Vec::new();
    for _ in 0..STRETCHES {
        quiet.extend(ages(&mut listener, &mut errors, &mut said).await);
        let flood = async {
            let mut next = tokio::time::interval(GAP);
            let until = Stamp::now().later_by(STRETCH);
            let (mut flooder, mut count) = (listen(&url).await, 0);
            while Stamp::now() < until {
                tokio::select! {
                    _ = next.tick() => {
                        let (topic, payload, respond_to) = hostile(sent + count);
                        // the client takes a few at a time; what it does not take is not counted
                        if flooder.ask(&topic, &payload, respond_to).is_ok() {
                            count += 1;
                        }
                    }
                    arrival = flooder.next() => drop(arrival.unwrap()),
                }
            }
            count
        };
        let (ages, count) = tokio::join!(ages(&mut listener, &mut errors, &mut said), flood);
        flooded.extend(ages);
        sent += count;
        resident.push(memory(service.pid()));
    }
    drop(flooder);
    // it still hears those who mean well, once the minute's questions are spent: `too_many` is an answer, too
    let (answers, of_flood) = (quiet.len(), flooded.len());
    let (quiet, flooded) = (p99(quiet), p99(flooded));
    let grown = resident[STRETCHES - 1].saturating_sub(resident[0]);
    let told: u64 = errors.values().sum();
    let ratio = flooded / quiet;
    assert!(sent > 1000, "only {sent} messages");
    assert!(told as usize > sent / 2, "whoever is refused is told or counted: {told} of {sent}: {errors:?}");
    assert!(said < told / 2, "a flood is not answered with a flood: {said} complaints about {told}");
    for code in ["too_many", "unknown_camera", "bad_response_topic", "bad_payload", "not_allowed"] {
        assert!(errors.get(code).is_some_and(|count| *count > 10), "{code}: {errors:?}");
    }
    assert!(of_flood * 100 >= answers * 90, "{of_flood} answers under the flood, {answers} without");
    assert!(grown < 8 << 10, "the memory grows by {grown} KiB: {resident:?}");
    // what else the machine does decides about milliseconds: they are recorded, and what is asserted is the overload's bound
    assert!(flooded < BOUND, "p99 of the age grows from {quiet:.0} to {flooded:.0} ms");
    record(&Row {
        row: 45,
        run: "faults::hostile::row_45",
        fault: "flood of prompts, 1 MiB prompts, control tokens, bad topics",
        target: "standing prompts' p99 grows by less than 5 %, memory flat",
        detection: format!("{told} of {sent} messages were refused, and told in {said} complaints: {errors:?}"),
        recovery: "none needed".to_owned(),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: told.to_string(),
        effect: format!(
            "p99 of the newest frame's age {quiet:.0} ms quiet, {flooded:.0} ms flooded ({:+.1} %), {answers} and {of_flood} \
             answers; memory {grown} KiB more after {STRETCHES} floods",
            (ratio - 1.0) * 100.0
        ),
        met: ratio < 1.05 && grown < 4 << 10,
    });
    assert!(service.terminate().await.success(), "{}", service.log());
}

// Row 46 --------------------------------------------------------------------------------------------------------------

/// A library that is not there: whoever gets as far as to load it says so.
fn without_runtime() -> Spec {
    Spec { onnxruntime: Some("/nowhere/libonnxruntime.so".into()), ..on_cpu() }
}

#[test]
fn row_46_a_model_that_was_tampered_with_is_refused_before_any_library_is_loaded() {
    let (mut tried, mut refused) = (0, 0);
    let mut check = |copy: &FolderCopy, name: &str, what: &str| {
        tried += 1;
        match Flamingo::load(copy.path(), &without_runtime()) {
            Err(Error::File { name: named, .. }) if named == name => refused += 1,
            other => panic!("{what} of {name}: {:?}", other.map(|_| "loaded").map_err(|error| error.to_string())),
        }
    };
    let untouched = FolderCopy::new();
    let loaded = Flamingo::load(untouched.path(), &without_runtime()).map(|_| "loaded");
    assert!(loaded.unwrap_err().to_string().contains("/nowhere/"), "whatever is untouched goes on to the library");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(untouched.path().join("manifest.json")).unwrap()).unwrap();
    let files: Vec<&String> = manifest["files"].as_object().unwrap().keys().collect();
    assert!(files.len() >= 8, "{files:?}");
    for name in &files {
        let path = untouched.path().join(name);
        let whole = fs::read(&path).unwrap();
        // one bit of one byte: the first, some between, the last
        for at in (0..whole.len()).step_by(whole.len() / 7 + 1).chain([whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            check(&untouched, name, "a changed byte");
        }
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        check(&untouched, name, "one byte more");
        fs::write(&path, &whole[1..]).unwrap();
        check(&untouched, name, "one byte less");
        // the very same bytes, but elsewhere
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        fs::write(elsewhere.path(), &whole).unwrap();
        fs::remove_file(&path).unwrap();
        check(&untouched, name, "its absence");
        symlink(elsewhere.path(), &path).unwrap();
        check(&untouched, name, "a link");
        fs::remove_file(&path).unwrap();
        fs::write(&path, &whole).unwrap();
    }
    // external data: listed and changed, then not listed
    let location = b"\x0a\x08location\x12\x07weights".as_slice();
    let tensor = [&[0x6a, location.len() as u8], location].concat();
    let graph = [&[0x2a, tensor.len() as u8], tensor.as_slice()].concat();
    let graph = [&[0x3a, graph.len() as u8], graph.as_slice()].concat();
    let copy = FolderCopy::with_file("decoder.onnx", |bytes| bytes.extend_from_slice(&graph));
    fs::write(copy.path().join("weights"), [7; 64]).unwrap();
    check(&copy, "decoder.onnx", "external data that no list names");
    copy.list("weights");
    let loaded = Flamingo::load(copy.path(), &without_runtime()).map(|_| "loaded");
    assert!(loaded.unwrap_err().to_string().contains("/nowhere/"), "external data that is listed is allowed");
    copy.change_file("weights", |bytes| bytes[63] ^= 1);
    check(&copy, "weights", "a changed byte of external data");
    record(&Row {
        row: 46,
        run: "faults::hostile::row_46",
        fault: "one byte changed, added or missing in each file of a model folder, its external data, a link in its place",
        target: "100 % refused, before any call of ONNX Runtime",
        detection: format!("{refused} of {tried} refused, each naming its file, with a library that is not there"),
        recovery: "the untouched folder goes on to the library".to_owned(),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: 0.to_string(),
        effect: format!("{} files, the manifest's own list", files.len()),
        met: refused == tried,
    });
}

// Row 47 --------------------------------------------------------------------------------------------------------------

/// Whether a program leaves a core on this machine that is killed by a fault of its own, once it has said something.
fn leaves_a_core(command: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -c unlimited && exec {command}")]).current_dir(folder.path());
    shell.env("STATE_DIRECTORY", folder.path());
    let mut child = shell.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
    child.wait().unwrap().core_dumped()
}

#[tokio::test(flavor = "multi_thread")]
async fn row_47_no_secret_comes_out_anywhere() {
    // a camera and a broker that ask for passwords, a camera with a wrong one, and all that is logged
    let login = scene::Login { user: "owner".to_owned(), password: PASSWORD.to_owned(), digest: true };
    let camera = scene::serve(scene::Spec { login: Some(login.clone()), ..drawn(2) }, 0).unwrap();
    let basic =
        scene::serve(scene::Spec { login: Some(scene::Login { digest: false, ..login }), ..drawn(3) }, 0).unwrap();
    let wrong = scene::Login { user: "owner".to_owned(), password: "another".to_owned(), digest: true };
    let refusing = scene::serve(scene::Spec { login: Some(wrong), ..drawn(5) }, 0).unwrap();
    let broker = Mosquitto::prepare(&["allow_anonymous false", "password_file {folder}/passwords"]).await;
    let passwords = broker.path("passwords");
    let mut made = Command::new("mosquitto_passwd");
    made.args(["-b", "-c"]).arg(&passwords).args(["owner", PASSWORD]);
    assert!(made.output().unwrap().status.success());
    let broker = broker.started().await;
    let cameras = [("yard", camera.url()), ("basic", basic.url()), ("refusing", refusing.url())];
    let rest = format!("{}image = true\n[log]\nlevel = \"trace\"\n", STANDING);
    let url = format!("url = \"mqtt://127.0.0.1:{}\"", broker.port);
    let mut service = Service::start(&config(&url, &cameras, &rest));
    let access = broker.access().with_login("owner", PASSWORD);
    let mut listener = within("it listens", Listener::connect(&access, "#")).await.unwrap();
    let mut heard = read_until(&mut listener, "the refusing camera is told of", |a| {
        a.topic == "wader/refusing/there/answer" && a.text().contains("stale")
    })
    .await;
    for topic in ["wader/yard/there/answer", "wader/basic/there/answer"] {
        heard.extend(read_until(&mut listener, topic, |a| a.topic == topic && a.text().contains("\"answer\"")).await);
    }
    // whoever asks for it
    let login = ["-u", "owner", "-P", PASSWORD];
    for text in ["${PASSWORD}", "{\"question\": \"${OWNER}\", \"x\": \"rtsp://a:b@c/d\"}"] {
        publish(broker.port, "wader/yard/ask", text, &login).await;
        publish(broker.port, "wader/prompts/x/set", text, &login).await;
    }
    heard.extend(read_until(&mut listener, "they are refused", |a| a.topic == "wader/error").await);
    let file = service.path("wader.toml").display().to_string();
    let mut texts: Vec<(String, Vec<u8>)> =
        heard.into_iter().map(|a| (a.topic.clone(), [a.topic.as_bytes(), b" ", &a.payload].concat())).collect();
    for command in [
        &["check", "--print", "--config", &file][..],
        &["ask", "--config", &file, "yard", "is it there"],
        &["ask", "--config", &file, "refusing", "is it there"],
        &["history", "--config", &file, "--json"],
    ] {
        let said = wader(command).await;
        texts.push((format!("{command:?}"), format!("{}{}", said.out, said.err).into_bytes()));
    }
    // its configuration with a mistake beside each password
    let written = fs::read_to_string(&file).unwrap();
    let wrong = service.path("wrong.toml").display().to_string();
    for (from, to) in [
        ("rtsp://", "rtps://"),
        ("rtsp://", "rtsp//"),
        ("mqtt://", "http://"),
        ("password", "pasword"),
        ("@127.0.0.1", "@"),
        ("password = \"", "password = "),
        (" = \"rtsp", " = rtsp"),
    ] {
        fs::write(&wrong, written.replace(from, to)).unwrap();
        let said = wader(&["check", "--config", &wrong]).await;
        assert_ne!(said.code, 0, "{from} -> {to}");
        texts.push((format!("{from} -> {to}"), said.err.into_bytes()));
    }
    assert!(written.contains(CANARY));
    assert!(service.terminate().await.success(), "{}", service.log());
    texts.push(("log".to_owned(), service.log().into_bytes()));
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let hits: Vec<&str> = texts.iter().filter(|(_, text)| tells(text)).map(|(what, _)| what.as_str()).collect();
    assert_eq!(hits, Vec::<&str>::new(), "{}", service.log());
    let cores = leaves_a_core("sh -c 'echo begun >&2; read line'");
    let own = leaves_a_core(&format!("{} run --config {file}", env!("CARGO_BIN_EXE_wader")));
    assert!(!own, "a core dump holds passwords");
    record(&Row {
        row: 47,
        run: "faults::hostile::row_47",
        fault: "canary passwords of three cameras and a broker; every log line, topic, command and report searched",
        target: "hits 0, no core",
        detection: format!("{} texts, {bytes} bytes: {} hits", texts.len(), hits.len()),
        recovery: "none needed".to_owned(),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: 0.to_string(),
        effect: format!("killed by SIGABRT it leaves a core: {own}; another program here: {cores}"),
        met: hits.is_empty() && !own,
    });
    // what it left in its folder is searched where it goes, as after each run of the service
}
