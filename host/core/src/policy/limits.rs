//! The limits that hold for one host, after overrides.
//!
//! Order: built-in values, then `limits`, then the overrides of the host's tags, then the override of
//! its alias. Between tags the strictest value of a key holds, whatever their order on the host, and
//! their `deny_substrings` unite; what the alias sets is final, because it is written for this one host.
//!
//! Must not: read files or judge commands.

use super::held::Mode;
use super::tripwire;
use crate::inventory::Host;
use crate::limits;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Effective limits for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Wall time of a run in seconds, 1 to [`limits::RUN_SECONDS_MAX`].
    pub max_seconds: u64,
    /// Output shown, both streams together, in bytes, up to [`limits::OUTPUT_BYTES_MAX`].
    pub max_output_bytes: u64,
    /// Output after which the command is ended, in bytes.
    pub output_hard_stop_bytes: u64,
    /// Output that is kept for paging, each stream by itself, in bytes of redacted text; 0 keeps none.
    pub output_spill_bytes: u64,
    /// Always false: unknown host keys are never added, whatever a policy says.
    pub host_key_auto_add: bool,
    /// Always true: host keys are always verified, whatever a policy says.
    pub require_known_host: bool,
    /// Seconds that a finished task's result is kept.
    pub task_result_ttl: u64,
    /// Seconds between progress notes.
    pub task_progress_interval: u64,
    /// The texts that deny wherever they occur.
    pub deny_substrings: Arc<[String]>,
    /// How commands may be joined.
    pub mode: Mode,
}

impl Limits {
    /// How much of a stream the reader of it has to keep, for what is shown and for what can be paged.
    #[must_use]
    pub fn output_bytes_kept(&self) -> u64 {
        self.max_output_bytes.max(self.output_spill_bytes)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_seconds: limits::RUN_SECONDS_DEFAULT,
            max_output_bytes: limits::OUTPUT_BYTES_DEFAULT,
            output_hard_stop_bytes: limits::OUTPUT_HARD_STOP_BYTES_DEFAULT,
            output_spill_bytes: 0,
            host_key_auto_add: false,
            require_known_host: true,
            task_result_ttl: limits::TASK_RESULT_TTL_SECONDS_DEFAULT,
            task_progress_interval: limits::TASK_PROGRESS_INTERVAL_SECONDS_DEFAULT,
            deny_substrings: tripwire::DEFAULTS.map(str::to_owned).into(),
            mode: Mode::default(),
        }
    }
}

/// The keys that one place of a policy sets; `None` where it leaves a key alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitKeys {
    /// See [`Limits::max_seconds`].
    pub max_seconds: Option<u64>,
    /// See [`Limits::max_output_bytes`].
    pub max_output_bytes: Option<u64>,
    /// See [`Limits::output_hard_stop_bytes`].
    pub output_hard_stop_bytes: Option<u64>,
    /// See [`Limits::output_spill_bytes`].
    pub output_spill_bytes: Option<u64>,
    /// See [`Limits::task_result_ttl`].
    pub task_result_ttl: Option<u64>,
    /// See [`Limits::task_progress_interval`].
    pub task_progress_interval: Option<u64>,
    /// See [`Limits::deny_substrings`].
    pub deny_substrings: Option<Vec<String>>,
    /// See [`Limits::mode`].
    pub mode: Option<Mode>,
}

