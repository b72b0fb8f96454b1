//! Claims about whole decisions: a policy's text and a command in, a verdict out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::{Code, Judgement, Policy};
use crate::config;
use crate::inventory::Host;
use crate::request::{Alias, CommandLine};
use crate::shell;

fn policy(text: &str) -> Policy {
    config::policy(text)
        .unwrap_or_else(|faults| panic!("{faults:?}"))
        .0
}

fn host(alias: &str, tags: &[&str]) -> Host {
    Host {
        alias: Alias::parse(alias).unwrap(),
        host: "192.0.2.1".to_owned(),
        port: 22,
        credentials: None,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        description: String::new(),
        shell: crate::inventory::LoginShell::default(),
        host_keys: Vec::new(),
        jump: Vec::new(),
        watchdog: crate::inventory::Watchdog::default(),
    }
}

fn judge(policy: &Policy, command: &str) -> Judgement {
    let line = CommandLine::parse(command).unwrap();
    let script = shell::parse(line.as_str()).unwrap_or_else(|fault| panic!("{command}: {fault}"));
    policy.judge(&host("web1", &["linux"]), &line, &script)
}

fn code(policy: &Policy, command: &str) -> Option<Code> {
    judge(policy, command).refusal.map(|refusal| refusal.code)
}

/// Checks that a policy allows some commands and refuses others, each for the given reason.
fn check(text: &str, allowed: &[&str], refused: &[(&str, Code)]) {
    let policy = policy(text);
    for command in allowed {
        assert_eq!(code(&policy, command), None, "{command:?}");
    }
    for (command, expected) in refused {
        assert_eq!(code(&policy, command), Some(*expected), "{command:?}");
    }
}

const NO_TEXTS: &str = "limits: {deny_substrings: []}\n";

mod denying;
mod grants;
mod ways_around;

#[test]
fn a_policy_without_rules_refuses_everything() {
    for policy in [Policy::default(), policy(""), policy("rules: []")] {
        assert_eq!(policy.rule_count(), 0);
        assert_eq!(code(&policy, "uptime"), Some(Code::NoRule));
    }
}

#[test]
fn an_unknown_word_is_allowed_by_nothing_that_names_words() {
    let rules = "rules:
  - {action: allow, simple_binaries: [ls]}
  - {action: allow, binary: cat, path_args: {indices: [1], patterns: ['/var/log/*']}}
  - {action: allow, binary: tail, arg_prefix: ['-n', '5']}
  - {action: allow, commands: ['head /var/log/*', 'wc -l', 'du *']}
";
    check(
        rules,
        &[
            "ls x",
            "cat /var/log/x",
            "tail -n 5 x",
            "head /var/log/x",
            "wc -l",
            "du *",
        ],
        &[
            ("ls *", Code::NoRule),
            ("cat /var/log/*", Code::NoRule),
            ("cat /var/log/[a-z]", Code::NoRule),
            ("tail -n 5 *", Code::NoRule),
            ("head /var/log/*", Code::NoRule),
            ("wc -?", Code::NoRule),
        ],
    );
}

#[test]
fn a_program_named_by_a_path_is_allowed_only_where_a_rule_spells_the_path() {
    let rules = "rules:
  - {action: allow, simple_binaries: [uptime, /usr/local/bin/check]}
  - {action: allow, binary: /opt/app/ctl, arg_prefix: [status]}
  - {action: allow, commands: ['/usr/bin/df*', 'who*']}
";
    check(
        rules,
        &[
            "uptime",
            "/usr/local/bin/check x",
            "/opt/app/ctl status",
            "/usr/bin/df -h",
        ],
        &[
            ("/usr/bin/uptime", Code::ProgramPath),
            ("./uptime", Code::ProgramPath),
            ("check", Code::NoRule),
            ("ctl status", Code::NoRule),
            ("/opt/app/../../tmp/ctl status", Code::ProgramPath),
            ("df -h", Code::NoRule),
            ("/usr/bin/../../tmp/df", Code::ProgramPath),
            ("/bin/who", Code::ProgramPath),
        ],
    );
}

