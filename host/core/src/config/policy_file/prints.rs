//! The digests of a policy's parts, for whoever compares two policies.
//!
//! Must not: leave out a key; what has no digest changes unseen.

use super::{RawLimits, RawOverrides, RawPolicy};
use crate::config::changes::Prints;
use std::collections::BTreeMap;

impl RawPolicy {
    /// The digests of the parts, for whoever compares two policies.
    pub(super) fn prints(&self) -> Prints {
        // Every key is named, so that a new one cannot be forgotten here.
        let Self {
            version: _,
            known_hosts_path,
            limits,
            network,
            rules,
            overrides,
            mode,
            profiles,
            secret_paths,
            deny_commands,
            redaction,
        } = self;
        let mut prints = Prints::default();
        for rule in rules.iter().flatten().filter_map(|slot| slot.0.as_ref()) {
            prints.rule(rule.value.name(), &rule.value);
        }
        if let Some(limits) = limits {
            limits.print(&mut prints);
        }
        let mode = mode.or(limits.as_ref().and_then(|limits| limits.mode));
        prints.part("limits.mode", &mode);
        for (key, layers) in overrides.iter().flat_map(RawOverrides::layers) {
            for (name, limits) in layers {
                prints.part(&format!("overrides.{key}.{name}"), limits);
            }
        }
        prints.part("known_hosts_path", known_hosts_path);
        prints.part("network", network);
        prints.part("redaction", redaction);
        prints.part("deny_commands", deny_commands);
        if !profiles.is_empty() {
            prints.part("profiles", profiles);
        }
        if !secret_paths.is_empty() {
            prints.part("secret_paths", secret_paths);
        }
        prints
    }
}

impl RawOverrides {
    fn layers(&self) -> [(&'static str, &BTreeMap<String, RawLimits>); 2] {
        [("aliases", &self.aliases), ("tags", &self.tags)]
    }
}

impl RawLimits {
    fn print(&self, prints: &mut Prints) {
        let Self {
            mode: _,
            max_seconds,
            max_output_bytes,
            output_hard_stop_bytes,
            output_spill_bytes,
            redaction: _,
            network: _,
            host_key_auto_add: _,
            require_known_host: _,
            task_result_ttl,
            task_progress_interval,
            deny_substrings,
        } = self;
        for (key, number) in [
            ("max_seconds", max_seconds),
            ("max_output_bytes", max_output_bytes),
            ("output_hard_stop_bytes", output_hard_stop_bytes),
            ("output_spill_bytes", output_spill_bytes),
            ("task_result_ttl", task_result_ttl),
            ("task_progress_interval", task_progress_interval),
        ] {
            prints.part(&format!("limits.{key}"), number);
        }
        prints.part("limits.deny_substrings", deny_substrings);
    }
}
