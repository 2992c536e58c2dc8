//! `wader scene`: a camera to try things with.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::snapshot::size;
use crate::{
    cli,
    frame::Size,
    scene::{self, Codec, Drawn, Footage, Login, Source, Spec},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve a scene over RTSP on this machine, until stopped.
    Serve {
        #[command(flatten)]
        scene: Scene,
        /// The port; 0 takes a free one.
        #[arg(long, default_value_t = 8554)]
        port: u16,
        /// Ask for this user and password, written `user:password`.
        #[arg(long, value_name = "USER:PASSWORD", value_parser = login)]
        login: Option<Login>,
    },
    /// Write a scene to a file.
    Clip {
        #[command(flatten)]
        scene: Scene,
        /// A file ending in `.mkv` or `.mp4`, or a folder for PNG pictures.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// How many seconds.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Video {
    H264,
    H265,
    Mjpeg,
}

/// What is shown, and how it is encoded.
#[derive(Debug, Args)]
pub(super) struct Scene {
    /// Show this recording, over and over, instead of the drawn street.
    #[arg(long, value_name = "FILE")]
    footage: Option<PathBuf>,
    /// Where in the recording to begin, in seconds.
    #[arg(long, default_value_t = 0.0, requires = "footage")]
    from: f64,
    /// Where to end.
    #[arg(long, default_value_t = 60.0, requires = "footage")]
    to: f64,
    /// Seconds of the recording's empty background between two rounds.
    #[arg(long, default_value_t = 10.0, requires = "footage")]
    gap: f64,
    /// Show this part only, in fractions.
    #[arg(long, value_name = "LEFT,TOP,RIGHT,BOTTOM", value_parser = crop, requires = "footage")]
    crop: Option<Crop>,
    /// Other seeds draw other people and cars.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Paint a barcode with this camera number over the drawn street.
    #[arg(long, value_name = "CAMERA")]
    barcode: Option<u8>,
    /// Draw a gate into the wall of the drawn street: open for so many seconds, shut for as many, and so on.
    #[arg(long, value_name = "SECONDS", conflicts_with = "footage")]
    gate: Option<f64>,
    /// How the video is encoded.
    #[arg(long, value_enum, default_value = "h264")]
    codec: Video,
    /// Width and height.
    #[arg(long, value_name = "WxH", default_value = "640x480", value_parser = size)]
    size: Size,
    /// Pictures a second.
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// Pictures from one key frame to the next.
    #[arg(long, default_value_t = 10)]
    key_frames: u32,
    /// Where in the scene to begin, in seconds.
    #[arg(long, default_value_t = 0.0)]
    start: f64,
}

fn login(text: &str) -> Result<Login, String> {
    let (user, password) = text.split_once(':').ok_or("write it as user:password")?;
    Ok(Login { user: user.to_owned(), password: password.to_owned(), digest: true })
}

/// Left, top, right, bottom.
#[derive(Debug, Clone, Copy)]
struct Crop([f64; 4]);

fn crop(text: &str) -> Result<Crop, String> {
    let edges = text.split(',').map(|edge| edge.trim().parse().ok()).collect::<Option<Vec<f64>>>();
    let edges = edges.and_then(|edges| <[f64; 4]>::try_from(edges).ok());
    let is_part = |&[left, top, right, bottom]: &[f64; 4]| {
        0.0 <= left && left < right && right <= 1.0 && 0.0 <= top && top < bottom && bottom <= 1.0
    };
    edges.filter(is_part).map(Crop).ok_or_else(|| format!("`{text}` is no part of the picture like 0.1,0.2,0.5,0.8"))
}

impl Scene {
    fn spec(&self) -> Spec {
        let source = match &self.footage {
            Some(file) => Source::Footage(Footage {
                background_gap_s: self.gap,
                crop: self.crop.map(|Crop(edges)| edges),
                ..Footage::new(file.clone(), self.from, self.to)
            }),
            None => Source::Drawn(Drawn {
                seed: self.seed,
                barcode: self.barcode,
                gate: self.gate.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))),
            }),
        };
        Spec {
            size: self.size,
            frames_per_second: self.rate,
            video: Some(match self.codec {
                Video::H264 => Codec::H264,
                Video::H265 => Codec::H265,
                Video::Mjpeg => Codec::Mjpeg,
            }),
            key_frame_distance: self.key_frames,
            start: Duration::from_secs_f64(self.start.max(0.0)),
            ..Spec::new(source)
        }
    }
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Serve { scene, port, login } => {
            let served = scene::serve(Spec { login: login.clone(), ..scene.spec() }, *port)?;
            cli::put(format_args!("{}", served.url()))?;
            cli::say(format_args!("serving; stop with Ctrl-C"));
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(tokio::signal::ctrl_c()).context("cannot wait for Ctrl-C")?;
        }
        Command::Clip { scene, out, seconds } => {
            let length = Duration::from_secs_f64(seconds.max(0.0));
            let clip = scene::Clip { scene: scene.spec(), length, to: out.clone() };
            scene::clip(&clip, |done, of| {
                if done % 100 == 0 {
                    cli::say(format_args!("{done} of {of} pictures"));
                }
            })?;
            cli::put(format_args!("{}", out.display()))?;
        }
    }
    Ok(cli::exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_is_four_fractions() {
        assert_eq!(crop("0, 0.5,1,0.75").unwrap().0, [0.0, 0.5, 1.0, 0.75]);
        for wrong in ["", "0,0,1", "0,0,1,1,1", "0.5,0,0.5,1", "0,0.9,1,0.1", "0,0,2,1", "a,b,c,d", "NaN,0,1,1"] {
            assert!(crop(wrong).unwrap_err().contains("like 0.1"), "{wrong}");
        }
    }
}
