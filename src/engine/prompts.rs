//! What is asked about each camera, each thing of it prepared once: questions in the model's tokens, the text before the
//! picture, the answer with the gates shut, and examples as they look.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    Added,
    asking::Question,
    compare::{Agreeing, Compared},
    lesson::{Learnt, Lesson, learn},
    ready::Ready,
};
use crate::{
    model::{self, Model, TokenId},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Contradiction, Origin, Plan, PlanError, Prompt, Shown},
    window::{Spec, Window},
};

/// A prompt that cannot be asked of this model.
#[derive(Debug, thiserror::Error)]
#[error("prompt `{prompt}` for camera `{camera}`: {source}")]
pub struct Unaskable {
    /// The camera.
    pub camera: CameraName,
    /// The prompt.
    pub prompt: PromptName,
    /// Why not.
    pub source: Box<PlanError>,
}

/// A prompt, and what it needs.
pub(super) struct Known {
    pub(super) prompt: Arc<Prompt>,
    pub(super) ready: Ready,
    /// Whether it is answered by examples out of what others said.
    pub(super) by_lesson: bool,
}

type Key = (CameraName, PromptName);

/// Every prompt of every camera.
pub(super) struct Prompts<M: Model> {
    known: HashMap<Key, Known>,
    prefixes: HashMap<Vec<TokenId>, M::Prefix>,
}

impl<M: Model> Default for Prompts<M> {
    fn default() -> Self {
        Self { known: HashMap::new(), prefixes: HashMap::new() }
    }
}

impl<M: Model> Prompts<M> {
    /// A prompt of a camera.
    pub(super) fn get(&self, camera: &CameraName, prompt: &PromptName) -> Option<&Known> {
        self.known.get(&(camera.clone(), prompt.clone()))
    }

    /// What was prepared for a prompt of a camera.
    pub(super) fn ready(&self, camera: &CameraName, prompt: &PromptName) -> Option<&Ready> {
        self.get(camera, prompt).map(|known| &known.ready)
    }

    /// The texts before the picture, as the model keeps them.
    pub(super) fn prefixes(&self) -> &HashMap<Vec<TokenId>, M::Prefix> {
        &self.prefixes
    }

    /// The prompts whose examples contradict each other, each once whatever the number of cameras.
    pub(super) fn contradictions(&self) -> BTreeMap<PromptName, Contradiction> {
        let contradiction = |((_, prompt), known): (&Key, &Known)| match known.ready {
            Ready::Contradicting(contradiction) => Some((prompt.clone(), contradiction)),
            _ => None,
        };
        self.known.iter().filter_map(contradiction).collect()
    }

    /// Prepares more prompts, and forgets those of their names about their cameras; where one cannot be asked, nothing is
    /// different from before.
    pub(super) fn add(&mut self, model: &mut M, added: &[Added]) -> Result<(), Unaskable> {
        let done = self.prepared(model, added).map(|prepared| self.known.extend(prepared));
        self.free_prefixes();
        done
    }

    /// Whether [`Self::add`] would prepare these prompts; what is asked stays as it is.
    pub(super) fn try_out(&mut self, model: &mut M, added: &[Added]) -> Result<(), Unaskable> {
        let done = self.prepared(model, added).map(drop);
        self.free_prefixes();
        done
    }

    /// Forgets a prompt about a camera.
    pub(super) fn remove(&mut self, camera: &CameraName, prompt: &PromptName) {
        self.known.remove(&(camera.clone(), prompt.clone()));
        self.free_prefixes();
    }

