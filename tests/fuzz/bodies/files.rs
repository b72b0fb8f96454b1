//! A configuration file loads, or every fault says where it is; what loads keeps its documented bounds; the same text
//! gives the same answer; and no fault of a credentials file repeats what stands in it.

use portcullis_core::config::{
    self, CREDENTIALS, Occasion, PLUGINS, PORTCULLIS, SERVERS, Snapshot, Sources, Transport,
};

/// Deepest nesting that a file may have.
const DEPTH_MAX: usize = 32;
/// What stands for every word of a credentials file that is no key.
const CANARY: &str = "zqxj";
/// The words that a credentials file may hold as keys, and those that YAML knows.
const WORDS: [&str; 13] = [
    "version",
    "entries",
    "name",
    "username",
    "key_path",
    "key_passphrase_secret",
    "password_secret",
    "password",
    "env",
    "true",
    "false",
    "null",
    "1",
];

fn sources(file: &str, text: &str) -> Sources {
    let text = Some(text.to_owned());
    let mut sources = Sources {
        servers: Some("hosts: []".to_owned()),
        ..Sources::default()
    };
    match file {
        SERVERS => sources.servers = text,
        CREDENTIALS => sources.credentials = text,
        PLUGINS => sources.plugins = text,
        PORTCULLIS => sources.portcullis = text,
        _ => sources.companions = text,
    }
    sources
}

pub(super) fn hold(file: &'static str, text: &str) {
    let sources = sources(file, text);
    let first = config::load(&sources, Occasion::Start);
    let second = config::load(&sources, Occasion::Reload);
    match (&first, second) {
        (Ok(first), Err(faults)) => {
            // Without a policy a start is taken and a reload is not; nothing else may differ.
            assert!(
                faults.iter().all(|fault| fault.file == config::POLICY),
                "{faults:?}"
            );
            bounds(first);
        }
        (Err(first), Err(second)) => {
            let own: Vec<_> = second
                .into_iter()
                .filter(|fault| fault.file != config::POLICY)
                .collect();
            assert_eq!(first, &own, "{text:?}");
        }
        (_, Ok(_)) => panic!("a reload without a policy is taken"),
    }
    if let Err(faults) = first {
        assert!(!faults.is_empty(), "no fault in {text:?}");
        // For YAML a carriage return ends a line too.
        let lines = text.matches(['\n', '\r']).count() + 2;
        for fault in &faults {
            assert_eq!(fault.file, file, "{fault:?}");
            assert!(!fault.message.is_empty(), "{fault:?}");
            assert!(
                usize::try_from(fault.line).unwrap() <= lines,
                "{fault:?} of {text:?}"
            );
            assert!(
                usize::try_from(fault.column).unwrap() <= text.len() + 2,
                "{fault:?}"
            );
            assert_eq!(fault.line == 0, fault.column == 0, "{fault:?} of {text:?}");
            assert!(
                !fault.to_string().chars().any(char::is_control),
                "{fault:?}"
            );
        }
    }
    let deep = format!("{}{text}", "[".repeat(DEPTH_MAX + 1));
    assert!(config::load(&self::sources(file, &deep), Occasion::Start).is_err());
    if file == CREDENTIALS {
        secret(text);
    }
}

/// Every word that is no key becomes the canary, with the text's structure as it was.
fn secret(text: &str) {
    let mut marked = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            marked.push_str(if WORDS.contains(&word.as_str()) {
                &word
            } else {
                CANARY
            });
            word.clear();
        }
        marked.push(c);
    }
    if let Err(faults) = config::load(&sources(CREDENTIALS, &marked), Occasion::Start) {
        let shown = format!("{faults:?}");
        assert!(!shown.contains(CANARY), "{shown} of {marked:?}");
    }
}

/// What the reference page promises of whatever loads.
fn bounds(snapshot: &Snapshot) {
    for host in snapshot.inventory.hosts() {
        let alias = host.alias.as_str();
        assert!((1..=100).contains(&alias.len()) && !alias.contains(char::is_whitespace));
        assert!(host.port > 0 && (1..=253).contains(&host.host.len()));
        assert!(host.tags.iter().all(|tag| (1..=50).contains(&tag.len())));
        assert!(host.description.chars().count() <= 1_000);
        let target = snapshot.inventory.resolve(&host.alias).unwrap();
        assert_eq!(target.credential.is_some(), host.credentials.is_some());
    }
    for plugin in &snapshot.plugins {
        assert!((1..=64).contains(&plugin.name.len()) && plugin.settings.len() <= 65_536);
        assert!(!plugin.path.contains("..") && !plugin.path.starts_with('/'));
        assert!(plugin.sha256.as_ref().is_none_or(|pin| pin.len() == 64));
        let limits = plugin.limits;
        assert!(
            (1..=5_000).contains(&limits.wall_ms) && (1..=10_000_000_000).contains(&limits.fuel)
        );
        assert!(limits.memory_bytes <= 256 << 20 && limits.component_bytes <= 8 << 20);
    }
    for companion in &snapshot.companions {
        assert!((1..=64).contains(&companion.name.len()) && companion.tools.len() <= 512);
        assert!((1..=3_600).contains(&companion.timeout_seconds));
        assert!((1..=64).contains(&companion.concurrency_max) && companion.restarts_max <= 100);
        let named = |name: &str| companion.tools.iter().any(|tool| tool.name == name);
        for tool in &companion.tools {
            assert!(tool.undo.iter().chain(&tool.probe).all(|name| named(name)));
        }
        match &companion.transport {
            Transport::Stdio { command, args, .. } => {
                assert!(command.starts_with('/') && !command.contains("..") && args.len() <= 64);
            }
            Transport::Http { url, .. } => assert!(url.starts_with("http") && !url.contains('@')),
        }
    }
    assert!(snapshot.plugins.len() <= 64 && snapshot.companions.len() <= 32);
    assert!(snapshot.settings.reload.poll_seconds <= 3_600);
    assert_eq!(snapshot.digest.len(), 64);
}
