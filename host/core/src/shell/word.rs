//! One word: quotes, escapes, globs, variables, the commands in `$(…)`, and a refusal for everything
//! else that a shell would expand.
//! Must not: know where in a command the word stands; it only reports what the grammar needs for that.

use super::characters::{ends_word, is_bracket_member};
use super::grammar::{Grammar, Read};
use super::tree::{Hole, Source, Splitting, Word};
use super::{Unanalysable, reason};

/// A place in the source.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// The whole source.
    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    /// Goes to a place that the caller has seen to be behind a newline.
    pub(super) fn jump(&mut self, at: usize) {
        self.at = at.min(self.source.len());
    }

    /// Byte offset of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The byte `ahead` bytes after the next one.
    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        self.source
            .as_bytes()
            .get(self.at.saturating_add(ahead))
            .copied()
    }

    /// The byte before the next one.
    pub(super) fn behind(&self) -> Option<u8> {
        self.at
            .checked_sub(1)
            .and_then(|at| self.source.as_bytes().get(at))
            .copied()
    }

    /// The source from the next byte on; empty at the end.
    pub(super) fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Passes over one character.
    pub(super) fn next_char(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at = self.at.saturating_add(c.len_utf8());
        Some(c)
    }

    /// Passes over bytes that the caller has seen to be ASCII.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.source.len());
    }
}

/// A word with what matters only in some places.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) word: Word,
    /// Whether it holds an unquoted `=`.
    pub(super) bare_equals: bool,
    /// Whether it has the form `name=…`, as an assignment does.
    pub(super) assigns: bool,
}

/// What a word is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// A program, an argument, a target, a value of a loop.
    Plain,
    /// What stands behind `name=` where that is an assignment. It may be empty.
    Assigned,
}

/// Reads the word that begins at the cursor, up to the unquoted byte that ends it. But for what is
/// assigned, the caller has seen that the next byte does not end a word.
pub(super) fn read(grammar: &mut Grammar<'_>, setting: Setting) -> Read<Reading> {
    let mut builder = Builder::new(grammar.cursor.at(), setting);
    // Each round passes at least one byte, so the source's length bounds the loop.
    while let Some(byte) = grammar.cursor.peek(0) {
        if ends_word(byte) {
            break;
        }
        let cursor = &mut grammar.cursor;
        let at = cursor.at();
        match byte {
            b'\'' => single_quoted(cursor, &mut builder)?,
            b'"' => double_quoted(grammar, &mut builder)?,
            b'\\' => escaped(cursor, &mut builder)?,
            b'`' => return Err(Unanalysable::new(at, reason::BACKTICK)),
            b'[' => bracket(cursor, &mut builder)?,
            b'$' if is_plain_dollar(cursor.peek(1)) => {
                cursor.pass(1);
                builder.push_bare('$');
            }
            b'$' => dollar(grammar, &mut builder, Splitting::Cut)?,
            b'~' if at == builder.start && setting == Setting::Plain => {
                // `~name` is another's home, and shells differ on a `~` that quotes follow.
                if !cursor
                    .peek(1)
                    .is_none_or(|next| next == b'/' || ends_word(next))
                {
                    return Err(Unanalysable::new(at, reason::TILDE_EXPANSION));
                }
                cursor.pass(1);
                builder.tilde = true;
                builder.push_bare('~');
            }
            _ => {
                builder.refuse_expansion(byte, at)?;
                if let Some(c) = cursor.next_char() {
                    builder.push_bare(c);
                }
            }
        }
    }
    if grammar.cursor.peek(0) == Some(b'(')
        && builder.last_bare.is_some_and(|c| "?*+@!".contains(c))
    {
        let at = grammar.cursor.at();
        return Err(Unanalysable::new(at, reason::EXTENDED_GLOB));
    }
    grammar.check_line()?;
    builder.end_run();
    let cut = |hole: &Hole| hole.splitting == Splitting::Cut;
    // `""$x` is an empty word where `$x` is nothing, and `$x` alone is none.
    if builder.empty_quotes && builder.holes.iter().any(cut) {
        return Err(Unanalysable::new(builder.start, reason::EMPTY_QUOTES));
    }
    Ok(builder.finish(grammar.cursor.at()))
}