    /// Takes examples out of what others said of a prompt's answers about a camera; see [`super::Worker::teach`].
    pub(super) fn teach(
        &mut self,
        model: &mut M,
        camera: &CameraName,
        prompt: &Arc<Prompt>,
        shown: &Shown,
    ) -> Result<Lesson, PlanError> {
        let key = (camera.clone(), prompt.name.clone());
        let Some(known) = self.known.get(&key).filter(|known| known.prompt == *prompt) else {
            let problem = "it asks something else by now, or is asked no more".to_owned();
            return Err(model::Error::Request { problem }.into());
        };
        let was_taught = known.by_lesson;
        let Learnt { compared, gain } = learn(model, prompt, shown)?;
        let lesson = Lesson { camera: camera.clone(), prompt: prompt.name.clone(), gain };
        let by_lesson = compared.filter(|_| lesson.is_learnt()).map(Ready::Compare);
        let is_taught = by_lesson.is_some();
        let ready = match by_lesson {
            Some(ready) => ready,
            None if !was_taught => return Ok(lesson), // it stays as it was
            None => {
                let of_configuration = shown.examples.iter().filter(|example| example.origin == Origin::Configuration);
                let examples: Vec<_> = of_configuration.cloned().collect();
                let own = (!examples.is_empty()).then(|| Shown { examples, ..shown.clone() });
                self.prepare(model, prompt, own.as_ref(), &mut Before::default())?
            }
        };
        self.known.insert(key, Known { prompt: Arc::clone(prompt), ready, by_lesson: is_taught });
        self.free_prefixes();
        Ok(lesson)
    }

    /// Prepares a prompt that is asked once, and puts it in the place of the one of its name, which is given back: it
    /// stands aside until [`Self::stand_again`].
    pub(super) fn stand_in(
        &mut self,
        model: &mut M,
        camera: &CameraName,
        prompt: &Prompt,
    ) -> Result<Option<Known>, PlanError> {
        let ready = self.prepare(model, prompt, None, &mut Before::default()).inspect_err(|_| self.free_prefixes())?;
        let once = Known { prompt: Arc::new(prompt.clone()), ready, by_lesson: false };
        Ok(self.known.insert((camera.clone(), prompt.name.clone()), once))
    }

    /// Ends what [`Self::stand_in`] began.
    pub(super) fn stand_again(&mut self, camera: &CameraName, prompt: &PromptName, standing: Option<Known>) {
        match standing {
            Some(standing) => _ = self.known.insert((camera.clone(), prompt.clone()), standing),
            None => _ = self.known.remove(&(camera.clone(), prompt.clone())),
        }
        self.free_prefixes();
    }

    /// Finds out what is answered with the gates shut about windows of forms that were not asked about before.
    pub(super) fn learn_blind(&mut self, model: &mut M, windows: &[&Window]) -> Result<(), model::Error> {
        for window in windows {
            for prompt in &window.prompts {
                let lacks = |ready: &Ready| ready.questions().iter().any(|question| question.lacks_blind(window.spec));
                if !self.ready(&window.camera, prompt).is_some_and(lacks) {
                    continue;
                }
                let key = (window.camera.clone(), prompt.clone());
                // it is put back below, whatever comes
                let Some(mut known) = self.known.remove(&key) else { continue };
                let mut questions = known.ready.questions_mut().iter_mut();
                let learnt = questions.try_for_each(|question| self.learn_blind_of(model, question, window.spec));
                self.known.insert(key, known);
                learnt?;
            }
        }
        Ok(())
    }

    fn learn_blind_of(&self, model: &mut M, question: &mut Question, window: Spec) -> Result<(), model::Error> {
        if !question.lacks_blind(window) {
            return Ok(());
        }
        // another camera's is the same
        for other in self.known.values().flat_map(|known| known.ready.questions()) {
            question.learn_blind(window, other);
            if !question.lacks_blind(window) {
                return Ok(());
            }
        }
        match self.prefixes.get(&question.plan.prefix) {
            Some(prefix) => question.find_blind(model, prefix, window),
            None => Ok(()),
        }
    }

    /// Frees the texts before the picture that no prompt has: where the question stands there, each question has its own.
    fn free_prefixes(&mut self) {
        let questions = self.known.values().flat_map(|known| known.ready.questions());
        let used: HashSet<&[TokenId]> = questions.map(|question| question.plan.prefix.as_slice()).collect();
        self.prefixes.retain(|text, _| used.contains(text.as_slice()));
    }

