//! wader as a process of its own, as it is installed.

use std::{
    fs,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::LazyLock,
};

use tokio::process::{Child, Command};
use wader::{
    answer::wire::{self, AnswerMessage},
    mqtt::{Access, Arrival, Listener, Topics, asyncapi},
};

use super::{broker::within, model::oracle_folder};

/// What is part of each password that the service is given by [`config`], and of nothing else: it must come out nowhere.
pub(crate) const CANARY: &str = "cAnArY-hunter2";
/// It as a password that must be escaped in a URL, and so escaped.
pub(crate) const PASSWORD: &str = "cAnArY-hunter2@/%41";
const ESCAPED: &str = "cAnArY-hunter2%40%2F%2541";

/// Whether a text tells a password of the service: as it is, escaped, in any case, or as HTTP writes it.
pub(crate) fn tells(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_lowercase();
    // "owner:" and the canary in base64, which Basic authentication sends
    text.contains(&CANARY.to_lowercase()) || text.contains(&"b3duZXI6Y0FuQXJZLWh1bnRlcj".to_lowercase())
}

/// The folder of a service that ran; when it goes, all that was left in it is searched for passwords.
struct Searched(tempfile::TempDir);

impl Searched {
    /// The files that tell a password, but for the configuration.
    fn telling(&self) -> Vec<PathBuf> {
        let (mut folders, mut telling) = (vec![self.0.path().to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                let is_config = path.extension().is_some_and(|ending| ending == "toml");
                match fs::read(&path) {
                    _ if path.is_dir() => folders.push(path),
                    Ok(bytes) if !is_config && tells(&bytes) => telling.push(path),
                    _ => {}
                }
            }
        }
        telling
    }

    /// What `wader check --print` says of its configuration.
    fn printed(&self) -> Vec<u8> {
        let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_wader"));
        let said = check.args(["check", "--print", "--config"]).arg(self.0.path().join("wader.toml")).output();
        said.map(|said| [said.stdout, said.stderr].concat()).unwrap_or_default()
    }
}

impl Drop for Searched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert_eq!(self.telling(), Vec::<PathBuf>::new(), "these files tell a password");
        let printed = self.printed();
        assert!(!tells(&printed), "`check --print` tells a password: {}", String::from_utf8_lossy(&printed));
    }
}

/// A running `wader run`; killed when it goes.
pub(crate) struct Service {
    child: Child,
    folder: Searched,
}

