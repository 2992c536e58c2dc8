//! What a model folder says about itself: the mirror of `manifest.json`, contract `flamingo-onnx/1`.
//!
//! Reads only; the Python exporter is the one writer. Whether this version can serve what it says, and whether the
//! folder's files are those it means, is `verify`'s job; whether the graphs fit is `contract`'s.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Error, TokenId, library::version, role::Role};

/// The only contract this version speaks.
const CONTRACT: &str = "flamingo-onnx/1";

/// A model folder's `manifest.json`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The contract's name and version.
    pub contract: String,
    /// The model's name.
    pub name: String,
    /// The model's version.
    pub version: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// In which numbers it computes, for people.
    pub precision: String,
    /// The oldest ONNX Runtime that runs it, `major.minor`.
    pub minimum_runtime: String,
    /// Every file of the folder that may be read, by its path in the folder.
    pub files: BTreeMap<String, FileEntry>,
    /// Which file holds which graph.
    pub graphs: Graphs,
    /// The `F` of the contract: what media K/V and past K/V are made of.
    pub float: Float,
    /// What the vision encoder takes and gives.
    pub vision: Vision,
    /// What the resampler takes and gives.
    pub resampler: Resampler,
    /// The decoder's shape.
    pub decoder: Decoder,
    /// Special tokens.
    pub tokens: Tokens,
    /// How tokens are counted; without it, each is one position.
    #[serde(default)]
    pub positions: Positions,
    /// How text for this model is put together.
    pub prompt: PromptParts,
    /// What a call may ask for.
    pub limits: Limits,
    /// How windows are compared with examples; there if and only if the graphs for it are.
    pub examples: Option<Examples>,
    /// Stored calls to replay.
    pub golden: GoldenFile,
    /// SHA-256 of `manifest.json` itself, in hexadecimal: names this model exactly, since it names every file's hash.
    #[serde(skip)]
    pub sha256: String,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// One sentence.
    pub description: String,
    /// Licence of the whole, as an SPDX expression.
    pub licence: String,
    /// What the licence does not allow and whom it grants nothing, a sentence each, for whoever wants to use it.
    #[serde(default)]
    pub licence_limits: Vec<String>,
    /// What it was made of.
    pub sources: Vec<Source>,
}

/// One thing a model was made of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Where it was taken from.
    pub origin: String,
    /// Its licence.
    pub licence: String,
    /// Its hash.
    pub sha256: String,
}

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its length.
    pub bytes: u64,
    /// Its hash, in hexadecimal.
    pub sha256: String,
}

/// Which file holds which graph.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graphs {
    /// Pixels to features.
    pub vision_encoder: String,
    /// Features of a window to media K/V.
    pub resampler: String,
    /// Tokens and media K/V to logits.
    pub decoder: String,
    /// Pixels to cells; only with a comparer.
    pub appearance_encoder: Option<String>,
    /// Cells of a window and of examples to log-odds; only with an appearance encoder.
    pub comparer: Option<String>,
}

impl Graphs {
    /// Each graph the model has, by its name in the contract, with its file.
    pub(super) fn each(&self) -> Vec<(Role, &str)> {
        let optional = [(Role::AppearanceEncoder, &self.appearance_encoder), (Role::Comparer, &self.comparer)];
        let mut each = vec![
            (Role::VisionEncoder, self.vision_encoder.as_str()),
            (Role::Resampler, &self.resampler),
            (Role::Decoder, &self.decoder),
        ];
        each.extend(optional.into_iter().filter_map(|(role, file)| Some((role, file.as_deref()?))));
        each
    }
}

/// Floating-point type of media K/V and past K/V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Float {
    /// 32 bits.
    Float32,
    /// 16 bits.
    Float16,
}

/// What the vision encoder takes and gives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vision {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// How a picture of another shape is brought to that size.
    pub fit: Fit,
    /// What the encoder counts on beyond that; without it, any scaling will do.
    pub canvas: Option<Canvas>,
    /// Feature tokens of a frame (V).
    pub tokens: usize,
    /// Numbers in a feature token (D).
    pub dim: usize,
}

/// How a picture of another shape is brought to the model's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Both sides on their own; shapes change.
    Stretch,
    /// Whole picture inside, in the middle, the rest filled.
    Letterbox,
    /// Whole picture inside, in the upper left corner, the rest filled (Llama-3.2-Vision).
    LetterboxTopleft,
    /// The middle, as large as fits.
    Crop,
}

impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stretch => "stretch",
            Self::Letterbox => "letterbox",
            Self::LetterboxTopleft => "letterbox_topleft",
            Self::Crop => "crop",
        })
    }
}

/// What a vision encoder counts on in how a camera's picture was brought to its size.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canvas {
    /// Rows and columns of tiles that the encoder cuts it into; 1 and 1 where it takes it whole.
    pub tiles: [u32; 2],
    /// How it is resized.
    pub resize: Resize,
    /// The colour of what the picture leaves free: red, green, blue.
    pub padding: [u8; 3],
    /// What both sides of a tile are multiples of, in pixels.
    pub multiple: u32,
}

