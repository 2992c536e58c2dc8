//! The test camera: footage and drawn frames are what they say they are.

#![expect(clippy::unwrap_used, reason = "what a test builds on fails it")]

use std::{path::PathBuf, time::Duration};

use wader::{
    frame::Size,
    scene::{self, Barcode, Clip, Drawn, Footage, Showing, Source},
};

use crate::support::video::{drawn, watch_scene};

/// The real footage, which `./x` puts into the cache.
fn footage() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("a home folder")).join(".cache"));
    cache.join("wader/footage/vtest.avi")
}

/// Ten seconds of the footage, then two of its background.
pub(crate) fn street() -> scene::Spec {
    let footage = Footage { background_gap_s: 2.0, ..Footage::new(footage(), 40.0, 50.0) };
    scene::Spec { size: Size { width: 384, height: 288 }, ..scene::Spec::new(Source::Footage(footage)) }
}

/// The pictures of a clip, as RGB.
pub(crate) fn pictures(scene: scene::Spec, length: Duration) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("frames");
    scene::clip(&Clip { scene, length, to: to.clone() }, |_, _| {}).unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(to).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let rgb = |file: &PathBuf| {
        let png = tiny_skia::Pixmap::load_png(file).unwrap();
        png.data().chunks(4).flat_map(|pixel| pixel[..3].to_vec()).collect()
    };
    files.iter().map(rgb).collect()
}

/// Mean difference of two pictures' channels.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

#[test]
fn a_drawn_clip_is_the_same_for_the_same_seed_and_numbers_its_frames() {
    let clip = |seed| {
        let source = Source::Drawn(Drawn { seed, barcode: Some(3), gate: None });
        pictures(scene::Spec { source, start: Duration::from_secs(20), ..drawn(0) }, Duration::from_millis(200))
    };
    let (once, again, other) = (clip(1), clip(1), clip(2));
    assert_eq!(once.len(), 5);
    assert_eq!(once, again);
    assert_ne!(once, other);
    for (number, picture) in once.iter().enumerate() {
        let barcode = Barcode::read(picture, drawn(0).size);
        assert_eq!(barcode, Some(Barcode::new(3, 20 * 25 + number as u64)));
    }
}

#[test]
fn footage_ends_with_an_empty_street_and_begins_again() {
    let seconds = pictures(scene::Spec { frames_per_second: 1, ..street() }, Duration::from_secs(13));
    let background = &seconds[10];
    assert_eq!(background, &seconds[11], "the background does not move");
    // People differ from the street without them, everywhere in the stretch; the first second comes back after it.
    for (second, picture) in seconds[..10].iter().enumerate() {
        assert!(difference(picture, background) > 1.0, "nobody at {second} s");
    }
    assert!(difference(&seconds[12], &seconds[0]) < 0.01);
    assert!(difference(&seconds[1], &seconds[0]) > 0.2);
}

#[test]
fn a_crop_shows_its_part_of_the_footage() {
    let Source::Footage(footage) = street().source else { panic!("footage") };
    let crop = Some([0.5, 0.0, 1.0, 0.5]);
    let part = scene::Spec { source: Source::Footage(Footage { crop, ..footage }), ..street() };
    let second = Duration::from_millis(100);
    let (whole, part) = (pictures(street(), second).remove(0), pictures(part, second).remove(0));
    // The part is shown twice as large: its pixels, two by two, against the whole's right upper quarter.
    let at = |picture: &[u8], x: usize, y: usize| f64::from(picture[(y * 384 + x) * 3 + 1]);
    let mut apart = 0.0;
    for (x, y) in (0..140).flat_map(|y| (0..190).map(move |x| (x, y))) {
        let twice = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| at(&part, 2 * x + dx, 2 * y + dy));
        apart += (twice.iter().sum::<f64>() / 4.0 - at(&whole, 192 + x, y)).abs();
    }
    assert!(apart / (140.0 * 190.0) < 4.0, "{}", apart / (140.0 * 190.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_at_a_time_is_known() {
    let served = scene::serve(street(), 0).unwrap();
    let mut watching = watch_scene(&served);
    // The picture received is the one that the scene says it sent when it was taken.
    // When a frame was taken is known once one came without delay, which on a busy machine is not the first.
    let mut frame = watching.frame().await;
    for _ in 0..20 {
        frame = watching.frame().await;
    }
    let Showing::Footage { at_s } = served.showing(frame.taken) else { panic!("{:?}", served.showing(frame.taken)) };
    assert_eq!(served.source_time(frame.taken), Some(at_s));
    watching.end().await;
    let around = |start_s: f64| {
        let start = Duration::from_secs_f64((start_s - 40.0).max(0.0));
        let scene = scene::Spec { size: frame.size, start, ..street() };
        pictures(scene, Duration::from_millis(100)).remove(0)
    };
    let apart = |at_s| difference(&around(at_s), &frame.pixels);
    let (there, later) = (apart(at_s), apart(at_s + 2.0));
    assert!(there < later, "{there} at {at_s} s, {later} two seconds later");
}

#[test]
fn what_cannot_be_shown_or_written_says_why() {
    let missing = scene::Spec::new(Source::Footage(Footage::new("/no/such/file.avi".into(), 0.0, 1.0)));
    let error = scene::serve(missing, 0).unwrap_err().to_string();
    assert_eq!(error, "cannot play `/no/such/file.avi`: there is no such file");
    let folder = tempfile::tempdir().unwrap();
    let write = |to: &str| {
        let to = folder.path().join(to);
        let clip = Clip { scene: drawn(1), length: Duration::from_millis(100), to };
        scene::clip(&clip, |_, _| {}).unwrap_err().to_string()
    };
    assert!(write("clip.avi").contains("not .mkv, .mp4 or a folder"), "{}", write("clip.avi"));
    assert!(write("no/clip.mkv").starts_with("cannot write"), "{}", write("no/clip.mkv"));
    let served = scene::serve(drawn(1), 0).unwrap();
    let error = scene::serve(drawn(1), served.port()).unwrap_err().to_string();
    assert!(error.contains(&format!("cannot serve on 127.0.0.1:{}", served.port())), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_viewers_see_the_same_frames() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let (mut one, mut other) = (watch_scene(&served), watch_scene(&served));
    let (mut a, mut b) = (one.barcode().await, other.barcode().await);
    for _ in 0..200 {
        match a.1.frame().cmp(&b.1.frame()) {
            std::cmp::Ordering::Less => a = one.barcode().await,
            std::cmp::Ordering::Greater => b = other.barcode().await,
            std::cmp::Ordering::Equal => break,
        }
    }
    assert_eq!(a.1, b.1);
    let apart = difference(&a.0.pixels, &b.0.pixels);
    assert!(apart < 0.01, "{apart}");
    one.end().await;
    other.end().await;
    assert!(served.failure().is_none());
}
