//! The shares of a closed question's answers: which is the best, and how sure it is.

/// Shares beyond these are not believed to be more than numeric noise; keeps log-odds finite.
const CERTAIN: f64 = 1.0 - 1e-9;

/// The number of the largest share; of equal ones the first.
pub(super) fn best(shares: &[f64]) -> Option<usize> {
    (0..shares.len()).reduce(|best, one| if shares[one] > shares[best] { one } else { best })
}

/// The log-odds of a share, finite for any.
pub(super) fn log_odds(share: f64) -> f64 {
    let share = share.clamp(1.0 - CERTAIN, CERTAIN);
    (share / (1.0 - share)).ln()
}
