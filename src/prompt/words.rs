//! A language of a few words, so that plans and scores are tested without a model.

use crate::model::{Language, PromptIds, TokenId};

const WORDS: [&str; 19] = [
    "<end>", "<image>", "is", "it", "a", "or", "red", "car", "stays", "the", "same", "yes", "no", "yeah", "zero",
    "one", "two", "begin", "<turn>",
];

/// Whole lower-case words, numbered by their place.
pub(crate) struct Words;

impl Words {
    pub(crate) fn id(word: &str) -> TokenId {
        WORDS.iter().position(|w| *w == word.to_lowercase()).expect("a known word") as TokenId
    }
    pub(crate) const COUNT: usize = WORDS.len();
    pub(crate) const ENDS: [TokenId; 2] = [0, 18];
    pub(crate) const MOST_POSITIONS: usize = 32;
}

impl Language for Words {
    fn question(&self, question: &str) -> PromptIds {
        let suffix = std::iter::once("<image>").chain(question.split_whitespace()).map(Self::id).collect();
        PromptIds { prefix: vec![Self::id("begin")], close: None, suffix }
    }
    fn yes(&self) -> Vec<Vec<TokenId>> {
        vec![vec![Self::id("yes")], vec![Self::id("yeah")]]
    }
    fn no(&self) -> Vec<Vec<TokenId>> {
        vec![vec![Self::id("no")]]
    }
    fn number(&self, number: u32) -> Option<Vec<TokenId>> {
        ["zero", "one", "two"].get(number as usize).map(|word| vec![Self::id(word)])
    }
    fn label(&self, label: &str) -> Vec<Vec<TokenId>> {
        vec![label.split_whitespace().map(Self::id).collect()]
    }
    fn ends(&self) -> &[TokenId] {
        &Self::ENDS
    }
    fn most_positions(&self) -> usize {
        Self::MOST_POSITIONS
    }
    fn text(&self, ids: &[TokenId]) -> String {
        ids.iter().map(|&id| WORDS[id as usize]).collect::<Vec<_>>().join(" ")
    }
    fn spells(&self) -> bool {
        false
    }
    fn unknown_words(&self, text: &str) -> Vec<String> {
        let known = |word: &&str| WORDS.contains(&word.to_lowercase().as_str());
        text.split_whitespace().filter(|word| !known(word)).map(str::to_owned).collect()
    }
}
