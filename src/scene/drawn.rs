//! The drawn world: who is where at a time, and so the truth about each drawn frame. Pure; `paint` makes the picture.
//!
//! A street seen from the side: a far and a near walkway with people, a road between them with cars. Each minute ends
//! with a stretch without anybody walking or driving, so that every question's answer changes now and then.

use super::chance::Chance;

/// A new actor may enter each slot of time, per lane.
const SLOT_S: f64 = 4.0;
/// In the last part of each minute nobody enters; crossing takes less than that.
const MINUTE_S: f64 = 60.0;
const ENTERING_S: f64 = 40.0;
/// The longest stay of anybody, standing included.
const LONGEST_STAY_S: f64 = 20.0;

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A walking or standing person.
    Person,
    /// A driving or parked car.
    Car,
}

/// Where something goes, as seen in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Heading {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// It stands.
    Still,
}

/// The colour of a person's jacket or of a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Colour {
    Red,
    Green,
    Blue,
    Yellow,
    White,
    Black,
}

impl Colour {
    const ALL: [Self; 6] = [Self::Red, Self::Green, Self::Blue, Self::Yellow, Self::White, Self::Black];

    /// As RGB.
    pub const fn rgb(self) -> [u8; 3] {
        match self {
            Self::Red => [196, 34, 30],
            Self::Green => [38, 128, 52],
            Self::Blue => [34, 66, 178],
            Self::Yellow => [226, 190, 36],
            Self::White => [232, 232, 228],
            Self::Black => [28, 28, 32],
        }
    }
}

/// Something that is to be seen in a frame; parts of it may be outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its colour.
    pub colour: Colour,
    /// Where it goes.
    pub heading: Heading,
    /// Left, top, right, bottom in fractions of the picture, y down; below 0 or above 1 is outside.
    pub bounds: [f64; 4],
    /// Which way it looks: -1 left, 1 right.
    pub(super) facing: f64,
    /// How far it has walked, in its own heights: sets the legs.
    pub(super) walked: f64,
}

impl Object {
    /// The share of it that is inside the picture; others may hide it.
    pub fn visible(&self) -> f64 {
        let [left, _, right, _] = self.bounds;
        ((right.min(1.0) - left.max(0.0)) / (right - left)).clamp(0.0, 1.0)
    }
}

/// What is true about one drawn frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Seconds since the scene's beginning.
    pub time_s: f64,
    /// How bright it is, from 0 to 1.
    pub light: f64,
    /// Whether the gate in the wall is open, if there is one.
    pub gate_open: Option<bool>,
    /// All that is at least partly in the picture, the farthest first.
    pub objects: Vec<Object>,
}

impl Truth {
    /// How many of a kind are in the picture with at least 40 % of themselves.
    pub fn count(&self, kind: Kind) -> usize {
        self.objects.iter().filter(|object| object.kind == kind && object.visible() >= 0.4).count()
    }
}

/// Where actors of one kind move, from left to right or back.
struct Lane {
    kind: Kind,
    /// Where feet or wheels are, and how high and wide an actor is, in fractions of the picture.
    ground: f64,
    height: f64,
    width: f64,
    /// Slowest and fastest, in fractions of the picture's width a second.
    speed: (f64, f64),
    /// That somebody enters in a slot.
    chance: f64,
}

/// The farthest first: nearer ones are painted over them.
const LANES: [Lane; 4] = [
    Lane { kind: Kind::Person, ground: 0.60, height: 0.22, width: 0.06, speed: (0.07, 0.12), chance: 0.35 },
    Lane { kind: Kind::Car, ground: 0.70, height: 0.14, width: 0.28, speed: (0.15, 0.35), chance: 0.18 },
    Lane { kind: Kind::Car, ground: 0.80, height: 0.17, width: 0.34, speed: (0.15, 0.35), chance: 0.12 },
    Lane { kind: Kind::Person, ground: 0.96, height: 0.40, width: 0.11, speed: (0.08, 0.14), chance: 0.30 },
];
/// In whose lane a car may be parked for a whole minute.
const PARKING_LANE: usize = 1;

/// What is true at a time of the scene with this seed. The same seed and time give the same truth, whatever was asked
/// before.
pub fn truth(seed: u64, time_s: f64) -> Truth {
    let time_s = time_s.max(0.0);
    let mut objects = Vec::new();
    for (number, lane) in LANES.iter().enumerate() {
        if number == PARKING_LANE {
            objects.extend(parked(seed, lane, time_s));
        }
        let now = (time_s / SLOT_S) as u64;
        let first = ((time_s - LONGEST_STAY_S).max(0.0) / SLOT_S) as u64;
        objects.extend((first..=now).filter_map(|slot| enter(seed, number, lane, slot, time_s)));
    }
    let light = 0.8 + 0.2 * (time_s / 31.0).cos();
    Truth { time_s, light, gate_open: None, objects }
}