/// A word under construction.
#[derive(Debug)]
struct Builder {
    start: usize,
    text: String,
    active: Vec<u32>,
    holes: Vec<Hole>,
    quoted: bool,
    /// Where the text between two expansions began, and whether a quoted part in it held nothing.
    run_start: usize,
    run_has_empty_quotes: bool,
    /// Whether there was nothing between two expansions, or before or behind one, but quotes.
    empty_quotes: bool,
    tilde: bool,
    /// The character before, if it was not quoted.
    last_bare: Option<char>,
    bare_equals: bool,
    /// Whether the word so far is `name=…`, as an assignment is.
    assigns: bool,
    brace: Brace,
}

/// How far an unquoted brace expression has come.
#[derive(Debug, Clone, Copy)]
enum Brace {
    None,
    /// A `{` was met at this offset.
    Open(usize),
    /// And after it a comma or two dots, so that a `}` would complete an expansion.
    Separated(usize),
}

impl Builder {
    fn new(start: usize, setting: Setting) -> Self {
        let assigned = setting == Setting::Assigned;
        Self {
            start,
            text: String::new(),
            active: Vec::new(),
            holes: Vec::new(),
            quoted: false,
            run_start: 0,
            run_has_empty_quotes: false,
            empty_quotes: false,
            tilde: false,
            last_bare: assigned.then_some('='),
            bare_equals: assigned,
            assigns: assigned,
            brace: Brace::None,
        }
    }

    fn push_quoted(&mut self, c: char) {
        self.text.push(c);
        self.last_bare = None;
    }

    fn push_bare(&mut self, c: char) {
        if c == '=' && !self.bare_equals {
            self.bare_equals = true;
            self.assigns = !self.quoted && is_assigned(&self.text);
        }
        if matches!(c, '*' | '?') {
            self.push_active(c);
        } else {
            self.text.push(c);
        }
        self.last_bare = Some(c);
    }

    fn push_active(&mut self, c: char) {
        // The source is at most `COMMAND_BYTES_MAX` long, so each offset fits.
        if let Ok(offset) = u32::try_from(self.text.len()) {
            self.active.push(offset);
        }
        self.text.push(c);
        self.last_bare = Some(c);
    }

    /// Adds an expansion by its canonical text.
    fn push_hole(&mut self, text: &str, source: Source, splitting: Splitting) {
        self.end_run();
        let start = u32::try_from(self.text.len());
        self.text.push_str(text);
        self.run_start = self.text.len();
        // Both fit: the text is at most a few times as long as the longest source.
        if let (Ok(start), Ok(end)) = (start, u32::try_from(self.text.len())) {
            self.holes.push(Hole {
                start,
                end,
                source,
                splitting,
            });
        }
        self.last_bare = None;
    }

    /// Ends the text between two expansions.
    fn end_run(&mut self) {
        self.empty_quotes |= self.run_has_empty_quotes && self.text.len() == self.run_start;
        self.run_has_empty_quotes = false;
    }

    /// Marks the start of a quoted part; it may be empty.
    fn open_quote(&mut self) {
        self.quoted = true;
        self.last_bare = None;
    }

