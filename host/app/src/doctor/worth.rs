//! What makes the set-up worthless, whatever the rules say.
//!
//! Must not: look at anything but the facts.

use super::keys::{self, exposed};
use super::machine::Machine;
use super::setup::Setup;
use super::{Item, OTHERS, Part, Standing, listed, rules, unloaded};
use crate::files::{Role, Seen};
use portcullis_core::config::PluginMode;
use std::time::Duration;

/// How far in the future a file may have been written before the clock is doubted.
const CLOCK_SLACK: Duration = Duration::from_secs(120);
/// Bits by which others write.
const OTHERS_WRITE: u32 = 0o022;
/// File systems that are gone when the machine or container is.
const VOLATILE: [&str; 3] = ["tmpfs", "ramfs", "overlay"];
/// Login shells that let nobody in.
const NO_SHELLS: [&str; 2] = ["nologin", "false"];

type Check = fn(&Machine, &Setup) -> Standing;

const ITEMS: [(&str, &str, Check); 17] = [
    ("configuration", "The configuration loads", configuration),
    (
        "one-person",
        "The agent, the gate and the keys have different users",
        one_person,
    ),
    ("not-root", "The gate does not run as root", not_root),
    (
        "others",
        "No other user can read secrets or write the law",
        others,
    ),
    (
        "law-writable",
        "The gate's user cannot change policy and approvers",
        law_writable,
    ),
    (
        "journal-key",
        "The journal's key is its owner's alone",
        journal_key,
    ),
    (
        "state-kept",
        "The journal outlives the machine's next start",
        state_kept,
    ),
    (
        "open-rules",
        "No rule allows whatever is asked for",
        rules::open_rules,
    ),
    (
        "deny-lists",
        "What destroys is refused even where a rule says too much",
        rules::deny_lists,
    ),
    (
        "host-keys",
        "Recorded host keys are strong",
        keys::host_keys,
    ),
    ("passphrases", "Keys have passphrases", keys::passphrases),
    (
        "environment",
        "No secret stands in the environment",
        environment,
    ),
    (
        "plugins",
        "Plugins are pinned and their word holds",
        plugins,
    ),
    (
        "confinement",
        "The system confines the process",
        confinement,
    ),
    ("memory", "Nobody can read the process's memory", memory),
    ("clock", "The clock is right", clock),
    (
        "approvals",
        "Approvals are decided outside the agent's reach",
        approvals,
    ),
];

pub(super) fn items(machine: &Machine, setup: &Setup) -> Vec<Item> {
    ITEMS
        .iter()
        .map(|(id, title, check)| Item {
            id,
            part: Part::Worth,
            title,
            standing: check(machine, setup),
        })
        .collect()
}

fn configuration(_: &Machine, setup: &Setup) -> Standing {
    Standing::none_of(
        setup.faults.clone(),
        "it does not load",
        "portcullis check names every fault with its hint",
        "it does",
    )
}

/// Whether the gate's user is one that nobody logs in as, so that an agent of somebody else's is another user.
fn service_account(machine: &Machine) -> bool {
    machine
        .account
        .as_ref()
        .is_some_and(|(_, shell)| NO_SHELLS.iter().any(|word| shell.ends_with(word)))
}

fn one_person(machine: &Machine, setup: &Setup) -> Standing {
    let servers = machine.servers(setup);
    let shared = servers
        .iter()
        .any(|served| served.parent_uid == Some(machine.uid));
    if !shared && (machine.container || service_account(machine)) {
        return Standing::ok("nobody logs in as the gate's user");
    }
    let apart = servers
        .iter()
        .any(|served| served.parent_uid.is_some_and(|uid| uid != machine.uid));
    if apart && !shared {
        return Standing::ok("the client of the running server is another user");
    }
    let name = machine
        .account
        .as_ref()
        .map_or_else(|| machine.uid.to_string(), |(name, _)| name.clone());
    let keys = if setup.keys.is_empty() {
        ""
    } else {
        " and read the keys without the gate"
    };
    Standing::wrong(
        format!(
            "a set-up of one person: an agent that {name} starts can change policy and journal{keys}. What holds is the policy for calls through the gate, redaction, and the journal against accidents"
        ),
        "give the gate a user without a login shell and start it through sudo -u, or run it in a container",
    )
}

fn not_root(machine: &Machine, _: &Setup) -> Standing {
    if machine.uid == 0 {
        Standing::wrong(
            "it does, and nothing needs it",
            "give the gate a user of its own",
        )
    } else {
        Standing::ok("it does not")
    }
}

fn others(machine: &Machine, setup: &Setup) -> Standing {
    if setup.seen.is_empty() {
        return unloaded();
    }
    let keys = setup.keys.iter().filter_map(|key| key.file.as_ref());
    let open = setup
        .seen
        .iter()
        .chain(keys)
        .filter(|seen| {
            let secret = seen.role == Role::Secret && !seen.directory && exposed(machine, seen);
            secret || seen.mode & OTHERS_WRITE != 0
        })
        .map(shown)
        .collect();
    Standing::none_of(
        open,
        "others can read or write",
        "chmod 700 the directories, 600 the files, 400 the keys; where root owns one that the gate's group reads, chmod 750, 640 and 440",
        "no other user can",
    )
}

fn shown(seen: &Seen) -> String {
    format!("{} (mode {:o})", seen.path.display(), seen.mode)
}

