//! The seed system's checklist, item by item and in its order.
//!
//! Must not: look at anything but the facts.

use super::machine::Machine;
use super::setup::{Journal, Setup};
use super::{Item, Part, Standing, listed};
use crate::files::{Role, Seen};
use portcullis_core::config::Snapshot;
use portcullis_core::inventory::Host;
use portcullis_core::request::CommandLine;
use portcullis_core::shell;
use portcullis_ssh::KeyKind;
use std::time::Duration;

/// Shortest RSA key that the checklist takes, in bits.
const RSA_BITS_MIN: u32 = 4_096;
/// A quarter of a year and a day's grace, in days.
pub(super) const QUARTER_DAYS: u64 = 92;
const DAY: Duration = Duration::from_secs(86_400);
/// Longest time of a run that needs no reason, in seconds.
const SECONDS_USUAL: u64 = 3_600;
/// Largest output that needs no reason, in bytes.
const OUTPUT_USUAL: u64 = 16_777_216;
/// A command that nobody writes a rule for: whoever allows it allows everything.
const ANYTHING: &str = "portcullis-doctor-asks-for-anything a --b /c";
/// Bits of other users.
pub(super) const OTHERS: u32 = 0o077;
/// The bit by which the group reads.
const GROUP_READS: u32 = 0o040;

type Check = fn(&Machine, &Setup) -> Standing;

/// The items: the stable word, what is asked, and who answers.
const ITEMS: [(&str, &str, Check); 20] = [
    (
        "key-types",
        "Keys are Ed25519 or RSA of at least 4096 bits",
        key_types,
    ),
    (
        "key-modes",
        "Private keys are their owner's alone",
        key_modes,
    ),
    (
        "known-hosts-required",
        "Host keys are always verified",
        known_hosts_required,
    ),
    (
        "known-hosts-populated",
        "known_hosts has a record for every host",
        known_hosts_populated,
    ),
    (
        "allow-lists",
        "Addresses are restricted to known networks",
        allow_lists,
    ),
    (
        "deny-texts",
        "Dangerous texts are denied on every host",
        deny_texts,
    ),
    (
        "deny-by-default",
        "Everything is denied that no rule allows",
        deny_by_default,
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
        policy_tested,
    ),
    (
        "environments-separated",
        "Environments are told apart by tags",
        environments_separated,
    ),
    ("limits-set", "Time and output are limited", limits_set),
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
        specific_patterns,
    ),
    (
        "keys-rotated",
        "Keys are younger than a quarter of a year",
        keys_rotated,
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

/// What is said where the configuration does not load.
pub(super) fn unloaded() -> Standing {
    Standing::not_applicable("the configuration does not load; portcullis check names why")
}

/// The hosts of a configuration that are no sample of nothing.
pub(super) fn hosts(snapshot: &Snapshot) -> &[Host] {
    snapshot.inventory.hosts()
}

/// Whether a command would be allowed on a host, before validators and addresses.
pub(super) fn allows(snapshot: &Snapshot, host: &Host, command: &str) -> bool {
    let Ok(line) = CommandLine::parse(command) else {
        return false;
    };
    let Ok(script) = shell::parse(line.as_str()) else {
        return false;
    };
    snapshot
        .policy
        .judge(host, &line, &script)
        .refusal
        .is_none()
}

/// Whether others than its owner can get at a secret. Root may hand one to the gate's group, as orchestrators do.
pub(super) fn exposed(machine: &Machine, seen: &Seen) -> bool {
    let handed = seen.uid == 0 && machine.uid != 0;
    let allowed = if handed { GROUP_READS } else { 0 };
    seen.mode & OTHERS & !allowed != 0
}

fn key_types(_: &Machine, setup: &Setup) -> Standing {
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

fn key_modes(machine: &Machine, setup: &Setup) -> Standing {
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
    Standing::none_of(open, "open to others", "chmod 400 each key", "all are")
}

fn known_hosts_required(_: &Machine, setup: &Setup) -> Standing {
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

fn known_hosts_populated(_: &Machine, setup: &Setup) -> Standing {
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
        .filter(|host| known.recorded_types(&host.host, host.port).is_empty())
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        missing,
        "hosts without a record, which are never logged into",
        "ssh-keyscan -p PORT HOST >> known_hosts, and compare the key with the host's own",
        "every host has one",
    )
}

fn allow_lists(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let open: Vec<String> = hosts(snapshot)
        .iter()
        .filter(|host| {
            let lists = snapshot.policy.network_for(host);
            lists.allow.is_empty() || lists.allow.iter().any(|entry| entry.is_everything())
        })
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        open,
        "any address may be dialled for",
        "name your networks under network.allow_cidrs in policy.yml",
        "every host has an allow list",
    )
}

fn deny_texts(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let bare = hosts(snapshot)
        .iter()
        .filter(|host| snapshot.policy.limits_for(host).deny_substrings.is_empty())
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        bare,
        "no text is denied on",
        "remove the empty deny_substrings, so that the built-in list holds; and set deny_commands: [standard]",
        "every host has some",
    )
}

