//! While the service begins: what it hears then, and what is told where it cannot.

use std::{fs, net::TcpListener};

use crate::support::{
    model::oracle_folder,
    service::{Service, THERE, config, wader},
};

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
