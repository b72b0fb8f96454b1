//! The programs that run other programs, and where in their words the other program stands.
//!
//! [`look`] follows a wrapper by its option grammar to the commands it runs, with the user and the
//! variables that it sets for them, so that each can be judged by rules of its own. What it cannot
//! follow has to be spelled by a rule ([`Look::Spelled`]) or cannot be allowed at all ([`Look::Unseen`]).
//!
//! Must not: decide, or judge the inner command.
//!
//! Limits: an option that stands in no table makes the whole command something to be spelled, also
//! where it is harmless. Programs that can be made to run something in rarer ways (editors, pagers,
//! archivers, version control) are not in this table but have profiles.

mod builtin;
mod table;

use super::capability::Capability;
use super::{path, scene};
use crate::shell::{self, Assignment, Redirection, Word};
use std::collections::HashMap;
use std::sync::LazyLock;
use table::WRAPPERS;

/// The user that a wrapper runs its words as where it does not say another.
const ROOT: &str = "root";

/// A command that a wrapper runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    /// Index of the wrapper's word that names it: its program, or the text that holds it.
    pub(super) at: usize,
    /// Whether its words stand among the wrapper's words from `at` on, one by one.
    pub(super) in_line: bool,
    /// Its words; what the wrapper puts in is unknown.
    pub(super) words: Vec<Word>,
    /// What a text that is a script redirects.
    pub(super) redirections: Vec<Redirection>,
    /// What a text that is a script sets.
    pub(super) assignments: Vec<Assignment>,
    /// The user that it runs as, where the wrapper changes that.
    pub(super) user: Option<String>,
    /// The variables that the wrapper sets for it: index of the word, and name.
    pub(super) sets: Vec<(usize, String)>,
    /// Whether the wrapper runs it in another directory.
    pub(super) moved: bool,
    /// Whether something is piped into it.
    pub(super) reads_pipe: bool,
    /// The text in its words that the wrapper replaces by others.
    replaces: Option<String>,
    /// The files that the wrapper takes words from; `None` for one that is not known.
    pub(super) lists: Vec<Option<String>>,
    /// The user that an option names.
    named: Option<String>,
    /// Whether an option names a group or a role.
    as_group: bool,
}

/// What a command runs besides its own program.
#[derive(Debug, Clone)]
pub(super) enum Look {
    /// Nothing.
    Nothing,
    /// A rule has to spell the words up to and with this one.
    Spelled(usize, Capability),
    /// What does not stand in the words at all, e.g. its input. No rule can spell that.
    Unseen,
    /// These commands.
    Runs(Vec<Run>),
}

/// What a program does when its words name nothing to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// It prints something, or fails.
    Harmless,
    /// It opens a shell.
    Shell,
}

/// How a program finds what it runs.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// The words behind its own options and operands are a command.
    Prefix {
        /// Short options without a value, by letter.
        flags: &'static str,
        /// Short options whose value is the next word or the rest of the word, by letter.
        values: &'static str,
        /// Long options whose value is the next word.
        long_values: &'static [&'static str],
        /// Long options without a value.
        long_flags: &'static [&'static str],
        /// Operands before the command.
        operands: usize,
        /// Whether it is harmless without a command.
        alone: Alone,
    },
    /// As `Prefix` without operands, but it adds words of its own to the command.
    Appending {
        flags: &'static str,
        values: &'static str,
        long_values: &'static [&'static str],
        long_flags: &'static [&'static str],
    },
    /// The first word is a program text's file; with options it may be the text itself, and without
    /// words the text is read from the input. The words here, alone, only ask for a version; an
    /// interpreter that does not know `--version` may go on and read its input.
    Interpreter(&'static [&'static str]),
    /// A builtin of the shell that changes what later commands do, so a rule has to name it.
    State,
    /// A builtin of the shell that may take a word for an expression, and run what stands in that.
    Evaluating,
    /// A command stands behind one of these words.
    Clauses(&'static [&'static str]),
    /// It hands its words to a shell, or has too many ways to name a command.
    Whole(Alone),
}

/// One program of the table.
struct Wrapper {
    name: &'static str,
    /// Why it stands here; the text is shown to operators.
    why: &'static str,
    shape: Shape,
    /// First words that make it answer a question and run nothing, whatever follows.
    asks: &'static [&'static str],
}

/// The table by name; it is asked for every command.
static BY_NAME: LazyLock<HashMap<&'static str, &'static Wrapper>> = LazyLock::new(|| {
    WRAPPERS
        .iter()
        .map(|wrapper| (wrapper.name, wrapper))
        .collect()
});

/// The table's entry for a program, whatever directory or version stands in its name.
fn find(program: &str) -> Option<&'static Wrapper> {
    let name = path::base(program);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    BY_NAME
        .get(name)
        .or_else(|| {
            (plain.len() < name.len())
                .then(|| BY_NAME.get(plain))
                .flatten()
        })
        .copied()
}

