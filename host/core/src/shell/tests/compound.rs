//! Groups, conditions, loops, assignments, files, here-documents and expansions, row by row: the source,
//! and what is sent for it.

use super::super::{FileUse, Redirection, Role, parse};
use super::{check, script, words};

#[test]
fn groups_and_subshells_keep_their_form() {
    check("{ a; }", "{ a; }");
    check("{ a\n}", "{ a; }");
    check("{\na\n\nb & }", "{ a; b & }");
    check("(a)", "(a)");
    check("( a ; b; )", "(a; b)");
    check("(a &)", "(a &)");
    check("( (a); (b) )", "( (a); (b))");
    check("( { a; } )", "({ a; })");
    check("{ { a; } }", "{ { a; }; }");
    check("{ (a) }", "{ (a); }");
    check("{(a)}", "{ (a); }");
    check(
        "! { a; } | (b) && { c; } & d",
        "! { a; } | (b) && { c; } & d",
    );
    check("{ a; } # b\n(c)", "{ a; }; (c)");
    check("{ a; } 2>&1 >/tmp/x | b", "{ a; } 2>&1 >/tmp/x | b");
    check("(a)>f", "(a) >f");
    check("echo { a } {}", "echo '{' a '}' {}");
    check("'{' a; '}'", "'{' a; '}'");
}

#[test]
fn conditions_keep_their_form() {
    check("if a; then b; fi", "if a; then b; fi");
    check("if a\nthen\n\nb\nfi", "if a; then b; fi");
    check(
        "if a; b; then c; d & elif ! e | f\nthen g; else h; fi >x",
        "if a; b; then c; d & elif ! e | f; then g; else h; fi >x",
    );
    check("if (a) then { b; } fi", "if (a); then { b; }; fi");
    check(
        "if if a; then b; fi then c; fi",
        "if if a; then b; fi; then c; fi",
    );
    check("if a & then b; fi", "if a & then b; fi");
    check(
        "if [ -f x ]; then b; fi && c",
        "if [ -f x ]; then b; fi && c",
    );
    check("a | if b; then c; fi | d", "a | if b; then c; fi | d");
    check("if # c\n a # d\n then b # e\n fi", "if a; then b; fi");
    check("echo if; echo then fi", "echo if; echo then fi");
}

#[test]
fn loops_keep_their_form() {
    check("while a; do b; done", "while a; do b; done");
    check("until a\ndo b\ndone <f", "until a; do b; done <f");
    check(
        "a | while read -r x; do echo \"$x\"; done",
        "a | while read -r x; do echo \"$x\"; done",
    );
    check(
        "for x in a 'b c' *.d ~/e; do f; done",
        "for x in a 'b c' *.d ~/e; do f; done",
    );
    check("for x in a\n\ndo b\ndone", "for x in a; do b; done");
    check("for x in a # c\n# d\ndo b; done", "for x in a; do b; done");
    check(
        "for x in do done in; do b; done",
        "for x in do done in; do b; done",
    );
    check("for x in a;do b;done|c", "for x in a; do b; done | c");
    check(
        "for x in $(a) \"$b\"; do c; done",
        "for x in $(a) \"$b\"; do c; done",
    );
}

/// The judged leaves, as their canonical texts.
fn judged(source: &str) -> Vec<String> {
    let read = script(source);
    read.leaves().iter().map(|leaf| leaf.canonical()).collect()
}

