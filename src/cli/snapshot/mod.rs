//! `wader snapshot`: pictures of a camera, or of its recording, exactly as the model would get them, with their times.

mod example;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use serde_json::json;

use crate::{
    app,
    camera::{self, Address, Camera, Canvas, Description, Latest, Spec},
    cli,
    config::{self, Config},
    frame::{Frame, Size, Stamp},
    model::Manifest,
    name::CameraName,
    supervise::Stop,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The camera: `rtsp://user:password@host/path`, a file's `file://` URL, or its name in the configuration.
    #[arg(value_name = "URL|CAMERA")]
    camera: String,
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// Take them out of this recording of the camera, at its end.
    #[arg(long, value_name = "FILE", conflicts_with = "pipeline")]
    clip: Option<PathBuf>,
    /// Take those up to this moment of the recording, in seconds from its beginning.
    #[arg(long, value_name = "SECONDS", requires = "clip")]
    at: Option<f64>,
    /// The folder to write to; made if missing.
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Take one example of this answer into a new folder of `--out`, and print the lines for the configuration.
    #[arg(long, value_name = "ANSWER")]
    label: Option<String>,
    /// The prompt that it is an example for; without it, the last part of `--out` is its name.
    #[arg(long, value_name = "NAME", requires = "label")]
    prompt: Option<String>,
    /// How many pictures: 1, or for an example as many as the model looks at.
    #[arg(long)]
    frames: Option<usize>,
    /// How many pictures a second: 1, or for an example as many as its prompt's window holds.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Width and height of the pictures: what the configuration's model asks for, else 384x288.
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<Size>,
    /// The pipeline that receives it: the configured camera's, else the one that fits the URL.
    #[arg(long)]
    pipeline: Option<String>,
    /// Give up after this many seconds; an example has so many beside those from its first picture to its last.
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u64,
}

/// `640x480`
pub(super) fn size(text: &str) -> Result<Size, String> {
    let wrong = || format!("`{text}` is not a size; write width and height like 384x288");
    let (width, height) = text.split_once('x').ok_or_else(wrong)?;
    let number = |part: &str| part.parse().ok().filter(|n| (1..=8192).contains(n)).ok_or_else(wrong);
    Ok(Size { width: number(width)?, height: number(height)? })
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let is_named = !options.camera.contains(':');
    let config = match is_named || options.config.is_given() {
        true => {
            let Some(loaded) = options.config.load_quietly() else { return Ok(cli::exit::CONFIG) };
            Some(loaded.config)
        }
        false => None,
    };
    let manifest = config.as_ref().map(|config| Manifest::read(&config.model.path)).transpose();
    let manifest = if options.size.is_some() { manifest.ok().flatten() } else { manifest? };
    let spec = spec(options, config.as_ref(), manifest.as_ref())?;
    match &options.label {
        Some(label) => example::take(options, label, config.as_ref(), manifest.as_ref(), spec),
        None => save(options, spec),
    }
}

/// How the camera is received: as the configuration says, if that names it.
fn spec(options: &Options, config: Option<&Config>, manifest: Option<&Manifest>) -> anyhow::Result<Spec> {
    let canvas = options.size.map(Canvas::from).or(manifest.map(app::canvas)).unwrap_or(cli::SHIPPED_SIZE.into());
    let named = match config {
        Some(config) if !options.camera.contains(':') => {
            Some(app::camera_spec(config, cli::camera(config, &options.camera)?, canvas)?)
        }
        _ => None,
    };
    let pipelines = config.and_then(|config| config.pipelines.as_deref());
    let pipeline = |name: &str| Description::find(name, pipelines);
    let mut spec = match named {
        Some(mut spec) => {
            if let Some(name) = &options.pipeline {
                spec.pipeline = pipeline(name)?;
            }
            spec
        }
        None => {
            let address = Address::parse(&options.camera)?;
            let name = options.pipeline.as_deref().or(config::usual_pipeline(address.scheme()));
            let name =
                name.context("no built-in pipeline opens this kind of URL; name one of your own with --pipeline")?;
            Spec::new(CameraName::new("snapshot")?, address, pipeline(name)?, canvas)
        }
    };
    spec.frames_per_second = options.rate.unwrap_or(1.0);
    Ok(spec)
}

