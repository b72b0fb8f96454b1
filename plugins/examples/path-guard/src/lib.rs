//! A validator that objects to every command with a word that lies beneath a forbidden path.
//!
//! Settings: `{"deny": ["/etc/shadow", "/root"]}`; the paths are absolute. Words are looked at as text,
//! without asking any host: `..`, `.` and repeated slashes are folded first, and the value of an option
//! (`--file=/etc/shadow`, `-f/etc/shadow`, `if=/etc/shadow`) counts as well. A word that only the remote
//! shell can complete is objected to where it may become a forbidden path.
//!
//! LIMIT: links on the host, relative words and what a program reads from its input are not seen.

use portcullis_plugin_sdk::{Context, Validator, Verdict};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    deny: Vec<String>,
}

/// The validator.
pub struct PathGuard;

impl Validator for PathGuard {
    fn validate(context: &Context) -> Result<Verdict, String> {
        let forbidden = forbidden(&context.settings)?;
        for leaf in &context.leaves {
            for (position, word) in leaf.argv.iter().enumerate() {
                let hit = if leaf.is_open(position) {
                    forbidden.iter().find(|root| may_lie_beneath(word, root))
                } else {
                    let paths = paths(word);
                    let mut roots = forbidden.iter();
                    roots.find(|root| paths.iter().any(|path| beneath(path, root)))
                };
                if let Some(root) = hit {
                    let reason = format!("A word of the command lies beneath /{}.", root.join("/"));
                    return Ok(Verdict::objection("path_forbidden", &reason));
                }
            }
        }
        Ok(Verdict::NoObjection)
    }
}

portcullis_plugin_sdk::validator!(PathGuard);

/// The forbidden paths, folded. Anything that is not exactly what is expected is an error: a guard that
/// guards nothing must not look like one that has no objection.
fn forbidden(settings: &str) -> Result<Vec<Vec<String>>, String> {
    let settings: Settings = serde_json::from_str(settings).map_err(|fault| {
        format!("settings: expected {{\"deny\": [absolute paths]}}, got: {fault}")
    })?;
    if settings.deny.is_empty() {
        return Err("settings: expected at least one path in deny, got none".to_owned());
    }
    settings
        .deny
        .iter()
        .map(|path| {
            if path.starts_with('/') {
                Ok(fold(path))
            } else {
                Err(format!(
                    "settings: expected an absolute path in deny, got {path:?}"
                ))
            }
        })
        .collect()
}

/// Whether an open word could become a path beneath `root`. What stands before the first character that
/// the shell replaces is certain, the rest may be anything; a variable may be any path at all.
fn may_lie_beneath(word: &str, root: &[String]) -> bool {
    let open_at = word.find(['*', '?', '[', '$', '`']).unwrap_or(word.len());
    let (certain, rest) = word.split_at(open_at);
    if word.contains(['$', '`']) || rest.split('/').any(|part| part == "..") {
        return true;
    }
    starts(certain).any(|start| {
        let (folder, name) = start.rsplit_once('/').unwrap_or(("", start));
        let folder = fold(folder);
        let toward = beneath(root, &folder)
            && root
                .get(folder.len())
                .is_some_and(|part| part.starts_with(name));
        beneath(&folder, root) || toward
    })
}

/// Every part of a word that a program may take for an absolute path: what follows the word's start, a
/// `=`, `:`, `,` or `@`, and what follows the letter of a short option.
fn paths(word: &str) -> Vec<Vec<String>> {
    starts(word).map(fold).collect()
}

/// Where in a word an absolute path may begin, as the rest of the word from there.
fn starts(word: &str) -> impl Iterator<Item = &str> {
    word.match_indices('/')
        .filter(|(at, _)| is_start(word, *at))
        .filter_map(|(at, _)| word.get(at..))
}

fn is_start(word: &str, at: usize) -> bool {
    let before = word.get(..at).unwrap_or_default();
    let short_option = before.len() >= 2
        && before.starts_with('-')
        && before.chars().skip(1).all(|c| c.is_ascii_alphanumeric());
    before.is_empty()
        || before.ends_with(['=', ':', ',', '@', ' ', '\t', '\n', '<', '>'])
        || short_option
}

/// The parts of an absolute path with `.`, `..` and empty parts folded away; `..` at the root stays
/// there, as the kernel does it.
fn fold(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part.to_owned()),
        }
    }
    parts
}

fn beneath(path: &[String], root: &[String]) -> bool {
    path.len() >= root.len() && path.iter().zip(root).all(|(part, of_root)| part == of_root)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn check(settings: &str, words: &[&str]) -> Result<Verdict, String> {
        PathGuard::validate(&Context::of(&[&words.join(" ")], settings))
    }

    const SETTINGS: &str = r#"{"deny": ["/etc/shadow", "//root/"]}"#;

    #[test]
    fn a_word_beneath_a_forbidden_path_is_objected_to() {
        for word in [
            "/etc/shadow",
            "/etc//shadow",
            "/etc/./shadow",
            "/var/../etc/shadow",
            "/../etc/shadow",
            "/root/.ssh/id_ed25519",
            "/root",
            "--file=/etc/shadow",
            "-f/etc/shadow",
            "if=/etc/shadow",
            "user@host:/root/x",
        ] {
            let verdict = check(SETTINGS, &["cat", word]).unwrap();
            assert!(
                matches!(verdict, Verdict::Objection(_)),
                "{word}: {verdict:?}"
            );
        }
    }

    #[test]
    fn other_words_are_not() {
        for word in [
            "/etc/shadow-notes",
            "/etc",
            "/rooted",
            "/etc/shadow/../passwd",
            "etc/shadow",
            "a/etc/shadow",
        ] {
            let verdict = check(SETTINGS, &["cat", word]).unwrap();
            assert!(
                matches!(verdict, Verdict::NoObjection),
                "{word}: {verdict:?}"
            );
        }
    }

    #[test]
    fn an_open_word_is_objected_to_where_it_may_become_a_forbidden_path() {
        for (word, expected) in [
            ("/etc/sha*", true),
            ("/etc/*", true),
            ("/*/x", true),
            ("/root/*.txt", true),
            ("--file=/e?c/shadow", true),
            ("/var/*/../../root", true),
            ("$file", true),
            ("/var/log/*.log", false),
            ("/etc/host*", false),
            ("*.log", false),
        ] {
            let mut context = Context::of(&[&format!("cat {word}")], SETTINGS);
            for leaf in &mut context.leaves {
                leaf.open_words.push(1);
            }
            let verdict = PathGuard::validate(&context).unwrap();
            assert_eq!(matches!(verdict, Verdict::Objection(_)), expected, "{word}");
        }
    }

    #[test]
    fn broken_settings_are_an_error_and_never_no_objection() {
        for settings in [
            "",
            "{}",
            "[]",
            r#"{"deny": []}"#,
            r#"{"deny": ["root"]}"#,
            r#"{"deny": "/x"}"#,
            r#"{"deny": ["/x"], "allow": []}"#,
        ] {
            assert!(check(settings, &["ls"]).is_err(), "{settings}");
        }
    }
}