#[test]
fn a_loop_over_known_words_is_judged_once_for_each() {
    for (source, expected) in [
        ("for x in a b; do c \"$x\"; done", vec!["c a", "c b"]),
        ("for x in a b; do c $x; d; done", vec!["c a", "c b", "d"]),
        (
            "for x in a 'b c'; do d \"$x\"; done",
            vec!["d a", "d 'b c'"],
        ),
        ("for x in a 'b c'; do d $x; done", vec!["d $x"]),
        ("for x in a '*'; do d $x; done", vec!["d $x"]),
        (
            "for x in a ''; do d $x \"$x\"; done",
            vec!["d $x a", "d $x ''"],
        ),
        (
            "for x in a b; do c /l/${x}.log \"-$x-\"; done",
            vec!["c /l/a.log -a-", "c /l/b.log -b-"],
        ),
        (
            "for x in *.log; do c \"$x\" $x \"/l/$x.gz\"; done",
            vec!["c *.log *.log /l/*.log.gz"],
        ),
        ("for x in 'a*'*; do c \"$x\"; done", vec!["c 'a*'*"]),
        (
            "for x in a; do c \"$x\"*\"$x\" $x?$x; done",
            vec!["c a*a a?a"],
        ),
        (
            "for x in a b; do for y in c d; do e $x $y; done; done",
            vec!["e a c", "e a d", "e b c", "e b d"],
        ),
        (
            "for x in a b; do for y in c d; do e $y; done; f $x; done",
            vec!["e c", "e d", "f a", "f b"],
        ),
        (
            "for x in a b; do c \"$(d $x)\"; done",
            vec!["d a", "d b", "c \"$(d \"$x\")\""],
        ),
        (
            "for x in a b; do c \"$x$y\" $x$y; done",
            vec!["c \"a$y\" a$y", "c \"b$y\" b$y"],
        ),
        ("for x in a b; do c; done; d \"$x\"", vec!["c", "d \"$x\""]),
        ("d \"$x\"; for x in a b; do c; done", vec!["d \"$x\"", "c"]),
        (
            "for x in a b; do A=$x c; B=$x; done",
            vec!["A=a c", "A=b c", "B=a", "B=b"],
        ),
        (
            "for x in a *.l; do A=$x c $x; done",
            vec!["A=a c a", "A=\"$x\" c *.l"],
        ),
        (
            "for x in a *.l; do c local $x; done",
            vec!["c local a", "c local \"$x\""],
        ),
        ("for x in ~ a; do c \"$x\"; done", vec!["c \"$x\""]),
        ("for x in $(z); do c \"$x\"; done", vec!["z", "c \"$x\""]),
        (
            "for x in \"$y\" a; do c \"$x\" $x; done",
            vec!["c \"$x\" $x"],
        ),
        (
            "for x in a; do if b $x; then c $x; fi; done",
            vec!["b a", "c a"],
        ),
        ("for x in a; do (b $x) & done | c $x", vec!["b a", "c $x"]),
        (
            "for x in a; do while b $x; do c; done; done",
            vec!["b a", "c"],
        ),
        ("for HOST in a; do b $HOST; done", vec!["b a"]),
        (
            "for x in -v; do printf '%s' \"$x\"; done",
            vec!["printf %s -v"],
        ),
    ] {
        assert_eq!(judged(source), expected, "{source:?}");
        let read = script(source);
        assert_eq!(judged(&read.render()), expected, "{:?}", read.render());
    }
}

#[test]
fn a_loop_variable_that_may_change_stands_for_nothing() {
    for other in [
        "x=1",
        "x=1 z",
        "read x",
        "read -r a x",
        "command read x",
        "builtin -- read x",
        "export x=1",
        "export -n x",
        "declare -gx x",
        "typeset x",
        "local x",
        "readonly x=2",
        "unset x",
        "unset -v x",
        "printf -v x a",
        "printf -vx a",
        "print -v x a",
        "wait -p x",
        "getopts ab x",
        "set -A x a",
        "eval 'x=1'",
        "eval a",
        ". f",
        "source f",
        "let a=1",
        "trap a DEBUG",
        "mapfile a",
        "readarray a",
        "alias a=b",
        "read \"$y\"",
        "read $y",
        "read [a]",
        "printf \"$y\" x",
        "printf \"$y-\" x",
        "printf * x",
        "print -v x \"$y\"",
        "zstyle -s a b x",
        "command $y",
        "for x in c; do d; done",
        "vared x",
        "strftime -s x %s",
        "unset 'x[1]'",
    ] {
        for source in [
            format!("for x in a b; do c \"$x\"; {other}; done"),
            format!("{other}; for x in a b; do c \"$x\"; done"),
            format!("for x in a b; do c \"$x\"; done | ({other})"),
            format!("for x in a b; do c \"$x\"; d \"$({other})\"; done"),
        ] {
            let judged = judged(&source);
            assert!(
                judged.contains(&"c \"$x\"".to_owned()),
                "{source:?}: {judged:?}"
            );
            assert!(
                !judged.contains(&"c a".to_owned()),
                "{source:?}: {judged:?}"
            );
        }
    }
    for other in [
        "read y",
        "y=1",
        "export y=$z",
        "printf '%s' x",
        "echo x=1 read x",
        "find . -name x",
        "printf \"<$z>\" x",
        "wait",
        "unset xx",
    ] {
        let source = format!("{other}; for x in a b; do c \"$x\"; done");
        let expected = other != "export y=$z";
        assert_eq!(
            judged(&source).contains(&"c b".to_owned()),
            expected,
            "{source:?}"
        );
    }
}

