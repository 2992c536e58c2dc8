//! What is asked for a prompt, and what it takes: questions in the model's tokens, examples as they look, or nothing at all.

use std::sync::Arc;

use super::{asking::Question, compare::Compared};
use crate::prompt::{Contradiction, Reply, Wording};

/// What a prompt needs, made when it was first seen.
pub(super) enum Ready {
    Ask(Box<Question>),
    /// One question in several wordings.
    AskAlike {
        questions: Vec<Question>,
        wordings: Vec<Wording>,
    },
    /// JSON of a model that cannot spell it: a question for each property.
    AskEach(Vec<Question>),
    Compare(Arc<Compared>),
    Unknown(Vec<String>),
    Contradicting(Contradiction),
}

impl Ready {
    /// The reply to a prompt that the model is not asked; `None` for one that it is.
    pub(super) fn settled(&self) -> Option<Reply> {
        match self {
            Self::Ask(_) | Self::AskAlike { .. } | Self::AskEach(_) | Self::Compare(_) => None,
            Self::Unknown(words) => Some(Reply::UnknownWords(words.clone())),
            Self::Contradicting(contradiction) => Some(Reply::ContradictingExamples(*contradiction)),
        }
    }

    /// What is asked in words.
    pub(super) fn questions(&self) -> &[Question] {
        match self {
            Self::Ask(question) => std::slice::from_ref(&**question),
            Self::AskAlike { questions, .. } | Self::AskEach(questions) => questions,
            Self::Compare(_) | Self::Unknown(_) | Self::Contradicting(_) => &[],
        }
    }

    /// The same, to learn their answers with the gates shut.
    pub(super) fn questions_mut(&mut self) -> &mut [Question] {
        match self {
            Self::Ask(question) => std::slice::from_mut(&mut **question),
            Self::AskAlike { questions, .. } | Self::AskEach(questions) => questions,
            Self::Compare(_) | Self::Unknown(_) | Self::Contradicting(_) => &mut [],
        }
    }
}
