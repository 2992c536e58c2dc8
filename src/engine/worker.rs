//! Does each thing once: encodes a frame once, resamples a window once, decodes its prompts as one batch; what comes with
//! examples is compared with them instead.
//!
//! The only place that knows the order of the three graphs.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{
    Added, Replied, Seen, Spent, Waiting,
    asking::{Ask, Question, ask_all, combine},
    compare::{Compared, Looks},
    frames::{Frames, Layout, lay_out},
    lesson::Lesson,
    mend::Mending,
    prompts::{Prompts, Unaskable},
    ready::Ready,
    unchanged::Unchanged,
};
use crate::{
    frame::Stamp,
    model::{self, Language, Model},
    name::{CameraName, PromptName},
    prompt::{Contradiction, Pictures, Plan, PlanError, Prompt, Reply, Shown},
    window::{Spec, Window},
};

/// A question that is asked once has at most so many tokens, the template's among them: its pass must not be long.
const MOST_TOKENS_ASKED: usize = 256;

/// The tokens of all rows that it takes to score its answers: a schema of others may list many.
const MOST_TOKENS_OF_ROWS: usize = 8192;

/// Owns the model and everything that is kept between windows.
pub struct Worker<M: Model> {
    pub(super) model: M,
    prompts: Prompts<M>,
    frames: Frames,
    looks: Looks,
    /// Where what holds on is said again.
    unchanged: Option<Unchanged>,
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
            prompts: Prompts::default(),
            frames: Frames::default(),
            looks: Looks::default(),
            unchanged: None,
            mending: Mending::default(),
        };
        let added = |(camera, prompt): &(CameraName, Arc<Prompt>)| Added {
            camera: camera.clone(),
            prompt: Arc::clone(prompt),
            shown: shown.get(&prompt.name).cloned(),
            taught: None,
        };
        worker.add(&asked.iter().map(added).collect::<Vec<_>>())?;
        Ok(worker)
    }

    /// Prepares more prompts, and forgets those of their names about their cameras; where one cannot be asked, nothing is
    /// different from before.
    pub fn add(&mut self, added: &[Added]) -> Result<(), Unaskable> {
        self.prompts.add(&mut self.model, added)?;
        for Added { camera, prompt, taught, .. } in added {
            self.ask_again(camera, &prompt.name);
            // at once, or it would be asked in words until somebody taught it; whoever does so hears what comes of it
            if let Some(taught) = taught {
                self.teach(camera, prompt, taught).ok();
            }
        }
        Ok(())
    }

    /// Whether [`Self::add`] would prepare these prompts; what is asked stays as it is.
    pub fn try_out(&mut self, added: &[Added]) -> Result<(), Unaskable> {
        self.prompts.try_out(&mut self.model, added)
    }

    /// Forgets a prompt about a camera, and what is kept of its answers.
    pub fn remove(&mut self, camera: &CameraName, prompt: &PromptName) {
        self.prompts.remove(camera, prompt);
        self.ask_again(camera, prompt);
    }

    /// Takes examples out of what others said of a prompt's answers about a camera, beside those of the configuration, and
    /// answers by them from now on if they help; else it goes on as if there were none.
    pub fn teach(&mut self, camera: &CameraName, prompt: &Arc<Prompt>, shown: &Shown) -> Result<Lesson, PlanError> {
        let lesson = self.prompts.teach(&mut self.model, camera, prompt, shown)?;
        self.ask_again(camera, &prompt.name);
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

    /// Whether answers about still scenes are said again.
    pub(super) const fn repeats(&self) -> bool {
        self.unchanged.is_some()
    }

    /// Answers all prompts of these windows, as standing prompts are: by the model ([`Self::answer`]), or as before where
    /// that is to be, `may_repeat` and holds on. Says also about how many windows the model was asked.
    pub fn answer_standing(&mut self, mut waiting: Vec<Waiting>, may_repeat: bool) -> (Vec<Replied>, usize) {
        let known = self.unchanged.as_mut().filter(|_| may_repeat);
        let mut replied = known.map(|known| known.settle(&mut waiting)).unwrap_or_default();
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
    pub fn contradictions(&self) -> BTreeMap<PromptName, Contradiction> {
        self.prompts.contradictions()
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
            let known = self.prompts.get(&window.camera, prompt);
            all.push(Replied {
                camera: window.camera.clone(),
                prompt: prompt.clone(),
                asked: known.map(|known| Arc::clone(&known.prompt)),
                reply: reply.unwrap_or_else(|| Err("the engine lost a reply".to_owned())),
                seen: Seen::of(window),
                newest: window.newest_of(newest),
                spent: Spent { waited, ..spent },
                done,
                unchanged_since: None,
                by_lesson: known.is_some_and(|known| known.by_lesson),
            });
        }
        all
    }

    /// Answers a question that is asked once about a window, whatever prompts it names; nothing of it is kept but what
    /// standing prompts need too: features of frames, and a text before the picture that they have too.
    pub fn ask_once(&mut self, mut window: Window, prompt: &Prompt, since: Stamp) -> Result<Replied, PlanError> {
        let text = self.model.language().question(&prompt.ask);
        let close = text.close.as_ref().map_or(0, Vec::len);
        let (tokens, most) = (text.prefix.len() + close + text.suffix.len(), MOST_TOKENS_ASKED);
        if tokens > most {
            return Err(PlanError::TooLong { tokens, most });
        }
        // what is wrong with it otherwise is told when it stands in
        let plans = Plan::all(prompt, self.model.language()).unwrap_or_default();
        let rows = plans.iter().flat_map(|plan| plan.rows(&Pictures::default()));
        let (tokens, most) = (rows.map(|row| row.ids.len()).sum(), MOST_TOKENS_OF_ROWS);
        if tokens > most {
            return Err(PlanError::TooLong { tokens, most });
        }
        let camera = window.camera.clone();
        window.prompts = vec![prompt.name.clone()];
        let standing = self.prompts.stand_in(&mut self.model, &camera, prompt)?;
        let replied = self.answer(&[Waiting { window, since }]).pop();
        self.prompts.stand_again(&camera, &prompt.name, standing);
        replied.ok_or_else(|| model::Error::Request { problem: "a question without a window".to_owned() }.into())
    }

    /// One reply for each pair of window and prompt, in order.
    fn replies(&mut self, waiting: &[Waiting], spent: &mut Spent) -> Vec<Option<Result<Reply, String>>> {
        let settled = |(w, prompt): (&Waiting, &PromptName)| match self.prompts.ready(&w.window.camera, prompt) {
            Some(ready) => ready.settled(),
            None => Some(Reply::UnknownWords(Vec::new())),
        };
        let mut replies: Vec<_> = pairs(waiting).map(|pair| settled(pair).map(Ok)).collect();
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
        self.mending.failed(&error);
    }

    /// The replies that belong to prompts of a kind.
    fn places(&self, waiting: &[Waiting], wanted: impl Fn(&Ready) -> bool) -> Vec<usize> {
        let all = pairs(waiting).enumerate();
        all.filter(|(_, (w, p))| self.prompts.ready(&w.window.camera, p).is_some_and(&wanted))
            .map(|(place, _)| place)
            .collect()
    }

    /// The prompts that are put into words: the three graphs in their order, for windows that anybody asks about.
    fn ask(&mut self, waiting: &[Waiting], spent: &mut Spent, replies: &mut Replies) -> Result<(), model::Error> {
        let asked_about = |w: &&Waiting| {
            let ready = |prompt| self.prompts.ready(&w.window.camera, prompt);
            w.window.prompts.iter().any(|prompt| ready(prompt).is_some_and(|ready| !ready.questions().is_empty()))
        };
        let windows: Vec<&Window> = waiting.iter().filter(asked_about).map(|w| &w.window).collect();
        if windows.is_empty() {
            return Ok(());
        }
        timed(&mut spent.encoding, || self.frames.encode(&mut self.model, &windows))?;
        timed(&mut spent.resampling, || self.frames.resample(&mut self.model, &windows))?;
        timed(&mut spent.decoding, || self.prompts.learn_blind(&mut self.model, &windows))?;
        let (asks, askers) = asks(&self.prompts, waiting);
        let written = asks.iter().any(|ask| ask.question.plan.close.is_some());
        let mut answered: Vec<Option<Reply>> = vec![None; asks.len()];
        for layout in lay_out(&windows, self.model.media(), written) {
            let bank = || self.frames.bank(&mut self.model, &windows, &layout, written);
            let (media, pictures) = timed(&mut spent.resampling, bank)?;
            let decode = || decode(&mut self.model, &self.prompts, &layout, (&media, &pictures), &asks, &mut answered);
            timed(&mut spent.decoding, decode)?;
        }
        for Asker { place, ready, window, asks } in askers {
            let own: Option<Vec<Reply>> = asks.into_iter().map(|ask| answered[ask].clone()).collect();
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
            if let Some(Ready::Compare(compared)) = self.prompts.ready(&w.window.camera, prompt) {
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
}

/// A prompt that asks about a window in words.
struct Asker<'a> {
    /// Where its reply belongs.
    place: usize,
    ready: &'a Ready,
    window: Spec,
    /// Its questions, by their places among all that are asked.
    asks: Vec<usize>,
}

/// All questions in words about these windows, and the prompts that ask them. What two prompts ask alike about a window is
/// asked once.
fn asks<'a, M: Model>(prompts: &'a Prompts<M>, waiting: &[Waiting]) -> (Vec<Ask<'a>>, Vec<Asker<'a>>) {
    let (mut asks, mut askers): (Vec<Ask<'a>>, Vec<Asker<'a>>) = (Vec::new(), Vec::new());
    let (mut place, mut asked_about) = (0, 0);
    for Waiting { window, .. } in waiting {
        let before = asks.len();
        for prompt in &window.prompts {
            if let Some(ready) = prompts.ready(&window.camera, prompt) {
                let ask = |question: &'a Question| {
                    let alike = |ask: &Ask<'_>| ask.question.plan.asks_like(&question.plan);
                    if let Some(known) = asks[before..].iter().position(alike) {
                        return before + known;
                    }
                    asks.push(Ask { place: asks.len(), window: asked_about, spec: window.spec, question });
                    asks.len() - 1
                };
                let own: Vec<usize> = ready.questions().iter().map(ask).collect();
                if !own.is_empty() {
                    askers.push(Asker { place, ready, window: window.spec, asks: own });
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
    prompts: &Prompts<M>,
    layout: &Layout,
    (media, pictures): (&M::VisualTokens, &[Pictures]),
    asks: &[Ask<'_>],
    answered: &mut [Option<Reply>],
) -> Result<(), model::Error> {
    for (text, prefix) in prompts.prefixes() {
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
