//! The words that the gate's exec texts say on standard error beside the command: the first one names the process
//! group, the last one says that it has ended. Both are kept out of the output.
//!
//! Whatever runs on a host can say them too, so neither allows anything: the first is used to find what is to be ended,
//! the last is heard only once the gate has begun to end the command.
//!
//! LIMIT: where a login shell prints the first word itself, that one is taken (`the_first_one_counts`).

use crate::watchdog;

/// What comes before the number of the process group; a line end follows it.
pub(crate) const LEADS: &[u8] = b"portcullis: the process group is ";
/// Most digits of a number of a process.
const DIGITS_MAX: usize = 10;
/// How far into standard error the first word is looked for, in bytes: start files of login shells may print before it.
const LOOKED_BYTES_MAX: usize = 8_192;

/// Looks for the first word, across message borders.
#[derive(Default)]
pub(crate) struct FirstWord {
    held: Vec<u8>,
    passed: usize,
    done: bool,
}

impl FirstWord {
    /// Takes bytes in and passes on what is no part of the word. Returns the number when it is complete.
    pub(crate) fn push(&mut self, bytes: &[u8], pass: &mut impl FnMut(&[u8])) -> Option<u32> {
        if self.done {
            pass(bytes);
            return None;
        }
        self.held.extend_from_slice(bytes);
        let mut from = 0;
        let (out, group) = loop {
            let rest = self.held.get(from..).unwrap_or_default();
            match rest.windows(LEADS.len()).position(|w| w == LEADS) {
                None => break (self.held.len() - begun(rest, LEADS), None),
                Some(at) => match number(rest.get(at + LEADS.len()..).unwrap_or_default()) {
                    Number::Cut => break (from + at, None),
                    Number::None => from += at + LEADS.len(),
                    Number::Is(group, digits) => {
                        let end = from + at + LEADS.len() + digits + 1;
                        self.held.drain(from + at..end);
                        break (self.held.len(), Some(group));
                    }
                },
            }
        };
        let rest = self.held.split_off(out.max(from));
        pass(&self.held);
        self.passed += self.held.len();
        self.held = rest;
        if group.is_some() || self.passed >= LOOKED_BYTES_MAX {
            self.done = true;
            pass(&self.held);
            self.held = Vec::new();
        }
        group
    }

    /// What was held back when there is nothing more to come.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

enum Number {
    /// What there is may still become one.
    Cut,
    None,
    /// The number, and how many digits it has.
    Is(u32, usize),
}

fn number(bytes: &[u8]) -> Number {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = digits.take(DIGITS_MAX + 1).count();
    let (head, rest) = bytes.split_at(digits);
    match rest.first() {
        _ if digits > DIGITS_MAX => Number::None,
        None => Number::Cut,
        Some(b'\n') => {
            let value = std::str::from_utf8(head)
                .ok()
                .and_then(|it| it.parse().ok());
            // Neither nothing, nor the first process of a machine, nor what stands for all.
            match value {
                Some(group) if group > 1 => Number::Is(group, digits),
                _ => Number::None,
            }
        }
        Some(_) => Number::None,
    }
}

/// How many bytes at the end of a text may be the beginning of a word.
fn begun(text: &[u8], word: &[u8]) -> usize {
    let may = |length: &usize| word.get(..*length).is_some_and(|it| text.ends_with(it));
    (1..word.len()).rev().find(may).unwrap_or(0)
}

/// Looks for the last word, across message borders. Holds back at most one byte less than the word; who ends the
/// reading passes that on.
#[derive(Default)]
pub(crate) struct LastWord {
    pub(crate) held: Vec<u8>,
}

impl LastWord {
    /// Takes bytes in and passes on what cannot be part of the word. Says whether the word was there.
    pub(crate) fn push(&mut self, bytes: &[u8], pass: &mut impl FnMut(&[u8])) -> bool {
        let gone = watchdog::GONE;
        self.held.extend_from_slice(bytes);
        let found = self.held.windows(gone.len()).position(|w| w == gone);
        if let Some(at) = found {
            self.held.drain(at..at + gone.len());
        }
        let keep = begun(&self.held, gone);
        let rest = self.held.split_off(self.held.len() - keep);
        pass(&self.held);
        self.held = rest;
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    /// Pushes a text in two pieces, cut anywhere. The number and what is left must not depend on the place.
    fn check(text: &str, expected: Option<u32>, left: &str) {
        for cut in 0..=text.len() {
            let (mut word, mut out, mut group) = (FirstWord::default(), Vec::new(), None);
            for piece in [&text.as_bytes()[..cut], &text.as_bytes()[cut..]] {
                let found = word.push(piece, &mut |bytes| out.extend_from_slice(bytes));
                group = group.or(found);
            }
            out.extend(word.rest());
            let out = String::from_utf8_lossy(&out);
            assert_eq!((group, &*out), (expected, left), "cut at {cut}");
        }
    }

    #[test]
    fn the_first_word_is_found_wherever_it_is_cut_and_kept_out_of_the_output() {
        let word = "portcullis: the process group is 4711\n";
        check(word, Some(4_711), "");
        check(
            &format!("bash: warning\n{word}err\n"),
            Some(4_711),
            "bash: warning\nerr\n",
        );
        check(
            "portcullis: the process group has ended\n",
            None,
            "portcullis: the process group has ended\n",
        );
        check("", None, "");
    }

    #[test]
    fn what_is_no_number_of_a_group_is_output() {
        for number in ["", "0", "1", "-4", "4 ", "12345678901", "4294967296", "x"] {
            let text = format!("portcullis: the process group is {number}\nmore");
            check(&text, None, &text);
        }
    }

    #[test]
    fn the_first_one_counts() {
        let (one, two) = (
            "portcullis: the process group is 5\n",
            "portcullis: the process group is 6\n",
        );
        check(&format!("{one}{two}"), Some(5), two);
        check(
            &format!("portcullis: the process group is {two}"),
            Some(6),
            "portcullis: the process group is ",
        );
    }

    #[test]
    fn it_is_not_looked_for_without_end() {
        let (mut word, mut total) = (FirstWord::default(), 0);
        let mut pass = |bytes: &[u8]| total += bytes.len();
        word.push(&vec![b'x'; LOOKED_BYTES_MAX], &mut pass);
        let found = word.push(b"portcullis: the process group is 5\n", &mut pass);
        assert_eq!((found, total), (None, LOOKED_BYTES_MAX + 35));
    }
}
