//! Puts the parts together and takes them apart: the one owner of every task.

mod answers;
mod ask;
mod asks;
mod assemble;
mod changes;
mod complain;
mod control;
mod feedback;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod kept;
mod lessons;
mod memory;
mod newcomers;
mod roster;
mod shown;
mod switches;
mod troubles;
mod watch;
mod watchdog;
mod watchers;
mod windows;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::OptionFuture;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{
    config::{BrokerConfig, Config, Loaded, PromptConfig, Sources},
    engine::{Doubt, Engine, Unaskable},
    frame::Stamp,
    mqtt::{self, Publisher, broker::Embedded},
    name::{CameraName, PromptName},
    supervise::{Ended, Stop, Tasks, Turns},
    systemd::Notify,
    telemetry::Event,
};
pub use ask::{LONGEST_TEXT, Picture, ask_file, json_of, kind_of};
pub use assemble::{broker_access, camera_spec, canvas};
pub use history::history_file;
pub use lessons::feedback_folder;
pub use shown::{contradictions, learnt, show};

use answers::Answers;
use asks::Asks;
use assemble::Watched;
use changes::Changes;
use control::{Control, Elsewhere};
use feedback::Hearing;
use kept::Kept;
use lessons::Teacher;
use newcomers::Newcomers;
use roster::Roster;
use shown::Prepared;
use troubles::Troubles;
use watchdog::Watchdog;
use watchers::Watchers;

/// How long the parts may take to end after they were asked to.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// So many cameras connect at a time: those that return together would else hold up all the others.
const BEGIN_AT_ONCE: usize = 4;

/// A camera that gives no picture for so long lets the next one begin.
const TURN: Duration = Duration::from_secs(1);

/// Replies that wait for the answer task; it only ever hands them on.
const REPLIES: usize = 64;