#[test]
fn a_loop_variable_that_is_no_option_makes_printf_assign_nothing() {
    for (source, expected) in [
        (
            "for x in a b; do printf \"$x\" y; done",
            vec!["printf a y", "printf b y"],
        ),
        (
            "for x in a b; do printf $x x; done",
            vec!["printf a x", "printf b x"],
        ),
        (
            "for x in a -v; do printf \"$x\" x; done",
            vec!["printf \"$x\" x"],
        ),
        (
            "for x in a ''; do printf \"$x-v\" x; done",
            vec!["printf \"${x}-v\" x"],
        ),
        (
            "for x in a *; do printf \"$x\" x; done",
            vec!["printf \"$x\" x"],
        ),
        (
            "for x in a; do printf \"$x\" x; read x; done",
            vec!["printf \"$x\" x", "read x"],
        ),
        (
            "for y in a; do c \"$y\"; done; printf \"$x\" y",
            vec!["c \"$y\"", "printf \"$x\" y"],
        ),
        (
            "printf \"$y\" y; for y in a; do c \"$y\"; done",
            vec!["printf \"$y\" y", "c \"$y\""],
        ),
        (
            "for y in a; do c \"$y\"; done; printf \"$y\" y",
            vec!["c \"$y\"", "printf \"$y\" y"],
        ),
    ] {
        assert_eq!(judged(source), expected, "{source:?}");
    }
}

#[test]
fn a_bare_loop_variable_is_sent_as_the_one_word_that_was_judged() {
    check(
        "for x in a b; do c $x; done",
        "for x in a b; do c \"$x\"; done",
    );
    check(
        "for f in *; do c /d/$f.e; done",
        "for f in *; do c \"/d/${f}.e\"; done",
    );
    check(
        "for x in a; do c \"$(d $x)\"; done",
        "for x in a; do c \"$(d \"$x\")\"; done",
    );
    check(
        "for x in 'a b'; do c $x; done",
        "for x in 'a b'; do c $x; done",
    );
    check(
        "for x in a; do c $x*; done",
        "for x in a; do c \"$x\"*; done",
    );
    check(
        "for x in a; do c; done; d $x",
        "for x in a; do c; done; d $x",
    );
}

