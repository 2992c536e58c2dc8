//! The service manager's watchdog: fed while the work goes on, however slowly, and not fed when a stage hangs.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use wader::{frame::Stamp, scene};

use crate::support::{
    broker::{free_port, within},
    faults::{Row, keep, seconds},
    model::{FolderCopy, oracle_folder},
    service::{Service, THERE, answer, config, listen},
    video::drawn,
};

/// How long the manager waits; our own stages are read eight times in it.
const WATCHDOG: Duration = Duration::from_secs(4);

/// A service manager's socket: what it was told, and when.
struct Manager {
    path: PathBuf,
    hears: Option<JoinHandle<Vec<(Stamp, String)>>>,
}

impl Manager {
    fn in_folder(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let hear = move || {
            let (mut told, mut buffer) = (Vec::new(), [0; 512]);
            while let Ok(length) = socket.recv(&mut buffer) {
                if length == 0 {
                    break;
                }
                told.push((Stamp::now(), String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned()));
            }
            told
        };
        let hears = std::thread::Builder::new().name("manager".to_owned()).spawn(hear).unwrap();
        Self { path, hears: Some(hears) }
    }

    fn variables(&self) -> [(&'static str, String); 2] {
        let path = self.path.to_str().unwrap().to_owned();
        [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())]
    }

    /// When it was fed, once it is told no more.
    fn fed(&mut self) -> Vec<Stamp> {
        UnixDatagram::unbound().unwrap().send_to(&[], &self.path).unwrap();
        let told = self.hears.take().unwrap().join().unwrap();
        assert!(told.iter().any(|(_, text)| text == "READY=1"), "{told:?}");
        told.into_iter().filter(|(_, text)| text == "WATCHDOG=1").map(|(at, _)| at).collect()
    }
}

fn start(manager: &Manager, config: &str) -> Service {
    let variables = manager.variables();
    Service::start_with(config, &variables.each_ref().map(|(name, value)| (*name, value.as_str())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_hangs_is_not_fed_for_and_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut manager = Manager::in_folder(folder.path());
    let hanging = fs::read(oracle_folder().with_file_name("hanging_vision_encoder.onnx")).unwrap();
    let model = FolderCopy::with_file("vision_encoder.onnx", |bytes| *bytes = hanging);
    let (good, hangs) = (scene::serve(drawn(3), 0).unwrap(), free_port().await);
    let port = free_port().await;
    let url = format!("rtsp://127.0.0.1:{hangs}/scene");
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let cameras = [("good", good.url()), ("hangs", url.as_str())];
    let text =
        config(&broker, &cameras, THERE).replace(oracle_folder().to_str().unwrap(), model.path().to_str().unwrap());
    let mut service = start(&manager, &text);
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    answer(&mut listener, "wader/good/there/answer").await;
    let _hangs = scene::serve(drawn(61), hangs).unwrap();
    // who subscribes is told before the process is ended: the last answer holds no more
    let mut said = answer(&mut listener, "wader/good/there/answer").await;
    while said.outcome == "answer" {
        said = answer(&mut listener, "wader/good/there/answer").await;
    }
    assert_eq!((said.outcome.as_str(), said.reason.as_deref()), ("stale", Some("late")), "{said:?}");
    assert!(said.latency_ms.is_none(), "the model was not asked: {said:?}");
    let ended = within("wader ends by itself", service.ended()).await;
    let end = Stamp::now();
    assert_eq!(ended.code(), Some(75), "{}", service.log());
    let fed = manager.fed();
    let log = service.log();
    assert!(log.contains("stage_still") && log.contains("`engine` hangs"), "{log}");
    let starved = end.since(*fed.last().unwrap());
    println!("fed {} times, then not for {starved:?} until the end", fed.len());
    assert!(starved > WATCHDOG / 2, "it hung for {WATCHDOG:?} before the end, and was fed for at most half of it");
    let counted = |name: &str| {
        let worked = log.lines().find(|line| line.contains("worked")).unwrap_or_default();
        let after = worked.split(&format!("{name}=")).nth(1).unwrap_or_default();
        after.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_owned()
    };
    for (row, fault, target) in [
        (32, "a graph hangs inside the model", "the process is ended; lost windows counted"),
        (41, "a stage stands still: here the engine", "pings stop <= WatchdogSec / 2"),
    ] {
        keep(&Row {
            row,
            fault,
            target,
            detection: format!(
                "no ping for the last {} of {} that it hung (WatchdogSec)",
                seconds(starved),
                seconds(WATCHDOG)
            ),
            recovery: "exit code 75, and the service manager starts it anew".to_owned(),
            lost: "what the hanging batch was asked".to_owned(),
            duplicated: String::new(),
            dropped: format!("{} windows replaced, {} dropped, counted", counted("replaced"), counted("dropped")),
            effect: "`stale` (`late`) once their last answer holds no more".to_owned(),
            met: starved > WATCHDOG / 2 && !counted("replaced").is_empty(),
            run: "watchdog::a_stage_that_hangs",
        });
    }
}

/// Processes that take all the processor they get; ended when dropped.
struct Load(Vec<Child>);

impl Load {
    fn of(processes: usize) -> Self {
        let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
        Self((0..processes).map(|_| busy()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_times_the_load_of_the_processor_is_no_reason_to_starve() {
    let folder = tempfile::tempdir().unwrap();
    let mut manager = Manager::in_folder(folder.path());
    let (good, port) = (scene::serve(drawn(3), 0).unwrap(), free_port().await);
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let mut service = start(&manager, &config(&broker, &[("good", good.url())], THERE));
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    answer(&mut listener, "wader/good/there/answer").await;
    let load = Load::of(4 * std::thread::available_parallelism().unwrap().get());
    tokio::time::sleep(2 * WATCHDOG).await;
    drop(load);
    assert!(service.terminate().await.success(), "{}", service.log());
    let fed = manager.fed();
    let longest = fed.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
    println!("fed {} times, at most {longest:?} apart", fed.len());
    assert!(longest < WATCHDOG, "the manager would have killed it:\n{}", service.log());
    keep(&Row {
        row: 40,
        fault: "four times as many busy processes as there are processors",
        target: "no false restart",
        detection: String::new(),
        recovery: String::new(),
        lost: String::new(),
        duplicated: String::new(),
        dropped: String::new(),
        effect: format!("pings at most {} apart, of {} that the manager waits", seconds(longest), seconds(WATCHDOG)),
        met: true,
        run: "watchdog::four_times",
    });
}