fn law_writable(machine: &Machine, setup: &Setup) -> Standing {
    if setup.seen.is_empty() {
        return unloaded();
    }
    let law = setup
        .seen
        .iter()
        .filter(|seen| seen.role == Role::Law && seen.writable)
        .filter(|seen| {
            !machine
                .mount_of(&seen.path)
                .is_some_and(|mount| mount.read_only)
        })
        .map(|seen| seen.path.display().to_string())
        .collect();
    Standing::none_of(
        law,
        "whoever gets the gate's user can change",
        "chown root, chmod go-w; or mount the configuration read-only",
        "it cannot",
    )
}

fn journal_key(_: &Machine, setup: &Setup) -> Standing {
    let key = setup
        .seen
        .iter()
        .find(|seen| seen.role == Role::State && seen.path.ends_with("keys/journal.key"));
    match key {
        None => Standing::not_applicable("nothing was run yet, so there is no key"),
        Some(seen) if seen.mode & OTHERS != 0 => Standing::wrong(
            format!(
                "others can read {}: they can write records that verify",
                shown(seen)
            ),
            "chmod 600 it, and make a new one: move journal and key aside together",
        ),
        Some(_) => Standing::ok(
            "it is; whoever runs as its owner can still forge records, so collect standard error elsewhere",
        ),
    }
}

fn state_kept(machine: &Machine, setup: &Setup) -> Standing {
    let state = setup
        .seen
        .iter()
        .find(|seen| seen.role == Role::State && seen.directory);
    let Some(state) = state else {
        return Standing::not_applicable("there is no state directory yet");
    };
    let Some(mount) = machine.mount_of(&state.path) else {
        return Standing::not_applicable("the system does not say what it lies on");
    };
    // The top of a container's own file system goes with the container.
    if VOLATILE.contains(&mount.kind.as_str()) {
        return Standing::wrong(
            format!("{} lies on {}", state.path.display(), mount.kind),
            "put it on a disk or a volume: --state, PORTCULLIS_STATE_DIR",
        );
    }
    Standing::ok(format!("it lies on {}", mount.kind))
}

fn environment(machine: &Machine, _: &Setup) -> Standing {
    let names = machine.secret_variables.iter().cloned().collect();
    Standing::none_of(
        names,
        "every process of this user can read",
        "write them to files in the secrets directory",
        "none does",
    )
}

fn plugins(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    if snapshot.plugins.is_empty() {
        return Standing::not_applicable("there are none");
    }
    let mut bad = Vec::new();
    for plugin in &snapshot.plugins {
        if plugin.sha256.is_none() {
            bad.push(format!("{} has no pin", plugin.name));
        }
        if plugin.mode == PluginMode::Observe {
            bad.push(format!("{} only observes", plugin.name));
        }
    }
    Standing::none_of(
        bad,
        "of no effect or of any content",
        "set sha256 (portcullis plugin inspect FILE) and mode: enforce",
        "all are",
    )
}

fn confinement(machine: &Machine, _: &Setup) -> Standing {
    let Some(held) = machine.confinement else {
        return Standing::not_applicable("the system does not say");
    };
    let mut bad = Vec::new();
    if !held.seccomp {
        bad.push("no seccomp filter".to_owned());
    }
    if !held.no_new_privs {
        bad.push("rights can be gained by executing".to_owned());
    }
    if held.capabilities != 0 && machine.uid != 0 {
        bad.push(format!("capabilities {:#x}", held.capabilities));
    }
    Standing::none_of(
        bad,
        "a hole in the gate is a hole in the machine",
        "start it under systemd with NoNewPrivileges= and SystemCallFilter=, or in a container",
        "a filter holds and no rights can be gained; whether a Landlock domain does, no process can tell",
    )
}

fn memory(machine: &Machine, _: &Setup) -> Standing {
    let mut bad = Vec::new();
    if machine.core_bytes != Some(0) {
        bad.push("it may leave a core file with keys in it".to_owned());
    }
    if machine.dumpable {
        bad.push("other processes of its user may trace it".to_owned());
    }
    Standing::none_of(
        bad,
        "readable",
        "ulimit -c 0, or LimitCORE=0; and give the gate a user of its own",
        "nobody but root",
    )
}

fn clock(machine: &Machine, setup: &Setup) -> Standing {
    let keys = setup.keys.iter().filter_map(|key| key.file.as_ref());
    let future: Vec<String> = setup
        .seen
        .iter()
        .chain(keys)
        .filter(|seen| {
            let ahead = seen
                .modified
                .and_then(|time| time.duration_since(machine.now).ok());
            ahead.is_some_and(|ahead| ahead > CLOCK_SLACK)
        })
        .map(|seen| seen.path.display().to_string())
        .collect();
    if !future.is_empty() {
        return Standing::wrong(
            format!(
                "the clock went back: written in the future were {}",
                listed(&future)
            ),
            "synchronise the clock; times of records before and after do not compare",
        );
    }
    match &machine.time_daemon {
        Some(sign) => Standing::ok(format!("a time daemon left {sign}")),
        None if machine.container => Standing::not_applicable("the host of the container keeps it"),
        None => Standing::wrong(
            "no sign of a time daemon (systemd-timesyncd, chrony, ntpd)",
            "run one: records are compared with those of hosts by their times",
        ),
    }
}

fn approvals(_: &Machine, setup: &Setup) -> Standing {
    let signers = setup
        .seen
        .iter()
        .find(|seen| seen.path.ends_with("allowed_signers"));
    match signers {
        None => {
            Standing::not_applicable("this set-up has no allowed_signers, so nothing is approved")
        }
        Some(seen) if seen.writable || seen.mode & OTHERS_WRITE != 0 => Standing::wrong(
            format!("the gate's user can name approvers: {}", shown(seen)),
            "chown root and chmod 644 allowed_signers",
        ),
        Some(_) => Standing::ok("the gate's user cannot name approvers"),
    }
}
