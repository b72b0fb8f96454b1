//! The accepted language, row by row: the source, and what is sent for it.

use super::super::Redirection::{Duplicate, FromNull, ToNull};
use super::{check, script, words};

#[test]
fn plain_commands_are_sent_as_they_are() {
    for source in [
        "uptime",
        "df -h",
        "systemctl status nginx.service --no-pager -l",
        "/usr/bin/uptime -p",
        "sudo -n systemctl restart nginx",
        "lsof -i :443",
        "ls /nonexistent 2>/dev/null || true",
        "df -h / | tail -1",
        "a && b || c; d | e & f",
        "! a | b",
        "a &",
        "docker logs --tail 100 web 2>&1",
        "[ -f /etc/passwd ]",
        "[ ! -e x ]",
        "dd if=a of=b",
        "ls /var/log/*.log",
        "ps -ef | grep [n]ginx",
        "ls a? b[a-z]* c[!0-9]",
        "zgrep -h OOM /var/log/kern.log*.gz",
    ] {
        check(source, source);
    }
}

#[test]
fn quoting_is_kept_only_where_it_must_be() {
    check("'uptime'", "uptime");
    check(r#""df" '-h' \/"#, "df -h /");
    check(r#"u"pti"m\e"#, "uptime");
    check(r#"echo "a b"  'c;d'"#, "echo 'a b' 'c;d'");
    check(r"echo it\'s", r"echo 'it'\''s'");
    check("echo '' \"\"", "echo '' ''");
    check("awk '{print $9}' f", "awk '{print $9}' f");
    check("dig +short example.com", "dig +short example.com");
    check("echo a\tb", "echo a b");
    check("echo 'a\tb\nc'", "echo 'a\tb\nc'");
    check("echo é", "echo 'é'");
    check(
        "stat -c \"%U:%G %a %n\" /etc/x",
        "stat -c '%U:%G %a %n' /etc/x",
    );
}

#[test]
fn how_the_last_command_ended_is_one_word_everywhere() {
    check("a; echo $?", r#"a; echo "$?""#);
    check(r#"a; echo "exit=$?""#, r#"a; echo "exit=$?""#);
    check("a; echo ${?}", r#"a; echo "$?""#);
    check("a; echo x$?y", r#"a; echo "x${?}y""#);
    check("a; [ $? -eq 0 ] && b", r#"a; [ "$?" -eq 0 ] && b"#);
    check(r#"a; echo "$?[1]""#, r#"a; echo "${?}[1]""#);
    check("a; echo '$?'", "a; echo '$?'");
}

#[test]
fn double_quotes_keep_all_backslashes_but_four() {
    let read = words(r#"p "a\b" "\$" "\`" "\"" "\\" "\n" "\*" "\'" "\ ""#);
    assert_eq!(
        read[0][1..],
        [r"a\b", "$", "`", "\"", r"\", r"\n", r"\*", r"\'", r"\ "]
    );
}

#[test]
fn a_dollar_that_no_shell_expands_is_a_character() {
    check(r#"grep "foo$" f"#, "grep 'foo$' f");
    check("grep foo$ f", "grep 'foo$' f");
    check(r#"sed "s/$/x/" f"#, "sed 's/$/x/' f");
    check(r#"grep -E "(a$|b$)" f"#, "grep -E '(a$|b$)' f");
    check("echo $", "echo '$'");
    check("echo $;b", "echo '$'; b");
}

#[test]
fn operators_need_no_blanks() {
    check("a&&b||c|d;e&f", "a && b || c | d; e & f");
    check("a;", "a");
    check("a&", "a &");
    check("a & b &", "a & b &");
    check("a;! b", "a; ! b");
}

#[test]
fn newlines_separate_commands_and_may_follow_operators() {
    check("a\nb\n\n c", "a; b; c");
    check("a &\nb", "a & b");
    check("a ;\n\nb", "a; b");
    check("a &&\nb |\n\n c", "a && b | c");
    check("\n\n a \n", "a");
}

#[test]
fn comments_end_with_their_line() {
    check("uptime # load", "uptime");
    check("# one\nuptime # 'two\n# `three`\n", "uptime");
    check("a && # why\n b", "a && b");
    check("a;# x", "a");
    check("a &# x\nb", "a & b");
    check("echo a#b 'c'#d \\#e", "echo 'a#b' 'c#d' '#e'");
    check("a 2>&1 # $(x)", "a 2>&1");
}

#[test]
fn lines_continue_between_words() {
    check("docker run \\\n  -d \\\n  web", "docker run -d web");
    check("a \\\n| b && \\\nc", "a | b && c");
    check("a \\\n", "a");
}

#[test]
fn redirections_are_read_wherever_they_stand() {
    let read = script(">/dev/null a 2>&1 b </dev/null 3>> '/dev/null' >& 2 2> /dev/null");
    assert_eq!(
        read.leaves()[0].redirections,
        [
            ToNull { fd: 1 },
            Duplicate { from: 2, to: 1 },
            FromNull { fd: 0 },
            ToNull { fd: 3 },
            Duplicate { from: 1, to: 2 },
            ToNull { fd: 2 },
        ]
    );
    check(
        ">/dev/null a 2>&1 b </dev/null 3>> '/dev/null' >& 2 2> /dev/null",
        "a b >/dev/null 2>&1 </dev/null 3>/dev/null >&2 2>/dev/null",
    );
    check("a>/dev/null&&b", "a >/dev/null && b");
}

#[test]
fn a_digit_belongs_to_a_redirection_only_where_it_touches_it() {
    check("echo 2 >/dev/null", "echo 2 >/dev/null");
    check("echo a2>&1", "echo a2 >&1");
    check("echo '2'>&1", "echo 2 >&1");
    check(r"echo \2>&1", "echo 2 >&1");
    check("echo 2>&1", "echo 2>&1");
    check("echo 0</dev/null", "echo </dev/null");
}

#[test]
fn a_glob_is_flagged_and_its_static_parts_are_quoted() {
    let read = script("ls 'a b'*.log \\*x*");
    let leaf = &read.leaves()[0];
    assert_eq!(leaf.words[1].text, "a b*.log");
    assert!(leaf.words[1].glob && leaf.words[1].quoted);
    assert_eq!(leaf.words[1].glob_offsets(), [3]);
    assert_eq!(leaf.words[2].text, "*x*");
    assert_eq!(leaf.words[2].glob_offsets(), [2]);
    check("ls 'a b'*.log \\*x*", "ls 'a b'*.log '*x'*");
    check("ls {*} =* x#* # *", "ls '{'*'}' '='* 'x#'*");
    check(
        "kubectl get po -o jsonpath={.items[*].metadata.name}",
        "kubectl get po -o 'jsonpath={.items'[*]'.metadata.name}'",
    );
    check("grep --include=*.log x", "grep --include=*.log x");
}

#[test]
fn a_quoted_glob_is_no_glob() {
    for source in [
        "find / -name '*.conf'",
        "find / -name \"*.conf\"",
        r"find / -name \*.conf",
    ] {
        assert!(!script(source).leaves()[0].words[3].glob);
        check(source, "find / -name '*.conf'");
    }
    check("ls '['a] ]", "ls '[a]' ]");
    check("echo a] [", "echo 'a]' [");
}

#[test]
fn braces_that_expand_nowhere_are_characters() {
    check("find . -exec grep x {} \\;", "find . -exec grep x {} ';'");
    check(
        "echo {a} {a,b a,b} { } {.x} {a'..'b}",
        "echo '{a}' '{a,b' 'a,b}' '{' '}' '{.x}' '{a..b}'",
    );
    check(
        "echo {a','b} '{'a,b} {a\\,b}",
        "echo '{a,b}' '{a,b}' '{a,b}'",
    );
}

#[test]
fn a_tilde_that_expands_nowhere_is_a_character() {
    check("ls file~ a~b '~' \\~", "ls 'file~' 'a~b' '~' '~'");
    check("rsync a host:~/b", "rsync a 'host:~/b'");
    check("make --prefix=~/x", "make '--prefix=~/x'");
}

#[test]
fn words_that_are_syntax_elsewhere_are_sent_quoted() {
    check("time -p ls", "'time' -p ls");
    check("repeat 3 ls", "'repeat' 3 ls");
    check("echo =ls %1 ^a !x !", "echo '=ls' %1 '^a' '!x' !");
    check("echo if then { [[ time", "echo if then '{' '[[' time");
    check("!x y", "'!x' y");
}

#[test]
fn the_text_never_begins_like_an_option_of_the_shell() {
    check("-i", "'-i'");
    check("+x a", "'+x' a");
    check("a; -i", "a; '-i'");
}

#[test]
fn quoted_reserved_words_are_programs_and_stay_quoted() {
    check("'if' x", "'if' x");
    check(r"\for x", "'for' x");
    check(r#"wh"ile""#, "'while'");
    check("'{' x", "'{' x");
    check("'!' x", "'!' x");
    check("'A=b' x", "'A=b' x");
    check(r#""A="'b' x"#, "'A=b' x");
}

#[test]
fn empty_quotes_never_stand_beside_an_expansion() {
    check(r#"echo $x"' y""#, r"echo ${x}\'' y'");
    check(r#"echo "y '"$x"#, r"echo 'y '\'$x");
    check(r#"echo *"'"*"#, r"echo *\'*");
    check(r#"echo "it's" "'" ''"#, r"echo 'it'\''s' \' ''");
}

#[test]
fn parts_stand_in_order_and_keep_their_source() {
    for (source, parts) in [
        ("uptime", vec!["uptime"]),
        ("uptime && whoami", vec!["uptime", "whoami"]),
        ("uptime | cat", vec!["uptime", "cat"]),
        ("uptime || whoami", vec!["uptime", "whoami"]),
        (
            "uptime; whoami && hostname",
            vec!["uptime", "whoami", "hostname"],
        ),
        ("echo 'a;b' ; id", vec!["echo 'a;b'", "id"]),
        ("uptime & whoami", vec!["uptime", "whoami"]),
        ("echo \\\" ; id", vec!["echo \\\"", "id"]),
        (
            "echo \"a && b\" && ls 2>&1 | wc",
            vec!["echo \"a && b\"", "ls 2>&1", "wc"],
        ),
    ] {
        let read = script(source);
        let sources: Vec<&str> = read
            .leaves()
            .iter()
            .map(|leaf| leaf.source(source))
            .collect();
        assert_eq!(sources, parts, "{source:?}");
    }
    let source = "echo 'a b'  c\\d";
    let read = script(source);
    assert_eq!(read.leaves()[0].words[1].source(source), "'a b'");
    assert_eq!(read.leaves()[0].words[2].source(source), "c\\d");
    assert_eq!(read.leaves()[0].words[2].source("other"), "");
}

#[test]
fn the_canonical_text_is_quoted_only_where_it_must_be() {
    for (source, canonical) in [
        ("\"rm\"  -r'f'  \\/ 2>&1", "rm -rf /"),
        ("time ls", "time ls"),
        ("r\\m -rf /", "rm -rf /"),
        ("echo 'a b' =x", "echo 'a b' =x"),
        (
            "find . ! -name x -exec y {} ';'",
            "find . ! -name x -exec y {} ';'",
        ),
        ("[ -f x ]", "[ -f x ]"),
        ("'if' x", "'if' x"),
        ("-x +y", "-x +y"),
        ("ls '/var/log/'*", "ls /var/log/*"),
        ("ls '/var/log/*'", "ls '/var/log/*'"),
    ] {
        assert_eq!(
            script(source).leaves()[0].canonical(),
            canonical,
            "{source:?}"
        );
    }
}

#[test]
fn each_leaf_knows_how_it_is_joined() {
    let read = script("a | b | c && d & e");
    let roles: Vec<(bool, bool, bool)> = read
        .leaves()
        .iter()
        .map(|leaf| {
            (
                leaf.role.reads_pipe,
                leaf.role.feeds_pipe,
                leaf.role.background,
            )
        })
        .collect();
    assert_eq!(
        roles,
        [
            (false, true, true),
            (true, true, true),
            (true, false, true),
            (false, false, true),
            (false, false, false),
        ]
    );
}

#[test]
fn only_one_bare_command_is_single() {
    for source in ["a", "a b # c", "a;", "\na\n"] {
        assert!(script(source).is_single(), "{source:?}");
    }
    for source in ["a;b", "a|b", "a&&b", "! a", "a &", "a 2>&1", "a\nb"] {
        assert!(!script(source).is_single(), "{source:?}");
    }
}

#[test]
fn different_trees_do_not_mean_the_same() {
    let sources = [
        "a",
        "a &",
        "! a",
        "a; b",
        "a & b",
        "a && b",
        "a || b",
        "a | b",
        "! a | b",
        "a >&2",
        "a 2>&1",
        "a </dev/null",
        "a >/dev/null",
        "a x",
        "a '*'",
        "a *",
        "a ''",
        "a x x",
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
