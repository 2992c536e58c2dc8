//! Numbers in, tokens out, exactly as the manifest says. Knows no cameras and no prompts.
//!
//! A Flamingo (Alayrac et al., arXiv 2204.14198) in three graphs: a vision encoder run once per frame, a Perceiver
//! Resampler run once per window, and a language model with gated cross-attention run once for all prompts of a window.
//! Some models have two graphs more, which compare a window with a user's own examples.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use ndarray::ArcArray2;

use crate::frame::Frame;

mod appearance;
mod batch;
mod constraint;
mod contract;
mod decode;
mod error;
mod fault;
mod flamingo;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod golden;
mod graph_file;
mod graphs;
mod install;
mod language;
mod library;
mod licence;
mod load;
mod manifest;
mod marks;
mod media;
mod pixels;
mod provider;
mod role;
mod runtime;
mod template;
mod tokenizer;
mod trained;
mod verify;
mod write;

pub use appearance::{Cells, Comparison};
pub use constraint::Grammar;
pub use decode::Prefix;
pub use error::Error;
pub use fault::Fault;
pub use flamingo::{Flamingo, Medium, VisualTokens};
pub use golden::Replayed;
pub use install::{Install, Installed, install};
pub use language::Language;
pub use load::Spec;
pub use manifest::{Examples, Fit, Float, FrameMode, Manifest, MediaRule, Resize, Scope};
pub use provider::{Device, Provider, has_nvidia_gpu};
pub use runtime::{Placement, bare_environment};
pub use template::{PromptIds, Template};

/// What the vision encoder made of one frame: `[tokens, dim]`; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Features(pub ArcArray2<f32>);

/// The frames of one window, oldest first; what is absent is `None` and is masked in the graph.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Each frame's features and its time in seconds from the newest frame (zero or less).
    pub frames: Vec<Option<(Features, f32)>>,
}

/// What a row of a model's visual tokens stands for, and how rows may be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// A window, or a frame that all windows share which hold it.
    pub scope: Scope,
    /// Which of them a token sees.
    pub rule: MediaRule,
    /// The most rows of a call.
    pub most: usize,
}

/// A token's number in the vocabulary.
pub type TokenId = u32;

/// One row of a decoder batch: text that begins after the cached prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which rows of visual tokens the picture tokens in `ids` stand for, in their order; empty without a picture.
    pub media: Vec<usize>,
    /// The text's tokens, the picture tokens among them.
    pub ids: Vec<TokenId>,
    /// At which tokens of `ids` the logits are wanted: the logits at `i` judge the token after `ids[i]`.
    pub read: Vec<usize>,
}

/// Whether the gated cross-attention lets the picture through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gates {
    /// As trained.
    Open,
    /// Shut: the answer the language model gives without seeing.
    Shut,
}

/// A text to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// What it follows; where the row is read does not matter.
    pub row: Row,
    /// Its most tokens, those that a grammar forces among them.
    pub max_tokens: usize,
    /// What it must be, and how long that may take; `None` for any text.
    pub rule: Option<Rule>,
}

/// What a text must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What may be written.
    pub grammar: Grammar,
    /// After so long it is given up.
    pub max_time: Duration,
}

/// How a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// By itself: the model, or its grammar, had nothing to add.
    Itself,
    /// At the limit of its tokens: it is cut.
    Tokens,
    /// At the limit of its time: it is cut.
    Time,
}

/// Text a model wrote for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The tokens, without the end token.
    pub ids: Vec<TokenId>,
    /// Natural logarithm of the probability of each token that the model chose, the end token's last when there was one;
    /// under a grammar, of its share among the tokens that were open.
    pub log_probabilities: Vec<f32>,
    /// Natural logarithm of the probability that the open tokens had together, where the model chose under a grammar.
    pub log_masses: Vec<f32>,
    /// How it ended.
    pub ended: Ended,
}

/// How much work was done, in exact counts since the model was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Frames through the vision encoder.
    pub frames_encoded: u64,
    /// Windows through the resampler, each one media K/V build.
    pub windows_resampled: u64,
    /// Frames through the resampler by themselves, each one media K/V build.
    pub frames_resampled: u64,
    /// Text tokens before the picture that were run to be kept as K/V.
    pub prefix_tokens: u64,
    /// Text tokens of a window's frames that were run to be kept as K/V for all prompts about it.
    pub window_tokens: u64,
    /// Text tokens run in decoder prefills, padding not counted.
    pub prefill_tokens: u64,
    /// Rows through decoder prefills.
    pub prefill_rows: u64,
    /// Tokens of written texts that were run after a prefill, over all rows.
    pub decode_tokens: u64,
    /// Tokens of written texts that a grammar left no choice about: no pass was made to choose them.
    pub forced_tokens: u64,
    /// Frames through the appearance encoder.
    pub appearance_frames: u64,
    /// Rows through the comparer: windows held against the examples of one state.
    pub comparisons: u64,
    /// Calls of the graphs: vision encoder, resampler, decoder, appearance encoder, comparer.
    pub calls: [u64; 5],
}

