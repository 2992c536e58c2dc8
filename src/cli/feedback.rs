//! `wader feedback`: what others said of answers, what prompts learn from it, and taking it back.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Subcommand;
use serde_json::json;

use crate::{
    app, cli,
    config::Config,
    engine::Lesson,
    store::feedback::{Stored, kept},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what was said of answers, by camera and prompt, the oldest first.
    List(List),
    /// Say what prompts would learn from it: how many of the judged answers were right, and would be.
    Measure(Measure),
    /// Take back what was said of some answers; a running service forgets it at its next start.
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    config: cli::ConfigArguments,
    #[command(flatten)]
    about: About,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Measure {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// The ids of the answers; else all about the camera, or to the prompt, that is named.
    ids: Vec<String>,
    #[command(flatten)]
    about: About,
}

#[derive(Debug, clap::Args)]
struct About {
    /// Only about this camera.
    #[arg(long)]
    camera: Option<String>,
    /// Only of answers to this prompt.
    #[arg(long)]
    prompt: Option<String>,
}

impl About {
    fn holds(&self, stored: &Stored) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        is(&self.camera, &stored.feedback.camera) && is(&self.prompt, &stored.feedback.prompt)
    }
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    let arguments = match command {
        Command::List(List { config, .. })
        | Command::Measure(Measure { config, .. })
        | Command::Remove(Remove { config, .. }) => config,
    };
    let Some(loaded) = arguments.load_beside_service() else { return Ok(cli::exit::CONFIG) };
    let folder = app::feedback_folder(&loaded.config).context(cli::NO_STATE)?;
    match command {
        Command::List(options) => list(&kept(&folder)?, options, &folder),
        Command::Measure(options) => measure(&loaded.config, options.json),
        Command::Remove(options) => remove(&kept(&folder)?, options),
    }
}

fn list(all: &[Stored], options: &List, folder: &std::path::Path) -> anyhow::Result<u8> {
    let some: Vec<&Stored> = all.iter().filter(|stored| options.about.holds(stored)).collect();
    for stored in &some {
        let said = &stored.feedback;
        if options.json {
            let pictures: Vec<&PathBuf> = stored.pictures.iter().collect();
            cli::put(format_args!("{}", json!({ "said": said, "pictures": pictures })))?;
            continue;
        }
        let what = match (&said.answered, said.right) {
            (_, true) => format!("`{}` was right", said.answer),
            (Some(answered), false) => format!("`{answered}` was wrong, `{}` is right", said.answer),
            (None, false) => format!("nobody was sure, `{}` is right", said.answer),
        };
        cli::put(format_args!("{}  {}/{}  {what}", said.id, said.camera, said.prompt))?;
    }
    cli::say(format_args!("{} in `{}`", cli::counted(some.len(), "judged answer"), folder.display()));
    Ok(cli::exit::OK)
}

fn measure(config: &Config, json: bool) -> anyhow::Result<u8> {
    let lessons = app::learnt(config)?;
    if lessons.is_empty() {
        cli::say(format_args!("nothing was said of answers to the prompts of this configuration"));
    }
    for lesson in lessons {
        match lesson {
            Ok(lesson) => print(&lesson, json)?,
            Err(problem) => cli::say(format_args!("wader: {problem}")),
        }
    }
    Ok(cli::exit::OK)
}

fn print(lesson: &Lesson, json: bool) -> anyhow::Result<()> {
    let (camera, prompt, used) = (lesson.camera.as_str(), lesson.prompt.as_str(), lesson.is_learnt());
    let line = match (&lesson.gain, json) {
        (Ok(gain), true) => json!({
            "camera": camera, "prompt": prompt, "used": used,
            "judged": gain.judged, "right_before": gain.before, "right_with": gain.with,
        })
        .to_string(),
        (Err(why), true) => {
            json!({ "camera": camera, "prompt": prompt, "used": used, "reason": why.to_string() }).to_string()
        }
        (Ok(gain), false) => format!(
            "{camera}/{prompt}: of {} judged answers {} were right, and {} would be; {}",
            gain.judged,
            gain.before,
            gain.with,
            if used { "used" } else { "not used" }
        ),
        (Err(why), false) => format!("{camera}/{prompt}: not used: {why}"),
    };
    cli::put(format_args!("{line}"))?;
    Ok(())
}

fn remove(all: &[Stored], options: &Remove) -> anyhow::Result<u8> {
    let named = !options.ids.is_empty();
    let about = options.about.camera.is_some() || options.about.prompt.is_some();
    ensure!(named || about, "name the answers, or --camera or --prompt; `wader feedback list` shows all");
    if let Some(unknown) = options.ids.iter().find(|id| !all.iter().any(|stored| stored.feedback.id == **id)) {
        cli::say(format_args!("wader: nothing was said of an answer `{unknown}`; nothing was removed"));
        return Ok(cli::exit::UNAVAILABLE);
    }
    let wanted =
        |stored: &&Stored| options.about.holds(stored) && (!named || options.ids.contains(&stored.feedback.id));
    let chosen: Vec<&Stored> = all.iter().filter(wanted).collect();
    if chosen.is_empty() {
        cli::say(format_args!("wader: nothing was said of such answers; nothing was removed"));
        return Ok(cli::exit::UNAVAILABLE);
    }
    chosen.iter().try_for_each(|stored| stored.remove())?;
    let removed = chosen.len();
    cli::say(format_args!("{removed} removed; a running service forgets them at its next start"));
    Ok(cli::exit::OK)
}