    /// Refuses a bare byte that completes something that bash would expand.
    fn refuse_expansion(&mut self, byte: u8, at: usize) -> Result<(), Unanalysable> {
        match (byte, self.brace) {
            (b'~', _) => {
                let expands =
                    at == self.start || (self.assigns && matches!(self.last_bare, Some('=' | ':')));
                if expands {
                    return Err(Unanalysable::new(at, reason::TILDE_EXPANSION));
                }
            }
            (b'{', Brace::None) => self.brace = Brace::Open(at),
            (b',', Brace::Open(open)) => self.brace = Brace::Separated(open),
            (b'.', Brace::Open(open)) if self.last_bare == Some('.') => {
                self.brace = Brace::Separated(open);
            }
            (b'}', Brace::Separated(open)) => {
                return Err(Unanalysable::new(open, reason::BRACE_EXPANSION));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, end: usize) -> Reading {
        self.text.shrink_to_fit();
        // It is sent with its name bare, so how the name was quoted does not matter.
        let assigns = self.assigns || assigned_name(&self.text);
        Reading {
            word: Word {
                text: self.text,
                span: self.start..end,
                quoted: self.quoted,
                glob: !self.active.is_empty(),
                dynamic: !self.holes.is_empty(),
                tilde: self.tilde,
                active: self.active.into_boxed_slice(),
                holes: self.holes.into_boxed_slice(),
            },
            bare_equals: self.bare_equals,
            assigns,
        }
    }
}

/// Whether a word's text has the form of an assignment.
fn assigned_name(text: &str) -> bool {
    text.split_once('=')
        .is_some_and(|(name, _)| is_assigned(name))
}

/// Whether a text before `=` is what an assignment assigns to: a name, with a subscript or a `+`.
fn is_assigned(text: &str) -> bool {
    let text = text.strip_suffix('+').unwrap_or(text);
    let name = text.split_once('[').map_or(text, |(name, _)| name);
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn single_quoted(cursor: &mut Cursor<'_>, builder: &mut Builder) -> Result<(), Unanalysable> {
    let open = cursor.at();
    cursor.pass(1);
    builder.open_quote();
    let before = builder.text.len();
    while let Some(c) = cursor.next_char() {
        if c == '\'' {
            builder.run_has_empty_quotes |= builder.text.len() == before;
            return Ok(());
        }
        builder.push_quoted(c);
    }
    Err(Unanalysable::new(open, reason::UNTERMINATED_SINGLE_QUOTE))
}

fn double_quoted(grammar: &mut Grammar<'_>, builder: &mut Builder) -> Result<(), Unanalysable> {
    let open = grammar.cursor.at();
    grammar.cursor.pass(1);
    builder.open_quote();
    let before = builder.text.len();
    loop {
        let cursor = &mut grammar.cursor;
        let at = cursor.at();
        match cursor.peek(0) {
            None => return Err(Unanalysable::new(open, reason::UNTERMINATED_DOUBLE_QUOTE)),
            Some(b'"') => {
                cursor.pass(1);
                builder.run_has_empty_quotes |= builder.text.len() == before;
                return Ok(());
            }
            Some(b'`') => return Err(Unanalysable::new(at, reason::BACKTICK)),
            Some(b'$') if !is_plain_quoted_dollar(cursor.peek(1)) => {
                dollar(grammar, builder, Splitting::Whole)?;
                continue;
            }
            // Inside double quotes a backslash escapes these and is itself before all others.
            Some(b'\\') => match cursor.peek(1) {
                Some(b'\n') => return Err(Unanalysable::new(at, reason::LINE_CONTINUATION)),
                Some(b'$' | b'`' | b'"' | b'\\') => cursor.pass(1),
                _ => {}
            },
            Some(_) => {}
        }
        if let Some(c) = grammar.cursor.next_char() {
            builder.push_quoted(c);
        }
    }
}

fn escaped(cursor: &mut Cursor<'_>, builder: &mut Builder) -> Result<(), Unanalysable> {
    let at = cursor.at();
    cursor.pass(1);
    builder.open_quote();
    match cursor.next_char() {
        None => Err(Unanalysable::new(at, reason::TRAILING_BACKSLASH)),
        Some('\n') => Err(Unanalysable::new(at, reason::LINE_CONTINUATION)),
        Some(c) => {
            builder.push_quoted(c);
            Ok(())
        }
    }
}

/// A bracket expression of plain members, all of them active; or a word that is only `[` or `[[`, which
/// no shell takes for a glob. Anything else is read in different ways and refuses.
fn bracket(cursor: &mut Cursor<'_>, builder: &mut Builder) -> Result<(), Unanalysable> {
    let open = cursor.at();
    let alone = cursor
        .rest()
        .bytes()
        .take_while(|byte| !ends_word(*byte))
        .take(3);
    if open == builder.start && matches!(alone.collect::<Vec<u8>>().as_slice(), b"[" | b"[[") {
        while let Some(b'[') = cursor.peek(0) {
            cursor.pass(1);
            builder.text.push('[');
        }
        return Ok(());
    }
    let refused = || Unanalysable::new(open, reason::GLOB_BRACKET);
    let inside = cursor.rest().strip_prefix('[').ok_or_else(refused)?;
    let negated = inside.starts_with('!');
    let members = inside.strip_prefix('!').unwrap_or(inside);
    let length = members
        .bytes()
        .take_while(|byte| is_bracket_member(*byte))
        .count();
    if length == 0 || members.as_bytes().get(length) != Some(&b']') {
        return Err(refused());
    }
    // LIMIT: 1 for each bracket, 1 for a `!`, and the members, all of them ASCII.
    let bytes = length
        .saturating_add(2)
        .saturating_add(usize::from(negated));
    for c in cursor.rest().chars().take(bytes) {
        builder.push_active(c);
    }
    cursor.pass(bytes);
    Ok(())
}

/// Whether every shell takes a `$` outside quotes for itself before this byte.
fn is_plain_dollar(next: Option<u8>) -> bool {
    matches!(
        next,
        None | Some(b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'/')
    )
}

/// Whether every shell takes a `$` inside double quotes for itself before this byte.
fn is_plain_quoted_dollar(next: Option<u8>) -> bool {
    matches!(next, None | Some(b'"' | b' ' | b'\t' | b'|' | b')' | b'/'))
}

/// The expansion at the cursor.
fn dollar(grammar: &mut Grammar<'_>, builder: &mut Builder, splitting: Splitting) -> Read<()> {
    let cursor = &mut grammar.cursor;
    let at = cursor.at();
    let refused = |reason| Err(Unanalysable::new(at, reason));
    match (cursor.peek(1), splitting) {
        (Some(b'\''), Splitting::Cut) => refused(reason::ANSI_C_QUOTING),
        (Some(b'"'), Splitting::Cut) => refused(reason::LOCALE_QUOTING),
        (Some(b'('), _) if cursor.peek(2) == Some(b'(') => refused(reason::ARITHMETIC_EXPANSION),
        (Some(b'['), _) => refused(reason::ARITHMETIC_EXPANSION),
        (Some(b'('), _) => {
            let text = grammar.substitution()?;
            builder.push_hole(&text, Source::Command, splitting);
            Ok(())
        }
        (Some(b'{'), _) => {
            let inside = cursor.rest().get(2..).unwrap_or_default();
            if inside.starts_with("?}") {
                cursor.pass(4);
                status(builder);
                return Ok(());
            }
            let name = name(inside);
            // SECURITY: `$_` is what the shell, not the script, put there; and after the name an
            // operator could assign, run or cut.
            if matches!(name, "" | "_") || inside.as_bytes().get(name.len()) != Some(&b'}') {
                return refused(reason::VARIABLE_EXPANSION);
            }
            cursor.pass(name.len().saturating_add(3));
            variable(grammar, builder, name, splitting);
            Ok(())
        }
        (Some(b'_' | b'A'..=b'Z' | b'a'..=b'z'), _) => {
            let inside = cursor.rest().get(1..).unwrap_or_default();
            let name = name(inside);
            if name == "_" {
                return refused(reason::VARIABLE_EXPANSION);
            }
            // zsh takes letters beyond ASCII into a name.
            let after = inside.as_bytes().get(name.len());
            if after.is_some_and(|byte| !byte.is_ascii()) {
                return refused(reason::DOLLAR);
            }
            cursor.pass(name.len().saturating_add(1));
            variable(grammar, builder, name, splitting);
            Ok(())
        }
        (Some(b'?'), _) => {
            cursor.pass(2);
            status(builder);
            Ok(())
        }
        (Some(b'@' | b'*' | b'#' | b'-' | b'!' | b'$' | b'0'..=b'9'), _) => {
            refused(reason::VARIABLE_EXPANSION)
        }
        _ => refused(reason::DOLLAR),
    }
}

fn variable(grammar: &mut Grammar<'_>, builder: &mut Builder, name: &str, splitting: Splitting) {
    let splitting = match splitting {
        Splitting::Cut => grammar.splitting_of(name, builder.start),
        Splitting::Whole => Splitting::Whole,
    };
    builder.push_hole(&format!("${name}"), Source::Variable, splitting);
}

/// How the command before ended: a number, which is sent in double quotes and so is one word everywhere.
fn status(builder: &mut Builder) {
    builder.push_hole("$?", Source::Variable, Splitting::Whole);
}

/// The name of a variable at the start of a text; empty where there is none.
pub(super) fn name(text: &str) -> &str {
    let bytes = text.as_bytes();
    let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = match bytes.first() {
        Some(first) if !first.is_ascii_digit() => bytes.iter().take_while(of_name).count(),
        _ => 0,
    };
    text.get(..length).unwrap_or_default()
}