#[test]
fn a_rule_that_names_a_wrapper_alone_never_allows_what_it_runs() {
    let rules = format!(
        "{NO_TEXTS}rules:
  - {{action: allow, simple_binaries: [sh, env, python3, sudo, xargs, busybox, su, bash]}}
  - {{action: allow, commands: ['find *', 'awk *', 'nice*', 'eval *', '. *', 'timeout *', 'zsh *', 'python3.11 *', 'echo *']}}
"
    );
    check(
        &rules,
        &[
            "env",
            "nice",
            "find /x -name y",
            "sudo -l",
            "python3 --version",
        ],
        &[
            ("sh -c 'id | bash'", Code::Wrapper),
            ("sh -c 'sh -s'", Code::Wrapper),
            ("zsh -c id", Code::Wrapper),
            ("python3 -c 'import os'", Code::Wrapper),
            ("python3 /tmp/x.py", Code::Wrapper),
            ("python3.11 /tmp/x.py", Code::Wrapper),
            ("env id", Code::Wrapper),
            ("env -S id", Code::Wrapper),
            ("sudo id", Code::Wrapper),
            ("sudo -u root id", Code::Wrapper),
            ("sudo -i", Code::Wrapper),
            ("xargs id", Code::Wrapper),
            ("busybox sh", Code::Wrapper),
            ("su", Code::Wrapper),
            ("echo id | bash", Code::Wrapper),
            ("nice id", Code::Wrapper),
            ("find /x -exec id ';'", Code::Wrapper),
            ("awk 'BEGIN{system(\"id\")}'", Code::Wrapper),
            ("eval id", Code::Wrapper),
            (". /tmp/x", Code::Wrapper),
            ("timeout 5 id", Code::Wrapper),
            ("'sudo' id", Code::Wrapper),
            ("s\\udo id", Code::Wrapper),
        ],
    );
}

#[test]
fn a_rule_that_spells_wrapper_and_inner_program_allows_both() {
    let rules = "rules:
  - {action: allow, binary: sudo, arg_prefix: [systemctl]}
  - {action: allow, binary: python3, path_args: {indices: [1], patterns: [/opt/check.py]}}
  - {action: allow, commands: ['sudo apt-get update', 'timeout 5 df *', 'sh -c uptime', 'sudo -u app ls *']}
";
    check(
        rules,
        &[
            "sudo systemctl restart nginx",
            "sudo apt-get update",
            "timeout 5 df -h",
            "sh -c uptime",
            "sudo -u app ls /srv",
            "python3 /opt/check.py --all",
        ],
        &[
            ("sudo systemctl-evil", Code::NoRule),
            ("sudo -u root systemctl restart nginx", Code::NoRule),
            ("sudo apt-get update x", Code::NoRule),
            ("timeout 5 rm x", Code::NoRule),
            ("sh -c uptime x", Code::NoRule),
            ("python3 /opt/../tmp/check.py", Code::NoRule),
            ("sudo", Code::NoRule),
        ],
    );
}

#[test]
fn a_wrapper_inside_a_spelled_wrapper_has_to_be_spelled_too() {
    let rules = "rules: [{action: allow, commands: ['sudo env *', 'sudo env A=1 id']}]";
    check(
        rules,
        &["sudo env A=1 id", "sudo env -i"],
        &[
            ("sudo env sh -c id", Code::Wrapper),
            ("sudo env id", Code::Wrapper),
        ],
    );
}

#[test]
fn every_part_of_a_chain_must_be_allowed_and_the_first_refused_one_is_named() {
    let policy = policy("rules: [{action: allow, name: reads, commands: ['uptime', 'df *']}]");
    for command in [
        "uptime; df -h",
        "uptime && df -h || uptime",
        "uptime | df -h",
        "uptime & df -h\nuptime",
    ] {
        assert_eq!(code(&policy, command), None, "{command}");
    }
    let judgement = judge(&policy, "uptime &&  whoami -x ; reboot; df -h");
    let refusal = judgement.refusal.unwrap();
    assert_eq!(refusal.part.as_deref(), Some("whoami -x"));
    assert_eq!(refusal.offset, Some(11));
    assert!(refusal.detail.contains("`whoami -x`"), "{}", refusal.detail);
    let allowed: Vec<bool> = judgement.findings.iter().map(|f| f.allowed).collect();
    assert_eq!(allowed, [true, false, false, true]);
    let rule = judgement.findings[3].rule.clone().unwrap();
    assert_eq!((rule.index, rule.name.as_deref()), (0, Some("reads")));
}

#[test]
fn a_single_command_names_no_part() {
    let policy = policy("rules: [{action: deny, name: no rm, commands: ['rm *']}]");
    let refusal = judge(&policy, "rm x").refusal.unwrap();
    assert_eq!(refusal.part, None);
    assert_eq!(refusal.rule.unwrap().name.as_deref(), Some("no rm"));
    assert_eq!(refusal.detail, "Rule 0 (no rm) denies `rm x`.");
}

