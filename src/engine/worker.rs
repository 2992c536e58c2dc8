//! Does each thing once: encodes a frame once, resamples a window once, decodes its prompts as one batch; what comes with
//! examples is compared with them instead.
//!
//! The only place that knows the order of the three graphs.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{
    Added, Replied, Seen, Spent, Waiting,
    asking::{Ask, Question, ask_all, combine},
    compare::{Compared, Doubt, Looks, Prepared},
    frames::{Frames, Layout, lay_out},
    lesson::{Learnt, Lesson, learn},
    mend::Mending,
    ready::Ready,
    unchanged::Unchanged,
};
use crate::{
    frame::Stamp,
    model::{self, Language, Model, TokenId},
    name::{CameraName, PromptName},
    prompt::{Origin, Pictures, Plan, PlanError, Prompt, Reply, Shown},
    window::{Spec, Window},
};

/// A question that is asked once has at most so many tokens, the template's among them: its pass must not be long.
const MOST_TOKENS_ASKED: usize = 256;

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
struct Known {
    prompt: Arc<Prompt>,
    ready: Ready,
}

/// Every prompt of every camera.
type Prompts = HashMap<(CameraName, PromptName), Known>;

/// Owns the model and everything that is kept between windows.
pub struct Worker<M: Model> {
    pub(super) model: M,
    prompts: Prompts,
    prefixes: HashMap<Vec<TokenId>, M::Prefix>,
    frames: Frames,
    looks: Looks,
    doubts: Vec<Doubt>,
    /// Where what holds on is said again.
    unchanged: Option<Unchanged>,
    /// The prompts that are answered by examples out of what others said.
    taught: HashSet<(CameraName, PromptName)>,
    pub(super) mending: Mending,
}

/// What is to be answered of some windows: each reply, or why there is none; `None` until it is known.
type Replies = [Option<Result<Reply, String>>];

impl<M: Model> Worker<M> {
    /// Prepares every prompt: tokens, text before the picture, and the answer with the gates shut, each computed once.
    ///
    /// A question in words that the model never learned is no error: it gets [`Reply::UnknownWords`] each time.
    pub fn new(model: M, asked: &[(CameraName, Arc<Prompt>)]) -> Result<Self, Unaskable> {
        Self::showing(model, asked, &HashMap::new())
    }

    /// As [`Self::new`], where some prompts come with examples: these are looked at once, and their prompts' windows are
    /// compared with them and never put into words.
    ///
    /// Examples that contradict each other are no error: see [`Self::doubts`].
    pub fn showing(
        model: M,
        asked: &[(CameraName, Arc<Prompt>)],
        shown: &HashMap<PromptName, Shown>,
    ) -> Result<Self, Unaskable> {
        let mut worker = Self {
            model,
            prompts: HashMap::new(),
            prefixes: HashMap::new(),
            frames: Frames::default(),
            looks: Looks::default(),
            doubts: Vec::new(),
            unchanged: None,
            taught: HashSet::new(),
            mending: Mending::default(),
        };
        let mut asked_before: HashMap<Prompt, Question> = HashMap::new();
        let mut compared: HashMap<&PromptName, Prepared> = HashMap::new();
        for (camera, prompt) in asked {
            let named =
                |source| Unaskable { camera: camera.clone(), prompt: prompt.name.clone(), source: Box::new(source) };
            let ready = match shown.get(&prompt.name) {
                Some(shown) => worker.show(prompt, shown, &mut compared),
                None => worker.plan(prompt, &mut asked_before),
            };
            let known = Known { prompt: Arc::clone(prompt), ready: ready.map_err(named)? };
            worker.prompts.insert((camera.clone(), prompt.name.clone()), known);
        }
        Ok(worker)
    }

