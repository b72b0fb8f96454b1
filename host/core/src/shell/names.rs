//! Which names a loop may give its variable, and which builtins give a variable a value. Must not: be
//! taken for the names that a rule may let an assignment set; that is for the policy to say.

use super::tree::{Leaf, Splitting, Word};

/// Nouns in capitals that people loop over and nothing reads from its environment.
const NOUNS: [&str; 18] = [
    "CONTAINER",
    "DIR",
    "DISK",
    "FILE",
    "HOST",
    "IP",
    "ITEM",
    "LOG",
    "NAME",
    "NODE",
    "NS",
    "PID",
    "PKG",
    "POD",
    "PORT",
    "SERVICE",
    "SVC",
    "UNIT",
];

/// Names in small letters that mean something to zsh, bash or ksh.
const SPECIAL: [&str; 62] = [
    "aliases",
    "argv",
    "auto_resume",
    "builtins",
    "cdpath",
    "commands",
    "compstate",
    "dirstack",
    "dis_aliases",
    "dis_builtins",
    "dis_functions",
    "dis_galiases",
    "dis_patchars",
    "dis_reswords",
    "dis_saliases",
    "epochtime",
    "errnos",
    "fignore",
    "fpath",
    "funcfiletrace",
    "funcsourcetrace",
    "funcstack",
    "functions",
    "functrace",
    "galiases",
    "histchars",
    "history",
    "historywords",
    "jobdirs",
    "jobstates",
    "jobtexts",
    "keymaps",
    "langinfo",
    "mailpath",
    "manpath",
    "mapfile",
    "module_path",
    "modules",
    "nameddirs",
    "options",
    "parameters",
    "patchars",
    "path",
    "pipestatus",
    "prompt",
    "prompt2",
    "prompt3",
    "prompt4",
    "psvar",
    "reswords",
    "saliases",
    "signals",
    "status",
    "sysparams",
    "termcap",
    "terminfo",
    "userdirs",
    "usergroups",
    "watch",
    "widgets",
    "zsh_eval_context",
    "zsh_scheduled_events",
];

/// Whether a loop may use this name. A name that is exported already changes what programs do.
pub(super) fn may_vary(name: &str) -> bool {
    let bytes = name.as_bytes();
    match bytes {
        [only] if only.is_ascii_uppercase() => true,
        [first, rest @ ..] if first.is_ascii_lowercase() => {
            let small =
                |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
            rest.iter().all(small)
                && !name.ends_with("_proxy")
                && SPECIAL.binary_search(&name).is_err()
        }
        _ => NOUNS.binary_search(&name).is_ok(),
    }
}

/// What a command may do to the variables of the shell that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach<'l> {
    /// Nothing.
    None,
    /// Nothing, if this variable is no option; any otherwise.
    Unless(&'l str),
    /// It may change those that it names.
    Named,
    /// It may change any.
    Any,
}

/// What a command's builtin may change. A program that is none changes nothing.
pub(super) fn reach(leaf: &Leaf) -> Reach<'_> {
    // The words before which a builtin stays one, and their options.
    let leads = |word: &&Word| {
        word.text.starts_with('-')
            || matches!(
                word.text.as_str(),
                "builtin" | "command" | "exec" | "nocorrect" | "noglob" | "time"
            )
    };
    let mut words = leaf.words.iter().skip_while(leads);
    let Some(program) = words.next() else {
        return Reach::None;
    };
    if program.is_unknown() {
        return Reach::Any;
    }
    let named = match program.text.as_str() {
        "." | "alias" | "enable" | "eval" | "let" | "mapfile" | "readarray" | "source" | "trap"
        | "zmodload" | "zparseopts" => return Reach::Any,
        // Only their options name variables.
        "printf" | "print" | "wait" => match words.next() {
            Some(first) if may_be_option(first) => match variable_before(first) {
                Some(name) => return Reach::Unless(name),
                None => true,
            },
            Some(_) | None => false,
        },
        "compadd" | "declare" | "export" | "float" | "getln" | "getopts" | "integer" | "local"
        | "nameref" | "pcre_match" | "private" | "read" | "readonly" | "set" | "strftime"
        | "sysopen" | "sysread" | "typeset" | "unset" | "vared" | "zcurses" | "zformat"
        | "zpty" | "zregexparse" | "zselect" | "zstat" | "zstyle" | "zsystem" | "ztie" => true,
        _ => false,
    };
    match named {
        false => Reach::None,
        true if leaf.words.iter().any(Word::is_unknown) => Reach::Any,
        true => Reach::Named,
    }
}

/// Whether a program may take a word for an option.
fn may_be_option(word: &Word) -> bool {
    let open = word.tilde
        || word.holes.first().is_some_and(|hole| hole.start == 0)
        || word.glob_offsets().first() == Some(&0);
    open || word.text.starts_with('-')
}

/// The variable with which a word begins, as a part of that word.
fn variable_before(word: &Word) -> Option<&str> {
    let first = word.holes.first()?;
    let begins = first.start == 0 && first.splitting == Splitting::Whole;
    word.variable(first).filter(|_| begins)
}

/// The names that a word of a builtin may mean: each that stands in it, and what follows an option's letter.
pub(super) fn named(word: &str) -> impl Iterator<Item = &str> {
    let parts = word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let joined = word
        .strip_prefix('-')
        .and_then(|option| option.get(1..))
        .map(|value| value.split('=').next().unwrap_or_default());
    parts.filter(|part| !part.is_empty()).chain(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(NOUNS.is_sorted() && SPECIAL.is_sorted());
    }
}
