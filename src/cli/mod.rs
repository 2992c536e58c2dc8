//! What a person can type: commands, their options, and the exit codes scripts rely on.
//!
//! Data goes to stdout, talk to stderr.

mod ask;
mod bench;
mod check;
mod demo;
mod doctor;
mod feedback;
mod history;
mod line;
mod models;
mod pages;
mod replay;
mod run;
mod scene;
mod schema;
mod snapshot;
mod watch;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{
    config::{CameraConfig, Config},
    frame::Size,
    name::CameraName,
};

/// Where the service manager keeps what outlives a restart of the installed service; only the service is told so.
const STATE_OF_SERVICE: &str = "/var/lib/wader";

/// What is said where there is no place to look for what outlives a restart.
pub(crate) const NO_STATE: &str = "there is no folder for what outlives a restart: neither STATE_DIRECTORY, XDG_STATE_HOME nor \
                                   HOME is set; name one as `state` below `[paths]`";

/// What the shipped model looks at: the size of pictures where no model says another.
const SHIPPED_SIZE: Size = Size { width: 384, height: 288 };

/// Exit codes, after sysexits.h.
pub mod exit {
    /// All is well.
    pub const OK: u8 = 0;
    /// There is no answer to what was asked, or something went wrong that has no code of its own.
    pub const FAILURE: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
    /// What was asked for, or what it needs, is not there.
    pub const UNAVAILABLE: u8 = 69;
    /// wader itself broke: start it again.
    pub const SOFTWARE: u8 = 70;
    /// A stage hung: start it again.
    pub const HANGS: u8 = 75;
    /// The configuration is wrong: starting again does not help.
    pub const CONFIG: u8 = 78;
}

/// Watches live cameras and answers standing questions about them, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "wader", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration is.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ConfigArguments {
    /// The configuration file, else `/etc/wader/wader.toml`; files of `conf.d` beside it are read after it.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the configured cameras and publish answers, until stopped.
    Run(ConfigArguments),
    /// Show the real thing in a minute: a camera, a broker and the shipped model, all on this machine.
    Demo(demo::Options),
    /// Say what is wrong with the configuration, all of it at once.
    Check(check::Options),
    /// Try all that the service needs, and say what mends what does not work.
    Doctor(doctor::Options),
    /// Measure how much of this machine the configuration takes.
    Bench(bench::Options),
    /// Ask one question, of the running service about a camera, or about a picture or a recording.
    Ask(ask::Options),
    /// Ask standing prompts about a recording: what they would have said, had a camera shown it.
    Replay(replay::Options),
    /// Print answers as they come out of the broker.
    Watch(watch::Options),
    /// Show answers of the past.
    History(history::Options),
    /// Look at what others said of answers, and what prompts learn from it.
    #[command(subcommand)]
    Feedback(feedback::Command),
    /// Save pictures of a camera as the model gets them.
    Snapshot(snapshot::Options),
    /// Look at a model folder, or prove that it answers on this machine as it did when it was made.
    #[command(subcommand)]
    Models(models::Command),
    /// A camera to try things with, over real RTSP.
    #[command(subcommand)]
    Scene(scene::Command),
    /// Print the JSON Schema of what wader publishes, or of its configuration.
    Schema(schema::Options),
    /// Print what a shell completes.
    Completions(pages::Completions),
    /// Write pages for `man`.
    Man(pages::Man),
}

/// Reads the command line, does it, and says how it ended.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            told.print().ok(); // where nobody can hear it, the exit code still says it
            return ExitCode::from(if told.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    // 1 says that there is no sure answer, or that it is too much: that it could not be asked must be something else
    let tells = matches!(arguments.command, Command::Ask(_) | Command::Bench(_));
    let failure = if tells { exit::UNAVAILABLE } else { exit::FAILURE };
    let done = match arguments.command {
        Command::Run(options) => run::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Ask(options) => ask::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Watch(options) => watch::run(&options),
        Command::History(options) => history::run(&options),
        Command::Feedback(command) => feedback::run(&command),
        Command::Snapshot(options) => snapshot::run(&options),
        Command::Models(command) => models::run(&command),
        Command::Scene(command) => scene::run(&command),
        Command::Schema(options) => schema::run(&options),
        Command::Completions(options) => pages::completions(&options),
        Command::Man(options) => pages::man(&options),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) if nobody_reads(&error) => ExitCode::from(exit::OK),
        Err(error) => {
            say(format_args!("wader: {error:#}"));
            ExitCode::from(failure)
        }
    }
}

