//! Globs as Python's `fnmatch` reads them: `*` any run of characters (blanks and `/` too), `?` one
//! character, `[...]` and `[!...]` sets with ranges, an unclosed `[` stands for itself; the whole text
//! has to match and case counts. There is no escape: `[*]` is a literal star.
//!
//! Must not: know about words, paths or rules. `tests/glob_fnmatch.rs` compares with Python's. The time for a match is at most the product of the two
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
    /// How many bytes of the text before the first wildcard, and behind the last one, stand for themselves.
    head: usize,
    tail: usize,
}

/// Most tokens of a pattern for which no room has to be asked for.
const TOKENS_FEW: usize = 63;

impl Glob {
    /// Compiles a pattern. Every text is a pattern, so there is no fault.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let tokens = compile(pattern);
        let literal = tokens.iter().all(|token| matches!(token, Token::Char(_)));
        Self {
            text: pattern.to_owned(),
            literal,
            head: fixed(tokens.iter()),
            tail: fixed(tokens.iter().rev()),
            tokens,
        }
    }

    /// What every text that it matches begins with.
    pub(super) fn head(&self) -> &str {
        self.text.get(..self.head).unwrap_or_default()
    }

    /// What every text that it matches ends with.
    fn tail(&self) -> &str {
        let from = self.text.len().saturating_sub(self.tail);
        self.text.get(from..).unwrap_or_default()
    }

    /// Whether the ends of a text are those of the pattern. It spares nearly all of the steps.
    fn ends_fit(&self, pieces: &[Piece<'_>]) -> bool {
        let before = match pieces.first() {
            Some(Piece::Known(text)) => text.bytes().zip(self.head().bytes()).all(|(a, b)| a == b),
            _ => true,
        };
        before
            && match pieces.last() {
                Some(Piece::Known(text)) => text
                    .bytes()
                    .rev()
                    .zip(self.tail().bytes().rev())
                    .all(|(a, b)| a == b),
                _ => true,
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
        if !text.starts_with(self.head()) || !text.ends_with(self.tail()) {
            return false;
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
        if !self.ends_fit(pieces) {
            return false;
        }
        let states = self.tokens.len() + 1;
        if states <= TOKENS_FEW {
            let (mut live, mut next) = ([false; TOKENS_FEW], [false; TOKENS_FEW]);
            if let Some((live, next)) = live.get_mut(..states).zip(next.get_mut(..states)) {
                return self.walk(live, next, pieces);
            }
        }
        self.walk(&mut vec![false; states], &mut vec![false; states], pieces)
    }

    /// Walks over the pieces with every state of the pattern that is possible, in room for all of them.
    fn walk<'l>(
        &self,
        mut live: &'l mut [bool],
        mut next: &'l mut [bool],
        pieces: &[Piece<'_>],
    ) -> bool {
        if let Some(first) = live.first_mut() {
            *first = true;
        }
        self.skip_runs(live);
        for piece in pieces {
            match piece {
                Piece::Known(text) => {
                    for c in text.chars() {
                        self.step(live, next, c);
                        std::mem::swap(&mut live, &mut next);
                        if !live.contains(&true) {
                            return false;
                        }
                    }
                }
                Piece::Unknown => spread(live),
                Piece::Somewhere => {
                    self.step(live, next, '/');
                    spread(next);
                    for (state, also) in live.iter_mut().zip(next.iter()) {
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

/// The length of the characters that stand for themselves up to the first other token.
fn fixed<'t>(tokens: impl Iterator<Item = &'t Token>) -> usize {
    let lengths = tokens.map_while(|token| match token {
        Token::Char(c) => Some(c.len_utf8()),
        _ => None,
    });
    lengths.sum()
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
    let start = usize::from(chars.first() == Some(&'!'));
    let close = chars
        .iter()
        .enumerate()
        .skip(start + 1)
        .find(|(_, c)| **c == ']')
        .map(|(index, _)| index)?;
    let mut members = members(chars.get(..close)?);
    let negated = members.first() == Some(&Member::Char('!'));
    if negated {
        members.remove(0);
    }
    let mut ranges = Vec::with_capacity(members.len());
    let mut rest = members.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (Member::Char(low), [Member::To, Member::Char(high), behind @ ..]) => {
                ranges.push((*low, *high));
                rest = behind;
            }
            (Member::Char(c), _) => ranges.push((*c, *c)),
            // A hyphen with nothing before it is one.
            (Member::To, _) => ranges.push(('-', '-')),
        }
    }
    Some((Token::Set { negated, ranges }, close + 1))
}

/// What stands in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Char(char),
    /// The hyphen of a range.
    To,
}

/// Reads what stands in a set and takes the ranges out that hold nothing. Only then is it known what the
/// set begins with: in `[b-a!x]` that is a `!`, which negates it. Python does so, and whoever wrote the
/// pattern tried it there.
fn members(chars: &[char]) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::with_capacity(chars.len());
    // The hyphen is a range's where a character stands before it that ends no other range.
    let mut free_from = if chars.first() == Some(&'!') { 2 } else { 1 };
    for (index, c) in chars.iter().enumerate() {
        let last = index + 1 == chars.len();
        if *c == '-' && index >= free_from && !last {
            members.push(Member::To);
            free_from = index + 3;
        } else {
            members.push(Member::Char(*c));
        }
    }
    let mut at = members.len();
    while at > 0 {
        at -= 1;
        let around = (
            at.checked_sub(1).and_then(|before| members.get(before)),
            members.get(at),
            members.get(at + 1),
        );
        if let (Some(Member::Char(low)), Some(Member::To), Some(Member::Char(high))) = around
            && low > high
        {
            members.drain(at - 1..at + 2);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_a_set_begins_with_is_seen_once_the_empty_ranges_are_gone() {
        for (pattern, text, expected) in [
            ("[b-a!x]", "y", true),
            ("[b-a!x]", "x", false),
            ("[c- !-z]", "-", false),
            ("[c- !-z]", "y", true),
            ("[b-ab-a]", "b", false),
            ("[a-c-e]", "-", true),
            ("[a-c-e]", "d", false),
            ("[!b-a]", "b", true),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(text),
                expected,
                "{pattern} {text}"
            );
        }
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

    #[test]
    fn the_fixed_ends_of_a_pattern_may_not_share_a_character() {
        for (pattern, text, expected) in [
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("é*é", "é", false),
            ("é*é", "éé", true),
            ("a*[", "ab[", true),
            ("a**b", "ab", true),
            ("a[b]c", "abc", true),
        ] {
            let glob = Glob::new(pattern);
            assert_eq!(glob.matches(text), expected, "{pattern} {text}");
            let pieces = [Piece::Known(text)];
            assert_eq!(glob.could_match(&pieces), expected, "{pattern} {text}");
        }
        // Known pieces that are shorter than the ends say less than they do.
        let glob = Glob::new("abc*xyz");
        for (before, behind, expected) in [
            ("a", "z", true),
            ("", "", true),
            ("abcd", "wxyz", true),
            ("b", "z", false),
            ("a", "y", false),
        ] {
            let pieces = [Piece::Known(before), Piece::Unknown, Piece::Known(behind)];
            assert_eq!(glob.could_match(&pieces), expected, "{before} {behind}");
        }
        let long = Glob::new(&format!("{}*", "a".repeat(TOKENS_FEW * 2)));
        assert!(long.could_match(&[Piece::Known("aa"), Piece::Unknown]));
    }
}
