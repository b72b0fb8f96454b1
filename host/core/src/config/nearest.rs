//! The known key that was probably meant.
//!
//! Must not: look at a long text; the search is quadratic.

/// Most edits between a misspelt key and the one that is suggested.
const SUGGESTION_EDITS_MAX: usize = 2;
/// Longest key that a suggestion is sought for, in characters.
const SUGGESTION_CHARS_MAX: usize = 48;

/// The known key that is nearest to a misspelt one.
pub(super) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    if key.chars().count() > SUGGESTION_CHARS_MAX {
        return None;
    }
    let key = key.to_lowercase();
    known
        .iter()
        .map(|name| (edits(&key, name), *name))
        // A key of two characters is two edits away from any other; that is no likeness.
        .filter(|(edits, name)| {
            *edits <= SUGGESTION_EDITS_MAX && *edits < name.len().min(key.len())
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and exchanges of neighbours between two words.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let replaced = at(&last, j) + usize::from(ca != cb);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let exchanged = i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
            if exchanged {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_suggested_and_a_far_one_is_not() {
        let known = ["alias", "host", "port", "tags", "credentials"];
        for (key, expected) in [
            ("allias", Some("alias")),
            ("tgas", Some("tags")),
            ("Port", Some("port")),
            ("prot", Some("port")),
            ("credential", Some("credentials")),
            ("x", None),
            ("username", None),
            ("ta", None),
        ] {
            assert_eq!(nearest(key, &known), expected, "{key}");
        }
        assert_eq!(nearest(&"a".repeat(10_000), &known), None);
    }
}
