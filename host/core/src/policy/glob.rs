//! Globs as Python's `fnmatch` reads them: `*` any run of characters (blanks and `/` too), `?` one
//! character, `[...]` and `[!...]` sets with ranges, an unclosed `[` stands for itself; the whole text
//! has to match and case counts. There is no escape: `[*]` is a literal star.
//!
//! Must not: know about words, paths or rules. The time for a match is at most the product of the two
//! lengths, whatever the pattern (`a_hostile_pattern_takes_bounded_steps`).

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Run,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::One => true,
            Self::Run => false,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

/// A piece of a text that is matched without being known completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Known characters.
    Known(&'a str),
    /// Anything at all, also nothing.
    Unknown,
    /// Nothing, or the path of a directory that is not known.
    Somewhere,
}

/// A compiled glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
    literal: bool,
}

impl Glob {
    /// Compiles a pattern. Every text is a pattern, so there is no fault.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let tokens = compile(pattern);
        let literal = tokens.iter().all(|token| matches!(token, Token::Char(_)));
        Self {
            text: pattern.to_owned(),
            tokens,
            literal,
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pattern matches its own text and nothing else.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether the pattern matches the whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if self.literal {
            return self.text == text;
        }
        // The last `*` and the text from which it has not yet taken a character. Going back to the
        // last one only is enough: an earlier one can take nothing that the last could not.
        let mut resume: Option<(usize, &str)> = None;
        let (mut at, mut rest) = (0, text);
        loop {
            match (self.tokens.get(at), rest.chars().next()) {
                (Some(Token::Run), _) => {
                    at += 1;
                    if at == self.tokens.len() {
                        return true;
                    }
                    resume = Some((at, rest));
                }
                (None, None) => return true,
                (Some(token), Some(c)) if token.takes(c) => {
                    at += 1;
                    rest = tail(rest, c);
                }
                _ => {
                    let Some((after, from)) = resume else {
                        return false;
                    };
                    let Some(c) = from.chars().next() else {
                        return false;
                    };
                    let from = tail(from, c);
                    resume = Some((after, from));
                    (at, rest) = (after, from);
                }
            }
        }
    }

    /// Whether the pattern could match, whatever the unknown pieces turn out to be.
    #[must_use]
    pub fn could_match(&self, pieces: &[Piece<'_>]) -> bool {
        let end = self.tokens.len();
        let mut live = vec![false; end + 1];
        if let Some(first) = live.first_mut() {
            *first = true;
        }
        self.skip_runs(&mut live);
        let mut next = vec![false; end + 1];
        for piece in pieces {
            match piece {
                Piece::Known(text) => {
                    for c in text.chars() {
                        self.step(&live, &mut next, c);
                        std::mem::swap(&mut live, &mut next);
                        if !live.contains(&true) {
                            return false;
                        }
                    }
                }
                Piece::Unknown => spread(&mut live),
                Piece::Somewhere => {
                    self.step(&live, &mut next, '/');
                    spread(&mut next);
                    for (state, also) in live.iter_mut().zip(&next) {
                        *state |= *also;
                    }
                }
            }
        }
        live.last().copied().unwrap_or(false)
    }

    fn step(&self, live: &[bool], next: &mut [bool], c: char) {
        next.fill(false);
        for ((index, token), is_live) in self.tokens.iter().enumerate().zip(live) {
            let to = match token {
                _ if !is_live => continue,
                Token::Run => index,
                token if token.takes(c) => index + 1,
                _ => continue,
            };
            if let Some(state) = next.get_mut(to) {
                *state = true;
            }
        }
        self.skip_runs(next);
    }

    /// A `*` can take nothing: whoever stands before it stands behind it too.
    fn skip_runs(&self, live: &mut [bool]) {
        let mut before = false;
        for (state, token) in live
            .iter_mut()
            .zip(std::iter::once(None).chain(self.tokens.iter().map(Some)))
        {
            if before && token == Some(&Token::Run) {
                *state = true;
            }
            before = *state;
        }
    }
}

/// What is unknown can be whatever takes the pattern from where it stands to any later place.
fn spread(live: &mut [bool]) {
    let mut seen = false;
    for state in live {
        seen |= *state;
        *state = seen;
    }
}

fn tail(text: &str, c: char) -> &str {
    text.get(c.len_utf8()..).unwrap_or_default()
}

fn compile(pattern: &str) -> Vec<Token> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut tokens = Vec::with_capacity(chars.len());
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        at += 1;
        match c {
            '*' if tokens.last() == Some(&Token::Run) => {}
            '*' => tokens.push(Token::Run),
            '?' => tokens.push(Token::One),
            '[' => match set(chars.get(at..).unwrap_or_default()) {
                Some((token, length)) => {
                    tokens.push(token);
                    at += length;
                }
                None => tokens.push(Token::Char('[')),
            },
            other => tokens.push(Token::Char(*other)),
        }
    }
    tokens
}

