//! `active`: when a prompt is asked, and `timezone`: where the clock hangs that says so.

use jiff::{civil::Weekday, tz::TimeZone};

use super::{
    super::{allowed::DAYS, file, problem::suggest},
    checker::Checker,
};
use crate::prompt::{DAY, Hours, Period};

/// The periods that could be read.
pub(super) fn read(checker: &mut Checker<'_>, at: &[&str], given: &[file::Period]) -> Hours {
    let mut periods = Vec::new();
    for (number, period) in given.iter().enumerate() {
        let number = number.to_string();
        let item = [at, &[number.as_str()]].concat();
        let days = days(checker, &item, period.days.as_deref());
        let from = time(checker, &item, "from", period.from.as_deref(), 0);
        let to = time(checker, &item, "to", period.to.as_deref(), DAY);
        let (Some(days), Some(from), Some(to)) = (days, from, to) else { continue };
        if from == to || from == DAY {
            let right = "leave both out to ask all day";
            checker.wrong_key_with(&item, "begins when it ends", right);
            continue;
        }
        periods.push(Period { days, from, to });
    }
    Hours(periods)
}

fn days(checker: &mut Checker<'_>, item: &[&str], given: Option<&[String]>) -> Option<Vec<Weekday>> {
    let at = [item, &["days"]].concat();
    let Some(given) = given else { return Some(DAYS.map(|(_, day)| day).to_vec()) };
    if given.is_empty() {
        checker.wrong_with(&at, "names no day", "delete it to mean all");
        return None;
    }
    let mut days = Vec::new();
    for (number, word) in given.iter().enumerate() {
        let number = number.to_string();
        let at = [at.as_slice(), &[number.as_str()]].concat();
        match DAYS.iter().find(|(name, _)| *name == word.to_lowercase()) {
            None => {
                let right = suggest(word, DAYS.map(|(name, _)| name)).unwrap_or_default();
                checker.wrong_with(&at, "is no day of the week", right);
            }
            Some((_, day)) if days.contains(day) => checker.wrong(&at, "stands here twice"),
            Some((_, day)) => days.push(*day),
        }
    }
    days.sort_by_key(|day| day.to_monday_zero_offset());
    (days.len() == given.len()).then_some(days)
}

/// A time of day in minutes since midnight.
fn time(checker: &mut Checker<'_>, item: &[&str], key: &'static str, given: Option<&str>, default: u16) -> Option<u16> {
    let Some(given) = given else { return Some(default) };
    let minutes = parse(given);
    if minutes.is_none() {
        checker.wrong_with(&[item, &[key]].concat(), "is no time of day", "such as `\"06:30\"`, at most `\"24:00\"`");
    }
    minutes
}

fn parse(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()) && (1..=2).contains(&digits.len());
    if !two(hours) || !two(minutes) || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sum = hours * 60 + minutes;
    (minutes < 60 && sum <= DAY).then_some(sum)
}

/// A time of day as it is written.
pub(in crate::config) fn print(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The time zone that is named; `None` is that of the machine.
pub(super) fn zone(checker: &mut Checker<'_>, given: Option<&str>) -> Option<TimeZone> {
    let given = given?;
    let found = TimeZone::get(given).ok();
    if found.is_none() {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        if names.is_empty() {
            let right = "install the package `tzdata`, or delete the key to use the machine's own";
            checker.wrong_with(&["timezone"], "is not known: this machine has no table of time zones", right);
            return None;
        }
        let near = suggest(given, names.iter().map(String::as_str)).filter(|near| near.starts_with("did you mean"));
        let right = near.unwrap_or_else(|| "one such as `Europe/Berlin` or `UTC`".to_owned());
        checker.wrong_with(&["timezone"], "is no time zone", right);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_and_written() {
        for (text, minutes) in [
            ("00:00", Some(0)),
            ("6:05", Some(365)),
            ("24:00", Some(DAY)),
            ("24:01", None),
            ("12:60", None),
            ("12", None),
            ("12:5", None),
            ("+1:00", None),
            ("", None),
            ("é:00", None),
        ] {
            assert_eq!(parse(text), minutes, "{text}");
        }
        assert_eq!([0, 365, DAY].map(print), ["00:00", "06:05", "24:00"]);
    }
}