/// How a picture is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Linear over all pixels that one takes the place of.
    BilinearAntialias,
    /// Cubic (a = -0.5) over all pixels that one takes the place of.
    BicubicAntialias,
}

/// What the resampler takes and gives.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resampler {
    /// How features become visual tokens.
    pub kind: ResamplerKind,
    /// What one row of media K/V stands for.
    pub scope: Scope,
    /// Visual tokens of a row (N).
    pub latents: usize,
    /// What the model makes of several frames.
    pub frame_mode: FrameMode,
    /// The most frames of a window.
    pub max_frames: usize,
    /// Numbers of frames it was trained with.
    pub trained_frames: Vec<usize>,
    /// What `frame_pos` means.
    pub time: Time,
}

/// How features become visual tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResamplerKind {
    /// Latents that attend to the features.
    Perceiver,
    /// Features projected one by one.
    Projection,
}

/// What one row of media K/V stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// A window of frames.
    Window,
    /// A single frame, shared by all windows that hold it.
    Frame,
}

/// What the model makes of several frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameMode {
    /// One frame only.
    Single,
    /// Each frame a picture token of its own, in the order of the text.
    Interleaved,
    /// Frames in one bag, without order.
    Pooled,
    /// All frames' picture tokens in a row, seen together.
    Grouped,
    /// Each frame a picture token of its own, its time written beside it.
    Stamped,
    /// Trained time embeddings.
    Timed,
}

impl std::fmt::Display for FrameMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::Interleaved => "interleaved",
            Self::Pooled => "pooled",
            Self::Grouped => "grouped",
            Self::Stamped => "stamped",
            Self::Timed => "timed",
        })
    }
}

/// What `frame_pos` means.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// Which frame has position 0.
    pub origin: Origin,
    /// Time-embedding units in a second.
    pub units_per_second: f64,
    /// Shortest and longest window it was trained with, in seconds.
    pub trained_span_s: [f64; 2],
}

/// Which frame has position 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The last; positions are zero or less.
    Newest,
    /// The first; positions are zero or more.
    Oldest,
}

/// The decoder's shape.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decoder {
    /// The family's name, for people.
    pub arch: String,
    /// Which medium a token sees.
    pub media_rule: MediaRule,
    /// Self-attention layers, the only ones that have past K/V.
    pub self_layers: usize,
    /// Gated cross-attention layers.
    pub cross_layers: usize,
    /// Attention heads of a self-attention layer.
    pub heads: usize,
    /// Heads whose K/V are kept.
    pub kv_heads: usize,
    /// Numbers in a self-attention head.
    pub head_dim: usize,
    /// Heads of a cross-attention layer.
    pub cross_kv_heads: usize,
    /// Numbers in a cross-attention head.
    pub cross_head_dim: usize,
    /// Logits of a token: numbers below it can be written.
    pub vocab: usize,
    /// Rows of the embedding: numbers below it can be read.
    pub embed_rows: usize,
    /// The most tokens of a text, prefix and answer included.
    pub max_positions: usize,
}

/// Which media a token sees; `media` alone knows what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaRule {
    /// The latest picture token at or before it (Flamingo, OpenFlamingo, Otter, IDEFICS).
    Latest,
    /// The run of pictures that ends there (Llama-3.2-Vision).
    Span,
    /// Every picture at or before it, told apart by position (MOSS-VL).
    Position,
}

/// Special tokens' numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Stands for a picture.
    pub image: TokenId,
    /// Begins a text; a prompt that wants it names it among its parts.
    pub bos: Option<TokenId>,
    /// Fills rows up.
    pub pad: TokenId,
    /// Stands for what the vocabulary lacks.
    pub unknown: Option<TokenId>,
    /// End a text.
    pub eos: Vec<TokenId>,
}

/// How tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Positions {
    /// By how many positions a picture token goes on (A). At position c its medium begins at c, the token itself stands at
    /// c + A - 1, and the next token at c + A.
    pub image_advance: usize,
}

impl Default for Positions {
    fn default() -> Self {
        Self { image_advance: 1 }
    }
}

/// How text for this model is put together.
///
/// A window's frames stand where the slot `frames` does, before the question or behind it; a model that is given a window
/// as one picture has a picture token there in its place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptParts {
    /// A question about a picture.
    pub question: Vec<Part>,
    /// A caption of a picture.
    pub caption: Vec<Part>,
    /// One frame of a window, with one picture token; written once for each frame, oldest first, where `frames` stands.
    #[serde(default)]
    pub frame: Vec<Part>,
    /// How `time` is written in `frame`; there if and only if it is.
    pub time: Option<WrittenTime>,
    /// Ways to write yes.
    pub yes: Vec<String>,
    /// Ways to write no.
    pub no: Vec<String>,
    /// How 0, 1, 2, ... are written.
    pub numbers: Vec<String>,
    /// Words it was trained on, in lower case; `None` for an open vocabulary.
    pub words: Option<Vec<String>>,
    /// Below this probability of the allowed answers together (0..1) the model says that the question has none of
    /// them: it was trained to say so (`none`, `unclear`). `None` for a model that was not.
    #[serde(default)]
    pub min_mass: Option<f64>,
}

