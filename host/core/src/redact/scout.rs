//! Where a secret might be, at the speed of memory: the literals that most rules begin with are searched
//! by SIMD, and runs of letters that are long enough for a token are looked up by their first bytes. What
//! it says is a suspicion; the rules themselves decide, and only about the lines that are under one.
//!
//! Must not: say nothing where a rule would find a secret written in the usual letters. Names are looked for
//! in small, capital and title letters (`pAsSwOrD=` alone raises no suspicion).
//! What it says of a line depends on that line alone.

use super::catalog::shipped;
use super::encoded::{self, Form};
use super::grams::Fours;
use super::leads::{
    MARK, NAMES, SCHEME, SCHEMES, SHORT_NAMES, SIGNED_NAMES, SIGNS, SUSPECTS, TELLING, tells,
    untelling,
};
use super::literals::{Folded, Search, fold};
use super::source::{Source, is_blank};
use super::stream::suspect;
use super::tokens::Token;
use super::{commands, directives, printed, ties, tokens, urls};
use std::sync::LazyLock;

/// Shortest run of token letters that is looked at, in bytes: one this long fills an aligned block of eight.
const RUN_BYTES_MIN: usize = 15;
/// Blocks of eight that are looked at in one go.
const GROUP_BLOCKS: usize = 8;
/// How far before a run its token may begin, in bytes: the longest prefix with a full stop in it.
const BEFORE_RUN_BYTES: usize = 16;
/// Most bytes of a name after the fragment by which it was found.
const NAME_BYTES_MAX: usize = 64;
/// Longest part of a name right before a sign of [`SIGNED_NAMES`], in bytes.
const SIGNED_BYTES_MAX: usize = 7;

/// What stands where the scout stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lead {
    /// A part of a name that may be a secret's.
    Name,
    /// Something for the rules.
    Suspect,
}

/// A place and what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) at: usize,
    pub(super) lead: Lead,
}

