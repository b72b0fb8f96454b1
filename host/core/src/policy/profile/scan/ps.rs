//! What a word of `ps` without a dash shows besides what anyone may know: letters of BSD, some of which
//! take the rest of the word for their value, or names of columns.
//!
//! Must not: know which columns there are, but the one that holds secrets.

use super::Effect;
use crate::policy::Capability;

/// The letters that take a value.
const VALUED: &str = "koOpqtUN";

/// What `text` does.
pub(super) fn scan(text: &str) -> Vec<Effect<'_>> {
    let shows = shows_environment(text) || text.to_ascii_lowercase().contains("environ");
    match shows {
        true => vec![Effect::Needs(
            Capability::Secret,
            "shows the environment of processes",
        )],
        false => Vec::new(),
    }
}

/// Whether the letters up to the one that takes a value are letters, with an `e` among them. SECURITY: in
/// `ewp1` the digits are the value of `p`, while in `user,pid` the comma tells a list.
fn shows_environment(text: &str) -> bool {
    let end = text.find(|c| VALUED.contains(c)).unwrap_or(text.len());
    let letters = text.get(..end).unwrap_or_default();
    letters.contains('e') && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_show_the_environment_are_told_from_lists() {
        for text in [
            "e",
            "auxe",
            "eww",
            "ewp1",
            "ewopid,args",
            "axeo",
            "pid,environ",
            "ENVIRON",
        ] {
            assert!(!scan(text).is_empty(), "{text}");
        }
        for text in [
            "aux",
            "axo",
            "user,pid,comm",
            "1234",
            "p1e",
            "pid,etime",
            "-",
            "",
            "f",
        ] {
            assert!(scan(text).is_empty(), "{text}");
        }
    }
}
