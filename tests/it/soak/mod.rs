//! The soak: wader with many cameras, and a fault every few seconds, for as long as one likes. What it held at the end that it
//! did not hold at the beginning, and each pause in a camera's answers that no fault explains.

mod cameras;
mod fault;
mod findings;
mod gaps;
mod measure;
mod plot;
mod report;
mod rig;
mod witness;

use std::time::Duration;

use fault::Deck;
use findings::{Findings, Run};
use measure::Sample;
use rig::Rig;

use crate::support::faults::say;

/// From one look at the process to the next.
const LOOK: Duration = Duration::from_secs(10);

/// What is run, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) cameras: usize,
    pub(super) length: Duration,
    pub(super) fault_every: Duration,
    pub(super) seed: u64,
}

impl Plan {
    /// What `./x soak` was given.
    fn of_environment() -> Self {
        let given = |name: &str| std::env::var(name).ok().map(|text| text.parse::<f64>().expect(name));
        let seconds =
            |name: &str, unit: f64, default: f64| Duration::from_secs_f64(given(name).unwrap_or(default) * unit);
        Self {
            cameras: given("WADER_SOAK_CAMERAS").map_or(16, |count| (count as usize).clamp(1, 64)),
            length: seconds("WADER_SOAK_MINUTES", 60.0, 120.0),
            fault_every: seconds("WADER_SOAK_FAULT_EVERY", 1.0, 30.0).max(Duration::from_secs(5)),
            seed: given("WADER_SOAK_SEED").map_or_else(|| fastrand::u64(..1 << 32), |seed| seed as u64),
        }
    }
}

/// Runs it to its end.
async fn soak(plan: Plan) -> Run {
    say(&format!("{plan:?}"));
    let mut rig = Rig::start(plan.cameras, plan.seed).await;
    let before = rig.quiet().await;
    let mut looks = measure::Looks::start(rig.service.pid(), rig.clock, LOOK);
    let (begun, mut deck) = (rig.clock.now(), Deck::new(plan.seed));
    let (mut next, end) = (begun + plan.fault_every.as_secs_f64(), begun + plan.length.as_secs_f64());
    while next + plan.fault_every.as_secs_f64() <= end {
        rig.clock.until(next).await;
        rig.suffer(deck.draw(plan.cameras, plan.fault_every)).await;
        next = (next + plan.fault_every.as_secs_f64()).max(rig.clock.now());
        say(&rig.so_far(looks.last()));
    }
    rig.clock.until(end).await;
    let ended = rig.settled().await;
    let after: Sample = rig.quiet().await;
    let samples = looks.end();
    Run { plan, begun, ended, before, after, samples, past: rig.end().await }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_faults_leaves_no_trace() {
    let plan = Plan {
        cameras: 4,
        length: Duration::from_secs(60),
        fault_every: Duration::from_secs(10),
        seed: std::env::var("WADER_SOAK_SEED").map_or_else(|_| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap()),
    };
    let run = soak(plan).await;
    let findings = Findings::of(&run);
    say(&format!("{:#}", findings.json(&run)));
    assert!(findings.complaints.is_empty(), "{:#?}", findings.complaints);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./x soak"]
async fn for_as_long_as_one_likes() {
    let run = soak(Plan::of_environment()).await;
    let findings = Findings::of(&run);
    report::write(&run, &findings);
    assert!(findings.complaints.is_empty(), "{:#?}", findings.complaints);
}
