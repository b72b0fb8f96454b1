//! The commands that a command runs: behind `sudo`, `env` and the like, in `sh -c '…'`, for each file
//! that `find` finds.
//!
//! Where the wrapper's grammar is known, the command is looked for there; elsewhere it is looked for at
//! each word that may be the first one. It is a guess to the side of denying, but it takes no operand of a
//! wrapped command for a program (`a_word_of_a_wrapped_command_is_no_program`).
//!
//! Must not: decide, or allow anything.

use super::super::path;
use super::super::wrappers::{self, Look, Run};
use super::words::{Kind, Takes, kinds};
use super::{Subject, Whereabouts};
use crate::shell::{self, Redirection, Word};
use std::borrow::Cow;

/// Most commands inside each other that are looked through.
const DEPTH_MAX: usize = 6;
/// Most commands that one leaf is taken to run.
const COMMANDS_MAX: usize = 64;

/// Programs that the table of wrappers does not know.
const MORE: &[&str] = &["machinectl", "openvt", "perf", "pidstat", "sem", "trickle"];

/// Wrappers that take operands of their own before the command, and how many.
const OPERANDS: &[(&str, usize)] = &[
    ("envuidgid", 1),
    ("faketime", 1),
    ("gosu", 1),
    ("logsave", 1),
    ("machinectl", 2),
    ("perf", 1),
    ("runcon", 1),
    ("s6-setuidgid", 1),
    ("screen", 0),
    ("setarch", 1),
    ("setlock", 1),
    ("setuidgid", 1),
    ("sg", 1),
    ("su", 2),
    ("su-exec", 1),
    ("tmux", 1),
];

/// Wrappers whose words are names and program texts of their own, not commands.
const NO_COMMANDS: &[&str] = &[
    "autoload",
    "awk",
    "bind",
    "compgen",
    "complete",
    "deno",
    "enable",
    "fc",
    "gawk",
    "hash",
    "mapfile",
    "mawk",
    "nawk",
    "read",
    "readarray",
    "zmodload",
];

/// Programs that only say, or look for, what stands behind them.
const SAYING: &[&str] = &[
    "ack", "ag", "apropos", "echo", "egrep", "fgrep", "grep", "logger", "man", "print", "printf",
    "rg", "type", "whatis", "whereis", "which", "whence",
];

/// How many words of a program that is not known may stand before a command that it runs.
const OWN_WORDS_MAX: usize = 8;

/// The shells whose scripts are written as the ones that are judged here.
const SHELLS: &[&str] = &[
    "ash", "bash", "dash", "ksh", "mksh", "rbash", "sh", "yash", "zsh", "pwsh", "fish", "csh",
    "tcsh",
];

