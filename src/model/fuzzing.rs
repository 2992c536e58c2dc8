//! A door for fuzz targets: what an ONNX file is found to need, and texts that a grammar lets through.

use super::{Error, Grammar, Template, TokenId, graph_file};

/// Files and operator domains that an ONNX file needs besides itself; else what is wrong with it.
pub fn needs(model: &[u8]) -> Result<[Vec<String>; 2], String> {
    let needs = graph_file::needs(model)?;
    Ok([needs.external_data, needs.domains].map(|all| all.into_iter().collect()))
}

/// Writes a text as the decoder would, where `choose` is what the model would choose of the tokens that are open. `None`
/// where it is not whole after so many tokens, or the vocabulary cannot spell.
pub fn write(
    template: &Template,
    grammar: &Grammar,
    most: usize,
    mut choose: impl FnMut(&[TokenId]) -> TokenId,
) -> Result<Option<String>, Error> {
    let Some(speller) = template.speller() else { return Ok(None) };
    let mut constraint = speller.begin(grammar)?;
    let mut written = Vec::new();
    while written.len() <= most {
        written.extend(constraint.forced()?);
        if constraint.ended() {
            return Ok(Some(template.decode(&written)));
        }
        let open: Vec<TokenId> = constraint.open()?.ids().collect();
        assert!(!open.is_empty(), "nothing may follow, and the text is not whole");
        let chosen = choose(&open);
        if template.ends().contains(&chosen) {
            return Ok(Some(template.decode(&written)));
        }
        constraint.take(chosen)?;
        written.push(chosen);
    }
    Ok(None)
}
