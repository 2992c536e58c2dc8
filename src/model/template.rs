//! Prompts as tokens: a question or a caption request, the frames that it is about, the answers that may follow, and what a
//! written answer says.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use super::{
    Error, TokenId,
    constraint::Speller,
    manifest::{Manifest, Origin, Part, Slot, WrittenTime},
    tokenizer::Tokenizer,
};

/// A prompt as tokens, cut at the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptIds {
    /// What stands before the picture; the same for all windows, so it is run once and kept as K/V.
    pub prefix: Vec<TokenId>,
    /// Where a window's frames are written into the text behind the prefix: what stands between them and the question, the
    /// same for all prompts. `None` where the window is one picture, whose token stands in `suffix`.
    pub close: Option<Vec<TokenId>>,
    /// The rest: from the picture token on, or what follows the frames and `close`.
    pub suffix: Vec<TokenId>,
}

/// How prompts and answers are written for one model; cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    tokenizer: Arc<Tokenizer>,
    speller: Option<Speller>,
    image: TokenId,
    image_advance: usize,
    most_positions: usize,
    ends: Vec<TokenId>,
    end_of_ids: TokenId,
    /// Tokens from here on can be read and not written.
    vocab: usize,
    question: Vec<Piece>,
    caption: Vec<Piece>,
    frame: Vec<Part>,
    time: Option<WrittenTime>,
    yes: Vec<Vec<TokenId>>,
    no: Vec<Vec<TokenId>>,
    numbers: Vec<Vec<TokenId>>,
}

