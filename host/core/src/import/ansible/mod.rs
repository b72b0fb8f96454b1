//! An Ansible inventory: its groups, hosts and the few variables that say how a host is reached.
//!
//! * `ini`, `yaml`: the two formats, each to the same graph
//! * `graph`: groups, children, and which value of a variable holds for a host
//! * `pattern`: a host's name with its ranges and port
//!
//! Groups become tags, in the order in which Ansible lets their variables win. Must not: evaluate templates, open
//! vaults, or repeat a variable's value other than address, port, user and key.
//!
//! LIMIT: `group_vars` and `host_vars` beside the file, inventory plugins and executable inventories are not read.

mod graph;
mod ini;
mod pattern;
mod yaml;

use super::proposal::{Draft, Drafts};
use super::{IMPORT_BYTES_MAX, ImportFault, Note, Owner, Place, Proposal, Text, shown};
use graph::{Graph, Value};

/// The names under which a value may stand, those of today first.
const HOST: [&str; 2] = ["ansible_host", "ansible_ssh_host"];
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];
const USER: [&str; 2] = ["ansible_user", "ansible_ssh_user"];
const KEY: [&str; 2] = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
/// Connections that are SSH.
const CONNECTIONS: [&str; 4] = ["ssh", "smart", "paramiko", "paramiko_ssh"];
/// Variables that hold a secret in plain text.
const SECRETS: [&str; 9] = [
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_sudo_pass",
    "ansible_su_pass",
    "ansible_private_key_passphrase",
    "ansible_ssh_private_key_passphrase",
];
/// What every variable about a connection begins with.
const CONNECTION: &str = "ansible_";

/// An inventory.
#[derive(Debug)]
pub struct Inventory {
    graph: Graph,
    place: Place,
    owner: Owner,
}

impl Inventory {
    /// Reads an inventory: YAML where the file's name ends in `.yml`, `.yaml` or `.json`, else INI, as Ansible does.
    ///
    /// # Errors
    /// [`ImportFault`]: what Ansible would refuse too, what only Ansible could find out, or a bound.
    pub fn read(text: &Text, owner: Owner) -> Result<Self, ImportFault> {
        let place = Place {
            file: text.name.clone(),
            line: 0,
        };
        let fault = |what: String, hint| Err(ImportFault::new(place.clone(), what, hint));
        if text.text.len() > IMPORT_BYTES_MAX {
            return fault(
                format!("expected at most {IMPORT_BYTES_MAX} bytes"),
                "Split the file.",
            );
        }
        if text.text.starts_with("#!") {
            return fault(
                "expected an inventory, got a program that prints one".to_owned(),
                "Let `ansible-inventory --list --yaml --export` write it out first.",
            );
        }
        let name = text.name.to_ascii_lowercase();
        let graph = if [".yml", ".yaml", ".json"]
            .iter()
            .any(|extension| name.ends_with(extension))
        {
            yaml::read(text)?
        } else {
            ini::read(text)?
        };
        graph.check(&place)?;
        Ok(Self {
            graph,
            place,
            owner,
        })
    }

    /// Proposes a host for each of the inventory's.
    ///
    /// # Errors
    /// [`ImportFault`] where a bound is met.
    pub fn propose(&self) -> Result<Proposal, ImportFault> {
        let mut drafts = Drafts::new("an Ansible inventory", Vec::new());
        drafts.note(Note {
            place: self.place.clone(),
            text: "group_vars and host_vars beside the file were not read".to_owned(),
        });
        for note in &self.graph.notes {
            drafts.note(note.clone());
        }
        for found in self.graph.hosts()? {
            drafts.add(self.draft(&found));
        }
        Ok(drafts.finish())
    }

    /// The hosts in file order, each with its groups and the variables that hold.
    ///
    /// # Errors
    /// [`ImportFault`] where a bound is met.
    pub fn groups_of(&self) -> Result<Vec<(String, Vec<String>)>, ImportFault> {
        let hosts = self.graph.hosts()?.into_iter();
        Ok(hosts.map(|host| (host.name, host.groups)).collect())
    }

    fn draft(&self, found: &graph::Found) -> Draft {
        let mut comments = Vec::new();
        let mut fault = None;
        let mut take = |names: &[&str], what: &str| -> Option<String> {
            let (value, place) = names.iter().find_map(|name| found.value(name))?;
            match value {
                Value::Text(text) if text.contains("{{") || text.contains("{%") => {
                    comments.push(format!("not taken: {what} ({place}) is a template"));
                    None
                }
                Value::Text(text) => {
                    comments.push(format!("{what} from {place}"));
                    Some(text.clone())
                }
                Value::Other => {
                    comments.push(format!("not taken: {what} ({place}) is no plain value"));
                    None
                }
            }
        };
        let named_host = HOST.iter().any(|name| found.value(name).is_some());
        let host = take(&HOST, "ansible_host");
        let port_text = take(&PORT, "ansible_port");
        let user = take(&USER, "ansible_user");
        let key = take(&KEY, "ansible_ssh_private_key_file");
        if named_host && host.is_none() {
            fault = Some("its address is no plain value".to_owned());
        }
        let port = port_text.as_deref().map(|text| text.trim().parse::<u16>());
        let port = match port {
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => {
                fault = Some("its port is no number from 1 to 65535".to_owned());
                None
            }
            None => None,
        };
        if let Some((Value::Text(connection), place)) = found.value("ansible_connection")
            && !CONNECTIONS.contains(&connection.as_str())
        {
            fault = Some(format!("it is not reached by SSH ({place})"));
        }
        if user.is_none() {
            comments
                .push("user: nobody names one; ssh would take the local user's name".to_owned());
        }
        let mut others = 0_usize;
        for (name, place) in found.names() {
            let known = [HOST, PORT, USER, KEY].concat();
            if known.contains(&name) || name == "ansible_connection" {
                continue;
            }
            if SECRETS.contains(&name) {
                comments.push(format!(
                    "not taken: {name} ({place}) is a secret in plain text; put it into a secret and name that"
                ));
            } else if name.starts_with(CONNECTION) {
                comments.push(format!(
                    "not taken, no key for it: {} ({place})",
                    shown(name)
                ));
            } else {
                others += 1;
            }
        }
        if others > 0 {
            comments.push(format!(
                "not taken: {others} variables that are not about the connection"
            ));
        }
        Draft {
            alias: found.name.clone(),
            host: host.unwrap_or_else(|| found.name.clone()),
            port,
            user: user.or_else(|| self.owner.user.clone()),
            key,
            tags: found.groups.clone(),
            place: found.place.clone(),
            comments,
            fault,
        }
    }
}
