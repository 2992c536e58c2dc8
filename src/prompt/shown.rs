//! Prompts that are shown, not told: examples of each answer from the user's own camera.
//!
//! Pure: which comparisons a window asks for, how their log-odds are read, and which examples are left out in turn to
//! see whether they contradict each other.

use std::sync::Arc;

use super::{AnswerKind, PlanError, Reply, Scored, share::log_odds};
use crate::{frame::Frame, model::Examples};

/// A cell counts as part of a region when the region covers this part of it.
const COVERED: f64 = 0.25;

/// Where in the picture to look: edges in fractions of its width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Region {
    /// A region inside of the picture that holds something; `None` for any other.
    pub fn new([left, top, right, bottom]: [f64; 4]) -> Option<Self> {
        let is_part = |from: f64, to: f64| 0.0 <= from && from < to && to <= 1.0;
        (is_part(left, right) && is_part(top, bottom)).then_some(Self { left, top, right, bottom })
    }

    /// Left, top, right, bottom.
    pub const fn edges(&self) -> [f64; 4] {
        [self.left, self.top, self.right, self.bottom]
    }

    /// Which cells of a grid count (1) and which do not (0), row after row: those of which a quarter or more lies inside,
    /// or, where the region is smaller than that, those that it covers most. Models are trained and judged with this rule.
    pub fn weights(&self, [rows, columns]: [usize; 2]) -> Vec<f32> {
        let inside = |from: f64, to: f64, place: usize, places: usize| {
            let (begin, end) = (place as f64 / places as f64, (place + 1) as f64 / places as f64);
            ((to.min(end) - from.max(begin)) * places as f64).max(0.0)
        };
        let down: Vec<f64> = (0..rows).map(|row| inside(self.top, self.bottom, row, rows)).collect();
        let across: Vec<f64> = (0..columns).map(|column| inside(self.left, self.right, column, columns)).collect();
        let covered: Vec<f64> = down.iter().flat_map(|down| across.iter().map(move |across| down * across)).collect();
        let needed = covered.iter().copied().fold(0.0, f64::max).min(COVERED);
        covered.iter().map(|&part| if part >= needed { 1.0 } else { 0.0 }).collect()
    }
}

/// One example: a window of the camera, and the place of its right answer among the prompt's answers.
#[derive(Debug, Clone)]
pub struct Example {
    /// Its frames, the oldest first; of the model's size.
    pub frames: Vec<Arc<Frame>>,
    /// 0 for the first of the prompt's answers.
    pub state: usize,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where an example comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration.
    Configuration,
    /// Somebody judged an answer that was given without any lesson.
    Judged {
        /// Whether that answer was right.
        right: bool,
    },
    /// Somebody judged an answer that a lesson had given: it says nothing of how good answers are without.
    OfLesson,
}

/// What is shown with a prompt.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Where to look; `None` is everywhere.
    pub region: Option<Region>,
    /// All examples, in the user's order.
    pub examples: Vec<Example>,
    /// The share of an answer below which the prompt is unsure.
    pub min_probability: f64,
}

/// How this model compares; an error where it cannot take so many examples, or any.
pub fn fits(examples: usize, form: Option<&Examples>) -> Result<&Examples, PlanError> {
    let form = form.ok_or(PlanError::NoComparer)?;
    if examples > form.max_examples {
        return Err(PlanError::TooManyExamples { given: examples, most: form.max_examples });
    }
    Ok(form)
}

/// The comparisons that tell so many states apart: for each, the state whose examples count as state 1; all others count
/// as state 0. Two states need one comparison, more states one each.
pub fn contests(states: usize) -> std::ops::Range<usize> {
    0..if states <= 2 { 1 } else { states }
}

/// Each state's share, from the log-odds of its contests.
///
/// Log-odds of one against the rest are calibrated each, so their probabilities are brought to a sum of one as they are:
/// where they agree with each other already, that changes nothing. A softmax of log-odds would make them surer than they
/// are (0.6, 0.3 and 0.1 would become 0.74, 0.21 and 0.05).
fn shares(logits: &[f32]) -> Vec<f64> {
    let probability = |logit: f32| 1.0 / (1.0 + (-f64::from(logit)).exp());
    match logits {
        [first] => vec![probability(*first), probability(-first)],
        all => {
            // Within these bounds no probability is zero, and their sum can be divided by.
            let each: Vec<f64> = all.iter().map(|&logit| probability(logit.clamp(-500.0, 500.0))).collect();
            let sum: f64 = each.iter().sum();
            each.into_iter().map(|one| one / sum).collect()
        }
    }
}