    /// A prompt in words, prepared once whatever the number of cameras.
    fn plan(&mut self, prompt: &Prompt, before: &mut HashMap<Prompt, Question>) -> Result<Ready, PlanError> {
        let plans = match Plan::all(prompt, self.model.language()) {
            Err(PlanError::UnknownWords(words)) => return Ok(Ready::Unknown(words)),
            plans => plans?,
        };
        // Plans of the prompt's own kind are its wordings; others are its properties'.
        let whole = plans.first().is_some_and(|plan| plan.prompt.kind == prompt.kind);
        let mut questions = Vec::with_capacity(plans.len());
        for plan in plans {
            let question = match before.get(&plan.prompt) {
                Some(question) => question.clone(),
                None => {
                    let question = self.prepare(plan)?;
                    before.insert(question.plan.prompt.clone(), question.clone());
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

    /// A prompt with examples, looked at once whatever the number of cameras.
    fn show<'a>(
        &mut self,
        prompt: &'a Prompt,
        shown: &Shown,
        compared: &mut HashMap<&'a PromptName, Prepared>,
    ) -> Result<Ready, PlanError> {
        let prepared = match compared.get(&prompt.name) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = Prepared::new(&mut self.model, prompt, shown)?;
                if let Prepared::Doubtful { percent, needed } = prepared {
                    self.doubts.push(Doubt { prompt: prompt.name.clone(), percent, needed });
                }
                compared.insert(&prompt.name, prepared.clone());
                prepared
            }
        };
        Ok(match prepared {
            Prepared::Good(compared) => Ready::Compare(compared),
            Prepared::Doubtful { percent, needed } => Ready::Doubtful { percent, needed },
        })
    }

    /// Prepares more prompts, and forgets those of their names about their cameras; where one cannot be asked, nothing is
    /// different from before.
    pub fn add(&mut self, added: &[Added]) -> Result<(), Unaskable> {
        let done = self.ready_for(added).map(|ready| {
            for (key, known) in ready {
                self.taught.remove(&key);
                self.ask_again(&key.0, &key.1);
                self.prompts.insert(key, known);
            }
        });
        if done.is_ok() {
            // at once, or it would be asked in words until somebody taught it; whoever does so hears what comes of it
            for Added { camera, prompt, taught, .. } in added {
                if let Some(taught) = taught {
                    self.teach(camera, prompt, taught).ok();
                }
            }
        }
        self.free_prefixes();
        done
    }

    /// Whether [`Self::add`] would prepare these prompts; what is asked stays as it is.
    pub fn try_out(&mut self, added: &[Added]) -> Result<(), Unaskable> {
        let done = self.ready_for(added).map(drop);
        self.free_prefixes();
        done
    }

    fn ready_for(&mut self, added: &[Added]) -> Result<Prompts, Unaskable> {
        let (mut asked_before, mut compared) = (HashMap::new(), HashMap::new());
        let mut all = Prompts::with_capacity(added.len());
        for Added { camera, prompt, shown, .. } in added {
            let ready = match shown {
                Some(shown) => self.show(prompt, shown, &mut compared),
                None => self.plan(prompt, &mut asked_before),
            };
            let named =
                |source| Unaskable { camera: camera.clone(), prompt: prompt.name.clone(), source: Box::new(source) };
            let known = Known { prompt: Arc::clone(prompt), ready: ready.map_err(named)? };
            all.insert((camera.clone(), prompt.name.clone()), known);
        }
        Ok(all)
    }

    /// Forgets a prompt about a camera, and what is kept of its answers.
    pub fn remove(&mut self, camera: &CameraName, prompt: &PromptName) {
        let key = (camera.clone(), prompt.clone());
        self.taught.remove(&key);
        self.prompts.remove(&key);
        self.ask_again(camera, prompt);
        self.free_prefixes();
    }

    /// Frees the texts before the picture that no prompt has: where the question stands there, each question has its own.
    fn free_prefixes(&mut self) {
        let questions = self.prompts.values().flat_map(|known| known.ready.questions());
        let used: HashSet<&[TokenId]> = questions.map(|question| question.plan.prefix.as_slice()).collect();
        self.prefixes.retain(|text, _| used.contains(text.as_slice()));
    }

    /// Takes examples out of what others said of a prompt's answers about a camera, beside those of the configuration, and
    /// answers by them from now on if they help; else it goes on as if there were none.
    pub fn teach(&mut self, camera: &CameraName, prompt: &Arc<Prompt>, shown: &Shown) -> Result<Lesson, PlanError> {
        if self.known(camera, &prompt.name).is_none_or(|known| known.prompt != *prompt) {
            let problem = "it asks something else by now, or is asked no more".to_owned();
            return Err(model::Error::Request { problem }.into());
        }
        let Learnt { compared, gain } = learn(&mut self.model, prompt, shown)?;
        let lesson = Lesson { camera: camera.clone(), prompt: prompt.name.clone(), gain };
        let key = (camera.clone(), prompt.name.clone());
        let was_taught = self.taught.remove(&key);
        let ready = match compared.filter(|_| lesson.is_learnt()) {
            Some(compared) => {
                self.taught.insert(key.clone());
                Ready::Compare(compared)
            }
            None if !was_taught && self.prompts.contains_key(&key) => return Ok(lesson), // it stays as it was
            None => {
                let own = shown
                    .examples
                    .iter()
                    .filter(|example| example.origin == Origin::Configuration)
                    .cloned()
                    .collect::<Vec<_>>();
                if own.is_empty() {
                    self.plan(prompt, &mut HashMap::new())?
                } else {
                    self.show(prompt, &Shown { examples: own, ..shown.clone() }, &mut HashMap::new())?
                }
            }
        };
        self.ask_again(camera, &prompt.name);
        self.prompts.insert(key, Known { prompt: Arc::clone(prompt), ready });
        self.free_prefixes();
        Ok(lesson)
    }

    /// Forgets what is kept of a camera's frames.
    pub fn forget(&mut self, camera: &CameraName) {
        self.frames.forget(camera);
        self.looks.forget(camera);
        if let Some(unchanged) = &mut self.unchanged {
            unchanged.forget(camera);
        }
    }

    /// If so, asks the model no more about windows that look like one that it was asked about, nothing of which moves: what
    /// it answered then is said again.
    #[must_use]
    pub fn skipping_unchanged(self, skips: bool) -> Self {
        Self { unchanged: skips.then(Unchanged::default), ..self }
    }

    /// Answers all prompts of these windows, as standing prompts are: by the model ([`Self::answer`]), or as before where
    /// that is to be and holds on. Says also about how many windows the model was asked.
    pub fn answer_standing(&mut self, mut waiting: Vec<Waiting>) -> (Vec<Replied>, usize) {
        let mut replied = self.unchanged.as_mut().map(|known| known.settle(&mut waiting)).unwrap_or_default();
        let asked = self.answer(&waiting);
        if let Some(known) = &mut self.unchanged {
            known.learn(&waiting, &asked);
        }
        replied.extend(asked);
        (replied, waiting.len())
    }

    /// Forgets what was answered of a prompt about still scenes: the model is asked the next time, whatever a window shows.
    pub fn ask_again(&mut self, camera: &CameraName, prompt: &PromptName) {
        if let Some(unchanged) = &mut self.unchanged {
            unchanged.forget_prompt(camera, prompt);
        }
    }

    /// The prompts whose examples contradict each other; they get [`Reply::ContradictingExamples`] each time.
    pub fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    /// Counts of work so far.
    pub fn work(&self) -> model::Work {
        self.model.work()
    }

    /// Where the model counts the runs of its graphs.
    pub fn runs(&self) -> Arc<AtomicU64> {
        self.model.runs()
    }

    /// Answers all prompts of these windows, as the model is now.
    pub(super) fn answer_once(&mut self, waiting: &[Waiting]) -> Vec<Replied> {
        let begun = Stamp::now();
        let mut spent = Spent::default();
        let replies = self.replies(waiting, &mut spent);
        let done = Stamp::now();
        let newest = self.model.examples().map_or(1, |form| form.frames);
        let mut all = Vec::new();
        for ((Waiting { window, since }, prompt), reply) in pairs(waiting).zip(replies) {
            // a place that newer pictures took over and over waits longer than any of them
            let offered = window.newest().map_or(*since, |newest| newest.taken.max(*since));
            let waited = begun.since(offered);
            all.push(Replied {
                camera: window.camera.clone(),
                prompt: prompt.clone(),
                asked: self.known(&window.camera, prompt).map(|known| Arc::clone(&known.prompt)),
                reply: reply.unwrap_or_else(|| Err("the engine lost a reply".to_owned())),
                seen: Seen::of(window),
                newest: window.newest_of(newest),
                spent: Spent { waited, ..spent },
                done,
                unchanged_since: None,
                by_lesson: self.taught.contains(&(window.camera.clone(), prompt.clone())),
            });
        }
        all
    }

    /// Answers a question that is asked once about a window, whatever prompts it names; nothing of it is kept but what
    /// standing prompts need too: features of frames, and a text before the picture that they have too.
    pub fn ask_once(&mut self, window: Window, prompt: &Prompt, since: Stamp) -> Result<Replied, PlanError> {
        let replied = self.ask_now(window, prompt, since);
        self.free_prefixes();
        replied
    }

    fn ask_now(&mut self, mut window: Window, prompt: &Prompt, since: Stamp) -> Result<Replied, PlanError> {
        let text = self.model.language().question(&prompt.ask);
        let close = text.close.as_ref().map_or(0, Vec::len);
        let (tokens, most) = (text.prefix.len() + close + text.suffix.len(), MOST_TOKENS_ASKED);
        if tokens > most {
            return Err(PlanError::TooLong { tokens, most });
        }
        let ready = self.plan(prompt, &mut HashMap::new())?;
        window.prompts = vec![prompt.name.clone()];
        let key = (window.camera.clone(), prompt.name.clone());
        let once = Known { prompt: Arc::new(prompt.clone()), ready };
        let standing = self.prompts.insert(key.clone(), once);
        let replied = self.answer(&[Waiting { window, since }]).pop();
        match standing {
            Some(standing) => self.prompts.insert(key, standing),
            None => self.prompts.remove(&key),
        };
        replied.ok_or_else(|| model::Error::Request { problem: "a question without a window".to_owned() }.into())
    }

    /// One reply for each pair of window and prompt, in order.
    fn replies(&mut self, waiting: &[Waiting], spent: &mut Spent) -> Vec<Option<Result<Reply, String>>> {
        let mut replies: Vec<_> = pairs(waiting).map(|(w, p)| self.unasked(&w.window.camera, p).map(Ok)).collect();
        let asked = self.ask(waiting, spent, &mut replies);
        self.fail(&mut replies, &self.places(waiting, |ready| !ready.questions().is_empty()), asked);
        let compared = self.compare(waiting, spent, &mut replies);
        self.fail(&mut replies, &self.places(waiting, |ready| matches!(ready, Ready::Compare(_))), compared);
        replies
    }

    /// Makes a fault of the model the failure of the prompts that it concerns, and of no others.
    fn fail(&mut self, replies: &mut Replies, places: &[usize], done: Result<(), model::Error>) {
        let Err(error) = done else { return };
        for &place in places {
            replies[place] = Some(Err(error.to_string()));
        }
        self.mending.fault = Some((error.fault(), error.to_string()));
    }

    fn known(&self, camera: &CameraName, prompt: &PromptName) -> Option<&Known> {
        self.prompts.get(&(camera.clone(), prompt.clone()))
    }

    /// What was prepared for a prompt of a camera.
    fn ready(&self, camera: &CameraName, prompt: &PromptName) -> Option<&Ready> {
        self.known(camera, prompt).map(|known| &known.ready)
    }

    /// The replies that belong to prompts of a kind.
    fn places(&self, waiting: &[Waiting], wanted: impl Fn(&Ready) -> bool) -> Vec<usize> {
        let all = pairs(waiting).enumerate();
        all.filter(|(_, (w, p))| self.ready(&w.window.camera, p).is_some_and(&wanted)).map(|(place, _)| place).collect()
    }

    /// The prompts that are put into words: the three graphs in their order, for windows that anybody asks about.
    fn ask(&mut self, waiting: &[Waiting], spent: &mut Spent, replies: &mut Replies) -> Result<(), model::Error> {
        let asked_about = |w: &&Waiting| {
            let ready = |prompt| self.ready(&w.window.camera, prompt);
            w.window.prompts.iter().any(|prompt| ready(prompt).is_some_and(|ready| !ready.questions().is_empty()))
        };
        let windows: Vec<&Window> = waiting.iter().filter(asked_about).map(|w| &w.window).collect();
        if windows.is_empty() {
            return Ok(());
        }
        timed(&mut spent.encoding, || self.frames.encode(&mut self.model, &windows))?;
        timed(&mut spent.resampling, || self.frames.resample(&mut self.model, &windows))?;
        timed(&mut spent.decoding, || self.learn_blind(&windows))?;
        let (asks, askers) = asks(&self.prompts, waiting);
        let written = asks.iter().any(|ask| ask.question.plan.close.is_some());
        let mut answered: Vec<Option<Reply>> = vec![None; asks.len()];
        for layout in lay_out(&windows, self.model.media(), written) {
            let bank = || self.frames.bank(&mut self.model, &windows, &layout, written);
            let (media, pictures) = timed(&mut spent.resampling, bank)?;
            let decode = || decode(&mut self.model, &self.prefixes, &layout, (&media, &pictures), &asks, &mut answered);
            timed(&mut spent.decoding, decode)?;
        }
        let mut answered = answered.into_iter();
        for (place, ready, window) in askers {
            let own: Option<Vec<Reply>> = answered.by_ref().take(ready.questions().len()).collect();
            replies[place] = match (ready, own) {
                (Ready::AskEach(_), Some(each)) => Some(Ok(Reply::Properties(each))),
                (Ready::AskAlike { questions, wordings }, Some(each)) => {
                    combine(questions, wordings, &each, window).map(Ok)
                }
                (_, own) => own.and_then(|mut own| own.pop()).map(Ok),
            };
        }
        Ok(())
    }

    /// The prompts that come with examples: their windows' newest frames are looked at, then all are compared together.
    fn compare(&mut self, waiting: &[Waiting], spent: &mut Spent, replies: &mut Replies) -> Result<(), model::Error> {
        let (mut asks, mut places) = (Vec::new(), Vec::new());
        for (place, (w, prompt)) in pairs(waiting).enumerate() {
            if let Some(Ready::Compare(compared)) = self.ready(&w.window.camera, prompt) {
                asks.push((&w.window, Arc::clone(compared)));
                places.push(place);
            }
        }
        if asks.is_empty() {
            return Ok(());
        }
        let windows: Vec<&Window> = asks.iter().map(|(window, _)| *window).collect();
        timed(&mut spent.encoding, || self.looks.look(&mut self.model, &windows))?;
        let asks: Vec<(&Window, &Compared)> = asks.iter().map(|(window, compared)| (*window, &**compared)).collect();
        let compared = timed(&mut spent.decoding, || self.looks.compare(&mut self.model, &asks))?;
        for (place, reply) in places.into_iter().zip(compared) {
            replies[place] = Some(Ok(reply));
        }
        Ok(())
    }

    /// Finds out what is answered with the gates shut about windows of forms that were not asked about before.
    fn learn_blind(&mut self, windows: &[&Window]) -> Result<(), model::Error> {
        for window in windows {
            for prompt in &window.prompts {
                let lacks = |ready: &Ready| ready.questions().iter().any(|question| question.lacks_blind(window.spec));
                if !self.ready(&window.camera, prompt).is_some_and(lacks) {
                    continue;
                }
                let key = (window.camera.clone(), prompt.clone());
                // it is put back below, whatever comes
                let Some(mut known) = self.prompts.remove(&key) else { continue };
                let mut questions = known.ready.questions_mut().iter_mut();
                let learnt = questions.try_for_each(|question| self.learn_blind_of(question, window.spec));
                self.prompts.insert(key, known);
                learnt?;
            }
        }
        Ok(())
    }

    fn learn_blind_of(&mut self, question: &mut Question, window: Spec) -> Result<(), model::Error> {
        if !question.lacks_blind(window) {
            return Ok(());
        }
        // another camera's is the same
        for other in self.prompts.values().flat_map(|known| known.ready.questions()) {
            question.learn_blind(window, other);
            if !question.lacks_blind(window) {
                return Ok(());
            }
        }
        match self.prefixes.get(&question.plan.prefix) {
            Some(prefix) => question.find_blind(&mut self.model, prefix, window),
            None => Ok(()),
        }
    }

    /// A question, with what does not depend on any picture: the text before it, and the answer with the gates shut, if that
    /// does not hang on the form of the window.
    fn prepare(&mut self, plan: Plan) -> Result<Question, model::Error> {
        if !self.prefixes.contains_key(&plan.prefix) {
            let prefix = self.model.prefix(&plan.prefix)?;
            self.prefixes.insert(plan.prefix.clone(), prefix);
        }
        let mut question = Question::new(plan);
        if question.plan.close.is_none() {
            let any = Spec { frames: 1, span: Duration::ZERO };
            question.find_blind(&mut self.model, &self.prefixes[&question.plan.prefix], any)?;
        }
        Ok(question)
    }

    /// The reply to a prompt that the model is not asked; `None` for one that it is.
    fn unasked(&self, camera: &CameraName, prompt: &PromptName) -> Option<Reply> {
        match self.ready(camera, prompt) {
            Some(Ready::Ask(_) | Ready::AskAlike { .. } | Ready::AskEach(_) | Ready::Compare(_)) => None,
            Some(Ready::Unknown(words)) => Some(Reply::UnknownWords(words.clone())),
            Some(Ready::Doubtful { percent, needed }) => {
                Some(Reply::ContradictingExamples { percent: *percent, needed: *needed })
            }
            None => Some(Reply::UnknownWords(Vec::new())),
        }
    }
}

/// All questions in words about these windows, and for each prompt that asks some, where its reply belongs.
fn asks<'a>(prompts: &'a Prompts, waiting: &[Waiting]) -> (Vec<Ask<'a>>, Vec<(usize, &'a Ready, Spec)>) {
    let (mut asks, mut askers) = (Vec::new(), Vec::new());
    let (mut place, mut asked_about) = (0, 0);
    for Waiting { window, .. } in waiting {
        let before = asks.len();
        for prompt in &window.prompts {
            if let Some(Known { ready, .. }) = prompts.get(&(window.camera.clone(), prompt.clone())) {
                for question in ready.questions() {
                    asks.push(Ask { place: asks.len(), window: asked_about, spec: window.spec, question });
                }
                if !ready.questions().is_empty() {
                    askers.push((place, ready, window.spec));
                }
            }
            place += 1;
        }
        // only windows that anybody asks about go through the graphs
        asked_about += usize::from(asks.len() > before);
    }
    (asks, askers)
}

/// All questions about the windows of one call, for each text before the picture.
fn decode<M: Model>(
    model: &mut M,
    prefixes: &HashMap<Vec<TokenId>, M::Prefix>,
    layout: &Layout,
    (media, pictures): (&M::VisualTokens, &[Pictures]),
    asks: &[Ask<'_>],
    answered: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    for (text, prefix) in prefixes {
        let of_text = asks.iter().filter(|ask| ask.question.plan.prefix == *text);
        let here = of_text.filter_map(|ask| {
            let place = layout.windows.iter().position(|window| *window == ask.window)?;
            Some((ask, &pictures[place]))
        });
        let here: Vec<_> = here.collect();
        if !here.is_empty() {
            ask_all(model, prefix, media, &here, answered)?;
        }
    }
    Ok(())
}

fn pairs(waiting: &[Waiting]) -> impl Iterator<Item = (&Waiting, &PromptName)> {
    waiting.iter().flat_map(|w| w.window.prompts.iter().map(move |p| (w, p)))
}

fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begun = Stamp::now();
    let result = work();
    *spent += Stamp::now().since(begun);
    result
}
