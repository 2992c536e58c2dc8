//! An RTSP server that misbehaves on command, and plays recordings with whatever times it is told.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::recording::Recording;

/// A description without a mistake, of a stream that is never played.
pub(crate) const GOOD_SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=evil\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
     c=IN IP4 0.0.0.0\r\na=rtpmap:96 H264/90000\r\na=control:track0\r\n";

/// How it answers.
#[derive(Debug, Clone)]
pub(crate) enum Manners {
    /// Each request with this status, and these headers.
    Status(&'static str, String),
    /// Status 401 until this user's password is right (sent as it is, RFC 2617's "Basic"); then it is mute.
    Password(&'static str, &'static str),
    /// Status 401 to requests of this kind, whatever the password; all is well before.
    Late(&'static str),
    /// Another challenge with each request, taken only with the newest; a good-bye is never taken.
    Nonces,
    /// A description with these bytes, and well otherwise.
    Sdp(Vec<u8>),
    /// An endless line of headers.
    HugeHeaders,
    /// One byte of its answer at a time, with this pause between.
    Slowly(Duration),
    /// All is well, and nothing comes.
    SilentAfterPlay,
    /// Plays this.
    Play(Arc<Play>),
}

/// What is played, and at which times.
#[derive(Debug)]
pub(crate) struct Play {
    /// One after the other; the last of them again and again.
    pub(crate) recordings: Vec<Recording>,
    /// The first time stamp.
    pub(crate) first_time: u32,
    /// The time stamp sent, by the true one and the picture's number.
    pub(crate) time: fn(u32, u64) -> u32,
    /// The clock in sender reports, in seconds, by the true one; one report a second.
    pub(crate) reported_s: Option<fn(f64) -> f64>,
    /// Pictures come in this order of delay, over and over.
    pub(crate) delays_ms: &'static [u64],
}

impl Play {
    /// Plays them as they are.
    pub(crate) fn of(recordings: Vec<Recording>) -> Self {
        Self { recordings, first_time: 1000, time: |time, _| time, reported_s: None, delays_ms: &[0] }
    }
}

/// What came.
#[derive(Debug, Default)]
struct Heard {
    requests: AtomicU64,
    passwords: AtomicU64,
    sent: AtomicU64,
}

/// The server; ends when dropped.
pub(crate) struct Evil {
    /// Its URL, without user and password.
    pub(crate) url: String,
    manners: Arc<Mutex<Manners>>,
    heard: Arc<Heard>,
    _task: JoinSet<()>,
}

impl Evil {
    pub(crate) async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtsp://{}/stream", listener.local_addr().unwrap());
        let (manners, heard) = (Arc::new(Mutex::new(manners)), Arc::new(Heard::default()));
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::clone(&manners), Arc::clone(&heard)));
        Self { url, manners, heard, _task: task }
    }

    /// From the next request on.
    pub(crate) fn set(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    pub(crate) fn port(&self) -> u16 {
        url::Url::parse(&self.url).unwrap().port().unwrap()
    }

    /// Requests that had a password with them.
    pub(crate) fn passwords(&self) -> u64 {
        self.heard.passwords.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.heard.requests.load(Ordering::Relaxed)
    }

    /// How many pictures it has sent.
    pub(crate) fn sent(&self) -> u64 {
        self.heard.sent.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, manners: Arc<Mutex<Manners>>, heard: Arc<Heard>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let (manners, heard) = (Arc::clone(&manners), Arc::clone(&heard));
                // The viewer hangs up when it has enough.
                connections.spawn(async move { converse(stream, &manners, &heard).await.ok(); });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(mut stream: TcpStream, manners: &Mutex<Manners>, heard: &Heard) -> std::io::Result<()> {
    let (mut had, mut nonce) = (Vec::new(), 0_u64);
    loop {
        let end = loop {
            if let Some(end) = had.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            let mut more = [0; 2048];
            let count = stream.read(&mut more).await?;
            if count == 0 {
                return Ok(());
            }
            had.extend_from_slice(&more[..count]);
        };
        let request = String::from_utf8_lossy(&had.drain(..end).collect::<Vec<u8>>()).into_owned();
        heard.requests.fetch_add(1, Ordering::Relaxed);
        let sequence = header(&request, "CSeq").unwrap_or("0");
        let authorization = header(&request, "Authorization");
        heard.passwords.fetch_add(u64::from(authorization.is_some()), Ordering::Relaxed);
        let manners = manners.lock().unwrap().clone();
        let fine = |headers: &str, body: &[u8]| answer("200 OK", sequence, headers, body);
        let usual = |sdp: &[u8]| match request.split(' ').next().unwrap_or_default() {
            "OPTIONS" => fine("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", b""),
            "DESCRIBE" => fine("Content-Type: application/sdp\r\n", sdp),
            "SETUP" => fine("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", b""),
            _ => fine("Session: 1\r\n", b""),
        };
        let reply = match &manners {
            Manners::Status(status, headers) => answer(status, sequence, headers, b""),
            Manners::Password(user, password) => {
                let right = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
                match authorization == Some(right.as_str()) {
                    true => usual(GOOD_SDP.as_bytes()),
                    false => answer("401 Unauthorized", sequence, "WWW-Authenticate: Basic realm=\"cam\"\r\n", b""),
                }
            }
            Manners::Late(kind) => match request.starts_with(kind) {
                true => answer("401 Unauthorized", sequence, "WWW-Authenticate: Basic realm=\"cam\"\r\n", b""),
                false => usual(GOOD_SDP.as_bytes()),
            },
            Manners::Nonces => {
                let known = authorization.is_some_and(|given| given.contains(&format!("nonce=\"n{nonce}\"")));
                nonce += 1;
                let challenge = format!("WWW-Authenticate: Digest realm=\"cam\", nonce=\"n{nonce}\"\r\n");
                match known && nonce > 1 && !request.starts_with("TEARDOWN") {
                    true => usual(GOOD_SDP.as_bytes()),
                    false => answer("401 Unauthorized", sequence, &challenge, b""),
                }
            }
            Manners::Sdp(sdp) => usual(sdp),
            Manners::HugeHeaders => {
                stream.write_all(format!("RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n").as_bytes()).await?;
                loop {
                    stream.write_all(format!("X-{}: {}\r\n", "a".repeat(500), "b".repeat(500)).as_bytes()).await?;
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Manners::Slowly(pause) => {
                for byte in usual(GOOD_SDP.as_bytes()) {
                    stream.write_all(&[byte]).await?;
                    sleep(*pause).await;
                }
                continue;
            }
            Manners::SilentAfterPlay => usual(GOOD_SDP.as_bytes()),
            Manners::Play(play) => usual(play.recordings[0].sdp.as_bytes()),
        };
        stream.write_all(&reply).await?;
        if let (Manners::Play(play), true) = (&manners, request.starts_with("PLAY")) {
            return perform(&mut stream, play, heard).await;
        }
    }
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn answer(status: &str, sequence: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let mut answer = format!("RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{headers}{length}\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// Plays until the viewer hangs up.
async fn perform(stream: &mut TcpStream, play: &Play, heard: &Heard) -> std::io::Result<()> {
    let (began, mut offset, mut number, mut pictures) = (Instant::now(), 0_u32, 0_u16, 0_u64);
    let mut reported = None;
    for recording in play.recordings.iter().chain(std::iter::repeat(play.recordings.last().unwrap())) {
        let first = recording.packets[0].time();
        for packet in &recording.packets {
            // Without the wrap: how long it has been playing.
            let since = offset.wrapping_add(packet.time().wrapping_sub(first));
            let delay = play.delays_ms[pictures as usize % play.delays_ms.len()];
            sleep_until(began + Duration::from_secs_f64(f64::from(since) / 90_000.0) + Duration::from_millis(delay))
                .await;
            let time = play.first_time.wrapping_add((play.time)(since, pictures));
            let bytes = packet.with(number, time);
            number = number.wrapping_add(1);
            let second = since / 90_000;
            if let Some(clock) = play.reported_s.filter(|_| reported != Some(second)) {
                reported = Some(second);
                send(stream, 1, &report(&bytes, clock(f64::from(since) / 90_000.0), time)).await?;
            }
            send(stream, 0, &bytes).await?;
            if packet.bytes[1] & 0x80 != 0 {
                pictures += 1;
                heard.sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        offset = offset.wrapping_add(recording.length());
    }
    Ok(())
}

async fn send(stream: &mut TcpStream, channel: u8, packet: &[u8]) -> std::io::Result<()> {
    let mut framed = vec![b'$', channel];
    framed.extend(u16::try_from(packet.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(packet);
    stream.write_all(&framed).await
}

/// A sender report (RFC 3550, 6.4.1): this clock's time and this time stamp are the same moment.
fn report(rtp: &[u8], clock_s: f64, time: u32) -> Vec<u8> {
    let mut report = vec![0x80, 200, 0, 6];
    report.extend_from_slice(&rtp[8..12]);
    report.extend(((3_900_000_000.0 + clock_s) as u32).to_be_bytes());
    report.extend(((clock_s.rem_euclid(1.0) * 4_294_967_296.0) as u32).to_be_bytes());
    report.extend(time.to_be_bytes());
    report.extend([0; 8]);
    report
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let is_there = place <= three.len();
            text.push(if is_there { LETTERS[(word >> (18 - 6 * place)) as usize & 63] as char } else { '=' });
        }
    }
    text
}

#[test]
fn passwords_are_spelt_as_cameras_expect_them() {
    assert_eq!(base64(b"Aladdin:open sesame"), "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}