/// Talk: goes to stderr, so that data on stdout stays clean. Where nobody can hear it, the exit code still says how it ended.
pub(crate) fn say(text: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// Data: goes to stdout, for people and scripts. A reader that goes away (`| head`) is an error that ends the command in
/// its usual order, and is no failure.
pub(crate) fn put(text: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

/// The camera of this name.
pub(crate) fn camera<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a CameraConfig> {
    let camera = CameraName::new(name).ok().and_then(|name| config.camera(&name));
    camera.with_context(|| format!("the configuration has no camera `{name}`; there are {}", cameras(config)))
}

/// What to do where another broker has the port of the one inside wader.
pub(crate) fn elsewhere(port: u16) -> String {
    format!(
        "use the broker that is there (`url = \"mqtt://localhost:{port}\"` below `[mqtt]`), end it, or give wader's own another \
         address as `listen`"
    )
}

/// So many of them, in words that fit one of them, too.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The names of all cameras.
pub(crate) fn cameras(config: &Config) -> String {
    config.cameras.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whether a command ended because nobody reads what it prints.
fn nobody_reads(error: &anyhow::Error) -> bool {
    let io =
        |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    error.chain().any(|cause| io(cause) == Some(std::io::ErrorKind::BrokenPipe))
}

impl ConfigArguments {
    /// This file.
    pub(crate) fn of(file: impl Into<PathBuf>) -> Self {
        Self { config: Some(file.into()) }
    }

    /// Whether a file was named.
    pub(crate) const fn is_given(&self) -> bool {
        self.config.is_some()
    }

    /// The folder of the first file.
    pub(crate) fn beside(&self) -> PathBuf {
        let file = self.config.clone().unwrap_or_else(|| crate::config::DEFAULT_FILE.into());
        file.parent().map_or_else(PathBuf::new, ToOwned::to_owned)
    }

    /// From here on the process holds passwords: what it leaves when it dies must not.
    fn keep_secrets() {
        // it fails only where there are no such processes
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
    }

    /// Where `${NAME}` is looked up: who named no file means the installed service, and has its passwords if root.
    fn lookup(&self) -> fn(&str) -> crate::config::Found {
        if self.is_given() { crate::config::system_lookup } else { crate::config::lookup_beside_service }
    }

    /// As [`Self::load`], for a command that says itself what is still missing: warnings are not told.
    pub(crate) fn load_quietly(&self) -> Option<crate::config::Loaded> {
        let sources = crate::config::Sources::of_process(self.config.clone());
        Self::keep_secrets();
        match crate::config::load(&sources, &self.lookup()) {
            Ok(loaded) => Some(loaded),
            Err(report) => self.refuse(&report),
        }
    }

    /// Tells what is wrong. Who named no file may not have meant the one that is read then.
    fn refuse<T>(&self, report: &crate::config::Report) -> Option<T> {
        say(format_args!("{report}"));
        if !self.is_given() && !Path::new(crate::config::DEFAULT_FILE).exists() {
            say(format_args!("there is no `{}`; `--config FILE` names another one", crate::config::DEFAULT_FILE));
        }
        None
    }

    /// As [`Self::load`], for a command that looks at what the service keeps: where no file was named, that is the installed
    /// one, whose folder the service manager has chosen.
    pub(crate) fn load_beside_service(&self) -> Option<crate::config::Loaded> {
        let mut loaded = self.load()?;
        if loaded.config.state.is_none() && std::env::var_os("STATE_DIRECTORY").is_none() {
            loaded.config.state = self.folder_of_service(Path::new(STATE_OF_SERVICE));
        }
        Some(loaded)
    }

    /// The folder, if the installed service is meant and has ever run: also where this user may not look into it, and is
    /// told so then. It may be a link to a place that is root's.
    fn folder_of_service(&self, folder: &Path) -> Option<PathBuf> {
        (!self.is_given() && folder.symlink_metadata().is_ok()).then(|| folder.to_owned())
    }

    /// Loads the configuration, or reports every problem and gives nothing.
    pub(crate) fn load(&self) -> Option<crate::config::Loaded> {
        let loaded = self.load_quietly()?;
        for warning in &loaded.warnings {
            say(format_args!("warning: {warning}"));
        }
        Some(loaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_no_file_means_the_installed_service_where_there_is_one() {
        let unit = include_str!("../../systemd/wader.service");
        assert!(unit.contains("\nStateDirectory=wader\n") && STATE_OF_SERVICE == "/var/lib/wader");
        let folder = tempfile::tempdir().unwrap();
        let (absent, link) = (folder.path().join("absent"), folder.path().join("link"));
        std::os::unix::fs::symlink("private", &link).unwrap();
        let (installed, own) = (ConfigArguments { config: None }, ConfigArguments { config: Some("my.toml".into()) });
        for there in [folder.path(), &link] {
            assert_eq!(installed.folder_of_service(there).as_deref(), Some(there));
            assert_eq!(own.folder_of_service(there), None, "another service, of another user");
        }
        assert_eq!(installed.folder_of_service(&absent), None, "it never ran");
    }
}