#[test]
fn quoting_never_makes_one_word_look_like_two_nor_two_like_one() {
    let rules = "rules:
  - {action: allow, commands: ['systemctl restart nginx', 'df -h *']}
  - {action: allow, binary: tail, arg_prefix: ['-n', '5'], allow_extra_args: false}
";
    check(
        rules,
        &["systemctl 'restart' nginx", "tail -n 5", "df -h '/a b'"],
        &[
            ("'systemctl restart' nginx", Code::NoRule),
            ("systemctl 'restart nginx'", Code::NoRule),
            ("systemctl restart 'nginx sshd'", Code::NoRule),
            ("systemctl restart nginx ''", Code::NoRule),
            ("df '-h /etc'", Code::NoRule),
            ("tail '-n 5'", Code::NoRule),
            ("tail -n '5 x'", Code::NoRule),
        ],
    );
}

#[test]
fn a_path_argument_is_compared_as_a_path_and_never_climbs() {
    let rules = "rules: [{action: allow, binary: cat, allow_extra_args: false, path_args: {indices: [1], patterns: ['/var/log/*']}}]";
    check(
        rules,
        &[
            "cat /var/log/x",
            "cat /var/log/a/b",
            "cat //var/log/./x",
            "cat '/var/log/a b'",
        ],
        &[
            ("cat /var/log/../../etc/shadow", Code::NoRule),
            ("cat /var/log/..", Code::NoRule),
            ("cat /var/log/x/..", Code::NoRule),
            ("cat var/log/x", Code::NoRule),
            ("cat ./var/log/x", Code::NoRule),
            ("cat /var/log/x /etc/shadow", Code::NoRule),
            ("cat -- /var/log/x", Code::NoRule),
            ("cat", Code::NoRule),
        ],
    );
}

#[test]
fn extra_arguments_stand_only_where_a_rule_lists_them() {
    let rules = "rules:
  - {action: allow, binary: tail, arg_prefix: ['-n'], allow_extra_args: false, path_args: {indices: [3], patterns: ['/var/log/*']}}
  - {action: allow, binary: cp, allow_extra_args: false, path_args: {indices: [1, 2], patterns: ['/tmp/*', '/srv/*']}}
  - {action: allow, binary: df, arg_prefix: [], allow_extra_args: false}
  - {action: allow, simple_binaries: [uptime], simple_max_args: 0}
  - {action: allow, binary: cat, arg_prefix: [/srv/a], allow_extra_args: false, path_args: {indices: [1], patterns: ['/srv/*']}}
";
    check(
        rules,
        &[
            "cp /tmp/a /srv/b",
            "cp /srv/a /srv/b",
            "df",
            "uptime",
            "cat /srv/a",
        ],
        &[
            ("cat /srv/a /srv/a", Code::NoRule),
            ("tail -n 5 /var/log/x", Code::NoRule),
            ("tail -n /var/log/x", Code::NoRule),
            ("cp /tmp/a", Code::NoRule),
            ("cp /tmp/a /srv/b /srv/c", Code::NoRule),
            ("cp /tmp/a /etc/b", Code::NoRule),
            ("df -h", Code::NoRule),
            ("uptime -p", Code::NoRule),
        ],
    );
}

#[test]
fn a_rule_holds_only_where_alias_and_tag_match() {
    let policy = policy(
        "rules: [{action: allow, aliases: ['web*'], tags: [linux, 'prod-?'], commands: [uptime]}]",
    );
    let line = CommandLine::parse("uptime").unwrap();
    let script = shell::parse("uptime").unwrap();
    for (alias, tags, allowed) in [
        ("web1", &["linux"][..], true),
        ("web1", &["x", "prod-a"][..], true),
        ("web1", &[][..], false),
        ("web1", &["Linux"][..], false),
        ("db1", &["linux"][..], false),
    ] {
        let judgement = policy.judge(&host(alias, tags), &line, &script);
        assert_eq!(judgement.refusal.is_none(), allowed, "{alias} {tags:?}");
    }
}

#[test]
fn redirections_of_the_language_need_no_rule() {
    let rules = "rules: [{action: allow, commands: ['uptime', 'df -h']}]";
    check(
        rules,
        &[
            "uptime 2>/dev/null",
            "df -h >/dev/null 2>&1",
            "uptime </dev/null",
        ],
        &[],
    );
}

#[test]
fn a_pattern_with_operators_allows_its_parts_only_together() {
    let rules = "rules: [{action: allow, commands: ['ps aux | grep *', 'uptime']}]";
    check(
        rules,
        &["ps aux | grep x", "uptime; ps aux | grep x"],
        &[
            ("grep x /etc/shadow", Code::NoRule),
            ("ps aux", Code::NoRule),
            ("ps aux; grep x", Code::NoRule),
            ("ps aux | grep x | tee y", Code::NoRule),
        ],
    );
}

