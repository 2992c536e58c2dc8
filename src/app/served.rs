//! The model that is served: how it is loaded, what it wants pictures to be, and how answers name it and what was asked.

use sha2::{Digest, Sha256};

use super::Error;
use crate::{
    answer::ModelLabel,
    camera::{Canvas, Filter, Fit},
    config::{self, Config, PromptConfig},
    frame::{Size, Stamp},
    model::{self, Flamingo, Manifest, Resize, Scope},
    prompt::Prompt,
    telemetry::Event,
    window,
};

/// Where and how the model is to run.
pub fn model_spec(config: &Config) -> model::Spec {
    model::Spec {
        device: match config.model.device {
            config::Device::Auto => model::Device::Auto,
            config::Device::Cuda(number) => model::Device::Cuda(number),
            config::Device::Cpu => model::Device::Cpu,
        },
        threads: config.model.threads.map_or(0, |n| n.get() as usize),
        onnxruntime: config.model.onnxruntime.clone(),
    }
}

/// Loads the model where it is to run. Blocks for seconds.
pub(super) fn load_model(config: &Config) -> Result<Flamingo, Error> {
    Ok(Flamingo::load(&config.model.path, &model_spec(config)).map_err(Box::new)?)
}

/// The same, on a thread of its own, and told of.
pub(super) async fn model(config: &Config) -> Result<(Flamingo, ModelLabel), Error> {
    let begun = Stamp::now();
    let config = config.clone();
    let loading = tokio::task::spawn_blocking(move || load_model(&config));
    let model = loading.await.map_err(|_| Error::EngineBroke)??;
    let label = model_label(model.manifest());
    let provider = model.provider();
    let (used, took) = (provider.to_string(), Stamp::now().since(begun));
    Event::ModelLoaded { model: &label.name, provider: &used, took }.emit();
    if let Some(reason) = &provider.reason {
        Event::ProviderFallback { provider: &used, reason, has_gpu: model::has_nvidia_gpu() }.emit();
    }
    Ok((model, label))
}

/// Windows that are answered together at most by a model whose media are frames: the engine sees to its calls.
const WINDOWS_OF_FRAMES: usize = 16;

/// What a model wants pictures to be.
pub fn canvas(manifest: &Manifest) -> Canvas {
    let size = Size { width: manifest.vision.width, height: manifest.vision.height };
    let tiled = manifest.vision.canvas.as_ref();
    let filter = match tiled.map(|canvas| canvas.resize) {
        None | Some(Resize::BilinearAntialias) => Filter::Bilinear,
        Some(Resize::BicubicAntialias) => Filter::Bicubic,
    };
    let [down, across] = tiled.map_or([1, 1], |canvas| canvas.tiles);
    let fit = match manifest.vision.fit {
        model::Fit::Stretch => Fit::Stretch,
        model::Fit::Letterbox | model::Fit::LetterboxTopleft => {
            Fit::Inside { least: Size { width: size.width / across.max(1), height: size.height / down.max(1) } }
        }
        model::Fit::Crop => Fit::Crop,
    };
    Canvas { size, fit, filter }
}

/// How many windows are answered together at most.
pub(super) const fn batch(manifest: &Manifest) -> usize {
    match manifest.resampler.scope {
        Scope::Window => manifest.limits.max_media_per_call,
        Scope::Frame => WINDOWS_OF_FRAMES,
    }
}

/// How answers name a model.
pub(super) fn model_label(manifest: &Manifest) -> ModelLabel {
    ModelLabel {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        hash: manifest.sha256.clone(),
        frame_mode: manifest.resampler.frame_mode.to_string(),
    }
}

/// SHA-256 of all that decides what is asked: answers with different hashes do not compare. `shown` names the examples.
pub(super) fn prompt_hash(prompt: &Prompt, window: window::Spec, shown: Option<&String>) -> String {
    let mut asked = format!("{:?}", (prompt, window.frames, window.span));
    if let Some(shown) = shown {
        asked.push_str(shown);
    }
    format!("{:x}", Sha256::digest(asked))
}

/// The same of a standing prompt.
pub(super) fn standing_hash(prompt: &PromptConfig, shown: Option<&String>) -> String {
    prompt_hash(&prompt.prompt, prompt.window, shown)
}
