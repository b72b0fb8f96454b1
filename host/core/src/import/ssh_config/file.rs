//! The lines of a configuration file, with the files that it includes in their places.
//!
//! Must not: decide which lines hold for a host.

use super::super::{
    IMPORT_BYTES_MAX, IMPORT_FILES_MAX, ImportFault, Note, Place, Room, Shelf, Text, shown,
};
use super::words::{self, Broken};

/// Deepest nesting of files, as in OpenSSH.
const DEPTH_MAX: usize = 16;
/// Most files that one import keeps notes on.
const NOTES_MAX: usize = 200;
/// Most patterns of `Include` in all files together: each may be looked for in many directories.
const PATTERNS_MAX: usize = 512;
/// Longest pattern of `Include`, in bytes: no path is longer.
const PATTERN_BYTES_MAX: usize = 4_096;
/// Most lines with something on them in all files together: what is kept of one is much more than its text.
const LINES_MAX: usize = 200_000;

/// What a line says.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// `Host`, with its patterns.
    Host(Vec<String>),
    /// `Match`, with its words.
    Match(Vec<String>),
    /// `Include`, with the lines of each file, in order.
    Include(Vec<Vec<Line>>),
    /// Anything else: the keyword in lower case and its arguments.
    Setting(String, Vec<String>),
}

/// A line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// A file with everything that it includes.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) lines: Vec<Line>,
    pub(super) place: Place,
    /// What was said of files that are not there.
    pub(super) notes: Vec<Note>,
}

impl Lines {
    /// Shows every line, those of included files in their places.
    pub(super) fn each<'l>(&'l self, see: &mut dyn FnMut(&'l Line)) {
        fn walk<'l>(lines: &'l [Line], see: &mut dyn FnMut(&'l Line)) {
            for line in lines {
                see(line);
                if let Kind::Include(files) = &line.kind {
                    for file in files {
                        walk(file, see);
                    }
                }
            }
        }
        walk(&self.lines, see);
    }
}

/// Reads a file and what it includes.
pub(super) fn read(text: &Text, shelf: &dyn Shelf) -> Result<Lines, ImportFault> {
    let mut reading = Reading {
        shelf,
        files: 0,
        bytes: 0,
        lines: 0,
        patterns: 0,
        notes: Vec::new(),
    };
    let lines = reading.file(text, 0)?;
    let place = Place {
        file: text.name.clone(),
        line: 0,
    };
    Ok(Lines {
        lines,
        place,
        notes: reading.notes,
    })
}

struct Reading<'s> {
    shelf: &'s dyn Shelf,
    files: usize,
    bytes: usize,
    lines: usize,
    patterns: usize,
    notes: Vec<Note>,
}

impl Reading<'_> {
    fn file(&mut self, text: &Text, depth: usize) -> Result<Vec<Line>, ImportFault> {
        let place = |line| Place {
            file: text.name.clone(),
            line,
        };
        self.files += 1;
        self.bytes = self.bytes.saturating_add(text.text.len());
        let bound =
            |what: String| Err(ImportFault::new(place(0), what, "Split the configuration."));
        if self.files > IMPORT_FILES_MAX {
            return bound(format!("expected at most {IMPORT_FILES_MAX} files"));
        }
        if self.bytes > IMPORT_BYTES_MAX {
            return bound(format!(
                "expected at most {IMPORT_BYTES_MAX} bytes in all files together"
            ));
        }
        if depth > DEPTH_MAX {
            return bound(format!(
                "expected files at most {DEPTH_MAX} deep inside each other"
            ));
        }
        let mut lines = Vec::new();
        for (index, line) in text.text.split('\n').enumerate() {
            let place = place(index + 1);
            if let Some(kind) = self.line(line, &place, depth)? {
                self.lines += 1;
                if self.lines > LINES_MAX {
                    let what = format!("expected at most {LINES_MAX} lines in all files together");
                    return Err(ImportFault::new(place, what, "Split the configuration."));
                }
                lines.push(Line { kind, place });
            }
        }
        Ok(lines)
    }

    fn line(
        &mut self,
        line: &str,
        place: &Place,
        depth: usize,
    ) -> Result<Option<Kind>, ImportFault> {
        let broken = |broken| {
            let (text, hint) = match broken {
                Broken::Quote => ("expected a closing quote, got the end of the line", ""),
                Broken::NoArgument => ("expected a value behind the keyword, got none", ""),
            };
            ImportFault::new(place.clone(), text, hint)
        };
        let Some((keyword, rest)) = words::keyword(line).map_err(broken)? else {
            return Ok(None);
        };
        let arguments = words::arguments(rest).map_err(broken)?;
        if arguments.is_empty() {
            return Err(broken(Broken::NoArgument));
        }
        Ok(Some(match keyword.as_str() {
            "host" => Kind::Host(arguments),
            "match" => Kind::Match(arguments),
            "include" => Kind::Include(self.include(&arguments, place, depth)?),
            _ => Kind::Setting(keyword, arguments),
        }))
    }

    fn include(
        &mut self,
        patterns: &[String],
        place: &Place,
        depth: usize,
    ) -> Result<Vec<Vec<Line>>, ImportFault> {
        let mut files = Vec::new();
        for pattern in patterns {
            self.patterns += 1;
            let bound = if self.patterns > PATTERNS_MAX {
                Some(format!(
                    "expected at most {PATTERNS_MAX} patterns of Include in all files together"
                ))
            } else if pattern.len() > PATTERN_BYTES_MAX {
                Some(format!(
                    "expected a pattern of at most {PATTERN_BYTES_MAX} bytes"
                ))
            } else {
                None
            };
            if let Some(what) = bound {
                let hint = "Split the configuration.";
                return Err(ImportFault::new(place.clone(), what, hint));
            }
            // A configuration that is read for its user lies where the user's own does.
            let anchored = if pattern.starts_with('/') || pattern.starts_with('~') {
                pattern.clone()
            } else {
                format!("~/.ssh/{pattern}")
            };
            let room = Room {
                files: IMPORT_FILES_MAX.saturating_sub(self.files),
                bytes: IMPORT_BYTES_MAX.saturating_sub(self.bytes),
            };
            let found = self.shelf.find(&anchored, room).map_err(|why| {
                ImportFault::new(
                    place.clone(),
                    format!("a file that is included cannot be read: {why}"),
                    "",
                )
            })?;
            if found.is_empty() && self.notes.len() < NOTES_MAX {
                self.notes.push(Note {
                    place: place.clone(),
                    text: format!("no file is there for Include {}", shown(&anchored)),
                });
            }
            for text in &found {
                files.push(self.file(text, depth + 1)?);
            }
        }
        Ok(files)
    }
}