#[test]
fn details_are_one_short_clean_line() {
    let policy = policy("");
    let long = format!("x '{}\n{}'", "a".repeat(400), "b".repeat(400));
    let refusal = judge(&policy, &long).refusal.unwrap();
    assert!(refusal.detail.len() < 200, "{}", refusal.detail);
    assert!(!refusal.detail.contains('\n'));
}

#[test]
fn hostile_lengths_are_judged_in_bounded_work() {
    // The bound is on steps, not on time: without it this would not end within any patience.
    let globs: Vec<String> = (0..20)
        .map(|n| format!("'{}{n}'", "*a".repeat(20)))
        .collect();
    let policy = policy(&format!(
        "rules: [{{action: deny, commands: [{0}]}}, {{action: allow, commands: [{0}]}}]",
        globs.join(", ")
    ));
    for command in [
        format!("sudo {}", "a".repeat(9_000)),
        format!("sudo {}", "a ".repeat(500)),
        format!("sudo {}", "a* ".repeat(500)),
    ] {
        assert!(judge(&policy, &command).refusal.is_some());
    }
}

#[test]
fn a_directory_that_the_script_changed_makes_relative_paths_unknown() {
    let rules = format!(
        "{NO_TEXTS}rules:
  - {{action: allow, commands: ['cd *', 'command cd *', './deploy.sh', 'cat logs/*', 'ls *', 'python3 check.py', 'cd /srv && ./run.sh', '/opt/x', 'head *']}}
  - {{action: deny, binary: head, path_args: {{indices: [1], patterns: ['/etc/shadow']}}}}
  - {{action: deny, commands: ['ls /root/x']}}
"
    );
    check(
        &rules,
        &[
            "./deploy.sh",
            "cat logs/x",
            "./deploy.sh; cd /tmp",
            "cd /tmp; ls a/b",
            "cd /tmp; /opt/x",
            "cd /srv && ./run.sh",
            "head notes",
            "python3 check.py",
        ],
        &[
            ("cd /tmp; ./deploy.sh", Code::ProgramPath),
            ("command cd /tmp; ./deploy.sh", Code::ProgramPath),
            ("cd /tmp | ls y && ./deploy.sh", Code::ProgramPath),
            ("cd /etc; cat logs/x", Code::NoRule),
            ("cd /tmp; python3 check.py", Code::Wrapper),
            ("cd /tmp; cd /srv && ./run.sh", Code::ProgramPath),
            ("cd /etc; head shadow", Code::DenyRule),
            ("cd /etc; head shadow*", Code::DenyRule),
            ("cd /; head etc/shadow", Code::DenyRule),
            ("cd /; ls root/x", Code::DenyRule),
        ],
    );
}

#[test]
fn a_builtin_that_decides_what_later_commands_are_must_be_named() {
    let open = format!("{NO_TEXTS}rules: [{{action: allow, commands: ['*']}}]");
    check(
        &open,
        &[
            "printf '%s[%s]' a b",
            "[ -f x ]",
            "test 'a[1]' = b",
            "uptime",
        ],
        &[
            ("export PATH=/tmp; uptime", Code::Wrapper),
            ("alias uptime=id", Code::Wrapper),
            ("hash -p /tmp/x uptime", Code::Wrapper),
            ("compgen -C id", Code::Wrapper),
            ("printf -v PATH /tmp", Code::Wrapper),
            ("[ -v 'a[$(id)]' ]", Code::Wrapper),
            ("test 1 -eq 'b+a[`id`]'", Code::Wrapper),
            ("set -k", Code::Wrapper),
        ],
    );
    check(
        "rules: [{action: allow, commands: ['export *', 'set *', 'export PATH=/opt/bin']}]",
        &["export LANG=C LC_ALL=C", "set -e", "export PATH=/opt/bin"],
        &[
            ("export PATH=/tmp", Code::Wrapper),
            ("export LANG=C LD_PRELOAD=/tmp/x", Code::Wrapper),
            ("export *", Code::Wrapper),
            ("export 'a[$(id)]'", Code::Wrapper),
        ],
    );
}

#[test]
fn a_refusal_repeats_a_rules_name_as_it_is_written() {
    let policy = policy("rules: [{action: allow, name: 'DB Team', commands: ['sh *']}]");
    let refusal = judge(&policy, "sh -x x.sh").refusal.unwrap();
    assert_eq!(
        refusal.detail,
        "`sh -x x.sh` is a shell, which runs what it is given or reads, and rule 0 (DB Team) does not grant that (execute)."
    );
}
