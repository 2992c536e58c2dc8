//! Text to tokens and back. The only file that names `tokenizers`.
//!
//! What a user wrote can never become a special token: special tokens are not recognised in it, and whatever the
//! vocabulary itself would still let through is replaced.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
};

use super::{Error, TokenId, manifest::Manifest, manifest::Part, marks};

/// A model's tokenizer.
pub(super) struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Tokens that only the template may place.
    reserved: BTreeSet<TokenId>,
    unknown: Option<TokenId>,
    words: Option<HashSet<String>>,
}

impl Tokenizer {
    /// Reads `folder/tokenizer.json` and checks the manifest's ids against it.
    pub(super) fn load(folder: &Path, manifest: &Manifest) -> Result<Self, Error> {
        let complain = |problem: String| Error::Tokenizer { folder: folder.to_owned(), problem };
        let bytes = std::fs::read(folder.join("tokenizer.json")).map_err(|error| complain(error.to_string()))?;
        let mut inner = tokenizers::Tokenizer::from_bytes(special_parts(&bytes, manifest).map_err(complain)?)
            .map_err(|error| complain(format!("cannot be read ({error})")))?;
        inner.set_encode_special_tokens(true);
        let size = inner.get_vocab_size(true);
        if size > manifest.decoder.embed_rows {
            let rows = manifest.decoder.embed_rows;
            let problem = format!("has `{size}` tokens where `decoder.embed_rows` of the manifest is {rows}");
            return Err(complain(problem));
        }
        let added = inner.get_added_tokens_decoder();
        let tokens = &manifest.tokens;
        let mut reserved = BTreeSet::new();
        let named = [("image", Some(tokens.image)), ("pad", Some(tokens.pad)), ("bos", tokens.bos)];
        for (name, id) in named.into_iter().chain(tokens.eos.iter().map(|&id| ("eos", Some(id)))) {
            let Some(id) = id else { continue };
            if !added.contains_key(&id) {
                return Err(complain(format!(
                    "has no added token `{id}`, which the manifest names as `tokens.{name}`"
                )));
            }
            reserved.insert(id);
        }
        if let Some(id) = tokens.unknown
            && inner.id_to_token(id).is_none()
        {
            return Err(complain(format!("has no token `{id}`, which the manifest names as `tokens.unknown`")));
        }
        let words = manifest.prompt.words.as_ref().map(|words| words.iter().map(|word| word.to_lowercase()).collect());
        let mut tokenizer = Self { inner, reserved, unknown: tokens.unknown, words };
        for part in manifest.prompt.parts() {
            if let Part::Token(name) = part {
                let id = tokenizer.added(name).ok_or_else(|| {
                    complain(format!("has no added token `{name}`, which the manifest's `prompt` uses"))
                })?;
                tokenizer.reserved.insert(id);
            }
        }
        Ok(tokenizer)
    }

    /// The number of an added token.
    pub(super) fn added(&self, name: &str) -> Option<TokenId> {
        let id = self.inner.token_to_id(name)?;
        self.inner.get_added_tokens_decoder().contains_key(&id).then_some(id)
    }

    /// Tokens of text that nobody vouches for.
    pub(super) fn encode(&self, text: &str) -> Vec<TokenId> {
        if text.is_empty() {
            return Vec::new(); // some tokenizers begin every text with a token of their own
        }
        // Fails only where a tokenizer is set to truncate, which `special_parts` turns off.
        let encoding = self.inner.encode_fast(text, false);
        let ids = encoding.map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default();
        ids.into_iter().filter_map(|id| if self.reserved.contains(&id) { self.unknown } else { Some(id) }).collect()
    }

    /// Text of tokens, special ones left out.
    pub(super) fn decode(&self, ids: &[TokenId]) -> String {
        self.inner.decode(ids, true).unwrap_or_default().trim().to_owned()
    }

    /// What each of so many tokens spells, where together they spell every byte (a byte-level BPE); a token that is not
    /// text begins with `marker`, a byte that no text holds, and a number without a token spells nothing.
    pub(super) fn spellings(&self, vocab: usize, marker: u8) -> Option<Vec<Vec<u8>>> {
        if !matches!(self.inner.get_decoder(), Some(tokenizers::DecoderWrapper::ByteLevel(_))) {
            return None;
        }
        let bytes: HashMap<char, u8> = (0..=u8::MAX).map(|byte| (letter_of(byte), byte)).collect();
        let mut words = vec![Vec::new(); vocab];
        for (token, id) in self.inner.get_vocab(false) {
            // beyond the logits are tokens that can be read and not written
            let Some(word) = words.get_mut(id as usize) else { continue };
            *word = token.chars().map(|letter| bytes.get(&letter).copied()).collect::<Option<_>>().unwrap_or_default();
        }
        let spelt: HashSet<u8> =
            words.iter().filter_map(|word| <[u8; 1]>::try_from(word.as_slice()).ok()).flatten().collect();
        if spelt.len() < 256 {
            return None;
        }
        // An added token stands for itself in a text only where it is none of those with a meaning of their own.
        for (id, token) in self.inner.get_added_tokens_decoder() {
            let Some(word) = words.get_mut(id as usize) else { continue };
            let text = token.content.as_bytes();
            let special = token.special || self.reserved.contains(&id);
            *word = if special { [&[marker], text].concat() } else { text.to_vec() };
        }
        Some(words)
    }