/// The reply to a prompt with these answers, from the log-odds of its contests.
///
/// It always speaks to the question, so its mass is 1; without a picture every answer would be equally likely, so its
/// evidence is what lies beyond that.
pub fn compared_reply(labels: &[String], logits: &[f32]) -> Reply {
    let shares = shares(logits);
    let best = shares.iter().copied().fold(0.0, f64::max);
    let evidence = log_odds(best) - log_odds(1.0 / labels.len().max(2) as f64);
    let scores = labels.iter().zip(shares).map(|(label, share)| Scored { label: label.clone(), share }).collect();
    Reply::Closed { scores, mass: 1.0, evidence }
}

/// The share that the log-odds of a prompt's contests give to one of its answers.
pub fn share_of(logits: &[f32], state: usize) -> f64 {
    shares(logits).get(state).copied().unwrap_or(0.0)
}

/// An example that is asked about while it, and one of each other state, is left out of the examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which example is asked about.
    pub asked: usize,
    /// Which examples are left out, itself among them.
    pub without: Vec<usize>,
}

/// Fewer examples of a state cannot be left out in turn.
pub const ENOUGH_TO_LEARN: usize = 2;
/// Fewer answers that were confirmed do not show what the examples would spoil.
pub const ENOUGH_CONFIRMED: usize = 2;

/// Examples contradict each other: left out in turn, their right answers get too little from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("left out in turn, an example's right answer got {percent} % from the others; {needed} % are needed")]
pub struct Contradiction {
    /// What an example's right answer got from the other examples on average, in percent.
    pub percent: u32,
    /// What the model wants it to get.
    pub needed: u32,
}

/// What is still to be said of a prompt's answers before it can be seen whether examples of them would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// Too few of a state.
    #[error("{ENOUGH_TO_LEARN} examples of each answer are needed, and one has {0}")]
    Examples(usize),
    /// Too few that were right before.
    #[error(
        "{ENOUGH_CONFIRMED} answers must have been told to be right, to see what the examples would spoil, and {0} were"
    )]
    Confirmed(usize),
}

/// What is lacking in examples of a prompt with so many states, if anything is.
pub fn lacking(examples: &[Example], states: usize) -> Option<Lacking> {
    let fewest = (0..states).map(|state| examples.iter().filter(|one| one.state == state).count()).min()?;
    let confirmed = examples.iter().filter(|one| one.origin == Origin::Judged { right: true }).count();
    if fewest < ENOUGH_TO_LEARN {
        Some(Lacking::Examples(fewest))
    } else {
        (confirmed < ENOUGH_CONFIRMED).then_some(Lacking::Confirmed(confirmed))
    }
}

/// What examples would have made of the answers that somebody judged, each held against all examples but itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gain {
    /// How many answers were judged that no lesson had given.
    pub judged: usize,
    /// How many of them were right when they were given.
    pub before: usize,
    /// How many would be right with the examples.
    pub with: usize,
}

impl Gain {
    /// Whether the examples help; what makes no difference is not worth its work.
    pub const fn helps(&self) -> bool {
        self.with > self.before
    }
}

/// Fewer examples of a state say too little about each other.
const ENOUGH_TO_DOUBT: usize = 4;

/// Every way to leave out one example of each state and to ask about one of them; for two states, every pair. Empty where
/// a state has fewer than four examples.
pub fn leave_out(states_of: &[usize], states: usize) -> Vec<LeftOut> {
    let of_state: Vec<Vec<usize>> =
        (0..states).map(|state| (0..states_of.len()).filter(|&one| states_of[one] == state).collect()).collect();
    if of_state.iter().any(|examples| examples.len() < ENOUGH_TO_DOUBT) {
        return Vec::new();
    }
    let mut all = Vec::new();
    for (state, examples) in of_state.iter().enumerate() {
        let others = || of_state.iter().enumerate().filter(|(other, _)| *other != state).map(|(_, examples)| examples);
        let rounds = others().map(Vec::len).max().unwrap_or(0);
        for (place, &asked) in examples.iter().enumerate() {
            for round in 0..rounds {
                let partners = others().map(|examples| examples[(place + round) % examples.len()]);
                all.push(LeftOut { asked, without: std::iter::once(asked).chain(partners).collect() });
            }
        }
    }
    all
}

