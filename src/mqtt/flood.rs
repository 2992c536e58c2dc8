//! How often complaints of one kind are told: whoever sends nonsense without end must not make wader, its disk and its log say
//! as much again.

use std::{collections::BTreeMap, time::Duration};

use super::Code;
use crate::frame::Stamp;

/// So many of a kind are told as they come.
const AT_ONCE: u32 = 10;
/// Then one each time that this has passed.
const GAP: Duration = Duration::from_secs(1);

/// What was told of late, by kind.
#[derive(Debug, Default)]
pub(super) struct Flood(BTreeMap<&'static str, Kind>);

#[derive(Debug)]
struct Kind {
    code: Code,
    /// When all that was told would have been told, with one each [`GAP`].
    paid: Stamp,
    untold: u64,
}

impl Flood {
    /// Whether a complaint of this kind is told, and then how many were not since the last.
    pub(super) fn tell(&mut self, code: Code, now: Stamp) -> Option<u64> {
        let kind = self.0.entry(code.word()).or_insert(Kind { code, paid: now, untold: 0 });
        if kind.paid.since(now) > GAP * (AT_ONCE - 1) {
            kind.untold += 1;
            return None;
        }
        kind.paid = kind.paid.max(now).later_by(GAP);
        Some(std::mem::take(&mut kind.untold))
    }

    /// What is over: the kinds of which none came for a while, each with how many were never told.
    pub(super) fn over(&mut self, now: Stamp) -> Vec<(Code, u64)> {
        let (over, on): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.0).into_iter().partition(|(_, kind)| kind.paid <= now);
        self.0 = on;
        over.into_values().filter(|kind| kind.untold > 0).map(|kind| (kind.code, kind.untold)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Stamp {
        Stamp::after_origin(Duration::from_millis(ms))
    }

    #[test]
    fn a_flood_is_told_of_once_a_second_and_nothing_of_it_is_uncounted() {
        let mut flood = Flood::default();
        let told: Vec<u64> = (0..2000).filter_map(|number| flood.tell(Code::TooMany, at(number * 10))).collect();
        assert!((28..=30).contains(&told.len()), "ten at once, then one of each of 20 seconds: {}", told.len());
        let later = flood.over(at(60_000));
        let untold: u64 = told.iter().sum::<u64>() + later.iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(told.len() as u64 + untold, 2000);
    }

    #[test]
    fn who_errs_now_and_then_is_told_each_time_whatever_others_do() {
        let mut flood = Flood::default();
        for number in 0..1000 {
            flood.tell(Code::BadPayload, at(number));
        }
        for number in 0..20 {
            assert_eq!(flood.tell(Code::UnknownCamera, at(number * 2000)), Some(0));
        }
    }

    #[test]
    fn a_flood_that_goes_on_is_not_over() {
        let mut flood = Flood::default();
        for number in 0..30 {
            flood.tell(Code::TooMany, at(number));
        }
        assert_eq!(flood.over(at(1000)), []);
        assert_eq!(flood.over(at(10_000)), [(Code::TooMany, 20)]);
        assert_eq!(flood.over(at(20_000)), [], "told once");
    }
}
