//! Rows 19 to 22: clocks that wrap, jump, stand or run backwards, on either side.

use std::{fs, sync::Arc, time::Duration};

use wader::{
    camera::Camera,
    frame::{Frame, Stamp},
    name::{CameraName, PromptName},
    window::{Sampler, Schedule},
};

use super::rig::{Rig, cheap, config, percentile};
use crate::support::{
    broker::Mosquitto,
    evil_rtsp::{Evil, Manners, Play},
    faults::{Row, keep, seconds},
    preload,
    recording::Recording,
    service::{Service, listen},
    video::{drawn, spec, watch},
};

/// Pictures of the recording, 25 a second.
const LOOP: u32 = 100;

/// How the frames of a stream were placed.
#[derive(Debug)]
struct Placed {
    /// The most by which two frames' distance differs from what their numbers say, the first ones aside.
    misplaced: Duration,
    /// The oldest that a frame was said to be when it came.
    oldest: Duration,
    /// Windows that were asked about, and the seconds in which one was due.
    windows: usize,
    due: usize,
    /// Places of windows without a frame, the first windows aside.
    empty: usize,
}

/// Receives this stream for some seconds. Fails where time does not rise.
async fn placed(play: Play, length: Duration) -> Placed {
    let evil = Evil::start(Manners::Play(play.into())).await;
    let mut watching = watch(&Arc::new(Camera::new(spec(&evil.url))));
    let window = wader::window::Spec { frames: 4, span: Duration::from_secs(3) };
    let every = Duration::from_secs(1);
    let schedule = Schedule { prompt: PromptName::new("p").unwrap(), every, window };
    let mut sampler = Sampler::new(CameraName::new("c").unwrap(), vec![schedule]);
    let (mut before, mut windows): (Option<(Frame, u32)>, Vec<wader::window::Window>) = (None, Vec::new());
    let mut placed = Placed { misplaced: Duration::ZERO, oldest: Duration::ZERO, windows: 0, due: 0, empty: 0 };
    let began = Stamp::now();
    let mut frames = 0;
    while Stamp::now().since(began) < length {
        let (frame, barcode) = watching.barcode().await;
        frames += 1;
        placed.oldest = placed.oldest.max(Stamp::now().since(frame.taken));
        if let Some((last, number)) = &before {
            assert!(frame.taken > last.taken, "{:?} after {:?}", frame.taken, last.taken);
            let pictures = (barcode.frame() + LOOP - number) % LOOP;
            let (true_gap, gap) = (Duration::from_millis(40) * pictures, frame.taken.since(last.taken));
            // A first frame's stamp is corrected by nothing yet.
            if frames > 10 {
                placed.misplaced = placed.misplaced.max(true_gap.abs_diff(gap));
            }
        }
        windows.extend(sampler.offer(Arc::new(frame.clone())));
        before = Some((frame, barcode.frame()));
    }
    watching.end().await;
    for pair in windows.windows(2) {
        assert!(pair[1].newest().unwrap().taken > pair[0].newest().unwrap().taken, "windows rise");
    }
    placed.windows = windows.len();
    placed.due = (length.as_secs() as usize).saturating_sub(2);
    placed.empty = windows.iter().skip(3).flat_map(|window| &window.frames).filter(|frame| frame.is_none()).count();
    placed
}

async fn recording() -> Recording {
    Recording::of(drawn(1), LOOP as usize).await
}

