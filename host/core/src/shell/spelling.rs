//! The two ways a tree is written out. *Canonical* is for people and for globs, one leaf at a time;
//! *rendered* is what a host's shell reads. Must not: know the source; both are printed from the tree
//! alone, so nothing of the caller's spelling reaches a host.

use super::characters::{is_plain, is_reserved, is_reserved_elsewhere};
use super::tree::{
    Command, Connector, Ending, Item, Leaf, Pipeline, Polarity, Redirection, Script, Word,
};

/// For whom a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// For globs and people: quoted only where this module's grammar would read it otherwise.
    Canonical,
    /// For a shell: quoted wherever any shell might read it otherwise.
    Rendered,
}

/// Where a word stands in its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Program,
    Argument,
}

/// The whole script, as it is sent.
pub(super) fn script(script: &Script) -> String {
    let mut out = String::new();
    for (position, item) in script.list.iter().enumerate() {
        if position > 0 {
            out.push(' ');
        }
        write_item(&mut out, item, &script.leaves);
        let last = position + 1 == script.list.len();
        match item.ending {
            Ending::Background => out.push_str(" &"),
            Ending::Sequential if last => {}
            Ending::Sequential => out.push(';'),
        }
    }
    out
}

/// The words of a leaf, joined by one blank.
pub(super) fn words(words: &[Word], spelling: Spelling) -> String {
    let mut out = String::new();
    write_words(&mut out, words, spelling);
    out
}

fn write_item(out: &mut String, item: &Item, leaves: &[Leaf]) {
    write_pipeline(out, &item.first, leaves);
    for (connector, pipeline) in &item.rest {
        out.push_str(match connector {
            Connector::And => " && ",
            Connector::Or => " || ",
        });
        write_pipeline(out, pipeline, leaves);
    }
}

fn write_pipeline(out: &mut String, pipeline: &Pipeline, leaves: &[Leaf]) {
    if pipeline.polarity == Polarity::Negated {
        out.push_str("! ");
    }
    for (position, Command::Simple(index)) in pipeline.commands.iter().enumerate() {
        if position > 0 {
            out.push_str(" | ");
        }
        if let Some(leaf) = leaves.get(*index) {
            write_words(out, &leaf.words, Spelling::Rendered);
            write_redirections(out, &leaf.redirections);
        }
    }
}

fn write_words(out: &mut String, words: &[Word], spelling: Spelling) {
    for (position, word) in words.iter().enumerate() {
        if position > 0 {
            out.push(' ');
        }
        let place = if position == 0 {
            Place::Program
        } else {
            Place::Argument
        };
        if word.glob {
            write_glob(out, word);
        } else if stands_bare(&word.text, spelling, place) {
            out.push_str(&word.text);
        } else {
            write_quoted(out, &word.text);
        }
    }
}

fn write_redirections(out: &mut String, redirections: &[Redirection]) {
    for redirection in redirections {
        // The blank keeps a digit from joining the word before it: `echo 2 >/dev/null`.
        out.push(' ');
        match redirection {
            Redirection::ToNull { fd } => {
                write_descriptor(out, *fd, 1);
                out.push_str(">/dev/null");
            }
            Redirection::FromNull { fd } => {
                write_descriptor(out, *fd, 0);
                out.push_str("</dev/null");
            }
            Redirection::Duplicate { from, to } => {
                write_descriptor(out, *from, 1);
                out.push_str(">&");
                write_digit(out, *to);
            }
            // Not read yet, so never written.
            Redirection::File { .. } | Redirection::Here { .. } => {}
        }
    }
}

fn write_descriptor(out: &mut String, fd: u8, implied: u8) {
    if fd != implied {
        write_digit(out, fd);
    }
}

fn write_digit(out: &mut String, digit: u8) {
    out.push(char::from(b'0'.saturating_add(digit)));
}

/// Whether a static word can be written without quotes.
fn stands_bare(text: &str, spelling: Spelling, place: Place) -> bool {
    match place {
        // `[` … `]` is a test and reads as itself; so do a lone `!` and `{}` after a program.
        Place::Program if text == "[" => return true,
        Place::Argument if matches!(text, "[" | "]" | "!" | "{}") => return true,
        Place::Program if text.contains('=') || is_reserved(text) => return false,
        Place::Program | Place::Argument => {}
    }
    if text.is_empty() || !text.chars().all(is_plain) {
        return false;
    }
    match (spelling, place) {
        (Spelling::Canonical, _) => true,
        // zsh reads `=word` as the path of a program.
        (Spelling::Rendered, Place::Argument) => !text.starts_with('='),
        // SECURITY: the first word may begin the text after `sh -c`, where shells go on reading
        // options; a quote in front of it ends that.
        (Spelling::Rendered, Place::Program) => {
            !text.starts_with(['-', '+']) && !is_reserved_elsewhere(text)
        }
    }
}

/// A word with active glob characters: these bare, each run between them quoted where it must be.
fn write_glob(out: &mut String, word: &Word) {
    let mut run = String::new();
    let mut active = word.active.iter().copied().peekable();
    for (offset, c) in word.text.char_indices() {
        if active
            .peek()
            .is_some_and(|next| usize::try_from(*next) == Ok(offset))
        {
            active.next();
            write_run(out, &run);
            run.clear();
            out.push(c);
        } else {
            run.push(c);
        }
    }
    write_run(out, &run);
}

fn write_run(out: &mut String, run: &str) {
    if run.starts_with('=') || !run.chars().all(is_plain) {
        write_quoted(out, run);
    } else {
        out.push_str(run);
    }
}

/// Single quotes, in which every POSIX shell reads every character as itself.
fn write_quoted(out: &mut String, text: &str) {
    out.push('\'');
    for c in text.chars() {
        if c == '\'' {
            out.push_str("'\\''");
        } else {
            out.push(c);
        }
    }
    out.push('\'');
}
