//! The two ways a tree is written out. *Canonical* is for people and for globs, one leaf at a time;
//! *rendered* is what a host's shell reads. Must not: know the source; both are printed from the tree
//! alone, so nothing of the caller's spelling reaches a host.

use super::characters::{is_plain, is_reserved, is_reserved_elsewhere};
use super::tree::{
    Command, Compound, Connector, Ending, FileUse, Form, Hole, Item, Leaf, Loop, Pipeline,
    Polarity, Redirection, Script, Source, Splitting, Word,
};
use std::ops::Range;

/// For whom a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// For globs and people: quoted only where this module's grammar would read it otherwise.
    Canonical,
    /// For a shell: quoted wherever any shell might read it otherwise.
    Rendered,
}

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Program,
    Argument,
    /// Behind `name=`.
    Value,
}

/// The whole script, as it is sent.
pub(super) fn script(script: &Script) -> String {
    let mut writer = Writer::new(&script.leaves, &script.loops);
    writer.list(&script.list, Closing::Open);
    writer.end_line();
    writer.out
}

/// `$(…)` around a list.
pub(super) fn substitution(list: &[Item], leaves: &[Leaf], loops: &[Loop]) -> String {
    let mut writer = Writer::new(leaves, loops);
    writer.out.push_str("$(");
    // Two parentheses in a row would begin an arithmetic expansion.
    if begins_with_parenthesis(list) {
        writer.out.push(' ');
    }
    writer.list(list, Closing::Open);
    writer.out.push(')');
    writer.out
}

/// The words of a leaf, joined by one blank; and before them what it assigns.
pub(super) fn leaf(leaf: &Leaf, spelling: Spelling) -> String {
    let mut out = String::new();
    write_leaf(&mut out, leaf, spelling);
    out
}

fn begins_with_parenthesis(list: &[Item]) -> bool {
    let first = list.first().map(|item| &item.first);
    let plain = first.filter(|pipeline| pipeline.polarity == Polarity::Plain);
    match plain.and_then(|pipeline| pipeline.commands.first()) {
        Some(Command::Compound(compound)) => matches!(compound.form, Form::Subshell(_)),
        Some(Command::Simple(_)) | None => false,
    }
}

/// What follows a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// The end, or a parenthesis.
    Open,
    /// A keyword, which has to begin a command.
    Keyword,
}

/// A tree being written out.
struct Writer<'t> {
    out: String,
    leaves: &'t [Leaf],
    loops: &'t [Loop],
    /// The here-documents of the line that is being written, with what ends them.
    bodies: Vec<(&'t str, String)>,
}

impl<'t> Writer<'t> {
    fn new(leaves: &'t [Leaf], loops: &'t [Loop]) -> Self {
        Self {
            out: String::new(),
            leaves,
            loops,
            bodies: Vec::new(),
        }
    }

    /// Ends the line, with its here-documents, if it has any. Says whether it did.
    fn end_line(&mut self) -> bool {
        let ends = !self.bodies.is_empty();
        if ends {
            self.out.push('\n');
        }
        for (body, delimiter) in self.bodies.drain(..) {
            self.out.push_str(body);
            self.out.push_str(&delimiter);
            self.out.push('\n');
        }
        ends
    }

    /// Goes on after an operator, on the same line where that can be.
    fn go_on(&mut self) {
        if !self.end_line() {
            self.out.push(' ');
        }
    }

    fn list(&mut self, list: &'t [Item], closing: Closing) {
        for (position, item) in list.iter().enumerate() {
            self.pipeline(&item.first);
            for (connector, pipeline) in &item.rest {
                self.out.push_str(match connector {
                    Connector::And => " &&",
                    Connector::Or => " ||",
                });
                self.go_on();
                self.pipeline(pipeline);
            }
            let last = position.saturating_add(1) == list.len();
            match item.ending {
                Ending::Background => self.out.push_str(" &"),
                // A newline ends a command as well, and the here-documents ask for one.
                Ending::Sequential if !self.bodies.is_empty() => {}
                Ending::Sequential if last && closing == Closing::Open => {}
                Ending::Sequential => self.out.push(';'),
            }
            if last && closing == Closing::Open {
                self.end_line();
            } else {
                self.go_on();
            }
        }
    }

