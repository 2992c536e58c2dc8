//! Rows 1 to 7: cameras and networks that break, and what the others notice.

use std::{sync::Arc, time::Duration};

use wader::{
    camera::{Camera, Patience},
    frame::Stamp,
    scene,
};

use super::rig::{Rig, cheap, percentile};
use crate::support::{
    evil_rtsp::{Evil, Manners, Play},
    faults::{Row, keep, seconds},
    proxy::{Mode, Proxy},
    recording::Recording,
    video::{spec, watch},
};

/// A camera that plays two seconds of a scene over and over, to each viewer from the beginning.
async fn played(scene: scene::Spec) -> Evil {
    let recording = Recording::of(scene.clone(), 2 * scene.frames_per_second as usize).await;
    Evil::start(Manners::Play(Play::of(vec![recording]).into())).await
}

/// Cameras that all look at one scene, each through a network of its own.
async fn behind_proxies(count: usize, port: u16, url: &str) -> (Vec<Proxy>, Vec<(String, String)>) {
    let mut proxies = Vec::new();
    for number in 0..count {
        proxies.push(Proxy::to(port, number as u64).await);
    }
    let named = |(number, proxy): (usize, &Proxy)| (format!("c{number}"), proxy.url(url));
    let cameras = proxies.iter().enumerate().map(named).collect();
    (proxies, cameras)
}