impl Service {
    /// Starts it with this configuration.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// Starts it with this configuration and these variables.
    pub(crate) fn start_with(config: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("wader.toml"), config).unwrap();
        Self::start_in(folder, variables)
    }

    /// Starts it with this configuration, so that a file which may not grow is an error of the disk and not its end.
    pub(crate) fn start_limitable(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("wader.toml"), config).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_wader")]);
        Self::begin(command, Searched(folder), &[])
    }

    /// Starts it with this configuration as a member of a control group, whose folder this is.
    pub(crate) fn start_in_group(config: &str, group: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("wader.toml"), config).unwrap();
        let mut command = Command::new("sh");
        let join = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.display());
        command.args(["-c", &join, env!("CARGO_BIN_EXE_wader")]);
        Self::begin(command, Searched(folder), &[])
    }

    /// Starts it with the `wader.toml` of this folder and these variables.
    pub(crate) fn start_in(folder: tempfile::TempDir, variables: &[(&str, &str)]) -> Self {
        Self::begin(Command::new(env!("CARGO_BIN_EXE_wader")), Searched(folder), variables)
    }

    fn begin(mut command: Command, folder: Searched, variables: &[(&str, &str)]) -> Self {
        assert!(!tells(&fs::read(folder.0.path().join("log")).unwrap_or_default()), "the log tells a password");
        let file = folder.0.path().join("wader.toml");
        let log = fs::File::create(folder.0.path().join("log")).unwrap();
        let child = command
            .args(["run", "--config"])
            .arg(&file)
            // not the home of whoever runs the tests
            .env("STATE_DIRECTORY", folder.0.path().join("state"))
            .envs(variables.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// What it wrote so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.0.path().join("log")).unwrap_or_default()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).unwrap()));
        pid.expect("it runs")
    }

    /// From now on no file of its may grow beyond so many bytes, or all may again.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = rustix::process::Rlimit { current: bytes, maximum: None };
        rustix::process::prlimit(Some(self.pid()), rustix::process::Resource::Fsize, limit).unwrap();
    }

    /// From now on it may have so many of these.
    pub(crate) fn limit(&self, resource: rustix::process::Resource, most: u64) {
        let maximum = rustix::process::getrlimit(resource).maximum; // that of whoever started it
        let current = Some(maximum.map_or(most, |maximum| maximum.min(most)));
        rustix::process::prlimit(Some(self.pid()), resource, rustix::process::Rlimit { current, maximum }).unwrap();
    }

    /// A figure of its `/proc/…/status`, as `VmHWM` in KiB.
    pub(crate) fn status(&self, figure: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many file descriptors it has.
    pub(crate) fn descriptors(&self) -> u64 {
        fs::read_dir(format!("/proc/{}/fd", self.pid().as_raw_nonzero())).unwrap().count() as u64
    }

    /// Asks it to end, as the service manager does, and waits.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        self.ended().await
    }

    /// Writes another configuration where it reads its own; it looks by itself.
    pub(crate) fn rewrite(&self, config: &str) {
        fs::write(self.path("wader.toml"), config).unwrap();
    }

    /// Tells it to read its configuration again.
    pub(crate) fn hang_up(&self) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::HUP).unwrap();
    }

    /// Ends it at once, as a crash or the kernel would.
    pub(crate) async fn kill(&mut self) {
        self.child.start_kill().unwrap();
        self.ended().await;
    }

    /// Waits until its log holds this.
    pub(crate) async fn says(&self, text: &str) {
        let said = async {
            while !self.log().contains(text) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        within(&format!("the log says `{text}`"), said).await;
    }

    /// Ends it with this signal.
    pub(crate) async fn killed_by(mut self, signal: rustix::process::Signal) -> Self {
        let pid = self.pid();
        // Rust's handler takes a SIGSEGV from outside for none of its own, and steps aside for the next.
        let again = std::time::Duration::from_millis(50);
        within("wader is killed", async {
            loop {
                rustix::process::kill_process(pid, signal).ok();
                if tokio::time::timeout(again, self.child.wait()).await.is_ok() {
                    return;
                }
            }
        })
        .await;
        self
    }

    /// Ends it and starts it again with another configuration, in the same folder.
    pub(crate) async fn restart_with(mut self, config: &str) -> Self {
        assert!(self.terminate().await.success(), "{}", self.log());
        self.restart_ended_with(config)
    }

    /// Starts it again after it has ended, in the same folder.
    pub(crate) fn started_again(self) -> Self {
        Self::begin(Command::new(env!("CARGO_BIN_EXE_wader")), self.folder, &[])
    }

    /// Starts it again after it has ended, with another configuration, in the same folder.
    pub(crate) fn restart_ended_with(self, config: &str) -> Self {
        fs::write(self.path("wader.toml"), config).unwrap();
        self.started_again()
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.0.path().join(name)
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        within("wader ends", self.child.wait()).await.unwrap()
    }
}

/// What one command of wader's said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its exit code.
    pub(crate) code: i32,
    /// Data.
    pub(crate) out: String,
    /// Talk.
    pub(crate) err: String,
}

