//! What is proposed from any text loads without a fault, is one clean line wherever it speaks of that text, and drops
//! no host.

use portcullis_core::config::{Occasion, Sources, load};
use portcullis_core::import::{Inventory, NoShelf, Owner, Proposal, Room, Shelf, SshConfig, Text};
use portcullis_core::text;

/// A shelf whose every file is the same text.
struct Same<'t>(&'t str);

impl Shelf for Same<'_> {
    fn find(&self, pattern: &str, _: Room) -> Result<Vec<Text>, String> {
        Ok(vec![Text {
            name: pattern.to_owned(),
            text: self.0.to_owned(),
        }])
    }
}

fn owner() -> Owner {
    Owner {
        user: Some("me".to_owned()),
    }
}

fn loads(proposal: &Proposal, source: &str) {
    let (servers, credentials) = (proposal.servers_yml(), proposal.credentials_yml());
    let sources = Sources {
        servers: Some(servers.clone()),
        credentials: Some(credentials.clone()),
        ..Sources::default()
    };
    let snapshot = load(&sources, Occasion::Start)
        .unwrap_or_else(|faults| panic!("{faults:?} of {source:?}\n{servers}\n{credentials}"));
    assert_eq!(snapshot.inventory.hosts().len(), proposal.hosts.len());
    let odd = |c: char| c.is_control() && c != '\n' || text::is_hidden(c);
    for written in [servers, credentials] {
        assert!(!written.contains(odd), "{written:?} of {source:?}");
    }
}

/// An ssh_config, with and without files that it includes.
pub(super) fn ssh(source: &str) {
    let file = |text: &str| Text {
        name: "config".to_owned(),
        text: text.to_owned(),
    };
    let (outer, inner) = source.split_once('\u{c}').unwrap_or((source, ""));
    for (outer, shelf) in [
        (source, &NoShelf as &dyn Shelf),
        (outer, &Same(inner) as &dyn Shelf),
    ] {
        let read = SshConfig::read(&file(outer), owner(), shelf);
        let Ok(config) = read else {
            assert!(!read.unwrap_err().to_string().contains('\n'));
            continue;
        };
        match config.propose() {
            Ok(proposal) => {
                let named = config.names().len();
                let spoken = proposal.hosts.len() + proposal.skipped.len();
                assert_eq!(named, spoken, "{source:?}");
                loads(&proposal, source);
            }
            Err(fault) => assert!(!fault.to_string().contains('\n')),
        }
    }
}

/// An Ansible inventory, as INI and as YAML.
pub(super) fn ansible(source: &str) {
    for name in ["hosts", "hosts.yml"] {
        let file = Text {
            name: name.to_owned(),
            text: source.to_owned(),
        };
        let proposal = Inventory::read(&file, owner())
            .and_then(|inventory| Ok((inventory.groups_of()?.len(), inventory.propose()?)));
        match proposal {
            Ok((named, proposal)) => {
                let spoken = proposal.hosts.len() + proposal.skipped.len();
                assert_eq!(named, spoken, "{source:?}");
                loads(&proposal, source);
            }
            Err(fault) => assert!(!fault.to_string().contains('\n')),
        }
    }
}
