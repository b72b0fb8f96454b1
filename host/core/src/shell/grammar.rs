//! Lists, pipelines and simple commands. It walks the source once, from left to right; it recurses for
//! what is nested, at most `SHELL_DEPTH_MAX` deep. Must not: give back part of a script; the first thing
//! that is not understood refuses the whole.

use super::characters::{ends_word, is_blank, is_declaring, is_reserved};
use super::compound::{Closer, OpenLoop};
use super::here::Line;
use super::tree::{
    Assignment, Command, Connector, Ending, Item, Leaf, Loop, Pipeline, Polarity, Redirection,
    Role, Script, Splitting, Word,
};
use super::word::{self, Cursor, Reading, Setting};
use super::{ASSIGNMENTS_MAX, SCRIPT_WORDS_MAX, Unanalysable, expand, reason, spelling};
use crate::limits::{SHELL_DEPTH_MAX, SHELL_LEAVES_MAX, SHELL_WORDS_MAX};

pub(super) type Read<T> = Result<T, Unanalysable>;

/// A reading under way.
#[derive(Debug)]
pub(super) struct Grammar<'s> {
    pub(super) cursor: Cursor<'s>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) loops: Vec<Loop>,
    /// The loops whose bodies are being read, from the outermost inwards.
    pub(super) open_loops: Vec<OpenLoop>,
    /// Where a bare variable was read as the quoted one, by loop.
    pub(super) completed: Vec<Option<usize>>,
    /// The line whose here-documents were read before the rest of it.
    pub(super) line: Option<Line>,
    pub(super) here_documents: usize,
    pub(super) inherited: usize,
    /// How many `$(` are open.
    pub(super) substitutions: usize,
    words: usize,
    depth: usize,
    /// Bytes of text that are kept a further time: in the words around `$(…)`, on the leaves of a group.
    added: usize,
    /// Whether the command that was read last ended with a keyword or a parenthesis.
    after_compound: bool,
}

