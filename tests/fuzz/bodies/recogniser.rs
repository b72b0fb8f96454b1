//! A text is a script within the budgets, all of whose places lie in the text, or a refusal with its place.

use portcullis_core::limits::{SHELL_LEAVES_MAX, SHELL_WORDS_MAX};
use portcullis_core::shell::{
    ASSIGNMENTS_MAX, HERE_DOCUMENTS_MAX, INHERITED_MAX, Leaf, REDIRECTIONS_MAX, Redirection,
    SCRIPT_WORDS_MAX, Word, parse, reason,
};
use std::ops::Range;

/// Most bytes of text in a script's words for each byte of its source, and some more for short ones.
const GROWTH_MAX: usize = 8;
const GROWTH_SLACK: usize = 8_192;

pub(super) fn hold(source: &str) {
    let script = match parse(source) {
        Ok(script) => script,
        Err(refusal) => {
            assert!(
                source.is_char_boundary(refusal.offset),
                "{refusal:?} of {source:?}"
            );
            assert!(reason::ALL.contains(&refusal.reason), "{refusal:?}");
            return;
        }
    };
    let leaves = script.leaves();
    assert!((1..=SHELL_LEAVES_MAX).contains(&leaves.len()));
    let words: usize = leaves.iter().map(|leaf| leaf.words.len()).sum();
    assert!(words <= SCRIPT_WORDS_MAX, "{words}");
    let inherited: usize = leaves.iter().map(|leaf| leaf.inherited.len()).sum();
    assert!(inherited <= INHERITED_MAX * SHELL_LEAVES_MAX, "{inherited}");
    let bytes: usize = leaves
        .iter()
        .flat_map(|leaf| &leaf.words)
        .map(|word| word.text.len())
        .sum();
    assert!(
        bytes <= source.len() * GROWTH_MAX + GROWTH_SLACK,
        "{bytes} of {source:?}"
    );
    for leaf in leaves {
        hold_leaf(source, leaf);
    }
}

fn hold_leaf(source: &str, leaf: &Leaf) {
    lies_in(source, &leaf.span);
    assert!(leaf.words.len() <= SHELL_WORDS_MAX);
    assert!(!leaf.words.is_empty() || !leaf.assignments.is_empty());
    assert!(leaf.assignments.len() <= ASSIGNMENTS_MAX);
    assert!(leaf.redirections.len() <= REDIRECTIONS_MAX);
    assert!(
        !leaf.words.first().is_some_and(Word::is_unknown),
        "an unknown program in {source:?}"
    );
    for word in leaf
        .words
        .iter()
        .chain(leaf.assignments.iter().map(|it| &it.value))
    {
        hold_word(source, word);
    }
    let mut here = 0;
    for redirection in leaf.redirections.iter().chain(&leaf.inherited) {
        match redirection {
            Redirection::File { target, .. } => {
                hold_word(source, target);
                assert!(target.known().is_some_and(|target| !target.is_empty()));
            }
            Redirection::Here { .. } => here += 1,
            Redirection::ToNull { .. }
            | Redirection::FromNull { .. }
            | Redirection::Duplicate { .. } => {}
        }
    }
    assert!(here <= HERE_DOCUMENTS_MAX);
    let canonical = leaf.canonical();
    let again = parse(&canonical)
        .unwrap_or_else(|refusal| panic!("{canonical:?} of {source:?}: {refusal}"));
    // The commands in its words stand before it.
    let own = again.leaves().last().unwrap();
    assert_eq!(own.words, leaf.words, "{canonical:?} of {source:?}");
    assert_eq!(
        own.assignments, leaf.assignments,
        "{canonical:?} of {source:?}"
    );
    assert_eq!(own.canonical(), canonical, "of {source:?}");
}

fn hold_word(source: &str, word: &Word) {
    lies_in(source, &word.span);
    assert_eq!(word.glob, !word.glob_offsets().is_empty());
    assert!(word.dynamic || !word.may_split());
    let mut before = None;
    for offset in word.glob_offsets() {
        assert!(before < Some(*offset), "{word:?}");
        before = Some(*offset);
        let byte = usize::try_from(*offset)
            .ok()
            .and_then(|offset| word.text.as_bytes().get(offset));
        assert!(byte.is_some_and(u8::is_ascii), "{word:?}");
    }
}

fn lies_in(source: &str, span: &Range<usize>) {
    assert!(source.get(span.clone()).is_some(), "{span:?} in {source:?}");
}
