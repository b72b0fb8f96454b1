//! Redirections: what a command's descriptors are before it runs. Must not: judge a target but by what
//! only a shell would make of it.

use super::characters::ends_word;
use super::grammar::{Grammar, Read};
use super::tree::{FileUse, Redirection, Word};
use super::word::{self, Setting};
use super::{REDIRECTIONS_MAX, Unanalysable, reason};

impl Grammar<'_> {
    /// Whether a redirection begins here. Digits belong to it only when they touch its operator.
    pub(super) fn at_redirection(&self) -> Read<bool> {
        let rest = self.cursor.rest().as_bytes();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match (rest.get(digits), digits) {
            (Some(b'<' | b'>'), 0 | 1) => Ok(true),
            (Some(b'<' | b'>'), _) => Err(self.refused(reason::FILE_DESCRIPTOR)),
            _ => Ok(false),
        }
    }

    /// One redirection; `before` of its command stand before it.
    pub(super) fn redirection(&mut self, before: usize) -> Read<Redirection> {
        if before >= REDIRECTIONS_MAX {
            return Err(self.refused(reason::TOO_MANY_REDIRECTIONS));
        }
        let start = self.cursor.at();
        let fd = self.peek().and_then(digit);
        if fd.is_some() {
            self.cursor.pass(1);
        }
        let (operator, next) = (self.peek(), self.cursor.peek(1));
        let (bytes, access) = match (operator, next) {
            (Some(b'<'), Some(b'<')) => return self.here(start, fd.unwrap_or(0)),
            (_, Some(b'(')) => return Err(Unanalysable::new(start, reason::PROCESS_SUBSTITUTION)),
            (Some(b'<'), Some(b'&')) => {
                return Err(Unanalysable::new(start, reason::REDIRECTION_OF_INPUT));
            }
            (_, Some(b'&')) => {
                self.cursor.pass(2);
                let to = self.descriptor(start)?;
                let from = fd.unwrap_or(1);
                return Ok(Redirection::Duplicate { from, to });
            }
            (Some(b'<'), Some(b'>')) => (2, FileUse::ReadWrite),
            (Some(b'<'), _) => (1, FileUse::Read),
            (_, Some(b'>')) => (2, FileUse::Append),
            (_, Some(b'|')) => (2, FileUse::Write),
            (_, _) => (1, FileUse::Write),
        };
        self.cursor.pass(bytes);
        self.file(start, fd, access)
    }

    /// A file to open, which may be the one that is always empty.
    fn file(&mut self, start: usize, fd: Option<u8>, access: FileUse) -> Read<Redirection> {
        let target = self.target(start)?;
        let touches = matches!(self.peek(), Some(b'<' | b'>'));
        let text = target.text.as_str();
        let refused = match text {
            _ if target.dynamic => Some(reason::DYNAMIC_TARGET),
            _ if target.tilde => Some(reason::TILDE_EXPANSION),
            // Some shells open what the glob matches, others the file of that name.
            _ if target.glob => Some(reason::GLOB_TARGET),
            "" => Some(reason::REDIRECTION_WITHOUT_TARGET),
            // A digit that touches a further operator is the other's descriptor in some shells.
            _ if touches && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(reason::FILE_DESCRIPTOR)
            }
            _ if touches && text.starts_with('{') => Some(reason::FILE_DESCRIPTOR),
            _ if is_socket(text) => Some(reason::REDIRECTION_TO_NETWORK),
            _ => None,
        };
        if let Some(reason) = refused {
            return Err(Unanalysable::new(start, reason));
        }
        let is_null = text == "/dev/null";
        Ok(match access {
            FileUse::Read if is_null => Redirection::FromNull {
                fd: fd.unwrap_or(0),
            },
            FileUse::Write | FileUse::Append if is_null => Redirection::ToNull {
                fd: fd.unwrap_or(1),
            },
            FileUse::Read | FileUse::ReadWrite => Redirection::File {
                fd: fd.unwrap_or(0),
                access,
                target,
            },
            FileUse::Write | FileUse::Append => Redirection::File {
                fd: fd.unwrap_or(1),
                access,
                target,
            },
        })
    }

    /// The target of a redirection that began at `start`.
    fn target(&mut self, start: usize) -> Read<Word> {
        self.skip_blanks()?;
        if self.peek().is_none_or(ends_word) {
            return Err(Unanalysable::new(start, reason::REDIRECTION_WITHOUT_TARGET));
        }
        Ok(word::read(self, Setting::Plain)?.word)
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
                None => reason::REDIRECTION_OF_BOTH,
            },
            bytes if bytes.iter().all(u8::is_ascii_digit) => reason::FILE_DESCRIPTOR,
            _ => reason::REDIRECTION_OF_BOTH,
        };
        Err(Unanalysable::new(start, reason))
    }

    /// Puts the redirections of a compound command on each leaf in it, before those of what is inside.
    pub(super) fn inherit(&mut self, first_leaf: usize, redirections: &[Redirection]) -> Read<()> {
        if redirections.is_empty() {
            return Ok(());
        }
        let leaves = self.leaves.len().saturating_sub(first_leaf);
        let more = leaves.saturating_mul(redirections.len());
        self.inherited = self.inherited.saturating_add(more);
        if self.inherited > super::INHERITED_MAX {
            return Err(self.refused(reason::TOO_MANY_REDIRECTIONS));
        }
        let text: usize = redirections.iter().map(Redirection::text_bytes).sum();
        self.add_text(text.saturating_mul(leaves), self.cursor.at())?;
        for leaf in self.leaves.iter_mut().skip(first_leaf) {
            leaf.inherited.splice(0..0, redirections.iter().cloned());
        }
        Ok(())
    }
}

/// SECURITY: bash opens a connection for these names, and nothing in the file system is asked.
fn is_socket(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    // LIMIT: the name counts anywhere in the path, because a `..` may stand before it.
    parts.any(|part| part == "dev") && parts.any(|part| matches!(part, "tcp" | "udp"))
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte.saturating_sub(b'0'))
}