fn row(row: u32, fault: &'static str, target: &'static str, run: &'static str) -> Row<'static> {
    let none = || "0".to_owned();
    Row {
        row,
        fault,
        target,
        detection: "each frame".to_owned(),
        recovery: "at once".to_owned(),
        lost: none(),
        duplicated: none(),
        dropped: none(),
        effect: String::new(),
        met: false,
        run,
    }
}

impl Placed {
    fn text(&self) -> String {
        format!(
            "misplaced by {} at most, oldest {}, {} windows in {} s, {} empty places",
            seconds(self.misplaced),
            seconds(self.oldest),
            self.windows,
            self.due,
            self.empty
        )
    }

    fn is_steady(&self) -> bool {
        self.windows >= self.due && self.windows <= self.due + 3 && self.empty == 0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_19_time_stamps_wrap_unnoticed() {
    let wrapping = Play { first_time: u32::MAX - 5 * 90_000, ..Play::of(vec![recording().await]) };
    let seen = placed(wrapping, Duration::from_secs(10)).await;
    keep(&Row {
        effect: seen.text(),
        met: seen.misplaced <= Duration::from_millis(40) && seen.is_steady(),
        ..row(19, "RTP time stamps wrap after 5 s", "no frame misplaced by more than one", "row_19")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_20_a_camera_that_sets_its_clock_moves_no_window() {
    let ahead: fn(f64) -> f64 = |now| if now < 4.0 { now } else { now + 3600.0 };
    let back: fn(f64) -> f64 = |now| if now < 4.0 { now } else { now - 3600.0 };
    let (mut texts, mut met) = (Vec::new(), true);
    for reported_s in [ahead, back] {
        let play = Play { reported_s: Some(reported_s), ..Play::of(vec![recording().await]) };
        let seen = placed(play, Duration::from_secs(9)).await;
        met &= seen.misplaced <= Duration::from_millis(40) && seen.is_steady();
        texts.push(seen.text());
    }
    let effect = format!("an hour ahead: {}; an hour back: {}; sender reports are not used at all", texts[0], texts[1]);
    let fault = "the clock in sender reports jumps by an hour, both ways";
    let target = "windows rise, none is empty, no frame misplaced by more than one";
    keep(&Row { effect, met, ..row(20, fault, target, "row_20") });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./x faults"]
async fn row_22_time_stamps_that_make_no_sense_are_borne() {
    type Stamped = fn(u32, u64) -> u32;
    let senseless: [(&str, Stamped); 5] = [
        ("30 s back", |time, picture| if picture < 60 { time } else { time.wrapping_sub(30 * 90_000) }),
        ("an hour ahead", |time, picture| if picture < 60 { time } else { time.wrapping_add(3600 * 90_000) }),
        ("each twice", |time, _| time / 7200 * 7200),
        ("every 50th absurd", |time, picture| if picture % 50 == 49 { time.wrapping_add(1 << 31) } else { time }),
        ("always the same", |_, _| 0),
    ];
    let recording = recording().await;
    let (mut texts, mut met) = (Vec::new(), true);
    for (name, time) in senseless {
        let seen = placed(Play { time, ..Play::of(vec![recording.clone()]) }, Duration::from_secs(8)).await;
        println!("{name}: {seen:?}");
        met &= seen.oldest <= Duration::from_millis(1700) && seen.windows + 1 >= seen.due;
        texts.push(format!("{name}: {}", seen.text()));
    }
    // Times are right, and the network is not.
    let delays_ms: &[u64] = &[0, 0, 0, 0, 400, 0, 90, 0, 0, 250];
    let uneven = placed(Play { delays_ms, ..Play::of(vec![recording]) }, Duration::from_secs(8)).await;
    met &= uneven.misplaced <= Duration::from_millis(80) && uneven.is_steady();
    texts.push(format!("arriving up to 0.4 s late: {}", uneven.text()));
    let fault = "time stamps backwards, twice, absurd, standing; arrival uneven";
    let target = "no panic, windows rise, frames not said to be older than 1.7 s, a window each second";
    keep(&Row { effect: texts.join("; "), met, ..row(22, fault, target, "./x faults") });
}

/// A wall clock that is as far off as a file says, for one process: what others see of the time stays right.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int said = real(id, at);
    const char *path = getenv("OFF_BY");
    if (id == CLOCK_REALTIME && path) {
        FILE *file = fopen(path, "r");
        long off = 0;
        if (file) { if (fscanf(file, "%ld", &off) != 1) off = 0; fclose(file); }
        at->tv_sec += off;
    }
    return said;
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn row_21_a_wall_clock_that_is_set_moves_no_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let (library, off_by) = (preload::build(folder.path(), CLOCK), folder.path().join("off"));
    let set = |seconds: i64| fs::write(&off_by, seconds.to_string()).unwrap();
    set(0);
    let camera = wader::scene::serve(cheap(1), 0).unwrap();
    let broker = Mosquitto::start(&[]).await;
    let text = config(broker.port, &[("door".to_owned(), camera.url().to_owned())]);
    let variables = [("LD_PRELOAD", library.as_str()), ("OFF_BY", off_by.to_str().unwrap())];
    let service = Service::start_with(&text, &variables);
    let listener = listen(&format!("mqtt://127.0.0.1:{}", broker.port)).await;
    let mut rig = Rig { service, listener, broker };
    rig.status("door", "online").await;
    rig.listen(Duration::from_secs(2), &[]).await;
    let mut answers = rig.listen(Duration::from_secs(4), &["door"]).await;
    for seconds in [3600, -3600, 0] {
        set(seconds);
        answers.add(rig.listen(Duration::from_secs(4), &["door"]).await);
    }
    let log = rig.service.log();
    rig.end().await;
    let gaps = answers.gaps();
    let (least, most) = (percentile(&gaps, 1), percentile(&gaps, 100));
    let effect =
        format!("{} answers every 0.5 s: distances from {} to {}", gaps.len() + 1, seconds(least), seconds(most));
    let met =
        !log.contains("camera_offline") && gaps.len() >= 26 && gaps.len() <= 34 && most <= Duration::from_millis(1200);
    let fault = "the host's wall clock is set an hour ahead, two back, one ahead";
    keep(&Row { effect, met, ..row(21, fault, "no burst, no stall, the camera online", "row_21") });
}
