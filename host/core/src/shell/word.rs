//! One word: quotes, escapes, globs, and a refusal for everything that a shell would expand.
//! Must not: know where in a command the word stands; it only reports what the grammar needs for that.

use super::characters::{ends_word, is_bracket_member};
use super::tree::Word;
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

/// Reads the word that begins at the cursor, up to the unquoted byte that ends it. The caller has seen
/// that the next byte does not end a word.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Reading, Unanalysable> {
    let mut builder = Builder::new(cursor.at());
    // Each round passes at least one byte, so the source's length bounds the loop.
    while let Some(byte) = cursor.peek(0) {
        if ends_word(byte) {
            break;
        }
        let at = cursor.at();
        match byte {
            b'\'' => single_quoted(cursor, &mut builder)?,
            b'"' => double_quoted(cursor, &mut builder)?,
            b'\\' => escaped(cursor, &mut builder)?,
            b'`' => return Err(Unanalysable::new(at, reason::BACKTICK)),
            b'[' => bracket(cursor, &mut builder)?,
            b'$' => {
                if let Some(reason) = dollar_outside_quotes(cursor) {
                    return Err(Unanalysable::new(at, reason));
                }
                cursor.pass(1);
                builder.push_bare('$');
            }
            _ => {
                builder.refuse_expansion(byte, at)?;
                if let Some(c) = cursor.next_char() {
                    builder.push_bare(c);
                }
            }
        }
    }
    if cursor.peek(0) == Some(b'(') && builder.last_bare.is_some_and(|c| "?*+@!".contains(c)) {
        return Err(Unanalysable::new(cursor.at(), reason::EXTENDED_GLOB));
    }
    Ok(builder.finish(cursor.at()))
}

/// A word under construction.
#[derive(Debug)]
struct Builder {
    start: usize,
    text: String,
    active: Vec<u32>,
    quoted: bool,
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
    fn new(start: usize) -> Self {
        Self {
            start,
            text: String::new(),
            active: Vec::new(),
            quoted: false,
            last_bare: None,
            bare_equals: false,
            assigns: false,
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
        Reading {
            word: Word {
                text: self.text,
                span: self.start..end,
                quoted: self.quoted,
                glob: !self.active.is_empty(),
                dynamic: false,
                tilde: false,
                active: self.active.into_boxed_slice(),
            },
            bare_equals: self.bare_equals,
            assigns: self.assigns,
        }
    }
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
    while let Some(c) = cursor.next_char() {
        if c == '\'' {
            return Ok(());
        }
        builder.push_quoted(c);
    }
    Err(Unanalysable::new(open, reason::UNTERMINATED_SINGLE_QUOTE))
}

fn double_quoted(cursor: &mut Cursor<'_>, builder: &mut Builder) -> Result<(), Unanalysable> {
    let open = cursor.at();
    cursor.pass(1);
    builder.open_quote();
    loop {
        let at = cursor.at();
        match cursor.peek(0) {
            None => return Err(Unanalysable::new(open, reason::UNTERMINATED_DOUBLE_QUOTE)),
            Some(b'"') => {
                cursor.pass(1);
                return Ok(());
            }
            Some(b'`') => return Err(Unanalysable::new(at, reason::BACKTICK)),
            Some(b'$') => {
                if let Some(reason) = dollar_inside_quotes(cursor) {
                    return Err(Unanalysable::new(at, reason));
                }
            }
            // Inside double quotes a backslash escapes these and is itself before all others.
            Some(b'\\') => match cursor.peek(1) {
                Some(b'\n') => return Err(Unanalysable::new(at, reason::LINE_CONTINUATION)),
                Some(b'$' | b'`' | b'"' | b'\\') => cursor.pass(1),
                _ => {}
            },
            Some(_) => {}
        }
        if let Some(c) = cursor.next_char() {
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

/// Why a `$` outside quotes refuses; nothing where every shell takes it for itself.
fn dollar_outside_quotes(cursor: &Cursor<'_>) -> Option<&'static str> {
    match cursor.peek(1) {
        None | Some(b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'/') => None,
        Some(b'\'') => Some(reason::ANSI_C_QUOTING),
        Some(b'"') => Some(reason::LOCALE_QUOTING),
        Some(_) => Some(expansion(cursor)),
    }
}

/// Why a `$` inside double quotes refuses; nothing where every shell takes it for itself.
fn dollar_inside_quotes(cursor: &Cursor<'_>) -> Option<&'static str> {
    match cursor.peek(1) {
        None | Some(b'"' | b' ' | b'\t' | b'|' | b')' | b'/') => None,
        Some(_) => Some(expansion(cursor)),
    }
}

/// What a `$` begins, by the bytes after it.
fn expansion(cursor: &Cursor<'_>) -> &'static str {
    match (cursor.peek(1), cursor.peek(2)) {
        (Some(b'('), Some(b'(')) | (Some(b'['), _) => reason::ARITHMETIC_EXPANSION,
        (Some(b'('), _) => reason::COMMAND_SUBSTITUTION,
        (Some(b'{' | b'_' | b'@' | b'*' | b'#' | b'?' | b'-' | b'!' | b'$'), _) => {
            reason::VARIABLE_EXPANSION
        }
        (Some(byte), _) if byte.is_ascii_alphanumeric() => reason::VARIABLE_EXPANSION,
        _ => reason::DOLLAR,
    }
}
