//! Paths as texts: what can be said of a path without asking the host.
//!
//! Limit: a name may be a link on the host, and then `a/../b` is not `b`. So a path that climbs is
//! never matched for an allow rule (`a_path_that_climbs_is_not_a_plain_path`); where links lead is the
//! host's matter.

use std::borrow::Cow;

/// Whether some part of the text between slashes is `..`.
pub(super) fn climbs(text: &str) -> bool {
    text.contains("..") && text.split('/').any(|part| part == "..")
}

/// An absolute path without empty, `.` and `..` parts. A slash at the end stays, because it says that
/// a directory is meant. A relative text comes back as it is.
pub(super) fn normalise(text: &str) -> Cow<'_, str> {
    if !text.starts_with('/') || !(text.contains("//") || text.contains("/.")) {
        return Cow::Borrowed(text);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let directory = ["/", "/.", "/.."].iter().any(|end| text.ends_with(end));
    let mut path = format!("/{}", parts.join("/"));
    if directory && !parts.is_empty() {
        path.push('/');
    }
    Cow::Owned(path)
}

/// As [`normalise`], for a path that begins within a word: `--file=//etc/./x` is `--file=/etc/x`.
pub(super) fn normalise_within(text: &str) -> Cow<'_, str> {
    match text.find('/').and_then(|at| text.split_at_checked(at)) {
        Some(("", _)) | None => normalise(text),
        Some((before, path)) => match normalise(path) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(path) => Cow::Owned(format!("{before}{path}")),
        },
    }
}

/// What a relative path names in a directory that is not known: its text behind the parts that climb.
/// `None` for an absolute path.
pub(super) fn below_somewhere(text: &str) -> Option<&str> {
    if text.starts_with('/') {
        return None;
    }
    let mut rest = text;
    let mut tail = text;
    while let Some((part, behind)) = rest.split_once('/') {
        rest = behind;
        if part == ".." || part == "." || part.is_empty() {
            tail = behind;
        }
    }
    Some(if matches!(rest, ".." | ".") { "" } else { tail })
}

/// Whether a word holds a path that depends on the directory: `a/b`, `./a`, `--file=a/b`.
pub(super) fn is_relative(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(before, _)| !before.is_empty() && !before.ends_with(['=', ':']))
}

/// A path without the slash at its end: the same thing, where it is a directory.
pub(super) fn without_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(shorter) => shorter,
    }
}

/// The last part of a path: what a program is called, wherever it lies.
pub(super) fn base(text: &str) -> &str {
    text.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(text)
}

/// Whether an address has a host behind an `@` that the pattern does not have. SECURITY: whoever writes
/// `http://localhost:*` does not mean `http://localhost:x@example.org/`.
pub(super) fn names_other_host(pattern: &str, text: &str) -> bool {
    let has_user = |text: &str| {
        let behind = text.split_once("://").map(|(_, behind)| behind);
        let host = behind.and_then(|behind| behind.split('/').next());
        host.is_some_and(|host| host.contains(['@', '\\']))
    };
    has_user(text) && !has_user(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_by_its_text() {
        for (text, expected) in [
            ("/var/log/syslog", "/var/log/syslog"),
            ("/var//log/./syslog", "/var/log/syslog"),
            ("/var/log/../../etc/shadow", "/etc/shadow"),
            ("/../../etc", "/etc"),
            ("/var/log/", "/var/log/"),
            ("/var/log/.", "/var/log/"),
            ("/var/log/x/..", "/var/log/"),
            ("//", "/"),
            ("/", "/"),
            ("/..", "/"),
            ("/var/..a/.b", "/var/..a/.b"),
            ("a//b/../c", "a//b/../c"),
        ] {
            assert_eq!(normalise(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_that_climbs_is_not_a_plain_path() {
        for text in ["..", "../x", "/a/..", "/a/../b", "a/.."] {
            assert!(climbs(text), "{text}");
        }
        for text in ["...", "/a/..b", "a..", "/a...b/c", "x..y"] {
            assert!(!climbs(text), "{text}");
        }
    }

    #[test]
    fn a_path_within_a_word_is_normalised_from_its_first_slash() {
        for (text, expected) in [
            ("--file=//etc/./x", "--file=/etc/x"),
            ("-f/a/../b", "-f/b"),
            ("//a", "/a"),
            ("--file=/x", "--file=/x"),
            ("x", "x"),
        ] {
            assert_eq!(normalise_within(text), expected, "{text}");
        }
    }

    #[test]
    fn a_relative_path_is_known_only_behind_what_climbs() {
        for (text, expected) in [
            ("../../etc/shadow", Some("etc/shadow")),
            ("./x", Some("x")),
            ("a/../b", Some("b")),
            ("a/b", Some("a/b")),
            ("x", Some("x")),
            ("..", Some("")),
            ("a/..", Some("")),
            ("/etc", None),
        ] {
            assert_eq!(below_somewhere(text), expected, "{text}");
        }
        for (text, expected) in [
            ("a/b", true),
            ("./a", true),
            ("--file=a/b", true),
            ("--file=/a", false),
            ("host:/a", false),
            ("/a/b", false),
            ("a", false),
        ] {
            assert_eq!(is_relative(text), expected, "{text}");
        }
    }

    #[test]
    fn a_base_name_is_what_the_program_is_called() {
        for (text, expected) in [
            ("/usr/bin/rm", "rm"),
            ("./rm", "rm"),
            ("rm", "rm"),
            ("/usr/bin//rm/", "rm"),
            ("/", "/"),
        ] {
            assert_eq!(base(text), expected, "{text}");
        }
    }
}
