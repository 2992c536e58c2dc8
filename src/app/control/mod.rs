//! The control task: obeys commands, announces cameras and prompts, and clears what is gone.
//!
//! What is gone is known from the memory of what was published, not from what a broker keeps: below one prefix there
//! may be topics of others (a service whose prefix begins with ours, a user's own), and a broker has no end of a list of
//! what it keeps. So nothing is ever cleared that this service did not publish.

mod change;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use tokio::{sync::mpsc, time::MissedTickBehavior};

pub(super) use change::{Change, Known, known};

use super::{
    complain::{complain, tell_the_rest},
    memory::{Images, Memory, Published, Remembered, states},
    switches::Switches,
};
use crate::{
    answer::ModelLabel,
    config::Config,
    mqtt::{
        Arrival, Class, Code, Complaint, Disk, Handle, Message, OFF, ON, Topics, discovery,
        outbox::{Loss, Losses},
        wire::id_of_ask,
    },
    name::{CameraName, PromptName},
    prompt::Prompt,
    supervise::Stop,
    telemetry::Event,
};

/// Commands that wait to be obeyed.
pub(super) const COMMANDS: usize = 64;
/// How often it is looked whether messages were lost or complaints not told: one complaint for many, and none while the outbox
/// is full, or it would be the first to be lost.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How much of a wrong payload is shown.
const SHOWN: usize = 32;
/// The version that is announced.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who else hears what others say.
pub(super) struct Elsewhere {
    /// Of questions that are asked once.
    pub(super) questions: mpsc::Sender<Arrival>,
    /// Of what others say of answers.
    pub(super) feedback: mpsc::Sender<Arrival>,
    /// Of prompts that others add.
    pub(super) prompts: mpsc::Sender<Arrival>,
}

/// Everything the control task knows.
pub(super) struct Control {
    topics: Topics,
    model: ModelLabel,
    homeassistant: Option<String>,
    /// All that is configured, and whether the configuration enables it.
    known: BTreeMap<CameraName, Known>,
    /// What is watched, and what is asked about it, unless it is switched off.
    watched: BTreeMap<CameraName, Vec<Prompt>>,
    /// Whose pictures are published.
    images: Images,
    switches: Switches,
    memory: Memory,
    remembered: Remembered,
    /// Whether that is not on the disk, which did not take it.
    unsaved: bool,
    /// What was complained of.
    losses: Losses,
    /// What was logged.
    logged: Losses,
    outbox: Handle,
}

impl Control {
    /// A control task for these cameras, enabled ones with enabled prompts, and the switches that it turns.
    pub(super) fn new(
        config: &Config,
        (topics, model): (Topics, ModelLabel),
        watched: BTreeMap<CameraName, Vec<Prompt>>,
        images: Images,
        outbox: Handle,
    ) -> Self {
        let memory = Memory::new(config.state.as_deref(), &config.mqtt.client_id);
        let mut remembered = memory.read().unwrap_or_else(|problem| {
            Event::MemoryProblem { problem: &problem.to_string() }.emit();
            Remembered::default()
        });
        let known = known(config);
        for (camera, off) in &mut remembered.off {
            // whoever adds a prompt of the name of one that was taken away meanwhile begins anew
            off.prompts.retain(|prompt| known.get(camera).is_some_and(|known| known.prompts.contains_key(prompt)));
        }
        Self {
            topics,
            model,
            homeassistant: config.homeassistant.discovery.then(|| config.homeassistant.prefix.clone()),
            known,
            switches: Switches::new(watched.keys().cloned(), &remembered.off),
            watched,
            images,
            memory,
            remembered,
            unsaved: false,
            losses: Losses::default(),
            logged: Losses::default(),
            outbox,
        }
    }

    /// Where messages are left.
    pub(super) fn outbox(&self) -> Handle {
        self.outbox.clone()
    }

    /// The switches.
    pub(super) fn switches(&self) -> Switches {
        self.switches.clone()
    }

    /// The topics to listen to.
    pub(super) fn filters(&self) -> Vec<String> {
        let births = self.homeassistant.iter().map(|prefix| format!("{prefix}/status"));
        self.topics.commands().into_iter().chain(births).collect()
    }

