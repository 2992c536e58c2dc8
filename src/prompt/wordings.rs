//! One question in several wordings: what is made of what was said to each.
//!
//! Pure: all wordings are asked about one window, and one reply comes of it.

use super::{
    Prompt, Reply, Scored,
    share::{best, log_odds},
};

/// A wording that gives its answer this much is sure of it: the built-in `min_probability`, above which it would be an
/// answer if it were asked alone. Below it two wordings do not contradict each other; they do not know.
const SURE: f64 = 0.6;

/// The least share that counts, as numbers are no more exact than this: else one wording's rounded zero would overrule
/// all others.
const LEAST: f64 = 1e-9;

/// A way to ask a prompt's question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wording {
    /// The question.
    pub ask: String,
    /// Whether its yes is the prompt's no.
    pub negated: bool,
}

/// What the model said to one wording, in that wording's own sense.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Said {
    /// The wording.
    pub ask: String,
    /// The best answer to it.
    pub answer: String,
    /// That answer's share in percent.
    pub percent: u32,
}

/// The reply to one wording, and what it is held against.
#[derive(Debug, Clone, Copy)]
pub struct Worded<'a> {
    /// The wording.
    pub wording: &'a Wording,
    /// The scored reply to it.
    pub reply: &'a Reply,
    /// The log-odds of its answers with the gates shut.
    pub blind: &'a [f64],
}

impl Prompt {
    /// All ways in which it is asked, its own first.
    pub fn wordings(&self) -> Vec<Wording> {
        let own = Wording { ask: self.ask.clone(), negated: false };
        std::iter::once(own).chain(self.also.iter().cloned()).collect()
    }
}

