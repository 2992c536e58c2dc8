//! All tasks of the service: how they begin, what ends them, and their end in the direction of the data.

use std::{sync::Arc, time::Duration};

use futures_util::future::OptionFuture;
use tokio::{signal::unix::Signal, sync::mpsc};

use super::{
    Error, STOP_WITHIN,
    answers::Answers,
    asks::{self, Asks},
    assemble::{self, Watched},
    board::Board,
    changes::{Anew, Changes, Files},
    control::{self, Control, Elsewhere},
    feedback::{self, Hearing},
    foundation::Foundation,
    history,
    holds::Holds,
    kept::Kept,
    lessons::{Teacher, feedback_folder},
    newcomers::{self, Newcomers},
    rations::Rations,
    roster::Roster,
    served,
    status::Status,
    troubles::Troubles,
    watchdog::Watchdog,
    watchers::Watchers,
};
use crate::{
    engine::Engine,
    frame::Stamp,
    mqtt::{Publisher, broker::Embedded},
    store::History,
    supervise::{Stop, Tasks, Turns},
    systemd::Notify,
    telemetry::{Event, chain},
};

/// So many cameras connect at a time: those that return together would else hold up all the others.
const BEGIN_AT_ONCE: usize = 4;

/// A camera that gives no picture for so long lets the next one begin.
const TURN: Duration = Duration::from_secs(1);

/// Replies that wait for the answer task; it only ever hands them on.
const REPLIES: usize = 64;

/// Why it ended: with another configuration to begin anew with, where that is the reason.
pub(super) type Outcome = Result<Option<Box<Anew>>, Error>;

/// The service while it runs.
pub(super) struct Running {
    broker: Option<Embedded>,
    engine: Arc<Engine>,
    watchdog: Option<Watchdog>,
    /// What makes work.
    tasks: Tasks,
    watching: Stop,
    /// What judges replies; it ends when the engine has said its last.
    judge: Tasks,
    /// What delivers.
    deliver: Tasks,
    publishing: Stop,
    begin_again: mpsc::Receiver<Box<Anew>>,
    notify: Notify,
}

impl Running {
    /// Begins everything, what delivers first.
    pub(super) fn begin(
        foundation: Foundation,
        Files { loaded, own, refused }: Files,
        hangup: Signal,
        notify: Notify,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let Foundation { config, broker, access, web, label, manifest, runs_on, watched, digests, learnt, worker } =
            foundation;
        let min_mass = manifest.prompt.min_mass;
        let (replies, replied) = mpsc::channel(REPLIES);
        let waiting = replies.downgrade();
        let worker = worker.skipping_unchanged(config.model.skip_unchanged);
        let engine = Arc::new(Engine::start(worker, served::batch(&manifest), replies)?);

        let (publisher, outbox) = Publisher::new(assemble::publisher(&config, access))?;
        let prompts = watched.iter().map(|w| (w.name.clone(), w.asked().map(|(_, p)| p.prompt).collect())).collect();
        let images = watched.iter().flat_map(Watched::asked).filter(|(_, prompt)| prompt.image);
        let images = images.map(|(camera, prompt)| (camera, prompt.prompt.name)).collect();
        let topics = assemble::topics(&config);
        let mut control = Control::new(&config, (topics.clone(), label.clone()), prompts, images, outbox.clone());
        let (publisher, commands) = publisher.hearing(control.filters(), control::COMMANDS);
        control.begin();
        let (publishing, mut deliver) = (Stop::new(), Tasks::new());
        let publishing_stop = publishing.clone();
        deliver.start("mqtt", async move { publisher.run(&publishing_stop).await });

        let (inputs, input) = mpsc::channel(REPLIES);
        let zone = assemble::zone(&config);
        let (kept, holds) = (Kept::default(), Holds::default());
        let history = history::begin(&config);
        let unkept = history.as_ref().map(History::lost);
        let kept_for_a_while = (zone.clone(), history, (kept.clone(), holds.clone()));
        let judged_by = (label.clone(), min_mass);
        let told = (&control, engine.reminder());
        let used = digests.clone().into_iter().chain(learnt).collect();
        let answers = Answers::new(&config, &watched, &used, judged_by, told, kept_for_a_while);
        let (mut judge, judged) = (Tasks::new(), answers.judged.clone());
        judge.start("answers", answers.run(replied, input));

        let watching = stop.child();
        let (cameras, asked) = (watched.len(), watched.iter().map(|w| w.asked().count()).sum());
        let status = Status::new(notify, cameras, runs_on);
        let roster = Roster::default();
        let switches = control.switches();
        let turns = (switches.clone(), Turns::new(BEGIN_AT_ONCE, TURN));
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
            sources: loaded.sources.clone(),
            own,
            folder: newcomers::folder(&config),
            roster: roster.clone(),
            manifest: manifest.clone(),
            min_mass,
            engine: engine.clone(),
            answers: inputs.clone(),
            control: changes,
            topics: topics.clone(),
            outbox: outbox.clone(),
        };
        let teacher = Teacher { manifest, roster: roster.clone(), engine: engine.clone(), answers: inputs };
        let (feedback, said) = mpsc::channel(feedback::WAITING);
        let hearing = Hearing {
            kept,
            folder: feedback_folder(&config),
            teacher: teacher.clone(),
            rations: Rations::default(),
            topics: topics.clone(),
            outbox: outbox.clone(),
        };
        tasks.start("feedback", hearing.run(said, watching.clone()));
        let (questions, questioned) = mpsc::channel(asks::QUESTIONS);
        let asks = Asks::new(&config, engine.clone(), (roster, switches), (label, min_mass), outbox.clone());
        tasks.start("asks", asks.run(questioned, watching.clone()));
        if let Some(server) = web {
            Event::PageShown { address: server.address() }.emit();
            let (topics, outbox, status) = (topics.clone(), outbox.clone(), status.clone());
            let board = Board { topics, outbox, status, holds, unkept };
            tasks.start("web", server.run(Arc::new(board), watching.clone()));
        }
        let troubles = Troubles { outbox, topics, status: status.clone() };
        tasks.start("troubles", troubles.run(engine.troubles(), watching.clone()));
        let (prompts, added) = mpsc::channel(newcomers::WAITING);
        let (again, begin_again) = mpsc::channel(1);
        let (status_of, written) = (status.clone(), loaded.written.clone());
        let changes =
            Changes { config, loaded, written, refused, teacher, newcomers, watchers, status: status_of, again };
        tasks.start("changes", changes.run(added, hangup, watching.clone()));
        let elsewhere = Elsewhere { questions, feedback, prompts };
        tasks.start("control", control.run(commands, elsewhere, changed, watching.clone()));

