//! `wader check`: every mistake of the configuration in one report.

use crate::{cli, config};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// Print the whole configuration as it was understood, secrets hidden.
    #[arg(long)]
    print: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let Some(loaded) = options.config.load() else { return Ok(cli::exit::CONFIG) };
    if options.print {
        cli::put(format_args!("{}", config::print(&loaded).trim_end()));
    } else {
        let cameras = loaded.config.cameras.iter().filter(|c| c.enabled).count();
        let prompts = loaded.config.prompts.iter().filter(|p| p.enabled).count();
        cli::say(format_args!("the configuration is good: {cameras} cameras, {prompts} standing prompts"));
    }
    Ok(cli::exit::OK)
}
