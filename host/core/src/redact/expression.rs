//! Regular expressions of the operator's: bounds, and which text each match must hold, so that a line
//! without it need not be matched.

use super::custom::fault;
use super::options::{OWN_TEXT_BYTES_MAX, RuleFault};
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Largest compiled form of a regular expression, and of its cache, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of a regular expression.
const REGEX_DEPTH_MAX: u32 = 64;
/// Most literals of which a regular expression must hold one.
const REGEX_LITERALS_MAX: usize = 64;
/// Shortest literal that makes a regular expression quick to look for, in bytes.
pub(super) const LITERAL_BYTES_MIN: usize = 3;

/// An expression, and the texts of which each match holds one; none where that cannot be said.
pub(super) fn expression(pattern: &str, path: &str) -> Result<(Regex, Vec<String>), RuleFault> {
    let path = format!("{path}.pattern");
    if pattern.len() > OWN_TEXT_BYTES_MAX {
        let message = format!(
            "expected at most {OWN_TEXT_BYTES_MAX} bytes, got {}",
            pattern.len()
        );
        return Err(fault(&path, message, "split it into several rules"));
    }
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(REGEX_DEPTH_MAX)
        .build()
        .parse(pattern)
        .map_err(|error| {
            fault(
                &path,
                format!("not a regular expression: {error}"),
                "Unicode classes are not known; write ASCII ones",
            )
        })?;
    if hir.properties().minimum_len().unwrap_or(0) == 0 {
        return Err(fault(
            &path,
            "it can match nothing at all".to_owned(),
            "let at least one letter be required",
        ));
    }
    let regex = RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(REGEX_DEPTH_MAX)
        .build()
        .map_err(|error| {
            fault(
                &path,
                format!("too large: {error}"),
                "use smaller repetitions",
            )
        })?;
    let literals = required(&hir).filter(|literals| {
        literals.len() <= REGEX_LITERALS_MAX
            && literals
                .iter()
                .all(|literal| literal.len() >= LITERAL_BYTES_MIN)
    });
    Ok((regex, literals.unwrap_or_default()))
}

/// Texts of which each match holds one, in lower case, where that can be said.
fn required(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            Some(vec![text.to_ascii_lowercase()])
        }
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Alternation(alternatives) => {
            let sets: Option<Vec<Vec<String>>> = alternatives.iter().map(required).collect();
            sets.map(|sets| sets.concat())
        }
        HirKind::Concat(parts) => {
            // Letters in both cases, as `(?i)` makes them, join their neighbours.
            let mut best: Option<Vec<String>> = None;
            let mut run = String::new();
            let better = |set: Vec<String>, best: &mut Option<Vec<String>>| {
                let shortest = |set: &[String]| set.iter().map(String::len).min().unwrap_or(0);
                if best
                    .as_ref()
                    .is_none_or(|best| shortest(&set) > shortest(best))
                {
                    *best = Some(set);
                }
            };
            for part in parts {
                match letters(part) {
                    Some(text) => run.push_str(&text),
                    None => {
                        if !run.is_empty() {
                            better(vec![std::mem::take(&mut run)], &mut best);
                        }
                        if let Some(set) = required(part) {
                            better(set, &mut best);
                        }
                    }
                }
            }
            if !run.is_empty() {
                better(vec![run], &mut best);
            }
            best
        }
        HirKind::Class(_) => letters(hir).map(|text| vec![text]),
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The text of a literal, or of one letter in both cases.
fn letters(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0)
            .ok()
            .map(str::to_ascii_lowercase),
        HirKind::Class(Class::Bytes(class)) => {
            let bytes: Vec<u8> = class
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .take(3)
                .collect();
            match bytes.as_slice() {
                [upper, lower] if upper.to_ascii_lowercase() == *lower => {
                    Some(char::from(*lower).to_string())
                }
                _ => None,
            }
        }
        _ => None,
    }
}
