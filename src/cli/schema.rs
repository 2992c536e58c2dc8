//! `wader schema`: what is published and what is configured, in a form that tools check.

use clap::ValueEnum;

use crate::{
    answer::wire,
    cli, config,
    mqtt::{self, Topics},
};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// `<camera>/<prompt>/answer`
    Answer,
    /// `<camera>/<prompt>/event`
    Event,
    /// `error`
    Error,
    /// All topics, as AsyncAPI 3.
    Asyncapi,
    /// The configuration, for editors.
    Config,
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Of which messages, of all topics, or of the configuration.
    which: Which,
    /// What all topics begin with, for `asyncapi`.
    #[arg(long, default_value = "wader")]
    prefix: String,
    /// For `config`: of a file that leaves something to others, as those of `conf.d` do; no key must be there.
    #[arg(long)]
    partial: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let schema = match options.which {
        Which::Answer => wire::ANSWER_JSON_SCHEMA,
        Which::Event => wire::EVENT_JSON_SCHEMA,
        Which::Error => mqtt::wire::ERROR_JSON_SCHEMA,
        Which::Asyncapi => {
            let topics = Topics::new(&options.prefix)?;
            let document = mqtt::asyncapi::document(&topics, env!("CARGO_PKG_VERSION"));
            cli::put(format_args!("{document:#}"))?;
            return Ok(cli::exit::OK);
        }
        Which::Config => {
            cli::put(format_args!("{:#}", config::json_schema(options.partial)))?;
            return Ok(cli::exit::OK);
        }
    };
    cli::put(format_args!("{}", schema.trim_end()))?;
    Ok(cli::exit::OK)
}
