//! Lists, pipelines, simple commands and redirections. It walks the source once, from left to right,
//! without recursion. Must not: give back part of a script; the first thing that is not understood
//! refuses the whole.

use super::characters::{ends_word, is_blank, is_declaring, is_reserved};
use super::tree::{
    Command, Connector, Ending, Item, Leaf, Pipeline, Polarity, Redirection, Role, Script, Word,
};
use super::word::{self, Cursor, Reading};
use super::{REDIRECTIONS_MAX, SCRIPT_WORDS_MAX, Unanalysable, reason};
use crate::limits::{SHELL_LEAVES_MAX, SHELL_WORDS_MAX};

type Read<T> = Result<T, Unanalysable>;

/// A reading under way.
#[derive(Debug)]
pub(super) struct Grammar<'s> {
    cursor: Cursor<'s>,
    leaves: Vec<Leaf>,
    words: usize,
}

impl<'s> Grammar<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            cursor: Cursor::new(source),
            leaves: Vec::new(),
            words: 0,
        }
    }

    /// The whole source. `SHELL_LEAVES_MAX` bounds the loop: each item holds a leaf.
    pub(super) fn script(mut self) -> Read<Script> {
        let mut list = Vec::new();
        self.skip_lines()?;
        if self.peek().is_none() {
            return Err(Unanalysable::new(self.cursor.at(), reason::EMPTY_SCRIPT));
        }
        while self.peek().is_some() {
            let first_leaf = self.leaves.len();
            let (first, rest) = self.and_or()?;
            let ending = self.ending()?;
            if ending == Ending::Background {
                for leaf in self.leaves.iter_mut().skip(first_leaf) {
                    leaf.role.background = true;
                }
            }
            list.push(Item {
                first,
                rest,
                ending,
            });
            self.skip_lines()?;
        }
        self.leaves.shrink_to_fit();
        Ok(Script {
            leaves: self.leaves,
            list,
        })
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
        let first_leaf = self.leaves.len();
        let mut commands = vec![self.command(after)?];
        while self.peek() == Some(b'|') && self.cursor.peek(1) != Some(b'|') {
            if self.cursor.peek(1) == Some(b'&') {
                return Err(self.refused(reason::PIPE_BOTH));
            }
            let operator = self.cursor.at();
            self.cursor.pass(1);
            self.skip_lines()?;
            if self.at_negation() {
                return Err(self.refused(reason::NEGATION_IN_PIPELINE));
            }
            commands.push(self.command(Some(operator))?);
        }
        let last = commands.len().saturating_sub(1);
        for (position, leaf) in self.leaves.iter_mut().skip(first_leaf).enumerate() {
            leaf.role.reads_pipe = position > 0;
            leaf.role.feeds_pipe = position < last;
        }
        Ok(Pipeline { polarity, commands })
    }

    /// One command. All that begins with something other than a word or a redirection refuses here.
    fn command(&mut self, after: Option<usize>) -> Read<Command> {
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
            (Some(b'('), _) => Err(self.refused(reason::SUBSHELL)),
            (Some(b')'), _) => Err(self.refused(reason::UNEXPECTED_PARENTHESIS)),
            (Some(b'&'), Some(b'>')) => Err(self.refused(reason::REDIRECTION_OF_BOTH)),
            (Some(b'&' | b'|' | b';' | b'\n'), _) => Err(self.refused(reason::MISSING_COMMAND)),
            (Some(_), _) => {
                if self.leaves.len() >= SHELL_LEAVES_MAX {
                    return Err(self.refused(reason::TOO_MANY_COMMANDS));
                }
                let leaf = self.simple()?;
                self.leaves.push(leaf);
                Ok(Command::Simple(self.leaves.len().saturating_sub(1)))
            }
        }
    }

    /// A simple command: words and redirections in any order.
    fn simple(&mut self) -> Read<Leaf> {
        let start = self.cursor.at();
        let mut end = start;
        let mut words: Vec<Word> = Vec::new();
        let mut redirections: Vec<Redirection> = Vec::new();
        // `SHELL_WORDS_MAX` and `REDIRECTIONS_MAX` bound the loop.
        while let Some(byte) = self.peek() {
            if self.at_redirection()? {
                let redirection = self.redirection(redirections.len())?;
                redirections.push(redirection);
            } else if byte == b'(' {
                let named = words.len() == 1 && redirections.is_empty();
                return Err(self.refused(if named {
                    reason::FUNCTION_DEFINITION
                } else {
                    reason::UNEXPECTED_PARENTHESIS
                }));
            } else if byte == b')' {
                return Err(self.refused(reason::UNEXPECTED_PARENTHESIS));
            } else if ends_word(byte) {
                break;
            } else {
                let word = self.word(&words)?;
                words.push(word);
            }
            end = self.cursor.at();
            self.skip_blanks()?;
        }
        if words.is_empty() {
            return Err(Unanalysable::new(
                start,
                reason::REDIRECTION_WITHOUT_COMMAND,
            ));
        }
        words.shrink_to_fit();
        redirections.shrink_to_fit();
        Ok(Leaf {
            words,
            span: start..end,
            redirections,
            assignments: Vec::new(),
            role: Role {
                reads_pipe: false,
                feeds_pipe: false,
                background: false,
            },
        })
    }

    /// One word within the budgets; `before` are those of its command that stand before it.
    fn word(&mut self, before: &[Word]) -> Read<Word> {
        if before.len() >= SHELL_WORDS_MAX || self.words >= SCRIPT_WORDS_MAX {
            return Err(self.refused(reason::TOO_MANY_WORDS));
        }
        self.words = self.words.saturating_add(1);
        let reading = word::read(&mut self.cursor)?;
        if self.names_descriptor(&reading.word) {
            return Err(Unanalysable::new(
                reading.word.span.start,
                reason::FILE_DESCRIPTOR,
            ));
        }
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

    /// Whether a redirection begins here. Digits belong to it only when they touch its operator.
    fn at_redirection(&self) -> Read<bool> {
        let rest = self.cursor.rest().as_bytes();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match (rest.get(digits), digits) {
            (Some(b'<' | b'>'), 0 | 1) => Ok(true),
            (Some(b'<' | b'>'), _) => Err(self.refused(reason::FILE_DESCRIPTOR)),
            _ => Ok(false),
        }
    }

    /// One redirection; `before` of its command stand before it.
    fn redirection(&mut self, before: usize) -> Read<Redirection> {
        if before >= REDIRECTIONS_MAX {
            return Err(self.refused(reason::TOO_MANY_REDIRECTIONS));
        }
        let start = self.cursor.at();
        let fd = self.peek().and_then(digit);
        if fd.is_some() {
            self.cursor.pass(1);
        }
        let (operator, next) = (self.peek(), self.cursor.peek(1));
        let reason = match (operator, next) {
            (Some(b'<'), Some(b'<')) if self.cursor.peek(2) == Some(b'<') => reason::HERE_STRING,
            (Some(b'<'), Some(b'<')) => reason::HERE_DOCUMENT,
            (_, Some(b'(')) => reason::PROCESS_SUBSTITUTION,
            (Some(b'<'), Some(b'&')) => reason::REDIRECTION_OF_INPUT,
            (Some(b'<'), Some(b'>')) | (Some(b'>'), Some(b'|')) => reason::REDIRECTION_OPERATOR,
            (Some(b'<'), _) => {
                self.cursor.pass(1);
                self.null_device(start)?;
                return Ok(Redirection::FromNull {
                    fd: fd.unwrap_or(0),
                });
            }
            (_, Some(b'&')) => {
                self.cursor.pass(2);
                let to = self.descriptor(start)?;
                return Ok(Redirection::Duplicate {
                    from: fd.unwrap_or(1),
                    to,
                });
            }
            (_, next) => {
                self.cursor.pass(if next == Some(b'>') { 2 } else { 1 });
                self.null_device(start)?;
                return Ok(Redirection::ToNull {
                    fd: fd.unwrap_or(1),
                });
            }
        };
        Err(Unanalysable::new(start, reason))
    }

    /// The target of a redirection that began at `start`.
    fn target(&mut self, start: usize) -> Read<Word> {
        self.skip_blanks()?;
        if self.peek().is_none_or(ends_word) {
            return Err(Unanalysable::new(start, reason::REDIRECTION_WITHOUT_TARGET));
        }
        Ok(word::read(&mut self.cursor)?.word)
    }

    fn null_device(&mut self, start: usize) -> Read<()> {
        let target = self.target(start)?;
        if target.text == "/dev/null" {
            Ok(())
        } else {
            Err(Unanalysable::new(start, reason::REDIRECTION_TO_FILE))
        }
    }

    /// The descriptor after `>&`: one digit and no more. A digit that touches a further operator is the
    /// other's descriptor in some shells, so it refuses.
    fn descriptor(&mut self, start: usize) -> Read<u8> {
        let target = self.target(start)?;
        let touches = matches!(self.peek(), Some(b'<' | b'>'));
        let reason = match target.text.as_bytes() {
            [b'-'] => reason::REDIRECTION_CLOSES,
            [only] if !target.quoted && !touches => match digit(*only) {
                Some(to) => return Ok(to),
                None => reason::REDIRECTION_TO_FILE,
            },
            bytes if bytes.iter().all(u8::is_ascii_digit) => reason::FILE_DESCRIPTOR,
            _ => reason::REDIRECTION_TO_FILE,
        };
        Err(Unanalysable::new(start, reason))
    }

    /// What stands after an item: the end, a newline, `;` or `&`.
    fn ending(&mut self) -> Read<Ending> {
        match (self.peek(), self.cursor.peek(1)) {
            (None | Some(b'\n'), _) => Ok(Ending::Sequential),
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
            // A simple command ends at these or at `|`, `&&`, `||`, which were consumed before.
            (Some(_), _) => Err(self.refused(reason::MISSING_COMMAND)),
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
    fn skip_blanks(&mut self) -> Read<()> {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => {
                    let length = self.cursor.rest().find('\n');
                    self.cursor.pass(length.unwrap_or(self.cursor.rest().len()));
                    return Ok(());
                }
                // SECURITY: after anything but a blank, the next line could become part of the token
                // before (`&` and `&`), and shells differ on a `#` right after it.
                b'\\' if self.cursor.peek(1) == Some(b'\n') => {
                    if !self.cursor.behind().is_some_and(is_blank)
                        || self.cursor.peek(2) == Some(b'#')
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
    fn skip_lines(&mut self) -> Read<()> {
        self.skip_blanks()?;
        while self.peek() == Some(b'\n') {
            self.cursor.pass(1);
            self.skip_blanks()?;
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.cursor.peek(0)
    }

    fn refused(&self, reason: &'static str) -> Unanalysable {
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
        _ if word.glob => Some(reason::GLOB_PROGRAM),
        "" => Some(reason::EMPTY_PROGRAM),
        "{" if keyword => Some(reason::GROUP),
        "function" if keyword => Some(reason::FUNCTION_DEFINITION),
        _ if keyword => Some(reason::RESERVED_WORD),
        _ if !text.is_ascii() => Some(reason::NON_ASCII_PROGRAM),
        _ if text.contains(['\t', '\n']) => Some(reason::CONTROL_IN_PROGRAM),
        _ => None,
    }
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte.saturating_sub(b'0'))
}
