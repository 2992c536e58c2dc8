//! Which windows a model can be given, which its weights never saw in training, and what it knows of several frames.

use std::time::Duration;

use super::{FrameMode, Manifest};

impl Manifest {
    /// The window that the model is given where one of so many frames over this span is wanted: that one, or the newest frame
    /// alone for a model of single pictures. Else the most frames that it takes.
    pub const fn window(&self, frames: usize, span: Duration) -> Result<(usize, Duration), usize> {
        match self.resampler.frame_mode {
            FrameMode::Single => Ok((1, Duration::ZERO)),
            _ if frames > self.resampler.max_frames => Err(self.resampler.max_frames),
            _ => Ok((frames, span)),
        }
    }

    /// What about a window of so many frames over this span the weights never saw in training, in words for whoever wants
    /// it; `None` where they saw such ones.
    pub fn untrained(&self, frames: usize, span: Duration) -> Option<String> {
        let resampler = &self.resampler;
        let (least, most) = (resampler.trained_frames.iter().min()?, resampler.trained_frames.iter().max()?);
        let (name, mode) = (&self.name, resampler.frame_mode);
        let count = |frames: usize| if frames == 1 { "1 frame".to_owned() } else { format!("{frames} frames") };
        if !(*least..=*most).contains(&frames) {
            let trained = if least == most { count(*most) } else { format!("{least} to {}", count(*most)) };
            return Some(format!("`{name}` was trained on {trained} ({mode}), and is given {}", count(frames)));
        }
        // where no times are told to the model, none are new to it
        let told = matches!(mode, FrameMode::Timed | FrameMode::Stamped) && frames > 1;
        let [shortest, longest] = resampler.time.trained_span_s;
        let span = span.as_secs_f64();
        (told && !(shortest..=longest).contains(&span)).then(|| {
            format!("`{name}` was trained on {shortest} to {longest} seconds ({mode}), and is given {span} seconds")
        })
    }
}

impl FrameMode {
    /// What the model knows of several frames, in words for whoever reads its answers.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Single => "an answer is about one picture, the newest",
            Self::Interleaved => "pictures stand one after the other in the text, without times",
            Self::Pooled => "pictures are seen in one bag, without order or times",
            Self::Grouped => "pictures are seen together, without order or times",
            Self::Stamped => "each picture's time is written beside it",
            Self::Timed => "pictures are told apart by their times",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifest() -> Manifest {
        Manifest::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/wader-small")).unwrap()
    }

    #[test]
    fn what_training_never_showed_is_told() {
        let mut manifest = manifest();
        let untrained = |manifest: &Manifest, frames, span| manifest.untrained(frames, Duration::from_secs(span));
        assert_eq!(untrained(&manifest, 8, 7), None);
        assert_eq!(untrained(&manifest, 6, 60), None, "between what it was trained on it can well be asked");
        let few = "`wader-small` was trained on 4 to 16 frames (timed), and is given 1 frame";
        assert_eq!(untrained(&manifest, 1, 0).as_deref(), Some(few));
        let long = "`wader-small` was trained on 2 to 60 seconds (timed), and is given 90 seconds";
        assert_eq!(untrained(&manifest, 8, 90).as_deref(), Some(long));
        manifest.resampler.frame_mode = FrameMode::Interleaved;
        assert_eq!(untrained(&manifest, 8, 90), None, "it is not told of time");
        manifest.resampler.trained_frames = vec![1];
        let several = "`wader-small` was trained on 1 frame (interleaved), and is given 8 frames";
        assert_eq!(untrained(&manifest, 8, 7).as_deref(), Some(several));
    }

    #[test]
    fn a_model_of_single_pictures_is_given_the_newest_and_others_what_they_take() {
        let mut manifest = manifest();
        let span = Duration::from_secs(7);
        assert_eq!((manifest.window(16, span), manifest.window(17, span)), (Ok((16, span)), Err(16)));
        manifest.resampler.frame_mode = FrameMode::Single;
        assert_eq!(manifest.window(8, span), Ok((1, Duration::ZERO)));
    }
}
