//! What is asked of keys and of the hosts' recorded keys.
//!
//! Must not: look at anything but the facts.

use super::machine::Machine;
use super::setup::Setup;
use super::{DAY, OTHERS, QUARTER_DAYS, Standing, hosts, unloaded};
use crate::files::Seen;
use portcullis_ssh::KeyKind;

/// Shortest RSA key that the checklist takes, in bits.
const RSA_BITS_MIN: u32 = 4_096;
/// The bit by which the group reads.
const GROUP_READS: u32 = 0o040;

/// Whether others than its owner can get at a secret. Root may hand one to the gate's group, as orchestrators do.
pub(super) fn exposed(machine: &Machine, seen: &Seen) -> bool {
    let handed = seen.uid == 0 && machine.uid != 0;
    let allowed = if handed { GROUP_READS } else { 0 };
    seen.mode & OTHERS & !allowed != 0
}

pub(super) fn key_types(_: &Machine, setup: &Setup) -> Standing {
    if setup.snapshot.is_none() {
        return unloaded();
    }
    let mut bad = Vec::new();
    for key in &setup.keys {
        let what = match &key.facts {
            Ok(facts) => match facts.kind {
                Some(KeyKind::Ed25519) => continue,
                Some(KeyKind::Rsa { bits }) if bits >= RSA_BITS_MIN => continue,
                Some(KeyKind::Rsa { bits }) => format!("{} (RSA of {bits} bits)", key.path),
                Some(KeyKind::Ecdsa) => format!("{} (ECDSA)", key.path),
                None => format!("{} (cannot be told without its passphrase)", key.path),
            },
            Err(why) => format!("{} ({why})", key.path),
        };
        bad.push(what);
    }
    if setup.keys.is_empty() {
        return Standing::not_applicable("no login names a key");
    }
    Standing::none_of(
        bad,
        "other keys",
        "ssh-keygen -t ed25519, put the public half on the hosts, and change key_path",
        "all are",
    )
}

pub(super) fn key_modes(machine: &Machine, setup: &Setup) -> Standing {
    if setup.snapshot.is_none() {
        return unloaded();
    }
    let files: Vec<_> = setup
        .keys
        .iter()
        .filter_map(|key| key.file.as_ref())
        .collect();
    if files.is_empty() {
        return Standing::not_applicable("there is no key file");
    }
    let open = files
        .iter()
        .filter(|file| exposed(machine, file))
        .map(|file| format!("{} (mode {:o})", file.path.display(), file.mode))
        .collect();
    const MEND: &str = "chmod 400 each key that the gate's user owns; one of root's stays root's: give it the gate's group and chmod 440";
    Standing::none_of(open, "open to others", MEND, "all are")
}

pub(super) fn keys_rotated(machine: &Machine, setup: &Setup) -> Standing {
    if setup.snapshot.is_none() {
        return unloaded();
    }
    let mut old = Vec::new();
    let mut any = false;
    for file in setup.keys.iter().filter_map(|key| key.file.as_ref()) {
        any = true;
        let days = file
            .modified
            .and_then(|modified| machine.now.duration_since(modified).ok())
            .map_or(0, |age| age.as_secs() / DAY.as_secs());
        if days > QUARTER_DAYS {
            old.push(format!("{} ({days} days)", file.path.display()));
        }
    }
    if !any {
        return Standing::not_applicable("there is no key file");
    }
    Standing::none_of(
        old,
        "by the time of its file, older than a quarter of a year",
        "make new keys, put them on the hosts, change key_path, and remove the old ones",
        "by the times of their files, all are",
    )
}

pub(super) fn known_hosts_required(_: &Machine, setup: &Setup) -> Standing {
    let said = |words: &str| {
        setup
            .warnings
            .iter()
            .any(|warning| warning.path.ends_with(words))
    };
    if said("require_known_host") || said("host_key_auto_add") {
        return Standing::wrong(
            "the policy asks for less; it is ignored, so whoever wrote it is mistaken about this gate",
            "remove require_known_host and host_key_auto_add from policy.yml",
        );
    }
    Standing::ok("nothing can switch it off")
}

pub(super) fn known_hosts_populated(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let known = match &setup.known_hosts {
        Ok(known) => known,
        Err(why) => {
            return Standing::wrong(
                why.clone(),
                "ssh-keyscan the hosts and compare each key with the host's own",
            );
        }
    };
    let missing = hosts(snapshot)
        .iter()
        .filter(|host| {
            let recorded = known.recorded_types(&host.host, host.port);
            let vouched = known.has_authority(&host.host, host.port);
            recorded.is_empty() && !vouched && host.host_keys.is_empty()
        })
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        missing,
        "hosts without a record, which are never logged into",
        "ssh-keyscan -p PORT HOST >> known_hosts, and compare the key with the host's own",
        "every host has one",
    )
}

pub(super) fn host_keys(_: &Machine, setup: &Setup) -> Standing {
    let Ok(known) = &setup.known_hosts else {
        return Standing::not_applicable("there is no known_hosts file");
    };
    let weak = known
        .weak()
        .into_iter()
        .map(|record| {
            let names = record.names.unwrap_or_else(|| "a hashed name".to_owned());
            match record.bits {
                Some(bits) => format!("{names} ({} of {bits} bits)", record.kind),
                None => format!("{names} ({}, which signs with SHA-1)", record.kind),
            }
        })
        .collect();
    Standing::none_of(
        weak,
        "weak",
        "give the hosts Ed25519 keys, record those, and remove these lines",
        "none is weak",
    )
}

pub(super) fn passphrases(_: &Machine, setup: &Setup) -> Standing {
    if setup.snapshot.is_none() {
        return unloaded();
    }
    if setup.keys.is_empty() {
        return Standing::not_applicable("no login names a key");
    }
    let mut bad = Vec::new();
    for key in &setup.keys {
        match &key.facts {
            Ok(facts) if !facts.encrypted => bad.push(format!("{} has none", key.path)),
            Ok(_) if !key.passphrase => {
                bad.push(format!("{} has one and no login names it", key.path));
            }
            Ok(_) => {}
            Err(why) => bad.push(format!("{}: {why}", key.path)),
        }
    }
    Standing::none_of(
        bad,
        "keys that whoever reads the file can use, or nobody",
        "ssh-keygen -p -f KEY, and name the passphrase's secret with key_passphrase_secret",
        "all have",
    )
}
