//! The graphs of a model that is loaded.

use super::{role::Role, runtime::Graph};

/// The graphs of a model, on one device.
pub(super) struct Graphs {
    pub(super) encoder: Graph,
    pub(super) resampler: Graph,
    pub(super) decoder: Graph,
    /// Where the model can compare with examples.
    pub(super) comparing: Option<Comparing>,
}

/// The two graphs that compare windows with examples.
pub(super) struct Comparing {
    pub(super) appearance_encoder: Graph,
    pub(super) comparer: Graph,
}

impl Graphs {
    /// Each graph there is.
    pub(super) fn each(&mut self) -> impl Iterator<Item = (Role, &mut Graph)> {
        let comparing = self.comparing.iter_mut().flat_map(|Comparing { appearance_encoder, comparer }| {
            [(Role::AppearanceEncoder, appearance_encoder), (Role::Comparer, comparer)]
        });
        [
            (Role::VisionEncoder, &mut self.encoder),
            (Role::Resampler, &mut self.resampler),
            (Role::Decoder, &mut self.decoder),
        ]
        .into_iter()
        .chain(comparing)
    }
}
