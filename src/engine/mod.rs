//! Who gets the accelerator next, and doing each thing once.
//!
//! The accelerator is a thread behind a handle: windows in, replies out, joined when the handle goes.

mod asking;
mod asks;
mod batch;
mod compare;
mod frames;
mod lesson;
mod mend;
mod prompts;
mod queue;
mod ready;
#[cfg(test)]
mod tests;
mod unchanged;
mod worker;

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use asks::Asks;
pub use asks::Busy;
use batch::BatchSize;
pub use lesson::{Lesson, Unlearnt};
pub use mend::{Remedy, Trouble};
pub use prompts::Unaskable;
pub use queue::{Queue, Tally, Waiting};
pub use worker::Worker;

use crate::{
    frame::{Frame, Stamp},
    model::{Model, Work},
    name::{CameraName, PromptName},
    prompt::{Prompt, Reply, Shown},
    supervise::Pulse,
    window::Window,
};

/// What the engine says about one prompt and one window.
#[derive(Debug, Clone)]
pub struct Replied {
    /// Whose window it was.
    pub camera: CameraName,
    /// Who asked.
    pub prompt: PromptName,
    /// What was asked; `None` where the engine knows no prompt of this name.
    pub asked: Option<Arc<Prompt>>,
    /// The model's reply, or why there is none.
    pub reply: Result<Reply, String>,
    /// Which frames were asked about.
    pub seen: Seen,
    /// The newest of them, the oldest first: as many as an example has.
    pub newest: Vec<Arc<Frame>>,
    /// Where the time went.
    pub spent: Spent,
    /// When the reply was there.
    pub done: Stamp,
    /// Where the model was not asked, as the pictures still look as they did: when the newest was taken that it was asked about.
    pub unchanged_since: Option<Stamp>,
    /// Whether it was answered by what others had said of its answers.
    pub by_lesson: bool,
}

/// The frames of a window in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When the oldest frame was taken.
    pub first: Stamp,
    /// When the newest frame was taken.
    pub last: Stamp,
    /// How many frames the prompt asked for.
    pub asked: usize,
    /// How many of them the camera gave.
    pub present: usize,
}

impl Seen {
    /// Those of this window.
    pub fn of(window: &Window) -> Self {
        let origin = Stamp::after_origin(Duration::ZERO);
        Self {
            first: window.oldest().map_or(origin, |f| f.taken),
            last: window.newest().map_or(origin, |f| f.taken),
            asked: window.frames.len(),
            present: window.frames.iter().flatten().count(),
        }
    }
}

/// Where the time between a window and its reply went; the stages are those of the whole batch it was part of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the queue.
    pub waited: Duration,
    /// In the vision encoder and the appearance encoder.
    pub encoding: Duration,
    /// In the resampler.
    pub resampling: Duration,
    /// In the decoder and the comparer.
    pub decoding: Duration,
}

/// Counts of what the engine did and left undone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Work of the model.
    pub work: Work,
    /// Windows taken from the queue.
    pub windows: u64,
    /// Those among them that the model was not asked about, as they look like one that it was asked about.
    pub unchanged: u64,
    /// What became of those that were offered.
    pub tally: Tally,
    /// Replies to standing prompts, failures included.
    pub replies: u64,
    /// Questions that were asked once and replied to.
    pub asks: u64,
}

/// A question that is asked once, about a window of its own.
struct Asked {
    window: Window,
    prompt: Prompt,
    reply: oneshot::Sender<Result<Replied, String>>,
}

/// One more prompt about a camera.
#[derive(Debug, Clone)]
pub struct Added {
    /// The camera.
    pub camera: CameraName,
    /// What is asked.
    pub prompt: Arc<Prompt>,
    /// What it is shown, in place of being told.
    pub shown: Option<Shown>,
    /// The same and what others said of its answers before, where they said anything of use.
    pub taught: Option<Shown>,
}