    /// Says what is here, and clears what is here no more. Blocks for a moment: it writes a file.
    pub(super) fn begin(&mut self) {
        let before = std::mem::take(&mut self.remembered);
        let now = self.published();
        if before.prefix.is_empty() {
            // a new prefix is a new client id where none is written, and what is kept bears its name
            self.memory.others().iter().for_each(|file| Event::OtherMemory { file }.emit());
        }
        let same_prefix = before.prefix == self.topics.prefix();
        if !same_prefix && !before.prefix.is_empty() {
            Event::PrefixChanged { before: &before.prefix, now: self.topics.prefix() }.emit();
        }
        let gone = if same_prefix { gone(&before.published, &now) } else { Published::new() };
        let unseen: Images = before.images.difference(&self.images).filter(|_| same_prefix).cloned().collect();
        // what is to be cleared is remembered until it is; what is to be published is remembered before it is
        let mut published = now.clone();
        for (camera, prompts) in if same_prefix { before.published } else { Published::new() } {
            published.entry(camera).or_default().extend(prompts);
        }
        self.remembered = Remembered {
            off: self.switches.off(),
            prefix: self.topics.prefix().to_owned(),
            homeassistant: before.homeassistant.filter(|_| same_prefix).or_else(|| self.homeassistant.clone()),
            published,
            images: self.images.union(&unseen).cloned().collect(),
            disabled: &self.disabled() | &before.disabled,
        };
        self.save();
        self.outbox.clear(self.to_clear(&gone, &unseen));
        if same_prefix {
            self.clear_status_of(&before.disabled);
        }
        self.outbox.offer(Message::about(&self.topics, VERSION, &self.model, None));
        self.announce(&gone, &unseen);
        for (camera, prompts) in &self.watched {
            let off = self.switches.of(camera).borrow().clone();
            self.outbox.offer(Message::camera_enabled(&self.topics, camera, !off.camera));
            for prompt in prompts.iter().map(|prompt| &prompt.name) {
                self.outbox.offer(Message::enabled(&self.topics, camera, prompt, !off.prompts.contains(prompt)));
            }
        }
    }

