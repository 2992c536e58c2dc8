//! The picture that an answer is about, published beside it.

use std::time::Duration;

use wader::{camera, frame::Size, mqtt::Listener, scene};

use crate::support::{
    broker::{Mosquitto, within},
    service::{Service, config, listen, until},
    video::drawn,
};

const PROMPTS: &str = r#"
[prompts.seen]
ask = "count reference"
answer = "choice"
choices = ["count", "reference"]
every = "500ms"
window = { frames = 2, span = "1s" }
publish = "always"
image = true
[prompts.unseen]
ask = "count reference"
answer = "choice"
choices = ["count", "reference"]
every = "500ms"
window = { frames = 2, span = "1s" }
publish = "always"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_picture_comes_with_each_answer_where_that_is_wanted() {
    let mosquitto = Mosquitto::start(&[]).await;
    let camera = scene::serve(drawn(4), 0).unwrap();
    let broker = format!("url = \"mqtt://127.0.0.1:{}\"\n", mosquitto.port);
    let text = config(&broker, &[("yard", camera.url())], PROMPTS);
    let mut service = Service::start(&text);
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let mut listener = listen(&url).await;
    let picture = until(&mut listener, "a picture comes", |a| a.topic.ends_with("/image")).await;
    assert_eq!(picture.topic, "wader/yard/seen/image");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen.jpg");
    std::fs::write(&file, &picture.payload).unwrap();
    // the oracle's size; a street has more than one colour
    let pixels = camera::still(&file, Size { width: 64, height: 48 }).unwrap().pixels;
    let (least, most) = (pixels.iter().min().unwrap(), pixels.iter().max().unwrap());
    assert!(most - least > 60, "{least} to {most}");
    let answers = async |listener: &mut Listener| {
        let mut topics = Vec::new();
        while topics.iter().filter(|topic: &&String| topic.ends_with("/unseen/answer")).count() < 3 {
            topics.push(listener.next().await.unwrap().topic);
        }
        topics
    };
    let topics = within("answers come", answers(&mut listener)).await;
    assert!(topics.iter().any(|topic| topic == "wader/yard/seen/image"), "{topics:?}");
    assert!(!topics.iter().any(|topic| topic == "wader/yard/unseen/image"), "{topics:?}");
    assert!(service.terminate().await.success(), "{}", service.log());
    // who comes late sees the last one
    let mut late = listen(&url).await;
    let kept =
        tokio::time::timeout(Duration::from_secs(10), until(&mut late, "it is kept", |a| a.topic.ends_with("/image")));
    assert!(kept.await.unwrap().retained);
    // and who does not want them any more finds none
    let mut service = service.restart_ended_with(&text.replace("image = true", ""));
    until(&mut late, "it is cleared", |a| a.topic.ends_with("/image") && a.payload.is_empty()).await;
    assert!(service.terminate().await.success(), "{}", service.log());
}