/// A change of what prompts are.
enum Change {
    /// More prompts, or others of their names.
    Add { prompts: Vec<Added>, reply: oneshot::Sender<Result<(), String>> },
    /// A prompt about a camera is asked no more.
    Remove { camera: CameraName, prompt: PromptName },
    /// What was answered of a prompt about a still scene is not to be said again.
    AskAgain { camera: CameraName, prompt: PromptName },
    /// None, but whether there could be these.
    Try { prompts: Vec<Added>, reply: oneshot::Sender<Result<(), String>> },
    /// A camera's frames are numbered anew.
    Forget { camera: CameraName },
    /// Examples out of what others said of a prompt's answers about a camera.
    Teach { camera: CameraName, prompt: Arc<Prompt>, shown: Shown, reply: oneshot::Sender<Result<Lesson, String>> },
}

impl Change {
    fn apply<M: Model>(self, worker: &mut Worker<M>) {
        // who asked for it may have gone
        match self {
            Self::Add { prompts, reply } => {
                reply.send(worker.add(&prompts).map_err(|error| error.to_string())).ok();
            }
            Self::Remove { camera, prompt } => worker.remove(&camera, &prompt),
            Self::AskAgain { camera, prompt } => worker.ask_again(&camera, &prompt),
            Self::Try { prompts, reply } => {
                reply.send(worker.try_out(&prompts).map_err(|error| error.to_string())).ok();
            }
            Self::Forget { camera } => worker.forget(&camera),
            Self::Teach { camera, prompt, shown, reply } => {
                reply.send(worker.teach(&camera, &prompt, &shown).map_err(|error| error.to_string())).ok();
            }
        }
    }
}

/// What waits for the thread.
#[derive(Default)]
struct Inbox {
    windows: Queue,
    asks: Asks<Asked>,
    changes: Vec<Change>,
    /// Whether something was taken out and is being worked at.
    working: bool,
    stopping: bool,
    /// How many replies were heard by whoever says which of them are settled.
    heard: u64,
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.asks.is_empty() && self.changes.is_empty()
    }
}

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    filled: Condvar,
    counts: Mutex<Counts>,
    /// Runs of the model's graphs, and rounds of the thread.
    runs: Arc<AtomicU64>,
}

impl Shared {
    fn change(&self, change: Change) {
        lock(&self.inbox).changes.push(change);
        self.filled.notify_one();
    }
}

/// Says to the engine which answers are not settled, and keeps no engine running.
#[derive(Clone, Default)]
pub struct Reminder(Arc<Shared>);

impl Reminder {
    /// The model is asked the next time, however still the scene: its last answer may be another then.
    pub fn ask_again(&self, camera: &CameraName, prompt: &PromptName) {
        self.0.change(Change::AskAgain { camera: camera.clone(), prompt: prompt.clone() });
    }

    /// A reply was heard, and what there was to be said of it was said.
    pub fn heard(&self) {
        lock(&self.0.inbox).heard += 1;
        self.0.filled.notify_one();
    }

    /// How often it was said to an engine that does not run.
    #[cfg(test)]
    pub fn said(&self) -> usize {
        lock(&self.0.inbox).changes.len()
    }
}

/// Poisoning is no news here: a panic in the engine ends the process.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handle of the engine's thread.
pub struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    troubles: watch::Receiver<Vec<Trouble>>,
}

