//! Claims about what rules grant beyond their words, and about what wrappers run.

use super::*;

#[test]
fn a_broad_rule_grants_reading_and_operating_and_nothing_more() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['find *', 'sort *', 'sed *', 'tail *', 'cp *', 'tee *']}}]"
        ),
        &[
            "find /var/log -name '*.log'",
            "sort -u /tmp/x",
            "sed -n 1,5p /etc/hosts",
            "tail -n 5 /var/log/syslog",
        ],
        &[
            ("find /var/log -delete", Code::Capability),
            ("sort -o /etc/motd /tmp/x", Code::Capability),
            ("sed -i s/a/b/ /etc/hosts", Code::Capability),
            ("sed '1e id' /etc/hosts", Code::Wrapper),
            ("tail /etc/shadow", Code::Capability),
            ("cp /etc/hosts /tmp/x", Code::Capability),
            ("tee /tmp/x", Code::Capability),
        ],
    );
}

#[test]
fn who_spells_a_program_does_not_spell_what_its_options_bring_about() {
    check(
        &format!("{NO_TEXTS}rules: [{{action: allow, commands: ['tar *', 'rpm *', 'cpio *']}}]"),
        &[
            "tar tf /srv/x.tar",
            "tar xOf /srv/x.tar",
            "rpm -qi bash",
            "cpio -t -F /srv/x.cpio",
        ],
        &[
            ("tar xf /srv/x.tar", Code::Capability),
            ("tar --get --file=/srv/x.tar -C /", Code::Capability),
            ("rpm -i /srv/x.rpm", Code::Capability),
            ("rpm -ivh /srv/x.rpm", Code::Capability),
            ("cpio -i -F /srv/x.cpio", Code::Capability),
        ],
    );
    check(
        &format!("{NO_TEXTS}rules: [{{action: allow, commands: ['tar xf /srv/x.tar *']}}]"),
        &["tar xf /srv/x.tar -C /srv/app"],
        &[("tar -x -f /srv/x.tar", Code::NoRule)],
    );
}

#[test]
fn a_value_that_cannot_be_an_option_may_be_unknown_where_all_values_are_harmless() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['date *', 'grep *', 'kubectl *', 'uptime *', 'uptime', 'sed *', 'systemctl *']}}]"
        ),
        &[
            "date -d \"@$(uptime)\"",
            "date --date=\"$USER\"",
            "grep \"^$USER\" /srv/x",
            "grep -r --include=*.conf listen /etc/nginx",
            "systemctl status \"app@$USER\"",
        ],
        &[
            // It may be an option.
            ("date -d \"$(uptime)\"", Code::Wrapper),
            ("grep \"$(uptime)\" /srv/x", Code::Wrapper),
            ("grep \"-$USER\" /srv/x", Code::Wrapper),
            ("date -d\"$USER\"", Code::Wrapper),
            ("date \"-d=$USER\"", Code::Wrapper),
            ("date \"--$USER=x\"", Code::Wrapper),
            // Not all values are harmless.
            ("kubectl get po -o \"json$USER\"", Code::Wrapper),
            ("kubectl get po -ojsonpath-fil?=x", Code::Wrapper),
            ("date \"0$USER\"", Code::Wrapper),
            ("grep x \"/etc/$USER\"", Code::Wrapper),
            ("sed \"p$USER\" /srv/x", Code::Wrapper),
            ("systemctl \"st$USER\" app", Code::Wrapper),
            // A program that runs it puts words in.
            ("uptime | xargs date", Code::NoRule),
            ("uptime | xargs date \"+$USER\"", Code::NoRule),
            ("uptime | xargs -I% date \"%$USER\"", Code::NoRule),
            (
                "find /srv -exec systemctl status \"{}$USER\" ';'",
                Code::NoRule,
            ),
            // It may be several words.
            ("date --date=$USER", Code::Wrapper),
        ],
    );
}

#[test]
fn what_a_rule_spells_it_grants() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['sort -o /srv/out *', 'find /srv/tmp -delete', 'tail /etc/shadow']}}]"
        ),
        &[
            "sort -o /srv/out /tmp/x",
            "find /srv/tmp -delete",
            "tail /etc/shadow",
        ],
        &[
            ("sort -o /srv/out2 /tmp/x", Code::NoRule),
            (
                "sort -o /srv/out --compress-program=sh /tmp/x",
                Code::Wrapper,
            ),
        ],
    );
}