/// Why the service could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be carried out.
    #[error("{0}")]
    Config(String),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] Box<crate::model::Error>),
    /// A prompt cannot be asked of this model.
    #[error(transparent)]
    Prompt(#[from] Unaskable),
    /// The broker inside wader did not start.
    #[error(transparent)]
    Broker(#[from] mqtt::broker::Error),
    /// The broker cannot be talked to.
    #[error(transparent)]
    Mqtt(#[from] mqtt::Error),
    /// The broker's address is wrong.
    #[error(transparent)]
    Access(#[from] mqtt::AccessError),
    /// A file to be asked about cannot be decoded.
    #[error(transparent)]
    File(#[from] crate::camera::FileError),
    /// A question that is asked once cannot be asked.
    #[error("{0}")]
    Question(String),
    /// A thread did not start.
    #[error("cannot start the engine's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The engine ended by itself: only a new process can be trusted with the accelerator.
    #[error("the engine broke; see the log above")]
    EngineBroke,
    /// A task that must not end has ended.
    #[error("task `{task}` ended: {why}")]
    TaskEnded {
        /// Its name.
        task: String,
        /// What it said when it panicked.
        why: String,
    },
    /// A stage has work and does nothing: only a new process helps.
    #[error("stage `{0}` hangs")]
    Hangs(&'static str),
}

impl From<Ended> for Error {
    fn from(Ended { name: task, panic }: Ended) -> Self {
        Self::TaskEnded { task, why: panic.unwrap_or_else(|| "nobody had asked it to".to_owned()) }
    }
}

/// The service, ready to run.
pub struct App {
    config: Config,
    sources: Sources,
    /// The prompts that stand in the configuration.
    own: BTreeSet<PromptName>,
    notify: Notify,
}

impl App {
    /// A service of this configuration, and of the prompts that others added before. Blocks for a moment: it reads files.
    pub fn new(loaded: Loaded, notify: Notify) -> Self {
        let own = changes::own_prompts(&loaded.config);
        let added = newcomers::remembered(&loaded);
        let Loaded { mut config, sources, .. } = loaded;
        config.prompts.extend(added);
        Self { config, sources, own, notify }
    }

    /// Runs until `stop` is given, or until something breaks that a restart of the process must mend; gives the
    /// configuration with which all must begin anew, where that is why it ended.
    pub async fn run(self, stop: Stop) -> Result<Option<Box<Loaded>>, Error> {
        let Self { mut config, sources, own, notify } = self;
        let hangup = signal(SignalKind::hangup())?;
        let mut broker = None;
        let access = match &config.mqtt.broker {
            BrokerConfig::Embedded { listen } => {
                let embedded = Embedded::start(*listen).await?;
                let access = embedded.access()?;
                broker = Some(embedded);
                access
            }
            BrokerConfig::Remote { host, port, tls, login } => {
                assemble::access(host, *port, tls.as_ref(), login.as_ref())?
            }
        };
        notify.status("loading the model");
        let (model, label) = assemble::model(&config).await?;
        let runs_on = match &model.provider().reason {
            Some(reason) => format!("{} ({reason})", model.provider()),
            None => model.provider().to_string(),
        };
        let batch = assemble::batch(model.manifest());
        let min_mass = model.manifest().prompt.min_mass;
        let manifest = model.manifest().clone();
        newcomers::drop_too_long(&mut config, &own, &manifest);
        let mut watched = assemble::watched(&config, &manifest)?;
        windows::tell_untrained(watched.iter().flat_map(Watched::prompts), &manifest);
        let is_own = |(_, prompt): &(CameraName, PromptConfig)| own.contains(&prompt.prompt.name);
        let (asked, added): (Vec<_>, Vec<_>) = watched.iter().flat_map(Watched::asked).partition(is_own);
        let said = lessons::said(&config);
        let preparing = tokio::task::spawn_blocking(move || shown::worker(model, &asked, &added, &said));
        let Prepared { worker, digests, lessons, refused } = preparing.await.map_err(|_| Error::EngineBroke)??;
        let refused = newcomers::tell_refused(refused);
        watched.iter_mut().for_each(|camera| camera.forget(&refused));
        config.prompts.retain(|prompt| !refused.contains(&prompt.prompt.name));
        for lesson in &lessons {
            match lesson {
                Ok(lesson) => lessons::tell(lesson),
                Err(problem) => Event::FeedbackProblem { problem }.emit(),
            }
        }
        for Doubt { prompt, percent, needed } in worker.doubts() {
            Event::ExamplesContradict { prompt, percent: *percent, needed: *needed }.emit();
        }
        let (replies, replied) = mpsc::channel(REPLIES);
        let waiting = replies.downgrade();
        let engine = Arc::new(Engine::start(worker, batch, replies)?);

        let (publisher, outbox) = Publisher::new(assemble::publisher(&config, access))?;
        let prompts = watched.iter().map(|w| (w.name.clone(), w.asked().map(|(_, p)| p.prompt).collect())).collect();
        let images = watched.iter().flat_map(Watched::asked).filter(|(_, prompt)| prompt.image);
        let images = images.map(|(camera, prompt)| (camera, prompt.prompt.name)).collect();
        let topics = assemble::topics(&config);
        let mut control = Control::new(&config, (topics.clone(), label.clone()), prompts, images, outbox);
        let (publisher, commands) = publisher.hearing(control.filters(), control::COMMANDS);
        control.begin();
        let publishing = Stop::new();
        let mut deliver = Tasks::new();
        let publishing_stop = publishing.clone();
        deliver.start("mqtt", async move { publisher.run(&publishing_stop).await });

        let (inputs, input) = mpsc::channel(REPLIES);
        let zone = assemble::zone(&config);
        let judged_by = (label.clone(), min_mass);
        let (history, kept) = (history::begin(&config), Kept::default());
        let kept_for_a_while = (zone.clone(), history, kept.clone());
        let answers = Answers::new(&config, &watched, &digests, judged_by, &control, kept_for_a_while);
        let (mut judge, judged) = (Tasks::new(), answers.judged.clone());
        judge.start("answers", answers.run(replied, input));

        let watching = stop.child();
        let (watching_cameras, prompts_asked) = (watched.len(), watched.iter().map(|w| w.asked().count()).sum());
        let status = format!("watching {watching_cameras} cameras, on {runs_on}");
        let roster = Roster::default();
        let turns = (control.switches(), Turns::new(BEGIN_AT_ONCE, TURN));
        let mut watchers = Watchers::new(roster.clone(), engine.clone(), inputs.clone(), turns, zone);
        for camera in watched {
            roster.enter(&camera.name);
            for (name, prompt) in camera.asked() {
                let shown = digests.get(&(name.clone(), prompt.prompt.name.clone())).cloned();
                roster.ask(&name, prompt, shown);
            }
            watchers.begin(camera);
        }
        let mut tasks = Tasks::new();
        let (changes, changed) = mpsc::channel(newcomers::WAITING);
        let newcomers = Newcomers {
            allowed: config.mqtt.new_prompts,
            sources,
            own,
            folder: newcomers::folder(&config),
            roster: roster.clone(),
            manifest: manifest.clone(),
            min_mass,
            engine: engine.clone(),
            answers: inputs.clone(),
            control: changes,
            topics: topics.clone(),
            outbox: control.outbox(),
        };
        let teacher = Teacher { manifest, roster: roster.clone(), engine: engine.clone(), answers: inputs };
        let (feedback, said) = mpsc::channel(feedback::WAITING);
        let hearing = Hearing {
            kept,
            folder: feedback_folder(&config),
            teacher: teacher.clone(),
            topics: topics.clone(),
            outbox: control.outbox(),
        };
        tasks.start("feedback", hearing.run(said, watching.clone()));
        let (questions, questioned) = mpsc::channel(asks::QUESTIONS);
        let asks = Asks::new(&config, engine.clone(), roster, (label, min_mass), control.outbox());
        tasks.start("asks", asks.run(questioned, watching.clone()));
        let troubles = Troubles { outbox: control.outbox(), topics, notify, status: status.clone() };
        tasks.start("troubles", troubles.run(engine.troubles(), watching.clone()));
        let (prompts, added) = mpsc::channel(newcomers::WAITING);
        let (again, mut begin_again) = mpsc::channel(1);
        let changes = Changes { config, teacher, newcomers, watchers, notify, status: status.clone(), again };
        tasks.start("changes", changes.run(added, hangup, watching.clone()));
        let elsewhere = Elsewhere { questions, feedback, prompts };
        tasks.start("control", control.run(commands, elsewhere, changed, watching.clone()));

        notify.ready();
        notify.status(&status);
        Event::Ready { cameras: watching_cameras, prompts: prompts_asked }.emit();
        let watchdog = Watchdog { notify, engine: engine.clone(), replies: waiting, judged };
        let outcome = tokio::select! {
            biased;
            () = stop.given() => Ok(None),
            Some(loaded) = begin_again.recv() => Ok(Some(loaded)),
            () = engine.ended() => Err(Error::EngineBroke),
            stage = watchdog.run() => Err(Error::Hangs(stage)),
            Some(ended) = judge.next_ended() => Err(ended.into()),
            Some(ended) = deliver.next_ended() => Err(ended.into()),
            Some(ended) = tasks.next_ended() => Err(ended.into()),
        };

        // in the direction of the data: what makes work ends first, what delivers it last
        if !matches!(outcome, Ok(Some(_))) {
            notify.stopping();
        }
        let stopping = Stamp::now();
        let reason = match &outcome {
            Ok(None) => "asked to".to_owned(),
            Ok(Some(_)) => "another configuration".to_owned(),
            Err(error) => error.to_string(),
        };
        Event::Stopping { reason: &reason }.emit();
        watching.give();
        let mut late = tasks.finish(STOP_WITHIN / 2).await;
        engine.stop();
        let done = engine.counts();
        let (frames, replaced, dropped) = (done.work.frames_encoded, done.tally.replaced, done.tally.dropped);
        Event::Worked { frames, windows: done.windows, replaced, dropped, replies: done.replies }.emit();
        // joins the thread, whose panic was reported; one that hangs is left behind
        let joined = tokio::task::spawn_blocking(move || drop(engine));
        if tokio::time::timeout(STOP_WITHIN / 4, joined).await.is_err() {
            late.push("engine".to_owned());
        }
        late.extend(judge.finish(STOP_WITHIN / 4).await);
        publishing.give();
        late.extend(deliver.finish(STOP_WITHIN / 2).await);
        if let Some(Err(error)) = OptionFuture::from(broker.map(Embedded::stop)).await {
            Event::StopLate { task: &error.to_string() }.emit();
        }
        for task in &late {
            Event::StopLate { task }.emit();
        }
        Event::Stopped { took: Stamp::now().since(stopping) }.emit();
        outcome
    }
}

/// Work that waits for the disk, on a thread for such.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}
