//! What wrappers may run, as deny rules see it: guesses to the side of denying, wider than what `wrappers`
//! finds for certain.
//!
//! Must not: know rules, or be asked where something is to be allowed.

use super::pattern::{Spellings, Subject};
use super::scene::{Place, Scene};
use super::wrappers;
use crate::shell::{self, Word};
use std::borrow::Cow;
use std::ops::Range;

/// Most words of a wrapper's command at which a wrapped command is looked for when denying. Further ones
/// are looked at only where the wrapper's own grammar finds a command.
const WRAPPED_STARTS_MAX: usize = 16;
/// Most scripts inside each other that are looked through when denying.
const WRAPPED_DEPTH_MAX: usize = 3;

/// A command and its surroundings, as deny rules see it.
pub(super) struct Subjects<'a> {
    pub(super) scene: &'a Scene<'a>,
    /// One for each leaf.
    pub(super) own: Vec<Subject<'a>>,
    /// For each leaf, the commands that its words may run.
    pub(super) wrapped: &'a [Vec<Wrapped<'a>>],
}

/// A command that a wrapper may run.
pub(super) struct Wrapped<'a> {
    pub(super) words: Cow<'a, [Word]>,
    spellings: Spellings,
    pub(super) place: Place,
    /// Whether it is the end of another one that is looked at as well.
    is_end: bool,
}

impl Wrapped<'_> {
    pub(super) fn subject(&self) -> Subject<'_> {
        let subject = self.spellings.subject(&self.words);
        match self.is_end {
            true => subject.at_an_end(),
            false => subject,
        }
    }

    fn into_owned(self) -> Wrapped<'static> {
        Wrapped {
            words: Cow::Owned(self.words.into_owned()),
            spellings: self.spellings,
            place: self.place,
            is_end: self.is_end,
        }
    }
}

/// The texts that [`Subjects`] borrow from; made only where a rule may deny.
pub(super) struct Texts<'a> {
    own: Vec<Spellings>,
    wrapped: Vec<Vec<Wrapped<'a>>>,
}

impl<'t> Texts<'t> {
    pub(super) fn of(scene: &'t Scene<'_>) -> Self {
        let leaves = || scene.leaves().iter().enumerate();
        Self {
            own: leaves()
                .map(|(at, leaf)| Spellings::of(Some(leaf.canonical()), scene.place(at)))
                .collect(),
            wrapped: leaves()
                .map(|(at, leaf)| {
                    let mut found = Vec::new();
                    look_through(&leaf.words, scene.place(at), WRAPPED_DEPTH_MAX, &mut found);
                    found
                })
                .collect(),
        }
    }

    pub(super) fn subjects<'a>(&'a self, scene: &'a Scene<'a>) -> Subjects<'a> {
        Subjects {
            scene,
            own: self
                .own
                .iter()
                .zip(scene.leaves())
                .map(|(spellings, leaf)| spellings.subject(&leaf.words))
                .collect(),
            wrapped: &self.wrapped,
        }
    }
}

/// What a wrapper may run: the command at each of its words, and the commands in each word that is a
/// script. It is a guess to the side of denying.
fn look_through<'w>(words: &'w [Word], place: Place, depth: usize, found: &mut Vec<Wrapped<'w>>) {
    let Some((depth, program)) = depth.checked_sub(1).zip(words.first()) else {
        return;
    };
    if !wrappers::runs_words(&program.text) {
        return;
    }
    // A wrapper that changes the directory says so in an option before the command.
    let changes = |word: &Word| {
        ["-C", "-D", "--chdir"]
            .iter()
            .any(|o| word.text.starts_with(o))
    };
    let place = match words.iter().any(changes) {
        true => Place::Elsewhere,
        false => place,
    };
    let filled = words.iter().any(is_filled);
    for range in ranges(words) {
        let is_end = range.start > 1 && range.end == words.len();
        let Some(inner) = words.get(range) else {
            continue;
        };
        let inner = completed(inner, &program.text, filled);
        let scripted = inner
            .first()
            .filter(|word| word.text.contains([' ', ';', '|', '&', '\n']))
            .and_then(|word| shell::parse(&word.text).ok());
        for leaf in scripted.iter().flat_map(|script| script.leaves()) {
            found.push(Wrapped {
                spellings: Spellings::of(Some(leaf.canonical()), place),
                words: Cow::Owned(leaf.words.clone()),
                place,
                is_end: false,
            });
            let mut further = Vec::new();
            look_through(&leaf.words, place, depth, &mut further);
            for wrapped in further {
                found.push(wrapped.into_owned());
            }
        }
        found.push(Wrapped {
            words: inner,
            spellings: Spellings::of(None, place),
            place,
            is_end,
        });
    }
}

