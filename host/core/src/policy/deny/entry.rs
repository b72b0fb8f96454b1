//! One structured deny entry: which command it is about. All that it names has to hold; what a command
//! leaves open counts as holding.
//!
//! Must not: know how an entry is written in a file, or look through wrappers.

use super::Subject;
use super::class::{Class, Reach};
use super::words::{self, Alternatives, Attached, Flag, Kind, Settings, Takes};
use crate::shell::{FileUse, Redirection, Word};

/// Which words of a command are looked at for a path.
#[derive(Debug, Clone)]
pub(super) enum At {
    /// Each operand.
    Any,
    /// The operands before the first option that follows one, as `find` has its paths; the directory
    /// itself where there is none.
    Leading,
    /// The first operand.
    First,
    /// The last operand.
    Last,
    /// What stands behind a key such as `of=`.
    Key(String),
    /// The value of an option.
    Option(Flag),
}

/// One entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) why: String,
    /// Where the program's own path lies.
    pub(super) located: Option<Class>,
    pub(super) flags: Vec<Flag>,
    /// Whether options stand before the first operand only.
    pub(super) leading: bool,
    /// Arguments that, alone, ask something about the program itself.
    pub(super) asks: Vec<String>,
    pub(super) without: Vec<Flag>,
    pub(super) takes: Takes,
    pub(super) verbs: Vec<Alternatives>,
    pub(super) words: Vec<Alternatives>,
    pub(super) operands: Vec<Alternatives>,
    pub(super) operands_min: Option<usize>,
    pub(super) operands_max: Option<usize>,
    pub(super) unknown: bool,
    pub(super) paths: Option<Class>,
    pub(super) at: Vec<At>,
    pub(super) redirects: Option<Class>,
    pub(super) reads_input: bool,
    pub(super) assigns: Option<Settings>,
    /// Whether it names programs; the variables it names then stand among their words.
    pub(super) has_programs: bool,
}

impl Entry {
    /// Whether a command, whose program is one that the entry names, may be what it is about.
    pub(super) fn hits(&self, subject: &Subject<'_>) -> bool {
        let (program, arguments) = match subject.words.split_first() {
            Some((program, arguments)) => (Some(program), arguments),
            None => (None, subject.words),
        };
        let asks = |only: &Word| {
            only.known()
                .is_some_and(|text| self.asks.iter().any(|it| it == text))
        };
        if matches!(arguments, [only] if asks(only)) {
            return false;
        }
        let options = if self.leading {
            words::leading(arguments, &self.takes)
        } else {
            arguments
        };
        self.redirects_hit(subject)
            && self.assigns_hit(subject, arguments)
            && (!self.reads_input || reads_input(subject))
            && self.located_hits(program, subject)
            && self
                .flags
                .iter()
                .all(|flag| flag.may_stand(options, &self.takes))
            && !self
                .without
                .iter()
                .any(|flag| flag.stands(options, &self.takes))
            && self.verbs_hit(arguments)
            && self
                .words
                .iter()
                .all(|it| arguments.iter().any(|word| it.hold(word)))
            && self.operands_hit(arguments)
            && (!self.unknown || arguments.iter().any(words::is_open))
            && self
                .paths
                .as_ref()
                .is_none_or(|class| self.paths_hit(class, arguments, subject))
    }

    fn redirects_hit(&self, subject: &Subject<'_>) -> bool {
        let Some(class) = &self.redirects else {
            return true;
        };
        subject.all_redirections().any(|redirection| {
            let Redirection::File { access, target, .. } = redirection else {
                return false;
            };
            let writes = match access {
                FileUse::Read => false,
                FileUse::Write | FileUse::Append | FileUse::ReadWrite => true,
            };
            writes && class.holds(&Reach::of(target, 0, subject.whereabouts))
        })
    }

    fn assigns_hit(&self, subject: &Subject<'_>, arguments: &[Word]) -> bool {
        let Some(names) = &self.assigns else {
            return true;
        };
        if self.has_programs {
            let sets = |word: &&Word| word.is_unknown() || word.text.contains('=');
            return arguments
                .iter()
                .filter(sets)
                .any(|word| names.hold_word(word));
        }
        subject
            .assignments
            .iter()
            .any(|assignment| names.hold(&assignment.name, &assignment.value))
    }

