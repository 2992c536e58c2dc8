//! A Flamingo on ONNX Runtime, served as the engine's `Model`: frames to features, windows to visual tokens.
//!
//! How it is loaded is `load`'s job, how text is run through the decoder `decode`'s.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use ndarray::Array3;

use crate::frame::{Frame, Size};

use super::{
    Cells, Comparison, Device, Error, Examples, Features, Float, Gates, Generation, Grammar, Manifest, Media, Model,
    Moments, Placement, Provider, Reopen, Replayed, Row, Spec, Template, TokenId, Work, Writing,
    constraint::Constraint,
    contract,
    decode::Prefix,
    graphs::{Comparing, Graphs},
    load::{Loaded, load},
    manifest::{Origin, Scope},
    pixels::pixels,
    role::Role,
    runtime::{Graph, Numbers, Tensor},
};

/// A loaded model.
pub struct Flamingo {
    pub(super) manifest: Manifest,
    pub(super) template: Template,
    pub(super) provider: Provider,
    pub(super) placement: Placement,
    pub(super) encoder: Graph,
    pub(super) resampler: Graph,
    pub(super) decoder: Graph,
    /// Where the model can compare with examples.
    pub(super) comparing: Option<Comparing>,
    /// Names of the decoder's past K/V inputs and of the outputs that become them.
    pub(super) past_names: Vec<String>,
    pub(super) present_names: Vec<String>,
    /// Media K/V for calls without a window: one row of zeros, which no token sees.
    pub(super) no_media: VisualTokens,
    /// Texts before their first token, one for each grammar that was used lately: a schema is compiled once.
    pub(super) begun: HashMap<Grammar, Constraint>,
    pub(super) work: Work,
    runs: Arc<AtomicU64>,
    folder: PathBuf,
    spec: Spec,
    replayed: Vec<Replayed>,
    /// How often it was opened: what lies on the device is of that time.
    pub(super) openings: u64,
}

impl std::fmt::Debug for Flamingo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { manifest, provider, work, .. } = self;
        formatter
            .debug_struct("Flamingo")
            .field("name", &manifest.name)
            .field("provider", provider)
            .field("work", work)
            .finish_non_exhaustive()
    }
}

/// Windows or frames through the resampler: `media_kv`, kept where the decoder reads it.
#[derive(Debug)]
pub struct VisualTokens {
    pub(super) media_kv: Tensor,
    pub(super) rows: usize,
}

impl VisualTokens {
    /// How many rows there are, each a medium: a window, or a frame.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Each row by itself, on this machine. What is no number is an error: a token that does not see its row would still be
    /// spoilt by it, as nothing times infinity is no number either.
    fn numbers(&self) -> Result<Vec<Numbers>, Error> {
        let graph = Role::Resampler.name();
        let rows = self.media_kv.to_rows().map_err(|problem| Error::Run { graph, problem })?;
        match rows.iter().all(Numbers::are_finite) {
            true => Ok(rows),
            false => Err(Error::NotNumber { graph, what: "a key or value of a window's media" }),
        }
    }
}

/// What the resampler made of one frame, kept by itself to be put into any call: a row of `media_kv`,
/// `[cross layers, 2, heads, latents, head_dim]`; cheap to clone.
#[derive(Debug, Clone)]
pub struct Medium(Arc<Numbers>);

