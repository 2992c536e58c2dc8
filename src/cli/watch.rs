//! `wader watch`: answers as they come out of the broker.

use std::path::PathBuf;

use crate::{
    answer::wire,
    app,
    cli::{self, ConfigArguments, line::said},
    mqtt::{Access, Listener, Topics},
    name::CameraName,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only this camera's answers.
    camera: Option<String>,
    /// The configuration, for its broker and prefix; without it, and without `--broker`, `mqtt://localhost:1883` is meant.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["broker", "prefix"])]
    config: Option<PathBuf>,
    /// The broker.
    #[arg(long, value_name = "URL", default_value = "mqtt://localhost:1883")]
    broker: String,
    /// The first level of wader's topics.
    #[arg(long, default_value = "wader")]
    prefix: String,
    /// One JSON object a line, as published.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let mut camera = options.camera.as_deref().map(CameraName::new).transpose()?;
    let (access, topics) = match &options.config {
        Some(file) => {
            let Some(loaded) = ConfigArguments::of(file).load() else { return Ok(cli::exit::CONFIG) };
            if let Some(name) = &camera {
                camera = Some(cli::camera(&loaded.config, name.as_str())?.name.clone());
            }
            (app::broker_access(&loaded.config)?, Topics::new(&loaded.config.mqtt.prefix)?)
        }
        None => (Access::parse(&options.broker)?, Topics::new(&options.prefix)?),
    };
    let camera = camera.as_ref().map_or("+", CameraName::as_str);
    let filter = format!("{}/{camera}/+/answer", topics.prefix());
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut listener = match Listener::connect(&access, &filter).await {
            Ok(listener) => listener,
            Err(error) => {
                cli::say(format_args!("wader: {:#}", anyhow::Error::from(error)));
                return Ok(cli::exit::UNAVAILABLE);
            }
        };
        cli::say(format_args!(
            "listening to `{filter}` on `{access}`: what is kept there comes first, then what is published"
        ));
        loop {
            let arrival = listener.next().await?;
            if options.json {
                cli::put(format_args!("{}", String::from_utf8_lossy(&arrival.payload)))?;
                continue;
            }
            match wire::read_answer(&arrival.payload) {
                Ok(answer) => cli::put(format_args!("{}", line(&answer)))?,
                Err(error) => cli::say(format_args!("`{}` holds no answer of wader: {error}", arrival.topic)),
            }
        }
    })
}

/// One answer for people.
fn line(answer: &wire::AnswerMessage) -> String {
    format!("{}  {}/{}  {}  {}", answer.answered, answer.camera, answer.prompt, answer.ask, said(answer))
}
