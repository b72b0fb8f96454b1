//! How changed files are noticed, and what is said of a reload.
//!
//! All or nothing: a complete new snapshot, or the last good one. A run keeps the snapshot that it began with.
//!
//! Must not: load plugins; a signal asks for that.

use super::House;
use super::live::{Scope, look};
use portcullis_core::answer::{Changes, Difference, Names, Reload};
use portcullis_core::audit::{Origin, Stamp, events};
use portcullis_core::clock::Clock;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How often a watch that is turned off asks whether it has been turned on.
const IDLE: Duration = Duration::from_secs(2);

impl House {
    /// Says on standard error how a reload ended: who asked, by which door, and what changed.
    pub(super) fn say_reload(&self, origin: &Origin, answer: &Reload) {
        let (status, changes, faults) = match answer {
            Reload::Reloaded { changes, .. } => ("reloaded", Some(changes_value(changes)), 0),
            Reload::Kept { faults, .. } => ("kept", None, faults.len()),
        };
        let live = self.live();
        let stamp = Stamp {
            origin,
            under: &live.under,
        };
        let fields = Map::from_iter([
            ("status".to_owned(), json!(status)),
            ("changes".to_owned(), json!(changes)),
            ("fault_count".to_owned(), json!(faults)),
        ]);
        self.events()
            .emit(events::reload(&stamp, fields, self.clock.now()));
    }

    /// Looks at the files' bytes as often as the settings say. Bytes that are the same in two looks, and not those
    /// of the snapshot that holds, are read; those that do not load are tried once.
    pub(super) async fn watch(&self, origin: &Origin) {
        let (mut seen, mut refused, mut replaced) = (None, None, false);
        loop {
            let seconds = self.live().snapshot.settings.reload.poll_seconds;
            if seconds == 0 {
                tokio::time::sleep(IDLE).await;
                continue;
            }
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let dirs = self.dirs();
            if dirs.in_place().is_err() {
                // What is read through the old handles never changes again. That is said once.
                if !replaced {
                    replaced = true;
                    self.reload(origin, Scope::Yaml).await;
                }
                continue;
            }
            replaced = false;
            let live = self.live();
            let now = look(&dirs, &live);
            if now == live.seen() {
                (seen, refused) = (None, None);
                continue;
            }
            if refused.as_ref() == Some(&now) {
                continue;
            }
            // A file that is being written, or the second of two that belong together, may not be whole yet.
            if seen.as_ref() != Some(&now) {
                seen = Some(now);
                continue;
            }
            match self.reload(origin, Scope::Yaml).await {
                Reload::Reloaded { .. } => refused = None,
                Reload::Kept { .. } => refused = Some(now),
            }
        }
    }
}

/// What changed, for records.
pub(super) fn changes_value(changes: &Changes) -> Value {
    json!({
        "files": changes.files,
        "hosts": difference(&changes.hosts),
        "rules": difference(&changes.rules),
        "limits": names(&changes.limits),
        "policy": names(&changes.policy),
    })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "added": names(&difference.added),
        "removed": names(&difference.removed),
        "changed": names(&difference.changed),
    })
}

fn names(names: &Names) -> Value {
    json!({"count": names.count, "names": names.names})
}
