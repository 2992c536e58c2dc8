//! Words to tokens and back, as prompts need it.

use super::{PromptIds, Template, TokenId};

/// The text side of a model: what [`super::Model`] is to numbers.
pub trait Language {
    /// The question in the model's template. User text never becomes a special token.
    fn question(&self, question: &str) -> PromptIds;
    /// A window's frames as text, with a picture token each, oldest first, for a model whose [`PromptIds::close`] says that
    /// they are written. Times are in seconds from the newest frame, zero or less.
    fn frames(&self, _: &[f32]) -> Vec<TokenId> {
        Vec::new()
    }
    /// The spellings of yes, none empty.
    fn yes(&self) -> Vec<Vec<TokenId>>;
    /// The spellings of no, none empty.
    fn no(&self) -> Vec<Vec<TokenId>>;
    /// How a number is written; `None` for a number the model has no word for.
    fn number(&self, number: u32) -> Option<Vec<TokenId>>;
    /// The spellings of a label in the user's words.
    fn label(&self, label: &str) -> Vec<Vec<TokenId>>;
    /// The tokens that end an answer, each once.
    fn ends(&self) -> &[TokenId];
    /// By how many positions tokens go on.
    fn positions(&self, ids: &[TokenId]) -> usize {
        ids.len()
    }
    /// The most positions that a text may take, all that is said to the question among them.
    fn most_positions(&self) -> usize;
    /// Tokens as text.
    fn text(&self, ids: &[TokenId]) -> String;
    /// Whether any text can be spelt, and so JSON of any schema be written.
    fn spells(&self) -> bool;
    /// The words of a question that the model never saw in training, each once; none for an open vocabulary.
    fn unknown_words(&self, question: &str) -> Vec<String>;
    /// The same of a label, which must be written as it is.
    fn unknown_in_label(&self, label: &str) -> Vec<String> {
        self.unknown_words(label)
    }
}

impl Language for Template {
    fn question(&self, question: &str) -> PromptIds {
        Self::question(self, question)
    }
    fn frames(&self, times: &[f32]) -> Vec<TokenId> {
        Self::frames(self, times)
    }
    fn yes(&self) -> Vec<Vec<TokenId>> {
        Self::yes(self).to_vec()
    }
    fn no(&self) -> Vec<Vec<TokenId>> {
        Self::no(self).to_vec()
    }
    fn number(&self, number: u32) -> Option<Vec<TokenId>> {
        Self::number(self, number).map(<[TokenId]>::to_vec)
    }
    fn label(&self, label: &str) -> Vec<Vec<TokenId>> {
        Self::label(self, label)
    }
    fn ends(&self) -> &[TokenId] {
        Self::ends(self)
    }
    fn positions(&self, ids: &[TokenId]) -> usize {
        Self::positions(self, ids)
    }
    fn most_positions(&self) -> usize {
        Self::most_positions(self)
    }
    fn text(&self, ids: &[TokenId]) -> String {
        self.decode(ids)
    }
    fn spells(&self) -> bool {
        self.speller().is_some()
    }
    fn unknown_words(&self, question: &str) -> Vec<String> {
        Self::unknown_words(self, question)
    }
    fn unknown_in_label(&self, label: &str) -> Vec<String> {
        Self::unknown_in_label(self, label)
    }
}
