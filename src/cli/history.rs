//! `wader history`: answers of the past.

use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    app,
    cli::{self, line::plain},
    store::{self, Found, Query},
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: cli::ConfigArguments,
    /// Only answers about this camera.
    #[arg(long)]
    camera: Option<String>,
    /// Only answers to this prompt.
    #[arg(long)]
    prompt: Option<String>,
    /// Only those: `answer`, `unsure`, `blind`, `stale` or `failed`.
    #[arg(long, value_parser = ["answer", "unsure", "blind", "stale", "failed"])]
    outcome: Option<String>,
    /// Not before this: how long ago (`2h`, `30m`, `7d`), or a time (`"2026-03-01 22:00"`, `2026-03-01T22:00:00Z`).
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Before this.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only where the answer or the question holds these words.
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only those that changed a state.
    #[arg(long)]
    changes: bool,
    /// The newest so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// One JSON object a line: the whole answer as it was published.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<u8> {
    let Some(loaded) = options.config.load_beside_service() else { return Ok(cli::exit::CONFIG) };
    let file = app::history_file(&loaded.config).context(cli::NO_STATE)?;
    let now = SystemTime::now();
    let zone = loaded.config.timezone.clone().unwrap_or_else(TimeZone::system);
    let when = |text: &Option<String>| text.as_deref().map(|text| when(text, now, &zone)).transpose();
    let query = Query {
        camera: options.camera.clone(),
        prompt: options.prompt.clone(),
        outcome: options.outcome.clone(),
        since: when(&options.since)?,
        until: when(&options.until)?,
        text: options.search.clone(),
        changes: options.changes,
        limit: options.limit,
    };
    let found = match store::search(&file, &query) {
        Ok(found) => found,
        Err(error @ (store::Error::Absent(_) | store::Error::Hidden { .. })) => {
            cli::say(format_args!("wader: {error}"));
            return Ok(cli::exit::UNAVAILABLE);
        }
        Err(error) => return Err(error.into()),
    };
    // the newest last, as everywhere on a terminal
    for one in found.iter().rev() {
        if options.json {
            cli::put(format_args!("{}", String::from_utf8_lossy(&one.json)))?;
        } else {
            cli::put(format_args!("{}", line(one, &zone)))?;
        }
    }
    if found.is_empty() {
        cli::say(format_args!("nothing was found in `{}`", file.display()));
    }
    if found.len() == options.limit {
        cli::say(format_args!("the newest {}; --limit shows more", options.limit));
    }
    Ok(cli::exit::OK)
}

/// One answer for people.
fn line(found: &Found, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(found.at).unwrap_or_default().to_zoned(zone.clone());
    let said = match (&found.value, &found.reason) {
        (Some(value), _) => plain(value),
        (None, reason) => format!("{} ({})", found.outcome, reason.as_deref().unwrap_or("no reason")),
    };
    // how likely one answer is among those that the model did not speak to tells nobody how sure it is
    let sure = found.probability.filter(|_| found.reason.as_deref() != Some("low_mass"));
    let sure = sure.map_or(String::new(), |probability| format!("  {probability:.2}"));
    let changed = if found.changed { "  changed" } else { "" };
    let at = at.strftime("%F %T%:z");
    format!("{at}  {}/{}  {}  {said}{sure}{changed}", found.camera, found.prompt, plain(&found.ask))
}

/// A moment: so long ago, or a time, in this zone where it names none.
fn when(text: &str, now: SystemTime, zone: &TimeZone) -> anyhow::Result<SystemTime> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.into());
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return Ok(at.to_zoned(zone.clone())?.timestamp().into());
    }
    let (digits, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => bail!("`{text}` is neither as long ago as `2h`, `30m` or `7d`, nor a time like `2026-03-01 22:00`"),
    };
    let count: f64 = digits.parse().with_context(|| format!("`{digits}` in `{text}` is no number"))?;
    let ago = Duration::try_from_secs_f64(count * seconds).with_context(|| format!("`{text}` is no time ago"))?;
    now.checked_sub(ago).with_context(|| format!("`{text}` is before all time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let seconds = |text| when(text, now, &zone).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(seconds("90s"), 999_910);
        assert_eq!(seconds("1.5h"), 994_600);
        assert_eq!(seconds("2d"), 827_200);
        assert_eq!(seconds("1970-01-02T00:00:00Z"), 86_400);
        assert_eq!(seconds("1970-01-02 01:00:00+01:00"), 86_400, "as it is printed");
        assert_eq!(seconds("1970-01-02 01:00"), 86_400, "by the clock of the zone");
        for wrong in ["soon", "2w", "-3h", "h", "1e30d"] {
            assert!(when(wrong, now, &zone).is_err(), "{wrong}");
        }
    }
}
