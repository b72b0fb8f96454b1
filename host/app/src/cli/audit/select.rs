//! Which records somebody wants to see.

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use portcullis_core::audit::chain;
use portcullis_core::clock::Micros;
use serde_json::Value;
use std::time::Duration;

/// Longest time that may lie between now and `--since`, in days.
const DAYS_MAX: u64 = 36_500;

/// Which records.
#[derive(Debug, Clone, Args)]
pub(super) struct Select {
    /// Only records of this kind, e.g. run_open, run_close, refused, plan, reload. May be given more than once.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only records about this host. May be given more than once.
    #[arg(long, value_name = "ALIAS")]
    alias: Vec<String>,
    /// Only records from then on: an instant (2026-11-28T22:00:00Z), a day (2026-11-28, UTC), or how long ago
    /// (90s, 15m, 2h, 7d).
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Micros>,
}

impl Select {
    /// Whether a record is wanted.
    pub(super) fn wants(&self, line: &[u8]) -> bool {
        let Some(peek) = chain::peek(line) else {
            return false;
        };
        if self.since.is_some_and(|since| peek.at < since) {
            return false;
        }
        if !self.kind.is_empty() && !self.kind.iter().any(|kind| kind == peek.kind) {
            return false;
        }
        if self.alias.is_empty() {
            return true;
        }
        let record: Value = serde_json::from_slice(line).unwrap_or_default();
        let alias = record.get("alias").and_then(Value::as_str);
        alias.is_some_and(|alias| self.alias.iter().any(|wanted| wanted == alias))
    }
}

/// Reads an instant, a day, or how long ago.
pub(super) fn when(text: &str) -> Result<Micros, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return micros(at);
    }
    if let Ok(day) = text.parse::<Date>() {
        let at = day
            .to_zoned(TimeZone::UTC)
            .map_err(|fault| fault.to_string())?;
        return micros(at.timestamp());
    }
    let ago = ago(text).ok_or_else(|| {
        format!("expected an instant, a day, or how long ago (90s, 15m, 2h, 7d), got {text:?}")
    })?;
    let at = Timestamp::now()
        .checked_sub(ago)
        .map_err(|fault| fault.to_string())?;
    micros(at)
}

fn micros(at: Timestamp) -> Result<Micros, String> {
    u64::try_from(at.as_microsecond())
        .map(Micros)
        .map_err(|_| "expected an instant after 1970".to_owned())
}

fn ago(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let all = count.checked_mul(seconds)?;
    (all <= DAYS_MAX * 86_400).then_some(Duration::from_secs(all))
}

/// An instant as RFC 3339 says, in UTC.
pub(in crate::cli) fn rfc3339(at: Micros) -> String {
    let at = i64::try_from(at.0).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(at)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_instant_a_day_and_how_long_ago_are_read_and_nothing_else() {
        let at = when("2026-11-28T22:00:00Z").unwrap();
        assert_eq!(rfc3339(at), "2026-11-28T22:00:00Z");
        assert_eq!(rfc3339(when("2026-11-28").unwrap()), "2026-11-28T00:00:00Z");
        let (hour, day) = (when("1h").unwrap(), when("1d").unwrap());
        assert!(day < hour && hour.0 - day.0 > 22 * 3_600 * 1_000_000);
        for text in ["", "h", "1w", "-1h", "99999999d", "yesterday", "1\u{661}h"] {
            assert!(when(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn records_are_chosen_by_kind_host_and_time() {
        let line = |kind: &str, ts: u64, alias: &str| {
            let zeros = "0".repeat(64);
            format!(
                r#"{{"seq":1,"prev":"{zeros}","kind":"{kind}","ts":{ts},"v":1,"alias":"{alias}","mac":"{zeros}"}}"#
            )
        };
        let select = Select {
            kind: vec!["plan".to_owned(), "refused".to_owned()],
            alias: vec!["web1".to_owned()],
            since: Some(Micros(50)),
        };
        for (kind, ts, alias, wanted) in [
            ("plan", 50, "web1", true),
            ("refused", 99, "web1", true),
            ("read", 99, "web1", false),
            ("plan", 49, "web1", false),
            ("plan", 50, "web", false),
        ] {
            let line = line(kind, ts, alias);
            assert_eq!(select.wants(line.as_bytes()), wanted, "{line}");
        }
        assert!(!select.wants(b"not a record"));
    }
}