#[test]
fn files_are_written_and_read_where_paths_are_granted() {
    check(
        &format!(
            "{NO_TEXTS}rules:
  - {{action: allow, commands: ['df *', 'cp *', 'tee *'], write_paths: ['/srv/out/*', '/srv/tree/**']}}
  - {{action: allow, commands: ['wc *'], read_paths: ['/var/log/*', '/etc/shadow']}}
  - {{action: allow, commands: ['cat *'], within: [/var/log]}}
"
        ),
        &[
            "df -h > /srv/out/df",
            "df -h >> /srv/tree/a/b",
            "df -h | tee /srv/out/x",
            "cp /etc/hosts /srv/out/hosts",
            "wc -l < /var/log/syslog",
            "wc -l /var/log/syslog",
            "wc -l /etc/shadow",
            "cat /var/log/nginx/error.log",
            "df -h > /dev/null 2>&1",
        ],
        &[
            ("df -h > /etc/motd", Code::Redirection),
            ("df -h > /srv/out/a/b", Code::Redirection),
            ("df -h > /srv/out/../../etc/motd", Code::Redirection),
            ("df -h > out", Code::Redirection),
            ("df -h | tee /srv/out/../x", Code::Capability),
            ("cp /etc/hosts /etc/motd", Code::Capability),
            ("wc -l < /etc/hosts", Code::Redirection),
            ("wc -l /etc/hosts", Code::PathNotAllowed),
            ("cat /var/log/../../etc/hosts", Code::PathNotAllowed),
            ("cat /var/logs/x", Code::PathNotAllowed),
            ("cat notes", Code::PathNotAllowed),
            ("df -h < /var/log/syslog", Code::Redirection),
        ],
    );
}

#[test]
fn a_secret_is_granted_by_name_only() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['cat *'], read_paths: ['/etc/*', '/etc/sudoers']}}]"
        ),
        &["cat /etc/hosts", "cat /etc/sudoers"],
        &[
            ("cat /etc/shadow", Code::Capability),
            ("cat /etc/gshadow", Code::Capability),
        ],
    );
}

#[test]
fn a_wrapper_and_what_it_runs_are_each_allowed() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['nice *', 'sudo *', 'env *', 'timeout *', 'bash *', 'xargs *', 'find *', 'du *', 'ls *', 'echo *', 'systemctl status *']}}]"
        ),
        &[
            "nice -n 10 du -sh /srv",
            "sudo -n systemctl status nginx",
            "sudo -u www du -sh /srv",
            "env LC_ALL=C du -sh /srv",
            "timeout 5 nice du /srv",
            "bash -c 'du -sh /srv; ls /srv'",
            "find /srv -name x -exec ls -l {} +",
            "ls x | xargs ls -l",
            "sudo -l",
        ],
        &[
            ("nice rm x", Code::Wrapper),
            ("sudo systemctl restart nginx", Code::Wrapper),
            ("bash -c 'du -sh /srv; rm x'", Code::Wrapper),
            ("bash -c 'du -sh /srv > /etc/motd'", Code::Wrapper),
            ("env PATH=/tmp du /srv", Code::Assignment),
            ("sudo LD_PRELOAD=/tmp/x.so du /srv", Code::Assignment),
            ("find /srv -exec rm {} +", Code::Wrapper),
            ("find /srv -exec ls {} + -exec rm {} +", Code::Wrapper),
            ("echo x | xargs rm", Code::Wrapper),
            ("sudo --xyz du /srv", Code::Wrapper),
            ("echo du | bash", Code::Wrapper),
            ("timeout 5 bash", Code::Wrapper),
        ],
    );
}

#[test]
fn who_names_users_says_as_whom_a_command_runs() {
    check(
        &format!(
            "{NO_TEXTS}rules:
  - {{action: allow, commands: ['psql -c select*'], run_as: [postgres]}}
  - {{action: allow, commands: ['df *'], run_as: [login]}}
  - {{action: allow, commands: ['du *'], run_as: [login, root]}}
  - {{action: allow, commands: ['ls *']}}
"
        ),
        &[
            "sudo -n -u postgres psql -c select",
            "df -h",
            "du -sh /srv",
            "sudo du -sh /srv",
            "sudo -u root du /srv",
            "ls x",
        ],
        &[
            ("psql -c select", Code::RunAs),
            ("sudo psql -c select", Code::NoRule),
            ("sudo -u www psql -c select", Code::NoRule),
            ("sudo df -h", Code::NoRule),
            ("sudo ls x", Code::NoRule),
            ("sudo -E A=1 du /srv", Code::NoRule),
            ("sudo -u www du /srv", Code::NoRule),
        ],
    );
    let policy = policy(
        "rules: [{action: allow, commands: ['sudo *']}, {action: allow, commands: ['df *'], run_as: [login]}]",
    );
    assert_eq!(code(&policy, "sudo df -h"), Some(Code::Wrapper));
}

