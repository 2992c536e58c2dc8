//! When a prompt is asked: hours of the week as the clock on the wall shows them.

use std::time::SystemTime;

use jiff::{
    Timestamp, Zoned,
    civil::{Time, Weekday},
    tz::TimeZone,
};

/// The end of a day, in minutes since its beginning.
pub const DAY: u16 = 24 * 60;

/// From one time of day to another, on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The days on which it begins.
    pub days: Vec<Weekday>,
    /// When it begins, in minutes since midnight.
    pub from: u16,
    /// When it has ended, in minutes since midnight, at most [`DAY`]; before `from`, it is on the next day.
    pub to: u16,
}

impl Period {
    fn holds(&self, day: Weekday, minute: u16) -> bool {
        if self.from < self.to {
            return self.days.contains(&day) && (self.from..self.to).contains(&minute);
        }
        // Over midnight: the evening of its own day, or the morning after.
        (self.days.contains(&day) && minute >= self.from) || (self.days.contains(&day.previous()) && minute < self.to)
    }
}

/// When a prompt is asked; without a period, always.
///
/// The clock on the wall decides: what it skips in spring is never shown, and what it shows twice in autumn counts twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hours(pub Vec<Period>);

impl Hours {
    /// Whether the prompt is asked at this time.
    pub fn is_active(&self, at: &Zoned) -> bool {
        let minutes = |time: Time| u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        let (day, minute) = (at.weekday(), minutes(at.time()));
        self.0.is_empty() || self.0.iter().any(|period| period.holds(day, minute))
    }

    /// Whether the prompt is asked at this moment, where the clock on the wall shows the time of this zone.
    pub fn is_active_at(&self, wall: SystemTime, zone: &TimeZone) -> bool {
        // A clock that shows no time of this era is broken: then all is asked.
        let at = Timestamp::try_from(wall).map(|at| at.to_zoned(zone.clone()));
        self.0.is_empty() || at.map_or(true, |at| self.is_active(&at))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    fn hours(days: &[Weekday], from: u16, to: u16) -> Hours {
        Hours(vec![Period { days: days.to_vec(), from: from * 60, to: to * 60 }])
    }

    /// A day of the week that begins with Monday the 2nd of March 2026, and a time of it.
    fn check(hours: &Hours, day: i8, time: (i8, i8), expected: bool) {
        let at = date(2026, 3, 1 + day).at(time.0, time.1, 59, 0).to_zoned(TimeZone::UTC).unwrap();
        assert_eq!(hours.is_active(&at), expected, "{hours:?} at {at}");
    }

    #[test]
    fn a_period_begins_with_its_first_minute_and_ends_before_its_last() {
        let morning = hours(&ALL, 8, 12);
        for (time, expected) in [((7, 59), false), ((8, 0), true), ((11, 59), true), ((12, 0), false)] {
            check(&morning, 1, time, expected);
        }
        let weekend = hours(&[Weekday::Saturday, Weekday::Sunday], 0, 24);
        for (day, expected) in [(1, false), (5, false), (6, true), (7, true)] {
            check(&weekend, day, (0, 0), expected);
            check(&weekend, day, (23, 59), expected);
        }
        check(&Hours::default(), 3, (4, 5), true);
    }

    #[test]
    fn over_midnight_a_period_belongs_to_the_day_on_which_it_begins() {
        let nights = hours(&[Weekday::Friday, Weekday::Sunday], 22, 6);
        for (day, time, expected) in [
            (5, (5, 0), false), // Friday morning is Thursday's night
            (5, (21, 59), false),
            (5, (22, 0), true),
            (5, (23, 59), true),
            (6, (0, 0), true),
            (6, (5, 59), true),
            (6, (6, 0), false),
            (6, (22, 0), false),
            (7, (22, 0), true),
            (1, (5, 59), true), // Monday morning is Sunday's night
            (2, (5, 59), false),
        ] {
            check(&nights, day, time, expected);
        }
        let until_midnight = hours(&ALL, 22, 0);
        check(&until_midnight, 2, (23, 59), true);
        check(&until_midnight, 3, (0, 0), false);
    }

    #[test]
    fn several_periods_add_up() {
        let both = Hours([hours(&ALL, 6, 8).0, hours(&[Weekday::Monday], 17, 19).0].concat());
        for (day, time, expected) in
            [(1, (7, 0), true), (1, (18, 0), true), (2, (18, 0), false), (2, (7, 0), true), (1, (12, 0), false)]
        {
            check(&both, day, time, expected);
        }
    }

    #[test]
    fn the_clock_on_the_wall_decides_when_clocks_are_changed() {
        // Central Europe, by its rule, so that no machine needs a table of zones
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let half_past_two = Hours(vec![Period { days: ALL.to_vec(), from: 150, to: 180 }]);
        let night = hours(&ALL, 22, 6);
        for (utc, in_the_half_hour, at_night) in [
            // 29 March 2026: 02:00 becomes 03:00, the half hour does not exist
            ("2026-03-29T00:59:00Z", false, true),  // 01:59
            ("2026-03-29T01:00:00Z", false, true),  // 03:00
            ("2026-03-29T01:30:00Z", false, true),  // 03:30
            ("2026-03-29T03:59:00Z", false, true),  // 05:59
            ("2026-03-29T04:00:00Z", false, false), // 06:00, after seven hours of night
            // 25 October 2026: 03:00 becomes 02:00, the half hour comes twice
            ("2026-10-25T00:30:00Z", true, true),   // 02:30, summer time
            ("2026-10-25T00:59:00Z", true, true),   // 02:59
            ("2026-10-25T01:00:00Z", false, true),  // 02:00 again
            ("2026-10-25T01:30:00Z", true, true),   // 02:30, winter time
            ("2026-10-25T02:00:00Z", false, true),  // 03:00
            ("2026-10-25T05:00:00Z", false, false), // 06:00
        ] {
            let wall = SystemTime::from(utc.parse::<Timestamp>().unwrap());
            assert_eq!(half_past_two.is_active_at(wall, &zone), in_the_half_hour, "{utc}");
            assert_eq!(night.is_active_at(wall, &zone), at_night, "{utc}");
        }
    }
}
