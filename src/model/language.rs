//! Words to tokens and back, as prompts need it.

use super::{Flamingo, PromptIds, TokenId};

/// The text side of a model: what [`super::Model`] is to numbers.
pub trait Language {
    /// The question in the model's template. User text never becomes a special token.
    fn question(&self, question: &str) -> PromptIds;
    /// The spellings of yes, none empty.
    fn yes(&self) -> Vec<Vec<TokenId>>;
    /// The spellings of no, none empty.
    fn no(&self) -> Vec<Vec<TokenId>>;
    /// How a number is written; `None` for a number the model has no word for.
    fn number(&self, number: u32) -> Option<Vec<TokenId>>;
    /// The spellings of a label in the user's words.
    fn label(&self, label: &str) -> Vec<Vec<TokenId>>;
    /// The token that ends an answer.
    fn end(&self) -> TokenId;
    /// Tokens as text.
    fn text(&self, ids: &[TokenId]) -> String;
    /// The words of a text that the model never saw in training, each once; none for an open vocabulary.
    fn unknown_words(&self, text: &str) -> Vec<String>;
}

impl Language for Flamingo {
    fn question(&self, question: &str) -> PromptIds {
        self.template.question(question)
    }
    fn yes(&self) -> Vec<Vec<TokenId>> {
        self.template.yes().to_vec()
    }
    fn no(&self) -> Vec<Vec<TokenId>> {
        self.template.no().to_vec()
    }
    fn number(&self, number: u32) -> Option<Vec<TokenId>> {
        self.template.number(number).map(<[TokenId]>::to_vec)
    }
    fn label(&self, label: &str) -> Vec<Vec<TokenId>> {
        self.template.label(label)
    }
    fn end(&self) -> TokenId {
        // the manifest is checked to name one at least
        self.manifest.tokens.eos.first().copied().unwrap_or_default()
    }
    fn text(&self, ids: &[TokenId]) -> String {
        self.template.decode(ids)
    }
    fn unknown_words(&self, text: &str) -> Vec<String> {
        self.template.unknown_words(text)
    }
}
