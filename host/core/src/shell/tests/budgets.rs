//! Each bound: at it, and one past it.

use super::super::{
    ASSIGNMENTS_MAX, HERE_DOCUMENTS_MAX, INHERITED_MAX, JUDGED_WORDS_MAX, Leaf, REDIRECTIONS_MAX,
    Redirection, SCRIPT_WORDS_MAX, Script, Word, parse,
};
use super::{check, refuses};
use crate::limits::{COMMAND_BYTES_MAX, SHELL_DEPTH_MAX, SHELL_LEAVES_MAX, SHELL_WORDS_MAX};

#[test]
fn a_script_holds_its_budget_of_commands_and_no_more() {
    let most = vec!["a"; SHELL_LEAVES_MAX].join("; ");
    check(&most, &most);
    for joint in ["; ", " | ", " && ", "\n"] {
        let most = vec!["a"; SHELL_LEAVES_MAX].join(joint);
        assert!(parse(&most).is_ok());
        let over = format!("{most}{joint}a");
        refuses(&over, most.len() + joint.len(), "too_many_commands");
    }
}

#[test]
fn a_command_holds_its_budget_of_words_and_no_more() {
    let most = vec!["a"; SHELL_WORDS_MAX].join(" ");
    check(&most, &most);
    refuses(&format!("{most} a"), most.len() + 1, "too_many_words");
}

#[test]
fn a_script_holds_its_budget_of_words_and_no_more() {
    let words = vec!["a"; SCRIPT_WORDS_MAX];
    let lines: Vec<String> = words.chunks(500).map(|line| line.join(" ")).collect();
    let most = lines.join("\n");
    assert!(parse(&most).is_ok());
    refuses(&format!("{most} a"), most.len() + 1, "too_many_words");
}

#[test]
fn a_command_holds_its_budget_of_redirections_and_no_more() {
    let most = format!("a{}", " 2>&1".repeat(REDIRECTIONS_MAX));
    check(&most, &most);
    refuses(
        &format!("{most} 2>&1"),
        most.len() + 1,
        "too_many_redirections",
    );
}

#[test]
fn a_script_holds_its_budget_of_bytes_and_no_more() {
    let most = format!("echo {}", "a".repeat(COMMAND_BYTES_MAX - 5));
    check(&most, &most);
    refuses(&format!("{most}a"), COMMAND_BYTES_MAX, "too_long");
}

#[test]
fn a_command_holds_its_budget_of_assignments_and_no_more() {
    let most = format!("{}a", "A=b ".repeat(ASSIGNMENTS_MAX));
    check(&most, &most);
    let over = format!("A=b {most}");
    refuses(&over, 4 * ASSIGNMENTS_MAX, "too_many_assignments");
}

#[test]
fn a_script_holds_its_budget_of_here_documents_and_no_more() {
    let most = "a <<E\nx\nE\n".repeat(HERE_DOCUMENTS_MAX);
    assert!(parse(&most).is_ok());
    refuses(
        &format!("{most}a <<E\nE\n"),
        most.len() + 2,
        "too_many_here_documents",
    );
}

#[test]
fn a_script_is_as_deep_as_its_budget_and_no_deeper() {
    for (open, close) in [
        ("{ ", "; }"),
        ("( ", ")"),
        ("a $(", ")"),
        ("a \"$(", ")\""),
        ("if a; then ", "; fi"),
        ("if ", "; then a; fi"),
        ("while a; do ", "; done"),
        ("until ", "; do a; done"),
        ("for x in a; do ", "; done"),
        ("for x in $(", "); do a; done"),
    ] {
        let nested = |depth: usize| format!("{}a{}", open.repeat(depth), close.repeat(depth));
        let depth = match open.starts_with("for x in $") {
            // A level for the loop and one for its words.
            true => SHELL_DEPTH_MAX / 2,
            false => SHELL_DEPTH_MAX,
        };
        assert!(parse(&nested(depth)).is_ok(), "{open:?}");
        let refusal = parse(&nested(depth + 1)).unwrap_err();
        assert_eq!(refusal.reason, "too_deep", "{open:?}");
    }
    // What is closed does not count.
    check(
        &vec!["{ a; }"; 40].join("; "),
        &vec!["{ a; }"; 40].join("; "),
    );
}

#[test]
fn commands_in_words_and_groups_count_as_commands() {
    let half = SHELL_LEAVES_MAX / 2;
    let most = vec!["a $(b)"; half].join("; ");
    check(&most, &most);
    for over in ["c", "{ c; }", "c $(d)"] {
        let refusal = parse(&format!("{most}; {over}")).unwrap_err();
        assert_eq!(refusal.reason, "too_many_commands");
    }
    let refusal = parse(&format!("{}a $(b)", "a; ".repeat(SHELL_LEAVES_MAX - 1))).unwrap_err();
    assert_eq!(refusal.reason, "too_many_commands");
}

#[test]
fn a_loop_makes_its_budget_of_commands_and_no_more() {
    let values = |count: usize| "v ".repeat(count);
    let most = format!("for x in {}; do a $x; done", values(SHELL_LEAVES_MAX));
    assert_eq!(parse(&most).unwrap().leaves().len(), SHELL_LEAVES_MAX);
    let over = format!("for x in {}; do a $x; done", values(SHELL_LEAVES_MAX + 1));
    let body = over.find("a $x").unwrap();
    refuses(&over, body, "too_many_values");
    // What does not use the variable is judged once.
    assert!(parse(&format!("for x in {}; do a; done", values(500))).is_ok());
    let nested = "for x in 1 2 3 4 5 6 7; do for y in 1 2 3 4 5 6 7; do a $x $y; done; done";
    assert_eq!(parse(nested).unwrap_err().reason, "too_many_values");
}