#[test]
fn expansions_are_flagged_and_keep_their_quotes() {
    check("echo $HOME \"$HOME\" ${HOME}", "echo $HOME \"$HOME\" $HOME");
    check(
        "echo \"a$x\" a\"$x\" \"a\"\"${x}b\"",
        "echo \"a$x\" \"a$x\" \"a${x}b\"",
    );
    check(
        "echo ${x}y $x'y' \"$x\"y \"$x\"'[1]'",
        "echo ${x}y ${x}y \"${x}y\" \"${x}[1]\"",
    );
    check("echo $? ${?} \"x$?\"", "echo \"$?\" \"$?\" \"x$?\"");
    check("echo a$?b", "echo \"a${?}b\"");
    check("echo \"$x:h $x/y $x z $x\"", "echo \"${x}:h $x/y $x z $x\"");
    check("echo a$x.b\"$y\"c d\"$z\"*", "echo a${x}.b\"$y\"c d\"$z\"*");
    check("echo $x'a b'", "echo ${x}'a b'");
    check("echo $x''a \"'\"$x", "echo ${x}a \\'$x");
    check(
        "echo \"\\$x \\\" \\\\ \\` $x '\"",
        "echo \"\\$x \\\" \\\\ \\` $x '\"",
    );
    check("echo \"$x\\a\"", "echo \"${x}\\\\a\"");
    check("echo $(a b) \"$(c 'd e')\"", "echo $(a b) \"$(c 'd e')\"");
    check(
        "echo \"$(a \"$(b \"c d\")\")\"",
        "echo \"$(a \"$(b 'c d')\")\"",
    );
    check(
        "echo $(a # b\n) $( (c) ) $({ d; })",
        "echo $(a) $( (c)) $({ d; })",
    );
    check("echo $(a; b & c | d) x$(e)y", "echo $(a; b & c | d) x$(e)y");
    check(
        "echo $(for x in a; do b; done)",
        "echo $(for x in a; do b; done)",
    );
    check(
        "echo ~ ~/a ~/'b c' ~/* ~/$x ~/\"$x\"",
        "echo ~ ~/a ~/'b c' ~/* ~/$x ~/\"$x\"",
    );
    check("echo ~;ls ~>/dev/null", "echo ~; ls ~ >/dev/null");
    let read = script("a $x \"$y\" \"b$(c)d\" ~/e f*");
    let flags: Vec<(&str, bool, bool, bool, bool)> = read.leaves()[1]
        .words
        .iter()
        .map(|word| {
            (
                word.text.as_str(),
                word.dynamic,
                word.tilde,
                word.glob,
                word.may_split(),
            )
        })
        .collect();
    assert_eq!(
        flags,
        [
            ("a", false, false, false, false),
            ("$x", true, false, false, true),
            ("$y", true, false, false, false),
            ("b$(c)d", true, false, false, false),
            ("~/e", false, true, false, false),
            ("f*", false, false, true, false),
        ]
    );
    assert_eq!(read.leaves()[1].words[4].known(), None);
}

#[test]
fn a_command_in_a_word_is_a_leaf_before_the_one_that_holds_it() {
    assert_eq!(
        words("a $(b \"$(c)\" $(d)); e"),
        [
            vec!["c"],
            vec!["d"],
            vec!["b", "$(c)", "$(d)"],
            vec!["a", "$(b \"$(c)\" $(d))"],
            vec!["e"]
        ]
    );
    assert_eq!(judged("A=$(b) c"), ["b", "A=$(b) c"]);
    assert_eq!(judged("for x in $(a); do b; done"), ["a", "b"]);
}

#[test]
fn assignments_stand_before_the_program_or_alone() {
    check("A=b c", "A=b c");
    check("A=b", "A=b");
    check("A= B='c d' e A=f", "A= B='c d' e A=f");
    check("A=\"$x\" b=$(c)", "A=\"$x\" b=$(c)");
    check("A=b >f c", "A=b c >f");
    check(">f A=b c", "A=b c >f");
    check(
        "A='~' B='*' C==ls D=a=b E='a:~'",
        "A='~' B='*' C='=ls' D=a=b E='a:~'",
    );
    check("A=b 'if'", "A=b 'if'");
}

#[test]
fn an_assignment_is_told_apart_from_an_argument() {
    let read = script("A=b _c=d e=");
    let leaf = &read.leaves()[0];
    assert!(leaf.words.is_empty() && leaf.program().is_empty() && !read.is_single());
    let set: Vec<(&str, &str)> = leaf
        .assignments
        .iter()
        .map(|it| (it.name.as_str(), it.value.text.as_str()))
        .collect();
    assert_eq!(set, [("A", "b"), ("_c", "d"), ("e", "")]);
    assert_eq!(words("env A=b"), [["env", "A=b"]]);
}