/// What a run of letters may begin with.
#[derive(Debug)]
enum Head {
    Token(&'static Token),
    Encoded(Form),
    WebToken,
    Other(&'static str),
}

impl Head {
    fn literal(&self) -> &str {
        match self {
            Self::Token(token) => &token.prefix,
            Self::Encoded(form) => &form.literal,
            Self::WebToken => "eyJ",
            Self::Other(literal) => literal,
        }
    }

    /// Whether the rule finds something at a place that it has not read.
    fn holds(&self, source: Source<'_>, at: usize, read: &mut HeadsRead) -> bool {
        let (found, covered) = match self {
            Self::Token(token) => {
                let Some(covered) = read.tokens.get_mut(token.alphabet()) else {
                    return false;
                };
                if at + token.prefix.len() <= *covered {
                    return token.ends_at(source, at, *covered);
                }
                (token.at(source, at).map(|found| found.end), covered)
            }
            Self::Encoded(form) if at >= read.encoded => {
                let found = encoded::at(source, at, form, read.encoded);
                (found.map(|found| found.end), &mut read.encoded)
            }
            Self::WebToken if at >= read.web_tokens => match tokens::web_token(source, at) {
                Ok(found) => (Some(found.end), &mut read.web_tokens),
                Err(end) => {
                    read.web_tokens = end;
                    read.no_web_token = end;
                    return false;
                }
            },
            Self::WebToken => return at >= read.no_web_token,
            Self::Encoded(_) => return false,
            Self::Other(literal) => {
                return source.slice(at, at + literal.len()) == literal.as_bytes();
            }
        };
        *covered = found.map_or(*covered, |end| end.max(*covered));
        found.is_some()
    }
}

/// How far the runs are read, and how far by each family of rules. What begins inside is not asked about again:
/// each beginning in a run full of them would read the rest of it.
#[derive(Debug, Default)]
struct HeadsRead {
    tokens: [usize; tokens::BODIES],
    encoded: usize,
    web_tokens: usize,
    /// Up to where no web token begins.
    no_web_token: usize,
    /// Where the last run ended, and the last one that was searched for beginnings.
    done: usize,
    searched: usize,
}

/// The searchers, built once.
#[derive(Debug)]
pub(super) struct Scout {
    /// Parts of names of four letters and more.
    names: Folded,
    /// Shorter ones, and [`SIGNS`].
    short: Folded,
    suspects: Search,
    /// What a run may begin with, by its first four bytes.
    heads: Fours<Head>,
    /// Prefixes too short for the table: they begin a run or stand right before it.
    brief: Vec<&'static Token>,
}

static SCOUT: LazyLock<Scout> = LazyLock::new(Scout::build);

/// All hits of a text in ascending order.
pub(super) fn hits(text: &str, hits: &mut Vec<Hit>) {
    SCOUT.hits(text, hits);
}

/// Letters that may follow a prefix of three bytes.
fn letters() -> impl Iterator<Item = u8> {
    (0..=u8::MAX).filter(|byte| in_run(*byte) || matches!(byte, b'.' | b'+' | b'/'))
}

/// What a run is made of.
fn in_run(byte: u8) -> bool {
    (byte >= 0x30 && byte != b':' && byte < 0x80) || byte == b'-'
}

const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of each of eight bytes that may be in a run, counted on the word as a whole.
fn mask(block: [u8; 8]) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(block);
    let differs = |byte: u8| {
        let other = word ^ (ONES * u64::from(byte));
        ((other & LOW) + LOW) | other
    };
    let from_zero = (word & LOW) + ONES * 0x50;
    ((from_zero & differs(b':')) | !differs(b'-')) & !word & HIGH
}

/// How many blocks from the first on are in a run from end to end.
fn full_blocks(blocks: &[[u8; 8]]) -> usize {
    let (groups, _) = blocks.as_chunks::<GROUP_BLOCKS>();
    let is_full = |group: &&[[u8; 8]; GROUP_BLOCKS]| {
        group.iter().fold(HIGH, |all, block| all & mask(*block)) == HIGH
    };
    let whole = groups.iter().take_while(is_full).count() * GROUP_BLOCKS;
    let rest = blocks.iter().skip(whole);
    whole + rest.take_while(|block| mask(**block) == HIGH).count()
}

impl Scout {
    fn build() -> Self {
        let mut scout = Self {
            names: Folded::new(
                TELLING
                    .iter()
                    .map(|(_, literal, _)| literal)
                    .chain(NAMES)
                    .chain(SIGNED_NAMES)
                    .copied(),
            ),
            short: Folded::new(SHORT_NAMES.iter().chain(SIGNS).copied()),
            suspects: Search::of_rows(&SUSPECTS),
            heads: Fours::new(),
            brief: Vec::new(),
        };
        for token in &shipped().tokens {
            if token.prefix.len() < 3 {
                scout.brief.push(token);
            } else {
                scout.enter(|| Head::Token(token));
            }
        }
        for form in encoded::forms() {
            scout.enter(|| Head::Encoded(form.clone()));
        }
        scout.enter(|| Head::WebToken);
        for literal in [
            "JQQJ99",
            "NRAL",
            "::server:",
            "::node:",
            "AZDO",
            ".atlasv1.",
            "X-Amz-Signature=",
            "X-Goog-Signature=",
        ] {
            scout.enter(|| Head::Other(literal));
        }
        scout
    }

    /// Enters a beginning under its first four bytes.
    fn enter(&mut self, head: impl Fn() -> Head) {
        let made = head();
        match made.literal().as_bytes() {
            [a, b, c, d, ..] => self.heads.enter([*a, *b, *c, *d], made),
            [a, b, c] => letters().for_each(|d| self.heads.enter([*a, *b, *c, d], head())),
            _ => {}
        }
    }

    fn hits(&self, text: &str, hits: &mut Vec<Hit>) {
        hits.clear();
        if self.is_broken() && !text.is_empty() {
            // Everything is under suspicion then.
            let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
            hits.extend([0].into_iter().chain(ends).map(suspect));
        }
        let source = Source::new(text);
        let bytes = text.as_bytes();
        let folded: Vec<u8> = bytes.iter().copied().map(fold).collect();
        self.names(source, &folded, hits);
        self.short(source, &folded, hits);
        let mut at = 0;
        while let Some((start, _)) = self.suspects.next(bytes, at) {
            hits.push(suspect(start));
            at = line_end(bytes, start);
        }
        signs(source, hits);
        self.runs(text, hits);
        hits.sort_unstable();
    }

