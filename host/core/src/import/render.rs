//! A proposal as the texts of `servers.yml` and `credentials.yml`.
//!
//! Must not: write a text of a foreign file other than as a quoted value of ASCII or as one clean line of a
//! comment.

use super::proposal::{Host, Login, Proposal};
use super::shown;
use std::fmt::Write;

impl Proposal {
    /// The text of `servers.yml`.
    #[must_use]
    pub fn servers_yml(&self) -> String {
        let mut yaml = head(self, "The hosts");
        for note in &self.notes {
            comment(&mut yaml, "", &note.to_string());
        }
        yaml.push_str("version: 1\n");
        if self.hosts.is_empty() {
            yaml.push_str("hosts: []\n");
        } else {
            yaml.push_str("hosts:\n");
        }
        for host in &self.hosts {
            host_yaml(&mut yaml, host);
        }
        for skipped in &self.skipped {
            let line = format!(
                "Not proposed: {} ({}): {}.",
                skipped.name, skipped.place, skipped.why
            );
            comment(&mut yaml, "", &line);
        }
        yaml
    }

    /// The text of `credentials.yml`: a skeleton, for no key and no secret is carried over.
    #[must_use]
    pub fn credentials_yml(&self) -> String {
        let mut yaml = head(self, "The logins");
        comment(
            &mut yaml,
            "",
            "No key and no secret was read: copy each key into the keys directory yourself, mode 0400.",
        );
        yaml.push_str("version: 1\n");
        if self.logins.is_empty() {
            yaml.push_str("entries: []\n");
        } else {
            yaml.push_str("entries:\n");
        }
        for login in &self.logins {
            login_yaml(&mut yaml, login);
        }
        yaml
    }
}

fn head(proposal: &Proposal, what: &str) -> String {
    let mut yaml = String::new();
    let line = format!(
        "{what} as proposed from {}. Look at every line before you use it.",
        proposal.source
    );
    comment(&mut yaml, "", &line);
    yaml
}

fn host_yaml(yaml: &mut String, host: &Host) {
    comment(yaml, "  ", &host.place.to_string());
    for line in &host.comments {
        comment(yaml, "  ", line);
    }
    // Writing into a text cannot fail.
    let _ = writeln!(yaml, "  - alias: {}", quoted(&host.alias));
    let _ = writeln!(yaml, "    host: {}", quoted(&host.host));
    let _ = writeln!(yaml, "    port: {}", host.port);
    if let Some(login) = &host.login {
        let _ = writeln!(yaml, "    credentials: {}", quoted(login));
    }
    if !host.tags.is_empty() {
        let tags: Vec<String> = host.tags.iter().map(|tag| quoted(tag)).collect();
        let _ = writeln!(yaml, "    tags: [{}]", tags.join(", "));
    }
}

fn login_yaml(yaml: &mut String, login: &Login) {
    match &login.source {
        Some(source) => comment(yaml, "  ", &format!("the key lies at {source}")),
        None => comment(
            yaml,
            "  ",
            "no key is named: make one, and name it with `key_path`",
        ),
    }
    let _ = writeln!(yaml, "  - name: {}", quoted(&login.name));
    let _ = writeln!(yaml, "    username: {}", quoted(&login.user));
    if let Some(key) = &login.key {
        let _ = writeln!(yaml, "    key_path: {}", quoted(key));
    }
}

/// One line of a comment; whatever a foreign file holds, it stays one.
fn comment(yaml: &mut String, indent: &str, line: &str) {
    let _ = writeln!(yaml, "{indent}# {}", shown(line));
}

/// A value in double quotes, with everything escaped that is not printable ASCII.
fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            ' '..='~' => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}