#[test]
fn files_are_opened_as_it_is_written() {
    check("a >f 2>>'g h' <i 3<>j 4>|k", "a >f 2>>'g h' <i 3<>j 4>k");
    check("a > f", "a >f");
    check("a >f>g", "a >f >g");
    check("a <>/dev/null >|/dev/null", "a <>/dev/null >/dev/null");
    let read = script("a 2>>f <g");
    let [
        Redirection::File {
            fd: 2,
            access: FileUse::Append,
            target,
        },
        Redirection::File {
            fd: 0,
            access: FileUse::Read,
            ..
        },
    ] = read.leaves()[0].redirections.as_slice()
    else {
        panic!("{read:?}");
    };
    assert_eq!(target.text, "f");
    assert!(!read.is_single());
}

#[test]
fn redirections_of_a_group_hold_for_each_leaf_in_it() {
    let read = script("{ a >f; (b $(c)) >g; } <h; d");
    let found: Vec<(String, Vec<String>)> = read
        .leaves()
        .iter()
        .map(|leaf| {
            let target = |redirection: &Redirection| match redirection {
                Redirection::File { target, .. } => target.text.clone(),
                other => panic!("{other:?}"),
            };
            (
                leaf.canonical(),
                leaf.inherited.iter().map(target).collect(),
            )
        })
        .collect();
    let row = |leaf: &str, inherited: &[&str]| {
        (
            leaf.to_owned(),
            inherited.iter().map(|name| (*name).to_owned()).collect(),
        )
    };
    assert_eq!(
        found,
        [
            row("a", &["h"]),
            row("c", &["h", "g"]),
            row("b $(c)", &["h", "g"]),
            row("d", &[])
        ]
    );
}

#[test]
fn here_documents_are_sent_as_they_are_read() {
    check("a <<E\nx\nE", "a <<'EOF'\nx\nEOF\n");
    check("a <<'E'\n$x `y` \\z\nE\n", "a <<'EOF'\n$x `y` \\z\nEOF\n");
    check("a <<\\E\n$x\nE\nb", "a <<'EOF'\n$x\nEOF\nb");
    check("a <<\"E\"\nE \nE\nrm -rf /", "a <<'EOF'\nE \nEOF\nrm -rf /");
    check(
        "a <<-E\n\t\tx\n\ty\tz\n\tE\nb",
        "a <<'EOF'\nx\ny\tz\nEOF\nb",
    );
    check("a <<E\nEOF\nEOF_\nE", "a <<'EOF__'\nEOF\nEOF_\nEOF__\n");
    check("a <<E\nE", "a <<'EOF'\nEOF\n");
    check(
        "a <<E 3<<F b\nx\nE\ny\nF\n",
        "a b <<'EOF' 3<<'EOF'\nx\nEOF\ny\nEOF\n",
    );
    check("a <<E | b\nx\nE\nc", "a <<'EOF' |\nx\nEOF\nb; c");
    check("a <<E && b # c\nx\nE\n", "a <<'EOF' &&\nx\nEOF\nb");
    check("a <<E & b\nx\nE\n", "a <<'EOF' &\nx\nEOF\nb");
    check("a <<E &\nx\nE\n", "a <<'EOF' &\nx\nEOF\n");
    check("a <<E; b\nx\nE", "a <<'EOF'\nx\nEOF\nb");
    check("{ a <<E\nx\nE\n}; b", "{ a <<'EOF'\nx\nEOF\n}; b");
    check("(a <<E)\nx\nE\nb", "(a <<'EOF'\nx\nEOF\n); b");
    check(
        "while a; do b; done <<E\nx\nE",
        "while a; do b; done <<'EOF'\nx\nEOF\n",
    );
    check(
        "if a <<E\nx\nE\nthen b; fi",
        "if a <<'EOF'\nx\nEOF\nthen b; fi",
    );
    check(
        "for x in a; do b <<E\nx\nE\ndone",
        "for x in a; do b <<'EOF'\nx\nEOF\ndone",
    );
    check(
        "{ a; } <<E; for x in a; do\nx\nE\nb; done",
        "{ a; } <<'EOF'\nx\nEOF\nfor x in a; do b; done",
    );
}