    fn pipeline(&mut self, pipeline: &'t Pipeline) {
        if pipeline.polarity == Polarity::Negated {
            self.out.push_str("! ");
        }
        for (position, command) in pipeline.commands.iter().enumerate() {
            if position > 0 {
                self.out.push_str(" |");
                self.go_on();
            }
            match command {
                Command::Simple(index) => {
                    if let Some(leaf) = self.leaves.get(*index) {
                        write_leaf(&mut self.out, leaf, Spelling::Rendered);
                        self.redirections(&leaf.redirections);
                    }
                }
                Command::Compound(compound) => self.compound(compound),
            }
        }
    }

    fn compound(&mut self, compound: &'t Compound) {
        match &compound.form {
            Form::Group(list) => {
                self.out.push_str("{ ");
                self.list(list, Closing::Keyword);
                self.out.push('}');
            }
            Form::Subshell(list) => {
                self.out.push('(');
                if begins_with_parenthesis(list) {
                    self.out.push(' ');
                }
                self.list(list, Closing::Open);
                self.out.push(')');
            }
            Form::If { arms, otherwise } => {
                for (position, (condition, body)) in arms.iter().enumerate() {
                    self.out
                        .push_str(if position == 0 { "if " } else { "elif " });
                    self.list(condition, Closing::Keyword);
                    self.out.push_str("then ");
                    self.list(body, Closing::Keyword);
                }
                if let Some(otherwise) = otherwise {
                    self.out.push_str("else ");
                    self.list(otherwise, Closing::Keyword);
                }
                self.out.push_str("fi");
            }
            Form::While {
                polarity,
                condition,
                body,
            } => {
                self.out.push_str(match polarity {
                    Polarity::Plain => "while ",
                    Polarity::Negated => "until ",
                });
                self.list(condition, Closing::Keyword);
                self.body(body);
            }
            Form::For { over, body } => {
                if let Some(own) = self.loops.get(*over) {
                    self.out.push_str("for ");
                    self.out.push_str(&own.name);
                    self.out.push_str(" in");
                    for value in &own.values {
                        self.out.push(' ');
                        write_word(&mut self.out, value, Spelling::Rendered, Place::Argument);
                    }
                    self.out.push(';');
                    self.go_on();
                }
                self.body(body);
            }
        }
        self.redirections(&compound.redirections);
    }

    fn body(&mut self, body: &'t [Item]) {
        self.out.push_str("do ");
        self.list(body, Closing::Keyword);
        self.out.push_str("done");
    }

    fn redirections(&mut self, redirections: &'t [Redirection]) {
        let out = &mut self.out;
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
                Redirection::File { fd, access, target } => {
                    let (implied, operator) = match access {
                        FileUse::Read => (0, "<"),
                        FileUse::ReadWrite => (0, "<>"),
                        FileUse::Write => (1, ">"),
                        FileUse::Append => (1, ">>"),
                    };
                    write_descriptor(out, *fd, implied);
                    out.push_str(operator);
                    write_word(out, target, Spelling::Rendered, Place::Argument);
                }
                Redirection::Here { fd, body } => {
                    write_descriptor(out, *fd, 0);
                    let delimiter = delimiter(body);
                    out.push_str("<<'");
                    out.push_str(&delimiter);
                    out.push('\'');
                    self.bodies.push((body, delimiter));
                }
            }
        }
    }
}

/// A word that no line of a text equals: `EOF` with more `_` behind it than any line has.
fn delimiter(body: &str) -> String {
    const STEM: &str = "EOF";
    let taken = body
        .lines()
        .filter_map(|line| line.strip_prefix(STEM))
        .filter(|tail| tail.bytes().all(|byte| byte == b'_'))
        .map(|tail| tail.len().saturating_add(1))
        .max();
    let mut delimiter = STEM.to_owned();
    delimiter.extend(std::iter::repeat_n('_', taken.unwrap_or(0)));
    delimiter
}

fn write_leaf(out: &mut String, leaf: &Leaf, spelling: Spelling) {
    for (position, assignment) in leaf.assignments.iter().enumerate() {
        if position > 0 {
            out.push(' ');
        }
        out.push_str(&assignment.name);
        out.push('=');
        write_word(out, &assignment.value, spelling, Place::Value);
    }
    for (position, word) in leaf.words.iter().enumerate() {
        if position > 0 || !leaf.assignments.is_empty() {
            out.push(' ');
        }
        let place = if position == 0 {
            Place::Program
        } else {
            Place::Argument
        };
        write_word(out, word, spelling, place);
    }
}

