//! `portcullis import`: an inventory of another tool as a proposal. Nothing is taken into force.

use super::{Exit, Format, console};
use crate::files::foreign;
use clap::{Args, Subcommand};
use portcullis_core::import::{
    ImportFault, Inventory, Owner, Proposal, SshConfig, shown as shown_text,
};
use serde_json::json;
use std::path::PathBuf;

/// What can be imported.
#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Propose servers.yml and credentials.yml from an OpenSSH client configuration and what it includes.
    SshConfig(SshSource),
    /// Propose servers.yml and credentials.yml from an Ansible inventory, INI or YAML.
    Ansible(Source),
}

/// An OpenSSH client configuration.
#[derive(Debug, Args)]
pub(super) struct SshSource {
    #[command(flatten)]
    source: Source,
    /// Read what the file includes wherever it lies, as ssh does. Without it only files beneath the file's own
    /// directory, ~/.ssh and /etc/ssh are read, and another one is a fault.
    #[arg(long)]
    follow_includes: bool,
}

/// Where an import reads and where it writes.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The file, e.g. ~/.ssh/config.
    file: PathBuf,
    /// Write servers.yml and credentials.yml into this directory, which must be new or empty. Without it they
    /// are printed, and nothing is written.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The remote user where the file names none. Default: $USER, as ssh takes the local user's name.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) fn main(verb: &Import) -> Exit {
    let (Import::SshConfig(SshSource { source, .. }) | Import::Ansible(source)) = verb;
    let text = match foreign::read(&source.file) {
        Ok(text) => text,
        Err(why) => {
            console::fault(&why, "");
            return Exit::Usage;
        }
    };
    let owner = Owner {
        user: source
            .user
            .clone()
            .or_else(|| std::env::var("USER").ok().filter(|user| !user.is_empty())),
    };
    let proposal = match verb {
        Import::SshConfig(ssh) => {
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let home = home.filter(|home| home.is_absolute());
            let machine = foreign::Machine::new(home, &source.file, ssh.follow_includes);
            SshConfig::read(&text, owner, &machine).and_then(|config| config.propose())
        }
        Import::Ansible(_) => {
            Inventory::read(&text, owner).and_then(|inventory| inventory.propose())
        }
    };
    match proposal {
        Ok(proposal) => shown(source, &proposal),
        Err(fault) => refused(source, &fault),
    }
}

fn refused(source: &Source, fault: &ImportFault) -> Exit {
    match source.format {
        Format::Human => {
            console::fault(&fault.to_string(), fault.hint);
            Exit::Config
        }
        Format::Json => {
            let line = json!({
                "ok": false,
                "file": shown_text(&fault.place.file),
                "line": fault.place.line,
                "message": fault.text,
                "hint": fault.hint,
            });
            console::written(console::line(&line.to_string()), Exit::Config)
        }
    }
}

fn shown(source: &Source, proposal: &Proposal) -> Exit {
    let (servers, credentials) = (proposal.servers_yml(), proposal.credentials_yml());
    if let Some(place) = &source.out {
        let files = [
            ("servers.yml", servers.as_str()),
            ("credentials.yml", credentials.as_str()),
        ];
        if let Err(why) = foreign::write(place, &files) {
            console::fault(&why, "name a directory that does not exist yet");
            return Exit::Usage;
        }
    }
    let text = match source.format {
        Format::Json => json!({
            "ok": true,
            "hosts": proposal.hosts.len(),
            "logins": proposal.logins.len(),
            "not_proposed": proposal
                .skipped
                .iter()
                .map(|host| json!({"name": host.name, "place": host.place.to_string(), "why": host.why}))
                .collect::<Vec<_>>(),
            "notes": proposal.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "servers_yml": servers,
            "credentials_yml": credentials,
        })
        .to_string(),
        Format::Human if source.out.is_some() => format!(
            "{} hosts, {} logins, {} not proposed; look at every line, then run portcullis check --config DIR",
            proposal.hosts.len(),
            proposal.logins.len(),
            proposal.skipped.len(),
        ),
        Format::Human => {
            format!("# ---- servers.yml ----\n{servers}\n# ---- credentials.yml ----\n{credentials}")
        }
    };
    console::written(console::line(text.trim_end()), Exit::Ok)
}
