//! Groups, their children, and which value of a variable holds for a host.
//!
//! Ansible's order: the variables of a host's groups by depth, then by `ansible_group_priority`, then by name, the
//! last wins; the host's own win over all. A group's depth is its longest way from `all`.
//!
//! Must not: know a format, or what a variable means.

use super::super::{Budget, IMPORT_HOSTS_MAX, ImportFault, Note, Place};
use std::collections::HashMap;

/// The group that holds every other.
pub(super) const ALL: &str = "all";
/// The group of hosts that are in no other.
pub(super) const UNGROUPED: &str = "ungrouped";
/// Most groups of an inventory.
const GROUPS_MAX: usize = 5_000;
/// Deepest nesting of groups.
const DEPTH_MAX: usize = 64;
/// Most places of hosts in groups and variables of hosts and groups: a range makes many of one line.
const ENTRIES_MAX: usize = 500_000;

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text or a number.
    Text(String),
    /// Anything else.
    Other,
}

type Variables = Vec<(String, Value, Place)>;

#[derive(Debug, Default)]
struct Group {
    name: String,
    /// Whether something other than variables speaks of it.
    declared: bool,
    place: Place,
    hosts: Vec<usize>,
    children: Vec<usize>,
    variables: Variables,
}

#[derive(Debug)]
struct Host {
    name: String,
    place: Place,
    variables: Variables,
}

/// An inventory's groups and hosts.
#[derive(Debug, Default)]
pub(super) struct Graph {
    groups: Vec<Group>,
    group_index: HashMap<String, usize>,
    hosts: Vec<Host>,
    host_index: HashMap<String, usize>,
    entries: usize,
    pub(super) notes: Vec<Note>,
}

/// A host with what holds for it.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) place: Place,
    /// Its groups without `all` and `ungrouped`, in the order in which their variables win.
    pub(super) groups: Vec<String>,
    variables: HashMap<String, (Value, Place)>,
}

impl Found {
    /// The value of a variable.
    pub(super) fn value(&self, name: &str) -> Option<&(Value, Place)> {
        self.variables.get(name)
    }

    /// The names of all variables, sorted, with their places.
    pub(super) fn names(&self) -> Vec<(&str, &Place)> {
        let mut names: Vec<(&str, &Place)> = self
            .variables
            .iter()
            .map(|(name, (_, place))| (name.as_str(), place))
            .collect();
        names.sort();
        names
    }
}

impl Graph {
    /// The group of a name; it is made where it does not exist.
    pub(super) fn group(&mut self, name: &str, place: &Place) -> Result<usize, ImportFault> {
        if let Some(index) = self.group_index.get(name) {
            return Ok(*index);
        }
        if self.groups.len() >= GROUPS_MAX {
            let text = format!("expected at most {GROUPS_MAX} groups");
            return Err(ImportFault::new(place.clone(), text, "Split the file."));
        }
        let index = self.groups.len();
        self.groups.push(Group {
            name: name.to_owned(),
            place: place.clone(),
            ..Group::default()
        });
        self.group_index.insert(name.to_owned(), index);
        Ok(index)
    }

    /// Counts one more place of a host or variable.
    fn count(&mut self, place: &Place) -> Result<(), ImportFault> {
        self.entries += 1;
        if self.entries <= ENTRIES_MAX {
            return Ok(());
        }
        let text = format!("expected at most {ENTRIES_MAX} hosts in groups and variables together");
        Err(ImportFault::new(place.clone(), text, "Split the file."))
    }

    /// Says that a group exists.
    pub(super) fn declare(&mut self, group: usize) {
        if let Some(group) = self.groups.get_mut(group) {
            group.declared = true;
        }
    }