    fn is_broken(&self) -> bool {
        let folded = [&self.names, &self.short];
        self.suspects.is_broken() || folded.iter().any(|folded| folded.is_broken())
    }

    /// Parts of names that something may tie a value to. The rest of the name is passed over, except for
    /// the parts right before a sign.
    fn names(&self, source: Source<'_>, folded: &[u8], hits: &mut Vec<Hit>) {
        let (mut at, mut passed) = (0, 0);
        while let Some((start, spelt)) = self.names.next(source, folded, at) {
            at = start + 1;
            if spelt.is_some() && tells(source, start) {
                hits.push(suspect(start));
            }
            let spelt = spelt.and_then(untelling);
            if let Some(literal) = spelt
                && (start >= passed || SIGNED_NAMES.contains(&literal))
            {
                passed = name(source, start, literal, hits).max(at);
                at = at.max(passed.saturating_sub(SIGNED_BYTES_MAX));
            }
        }
    }

    /// Short parts of names, addresses with userinfo, marks, flags of programs.
    fn short(&self, source: Source<'_>, folded: &[u8], hits: &mut Vec<Hit>) {
        let bytes = source.bytes();
        let mut ahead = urls::Ahead::default();
        let (mut at, mut flags_from) = (0, 0);
        while let Some((start, spelt)) = self.short.next(source, folded, at) {
            at = start + 1;
            match spelt {
                None if source.slice(start, start + 2) == b" -" => {}
                None => continue,
                Some(SCHEME) => {
                    if urls::at(source, start, SCHEME, &mut ahead).is_some() {
                        hits.push(suspect(start));
                    }
                    at = start + SCHEME.len();
                    continue;
                }
                Some(literal) if SCHEMES.contains(&literal) => {
                    if urls::is_login_escaped(source, start) {
                        hits.push(suspect(start));
                    }
                    continue;
                }
                Some(MARK) => {
                    hits.push(suspect(start));
                    at = start + MARK.len();
                    continue;
                }
                Some(flag) if flag.starts_with(" -") => {}
                Some(literal) => {
                    at = at.max(name(source, start, literal, hits));
                    continue;
                }
            }
            if start >= flags_from && is_flag(source, start) {
                let line = memchr::memrchr(b'\n', bytes.get(..start).unwrap_or_default())
                    .map_or(0, |end| end + 1);
                if commands::names_program(source.str(line, start)) {
                    hits.push(suspect(start));
                }
                // One look at a line is enough for all flags behind the first ones of interest.
                flags_from = line_end(bytes, start);
            }
        }
    }

    /// Runs of letters that are long enough for a token.
    fn runs(&self, text: &str, hits: &mut Vec<Hit>) {
        let bytes = text.as_bytes();
        let (blocks, _) = bytes.as_chunks::<8>();
        let (groups, _) = blocks.as_chunks::<GROUP_BLOCKS>();
        let whole = groups.len() * GROUP_BLOCKS;
        let mut read = HeadsRead::default();
        for (group, eight) in groups.iter().enumerate() {
            if (group + 1) * GROUP_BLOCKS * 8 <= read.done {
                continue;
            }
            // Counted without an exit, so that the compiler turns it into vector code.
            let mut masks = [0; GROUP_BLOCKS];
            for (mask, block) in masks.iter_mut().zip(eight) {
                *mask = self::mask(*block);
            }
            for (offset, _) in masks.iter().enumerate().filter(|(_, mask)| **mask == HIGH) {
                self.full_block(text, blocks, group * GROUP_BLOCKS + offset, &mut read, hits);
            }
        }
        let rest = blocks.iter().enumerate().skip(whole);
        for (index, _) in rest.filter(|(_, block)| mask(**block) == HIGH) {
            self.full_block(text, blocks, index, &mut read, hits);
        }
    }

