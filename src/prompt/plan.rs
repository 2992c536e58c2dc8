//! A prompt as the rows a decoder runs: made once per prompt, used for every window.

use crate::{
    model::{self, Language, PromptIds, Row, Rule, TokenId, Writing},
    prompt::{AnswerKind, Asked, NotByProperty, Prompt, Wording},
};

/// One allowed answer, with every way to spell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The answer as published.
    pub label: String,
    /// Its spellings in tokens; their probabilities are summed. None is empty.
    pub spellings: Vec<Vec<TokenId>>,
}

/// What has to be run for a prompt about each window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The prompt.
    pub prompt: Prompt,
    /// Tokens before the picture.
    pub prefix: Vec<TokenId>,
    /// Where a window's frames are written into the text behind the prefix: tokens between them and the question.
    pub close: Option<Vec<TokenId>>,
    /// The rest of the question: the picture token with it, where the frames are not written.
    pub suffix: Vec<TokenId>,
    /// The allowed answers; empty for what is written.
    pub candidates: Vec<Candidate>,
    /// Beginnings of answers longer than one token: each needs a row of its own.
    heads: Vec<Vec<TokenId>>,
}

/// What of a window stands in the rows of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictures {
    /// The rows of visual tokens that the picture tokens stand for.
    pub media: Vec<usize>,
    /// The text with these picture tokens, before the prompt's own; empty where that has the picture token.
    pub text: Vec<TokenId>,
}