#[test]
fn a_loop_makes_its_budget_of_words_and_no_more() {
    let looped = |words: usize| format!("for x in 1 2 3 4; do a{} $x; done", " b".repeat(words));
    let most = JUDGED_WORDS_MAX / 4 - 2;
    assert!(parse(&looped(most)).is_ok());
    assert_eq!(
        parse(&looped(most + 1)).unwrap_err().reason,
        "too_much_text"
    );
}

#[test]
fn a_loop_makes_its_budget_of_text_and_no_more() {
    let value = "v".repeat(5_000);
    let looped = |uses: usize| format!("for x in {value}; do a{}; done", " $x".repeat(uses));
    assert!(parse(&looped(4)).is_ok());
    assert_eq!(parse(&looped(5)).unwrap_err().reason, "too_much_text");
    let joined = format!("for x in {value}; do a \"{}\"; done", "$x".repeat(2_000));
    assert_eq!(parse(&joined).unwrap_err().reason, "too_much_text");
    let nested = format!("{}{value}{}", "a \"$(".repeat(5), ")\"".repeat(5));
    assert_eq!(parse(&nested).unwrap_err().reason, "too_much_text");
}

#[test]
fn a_script_inherits_its_budget_of_redirections_and_no_more() {
    let group = |leaves: usize| {
        format!(
            "{{ {}}}{}",
            "a; ".repeat(leaves),
            " >f".repeat(REDIRECTIONS_MAX)
        )
    };
    let most = INHERITED_MAX / REDIRECTIONS_MAX;
    assert!(parse(&group(most)).is_ok());
    let refusal = parse(&group(most + 1)).unwrap_err();
    assert_eq!(refusal.reason, "too_many_redirections");
    let over = format!("{{ a; }}{}", " >f".repeat(REDIRECTIONS_MAX + 1));
    assert_eq!(parse(&over).unwrap_err().reason, "too_many_redirections");
}

/// Bytes that a script keeps.
fn kept(script: &Script) -> usize {
    let word = |word: &Word| {
        size_of::<Word>()
            + word.text.capacity()
            + size_of_val(word.glob_offsets())
            + size_of_val(word.holes.as_ref())
    };
    let redirection = |it: &Redirection| size_of::<Redirection>() + it.text_bytes();
    let leaf = |leaf: &Leaf| {
        let values = leaf
            .assignments
            .iter()
            .map(|it| it.name.capacity() + word(&it.value));
        let redirections = leaf.redirections.iter().chain(&leaf.inherited);
        size_of::<Leaf>()
            + leaf.words.iter().map(word).sum::<usize>()
            + values.sum::<usize>()
            + redirections.map(redirection).sum::<usize>()
    };
    let loops = script.loops.iter().flat_map(|own| &own.values).map(word);
    let judged = script.judged.iter().flatten();
    script.leaves.iter().chain(judged).map(leaf).sum::<usize>() + loops.sum::<usize>()
}

#[test]
fn a_script_keeps_at_most_sixteen_times_the_longest_command() {
    let words = vec!["a"; SCRIPT_WORDS_MAX];
    let lines: Vec<String> = words.chunks(500).map(|line| line.join(" ")).collect();
    let lines = lines.join("\n");
    let globs = format!("a {}", "*".repeat(COMMAND_BYTES_MAX - 2));
    let quotes = format!("a {}", "'".repeat(COMMAND_BYTES_MAX - 2));
    let holes = format!("a {}", "$x".repeat(COMMAND_BYTES_MAX / 2 - 1));
    let loops = format!(
        "for x in 1 2 3 4; do a{} $x; done",
        " b".repeat(JUDGED_WORDS_MAX / 4 - 2)
    );
    let value = "v".repeat(9_000);
    let long = format!("for x in {value}; do a{} '{value}'; done", " $x".repeat(4));
    // The comment raises what may be added.
    let open = format!(
        "for x in 1 2 3; do a \"$x{}\"; done # {}",
        "$y".repeat(3_500),
        "c".repeat(COMMAND_BYTES_MAX - 7_100)
    );
    let redirected = format!(
        "{{ {}}}{}",
        "a; ".repeat(32),
        format!(" >{}", "f".repeat(8)).repeat(16)
    );
    for source in [lines, globs, quotes, holes, loops, long, open, redirected] {
        let script =
            parse(&source).unwrap_or_else(|refusal| panic!("{refusal}: {:?}", source.get(..40)));
        assert!(
            kept(&script) <= 16 * COMMAND_BYTES_MAX,
            "{} for {:?}",
            kept(&script),
            source.get(..40)
        );
        assert!(script.render().len() <= 4 * source.len() + 2);
    }
}

#[test]
fn long_runs_of_one_byte_neither_overflow_nor_stall() {
    for unit in [
        "(",
        "{ ",
        "! ",
        "[",
        "$(",
        "\"",
        "'",
        "\\",
        "a|",
        "a&&",
        "<",
        ">",
        "#",
        "\n",
        "~",
        "{,",
        "1",
        "é",
        "if ",
        "for x in a; do ",
        "while a; do ",
        "$x",
        "${x}",
        "\"$x",
        "\"$(a ",
        "<<E\n",
        "a <<E\nE\n",
        "A=b ",
        "~ ",
        ">f ",
        "{ a; } ",
        "done ",
        "; }",
    ] {
        let source = unit.repeat(COMMAND_BYTES_MAX / unit.len());
        match parse(&source) {
            Ok(script) => assert!(!script.leaves().is_empty()),
            Err(refusal) => assert!(refusal.offset <= source.len()),
        }
    }
}