impl LimitKeys {
    /// The keys of both, the stricter value where both set one.
    fn strictest(&self, other: &Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let deny_substrings = match (&self.deny_substrings, &other.deny_substrings) {
            (Some(a), Some(b)) => {
                let mut both = a.clone();
                both.extend(b.iter().filter(|text| !a.contains(text)).cloned());
                Some(both)
            }
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        Self {
            max_seconds: least(self.max_seconds, other.max_seconds),
            max_output_bytes: least(self.max_output_bytes, other.max_output_bytes),
            output_hard_stop_bytes: least(
                self.output_hard_stop_bytes,
                other.output_hard_stop_bytes,
            ),
            output_spill_bytes: least(self.output_spill_bytes, other.output_spill_bytes),
            task_result_ttl: least(self.task_result_ttl, other.task_result_ttl),
            task_progress_interval: least(
                self.task_progress_interval,
                other.task_progress_interval,
            ),
            deny_substrings,
            mode: match (self.mode, other.mode) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }

    fn set_on(&self, limits: &mut Limits) {
        let set = |to: &mut u64, from: Option<u64>| *to = from.unwrap_or(*to);
        set(&mut limits.max_seconds, self.max_seconds);
        set(&mut limits.max_output_bytes, self.max_output_bytes);
        set(
            &mut limits.output_hard_stop_bytes,
            self.output_hard_stop_bytes,
        );
        set(&mut limits.output_spill_bytes, self.output_spill_bytes);
        set(&mut limits.task_result_ttl, self.task_result_ttl);
        set(
            &mut limits.task_progress_interval,
            self.task_progress_interval,
        );
        if let Some(texts) = &self.deny_substrings {
            limits.deny_substrings = texts.as_slice().into();
        }
        limits.mode = self.mode.unwrap_or(limits.mode);
    }
}

/// All places of a policy that set limits.
#[derive(Debug, Clone, Default)]
pub struct LimitLayers {
    base: Limits,
    aliases: BTreeMap<String, LimitKeys>,
    tags: BTreeMap<String, LimitKeys>,
}

impl LimitLayers {
    /// Lays `limits` over the built-in values and keeps the overrides. Names are exact, not globs.
    #[must_use]
    pub fn new(
        limits: &LimitKeys,
        aliases: BTreeMap<String, LimitKeys>,
        tags: BTreeMap<String, LimitKeys>,
    ) -> Self {
        let mut base = Limits::default();
        limits.set_on(&mut base);
        Self {
            base,
            aliases,
            tags,
        }
    }

    /// The limits that hold for a host.
    #[must_use]
    pub fn of(&self, host: &Host) -> Limits {
        let mut limits = self.base.clone();
        if let Some(keys) = self.of_tags(host) {
            keys.set_on(&mut limits);
        }
        if let Some(keys) = self.aliases.get(host.alias.as_str()) {
            keys.set_on(&mut limits);
        }
        limits
    }

    fn of_tags(&self, host: &Host) -> Option<LimitKeys> {
        if self.tags.is_empty() {
            return None;
        }
        host.tags.iter().filter_map(|tag| self.tags.get(tag)).fold(
            None,
            |joined: Option<LimitKeys>, keys| {
                Some(joined.map_or_else(|| keys.clone(), |joined| joined.strictest(keys)))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::request::Alias;

    fn host(alias: &str, tags: &[&str]) -> Host {
        Host {
            alias: Alias::parse(alias).unwrap(),
            host: "192.0.2.1".to_owned(),
            port: 22,
            credentials: None,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            description: String::new(),
            shell: crate::inventory::LoginShell::default(),
            host_keys: Vec::new(),
            jump: Vec::new(),
            watchdog: crate::inventory::Watchdog::default(),
        }
    }

    fn texts(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    fn layers() -> LimitLayers {
        let seconds = |seconds| LimitKeys {
            max_seconds: Some(seconds),
            ..LimitKeys::default()
        };
        let listed = |limit: u64, list: &[&str]| LimitKeys {
            deny_substrings: texts(list),
            ..seconds(limit)
        };
        LimitLayers::new(
            &seconds(60),
            BTreeMap::from([
                ("db1".to_owned(), seconds(500)),
                ("free1".to_owned(), listed(1, &["only"])),
            ]),
            BTreeMap::from([
                ("slow".to_owned(), seconds(180)),
                ("prod".to_owned(), listed(30, &["a", "b"])),
                ("web".to_owned(), listed(90, &["b", "c"])),
            ]),
        )
    }

    #[test]
    fn the_built_in_list_holds_where_none_is_configured() {
        let limits = LimitLayers::default().of(&host("x", &[]));
        assert_eq!(limits, Limits::default());
        assert_eq!(limits.deny_substrings.len(), 20);
    }

    #[test]
    fn between_tags_the_strictest_holds_in_any_order() {
        for tags in [["slow", "prod"], ["prod", "slow"]] {
            assert_eq!(layers().of(&host("x", &tags)).max_seconds, 30, "{tags:?}");
        }
    }

    #[test]
    fn one_tag_may_lift_what_the_common_limits_say() {
        assert_eq!(layers().of(&host("x", &["slow"])).max_seconds, 180);
    }

    #[test]
    fn an_alias_wins_over_tags_for_the_keys_it_sets() {
        let limits = layers().of(&host("db1", &["prod"]));
        assert_eq!(limits.max_seconds, 500);
        assert_eq!(limits.deny_substrings, texts(&["a", "b"]).unwrap().into());
    }

    #[test]
    fn lists_of_several_tags_unite_and_an_aliass_list_replaces_them() {
        let both = layers().of(&host("x", &["web", "prod"])).deny_substrings;
        assert_eq!(both, texts(&["b", "c", "a"]).unwrap().into());
        let own = layers().of(&host("free1", &["web", "prod"]));
        assert_eq!(own.deny_substrings, texts(&["only"]).unwrap().into());
    }
}
