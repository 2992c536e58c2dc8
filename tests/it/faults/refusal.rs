//! Rows 8 to 12: cameras that refuse, mislead or attack, and what they make wader do.

use std::{sync::Arc, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpListener};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};
use wader::{
    camera::{Camera, Error, Patience, Retry},
    frame::Stamp,
    scene::{self, Login},
};

use super::rig::{Held, Rig, cheap};
use crate::support::{
    broker::{Mosquitto, within},
    evil_rtsp::{Evil, GOOD_SDP, Manners},
    faults::{Row, keep, seconds},
    preload,
    proxy::{Mode, Proxy},
    service::{Service, listen},
    video::{spec, watch},
};

/// How a camera at this URL breaks, and after how long.
async fn breaks(url: &str) -> (Error, Duration) {
    let began = Stamp::now();
    // wader's own default, which the tests of cameras shorten.
    let spec = wader::camera::Spec { silence: Duration::from_secs(4), ..spec(url) };
    let error = watch(&Arc::new(Camera::new(spec))).broken().await;
    (error, Stamp::now().since(began))
}

#[tokio::test(flavor = "multi_thread")]
async fn row_08_a_wrong_password_is_hardly_tried_and_the_right_one_at_once() {
    // Runs as the camera's task makes them; only the waits are added up instead of waited for.
    let challenged = Evil::start(Manners::Password("admin", "right")).await;
    let camera = Camera::new(spec(&challenged.url.replace("//", "//admin:wrong@")));
    let (mut retry, mut now, mut tries) = (Retry::new(), Duration::ZERO, Vec::new());
    while now < Duration::from_secs(3 * 3600) {
        let before = challenged.passwords();
        let error = camera.run(&wader::camera::Latest::new(), &wader::supervise::Stop::new()).await.unwrap_err();
        assert_eq!(error.patience(), Patience::Seldom, "{error}");
        tries.extend((before..challenged.passwords()).map(|_| now));
        now += retry.failed(error.patience(), Duration::ZERO, fastrand::f64()).open;
    }
    let half_hour = Duration::from_secs(30 * 60);
    let most =
        tries.iter().map(|from| tries.iter().filter(|at| *at >= from && **at - *from <= half_hour).count()).max();
    let most = most.unwrap();

    let login = Login::new("admin", "right");
    let served = scene::serve(scene::Spec { login: Some(login), ..cheap(1) }, 0).unwrap();
    let url = |password: &str| served.url().replace("//", &format!("//admin:{password}@"));
    let other = scene::serve(cheap(2), 0).unwrap();
    let cameras =
        |password: &str| vec![("door".to_owned(), url(password)), ("yard".to_owned(), other.url().to_owned())];
    let mut rig = Rig::prepare(&cameras("wrong")).await;
    rig.status("yard", "online").await;
    let changed = Stamp::now();
    let config = super::rig::config(rig.broker.port, &cameras("right"));
    rig.service = rig.service.restart_with(&config).await;
    let recovery = rig.status("door", "online").await.since(changed);
    let log = rig.service.log();
    rig.end().await;
    assert!(!log.contains("wrong@") && !log.contains("right@"), "{log}");
    keep(&Row {
        row: 8,
        fault: "wrong password, later put right",
        target: "at most 3 tries in 30 minutes, connected 5 s after the new configuration",
        detection: "at once (401)".to_owned(),
        recovery: format!("{}, a restart of the process included", seconds(recovery)),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("{} passwords sent in 3 hours, {most} at most in any 30 minutes", tries.len()),
        met: most <= 3 && recovery <= Duration::from_secs(5),
        run: "row_08",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_09_refusals_are_told_apart_and_redirects_and_nonces_are_followed() {
    let evil = Evil::start(Manners::Status("453 Not Enough Bandwidth", String::new())).await;
    let mut classes = Vec::new();
    for (status, code) in [("453 Not Enough Bandwidth", 453), ("503 Service Unavailable", 503)] {
        evil.set(Manners::Status(status, String::new()));
        let error = breaks(&evil.url).await.0;
        assert_eq!(error, Error::Refused { address: evil.url.clone(), code });
        classes.push(error.to_string());
    }
    // To a scene, and round in circles.
    let served = scene::serve(cheap(1), 0).unwrap();
    evil.set(Manners::Status("302 Moved Temporarily", format!("Location: {}\r\n", served.url())));
    let mut watching = watch(&Arc::new(Camera::new(spec(&evil.url))));
    watching.barcode().await;
    watching.end().await;
    let before = evil.requests();
    evil.set(Manners::Status("302 Moved Temporarily", format!("Location: {}\r\n", evil.url)));
    let (circles, took) = breaks(&evil.url).await;
    let asked = evil.requests() - before;
    // Another nonce with each answer.
    evil.set(Manners::Nonces);
    let url = evil.url.replace("//", "//admin:hunter2@");
    let before = evil.passwords();
    let nonces = breaks(&url).await.0;
    let passwords = evil.passwords() - before;
    // It was let in, and then nothing came.
    let let_in = nonces == Error::Silent { r#for: Duration::from_secs(4) };
    let met = asked <= 12 && matches!(circles, Error::Malformed { .. }) && let_in && passwords <= 10;
    keep(&Row {
        row: 9,
        fault: "453, 503, redirects, digest nonces that change",
        target: "handled or told apart, no crash",
        detection: "at once".to_owned(),
        recovery: "with the usual waits".to_owned(),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!(
            "{}; a redirect is followed; one in circles ends after {asked} requests and {}: {circles}; a nonce with each \
             answer is followed ({passwords} requests with the password)",
            classes.join("; "),
            seconds(took)
        ),
        met,
        run: "row_09",
    });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./x faults"]
async fn row_10_malformed_answers_cost_neither_memory_nor_time() {
    let sdps: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"v=0".to_vec(),
        vec![0; 10_000],
        (0..=255_u8).cycle().take(60_000).collect(),
        b"m=video 0 RTP/AVP 96\r\n".repeat(2000),
        GOOD_SDP.replace("96 H264/90000", "96 H264/0").into_bytes(),
        GOOD_SDP.replace("96 H264/90000", "96 ").into_bytes(),
        GOOD_SDP.replace("a=control:track0", &format!("a=control:{}", "x".repeat(20_000))).into_bytes(),
        GOOD_SDP.replace("m=video 0 RTP/AVP 96", "m=video -1 RTP/AVP 4294967296").into_bytes(),
        GOOD_SDP
            .replace("a=control", "a=fmtp:96 sprop-parameter-sets=AAAA,////;packetization-mode=99\r\na=control")
            .into_bytes(),
    ];
    let evil = Evil::start(Manners::Sdp(GOOD_SDP.into())).await;
    // The first run loads GStreamer's plugins.
    breaks(&evil.url).await;
    let before = Held::now();
    let (mut longest, mut said) = (Duration::ZERO, Vec::new());
    let slow = Manners::Slowly(Duration::from_millis(200));
    let attacks = sdps.into_iter().map(Manners::Sdp).chain([Manners::HugeHeaders, slow, Manners::SilentAfterPlay]);
    for attack in attacks {
        evil.set(attack);
        let (error, took) = breaks(&evil.url).await;
        longest = longest.max(took);
        let text = error.to_string();
        if !said.contains(&text) {
            said.push(text);
        }
    }
    let after = Held::now();
    let grown = after.kilobytes.saturating_sub(before.kilobytes);
    keep(&Row {
        row: 10,
        fault: "10 malformed descriptions, endless headers, a byte each 0.2 s, silence after PLAY",
        target: "refused in 10 s each, memory grows by less than 1 MB each",
        detection: format!("{} at the longest", seconds(longest)),
        recovery: "with the usual waits".to_owned(),
        lost: "0".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!(
            "memory grew by {grown} kB in all 13, threads {} to {}; told as: {}",
            before.threads,
            after.threads,
            said.join("; ")
        ),
        met: longest <= Duration::from_secs(10) && grown <= 13 * 1024,
        run: "./x faults",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_11_a_certificate_that_nobody_vouches_for_is_refused() {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("rtsps://admin:hunter2@{}/s", listener.local_addr().unwrap());
    // What a camera of that certificate gets to read.
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut text = [0; 512];
            if let Ok(count @ 1..) = stream.read(&mut text).await {
                return String::from_utf8_lossy(&text[..count]).into_owned();
            }
        }
    };
    let (error, took) = tokio::select! {
        broke = breaks(&url) => broke,
        said = serve => panic!("the camera was told {said}"),
    };
    keep(&Row {
        row: 11,
        fault: "rtsps with a self-signed certificate",
        target: "never a word to it",
        detection: seconds(took),
        recovery: "with a certificate of a known authority".to_owned(),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: error.to_string(),
        met: matches!(error, Error::Unreachable { .. }) && !error.to_string().contains("hunter2"),
        run: "row_11",
    });
}

/// Names lead where a file says, for one process.
const NAMES: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real) real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    char address[64];
    FILE *file = node && !strcmp(node, "camera.test") ? fopen(getenv("CAMERA_IS_AT"), "r") : NULL;
    if (!file) return real(node, service, hints, found);
    int read = fscanf(file, "%63s", address);
    fclose(file);
    return read == 1 ? real(address, service, hints, found) : EAI_NONAME;
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn row_12_a_camera_that_moves_is_found_under_its_name() {
    let scene = scene::serve(cheap(1), 0).unwrap();
    let first = Proxy::between("127.0.0.2:0".parse().unwrap(), scene.port(), 1).await;
    let second = Proxy::between(format!("127.0.0.3:{}", first.port()).parse().unwrap(), scene.port(), 2).await;
    let folder = tempfile::tempdir().unwrap();
    let (library, file) = (preload::build(folder.path(), NAMES), folder.path().join("address"));
    std::fs::write(&file, "127.0.0.2").unwrap();
    let url = format!("rtsp://camera.test:{}/scene", first.port());
    let broker = Mosquitto::start(&[]).await;
    let text = super::rig::config(broker.port, &[("door".to_owned(), url)]);
    let variables = [("LD_PRELOAD", library.as_str()), ("CAMERA_IS_AT", file.to_str().unwrap())];
    let service = Service::start_with(&text, &variables);
    let listener = listen(&format!("mqtt://127.0.0.1:{}", broker.port)).await;
    let mut rig = Rig { service, listener, broker };
    rig.status("door", "online").await;
    let moved = Stamp::now();
    first.set(Mode::Refuse);
    let detection = rig.status("door", "offline").await.since(moved);
    let renamed = Stamp::now();
    std::fs::write(&file, "127.0.0.3").unwrap();
    let recovery = rig.status("door", "online").await.since(renamed);
    rig.end().await;
    keep(&Row {
        row: 12,
        fault: "the camera's name leads to another address",
        target: "connected there within the next wait (3 s)",
        detection: seconds(detection),
        recovery: seconds(recovery),
        lost: "what the camera did not send".to_owned(),
        duplicated: "0".to_owned(),
        dropped: "0".to_owned(),
        effect: format!("{} connections at the new address", second.accepted()),
        met: recovery <= Duration::from_secs(3) && second.accepted() > 0,
        run: "row_12",
    });
}

/// Connections that fail, one after the other: refused, hung up on, described badly.
async fn failed_connections(count: usize) -> (Held, Held) {
    let evil = Evil::start(Manners::Status("503 Service Unavailable", String::new())).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let manners = [Manners::Status("401 Unauthorized", String::new()), Manners::Sdp(b"v=0".to_vec())];
    let run = async |number: usize| {
        let url = if number.is_multiple_of(3) { format!("rtsp://{closed}/s") } else { evil.url.clone() };
        evil.set(manners[number % 2].clone());
        watch(&Arc::new(Camera::new(spec(&url)))).broken().await;
    };
    // Until all caches are warm.
    for number in 0..count / 4 {
        run(number).await;
    }
    let before = Held::now();
    for number in 0..count {
        run(number).await;
    }
    (before, Held::now())
}

#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
fn assert_flat(count: usize, (before, after): (Held, Held)) {
    println!("{count} failed connections: {before:?} before, {after:?} after");
    assert!(after.threads <= before.threads + 8, "{before:?} {after:?}");
    assert!(after.descriptors <= before.descriptors + 8, "{before:?} {after:?}");
    assert!(after.kilobytes <= before.kilobytes + 2048 + count as u64 / 5, "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_failed_connections_leave_nothing_behind() {
    assert_flat(300, failed_connections(300).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./x faults"]
async fn long_ten_thousand_failed_connections_leave_nothing_behind() {
    assert_flat(10_000, failed_connections(10_000).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_hangs_in_its_teardown_is_left_counted_and_not_followed_by_many() {
    // GStreamer looks for nothing else while it reads an endless line.
    let evil = Evil::start(Manners::HugeHeaders).await;
    let camera = Arc::new(Camera::new(wader::camera::Spec { silence: Duration::from_millis(500), ..spec(&evil.url) }));
    for hanging in 1..=3 {
        let began = Stamp::now();
        let error = watch(&camera).broken().await;
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert!(Stamp::now().since(began) < Duration::from_secs(4), "its end is not waited for");
        assert_eq!(camera.stuck(), hanging);
    }
    assert_eq!(watch(&camera).broken().await, Error::Stuck { pipelines: 3 });
    drop(evil);
    let freed = async {
        while camera.stuck() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("they stop when the camera hangs up", freed).await;
}