/// Where a model is opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopen {
    /// Where it was.
    There,
    /// On this machine's processor, where it was not already.
    OnProcessor,
}

/// Seam 2: the model as the engine sees it. One owner, one thread.
pub trait Model {
    /// Windows through the resampler, kept where the decoder reads them (on the device).
    type VisualTokens;
    /// Text before the picture, run once and kept as K/V where the decoder reads it.
    type Prefix;
    /// Its text side.
    type Language: Language;

    /// Words to tokens and back.
    fn language(&self) -> &Self::Language;

    /// What a row of its visual tokens stands for.
    fn media(&self) -> Media {
        Media { scope: Scope::Window, rule: MediaRule::Latest, most: usize::MAX }
    }

    /// Each frame once; the same order comes back.
    fn encode(&mut self, frames: &[Arc<Frame>]) -> Result<Vec<Features>, Error>;
    /// All windows of one call; row `i` of the result is `windows[i]`. Of a model whose rows are windows.
    fn resample(&mut self, windows: &[Moments]) -> Result<Self::VisualTokens, Error>;
    /// Each frame once, to be kept and put into [`Self::bank`]; the same order comes back. Of a model whose rows are frames.
    fn resample_frames(&mut self, _: &[Features]) -> Result<Vec<Medium>, Error> {
        Err(Error::request("its resampler takes whole windows, no single frames"))
    }
    /// Puts frames into one call, [`Media::most`] of them at most; row `i` of the result is `media[i]`.
    fn bank(&mut self, _: &[&Medium]) -> Result<Self::VisualTokens, Error> {
        Err(Error::request("its resampler takes whole windows, no single frames"))
    }
    /// Runs text that stands before the picture, alone; empty text gives an empty prefix without work.
    fn prefix(&mut self, ids: &[TokenId]) -> Result<Self::Prefix, Error>;
    /// Runs what a window adds to the text before it, once for all rows that go on from it with these same media; where the
    /// row is read does not matter.
    fn extend(&mut self, _: &Self::Prefix, _: &Self::VisualTokens, _: &Row) -> Result<Self::Prefix, Error> {
        Err(Error::request("it keeps nothing of a window's text"))
    }
    /// One pass for all rows. For each row and each of its `read` places: log-probabilities over the vocabulary.
    fn score(
        &mut self,
        prefix: &Self::Prefix,
        media: Option<&Self::VisualTokens>,
        rows: &[Row],
        gates: Gates,
    ) -> Result<Vec<Vec<Vec<f32>>>, Error>;
    /// Greedy texts, all together, each within its own limits and rule.
    fn generate(
        &mut self,
        prefix: &Self::Prefix,
        media: &Self::VisualTokens,
        texts: &[Writing],
    ) -> Result<Vec<Generation>, Error>;
    /// How it compares windows with examples; `None` for a model that cannot.
    fn examples(&self) -> Option<&Examples> {
        None
    }
    /// How each frame looks, in the grid of [`Self::examples`]; the same order comes back.
    fn appearance(&mut self, _: &[Arc<Frame>]) -> Result<Vec<Cells>, Error> {
        Err(Error::request("it has no `appearance_encoder`"))
    }
    /// For each comparison, the log-odds that its query shows what the examples of state 1 show, not those of state 0.
    fn compare(&mut self, _: &[Comparison<'_>]) -> Result<Vec<f32>, Error> {
        Err(Error::request("it has no `comparer`"))
    }
    /// Gives back all that it holds of its device, and opens it anew; what it made before can still be used. A model that
    /// fails to open cannot be run any more.
    fn reopen(&mut self, _: Reopen) -> Result<(), Error> {
        Err(Error::request("it cannot be opened anew"))
    }
    /// Counts each run of a graph when it has ended, for whoever wants to see from another thread that there is progress.
    fn runs(&self) -> Arc<AtomicU64> {
        Arc::default()
    }
    /// Counts of work done so far.
    fn work(&self) -> Work;
}
