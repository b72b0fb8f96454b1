//! Claims about single patterns: a pattern and a command in, a match out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
use super::*;
use crate::shell;

fn allows(pattern: &str, line: &str) -> bool {
    let script = shell::parse(line).unwrap();
    let pattern = CommandPattern::new(pattern);
    let scene = Scene::new(script.leaves(), line);
    (0..script.leaves().len()).all(|index| pattern.allows(&scene, index).is_some())
}

fn denies(pattern: &str, line: &str) -> bool {
    let script = shell::parse(line).unwrap();
    let pattern = CommandPattern::new(pattern);
    let spellings: Vec<Spellings> = script
        .leaves()
        .iter()
        .map(|leaf| Spellings::of(Some(leaf.canonical()), Place::Login))
        .collect();
    let subjects: Vec<Subject<'_>> = spellings
        .iter()
        .zip(script.leaves())
        .map(|(spellings, leaf)| spellings.subject(&leaf.words))
        .collect();
    (0..subjects.len()).any(|index| {
        pattern.denies(&subjects[index]) || pattern.denies_sequence(&subjects, index, line)
    })
}

fn check(pattern: &str, allowed: &[&str], refused: &[&str]) {
    for line in allowed {
        assert!(allows(pattern, line), "{pattern:?} should allow {line:?}");
    }
    for line in refused {
        assert!(
            !allows(pattern, line),
            "{pattern:?} should not allow {line:?}"
        );
    }
}

#[test]
fn a_programs_name_has_a_border() {
    check(
        "uptime*",
        &["uptime", "uptime -p", "'uptime' -p", "uptime x *.log"],
        &[
            "uptimed",
            "uptime-evil",
            "/usr/bin/uptime",
            "./uptime",
            "'uptime -p'",
            "Uptime",
        ],
    );
    check("uptime", &["uptime"], &["uptime -p", "uptimed"]);
}

#[test]
fn a_path_is_allowed_as_a_program_only_where_it_is_spelled() {
    check(
        "/usr/bin/uptime*",
        &["/usr/bin/uptime", "/usr/bin/uptime -p"],
        &[
            "uptime",
            "/tmp/uptime",
            "/usr/bin//uptime",
            "/usr/bin/../../tmp/uptime",
            "/usr/bin/uptimed",
        ],
    );
    check(
        "/opt/app/bin/*",
        &["/opt/app/bin/status"],
        &[
            "/opt/app/bin/../../evil",
            "/opt/app/bin/status x",
            "/opt/evil",
        ],
    );
    check("*", &["uptime", "ls -la"], &["/tmp/evil", "./evil"]);
    check("*uptime", &["uptime", "myuptime"], &["/tmp/uptime"]);
    check("*/uptime", &[], &["/tmp/uptime"]);
}

#[test]
fn a_star_in_a_path_stays_in_its_word_and_sees_the_normalised_path() {
    check(
        "cat /var/log/*",
        &[
            "cat /var/log/syslog",
            "cat '/var/log/syslog'",
            "cat /var/log/nginx/access.log",
            "cat //var//log/./syslog",
            "cat /var/log/..x",
            "cat '/var/log/a b'",
        ],
        &[
            "cat /var/log/syslog /etc/shadow",
            "cat /var/log/../../etc/shadow",
            "cat /var/log/..",
            "cat /var/log/x/../../../etc/shadow",
            "cat '/var/log/'../x",
            "cat /var/log/\\.\\./x",
            "cat /var/log/x -A",
            "cat -A /var/log/x",
            "cat var/log/x",
            "cat /var/log/*",
            "cat /var/logs/x",
            "cat",
            "cat /etc/shadow",
            "'cat /var/log/x'",
            "cat \"/etc/shadow /var/log/x\"",
        ],
    );
}

#[test]
fn a_star_behind_a_slash_stays_in_its_word_wherever_the_slash_is() {
    check(
        "app --file=/srv/*",
        &["app --file=/srv/x"],
        &["app --file=/srv/x -e", "app --file=/srv/../etc/x"],
    );
    check(
        "cat logs/*",
        &["cat logs/x"],
        &["cat logs/../x", "cat logs/x y", "cat ./logs/x"],
    );
}