impl AnswerKind {
    /// All allowed answers, in the prompt's order; none for text.
    pub fn labels(&self) -> Vec<String> {
        match self {
            Self::YesNo => vec!["yes".to_owned(), "no".to_owned()],
            Self::Choice(choices) => choices.clone(),
            Self::Number { min, max } => (*min..=*max).map(|n| n.to_string()).collect(),
            Self::Text { .. } | Self::Json { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<String> {
        ["open", "shut", "ajar", "gone"][..count].iter().map(|label| (*label).to_owned()).collect()
    }

    fn read(logits: &[f32]) -> (Vec<f64>, f64) {
        let states = if logits.len() == 1 { 2 } else { logits.len() };
        let Reply::Closed { scores, mass, evidence } = compared_reply(&labels(states), logits) else { panic!() };
        assert_eq!(mass, 1.0);
        let sum: f64 = scores.iter().map(|scored| scored.share).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{logits:?}");
        (scores.iter().map(|scored| (scored.share * 1e4).round() / 1e4).collect(), (evidence * 1e4).round() / 1e4)
    }

    #[test]
    fn of_two_states_the_first_has_the_logits_probability() {
        assert_eq!(read(&[0.0]), (vec![0.5, 0.5], 0.0));
        assert_eq!(read(&[3_f32.ln()]), (vec![0.75, 0.25], 1.0986));
        assert_eq!(read(&[-(9_f32.ln())]), (vec![0.1, 0.9], 2.1972), "evidence is the best answer's");
        assert_eq!(read(&[400.0]).0, [1.0, 0.0]);
        assert!(read(&[f32::MAX]).1.is_finite());
    }

    #[test]
    fn a_share_is_told_by_its_state() {
        let third = share_of(&[-(3_f32.ln())], 0);
        assert!((third - 0.25).abs() < 1e-6 && (share_of(&[-(3_f32.ln())], 1) - 0.75).abs() < 1e-6);
        assert_eq!(share_of(&[0.0], 2), 0.0);
    }

    #[test]
    fn of_more_states_calibrated_probabilities_stay_what_they_are() {
        let logit = |share: f32| (share / (1.0 - share)).ln();
        let (shares, evidence) = read(&[logit(0.6), logit(0.3), logit(0.1)]);
        assert_eq!(shares, [0.6, 0.3, 0.1]);
        assert_eq!(evidence, 1.0986, "from one in three to three in five");
        assert_eq!(read(&[logit(0.9), logit(0.9), logit(0.2)]).0, [0.45, 0.45, 0.1], "two that both claim are unsure");
        assert_eq!(read(&[-90.0, -90.0, -90.0, -90.0]).0, [0.25; 4]);
        assert_eq!((contests(2), contests(3)), (0..1, 0..3));
    }

    #[test]
    fn a_region_is_the_cells_of_which_a_quarter_lies_inside() {
        let weights = |edges| Region::new(edges).unwrap().weights([2, 4]);
        assert_eq!(weights([0.0, 0.0, 1.0, 1.0]), [1.0; 8]);
        assert_eq!(weights([0.25, 0.5, 0.75, 1.0]), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(
            weights([0.1875, 0.0, 0.5, 0.5]),
            [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            "a quarter of the first"
        );
        assert_eq!(weights([0.2, 0.0, 0.5, 0.5]), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "less than a quarter");
        let tiny = weights([0.3, 0.6, 0.31, 0.62]);
        assert_eq!(tiny, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], "smaller than a quarter, and yet it is looked at");
        for wrong in [[0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.4, 1.0], [-0.1, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, f64::NAN]] {
            assert_eq!(Region::new(wrong), None);
        }
    }

    #[test]
    fn every_pair_is_left_out_once_and_both_of_it_are_asked_about() {
        let states = [0, 0, 1, 1, 1, 0, 0, 1, 1];
        let all = leave_out(&states, 2);
        assert_eq!(all.len(), 2 * 4 * 5);
        let mut pairs: Vec<Vec<usize>> = all.iter().map(|one| one.without.clone()).collect();
        assert!(all.iter().all(|one| one.without[0] == one.asked && states[one.without[1]] != states[one.asked]));
        pairs.sort();
        pairs.dedup();
        assert_eq!(pairs.len(), 2 * 4 * 5, "from either side");
        assert_eq!(leave_out(&[0, 0, 0, 0, 1, 1, 1], 2), [], "three are too few to tell");
        let three = leave_out(&[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2], 3);
        assert!(three.iter().all(|one| one.without.len() == 3));
        assert_eq!(three.len(), 4 * 5 + 4 * 5 + 5 * 4);
    }
}
