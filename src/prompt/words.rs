//! A language of a few words, so that plans and scores are tested without a model.

use crate::model::{self, Language, Text, TokenId};

const WORDS: [&str; 18] = [
    "<end>", "<image>", "is", "it", "a", "or", "red", "car", "stays", "the", "same", "yes", "no", "yeah", "zero",
    "one", "two", "begin",
];

/// Whole lower-case words, numbered by their place.
pub(crate) struct Words;

impl Words {
    pub(crate) fn id(word: &str) -> TokenId {
        WORDS.iter().position(|w| *w == word.to_lowercase()).expect("a known word") as TokenId
    }
    pub(crate) const COUNT: usize = WORDS.len();
}

impl Language for Words {
    fn question(&self, question: &str) -> Result<Text, model::Error> {
        let suffix = std::iter::once("<image>").chain(question.split_whitespace()).map(Self::id).collect();
        Ok(Text { prefix: vec![Self::id("begin")], suffix })
    }
    fn spell(&self, answer: &str) -> Result<Vec<TokenId>, model::Error> {
        Ok(answer.split_whitespace().map(Self::id).collect())
    }
    fn yes(&self) -> &[String] {
        static YES: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| vec!["yes".into(), "yeah".into()]);
        &YES
    }
    fn no(&self) -> &[String] {
        static NO: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| vec!["no".into()]);
        &NO
    }
    fn number(&self, number: u32) -> Option<&str> {
        ["zero", "one", "two"].get(number as usize).copied()
    }
    fn end(&self) -> TokenId {
        Self::id("<end>")
    }
    fn text(&self, ids: &[TokenId]) -> Result<String, model::Error> {
        Ok(ids.iter().map(|&id| WORDS[id as usize]).collect::<Vec<_>>().join(" "))
    }
    fn unknown_words(&self, text: &str) -> Vec<String> {
        let known = |word: &&str| WORDS.contains(&word.to_lowercase().as_str());
        text.split_whitespace().filter(|word| !known(word)).map(str::to_owned).collect()
    }
}
