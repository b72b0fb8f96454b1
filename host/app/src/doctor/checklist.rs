//! The seed system's checklist, item by item and in its order.
//!
//! Must not: look at anything but the facts.

use super::machine::Machine;
use super::setup::{Journal, Setup};
use super::{DAY, Item, Part, QUARTER_DAYS, Standing, keys, listed, rules, unloaded};
use crate::files::Role;

type Check = fn(&Machine, &Setup) -> Standing;

/// The items: the stable word, what is asked, and who answers.
const ITEMS: [(&str, &str, Check); 20] = [
    (
        "key-types",
        "Keys are Ed25519 or RSA of at least 4096 bits",
        keys::key_types,
    ),
    (
        "key-modes",
        "Private keys are their owner's alone",
        keys::key_modes,
    ),
    (
        "known-hosts-required",
        "Host keys are always verified",
        keys::known_hosts_required,
    ),
    (
        "known-hosts-populated",
        "known_hosts has a record for every host",
        keys::known_hosts_populated,
    ),
    (
        "allow-lists",
        "Addresses are restricted to known networks",
        rules::allow_lists,
    ),
    (
        "deny-texts",
        "Dangerous texts are denied on every host",
        rules::deny_texts,
    ),
    (
        "deny-by-default",
        "Everything is denied that no rule allows",
        rules::deny_by_default,
    ),
    (
        "read-only-mounts",
        "Configuration and keys cannot be written from here",
        read_only,
    ),
    (
        "no-plain-passwords",
        "Passwords stand in secrets, and each secret is found",
        no_plain_passwords,
    ),
    (
        "log-collection",
        "Standard error is collected",
        log_collection,
    ),
    (
        "alerting",
        "Somebody is told of policy violations",
        alerting,
    ),
    (
        "incident-procedures",
        "The commands of the incident procedures work",
        incident_procedures,
    ),
    (
        "policy-tested",
        "The policy is tested before it is used",
        rules::policy_tested,
    ),
    (
        "environments-separated",
        "Environments are told apart by tags",
        rules::environments_separated,
    ),
    (
        "limits-set",
        "Time and output are limited",
        rules::limits_set,
    ),
    (
        "container-privileges",
        "The container may do no more than it must",
        container_privileges,
    ),
    (
        "health-check",
        "The container's health is checked",
        health_check,
    ),
    (
        "specific-patterns",
        "Rules name specific commands",
        rules::specific_patterns,
    ),
    (
        "keys-rotated",
        "Keys are younger than a quarter of a year",
        keys::keys_rotated,
    ),
    (
        "program-current",
        "The program is kept up to date",
        program_current,
    ),
];

pub(super) fn items(machine: &Machine, setup: &Setup) -> Vec<Item> {
    ITEMS
        .iter()
        .map(|(id, title, check)| Item {
            id,
            part: Part::Checklist,
            title,
            standing: check(machine, setup),
        })
        .collect()
}

fn read_only(machine: &Machine, setup: &Setup) -> Standing {
    if setup.seen.is_empty() {
        return unloaded();
    }
    let writable: Vec<String> = setup
        .seen
        .iter()
        .filter(|seen| matches!(seen.role, Role::Law | Role::Secret))
        .filter(|seen| seen.writable)
        .filter(|seen| {
            !machine
                .mount_of(&seen.path)
                .is_some_and(|mount| mount.read_only)
        })
        .map(|seen| seen.path.display().to_string())
        .collect();
    Standing::none_of(
        writable,
        "the gate's user can write",
        "mount them read-only (:ro, ReadOnlyPaths=), or give them to root and let the gate's user read",
        "none can be written",
    )
}

fn no_plain_passwords(_: &Machine, setup: &Setup) -> Standing {
    if setup.snapshot.is_none() {
        let plain = setup
            .faults
            .iter()
            .any(|fault| fault.contains("password in plain text"));
        return if plain {
            Standing::wrong(
                "credentials.yml holds a password in plain text",
                "put it into a secret and name that with password_secret; then change it, for it was seen",
            )
        } else {
            unloaded()
        };
    }
    Standing::none_of(
        setup.missing_secrets.clone(),
        "name secrets that are not found, or not readable",
        "set MCP_SSH_SECRET_<NAME>, or write a file of that name into the secrets directory",
        "none stands in a file of the configuration",
    )
}