impl Engine {
    /// Starts the thread. `batch` is how many windows go through the graphs together at most; replies leave through
    /// `replies`, and a receiver that is slow holds the engine back (answers are cheap: it never is).
    pub fn start<M>(worker: Worker<M>, batch: usize, replies: mpsc::Sender<Replied>) -> std::io::Result<Self>
    where
        M: Model + Send + 'static,
        M::VisualTokens: Send,
        M::Prefix: Send,
    {
        let counts = Mutex::new(Counts { work: worker.work(), ..Counts::default() });
        let shared = Arc::new(Shared { counts, runs: worker.runs(), ..Shared::default() });
        let (here, troubles) = watch::channel(Vec::new());
        let theirs = shared.clone();
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            // `here` is dropped when this thread ends, however it ends
            work(&theirs, worker, BatchSize::new(batch), &replies, &here);
        })?;
        Ok(Self { shared, thread: Some(thread), troubles })
    }

    /// Hands windows over; never waits. Gives the older ones that they replaced: nobody will look at those, and what was
    /// asked about them is asked about the newer ones.
    pub fn offer(&self, windows: Vec<Window>) -> Vec<Window> {
        self.put(windows, |_| true)
    }

    /// As [`Self::offer`], of windows in which nothing is to be seen: of what was asked about the older ones only these prompts
    /// are asked about them.
    pub fn offer_blind(&self, windows: Vec<Window>, asked_blind: &[PromptName]) -> Vec<Window> {
        self.put(windows, |prompt| asked_blind.contains(prompt))
    }

    fn put(&self, windows: Vec<Window>, may_join: impl Fn(&PromptName) -> bool) -> Vec<Window> {
        if windows.is_empty() {
            return windows;
        }
        let now = Stamp::now();
        let mut inbox = lock(&self.shared.inbox);
        let replaced = windows.into_iter().filter_map(|window| inbox.windows.offer(window, now, &may_join)).collect();
        drop(inbox);
        self.shared.filled.notify_one();
        replaced
    }

    /// Asks a question once, about this window, whatever prompts it names. It waits behind the windows of standing prompts,
    /// but no longer than until `until`; then, and when the engine ends, the receiver is told that nobody sends any more.
    /// What comes is the reply, or why the model cannot be asked this.
    pub fn ask(
        &self,
        window: Window,
        prompt: Prompt,
        until: Stamp,
    ) -> Result<oneshot::Receiver<Result<Replied, String>>, Busy> {
        let (reply, replied) = oneshot::channel();
        let camera = window.camera.clone();
        let mut inbox = lock(&self.shared.inbox);
        inbox.asks.offer(camera, Asked { window, prompt, reply }, Stamp::now(), until)?;
        drop(inbox);
        self.shared.filled.notify_one();
        Ok(replied)
    }

    /// Teaches a prompt about a camera by examples, before it is asked again; see [`Worker::teach`]. What comes is what they
    /// bring, or why they cannot be looked at; nothing comes when the engine ends.
    pub fn teach(
        &self,
        camera: CameraName,
        prompt: Arc<Prompt>,
        shown: Shown,
    ) -> oneshot::Receiver<Result<Lesson, String>> {
        let (reply, learnt) = oneshot::channel();
        self.change(Change::Teach { camera, prompt, shown, reply });
        learnt
    }

    /// Prepares more prompts, all of them or none; see [`Worker::add`]. What comes is why one cannot be asked, if so; nothing
    /// comes when the engine ends.
    pub fn add(&self, prompts: Vec<Added>) -> oneshot::Receiver<Result<(), String>> {
        let (reply, added) = oneshot::channel();
        self.change(Change::Add { prompts, reply });
        added
    }

    /// Forgets a prompt about a camera, which is asked no more.
    pub fn remove(&self, camera: &CameraName, prompt: &PromptName) {
        self.change(Change::Remove { camera: camera.clone(), prompt: prompt.clone() });
    }

    /// A way to say which answers are not settled.
    pub fn reminder(&self) -> Reminder {
        Reminder(Arc::clone(&self.shared))
    }

    /// Whether [`Self::add`] would prepare these prompts; what is asked stays as it is. What comes is as there.
    pub fn try_out(&self, prompts: Vec<Added>) -> oneshot::Receiver<Result<(), String>> {
        let (reply, tried) = oneshot::channel();
        self.change(Change::Try { prompts, reply });
        tried
    }

    fn change(&self, change: Change) {
        self.shared.change(change);
    }

    /// Throws away the windows of this camera that wait; one that is in hand is finished.
    pub fn forget(&self, camera: &CameraName) {
        lock(&self.shared.inbox).windows.forget(camera);
    }

    /// The same, with the questions that were asked once about it, and what is kept of its frames: those of this name that
    /// come from now on are another camera's.
    pub fn replaced(&self, camera: &CameraName) {
        self.forget(camera);
        lock(&self.shared.inbox).asks.forget(camera);
        self.change(Change::Forget { camera: camera.clone() });
    }

    /// Counts so far.
    pub fn counts(&self) -> Counts {
        let tally = lock(&self.shared.inbox).windows.tally();
        Counts { tally, ..*lock(&self.shared.counts) }
    }

    /// Whether there is work, and that it goes on: each run of a graph is a piece of it.
    pub fn pulse(&self) -> Pulse {
        let inbox = lock(&self.shared.inbox);
        let busy = inbox.working || !inbox.is_empty();
        Pulse { moved: self.shared.runs.load(Ordering::Relaxed), busy }
    }

    /// Waits until the thread has ended; before a stop was asked for this means that it panicked, or that only a new
    /// process can use the accelerator again.
    pub async fn ended(&self) {
        let mut troubles = self.troubles();
        while troubles.changed().await.is_ok() {}
    }

    /// The last troubles with the accelerator, those of one batch, and what was done about each.
    pub fn troubles(&self) -> watch::Receiver<Vec<Trouble>> {
        self.troubles.clone()
    }

    /// Asks the thread to end: the batch in hand is finished, what waits is dropped.
    pub fn stop(&self) {
        let mut inbox = lock(&self.shared.inbox);
        inbox.stopping = true;
        inbox.windows.clear();
        inbox.asks.clear();
        inbox.changes.clear();
        drop(inbox);
        self.shared.filled.notify_one();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // a panic was reported where it happened, and `ended` told the owner
            drop(thread.join());
        }
    }
}

