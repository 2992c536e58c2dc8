//! Who listens to all answers, however often the broker goes away, and notes when the machine let nobody run.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::watch, task::JoinSet};
use wader::{
    answer::wire::{self, AnswerMessage},
    mqtt::{Access, Arrival, Listener},
};

use super::gaps::Stretch;

/// What is kept back by this much is worth noting.
const LATE: f64 = 5.0;
/// Who sleeps for a moment and is woken so much later was starved, and so was everybody else.
const STARVED: f64 = 1.0;

/// Seconds of the run, by the wall's clock, which answers go by, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Timestamp);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Timestamp::now())
    }

    pub(super) fn now(self) -> f64 {
        self.of(Timestamp::now())
    }

    fn of(self, at: Timestamp) -> f64 {
        at.duration_since(self.0).as_secs_f64()
    }

    /// This moment, as others write it.
    pub(super) fn written(self, at: f64) -> String {
        format!("{:.3}", self.0 + jiff::SignedDuration::from_secs_f64(at))
    }

    pub(super) async fn until(self, at: f64) {
        tokio::time::sleep(Duration::from_secs_f64((at - self.now()).max(0.0))).await;
    }
}

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// When each camera's pictures were answered about, by the answers to the prompt that counts.
    pub(super) answered: BTreeMap<String, Vec<f64>>,
    /// Of all answers.
    pub(super) ids: HashSet<u128>,
    pub(super) twice: u64,
    pub(super) outcomes: BTreeMap<String, u64>,
    /// Answers that came late: from when they were given to when they came.
    pub(super) late: Vec<Stretch>,
    /// Answers about a picture of another camera.
    pub(super) mixed_up: Vec<String>,
    /// When nobody was let run.
    pub(super) starved: Vec<Stretch>,
}

/// Listens as long as it lives.
pub(super) struct Witness {
    heard: Arc<Mutex<Heard>>,
    /// How often it has subscribed.
    subscribed: watch::Receiver<u64>,
    _tasks: JoinSet<()>,
}

impl Witness {
    /// `numbers`: what each camera's barcodes say.
    pub(super) fn start(access: Access, clock: Clock, numbers: BTreeMap<String, i64>) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (counted, subscribed) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(access, clock, numbers, Arc::clone(&heard), counted));
        tasks.spawn(sleep_lightly(clock, Arc::clone(&heard)));
        Self { heard, subscribed, _tasks: tasks }
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    pub(super) fn subscriptions(&self) -> u64 {
        *self.subscribed.borrow()
    }

    /// Waits until it has subscribed once more than so often.
    pub(super) async fn again(&mut self, than: u64) {
        let again = self.subscribed.wait_for(|count| *count > than);
        crate::support::broker::within("the witness listens again", again).await.unwrap();
    }

    /// The cameras of these that have not been answered about since then.
    pub(super) fn missing(&self, cameras: &[String], since: f64) -> Vec<String> {
        let heard = self.heard();
        let last = |camera: &String| heard.answered.get(camera).and_then(|times| times.last().copied());
        cameras.iter().filter(|camera| last(camera).is_none_or(|last| last < since)).cloned().collect()
    }
}

async fn listen(
    access: Access,
    clock: Clock,
    numbers: BTreeMap<String, i64>,
    heard: Arc<Mutex<Heard>>,
    counted: watch::Sender<u64>,
) {
    loop {
        if let Ok(mut listener) = Listener::connect(&access, "wader/+/+/answer").await {
            counted.send_modify(|count| *count += 1);
            while let Ok(arrival) = listener.next().await {
                note(&mut heard.lock().unwrap(), &arrival, clock, &numbers);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn note(heard: &mut Heard, arrival: &Arrival, clock: Clock, numbers: &BTreeMap<String, i64>) {
    // an empty one clears a topic
    let Ok(said) = wire::read_answer(&arrival.payload) else { return };
    let id = uuid::Uuid::parse_str(&said.id).unwrap().as_u128();
    if !heard.ids.insert(id) {
        // what the broker kept is told to everybody who comes
        heard.twice += u64::from(!arrival.retained);
        return;
    }
    *heard.outcomes.entry(said.outcome.clone()).or_insert(0) += 1;
    let (answered, arrived) = (clock.of(said.answered.parse().unwrap()), clock.now());
    if arrived - answered > LATE {
        heard.late.push((answered, arrived));
    }
    if said.prompt != "number" || !matches!(&*said.outcome, "answer" | "unsure") {
        return;
    }
    heard.answered.entry(said.camera.clone()).or_default().push(answered);
    let number = read(&said, "camera");
    if number != numbers.get(&said.camera).copied() {
        heard.mixed_up.push(format!("{}: {number:?}, {}", said.camera, said.id));
    }
}

/// The oracle says of the word by how much it is likelier than `reference`: that is what it read.
fn read(answer: &AnswerMessage, word: &str) -> Option<i64> {
    let log = |label: &str| answer.candidates.iter().find(|candidate| candidate.answer == label)?.log_share;
    Some((log(word)? - log("reference")?).round() as i64)
}

async fn sleep_lightly(clock: Clock, heard: Arc<Mutex<Heard>>) {
    const NAP: Duration = Duration::from_millis(200);
    loop {
        let from = clock.now();
        tokio::time::sleep(NAP).await;
        let until = clock.now();
        if until - from > STARVED + NAP.as_secs_f64() {
            heard.lock().unwrap().starved.push((from, until));
        }
    }
}
