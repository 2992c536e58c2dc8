//! Sets the demo up: a camera on a free port, a configuration, and wader as a process of its own.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

use super::truth::Recorded;
use crate::{
    cli,
    scene::{self, Drawn, Footage, Served, Source, Spec},
};

/// What the demo's client subscribes to.
pub(super) const ANSWERS: &str = "wader/+/+/answer";

/// Seconds of empty background between two rounds of the footage: longer than a window, so that nobody is seen in one.
const GAP_S: f64 = 12.0;

/// Which drawn street the demo shows.
pub(super) const SEED: u64 = 1;

/// How long wader may take to end.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The demo's questions: name, kind, text. The names are known to [`Recorded`].
const PROMPTS: [(&str, &str, &str); 6] = [
    ("anybody", "yes_no", "Is anybody there?"),
    ("how_many", "number", "How many people are there now?"),
    ("to_the_left", "yes_no", "Is somebody walking to the left?"),
    ("came_in", "yes_no", "Did somebody come in?"),
    ("red", "yes_no", "Is anyone wearing red?"),
    ("scene", "text", "Describe what happens."),
];

/// Everything that runs for the demo; what it wrote goes with it.
pub(super) struct Stage {
    camera: Served,
    broker: String,
    folder: tempfile::TempDir,
    wader: Child,
}

/// The stretch of footage that the truth is about; without a file, the one that `./x setup` fetched.
pub(super) fn footage(file: Option<PathBuf>, truth: &Recorded) -> anyhow::Result<Source> {
    let file = file.map_or_else(cached_footage, Ok)?;
    ensure!(file.exists(), "the footage `{}` is not there; `./x setup` fetches it", file.display());
    Ok(Source::Footage(Footage {
        background_gap_s: GAP_S,
        crop: Some(truth.crop),
        ..Footage::new(file, truth.from, truth.to)
    }))
}

/// The drawn street.
pub(super) const fn drawn() -> Source {
    Source::Drawn(Drawn { seed: SEED, barcode: None, gate: None })
}

fn cached_footage() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.filter(|c| c.is_absolute()).or(home).context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("wader/footage/vtest.avi"))
}

impl Stage {
    /// Starts all of it.
    pub(super) fn build(source: Source, model: &Path) -> anyhow::Result<Self> {
        ensure!(model.join("manifest.json").exists(), "`{}` is no model folder; use --model", model.display());
        let model = model.canonicalize()?;
        let camera = scene::serve(Spec::new(source), 0)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("wader-demo-").tempdir()?;
        let config = folder.path().join("wader.toml");
        fs::write(&config, configuration(camera.url(), port, &model))?;
        let log = File::create(folder.path().join("wader.log"))?;
        let wader = Command::new(std::env::current_exe()?)
            .arg("run")
            .arg("--config")
            .arg(&config)
            .env("NO_COLOR", "1")
            // nothing is left in the user's home
            .env("STATE_DIRECTORY", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start wader itself")?;
        Ok(Self { camera, broker: format!("mqtt://127.0.0.1:{port}"), folder, wader })
    }

    /// Says what runs where, and how to look for oneself.
    pub(super) fn introduce(&self) -> std::io::Result<()> {
        let config = self.folder.path().join("wader.toml");
        cli::put(format_args!("camera   {}   (H.264 over RTSP)", self.camera.url()))?;
        cli::put(format_args!("broker   {}   (inside wader)", self.broker))?;
        cli::put(format_args!("config   {}", config.display()))?;
        for line in fs::read_to_string(&config).unwrap_or_default().lines() {
            cli::put(format_args!("  | {line}"))?;
        }
        let port = self.broker.rsplit(':').next().unwrap_or_default();
        cli::put(format_args!("look     mosquitto_sub -V 5 -p {port} -v -t 'wader/#'"))?;
        cli::put(format_args!("stop     Ctrl-C"))
    }

    /// The camera.
    pub(super) const fn camera(&self) -> &Served {
        &self.camera
    }

    /// The broker's URL.
    pub(super) fn broker(&self) -> &str {
        &self.broker
    }

    /// Waits for wader to end by itself, which it should not.
    pub(super) async fn ended(&mut self) -> String {
        self.wader.wait().await.map_or_else(|e| e.to_string(), |status: ExitStatus| status.to_string())
    }

    /// What wader logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("wader.log")).unwrap_or_default()
    }

    /// Ends wader as the service manager would.
    pub(super) async fn end(&mut self) {
        let pid = self.wader.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // it may have ended already; then there is nothing to tell
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        if tokio::time::timeout(END_WITHIN, self.wader.wait()).await.is_err() {
            cli::say(format_args!("wader did not end within {} s and is killed", END_WITHIN.as_secs()));
            self.wader.kill().await.ok();
        }
    }
}

fn configuration(camera: &str, port: u16, model: &Path) -> String {
    let mut text = format!(
        "[mqtt]\nurl = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n\n[model]\npath = \"{}\"\n\n[cameras]\ndemo = \"{camera}\"\n\n\
         [defaults.prompt]\nevery = \"2s\"\npublish = \"always\"\nmin_probability = 0.5\n",
        model.display()
    );
    for (name, kind, ask) in PROMPTS {
        text += &format!("\n[prompts.{name}]\nask = \"{ask}\"\nanswer = \"{kind}\"\n");
        if kind == "number" {
            text += "max = 9\n";
        }
    }
    text
}
