//! The page and the figures for Prometheus, asked for as a browser would.

use tokio::{io::AsyncWriteExt, net::TcpStream};
use wader::scene;

use crate::support::{
    broker::{Mosquitto, publish},
    service::{Service, THERE, answer, config, listen},
    video::drawn,
    web::{ANY_PORT, address, get, get_as, until},
};

/// The value of a figure, by its name with all labels.
fn figure(figures: &str, name: &str) -> Option<f64> {
    figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_shown_to_people_and_to_prometheus() {
    let camera = scene::serve(drawn(1), 0).unwrap();
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let text =
        config(&format!("url = \"{url}\""), &[("door", camera.url()), ("yard", "rtsp://127.0.0.1:1/none")], THERE);
    let mut service = Service::start(&(text + ANY_PORT));
    let address = address(&service).await;
    let mut listener = listen(&url).await;
    for _ in 0..3 {
        answer(&mut listener, "wader/door/there/answer").await;
    }
    let page = until(address, "/", "the answer is shown", |page| page.contains("is it there")).await;
    for part in [
        "door <span class=\"word online\">",
        "yard <span class=\"word offline\">",
        " s ago",
        "wader ",
        "frames <code>timed</code>",
    ] {
        assert!(page.contains(part), "no {part}: {page}");
    }
    assert!(get(address, "/style.css").await.contains("color-scheme"));

    let figures = get(address, "/metrics").await;
    let answers: f64 = figures
        .lines()
        .filter(|line| line.starts_with("wader_answers_total{camera=\"door\",prompt=\"there\""))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert!(answers >= 3.0, "{figures}");
    for (name, value) in [
        ("wader_broker_connected", 1.0),
        ("wader_configuration_refused", 0.0),
        ("wader_camera_online{camera=\"door\"}", 1.0),
        ("wader_camera_online{camera=\"yard\"}", 0.0),
        ("wader_events_total{event=\"ready\"}", 1.0),
        ("wader_messages_lost_total{reason=\"full\"}", 0.0),
        ("wader_history_lost_total", 0.0),
    ] {
        assert_eq!(figure(&figures, name), Some(value), "{name}: {figures}");
    }
    let age = "wader_answer_age_seconds_count{camera=\"door\",prompt=\"there\"}";
    assert!(figure(&figures, age).is_some_and(|count| count >= 3.0), "{figures}");
    assert!(figures.ends_with("# EOF\n"), "{figures}");

    publish(mosquitto.port, "wader/door/there/enabled/set", "OFF", &[]).await;
    until(address, "/", "the prompt is off", |page| page.contains("class=\"word off\"")).await;
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_published_on_change_is_not_late_while_it_is_given_again() {
    let camera = scene::serve(drawn(1), 0).unwrap();
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let same = "[prompts.same]\nask = \"count reference\"\nanswer = \"choice\"\nchoices = [\"count\", \"reference\"]\n\
                every = \"500ms\"\nwindow = { frames = 2, span = \"1s\" }\n";
    let mut service =
        Service::start(&(config(&format!("url = \"{url}\""), &[("door", camera.url())], same) + ANY_PORT));
    let address = address(&service).await;
    let mut listener = listen(&url).await;
    let said = answer(&mut listener, "wader/door/same/answer").await;
    let ends: jiff::Timestamp = said.valid_until.parse().unwrap();
    while jiff::Timestamp::now() < ends + jiff::SignedDuration::from_secs(1) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let page = get(address, "/").await;
    assert!(page.contains("<span class=\"word answer\">") && !page.contains("late"), "{page}");
    // what is not given any more is late, or its camera is known to be away
    camera.kill();
    until(address, "/", "it does not hold any more", |page| !page.contains("<span class=\"word answer\">")).await;
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_for_this_machine_and_holds_no_more_than_a_few_connections() {
    let mosquitto = Mosquitto::start(&[]).await;
    let broker = format!("url = \"mqtt://127.0.0.1:{}\"", mosquitto.port);
    let text = config(&broker, &[("door", "rtsp://127.0.0.1:1/none")], THERE);
    let mut service = Service::start(&(text + ANY_PORT));
    let address = address(&service).await;
    let (head, _) = get_as(address, "/", "localhost").await;
    for line in
        ["content-security-policy: default-src 'none'", "cache-control: no-store", "x-content-type-options: nosniff"]
    {
        assert!(head.contains(line), "no {line}: {head}");
    }
    for path in ["/", "/metrics", "/style.css"] {
        let (head, body) = get_as(address, path, "evil.example").await;
        assert!(head.starts_with("HTTP/1.1 421 ") && body.contains("127.0.0.1"), "{head}\n{body}");
    }
    assert!(get_as(address, "/../etc/passwd", "localhost").await.0.starts_with("HTTP/1.1 404 "));

    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", service.pid().as_raw_nonzero())).unwrap().count();
    let before = descriptors();
    let mut many = Vec::new();
    // as many more as the kernel lets wait
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.ok();
        many.push(stream);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(descriptors() <= before + 20, "{} descriptors, {before} before", descriptors());
    drop(many);
    get(address, "/").await;
    assert!(service.terminate().await.success(), "{}", service.log());
}
