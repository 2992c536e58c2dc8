//! What a person saw in the demo's footage: written by hand before any model answered (`tests/footage`).
//! Of the drawn street it is known by construction.

use serde::Deserialize;

use crate::scene::{self, Colour, Heading, Kind};

/// The truth of the stretch of footage that the demo plays.
#[derive(Debug, Deserialize)]
pub(super) struct Recorded {
    /// The part of the picture: left, top, right, bottom in fractions.
    pub(super) crop: [f64; 4],
    /// Where the stretch begins, in seconds of the footage.
    pub(super) from: f64,
    /// Where it ends.
    pub(super) to: f64,
    /// How many seconds each moment looks back over.
    span: f64,
    moments: Vec<Moment>,
}

/// What was to be seen in the seconds before a time of the footage; `None` where a person would call it unclear.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moment {
    newest: f64,
    person_present: Option<bool>,
    count: Option<u32>,
    walking_left: Option<bool>,
    came_in: Option<bool>,
    wearing_red: Option<bool>,
    caption_facts: Vec<String>,
}

/// What a person would have answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Saw {
    /// This.
    Answer(String),
    /// These things; free text has no single right answer.
    Facts(String),
    /// It cannot be said.
    Unclear,
}

impl Recorded {
    /// The truth that belongs to the demo's footage.
    pub(super) fn read() -> anyhow::Result<Self> {
        Ok(serde_json::from_str(include_str!("../../../tests/footage/vtest-demo.json"))?)
    }

    /// What a person saw of a prompt's question in a window whose first and last frames show these seconds of the
    /// footage; `None` is its empty background.
    pub(super) fn saw(&self, prompt: &str, first: Option<f64>, last: Option<f64>) -> Saw {
        match (first, last) {
            (None, None) => nobody(prompt),
            (Some(first), Some(last)) if first < last && last - first > self.span * 0.8 => {
                let near = |m: &&Moment| (m.newest - last).abs() <= 0.3;
                self.moments.iter().find(near).map_or(Saw::Unclear, |m| m.of(prompt))
            }
            _ => Saw::Unclear, // the window holds the end of the footage, or its beginning
        }
    }
}

impl Moment {
    fn of(&self, prompt: &str) -> Saw {
        let yes_no =
            |saw: Option<bool>| saw.map_or(Saw::Unclear, |saw| Saw::Answer(if saw { "yes" } else { "no" }.to_owned()));
        match prompt {
            "anybody" => yes_no(self.person_present),
            "to_the_left" => yes_no(self.walking_left),
            "came_in" => yes_no(self.came_in),
            "red" => yes_no(self.wearing_red),
            "how_many" => self.count.map_or(Saw::Unclear, |n| Saw::Answer(n.to_string())),
            _ if self.caption_facts.is_empty() => Saw::Facts("nobody".to_owned()),
            _ => Saw::Facts(self.caption_facts.join(", ")),
        }
    }
}

fn nobody(prompt: &str) -> Saw {
    match prompt {
        "anybody" | "to_the_left" | "came_in" | "red" => Saw::Answer("no".to_owned()),
        "how_many" => Saw::Answer("0".to_owned()),
        _ => Saw::Facts("nobody".to_owned()),
    }
}

/// What is to be seen of a prompt's question in the drawn street of a seed between two times of the scene.
pub(super) fn drawn(seed: u64, prompt: &str, first_s: f64, last_s: f64) -> Saw {
    let moments: Vec<scene::Truth> =
        (0..8).map(|i| scene::truth(seed, first_s + (last_s - first_s) * f64::from(i) / 7.0)).collect();
    let someone = |test: &dyn Fn(&scene::Object) -> bool| {
        let seen =
            |t: &&scene::Truth| t.objects.iter().any(|o| o.kind == Kind::Person && o.visible() >= 0.4 && test(o));
        moments.iter().filter(seen).count()
    };
    // seen in one picture only: a person might have missed it
    let yes_no = |times: usize| match times {
        0 => Saw::Answer("no".to_owned()),
        1 => Saw::Unclear,
        _ => Saw::Answer("yes".to_owned()),
    };
    match prompt {
        "anybody" => yes_no(someone(&|_| true)),
        "to_the_left" => yes_no(someone(&|o| o.heading == Heading::Left)),
        "red" => yes_no(someone(&|o| o.colour == Colour::Red)),
        "how_many" => Saw::Answer(moments.last().map_or(0, |t| t.count(Kind::Person)).to_string()),
        "came_in" => Saw::Unclear,
        _ => Saw::Facts(moments.last().map_or_else(String::new, facts)),
    }
}

fn facts(truth: &scene::Truth) -> String {
    let one = |o: &scene::Object| format!("{:?} {:?} {:?}", o.colour, o.kind, o.heading).to_lowercase();
    let all: Vec<String> = truth.objects.iter().filter(|o| o.visible() >= 0.4).map(one).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_footage_its_background_and_what_lies_between_are_told_apart() {
        let truth = Recorded::read().unwrap();
        assert_eq!(truth.saw("how_many", None, None), Saw::Answer("0".into()));
        assert_eq!(truth.saw("anybody", Some(70.0), None), Saw::Unclear);
        assert_eq!(truth.saw("anybody", None, Some(45.0)), Saw::Unclear);
        assert_eq!(truth.saw("anybody", Some(79.0), Some(46.8)), Saw::Unclear, "the loop's seam lies within");
        let clear = truth.moments.iter().find(|m| m.person_present == Some(true)).unwrap().newest;
        assert_eq!(truth.saw("anybody", Some(clear - 7.0), Some(clear)), Saw::Answer("yes".into()));
        assert!(truth.moments.iter().any(|m| m.person_present == Some(false)), "nobody is there at times");
    }
}