/// Whether a program is one that runs its words as another user.
pub(super) fn changes_user(program: &str) -> bool {
    find(program).is_some_and(Wrapper::changes_user)
}

/// Why a program stands in the table, if it does.
pub(super) fn why(program: &str) -> Option<&'static str> {
    find(program).map(|wrapper| wrapper.why)
}

/// Whether a program may run its words, so that a denied command may stand among them.
pub(super) fn runs_words(program: &str) -> bool {
    find(program).is_some_and(|wrapper| !matches!(wrapper.shape, Shape::State | Shape::Evaluating))
}

/// Whether a program runs its words and adds words to them that are not in sight.
pub(super) fn appends_words(program: &str) -> bool {
    find(program).is_some_and(|wrapper| matches!(wrapper.shape, Shape::Appending { .. }))
}

/// Whether a program takes its next word for the file of a program text.
pub(super) fn reads_script(program: &str) -> bool {
    matches!(path::base(program), "." | "source")
        || find(program).is_some_and(|wrapper| matches!(wrapper.shape, Shape::Interpreter(_)))
}

/// What a command runs besides its own program. It looks through one wrapper, not further.
pub(super) fn look(words: &[Word]) -> Look {
    let Some((program, arguments)) = words.split_first() else {
        return Look::Nothing;
    };
    let Some(wrapper) = find(&program.text) else {
        return Look::Nothing;
    };
    let last = words.len().saturating_sub(1);
    let whole = Look::Spelled(last, Capability::Execute);
    let first = arguments.first().map(|word| word.text.as_str());
    let asks = first.is_some_and(|first| wrapper.asks.contains(&first));
    // SECURITY: a word that is not known may become several, and then the command begins at another one.
    let unknown = arguments.iter().any(Word::is_unknown);
    if let Shape::Interpreter(versions) = wrapper.shape {
        return interpreter(&program.text, versions, arguments);
    }
    if asks || arguments.len() == 1 && matches!(first, Some("--version" | "--help")) {
        return Look::Nothing;
    }
    match wrapper.shape {
        Shape::Prefix { alone, .. } => match command_at(wrapper, words) {
            Some(Found::At(run)) => prefixed(words, run),
            Some(Found::End(_)) if alone == Alone::Harmless && !unknown => Look::Nothing,
            Some(Found::End(_)) => Look::Unseen,
            None => whole,
        },
        Shape::Appending { .. } => match command_at(wrapper, words) {
            Some(Found::At(run)) => appended(words, run),
            Some(Found::End(_)) if unknown => Look::Unseen,
            // It prints what it reads.
            Some(Found::End(run)) if !run.lists.is_empty() => whole,
            Some(Found::End(_)) => Look::Nothing,
            None => whole,
        },
        Shape::Clauses(run) => clauses(run, words),
        Shape::State => match builtin::state(arguments) {
            Some(at) => Look::Spelled(at, Capability::State),
            None => Look::Unseen,
        },
        Shape::Evaluating => builtin::evaluating(&program.text, arguments),
        Shape::Whole(Alone::Shell) if arguments.is_empty() => Look::Unseen,
        Shape::Whole(_) | Shape::Interpreter(_) if arguments.is_empty() => Look::Nothing,
        Shape::Whole(_) | Shape::Interpreter(_) => whole,
    }
}

fn prefixed(words: &[Word], mut run: Run) -> Look {
    run.words = words.get(run.at..).unwrap_or_default().to_vec();
    Look::Runs(vec![run])
}

/// As [`prefixed`], where words from elsewhere follow: what they are is not known.
fn appended(words: &[Word], mut run: Run) -> Look {
    run.words = words.get(run.at..).unwrap_or_default().to_vec();
    // SECURITY: `-I name` puts what it reads in the place of each `name`, and some put it in the place of
    // the program too.
    let replaces = run.replaces.as_deref().unwrap_or("{}");
    for (index, word) in run.words.iter_mut().enumerate() {
        if word.text.contains(replaces) || index > 0 && word.text.contains("{}") {
            word.forget();
        }
    }
    // SECURITY: a copy of the last word would be read as what that one is: in `xargs head -5`, an option.
    if let Some(more) = run.words.last().map(Word::unseen) {
        run.words.push(more);
    }
    Look::Runs(vec![run])
}

enum Found {
    At(Run),
    /// There is none; what its options say.
    End(Run),
}

