//! Laws of the recogniser over generated texts. A failure prints its smallest case, and proptest
//! replays it from `proptest-regressions`.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod shell_samples;

use portcullis_core::shell::{Redirection, Script, Unanalysable, Word, parse, reason};
use proptest::prelude::*;
use shell_samples::{nested, noise, sample};

/// How many texts each law is tried on; `PORTCULLIS_SOAK` makes them many.
fn cases() -> u32 {
    match std::env::var_os("PORTCULLIS_SOAK") {
        Some(_) => 100_000,
        None => 2_000,
    }
}

/// The laws that hold for every accepted script.
fn check_script(source: &str, script: &Script) -> Result<(), TestCaseError> {
    let rendered = script.render();
    let again = parse(&rendered)
        .map_err(|refusal| TestCaseError::fail(format!("{rendered:?} refused: {refusal}")))?;
    prop_assert!(
        script.means_the_same(&again),
        "{source:?} sent as {rendered:?}"
    );
    prop_assert_eq!(again.render(), rendered.clone());
    prop_assert!(
        !rendered.starts_with(['-', '+']),
        "{rendered:?} begins like an option"
    );
    prop_assert!(!script.leaves().is_empty());
    for leaf in script.leaves() {
        prop_assert_eq!(leaf.source(source).len(), leaf.span.len());
        prop_assert!(!leaf.words.is_empty() || !leaf.assignments.is_empty());
        let canonical = leaf.canonical();
        let alone = parse(&canonical)
            .map_err(|refusal| TestCaseError::fail(format!("{canonical:?} refused: {refusal}")))?;
        // The commands in its words come before it.
        let own = alone.leaves().last().unwrap();
        prop_assert_eq!(&own.words, &leaf.words, "{:?}", canonical);
        prop_assert_eq!(&own.assignments, &leaf.assignments, "{:?}", canonical);
        let plain = leaf.assignments.is_empty() && alone.leaves().len() == 1;
        prop_assert_eq!(
            alone.is_single(),
            plain,
            "{:?} is more than its leaf",
            canonical
        );
        prop_assert!(!leaf.words.first().is_some_and(Word::is_unknown));
        for word in &leaf.words {
            prop_assert_eq!(word.source(source).len(), word.span.len());
            prop_assert_eq!(word.glob, !word.glob_offsets().is_empty());
            prop_assert!(word.dynamic || !word.may_split());
        }
        for redirection in leaf.redirections.iter().chain(&leaf.inherited) {
            if let Redirection::File { target, .. } = redirection {
                prop_assert!(target.known().is_some_and(|target| !target.is_empty()));
            }
        }
    }
    Ok(())
}

fn check_refusal(source: &str, refusal: &Unanalysable) -> Result<(), TestCaseError> {
    prop_assert!(
        source.is_char_boundary(refusal.offset),
        "{refusal:?} of {source:?}"
    );
    prop_assert!(reason::ALL.contains(&refusal.reason));
    Ok(())
}

fn check(source: &str) -> Result<(), TestCaseError> {
    match parse(source) {
        Ok(script) => check_script(source, &script),
        Err(refusal) => check_refusal(source, &refusal),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_lawful_script_or_a_refusal_with_its_place(source in any::<String>()) {
        check(&source)?;
    }

    #[test]
    fn text_near_the_language_is_a_lawful_script_or_a_refusal_with_its_place(source in noise()) {
        check(&source)?;
    }

    #[test]
    fn a_nested_script_is_a_lawful_script_or_a_refusal_with_its_place(source in nested()) {
        check(&source)?;
    }

    #[test]
    fn a_written_script_holds_the_words_that_were_written(sample in sample()) {
        if let Ok(script) = parse(&sample.source) {
            let leaves: Vec<Vec<String>> = script
                .leaves()
                .iter()
                .map(|leaf| leaf.words.iter().map(|word| word.text.clone()).collect())
                .collect();
            prop_assert_eq!(leaves, sample.written.clone());
        }
        check(&sample.source)?;
    }

    #[test]
    fn what_follows_a_refused_place_never_makes_it_acceptable(source in noise(), more in "[ a-z;|&']{0,8}") {
        // An end that is missing can be supplied; all else is refused for what was already read.
        const MISSING: &[&str] = &[
            reason::UNTERMINATED_SINGLE_QUOTE, reason::UNTERMINATED_DOUBLE_QUOTE, reason::TRAILING_BACKSLASH,
            reason::TRAILING_OPERATOR, reason::EMPTY_SCRIPT, reason::EMPTY_PROGRAM, reason::RESERVED_WORD,
            reason::FUNCTION_DEFINITION, reason::DOUBLE_NEGATION, reason::NEGATION_IN_PIPELINE,
            reason::REDIRECTION_WITHOUT_TARGET, reason::REDIRECTION_WITHOUT_COMMAND, reason::REDIRECTION_OF_BOTH,
            reason::UNTERMINATED_COMMAND, reason::UNTERMINATED_HERE_DOCUMENT, reason::UNEXPECTED_WORD, reason::MISSING_COMMAND,
            reason::LOOP_WITHOUT_IN, reason::LOOP_WITHOUT_DO, reason::LOOP_WITHOUT_VALUES, reason::LOOP_VARIABLE,
            reason::VARIABLE_EXPANSION,
        ];
        if let Err(refusal) = parse(&source)
            && !MISSING.contains(&refusal.reason)
        {
            let longer = format!("{source}{more}");
            prop_assert!(parse(&longer).is_err(), "{longer:?} accepted, {source:?} refused: {refusal}");
        }
    }
}
