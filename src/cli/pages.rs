//! `wader completions` and `wader man`: what shells and `man` want to know of the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, exit, put, say};

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// For which shell.
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// The folder to write them to, such as `/usr/local/share/man/man1`; made if missing.
    folder: PathBuf,
}

/// Prints what a shell completes.
pub(super) fn completions(options: &Completions) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "wader", &mut script);
    put(format_args!("{}", String::from_utf8_lossy(&script).trim_end()))?;
    Ok(exit::OK)
}

/// Writes a page for `wader`, and one for each command.
pub(super) fn man(options: &Man) -> anyhow::Result<u8> {
    let folder = options.folder.display();
    std::fs::create_dir_all(&options.folder).with_context(|| format!("cannot make `{folder}`"))?;
    clap_mangen::generate_to(Arguments::command(), &options.folder)
        .with_context(|| format!("cannot write pages to `{folder}`"))?;
    say(format_args!("pages are in `{folder}`; `man {folder}/wader.1` shows the first"));
    Ok(exit::OK)
}