    fn located_hits(&self, program: Option<&Word>, subject: &Subject<'_>) -> bool {
        let Some(class) = &self.located else {
            return true;
        };
        program.is_some_and(|program| {
            (program.text.contains('/') || program.is_unknown())
                && class.holds(&Reach::of(program, 0, subject.whereabouts))
        })
    }

    /// The verbs are the first operands, one after the other. A word that may be an option's value may be
    /// passed over.
    fn verbs_hit(&self, arguments: &[Word]) -> bool {
        let mut verbs = self.verbs.iter();
        let Some(mut verb) = verbs.next() else {
            return true;
        };
        for (_, word, kind) in words::kinds(arguments, &self.takes) {
            match kind {
                Kind::Option | Kind::Value => {}
                Kind::Maybe | Kind::Operand if words::is_open(word) => return true,
                Kind::Maybe | Kind::Operand if verb.hold(word) => match verbs.next() {
                    Some(next) => verb = next,
                    None => return true,
                },
                Kind::Maybe => {}
                Kind::Operand => return false,
            }
        }
        false
    }

    fn operands_hit(&self, arguments: &[Word]) -> bool {
        if self.operands.is_empty() && self.operands_min.is_none() && self.operands_max.is_none() {
            return true;
        }
        let (mut fewest, mut most) = (0_usize, 0_usize);
        for (_, word, kind) in words::kinds(arguments, &self.takes) {
            match kind {
                Kind::Option | Kind::Value => {}
                Kind::Maybe => most += 1,
                Kind::Operand if words::is_open(word) => most = usize::MAX / 2,
                Kind::Operand => {
                    fewest += 1;
                    most += 1;
                }
            }
        }
        self.operands_min.is_none_or(|least| most >= least)
            && self.operands_max.is_none_or(|most| fewest <= most)
            && self.operands.iter().all(|it| {
                words::kinds(arguments, &self.takes).any(|(_, word, kind)| {
                    matches!(kind, Kind::Maybe | Kind::Operand) && it.hold(word)
                })
            })
    }

    fn paths_hit(&self, class: &Class, arguments: &[Word], subject: &Subject<'_>) -> bool {
        let lies = |word: &Word, from| class.holds(&Reach::of(word, from, subject.whereabouts));
        let operands = || {
            words::kinds(arguments, &self.takes)
                .filter(|(_, _, kind)| matches!(kind, Kind::Maybe | Kind::Operand))
        };
        self.at.iter().any(|at| match at {
            At::Any => operands().any(|(_, word, _)| lies(word, 0)),
            At::Leading => {
                let mut seen = false;
                let mut lies_so = false;
                for (_, word, kind) in words::kinds(arguments, &self.takes) {
                    match kind {
                        Kind::Option if seen => break,
                        Kind::Option | Kind::Value => {}
                        Kind::Maybe | Kind::Operand => {
                            seen = true;
                            lies_so |= lies(word, 0);
                        }
                    }
                }
                lies_so || !seen && class.holds(&Reach::here(subject.whereabouts))
            }
            At::First => {
                let mut settled = false;
                operands()
                    .take_while(|(_, _, kind)| {
                        let before = settled;
                        settled |= *kind == Kind::Operand;
                        !before
                    })
                    .any(|(_, word, _)| lies(word, 0))
            }
            At::Last => operands().last().is_some_and(|(_, word, _)| lies(word, 0)),
            At::Key(key) => arguments.iter().any(|word| {
                words::is_open(word) && !word.text.contains('=')
                    || word.text.starts_with(key.as_str()) && lies(word, key.len())
            }),
            At::Option(flag) => arguments.iter().enumerate().any(|(index, word)| {
                if words::is_open(word) {
                    return !word.quoted;
                }
                match flag.value(&word.text, &self.takes) {
                    Some(Attached::At(from)) => lies(word, from),
                    Some(Attached::Next) => {
                        arguments.get(index + 1).is_some_and(|word| lies(word, 0))
                    }
                    None => false,
                }
            }),
        })
    }
}

/// Whether what a command reads from its input comes from a pipe, a file or the script.
fn reads_input(subject: &Subject<'_>) -> bool {
    subject.role.reads_pipe
        || subject
            .all_redirections()
            .any(|redirection| match redirection {
                Redirection::File { fd, access, .. } => {
                    *fd == 0 && matches!(access, FileUse::Read | FileUse::ReadWrite)
                }
                Redirection::Here { fd, .. } => *fd == 0,
                Redirection::Duplicate { from, .. } => *from == 0,
                Redirection::ToNull { .. } | Redirection::FromNull { .. } => false,
            })
}
