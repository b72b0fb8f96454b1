//! An inventory as YAML or JSON: groups with `hosts`, `vars` and `children`.
//!
//! The reader is the configuration's own, so anchors, tags (`!vault` too), duplicate keys and deep nesting are
//! refused. Must not: know what a variable means, or repeat a value in a fault.

use super::super::{ImportFault, Note, Place, Text, shown};
use super::graph::{ALL, Graph, UNGROUPED, Value};
use super::pattern;
use crate::config::{Node, Value as Yaml, hidden_yaml};

/// Deepest nesting of groups.
const DEPTH_MAX: usize = 32;

struct Walk {
    graph: Graph,
    file: String,
}

/// Reads the file.
pub(super) fn read(file: &Text) -> Result<Graph, ImportFault> {
    let node = hidden_yaml::<Node>(&file.text).map_err(|fault| {
        let place = Place {
            file: file.name.clone(),
            line: usize::try_from(fault.line).unwrap_or_default(),
        };
        ImportFault::new(
            place,
            fault.message,
            "Let `ansible-inventory --list --yaml --export` write it out plainly.",
        )
    })?;
    let mut walk = Walk {
        graph: Graph::default(),
        file: file.name.clone(),
    };
    let top = walk.place(&node);
    let all = walk.graph.group(ALL, &top)?;
    let ungrouped = walk.graph.group(UNGROUPED, &top)?;
    walk.graph.child(all, ungrouped);
    let Some(groups) = walk.entries(&node, "groups")? else {
        return Ok(walk.graph);
    };
    for (name, node) in groups {
        let group = walk.graph.group(name, &walk.place(node))?;
        walk.group(group, node, 0)?;
    }
    Ok(walk.graph)
}

impl Walk {
    fn place(&self, node: &Node) -> Place {
        Place {
            file: self.file.clone(),
            line: usize::try_from(node.referenced.line()).unwrap_or_default(),
        }
    }

    fn fault(&self, node: &Node, text: String) -> ImportFault {
        ImportFault::new(self.place(node), text, "")
    }

    /// The entries of a mapping; a single name stands for a mapping with nothing behind that name.
    fn entries<'n>(
        &self,
        node: &'n Node,
        what: &str,
    ) -> Result<Option<Vec<(&'n str, &'n Node)>>, ImportFault> {
        match &node.value {
            Yaml::Null => Ok(None),
            Yaml::Map(entries) => Ok(Some(
                entries
                    .iter()
                    .map(|(key, node)| (key.value.as_str(), node))
                    .collect(),
            )),
            Yaml::Text(_) | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) | Yaml::List(_) => {
                Err(self.fault(
                    node,
                    format!("expected a mapping of {what}, got another kind of value"),
                ))
            }
        }
    }

    fn group(&mut self, group: usize, node: &Node, depth: usize) -> Result<(), ImportFault> {
        if depth > DEPTH_MAX {
            let text = format!("expected groups at most {DEPTH_MAX} deep");
            return Err(self.fault(node, text));
        }
        self.graph.declare(group);
        let Some(sections) = self.entries(node, "hosts, vars and children")? else {
            return Ok(());
        };
        for (section, node) in sections {
            match section {
                "hosts" => {
                    for (name, node) in self.entries(node, "hosts")?.unwrap_or_default() {
                        self.host(group, name, node)?;
                    }
                }
                "vars" => {
                    for (name, value) in self.entries(node, "variables")?.unwrap_or_default() {
                        let place = self.place(value);
                        self.graph.set_group(group, name, scalar(value), &place)?;
                    }
                }
                "children" => {
                    for (name, node) in self.entries(node, "groups")?.unwrap_or_default() {
                        let child = self.graph.group(name, &self.place(node))?;
                        self.graph.child(group, child);
                        self.group(child, node, depth + 1)?;
                    }
                }
                other => {
                    let place = self.place(node);
                    self.graph.notes.push(Note {
                        place,
                        text: format!(
                            "not taken: the key {} of a group is none of hosts, vars and children",
                            shown(other)
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    fn host(&mut self, group: usize, pattern: &str, node: &Node) -> Result<(), ImportFault> {
        let (names, port) = pattern::expand(pattern).map_err(|text| self.fault(node, text))?;
        let place = self.place(node);
        let variables = self.entries(node, "variables")?.unwrap_or_default();
        for name in names {
            let port = port.filter(|_| !self.graph.knows(&name));
            let host = self.graph.host(group, &name, &place)?;
            if let Some(port) = port {
                let value = Value::Text(port.to_string());
                self.graph.set_host(host, "ansible_port", value, &place)?;
            }
            for (variable, value) in &variables {
                let place = self.place(value);
                self.graph.set_host(host, variable, scalar(value), &place)?;
            }
        }
        Ok(())
    }
}

fn scalar(node: &Node) -> Value {
    match &node.value {
        Yaml::Text(text) => Value::Text(text.clone()),
        Yaml::Int(number) => Value::Text(number.to_string()),
        Yaml::Null | Yaml::Bool(_) | Yaml::Float(_) | Yaml::List(_) | Yaml::Map(_) => Value::Other,
    }
}
