//! What is legal in a policy and probably not meant: rules that can never take effect, broad globs over
//! programs that give a shell, and texts of `deny_substrings` for which there is a structured entry.
//!
//! Must not: find a fault, or change what a rule does.
//!
//! LIMIT: a glob counts as covered where another one matches its text with nothing and with something in
//! the place of each `*`; a rule that several others cover only together is not found.

use super::Notes;
use crate::policy::{DenySet, Glob, Profiles};
use crate::shell;
use serde_yaml::Location;
use std::collections::HashMap;

/// What stands in the place of a `*`: no pattern spells it, so only a wildcard takes it.
const ANYTHING: &str = "\u{1}\u{2}";
/// What is tried in the place of a `*` against structured entries.
const TRIED: [&str; 4] = ["", "x1", "--x2", "/srv/x3"];

/// What a rule says, before it is compiled.
pub(super) struct Told {
    pub(super) index: usize,
    pub(super) at: Location,
    pub(super) denies: bool,
    pub(super) aliases: Vec<String>,
    pub(super) tags: Vec<String>,
    /// The globs of `commands`.
    pub(super) patterns: Vec<(Location, String)>,
    /// Programs that the rule names without saying more: `simple_binaries` without a limit.
    pub(super) programs: Vec<String>,
    /// Whether the rule names commands in another way too.
    pub(super) more: bool,
    pub(super) unsafe_ok: bool,
}

/// Looks at the rules together.
pub(super) fn give(rules: &[Told], deny: &DenySet, profiles: &Profiles, notes: &mut Notes) {
    let denials = Denials::of(rules);
    for rule in rules.iter().filter(|rule| !rule.denies) {
        warn_of_idle(rule, &denials, deny, notes);
        warn_of_shells(rule, profiles, notes);
    }
}

/// An allow rule, or a pattern of one, that something always denies.
fn warn_of_idle(rule: &Told, denials: &Denials<'_>, deny: &DenySet, notes: &mut Notes) {
    let denied = |pattern: &str| {
        let by_rule = denials
            .first(rule, pattern)
            .map(|index| format!("rules[{index}]"));
        by_rule.or_else(|| {
            denied_by_entry(deny, pattern).map(|name| format!("`{name}` in `deny_commands`"))
        })
    };
    let by_pattern: Vec<Option<String>> = rule
        .patterns
        .iter()
        .map(|(_, pattern)| denied(pattern))
        .collect();
    let by_program: Vec<Option<String>> = rule
        .programs
        .iter()
        .map(|program| denied(&format!("{program} *")))
        .collect();
    let path = format!("rules[{}]", rule.index);
    let hint =
        "A matching deny wins wherever it stands: remove one of the two, or let the deny say less.";
    let mut all = by_pattern.iter().chain(&by_program).peekable();
    if !rule.more && all.peek().is_some() && all.all(Option::is_some) {
        let by = by_pattern.iter().chain(&by_program).flatten().next();
        let by = by.map_or("another rule", String::as_str);
        let message = format!("can never allow anything: {by} denies it");
        notes.warn(rule.at, &path, message, hint);
        return;
    }
    for (index, ((at, pattern), by)) in rule.patterns.iter().zip(&by_pattern).enumerate() {
        if let Some(by) = by {
            let message = format!("can never allow `{}`: {by} denies it", shown(pattern));
            notes.warn(*at, &format!("{path}.commands[{index}]"), message, hint);
        }
    }
}

/// The deny rules, found by the program that a glob spells: among many rules few are about one program.
struct Denials<'t> {
    rules: Vec<Denial<'t>>,
    by_program: HashMap<&'t str, Vec<Way>>,
    /// Globs that do not spell their program.
    any: Vec<Way>,
}

struct Denial<'t> {
    told: &'t Told,
    aliases: Vec<Glob>,
    tags: Vec<Glob>,
}

/// One way of a deny rule to name commands.
struct Way {
    /// Position among the deny rules.
    rule: usize,
    /// `None` where the program alone is named.
    glob: Option<Glob>,
}

impl<'t> Denials<'t> {
    fn of(rules: &'t [Told]) -> Self {
        let globs = |texts: &[String]| texts.iter().map(|text| Glob::new(text)).collect();
        let mut denials = Self {
            rules: Vec::new(),
            by_program: HashMap::new(),
            any: Vec::new(),
        };
        for (rule, told) in rules.iter().filter(|rule| rule.denies).enumerate() {
            denials.rules.push(Denial {
                told,
                aliases: globs(&told.aliases),
                tags: globs(&told.tags),
            });
            for (_, pattern) in &told.patterns {
                let glob = Some(Glob::new(pattern));
                denials.add(first_word(pattern), Way { rule, glob });
            }
            for program in &told.programs {
                denials.add(Some(program), Way { rule, glob: None });
            }
        }
        denials
    }