#[test]
fn variables_are_set_where_they_are_harmless_or_granted() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['ls *', 'sort *']}}, {{action: allow, commands: ['df *'], env: ['APP_*']}}]"
        ),
        &["LC_ALL=C sort x", "TZ=UTC ls x", "APP_MODE=x df -h"],
        &[
            ("PATH=/tmp ls x", Code::Assignment),
            ("LD_PRELOAD=/tmp/x.so df -h", Code::Assignment),
            ("APP_MODE=x ls x", Code::Assignment),
            ("x=1", Code::Assignment),
            ("LC_ALL=C", Code::Unanalysable),
            ("IFS=x; ls x", Code::Assignment),
            ("TZ=$(ls x) ls x", Code::Wrapper),
        ],
    );
}

#[test]
fn a_host_may_take_single_commands_only() {
    let text = format!(
        "{NO_TEXTS}overrides: {{tags: {{linux: {{mode: simple}}}}}}
rules: [{{action: allow, commands: ['ls *', 'df *']}}]"
    );
    check(
        &text,
        &["ls x", "ls 'a;b'"],
        &[
            ("ls x; df -h", Code::Mode),
            ("ls x | df -h", Code::Mode),
            ("ls x &", Code::Mode),
            ("(ls x)", Code::Mode),
            ("rm x", Code::NoRule),
        ],
    );
}

#[test]
fn the_legacy_mode_reads_globs_as_text_and_profiles_still_hold() {
    let text = format!(
        "{NO_TEXTS}mode: legacy
rules: [{{action: allow, commands: ['upt*', 'cat /var/log/*', 'find *']}}]"
    );
    check(
        &text,
        &["uptime", "uptime -p", "cat /var/log/a /var/log/b"],
        &[
            ("find / -delete", Code::Capability),
            ("uptime; id", Code::NoRule),
            ("cat /var/log/a /etc/shadow", Code::Capability),
        ],
    );
}

#[test]
fn a_shell_that_reads_otherwise_is_sent_nothing() {
    let policy = policy("rules: [{action: allow, commands: ['*']}]");
    let line = CommandLine::parse("uptime").unwrap();
    let script = shell::parse("uptime").unwrap();
    for (name, expected) in [
        ("zsh", None),
        ("busybox", None),
        ("fish", Some(Code::UnsupportedShell)),
        ("tcsh", Some(Code::UnsupportedShell)),
    ] {
        let mut host = host("web1", &[]);
        host.shell = crate::inventory::LoginShell::named(name).unwrap();
        let refusal = policy.judge(&host, &line, &script).refusal;
        assert_eq!(refusal.map(|it| it.code), expected, "{name}");
    }
    assert!(crate::inventory::LoginShell::named("foo").is_none());
}

#[test]
fn a_rule_may_ask_for_a_human() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['systemctl *']}}, {{action: allow, commands: ['systemctl restart *'], require_approval: true}}]"
        ),
        &["systemctl status nginx"],
        &[("systemctl restart nginx", Code::ApprovalUnavailable)],
    );
}

#[test]
fn an_unprofiled_program_that_gives_a_shell_needs_a_word_for_it() {
    check(
        &format!("{NO_TEXTS}rules: [{{action: allow, commands: ['vim *']}}]"),
        &[],
        &[("vim /etc/hosts", Code::Wrapper)],
    );
    check(
        &format!("{NO_TEXTS}rules: [{{action: allow, commands: ['vim *'], unsafe_ok: true}}]"),
        &["vim /etc/hosts"],
        &[],
    );
}

#[test]
fn a_loop_is_judged_for_each_of_its_values() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['systemctl status nginx', 'systemctl status sshd', 'echo *', 'ls *', 'cat /var/log/*']}}]"
        ),
        &[
            "for s in nginx sshd; do systemctl status \"$s\"; done",
            "for s in nginx sshd; do systemctl status $s; done",
            "for f in a b; do cat \"/var/log/$f.log\"; done",
            "for i in 1 2; do echo $i; done",
            "echo \"$HOME\"",
            "ls x; echo $?",
            "ls x; echo \"exit $?\"",
            "echo \"$(ls x)\"",
            "if ls x; then echo yes; else echo no; fi",
            "ls x && { echo a; echo b; }",
        ],
        &[
            (
                "for s in nginx evil; do systemctl status \"$s\"; done",
                Code::NoRule,
            ),
            (
                "for f in a ../../etc/shadow; do cat \"/var/log/$f\"; done",
                Code::NoRule,
            ),
            ("echo $(id)", Code::NoRule),
            ("cat \"/var/log/$x\"", Code::NoRule),
            ("echo $HOME", Code::Wrapper),
            ("(ls x; rm y)", Code::NoRule),
            ("while ls x; do rm y; done", Code::NoRule),
        ],
    );
}