impl PromptParts {
    /// All parts of all texts.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.question.iter().chain(&self.caption).chain(&self.frame)
    }
}

/// One part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// An added token of `tokenizer.json`, by its name.
    Token(String),
    /// Fixed text; a space at its end is encoded with the question where that follows.
    Text(String),
    /// What the user wrote.
    Slot(Slot),
}

/// What is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The question, in the user's words.
    Question,
    /// All frames of the window.
    Frames,
    /// When a frame was taken.
    Time,
}

/// How the time of a frame is written: seconds, as a decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenTime {
    /// Which frame is at 0.
    pub origin: Origin,
    /// Digits behind the point.
    pub decimals: usize,
}

/// What a call may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Windows or frames in one resampler call, and rows of media K/V in one decoder call.
    pub max_media_per_call: usize,
    /// Frames in one call of the vision encoder; without it, as many as there are.
    pub max_frames_per_call: Option<usize>,
    /// Tokens of one text.
    pub max_new_tokens: usize,
}

/// How windows are compared with a user's own examples.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// Rows and columns of the grid that a picture is looked at in.
    pub cells: [usize; 2],
    /// Numbers of a cell (C).
    pub dim: usize,
    /// Frames of a window that are looked at, the newest.
    pub frames: usize,
    /// The most examples of a comparison.
    pub max_examples: usize,
    /// The probability that an example's right answer must get from the others on average, when it is left out.
    pub min_probability_loo: f64,
}

impl Examples {
    /// Cells of a picture, row after row.
    pub const fn count(&self) -> usize {
        self.cells[0] * self.cells[1]
    }
}

/// Stored calls to replay.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenFile {
    /// The list of cases; their numbers lie beside it, in the file of the same name that ends in `.bin`.
    pub file: String,
    /// Allowed difference of each graph.
    pub tolerance: Tolerance,
}

/// Allowed difference of each graph, absolute below 1 and relative above.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Of features.
    pub vision_encoder: f64,
    /// Of media K/V.
    pub resampler: f64,
    /// Of logits and K/V.
    pub decoder: f64,
    /// Of cells; without it, a thousandth.
    #[serde(default = "thousandth")]
    pub appearance_encoder: f64,
    /// Of the log-odds of a comparison; without it, a thousandth.
    #[serde(default = "thousandth")]
    pub comparer: f64,
}

const fn thousandth() -> f64 {
    1e-3
}

impl Tolerance {
    /// The allowed difference of a graph.
    pub(super) const fn of(&self, role: Role) -> f64 {
        match role {
            Role::VisionEncoder => self.vision_encoder,
            Role::Resampler => self.resampler,
            Role::Decoder => self.decoder,
            Role::AppearanceEncoder => self.appearance_encoder,
            Role::Comparer => self.comparer,
        }
    }
}

pub(super) const EXPORT_AGAIN: &str = "export the model again with this version's exporter";

impl Manifest {
    /// Reads and checks `folder/manifest.json`; touches no other file.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(folder.join("manifest.json")).map_err(|error| {
            Error::manifest(folder, "", format!("cannot be read ({error})"), "give a folder that holds a model")
        })?;
        let value: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::manifest(folder, "", format!("is not JSON ({error})"), EXPORT_AGAIN))?;
        // Before anything else: another contract may have any keys at all.
        let contract = value.get("contract").and_then(serde_json::Value::as_str).unwrap_or_default();
        if contract != CONTRACT {
            return Err(Error::manifest(
                folder,
                "contract",
                format!("is `{contract}`, and this version speaks `{CONTRACT}` only"),
                "use a model and a wader of one release",
            ));
        }
        let mut manifest: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let key = error.path().to_string();
            let key = if key == "." { String::new() } else { key };
            Error::manifest(folder, key, error.inner().to_string(), EXPORT_AGAIN)
        })?;
        manifest.sha256 = format!("{:x}", Sha256::digest(&bytes));
        manifest.check(folder)?;
        Ok(manifest)
    }

    /// The file of the golden cases' numbers.
    pub fn golden_numbers(&self) -> String {
        match self.golden.file.strip_suffix(".json") {
            Some(stem) => format!("{stem}.bin"),
            None => format!("{}.bin", self.golden.file),
        }
    }

    /// The oldest ONNX Runtime that runs this model, as numbers.
    pub fn minimum_runtime(&self) -> Option<(u32, u32)> {
        version(&self.minimum_runtime)
    }
}