/// The one reply to all wordings; `None` where one of them was not scored.
///
/// Of each answer the mean of its log-shares, brought to a sum of one: a wording that is sure weighs more than one that
/// wavers, and agreement makes nobody surer. Mass is the smallest, since a wording that the model did not speak to has no
/// say. Evidence is the mean of what the best answer owes to the picture in each wording.
pub fn combined_reply(worded: &[Worded<'_>]) -> Option<Reply> {
    let (mut shares, mut blinds, mut said) = (Vec::new(), Vec::new(), Vec::new());
    let (mut labels, mut least_mass) = (Vec::new(), 1.0);
    for Worded { wording, reply, blind } in worded {
        let Reply::Closed { scores, mass, .. } = reply else { return None };
        let mut own: Vec<f64> = scores.iter().map(|scored| scored.share).collect();
        let mut blind = blind.to_vec();
        let best = best(&own)?;
        said.push(Said {
            ask: wording.ask.clone(),
            answer: scores[best].label.clone(),
            percent: (own[best] * 100.0).round() as u32,
        });
        if labels.is_empty() {
            labels.extend(scores.iter().map(|scored| scored.label.clone()));
        }
        if wording.negated {
            own.reverse();
            blind.reverse();
        }
        shares.push(own);
        blinds.push(blind);
        // what is no number stays none, for the reader to see
        least_mass = if *mass < least_mass || mass.is_nan() { *mass } else { least_mass };
    }
    let combined = combined(&shares, labels.len())?;
    let best_of_all = best(&combined)?;
    let owed =
        shares.iter().zip(&blinds).map(|(own, blind)| Some(log_odds(own[best_of_all]) - blind.get(best_of_all)?));
    let evidence = owed.collect::<Option<Vec<f64>>>()?.iter().sum::<f64>() / shares.len() as f64;
    let contradict = contradict(&shares);
    let scores = labels.into_iter().zip(combined).map(|(label, share)| Scored { label, share }).collect();
    Some(match contradict {
        true => Reply::Inconsistent { scores, mass: least_mass, evidence, said },
        false => Reply::Closed { scores, mass: least_mass, evidence },
    })
}

/// The geometric mean of the shares; `None` where the wordings do not have the same answers.
fn combined(shares: &[Vec<f64>], answers: usize) -> Option<Vec<f64>> {
    if shares.iter().any(|own| own.len() != answers) {
        return None;
    }
    let mean = |answer: usize| {
        let logs = shares.iter().map(|own| own[answer].clamp(LEAST, 1.0).ln());
        (logs.sum::<f64>() / shares.len() as f64).exp()
    };
    let means: Vec<f64> = (0..answers).map(mean).collect();
    let sum: f64 = means.iter().sum();
    Some(means.into_iter().map(|mean| mean / sum).collect())
}

/// Whether two wordings are each sure of another answer.
fn contradict(shares: &[Vec<f64>]) -> bool {
    let sure = shares.iter().filter_map(|own| best(own).filter(|&best| own[best] >= SURE));
    let mut sure = sure.collect::<Vec<_>>();
    sure.dedup();
    sure.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wording, whether it is negated, its shares of the answers, its mass.
    type Told<'a> = (&'a str, bool, &'a [f64], f64);

    /// Shares, mass and evidence in thousandths.
    type Expected<'a> = (&'a [i64], i64, i64);

    /// The reply to these wordings, whose answers without the picture are equally likely.
    fn reply(told: &[Told<'_>]) -> Option<Reply> {
        let labels: &[&str] = if told[0].2.len() == 2 { &["yes", "no"] } else { &["red", "green", "blue"] };
        let each: Vec<(Wording, Reply, Vec<f64>)> = told
            .iter()
            .map(|&(ask, negated, shares, mass)| {
                let scored =
                    labels.iter().zip(shares).map(|(label, &share)| Scored { label: (*label).to_owned(), share });
                let reply = Reply::Closed { scores: scored.collect(), mass, evidence: 0.0 };
                let blind = vec![log_odds(1.0 / shares.len() as f64); shares.len()];
                (Wording { ask: ask.to_owned(), negated }, reply, blind)
            })
            .collect();
        let worded: Vec<Worded<'_>> =
            each.iter().map(|(wording, reply, blind)| Worded { wording, reply, blind }).collect();
        combined_reply(&worded)
    }

    /// Shares, mass and evidence in thousandths, and whether the wordings contradict each other.
    fn read(told: &[Told<'_>]) -> (Vec<i64>, i64, i64, bool) {
        let thousandths = |x: f64| (x * 1000.0).round() as i64;
        let reply = reply(told).unwrap();
        let contradict = matches!(reply, Reply::Inconsistent { .. });
        let (Reply::Closed { scores, mass, evidence } | Reply::Inconsistent { scores, mass, evidence, .. }) = reply
        else {
            panic!()
        };
        let shares = scores.iter().map(|scored| thousandths(scored.share)).collect();
        (shares, thousandths(mass), thousandths(evidence), contradict)
    }

    #[test]
    fn wordings_are_one_reply() {
        let cases: [(&[Told<'_>], Expected<'_>); 7] = [
            // agreement makes nobody surer; the smallest mass counts
            (&[("a", false, &[0.8, 0.2], 0.9), ("b", false, &[0.8, 0.2], 0.7)], (&[800, 200], 700, 1386)),
            // log-odds of 9 and 1, their mean of 3
            (&[("a", false, &[0.9, 0.1], 1.0), ("b", false, &[0.5, 0.5], 1.0)], (&[750, 250], 1000, 1099)),
            // the negation's no is a yes
            (&[("a", false, &[0.8, 0.2], 1.0), ("b", true, &[0.2, 0.8], 1.0)], (&[800, 200], 1000, 1386)),
            (&[("a", false, &[0.9, 0.1], 1.0), ("b", true, &[0.5, 0.5], 0.4)], (&[750, 250], 400, 1099)),
            // three answers: 0.6 and 0.6, 0.3 and 0.1, 0.1 and 0.3
            (
                &[("a", false, &[0.6, 0.3, 0.1], 1.0), ("b", false, &[0.6, 0.1, 0.3], 1.0)],
                (&[634, 183, 183], 1000, 1099),
            ),
            // a zero is no veto
            (&[("a", false, &[0.0, 1.0], 1.0), ("b", false, &[0.5, 0.5], 1.0)], (&[0, 1000], 1000, 10362)),
            // who is not sure contradicts nobody; the surer one wins
            (&[("a", false, &[0.59, 0.41], 1.0), ("b", false, &[0.2, 0.8], 1.0)], (&[375, 625], 1000, 511)),
        ];
        for (told, (shares, mass, evidence)) in cases {
            assert_eq!(read(told), (shares.to_vec(), mass, evidence, false), "{told:?}");
        }
    }

    #[test]
    fn two_that_are_sure_of_different_answers_contradict_each_other() {
        let cases: [(&[Told<'_>], bool); 6] = [
            (&[("a", false, &[0.6, 0.4], 1.0), ("b", false, &[0.4, 0.6], 1.0)], true),
            (&[("a", false, &[0.6, 0.4], 1.0), ("b", true, &[0.4, 0.6], 1.0)], false),
            (&[("a", false, &[0.9, 0.1], 1.0), ("b", true, &[0.9, 0.1], 1.0)], true),
            (&[("a", false, &[0.599, 0.401], 1.0), ("b", false, &[0.0, 1.0], 1.0)], false),
            (&[("a", false, &[0.9, 0.1], 1.0), ("b", false, &[0.5, 0.5], 1.0), ("c", false, &[0.1, 0.9], 1.0)], true),
            (&[("a", false, &[0.7, 0.2, 0.1], 1.0), ("b", false, &[0.4, 0.5, 0.1], 1.0)], false),
        ];
        for (told, expected) in cases {
            assert_eq!(read(told).3, expected, "{told:?}");
        }
    }

    #[test]
    fn a_contradiction_tells_what_each_wording_said_in_its_own_sense() {
        let told: &[Told<'_>] = &[("is it", false, &[0.93, 0.07], 0.9), ("is it not", true, &[0.81, 0.19], 0.5)];
        let Some(Reply::Inconsistent { said, mass, .. }) = reply(told) else { panic!() };
        let said: Vec<_> = said.iter().map(|one| (one.ask.as_str(), one.answer.as_str(), one.percent)).collect();
        assert_eq!((said.as_slice(), mass), (&[("is it", "yes", 93), ("is it not", "yes", 81)][..], 0.5));
    }

    #[test]
    fn what_is_no_number_stays_none_and_what_is_not_scored_is_no_reply() {
        let nan: &[Told<'_>] = &[("a", false, &[f64::NAN, 0.2], f64::NAN), ("b", false, &[0.8, 0.2], 0.7)];
        let Some(Reply::Closed { scores, mass, .. }) = reply(nan) else { panic!() };
        assert!(mass.is_nan() && scores[0].share.is_nan());
        let wording = Wording { ask: "a".to_owned(), negated: false };
        let unknown = Reply::UnknownWords(Vec::new());
        assert_eq!(combined_reply(&[Worded { wording: &wording, reply: &unknown, blind: &[] }]), None);
        assert_eq!(combined_reply(&[]), None);
    }
}