    /// Obeys until `stop` is given.
    ///
    /// What is no command goes on to whoever else hears.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Arrival>,
        elsewhere: Elsewhere,
        mut changes: mpsc::Receiver<Change>,
        stop: Stop,
    ) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outbox = self.outbox.clone();
        let mut disk = outbox.disk();
        disk.mark_changed(); // it may fail since before this task began
        loop {
            let all_is_cleared = self.all_is_cleared();
            let all_is_told = lost(&self.losses, &outbox.losses()).is_none();
            tokio::select! {
                () = stop.given() => {
                    // the broker was told that these have come
                    commands.close();
                    while let Ok(arrival) = commands.try_recv() {
                        self.hear(arrival, &elsewhere);
                    }
                    // the next outbox counts from nothing: what was lost in this one is told by it, or never
                    self.log_losses();
                    self.tell_losses();
                    return;
                }
                Some(arrival) = commands.recv() => self.hear(arrival, &elsewhere),
                Some(change) = changes.recv() => self.change(change),
                _ = looks.tick() => {
                    self.log_losses();
                    tell_the_rest(&self.outbox, &self.topics);
                    if self.unsaved {
                        self.save();
                    }
                }
                Ok(()) = disk.changed() => self.look_at_disk(&disk.borrow_and_update().clone()),
                () = outbox.emptied(), if !all_is_cleared || !all_is_told => {
                    self.tell_losses();
                    self.remembered.published = self.published();
                    self.remembered.images.clone_from(&self.images);
                    self.remembered.homeassistant.clone_from(&self.homeassistant);
                    self.remembered.disabled = self.disabled();
                    self.save();
                }
            }
        }
    }

    fn all_is_cleared(&self) -> bool {
        let same = self.remembered.published == self.published() && self.remembered.images == self.images;
        same && self.remembered.homeassistant == self.homeassistant && self.remembered.disabled == self.disabled()
    }

    /// The cameras that the configuration disables: there is nothing of them but a status, which says so.
    fn disabled(&self) -> BTreeSet<CameraName> {
        let disabled = self.known.iter().filter(|(_, known)| !known.enabled);
        disabled.map(|(camera, _)| camera.clone()).collect()
    }

    /// Clears the status of those that are configured no more.
    fn clear_status_of(&self, disabled: &BTreeSet<CameraName>) {
        let gone = disabled.iter().filter(|camera| !self.known.contains_key(*camera));
        self.outbox.clear(gone.map(|camera| self.topics.camera_status(camera)));
    }

    /// What is published now.
    fn published(&self) -> Published {
        let prompts = |prompts: &Vec<Prompt>| states(prompts.iter().map(|prompt| (&prompt.name, &prompt.kind)));
        self.watched.iter().map(|(camera, all)| (camera.clone(), prompts(all))).collect()
    }

    /// The topics of what is gone, of pictures that are not published any more, and of the announcements that are no longer
    /// wanted.
    fn to_clear(&self, gone: &Published, unseen: &Images) -> Vec<String> {
        let mut topics: Vec<String> = unseen.iter().map(|(camera, prompt)| self.topics.image(camera, prompt)).collect();
        for (camera, prompts) in gone {
            topics.extend(prompts.keys().flat_map(|prompt| self.topics.retained_of_prompt(camera, prompt)));
            if !self.watched.contains_key(camera) {
                // a camera that the configuration disables has still a status, which says so
                let configured = self.known.contains_key(camera);
                let status = self.topics.camera_status(camera);
                let of_camera = self.topics.retained_of_camera(camera).into_iter();
                topics.extend(of_camera.filter(|topic| !(configured && *topic == status)));
            }
        }
        let Some(before) = &self.remembered.homeassistant else { return topics };
        if Topics::new(before).is_err() {
            return topics; // no prefix of ours: somebody wrote it into the file
        }
        let moved = self.homeassistant.as_ref() != Some(before);
        let announced = self.remembered.published.keys().filter(|camera| moved || !self.watched.contains_key(*camera));
        topics.extend(announced.map(|camera| self.topics.camera_discovery(before, camera)));
        topics.extend(moved.then(|| self.topics.discovery(before)));
        topics
    }

    /// Tells Home Assistant of the service first: the cameras' devices name its.
    fn announce(&self, gone: &Published, unseen: &Images) {
        let Some(prefix) = &self.homeassistant else { return };
        let service = discovery::service(&self.topics, VERSION);
        self.outbox.offer(Message::discovery(self.topics.discovery(prefix), service));
        for (camera, prompts) in &self.watched {
            let gone = discovery::Gone {
                prompts: gone
                    .get(camera)
                    .into_iter()
                    .flatten()
                    .map(|(prompt, states)| (prompt.clone(), states.platform()))
                    .collect(),
                images: unseen.iter().filter(|(of, _)| of == camera).map(|(_, prompt)| prompt.clone()).collect(),
            };
            let has_images = |prompt: &Prompt| self.images.contains(&(camera.clone(), prompt.name.clone()));
            let prompts: Vec<(&Prompt, bool)> = prompts.iter().map(|prompt| (prompt, has_images(prompt))).collect();
            let device = discovery::camera(&self.topics, camera, &prompts, &gone, VERSION);
            self.outbox.offer(Message::discovery(self.topics.camera_discovery(prefix, camera), device));
        }
    }

    fn hear(&mut self, arrival: Arrival, elsewhere: &Elsewhere) {
        let theirs = if *arrival.topic == *self.topics.feedback() {
            Some(&elsewhere.feedback)
        } else if self.topics.new_prompt_of(&arrival.topic).is_some() {
            Some(&elsewhere.prompts)
        } else {
            self.topics.ask_of(&arrival.topic).map(|_| &elsewhere.questions)
        };
        if let Some(theirs) = theirs {
            if let Err(mpsc::error::TrySendError::Full(arrival)) = theirs.try_send(arrival) {
                let camera = self.topics.ask_of(&arrival.topic).map(str::to_owned);
                let message = format!("too many messages come at once on `{}`; try again later", arrival.topic);
                self.complain(&Complaint {
                    camera,
                    id: id_of_ask(&arrival.payload),
                    ..Complaint::new(Code::TooMany, message)
                });
            }
            return;
        }
        if let Some(prefix) = &self.homeassistant
            && arrival.topic.strip_prefix(prefix.as_str()) == Some("/status")
        {
            // it begins with nothing, and asks all to say again what there is
            if &*arrival.payload == b"online" {
                self.outbox.repeat();
            }
            return;
        }
        let Some((camera, prompt)) = self.topics.enabled_set_of(&arrival.topic) else { return };
        // an empty one clears the topic, where a broker kept a command
        if arrival.payload.is_empty() && arrival.retained {
            return;
        }
        if let Err((code, message)) = self.obey(&arrival, camera, prompt) {
            let prompt = prompt.map(str::to_owned);
            self.complain(&Complaint { camera: Some(camera.to_owned()), prompt, ..Complaint::new(code, message) });
        }
    }

    /// Turns a switch and says so.
    fn obey(&mut self, arrival: &Arrival, camera: &str, prompt: Option<&str>) -> Result<(), (Code, String)> {
        let topic = &arrival.topic;
        if arrival.retained {
            let message = format!(
                "the command on `{topic}` is kept by the broker, so it is not obeyed; send it without `retain`"
            );
            return Err((Code::RetainedCommand, message));
        }
        let on = match &*arrival.payload {
            payload if payload == ON.as_bytes() => true,
            payload if payload == OFF.as_bytes() => false,
            payload => {
                let shown: String = String::from_utf8_lossy(payload).chars().take(SHOWN).collect();
                let message = format!("`{}` on `{topic}` is neither `{ON}` nor `{OFF}`", shown.escape_debug());
                return Err((Code::BadPayload, message));
            }
        };
        let (camera, prompt) = self.find(camera, prompt)?;
        self.switches.turn(&camera, prompt.as_ref(), on);
        Event::Switched { camera: &camera, prompt: prompt.as_ref(), on }.emit();
        self.outbox.offer(match &prompt {
            None => Message::camera_enabled(&self.topics, &camera, on),
            Some(prompt) => Message::enabled(&self.topics, &camera, prompt, on),
        });
        let off = self.switches.off();
        let changed = off != self.remembered.off;
        self.remembered.off = off;
        if !(changed || self.unsaved) || self.save() {
            return Ok(());
        }
        let message = format!("`{topic}` is obeyed, and will be forgotten at the next start; the log says why");
        Err((Code::NotSaved, message))
    }

    /// The camera and prompt of these names, if they can be switched.
    fn find(&self, camera: &str, prompt: Option<&str>) -> Result<(CameraName, Option<PromptName>), (Code, String)> {
        let Some((camera, known)) = self.known.iter().find(|(name, _)| name.as_str() == camera) else {
            let message = format!("no camera `{}` is configured", camera.escape_debug());
            return Err((Code::UnknownCamera, message));
        };
        let by_configuration = |what: String| {
            let message = format!("the configuration disables {what}, which only the configuration can change");
            (Code::DisabledInConfiguration, message)
        };
        if !known.enabled {
            return Err(by_configuration(format!("camera `{camera}`")));
        }
        let Some(prompt) = prompt else { return Ok((camera.clone(), None)) };
        match known.prompts.iter().find(|(name, _)| name.as_str() == prompt) {
            Some((name, true)) => Ok((camera.clone(), Some(name.clone()))),
            Some((name, false)) => Err(by_configuration(format!("prompt `{name}`"))),
            None => {
                let message = format!("no prompt `{}` is asked about camera `{camera}`", prompt.escape_debug());
                Err((Code::UnknownPrompt, message))
            }
        }
    }

    fn complain(&self, complaint: &Complaint) {
        complain(&self.outbox, &self.topics, complaint);
    }

    /// In the log at once, whatever becomes of the broker.
    fn log_losses(&mut self) {
        let losses = self.outbox.losses();
        if let Some((messages, reasons)) = lost(&self.logged, &losses) {
            Event::OutboxDropped { messages, reason: &reasons }.emit();
        }
        self.logged = losses;
    }

    /// To the broker once it has all else: the count is whole, and there is room for the complaint.
    fn tell_losses(&mut self) {
        let losses = self.outbox.losses();
        if let Some((all, reasons)) = lost(&self.losses, &losses) {
            let message = format!("{all} messages were given up before the broker had them: {reasons}");
            self.complain(&Complaint::new(Code::MessagesLost, message));
        }
        self.losses = losses;
    }

    /// The log was told where it happened.
    fn look_at_disk(&self, disk: &Disk) {
        if let Disk::Failing(problem) = disk {
            let message =
                format!("what waits for the broker is in memory only, and would not outlive a restart: {problem}");
            let complaint = Complaint::new(Code::OutboxNotSaved, message);
            self.outbox.offer(Message::error(&self.topics, &complaint, 0, SystemTime::now()));
        }
    }

    /// Whether it was written; what was not is tried again. A few hundred bytes, once per command: not worth a thread of its own.
    fn save(&mut self) -> bool {
        let written = self.memory.write(&self.remembered);
        if let Err(problem) = &written
            && !self.unsaved
        {
            Event::MemoryProblem { problem: &problem.to_string() }.emit();
        }
        self.unsaved = written.is_err();
        !self.unsaved
    }
}

