//! Which rules hold on a host, found without asking each rule: most name an alias or a tag as it is written.
//!
//! Must not: decide whether a rule holds; that is the rule's own word, asked of each one that may.
//!
//! Known limit: a rule whose scope has a wildcard is asked for every host.

use super::glob::Glob;
use super::rule::Rule;
use crate::inventory::Host;
use std::collections::HashMap;

/// The rules of a policy by what their scopes name.
pub(super) struct Scopes<'r> {
    rules: &'r [Rule],
    /// Positions of the rules without a scope.
    everywhere: Vec<usize>,
    by_alias: HashMap<&'r str, Vec<usize>>,
    by_tag: HashMap<&'r str, Vec<usize>>,
    by_glob: Vec<usize>,
}

impl<'r> Scopes<'r> {
    pub(super) fn new(rules: &'r [Rule]) -> Self {
        let mut scopes = Self {
            rules,
            everywhere: Vec::new(),
            by_alias: HashMap::new(),
            by_tag: HashMap::new(),
            by_glob: Vec::new(),
        };
        for (position, rule) in rules.iter().enumerate() {
            let (aliases, tags) = rule.scope();
            let (globs, names) = if aliases.is_empty() {
                (tags, &mut scopes.by_tag)
            } else {
                (aliases, &mut scopes.by_alias)
            };
            if globs.is_empty() {
                scopes.everywhere.push(position);
            } else if globs.iter().all(Glob::is_literal) {
                for glob in globs {
                    names.entry(glob.text()).or_default().push(position);
                }
            } else {
                scopes.by_glob.push(position);
            }
        }
        scopes
    }

    /// Positions of the rules that hold on every host, in file order.
    pub(super) fn everywhere(&self) -> &[usize] {
        &self.everywhere
    }

    /// Positions of the other rules that hold on a host, in file order.
    pub(super) fn of(&self, host: &Host) -> Vec<usize> {
        let of_alias = self.by_alias.get(host.alias.as_str());
        let of_tags = host.tags.iter().map(|tag| self.by_tag.get(tag.as_str()));
        let named = std::iter::once(of_alias).chain(of_tags).flatten().flatten();
        let mut positions: Vec<usize> = named
            .chain(&self.by_glob)
            .copied()
            .filter(|position| {
                let rule = self.rules.get(*position);
                rule.is_some_and(|rule| rule.holds_on(host))
            })
            .collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config;
    use crate::inventory::Host;
    use proptest::prelude::*;
    use std::fmt::Write;

    fn host(alias: &str, tags: &[String]) -> Host {
        let tags = tags.join(", ");
        let servers = format!("hosts:\n  - {{alias: {alias}, host: 127.0.0.1, tags: [{tags}]}}\n");
        let sources = config::Sources {
            servers: Some(servers),
            ..config::Sources::default()
        };
        let snapshot = config::load(&sources, config::Occasion::Start).unwrap();
        snapshot.inventory.hosts().first().unwrap().clone()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_rules_that_are_found_are_those_that_hold(
            scopes in proptest::collection::vec(
                (proptest::collection::vec("[ab][12*?]?", 0..3), proptest::collection::vec("[xy][12*]?", 0..3)),
                0..12,
            ),
            alias in "[ab][12]?",
            tags in proptest::collection::vec("[xy][12]?", 0..3),
        ) {
            let mut text = String::from("rules:\n");
            for (aliases, tags) in &scopes {
                writeln!(text, "  - {{action: allow, aliases: {aliases:?}, tags: {tags:?}, commands: [\"true\"]}}").unwrap();
            }
            let text = if scopes.is_empty() { String::new() } else { text };
            let (policy, _) = config::policy(&text).unwrap();
            let mut tags = tags;
            tags.sort();
            tags.dedup();
            let host = host(&alias, &tags);
            let index = Scopes::new(policy.rules());
            let mut found = [index.everywhere(), &index.of(&host)].concat();
            found.sort_unstable();
            let rules = policy.rules().iter().enumerate();
            let expected: Vec<usize> = rules
                .filter(|(_, rule)| rule.holds_on(&host))
                .map(|(position, _)| position)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