/// So long the engine waits for its last replies to be heard; whoever hears them takes a moment.
const HEARD_WITHIN: Duration = Duration::from_millis(50);

fn work<M: Model>(
    shared: &Shared,
    mut worker: Worker<M>,
    mut batch: BatchSize,
    replies: &mpsc::Sender<Replied>,
    troubles: &watch::Sender<Vec<Trouble>>,
) {
    let (mut asked_just_now, mut sent) = (false, 0);
    loop {
        let mut inbox = lock(&shared.inbox);
        if std::mem::take(&mut inbox.working) {
            shared.runs.fetch_add(1, Ordering::Relaxed); // also work that needed no graph is done
        }
        while inbox.is_empty() && !inbox.stopping {
            inbox = shared.filled.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
        // which of the last replies are not settled is known in a moment, and must be before any is said again
        let unheard = |inbox: &mut Inbox| inbox.heard < sent && !inbox.stopping;
        let waited = shared.filled.wait_timeout_while(inbox, HEARD_WITHIN, unheard);
        inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        if inbox.stopping {
            return;
        }
        let all_are_heard = inbox.heard >= sent;
        inbox.working = true;
        let changes = std::mem::take(&mut inbox.changes);
        // One or the other, in turns where both hurry: what is taken after a question is what is newest then.
        let windows_wait = !inbox.windows.is_empty();
        let asked = match std::mem::take(&mut asked_just_now) && windows_wait {
            true => None,
            false => inbox.asks.next(Stamp::now(), windows_wait),
        };
        asked_just_now = asked.is_some();
        let waiting = if asked_just_now { Vec::new() } else { inbox.windows.take(batch.next()) };
        drop(inbox);
        changes.into_iter().for_each(|change| change.apply(&mut worker));
        if let Some((Asked { window, prompt, reply }, since)) = asked {
            let replied = worker.ask_once(window, &prompt, since).map_err(|error| error.to_string());
            {
                let mut counts = lock(&shared.counts);
                counts.work = worker.work();
                counts.asks += 1;
            }
            reply.send(replied).ok(); // who asked may have gone
        }
        let (taken, begun) = (waiting.len(), Stamp::now());
        let (answers, asked) = worker.answer_standing(waiting, all_are_heard);
        if asked > 0 {
            batch.took(asked, Stamp::now().since(begun));
        }
        {
            let mut counts = lock(&shared.counts);
            counts.work = worker.work();
            counts.windows += taken as u64;
            counts.unchanged += (taken - asked) as u64;
            counts.replies += answers.len() as u64;
        }
        for answer in answers {
            if replies.blocking_send(answer).is_err() {
                return; // nobody listens any more: the process is ending
            }
            sent += u64::from(worker.repeats());
        }
        let troubled = worker.take_troubles();
        for trouble in &troubled {
            match trouble.remedy {
                Remedy::SmallerBatches(most) => batch.limit(most),
                _ => batch.limit(usize::MAX), // it is another session
            }
        }
        // not the last alone: the other half of a batch may have been tried after it
        let is_lost = troubled.iter().any(|trouble| trouble.remedy == Remedy::NewProcess);
        if !troubled.is_empty() {
            troubles.send_replace(troubled);
        }
        if is_lost {
            return; // which ends the process
        }
    }
}