    fn add(&mut self, program: Option<&'t str>, way: Way) {
        match program {
            Some(program) => self.by_program.entry(program).or_default().push(way),
            None => self.any.push(way),
        }
    }

    /// The first deny rule that covers a pattern of a rule, as its position in the file.
    fn first(&self, rule: &Told, pattern: &str) -> Option<usize> {
        if self.rules.is_empty() {
            return None;
        }
        let named = first_word(pattern).and_then(|program| self.by_program.get(program));
        let tried = tried(pattern);
        named
            .into_iter()
            .flatten()
            .chain(&self.any)
            .filter(|way| {
                way.glob
                    .as_ref()
                    .is_none_or(|glob| covers_all(glob, tried.as_ref()))
            })
            .filter_map(|way| self.rules.get(way.rule))
            .filter(|denial| denial.covers_scope(rule))
            .map(|denial| denial.told.index)
            .min()
    }
}

impl Denial<'_> {
    /// Whether a rule holds wherever another one does.
    fn covers_scope(&self, inner: &Told) -> bool {
        let covers = |outer: &[Glob], inner: &[String]| {
            let open = outer.is_empty() || outer.iter().any(|glob| glob.text() == "*");
            open || !inner.is_empty()
                && inner.iter().all(|text| {
                    let tried = tried(text);
                    outer.iter().any(|glob| covers_all(glob, tried.as_ref()))
                })
        };
        // A tag glob of `*` still asks for some tag.
        let tags =
            self.tags.is_empty() || !inner.tags.is_empty() && covers(&self.tags, &inner.tags);
        tags && covers(&self.aliases, &inner.aliases)
    }
}

/// The first word of a pattern, where it spells it: a pattern that spells it covers no other.
fn first_word(pattern: &str) -> Option<&str> {
    let word = pattern.split(' ').next()?;
    (!word.contains(['*', '?', '['])).then_some(word)
}

/// Texts that a pattern matches, with nothing and with something in the place of each `*`; `None` where it
/// leaves open more than that.
fn tried(text: &str) -> Option<[String; 2]> {
    let plain = !text.contains(['?', '[']);
    plain.then(|| [ANYTHING, ""].map(|it| text.replace('*', it).trim_end().to_owned()))
}

fn covers_all(glob: &Glob, tried: Option<&[String; 2]>) -> bool {
    tried.is_some_and(|tried| tried.iter().all(|text| glob.matches(text)))
}

/// The entry that hits everything that was tried of a pattern.
fn denied_by_entry<'d>(deny: &'d DenySet, pattern: &str) -> Option<&'d str> {
    if pattern.contains(['?', '[']) || pattern.starts_with('*') {
        return None;
    }
    let mut found = None;
    for tried in TRIED {
        let script = shell::parse(pattern.replace('*', tried).trim()).ok()?;
        found = Some(deny.hit_alone(&script)?);
    }
    found
}

/// A glob over a program that gives a shell.
fn warn_of_shells(rule: &Told, profiles: &Profiles, notes: &mut Notes) {
    for (index, (at, pattern)) in rule.patterns.iter().enumerate() {
        let Some(program) = broad(pattern).filter(|program| profiles.gives_shell(program)) else {
            continue;
        };
        let path = format!("rules[{}].commands[{index}]", rule.index);
        if rule.unsafe_ok {
            notes.warn(
                *at,
                &path,
                format!(
                    "`{program}` gives a shell, so this allows everything that the login may do"
                ),
                "Spell the words that are needed.",
            );
        } else {
            notes.warn(
                *at,
                &path,
                format!("`{program}` gives a shell, so what this allows is refused"),
                "Spell the words that are needed, or say `unsafe_ok: true` and give the login few rights.",
            );
        }
    }
}

/// The program of a pattern that spells nothing but it.
fn broad(pattern: &str) -> Option<&str> {
    let program = pattern.strip_suffix('*')?.trim_end();
    let plain = !program.is_empty() && !program.contains([' ', '*', '?', '[', '|', ';', '&']);
    plain.then_some(program)
}

/// A structured entry for what a text is usually meant to refuse.
struct Meant {
    /// How the text begins.
    text: &'static str,
    entry: &'static str,
    /// A command that the text refuses and nobody meant.
    also: &'static str,
    /// A command with the same effect in which the text does not stand.
    passes: &'static str,
}

