//! What a model's licence does not allow, as far as the manifest or this version knows.

use super::Manifest;

/// What the Llama 3.2 acceptable use policy, which is part of its licence, says of models that see.
const LLAMA_3_2: &str = "the Llama 3.2 licence grants no rights in models that see to people domiciled in the European Union, nor \
    to companies that have their principal place of business there; end users of a product that contains one are excepted";

impl Manifest {
    /// What the licence does not allow and whom it grants nothing, a sentence each.
    ///
    /// A manifest that only names a licence whose limits are known here is given them.
    pub fn licence_limits(&self) -> Vec<String> {
        let own = &self.provenance.licence_limits;
        let licences = self.provenance.sources.iter().map(|source| &source.licence).chain([&self.provenance.licence]);
        let is_known = licences.into_iter().any(|licence| {
            let letters: String = licence.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
            letters.contains("llama32")
        });
        let known = (own.is_empty() && is_known).then(|| LLAMA_3_2.to_owned());
        own.iter().cloned().chain(known).collect()
    }
}
