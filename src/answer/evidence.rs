//! Whether answers owe anything to the picture: a prompt whose answers do not is better worded anew.
//!
//! Pure: evidence in, a verdict out.

use std::collections::VecDeque;

/// So many answers are looked at together.
const ANSWERS: usize = 50;
/// Log-odds. Answers that differ less than this from those without the picture would hardly have been others.
const LITTLE: f64 = 0.1;

/// Follows the evidence of one prompt's answers.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    latest: VecDeque<f64>,
    told: bool,
}

impl Evidence {
    /// Takes the evidence of the next answer. True once, when the newest fifty answers owe next to nothing to the picture;
    /// again only after some did.
    pub fn take(&mut self, evidence: f64) -> bool {
        if self.latest.len() == ANSWERS {
            self.latest.pop_front();
        }
        self.latest.push_back(evidence.abs());
        let is_little = self.latest.iter().all(|&one| one < LITTLE);
        let tell = is_little && self.latest.len() == ANSWERS && !self.told;
        self.told = is_little && (self.told || tell);
        tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_owe_nothing_to_the_picture_are_told_of_once() {
        let mut evidence = Evidence::default();
        let mut told = |values: &[f64]| -> Vec<usize> {
            (1..).zip(values).filter(|&(_, &value)| evidence.take(value)).map(|(place, _)| place).collect()
        };
        assert!(told(&[0.05; 49]).is_empty(), "too few to tell");
        assert_eq!(told(&[-0.05; 60]), [1], "once");
        assert!(told(&[2.0]).is_empty());
        assert!(told(&[0.0; 49]).is_empty(), "one of the newest owed much");
        assert_eq!(told(&[0.0; 9]), [1]);
        assert!(!Evidence::default().take(f64::NAN));
    }
}