    /// Whether a host was named before. A port behind a name counts only where the name stands first.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.host_index.contains_key(name)
    }

    /// Puts a host into a group.
    pub(super) fn host(
        &mut self,
        group: usize,
        name: &str,
        place: &Place,
    ) -> Result<usize, ImportFault> {
        self.count(place)?;
        let index = match self.host_index.get(name) {
            Some(index) => *index,
            None => {
                if self.hosts.len() >= IMPORT_HOSTS_MAX {
                    let text = format!("expected at most {IMPORT_HOSTS_MAX} hosts");
                    return Err(ImportFault::new(place.clone(), text, "Split the file."));
                }
                let index = self.hosts.len();
                self.hosts.push(Host {
                    name: name.to_owned(),
                    place: place.clone(),
                    variables: Vec::new(),
                });
                self.host_index.insert(name.to_owned(), index);
                index
            }
        };
        if let Some(group) = self.groups.get_mut(group) {
            group.hosts.push(index);
        }
        Ok(index)
    }

    /// Makes a group the child of another.
    pub(super) fn child(&mut self, parent: usize, child: usize) {
        if let Some(group) = self.groups.get_mut(parent)
            && !group.children.contains(&child)
        {
            group.children.push(child);
        }
    }

    /// Sets a variable of a group.
    pub(super) fn set_group(
        &mut self,
        group: usize,
        name: &str,
        value: Value,
        place: &Place,
    ) -> Result<(), ImportFault> {
        self.count(place)?;
        if let Some(group) = self.groups.get_mut(group) {
            let entry = (name.to_owned(), value, place.clone());
            group.variables.push(entry);
        }
        Ok(())
    }

    /// Sets a variable of a host.
    pub(super) fn set_host(
        &mut self,
        host: usize,
        name: &str,
        value: Value,
        place: &Place,
    ) -> Result<(), ImportFault> {
        self.count(place)?;
        if let Some(host) = self.hosts.get_mut(host) {
            let entry = (name.to_owned(), value, place.clone());
            host.variables.push(entry);
        }
        Ok(())
    }

    /// What makes the whole no inventory: a group of variables only, or one within itself.
    pub(super) fn check(&self, place: &Place) -> Result<(), ImportFault> {
        for group in &self.groups {
            if !group.declared && group.name != ALL && group.name != UNGROUPED {
                return Err(ImportFault::new(
                    group.place.clone(),
                    "expected the group to be declared somewhere, got variables for it only",
                    "",
                ));
            }
        }
        self.depths(place).map(|_| ())
    }

    /// The depth of each group: its longest way from `all`.
    fn depths(&self, place: &Place) -> Result<Vec<usize>, ImportFault> {
        let all = self.group_index.get(ALL).copied();
        let mut depths: Vec<usize> = (0..self.groups.len())
            .map(|index| usize::from(Some(index) != all))
            .collect();
        // Each round makes the ways that are known longer by one; a way that never ends goes round.
        for _ in 0..=DEPTH_MAX {
            let mut changed = false;
            for (parent, group) in self.groups.iter().enumerate() {
                let below = depths.get(parent).copied().unwrap_or_default() + 1;
                for child in &group.children {
                    if let Some(depth) = depths.get_mut(*child)
                        && *depth < below
                    {
                        *depth = below;
                        changed = true;
                    }
                }
            }
            if !changed {
                return Ok(depths);
            }
        }
        let text =
            format!("expected groups at most {DEPTH_MAX} deep, none of which is within itself");
        Err(ImportFault::new(place.clone(), text, ""))
    }

    /// Every host with what holds for it, in file order.
    pub(super) fn hosts(&self) -> Result<Vec<Found>, ImportFault> {
        let depths = self.depths(&Place::default())?;
        let mut budget = Budget::new();
        let mut parents: Vec<Vec<usize>> = vec![Vec::new(); self.groups.len()];
        let mut direct: Vec<Vec<usize>> = vec![Vec::new(); self.hosts.len()];
        for (index, group) in self.groups.iter().enumerate() {
            for child in &group.children {
                if let Some(parents) = parents.get_mut(*child) {
                    parents.push(index);
                }
            }
            for host in &group.hosts {
                if let Some(direct) = direct.get_mut(*host) {
                    direct.push(index);
                }
            }
        }
        // The order of all groups, so that each host's are sorted by a number.
        let priority = |group: &Group| {
            let value = group.variables.iter().rev();
            value
                .clone()
                .find_map(|(name, value, _)| match value {
                    Value::Text(text) if name == "ansible_group_priority" => text.parse().ok(),
                    Value::Text(_) | Value::Other => None,
                })
                .unwrap_or(1_i64)
        };
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_cached_key(|index| {
            let depth = depths.get(*index).copied().unwrap_or_default();
            self.groups
                .get(*index)
                .map(|group| (depth, priority(group), group.name.clone()))
        });
        let mut rank = vec![0_usize; self.groups.len()];
        for (place, index) in order.iter().enumerate() {
            if let Some(rank) = rank.get_mut(*index) {
                *rank = place;
            }
        }
        let mut found = Vec::with_capacity(self.hosts.len());
        for (host, direct) in self.hosts.iter().zip(&direct) {
            let mut groups = self.above(direct, &parents, &mut budget)?;
            groups.sort_by_key(|index| rank.get(*index).copied());
            let mut variables = HashMap::new();
            for group in groups.iter().filter_map(|index| self.groups.get(*index)) {
                budget.spend(group.variables.len())?;
                set_all(&mut variables, &group.variables);
            }
            budget.spend(host.variables.len() + 1)?;
            set_all(&mut variables, &host.variables);
            let names = groups
                .iter()
                .filter_map(|index| self.groups.get(*index))
                .map(|group| &group.name)
                .filter(|name| *name != ALL && *name != UNGROUPED);
            found.push(Found {
                name: host.name.clone(),
                place: host.place.clone(),
                groups: names.cloned().collect(),
                variables,
            });
        }
        Ok(found)
    }

    /// A host's groups and all that hold them, each once; `all` holds every host.
    fn above(
        &self,
        direct: &[usize],
        parents: &[Vec<usize>],
        budget: &mut Budget,
    ) -> Result<Vec<usize>, ImportFault> {
        let mut seen = vec![false; self.groups.len()];
        let mut open: Vec<usize> = direct.to_vec();
        open.extend(self.group_index.get(ALL));
        let mut above = Vec::new();
        while let Some(index) = open.pop() {
            budget.spend(1)?;
            match seen.get_mut(index) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            above.push(index);
            open.extend(parents.get(index).into_iter().flatten());
        }
        Ok(above)
    }
}

fn set_all(variables: &mut HashMap<String, (Value, Place)>, set: &Variables) {
    for (name, value, place) in set {
        variables.insert(name.clone(), (value.clone(), place.clone()));
    }
}
