//! `wader bench`: how much of this machine a configuration takes.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use serde_json::json;

use crate::{
    app::{self, Measured},
    cli,
    scene::{self, Clip, Drawn, Source},
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// For how long the model is kept busy at least.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// What the cameras show; without it, a drawn street.
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// One JSON object, for scripts.
    #[arg(long)]
    json: bool,
}

/// The drawn street.
const STREET: Drawn = Drawn { seed: 1, barcode: None, gate: None };
const STREET_LASTS: f64 = 16.0;

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let Some(loaded) = options.config.load_beside_service() else { return Ok(cli::exit::CONFIG) };
    cli::say(format_args!("keeping the model busy for {} s or more", options.seconds));
    let at_least = Duration::from_secs(options.seconds);
    let measured = match &options.clip {
        Some(clip) => app::bench(&loaded.config, clip, at_least)?,
        None => {
            let folder = tempfile::tempdir().context("no folder for the drawn street")?;
            let street = folder.path().join("street.mkv");
            let scene = scene::Spec { frames_per_second: 5, ..scene::Spec::new(Source::Drawn(STREET)) };
            scene::clip(&Clip::new(scene, STREET_LASTS, street.clone()), |_, _| {})?;
            app::bench(&loaded.config, &street, at_least)?
        }
    };
    if options.json {
        put_json(&measured)?;
    } else {
        put(&measured)?;
    }
    Ok(if measured.load.busy <= measured.load.lasted { cli::exit::OK } else { cli::exit::FAILURE })
}

/// A stage, how often it ran, and for how long in all.
type Row = (&'static str, u64, Duration);

fn rows(measured: &Measured) -> [Row; 3] {
    let load = &measured.load;
    [
        ("frames encoded", load.frames, load.spent.encoding),
        ("windows resampled", load.windows, load.spent.resampling),
        ("prompts answered", load.answers, load.spent.decoding),
    ]
}

fn put(measured: &Measured) -> std::io::Result<()> {
    let Measured { model, provider, cameras, prompts, load } = measured;
    let (cameras, prompts) = (cli::counted(*cameras, "camera"), cli::counted(*prompts, "prompt"));
    cli::put(format_args!("{} {} on {provider}: {cameras}, {prompts}", model.name, model.version))?;
    let lasted = load.lasted.as_secs_f64();
    let share = |busy: Duration| 100.0 * busy.as_secs_f64() / lasted;
    cli::put(format_args!("{:20}{:>10}{:>12}{:>10}", "", "a second", "each", "busy"))?;
    for (what, count, busy) in rows(measured) {
        let (often, each) = (count as f64 / lasted, 1e3 * busy.as_secs_f64() / count.max(1) as f64);
        cli::put(format_args!("{what:20}{often:>10.2}{each:>9.2} ms{:>8.1} %", share(busy)))?;
    }
    cli::put(format_args!("{:20}{:>40.1} %", "in all", share(load.busy)))?;
    let times = lasted / load.busy.as_secs_f64().max(1e-9);
    match times >= 1.0 {
        true => {
            cli::put(format_args!("The model has room for {times:.1} times this. Receiving the video comes on top."))
        }
        false => cli::put(format_args!(
            "This is too much: prompts would be answered {times:.2} times as often as they want. Raise `every`, or ask less."
        )),
    }
}

fn put_json(measured: &Measured) -> anyhow::Result<()> {
    let Measured { model, provider, cameras, prompts, load } = measured;
    let stages: serde_json::Map<_, _> = rows(measured)
        .into_iter()
        .map(|(what, count, busy)| (what.replace(' ', "_"), json!({ "count": count, "busy_s": busy.as_secs_f64() })))
        .collect();
    let all = json!({
        "model": model.name, "version": model.version, "provider": provider, "cameras": cameras, "prompts": prompts,
        "lasted_s": load.lasted.as_secs_f64(), "busy_s": load.busy.as_secs_f64(), "stages": stages,
    });
    Ok(cli::put(format_args!("{all}"))?)
}