enum Piece {
    Ids(Vec<TokenId>),
    /// The user's words, with what is encoded together with the first of them.
    Question(&'static str),
    Frames,
}

/// In vocabularies of bytes a word's token has the space before it: so a space before the question belongs to the question.
const SPACE: &str = " ";

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
                .enumerate()
                .map(|(at, part)| match part {
                    Part::Token(name) => Piece::Ids(tokenizer.added(name).into_iter().collect()),
                    Part::Text(text) => match parts.get(at + 1) {
                        Some(Part::Slot(Slot::Question)) => {
                            Piece::Ids(tokenizer.encode(text.strip_suffix(SPACE).unwrap_or(text)))
                        }
                        _ => Piece::Ids(tokenizer.encode(text)),
                    },
                    Part::Slot(Slot::Question) => match parts[..at].last() {
                        Some(Part::Text(text)) if text.ends_with(SPACE) => Piece::Question(SPACE),
                        _ => Piece::Question(""),
                    },
                    // `verify` lets `time` stand in a frame only
                    Part::Slot(Slot::Frames | Slot::Time) => Piece::Frames,
                })
                .collect();
            let images = pieces.iter().filter(|piece| matches!(piece, Piece::Ids(ids) if ids.contains(&image))).count();
            let wanted = usize::from(!pieces.iter().any(|piece| matches!(piece, Piece::Frames)));
            if images == wanted {
                Ok(pieces)
            } else {
                Err(complain(format!("gives `prompt.{key}` {images} picture tokens, and {wanted} belongs there")))
            }
        };
        let forms = |key: &str, texts: &[String]| {
            let mut forms: Vec<Vec<TokenId>> = Vec::new();
            for text in texts {
                let ids = tokenizer.encode(text);
                if ids.is_empty()
                    || ids.iter().any(|&id| tokenizer.is_unknown(id) || id as usize >= manifest.decoder.vocab)
                {
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
            image_advance: manifest.positions.image_advance,
            most_positions: manifest.decoder.max_positions,
            end_of_ids: tokenizer.end_of_ids(),
            vocab: manifest.decoder.vocab,
            ends: manifest.tokens.eos.iter().copied().collect::<BTreeSet<_>>().into_iter().collect(),
            question: pieces("question", &manifest.prompt.question)?,
            caption: pieces("caption", &manifest.prompt.caption)?,
            frame: manifest.prompt.frame.clone(),
            time: manifest.prompt.time,
            yes: distinct(forms("yes", &manifest.prompt.yes)?),
            no: distinct(forms("no", &manifest.prompt.no)?),
            numbers: forms("numbers", &manifest.prompt.numbers)?,
            speller,
            tokenizer,
        };
        let template = Self(Arc::new(inner));
        let pictures = template.frames(&[0.0]).iter().filter(|&&id| id == image).count();
        if !manifest.prompt.frame.is_empty() && pictures != 1 {
            return Err(complain(format!("gives `prompt.frame` {pictures} picture tokens, and 1 belongs there")));
        }
        Ok(template)
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
        let encoded = |pieces: &[Piece]| -> Vec<TokenId> {
            pieces.iter().fold(Vec::new(), |mut ids, piece| {
                match piece {
                    Piece::Ids(fixed) => ids.extend_from_slice(fixed),
                    Piece::Question(space) => {
                        let question = self.0.tokenizer.readable(question);
                        ids.extend(self.0.tokenizer.encode(&format!("{space}{question}")));
                    }
                    Piece::Frames => {}
                }
                ids
            })
        };
        let Some(frames) = pieces.iter().position(|piece| matches!(piece, Piece::Frames)) else {
            let mut prefix = encoded(pieces);
            let cut = prefix.iter().position(|&id| id == self.0.image).unwrap_or(prefix.len());
            let suffix = prefix.split_off(cut);
            return PromptIds { prefix, close: None, suffix };
        };
        let (before, after) = (&pieces[..frames], &pieces[frames + 1..]);
        // nothing is the same for all prompts behind a question
        let asked = after.iter().position(|piece| matches!(piece, Piece::Question(_))).unwrap_or(0);
        let (close, suffix) = after.split_at(asked);
        PromptIds { prefix: encoded(before), close: Some(encoded(close)), suffix: encoded(suffix) }
    }

    /// A window's frames as text, with a picture token each, oldest first. Times are in seconds from the newest frame, zero
    /// or less.
    pub fn frames(&self, times: &[f32]) -> Vec<TokenId> {
        let oldest = times.iter().copied().fold(f32::INFINITY, f32::min);
        let mut ids = Vec::new();
        for time in times {
            // Text and time are encoded as one, as they were in training.
            let mut text = String::new();
            for part in &self.0.frame {
                match (part, self.0.time) {
                    (Part::Text(fixed), _) => text.push_str(fixed),
                    (Part::Slot(_), Some(written)) => text.push_str(&written.of(*time, oldest)),
                    (Part::Slot(_), None) => {}
                    (Part::Token(name), _) => {
                        ids.extend(self.0.tokenizer.encode(&text));
                        text.clear();
                        ids.extend(self.0.tokenizer.added(name));
                    }
                }
            }
            ids.extend(self.0.tokenizer.encode(&text));
        }
        ids
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
        forms.retain(|ids| ids.iter().all(|&id| (id as usize) < self.0.vocab));
        forms
    }

    /// The tokens that end an answer, each once: a model that ends turns and texts may have several.
    pub fn ends(&self) -> &[TokenId] {
        &self.0.ends
    }

    /// By how many positions tokens go on: a picture token may take several.
    pub fn positions(&self, ids: &[TokenId]) -> usize {
        ids.iter().map(|&id| if id == self.0.image { self.0.image_advance } else { 1 }).sum()
    }

    /// The most positions of a text that the model takes.
    pub fn most_positions(&self) -> usize {
        self.0.most_positions
    }

    /// One above the greatest number of a token.
    pub(super) fn end_of_ids(&self) -> TokenId {
        self.0.end_of_ids
    }

    /// How it holds a text to a grammar; `None` where its vocabulary cannot spell any text.
    pub(super) fn speller(&self) -> Option<&Speller> {
        self.0.speller.as_ref()
    }

    /// What tokens say, special ones left out.
    pub fn decode(&self, ids: &[TokenId]) -> String {
        self.0.tokenizer.decode(ids)
    }

    /// The words of a question that the model never saw in training, in lower case; none for an open vocabulary.
    pub fn unknown_words(&self, question: &str) -> Vec<String> {
        self.0.tokenizer.unknown_words(question)
    }

    /// The words of a label that the model never saw in training, or cannot write as they are; none for an open vocabulary.
    pub fn unknown_in_label(&self, label: &str) -> Vec<String> {
        if self.label(label).is_empty() {
            return vec![label.to_owned()];
        }
        self.0.tokenizer.unknown_in_label(label)
    }
}

impl WrittenTime {
    /// The time of a frame, whose distance from the newest and that of the oldest are given in seconds.
    fn of(self, time: f32, oldest: f32) -> String {
        let seconds = match self.origin {
            Origin::Newest => time,
            Origin::Oldest => time - oldest,
        };
        let written = format!("{seconds:.0$}", self.decimals);
        // what rounds to nothing has no sign
        match written.strip_prefix('-') {
            Some(size) if size.bytes().all(|digit| matches!(digit, b'0' | b'.')) => size.to_owned(),
            _ => written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_from_either_end_and_nothing_has_no_sign() {
        let written = |origin, decimals, time| WrittenTime { origin, decimals }.of(time, -4.0);
        assert_eq!(written(Origin::Oldest, 1, -4.0), "0.0");
        assert_eq!(written(Origin::Oldest, 1, -1.04), "3.0");
        assert_eq!(written(Origin::Oldest, 1, 0.0), "4.0");
        assert_eq!(written(Origin::Newest, 0, -4.0), "-4");
        assert_eq!(written(Origin::Newest, 1, -0.04), "0.0");
        assert_eq!(written(Origin::Newest, 2, -0.04), "-0.04");
    }
}
