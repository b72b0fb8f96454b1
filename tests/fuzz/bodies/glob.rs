//! The glob matcher says the same as one that tries every way, and what matches is never ruled out for
//! lack of knowledge.

use portcullis_core::policy::{Glob, Piece};

/// Longest pattern and text that are tried every way, in characters, and most `*`: each one multiplies the ways.
const STARS_MAX: usize = 4;
const PATTERN_CHARS_MAX: usize = 12;
const TEXT_CHARS_MAX: usize = 24;

pub(super) fn hold(pattern: &str, text: &str) {
    let glob = Glob::new(pattern);
    let matches = glob.matches(text);
    assert_eq!(
        glob.could_match(&[Piece::Known(text)]),
        matches,
        "{pattern:?} {text:?}"
    );
    let pattern_chars: Vec<char> = pattern.chars().collect();
    let chars: Vec<char> = text.chars().collect();
    let stars = pattern.matches('*').count();
    if pattern_chars.len() > PATTERN_CHARS_MAX || chars.len() > TEXT_CHARS_MAX || stars > STARS_MAX
    {
        return;
    }
    // What Python makes of a range that holds nothing is compared with Python itself.
    if !pattern_chars
        .windows(3)
        .any(|it| it[1] == '-' && it[0] > it[2])
    {
        assert_eq!(
            naive(&pattern_chars, &chars),
            matches,
            "{pattern:?} {text:?}"
        );
    }
    if !matches {
        return;
    }
    let cuts: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    for (position, start) in cuts.iter().enumerate() {
        for end in &cuts[position..] {
            let (before, rest) = text.split_at(*start);
            let (within, behind) = rest.split_at(end - start);
            let known = [
                Piece::Known(before),
                Piece::Known(within),
                Piece::Known(behind),
            ];
            let unknown = [Piece::Known(before), Piece::Unknown, Piece::Known(behind)];
            assert!(glob.could_match(&known), "{pattern:?} {known:?}");
            assert!(glob.could_match(&unknown), "{pattern:?} {unknown:?}");
            if within.is_empty() || within.starts_with('/') && within.ends_with('/') {
                let somewhere = [Piece::Known(before), Piece::Somewhere, Piece::Known(behind)];
                assert!(glob.could_match(&somewhere), "{pattern:?} {somewhere:?}");
            }
        }
    }
}

/// Matches by trying every way. Lengths are bounded, and so is the recursion.
fn naive(pattern: &[char], text: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    match first {
        '*' => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
        '?' => !text.is_empty() && naive(rest, &text[1..]),
        '[' => {
            let negated = rest.first() == Some(&'!');
            let members = if negated { &rest[1..] } else { rest };
            let close = members.iter().skip(1).position(|c| *c == ']');
            let Some(close) = close.map(|close| close + 1) else {
                return text.first() == Some(&'[') && naive(rest, &text[1..]);
            };
            let (members, rest) = (&members[..close], &members[close + 1..]);
            !text.is_empty() && (in_set(members, text[0]) != negated) && naive(rest, &text[1..])
        }
        other => text.first() == Some(other) && naive(rest, &text[1..]),
    }
}

fn in_set(members: &[char], c: char) -> bool {
    match members {
        [] => false,
        [low, '-', high, rest @ ..] => (*low..=*high).contains(&c) || in_set(rest, c),
        [one, rest @ ..] => *one == c || in_set(rest, c),
    }
}