impl<'s> Grammar<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            cursor: Cursor::new(source),
            leaves: Vec::new(),
            loops: Vec::new(),
            open_loops: Vec::new(),
            completed: Vec::new(),
            line: None,
            here_documents: 0,
            inherited: 0,
            substitutions: 0,
            words: 0,
            depth: 0,
            added: 0,
            after_compound: false,
        }
    }

    /// The whole source.
    pub(super) fn script(mut self) -> Read<Script> {
        self.skip_lines()?;
        if self.peek().is_none() {
            return Err(self.refused(reason::EMPTY_SCRIPT));
        }
        let (list, _) = self.list(&[Closer::End], 0)?;
        self.leaves.shrink_to_fit();
        let judged = expand::judged(&self)?;
        Ok(Script {
            leaves: self.leaves,
            judged,
            loops: self.loops,
            list,
        })
    }

    /// Commands up to one of the closers, which is passed over. `SHELL_LEAVES_MAX` bounds the loop: each
    /// item holds a leaf. `open` is where what is to be closed began.
    pub(super) fn list(&mut self, closers: &[Closer], open: usize) -> Read<(Vec<Item>, Closer)> {
        let mut list = Vec::new();
        self.skip_lines()?;
        loop {
            if let Some(closer) = self.closer().filter(|closer| closers.contains(closer)) {
                if list.is_empty() {
                    return Err(self.refused(reason::MISSING_COMMAND));
                }
                self.cursor.pass(closer.text().len());
                self.after_compound = true;
                return Ok((list, closer));
            }
            if self.peek().is_none() {
                return Err(Unanalysable::new(open, reason::UNTERMINATED_COMMAND));
            }
            let first_leaf = self.leaves.len();
            let (first, rest) = self.and_or()?;
            let ending = self.ending()?;
            if ending == Ending::Background {
                self.mark(first_leaf, |role| role.background = true);
            }
            list.push(Item {
                first,
                rest,
                ending,
            });
            self.skip_lines()?;
        }
    }

    /// Marks every leaf from one on.
    pub(super) fn mark(&mut self, first_leaf: usize, mark: impl Fn(&mut Role)) {
        for leaf in self.leaves.iter_mut().skip(first_leaf) {
            mark(&mut leaf.role);
        }
    }

    /// Goes one level deeper. The caller goes back with [`leave`](Self::leave).
    pub(super) fn enter(&mut self) -> Read<()> {
        if self.depth >= SHELL_DEPTH_MAX {
            return Err(self.refused(reason::TOO_DEEP));
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The canonical text of the `$(…)` at the cursor. Its commands become leaves.
    pub(super) fn substitution(&mut self) -> Read<String> {
        let open = self.cursor.at();
        self.enter()?;
        self.cursor.pass(2);
        self.substitutions = self.substitutions.saturating_add(1);
        let first_leaf = self.leaves.len();
        let (list, _) = self.list(&[Closer::Parenthesis], open)?;
        self.substitutions = self.substitutions.saturating_sub(1);
        self.leave();
        self.mark(first_leaf, |role| role.feeds_pipe = true);
        let text = spelling::substitution(&list, &self.leaves, &self.loops);
        self.add_text(text.len(), open)?;
        Ok(text)
    }

    /// Counts text that is kept a further time.
    pub(super) fn add_text(&mut self, bytes: usize, at: usize) -> Read<()> {
        self.added = self.added.saturating_add(bytes);
        if self.added > expand::text_bytes_max(self.cursor.source().len()) {
            return Err(Unanalysable::new(at, reason::TOO_MUCH_TEXT));
        }
        Ok(())
    }

    /// How a bare variable is sent: in quotes where it is that of a loop around it and each of its
    /// values is one word anyway.
    pub(super) fn splitting_of(&mut self, name: &str, at: usize) -> Splitting {
        let open = self.open_loops.iter().rev().find(|open| {
            let own = self.loops.get(open.over);
            own.is_some_and(|own| own.name == name)
        });
        match open {
            Some(open) if open.whole => {
                if let Some(completed) = self.completed.get_mut(open.over) {
                    completed.get_or_insert(at);
                }
                Splitting::Whole
            }
            Some(_) | None => Splitting::Cut,
        }
    }

    /// Pipelines joined by `&&` and `||`.
    fn and_or(&mut self) -> Read<(Pipeline, Vec<(Connector, Pipeline)>)> {
        let first = self.pipeline(None)?;
        let mut rest = Vec::new();
        loop {
            let connector = match (self.peek(), self.cursor.peek(1)) {
                (Some(b'&'), Some(b'&')) => Connector::And,
                (Some(b'|'), Some(b'|')) => Connector::Or,
                _ => return Ok((first, rest)),
            };
            let operator = self.cursor.at();
            self.cursor.pass(2);
            self.skip_lines()?;
            rest.push((connector, self.pipeline(Some(operator))?));
        }
    }

    /// Commands joined by `|`, with `!` before them or not. `after` is the operator that asked for them.
    fn pipeline(&mut self, after: Option<usize>) -> Read<Pipeline> {
        let mut after = after;
        let mut polarity = Polarity::Plain;
        if self.at_negation() {
            after = Some(self.cursor.at());
            polarity = Polarity::Negated;
            self.cursor.pass(1);
            self.skip_blanks()?;
            if self.at_negation() {
                return Err(self.refused(reason::DOUBLE_NEGATION));
            }
        }
        let mut first_leaf = self.leaves.len();
        let mut commands = vec![self.command(after)?];
        while self.peek() == Some(b'|') && self.cursor.peek(1) != Some(b'|') {
            if self.cursor.peek(1) == Some(b'&') {
                return Err(self.refused(reason::PIPE_BOTH));
            }
            let operator = self.cursor.at();
            self.cursor.pass(1);
            self.mark(first_leaf, |role| role.feeds_pipe = true);
            self.skip_lines()?;
            if self.at_negation() {
                return Err(self.refused(reason::NEGATION_IN_PIPELINE));
            }
            first_leaf = self.leaves.len();
            commands.push(self.command(Some(operator))?);
            self.mark(first_leaf, |role| role.reads_pipe = true);
        }
        Ok(Pipeline { polarity, commands })
    }

    /// One command. All that begins with something other than a word or a redirection refuses here.
    fn command(&mut self, after: Option<usize>) -> Read<Command> {
        self.after_compound = false;
        match (self.peek(), self.cursor.peek(1)) {
            (None, _) => {
                let at = self.cursor.at();
                Err(
                    after.map_or(Unanalysable::new(at, reason::MISSING_COMMAND), |operator| {
                        Unanalysable::new(operator, reason::TRAILING_OPERATOR)
                    }),
                )
            }
            (Some(b'('), Some(b'(')) => Err(self.refused(reason::ARITHMETIC_COMMAND)),
            (Some(b')'), _) => Err(self.refused(reason::UNEXPECTED_PARENTHESIS)),
            (Some(b'&'), Some(b'>')) => Err(self.refused(reason::REDIRECTION_OF_BOTH)),
            (Some(b'&' | b'|' | b';' | b'\n'), _) => Err(self.refused(reason::MISSING_COMMAND)),
            (Some(byte), _) => {
                if self.leaves.len() >= SHELL_LEAVES_MAX {
                    return Err(self.refused(reason::TOO_MANY_COMMANDS));
                }
                if let Some(opener) = self.opener(byte) {
                    let compound = self.compound(opener)?;
                    self.after_compound = true;
                    return Ok(Command::Compound(Box::new(compound)));
                }
                let leaf = self.simple()?;
                // The words may have held commands.
                if self.leaves.len() >= SHELL_LEAVES_MAX {
                    return Err(Unanalysable::new(
                        leaf.span.start,
                        reason::TOO_MANY_COMMANDS,
                    ));
                }
                self.leaves.push(leaf);
                self.after_compound = false;
                Ok(Command::Simple(self.leaves.len().saturating_sub(1)))
            }
        }
    }

    /// A simple command: assignments, then words, with redirections anywhere.
    fn simple(&mut self) -> Read<Leaf> {
        let start = self.cursor.at();
        let mut end = start;
        let mut words: Vec<Word> = Vec::new();
        let mut assignments: Vec<Assignment> = Vec::new();
        let mut redirections: Vec<Redirection> = Vec::new();
        // `SHELL_WORDS_MAX`, `ASSIGNMENTS_MAX` and `REDIRECTIONS_MAX` bound the loop.
        while let Some(byte) = self.peek() {
            if self.at_redirection()? {
                let redirection = self.redirection(redirections.len())?;
                redirections.push(redirection);
            } else if byte == b'(' {
                let named = words.len() == 1 && redirections.is_empty() && assignments.is_empty();
                return Err(self.refused(if named {
                    reason::FUNCTION_DEFINITION
                } else {
                    reason::UNEXPECTED_PARENTHESIS
                }));
            } else if ends_word(byte) {
                break;
            } else if let Some(name) = self.assigned_name().filter(|_| words.is_empty()) {
                let assignment = self.assignment(name, assignments.len())?;
                assignments.push(assignment);
            } else {
                let word = self.argument(&words)?;
                words.push(word);
            }
            end = self.cursor.at();
            self.skip_blanks()?;
        }
        if words.is_empty() && (assignments.is_empty() || !redirections.is_empty()) {
            return Err(Unanalysable::new(
                start,
                reason::REDIRECTION_WITHOUT_COMMAND,
            ));
        }
        words.shrink_to_fit();
        assignments.shrink_to_fit();
        redirections.shrink_to_fit();
        Ok(Leaf {
            words,
            span: start..end,
            redirections,
            inherited: Vec::new(),
            assignments,
            role: Role::default(),
        })
    }

    /// The name before a `=` at the cursor, where a shell would take both for an assignment.
    fn assigned_name(&self) -> Option<&'s str> {
        let rest = self.cursor.rest();
        let name = word::name(rest);
        let is_assigned = rest.as_bytes().get(name.len()) == Some(&b'=');
        (is_assigned && !name.is_empty()).then_some(name)
    }

    /// An assignment; `before` of its command stand before it.
    fn assignment(&mut self, name: &str, before: usize) -> Read<Assignment> {
        let start = self.cursor.at();
        if before >= ASSIGNMENTS_MAX {
            return Err(self.refused(reason::TOO_MANY_ASSIGNMENTS));
        }
        self.count_word()?;
        self.cursor.pass(name.len().saturating_add(1));
        let value = word::read(self, Setting::Assigned)?.word;
        // `a=(…)` is an array where there are any, and refused by all others.
        if self.peek() == Some(b'(') {
            return Err(Unanalysable::new(start, reason::ASSIGNMENT));
        }
        // SECURITY: shells differ on whether a later use of the variable expands the glob.
        if value.glob {
            return Err(Unanalysable::new(start, reason::GLOB_IN_ASSIGNMENT));
        }
        Ok(Assignment {
            name: name.to_owned(),
            value,
        })
    }

    /// Counts a word that is about to be read.
    fn count_word(&mut self) -> Read<()> {
        if self.words >= SCRIPT_WORDS_MAX {
            return Err(self.refused(reason::TOO_MANY_WORDS));
        }
        self.words = self.words.saturating_add(1);
        Ok(())
    }

    /// One word within the budgets; `before` stand before it where it stands.
    pub(super) fn word(&mut self, before: usize) -> Read<Reading> {
        if before >= SHELL_WORDS_MAX {
            return Err(self.refused(reason::TOO_MANY_WORDS));
        }
        self.count_word()?;
        let reading = word::read(self, Setting::Plain)?;
        if self.names_descriptor(&reading.word) {
            return Err(Unanalysable::new(
                reading.word.span.start,
                reason::FILE_DESCRIPTOR,
            ));
        }
        Ok(reading)
    }

    /// A program or an argument; `before` are the words of its command that stand before it.
    fn argument(&mut self, before: &[Word]) -> Read<Word> {
        let reading = self.word(before.len())?;
        let refused = if before.is_empty() {
            program_refused(&reading)
        } else {
            // `export a=*` is one word in bash and as many as there are files in others. The declaring
            // word may come after `command` or `builtin`, so any word before counts.
            let declares = || before.iter().any(|word| is_declaring(&word.text));
            let glob = reading.assigns && reading.word.glob;
            (glob && declares()).then_some(reason::GLOB_IN_ASSIGNMENT)
        };
        match refused {
            Some(reason) => Err(Unanalysable::new(reading.word.span.start, reason)),
            None => Ok(reading.word),
        }
    }

    /// Whether a word is `{name}` right before a redirection: bash, ksh and zsh put a descriptor's number into
    /// that variable, and the others pass the word to the program.
    fn names_descriptor(&self, word: &Word) -> bool {
        matches!(self.peek(), Some(b'<' | b'>'))
            && !word.quoted
            && word.text.starts_with('{')
            && word.text.ends_with('}')
    }

    /// What stands after an item: the end, a newline, `;`, `&`, or what closes the list.
    fn ending(&mut self) -> Read<Ending> {
        match (self.peek(), self.cursor.peek(1)) {
            (None | Some(b'\n' | b')'), _) => Ok(Ending::Sequential),
            (Some(b';'), Some(b';' | b'&' | b'|')) => Err(self.refused(reason::CASE_TERMINATOR)),
            (Some(b';'), _) => {
                self.cursor.pass(1);
                Ok(Ending::Sequential)
            }
            (Some(b'&'), Some(b'>')) => Err(self.refused(reason::REDIRECTION_OF_BOTH)),
            (Some(b'&'), _) => {
                self.cursor.pass(1);
                Ok(Ending::Background)
            }
            // A simple command ends at these or at `|`, `&&`, `||`, which were consumed before. After
            // a compound one, a keyword may follow at once.
            (Some(_), _) if self.after_compound && self.closer().is_some() => {
                Ok(Ending::Sequential)
            }
            (Some(_), _) => Err(self.refused(reason::UNEXPECTED_WORD)),
        }
    }

    /// Whether the reserved word `!` stands here.
    fn at_negation(&self) -> bool {
        self.peek() == Some(b'!')
            && self
                .cursor
                .peek(1)
                .is_none_or(|byte| ends_word(byte) && byte != b'(')
    }

    /// Passes over blanks, continued lines and a comment. It is called only where a token may begin, so a
    /// `#` here is never inside a word.
    pub(super) fn skip_blanks(&mut self) -> Read<()> {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => {
                    let length = self.cursor.rest().find('\n');
                    self.cursor.pass(length.unwrap_or(self.cursor.rest().len()));
                    return Ok(());
                }
                // SECURITY: after anything but a blank, the next line could become part of the token
                // before (`&` and `&`), and shells differ on a `#` right after it. Where that line is
                // a here-document, it would be read twice.
                b'\\' if self.cursor.peek(1) == Some(b'\n') => {
                    if !self.cursor.behind().is_some_and(is_blank)
                        || self.cursor.peek(2) == Some(b'#')
                        || self.line.is_some()
                    {
                        return Err(self.refused(reason::LINE_CONTINUATION));
                    }
                    self.cursor.pass(2);
                }
                byte if is_blank(byte) => self.cursor.pass(1),
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Passes over blanks, comments and newlines.
    pub(super) fn skip_lines(&mut self) -> Read<()> {
        self.skip_blanks()?;
        while self.peek() == Some(b'\n') {
            self.newline()?;
            self.skip_blanks()?;
        }
        Ok(())
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.cursor.peek(0)
    }

    pub(super) fn refused(&self, reason: &'static str) -> Unanalysable {
        Unanalysable::new(self.cursor.at(), reason)
    }
}

/// Why a word cannot be a program, if it cannot.
fn program_refused(reading: &Reading) -> Option<&'static str> {
    let word = &reading.word;
    let text = word.text.as_str();
    let keyword = !word.quoted && is_reserved(text);
    match text {
        _ if reading.bare_equals => Some(reason::ASSIGNMENT),
        _ if word.dynamic => Some(reason::DYNAMIC_PROGRAM),
        _ if word.tilde => Some(reason::TILDE_EXPANSION),
        _ if word.glob => Some(reason::GLOB_PROGRAM),
        "" => Some(reason::EMPTY_PROGRAM),
        "function" if keyword => Some(reason::FUNCTION_DEFINITION),
        _ if keyword => Some(reason::RESERVED_WORD),
        _ if !text.is_ascii() => Some(reason::NON_ASCII_PROGRAM),
        _ if text.contains(['\t', '\n']) => Some(reason::CONTROL_IN_PROGRAM),
        _ => None,
    }
}
