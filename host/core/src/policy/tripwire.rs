//! The texts of `deny_substrings`: a tripwire over a command's text, in the forms in which it can be
//! written.
//!
//! Limit: this is text. `rm -rf /` also refuses `rm -rf /var`, and `rm -r -f /` passes; only rules that
//! allow little are a boundary (`a_text_denies_wherever_it_occurs`).

/// The texts that deny where no policy says otherwise. Blanks at the end matter.
pub(super) const DEFAULTS: [&str; 20] = [
    "rm -rf /",
    ":(){ :|:& };:",
    "mkfs ",
    "dd if=/dev/zero",
    "shutdown -h",
    "reboot",
    "userdel ",
    "passwd ",
    "ssh ",
    "scp ",
    "rsync -e ssh",
    "curl ",
    "wget ",
    "nc ",
    "nmap ",
    "telnet ",
    "kubectl ",
    "aws ",
    "gcloud ",
    "az ",
];

/// Most places that look like the beginning of a text and are looked at before each text is searched for.
const LIKENESSES_MAX: usize = 256;

/// Where a text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// In the text as the caller wrote it.
    Plain,
    /// Only once quotes, backslashes and extra blanks are gone: somebody hid it.
    Hidden,
}

/// A command's text without the means of hiding something in it: quotes removed, each backslash and
/// its character replaced by the character, white space collapsed to one blank, ends trimmed.
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().filter(|c| !matches!(c, '\'' | '"'));
    let mut blank = false;
    while let Some(c) = chars.next() {
        let c = if c == '\\' {
            chars.next().unwrap_or('\\')
        } else {
            c
        };
        if c.is_whitespace() {
            blank = true;
            continue;
        }
        if blank && !plain.is_empty() {
            plain.push(' ');
        }
        blank = false;
        plain.push(c);
    }
    plain
}

/// Finds the first text that occurs in what the caller wrote or in one of its other forms: as a part
/// of it, or, without its own outer blanks, as one whole word of it.
pub(super) fn find<'t>(
    texts: &'t [String],
    written: &str,
    forms: &[&str],
) -> Option<(&'t str, Sight)> {
    if !may_occur(texts, written, forms) {
        return None;
    }
    texts
        .iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .find_map(|text| {
            if written.contains(text) {
                return Some((text, Sight::Plain));
            }
            let word = text.trim();
            // A text without outer blanks is a part of a form wherever it is a word of it.
            let blanks = word.len() < text.len() && !word.is_empty() && !word.contains(' ');
            let seen = forms
                .iter()
                .any(|form| form.contains(text) || blanks && has_word(form, word));
            let sight = if written.contains(word) {
                Sight::Plain
            } else {
                Sight::Hidden
            };
            seen.then_some((text, sight))
        })
}

/// Whether one of the texts, without its outer blanks, occurs in some form: one walk over each form, which
/// spares nearly all commands the search for every text.
fn may_occur(texts: &[String], written: &str, forms: &[&str]) -> bool {
    let slot = |a: u8, b: u8| {
        let hash = (usize::from(a) * 31 + usize::from(b)) % 1024;
        (hash / 64, 1_u64 << (hash % 64))
    };
    // The pairs of bytes that some text begins with, as far as a few bits tell.
    let mut pairs = [0_u64; 16];
    let mut words = Vec::with_capacity(texts.len());
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let word = text.trim().as_bytes();
        let [a, b, ..] = word else { return true };
        let (at, bit) = slot(*a, *b);
        if let Some(bits) = pairs.get_mut(at) {
            *bits |= bit;
        }
        words.push(word);
    }
    let mut left = LIKENESSES_MAX;
    let mut occurs_in = |form: &str| {
        let bytes = form.as_bytes();
        bytes.windows(2).enumerate().any(|(from, pair)| {
            let [a, b] = pair else { return false };
            let (at, bit) = slot(*a, *b);
            if pairs.get(at).is_none_or(|bits| bits & bit == 0) {
                return false;
            }
            left = left.saturating_sub(1);
            let rest = bytes.get(from..).unwrap_or_default();
            left == 0 || words.iter().any(|word| rest.starts_with(word))
        })
    };
    occurs_in(written) || forms.iter().any(|form| *form != written && occurs_in(form))
}

/// Whether a text is a whole word of a form.
fn has_word(form: &str, word: &str) -> bool {
    let is_blank = |byte: Option<&u8>| byte.is_none_or(|byte| *byte == b' ');
    let bytes = form.as_bytes();
    form.match_indices(word).any(|(start, _)| {
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        is_blank(before) && is_blank(bytes.get(start + word.len()))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn seen(text: &str, command: &str) -> Option<Sight> {
        find(&[text.to_owned()], command, &[&normalise(command)]).map(|(_, sight)| sight)
    }

    #[test]
    fn normalising_takes_the_means_of_hiding_away() {
        for (text, expected) in [
            ("rm    -rf\t/", "rm -rf /"),
            ("'rm' \"-rf\" /", "rm -rf /"),
            ("r\\m -rf /", "rm -rf /"),
            ("rm\\ -rf\\ /", "rm -rf /"),
            ("  x  ", "x"),
            ("", ""),
            ("x\\", "x\\"),
            ("a\\\\b", "a\\b"),
        ] {
            assert_eq!(normalise(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_denies_wherever_it_occurs() {
        assert_eq!(seen("rm -rf /", "rm -rf /var"), Some(Sight::Plain));
        assert_eq!(seen("rm -rf /", "rm -r -f /"), None);
        assert_eq!(seen("nc ", "sync x"), Some(Sight::Plain));
    }

    #[test]
    fn a_hidden_text_is_found_and_called_hidden() {
        assert_eq!(seen("rm -rf", "r\\m -rf x"), Some(Sight::Hidden));
        assert_eq!(seen("rm -rf", "'rm'  '-rf' x"), Some(Sight::Hidden));
        assert_eq!(seen("curl ", "c''url"), Some(Sight::Hidden));
    }

    #[test]
    fn a_text_with_a_blank_at_its_end_denies_the_word_alone_too() {
        assert_eq!(seen("curl ", "curl"), Some(Sight::Plain));
        assert_eq!(seen("curl ", "which curl"), Some(Sight::Plain));
        assert_eq!(seen("curl ", "curly"), None);
    }

    #[test]
    fn an_empty_text_denies_nothing() {
        assert_eq!(seen("", "uptime"), None);
        assert_eq!(seen("  ", "uptime"), None);
    }

    #[test]
    fn a_text_is_found_behind_many_places_that_look_like_it() {
        let texts = ["reboot".to_owned()];
        for count in [0, 1, LIKENESSES_MAX, LIKENESSES_MAX + 1, 2_000] {
            let written = format!("echo {}", "re ".repeat(count));
            assert_eq!(find(&texts, &written, &[]), None, "{count}");
            let written = format!("{written}reboot");
            let found = find(&texts, &written, &[]);
            assert_eq!(found, Some(("reboot", Sight::Plain)), "{count}");
            let found = find(&texts, "x", &[&written]);
            assert_eq!(found, Some(("reboot", Sight::Hidden)), "{count}");
        }
    }
}
