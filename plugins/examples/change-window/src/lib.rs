//! A validator that objects to changes outside of their window.
//!
//! Settings: `{"windows": [{"days": ["mon", "tue"], "from": "08:00", "to": "18:00"}], "tags": ["production"]}`. Times are UTC;
//! `to` is not part of the window; a window does not go over midnight: write two. Hosts without one of the tags are not
//! looked at; without `tags` all are. What reads is never objected to: a command changes something where the gate says
//! that it does (`operate`, `write`, `execute`, `redirect_output`), and where it runs another one.
//!
//! LIMIT: the gate knows of a command what its data knows. One that it takes for reading is not objected to.

use portcullis_plugin_sdk::{Context, Validator, Verdict};

const DAY_SECONDS: u64 = 86_400;
const CHANGES: [&str; 4] = ["operate", "write", "execute", "redirect_output"];
/// The first of January 1970 was a Thursday.
const DAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    windows: Vec<Window>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    days: Vec<String>,
    from: String,
    to: String,
}

struct ChangeWindow;

impl Validator for ChangeWindow {
    fn validate(context: &Context) -> Result<Verdict, String> {
        let settings: Settings = serde_json::from_str(&context.settings)
            .map_err(|fault| format!("settings: expected windows, got: {fault}"))?;
        let now = context
            .unix_time()
            .ok_or("the gate did not tell the time")?;
        // Every window is read before the first is asked, so that a broken one is not found on a Sunday only.
        let mut open = false;
        for window in &settings.windows {
            open |= is_open(window, now)?;
        }
        let meant =
            settings.tags.is_empty() || context.tags.iter().any(|tag| settings.tags.contains(tag));
        let changes = context
            .leaves
            .iter()
            .find(|leaf| CHANGES.iter().any(|kind| leaf.does(kind)));
        let runs = context.facts_named("runs").next().is_some();
        if !meant || open || (changes.is_none() && !runs) {
            return Ok(Verdict::NoObjection);
        }
        let program = changes.map_or("A wrapped command", |leaf| leaf.program());
        let reason = format!("{program} changes something, and no change window is open now.");
        Ok(Verdict::objection("outside_window", &reason))
    }
}

portcullis_plugin_sdk::validator!(ChangeWindow);

fn is_open(window: &Window, now: u64) -> Result<bool, String> {
    let today = usize::try_from((now / DAY_SECONDS) % 7).ok();
    let today = today.and_then(|at| DAYS.get(at)).copied().unwrap_or("");
    if let Some(odd) = window.days.iter().find(|day| !DAYS.contains(&day.as_str())) {
        return Err(format!(
            "settings: expected a day as mon, tue, …, got {odd:?}"
        ));
    }
    let (from, to) = (seconds(&window.from)?, seconds(&window.to)?);
    if from >= to {
        return Err(format!(
            "settings: expected `from` before `to`, got {} and {}",
            window.from, window.to
        ));
    }
    let time = now % DAY_SECONDS;
    Ok(window.days.iter().any(|day| day == today) && (from..to).contains(&time))
}

/// `HH:MM` as seconds of the day; `24:00` is its end.
fn seconds(text: &str) -> Result<u64, String> {
    let fault = || format!("settings: expected a time as HH:MM, got {text:?}");
    let (hours, minutes) = text.split_once(':').ok_or_else(fault)?;
    let two = |text: &str| match text.as_bytes() {
        [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => text.parse::<u64>().ok(),
        _ => None,
    };
    let (hours, minutes) = two(hours).zip(two(minutes)).ok_or_else(fault)?;
    let seconds = hours * 3_600 + minutes * 60;
    if minutes > 59 || seconds > DAY_SECONDS {
        return Err(fault());
    }
    Ok(seconds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SETTINGS: &str =
        r#"{"windows": [{"days": ["mon", "sat"], "from": "08:00", "to": "18:00"}]}"#;
    /// Monday, 30 November 2026, 00:00 UTC.
    const MONDAY: u64 = 1795996800;

    fn check(time: u64, capability: &str) -> Verdict {
        let mut context = Context::of(&["systemctl restart nginx"], SETTINGS);
        for leaf in &mut context.leaves {
            leaf.capabilities.push(capability.to_owned());
        }
        context
            .facts
            .push(("unix-time".to_owned(), time.to_string()));
        ChangeWindow::validate(&context).unwrap()
    }

    #[test]
    fn a_window_begins_with_its_first_second_and_ends_before_its_last() {
        for (time, open) in [
            (MONDAY + 8 * 3_600 - 1, false),
            (MONDAY + 8 * 3_600, true),
            (MONDAY + 18 * 3_600 - 1, true),
            (MONDAY + 18 * 3_600, false),
            (MONDAY + DAY_SECONDS + 9 * 3_600, false),
            (MONDAY - 2 * DAY_SECONDS + 9 * 3_600, true),
        ] {
            let verdict = check(time, "operate");
            assert_eq!(matches!(verdict, Verdict::NoObjection), open, "{time}");
        }
    }

    #[test]
    fn reading_is_never_objected_to() {
        assert!(matches!(check(MONDAY, "network"), Verdict::NoObjection));
    }

    #[test]
    fn broken_settings_and_a_missing_time_are_errors() {
        let mut context = Context::of(&["ls"], SETTINGS);
        assert!(ChangeWindow::validate(&context).is_err());
        context.facts.push(("unix-time".to_owned(), "0".to_owned()));
        assert!(ChangeWindow::validate(&context).is_ok());
        for window in [
            r#"{"days": ["monday"], "from": "08:00", "to": "18:00"}"#,
            r#"{"days": ["mon"], "from": "8:00", "to": "18:00"}"#,
            r#"{"days": ["mon"], "from": "18:00", "to": "08:00"}"#,
            r#"{"days": ["mon"], "from": "08:00", "to": "24:01"}"#,
        ] {
            context.settings = format!(r#"{{"windows": [{window}]}}"#);
            assert!(ChangeWindow::validate(&context).is_err(), "{window}");
        }
    }
}