fn save(options: &Options, spec: Spec) -> anyhow::Result<u8> {
    let wanted = options.frames.unwrap_or(1);
    let frames = pictures(options, spec, wanted, Duration::from_secs(options.timeout))?;
    let Some(first) = frames.first().map(|f| f.taken) else {
        anyhow::bail!("no picture came within {} s", options.timeout);
    };
    let index = write(&options.out, &frames)?
        .into_iter()
        .zip(&frames)
        .map(|(file, frame)| json!({ "file": file, "seconds": frame.taken.since(first).as_secs_f64() }));
    let index_file = options.out.join("index.json");
    fs::write(&index_file, serde_json::to_vec_pretty(&index.collect::<Vec<_>>())?)?;
    cli::say(format_args!("{} pictures in `{}`", frames.len(), options.out.display()));
    cli::put(format_args!("{}", index_file.display()))?;
    Ok(if frames.len() == wanted { cli::exit::OK } else { cli::exit::UNAVAILABLE })
}

/// So many frames, or those that there are in time.
fn pictures(options: &Options, spec: Spec, wanted: usize, patience: Duration) -> anyhow::Result<Vec<Frame>> {
    match &options.clip {
        Some(file) => recorded(file, options.at, &spec, wanted),
        None => receive(spec, wanted, patience),
    }
}

/// The last frames of a recording, up to a moment in seconds or to its end.
fn recorded(file: &Path, at: Option<f64>, spec: &Spec, wanted: usize) -> anyhow::Result<Vec<Frame>> {
    let until = at.map(Duration::try_from_secs_f64).transpose().context("--at is no moment")?;
    let mut last = VecDeque::new();
    camera::clip_until(file, spec.canvas, spec.frames_per_second, until, |frame| {
        if last.len() >= wanted.max(1) {
            last.pop_front();
        }
        last.push_back(frame);
    })?;
    Ok(last.into())
}

/// So many frames of the stream, or those that came in time.
fn receive(spec: Spec, wanted: usize, patience: Duration) -> anyhow::Result<Vec<Frame>> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let camera = Camera::new(spec);
        let (latest, stop) = (Latest::new(), Stop::new());
        let deadline = Stamp::now().later_by(patience);
        let mut frames = Vec::new();
        let run = camera.run(&latest, &stop);
        tokio::pin!(run);
        while frames.len() < wanted {
            tokio::select! {
                biased;
                frame = latest.take() => frames.push(frame),
                ended = &mut run => {
                    // a camera that ends after some pictures has given what it has
                    if let (Err(error), true) = (ended, frames.is_empty()) {
                        return Err(error.into());
                    }
                    return Ok(frames);
                }
                () = tokio::time::sleep(deadline.since(Stamp::now())) => break,
            }
        }
        stop.give();
        run.await.ok(); // it was told to stop: how it ends is no news
        Ok(frames)
    })
}

/// Writes frames into a folder, which is made if missing; gives the names of their files.
fn write(folder: &Path, frames: &[Frame]) -> anyhow::Result<Vec<String>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let written = frames.iter().enumerate().map(|(number, frame)| {
        let file = format!("{number:05}.png");
        let path = folder.join(&file);
        fs::write(&path, frame.png()?).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(file)
    });
    written.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_two_numbers() {
        assert_eq!(size("640x480"), Ok(Size { width: 640, height: 480 }));
        for bad in ["640", "0x4", "a x b", "9999999x1", "-1x5"] {
            assert!(size(bad).unwrap_err().contains("like 384x288"), "{bad}");
        }
    }
}
