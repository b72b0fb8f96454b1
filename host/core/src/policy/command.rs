//! One command as it is judged: a leaf of the script, or what a wrapper runs, with everything that it
//! needs a rule's grant for.
//!
//! Must not: know rules.

use super::capability::{Capability, Need, PathUse, UsedPath};
use super::deny::Whereabouts;
use super::path;
use super::profile::Profiles;
use super::scene::{self, Place};
use super::wrappers::{self, Look, Run};
use crate::shell::{Assignment, FileUse, Leaf, Redirection, Word};
use std::borrow::Cow;

/// Variables that change how something looks and not what is run.
const HARMLESS_VARIABLES: [&str; 13] = [
    "COLUMNS",
    "DEBIAN_FRONTEND",
    "LANG",
    "LANGUAGE",
    "LINES",
    "NO_COLOR",
    "CLICOLOR",
    "FORCE_COLOR",
    "TERM",
    "TZ",
    "BLOCKSIZE",
    "BLOCK_SIZE",
    "TIME_STYLE",
];

/// A command and what is known of how it runs.
pub(super) struct Command<'a> {
    pub(super) words: Cow<'a, [Word]>,
    redirections: Vec<&'a Redirection>,
    assignments: &'a [Assignment],
    place: Place,
    /// The directories that it may run in, where the script tells all of them.
    directories: Option<&'a Whereabouts>,
    /// The user that it runs as, where that is not whoever logged in.
    pub(super) user: Option<&'a str>,
    reads_input: bool,
}

/// What a command does.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// What has to be granted.
    pub(super) needs: Vec<Need>,
    /// The paths among its words.
    pub(super) paths: Vec<UsedPath>,
    /// Whether the paths are all of them.
    pub(super) paths_known: bool,
    /// The commands that it runs.
    pub(super) runs: Vec<Run>,
}

impl<'a> Command<'a> {
    /// A command of the script, with the words that a rule is compared with.
    pub(super) fn of_leaf(
        leaf: &'a Leaf,
        words: &'a [Word],
        place: Place,
        directories: Option<&'a Whereabouts>,
    ) -> Self {
        Self {
            directories,
            words: Cow::Borrowed(words),
            redirections: leaf.redirections.iter().chain(&leaf.inherited).collect(),
            assignments: &leaf.assignments,
            place,
            user: None,
            reads_input: leaf.role.reads_pipe,
        }
    }

    /// A command that another one runs.
    pub(super) fn of_run(run: &'a Run, outer: &Command<'a>) -> Self {
        let place = match run.moved {
            true => Place::Elsewhere,
            false => outer.place,
        };
        Self {
            words: match place {
                Place::Elsewhere => Cow::Owned(scene::dislocated(&run.words)),
                Place::Login => Cow::Borrowed(&run.words),
            },
            redirections: run.redirections.iter().collect(),
            assignments: &run.assignments,
            place,
            directories: outer.directories.filter(|_| !run.moved),
            user: run.user.as_deref().or(outer.user),
            reads_input: outer.reads_input || run.reads_pipe || outer.opens_input(),
        }
    }

    pub(super) fn program(&self) -> Option<&Word> {
        self.words.first()
    }

    /// Whether a redirection gives it something to read.
    fn opens_input(&self) -> bool {
        self.redirections
            .iter()
            .any(|redirection| match redirection {
                Redirection::File { access, .. } => {
                    matches!(access, FileUse::Read | FileUse::ReadWrite)
                }
                Redirection::Here { .. } => true,
                _ => false,
            })
    }

