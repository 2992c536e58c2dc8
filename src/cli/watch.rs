//! `wader watch`: answers as they come out of the broker.

use anyhow::Context;

use crate::{
    answer::wire,
    cli::{self, line::said},
    mqtt::{Access, Listener, Topics},
    name::CameraName,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only this camera's answers.
    camera: Option<String>,
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
    let camera = options.camera.as_deref().map(CameraName::new).transpose()?;
    let topics = Topics::new(&options.prefix)?;
    let camera = camera.as_ref().map_or("+", CameraName::as_str);
    let filter = format!("{}/{camera}/+/answer", topics.prefix());
    tokio::runtime::Runtime::new()?.block_on(async {
        let access = Access::parse(&options.broker)?;
        let mut listener = Listener::connect(&access, &filter).await.context("cannot listen to the broker")?;
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