/// Reads a set behind its `[` and tells how many characters it took, the `]` included. `None` where
/// it is never closed. A `]` right at the beginning is a member; a range whose ends are the wrong way
/// round holds nothing.
fn set(chars: &[char]) -> Option<(Token, usize)> {
    let negated = chars.first() == Some(&'!');
    let start = usize::from(negated);
    let close = chars
        .iter()
        .enumerate()
        .skip(start + 1)
        .find(|(_, c)| **c == ']')
        .map(|(index, _)| index)?;
    let mut members = chars.get(start..close)?;
    let mut ranges = Vec::new();
    while let Some((first, rest)) = members.split_first() {
        if let [dash, last, rest @ ..] = rest
            && *dash == '-'
        {
            ranges.push((*first, *last));
            members = rest;
        } else {
            ranges.push((*first, *first));
            members = rest;
        }
    }
    Some((Token::Set { negated, ranges }, close + 1))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn a_glob_is_anchored_at_both_ends_and_case_counts() {
        for (pattern, text, expected) in [
            ("uptime", "uptime", true),
            ("uptime", "uptime -s", false),
            ("uptime*", "uptime -s", true),
            ("Uptime", "uptime", false),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "é", true),
            ("a.c", "abc", false),
            ("*\n*", "a\nb", true),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(text),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn an_unclosed_bracket_stands_for_itself() {
        assert!(Glob::new("[ -f x").matches("[ -f x"));
        assert!(Glob::new("[").is_literal());
        assert!(Glob::new("[!]").matches("[!]"));
        assert!(Glob::new("[]]").matches("]"));
        assert!(!Glob::new("[c-a]").matches("b"));
    }

    #[test]
    fn a_hostile_pattern_takes_bounded_steps() {
        // A matcher that goes back to every star would need about 10^40 steps for this one.
        let pattern = Glob::new(&"*a".repeat(40));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(10_000))));
        let text = "a".repeat(10_000);
        assert!(pattern.could_match(&[Piece::Known(&text), Piece::Unknown]));
    }

    #[test]
    fn an_unknown_piece_matches_whatever_would_match() {
        let could = |pattern: &str, pieces: &[Piece<'_>]| Glob::new(pattern).could_match(pieces);
        assert!(could("rm /var/log", &[Piece::Known("rm "), Piece::Unknown]));
        assert!(could("rm *", &[Piece::Known("rm "), Piece::Unknown]));
        assert!(!could("rm *", &[Piece::Known("ls "), Piece::Unknown]));
        assert!(!could("a*z", &[Piece::Unknown, Piece::Known("y")]));
        assert!(could("a*z", &[Piece::Unknown, Piece::Known("yz")]));
        assert!(could("", &[Piece::Unknown]));
    }

    #[test]
    fn a_name_in_an_unknown_directory_matches_every_path_that_ends_with_it() {
        let could = |pattern: &str| {
            let pieces = [Piece::Known("x "), Piece::Somewhere, Piece::Known("a/b")];
            Glob::new(pattern).could_match(&pieces)
        };
        for pattern in ["x a/b", "x /etc/a/b", "x /a/b", "x /etc/*", "x *", "x /*b"] {
            assert!(could(pattern), "{pattern}");
        }
        for pattern in ["x b", "x -r*", "x /etc/a", "y *", "x etc/a/b"] {
            assert!(!could(pattern), "{pattern}");
        }
    }

    /// A small generator, so that a failing seed can be replayed.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % bound
        }

        fn text(&mut self, alphabet: &[char], length_max: usize) -> String {
            let length = self.below(length_max + 1);
            (0..length)
                .map(|_| alphabet[self.below(alphabet.len())])
                .collect()
        }
    }

    #[test]
    fn globs_agree_with_pythons_fnmatch_and_with_the_unknown_matcher() {
        const PAIRS: usize = 8_000;
        let seed = std::env::var("GLOB_SEED").map_or(20_261_121, |s| s.parse().unwrap());
        let mut random = Random(seed);
        let pairs: Vec<(String, String)> = (0..PAIRS)
            .map(|_| {
                let pattern = random.text(&['a', 'b', '*', '?', '[', ']', '!', '-', '^', '\\'], 8);
                (
                    pattern,
                    random.text(&['a', 'b', '[', ']', '-', '!', '^', '\\', 'A', '\n'], 5),
                )
            })
            .collect();
        for (pattern, text) in &pairs {
            let glob = Glob::new(pattern);
            assert_eq!(
                glob.matches(text),
                glob.could_match(&[Piece::Known(text)]),
                "{pattern:?} {text:?} GLOB_SEED={seed}"
            );
        }
        let mut python = Command::new("python3")
            .arg("-c")
            .arg("import sys,json,fnmatch\nprint(json.dumps([fnmatch.fnmatchcase(t,p) for p,t in json.load(sys.stdin)]))")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 is needed to compare with its fnmatch");
        let mut stdin = python.stdin.take().unwrap();
        stdin
            .write_all(&serde_json::to_vec(&pairs).unwrap())
            .unwrap();
        drop(stdin);
        let output = python.wait_with_output().unwrap();
        let expected: Vec<bool> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(expected.len(), PAIRS);
        assert!(expected.iter().filter(|yes| **yes).count() > PAIRS / 100);
        for ((pattern, text), expected) in pairs.iter().zip(expected) {
            assert_eq!(
                Glob::new(pattern).matches(text),
                expected,
                "{pattern:?} {text:?} GLOB_SEED={seed}"
            );
        }
    }
}