/// Where the standard error of a running server leads, or would.
fn log_collection(machine: &Machine, setup: &Setup) -> Standing {
    const MEND: &str =
        "send it to a file or to the system's journal; the client that starts the server decides";
    let (mut lost, mut known, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for served in machine.servers(setup) {
        match served.stderr.as_deref() {
            Some("/dev/null") => lost.push(format!("process {}", served.pid)),
            Some(stderr) => known.push(format!("process {} to {stderr}", served.pid)),
            None => unknown.push(format!("process {}", served.pid)),
        }
    }
    if !lost.is_empty() {
        return Standing::wrong(format!("thrown away by {}", listed(&lost)), MEND);
    }
    if !unknown.is_empty() {
        return Standing::not_applicable(format!(
            "only root can see where that of {} leads; ask as root",
            listed(&unknown)
        ));
    }
    if !known.is_empty() {
        return Standing::ok(listed(&known));
    }
    if machine.journal_stream {
        return Standing::ok("the system's journal takes it");
    }
    if machine.container {
        return Standing::ok("the container's runtime takes it");
    }
    Standing::wrong(
        "no server runs here, and nothing here takes standard error",
        MEND,
    )
}

fn alerting(machine: &Machine, setup: &Setup) -> Standing {
    match log_collection(machine, setup) {
        Standing::Wrong { .. } => Standing::wrong(
            "nobody can be told: standard error is not collected",
            "collect it, and alert on policy_decision with allowed false, on security_event and security_audit",
        ),
        Standing::Ok(_) | Standing::NotApplicable(_) => Standing::not_applicable(
            "it is done where standard error is collected; alert on policy_decision with allowed false, on security_event and security_audit",
        ),
    }
}

fn incident_procedures(_: &Machine, setup: &Setup) -> Standing {
    match &setup.journal {
        Journal::Intact(records) => Standing::ok(format!(
            "the journal verifies with {records} records; the procedures stand in SECURITY.md"
        )),
        Journal::None => {
            Standing::not_applicable("nothing was run yet, so there is no journal to look into")
        }
        Journal::Broken(why) => Standing::wrong(
            format!("the journal does not verify: {why}"),
            "portcullis audit verify; then as SECURITY.md says under Incidents",
        ),
    }
}

fn container_privileges(machine: &Machine, _: &Setup) -> Standing {
    if !machine.container {
        return Standing::not_applicable("this is no container");
    }
    let Some(held) = machine.confinement else {
        return Standing::wrong(
            "the system does not say what this process may do",
            "mount /proc",
        );
    };
    let mut bad = Vec::new();
    if machine.uid == 0 {
        bad.push("it runs as root".to_owned());
    }
    if held.capabilities != 0 {
        bad.push(format!("capabilities {:#x}", held.capabilities));
    }
    if !held.no_new_privs {
        bad.push("rights can be gained".to_owned());
    }
    if !held.seccomp {
        bad.push("no seccomp filter".to_owned());
    }
    let root = machine.mount_of(std::path::Path::new("/"));
    if !root.is_some_and(|mount| mount.read_only) {
        bad.push("its root file system can be written".to_owned());
    }
    Standing::none_of(
        bad,
        "more than it must",
        "docker run --user 10001 --cap-drop ALL --security-opt no-new-privileges --read-only",
        "no capability, no new rights, a filter, a read-only root",
    )
}

fn health_check(machine: &Machine, setup: &Setup) -> Standing {
    if !machine.container {
        return Standing::not_applicable("this is no container");
    }
    if setup.faults.is_empty() {
        Standing::ok("what a health check runs here, portcullis check, succeeds")
    } else {
        Standing::wrong(
            "a health check would fail: the configuration does not load",
            "portcullis check names why",
        )
    }
}

fn program_current(machine: &Machine, _: &Setup) -> Standing {
    let Some(written) = machine.program_written else {
        return Standing::not_applicable("the system does not say when the program was put here");
    };
    let age = machine.now.duration_since(written).unwrap_or_default();
    let days = age.as_secs() / DAY.as_secs();
    if days > QUARTER_DAYS {
        Standing::wrong(
            format!("the program was put here {days} days ago"),
            "install the newest release or pull the newest image, and read what changed",
        )
    } else {
        Standing::ok(format!("the program was put here {days} days ago"))
    }
}