const fn meant(
    text: &'static str,
    entry: &'static str,
    also: &'static str,
    passes: &'static str,
) -> Meant {
    Meant {
        text,
        entry,
        also,
        passes,
    }
}

const MEANT: &[Meant] = &[
    meant(
        "rm -rf /",
        "{programs: [rm], flags: [\"-r|-R|--recursive\"], paths: [root]}",
        "rm -rf /srv/app/tmp",
        "rm -r -f /",
    ),
    meant(
        "dd if=/dev/zero",
        "{programs: [dd], paths: [device], at: [\"of=\"]}",
        "dd if=/dev/zero of=/srv/app/disk.img",
        "dd of=/dev/sda if=/dev/zero",
    ),
    meant(
        "mkfs",
        "{programs: [mkfs, \"mkfs.*\", mke2fs]}",
        "man mkfs ",
        "mke2fs /dev/sdb1",
    ),
    meant(
        "shutdown",
        "{programs: [shutdown, poweroff, halt]}",
        "grep shutdown /var/log/syslog",
        "poweroff",
    ),
    meant(
        "reboot",
        "{programs: [reboot, shutdown]}",
        "last reboot",
        "shutdown -r now",
    ),
    meant(
        "poweroff",
        "{programs: [poweroff, halt]}",
        "man poweroff",
        "halt -p",
    ),
    meant(
        "userdel",
        "{programs: [userdel, deluser]}",
        "man userdel",
        "deluser web",
    ),
    meant(
        "useradd",
        "{programs: [useradd, adduser]}",
        "man useradd",
        "adduser web",
    ),
    meant(
        "passwd",
        "{programs: [passwd, usermod]}",
        "cat /etc/passwd",
        "usermod -p x web",
    ),
    meant(
        "ssh",
        "{programs: [ssh, dbclient]}",
        "journalctl -u ssh -n 5",
        "dbclient web1",
    ),
    meant(
        "scp",
        "{programs: [scp, sftp]}",
        "which scp rsync",
        "sftp web1",
    ),
    meant(
        "rsync -e ssh",
        "{programs: [rsync], words: [\"*:*\"]}",
        "echo rsync -e ssh",
        "rsync -a /srv/app web1:",
    ),
    meant(
        "curl",
        "{programs: [curl, wget]}",
        "which curl jq",
        "wget http://192.0.2.1/",
    ),
    meant(
        "wget",
        "{programs: [wget, curl]}",
        "which wget jq",
        "curl http://192.0.2.1/",
    ),
    meant(
        "nc",
        "{programs: [nc, \"nc.*\", ncat, netcat, socat]}",
        "rsync -a /srv/a /srv/b",
        "socat - TCP:192.0.2.1:9",
    ),
    meant(
        "nmap",
        "{programs: [nmap, masscan]}",
        "dpkg -l nmap libpcap",
        "masscan 192.0.2.1",
    ),
    meant(
        "telnet",
        "{programs: [telnet, nc]}",
        "grep telnet /etc/services",
        "nc 192.0.2.1 23",
    ),
];

/// What to say of a text of `deny_substrings`: the message and the hint.
pub(super) fn of_text(text: &str) -> Option<(String, String)> {
    let trimmed = text.trim();
    let known = MEANT.iter().find(|meant| {
        trimmed
            .strip_prefix(meant.text)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '.']))
    });
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let plain = !trimmed.is_empty() && trimmed.chars().all(is_word);
    let entry = match known {
        Some(meant) => meant.entry.to_owned(),
        None if plain => format!("{{programs: [{trimmed}]}}"),
        None => return None,
    };
    let also = known
        .map(|meant| meant.also)
        .filter(|also| also.contains(text))
        .map_or_else(|| format!("echo {text}x"), str::to_owned);
    let passes = known
        .map(|meant| meant.passes)
        .filter(|passes| !passes.contains(text));
    let passes = passes.map_or_else(String::new, |passes| format!(" and passes `{passes}`"));
    Some((
        format!("is a text: it also refuses `{}`{passes}", also.trim()),
        format!("Meant is `deny_commands: [{entry}]`; `standard` holds the usual ones."),
    ))
}