    /// Looks at the run around a block of eight letters, unless it is short.
    fn full_block(
        &self,
        text: &str,
        blocks: &[[u8; 8]],
        index: usize,
        read: &mut HeadsRead,
        hits: &mut Vec<Hit>,
    ) {
        let at = index * 8;
        if at < read.done {
            return;
        }
        let at_block = |index: usize| blocks.get(index).map_or(HIGH, |block| mask(*block));
        let before = index.checked_sub(1).map_or(0, at_block);
        let next = at_block(index + 1);
        let around = (!before & HIGH).leading_zeros() / 8 + (!next & HIGH).trailing_zeros() / 8;
        if around + 8 < RUN_BYTES_MIN as u32 {
            return;
        }
        let source = Source::new(text);
        let start = source.back(at, at - read.done.min(at), in_run);
        // Whole blocks first: a run may be as long as the text.
        let full = full_blocks(blocks.get(index + 1..).unwrap_or_default());
        let end = source.run(at + 8 + full * 8, 8, in_run);
        read.done = end;
        if end - start >= RUN_BYTES_MIN {
            self.run(source, (start, end), read, hits);
        }
    }

    fn run(
        &self,
        source: Source<'_>,
        (start, end): (usize, usize),
        read: &mut HeadsRead,
        hits: &mut Vec<Hit>,
    ) {
        if self.is_odd(source, start, end) {
            hits.push(suspect(start));
        }
        let from = start
            .saturating_sub(BEFORE_RUN_BYTES)
            .max(read.searched.saturating_sub(3));
        let window = source.slice(from, end);
        read.searched = end;
        let mut last = None;
        self.heads.each(window, |place, head| {
            let at = from + place;
            if last != Some(at) && head.holds(source, at, read) {
                last = Some(at);
                hits.push(suspect(at));
            }
        });
    }

    /// What tells by something else than its first letters.
    fn is_odd(&self, source: Source<'_>, start: usize, end: usize) -> bool {
        let length = end - start;
        let first = source.at(start);
        let brief = || {
            self.brief.iter().any(|token| {
                let before = start.saturating_sub(token.prefix.len());
                let letter = token.prefix.bytes().next().unwrap_or(0);
                (source.at(start) == letter && token.at(source, start).is_some())
                    || (source.at(before) == letter && token.at(source, before).is_some())
            })
        };
        let letter = |place: usize| source.at(place);
        let mailchimp = || {
            let digits = source.back(end, 2, |byte| byte.is_ascii_digit());
            source.before(digits) == b's'
                && source.slice(digits.saturating_sub(3), digits) == b"-us"
        };
        (source.before(start) == b':' && first == b'A' && letter(start + 1) == b'A')
            || (length == 35 && source.slice(start, start + 3) == b"md5")
            || (source.before(start) == b'*' && length == 40)
            || (source.before(start) == b':' && length == 32 && matches!(letter(end), b'\n' | 0))
            || (matches!(first, b'M' | b'N' | b'O')
                && source.at(end) == b'.'
                && (22..=30).contains(&length))
            || (letter(end) == b':' && letter(end + 1) == b':' && letter(end + 2) == b':')
            || mailchimp()
            || brief()
    }
}

/// Says a name of which a part stands at `start`, if something may tie a value to it. Gives where it ends.
fn name(source: Source<'_>, start: usize, literal: &str, hits: &mut Vec<Hit>) -> usize {
    // A sign in the literal is behind the name.
    let mut name = start + literal.trim_end_matches(['=', ':', '"', ' ', '>']).len();
    // A name that goes on past its bound is none, and none of its further parts begins one.
    loop {
        let run = source.run(name, NAME_BYTES_MAX, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
        });
        if run == name {
            break;
        }
        name = run;
    }
    if is_tied(source, start, name) {
        hits.push(Hit {
            at: start,
            lead: Lead::Name,
        });
    }
    name
}