    /// One above the greatest number of a token: a vocabulary may be filled up with numbers that none has.
    pub(super) fn end_of_ids(&self) -> TokenId {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id + 1)
    }

    /// Whether a token stands for what the vocabulary lacks.
    pub(super) fn is_unknown(&self, id: TokenId) -> bool {
        self.unknown == Some(id)
    }

    /// Whether the vocabulary has all of a text.
    fn spells(&self, text: &str) -> bool {
        !self.encode(text).iter().any(|&id| self.is_unknown(id))
    }

    /// A question as the model can read it best: in a closed vocabulary without the marks that it lacks and that mean nothing.
    pub(super) fn readable<'a>(&self, question: &'a str) -> Cow<'a, str> {
        if self.words.is_none() || self.spells(question) {
            return Cow::Borrowed(question);
        }
        let words = question.split_whitespace().map(|word| marks::readable(word, |text| self.spells(text)));
        Cow::Owned(words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
    }

    /// The words of a question that the model never saw in training, each once, in order; none for an open vocabulary.
    pub(super) fn unknown_words(&self, question: &str) -> Vec<String> {
        self.unknown_of(question, |word| self.spells(&self.readable(word)))
    }

    /// The same of an answer, which is written as it is: a mark that the vocabulary lacks can never be said.
    pub(super) fn unknown_in_label(&self, label: &str) -> Vec<String> {
        self.unknown_of(label, |word| self.spells(word))
    }

    fn unknown_of(&self, text: &str, spells: impl Fn(&str) -> bool) -> Vec<String> {
        let Some(known) = &self.words else { return Vec::new() };
        let mut unknown = Vec::new();
        for written in text.split_whitespace() {
            let word = written.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
            // `t-shirt` is known where `t-shirt` is, or where both `t` and `shirt` are.
            let mut parts = word.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty());
            let word = if !known.contains(&word) && !parts.all(|part| known.contains(part)) {
                word
            } else if !spells(written) {
                written.to_lowercase() // the mark is what is unknown
            } else {
                continue;
            };
            if !unknown.contains(&word) {
                unknown.push(word);
            }
        }
        unknown
    }
}

/// The letter that stands for a byte in the tokens of a byte-level BPE: itself where it can be seen, else one of those
/// from U+0100 on, in the order of the bytes.
fn letter_of(byte: u8) -> char {
    let seen = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if seen(&byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|byte| !seen(byte)).count() as u32;
    char::from_u32(0x100 + before).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The tokenizer's JSON, with every token that a template places marked as special, so that none is recognised in text,
/// and without the padding and truncation that some exporters leave in it.
fn special_parts(bytes: &[u8], manifest: &Manifest) -> Result<Vec<u8>, String> {
    let mut json: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| format!("is not JSON ({error})"))?;
    if !json.is_object() {
        return Err("is not a tokenizer".into());
    }
    let names: HashSet<&str> = manifest
        .prompt
        .parts()
        .filter_map(|part| if let Part::Token(name) = part { Some(name.as_str()) } else { None })
        .collect();
    if let Some(added) = json.get_mut("added_tokens").and_then(serde_json::Value::as_array_mut) {
        for token in added {
            if token["content"].as_str().is_some_and(|content| names.contains(content)) {
                token["special"] = true.into();
            }
        }
    }
    json["truncation"] = serde_json::Value::Null;
    json["padding"] = serde_json::Value::Null;
    serde_json::to_vec(&json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_a_letter_of_its_own_as_in_every_byte_level_vocabulary() {
        let letters: HashSet<char> = (0..=u8::MAX).map(letter_of).collect();
        assert_eq!(letters.len(), 256);
        let known =
            [(b'{', '{'), (b' ', '\u{120}'), (b'\n', '\u{10a}'), (0x7f, '\u{121}'), (0xad, '\u{143}'), (0xff, 'ÿ')];
        for (byte, letter) in known {
            assert_eq!(letter_of(byte), letter, "{byte}");
        }
    }
}
