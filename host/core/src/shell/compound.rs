//! Groups, subshells, conditions and loops. Must not: take a word for a keyword anywhere but at the
//! start of a command, bare and whole, as the shells do.

use super::characters::{ends_word, is_blank, is_reserved};
use super::grammar::{Grammar, Read};
use super::names;
use super::tree::{Compound, Form, Loop, Polarity, Word};
use super::word;
use super::{Unanalysable, reason};

/// What begins a compound command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    Parenthesis,
    Brace,
    If,
    While,
    Until,
    For,
}

/// What ends a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closer {
    /// The end of the source.
    End,
    Parenthesis,
    Brace,
    Then,
    Elif,
    Else,
    Fi,
    Do,
    Done,
}

impl Closer {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::End => "",
            Self::Parenthesis => ")",
            Self::Brace => "}",
            Self::Then => "then",
            Self::Elif => "elif",
            Self::Else => "else",
            Self::Fi => "fi",
            Self::Do => "do",
            Self::Done => "done",
        }
    }
}

/// A `for` loop whose body is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenLoop {
    /// Index of the loop.
    pub(super) over: usize,
    /// Whether each of its values is one word, in quotes or not.
    pub(super) whole: bool,
}

impl Grammar<'_> {
    /// The compound command that begins with this byte here, if one does.
    pub(super) fn opener(&self, byte: u8) -> Option<Opener> {
        let (opener, keyword) = match byte {
            b'(' => return Some(Opener::Parenthesis),
            b'{' => (Opener::Brace, "{"),
            b'i' => (Opener::If, "if"),
            b'w' => (Opener::While, "while"),
            b'u' => (Opener::Until, "until"),
            b'f' => (Opener::For, "for"),
            _ => return None,
        };
        self.at_keyword(keyword).then_some(opener)
    }

    /// What may end a list and stands here.
    pub(super) fn closer(&self) -> Option<Closer> {
        let candidates: &[Closer] = match self.peek() {
            None => return Some(Closer::End),
            Some(b')') => return Some(Closer::Parenthesis),
            Some(b'}') => &[Closer::Brace],
            Some(b't') => &[Closer::Then],
            Some(b'e') => &[Closer::Elif, Closer::Else],
            Some(b'f') => &[Closer::Fi],
            Some(b'd') => &[Closer::Do, Closer::Done],
            Some(_) => return None,
        };
        let stands = |closer: &Closer| self.at_keyword(closer.text());
        candidates.iter().copied().find(stands)
    }

    /// Whether a bare word stands here that is just this one.
    fn at_keyword(&self, keyword: &str) -> bool {
        let rest = self.cursor.rest();
        let after = rest.as_bytes().get(keyword.len());
        rest.starts_with(keyword) && after.is_none_or(|byte| ends_word(*byte))
    }

    /// A compound command with its redirections.
    pub(super) fn compound(&mut self, opener: Opener) -> Read<Compound> {
        let open = self.cursor.at();
        let first_leaf = self.leaves.len();
        self.enter()?;
        let form = match opener {
            Opener::Parenthesis => {
                self.cursor.pass(1);
                Form::Subshell(self.list(&[Closer::Parenthesis], open)?.0)
            }
            Opener::Brace => {
                self.cursor.pass(1);
                Form::Group(self.list(&[Closer::Brace], open)?.0)
            }
            Opener::If => self.condition(open)?,
            Opener::While => self.repetition(Polarity::Plain, open)?,
            Opener::Until => self.repetition(Polarity::Negated, open)?,
            Opener::For => self.iteration(open)?,
        };
        self.leave();
        let mut redirections = Vec::new();
        self.skip_blanks()?;
        // `REDIRECTIONS_MAX` bounds the loop.
        while self.at_redirection()? {
            let redirection = self.redirection(redirections.len())?;
            redirections.push(redirection);
            self.skip_blanks()?;
        }
        self.inherit(first_leaf, &redirections)?;
        Ok(Compound { form, redirections })
    }

    /// From `if` to `fi`. `SHELL_LEAVES_MAX` bounds the loop: each arm holds leaves.
    fn condition(&mut self, open: usize) -> Read<Form> {
        let mut arms = Vec::new();
        self.cursor.pass(2);
        loop {
            let (condition, _) = self.list(&[Closer::Then], open)?;
            let (body, closer) = self.list(&[Closer::Elif, Closer::Else, Closer::Fi], open)?;
            arms.push((condition, body));
            let otherwise = match closer {
                Closer::Elif => continue,
                Closer::Else => Some(self.list(&[Closer::Fi], open)?.0),
                _ => None,
            };
            return Ok(Form::If { arms, otherwise });
        }
    }

    /// From `while` or `until` to `done`.
    fn repetition(&mut self, polarity: Polarity, open: usize) -> Read<Form> {
        let first_leaf = self.leaves.len();
        self.cursor.pass(5);
        let (condition, _) = self.list(&[Closer::Do], open)?;
        let (body, _) = self.list(&[Closer::Done], open)?;
        self.mark(first_leaf, |role| role.repeated = true);
        Ok(Form::While {
            polarity,
            condition,
            body,
        })
    }

    /// From `for` to `done`.
    fn iteration(&mut self, open: usize) -> Read<Form> {
        self.cursor.pass(3);
        self.skip_blanks()?;
        if self.peek() == Some(b'(') {
            return Err(Unanalysable::new(open, reason::ARITHMETIC_COMMAND));
        }
        let name = word::name(self.cursor.rest()).to_owned();
        if !names::may_vary(&name) || is_reserved(&name) {
            return Err(self.refused(reason::LOOP_VARIABLE));
        }
        self.cursor.pass(name.len());
        if !self.peek().is_some_and(is_blank) {
            return Err(self.refused(reason::LOOP_WITHOUT_IN));
        }
        self.skip_blanks()?;
        if !self.at_keyword("in") {
            return Err(self.refused(reason::LOOP_WITHOUT_IN));
        }
        self.cursor.pass(2);
        let values = self.values(open)?;
        self.skip_lines()?;
        if !self.at_keyword("do") {
            return Err(self.refused(reason::LOOP_WITHOUT_DO));
        }
        self.cursor.pass(2);
        let over = self.loops.len();
        let first_leaf = self.leaves.len();
        let whole = values.iter().all(is_one_word);
        self.loops.push(Loop {
            name,
            values,
            body: first_leaf..first_leaf,
        });
        self.completed.push(None);
        self.open_loops.push(OpenLoop { over, whole });
        let (body, _) = self.list(&[Closer::Done], open)?;
        self.open_loops.pop();
        self.mark(first_leaf, |role| role.repeated = true);
        let last_leaf = self.leaves.len();
        if let Some(own) = self.loops.get_mut(over) {
            own.body = first_leaf..last_leaf;
        }
        Ok(Form::For { over, body })
    }

    /// The words of a `for` loop, with the `;` behind them. `SHELL_WORDS_MAX` bounds the loop.
    fn values(&mut self, open: usize) -> Read<Vec<Word>> {
        let mut values: Vec<Word> = Vec::new();
        loop {
            self.skip_blanks()?;
            match self.peek() {
                None => return Err(Unanalysable::new(open, reason::UNTERMINATED_COMMAND)),
                Some(b';' | b'\n') if values.is_empty() => {
                    return Err(self.refused(reason::LOOP_WITHOUT_VALUES));
                }
                Some(b'\n') => break,
                Some(b';') => {
                    self.cursor.pass(1);
                    break;
                }
                Some(byte) if ends_word(byte) => {
                    return Err(self.refused(reason::LOOP_WITHOUT_DO));
                }
                Some(_) => {
                    let word = self.word(values.len())?.word;
                    values.push(word);
                }
            }
        }
        values.shrink_to_fit();
        Ok(values)
    }
}

/// Whether a loop's value is one and the same word where its variable stands bare as where it stands in
/// quotes. What a glob matches is judged, and sent, as one word.
fn is_one_word(value: &Word) -> bool {
    if value.dynamic || value.tilde {
        return false;
    }
    value.glob
        || !value.text.is_empty() && !value.text.contains([' ', '\t', '\n', '*', '?', '[', '\\'])
}
