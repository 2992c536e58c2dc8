//! Sees that the broker lags: nothing acknowledged, or one message passed over. Told the time, and pure.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::mqtt::outbox::Ticket;

/// How the broker lags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Nothing was acknowledged.
    All,
    /// Later messages were acknowledged, this one was not. A broker has to acknowledge in order, so it has forgotten it.
    One,
}

/// The messages that are to be acknowledged, and since when they are waited for.
#[derive(Debug)]
pub(super) struct Outstanding {
    within: Duration,
    /// When the last acknowledgement came, or the first of these messages was sent.
    moved: Instant,
    /// Of each, when a later one was acknowledged before it.
    passed_over: BTreeMap<Ticket, Option<Instant>>,
}

impl Outstanding {
    /// None yet; an acknowledgement may take so long.
    pub(super) const fn new(within: Duration, now: Instant) -> Self {
        Self { within, moved: now, passed_over: BTreeMap::new() }
    }

    /// A message was sent.
    pub(super) fn sent(&mut self, ticket: Ticket, now: Instant) {
        if self.passed_over.is_empty() {
            self.moved = now;
        }
        self.passed_over.insert(ticket, None);
    }

    /// A message was acknowledged.
    pub(super) fn acknowledged(&mut self, ticket: Ticket, now: Instant) {
        self.moved = now;
        self.passed_over.remove(&ticket);
        for (_, since) in self.passed_over.range_mut(..ticket) {
            since.get_or_insert(now);
        }
    }

    /// When the broker is to be given up, and why, unless it acknowledges something before.
    pub(super) fn due(&self) -> Option<(Instant, Overdue)> {
        let all = (!self.passed_over.is_empty()).then_some((self.moved, Overdue::All))?;
        let one = self
            .passed_over
            .values()
            .filter_map(|since| since.map(|since| (since, Overdue::One)))
            .min_by_key(|one| one.0);
        let (since, why) = one.filter(|one| one.0 < all.0).unwrap_or(all);
        Some((since + self.within, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_broker_has_its_time_from_the_last_acknowledgement_and_for_each_message() {
        let (within, begun) = (Duration::from_secs(8), Instant::now());
        let at = |second| begun + Duration::from_secs(second);
        let mut outstanding = Outstanding::new(within, at(0));
        assert_eq!(outstanding.due(), None);
        for ticket in 1..=4 {
            outstanding.sent(Ticket::of(ticket), at(2));
        }
        assert_eq!(outstanding.due(), Some((at(10), Overdue::All)));
        outstanding.acknowledged(Ticket::of(1), at(5));
        assert_eq!(outstanding.due(), Some((at(13), Overdue::All)), "one after the other is no lag");
        outstanding.acknowledged(Ticket::of(3), at(6));
        outstanding.acknowledged(Ticket::of(4), at(9));
        assert_eq!(outstanding.due(), Some((at(14), Overdue::One)));
        outstanding.acknowledged(Ticket::of(2), at(10));
        assert_eq!(outstanding.due(), None);
        outstanding.sent(Ticket::of(5), at(20));
        assert_eq!(outstanding.due(), Some((at(28), Overdue::All)), "a quiet hour is no lag");
    }
}
