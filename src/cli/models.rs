//! `wader models`: what a model folder holds, whether it answers here as it did when it was made, and putting it where the
//! service finds it.

use std::path::PathBuf;

use crate::{
    cli,
    config::shipped_model,
    model::{Device, Flamingo, FrameMode, Install, Installed, Manifest, Spec, install},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Verify a model folder, then put it among the models.
    Add(Add),
    /// What the folder's manifest says.
    Show(Folder),
    /// Check every hash, every tensor, and replay the recorded calls on this machine.
    Verify(Folder),
}

#[derive(Debug, clap::Args)]
pub(super) struct Folder {
    /// The model folder: else the shipped one.
    folder: Option<PathBuf>,
    /// What to verify on: `auto`, `cuda`, `cuda:N` or `cpu`.
    #[arg(long, default_value = "auto")]
    device: Device,
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The model folder.
    folder: PathBuf,
    /// The folder of all models.
    #[arg(long, value_name = "DIR", default_value = "models")]
    library: PathBuf,
    /// Its name there, else the model's own.
    #[arg(long)]
    name: Option<String>,
    /// Leave the files where they are, and link the folder.
    #[arg(long)]
    link: bool,
    /// What to verify on: `auto`, `cuda`, `cuda:N` or `cpu`.
    #[arg(long, default_value = "auto")]
    device: Device,
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Add(options) => add(options)?,
        Command::Show(options) => show(&Manifest::read(&options.folder())?)?,
        Command::Verify(options) => {
            let (folder, spec) = (options.folder(), Spec { device: options.device, ..Spec::default() });
            let model = Flamingo::load(&folder, &spec)?;
            tell_replayed(&model)?;
            cli::put(format_args!(
                "{}: hashes, tensors and recorded calls agree, on {}",
                folder.display(),
                model.provider()
            ))?;
        }
    }
    Ok(cli::exit::OK)
}

impl Folder {
    fn folder(&self) -> PathBuf {
        self.folder.clone().unwrap_or_else(shipped_model)
    }
}

fn add(options: &Add) -> anyhow::Result<()> {
    let model = Flamingo::load(&options.folder, &Spec { device: options.device, ..Spec::default() })?;
    let name = options.name.as_deref().unwrap_or(&model.manifest().name);
    let how = if options.link { Install::Link } else { Install::Copy };
    let installed = install(&options.folder, &options.library, name, how)?;
    for limit in model.manifest().licence_limits() {
        cli::say(format_args!("warning: licence: {limit}"));
    }
    match installed {
        Installed::Now(at) => {
            cli::say(format_args!("verified on {}; this serves it:", model.provider()));
            cli::put(format_args!("[model]\npath = \"{}\"", std::path::absolute(&at)?.display()))?;
        }
        Installed::Already(at) => cli::say(format_args!("`{}` is that model already", at.display())),
    }
    Ok(())
}

/// How the recorded calls of each graph went.
fn tell_replayed(model: &Flamingo) -> std::io::Result<()> {
    for replayed in model.replayed() {
        cli::put(format_args!(
            "  {:<19} {}, largest difference {:.1e}, allowed {:.1e}",
            replayed.graph,
            cli::counted(replayed.cases, "recorded call"),
            replayed.difference,
            replayed.tolerance
        ))?;
    }
    Ok(())
}

fn show(manifest: &Manifest) -> std::io::Result<()> {
    cli::put(format_args!("{} {}", manifest.name, manifest.version))?;
    cli::put(format_args!("  {}", manifest.provenance.description))?;
    cli::put(format_args!("  licence     {}", manifest.provenance.licence))?;
    for limit in manifest.licence_limits() {
        cli::put(format_args!("  limit       {limit}"))?;
    }
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
    let [shortest, longest] = resampler.time.trained_span_s;
    let mode = resampler.frame_mode;
    let span = match mode {
        FrameMode::Timed | FrameMode::Stamped => format!(" over {shortest} to {longest} s"),
        _ => String::new(),
    };
    let frames: Vec<String> = resampler.trained_frames.iter().map(usize::to_string).collect();
    cli::put(format_args!("  trained     windows of {} frames{span}; {}", frames.join(", "), mode.meaning()))?;
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
