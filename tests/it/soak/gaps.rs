//! Which pauses in a camera's answers a fault explains. Pure.

/// A stretch of time, in seconds of the run.
pub(super) type Stretch = (f64, f64);

/// A pause that is longer than it should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gap {
    /// From one answer to the next.
    pub(super) between: Stretch,
    /// The longest part of it that no excuse covers.
    pub(super) bare: f64,
}

/// The pauses of more than `limit` seconds from the beginning of what is expected to its end.
pub(super) fn gaps(answers: &[f64], expected: Stretch, excuses: &[Stretch], limit: f64) -> Vec<Gap> {
    let (from, until) = expected;
    let mut times: Vec<f64> = answers.iter().copied().filter(|at| (from..until).contains(at)).collect();
    times.extend([from, until]);
    times.sort_by(f64::total_cmp);
    let pauses = times.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| b - a > limit);
    pauses.map(|between| Gap { between, bare: bare(between, excuses) }).collect()
}

/// The longest part of a stretch that none of these covers.
fn bare((from, until): Stretch, excuses: &[Stretch]) -> f64 {
    let mut excuses: Vec<Stretch> = excuses.iter().copied().filter(|(a, b)| *b > from && *a < until).collect();
    excuses.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut longest, mut at) = (0.0_f64, from);
    for (begins, ends) in excuses {
        longest = longest.max(begins - at);
        at = at.max(ends);
    }
    longest.max(until - at)
}

#[test]
fn a_pause_is_explained_as_far_as_excuses_reach() {
    let answers = [1.0, 2.0, 3.0, 20.0, 21.0, 22.0];
    let between = (3.0, 20.0);
    let of = |excuses: &[Stretch]| gaps(&answers, (0.0, 23.0), excuses, 5.0);
    assert_eq!(of(&[]), [Gap { between, bare: 17.0 }]);
    assert_eq!(of(&[(4.0, 18.0)]), [Gap { between, bare: 2.0 }]);
    assert_eq!(of(&[(12.0, 30.0), (0.0, 6.0)]), [Gap { between, bare: 6.0 }]);
    assert_eq!(of(&[(0.0, 15.0), (4.0, 6.0)]), [Gap { between, bare: 5.0 }]);
}

#[test]
fn silence_at_either_end_is_a_pause_too() {
    let found = gaps(&[8.0, 9.0], (0.0, 20.0), &[], 5.0);
    assert_eq!(found.iter().map(|gap| gap.between).collect::<Vec<_>>(), [(0.0, 8.0), (9.0, 20.0)]);
    assert_eq!(gaps(&[], (0.0, 4.0), &[], 5.0), []);
}