    /// Everything that has to be granted.
    pub(super) fn effects(&self, profiles: &Profiles) -> Effects {
        let mut effects = Effects::default();
        self.add_assignments(&mut effects.needs);
        // SECURITY: an unquoted value may become any number of words, or none.
        if self.words.iter().any(Word::may_split) {
            effects.needs.push(Need {
                capability: Capability::Execute,
                word: Need::NOT_IN_WORDS,
                path: None,
                why: Cow::Borrowed("has a value outside double quotes that is decided on the host"),
            });
        }
        self.add_redirections(&mut effects.needs);
        // SECURITY: `exec <<EOF` makes the text the input of every later command.
        let here = |it: &&Redirection| matches!(it, Redirection::Here { .. });
        if self.words.iter().any(|word| word.text == "exec") && self.redirections.iter().any(here) {
            effects.needs.push(Need {
                capability: Capability::State,
                word: Need::NOT_IN_WORDS,
                path: None,
                why: Cow::Borrowed("changes what later commands read"),
            });
        }
        match wrappers::look(&self.words) {
            Look::Nothing => {}
            Look::Spelled(word, capability) => {
                let word = match self.is_lost_script(word) {
                    true => Need::NOT_IN_WORDS,
                    false => word,
                };
                effects.needs.push(self.wrapper_need(word, capability));
            }
            Look::Unseen => {
                let need = self.wrapper_need(Need::NOT_IN_WORDS, Capability::Execute);
                effects.needs.push(need);
            }
            Look::Runs(runs) => {
                for run in &runs {
                    effects
                        .needs
                        .extend(run.sets.iter().filter_map(|(word, name)| {
                            let value = self.words.get(*word)?;
                            set(name, *word, value)
                        }));
                    let lists = run.lists.iter().map(Option::as_deref);
                    let secret = lists.filter(|list| list.is_none_or(|it| profiles.is_secret(it)));
                    effects.needs.extend(secret.map(|list| Need {
                        capability: Capability::Secret,
                        word: run.at.saturating_sub(1),
                        path: list.map(|list| path::normalise(list).into_owned()),
                        why: Cow::Borrowed("takes words from a path that holds secrets"),
                    }));
                }
                effects.runs = runs;
            }
        }
        self.add_profile(profiles, &mut effects);
        effects
    }

    /// Whether a path that is read may be a secret in the directory that was changed to.
    fn is_lost(&self, used: &UsedPath, profiles: &Profiles) -> bool {
        let path = used.path.as_str();
        if path.starts_with('/') {
            return false;
        }
        let plain = !path.is_empty() && path != "." && !path::climbs(path);
        let Some(directories) = self.directories.filter(|_| plain) else {
            return true;
        };
        let glob = self.words.get(used.word).is_some_and(|word| word.glob);
        directories.directories().any(|directory| {
            !directory.starts_with('/')
                || profiles.may_read_secret(&format!("{directory}/{path}"), glob)
        })
    }

    /// Whether a word is a script by a relative path behind a `cd`: nobody can name which one.
    fn is_lost_script(&self, word: usize) -> bool {
        let reader = self
            .program()
            .is_some_and(|it| wrappers::reads_script(&it.text));
        let script = self.words.get(word).filter(|_| reader && word == 1);
        self.place == Place::Elsewhere && script.is_some_and(|word| !word.text.starts_with('/'))
    }

    fn wrapper_need(&self, word: usize, capability: Capability) -> Need {
        let program = self.words.first().map_or("", |word| word.text.as_str());
        Need {
            capability,
            word,
            path: None,
            why: Cow::Borrowed(wrappers::why(program).unwrap_or("runs another program")),
        }
    }

    fn add_assignments(&self, needs: &mut Vec<Need>) {
        needs.extend(self.assignments.iter().filter_map(|assignment| {
            let value = &assignment.value;
            set(&assignment.name, Need::NOT_IN_WORDS, value)
        }));
    }

    fn add_redirections(&self, needs: &mut Vec<Need>) {
        for redirection in &self.redirections {
            let Redirection::File { access, target, .. } = redirection else {
                continue;
            };
            let path = target
                .known()
                .map(|text| path::normalise(text).into_owned());
            let mut need = |capability, why| {
                needs.push(Need {
                    capability,
                    word: Need::NOT_IN_WORDS,
                    path: path.clone(),
                    why: Cow::Borrowed(why),
                });
            };
            if matches!(access, FileUse::Read | FileUse::ReadWrite) {
                need(Capability::RedirectInput, "takes a file as its input");
            }
            if !matches!(access, FileUse::Read) {
                need(Capability::RedirectOutput, "sends its output to a file");
            }
        }
    }

