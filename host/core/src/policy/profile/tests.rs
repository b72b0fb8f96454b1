//! Claims about the shipped profiles: a command in, the capabilities that it needs out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
use crate::config::shipped_profiles;

/// The needs of a command, each once, in word order: `write execute`; `-` for none and `?` for a program
/// without a profile.
fn needs(line: &str) -> String {
    let script = crate::shell::parse(line).unwrap_or_else(|fault| panic!("{line}: {fault:?}"));
    let Some(uses) = shipped_profiles().unwrap().uses(&script.leaves()[0].words) else {
        return "?".to_owned();
    };
    let mut found: Vec<&str> = Vec::new();
    for need in uses.needs {
        if !found.contains(&need.capability.as_str()) {
            found.push(need.capability.as_str());
        }
    }
    if found.is_empty() {
        "-".to_owned()
    } else {
        found.join(" ")
    }
}

/// Checks a table of lines `NEEDS | COMMAND`.
fn check(table: &str) {
    let mut wrong = String::new();
    let mut rows = 0;
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (expected, line) = row.split_once(" | ").expect(row);
        rows += 1;
        let found = needs(line);
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        if sorted(&found) != sorted(expected) {
            wrong.push_str(&format!("\n{line}: expected {expected}, got {found}"));
        }
    }
    assert!(rows > 0);
    assert!(wrong.is_empty(), "{wrong}");
}

mod bounds;
mod operations;
mod programs;

#[test]
fn a_reader_reads_and_an_option_that_writes_or_runs_is_told() {
    check(
        r"
        -       | sort -nr -k2,2 -t: /var/log/x
        -       | sort
        write   | sort -o /etc/x y
        write   | sort -ro/etc/x y
        write   | sort --outp=/etc/x y
        write   | sort y -uo /etc/x
        execute | sort --compress-program=sh x
        execute | sort --comp=sh x
        execute | sort --xyz x
        secret  | sort /etc/shadow
        -       | uniq -c
        write   | uniq a b
        -       | grep -rn x /var/log
        secret  | grep -f /etc/shadow x
        secret  | grep -r x /root/.ssh
        secret  | grep -rx /etc
        secret  | grep -r x
        -       | grep x
        -       | dd if=/var/x of=/dev/null
        write   | dd if=/var/x of=/dev/sda
        secret  | dd if=/dev/sda of=/dev/null
        write   | find /x -delete
        -       | find /x -name '*.conf' -exec rm -x {} +
        write   | find /x -exec a -delete ';' -delete
        write   | find /x -fprintf /etc/y z
        execute | find *
        -       | ls -la /etc/shadow
        -       | cat /var/log/*.log
        secret  | cat /etc/s*
        secret  | head -c1k /proc/self/environ
        secret  | wc --files0-from=/etc/shadow
        ?       | no-such-program
        ",
    );
}

#[test]
fn a_secret_is_found_by_what_its_pattern_begins_with_or_may() {
    for (pattern, path, glob, recursive, expected) in [
        ("/etc/shadow*", "/etc/shadow-", false, false, true),
        ("/etc/shadow*", "/etc/passwd", false, false, false),
        ("/etc/shadow*", "/e*/shadow", true, false, true),
        ("/etc/shadow*", "/*/s*", true, false, true),
        ("/etc/shadow*", "/x*/shadow", true, false, false),
        ("/etc/shadow*", "/e*/shadow", false, false, false),
        ("/etc/shadow*", "/etc", false, true, true),
        ("/etc/shadow*", "/etc", false, false, false),
        ("/etc/shadow*", "/etc/shadow/x", false, false, false),
        ("/etc/shadow*", "etc/shadow", false, false, true),
        ("/etc/shadow*", "shadow-", false, false, true),
        ("/*/secret", "/a/secret", false, false, true),
        ("/*/secret", "/a/public", false, false, false),
        ("**/.ssh/**", "/home/a/.ssh/b/c", false, false, true),
        ("**/.ssh/**", "/home/a/ssh/b", false, false, false),
        ("**/.ssh/**", "/home/*/.s*/b", true, false, true),
        ("**/.aws/credentials", "/home/a/.aws", false, true, true),
        ("**/.aws/credentials", "/home/a/.aws", false, false, false),
        ("**/*.key", "/srv/a.key", false, false, true),
        ("**/*.key", "/srv/a.key/b", false, false, false),
        ("**/é*", "/srv/éa", false, false, true),
        ("/dev/sd*", "/proc/self/root/dev/sda", false, false, true),
        (
            "/dev/sd*",
            "/proc/1/task/2/root/dev/sda",
            false,
            false,
            true,
        ),
    ] {
        let mut secrets = super::SecretPaths::default();
        // Others around it change nothing.
        for other in ["/opt/q/**", "**/.q", "/*/q/q", "**/?q"] {
            assert!(secrets.add(other));
        }
        assert!(secrets.add(pattern));
        assert_eq!(
            secrets.may_hold(path, glob, recursive),
            expected,
            "{pattern} {path} {glob} {recursive}"
        );
    }
}
