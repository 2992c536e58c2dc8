//! Rows 6, 7, 13 and 15 to 18: streams that are damaged, late, or change in the middle.

use std::{collections::HashMap, sync::Arc, time::Duration};

use wader::{
    camera::{Camera, Error, Spec},
    frame::{Frame, Size, Stamp},
    scene::{self, Codec, Served},
};

use super::rig::percentile;
use crate::support::{
    evil_rtsp::{Evil, Manners, Play},
    faults::{Row, keep, seconds},
    interleaved::Harm,
    proxy::{Mode, Proxy},
    recording::Recording,
    video::{SMALL, Watching, drawn, spec, watch},
};

/// The scene of these rows: small, so that key frames have a chance to come whole.
fn small() -> scene::Spec {
    let size = Size { width: 160, height: 120 };
    scene::Spec { size, kbit_per_second: 150, start: Duration::from_secs(8), ..drawn(1) }
}

/// A camera that is begun anew when it breaks, at once.
struct Persistent {
    camera: Arc<Camera>,
    watching: Watching,
    broke: Vec<Error>,
    /// How long it took from each break to the next frame.
    gaps: Vec<Duration>,
}

impl Persistent {
    fn new(spec: Spec) -> Self {
        let camera = Arc::new(Camera::new(spec));
        let watching = watch(&camera);
        Self { camera, watching, broke: Vec::new(), gaps: Vec::new() }
    }

    async fn frame(&mut self) -> Frame {
        let mut broken = None;
        loop {
            match self.watching.try_frame().await {
                Ok(frame) => {
                    self.gaps.extend(broken.map(|at| frame.taken.since(at)));
                    return frame;
                }
                Err(error) => {
                    self.broke.push(error);
                    broken.get_or_insert_with(Stamp::now);
                    self.watching = watch(&self.camera);
                }
            }
        }
    }
}

/// What came through a network that harms packets, held against what was sent.
struct Harmed {
    frames: usize,
    compared: usize,
    /// That anybody could see, or whose barcode is gone.
    damaged: usize,
    /// That are not bit by bit what was sent.
    other_bits: usize,
    longest_gap: Duration,
    broke: Vec<Error>,
    recovery: Duration,
    packets: u64,
}

