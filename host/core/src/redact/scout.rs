//! Where a secret might be, at the speed of memory: the literals that most rules begin with are searched
//! by SIMD, and runs of letters that are long enough for a token are looked up by their first bytes. What
//! it says is a suspicion; the rules themselves decide, and only about the lines that are under one.
//!
//! Must not: say nothing where a rule would find a secret written in the usual letters. Names are looked for
//! in small, capital and title letters (`pAsSwOrD=` alone raises no suspicion).
//! What it says of a line depends on that line alone.
//!
//! Known limits: a token whose full stops leave no run of fifteen letters in it raises no suspicion by itself, as no
//! issuer makes such ones.

use super::catalog::shipped;
use super::encoded::{self, Form};
use super::grams::Fours;
use super::leads::{self, MARK, SCHEME, Sign, SignKind};
use super::sieve::{self, Marks, Pattern, Sieve, Signs, in_run};
use super::source::{Source, is_blank};
use super::stream::suspect;
use super::tokens::Token;
use super::{commands, directives, printed, ties, tokens, urls};
use std::sync::LazyLock;

/// How far before a run its token may begin, in bytes: the longest prefix with a full stop in it.
const BEFORE_RUN_BYTES: usize = 16;
/// Most bytes of a name after the fragment by which it was found.
const NAME_BYTES_MAX: usize = 64;
/// Longest part of a name right before a sign of its own, in bytes.
const SIGNED_BYTES_MAX: usize = 7;
/// Sets of buckets of the literals.
const SETS: usize = 4;
/// Chunks that are marked in one go.
const BLOCK_CHUNKS: usize = 64;
/// So many chunks with runs in them make a block be searched for beginnings as a whole.
const DENSE_CHUNKS: usize = 24;
/// The same of what a run may begin with.
const HEAD_SETS: usize = 4;

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
                let found = encoded::in_line(source, at, form, read.encoded);
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
    /// Where the last run ended that was searched for beginnings.
    searched: usize,
}

/// Where the beginnings of tokens may stand in a block that is full of runs.
struct Heads {
    /// Where the block begins; past all text where it is not full of them.
    from: usize,
    marks: Marks<BLOCK_CHUNKS>,
}

/// The searchers, built once.
#[derive(Debug)]
pub(super) struct Scout {
    sieve: Sieve<SETS>,
    /// What the literals of each of its buckets are.
    signs: Vec<Vec<Sign>>,
    /// What a run may begin with, by its first four bytes.
    heads: Fours<Head>,
    /// Finds where these may stand.
    sieve_of_heads: Sieve<HEAD_SETS>,
    /// Prefixes too short for the table: they begin a run or stand right before it.
    brief: Vec<&'static Token>,
    /// What these begin with.
    brief_letters: Signs,
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

impl Scout {
    fn build() -> Self {
        let (signs, patterns): (Vec<Sign>, Vec<Pattern>) = leads::signs().into_iter().unzip();
        let (sieve, buckets) = Sieve::new(&patterns, leads::HASH);
        let mut rows: Vec<Vec<Sign>> = vec![Vec::new(); SETS * sieve::SET_BUCKETS];
        for (sign, bucket) in signs.into_iter().zip(buckets) {
            rows.get_mut(bucket)
                .into_iter()
                .for_each(|row| row.push(sign.clone()));
        }
        let (mut heads, mut patterns) = (Fours::new(), Vec::new());
        let mut enter = |head: &dyn Fn() -> Head| {
            let made = head();
            let mut pattern = sieve::pattern(made.literal());
            match made.literal().as_bytes() {
                [a, b, c, d, ..] => heads.enter([*a, *b, *c, *d], made),
                [a, b, c] => {
                    let [.., last] = &mut pattern;
                    *last = letters().fold(0, |all, letter| all | sieve::sign(letter));
                    letters().for_each(|d| heads.enter([*a, *b, *c, d], head()));
                }
                _ => return,
            }
            patterns.push(pattern);
        };
        let mut brief = Vec::new();
        for token in &shipped().tokens {
            if token.prefix.len() < 3 {
                brief.push(token);
            } else {
                enter(&|| Head::Token(token));
            }
        }
        for form in encoded::forms() {
            enter(&|| Head::Encoded(form.clone()));
        }
        enter(&|| Head::WebToken);
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
            enter(&|| Head::Other(literal));
        }
        let (sieve_of_heads, _) = Sieve::new(&patterns, 0);
        Self {
            sieve,
            signs: rows,
            heads,
            sieve_of_heads,
            brief_letters: brief.iter().fold(0, |all, token: &&Token| {
                let first = token.prefix.bytes().next();
                all | first.map_or(sieve::ANY, sieve::sign)
            }),
            brief,
        }
    }

