//! From log-probabilities to the shares of the allowed answers, and to how surely a text was written.

use super::{
    AnswerKind, Ended, Plan, Reply, Scored,
    share::{best, log_odds},
};
use crate::model::Generation;

/// Reads a closed prompt's reply from the results of its rows.
///
/// `log_probabilities[row][read][token]`, as [`crate::model::Model::score`] gives them for [`Plan::rows`];
/// `blind` are the log-odds of each candidate with the gates shut ([`blind_log_odds`]).
pub fn closed_reply(plan: &Plan, log_probabilities: &[Vec<Vec<f32>>], blind: &[f64]) -> Reply {
    let (shares, mass) = shares(plan, log_probabilities);
    let best = best(&shares).unwrap_or(0);
    let evidence = match (shares.get(best), blind.get(best)) {
        (Some(&share), Some(&blind)) => log_odds(share) - blind,
        _ => 0.0,
    };
    let scores =
        plan.candidates.iter().zip(shares).map(|(c, share)| Scored { label: c.label.clone(), share }).collect();
    Reply::Closed { scores, mass, evidence }
}

/// Reads the reply to a prompt whose answer was written: this text.
pub fn written_reply(plan: &Plan, text: String, written: &Generation) -> Reply {
    // No token chosen is nothing to be unsure of: everything was forced.
    let mean = |logs: &[f32]| (logs.iter().map(|&log| f64::from(log)).sum::<f64>() / logs.len().max(1) as f64).exp();
    let probability = mean(&written.log_probabilities);
    match plan.prompt.kind {
        AnswerKind::Json { .. } => {
            Reply::Json { text, ended: written.ended, probability, mass: mean(&written.log_masses) }
        }
        _ => Reply::Text { text, finished: written.ended == Ended::Itself, probability },
    }
}

/// The log-odds of each candidate, from rows that were run with the gates shut.
///
/// They do not depend on any picture, so they are computed once per prompt.
pub fn blind_log_odds(plan: &Plan, log_probabilities: &[Vec<Vec<f32>>]) -> Vec<f64> {
    shares(plan, log_probabilities).0.into_iter().map(log_odds).collect()
}

/// Each candidate's share, and the probability of all of them together.
fn shares(plan: &Plan, log_probabilities: &[Vec<Vec<f32>>]) -> (Vec<f64>, f64) {
    let spelling_log = |spelling: &Vec<u32>| -> f64 {
        (0..spelling.len())
            .map(|n| {
                let (row, read) = plan.place(spelling, n);
                f64::from(log_probabilities[row][read][spelling[n] as usize])
            })
            .sum()
    };
    let logs: Vec<f64> = plan.candidates.iter().map(|c| log_sum_exp(c.spellings.iter().map(spelling_log))).collect();
    let all = log_sum_exp(logs.iter().copied());
    (logs.iter().map(|log| (log - all).exp()).collect(), all.exp())
}

fn log_sum_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + logs.map(|log| (log - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::PromptName,
        prompt::{AnswerKind, Prompt, words::Words},
    };

    fn plan(kind: AnswerKind) -> Plan {
        let prompt = Prompt { name: PromptName::new("p").unwrap(), ask: "is it red".into(), also: Vec::new(), kind };
        Plan::new(&prompt, &Words).unwrap()
    }

    /// One read place: these words have these probabilities, the others share the rest.
    fn place(probabilities: &[(&str, f64)]) -> Vec<f32> {
        let mut all = vec![1e-12_f64.ln() as f32; Words::COUNT];
        for (word, probability) in probabilities {
            all[Words::id(word) as usize] = probability.ln() as f32;
        }
        all
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }

    #[test]
    fn spellings_are_summed_and_share_and_mass_are_told_apart() {
        let plan = plan(AnswerKind::YesNo);
        let rows = vec![vec![place(&[("yes", 0.3), ("yeah", 0.3), ("no", 0.2), ("car", 0.2)])]];
        let Reply::Closed { scores, mass, evidence } = closed_reply(&plan, &rows, &[0.0, 0.0]) else { panic!() };
        close(scores[0].share, 0.75);
        close(scores[1].share, 0.25);
        close(mass, 0.8);
        close(evidence, 3f64.ln());
    }

    #[test]
    fn a_longer_answer_is_the_product_of_its_tokens() {
        let plan = plan(AnswerKind::Choice(vec!["stays the same".into(), "red".into()]));
        let rows = vec![vec![place(&[("stays", 0.5), ("red", 0.4)]), place(&[("the", 0.8)]), place(&[("same", 0.5)])]];
        let Reply::Closed { scores, mass, .. } = closed_reply(&plan, &rows, &[]) else { panic!() };
        close(scores[0].share, 0.2 / 0.6);
        close(mass, 0.6);
    }

    #[test]
    fn evidence_is_what_the_picture_added() {
        let plan = plan(AnswerKind::YesNo);
        let blind = blind_log_odds(&plan, &[vec![place(&[("yes", 0.5), ("no", 0.5)])]]);
        let seen = vec![vec![place(&[("yes", 0.1), ("no", 0.9)])]];
        let Reply::Closed { evidence, .. } = closed_reply(&plan, &seen, &blind) else { panic!() };
        close(evidence, 9f64.ln());
    }
}