#[test]
fn a_program_that_its_directory_tells_what_to_do_is_refused_behind_a_cd() {
    check(
        &format!("{NO_TEXTS}rules: [{{action: allow, commands: ['cd *', 'git *', 'ls *']}}]"),
        &["git status", "git log --oneline -5", "cd /srv && ls -la"],
        &[
            ("cd /tmp/evil && git status", Code::Wrapper),
            ("cd /tmp/evil; ls; git log", Code::Wrapper),
            ("git -C /tmp/evil status", Code::Wrapper),
        ],
    );
}

#[test]
fn a_directory_changed_within_a_wrapper_makes_relative_paths_unknown_too() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['sh *', 'env *', 'sudo *', 'cd *', 'git *', 'cat *', './deploy.sh', 'ls *']}}]"
        ),
        &[
            "sh -c 'git status'",
            "./deploy.sh",
            "sh -c ./deploy.sh",
            "sh -c 'cd /srv; ls -l'",
            "env -C /srv ls -l",
        ],
        &[
            ("sh -c 'cd /tmp/evil && git status'", Code::Wrapper),
            ("sh -c 'cd /tmp; ./deploy.sh'", Code::Wrapper),
            ("sh -c 'cd /etc; cat shadow'", Code::Wrapper),
            ("env -C /etc cat notes", Code::Wrapper),
            ("env -C /tmp ./deploy.sh", Code::Wrapper),
            ("sudo -D /tmp git status", Code::Wrapper),
            ("sudo -R /tmp ls x", Code::Wrapper),
        ],
    );
}

#[test]
fn what_xargs_puts_in_is_unknown_wherever_it_stands() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['xargs *', 'echo *', 'find *', 'ls *']}}]"
        ),
        &["echo x | xargs ls -l", "echo x | xargs -I @ ls -l @"],
        &[
            ("echo -delete | xargs -I @ find /srv @", Code::Wrapper),
            ("echo rm | xargs -I echo echo /srv/x", Code::Wrapper),
            ("echo x | xargs -I @ @ /srv/x", Code::Wrapper),
            ("echo x | xargs find /srv", Code::Wrapper),
        ],
    );
}

#[test]
fn what_a_search_finds_lies_below_where_it_begins() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['find *', 'grep *', 'wc *', 'cat *', 'ls *', 'sed *']}}]"
        ),
        &[
            "find /etc/nginx -name '*.conf' -exec grep -H listen {} +",
            "find /srv/app -type f -exec wc -l {} ';'",
            "find /srv/app -exec ls -ld {} +",
        ],
        &[
            ("find / -name shadow -exec cat {} +", Code::Wrapper),
            ("find /etc -name shadow -exec cat {} +", Code::Wrapper),
            ("find /root -type f -exec cat {} +", Code::Wrapper),
            ("find /home -type f -exec grep x {} +", Code::Wrapper),
            ("find /srv /etc -exec cat {} +", Code::Wrapper),
            ("find . -exec cat {} +", Code::Wrapper),
            ("find /srv/../etc -exec cat {} +", Code::Wrapper),
            (
                "find /srv -files0-from /tmp/x -exec cat {} +",
                Code::Wrapper,
            ),
            ("find /srv -execdir cat {} +", Code::Wrapper),
            ("find -L /srv -exec cat {} +", Code::Wrapper),
            ("find /srv -exec sed -n {} /etc/hosts ';'", Code::Wrapper),
            ("find /srv -exec cat /etc/{} ';'", Code::Wrapper),
            ("find /srv -exec {} ';'", Code::Wrapper),
        ],
    );
}

#[test]
fn a_file_in_a_directory_that_the_script_names_is_judged_where_it_lies() {
    check(
        &format!(
            "{NO_TEXTS}rules: [{{action: allow, commands: ['cd *', 'cat *', 'tail *', 'ls *', 'sudo *', 'grep *']}}]"
        ),
        &[
            "cd /var/log && tail -n 5 syslog",
            "cd /var/log; sudo tail syslog",
            "cd /var && cd log && cat syslog",
        ],
        &[
            ("cd /etc && cat shadow", Code::Capability),
            ("cd /etc; tail shad*", Code::Capability),
            ("cd /etc && sudo tail shadow", Code::Wrapper),
            ("cd / && cat ../etc/shadow", Code::Capability),
            ("cd \"$HOME\" && cat notes", Code::Wrapper),
            ("cd && cat notes", Code::Capability),
            ("cd /etc && grep -r x ssh", Code::Capability),
            ("cd /etc && grep -r x .", Code::Capability),
            (
                "for d in /tmp /etc; do cat shadow; cd $d; done",
                Code::Capability,
            ),
        ],
    );
}
