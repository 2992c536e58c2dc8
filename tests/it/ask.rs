//! Questions that are asked once.

use std::{fs, path::Path};

use wader::scene;

use crate::support::{
    broker::{free_port, publish},
    model::oracle_folder,
    service::{Said, Service, config, listen, until, wader},
    video::drawn,
};

/// A picture of one grey, of the oracle's size.
fn write_png(file: &Path, level: u8) {
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(fs::File::create(file).unwrap()), 64, 48);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[level; 64 * 48 * 3]).unwrap();
}

async fn ask(rest: &[&str]) -> Said {
    let oracle = oracle_folder();
    wader(&[&["ask", "--model", oracle.to_str().unwrap(), "--device", "cpu"], rest].concat()).await
}

#[tokio::test]
async fn a_question_is_asked_about_a_picture_without_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grey.png");
    write_png(&file, 90);
    let picture = file.to_str().unwrap();
    let said = ask(&["count reference", "--choices", "count,reference", "--image", picture, "--json"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let answer = wader::answer::wire::read_answer(said.out.as_bytes()).unwrap();
    assert_eq!((answer.camera.as_str(), answer.prompt.as_str(), answer.window.frames), ("file", "ask", 1));
    let share = |label: &str| answer.candidates.iter().find(|c| c.answer == label).unwrap().share;
    // the oracle reads how many frames it was given
    assert!(((share("count") / share("reference")).ln() - 1.0).abs() < 0.01, "{answer:?}");
    let said = ask(&["count reference", "--choices", "count,reference", "--image", picture]).await;
    assert_eq!((said.code, said.out.trim()), (0, "count"), "{said:?}");
    assert!(said.err.contains("probability 0.73, from 1 picture"), "{said:?}");
}

#[tokio::test]
async fn an_answer_can_be_json_of_a_schema() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, schema) = (folder.path().join("grey.png"), folder.path().join("schema.json"));
    write_png(&picture, 90);
    let property = r#"{"enum": ["count", "reference"], "description": "count reference"}"#;
    fs::write(&schema, format!(r#"{{"type": "object", "required": ["n"], "properties": {{"n": {property}}}}}"#))
        .unwrap();
    let (picture, schema) = (picture.to_str().unwrap(), schema.to_str().unwrap());
    let said = ask(&["count reference", "--schema", schema, "--image", picture]).await;
    assert_eq!((said.code, said.out.trim()), (0, r#"{"n":"count"}"#), "{said:?}");
    fs::write(schema, r#"{"typ": "object"}"#).unwrap();
    let said = ask(&["count reference", "--schema", schema, "--image", picture]).await;
    assert!(said.code == 69 && said.err.contains("is no schema for an answer"), "{said:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_and_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grey.png");
    write_png(&file, 90);
    let picture = file.to_str().unwrap();
    let said = ask(&["is a zeppelin there", "--image", picture]).await;
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains("unsure (unknown_words): zeppelin"), "{said:?}");
    let said = ask(&["is it there", "--image", folder.path().join("none.png").to_str().unwrap()]).await;
    assert!(said.code == 69 && said.err.contains("none.png` cannot be decoded as a picture"), "{said:?}");
    let said = ask(&["is it there ".repeat(90).trim(), "--image", picture]).await;
    assert!(said.code == 69 && said.err.contains("and 256 are the most"), "{said:?}");
    // a schema of a hundred answers, each of which takes the question once more
    let words = ["is", "it", "there", "f0", "g0", "camera", "reference", "how", "many"];
    let pairs = words.iter().flat_map(|one| words.iter().map(move |other| format!("{one} {other} is")));
    let property = serde_json::json!({ "description": "is it there ".repeat(38), "enum": pairs.collect::<Vec<_>>() });
    let schema = folder.path().join("schema.json");
    fs::write(&schema, serde_json::json!({ "type": "object", "properties": { "a": property } }).to_string()).unwrap();
    let said = ask(&["is it there", "--image", picture, "--schema", schema.to_str().unwrap()]).await;
    assert!(said.code == 69 && said.err.contains("and 8192 are the most"), "{said:?}");
    let said = ask(&["is it there", "--clip", picture, "--at", "60"]).await;
    assert!(said.code == 69 && said.err.contains("ends at 0.0 s, before that moment"), "{said:?}");
    fs::write(&file, "no picture").unwrap();
    let said = ask(&["is it there", "--clip", picture]).await;
    assert!(said.code == 69 && said.err.contains("cannot be decoded"), "{said:?}");
    for wrong in [["--choices", "open"], ["--choices", "a,a"], ["--number", "9..1"]] {
        let said = ask(&["is it there", "--image", picture, wrong[0], wrong[1]]).await;
        assert_ne!(said.code, 0, "{wrong:?}: {said:?}");
    }
    let said = wader(&["ask", "is it there", "--image", picture, "--model", "no/model"]).await;
    assert_eq!(said.code, 69, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_service_is_asked_about_a_camera() {
    let camera = scene::serve(drawn(9), 0).unwrap();
    let port = free_port().await;
    let prompt = "[prompts.there]\nask = \"is it there\"\nanswer = \"yes_no\"\nevery = \"1h\"\n";
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let mut service = Service::start(&config(&broker, &[("yard", camera.url())], prompt));
    let file = service.path("wader.toml").display().to_string();
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    until(&mut listener, "the camera is online", |a| a.topic == "wader/yard/status" && a.text() == "online").await;

    let asked = ["ask", "--config", &file, "yard", "camera reference", "--choices", "camera,reference", "--json"];
    let said = wader(&asked).await;
    assert_eq!(said.code, 0, "{said:?}");
    let answer = wader::answer::wire::read_answer(said.out.as_bytes()).unwrap();
    let share = |label: &str| answer.candidates.iter().find(|c| c.answer == label).unwrap().share;
    assert!(((share("camera") / share("reference")).ln() - 9.0).abs() < 0.05, "{answer:?}");
    assert!(answer.window.frames >= 1 && answer.latency_ms.is_some(), "{answer:?}");
    let said = wader(&["ask", "--config", &file, "yard", "is a zeppelin there"]).await;
    assert!(said.code == 1 && said.err.contains("unsure (unknown_words): zeppelin"), "{said:?}");

    // as any client of the broker would, with and without a topic for the answer
    let ask = |text: &str, respond_to| listener.ask("wader/yard/ask", text.as_bytes(), respond_to).unwrap();
    ask(r#"{"question": "count reference", "choices": ["count", "reference"], "id": "mine"}"#, "wader/response/me/1");
    let arrival = until(&mut listener, "the answer", |a| a.topic == "wader/response/me/1").await;
    assert!(!arrival.retained && arrival.expiry.is_some(), "{arrival:?}");
    let answer = wader::answer::wire::read_answer(&arrival.payload).unwrap();
    assert_eq!((answer.request.as_deref(), answer.outcome.as_str()), (Some("mine"), "answer"), "{answer:?}");
    listener.ask("wader/yard/ask", b"is it there", "elsewhere/answers").unwrap();
    listener.ask("wader/door/ask", br#"{"question": "is it there", "id": "theirs"}"#, "wader/response/me/2").unwrap();
    listener.ask("wader/yard/ask", b"{\"question\": 5}", "wader/response/me/2").unwrap();
    for code in ["bad_response_topic", "unknown_camera", "bad_payload"] {
        let arrival = until(&mut listener, code, |a| a.topic == "wader/error").await;
        assert!(arrival.text().contains(&format!("\"code\":\"{code}\"")), "{}", arrival.text());
        assert_eq!(arrival.text().contains("\"id\":\"theirs\""), code == "unknown_camera", "{}", arrival.text());
    }
    publish(port, "wader/yard/ask", "is it there", &[]).await;
    let arrival = until(&mut listener, "an answer for all", |a| a.topic == "wader/yard/ask/answer").await;
    assert_eq!(wader::answer::wire::read_answer(&arrival.payload).unwrap().kind, "yes_no");

    camera.kill();
    until(&mut listener, "the camera is offline", |a| a.topic == "wader/yard/status" && a.text() == "offline").await;
    let said = wader(&["ask", "--config", &file, "yard", "is it there"]).await;
    assert!(said.code == 1 && said.err.contains("stale (camera_offline)"), "{said:?}");
    assert!(service.terminate().await.success(), "{}", service.log());
    let said = wader(&["ask", "--config", &file, "yard", "is it there", "--timeout", "1"]).await;
    assert!(said.code == 69 && said.err.contains("cannot ask by way of the broker"), "{said:?}");
    let said = wader(&["ask", "--config", &file, "garage", "is", "it", "there"]).await;
    assert!(said.code == 69 && said.err.contains("no camera `garage`; there are yard"), "{said:?}");
}