#[test]
fn a_trailing_star_spans_the_remaining_words() {
    check("df *", &["df", "df -h", "df -h /", "df *"], &["dfx -h"]);
    check(
        "df -h*",
        &["df -h", "df -hT", "df -h /"],
        &["df", "df -x", "df '-x -h'"],
    );
    check(
        "systemctl restart *",
        &["systemctl restart nginx", "systemctl restart a b"],
        &["systemctl restart", "systemctl stop nginx"],
    );
}

#[test]
fn a_fixed_pattern_allows_no_further_word() {
    check(
        "systemctl restart nginx",
        &[
            "systemctl restart nginx",
            "systemctl  'restart' \"nginx\"",
            "systemctl restart nginx 2>/dev/null",
        ],
        &[
            "systemctl restart nginx sshd",
            "systemctl restart nginx ''",
            "\"systemctl restart\" nginx",
            "systemctl 'restart nginx'",
            "systemctl restart ngin?",
        ],
    );
    check(
        "df -h /etc",
        &["df -h /etc", "df -h //etc"],
        &["df '-h /etc'", "df -h /etc/x"],
    );
}

#[test]
fn a_star_between_words_is_one_word() {
    check(
        "docker * ps",
        &["docker x ps", "docker 'a b' ps"],
        &["docker ps", "docker a b ps", "docker *.x ps"],
    );
}

#[test]
fn question_marks_and_sets_match_one_character_of_one_word() {
    check("ls -[la]", &["ls -l", "ls -a"], &["ls -x", "ls -la", "ls"]);
    check(
        "tail -n ? x",
        &["tail -n 5 x"],
        &["tail -n 50 x", "tail -n ? x"],
    );
    check("[ *", &["[ -f x ]"], &["test -f x"]);
    check("echo a?b", &["echo aXb", "echo 'a b'"], &["echo a b"]);
}

#[test]
fn a_glob_of_the_caller_matches_what_spans_and_nothing_else() {
    check("ls *", &["ls *.log", "ls /var/log/*"], &[]);
    check("ls /var/*", &["ls '/var/*'"], &["ls /var/*"]);
    check("ls -l*", &["ls -l *.log"], &["ls -l*"]);
    check("ls a*", &["ls 'a*'"], &["ls a*"]);
}

#[test]
fn quotes_in_a_pattern_make_one_word() {
    check(
        "grep 'a b' *",
        &["grep 'a b' x", "grep a\\ b x"],
        &["grep a b x", "grep a 'b x'"],
    );
    check("echo it's", &["echo \"it's\""], &["echo its"]);
}

#[test]
fn a_pattern_with_operators_allows_that_sequence_only() {
    check(
        "ps aux | grep *",
        &[
            "ps aux | grep x",
            "ps aux|grep x y",
            "ps aux | grep x; ps aux | grep y",
        ],
        &[
            "grep x /etc/shadow",
            "ps aux",
            "ps aux; grep x",
            "ps aux || grep x",
            "grep x | ps aux",
        ],
    );
    check(
        "cd /srv && ls",
        &["cd /srv && ls"],
        &["cd /srv || ls", "cd /srv; ls", "ls", "cd /srv & ls"],
    );
    check("echo 'a|b'", &["echo 'a|b'"], &["echo a"]);
    check("ls * 2>&1", &["ls x", "ls x 2>&1"], &["lsx"]);
    check(
        "ls 2> /dev/null",
        &["ls", "ls 2>/dev/null"],
        &["ls /dev/null"],
    );
    check("sleep 5 &", &["sleep 5 &", "sleep 5"], &["sleep 6"]);
}