    fn add_profile(&self, profiles: &Profiles, effects: &mut Effects) {
        let Some(uses) = profiles.uses(&self.words) else {
            // Without a profile nobody can say what a value that is not in sight would do there.
            let end = effects.runs.first().map_or(self.words.len(), |run| run.at);
            let unseen = self.words.iter().take(end).skip(1);
            effects.needs.extend(
                unseen
                    .enumerate()
                    .filter(|(_, word)| word.dynamic || word.tilde)
                    .map(|(index, _)| Need {
                        capability: Capability::Execute,
                        word: index + 1,
                        path: None,
                        why: Cow::Borrowed("gets a value that is decided on the host"),
                    }),
            );
            effects.paths = unprofiled_paths(&self.words, end);
            effects.paths_known = effects.needs.is_empty();
            return;
        };
        let unseen = |why: &'static str| Need {
            capability: Capability::Execute,
            word: Need::NOT_IN_WORDS,
            path: None,
            why: Cow::Borrowed(why),
        };
        if uses.runs_input && (self.reads_input || self.opens_input()) {
            effects
                .needs
                .push(unseen("takes its input for a program text"));
        }
        if self.place == Place::Elsewhere && uses.surroundings {
            effects.needs.push(Need {
                word: Need::IN_PLACE,
                ..unseen("does what files of its directory say, and that was changed to")
            });
        }
        if self.place == Place::Elsewhere {
            let moved = uses
                .paths
                .iter()
                .filter(|used| used.usage == PathUse::Content && self.is_lost(used, profiles));
            effects.needs.extend(moved.map(|used| Need {
                capability: Capability::Secret,
                word: used.word,
                path: None,
                why: Cow::Borrowed("names a file in a directory that was changed to"),
            }));
        }
        effects.needs.extend(uses.needs);
        effects.paths = uses.paths;
        effects.paths_known = true;
    }
}

/// What setting a variable needs.
fn set(name: &str, word: usize, value: &Word) -> Option<Need> {
    if value.is_unknown() {
        return Some(Need {
            capability: Capability::Execute,
            word: Need::NOT_IN_WORDS,
            path: None,
            why: Cow::Borrowed("sets a variable to a value that is decided on the host"),
        });
    }
    let plain = match value.text.split_once('=') {
        Some((own, text)) if own == name => is_plain_value(text),
        _ => is_plain_value(&value.text),
    };
    (!is_harmless(name) || !plain).then(|| Need {
        capability: Capability::Assign,
        word,
        path: Some(name.to_owned()),
        why: Cow::Owned(format!("sets the variable {name}")),
    })
}

/// Whether a variable changes how something looks and not what is run.
pub(super) fn is_harmless(name: &str) -> bool {
    name.starts_with("LC_") || HARMLESS_VARIABLES.contains(&name)
}

/// Whether a value has no character in it with which a shell or a program could take it for more than
/// a name, a number or a format. SECURITY: a variable that counts for nothing is still read by those who
/// name it: `LC_X='a[$(id)]' test -v 'b[LC_X]'`.
fn is_plain_value(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || " _.,:@+-/%=<>#".contains(c))
}

/// The words of an unknown program that may be paths: for a rule that restricts them, all of these have
/// to lie where it says.
fn unprofiled_paths(words: &[Word], end: usize) -> Vec<UsedPath> {
    let arguments = words.iter().enumerate().take(end).skip(1);
    arguments
        .filter_map(|(index, word)| {
            let text = word.text.as_str();
            let path = match text.split_once('=') {
                Some((_, value)) if value.contains('/') => value,
                _ if text.starts_with('-') && !text.contains('/') => return None,
                _ => text,
            };
            Some(UsedPath {
                word: index,
                path: path.to_owned(),
                usage: PathUse::Content,
            })
        })
        .collect()
}