/// Runs a command of wader's to its end.
pub(crate) async fn wader(arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wader"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = within(&format!("wader {arguments:?} ends"), command.output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A prompt that the oracle answers twice a second about each camera.
pub(crate) const THERE: &str = r#"
[prompts.there]
ask = "is it there"
answer = "yes_no"
every = "500ms"
window = { frames = 3, span = "1s" }
publish = "always"
"#;

/// A configuration with the oracle, this broker, and these cameras; where these have no passwords, they are given one that
/// nobody asks for.
pub(crate) fn config(broker: &str, cameras: &[(&str, &str)], rest: &str) -> String {
    let model: PathBuf = oracle_folder();
    let with_password = |url: &str| match url.strip_prefix("rtsp://") {
        Some(place) if !place.contains('@') => format!("rtsp://owner:{ESCAPED}@{place}"),
        _ => url.to_owned(),
    };
    let cameras: String = cameras.iter().map(|(name, url)| format!("{name} = \"{}\"\n", with_password(url))).collect();
    let login = if broker.contains("mqtt://") && !broker.contains("user") && !broker.contains('@') {
        format!("\nuser = \"owner\"\npassword = \"{PASSWORD}\"")
    } else {
        String::new()
    };
    let broker = format!("{broker}{login}");
    format!(
        "[mqtt]\n{broker}\n[model]\npath = \"{}\"\ndevice = \"cpu\"\n[defaults.camera]\nframes_per_second = 5\n\
         silence = \"3s\"\n[cameras]\n{cameras}{rest}",
        model.display()
    )
}

/// A busy service that needs no camera: sixty answers a second about two test pictures.
pub(crate) fn busy(broker: &str, rest: &str) -> String {
    let cameras = [("left", "test:pattern"), ("right", "test:pattern")];
    let prompt = |number: u32| {
        format!(
            "[prompts.p{number}]\nask = \"f0 f1 f2 g2 camera valid reference\"\nanswer = \"choice\"\n\
             choices = [\"f0\", \"f1\", \"f2\", \"g2\", \"camera\", \"valid\", \"reference\"]\n"
        )
    };
    let prompts: String = (1..=3).map(prompt).collect();
    let rest = format!(
        "[homeassistant]\ndiscovery = false\n[defaults.prompt]\nevery = \"100ms\"\npublish = \"always\"\n\
         min_probability = 0.0\nwindow = {{ frames = 2, span = \"200ms\" }}\n{prompts}{rest}"
    );
    config(broker, &cameras, &rest).replace("frames_per_second = 5", "frames_per_second = 10")
}

/// A listener on everything wader says, as soon as the broker is there.
pub(crate) async fn listen(broker: &str) -> Listener {
    let access = Access::parse(broker).unwrap();
    let connect = async {
        loop {
            match Listener::connect(&access, "wader/#").await {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    };
    within("the broker is there", connect).await
}

/// What `wader schema asyncapi` says of a topic that wader publishes on: its levels, and what its messages are like.
struct Described {
    levels: Vec<String>,
    is_json: bool,
    payload: jsonschema::Validator,
}

impl Described {
    fn read_all() -> Vec<Self> {
        let document = asyncapi::document(&Topics::default(), "test");
        let sent = |key: &String| document["operations"][key]["action"] == "send";
        let channels = document["channels"].as_object().unwrap().iter().filter(|(key, _)| sent(key));
        let read = |(key, channel): (&String, &serde_json::Value)| Self {
            levels: channel["address"].as_str().unwrap().split('/').map(str::to_owned).collect(),
            is_json: channel["messages"][key]["contentType"] == "application/json",
            payload: {
                // with what its references point at
                let mut schema = channel["messages"][key]["payload"].clone();
                schema["components"] = document["components"].clone();
                jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
            },
        };
        channels.map(read).collect()
    }

    fn is(&self, topic: &str) -> bool {
        let levels: Vec<&str> = topic.split('/').collect();
        let fits = |(own, level): (&String, &&str)| own.starts_with('{') || own == "#" || own == level;
        let as_long = self.levels.len() == levels.len();
        as_long && self.levels.iter().zip(&levels).all(fits)
    }
}

/// Holds what wader says against its own description of all topics; what others say to it is theirs.
fn assert_as_described(arrival: &Arrival) {
    assert!(!tells(&arrival.payload) && !tells(arrival.topic.as_bytes()), "a topic tells a password: {arrival:?}");
    static DESCRIBED: LazyLock<Vec<Described>> = LazyLock::new(Described::read_all);
    let heard = ["/set", "/ask", "/feedback"].iter().any(|end| arrival.topic.ends_with(end));
    let ours = arrival.topic.starts_with("wader/") && !arrival.topic.starts_with("wader/response/");
    if heard || !ours || arrival.payload.is_empty() {
        return;
    }
    let described: Vec<_> = DESCRIBED.iter().filter(|described| described.is(&arrival.topic)).collect();
    assert!(!described.is_empty(), "`wader schema asyncapi` does not know `{}`", arrival.topic);
    let says = |described: &Described| {
        let message = match described.is_json {
            true => serde_json::from_slice(&arrival.payload).ok(),
            false => Some(arrival.text().into()),
        };
        message.is_some_and(|message: serde_json::Value| described.payload.is_valid(&message))
    };
    assert!(
        described.iter().any(|described| says(described)),
        "not as described: {}: {}",
        arrival.topic,
        arrival.text()
    );
}

/// The next message that fits; each on the way to it is as `wader schema asyncapi` describes it.
pub(crate) async fn until(listener: &mut Listener, what: &str, mut fits: impl FnMut(&Arrival) -> bool) -> Arrival {
    let wait = async {
        loop {
            let arrival = listener.next().await.unwrap();
            assert_as_described(&arrival);
            if fits(&arrival) {
                return arrival;
            }
        }
    };
    within(what, wait).await
}

/// The next answer of a camera's prompt.
pub(crate) async fn answer(listener: &mut Listener, topic: &str) -> AnswerMessage {
    let arrival = until(listener, topic, |a| a.topic == topic).await;
    wire::read_answer(&arrival.payload).unwrap()
}