/// Calls `look` for each command that the words of one command run, and for that one first, until it
/// answers. The redirections and the input of the outer command are those of the inner ones.
pub(crate) fn each_command<T>(
    subject: &Subject<'_>,
    look: &mut dyn FnMut(&Subject<'_>) -> Option<T>,
) -> Option<T> {
    let mut left = COMMANDS_MAX;
    walk(subject, DEPTH_MAX, &mut left, look)
}

fn walk<T>(
    subject: &Subject<'_>,
    depth: usize,
    left: &mut usize,
    look: &mut dyn FnMut(&Subject<'_>) -> Option<T>,
) -> Option<T> {
    if let Some(found) = look(subject) {
        return Some(found);
    }
    let words = subject.words;
    let program = words.first()?;
    let name = path::base(&program.text);
    let more = MORE.contains(&name);
    if NO_COMMANDS.contains(&name) {
        return None;
    }
    if !more && !wrappers::runs_words(&program.text) && name != "ip" {
        return guessed(name, subject, look);
    }
    if depth == 0 || *left == 0 {
        return unknown(subject, program, look);
    }
    *left -= 1;
    if wrappers::reads_script(&program.text) {
        return script_of_shell(subject, depth, left, look);
    }
    let whereabouts = moved(name, subject);
    let inner = Subject {
        assignments: &[],
        whereabouts: &whereabouts,
        ..*subject
    };
    match wrappers::look(words) {
        Look::Runs(runs) => return each_run(&runs, &inner, depth, left, look),
        Look::Nothing if !more && name != "ip" => return None,
        Look::Nothing | Look::Spelled(..) | Look::Unseen => {}
    }
    for start in starts(name, words) {
        let Some(command) = words.get(start..).filter(|command| !command.is_empty()) else {
            continue;
        };
        let command = completed(name, command);
        let inner = Subject {
            words: &command,
            ..inner
        };
        let found = walk(&inner, depth - 1, left, look);
        if found.is_some() {
            return found;
        }
    }
    // A word with blanks in it may be a script that is handed to a shell.
    words
        .iter()
        .skip(1)
        .filter(|word| !word.is_unknown() && word.text.contains([' ', ';', '|', '&', '\n']))
        .find_map(|word| script(&word.text, &inner, depth, left, look))
}

/// A command that destroys, whole and known, among the words of a program that is in no table: there are
/// more programs that run their words than any table has.
fn guessed<T>(
    name: &str,
    subject: &Subject<'_>,
    look: &mut dyn FnMut(&Subject<'_>) -> Option<T>,
) -> Option<T> {
    let start = subject
        .words
        .iter()
        .take(OWN_WORDS_MAX)
        .skip(1)
        .position(|word| destroys(path::base(&word.text)))?;
    let command = subject.words.get(start + 1..)?;
    let mut arguments = command.iter().skip(1).map(|word| word.text.as_str());
    // A verb of another program (`docker rm -f web`, `git rm -r docs`) has no such path behind it.
    let aimed = arguments.clone().any(|text| text.contains('/'));
    // A program's path among others is what is looked at: `ls -l /bin/rm /usr/bin/ssh`.
    let named = command.first()?.text.contains('/');
    let called = !named || arguments.next().is_some_and(|text| text.starts_with('-'));
    if !aimed || !called || SAYING.contains(&name) || command.iter().any(Word::is_unknown) {
        return None;
    }
    look(&Subject {
        words: command,
        assignments: &[],
        ..*subject
    })
}

/// Whether a program does nothing but remove or overwrite.
fn destroys(name: &str) -> bool {
    matches!(name, "rm" | "dd" | "shred" | "wipefs" | "blkdiscard") || name.starts_with("mkfs")
}

/// The commands that the wrapper's grammar shows.
fn each_run<T>(
    runs: &[Run],
    outer: &Subject<'_>,
    depth: usize,
    left: &mut usize,
    look: &mut dyn FnMut(&Subject<'_>) -> Option<T>,
) -> Option<T> {
    let mut whereabouts = outer.whereabouts.clone();
    for run in runs {
        let redirections: Vec<Redirection> = run
            .redirections
            .iter()
            .chain(outer.all_redirections())
            .cloned()
            .collect();
        let mut role = outer.role;
        role.reads_pipe |= run.reads_pipe;
        let inner = Subject {
            words: &run.words,
            redirections: &redirections,
            inherited: &[],
            assignments: &run.assignments,
            role,
            whereabouts: &whereabouts,
        };
        let found = walk(&inner, depth - 1, left, look);
        if found.is_some() {
            return found;
        }
        whereabouts.pass_words(&run.words);
    }
    None
}

/// What cannot be looked through is a program that is not known.
fn unknown<T>(
    subject: &Subject<'_>,
    program: &Word,
    look: &mut dyn FnMut(&Subject<'_>) -> Option<T>,
) -> Option<T> {
    let mut program = program.clone();
    program.dynamic = true;
    look(&Subject {
        words: &[program],
        ..*subject
    })
}

/// The commands in a text, if it can be read.
fn script<T>(
    text: &str,
    outer: &Subject<'_>,
    depth: usize,
    left: &mut usize,
    look: &mut dyn FnMut(&Subject<'_>) -> Option<T>,
) -> Option<T> {
    let script = shell::parse(text).ok()?;
    let mut whereabouts = outer.whereabouts.clone();
    for leaf in script.leaves() {
        let redirections: Vec<Redirection> = leaf
            .redirections
            .iter()
            .chain(outer.all_redirections())
            .cloned()
            .collect();
        let mut role = leaf.role;
        role.reads_pipe |= outer.role.reads_pipe;
        let inner = Subject {
            words: &leaf.words,
            redirections: &redirections,
            inherited: &[],
            assignments: &leaf.assignments,
            role,
            whereabouts: &whereabouts,
        };
        let found = walk(&inner, depth - 1, left, look);
        if found.is_some() {
            return found;
        }
        whereabouts.pass(leaf);
    }
    None
}

/// The script behind a shell's `-c`. SECURITY: one that cannot be read may run anything.
fn script_of_shell<T>(
    subject: &Subject<'_>,
    depth: usize,
    left: &mut usize,
    look: &mut dyn FnMut(&Subject<'_>) -> Option<T>,
) -> Option<T> {
    let program = subject.words.first()?;
    let name = path::base(&program.text);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    if !SHELLS.contains(&plain) {
        return None;
    }
    let mut given = false;
    for word in subject.words.iter().skip(1) {
        let text = word.text.as_str();
        let option = text.len() > 1 && text.starts_with(['-', '+']);
        if option {
            given |= !text.starts_with("--") && text.contains('c') || text == "--command";
        } else if given {
            if word.is_unknown() {
                return None;
            }
            if shell::parse(text).is_err() {
                return unknown(subject, program, look);
            }
            // The word behind `-o` may be taken for the script; the next one is then looked at too.
            if let found @ Some(_) = script(text, subject, depth, left, look) {
                return found;
            }
        }
    }
    None
}

/// Where a wrapped command runs.
fn moved(name: &str, subject: &Subject<'_>) -> Whereabouts {
    let options: &[&str] = match name {
        "env" => &["-C", "--chdir"],
        "sudo" => &["-D", "--chdir"],
        "systemd-run" => &["--working-directory"],
        "find" if subject.words.iter().any(|word| word.text.ends_with("dir")) => {
            return Whereabouts::ANYWHERE;
        }
        _ => return subject.whereabouts.clone(),
    };
    for (index, word) in subject.words.iter().enumerate() {
        if options.contains(&word.text.as_str()) {
            return match subject.words.get(index + 1) {
                Some(target) => subject.whereabouts.moved(target),
                None => Whereabouts::ANYWHERE,
            };
        }
        if options.iter().any(|option| word.text.starts_with(option)) {
            return Whereabouts::ANYWHERE;
        }
    }
    subject.whereabouts.clone()
}

/// The words at which a wrapped command may begin.
fn starts(name: &str, words: &[Word]) -> Vec<usize> {
    if name == "ip" {
        let exec = words.iter().position(|word| word.text == "exec");
        return exec.map(|at| at + 2).into_iter().collect();
    }
    if name == "find" {
        let runs =
            |word: &Word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir");
        return words
            .iter()
            .enumerate()
            .filter(|(_, word)| runs(word))
            .map(|(at, _)| at + 1)
            .collect();
    }
    let own = OPERANDS.iter().find(|(wrapper, _)| *wrapper == name);
    let mut operands = own.map_or(0, |(_, operands)| *operands);
    let mut starts = Vec::new();
    let takes = Takes::default();
    for (index, word, kind) in kinds(words.get(1..).unwrap_or_default(), &takes) {
        let is_setting = word.text.find('=').is_some_and(|at| at > 0) && !word.text.contains('/');
        match kind {
            Kind::Option | Kind::Value => {}
            Kind::Maybe | Kind::Operand if is_setting => {}
            Kind::Maybe => starts.push(index + 1),
            Kind::Operand => {
                starts.push(index + 1);
                if operands == 0 {
                    break;
                }
                operands -= 1;
            }
        }
    }
    starts
}

/// A wrapped command with what its wrapper puts in: words that are not known.
fn completed<'w>(wrapper: &str, command: &'w [Word]) -> Cow<'w, [Word]> {
    let fills = matches!(wrapper, "find" | "parallel" | "sem") || wrappers::appends_words(wrapper);
    if !fills {
        return Cow::Borrowed(command);
    }
    let mut words = command.to_vec();
    for word in words.iter_mut().skip(1) {
        word.dynamic |= word.text.contains("{}");
    }
    let last = words.last().cloned();
    if let Some(mut more) = last.filter(|_| wrapper != "find") {
        more.text.clear();
        more.dynamic = true;
        words.push(more);
    }
    Cow::Owned(words)
}