/// Whether a blank and a dash at `at` begin a flag that may hold a secret.
fn is_flag(source: Source<'_>, at: usize) -> bool {
    match source.at(at + 2) {
        b'-' => matches!(source.at(at + 3), b'u' | b'a' | b'p' | b'c' | b'd' | b's'),
        byte => matches!(
            byte,
            b'p' | b'u'
                | b'U'
                | b'a'
                | b'w'
                | b's'
                | b'S'
                | b'c'
                | b'A'
                | b'X'
                | b'P'
                | b'k'
                | b'K'
                | b'N'
                | b'h'
                | b'b'
                | b'B'
        ),
    }
}

/// Hashes, and the marks inside of tokens.
fn signs(source: Source<'_>, hits: &mut Vec<Hit>) {
    let bytes = source.bytes();
    let hashes = memchr::memchr_iter(b'$', bytes).filter(|at| {
        let end = source.run(at + 1, 16, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
        });
        end > at + 1 && source.at(end) == b'$'
    });
    hits.extend(hashes.map(suspect));
    hits.extend(
        memchr::memchr_iter(b'~', bytes)
            .filter(|at| source.before(*at) == b'Q')
            .map(suspect),
    );
}

/// Where the line of a place ends.
fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes
        .get(from..)
        .and_then(|rest| memchr::memchr(b'\n', rest))
        .map_or(bytes.len(), |offset| from + offset)
}

/// Whether what follows a name may tie a value to it. Prose is what most names stand in, so a blank needs a
/// reason.
fn is_tied(source: Source<'_>, hit: usize, end: usize) -> bool {
    let next = source.at(end);
    if !is_blank(next) {
        return matches!(
            next,
            b'=' | b':'
                | b'"'
                | b'\''
                | b'`'
                | b'\\'
                | b']'
                | b'('
                | b'>'
                | b'<'
                | b'?'
                | b'+'
                | b'|'
                | b','
                | b';'
                | b'\n'
                | 0xC2
                | 0xE2
                | 0xE3
                | 0xEF
                | b'%'
                | b'&'
                | 0
        );
    }
    let gap = source.run(end, 64, is_blank);
    let start = source.back(hit, NAME_BYTES_MAX, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
    });
    let before = source.before(start);
    let by_sign = match source.at(gap) {
        b'=' | b':' | b'"' | b'\'' | b'|' | b'?' | b'+' | b',' | b'\n' | b'\\' | 0 | 0xC2
        | 0xEF => true,
        b'0'..=b'9' => source.at(source.run(gap, 4, |byte| byte.is_ascii_digit())) == b':',
        b'i' | b'g' | b's' | b'w' | b'c' | b'r' | b'f' => ties::may_be_told(source, gap),
        _ => false,
    };
    let heads_row =
        (gap - end >= 2 || next == b'\t') && matches!(before, b'\n' | 0 | b' ' | b'\t' | b'|');
    by_sign
        || heads_row
        || source.at(start) == b'-'
        || matches!(before, b'<' | b':')
        || ties::is_introduced(source, start)
        || is_word(source, start, end)
}

/// Whether a name is a word of a directive, or a program that takes a password. What cannot be one by its first
/// letter and its length is not looked up.
fn is_word(source: Source<'_>, start: usize, end: usize) -> bool {
    let lengths = STARTS.get(usize::from(source.at(start).to_ascii_lowercase()));
    let length = 1_u32 << (end - start).min(31);
    let name = source.str(start, end);
    (lengths.is_some_and(|lengths| lengths & length != 0)
        && (directives::is_word_of_one(name) || commands::takes(name) || printed::is_trigger(name)))
        || name.ends_with("passwd")
}

/// The lengths of the words that begin with each letter.
static STARTS: LazyLock<[u32; 256]> = LazyLock::new(|| {
    let mut lengths = [0; 256];
    for word in directives::words()
        .chain(commands::words())
        .chain(printed::triggers())
    {
        if let Some(first) = word.bytes().next()
            && let Some(lengths) = lengths.get_mut(usize::from(first.to_ascii_lowercase()))
        {
            *lengths |= 1_u32 << word.len().min(31);
        }
    }
    lengths
});