#[test]
fn pipes_and_background_reach_every_leaf_inside() {
    let read = script("{ a; b | c; } | (d; e $(f)) | g; { h; } & for x in i; do j; done; k");
    let plain = Role::default();
    let reads = |role: Role| Role {
        reads_pipe: true,
        ..role
    };
    let feeds = |role: Role| Role {
        feeds_pipe: true,
        ..role
    };
    let expected = [
        ("a", feeds(plain)),
        ("b", feeds(plain)),
        ("c", feeds(reads(plain))),
        ("d", feeds(reads(plain))),
        ("f", feeds(reads(plain))),
        ("e", feeds(reads(plain))),
        ("g", reads(plain)),
        (
            "h",
            Role {
                background: true,
                ..plain
            },
        ),
        (
            "j",
            Role {
                repeated: true,
                ..plain
            },
        ),
        ("k", plain),
    ];
    let found: Vec<(&str, Role)> = read
        .leaves()
        .iter()
        .map(|leaf| (leaf.program(), leaf.role))
        .collect();
    assert_eq!(found, expected);
    assert!(script("a $(b)").leaves()[0].role.feeds_pipe);
    assert!(
        script("while a; do b; done")
            .leaves()
            .iter()
            .all(|leaf| leaf.role.repeated)
    );
    assert!(script("a | (b | c)").leaves()[1].role.reads_pipe);
}

#[test]
fn nothing_compound_is_single() {
    for source in [
        "{ a; }",
        "(a)",
        "if a; then b; fi",
        "for x in a; do b; done",
        "A=b",
        "A=b c",
        "a >f",
        "a $(b)",
        "a <<E\nE",
    ] {
        assert!(!script(source).is_single(), "{source:?}");
    }
    assert!(script("a $x ~").is_single());
}

#[test]
fn different_compounds_do_not_mean_the_same() {
    let sources = [
        "a b",
        "{ a b; }",
        "(a b)",
        "A=b a b",
        "a=b",
        "a \"$b\"",
        "a $b",
        "a '$b'",
        "a ~",
        "a '~'",
        "a $(b)",
        "a \"$(b)\"",
        "a >b",
        "a >>b",
        "a <b",
        "{ a; } >b",
        "a <<E\nb\nE",
        "a <<E\nc\nE",
        "if a; then b; fi",
        "if b; then a; fi",
        "while a; do b; done",
        "until a; do b; done",
        "for a in b; do c; done",
        "for a in 'b*'; do c; done",
        "for a in b*; do c; done",
        "for b in b; do c; done",
        "for a in b; do c \"$a\"; done",
        "for a in b; do c b; done",
        "if a; then b; else c; fi",
        "if a; then b; elif c; then d; fi",
    ];
    for (i, one) in sources.iter().enumerate() {
        for (j, other) in sources.iter().enumerate() {
            assert_eq!(
                script(one).means_the_same(&script(other)),
                i == j,
                "{one:?} {other:?}"
            );
        }
    }
}

#[test]
fn keywords_are_words_where_shells_take_them_for_words() {
    for source in [
        "echo if",
        "if2 a",
        "iff",
        "dodo; fine",
        "'for' x in a",
        "for\\  x",
        "}x",
        "{x a",
        "done1",
        "a if b; then2",
    ] {
        let read = parse(source);
        let compound =
            read.is_ok_and(|read| read.leaves().iter().any(|leaf| leaf.words.is_empty()));
        assert!(!compound, "{source:?}");
    }
    assert_eq!(words("a if b; }x"), [vec!["a", "if", "b"], vec!["}x"]]);
}
