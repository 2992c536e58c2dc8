//! Test cameras, cameras that watch them, and servers that refuse.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use tokio::task::JoinSet;
use wader::{
    camera::{Address, Camera, Description, Error, Latest, Spec},
    frame::{Frame, Size},
    name::CameraName,
    scene::{self, Barcode, Drawn, Served, Source},
    supervise::Stop,
};

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The size that frames are asked for in these tests: small, to be quick and to try the barcode hard.
pub(crate) const SMALL: Size = Size { width: 64, height: 48 };

/// A drawn scene with a barcode, 320x240 at 25 frames a second.
pub(crate) fn drawn(camera: u8) -> scene::Spec {
    let source = Source::Drawn(Drawn { seed: 1, barcode: Some(camera), gate: None });
    let size = Size { width: 320, height: 240 };
    scene::Spec { size, frames_per_second: 25, key_frame_distance: 12, ..scene::Spec::new(source) }
}

/// A camera at a URL, received as most are, all of its frames, down after 3 s of silence.
pub(crate) fn spec(url: &str) -> Spec {
    let pipeline = Description::built_in("rtsp-cpu").expect("is built in");
    let address = Address::parse(url).expect("is an address");
    let name = CameraName::new("door").expect("is a name");
    Spec { frames_per_second: 0.0, silence: Duration::from_secs(3), ..Spec::new(name, address, pipeline, SMALL) }
}

/// A camera that is being received.
pub(crate) struct Watching {
    frames: Arc<Latest<Frame>>,
    stop: Stop,
    /// Ends with this, whatever happens in the test.
    task: JoinSet<Result<(), Error>>,
}

/// Receives a camera once, on a task of its own.
pub(crate) fn watch(camera: &Arc<Camera>) -> Watching {
    let (frames, stop) = (Arc::new(Latest::new()), Stop::new());
    let (camera, to, until) = (Arc::clone(camera), Arc::clone(&frames), stop.clone());
    let mut task = JoinSet::new();
    task.spawn(async move { camera.run(&to, &until).await });
    Watching { frames, stop, task }
}

/// Receives the camera of a served scene.
pub(crate) fn watch_scene(served: &Served) -> Watching {
    watch(&Arc::new(Camera::new(spec(&served.url_with_login()))))
}

impl Watching {
    /// The next frame; fails the test when the camera breaks or the deadline passes.
    pub(crate) async fn frame(&mut self) -> Frame {
        tokio::select! {
            frame = self.frames.take() => frame,
            ended = self.task.join_next() => panic!("the camera ended: {ended:?}"),
            () = tokio::time::sleep(DEADLINE) => panic!("no frame within {DEADLINE:?}"),
        }
    }

    /// The next frame, or why the camera broke; fails the test when the deadline passes.
    pub(crate) async fn try_frame(&mut self) -> Result<Frame, Error> {
        tokio::select! {
            frame = self.frames.take() => Ok(frame),
            ended = self.task.join_next() => Err(ended.unwrap().unwrap().unwrap_err()),
            () = tokio::time::sleep(DEADLINE) => panic!("no frame within {DEADLINE:?}"),
        }
    }

    /// The next frame and its barcode. A frame without one fails the test.
    pub(crate) async fn barcode(&mut self) -> (Frame, Barcode) {
        let frame = self.frame().await;
        let barcode = Barcode::read(&frame.pixels, frame.size).expect("a frame without a barcode");
        (frame, barcode)
    }

    /// The error with which the camera breaks by itself.
    pub(crate) async fn broken(self) -> Error {
        self.ended().await.expect_err("it ended without an error")
    }

    /// Stops the camera, which must end well.
    pub(crate) async fn end(self) {
        self.stop.give();
        assert_eq!(self.ended().await, Ok(()));
    }

    async fn ended(mut self) -> Result<(), Error> {
        let ended = tokio::time::timeout(DEADLINE, self.task.join_next()).await.expect("the camera went on");
        ended.expect("a task").expect("no panic")
    }
}

/// An RTSP server that answers every request with the same status, and counts them.
pub(crate) struct Refusing {
    /// Its URL, without user and password.
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Answers with a status line as `401 Unauthorized`; `None` accepts connections and says nothing.
pub(crate) fn refuse_with(status: Option<&'static str>) -> Refusing {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("rtsp://{}/stream", listener.local_addr().expect("is bound"));
    let (requests, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, over) = (Arc::clone(&requests), Arc::clone(&is_over));
    let serve = move || {
        let mut open = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            if over.load(Ordering::SeqCst) {
                return;
            }
            match status {
                Some(status) => answer(stream, status, &count),
                None => open.push(stream),
            }
        }
    };
    let thread = Builder::new().name("refusing".to_owned()).spawn(serve).expect("a thread");
    Refusing { url, requests, is_over, thread: Some(thread) }
}

fn answer(mut stream: TcpStream, status: &str, count: &AtomicUsize) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut sequence = String::new();
    for line in BufReader::new(copy).lines().map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("CSeq:") {
            number.trim().clone_into(&mut sequence);
        }
        if line.is_empty() {
            count.fetch_add(1, Ordering::SeqCst);
            let challenge = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"0123456789\"\r\n";
            if write!(stream, "RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{challenge}\r\n").is_err() {
                return;
            }
        }
    }
}

impl Refusing {
    /// How many requests came so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it is over.
        let address = self.url.trim_start_matches("rtsp://").trim_end_matches("/stream");
        drop(TcpStream::connect(address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