    /// All of these, or none.
    fn prepared(&mut self, model: &mut M, added: &[Added]) -> Result<HashMap<Key, Known>, Unaskable> {
        let mut before = Before::default();
        let mut all = HashMap::with_capacity(added.len());
        for Added { camera, prompt, shown, .. } in added {
            let named =
                |source| Unaskable { camera: camera.clone(), prompt: prompt.name.clone(), source: Box::new(source) };
            let ready = self.prepare(model, prompt, shown.as_ref(), &mut before).map_err(named)?;
            let known = Known { prompt: Arc::clone(prompt), ready, by_lesson: false };
            all.insert((camera.clone(), prompt.name.clone()), known);
        }
        Ok(all)
    }

    /// A prompt, told or shown.
    fn prepare<'a>(
        &mut self,
        model: &mut M,
        prompt: &'a Prompt,
        shown: Option<&Shown>,
        before: &mut Before<'a>,
    ) -> Result<Ready, PlanError> {
        match shown {
            Some(shown) => before.compared(model, prompt, shown),
            None => self.plan(model, prompt, &mut before.questions),
        }
    }

    /// A prompt in words.
    fn plan(
        &mut self,
        model: &mut M,
        prompt: &Prompt,
        before: &mut HashMap<(String, AnswerKind), Question>,
    ) -> Result<Ready, PlanError> {
        let plans = match Plan::all(prompt, model.language()) {
            Err(PlanError::UnknownWords(words)) => return Ok(Ready::Unknown(words)),
            plans => plans?,
        };
        // Plans of the prompt's own kind are its wordings; others are its properties'.
        let whole = plans.first().is_some_and(|plan| plan.prompt.kind == prompt.kind);
        let mut questions = Vec::with_capacity(plans.len());
        for plan in plans {
            let asked = (plan.prompt.ask.clone(), plan.prompt.kind.clone());
            let question = match before.get(&asked) {
                Some(question) => question.clone(),
                None => {
                    let question = self.question(model, plan)?;
                    before.insert(asked, question.clone());
                    question
                }
            };
            questions.push(question);
        }
        Ok(match (whole, questions.len()) {
            (true, 1) => Ready::Ask(Box::new(questions.remove(0))),
            (true, _) => Ready::AskAlike { questions, wordings: prompt.wordings() },
            (false, _) => Ready::AskEach(questions),
        })
    }

    /// A question, with what does not depend on any picture: the text before it, and the answer with the gates shut, if that
    /// does not hang on the form of the window.
    fn question(&mut self, model: &mut M, plan: Plan) -> Result<Question, model::Error> {
        if !self.prefixes.contains_key(&plan.prefix) {
            let prefix = model.prefix(&plan.prefix)?;
            self.prefixes.insert(plan.prefix.clone(), prefix);
        }
        let mut question = Question::new(plan);
        if question.plan.close.is_none() {
            let any = Spec { frames: 1, span: Duration::ZERO };
            question.find_blind(model, &self.prefixes[&question.plan.prefix], any)?;
        }
        Ok(question)
    }
}

/// What was prepared a moment ago: a prompt of several cameras is prepared once.
#[derive(Default)]
struct Before<'a> {
    /// By what is asked and what may be answered.
    questions: HashMap<(String, AnswerKind), Question>,
    compared: HashMap<&'a PromptName, Agreeing>,
}

impl<'a> Before<'a> {
    /// A prompt with examples.
    fn compared<M: Model>(&mut self, model: &mut M, prompt: &'a Prompt, shown: &Shown) -> Result<Ready, PlanError> {
        let agreeing = match self.compared.get(&prompt.name) {
            Some(agreeing) => agreeing.clone(),
            None => {
                let agreeing = Compared::new(model, prompt, shown)?;
                self.compared.insert(&prompt.name, agreeing.clone());
                agreeing
            }
        };
        Ok(agreeing.map_or_else(Ready::Contradicting, Ready::Compare))
    }
}