#[test]
fn a_deny_pattern_matches_loosely() {
    for (pattern, line) in [
        ("rm *", "rm x"),
        ("rm *", "'rm' x"),
        ("rm *", "/bin/rm x"),
        ("rm *", "/usr/../bin/rm x"),
        ("rm*", "rmdir x"),
        ("rm -rf*", "rm '-rf x'"),
        ("rm -rf*", "'rm -rf' x"),
        ("cat /etc/passwd*", "cat /etc//passwd x"),
        ("cat /etc/passwd*", "cat /etc/x/../passwd"),
        ("rm -r /etc", "rm -r /etc/."),
        ("cat /etc/passwd*", "cat /etc/p*"),
        ("cat /etc/passwd", "cat *"),
        ("*shadow*", "cat /etc/sh*"),
        ("echo 'a b'", "echo a\\ b"),
        ("echo \"a b\"*", "echo a\\ b c"),
        ("ls  -l", "ls -l"),
        ("*", "anything at all"),
        ("curl * | sh", "curl x | sh"),
        ("curl * | sh*", "uptime; curl x -o - | sh -x"),
    ] {
        assert!(denies(pattern, line), "{pattern:?} should deny {line:?}");
    }
    for (pattern, line) in [
        ("rm *", "ls rm x"),
        ("cat /etc/passwd*", "cat /etc/group"),
        ("curl * | sh", "curl x; ls"),
        ("curl * | sh", "sh"),
    ] {
        assert!(
            !denies(pattern, line),
            "{pattern:?} should not deny {line:?}"
        );
    }
}

#[test]
fn the_words_that_a_pattern_spells_are_counted() {
    let spelled = |pattern: &str, line: &str| {
        let script = shell::parse(line).unwrap();
        CommandPattern::new(pattern).allows(&Scene::new(script.leaves(), line), 0)
    };
    assert_eq!(
        spelled("sudo systemctl restart *", "sudo systemctl restart x"),
        Some(3)
    );
    assert_eq!(spelled("sudo *", "sudo id"), Some(1));
    assert_eq!(spelled("sudo*", "sudo id"), Some(1));
    assert_eq!(spelled("sudo systemctl*", "sudo systemctl x"), Some(1));
    assert_eq!(spelled("*", "sudo id"), Some(0));
    assert_eq!(spelled("sudo ls", "sudo ls"), Some(2));
}

#[test]
fn a_backslash_before_syntax_is_read_as_a_shell_reads_it() {
    check(
        "find /x -name y -exec ls {} \\;",
        &[
            "find /x -name y -exec ls {} \\;",
            "find /x -name y -exec ls {} ';'",
        ],
        &["find /x -name y -exec ls {}"],
    );
    check("echo a\\ b", &["echo 'a b'"], &["echo a b"]);
    check("grep a\\.b", &["grep 'a\\.b'"], &["grep a.b"]);
    assert!(denies("find * -exec rm {} \\;", "find /x -exec rm {} \\;"));
    assert!(!denies("find * -exec rm {} \\;", "find /x"));
}

#[test]
fn only_a_harmless_redirection_is_dropped_from_a_pattern() {
    check(
        "cat > /srv/f",
        &[],
        &["cat /srv/f", "cat", "cat >/dev/null"],
    );
    check("cat >", &[], &["cat"]);
    check(
        "grep '2>&1' x",
        &["grep '2>&1' x"],
        &["grep x", "grep x 2>&1"],
    );
    check("ls > /dev/null", &["ls"], &["ls /dev/null"]);
}

#[test]
fn a_deny_pattern_that_spells_a_place_denies_the_name_too() {
    for line in ["rm x", "/usr/bin/rm x", "/bin/rm x"] {
        assert!(denies("/usr/bin/rm *", line), "{line}");
    }
    assert!(!denies("/usr/bin/rm *", "ls x"));
    assert!(!denies("/opt/app/*", "ls x"));
}

#[test]
fn whatever_a_pattern_allows_the_same_pattern_denies() {
    const WORDS: [&str; 14] = [
        "rm", "*", "/etc/x", "../x", "./x", "'a b'", "a\\ b", "\\;", "[", "]", "[ab]", "''", "a*",
        "|",
    ];
    let mut allowed = 0;
    for first in WORDS {
        for second in WORDS {
            for third in WORDS {
                let line = format!("{first} {second} {third} x");
                if shell::parse(&line).is_err() {
                    continue;
                }
                let starred = format!("{first} * {third} *");
                for pattern in [line.as_str(), &starred, &format!("{first} *")] {
                    if allows(pattern, &line) {
                        allowed += 1;
                        assert!(denies(pattern, &line), "{pattern:?} {line:?}");
                    }
                }
            }
        }
    }
    assert!(allowed > 1_000, "{allowed}");
}
