//! What each graph of a model is for.

use serde::Deserialize;

/// The graphs of a model: a Flamingo's three, and two that only some models have, for comparing with examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    VisionEncoder,
    Resampler,
    Decoder,
    AppearanceEncoder,
    Comparer,
}

impl Role {
    /// The name of the contract.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::VisionEncoder => "vision_encoder",
            Self::Resampler => "resampler",
            Self::Decoder => "decoder",
            Self::AppearanceEncoder => "appearance_encoder",
            Self::Comparer => "comparer",
        }
    }
}
