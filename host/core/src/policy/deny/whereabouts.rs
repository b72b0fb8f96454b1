//! In which directory a command runs, as far as its script tells: where the login put it, or where the
//! `cd`s before it lead.
//!
//! Must not: ask a host, or know what a path means.
//!
//! Limit: a `cd` that fails, or that stands in a subshell, leaves the command at the login directory;
//! only the directories that were named are looked at.

use crate::shell::{Leaf, Word};

/// Most directories that are kept for one command; with more, it is anywhere.
const DIRECTORIES_MAX: usize = 8;

static AT_LOGIN: Whereabouts = Whereabouts::LOGIN;

/// The directories in which a command may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    /// Each is absolute, or begins with `~` for the login directory. None: the login directory itself.
    named: Vec<String>,
    anywhere: bool,
}

/// The directories of a script's commands.
#[derive(Debug)]
pub(crate) struct Trail {
    /// The first command that may run elsewhere.
    first: usize,
    /// Where it and those behind it run.
    behind: Vec<Whereabouts>,
}

impl Trail {
    /// Follows a script's commands.
    pub(crate) fn of(leaves: &[Leaf]) -> Self {
        let mut here = Whereabouts::LOGIN;
        let mut behind = Vec::new();
        let mut first = leaves.len();
        for (index, leaf) in leaves.iter().enumerate() {
            if first <= index {
                behind.push(here.clone());
            }
            here.pass(leaf);
            if first == leaves.len() && here != Whereabouts::LOGIN {
                first = index + 1;
            }
        }
        Self { first, behind }
    }

    /// Where a command runs.
    pub(crate) fn at(&self, index: usize) -> &Whereabouts {
        index
            .checked_sub(self.first)
            .and_then(|at| self.behind.get(at))
            .unwrap_or(&AT_LOGIN)
    }
}

impl Whereabouts {
    /// Where the login put the command.
    pub(crate) const LOGIN: Self = Self {
        named: Vec::new(),
        anywhere: false,
    };
    /// In a directory of which nothing is known.
    pub(crate) const ANYWHERE: Self = Self {
        named: Vec::new(),
        anywhere: true,
    };

    /// Whether nothing is known of the directory.
    pub(crate) fn is_anywhere(&self) -> bool {
        self.anywhere
    }

    /// The directories, each absolute or below `~`.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        let login = self.named.is_empty().then_some("~");
        self.named.iter().map(String::as_str).chain(login)
    }

    /// Where a command runs that is told to change to the directory `word` first.
    pub(crate) fn moved(&self, word: &Word) -> Self {
        let mut moved = self.clone();
        moved.go(word);
        moved
    }

    /// What stands behind a leaf: it may have changed the directory.
    pub(crate) fn pass(&mut self, leaf: &Leaf) {
        self.pass_words(&leaf.words);
    }

    /// As [`pass`](Self::pass), for a command of which only the words are at hand.
    pub(super) fn pass_words(&mut self, mut words: &[Word]) {
        // Each round takes one word away.
        while let Some((program, rest)) = words.split_first() {
            match super::super::path::base(&program.text) {
                "command" | "builtin" => words = rest,
                "cd" | "chdir" => {
                    let mut targets = rest
                        .iter()
                        .filter(|word| !matches!(word.text.as_str(), "-P" | "-L" | "-e" | "--"));
                    match (targets.next(), targets.next()) {
                        (Some(target), None) => self.go(target),
                        (None, _) => self.add("~".to_owned()),
                        (Some(_), Some(_)) => self.anywhere = true,
                    }
                    return;
                }
                "pushd" | "popd" | "eval" | "." | "source" => {
                    self.anywhere = true;
                    return;
                }
                _ => return,
            }
        }
    }

    fn go(&mut self, target: &Word) {
        let text = target.text.as_str();
        let home = target.tilde && (text == "~" || text.starts_with("~/"));
        if target.glob || target.dynamic || target.tilde && !home || text == "-" || text.is_empty()
        {
            self.anywhere = true;
        } else if text.starts_with('/') || home {
            self.add(text.to_owned());
        } else {
            // A relative one counts from each directory in which it may be given.
            let bases: Vec<String> = self.directories().map(str::to_owned).collect();
            for base in bases {
                self.add(format!("{base}/{text}"));
            }
        }
    }

    fn add(&mut self, directory: String) {
        if self.named.contains(&directory) {
            return;
        }
        if self.named.len() >= DIRECTORIES_MAX {
            self.anywhere = true;
            return;
        }
        self.named.push(directory);
    }
}