fn deny_by_default(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let open = hosts(snapshot)
        .iter()
        .filter(|host| allows(snapshot, host, ANYTHING))
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        open,
        "a rule allows whatever is asked for on",
        "replace the rule `*` by the commands that are needed",
        "what no rule allows is denied",
    )
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
        "secrets that are named and not found, or not readable",
        "set MCP_SSH_SECRET_<NAME>, or write a file of that name into the secrets directory",
        "none stands in a file of the configuration",
    )
}

/// Where the standard error of a running server leads, or would.
fn log_collection(machine: &Machine, _: &Setup) -> Standing {
    let lost: Vec<String> = machine
        .served
        .iter()
        .filter(|served| served.stderr.as_deref() == Some("/dev/null"))
        .map(|served| format!("process {}", served.pid))
        .collect();
    const MEND: &str =
        "send it to a file or to the system's journal; the client that starts the server decides";
    if !lost.is_empty() {
        return Standing::wrong(format!("thrown away by {}", listed(&lost)), MEND);
    }
    let known: Vec<String> = machine
        .served
        .iter()
        .filter_map(|served| {
            Some(format!(
                "process {} to {}",
                served.pid,
                served.stderr.as_ref()?
            ))
        })
        .collect();
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

fn policy_tested(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    if snapshot.policy.rule_count() == 0 {
        return Standing::not_applicable("the policy has no rules");
    }
    if setup.examples {
        Standing::ok("rules have examples, which are judged whenever the policy is loaded")
    } else {
        Standing::wrong(
            "no rule has examples",
            "add examples: {allow: […], deny: […]} to the rules, and keep a file for portcullis plan --cases",
        )
    }
}

fn environments_separated(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let all = hosts(snapshot);
    if all.len() < 2 {
        return Standing::not_applicable("there is at most one host");
    }
    let untagged = all
        .iter()
        .filter(|host| host.tags.is_empty())
        .map(|host| host.alias.as_str().to_owned())
        .collect::<Vec<_>>();
    if !untagged.is_empty() {
        return Standing::wrong(
            format!("hosts without a tag: {}", listed(&untagged)),
            "give each host the tag of its environment in servers.yml",
        );
    }
    let rules = snapshot.policy.rules();
    let alike = rules
        .iter()
        .all(|rule| all.iter().all(|host| rule.holds_on(host)));
    if alike && !rules.is_empty() {
        return Standing::wrong(
            "every rule holds on every host",
            "say tags: or aliases: in rules that are not for all environments",
        );
    }
    Standing::ok("hosts have tags, and rules hold by tag or alias")
}

fn limits_set(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let loose = hosts(snapshot)
        .iter()
        .filter_map(|host| {
            let limits = snapshot.policy.limits_for(host);
            let long = limits.max_seconds > SECONDS_USUAL;
            let much = limits.max_output_bytes > OUTPUT_USUAL;
            (long || much).then(|| {
                format!(
                    "{} ({} s, {} bytes)",
                    host.alias, limits.max_seconds, limits.max_output_bytes
                )
            })
        })
        .collect();
    Standing::none_of(
        loose,
        "more than an hour or 16 MiB",
        "lower limits.max_seconds and limits.max_output_bytes, and raise them by tag where a reason is",
        "every host has limits",
    )
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

fn specific_patterns(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let mut broad: Vec<String> = setup
        .warnings
        .iter()
        .filter(|warning| warning.file == "policy.yml" && warning.path.starts_with("rules["))
        .map(|warning| format!("{} ({})", warning.path, warning.message))
        .collect();
    broad.truncate(3);
    if broad.is_empty()
        && hosts(snapshot)
            .iter()
            .any(|host| allows(snapshot, host, ANYTHING))
    {
        broad.push("a rule that allows everything".to_owned());
    }
    Standing::none_of(
        broad,
        "portcullis check warns of",
        "name the words that are needed instead of `*`",
        "no rule is warned of",
    )
}

fn keys_rotated(machine: &Machine, setup: &Setup) -> Standing {
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