    fn hits(&self, text: &str, hits: &mut Vec<Hit>) {
        hits.clear();
        let source = Source::new(text);
        let bytes = source.bytes();
        let (mut marks, mut before, mut open) = (Marks::<BLOCK_CHUNKS>::NONE, 0, None);
        let (mut read, mut passed) = (HeadsRead::default(), Passed::default());
        let mut heads = Heads {
            from: usize::MAX,
            marks: Marks::NONE,
        };
        for from in (0..bytes.len()).step_by(BLOCK_CHUNKS * sieve::CHUNK) {
            self.sieve.mark(bytes, from, &mut before, &mut marks);
            sieve::each_in(&marks.literals, from, 0..bytes.len(), |at| {
                self.literals(source, at, &mut passed, hits);
            });
            let with_runs = marks.runs.iter().filter(|runs| **runs != 0).count();
            heads.from = usize::MAX;
            if with_runs >= DENSE_CHUNKS {
                self.sieve_of_heads
                    .mark_letters(bytes, from, &mut heads.marks);
                heads.from = from;
            }
            sieve::runs(&marks.runs, from, &mut open, |run| {
                self.run(source, run, &heads, &mut read, hits);
            });
        }
        if let Some(start) = open {
            self.run(source, (start, bytes.len()), &heads, &mut read, hits);
        }
        hits.sort_unstable();
    }

    /// Judges what stands at a place where a literal may.
    fn literals(&self, source: Source<'_>, at: usize, passed: &mut Passed, hits: &mut Vec<Hit>) {
        let rest = source.slice(at, source.len());
        let eight = sieve::eight(rest);
        if rest.first() == Some(&leads::HASH) && begins_hash(source, at) {
            hits.push(suspect(at));
        }
        let mut buckets = self.sieve.buckets(sieve::four(rest));
        while buckets != 0 {
            let bucket = buckets.trailing_zeros() as usize;
            buckets &= buckets - 1;
            let row = self.signs.get(bucket).map_or(&[][..], Vec::as_slice);
            for sign in row {
                if sign.begins(rest, eight) {
                    passed.take(source, at, sign, hits);
                }
            }
        }
    }

    fn run(
        &self,
        source: Source<'_>,
        (start, end): (usize, usize),
        heads: &Heads,
        read: &mut HeadsRead,
        hits: &mut Vec<Hit>,
    ) {
        if self.is_odd(source, start, end) {
            hits.push(suspect(start));
        }
        // Not before its line: what a line is suspected of must not hang on the next one being there.
        let from = source
            .back(start, BEFORE_RUN_BYTES, |byte| byte != b'\n')
            .max(read.searched.saturating_sub(3));
        read.searched = end;
        // What is not marked yet is looked at chunk by chunk.
        let marked = heads.from.clamp(from, end);
        let mut last = None;
        let mut judge = |at| self.head(source, at, end, &mut last, read, hits);
        self.sieve_of_heads
            .each(source.bytes(), from..marked, &mut judge);
        if marked < end {
            sieve::each_in(&heads.marks.literals, heads.from, marked..end, judge);
        }
    }

    /// Judges what may begin at a place of a run that ends at `end`.
    fn head(
        &self,
        source: Source<'_>,
        at: usize,
        end: usize,
        last: &mut Option<usize>,
        read: &mut HeadsRead,
        hits: &mut Vec<Hit>,
    ) {
        let four = sieve::four(source.slice(at, end));
        self.heads.at(four, |head| {
            if *last != Some(at) && head.holds(source, at, read) {
                *last = Some(at);
                hits.push(suspect(at));
            }
        });
    }