/// What was there before and is not now, or has other states.
fn gone(before: &Published, now: &Published) -> Published {
    let mut gone = Published::new();
    for (camera, prompts) in before {
        let still = now.get(camera);
        let left = prompts.iter().filter(|(prompt, states)| still.and_then(|now| now.get(*prompt)) != Some(*states));
        let left: BTreeMap<_, _> = left.map(|(prompt, states)| (prompt.clone(), states.clone())).collect();
        if still.is_none() || !left.is_empty() {
            gone.insert(camera.clone(), left);
        }
    }
    gone
}

/// What was given up between two looks, in words; a state that a newer one replaced is no loss, and complaints about
/// lost complaints would have no end.
fn lost(before: &Losses, now: &Losses) -> Option<(u64, String)> {
    let count = |losses: &Losses, loss| losses.by(loss) - losses.of(loss, Class::Error);
    let losses = Loss::ALL.into_iter().filter(|loss| *loss != Loss::Replaced);
    let grown: Vec<(Loss, u64)> =
        losses.map(|loss| (loss, count(now, loss) - count(before, loss))).filter(|(_, more)| *more > 0).collect();
    let all: u64 = grown.iter().map(|(_, more)| more).sum();
    let reasons: Vec<String> = grown.iter().map(|(loss, more)| format!("{more} {}", loss.word())).collect();
    (all > 0).then(|| (all, reasons.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        frame::Stamp,
        mqtt::{
            discovery::States,
            outbox::{Limits, Outbox},
        },
    };

    fn published(text: &str) -> Published {
        let mut all = Published::new();
        for pair in text.split_whitespace() {
            let (camera, prompt) = pair.split_once('/').unwrap_or((pair, ""));
            let prompts = all.entry(CameraName::new(camera).unwrap()).or_default();
            if let Some((prompt, states)) = prompt.split_once(':') {
                let states = match states {
                    "b" => States::YesNo,
                    "n" => States::Number,
                    "s" => States::Text,
                    words => States::OneOf(words.split('|').map(str::to_owned).collect()),
                };
                prompts.insert(PromptName::new(prompt).unwrap(), states);
            }
        }
        all
    }

    #[test]
    fn what_is_not_there_any_more_or_has_other_states_is_gone() {
        for (before, now, expected) in [
            ("door/person:b", "door/person:b yard", ""),
            ("door/person:b door/scene:s", "door/person:b", "door/scene:s"),
            ("door/person:b", "yard", "door/person:b"),
            ("door", "", "door"),
            ("door/person:b", "door/person:s", "door/person:b"),
            ("door/scene:s", "door/scene:n", "door/scene:s"),
            ("door/gate:open|shut", "door/gate:open|shut", ""),
            ("door/gate:open|shut", "door/gate:open|ajar", "door/gate:open|shut"),
        ] {
            assert_eq!(gone(&published(before), &published(now)), published(expected), "{before} -> {now}");
        }
    }

    #[test]
    fn a_loss_is_told_once_and_no_complaint_about_complaints() {
        let mut outbox = Outbox::new(Limits { bytes: 400, ..Limits::default() });
        let before = outbox.losses();
        let offer = |outbox: &mut Outbox, class| {
            let message = Message { class, retain: false, ..Message::cleared("a".to_owned()) };
            outbox.offer(message, Stamp::now());
        };
        offer(&mut outbox, Class::Error);
        offer(&mut outbox, Class::Event);
        assert_eq!((outbox.losses().by(Loss::Full), lost(&before, &outbox.losses())), (1, None));
        offer(&mut outbox, Class::Event);
        let now = outbox.losses();
        assert_eq!(lost(&before, &now), Some((1, "1 full".to_owned())));
        assert_eq!(lost(&now, &now), None);
    }
}