fn write_word(out: &mut String, word: &Word, spelling: Spelling, place: Place) {
    if word.is_unknown() {
        write_unknown(out, word);
    } else if stands_bare(&word.text, spelling, place) {
        out.push_str(&word.text);
    } else {
        write_quoted(out, &word.text);
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
        Place::Value if text.is_empty() => return true,
        Place::Program | Place::Argument | Place::Value => {}
    }
    if text.is_empty() || !text.bytes().all(|byte| is_plain(char::from(byte))) {
        return false;
    }
    match (spelling, place) {
        (Spelling::Canonical, _) => true,
        // zsh reads `=word` as the path of a program.
        (Spelling::Rendered, Place::Argument | Place::Value) => !text.starts_with('='),
        // SECURITY: the first word may begin the text after `sh -c`, where shells go on reading
        // options; a quote in front of it ends that.
        (Spelling::Rendered, Place::Program) => {
            !text.starts_with(['-', '+']) && !is_reserved_elsewhere(text)
        }
    }
}

/// A word that the host completes: what it expands as it was, each run between quoted where it must be.
fn write_unknown(out: &mut String, word: &Word) {
    let whole = |hole: &Hole| hole.splitting == Splitting::Whole;
    if !word.tilde && !word.glob && word.holes.iter().all(whole) {
        write_in_quotes(out, word);
        return;
    }
    let text = word.text.as_str();
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let mut active = word.active.iter().copied().peekable();
    let mut holes = word.holes.iter().peekable();
    // A `~` and the `/` behind it must stay bare.
    let mut at = match (word.tilde, text.starts_with("~/")) {
        (true, true) => 2,
        (true, false) => 1,
        (false, _) => 0,
    };
    out.push_str(part(0..at));
    // Each round writes up to the next thing that is expanded, and that.
    loop {
        let next_active = active.peek().and_then(|next| usize::try_from(*next).ok());
        let next_hole = holes.peek().map(|hole| hole.range());
        match (next_active, next_hole) {
            (Some(next), hole) if hole.as_ref().is_none_or(|hole| next < hole.start) => {
                active.next();
                write_run(out, part(at..next));
                at = next.saturating_add(1);
                out.push_str(part(next..at));
            }
            (_, Some(range)) => {
                write_run(out, part(at..range.start));
                at = range.end;
                match holes.next() {
                    Some(hole) if whole(hole) => {
                        out.push('"');
                        out.push_str(part(range));
                        out.push('"');
                    }
                    Some(hole) => write_hole(out, word, hole, at < text.len()),
                    None => {}
                }
            }
            (_, None) => break,
        }
    }
    write_run(out, part(at..text.len()));
}

/// A word of which only parts in double quotes are expanded: all of it in double quotes.
fn write_in_quotes(out: &mut String, word: &Word) {
    let mut at = 0;
    out.push('"');
    for hole in &word.holes {
        let range = hole.range();
        write_escaped(out, word.text.get(at..range.start).unwrap_or_default());
        let behind = word.text.as_bytes().get(range.end);
        // In zsh a subscript or a modifier may follow a name.
        let apart = behind.is_none_or(|byte| matches!(byte, b' ' | b'/'));
        write_hole(out, word, hole, !apart);
        at = range.end;
    }
    write_escaped(out, word.text.get(at..).unwrap_or_default());
    out.push('"');
}

/// An expansion; with braces where what follows could be read as a part of it.
fn write_hole(out: &mut String, word: &Word, hole: &Hole, braces: bool) {
    let text = word.text.get(hole.range()).unwrap_or_default();
    match (hole.source, text.strip_prefix('$')) {
        (Source::Variable, Some(name)) if braces => {
            out.push_str("${");
            out.push_str(name);
            out.push('}');
        }
        _ => out.push_str(text),
    }
}

/// Text inside double quotes.
fn write_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '$' | '`' | '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

fn write_run(out: &mut String, run: &str) {
    if run.is_empty() {
    } else if run.starts_with('=') || !run.chars().all(is_plain) {
        write_quoted(out, run);
    } else {
        out.push_str(run);
    }
}

/// Single quotes, in which every POSIX shell reads every character as itself, and a backslash before a
/// quote. There are never empty quotes beside something: behind an expansion shells differ on them.
fn write_quoted(out: &mut String, text: &str) {
    if text.is_empty() {
        out.push_str("''");
    }
    for (position, run) in text.split('\'').enumerate() {
        if position > 0 {
            out.push_str("\\'");
        }
        if !run.is_empty() {
            out.push('\'');
            out.push_str(run);
            out.push('\'');
        }
    }
}
