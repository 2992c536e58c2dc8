//! `wader doctor`: whether everything that the service needs is there and works, part by part, before it is started.

mod broker;
mod camera;
mod disk;
mod finding;
mod page;

use std::time::Duration;

use serde_json::Value;

use crate::{
    app,
    camera::{self as cameras, Canvas},
    cli::{self, check},
    config::{Config, Loaded},
    model::Flamingo,
};
use finding::{Finding, Health};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// How long to receive each camera.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// One JSON list, for scripts.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let Some(loaded) = options.config.load_beside_service() else { return Ok(cli::exit::CONFIG) };
    let config = &loaded.config;
    let mut report = Report { json: options.json, findings: Vec::new() };
    report.add(gstreamer())?;
    let (finding, canvas) = model(config);
    let model_is_there = finding.health == Health::Good;
    report.add(finding)?;
    if model_is_there {
        report.add(prompts(&loaded))?;
    }
    report.add(disk::look(config))?;
    let runtime = tokio::runtime::Runtime::new()?;
    report.add(runtime.block_on(broker::look(config)))?;
    if let Some(listen) = config.web.listen {
        report.add(page::look(listen))?;
    }
    for finding in runtime.block_on(camera::look(config, canvas, Duration::from_secs(options.seconds))) {
        report.add(finding)?;
    }
    report.end()
}

/// What was found so far; for people it is printed as it comes.
struct Report {
    json: bool,
    findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, finding: Finding) -> std::io::Result<()> {
        if !self.json {
            finding.put()?;
        }
        self.findings.push(finding);
        Ok(())
    }

    fn end(self) -> anyhow::Result<u8> {
        if self.json {
            let all: Value = self.findings.iter().map(Finding::json).collect();
            cli::put(format_args!("{all:#}"))?;
        }
        let is_bad = self.findings.iter().any(|finding| finding.health == Health::Bad);
        Ok(if is_bad { cli::exit::UNAVAILABLE } else { cli::exit::OK })
    }
}

fn gstreamer() -> Finding {
    let part = "gstreamer";
    match cameras::gstreamer() {
        Ok((version, missing)) if missing.is_empty() => Finding::good(part, version),
        Ok((_, missing)) => {
            let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            Finding::bad(part, missing.join("; "), None)
        }
        Err(error) => Finding::bad(part, error, Some("install it with `./x setup`")),
    }
}

/// Whether the model can be asked what it is to be asked; each that it cannot is told on the way.
fn prompts(loaded: &Loaded) -> Finding {
    let part = "prompts";
    let count = loaded.config.prompts.iter().filter(|prompt| !prompt.asked().is_empty()).count();
    match check::all_askable(loaded) {
        Some(false) => Finding::bad(part, "the model cannot be asked all of them", Some("`wader check` names each")),
        _ => Finding::good(part, format!("the model can be asked {}", cli::counted(count, "standing prompt"))),
    }
}

/// Loads the model as the service would, which replays its goldens; and what it wants pictures to be.
fn model(config: &Config) -> (Finding, Canvas) {
    let part = "model";
    let folder = config.model.path.display();
    match Flamingo::load(&config.model.path, &app::model_spec(config)) {
        Ok(model) => {
            let (manifest, provider) = (model.manifest(), model.provider());
            let why = provider.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
            let is = format!("{} {} answers as it was made, on {provider}{why}", manifest.name, manifest.version);
            (Finding::good(part, is), app::canvas(manifest))
        }
        Err(error) => (Finding::bad(part, format!("`{folder}`: {error}"), None), cli::SHIPPED_SIZE.into()),
    }
}