        notify.ready();
        status.tell();
        Event::Ready { cameras, prompts: asked }.emit();
        let watchdog = Some(Watchdog { notify, engine: engine.clone(), replies: waiting, judged });
        Ok(Self { broker, engine, watchdog, tasks, watching, judge, deliver, publishing, begin_again, notify })
    }

    /// Waits for whatever comes first: the end that was asked for, another configuration, or what only a new process mends.
    pub(super) async fn outcome(&mut self, stop: &Stop) -> Outcome {
        let watchdog = OptionFuture::from(self.watchdog.take().map(Watchdog::run));
        tokio::select! {
            biased;
            () = stop.given() => Ok(None),
            Some(anew) = self.begin_again.recv() => Ok(Some(anew)),
            () = self.engine.ended() => Err(Error::EngineBroke),
            Some(stage) = watchdog => Err(Error::Hangs(stage)),
            Some(ended) = self.judge.next_ended() => Err(ended.into()),
            Some(ended) = self.deliver.next_ended() => Err(ended.into()),
            Some(ended) = self.tasks.next_ended() => Err(ended.into()),
        }
    }

    /// Ends everything in the direction of the data: what makes work first, what delivers it last. Names who is late.
    pub(super) async fn end(mut self, outcome: &Outcome) {
        let begins_again = matches!(outcome, Ok(Some(_)));
        if !begins_again {
            self.notify.stopping();
        }
        let stopping = Stamp::now();
        let reason = match outcome {
            Ok(None) => "asked to".to_owned(),
            Ok(Some(_)) => "another configuration".to_owned(),
            Err(error) => chain(error),
        };
        Event::Stopping { reason: &reason }.emit();
        self.watching.give();
        let mut late = self.tasks.finish(STOP_WITHIN / 2).await;
        self.engine.stop();
        let done = self.engine.counts();
        let (frames, replaced, dropped) = (done.work.frames_encoded, done.tally.replaced, done.tally.dropped);
        let (windows, unchanged, replies) = (done.windows, done.unchanged, done.replies);
        Event::Worked { frames, windows, unchanged, replaced, dropped, replies }.emit();
        // joins the thread, whose panic was reported; one that hangs is left behind
        let engine = self.engine;
        let joined = tokio::task::spawn_blocking(move || drop(engine));
        if tokio::time::timeout(STOP_WITHIN / 4, joined).await.is_err() {
            late.push("engine".to_owned());
        }
        late.extend(self.judge.finish(STOP_WITHIN / 4).await);
        self.publishing.give();
        late.extend(self.deliver.finish(STOP_WITHIN / 2).await);
        if let Some(Err(error)) = OptionFuture::from(self.broker.map(Embedded::stop)).await {
            Event::StopLate { task: &error.to_string() }.emit();
        }
        for task in &late {
            Event::StopLate { task }.emit();
        }
        Event::Stopped { took: Stamp::now().since(stopping) }.emit();
    }
}
