//! `wader models`: what a model folder holds, and whether it answers here as it did when it was made.

use std::path::PathBuf;

use crate::{
    cli,
    model::{Device, Flamingo, Manifest, Spec},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What the folder's manifest says.
    Show(Folder),
    /// Check every hash, every tensor, and replay the recorded calls on this machine.
    Verify(Folder),
}

#[derive(Debug, clap::Args)]
pub(super) struct Folder {
    /// The model folder.
    #[arg(default_value = "models/wader-small")]
    folder: PathBuf,
    /// What to verify on: `auto`, `cuda`, `cuda:N` or `cpu`.
    #[arg(long, default_value = "auto")]
    device: Device,
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Show(options) => show(&Manifest::read(&options.folder)?)?,
        Command::Verify(options) => {
            let spec = Spec { device: options.device, ..Spec::default() };
            let model = Flamingo::load(&options.folder, &spec)?;
            cli::put(format_args!(
                "{}: hashes, tensors and recorded calls agree, on {}",
                options.folder.display(),
                model.provider()
            ))?;
        }
    }
    Ok(cli::exit::OK)
}

fn show(manifest: &Manifest) -> std::io::Result<()> {
    cli::put(format_args!("{} {}", manifest.name, manifest.version))?;
    cli::put(format_args!("  {}", manifest.provenance.description))?;
    cli::put(format_args!("  licence     {}", manifest.provenance.licence))?;
    for source in &manifest.provenance.sources {
        cli::put(format_args!("  made from   {} ({}), {}", source.name, source.licence, source.origin))?;
    }
    cli::put(format_args!("  precision   {}", manifest.precision))?;
    let vision = &manifest.vision;
    cli::put(format_args!("  picture     {}x{}, {} tokens", vision.width, vision.height, vision.tokens))?;
    let resampler = &manifest.resampler;
    cli::put(format_args!(
        "  window      up to {} frames, {} latents; frames are {}",
        resampler.max_frames, resampler.latents, resampler.frame_mode
    ))?;
    if let Some(examples) = &manifest.examples {
        let [rows, columns] = examples.cells;
        cli::put(format_args!(
            "  examples    up to {} for a prompt, compared in {columns}x{rows} places, median of {} frames",
            examples.max_examples, examples.frames
        ))?;
    }
    cli::put(format_args!("  numbers     {}", manifest.prompt.numbers.join(" ")))?;
    if let Some(words) = &manifest.prompt.words {
        cli::put(format_args!("  words       {}", words.join(" ")))?;
    }
    Ok(())
}