impl Flamingo {
    /// Loads a model folder.
    ///
    /// Checks the manifest, then the size and hash of every file, and only then loads the graphs; holds every tensor's
    /// name, type and shape and every special token against the manifest, replays the goldens where the model will
    /// serve, and reads back which provider ran them.
    pub fn load(folder: &Path, spec: &Spec) -> Result<Self, Error> {
        let Loaded { manifest, template, provider, mut graphs, replayed } = load(folder, spec)?;
        let runs = Arc::default();
        graphs.each().for_each(|(_, graph)| graph.count_in(&runs));
        let Graphs { encoder, resampler, decoder, comparing } = graphs;
        let placement = provider.used;
        let layers = manifest.decoder.self_layers;
        Ok(Self {
            template,
            provider,
            placement,
            encoder,
            resampler,
            decoder,
            comparing,
            past_names: contract::past_names(layers),
            present_names: contract::present_names(layers),
            no_media: no_media(&manifest, placement)?,
            begun: HashMap::new(),
            work: Work::default(),
            runs,
            folder: folder.to_owned(),
            spec: spec.clone(),
            replayed,
            openings: 1,
            manifest,
        })
    }

    /// What the model says about itself.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How prompts are written for it.
    pub const fn template(&self) -> &Template {
        &self.template
    }

    /// Where it runs.
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// How the stored calls of each graph went when it was loaded.
    pub fn replayed(&self) -> &[Replayed] {
        &self.replayed
    }

    /// The size of its canvas: that of a frame, or the most that one may have where the manifest's `vision.fit` keeps proportions.
    pub const fn input_size(&self) -> Size {
        Size { width: self.manifest.vision.width, height: self.manifest.vision.height }
    }
}

/// Media K/V that no token sees.
fn no_media(manifest: &Manifest, placement: Placement) -> Result<VisualTokens, Error> {
    let shape = media_shape(manifest, 1);
    let zeros = Tensor::floats(manifest.float, &shape, vec![0.0; shape.iter().product()])?;
    Ok(VisualTokens { media_kv: zeros.placed(placement)?, rows: 0 })
}

/// The shape of `media_kv` for so many rows.
fn media_shape(manifest: &Manifest, rows: usize) -> [usize; 6] {
    let decoder = &manifest.decoder;
    [rows, decoder.cross_layers, 2, decoder.cross_kv_heads, manifest.resampler.latents, decoder.cross_head_dim]
}

impl Model for Flamingo {
    type Language = Template;
    type VisualTokens = VisualTokens;
    type Prefix = Prefix;

    fn language(&self) -> &Template {
        &self.template
    }

    fn encode(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Features>, Error> {
        let most = self.manifest.limits.max_frames_per_call.unwrap_or(usize::MAX);
        let mut encoded = Vec::with_capacity(frames.len());
        for frames in frames.chunks(most) {
            encoded.extend(self.encode_call(frames)?);
        }
        Ok(encoded)
    }

    fn media(&self) -> Media {
        let (scope, rule) = (self.manifest.resampler.scope, self.manifest.decoder.media_rule);
        Media { scope, rule, most: self.manifest.limits.max_media_per_call }
    }

    fn resample(&mut self, windows: &[Moments]) -> Result<VisualTokens, Error> {
        if self.manifest.resampler.scope == Scope::Frame {
            return Err(Error::request("its resampler takes single frames, no windows"));
        }
        let media = self.resample_call(windows)?;
        if self.placement == Placement::Cpu {
            media.numbers()?; // from a GPU they would have to be fetched; the logits tell there, too
        }
        self.work.windows_resampled += windows.len() as u64;
        Ok(media)
    }

    fn resample_frames(&mut self, frames: &[Features]) -> Result<Vec<Medium>, Error> {
        if self.manifest.resampler.scope == Scope::Window {
            return Err(Error::request("its resampler takes whole windows, no single frames"));
        }
        let mut media = Vec::with_capacity(frames.len());
        for frames in frames.chunks(self.manifest.limits.max_media_per_call) {
            let alone = |frame: &Features| Moments { frames: vec![Some((frame.clone(), 0.0))] };
            let rows = self.resample_call(&frames.iter().map(alone).collect::<Vec<_>>())?.numbers()?;
            media.extend(rows.into_iter().map(|row| Medium(Arc::new(row))));
            self.work.frames_resampled += frames.len() as u64;
        }
        Ok(media)
    }

    fn bank(&mut self, media: &[&Medium]) -> Result<VisualTokens, Error> {
        let (rows, most) = (media.len(), self.manifest.limits.max_media_per_call);
        if rows == 0 || rows > most {
            return Err(Error::request(format!("{rows} media in one call, and 1 to {most} can be")));
        }
        let numbers: Vec<&Numbers> = media.iter().map(|Medium(row)| &**row).collect();
        let media_kv = Tensor::of_rows(&media_shape(&self.manifest, rows), &numbers)?.placed(self.placement)?;
        Ok(VisualTokens { media_kv, rows })
    }

    fn prefix(&mut self, ids: &[TokenId]) -> Result<Prefix, Error> {
        self.run_prefix(ids)
    }

    fn extend(&mut self, prefix: &Prefix, media: &VisualTokens, row: &Row) -> Result<Prefix, Error> {
        self.run_window(prefix, media, row)
    }

    fn score(
        &mut self,
        prefix: &Prefix,
        media: Option<&VisualTokens>,
        rows: &[Row],
        gates: Gates,
    ) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        self.score_rows(prefix, media, rows, gates)
    }