/// Steps over options, assignments and operands. `None` where an option is not known.
fn command_at(wrapper: &Wrapper, words: &[Word]) -> Option<Found> {
    let (flags, values, long_values, long_flags, operands): (_, _, &[&str], &[&str], _) =
        match &wrapper.shape {
            Shape::Prefix {
                flags,
                values,
                long_values,
                long_flags,
                operands,
                ..
            } => (*flags, *values, long_values, long_flags, *operands),
            Shape::Appending {
                flags,
                values,
                long_values,
                long_flags,
            } => (*flags, *values, long_values, long_flags, 0),
            _ => return None,
        };
    let mut run = Run {
        in_line: true,
        user: wrapper.changes_user().then(|| ROOT.to_owned()),
        ..Run::default()
    };
    let mut left = operands;
    let mut options = true;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.known()?;
        at += 1;
        if options && text == "--" {
            options = false;
        } else if options && text.starts_with("--") {
            // SECURITY: `--name=value` is no safer than `--name`: `env --split-string=` runs its value.
            let (name, attached) = text
                .split_once('=')
                .map_or((text, None), |(name, value)| (name, Some(value)));
            if long_values.contains(&name) {
                let value = attached.or_else(|| words.get(at)?.known());
                run.note(wrapper, name, value);
                at += usize::from(attached.is_none());
            } else if !long_flags.contains(&name) {
                return None;
            }
        } else if options && text == "-" {
            // `env -` is `env -i`; where it is a command, the strictest reading looks behind it.
        } else if options && text.len() > 1 && text.starts_with('-') {
            let letters = text.get(1..)?;
            if let Some((letter, value)) = valued(letters, flags, values)? {
                let own = (!value.is_empty()).then_some(value);
                at += usize::from(own.is_none());
                let value = own.or_else(|| words.get(at.checked_sub(1)?)?.known());
                run.note(wrapper, letter, value);
            }
        } else if let Some(name) = assigned(text) {
            run.sets.push((at - 1, name.to_owned()));
        } else if left > 0 {
            // SECURITY: an old busybox takes the time by `-t` only, and the first word for the command.
            if wrapper.name == "timeout" && !text.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            left -= 1;
        } else {
            run.at = at - 1;
            // SECURITY: a group or a role adds to what the user may do, wherever it stands.
            run.user = match run.as_group {
                true => run.user,
                false => run.named.take().or(run.user),
            };
            return Some(Found::At(run));
        }
    }
    // LIMIT: an option whose value is missing ends here too; such a command fails on the host.
    Some(Found::End(run))
}

/// The option with a value in a cluster of short ones, if there is one: its letter, and what of its
/// value is attached. `None` outside where a letter is not known.
fn valued<'t>(letters: &'t str, flags: &str, values: &str) -> Option<Option<(&'t str, &'t str)>> {
    for (index, letter) in letters.char_indices() {
        let behind = index + letter.len_utf8();
        if values.contains(letter) {
            return Some(letters.get(index..behind).zip(letters.get(behind..)));
        }
        if !flags.contains(letter) {
            return None;
        }
    }
    Some(None)
}

/// The name that a word of the form `name=…` sets.
pub(super) fn assigned(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('=')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_name.then_some(name)
}

impl Run {
    /// Takes note of an option that changes how the command runs.
    fn note(&mut self, wrapper: &Wrapper, option: &str, value: Option<&str>) {
        match option {
            // A user that is not known is one that no rule names.
            "u" | "--user" if wrapper.changes_user() => {
                self.named = Some(value.unwrap_or_default().to_owned());
            }
            // LIMIT: the group and the role are no facts of their own; who names one has to be root.
            "g" | "--group" | "r" | "--role" | "t" | "--type" if wrapper.changes_user() => {
                self.as_group = true;
            }
            "C" | "D" | "--chdir" => self.moved = true,
            "a" | "--arg-file" if appends_words(wrapper.name) => {
                self.lists.push(value.map(str::to_owned));
            }
            "I" | "--replace" => self.replaces = Some(value.unwrap_or_default().to_owned()),
            _ => {}
        }
    }
}

impl Wrapper {
    fn changes_user(&self) -> bool {
        matches!(self.name, "sudo" | "doas" | "dzdo")
    }
}

/// An interpreter with a file runs that file, which a rule has to spell; a shell with `-c` runs a script
/// that can be read here.
fn interpreter(program: &str, versions: &[&str], arguments: &[Word]) -> Look {
    match arguments.split_first() {
        None => Look::Unseen,
        Some((only, [])) if versions.contains(&only.text.as_str()) => Look::Nothing,
        Some((first, _)) if first.text.starts_with(['-', '+']) || first.is_unknown() => {
            if let Some(runs) = script_of(program, arguments) {
                Look::Runs(runs)
            } else if arguments.iter().any(|word| reads_input(&word.text)) {
                Look::Unseen
            } else {
                Look::Spelled(arguments.len(), Capability::Execute)
            }
        }
        Some(_) => Look::Spelled(1, Capability::Execute),
    }
}

