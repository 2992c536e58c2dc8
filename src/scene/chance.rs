//! Chance that is the same on every machine and in every version: drawn scenes are test data.

/// Draws numbers from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// Begins with these words; every other list of words gives other numbers.
    pub(super) fn new(words: &[u64]) -> Self {
        Self(words.iter().fold(0x9E37_79B9_7F4A_7C15, |state, word| mix(state ^ word).wrapping_add(1)))
    }

    /// Uniform, at least 0 and below 1.
    pub(super) fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        // 53 bits: what an f64 holds exactly.
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform between two numbers.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.draw()
    }

    /// One of several, which must not be none.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[((self.draw() * all.len() as f64) as usize).min(all.len() - 1)]
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_pinned_and_even() {
        let draws: Vec<f64> = {
            let mut chance = Chance::new(&[1, 2, 3]);
            (0..10_000).map(|_| chance.draw()).collect()
        };
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert_ne!(Chance::new(&[1, 2]).draw(), Chance::new(&[2, 1]).draw());
        assert_eq!(Chance::new(&[1, 2, 3]).draw(), draws[0]);
    }
}