fn shown(pattern: &str) -> String {
    crate::text::step(pattern).into_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::config::policy;

    fn warnings(text: &str) -> Vec<(String, String)> {
        let (_, warnings) = policy(text).unwrap();
        warnings
            .into_iter()
            .map(|it| (it.path, it.message))
            .collect()
    }

    fn paths(text: &str) -> Vec<String> {
        warnings(text).into_iter().map(|(path, _)| path).collect()
    }

    fn hits(entry: &str, command: &str) -> bool {
        let items: Vec<crate::policy::RawDenyItem> =
            crate::config::yaml::from_yaml("policy.yml", &format!("[{entry}]")).unwrap();
        let set = DenySet::read(&items).unwrap();
        set.hit_alone(&shell::parse(command).unwrap()).is_some()
    }

    #[test]
    fn each_entry_hits_what_its_text_passes_and_not_what_nobody_meant() {
        for it in MEANT {
            assert!(it.also.contains(it.text), "{}", it.text);
            assert!(!it.passes.contains(it.text), "{}", it.text);
            assert!(!hits(it.entry, it.also.trim()), "{}", it.text);
            assert!(hits(it.entry, it.passes), "{}", it.text);
        }
    }

    #[test]
    fn a_text_gets_the_entry_that_was_meant() {
        for text in [
            "rm -rf /",
            "mkfs ",
            "shutdown -h",
            "curl ",
            "kubectl ",
            "nc ",
        ] {
            let (message, hint) = of_text(text).unwrap();
            assert!(message.contains("also refuses"), "{text}");
            assert!(hint.contains("programs: ["), "{text}");
        }
        for text in [":(){ :|:& };:", "> /dev/sda", "a b"] {
            assert!(of_text(text).is_none(), "{text}");
        }
        assert!(!of_text("kubectl ").unwrap().0.contains("passes"));
        assert_eq!(
            paths("limits: {deny_substrings: ['rm -rf /', ':(){ :|:& };:']}"),
            ["limits.deny_substrings[0]"]
        );
    }

    #[test]
    fn an_allow_rule_that_a_deny_covers_is_named_wherever_the_deny_stands() {
        let deny = "- {action: deny, commands: ['rm*']}\n";
        let allow = "- {action: allow, commands: ['rm -f *', 'rm']}\n";
        assert_eq!(paths(&format!("rules:\n{deny}{allow}")), ["rules[1]"]);
        assert_eq!(paths(&format!("rules:\n{allow}{deny}")), ["rules[0]"]);
        let partly = "- {action: allow, commands: ['uptime', 'rm *']}\n";
        assert_eq!(
            paths(&format!("rules:\n{deny}{partly}")),
            ["rules[1].commands[1]"]
        );
        let simple = "- {action: allow, simple_binaries: [rm]}\n";
        assert_eq!(paths(&format!("rules:\n{deny}{simple}")), ["rules[1]"]);
    }

    #[test]
    fn a_deny_that_says_less_or_holds_elsewhere_covers_nothing() {
        for rules in [
            "- {action: deny, commands: ['rm -rf *']}\n- {action: allow, commands: ['rm *']}\n",
            "- {action: deny, aliases: [db*], commands: ['rm*']}\n- {action: allow, commands: ['rm *']}\n",
            "- {action: deny, tags: ['*'], commands: ['rm*']}\n- {action: allow, commands: ['rm *']}\n",
            "- {action: deny, commands: ['r?*']}\n- {action: allow, commands: ['*b']}\n",
        ] {
            assert!(paths(&format!("rules:\n{rules}")).is_empty(), "{rules}");
        }
        let within = "- {action: deny, aliases: [db*], commands: ['rm*']}\n\
                      - {action: allow, aliases: [db1], commands: ['rm *']}\n";
        assert_eq!(paths(&format!("rules:\n{within}")), ["rules[1]"]);
    }

    #[test]
    fn what_deny_commands_always_hits_is_named_too() {
        let rules = "rules:\n- {action: allow, commands: ['curl *']}\n";
        let found = warnings(&format!("deny_commands: [standard]\n{rules}"));
        assert!(
            found[0].1.contains("`egress` in `deny_commands`"),
            "{found:?}"
        );
        assert!(paths(rules).is_empty());
        let rm = "deny_commands: [standard]\nrules:\n- {action: allow, commands: ['rm *']}\n";
        assert!(paths(rm).is_empty());
    }

    #[test]
    fn a_broad_glob_over_a_program_that_gives_a_shell_is_named() {
        let rule = |pattern: &str, more: &str| {
            format!("rules:\n- {{action: allow, commands: ['{pattern}']{more}}}\n")
        };
        assert_eq!(paths(&rule("vim *", "")), ["rules[0].commands[0]"]);
        assert_eq!(paths(&rule("vim *", ", unsafe_ok: true")).len(), 1);
        assert!(paths(&rule("vim --version", "")).is_empty());
        assert!(paths(&rule("ls *", "")).is_empty());
    }
}
