//! Prompts as tokens: a question or a caption request, the answers that may follow, and what a written answer says.

use std::{path::Path, sync::Arc};

use super::{
    Error, TokenId,
    constraint::Speller,
    manifest::{Manifest, Part, Slot},
    tokenizer::Tokenizer,
};

/// A prompt as tokens, cut at the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptIds {
    /// What stands before the picture; the same for all windows, so it is run once and kept as K/V.
    pub prefix: Vec<TokenId>,
    /// From the picture token on.
    pub suffix: Vec<TokenId>,
}

/// How prompts and answers are written for one model; cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    tokenizer: Arc<Tokenizer>,
    speller: Option<Speller>,
    image: TokenId,
    end: TokenId,
    question: Vec<Piece>,
    caption: Vec<Piece>,
    yes: Vec<Vec<TokenId>>,
    no: Vec<Vec<TokenId>>,
    numbers: Vec<Vec<TokenId>>,
}

enum Piece {
    Ids(Vec<TokenId>),
    Question,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Template").field("numbers", &self.0.numbers.len()).finish_non_exhaustive()
    }
}

impl Template {
    /// Reads the tokenizer and puts the manifest's parts into tokens.
    pub fn load(folder: &Path, manifest: &Manifest) -> Result<Self, Error> {
        let tokenizer = Arc::new(Tokenizer::load(folder, manifest)?);
        let image = manifest.tokens.image;
        let complain = |problem: String| Error::Tokenizer { folder: folder.to_owned(), problem };
        let speller = Speller::new(&tokenizer, manifest.decoder.vocab, &manifest.tokens.eos).map_err(complain)?;
        let pieces = |key: &str, parts: &[Part]| {
            let pieces: Vec<Piece> = parts
                .iter()
                .map(|part| match part {
                    Part::Token(name) => Piece::Ids(tokenizer.added(name).into_iter().collect()),
                    Part::Text(text) => Piece::Ids(tokenizer.encode(text)),
                    Part::Slot(Slot::Question) => Piece::Question,
                })
                .collect();
            let images = pieces.iter().filter(|piece| matches!(piece, Piece::Ids(ids) if ids.contains(&image))).count();
            if images == 1 {
                Ok(pieces)
            } else {
                Err(complain(format!("gives `prompt.{key}` {images} picture tokens, and 1 belongs there")))
            }
        };
        let forms = |key: &str, texts: &[String]| {
            let mut forms: Vec<Vec<TokenId>> = Vec::new();
            for text in texts {
                let ids = tokenizer.encode(text);
                if ids.is_empty() || ids.iter().any(|&id| tokenizer.is_unknown(id)) {
                    return Err(complain(format!(
                        "has no token for `{text}`, which the manifest names in `prompt.{key}`"
                    )));
                }
                forms.push(ids);
            }
            Ok(forms)
        };
        let distinct = |mut forms: Vec<Vec<TokenId>>| {
            // Spellings that the tokenizer makes one must not be counted twice.
            forms.sort();
            forms.dedup();
            forms
        };
        let inner = Inner {
            image,
            end: manifest.tokens.eos.first().copied().unwrap_or(manifest.tokens.pad),
            question: pieces("question", &manifest.prompt.question)?,
            caption: pieces("caption", &manifest.prompt.caption)?,
            yes: distinct(forms("yes", &manifest.prompt.yes)?),
            no: distinct(forms("no", &manifest.prompt.no)?),
            numbers: forms("numbers", &manifest.prompt.numbers)?,
            speller,
            tokenizer,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// A question about a picture, in the user's words.
    pub fn question(&self, text: &str) -> PromptIds {
        self.fill(&self.0.question, text)
    }

    /// The request for a caption.
    pub fn caption(&self) -> PromptIds {
        self.fill(&self.0.caption, "")
    }

    fn fill(&self, pieces: &[Piece], question: &str) -> PromptIds {
        let mut ids = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Ids(fixed) => ids.extend_from_slice(fixed),
                Piece::Question => ids.extend(self.0.tokenizer.encode(question)),
            }
        }
        let cut = ids.iter().position(|&id| id == self.0.image).unwrap_or(ids.len());
        let suffix = ids.split_off(cut);
        PromptIds { prefix: ids, suffix }
    }

    /// The spellings of yes; their probabilities are summed.
    pub fn yes(&self) -> &[Vec<TokenId>] {
        &self.0.yes
    }

    /// The spellings of no; their probabilities are summed.
    pub fn no(&self) -> &[Vec<TokenId>] {
        &self.0.no
    }

    /// How a number is written; `None` where the model has no word for it.
    pub fn number(&self, number: u32) -> Option<&[TokenId]> {
        self.0.numbers.get(number as usize).map(Vec::as_slice)
    }

    /// The largest number that the model has a word for; `None` where it has none at all.
    pub fn largest_number(&self) -> Option<u32> {
        u32::try_from(self.0.numbers.len()).ok()?.checked_sub(1)
    }

    /// The spellings of a user's label: alone, and as it is written after a space where that differs.
    pub fn label(&self, text: &str) -> Vec<Vec<TokenId>> {
        let mut forms = vec![self.0.tokenizer.encode(text), self.0.tokenizer.encode(&format!(" {text}"))];
        forms.dedup();
        forms
    }

    /// The token that ends an answer.
    pub fn end(&self) -> TokenId {
        self.0.end
    }

    /// How it holds a text to a grammar; `None` where its vocabulary cannot spell any text.
    pub(super) fn speller(&self) -> Option<&Speller> {
        self.0.speller.as_ref()
    }

    /// What tokens say, special ones left out.
    pub fn decode(&self, ids: &[TokenId]) -> String {
        self.0.tokenizer.decode(ids)
    }

    /// The words of a text that the model never saw in training, in lower case; none for an open vocabulary.
    pub fn unknown_words(&self, text: &str) -> Vec<String> {
        self.0.tokenizer.unknown_words(text)
    }
}
