//! `wader snapshot`: pictures of a camera exactly as the model would get them, with their times.

use std::{
    fs,
    io::BufWriter,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use serde_json::json;

use crate::{
    camera::{Address, Camera, Description, Latest, Spec},
    cli,
    frame::{Frame, Size, Stamp},
    name::CameraName,
    supervise::Stop,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The camera's address: `rtsp://user:password@host/path`, or a file's `file://` URL.
    url: String,
    /// The folder to write to; made if missing.
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// How many pictures.
    #[arg(long, default_value_t = 1)]
    frames: usize,
    /// How many pictures a second.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    rate: f64,
    /// Width and height of the pictures: what the model asks for.
    #[arg(long, value_name = "WxH", default_value = "384x288", value_parser = size)]
    size: Size,
    /// The pipeline that receives it.
    #[arg(long, default_value = "rtsp-cpu")]
    pipeline: String,
    /// Give up after this many seconds.
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
    fs::create_dir_all(&options.out).with_context(|| format!("cannot make `{}`", options.out.display()))?;
    let name = CameraName::new("snapshot")?;
    let spec = Spec {
        frames_per_second: options.rate,
        ..Spec::new(name, Address::parse(&options.url)?, Description::find(&options.pipeline, None)?, options.size)
    };
    let frames = tokio::runtime::Runtime::new()?.block_on(receive(Camera::new(spec), options))?;
    let Some(first) = frames.first().map(|f| f.taken) else {
        anyhow::bail!("no picture came within {} s", options.timeout);
    };
    let mut index = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        let file = format!("{number:05}.png");
        write_png(&options.out.join(&file), frame)?;
        index.push(json!({ "file": file, "seconds": frame.taken.since(first).as_secs_f64() }));
    }
    let index_file = options.out.join("index.json");
    fs::write(&index_file, serde_json::to_vec_pretty(&index)?)?;
    cli::say(format_args!("{} pictures in `{}`", frames.len(), options.out.display()));
    cli::put(format_args!("{}", index_file.display()))?;
    Ok(if frames.len() == options.frames { cli::exit::OK } else { cli::exit::UNAVAILABLE })
}

async fn receive(camera: Camera, options: &Options) -> anyhow::Result<Vec<Frame>> {
    let latest = Latest::new();
    let stop = Stop::new();
    let deadline = Stamp::now().later_by(Duration::from_secs(options.timeout));
    let mut frames = Vec::new();
    let run = camera.run(&latest, &stop);
    tokio::pin!(run);
    while frames.len() < options.frames {
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
}

fn write_png(path: &Path, frame: &Frame) -> anyhow::Result<()> {
    let file = fs::File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), frame.size.width, frame.size.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&frame.pixels)?;
    Ok(())
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
