//! While the service begins: what it hears then, and what is told where it cannot.

use std::{
    fs::{self, File, OpenOptions},
    net::TcpListener,
    process::Command,
    time::Duration,
};

use wader::frame::Stamp;

use crate::support::{
    broker::{Mosquitto, within},
    model::{FolderCopy, oracle_folder},
    service::{Service, THERE, answer, config, listen, wader},
};

/// The oracle, which takes as long to load as a test wants.
struct SlowModel(FolderCopy);

impl SlowModel {
    fn new() -> Self {
        let copy = FolderCopy::new();
        let manifest = copy.path().join("manifest.json");
        fs::remove_file(&manifest).unwrap();
        assert!(Command::new("mkfifo").arg(&manifest).status().unwrap().success());
        Self(copy)
    }

    /// Waits until it is being loaded, which goes on once what comes is written to, or dropped.
    async fn is_asked(&self) -> File {
        let manifest = self.0.path().join("manifest.json");
        let opening = tokio::task::spawn_blocking(move || OpenOptions::new().write(true).open(manifest));
        within("the model is being loaded", opening).await.unwrap().unwrap()
    }

    /// Takes no time any more: lets a load that waits go on.
    fn hurry(&self, mut load: File) {
        let manifest = self.0.path().join("manifest.json");
        let text = fs::read(oracle_folder().join("manifest.json")).unwrap();
        fs::remove_file(&manifest).unwrap();
        fs::write(manifest, &text).unwrap();
        std::io::Write::write_all(&mut load, &text).unwrap();
    }

    /// A configuration with it.
    fn config(&self, broker: &str, rest: &str) -> String {
        let text = config(&format!("url = \"{broker}\""), &[("door", "test:pattern")], rest);
        text.replace(oracle_folder().to_str().unwrap(), self.0.path().to_str().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_while_the_model_is_loaded_is_taken_in() {
    let mosquitto = Mosquitto::start(&[]).await;
    let (url, model) = (format!("mqtt://127.0.0.1:{}", mosquitto.port), SlowModel::new());
    let mut service = Service::start(&model.config(&url, THERE));
    let load = model.is_asked().await;
    service.rewrite(&model.config(&url, &THERE.replace("prompts.there", "prompts.here")));
    model.hurry(load);
    let mut listener = listen(&url).await;
    answer(&mut listener, "wader/door/here/answer").await;
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_model_is_loaded_does_not_wait_for_it() {
    let model = SlowModel::new();
    let mut service = Service::start(&model.config("mqtt://127.0.0.1:1", THERE));
    let load = model.is_asked().await;
    let begun = Stamp::now();
    let status = service.terminate().await;
    let took = Stamp::now().since(begun);
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}: {}", service.log());
    assert!(service.log().contains("before all had begun"), "{}", service.log());
    fs::remove_file(model.0.path().join("manifest.json")).unwrap();
    drop(load);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_beginning_is_told_to_its_cause() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let broker = format!("url = \"embedded\"\nlisten = \"{address}\"");
    let mut service = Service::start(&config(&broker, &[("door", "test:pattern")], THERE));
    let status = service.ended().await;
    let log = service.log();
    assert_eq!(status.code(), Some(69), "{log}");
    assert!(log.contains(&format!("wader: cannot start a broker on `{address}`: ")), "{log}");
    assert!(log.contains("Address already in use"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_wader_of_one_name_and_state_folder_does_not_begin() {
    let (mosquitto, state) = (Mosquitto::start(&[]).await, tempfile::tempdir().unwrap());
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let text = config(&format!("url = \"{url}\""), &[("door", "test:pattern")], THERE);
    let text = format!("{text}\n[paths]\nstate = \"{}\"\n", state.path().display());
    let mut listener = listen(&url).await;
    let mut first = Service::start(&text);
    answer(&mut listener, "wader/door/there/answer").await;
    let mut second = Service::start(&text);
    assert_eq!(second.ended().await.code(), Some(69), "{}", second.log());
    let log = second.log();
    assert!(log.contains("wader: another wader (process ") && log.contains("runs as client `wader`"), "{log}");
    assert!(first.terminate().await.success() && !first.log().contains("broker_lost"), "{}", first.log());
    // who ends leaves nothing in the way, and another name is another wader
    let (mut next, other) = (Service::start(&text), text.replace("[mqtt]\n", "[mqtt]\nprefix = \"other\"\n"));
    answer(&mut listener, "wader/door/there/answer").await;
    assert_ne!(other, text);
    let mut other = Service::start(&other);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(other.terminate().await.success() && next.terminate().await.success(), "{}", other.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_no_camera_can_begin_with_is_refused_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pipelines")).unwrap();
    fs::write(folder.path().join("pipelines/own.gst"), "videotestsrc ! appsink name=frames").unwrap();
    let cameras = "[cameras.door]\nurl = \"rtsp://127.0.0.1:9/none\"\npipeline = \"own\"\n";
    let file = folder.path().join("wader.toml");
    fs::write(&file, format!("[model]\npath = \"{}\"\n{cameras}", oracle_folder().display())).unwrap();
    let said = wader(&["check", "--config", file.to_str().unwrap()]).await;
    let wrong = "camera `door`: the pipeline `own` has no `identity name=sample`";
    assert!(said.code == 78 && said.err.contains(wrong) && !said.err.contains("is good"), "{said:?}");
}