    /// What tells by something else than its first letters.
    fn is_odd(&self, source: Source<'_>, start: usize, end: usize) -> bool {
        let length = end - start;
        let first = source.at(start);
        // The prefix begins with the run or stands right before it.
        let begun = [start, start.saturating_sub(1), start.saturating_sub(2)];
        let brief = || {
            begun
                .iter()
                .any(|at| self.brief_letters & sieve::sign(source.at(*at)) != 0)
                && self.brief.iter().any(|token| {
                    let before = start.saturating_sub(token.prefix.len());
                    token.at(source, start).is_some() || token.at(source, before).is_some()
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

/// How far each family of literals has judged a text.
#[derive(Debug, Default)]
struct Passed {
    /// Up to where parts of names of four letters and more are judged, and the end of the last name.
    names: usize,
    name: usize,
    /// Up to where shorter ones, addresses, marks and flags are.
    short: usize,
    /// From where flags are looked at again.
    flags: usize,
    suspects: usize,
    addresses: urls::Ahead,
}

impl Passed {
    /// Judges a literal that stands at a place.
    fn take(&mut self, source: Source<'_>, at: usize, sign: &Sign, hits: &mut Vec<Hit>) {
        match &sign.kind {
            SignKind::Name { part, signed, .. } if at >= self.names => {
                self.names = at + 1;
                if leads::tells(source, at, sign) {
                    hits.push(suspect(at));
                }
                // The rest of a name is passed over, except for the parts right before a sign.
                if let Some(part) = part
                    && (at >= self.name || *signed)
                {
                    self.name = name(source, at, part, hits).max(at + 1);
                    self.names = self.names.max(self.name.saturating_sub(SIGNED_BYTES_MAX));
                }
            }
            SignKind::Short if at >= self.short => {
                self.short = name(source, at, sign.literal, hits).max(at + 1);
            }
            SignKind::Scheme if at >= self.short => {
                if urls::at(source, at, SCHEME, &mut self.addresses).is_some() {
                    hits.push(suspect(at));
                }
                self.short = at + SCHEME.len();
            }
            SignKind::Escaped if at >= self.short && urls::is_login_escaped(source, at) => {
                hits.push(suspect(at));
            }
            SignKind::Mark if at >= self.short => {
                hits.push(suspect(at));
                self.short = at + MARK.len();
            }
            SignKind::Flag
                if at >= self.short && at >= self.flags && leads::is_flag(source, at) =>
            {
                let head = source.slice(0, at);
                let line = memchr::memrchr(b'\n', head).map_or(0, |end| end + 1);
                if commands::names_program(source.str(line, at)) {
                    hits.push(suspect(at));
                }
                // One look at a line is enough for all flags behind the first ones of interest.
                self.flags = line_end(source.bytes(), at);
            }
            SignKind::Suspect if at >= self.suspects => {
                hits.push(suspect(at));
                self.suspects = line_end(source.bytes(), at);
            }
            SignKind::Inner => hits.push(suspect(at + 1)),
            _ => {}
        }
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

/// Whether the sign at a place begins a hash.
fn begins_hash(source: Source<'_>, at: usize) -> bool {
    let end = source.run(at + 1, 16, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
    });
    end > at + 1 && source.at(end) == leads::HASH
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
                | b'['
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
        | 0xE2 | 0xEF => true,
        b'0'..=b'9' => source.at(source.run(gap, 4, |byte| byte.is_ascii_digit())) == b':',
        b'i' | b'g' | b's' | b'w' | b'c' | b'r' | b'f' | b'h' => ties::may_be_told(source, gap),
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

/// Whether a name is a word of a directive, or a program that takes a password. What cannot be one by its ends and
/// its length is not looked up.
fn is_word(source: Source<'_>, start: usize, end: usize) -> bool {
    let name = source.str(start, end);
    let (slot, length) = shape(name);
    let lengths = SHAPES.get(slot).copied().unwrap_or(0);
    (lengths & length != 0
        && (directives::is_word_of_one(name) || commands::takes(name) || printed::is_trigger(name)))
        || name.ends_with("passwd")
}

/// Where the shapes of words like this one stand, and the bit of its length.
fn shape(word: &str) -> (usize, u32) {
    let bytes = word.as_bytes();
    let letter = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or(0) & 0x1F);
    let slot = letter(bytes.first()) << 5 | letter(bytes.last());
    (slot, 1 << bytes.len().min(31))
}

/// The lengths of the words that begin and end with the same letters, whatever their case.
static SHAPES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut lengths = vec![0; 1 << 10];
    for word in directives::words()
        .chain(commands::words())
        .chain(printed::triggers())
    {
        let (slot, length) = shape(word);
        if let Some(lengths) = lengths.get_mut(slot) {
            *lengths |= length;
        }
    }
    lengths
});
