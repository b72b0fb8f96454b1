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
