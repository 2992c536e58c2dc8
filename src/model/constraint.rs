//! What a text may be: JSON of a schema, decided token by token. The only file that names `llguidance`.
//!
//! A grammar leaves some tokens open at each place; where it leaves one run of tokens only, that run is forced, and the
//! decoder need not be asked.

use std::sync::Arc;

use llguidance::{
    Matcher, ParserFactory,
    api::TopLevelGrammar,
    earley::SlicedBiasComputer,
    toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie, TokenizerEnv},
};

use super::{Error, TokenId, tokenizer::Tokenizer};

/// A JSON Schema that texts can be held to; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grammar(Arc<str>);

impl Grammar {
    /// Of a JSON Schema, written as JSON; else what about it is not supported or cannot be fulfilled.
    ///
    /// Whether a schema can be kept does not hang on the model: it is tried here with one token for each byte.
    pub fn of_json_schema(schema: &str) -> Result<Self, String> {
        let bytes = ApproximateTokEnv::single_byte_env();
        let factory = factory(&bytes, InferenceCapabilities::default(), &[])?;
        begin(&factory, schema)?;
        Ok(Self(schema.into()))
    }
}

/// `slices` are sets of tokens that are open together, found once, so that a large vocabulary is not walked at each token.
fn factory(tokens: &TokEnv, can: InferenceCapabilities, slices: &[String]) -> Result<ParserFactory, String> {
    let mut factory = ParserFactory::new(tokens, can, slices).map_err(|error| error.to_string())?;
    factory.quiet().limits_mut().verbose_errors = false;
    Ok(factory)
}

/// A text's beginning. Compact: without free white space as much as possible is forced.
fn begin(factory: &ParserFactory, schema: &str) -> Result<Matcher, String> {
    let mut schema: serde_json::Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    if let Some(keywords) = schema.as_object_mut() {
        keywords.insert("x-guidance".to_owned(), serde_json::json!({ "whitespace_flexible": false }));
    }
    let parser = factory.create_parser(TopLevelGrammar::from_json_schema(schema)).map_err(|error| error.to_string())?;
    let matcher = Matcher::new(Ok(parser));
    matcher.get_error().map_or(Ok(matcher), Err)
}

/// A vocabulary that can spell any text, byte by byte.
pub(super) struct Speller(ParserFactory);

impl Speller {
    /// Of this tokenizer, for a decoder with so many logits; `None` where its tokens do not spell every byte.
    pub(super) fn new(tokenizer: &Arc<Tokenizer>, vocab: usize, eos: &[TokenId]) -> Result<Option<Self>, String> {
        let (Some(words), Some(&end)) = (tokenizer.spellings(vocab, TokTrie::SPECIAL_TOKEN_MARKER), eos.first()) else {
            return Ok(None);
        };
        let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, end), &words).with_eos_tokens(eos);
        let tokens: TokEnv = Arc::new(Spelling { trie, tokenizer: Arc::clone(tokenizer) });
        let can = InferenceCapabilities { ff_tokens: true, ..InferenceCapabilities::default() };
        factory(&tokens, can, &SlicedBiasComputer::general_slices()).map(|factory| Some(Self(factory)))
    }

    /// Begins a text.
    pub(super) fn begin(&self, grammar: &Grammar) -> Result<Constraint, Error> {
        begin(&self.0, &grammar.0).map(Constraint).map_err(|error| Error::request(format!("the schema: {error}")))
    }
}

/// The tokens of a tokenizer as llguidance asks for them.
struct Spelling {
    trie: TokTrie,
    tokenizer: Arc<Tokenizer>,
}

impl TokenizerEnv for Spelling {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        // As the tokenizer itself would, because that is what the model was trained on; unless it changes the text, as
        // some do which put a space before its first word.
        let ids = self.trie.tokenize_with_greedy_fallback(bytes, |text| self.tokenizer.encode(text));
        if self.trie.decode_raw(&ids) == bytes { ids } else { self.trie.greedy_tokenize(bytes) }
    }
}

/// A text that is being written, and what may follow; a clone goes its own way.
#[derive(Clone)]
pub(super) struct Constraint(Matcher);

impl Constraint {
    /// Takes the tokens that must follow, as far as no other could, and says which these are.
    pub(super) fn forced(&mut self) -> Result<Vec<TokenId>, Error> {
        let forced = if self.ended() { Vec::new() } else { self.0.consume_ff_tokens() };
        self.0.get_error().map_or(Ok(forced), |error| Err(broken(&error)))
    }

    /// The tokens that may follow.
    pub(super) fn open(&mut self) -> Result<Open, Error> {
        self.0.compute_mask_or_eos().map(Open).map_err(|error| broken(&error.to_string()))
    }

    /// Takes a token that was open.
    pub(super) fn take(&mut self, id: TokenId) -> Result<(), Error> {
        self.0.consume_token(id).map_err(|error| broken(&error.to_string()))
    }

    /// Whether the text is whole and nothing can follow.
    pub(super) fn ended(&self) -> bool {
        self.0.is_stopped() && !self.0.is_error()
    }
}

fn broken(problem: &str) -> Error {
    Error::request(format!("its text cannot be held to the schema: {problem}"))
}

/// Tokens that may follow.
pub(super) struct Open(SimpleVob);

impl Open {
    /// Each of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = TokenId> + '_ {
        self.0.iter()
    }
}
