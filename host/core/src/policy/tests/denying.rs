//! Claims about what denies: rules, texts, and in how many spellings.

use super::*;

#[test]
fn a_deny_rule_wins_wherever_it_stands() {
    for text in [
        "rules: [{action: allow, commands: ['*']}, {action: deny, commands: ['rm *']}]",
        "rules: [{action: deny, commands: ['rm *']}, {action: allow, commands: ['*']}]",
    ] {
        check(text, &["ls"], &[("rm x", Code::DenyRule)]);
    }
}

#[test]
fn a_deny_rule_reaches_through_paths_wrappers_scripts_and_unknown_words() {
    let commands = [
        "rm x",
        "/bin/rm x",
        "/bin/../bin/rm x",
        "sudo rm x",
        "sudo -u app env A=1 nice rm x",
        "sh -c 'rm x'",
        "bash -c 'uptime; rm x'",
        "xargs rm x",
        "find /tmp -exec rm x ';'",
        "timeout 5 /bin/rm x",
        "uptime; rm x",
        "rm *",
    ];
    for deny in [
        "commands: ['rm *']",
        "simple_binaries: [rm]",
        "binary: rm, arg_prefix: [x]",
        "binary: rm, path_args: {indices: [1], patterns: ['*']}",
    ] {
        let policy = policy(&format!(
            "rules: [{{action: allow, commands: ['*']}}, {{action: deny, {deny}}}]"
        ));
        for command in commands {
            assert_eq!(
                code(&policy, command),
                Some(Code::DenyRule),
                "{deny}: {command}"
            );
        }
        for command in ["ls x", "echo rmdir"] {
            assert_eq!(code(&policy, command), None, "{deny}: {command}");
        }
    }
}

#[test]
fn a_denied_path_is_found_in_every_spelling() {
    let policy = policy(
        "rules: [{action: allow, commands: ['*']}, {action: deny, binary: cat, path_args: {indices: [1], patterns: [/etc/shadow]}}]",
    );
    for command in [
        "cat /etc/shadow",
        "cat //etc/./shadow",
        "cat /var/../etc/shadow",
        "cat /etc/shadow/",
        "cat /etc/sh*",
        "cat 'x'*",
    ] {
        assert_eq!(code(&policy, command), Some(Code::DenyRule), "{command}");
    }
    assert_eq!(code(&policy, "cat /etc/hosts"), None);
}

#[test]
fn a_denied_text_is_found_in_the_line_and_in_every_part() {
    let rules = "limits: {deny_substrings: ['rm -rf /', 'a | b', 'curl ']}\nrules: [{action: allow, commands: ['*']}]";
    let policy = policy(rules);
    for (command, hidden) in [
        ("rm -rf /", false),
        ("uptime; rm -rf /var", false),
        ("rm  -rf   /", true),
        ("'rm' '-rf' /", true),
        ("r\\m -rf /", true),
        ("rm \\\n -rf /", true),
        ("echo 'rm -rf /'", false),
        ("a | b", false),
        ("a  |  b", true),
        ("curl", false),
        ("c'ur'l x", true),
    ] {
        let judgement = judge(&policy, command);
        let code = judgement.refusal.map(|refusal| refusal.code);
        assert_eq!(code, Some(Code::DenySubstring), "{command:?}");
        assert_eq!(judgement.bypass_attempt.is_some(), hidden, "{command:?}");
    }
    assert_eq!(code(&policy, "rm -r /tmp"), None);
}

#[test]
fn a_denied_text_in_a_command_that_cannot_be_parsed_is_still_an_attempt() {
    let policy = policy("limits: {deny_substrings: ['rm -rf']}");
    let attempt = |command: &str| {
        let line = CommandLine::parse(command).unwrap();
        policy.bypass_attempt(&host("web1", &[]), &line)
    };
    assert_eq!(attempt("echo $(r\\m -rf x)").as_deref(), Some("rm -rf"));
    assert_eq!(attempt("echo $(rm -rf x)"), None);
    assert_eq!(attempt("echo $(uptime)"), None);
}

#[test]
fn the_built_in_texts_hold_until_a_policy_says_otherwise() {
    let rules = "rules: [{action: allow, commands: ['*']}]";
    let unset = policy(rules);
    let unset_code = code(&unset, "reboot");
    assert_eq!(unset_code, Some(Code::DenySubstring));
    assert_eq!(code(&policy(&format!("{NO_TEXTS}{rules}")), "reboot"), None);
}

#[test]
fn a_path_that_climbs_may_be_whatever_is_denied() {
    let rules = "limits: {deny_substrings: []}
rules:
  - {action: allow, commands: ['*']}
  - {action: deny, binary: head, path_args: {indices: [1], patterns: ['/etc/shadow']}}
  - {action: deny, commands: ['cat /etc/shadow', 'app --file=/etc/shadow']}
";
    check(
        rules,
        &[
            "head x",
            "cat x",
            "cat ../notes",
            "head ../../etc/hosts",
            "app --file=x",
        ],
        &[
            ("head ../../etc/shadow", Code::DenyRule),
            ("cat ../../../etc/shadow", Code::DenyRule),
            ("cat x/../../etc/./shadow", Code::DenyRule),
            ("app --file=//etc/./shadow", Code::DenyRule),
            ("app --file=../etc/shadow", Code::DenyRule),
        ],
    );
}

#[test]
fn a_deny_rule_sees_what_a_wrapper_adds_and_what_stands_deep_in_it() {
    let rules = format!(
        "{NO_TEXTS}rules:
  - {{action: allow, commands: ['xargs rm', 'xargs ls', 'find /etc -exec cat *', 'sh -c \"sudo rm x\"', 'find {0}-exec rm x *', 'find {0}-exec ls x *', 'env -C /etc cat *', 'systemctl *']}}
  - {{action: deny, commands: ['rm *', 'cat /etc/shadow*', '/usr/bin/systemctl stop *']}}
",
        "a ".repeat(20)
    );
    let find = |program: &str| format!("find {}-exec {program} x ';'", "a ".repeat(20));
    check(
        &rules,
        &["xargs ls", "systemctl status x", &find("ls")],
        &[
            ("xargs rm", Code::DenyRule),
            ("find /etc -exec cat {} ';'", Code::DenyRule),
            ("sh -c 'sudo rm x'", Code::DenyRule),
            ("env -C /etc cat shadow", Code::DenyRule),
            (&find("rm"), Code::DenyRule),
            ("systemctl stop x", Code::DenyRule),
        ],
    );
}
