//! Cameras, received over real RTSP: what arrives, and what is said when nothing does.

#![expect(clippy::unwrap_used, reason = "what a test builds on fails it")]

use std::{collections::HashMap, sync::Arc, time::Duration};

use wader::{
    camera::{Address, Camera, Canvas, Description, Error, Filter, Fit, Latest, Patience, Spec},
    frame::{Frame, Size, Stamp},
    scene::{self, Codec, Login},
    supervise::Stop,
};

use crate::support::{
    evil_rtsp::{Evil, Manners},
    video::{DEADLINE, SMALL, drawn, refuse_with, spec, watch, watch_scene},
};

/// Whether what is shown of an error or a spec holds a secret.
fn assert_hidden(secret: &str, error: &Error, spec: &Spec) {
    for shown in [error.to_string(), format!("{error:?}"), format!("{spec:?}"), spec.address.to_string()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

async fn receives(codec: Codec) {
    let served = scene::serve(scene::Spec { video: Some(codec), sound: true, ..drawn(5) }, 0).unwrap();
    let mut watching = watch_scene(&served);
    let mut last: Option<(u32, Stamp)> = None;
    for _ in 0..20 {
        let (frame, barcode) = watching.barcode().await;
        assert_eq!((barcode.camera(), frame.size), (5, SMALL));
        assert_eq!(frame.pixels.len(), 64 * 48 * 3);
        // Stamps are true: the frame was sent, by its number, shortly before that.
        let sent = served.began().later_by(Duration::from_millis(40) * barcode.frame());
        // The jitter buffer moves its time stamps by some milliseconds, both ways.
        let near =
            sent.earlier_by(Duration::from_millis(50)).unwrap_or(served.began())..sent.later_by(Duration::from_secs(2));
        assert!(near.contains(&frame.taken), "{barcode:?} sent {sent:?} taken {:?}", frame.taken);
        if let Some((number, taken)) = last {
            assert!(barcode.frame() > number && frame.taken > taken, "{barcode:?} at {:?} after {last:?}", frame.taken);
        }
        last = Some((barcode.frame(), frame.taken));
    }
    watching.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_is_received() {
    receives(Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_is_received() {
    receives(Codec::H265).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mjpeg_is_received() {
    receives(Codec::Mjpeg).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_keeps_its_proportions_where_the_model_wants_that() {
    let served = scene::serve(drawn(3), 0).unwrap();
    let square = Size { width: 64, height: 64 };
    let received = async |fit| {
        let canvas = Canvas { size: square, fit, filter: Filter::Bilinear };
        let mut watching = watch(&Arc::new(Camera::new(Spec { canvas, ..spec(served.url()) })));
        let frame = watching.frame().await;
        watching.end().await;
        frame
    };
    let inside = received(Fit::Inside { least: square }).await;
    assert_eq!((inside.size, inside.pixels.len()), (SMALL, 64 * 48 * 3));
    assert_eq!(scene::Barcode::read(&inside.pixels, inside.size).unwrap().camera(), 3, "nothing of it is cut off");
    let middle = received(Fit::Crop).await;
    assert_eq!((middle.size, middle.pixels.len()), (square, 64 * 64 * 3));
    assert_eq!(received(Fit::Stretch).await.size, square);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_may_leave_the_size_to_wader_where_pictures_are_stretched() {
    let text = "videotestsrc name=source ! identity name=sample ! videoscale ! videoconvert ! appsink name=frames";
    let pipeline = Description::parse("own", text).unwrap();
    let mut watching = watch(&Arc::new(Camera::new(Spec { pipeline, ..spec("test:pattern") })));
    assert_eq!(watching.frame().await.size, SMALL);
    watching.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_says_no_size_is_refused_where_proportions_are_to_be_kept() {
    let text = "videotestsrc name=source ! identity name=sample ! videoscale ! appsink name=frames";
    let pipeline = Description::parse("own", text).unwrap();
    let size = Size { width: 64, height: 64 };
    let canvas = Canvas { fit: Fit::Crop, ..size.into() };
    let spec = Spec { canvas, pipeline, ..spec("test:pattern") };
    let error = Camera::new(spec).run(&Latest::new(), &Stop::new()).await.unwrap_err();
    assert!(error.to_string().contains("scale to `video/x-raw,width={width},height={height}`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_as_many_frames_as_asked_for_are_kept() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let camera = Camera::new(Spec { frames_per_second: 5.0, ..spec(served.url()) });
    let mut watching = watch(&Arc::new(camera));
    let mut numbers = Vec::new();
    while numbers.len() < 8 {
        let (frame, barcode) = watching.barcode().await;
        numbers.push((barcode.frame(), frame.number));
    }
    for pair in numbers.windows(2) {
        // A frame that this test was too slow to take is missing in both counts.
        let (frames, kept) = (pair[1].0 - pair[0].0, u32::try_from(pair[1].1 - pair[0].1).unwrap());
        assert!(4 * kept <= frames, "{numbers:?}");
        // The scene may have sent its first frames before it was ready to send all.
        assert!(frames <= 6 * kept || pair[0] == numbers[0], "{numbers:?}");
    }
    watching.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_frames_alone_are_decoded_where_that_is_asked_for() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let mut watching = watch(&Arc::new(Camera::new(Spec { key_frames_only: true, ..spec(served.url()) })));
    let mut last = watching.barcode().await.1.frame();
    for _ in 0..3 {
        let number = watching.barcode().await.1.frame();
        // Or later, where the scene was too slow to send all frames.
        assert!(number >= last + 12, "{number} after {last}");
        last = number;
    }
    watching.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frame_numbers_go_on_across_runs() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let camera = Arc::new(Camera::new(spec(served.url())));
    let mut first = watch(&camera);
    first.frame().await;
    let last = first.frame().await;
    first.end().await;
    let mut second = watch(&camera);
    let next = second.frame().await;
    assert!(next.number > last.number && next.taken > last.taken, "{next:?} after {last:?}");
    second.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_dropped_leaves_the_camera() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let (camera, frames, stop) = (Camera::new(spec(served.url())), Latest::new(), Stop::new());
    tokio::select! {
        ended = camera.run(&frames, &stop) => panic!("{ended:?}"),
        _ = frames.take() => {}
    }
    let left = async {
        while served.is_watched() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, left).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_any_characters_opens_the_camera() {
    for digest in [false, true] {
        let login = Login { user: "front desk".to_owned(), password: "p@ss:/w ö%?#&".to_owned(), digest };
        let served = scene::serve(scene::Spec { login: Some(login), ..drawn(1) }, 0).unwrap();
        let mut watching = watch_scene(&served);
        watching.barcode().await;
        watching.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_hidden() {
    let login = Login { user: "admin".to_owned(), password: "right".to_owned(), digest: true };
    let served = scene::serve(scene::Spec { login: Some(login), ..drawn(1) }, 0).unwrap();
    for url in [served.url().replace("//", "//admin:hunter2@"), served.url().to_owned()] {
        let spec = spec(&url);
        let error = watch(&Arc::new(Camera::new(spec.clone()))).broken().await;
        assert!(matches!(error, Error::Credentials { .. }), "{error}");
        assert_eq!(error.patience(), Patience::Seldom);
        assert_hidden("hunter2", &error, &spec);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_does_not_hammer_a_camera_that_refuses() {
    let camera = refuse_with(Some("401 Unauthorized"));
    let spec = spec(&camera.url.replace("//", "//admin:hunter2@"));
    let error = watch(&Arc::new(Camera::new(spec.clone()))).broken().await;
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
    assert_hidden("hunter2", &error, &spec);
    // Once without the password, to be challenged, and once or twice with it.
    assert!((1..=3).contains(&camera.requests()), "{} requests", camera.requests());
}

/// rtspsrc itself would send it eight times with each of these requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_refuses_only_when_a_stream_begins_is_not_hammered_either() {
    for kind in ["SETUP", "PLAY"] {
        let camera = Evil::start(Manners::Late(kind)).await;
        let spec = spec(&camera.url.replace("//", "//admin:hunter2@"));
        watch(&Arc::new(Camera::new(spec))).broken().await;
        assert!((1..=3).contains(&camera.passwords()), "{} passwords with {kind}", camera.passwords());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_refuses_says_how() {
    for (status, code) in [("503 Service Unavailable", 503), ("403 Forbidden", 403), ("500 Oops", 500)] {
        let camera = refuse_with(Some(status));
        let error = watch(&Arc::new(Camera::new(spec(&camera.url)))).broken().await;
        assert_eq!(error, Error::Refused { address: camera.url.clone(), code });
    }
    let camera = refuse_with(Some("404 Not Found"));
    let error = watch(&Arc::new(Camera::new(spec(&camera.url)))).broken().await;
    assert_eq!(error, Error::NotFound { address: camera.url.clone() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_or_port_is_told_quickly() {
    // Nobody listens on a port that was free a moment ago, and no host ends in `.invalid`.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for host in [closed.to_string(), "camera.invalid".to_owned()] {
        let spec = Spec { silence: Duration::from_secs(30), ..spec(&format!("rtsp://u:hunter2@{host}/s")) };
        let began = Stamp::now();
        let error = watch(&Arc::new(Camera::new(spec.clone()))).broken().await;
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        // Long before silence would be noticed.
        assert!(Stamp::now().since(began) < Duration::from_secs(20), "{error}");
        assert_hidden("hunter2", &error, &spec);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_accepts_and_says_nothing_is_unreachable() {
    let mute = refuse_with(None);
    let spec = Spec { silence: Duration::from_secs(1), ..spec(&mute.url) };
    let error = watch(&Arc::new(Camera::new(spec))).broken().await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_killed_is_noticed_and_received_again_when_it_is_back() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let port = served.port();
    let camera = Arc::new(Camera::new(spec(served.url())));
    let mut watching = watch(&camera);
    watching.barcode().await;
    served.kill();
    let error = watching.broken().await;
    assert!(matches!(error, Error::Ended | Error::Silent { .. } | Error::Pipeline { .. }), "{error}");
    assert_eq!(error.patience(), Patience::Soon);
    let away = watch(&camera).broken().await;
    assert!(matches!(away, Error::Unreachable { .. }), "{away}");
    let _back = scene::serve(drawn(2), port).unwrap();
    let mut watching = watch(&camera);
    assert_eq!(watching.barcode().await.1.camera(), 2);
    watching.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_falls_silent_is_noticed() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let limit = Duration::from_secs(1);
    let mut watching = watch(&Arc::new(Camera::new(Spec { silence: limit, ..spec(served.url()) })));
    watching.barcode().await;
    served.go_silent();
    assert_eq!(watching.broken().await, Error::Silent { r#for: limit });
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_keep_their_size_when_the_picture_changes_its_own() {
    for codec in [Codec::H264, Codec::Mjpeg] {
        let served = scene::serve(scene::Spec { video: Some(codec), ..drawn(1) }, 0).unwrap();
        let mut watching = watch_scene(&served);
        watching.barcode().await;
        for size in [Size { width: 480, height: 320 }, Size { width: 160, height: 120 }] {
            served.change_size(size).unwrap();
            // All frames in flight are of the old size; after a second of frames they are of the new one.
            let until = watching.barcode().await.1.frame() + 25;
            loop {
                let (frame, barcode) = watching.barcode().await;
                assert_eq!(frame.size, SMALL);
                if barcode.frame() > until {
                    break;
                }
            }
        }
        watching.end().await;
    }
}

/// Frames by their numbers, of a whole stream and of the same with two packets in a hundred lost.
async fn with_and_without_loss(codec: Codec) -> [HashMap<u32, Frame>; 2] {
    let served =
        scene::serve(scene::Spec { video: Some(codec), start: Duration::from_secs(8), ..drawn(1) }, 0).unwrap();
    let lossy = "rtspsrc name=source protocols=tcp ! application/x-rtp,media=video ! identity drop-probability=0.02 \
                 ! decodebin force-sw-decoders=true ! identity name=sample ! videoscale ! videoconvert \
                 ! appsink name=frames";
    let whole = Spec { canvas: drawn(1).size.into(), ..spec(served.url()) };
    let lossy = Spec { pipeline: Description::parse("lossy", lossy).unwrap(), ..whole.clone() };
    let cameras = [whole, lossy].map(|spec| Arc::new(Camera::new(spec)));
    let [mut whole, mut lossy] = [&cameras[0], &cameras[1]].map(watch);
    let mut seen = [HashMap::new(), HashMap::new()];
    // Until enough came of both, of which some that the other did not get.
    while seen.iter().any(|seen| seen.len() < 60) || seen[0].keys().all(|number| seen[1].contains_key(number)) {
        let (index, (frame, barcode)) = tokio::select! {
            seen = whole.barcode() => (0, seen),
            seen = lossy.barcode() => (1, seen),
        };
        seen[index].insert(barcode.frame(), frame);
    }
    whole.end().await;
    lossy.end().await;
    let [of_whole, of_lossy] = [&cameras[0], &cameras[1]].map(|camera| camera.stream().withheld);
    assert!(of_whole == 0 && of_lossy > 0, "{codec:?}: {of_whole} withheld without loss, {of_lossy} with it");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_packets_cost_frames_but_damage_none() {
    for codec in [Codec::H264, Codec::H265] {
        let [whole, lossy] = with_and_without_loss(codec).await;
        for (number, frame) in &lossy {
            assert!(
                whole.get(number).is_none_or(|whole| whole.pixels == frame.pixels),
                "{codec:?}: {number} is damaged"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_sound_alone_is_no_video() {
    let served = scene::serve(scene::Spec { video: None, ..drawn(1) }, 0).unwrap();
    let error = watch_scene(&served).broken().await;
    assert_eq!(error, Error::NoVideo { address: served.url().to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_pattern_and_a_file_are_cameras_too() {
    let pattern = Spec {
        address: Address::parse("test:pattern").unwrap(),
        pipeline: Description::built_in("test-pattern").unwrap(),
        ..spec("rtsp://nowhere/")
    };
    let mut watching = watch(&Arc::new(Camera::new(pattern)));
    let (first, second) = (watching.frame().await, watching.frame().await);
    assert_eq!((first.size, second.size), (SMALL, SMALL));
    assert_ne!(first.pixels, second.pixels);
    watching.end().await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a clip.mkv");
    let clip = scene::Clip { scene: drawn(9), length: Duration::from_secs(1), to: file.clone() };
    scene::clip(&clip, |_, _| {}).unwrap();
    let recorded = Spec {
        address: Address::parse(url::Url::from_file_path(&file).unwrap().as_str()).unwrap(),
        pipeline: Description::built_in("file").unwrap(),
        ..spec("rtsp://nowhere/")
    };
    let mut watching = watch(&Arc::new(Camera::new(recorded.clone())));
    let (frame, barcode) = watching.barcode().await;
    assert_eq!((barcode.camera(), frame.size), (9, SMALL));
    assert_eq!(watching.broken().await, Error::Ended);

    std::fs::remove_file(&file).unwrap();
    let error = watch(&Arc::new(Camera::new(recorded))).broken().await;
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_description_parses_or_names_what_is_missing() {
    for name in Description::built_in_names() {
        let address = match name {
            "file" => "file:///does/not/exist.mkv",
            "test-pattern" => "test:pattern",
            _ => "rtsp://127.0.0.1:9/s",
        };
        let pipeline = Description::built_in(name).unwrap();
        let spec = Spec { address: Address::parse(address).unwrap(), pipeline, ..spec("rtsp://nowhere/") };
        let (frames, stop) = (Latest::new(), Stop::new());
        let camera = Camera::new(spec);
        let ended = tokio::select! {
            ended = camera.run(&frames, &stop) => ended,
            _ = frames.take() => Ok(()),
        };
        match ended {
            Ok(()) | Err(Error::Unreachable { .. } | Error::NotFound { .. }) => {}
            Err(Error::MissingElement { element, remedy }) => {
                assert!(
                    element.starts_with("nv") || element.starts_with("va") || element.starts_with("cuda"),
                    "{element}"
                );
                assert!(remedy.contains("rtsp-cpu"), "{remedy}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_of_ones_own_is_refused_with_its_reason() {
    for (text, says) in [
        ("nonesuch name=source ! identity name=sample ! appsink name=frames", "GStreamer has no `nonesuch`"),
        ("fakesrc name=source ! identity name=sample ! appsink name=frames", "takes no address"),
        ("rtspsrc name=source colour=red ! identity name=sample ! appsink name=frames", "no property \"colour\""),
    ] {
        let spec =
            Spec { pipeline: Description::parse("own", text).unwrap(), ..spec("rtsp://u:hunter2@127.0.0.1:9/s") };
        let error = watch(&Arc::new(Camera::new(spec.clone()))).broken().await;
        assert!(error.to_string().contains(says), "{error}");
        assert_hidden("hunter2", &error, &spec);
    }
}
