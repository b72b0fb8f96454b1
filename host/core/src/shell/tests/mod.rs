//! What the recogniser promises, as claims: what it accepts, and why it refuses the rest.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod accepted;
mod budgets;
mod compound;
mod refused;

use super::{Script, parse};

/// The script in a text that must be accepted.
fn script(source: &str) -> Script {
    parse(source).unwrap_or_else(|refusal| panic!("{source:?} refused: {refusal}"))
}

/// The words of each leaf.
fn words(source: &str) -> Vec<Vec<String>> {
    let texts = |leaf: &super::Leaf| leaf.words.iter().map(|word| word.text.clone()).collect();
    script(source).leaves().iter().map(texts).collect()
}

/// That a text is accepted, what is sent for it, and that both laws hold: what is sent means the same,
/// and each canonical leaf has the same words as the leaf.
#[track_caller]
fn check(source: &str, rendered: &str) {
    let read = script(source);
    assert_eq!(read.render(), rendered, "rendering of {source:?}");
    let again = script(rendered);
    assert!(
        read.means_the_same(&again),
        "{source:?} and {rendered:?} differ"
    );
    assert_eq!(again.render(), rendered, "a rendering renders as itself");
    for leaf in read.leaves() {
        let canonical = script(&leaf.canonical());
        let canonical = canonical.leaves().last().unwrap();
        assert_eq!(canonical.words, leaf.words, "canonical of {source:?}");
        assert_eq!(
            canonical.assignments, leaf.assignments,
            "canonical of {source:?}"
        );
    }
}

/// That a text refuses, where and why.
#[track_caller]
fn refuses(source: &str, offset: usize, reason: &str) {
    match parse(source) {
        Ok(script) => panic!("{source:?} was accepted as {:?}", script.render()),
        Err(refusal) => assert_eq!(
            (refusal.offset, refusal.reason),
            (offset, reason),
            "{source:?}"
        ),
    }
}