    fn generate(&mut self, prefix: &Prefix, media: &VisualTokens, texts: &[Writing]) -> Result<Vec<Generation>, Error> {
        self.write_texts(prefix, media, texts)
    }

    fn examples(&self) -> Option<&Examples> {
        self.manifest.examples.as_ref()
    }

    fn appearance(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Cells>, Error> {
        self.look_at(frames)
    }

    fn compare(&mut self, comparisons: &[Comparison<'_>]) -> Result<Vec<f32>, Error> {
        self.compare_all(comparisons)
    }

    fn reopen(&mut self, place: Reopen) -> Result<(), Error> {
        self.open_anew(place)
    }

    fn runs(&self) -> Arc<AtomicU64> {
        self.runs.clone()
    }

    fn work(&self) -> Work {
        self.work
    }
}

impl Flamingo {
    /// Opens the graphs anew, with every check of the first time.
    fn open_anew(&mut self, place: Reopen) -> Result<(), Error> {
        let device = match (place, self.placement) {
            (Reopen::OnProcessor, Placement::Cpu) => return Err(Error::request("it is on the processor already")),
            (Reopen::OnProcessor, _) | (Reopen::There, Placement::Cpu) => Device::Cpu,
            // not what was asked for: `auto` would go on elsewhere, and nobody would be told
            (Reopen::There, Placement::Cuda(device)) => Device::Cuda(device),
        };
        // first, or there would be no room for the new ones
        let comparing = self.comparing.iter_mut().flat_map(|c| [&mut c.appearance_encoder, &mut c.comparer]);
        [&mut self.encoder, &mut self.resampler, &mut self.decoder].into_iter().chain(comparing).for_each(Graph::close);
        let Loaded { manifest, provider, mut graphs, .. } = load(&self.folder, &Spec { device, ..self.spec.clone() })?;
        if manifest.sha256 != self.manifest.sha256 {
            return Err(Error::request("its folder holds another model by now"));
        }
        graphs.each().for_each(|(_, graph)| graph.count_in(&self.runs));
        self.no_media = no_media(&manifest, provider.used)?;
        (self.placement, self.provider) = (provider.used, provider);
        let Graphs { encoder, resampler, decoder, comparing } = graphs;
        (self.encoder, self.resampler, self.decoder, self.comparing) = (encoder, resampler, decoder, comparing);
        self.openings += 1;
        Ok(())
    }

    /// One call of the vision encoder.
    fn encode_call(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Features>, Error> {
        let pixels = pixels(&self.manifest.vision, frames)?;
        let features = self.encoder.run(&[("pixels", &pixels)], &[])?.take_floats("frame_features")?;
        if features.iter().any(|feature| !feature.is_finite()) {
            // Kept, they would spoil each window that the frame is in; and not every decoder lets them show.
            return Err(Error::NotNumber { graph: Role::VisionEncoder.name(), what: "a feature" });
        }
        self.work.frames_encoded += frames.len() as u64;
        self.work.calls[0] += 1;
        let shape = (frames.len(), self.manifest.vision.tokens, self.manifest.vision.dim);
        let features = Array3::from_shape_vec(shape, features)
            .map_err(|error| Error::Run { graph: Role::VisionEncoder.name(), problem: error.to_string() })?;
        Ok(features.outer_iter().map(|frame| Features(frame.to_shared())).collect())
    }

    /// One call of the resampler: a row of media K/V for each window, whose frames may be one.
    fn resample_call(&mut self, windows: &[Moments]) -> Result<VisualTokens, Error> {
        let inputs = self.windows_as_tensors(windows)?;
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let kept = ["media_kv".to_owned()];
        let media_kv = self.resampler.run(&inputs, &kept)?.take("media_kv")?;
        if media_kv.dims() != media_shape(&self.manifest, windows.len()) {
            let problem = format!("it gave `media_kv` the shape {:?} for {} windows", media_kv.dims(), windows.len());
            return Err(Error::Run { graph: Role::Resampler.name(), problem });
        }
        self.work.calls[1] += 1;
        Ok(VisualTokens { media_kv, rows: windows.len() })
    }

    /// Inputs of the resampler: features that windows share lie in the bank once, shorter windows end in absent frames.
    fn windows_as_tensors(&self, windows: &[Moments]) -> Result<[(&'static str, Tensor); 3], Error> {
        let (limit, most) = (self.manifest.limits.max_media_per_call, self.manifest.resampler.max_frames);
        if windows.is_empty() || windows.len() > limit {
            return Err(Error::request(format!("{} windows in one call, and 1 to {limit} can be", windows.len())));
        }
        let each = self.manifest.vision.tokens * self.manifest.vision.dim;
        let frames = windows.iter().map(|window| window.frames.len()).max().unwrap_or(0).max(1);
        if frames > most {
            return Err(Error::request(format!("a window holds {frames} frames, and the model takes {most} at most")));
        }
        let (mut bank, mut index, mut places) = (Vec::<&Features>::new(), Vec::new(), Vec::new());
        for window in windows {
            let times = window.frames.iter().flatten().map(|(_, time)| *time);
            let origin = match self.manifest.resampler.time.origin {
                Origin::Newest => 0.0,
                Origin::Oldest => times.fold(f32::INFINITY, f32::min),
            };
            for slot in 0..frames {
                let Some((features, time)) = window.frames.get(slot).and_then(Option::as_ref) else {
                    index.push(-1);
                    places.push(0.0);
                    continue;
                };
                if features.0.len() != each || !time.is_finite() {
                    let problem =
                        format!("a frame of a window has {} features at {time} s, not {each}", features.0.len());
                    return Err(Error::request(problem));
                }
                let known = bank.iter().position(|known| known.0.as_ptr() == features.0.as_ptr());
                index.push(known.unwrap_or(bank.len()) as i64);
                if known.is_none() {
                    bank.push(features);
                }
                places.push((f64::from(time - origin) * self.manifest.resampler.time.units_per_second) as f32);
            }
        }
        let mut numbers: Vec<f32> = bank.iter().flat_map(|features| features.0.iter().copied()).collect();
        // A bank must have a row to point at, even when every frame is absent.
        numbers.resize(bank.len().max(1) * each, 0.0);
        let shape = [bank.len().max(1), self.manifest.vision.tokens, self.manifest.vision.dim];
        Ok([
            ("frame_bank", Tensor::floats(self.manifest.float, &shape, numbers)?),
            ("frame_index", Tensor::integers(&[windows.len(), frames], index)?),
            ("frame_pos", Tensor::floats(Float::Float32, &[windows.len(), frames], places)?),
        ])
    }
}
