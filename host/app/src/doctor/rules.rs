//! What is asked of the policy: by what it would say of commands, not by how it is written.
//!
//! Must not: look at anything but the facts.

use super::machine::Machine;
use super::setup::Setup;
use super::{Standing, hosts, listed, unloaded};
use portcullis_core::config::Snapshot;
use portcullis_core::inventory::Host;
use portcullis_core::policy::Code;
use portcullis_core::request::CommandLine;
use portcullis_core::shell;

/// Longest time of a run that needs no reason, in seconds.
const SECONDS_USUAL: u64 = 3_600;
/// Largest output that needs no reason, in bytes.
const OUTPUT_USUAL: u64 = 16_777_216;
/// Most warnings of `check` that a finding repeats.
const WARNINGS_MAX: usize = 3;
/// A command that nobody writes a rule for: whoever allows it allows everything.
const ANYTHING: &str = "portcullis-doctor-asks-for-anything a --b /c";
/// Commands that nobody should be able to run, and that only a deny list keeps from a rule that says too much.
const DANGEROUS: [&str; 3] = ["rm -rf /", "mkfs.ext4 /dev/sda", "shutdown -h now"];

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

pub(super) fn allow_lists(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let open: Vec<String> = hosts(snapshot)
        .iter()
        .filter(|host| !snapshot.policy.network_for(host).has_allow_list())
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        open,
        "any address may be dialled for",
        "name your networks under network.allow_cidrs in policy.yml",
        "every host has an allow list",
    )
}

pub(super) fn deny_texts(_: &Machine, setup: &Setup) -> Standing {
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

pub(super) fn deny_by_default(_: &Machine, setup: &Setup) -> Standing {
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

pub(super) fn policy_tested(_: &Machine, setup: &Setup) -> Standing {
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

pub(super) fn environments_separated(_: &Machine, setup: &Setup) -> Standing {
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

pub(super) fn limits_set(_: &Machine, setup: &Setup) -> Standing {
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

pub(super) fn specific_patterns(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let mut broad: Vec<String> = setup
        .warnings
        .iter()
        .filter(|warning| warning.file == "policy.yml" && warning.path.starts_with("rules["))
        .map(|warning| format!("{} ({})", warning.path, warning.message))
        .collect();
    broad.truncate(WARNINGS_MAX);
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

pub(super) fn open_rules(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let open = hosts(snapshot)
        .iter()
        .filter(|host| allows(snapshot, host, "portcullis-doctor-asks-for-anything"))
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        open,
        "a bare `*` holds on",
        "name the commands that are needed; a deny list beside `*` is a tripwire and no boundary",
        "none does",
    )
}

pub(super) fn deny_lists(_: &Machine, setup: &Setup) -> Standing {
    let Some(snapshot) = &setup.snapshot else {
        return unloaded();
    };
    let refused_by_list = |host, command: &str| {
        let Ok(line) = CommandLine::parse(command) else {
            return false;
        };
        let Ok(script) = shell::parse(line.as_str()) else {
            return false;
        };
        let refusal = snapshot.policy.judge(host, &line, &script).refusal;
        refusal.is_some_and(|refusal| {
            matches!(
                refusal.code,
                Code::DenyRule | Code::DenyCommand | Code::DenySubstring
            )
        })
    };
    let bare = hosts(snapshot)
        .iter()
        .filter(|host| {
            !DANGEROUS
                .iter()
                .all(|command| refused_by_list(host, command))
        })
        .map(|host| host.alias.as_str().to_owned())
        .collect();
    Standing::none_of(
        bare,
        "nothing but missing rules stands between an agent and the disks of",
        "set deny_commands: [standard] in policy.yml",
        "it is",
    )
}