/// The words that may be a wrapped command: from each of the first words to the end, and what the
/// wrapper's own grammar finds.
fn ranges(words: &[Word]) -> Vec<Range<usize>> {
    let count = words.len();
    let mut ranges: Vec<Range<usize>> = (1..count.min(WRAPPED_STARTS_MAX))
        .map(|start| start..count)
        .collect();
    let seen = ranges.len();
    if let wrappers::Look::Runs(runs) = wrappers::look(words) {
        let in_line = runs.iter().filter(|run| run.in_line);
        let own = in_line.map(|run| run.at..run.at.saturating_add(run.words.len()).min(count));
        ranges.extend(own.filter(|own| own.end < count || own.start >= WRAPPED_STARTS_MAX));
        // It has found every clause there is.
        if ranges.len() > seen {
            return ranges;
        }
    }
    let clauses = words.iter().enumerate().skip(WRAPPED_STARTS_MAX - 1);
    ranges.extend(
        clauses
            .filter(|(_, word)| word.text.starts_with("-exec") || word.text.starts_with("-ok"))
            .map(|(index, _)| index + 1..count)
            .take(WRAPPED_STARTS_MAX),
    );
    ranges
}

/// Whether a wrapper puts something into a word.
fn is_filled(word: &Word) -> bool {
    word.text.as_bytes().windows(2).any(|pair| pair == b"{}")
}

/// A wrapped command with what its wrapper puts in: words that are not known. `filled` says whether there
/// may be words that it puts something into.
fn completed<'w>(words: &'w [Word], wrapper: &str, filled: bool) -> Cow<'w, [Word]> {
    let last = words.last().filter(|_| wrappers::appends_words(wrapper));
    if !filled && last.is_none() {
        return Cow::Borrowed(words);
    }
    let mut more = last.cloned();
    let mut words = words.to_vec();
    for word in words.iter_mut().skip(1) {
        word.glob |= is_filled(word);
    }
    if let Some(more) = &mut more {
        more.glob = true;
    }
    words.extend(more);
    Cow::Owned(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::config;
    use crate::inventory::{Host, LoginShell};
    use crate::request::{Alias, CommandLine};
    use crate::shell;

    fn denied(pattern: &str, command: &str) -> bool {
        let text = format!(
            "limits: {{deny_substrings: []}}\nrules: [{{action: deny, commands: ['{pattern}']}}]\n"
        );
        let policy = config::policy(&text).unwrap().0;
        let host = Host {
            alias: Alias::parse("web1").unwrap(),
            host: String::new(),
            port: 22,
            credentials: None,
            tags: Vec::new(),
            description: String::new(),
            shell: LoginShell::Posix,
            host_keys: Vec::new(),
            jump: Vec::new(),
            watchdog: crate::inventory::Watchdog::default(),
        };
        let line = CommandLine::parse(command).unwrap();
        let judgement = policy.judge(&host, &line, &shell::parse(command).unwrap());
        // Nothing allows anything, so what is looked at is why.
        judgement.findings.iter().any(|it| it.rule.is_some())
    }

    #[test]
    fn what_a_wrapper_may_run_is_denied_wherever_it_begins() {
        for pattern in ["rm *", "*/rm *", "*rm x*", "/bin/rm *", "rm*"] {
            for command in [
                "rm x",
                "/bin/rm x",
                "env nice rm x",
                "env nice /bin/rm x",
                "sudo -u app timeout 5 rm x",
                "find /srv -exec rm x ';'",
                "nice -n 5 sh -c 'ls; rm x'",
            ] {
                assert!(denied(pattern, command), "{pattern:?} {command:?}");
            }
            assert!(!denied(pattern, "env nice ls x"), "{pattern:?}");
        }
    }

    #[test]
    fn each_clause_is_denied_by_its_own_words() {
        let many = format!("find /srv{} -exec rm x ';'", " -exec ls {} ';'".repeat(20));
        assert!(denied("rm x", &many));
        assert!(denied("rm *", &many));
        assert!(denied("rm {}", "find /srv -exec rm {} ';'"));
        assert!(denied("rm x", "find /srv -exec rm {} ';' -exec ls {} ';'"));
        assert!(!denied("id", &many));
    }
}