async fn through(harm: Harm, seed: u64, frames: usize) -> Harmed {
    const LOOP: usize = 120;
    let recording = Recording::of(small(), LOOP).await;
    let evil = Evil::start(Manners::Play(Play::of(vec![recording]).into())).await;
    let full = |url: &str| Spec { canvas: small().size.into(), ..spec(url) };
    let mut sent: HashMap<u32, Frame> = HashMap::new();
    let mut came: Vec<(Option<u32>, Frame)> = Vec::new();
    let mut whole = watch(&Arc::new(Camera::new(full(&evil.url))));
    while sent.len() < LOOP - 2 {
        let (frame, barcode) = whole.barcode().await;
        sent.insert(barcode.frame(), frame);
    }
    whole.end().await;
    let proxy = Proxy::to(evil.port(), seed).await;
    let mut harmed = Persistent::new(full(&proxy.url(&evil.url)));
    harmed.frame().await;
    proxy.set(Mode::Harm(harm));
    while came.len() < frames {
        let frame = harmed.frame().await;
        let barcode = scene::Barcode::read(&frame.pixels, frame.size);
        came.push((barcode.map(scene::Barcode::frame), frame));
    }
    let known = came.iter().filter(|(number, _)| number.is_none_or(|number| sent.contains_key(&number)));
    let known: Vec<_> = known.collect();
    // How far a frame is from what was sent, of 255 on average; one without a barcode is far off.
    let apart = |(number, frame): &&(Option<u32>, Frame)| {
        let Some(sent) = number.and_then(|number| sent.get(&number)) else { return f64::INFINITY };
        let differences = sent.pixels.iter().zip(frame.pixels.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)));
        differences.sum::<u64>() as f64 / frame.pixels.len() as f64
    };
    let apart: Vec<f64> = known.iter().map(apart).collect();
    let gaps = came.windows(2).map(|pair| pair[1].1.taken.since(pair[0].1.taken));
    Harmed {
        frames: came.len(),
        compared: known.len(),
        damaged: apart.iter().filter(|apart| **apart > 1.0).count(),
        other_bits: apart.iter().filter(|apart| **apart > 0.0).count(),
        longest_gap: gaps.max().unwrap_or_default(),
        recovery: harmed.gaps.iter().copied().max().unwrap_or_default(),
        broke: harmed.broke,
        packets: proxy.harmed(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_06_lost_and_reordered_packets_damage_no_frame() {
    let harm = Harm { lose: 0.1, swap: 0.05, ..Harm::NONE };
    let seen = through(harm, 6, 120).await;
    let limit = Duration::from_millis(480) + Duration::from_secs(1);
    keep(&Row {
        row: 6,
        fault: "10 % of the packets lost, 5 % out of order",
        target: "no damaged frame; no gap longer than the key frames' distance (0.48 s) and 1 s",
        detection: "each hole in the packets' numbers".to_owned(),
        recovery: format!("with the next whole key frame; longest gap {}", seconds(seen.longest_gap)),
        lost: "what the network lost".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "frames between a hole and the next key frame".to_owned(),
        effect: format!(
            "{} frames, {} compared bit by bit with what was sent, {} damaged; {} packets harmed",
            seen.frames, seen.compared, seen.damaged, seen.packets
        ),
        met: seen.other_bits == 0 && seen.compared > 60 && seen.longest_gap <= limit,
        run: "row_06",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_13_flipped_bits_crash_nothing_and_reach_no_window() {
    let mut sum = Harmed {
        frames: 0,
        compared: 0,
        damaged: 0,
        other_bits: 0,
        longest_gap: Duration::ZERO,
        broke: Vec::new(),
        recovery: Duration::ZERO,
        packets: 0,
    };
    for (flip, frames) in [(1e-5, 250), (1e-4, 25)] {
        let seen = through(Harm { flip, ..Harm::NONE }, 13, frames).await;
        sum.frames += seen.frames;
        sum.compared += seen.compared;
        sum.damaged += seen.damaged;
        sum.other_bits += seen.other_bits;
        sum.packets += seen.packets;
        sum.recovery = sum.recovery.max(seen.recovery);
        sum.broke.extend(seen.broke);
    }
    keep(&Row {
        row: 13,
        fault: "bits of H.264 flipped, 1 of 100 000 and 1 of 10 000",
        target: "no crash, no damaged frame, a pipeline that breaks is back in 2 s",
        detection: "what the decoder tells its log, with the picture in hand".to_owned(),
        recovery: format!("pipelines broken {}, back in {} at the longest", sum.broke.len(), seconds(sum.recovery)),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "frames between the damage and the next key frame".to_owned(),
        effect: format!(
            "{} frames, {} compared with what was sent: {} damaged (more than 1 of 255 away on average), {} not the same to \
             the last bit; {} packets harmed",
            sum.frames, sum.compared, sum.damaged, sum.other_bits, sum.packets
        ),
        met: sum.damaged == 0 && sum.compared > 100 && sum.recovery <= Duration::from_secs(2),
        run: "row_13",
    });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./x faults"]
async fn long_row_13_a_million_damaged_pictures_crash_nothing() {
    const CAMERAS: u64 = 40;
    let evil = Evil::start(Manners::Play(Play::of(vec![Recording::of(small(), 120).await]).into())).await;
    let mut proxies = Vec::new();
    let mut cameras = tokio::task::JoinSet::new();
    for seed in 0..CAMERAS {
        let proxy = Proxy::to(evil.port(), seed).await;
        proxy.set(Mode::Harm(Harm { flip: if seed % 2 == 0 { 1e-5 } else { 1e-4 }, ..Harm::NONE }));
        let spec = spec(&proxy.url(&evil.url));
        proxies.push(proxy);
        cameras.spawn(async move {
            let mut camera = Persistent::new(spec);
            let (mut frames, mut barcodes) = (0, 0);
            loop {
                let Ok(frame) = tokio::time::timeout(Duration::from_secs(30), camera.frame()).await else { continue };
                frames += 1;
                barcodes += usize::from(scene::Barcode::read(&frame.pixels, frame.size).is_some());
                if frames % 1000 == 0 {
                    println!("{frames} frames, {barcodes} with their barcode, {} pipelines broken", camera.broke.len());
                }
            }
        });
    }
    while evil.sent() < 1_000_000 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    cameras.shutdown().await;
    println!("{} pictures sent, {} packets harmed", evil.sent(), proxies.iter().map(Proxy::harmed).sum::<u64>());
}

/// How old frames are when they come, by their own numbers, while the network carries this share of what is sent.
async fn lag(served: &Served, share: f64, length: Duration) -> (Vec<Duration>, Vec<Error>) {
    let proxy = Proxy::to(served.port(), 7).await;
    let mut camera = Persistent::new(spec(&proxy.url(served.url())));
    camera.frame().await;
    proxy.set(Mode::Rate((share * 400_000.0 / 8.0) as u32));
    let (began, mut ages) = (Stamp::now(), Vec::new());
    while Stamp::now().since(began) < length {
        let frame = camera.frame().await;
        let Some(barcode) = scene::Barcode::read(&frame.pixels, frame.size) else { continue };
        let sent = served.began().later_by(Duration::from_millis(40) * barcode.frame());
        ages.push(Stamp::now().since(sent));
    }
    (ages, camera.broke)
}

async fn slow_network(length: Duration) -> Row<'static> {
    // All of it is picture: nothing else would fill so narrow a network.
    let served = scene::serve(scene::Spec { kbit_per_second: 400, ..drawn(1) }, 0).unwrap();
    let (ages, broke) = lag(&served, 0.7, length).await;
    let half = ages.len() / 2;
    let (first, second) = (ages[..half].iter().max().unwrap(), ages[half..].iter().max().unwrap());
    let mut sorted = ages.clone();
    sorted.sort();
    let begun_anew = broke.iter().filter(|error| matches!(error, Error::Behind { .. })).count();
    Row {
        row: 7,
        fault: "the network carries 0.7 of what the camera sends",
        target: "frames not older than the jitter buffer (0.2 s) and 1 s at p99, and not growing",
        detection: "pictures that come 0.4 s later than the jitter buffer explains, for 0.75 s".to_owned(),
        recovery: format!("begun anew {begun_anew} times in {} s", length.as_secs()),
        lost: "what the network could not carry".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!(
            "age of frames: p50 {}, p99 {}, longest {} in the first half and {} in the second",
            seconds(percentile(&sorted, 50)),
            seconds(percentile(&sorted, 99)),
            seconds(*first),
            seconds(*second)
        ),
        met: percentile(&sorted, 99) <= Duration::from_millis(1200) && *second <= Duration::from_millis(1500),
        run: "row_07",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_07_a_network_that_is_too_slow_makes_no_old_frames() {
    keep(&slow_network(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./x faults"]
async fn long_row_07_a_network_that_is_too_slow_makes_no_old_frames() {
    keep(&Row { run: "./x faults", ..slow_network(Duration::from_secs(600)).await });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_15_a_stream_that_changes_its_size_goes_on() {
    let served = scene::serve(drawn(1), 0).unwrap();
    let mut camera = Persistent::new(spec(served.url()));
    camera.frame().await;
    let mut longest = Duration::ZERO;
    for size in [Size { width: 480, height: 320 }, Size { width: 160, height: 120 }, Size { width: 640, height: 480 }] {
        served.change_size(size).unwrap();
        let mut before = camera.frame().await;
        for _ in 0..40 {
            let frame = camera.frame().await;
            assert_eq!(frame.size, SMALL);
            assert!(scene::Barcode::read(&frame.pixels, frame.size).is_some(), "no frame is distorted");
            longest = longest.max(frame.taken.since(before.taken));
            before = frame;
        }
    }
    keep(&Row {
        row: 15,
        fault: "size and parameter sets change in the stream, three times",
        target: "at most one sample (1 s) missing, the model's size kept, nothing distorted",
        detection: "with the parameter sets".to_owned(),
        recovery: format!("longest gap {}", seconds(longest)),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("pipelines broken {}", camera.broke.len()),
        met: longest <= Duration::from_secs(1) && camera.broke.is_empty(),
        run: "row_15",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_16_a_camera_that_returns_with_another_codec_is_decoded() {
    let mut served = scene::serve(drawn(1), 0).unwrap();
    let port = served.port();
    let mut camera = Persistent::new(spec(served.url()));
    camera.frame().await;
    let mut longest = Duration::ZERO;
    for codec in [Codec::H265, Codec::Mjpeg, Codec::H264] {
        served.kill();
        served = scene::serve(scene::Spec { video: Some(codec), ..drawn(1) }, port).unwrap();
        let back = Stamp::now();
        loop {
            let frame = camera.frame().await;
            if frame.taken > back {
                longest = longest.max(Stamp::now().since(back));
                break;
            }
        }
    }
    keep(&Row {
        row: 16,
        fault: "the camera returns with H.265, MJPEG, H.264",
        target: "frames after 3 s",
        detection: "at once".to_owned(),
        recovery: seconds(longest),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("pipelines begun {}", camera.broke.len() + 1),
        met: longest <= Duration::from_secs(3),
        run: "row_16",
    });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./x faults"]
async fn row_17_key_frames_that_come_too_seldom_are_not_waited_for() {
    let often = scene::Spec { key_frame_distance: 25, ..small() };
    let seldom = scene::Spec { key_frame_distance: 125, ..small() };
    let (often, seldom) = (Recording::of(often, 100).await, Recording::of(seldom, 250).await);
    let evil = Evil::start(Manners::Play(Play::of(vec![often, seldom]).into())).await;
    let spec = Spec { key_frames_only: true, frames_per_second: 1.0, ..spec(&evil.url) };
    let mut camera = watch(&Arc::new(Camera::new(spec)));
    let mut gaps = Vec::new();
    let mut before = camera.frame().await.taken;
    for _ in 0..16 {
        let taken = camera.frame().await.taken;
        gaps.push(taken.since(before));
        before = taken;
    }
    camera.end().await;
    println!("{gaps:?}");
    let limit = Duration::from_millis(1600);
    let first = gaps.iter().position(|gap| *gap > limit).unwrap_or(gaps.len());
    let long = gaps.iter().filter(|gap| **gap > limit).count();
    keep(&Row {
        row: 17,
        fault: "key frames alone are decoded, and their distance grows from 1 to 5 s",
        target: "after one long distance no frame is older than 1.5 sampling intervals",
        detection: format!("one distance of {}", seconds(gaps.get(first).copied().unwrap_or_default())),
        recovery: "all frames are decoded from the next key frame on".to_owned(),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("{long} of {} distances between frames longer than 1.5 s", gaps.len()),
        met: long <= 1,
        run: "./x faults",
    });
}

/// H.264 parameter sets and a key frame without contents, of a picture of so many macroblocks.
fn picture_of(macroblocks_wide: u32, macroblocks_high: u32) -> Vec<Vec<u8>> {
    let mut bits: Vec<bool> = Vec::new();
    let golomb = |bits: &mut Vec<bool>, value: u32| {
        let length = 32 - (value + 1).leading_zeros();
        bits.extend(std::iter::repeat_n(false, length as usize - 1));
        bits.extend((0..length).rev().map(|bit| (value + 1) >> bit & 1 == 1));
    };
    // Identity, frame numbers, order, references, no gaps; the size; frames only, direct, no crop, no more.
    for value in [0, 0, 2, 1] {
        golomb(&mut bits, value);
    }
    bits.push(false);
    golomb(&mut bits, macroblocks_wide - 1);
    golomb(&mut bits, macroblocks_high - 1);
    bits.extend([true, true, false, false, true]);
    let bytes = |bits: &[bool]| {
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |all, (at, bit)| all | u8::from(*bit) << (7 - at)))
            .collect::<Vec<u8>>()
    };
    let sequence = [vec![0x67, 66, 0, 52], bytes(&bits)].concat();
    vec![sequence, vec![0x68, 0xce, 0x3c, 0x80], vec![0x65, 0x88, 0x84, 0, 0x10]]
}

#[tokio::test(flavor = "multi_thread")]
async fn row_18_odd_rates_and_sizes_are_received_or_refused() {
    let fast = scene::serve(scene::Spec { frames_per_second: 120, ..small() }, 0).unwrap();
    let slow = scene::serve(scene::Spec { frames_per_second: 1, key_frame_distance: 1, ..small() }, 0).unwrap();
    let tiny = scene::serve(scene::Spec { size: Size { width: 16, height: 16 }, ..small() }, 0).unwrap();
    for served in [&fast, &slow, &tiny] {
        let mut watching = watch(&Arc::new(Camera::new(Spec { frames_per_second: 5.0, ..spec(served.url()) })));
        for _ in 0..3 {
            assert_eq!(watching.frame().await.size, SMALL);
        }
        watching.end().await;
    }
    // 8K, as the parameter sets say; nothing is to be made ready for it.
    let mut recording = Recording::of(small(), 5).await;
    let template = recording.packets[0].clone();
    let packet = |unit: Vec<u8>| {
        let mut packet = template.clone();
        packet.bytes.truncate(12);
        packet.bytes[1] |= 0x80;
        packet.bytes.extend(unit);
        packet
    };
    recording.packets = picture_of(480, 270).into_iter().cycle().take(30).map(packet).collect();
    for (number, packet) in recording.packets.iter_mut().enumerate() {
        let time = (number as u32 / 3) * 3600;
        packet.bytes[4..8].copy_from_slice(&time.to_be_bytes());
    }
    let sprop = recording.sdp.lines().find(|line| line.contains("sprop-parameter-sets")).unwrap().to_owned();
    recording.sdp = recording.sdp.replace(&sprop, "a=fmtp:96 packetization-mode=1");
    let evil = Evil::start(Manners::Play(Play::of(vec![recording]).into())).await;
    let before = super::rig::Held::now();
    let error = watch(&Arc::new(Camera::new(spec(&evil.url)))).broken().await;
    let grown = super::rig::Held::now().kilobytes.saturating_sub(before.kilobytes);
    keep(&Row {
        row: 18,
        fault: "1 and 120 frames a second, 16x16 pixels, 7680x4320 pixels",
        target: "received, or refused before memory is taken",
        detection: "with the parameter sets".to_owned(),
        recovery: "with the usual waits".to_owned(),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("8K: {error}; memory grew by {grown} kB"),
        met: error == Error::TooLarge { width: 7680, height: 4320 } && grown < 32 << 10,
        run: "row_18",
    });
}