/// Why a prompt cannot be asked of this model.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The question, or an allowed answer, holds words the model never saw in training.
    #[error("the model never learned {}; `wader models show` lists its words", .0.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "))]
    UnknownWords(Vec<String>),
    /// A number within the prompt's bounds is beyond what the model can say.
    #[error("the model cannot say the number `{0}`; lower the prompt's `max`")]
    Number(u32),
    /// Two allowed answers are the same to the model.
    #[error("the model cannot tell `{0}` from `{1}`: both are the same tokens to it")]
    Same(String, String),
    /// It comes with examples, and the model cannot compare.
    #[error(
        "the model cannot compare with examples: its manifest names no `appearance_encoder` and `comparer`; take a model that can, or delete the examples"
    )]
    NoComparer,
    /// It comes with more examples than the model takes.
    #[error("{given} examples, and the model takes {most} at most; delete some")]
    TooManyExamples {
        /// How many there are.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// It comes with examples, and a text is no state that they could show.
    #[error("examples show which of some answers is right; ask with `yes_no` or `choice`")]
    OpenWithExamples,
    /// The model cannot spell JSON, and its schema cannot be asked property by property.
    #[error("the model cannot spell JSON, so each property of the schema is asked by itself, and {0}")]
    NotByProperty(NotByProperty),
    /// A property of its schema cannot be asked for.
    #[error("property `{name}`: {source}")]
    Property {
        /// The property.
        name: String,
        /// Why not.
        source: Box<Self>,
    },
    /// It is longer than the model takes, or, where it is asked once by whom nobody vouches for, than such a question may be.
    #[error("the question has {tokens} tokens with all that belongs to it, and {most} are the most; ask shorter")]
    TooLong {
        /// How many it has.
        tokens: usize,
        /// How many it may have.
        most: usize,
    },
    /// The model did not run.
    #[error(transparent)]
    Model(#[from] model::Error),
}

/// A text that is written has room for so many tokens at least, or for all that it may have.
const LEAST_WRITTEN: usize = 8;

impl Plan {
    /// Whether what it asks the model is the same, whatever the prompt is called.
    pub fn asks_like(&self, other: &Self) -> bool {
        // the candidates follow from these
        (&self.prompt.kind, &self.prefix, &self.close, &self.suffix)
            == (&other.prompt.kind, &other.prefix, &other.close, &other.suffix)
    }

    /// Tokenises the question and every allowed answer.
    pub fn new(prompt: &Prompt, language: &impl Language) -> Result<Self, PlanError> {
        let labels = prompt.kind.labels();
        let mut unknown = language.unknown_words(&prompt.ask);
        if let AnswerKind::Choice(choices) = &prompt.kind {
            unknown.extend(choices.iter().flat_map(|choice| language.unknown_in_label(choice)));
        }
        if !unknown.is_empty() {
            unknown.sort();
            unknown.dedup();
            return Err(PlanError::UnknownWords(unknown));
        }
        let text = language.question(&prompt.ask);
        let mut candidates = Vec::with_capacity(labels.len());
        for label in labels {
            let mut spellings = spellings_of(&label, &prompt.kind, language)?;
            spellings.retain(|ids| !ids.is_empty());
            candidates.push(Candidate { label, spellings });
        }
        distinct(&candidates)?;
        end_where_one_begins_another(&mut candidates, language.ends());
        let mut heads: Vec<Vec<TokenId>> = Vec::new();
        for spelling in candidates.iter().flat_map(|c| &c.spellings) {
            let head = &spelling[..spelling.len() - 1];
            if !head.is_empty() && !heads.iter().any(|h| h == head) {
                heads.push(head.to_vec());
            }
        }
        // an answer that goes on from another's beginning is read in the longer one's row
        let whole = heads.clone();
        heads.retain(|head| !whole.iter().any(|other| other.len() > head.len() && other.starts_with(head)));
        let PromptIds { prefix, close, suffix } = text;
        let plan = Self { prompt: prompt.clone(), prefix, close, suffix, candidates, heads };
        plan.fits(language)?;
        Ok(plan)
    }

    /// Refuses what is too long for the model whatever the window: no batch could hold it.
    fn fits(&self, language: &impl Language) -> Result<(), PlanError> {
        // where frames are written, a window has one at least
        let frames = self.close.as_ref().map(|close| [language.frames(&[0.0]).as_slice(), close].concat());
        let answer = match &self.prompt.kind {
            AnswerKind::Text { max_tokens } | AnswerKind::Json { max_tokens, .. } => LEAST_WRITTEN.min(*max_tokens),
            AnswerKind::YesNo | AnswerKind::Choice(_) | AnswerKind::Number { .. } => {
                self.heads.iter().map(|head| language.positions(head)).max().unwrap_or(0)
            }
        };
        let parts = [&self.prefix, &frames.unwrap_or_default(), &self.suffix];
        let tokens = parts.iter().map(|ids| language.positions(ids)).sum::<usize>() + answer;
        let most = language.most_positions();
        if tokens > most { Err(PlanError::TooLong { tokens, most }) } else { Ok(()) }
    }

    /// The plans of a prompt: one for each of its wordings, or the questions for the properties of its schema, where it wants
    /// JSON of a model that cannot spell it.
    pub fn all(prompt: &Prompt, language: &impl Language) -> Result<Vec<Self>, PlanError> {
        let (mut plans, mut unknown) = (Vec::new(), Vec::new());
        let (schema, max_tokens) = match &prompt.kind {
            AnswerKind::Json { schema, max_tokens, .. } if !language.spells() => (schema, max_tokens),
            _ => {
                for Wording { ask, .. } in prompt.wordings() {
                    match Self::new(&Prompt { ask, also: Vec::new(), ..prompt.clone() }, language) {
                        Ok(plan) => plans.push(plan),
                        Err(PlanError::UnknownWords(words)) => unknown.extend(words),
                        Err(error) => return Err(error),
                    }
                }
                return sayable(plans, unknown);
            }
        };
        for property in schema.properties().map_err(|why| PlanError::NotByProperty(why.clone()))? {
            let Asked::Question { ask, kind, .. } = &property.asked else { continue };
            let kind = match kind {
                AnswerKind::Text { .. } => AnswerKind::Text { max_tokens: *max_tokens },
                closed => closed.clone(),
            };
            match Self::new(&Prompt { name: prompt.name.clone(), ask: ask.clone(), also: Vec::new(), kind }, language) {
                Ok(plan) => plans.push(plan),
                Err(PlanError::UnknownWords(words)) => unknown.extend(words),
                Err(error) => {
                    return Err(PlanError::Property { name: property.name.clone(), source: Box::new(error) });
                }
            }
        }
        sayable(plans, unknown)
    }

    /// The text that is written for this prompt about one window; `None` where its answers are scored.
    pub fn writing(&self, pictures: &Pictures) -> Option<Writing> {
        let (max_tokens, rule) = match &self.prompt.kind {
            AnswerKind::Text { max_tokens } => (*max_tokens, None),
            AnswerKind::Json { schema, max_tokens, max_time } => {
                (*max_tokens, Some(Rule { grammar: schema.grammar().clone(), max_time: *max_time }))
            }
            AnswerKind::YesNo | AnswerKind::Choice(_) | AnswerKind::Number { .. } => return None,
        };
        Some(Writing { row: self.row(pictures), max_tokens, rule })
    }

    /// The decoder rows of this prompt about one window.
    ///
    /// The first row alone decides answers of one token; each longer beginning has a row in which it is given.
    pub fn rows(&self, pictures: &Pictures) -> Vec<Row> {
        let base = self.row(pictures);
        let last = base.ids.len().saturating_sub(1);
        if self.heads.is_empty() {
            return vec![Row { read: vec![last], ..base }];
        }
        self.heads
            .iter()
            .map(|head| {
                let ids: Vec<TokenId> = base.ids.iter().chain(head).copied().collect();
                Row { media: base.media.clone(), ids, read: (last..=last + head.len()).collect() }
            })
            .collect()
    }

    /// The question about one window, read nowhere.
    fn row(&self, pictures: &Pictures) -> Row {
        let ids = pictures.text.iter().chain(&self.suffix).copied().collect();
        Row { media: pictures.media.clone(), ids, read: Vec::new() }
    }

    /// Where the log-probability of the `n`th token of a spelling stands in the results of [`Self::rows`].
    pub(super) fn place(&self, spelling: &[TokenId], n: usize) -> (usize, usize) {
        let head = &spelling[..n];
        let row = self.heads.iter().position(|h| h.starts_with(head)).unwrap_or(0);
        (row, n)
    }
}

/// The plans, unless some words of theirs are unknown.
fn sayable(plans: Vec<Plan>, mut unknown: Vec<String>) -> Result<Vec<Plan>, PlanError> {
    if unknown.is_empty() {
        return Ok(plans);
    }
    unknown.sort();
    unknown.dedup();
    Err(PlanError::UnknownWords(unknown))
}

fn spellings_of(label: &str, kind: &AnswerKind, language: &impl Language) -> Result<Vec<Vec<TokenId>>, PlanError> {
    Ok(match (kind, label) {
        (AnswerKind::YesNo, "yes") => language.yes(),
        (AnswerKind::YesNo, _) => language.no(),
        (AnswerKind::Number { .. }, _) => {
            let number = label.parse().unwrap_or(u32::MAX);
            vec![language.number(number).ok_or(PlanError::Number(number))?]
        }
        _ => language.label(label),
    })
}

fn distinct(candidates: &[Candidate]) -> Result<(), PlanError> {
    for (i, a) in candidates.iter().enumerate() {
        for b in &candidates[i + 1..] {
            if a.spellings.iter().any(|s| b.spellings.contains(s)) {
                return Err(PlanError::Same(a.label.clone(), b.label.clone()));
            }
        }
    }
    Ok(())
}

/// Where one spelling is the beginning of another, only an end token tells them apart: `gray` from `gray car`. Which of them
/// a model ends its turns with is its own affair, so each makes a spelling.
fn end_where_one_begins_another(candidates: &mut [Candidate], ends: &[TokenId]) {
    let all: Vec<Vec<TokenId>> = candidates.iter().flat_map(|c| c.spellings.clone()).collect();
    let begins = |a: &Vec<TokenId>| all.iter().any(|b| b.len() > a.len() && b.starts_with(a));
    if all.iter().any(begins) {
        for Candidate { spellings, .. } in candidates {
            let ended =
                |spelling: &Vec<TokenId>| ends.iter().map(|&end| [spelling.as_slice(), &[end]].concat()).collect();
            *spellings = spellings.iter().flat_map::<Vec<_>, _>(ended).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::PromptName, prompt::words::Words};

    fn plan(ask: &str, kind: AnswerKind) -> Result<Plan, PlanError> {
        Plan::new(&Prompt { name: PromptName::new("p").unwrap(), ask: ask.into(), also: Vec::new(), kind }, &Words)
    }

    fn choices(labels: &[&str]) -> AnswerKind {
        AnswerKind::Choice(labels.iter().map(|s| (*s).to_owned()).collect())
    }

    #[test]
    fn answers_of_one_token_share_one_row() {
        let plan = plan("is it red", AnswerKind::YesNo).unwrap();
        let rows = plan.rows(&Pictures { media: vec![3], text: Vec::new() });
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].media.as_slice(), rows[0].read.as_slice()), (&[3][..], &[plan.suffix.len() - 1][..]));
        let written = plan.rows(&Pictures { media: vec![1, 2], text: vec![1, 6, 1] });
        assert_eq!(written[0].ids, [&[1, 6, 1], plan.suffix.as_slice()].concat());
        assert_eq!(
            (written[0].media.as_slice(), written[0].read.as_slice()),
            (&[1, 2][..], &[plan.suffix.len() + 2][..])
        );
    }

    #[test]
    fn a_longer_answer_is_read_in_a_row_where_its_beginning_is_given() {
        let plan = plan("is it red", choices(&["stays the same", "stays red", "no"])).unwrap();
        let rows = plan.rows(&Pictures::default());
        assert_eq!(rows.len(), 1, "the beginning of `stays red` lies in the row of `stays the same`");
        assert_eq!(rows[0].read.len(), 3);
        let two = super::tests::plan("is it red", choices(&["stays the same", "the red car", "no"])).unwrap();
        assert_eq!(two.rows(&Pictures::default()).len(), 2);
    }

    #[test]
    fn an_answer_that_begins_another_gets_an_end() {
        let plan = plan("is it red", choices(&["red", "red car"])).unwrap();
        let spelt = |words: &str| -> Vec<Vec<TokenId>> {
            let label = Words.label(words).remove(0);
            Words::ENDS.iter().map(|&end| [label.as_slice(), &[end]].concat()).collect()
        };
        let spellings: Vec<_> = plan.candidates.iter().map(|candidate| candidate.spellings.clone()).collect();
        assert_eq!(spellings, [spelt("red"), spelt("red car")], "one for each token that may end it");
        assert_eq!(plan.rows(&Pictures::default()).len(), 1, "which are read in the same place");
    }

    #[test]
    fn what_the_model_cannot_say_is_refused_by_name() {
        let error = plan("is it a zeppelin or a yacht", AnswerKind::YesNo).unwrap_err().to_string();
        assert_eq!(error, "the model never learned `yacht`, `zeppelin`; `wader models show` lists its words");
        assert!(matches!(plan("is it red", AnswerKind::Number { min: 0, max: 9 }), Err(PlanError::Number(3))));
        assert!(matches!(plan("is it red", choices(&["red", "RED"])), Err(PlanError::Same(..))));
    }

    #[test]
    fn what_is_longer_than_the_model_takes_is_refused_with_its_answer() {
        // the beginning and the picture take two, and what belongs to an answer is counted with the question
        let fits = |kind: AnswerKind, answer: usize| {
            let most = Words::MOST_POSITIONS;
            let longest = most - 2 - answer;
            assert!(plan(&"is ".repeat(longest), kind.clone()).is_ok(), "{kind:?}");
            let long = plan(&"is ".repeat(longest + 1), kind).unwrap_err();
            assert!(matches!(long, PlanError::TooLong { tokens, most: limit } if (tokens, limit) == (most + 1, most)));
        };
        fits(AnswerKind::YesNo, 0);
        fits(choices(&["stays the same", "red"]), 2);
        fits(AnswerKind::Text { max_tokens: 90 }, LEAST_WRITTEN);
        fits(AnswerKind::Text { max_tokens: 3 }, 3);
    }

    #[test]
    fn each_wording_is_a_plan_and_unknown_words_of_all_are_told_together() {
        let all = |also: &[(&str, bool)]| {
            let also = also.iter().map(|&(ask, negated)| Wording { ask: ask.to_owned(), negated }).collect();
            let name = PromptName::new("p").unwrap();
            Plan::all(&Prompt { name, ask: "is it red".to_owned(), also, kind: AnswerKind::YesNo }, &Words)
        };
        let asks: Vec<String> = all(&[("is a car red", false), ("is no car red", true)])
            .unwrap()
            .into_iter()
            .map(|p| p.prompt.ask)
            .collect();
        assert_eq!(asks, ["is it red", "is a car red", "is no car red"]);
        let error = all(&[("is it a yacht", false), ("is it a zeppelin", true)]).unwrap_err();
        assert!(matches!(error, PlanError::UnknownWords(words) if words == ["yacht", "zeppelin"]));
    }
}