/// The actor that entered a lane in a slot, if one did and is still to be seen.
fn enter(seed: u64, number: usize, lane: &Lane, slot: u64, time_s: f64) -> Option<Object> {
    let mut chance = Chance::new(&[seed, number as u64, slot]);
    let enters_s = (slot as f64 + chance.draw()) * SLOT_S;
    if chance.draw() >= lane.chance || enters_s % MINUTE_S > ENTERING_S {
        return None;
    }
    let for_s = time_s - enters_s;
    let speed = chance.between(lane.speed.0, lane.speed.1);
    let to_left = chance.draw() < 0.5;
    let colour = chance.one_of(&Colour::ALL);
    // Some people stop on the way.
    let stops = lane.kind == Kind::Person && chance.draw() < 0.3;
    let (stops_after_s, stands_s) = (chance.between(0.25, 0.75) / speed, if stops { 3.0 } else { 0.0 });
    let walks_s = if for_s < stops_after_s { for_s } else { (for_s - stands_s).max(stops_after_s) };
    let is_still = stops && for_s >= stops_after_s && for_s < stops_after_s + stands_s;
    let way = walks_s * speed - lane.width / 2.0;
    if for_s < 0.0 || way >= 1.0 + lane.width / 2.0 {
        return None;
    }
    let heading = match (is_still, to_left) {
        (true, _) => Heading::Still,
        (false, true) => Heading::Left,
        (false, false) => Heading::Right,
    };
    let centre = if to_left { 1.0 - way } else { way };
    let facing = if to_left { -1.0 } else { 1.0 };
    Some(object(lane, centre, colour, heading, facing, walks_s * speed / lane.height))
}

fn parked(seed: u64, lane: &Lane, time_s: f64) -> Option<Object> {
    let mut chance = Chance::new(&[seed, 1 << 32, (time_s / MINUTE_S) as u64]);
    let is_there = chance.draw() < 0.5;
    let (centre, colour) = (chance.between(0.2, 0.8), chance.one_of(&Colour::ALL));
    is_there.then(|| object(lane, centre, colour, Heading::Still, 1.0, 0.0))
}

fn object(lane: &Lane, centre: f64, colour: Colour, heading: Heading, facing: f64, walked: f64) -> Object {
    let half = lane.width / 2.0;
    let bounds = [centre - half, lane.ground - lane.height, centre + half, lane.ground];
    Object { kind: lane.kind, colour, heading, bounds, facing, walked }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten minutes, five times a second.
    fn ten_minutes(seed: u64) -> Vec<Truth> {
        (0..3000).map(|n| truth(seed, f64::from(n) / 5.0)).collect()
    }

    #[test]
    fn the_truth_depends_on_seed_and_time_only() {
        let forwards = ten_minutes(7);
        for (n, before) in forwards.iter().enumerate().rev() {
            assert_eq!(&truth(7, n as f64 / 5.0), before);
        }
        assert_ne!(forwards, ten_minutes(8));
    }

    #[test]
    fn every_minute_has_somebody_and_ends_with_nobody() {
        let truths = ten_minutes(1);
        for (number, minute) in truths.chunks(300).enumerate() {
            assert!(minute.iter().any(|truth| truth.count(Kind::Person) > 0), "nobody in minute {number}");
            let last = minute.last().unwrap();
            assert_eq!(last.count(Kind::Person), 0, "somebody at {} s", last.time_s);
        }
        let with_car = truths.iter().filter(|truth| truth.count(Kind::Car) > 0).count();
        assert!((600..2400).contains(&with_car), "{with_car} of 3000 frames have a car");
    }

    #[test]
    fn things_move_where_they_head() {
        for second in 0..600 {
            let (before, after) = (truth(3, f64::from(second)), truth(3, f64::from(second) + 0.04));
            // Those of one colour in one lane that are the only one of it.
            for object in &before.objects {
                let same = |other: &&Object| other.colour == object.colour && other.bounds[3] == object.bounds[3];
                let matching: Vec<&Object> = after.objects.iter().filter(same).collect();
                let [next] = matching[..] else { continue };
                if before.objects.iter().filter(same).count() != 1 || next.heading != object.heading {
                    continue;
                }
                let moved = next.bounds[0] - object.bounds[0];
                match object.heading {
                    Heading::Left => assert!(moved < 0.0 && moved > -0.02, "{object:?} moved {moved}"),
                    Heading::Right => assert!(moved > 0.0 && moved < 0.02, "{object:?} moved {moved}"),
                    Heading::Still => assert!(moved.abs() < 1e-9, "{object:?} moved {moved}"),
                }
            }
        }
    }
}
