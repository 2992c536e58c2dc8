//! `wader schema`: the promises about what is published, in a form that tools check.

use clap::ValueEnum;

use crate::{answer::wire, cli, mqtt};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// `<camera>/<prompt>/answer`
    Answer,
    /// `<camera>/<prompt>/event`
    Event,
    /// `error`
    Error,
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Of which messages.
    which: Which,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let schema = match options.which {
        Which::Answer => wire::ANSWER_JSON_SCHEMA,
        Which::Event => wire::EVENT_JSON_SCHEMA,
        Which::Error => mqtt::wire::ERROR_JSON_SCHEMA,
    };
    cli::put(format_args!("{}", schema.trim_end()))?;
    Ok(cli::exit::OK)
}
