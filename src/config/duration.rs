//! How lengths of time are written in the files: a number and a unit, `500ms`, `2s`, `1.5m`, `1h`.

use std::time::Duration;

/// What a right duration looks like, for error texts.
pub(super) const EXAMPLES: &str = "a number with a unit, such as `\"500ms\"`, `\"2s\"`, `\"1m\"` or `\"1h\"`";

/// The texts that [`parse`] reads, as a regular expression; it trims them.
pub(super) const PATTERN: &str = r"[0-9]+(\.[0-9]*)?\s*(ms|s|m|h)";

/// Reads a length of time; `None` when it is not one.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let number = number.trim_end();
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return None,
    };
    // To the microsecond: nothing here is finer, and 0.1 s must not become 100000001 ns.
    let micros = (seconds * 1e6).round();
    (micros <= 1e15).then(|| Duration::from_micros(micros as u64))
}

/// Writes a length of time in the largest unit that needs no fraction.
pub(super) fn print(duration: Duration) -> String {
    let millis = duration.as_millis();
    if !duration.as_micros().is_multiple_of(1000) {
        return format!("{}ms", duration.as_secs_f64() * 1000.0);
    }
    match millis {
        0 => "0s".to_owned(),
        m if m % 3_600_000 == 0 => format!("{}h", m / 3_600_000),
        m if m % 60_000 == 0 => format!("{}m", m / 60_000),
        m if m % 1000 == 0 => format!("{}s", m / 1000),
        m => format!("{m}ms"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_with_a_unit_is_a_duration_and_nothing_else_is() {
        for (text, millis) in
            [("500ms", 500), ("2s", 2000), ("1.5m", 90_000), ("1 h", 3_600_000), ("0s", 0), ("0.1s", 100)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "+1s", "2 sec", "1s2", "1e9h", "NaNs", "infs", ".5s", "1..2s", "2S"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(micros in 0..100_000_000_000_u64) {
            let duration = Duration::from_micros(micros);
            prop_assert_eq!(parse(&print(duration)), Some(duration));
        }

        #[test]
        fn what_fits_the_pattern_is_a_duration_and_nothing_else_is(text in "[ 0-9.]{1,5}(ms|s|m|h|d|us|S)?[ s]{0,1}") {
            static FITS: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
                jsonschema::validator_for(&serde_json::json!({ "pattern": format!(r"^\s*{PATTERN}\s*$") })).unwrap()
            });
            prop_assert_eq!(FITS.is_valid(&text.clone().into()), parse(&text).is_some());
        }

        #[test]
        fn no_text_panics(text in ".*") {
            parse(&text);
        }
    }
}
