//! What a sed script does besides reading its files and printing.
//!
//! Must not: guess. A command, flag or address that it does not know needs `Execute`, and so does a place
//! where implementations differ.

use super::Effect;
use crate::policy::Capability;

const RUNS: &str = "has a sed script that runs a command, or one that is not understood";

/// A script does something that is not understood.
#[derive(Debug)]
struct Unclear;

/// What `text` does.
pub(super) fn scan(text: &str) -> Vec<Effect<'_>> {
    let mut script = Script {
        rest: text,
        effects: Vec::new(),
    };
    if script.read().is_err() {
        script
            .effects
            .push(Effect::Needs(Capability::Execute, RUNS));
    }
    script.effects
}

struct Script<'a> {
    rest: &'a str,
    effects: Vec<Effect<'a>>,
}

impl<'a> Script<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn skip(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !of(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn line(&mut self) -> &'a str {
        self.skip(|c| c != '\n')
    }

    fn read(&mut self) -> Result<(), Unclear> {
        // Each round passes at least one character.
        loop {
            self.skip(|c| c.is_ascii_whitespace() || c == ';');
            if self.peek().is_none() {
                return Ok(());
            }
            self.addresses()?;
            self.skip(|c| c == ' ' || c == '\t' || c == '!');
            let command = self.next().ok_or(Unclear)?;
            self.command(command)?;
        }
    }

    fn addresses(&mut self) -> Result<(), Unclear> {
        if !self.address()? {
            return Ok(());
        }
        self.skip(|c| c == ' ' || c == '\t');
        if self.peek() == Some(',') {
            self.next();
            self.skip(|c| c == ' ' || c == '\t');
            if matches!(self.peek(), Some('+' | '~')) {
                self.next();
            }
            if !self.address()? {
                return Err(Unclear);
            }
        }
        Ok(())
    }

    fn address(&mut self) -> Result<bool, Unclear> {
        match self.peek() {
            Some('0'..='9') => {
                self.skip(|c| c.is_ascii_digit() || c == '~');
            }
            Some('$') => {
                self.next();
            }
            Some('/') => {
                self.next();
                self.part('/', Part::Regex)?;
                self.skip(|c| matches!(c, 'I' | 'M'));
            }
            Some('\\') => {
                self.next();
                let end = self.next().filter(|c| *c != '\n' && *c != '\\');
                self.part(end.ok_or(Unclear)?, Part::Regex)?;
                self.skip(|c| matches!(c, 'I' | 'M'));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn command(&mut self, command: char) -> Result<(), Unclear> {
        match command {
            '{' => return Ok(()),
            '}' | '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z'
            | 'F' => {}
            '#' => {
                self.line();
                return Ok(());
            }
            'l' | 'L' | 'q' | 'Q' => {
                self.skip(|c| c.is_ascii_digit() || c == ' ');
            }
            // SECURITY: some end a label at the line's end only, so more may count as commands here.
            ':' | 'b' | 't' | 'T' => {
                self.skip(|c| c == ' ' || c == '\t');
                self.skip(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
            }
            'a' | 'i' | 'c' => return self.text(),
            's' => return self.substitution(),
            'y' => {
                let end = self.delimiter()?;
                self.part(end, Part::Text)?;
                self.part(end, Part::Text)?;
            }
            'r' | 'R' => {
                self.skip(|c| c == ' ' || c == '\t');
                let path = self.line();
                self.effects.push(Effect::Reads(path));
                return Ok(());
            }
            'w' | 'W' => {
                self.write();
                return Ok(());
            }
            _ => return Err(Unclear),
        }
        self.ended()
    }

    /// What may stand behind a command.
    fn ended(&mut self) -> Result<(), Unclear> {
        self.skip(|c| c == ' ' || c == '\t' || c == '\r');
        match self.peek() {
            None | Some('\n' | ';' | '}' | '#') => Ok(()),
            Some(_) => Err(Unclear),
        }
    }

    fn write(&mut self) {
        self.skip(|c| c == ' ' || c == '\t');
        let path = self.line();
        self.effects.push(Effect::Writes(path));
    }

    /// The text behind `a`, `i` and `c`: lines up to one that does not end in a backslash.
    fn text(&mut self) -> Result<(), Unclear> {
        // Each round passes one line.
        loop {
            let line = self.line();
            let continues = line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
            match (self.next(), continues) {
                (Some(_), true) => {}
                // SECURITY: the next script that the words give would be this one's text.
                (None, true) => return Err(Unclear),
                (_, false) => return Ok(()),
            }
        }
    }

    fn delimiter(&mut self) -> Result<char, Unclear> {
        self.next()
            .filter(|c| *c != '\n' && *c != '\\')
            .ok_or(Unclear)
    }

    fn substitution(&mut self) -> Result<(), Unclear> {
        let end = self.delimiter()?;
        self.part(end, Part::Regex)?;
        self.part(end, Part::Text)?;
        loop {
            match self.peek() {
                Some('g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') => {
                    self.next();
                }
                Some('w') => {
                    self.next();
                    self.write();
                    return Ok(());
                }
                _ => return self.ended(),
            }
        }
    }

    /// Passes over a part and the delimiter that ends it.
    fn part(&mut self, end: char, part: Part) -> Result<(), Unclear> {
        let simple = end_of(self.rest, end, Brackets::Ignored).ok_or(Unclear)?;
        if part == Part::Regex {
            let within = end_of(self.rest, end, Brackets::Seen);
            // SECURITY: in some implementations a delimiter within brackets ends the expression. Both
            // readings have to be harmless; where they differ, this one is taken if the other one only
            // finds the same delimiter missing.
            if within != Some(simple) {
                return self.either(end, simple, within);
            }
        }
        let taken = self.rest.get(..simple).unwrap_or_default();
        if part == Part::Regex && taken.contains('\n') {
            return Err(Unclear);
        }
        self.rest = self.rest.get(simple + end.len_utf8()..).ok_or(Unclear)?;
        Ok(())
    }

    /// Takes the reading in which brackets are seen, if nothing in the rest could do harm in the other.
    fn either(&mut self, end: char, simple: usize, within: Option<usize>) -> Result<(), Unclear> {
        let within = within.ok_or(Unclear)?;
        let other = self.rest.get(simple..).unwrap_or_default();
        // The other reading puts flags and commands anywhere behind the first delimiter.
        if other.contains(['e', 'w', 'r', 'W', 'R', '\n']) {
            return Err(Unclear);
        }
        self.rest = self.rest.get(within + end.len_utf8()..).ok_or(Unclear)?;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Regex,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brackets {
    Ignored,
    Seen,
}

/// Where the delimiter stands that ends a part.
fn end_of(text: &str, end: char, brackets: Brackets) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            _ if c == end => return Some(at),
            '[' if brackets == Brackets::Seen => {
                chars.next_if(|(_, c)| *c == '^');
                chars.next_if(|(_, c)| *c == ']');
                let mut class = None;
                // The set ends at a `]` that ends no class like `[:alpha:]`.
                while let Some((_, c)) = chars.next() {
                    match (class, c) {
                        (None, '[') => {
                            class = chars
                                .next_if(|(_, c)| matches!(c, ':' | '.' | '='))
                                .map(|(_, c)| c);
                        }
                        (None, ']') => break,
                        (Some(mark), c)
                            if c == mark && chars.next_if(|(_, c)| *c == ']').is_some() =>
                        {
                            class = None;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    None
}
