//! What goes wrong, drawn by chance that can be repeated.

use std::time::Duration;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nobody listens where cameras were.
    Killed,
    /// Connections stay, and carry nothing; it comes later.
    Silent,
    /// What is sent is lost.
    Unplugged,
    /// Connections are reset every two seconds.
    Resets,
    /// Packets are lost, moved, and have bits flipped.
    Corrupted,
    /// The camera's password is another than the configuration's.
    WrongPassword,
    /// The broker is killed, and back with nothing in memory.
    BrokerKilled,
    /// The broker stops and starts as it should.
    BrokerRestarted,
    /// The way to the broker stays, and carries nothing.
    BrokerFrozen,
    /// The broker comes back without anything that it kept.
    BrokerWiped,
    /// The configuration holds a mistake.
    BadEdit,
    /// A setting of one camera is another.
    GoodEdit,
    /// A camera is added, and taken away.
    Added,
    /// A SIGHUP, with nothing to be found.
    HangUp,
    /// Twice as many busy processes as there are processors.
    Load,
}

impl Kind {
    pub(super) const ALL: [Self; 15] = [
        Self::Killed,
        Self::Silent,
        Self::Unplugged,
        Self::Resets,
        Self::Corrupted,
        Self::WrongPassword,
        Self::BrokerKilled,
        Self::BrokerRestarted,
        Self::BrokerFrozen,
        Self::BrokerWiped,
        Self::BadEdit,
        Self::GoodEdit,
        Self::Added,
        Self::HangUp,
        Self::Load,
    ];

    /// How it is called in reports.
    pub(super) fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push(' ');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }

    /// Whether it is one of cameras.
    const fn is_of_cameras(self) -> bool {
        matches!(self, Self::Killed | Self::Silent | Self::Unplugged | Self::Resets | Self::Corrupted)
    }

    /// Whether it keeps answers from arriving in time.
    pub(super) const fn is_of_broker(self) -> bool {
        matches!(self, Self::BrokerKilled | Self::BrokerRestarted | Self::BrokerFrozen | Self::BrokerWiped)
    }
}

/// One fault to come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// The numbers of the cameras that it concerns, where it is one of cameras.
    pub(super) cameras: Vec<usize>,
    pub(super) length: Duration,
}

/// All kinds in an order of chance, over and over: so none is left out for long.
pub(super) struct Deck {
    chance: fastrand::Rng,
    left: Vec<Kind>,
}

impl Deck {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: fastrand::Rng::with_seed(seed), left: Vec::new() }
    }

    /// The next, which is over before the one after it.
    pub(super) fn draw(&mut self, cameras: usize, every: Duration) -> Fault {
        if self.left.is_empty() {
            self.left = Kind::ALL.into();
            self.chance.shuffle(&mut self.left);
        }
        let kind = self.left.pop().unwrap();
        let most = if kind.is_of_cameras() { cameras.div_ceil(4) } else { 1 };
        let mut numbers: Vec<usize> = (0..cameras).collect();
        self.chance.shuffle(&mut numbers);
        numbers.truncate(self.chance.usize(1..=most));
        Fault { kind, cameras: numbers, length: every.mul_f64(0.1 + 0.7 * self.chance.f64()) }
    }
}

#[test]
fn the_same_seed_draws_the_same_faults_and_each_kind_once_a_round() {
    let every = Duration::from_secs(30);
    let draw = |seed| {
        let mut deck = Deck::new(seed);
        (0..15).map(|_| deck.draw(16, every)).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let mut kinds: Vec<Kind> = draw(3).iter().map(|fault| fault.kind).collect();
    kinds.sort();
    assert_eq!(kinds, Kind::ALL);
    let in_bounds = |fault: &Fault| fault.length < every && (1..=4).contains(&fault.cameras.len());
    assert!(draw(4).iter().all(in_bounds));
    assert_eq!(Kind::BrokerKilled.name(), "broker killed");
}
