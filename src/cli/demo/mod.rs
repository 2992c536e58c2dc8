//! The first five minutes, and the smoke test: a real camera, broker and model, all on this machine.
//!
//! Nothing here answers anything: the service runs as a process of its own, and what is shown came to a separate MQTT
//! client through the broker.

mod report;
mod stage;
mod truth;

use std::{path::PathBuf, time::SystemTime};

use clap::ValueEnum;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Duration, timeout},
};

use crate::{
    answer::wire::{self, AnswerMessage},
    cli::{self, exit},
    frame::Stamp,
    mqtt::{Access, Listener},
    scene::Showing,
};
use report::{Report, Row};
use stage::Stage;
use truth::{Recorded, Saw};

/// How long the service may take until its broker and its first answer are there.
const START_WITHIN: Duration = Duration::from_secs(30);

/// What `wader demo` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// End after this many answers, once an answer also changed when the picture did; else go on until Ctrl-C.
    #[arg(long, value_name = "N")]
    answers: Option<usize>,
    /// Give up after this many seconds.
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    /// One JSON object a line: each answer, then the summary.
    #[arg(long)]
    json: bool,
    /// What the camera shows. The model was made for real pictures: drawn people are harder for it.
    #[arg(long, value_enum, default_value = "footage")]
    camera: Show,
    /// The recording that the camera plays; `./x setup` fetches it.
    #[arg(long, value_name = "FILE")]
    footage: Option<PathBuf>,
    /// The model that answers.
    #[arg(long, value_name = "DIR", default_value = "models/wader-small")]
    model: PathBuf,
}

/// What the demo's camera shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Show {
    /// A lawn beside a street, recorded.
    Footage,
    /// A drawn street.
    Drawn,
}

/// Runs the demo; the code tells scripts whether the right thing was seen.
pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    tokio::runtime::Runtime::new()?.block_on(play(options))
}

async fn play(options: &Options) -> anyhow::Result<u8> {
    let truth = Recorded::read()?;
    let source = match options.camera {
        Show::Footage => stage::footage(options.footage.clone(), &truth)?,
        Show::Drawn => stage::drawn(),
    };
    let [mut interrupt, mut terminate, mut hang_up] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let mut stage = Stage::build(source, &options.model)?;
    if !options.json {
        stage.introduce()?;
    }
    let mut report = Report::new(options.json);
    let limit = options.timeout.map_or(Duration::MAX, Duration::from_secs);
    let seen = async {
        let access = Access::parse(stage.broker())?;
        let mut listener = listen(&access, &mut stage).await?;
        report.begin()?;
        loop {
            let arrival = tokio::select! {
                arrival = listener.next() => arrival?,
                ended = stage.ended() => anyhow::bail!("wader ended: {ended}\n{}", stage.log()),
            };
            let answer = wire::read_answer(&arrival.payload)?;
            report.add(row(&answer, &stage, &truth))?;
            if options.answers.is_some_and(|wanted| report.answers() >= wanted && report.flipped()) {
                return Ok(());
            }
        }
    };
    let ended = tokio::select! {
        ended = timeout(limit, seen) => ended.ok().transpose(),
        // also of a terminal that is closed: the service that it began would live on
        _ = interrupt.recv() => Ok(None),
        _ = terminate.recv() => Ok(None),
        _ = hang_up.recv() => Ok(None),
    };
    stage.end().await;
    let done = ended?.is_some();
    report.summarise()?;
    Ok(match options.answers {
        Some(wanted) if !done => {
            let (got, flipped) = (report.answers(), report.flipped());
            cli::say(format_args!(
                "wader: {got} of {wanted} answers in time, {} an answer that changed with the picture",
                if flipped { "with" } else { "without" }
            ));
            exit::FAILURE
        }
        _ => exit::OK,
    })
}

/// A client of its own, as soon as there is a broker.
async fn listen(access: &Access, stage: &mut Stage) -> anyhow::Result<Listener> {
    let begun = Stamp::now();
    loop {
        match Listener::connect(access, stage::ANSWERS).await {
            Ok(listener) => return Ok(listener),
            Err(error) if Stamp::now().since(begun) > START_WITHIN => return Err(error.into()),
            Err(_) => {}
        }
        tokio::select! {
            ended = stage.ended() => anyhow::bail!("wader did not start: {ended}\n{}", stage.log()),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}

/// An answer, with what a person saw in the pictures it is about.
fn row(answer: &AnswerMessage, stage: &Stage, truth: &Recorded) -> Row {
    let (now, wall_now) = (Stamp::now(), SystemTime::now());
    let wall = |text: &Option<String>| -> Option<SystemTime> {
        text.as_ref()?.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
    };
    let stamp = |wall: SystemTime| now.earlier_by(wall_now.duration_since(wall).ok()?);
    let shown = |text| Some(stage.camera().showing(wall(text).and_then(stamp)?));
    let second = |showing| match showing {
        Showing::Footage { at_s } => Some(at_s),
        _ => None,
    };
    let saw = match (shown(&answer.window.first), shown(&answer.window.last)) {
        (Some(Showing::Drawn { at_s: first, .. }), Some(Showing::Drawn { at_s: last, .. })) => {
            truth::drawn(stage::SEED, &answer.prompt, first, last)
        }
        (Some(first), Some(last)) => truth.saw(&answer.prompt, second(first), second(last)),
        _ => Saw::Unclear,
    };
    let latency = wall(&answer.window.last).and_then(|taken| wall_now.duration_since(taken).ok());
    Row::new(answer, latency, saw)
}
