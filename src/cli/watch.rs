//! `wader watch`: answers as they come out of the broker.

use std::path::{Path, PathBuf};

use crate::{
    answer::wire,
    app,
    cli::{
        self, ConfigArguments,
        line::{plain, said},
    },
    config::DEFAULT_FILE,
    mqtt::{Access, Listener, Topics},
    name::CameraName,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only this camera's answers.
    camera: Option<String>,
    /// The configuration, for its broker and prefix; else `/etc/wader/wader.toml` where it is, and neither of these is named.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["broker", "prefix"])]
    config: Option<PathBuf>,
    /// The broker: `mqtt://localhost:1883`, where there is no configuration.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// The first level of wader's topics: `wader`, where there is no configuration.
    #[arg(long)]
    prefix: Option<String>,
    /// One JSON object a line, as published.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let mut camera = options.camera.as_deref().map(CameraName::new).transpose()?;
    let (access, topics) = match options.configured() {
        Some(arguments) => {
            let Some(loaded) = arguments.load() else {
                cli::say(format_args!(
                    "or name the broker, without a configuration: `wader watch --broker mqtt://localhost:1883`"
                ));
                return Ok(cli::exit::CONFIG);
            };
            if let Some(name) = &camera {
                camera = Some(cli::camera(&loaded.config, name.as_str())?.name.clone());
            }
            (app::broker_access(&loaded.config)?, Topics::new(&loaded.config.mqtt.prefix)?)
        }
        None => {
            let broker = options.broker.as_deref().unwrap_or("mqtt://localhost:1883");
            (Access::parse(broker)?, Topics::new(options.prefix.as_deref().unwrap_or("wader"))?)
        }
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

impl Options {
    /// The configuration that is meant: the installed service's, where there is one and nothing else is named.
    fn configured(&self) -> Option<ConfigArguments> {
        let is_named = self.broker.is_some() || self.prefix.is_some();
        match &self.config {
            Some(file) => Some(ConfigArguments::of(file)),
            None if is_named || !Path::new(DEFAULT_FILE).exists() => None,
            None => Some(ConfigArguments::default()),
        }
    }
}

/// One answer for people.
fn line(answer: &wire::AnswerMessage) -> String {
    let ask = plain(&answer.ask); // of a question that is asked once it is what a stranger wrote
    let line = format!("{}  {}/{}  {ask}  ", plain(&answer.answered), plain(&answer.camera), plain(&answer.prompt));
    line + &said(answer)
}