fn names(cameras: &[(String, String)]) -> Vec<&str> {
    cameras.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn row_01_killed_cameras_are_told_and_met_when_they_are_back() {
    const COUNT: usize = 20;
    let (scene, other) = (played(cheap(1)).await, scene::serve(cheap(2), 0).unwrap());
    let (proxies, away) = behind_proxies(COUNT, scene.port(), &scene.url).await;
    let healthy = ("healthy".to_owned(), other.url().to_owned());
    let mut rig = Rig::start(&away.iter().cloned().chain([healthy]).collect::<Vec<_>>()).await;
    let before = rig.listen(Duration::from_secs(5), &["healthy"]).await.gaps();

    let killed = Stamp::now();
    proxies.iter().for_each(|proxy| proxy.set(Mode::Refuse));
    let (offline, _) = rig.watch(&names(&away), "offline", &["healthy"]).await;
    let detection = offline.values().map(|at| at.since(killed)).max().unwrap();

    // Each is back after a time of its own.
    let mut chance = fastrand::Rng::with_seed(1);
    let mut back: Vec<(Stamp, usize)> = (0..COUNT)
        .map(|number| (killed.later_by(Duration::from_millis(1000 + 950 * number as u64 + chance.u64(..500))), number))
        .collect();
    back.sort();
    let bring_back = async {
        for &(at, number) in &back {
            tokio::time::sleep(at.since(Stamp::now())).await;
            proxies[number].set(Mode::Pass);
        }
    };
    let cameras = names(&away);
    let ((online, during), ()) = tokio::join!(rig.watch(&cameras, "online", &["healthy"]), bring_back);
    let mut recovery: Vec<Duration> = back.iter().map(|(at, n)| online[&format!("c{n}")].since(*at)).collect();
    recovery.sort();
    let (p50, p99) = (percentile(&recovery, 50), percentile(&recovery, 99));
    let gaps = during.gaps();
    rig.end().await;
    keep(&Row {
        row: 1,
        fault: "camera process killed, back after 1 to 20 s (20 cameras)",
        target: "offline told in 2 s, first frame 3 s after the return at p99, no other camera disturbed",
        detection: seconds(detection),
        recovery: format!("p50 {}, p99 {}", seconds(p50), seconds(p99)),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!(
            "a healthy camera's answers: p99 of their distance {} before, {} during",
            seconds(percentile(&before, 99)),
            seconds(percentile(&gaps, 99))
        ),
        met: detection <= Duration::from_secs(2)
            && p99 <= Duration::from_secs(3)
            && percentile(&gaps, 99) <= Duration::from_secs(1),
        run: "row_01",
    });
}

/// Three cameras whose network does this, until all are told offline and back.
async fn interrupted(mode: Mode, away_for: Duration) -> (Duration, Duration, Duration, String) {
    let (scene, other) = (played(cheap(1)).await, scene::serve(cheap(2), 0).unwrap());
    let (proxies, away) = behind_proxies(3, scene.port(), &scene.url).await;
    let healthy = ("healthy".to_owned(), other.url().to_owned());
    let mut rig = Rig::start(&away.iter().cloned().chain([healthy]).collect::<Vec<_>>()).await;
    let began = Stamp::now();
    proxies.iter().for_each(|proxy| proxy.set(mode));
    let (offline, mut during) = rig.watch(&names(&away), "offline", &["healthy"]).await;
    let detection = offline.values().map(|at| at.since(began)).max().unwrap();
    during.add(rig.listen(away_for.saturating_sub(Stamp::now().since(began)), &["healthy"]).await);
    let back = Stamp::now();
    proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
    let (online, after) = rig.watch(&names(&away), "online", &["healthy"]).await;
    let recovery = online.values().map(|at| at.since(back)).max().unwrap();
    during.add(after);
    let log = rig.service.log();
    let gap = percentile(&during.gaps(), 99);
    rig.end().await;
    (detection, recovery, gap, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn row_02_a_stream_that_falls_silent_is_noticed() {
    let (detection, recovery, gap, _) = interrupted(Mode::Stall, Duration::from_secs(12)).await;
    keep(&Row {
        row: 2,
        fault: "silent stream, TCP open",
        target: "noticed in 5 s",
        detection: seconds(detection),
        recovery: seconds(recovery),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("a healthy camera's answers: p99 of their distance {}", seconds(gap)),
        met: detection <= Duration::from_secs(5) && gap <= Duration::from_secs(1),
        run: "row_02",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_03_a_cable_that_is_pulled_is_noticed_and_no_teardown_hangs() {
    let (detection, recovery, gap, log) = interrupted(Mode::BlackHole, Duration::from_secs(12)).await;
    let stuck = log.matches("camera_stuck").count();
    keep(&Row {
        row: 3,
        fault: "half-open connection (all that is sent is lost)",
        target: "noticed in 5 s, no pipeline stuck after 2 s of teardown",
        detection: seconds(detection),
        recovery: seconds(recovery),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("stuck pipelines {stuck}; a healthy camera's answers: p99 of their distance {}", seconds(gap)),
        met: detection <= Duration::from_secs(5) && stuck == 0 && gap <= Duration::from_secs(1),
        run: "row_03",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_04_a_storm_of_resets_is_met_ever_more_seldom() {
    const STORM: Duration = Duration::from_secs(24);
    let scene = played(cheap(1)).await;
    let (proxies, cameras) = behind_proxies(1, scene.port(), &scene.url).await;
    let mut rig = Rig::start(&cameras).await;
    let (cpu, connections) = (rig.cpu(), proxies[0].accepted());
    let healthy_cpu = {
        rig.listen(Duration::from_secs(5), &[]).await;
        (rig.cpu() - cpu).as_secs_f64() / 5.0
    };
    let (cpu, began) = (rig.cpu(), Stamp::now());
    while Stamp::now().since(began) < STORM {
        proxies[0].set(Mode::Reset);
        rig.listen(Duration::from_millis(100), &[]).await;
        proxies[0].set(Mode::Pass);
        rig.listen(Duration::from_millis(1900), &[]).await;
    }
    let rate = (proxies[0].accepted() - connections) as f64 / STORM.as_secs_f64();
    let storm_cpu = (rig.cpu() - cpu).as_secs_f64() / STORM.as_secs_f64();
    rig.end().await;
    keep(&Row {
        row: 4,
        fault: "all connections reset every 2 s",
        target: "at most 1 connection a second, CPU not above that of the healthy camera by 2 % of a core",
        detection: "at once".to_owned(),
        recovery: "waits grow from 1 to 30 s until pictures came for 10 s".to_owned(),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!(
            "{rate:.2} connections a second, CPU {:.1} % of a core (connected: {:.1} %)",
            storm_cpu * 100.0,
            healthy_cpu * 100.0
        ),
        met: rate <= 1.0 && storm_cpu <= healthy_cpu + 0.02,
        run: "row_04",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_sixty_four_cameras_return_together_and_disturb_nobody() {
    let small = |camera| scene::Spec { frames_per_second: 5, key_frame_distance: 5, ..cheap(camera) };
    let (scene, other) = (played(small(1)).await, played(small(2)).await);
    let proxy = Proxy::to(scene.port(), 1).await;
    let away: Vec<_> = (0..64).map(|number| (format!("c{number}"), proxy.url(&scene.url))).collect();
    let well: Vec<_> = (0..4).map(|number| (format!("h{number}"), other.url.clone())).collect();
    let healthy = names(&well);
    let mut rig = Rig::start(&[away.clone(), well.clone()].concat()).await;
    let before = rig.listen(Duration::from_secs(5), &healthy).await.gaps();
    let killed = Stamp::now();
    proxy.set(Mode::Refuse);
    let offline = rig.all(&names(&away), "offline").await;
    let detection = offline.values().map(|at| at.since(killed)).max().unwrap();
    rig.listen(Duration::from_secs(8), &[]).await;
    let (back, cpu) = (Stamp::now(), rig.cpu());
    proxy.set(Mode::Pass);
    let (online, during) = rig.watch(&names(&away), "online", &healthy).await;
    let recovery = online.values().map(|at| at.since(back)).max().unwrap();
    let cpu = (rig.cpu() - cpu).as_secs_f64() / recovery.as_secs_f64();
    let (before, during) = (percentile(&before, 99), percentile(&during.gaps(), 99));
    rig.end().await;
    keep(&Row {
        row: 5,
        fault: "64 cameras return together",
        target: "all give frames after 20 s; p99 of the healthy ones' distance of answers grows by less than half",
        detection: seconds(detection),
        recovery: seconds(recovery),
        lost: "what the cameras did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!(
            "four healthy cameras: p99 of their answers' distance {} before, {} during; CPU {:.0} % of a core",
            seconds(before),
            seconds(during),
            cpu * 100.0
        ),
        met: recovery <= Duration::from_secs(20) && during <= before.mul_f64(1.5),
        run: "row_05",
    });
}

/// What the unit waits before it starts wader again.
const RESTART: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn row_14_a_decoder_that_brings_the_process_down_is_back_with_all_cameras() {
    let scenes = [scene::serve(cheap(1), 0).unwrap(), scene::serve(cheap(2), 0).unwrap()];
    let cameras = [("c0".to_owned(), scenes[0].url().to_owned()), ("c1".to_owned(), scenes[1].url().to_owned())];
    let mut rig = Rig::start(&cameras).await;
    let before = rig.listen(Duration::from_secs(3), &["c0", "c1"]).await.gaps();
    let killed = Stamp::now();
    rig.service = rig.service.killed_by(rustix::process::Signal::SEGV).await;
    let detection = Stamp::now().since(killed);
    rig.listen(RESTART, &[]).await;
    rig.service = rig.service.started_again();
    let answered = rig.answered(&["c0", "c1"]).await;
    let recovery = answered.into_iter().max().unwrap().since(killed);
    rig.end().await;
    keep(&Row {
        row: 14,
        fault: "decoder segfault (SIGSEGV to the process)",
        target: "all cameras answer again after 3 s",
        detection: format!("{} (the process ends)", seconds(detection)),
        recovery: format!("{}, with the unit's second of waiting", seconds(recovery)),
        lost: "what the cameras showed meanwhile; one process decodes and answers, so all cameras miss it".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("answers every {} before", seconds(percentile(&before, 50))),
        met: recovery <= Duration::from_secs(3),
        run: "row_14",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_delays_or_cuts_is_borne() {
    let scene = played(cheap(1)).await;
    let proxy = Proxy::to(scene.port(), 1).await;
    let camera = Arc::new(Camera::new(spec(&proxy.url(&scene.url))));
    proxy.set(Mode::Delay(Duration::from_millis(150)));
    let mut watching = watch(&camera);
    for _ in 0..3 {
        watching.barcode().await;
    }
    proxy.set(Mode::CutAfter(10_000));
    let error = loop {
        if let Err(error) = watching.try_frame().await {
            break error;
        }
    };
    assert_eq!(error.patience(), Patience::Soon, "{error}");
    proxy.set(Mode::Pass);
    let mut watching = watch(&camera);
    watching.barcode().await;
    watching.end().await;
}