/// The commands of `sh -c 'text'`, for the shells whose reading of the text is known to be ours. `None`
/// where an option is not known, and where the text is not a script that can be judged.
fn script_of(program: &str, arguments: &[Word]) -> Option<Vec<Run>> {
    if !matches!(path::base(program), "sh" | "bash" | "dash" | "ash") {
        return None;
    }
    let mut at = 0;
    let mut takes_script = false;
    loop {
        let text = arguments.get(at)?.known()?;
        at += 1;
        if text == "-o" && arguments.get(at)?.known() == Some("pipefail") {
            at += 1;
            continue;
        }
        let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            break;
        };
        if !letters.chars().all(|letter| "ceux".contains(letter)) {
            return None;
        }
        takes_script |= letters.contains('c');
    }
    let text = arguments.get(at - 1).filter(|_| takes_script)?;
    let script = shell::parse(text.known()?).ok()?;
    let behind = scene::first_behind(script.leaves());
    let leaves = script.leaves().iter().enumerate();
    let runs = leaves.map(|(index, leaf)| Run {
        at,
        moved: behind <= index,
        in_line: false,
        words: leaf.words.clone(),
        redirections: leaf
            .redirections
            .iter()
            .chain(&leaf.inherited)
            .cloned()
            .collect(),
        assignments: leaf.assignments.clone(),
        reads_pipe: leaf.role.reads_pipe,
        ..Run::default()
    });
    Some(runs.collect())
}

/// Whether a word tells an interpreter to read its program from the input.
fn reads_input(text: &str) -> bool {
    matches!(text, "-" | "-s" | "-i" | "--") || text == "/dev/stdin"
}

/// Looks at each clause once: what stands between `-exec` and its end belongs to the command there.
fn clauses(run: &[&str], words: &[Word]) -> Look {
    // SECURITY: a word that may become an option may become `-delete`.
    if words.iter().skip(1).any(may_be_option) {
        return Look::Unseen;
    }
    let below = search_begins(words);
    let mut runs = Vec::new();
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        at += 1;
        if !run.contains(&text) {
            continue;
        }
        let Some(end) = clause_end(text, words, at) else {
            return Look::Spelled(words.len().saturating_sub(1), Capability::Execute);
        };
        let mut inner = words.get(at..end).unwrap_or_default().to_vec();
        let named = below.filter(|_| !text.ends_with("dir"));
        for (index, word) in inner.iter_mut().enumerate() {
            match named {
                // What it is called with lies below where the search begins.
                Some(directory) if index > 0 && word.text == "{}" => *word = word.below(directory),
                _ if word.text.contains("{}") => word.forget(),
                _ => {}
            }
        }
        if !inner.is_empty() {
            runs.push(Run {
                at,
                in_line: true,
                words: inner,
                moved: text.ends_with("dir"),
                ..Run::default()
            });
        }
        at = end;
    }
    match runs.is_empty() {
        true => Look::Nothing,
        false => Look::Runs(runs),
    }
}

/// The one directory below which a search looks, where that is certain: an absolute path that does not climb
/// and is not the root. SECURITY: where names come from a file, they may lie anywhere.
fn search_begins(words: &[Word]) -> Option<&str> {
    let named = |word: &Word| word.text.starts_with("-files0-from");
    if words.iter().any(named) {
        return None;
    }
    let mut starts = words
        .iter()
        .skip(1)
        .skip_while(|word| matches!(word.text.as_str(), "-H" | "-P"))
        .take_while(|word| !word.text.starts_with(['-', '(', '!']));
    let (only, None) = (starts.next()?, starts.next()) else {
        return None;
    };
    let text = only.known()?;
    let plain = text.starts_with('/') && !path::climbs(text) && path::normalise(text) == text;
    let directory = path::without_slash(text);
    (plain && directory != "/").then_some(directory)
}

/// Where the clause that begins at a word ends. `None` where implementations differ: some end it at
/// each `+`, others only at one behind `{}`, and none of them but some at a `+` where they ask first.
fn clause_end(opened_by: &str, words: &[Word], start: usize) -> Option<usize> {
    let mut before = "";
    for (index, word) in words.iter().enumerate().skip(start) {
        match word.text.as_str() {
            ";" => return Some(index),
            "+" if before == "{}" && !opened_by.starts_with("-ok") => return Some(index),
            "+" => return None,
            text => before = text,
        }
    }
    Some(words.len())
}

/// Whether a word's value is unknown and may begin like an option.
pub(super) fn may_be_option(word: &Word) -> bool {
    if word.dynamic {
        return true;
    }
    let first = word.glob_offsets().first().copied();
    let Some(first) = first.and_then(|offset| usize::try_from(offset).ok()) else {
        return word.glob;
    };
    let known = word.text.get(..first).unwrap_or_default();
    !word.tilde && (known.is_empty() || known.starts_with('-'))
}

#[cfg(test)]
mod tests;
