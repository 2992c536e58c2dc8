//! `wader replay`: standing prompts over a recording.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    ops::ControlFlow,
    path::PathBuf,
    time::Duration,
};

use anyhow::bail;
use serde_json::json;

use crate::{
    answer::{News, Value, wire::AnswerMessage},
    app::{self, Replayed},
    cli::{self, line::said},
    config::{CameraConfig, Config},
    frame::Stamp,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The recording: any file that GStreamer decodes.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// The camera that it stands for, whose prompts are asked; needed where the configuration has several.
    #[arg(long)]
    camera: Option<String>,
    /// Print every answer, also those that would not have been published.
    #[arg(long)]
    all: bool,
    /// One JSON object a line: the moment in seconds, whether the state changed, whether that is an event, and the whole answer.
    #[arg(long)]
    json: bool,
}

/// What a prompt said in all.
#[derive(Debug, Default)]
struct Tally {
    /// How often each answer, or outcome that is none.
    said: BTreeMap<String, u64>,
    changes: u64,
    events: u64,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let Some(loaded) = options.config.load_beside_service() else { return Ok(cli::exit::CONFIG) };
    let camera = camera(&loaded.config, options.camera.as_deref())?;
    let begun = Stamp::now();
    let mut progress = Progress::new();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut printed = Ok(());
    let replayed = app::replay(&loaded.config, camera, &options.file, |replayed| {
        progress.reach(replayed.at);
        let tally = tallies.entry(replayed.answer.prompt.to_string()).or_default();
        tally.take(&replayed);
        if options.all || replayed.news.answer {
            progress.clear();
            printed = print(&replayed, options.json);
        }
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    progress.clear();
    printed?;
    let length = replayed?;
    let took = Stamp::now().since(begun);
    let ratio = length.as_secs_f64() / took.as_secs_f64().max(1e-3);
    cli::say(format_args!("{} of recording in {:.1} s, {ratio:.0} times its speed", clock(length), took.as_secs_f64()));
    for (prompt, tally) in &tallies {
        cli::say(format_args!("  {prompt}: {tally}"));
    }
    Ok(cli::exit::OK)
}

/// The camera that is named, or the only one there is.
fn camera<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<&'a CameraConfig> {
    match (name, config.cameras.as_slice()) {
        (Some(name), _) => cli::camera(config, name),
        (None, [only]) => Ok(only),
        (None, _) => bail!("name the camera that the recording stands for with --camera: {}", cli::cameras(config)),
    }
}

fn print(replayed: &Replayed, as_json: bool) -> anyhow::Result<()> {
    let answer = AnswerMessage::from(&replayed.answer);
    let news = &replayed.news;
    if as_json {
        let (at, event) = (replayed.at.as_secs_f64(), is_event(news));
        cli::put(format_args!("{}", json!({ "at_s": at, "changed": news.changed, "event": event, "answer": answer })))?;
    } else {
        let before = news.transition.as_ref().map(|transition| &transition.before).filter(|before| !is_free(before));
        let mut beside = before.map_or(String::new(), |before| format!("  was {}", before.state()));
        if news.changed && news.transition.is_none() {
            beside += "  changed, no event (cooldown)";
        }
        if news.escalation.is_some() {
            beside += "  escalates";
        }
        let (at, prompt, ask) = (clock(replayed.at), &answer.prompt, &answer.ask);
        cli::put(format_args!("{at}  {prompt}  {ask}  {}{beside}", said(&answer)))?;
    }
    Ok(())
}

/// Whether something would have been published as an event.
const fn is_event(news: &News) -> bool {
    news.transition.is_some() || news.escalation.is_some()
}

/// Whether an answer is in words of its own: long, and hardly ever said twice.
const fn is_free(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::Json(_))
}

/// `1:02:03.4`
fn clock(at: Duration) -> String {
    let tenths = at.as_millis() / 100;
    let (seconds, tenths) = (tenths / 10, tenths % 10);
    format!("{}:{:02}:{:02}.{tenths}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

impl Tally {
    fn take(&mut self, replayed: &Replayed) {
        let outcome = &replayed.answer.outcome;
        let said = outcome.value().filter(|value| !is_free(value)).map_or(outcome.word().to_owned(), Value::state);
        *self.said.entry(said).or_default() += 1;
        self.changes += u64::from(replayed.news.changed);
        self.events += u64::from(is_event(&replayed.news));
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each: Vec<String> = self.said.iter().map(|(said, count)| format!("{said} {count}")).collect();
        let times = if self.changes == 1 { "once" } else { &format!("{} times", self.changes) };
        let events = cli::counted(self.events as usize, "event");
        write!(f, "{}; changed {times}, {events}", each.join(", "))
    }
}

/// Where in the recording it is, on a terminal.
struct Progress {
    shown: Option<Stamp>,
    is_wanted: bool,
}

/// The time from one look of a person to the next.
const LOOK: Duration = Duration::from_millis(200);

impl Progress {
    fn new() -> Self {
        Self { shown: None, is_wanted: io::stderr().is_terminal() }
    }

    fn reach(&mut self, at: Duration) {
        let now = Stamp::now();
        if self.is_wanted && self.shown.is_none_or(|shown| now.since(shown) >= LOOK) {
            // who cannot see it misses nothing
            write!(io::stderr(), "\r{} ", clock(at)).and_then(|()| io::stderr().flush()).ok();
            self.shown = Some(now);
        }
    }

    /// Makes room for a line.
    fn clear(&mut self) {
        if self.shown.take().is_some() {
            write!(io::stderr(), "\r{:16}\r", "").and_then(|()| io::stderr().flush()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_a_recording_is_read_like_a_clock() {
        for (millis, expected) in [(0, "0:00:00.0"), (12_540, "0:00:12.5"), (3_723_400, "1:02:03.4")] {
            assert_eq!(clock(Duration::from_millis(millis)), expected);
        }
    }
}
