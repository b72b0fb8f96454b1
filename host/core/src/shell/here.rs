//! Here-documents. The text stands behind the end of the line, so it is read when its operator is met,
//! and the line's end jumps over it. Must not: accept a text in which a shell would expand anything, or
//! one whose place shells do not agree on.

use super::characters::{ends_word, is_plain};
use super::grammar::{Grammar, Read};
use super::tree::Redirection;
use super::word::{self, Setting};
use super::{HERE_DOCUMENTS_MAX, Unanalysable, reason};

/// A line with here-documents behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Where it ends: its newline.
    end: usize,
    /// Where the source goes on behind the here-documents.
    resume: usize,
}

impl Grammar<'_> {
    /// A here-document; the cursor is at the `<<` of the redirection that began at `start`.
    pub(super) fn here(&mut self, start: usize, fd: u8) -> Read<Redirection> {
        let refused = |reason| Err(Unanalysable::new(start, reason));
        if self.cursor.peek(2) == Some(b'<') {
            return refused(reason::HERE_STRING);
        }
        // SECURITY: shells differ on where the text stands when the substitution ends on the same line.
        if self.substitutions > 0 {
            return refused(reason::HERE_DOCUMENT_PLACE);
        }
        if self.here_documents >= HERE_DOCUMENTS_MAX {
            return refused(reason::TOO_MANY_HERE_DOCUMENTS);
        }
        self.here_documents = self.here_documents.saturating_add(1);
        let strips = self.cursor.peek(2) == Some(b'-');
        self.cursor.pass(if strips { 3 } else { 2 });
        self.skip_blanks()?;
        if self.peek().is_none_or(ends_word) {
            return refused(reason::REDIRECTION_WITHOUT_TARGET);
        }
        let delimiter = word::read(self, Setting::Plain)?.word;
        let is_plain = !delimiter.text.is_empty() && delimiter.text.chars().all(is_plain);
        if delimiter.is_unknown() || !is_plain {
            return refused(reason::HERE_DOCUMENT_DELIMITER);
        }
        let line = match self.line {
            Some(line) => line,
            None => {
                let Some(length) = self.cursor.rest().find('\n') else {
                    return refused(reason::UNTERMINATED_HERE_DOCUMENT);
                };
                let end = self.cursor.at().saturating_add(length);
                let resume = end.saturating_add(1);
                Line { end, resume }
            }
        };
        let mut body = String::new();
        let mut at = line.resume;
        let text = self.cursor.source().get(at..).unwrap_or_default();
        for written in text.split_inclusive('\n') {
            at = at.saturating_add(written.len());
            let kept = match strips {
                true => written.trim_start_matches('\t'),
                false => written,
            };
            if kept.strip_suffix('\n').unwrap_or(kept) == delimiter.text {
                self.line = Some(Line {
                    end: line.end,
                    resume: at,
                });
                body.shrink_to_fit();
                return Ok(Redirection::Here { fd, body });
            }
            if !delimiter.quoted
                && let Some(place) = written.find(['$', '`', '\\'])
            {
                let offset = at.saturating_sub(written.len()).saturating_add(place);
                return Err(Unanalysable::new(offset, reason::HERE_DOCUMENT_EXPANSION));
            }
            body.push_str(kept);
        }
        refused(reason::UNTERMINATED_HERE_DOCUMENT)
    }

    /// Passes over the newline at the cursor, and over the here-documents behind it.
    pub(super) fn newline(&mut self) -> Read<()> {
        match self.line {
            Some(line) if self.cursor.at() == line.end => {
                // SECURITY: the line ends inside a substitution that began on it; shells differ on
                // whether the text is looked for there.
                if self.substitutions > 0 {
                    return Err(self.refused(reason::HERE_DOCUMENT_PLACE));
                }
                self.cursor.jump(line.resume);
                self.line = None;
            }
            Some(_) | None => self.cursor.pass(1),
        }
        Ok(())
    }

    /// Refuses a word that goes on behind the end of a line with here-documents.
    pub(super) fn check_line(&self) -> Read<()> {
        match self.line {
            Some(line) if self.cursor.at() > line.end => {
                Err(Unanalysable::new(line.end, reason::HERE_DOCUMENT_PLACE))
            }
            Some(_) | None => Ok(()),
        }
    }
}
