//! Generated scripts for the shell tests, each with what a shell must run for it. The expectation is
//! built beside the text, not read from it, so it does not depend on the recogniser.
#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod run;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;

/// A program that ends with status 0.
pub(crate) const SUCCEEDS: &str = "ok";
/// A program that ends with status 1.
pub(crate) const FAILS: &str = "no";
/// The other programs; all end with status 0. Their names are what a careless printer gets wrong.
pub(crate) const ODD: &[&str] = &[
    "ok-2", "if", "while", "{", "}", "!", "A=b", "-i", "+x", "it's", "a b", "[ok", "repeat",
    "foreach", "=ls", "~", "*", "a\\b", "x;y", "$x", "#x", "time", "end", "in", "-",
];

/// A spelling and the text that it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Spelt {
    /// What is written.
    pub(crate) spelling: String,
    /// What a shell reads.
    pub(crate) text: String,
}

/// One simple command.
#[derive(Debug, Clone)]
pub(crate) struct Simple {
    spelling: String,
    argv: Vec<String>,
}

/// A script with what runs when it is run.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// The script.
    pub(crate) source: String,
    /// Every argument vector that it holds, in source order.
    pub(crate) written: Vec<Vec<String>>,
    /// Those that run, in the order in which they start where that is certain.
    pub(crate) run: Vec<Vec<String>>,
    /// Whether the order of `run` is certain.
    pub(crate) ordered: bool,
}

/// Texts that match a pattern; the pattern is compiled once, which a string as a strategy is not.
fn matching(pattern: &str) -> impl Strategy<Value = String> + use<> {
    string_regex(pattern).unwrap()
}

fn bare() -> impl Strategy<Value = Spelt> {
    matching("[A-Za-z0-9_@%+=:,./^!~{}#-]{1,4}").prop_map(|text: String| Spelt {
        spelling: text.clone(),
        text,
    })
}

fn escaped() -> impl Strategy<Value = Spelt> {
    select(
        " \t'\"\\$`*?[]{}~#!&|;<>()=ané%"
            .chars()
            .collect::<Vec<_>>(),
    )
    .prop_map(|c| Spelt {
        spelling: format!("\\{c}"),
        text: c.to_string(),
    })
}

fn single() -> impl Strategy<Value = Spelt> {
    matching("[ \t\n\"\\\\$`*?{}~#!&|;<>()=a-cé%\\[\\]^-]{0,6}").prop_map(|text: String| Spelt {
        spelling: format!("'{text}'"),
        text,
    })
}

fn double() -> impl Strategy<Value = Spelt> {
    let part = prop_oneof![
        matching("[ \t\n'*?{}~#!&|;<>()=a-cé%^-]").prop_map(|text: String| (text.clone(), text)),
        select(vec!['$', '`', '"', '\\']).prop_map(|c| (format!("\\{c}"), c.to_string())),
        matching("[a-z*'!;#]").prop_map(|text: String| (format!("\\{text}"), format!("\\{text}"))),
    ];
    proptest::collection::vec(part, 0..5).prop_map(|parts| Spelt {
        spelling: format!(
            "\"{}\"",
            parts.iter().map(|part| part.0.as_str()).collect::<String>()
        ),
        text: parts.iter().map(|part| part.1.as_str()).collect(),
    })
}

fn word() -> impl Strategy<Value = Spelt> {
    let piece = prop_oneof![3 => bare(), 1 => escaped(), 2 => single(), 2 => double()];
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| {
        let mut spelling: String = pieces.iter().map(|piece| piece.spelling.as_str()).collect();
        let mut text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        // A `#` that begins a word would begin a comment, and the rest would not be run; a `~` would be
        // expanded.
        if spelling.starts_with(['#', '~']) {
            spelling.insert(0, 'x');
            text.insert(0, 'x');
        }
        Spelt { spelling, text }
    })
}

fn program() -> impl Strategy<Value = Spelt> {
    let plain = select(vec![SUCCEEDS, FAILS]).prop_map(|name| Spelt {
        spelling: name.to_owned(),
        text: name.to_owned(),
    });
    let odd = (select(ODD), 0..3_u8).prop_map(|(name, quoting)| Spelt {
        spelling: match quoting {
            0 => format!("'{}'", name.replace('\'', "'\\''")),
            1 => name.chars().map(|c| format!("\\{c}")).collect(),
            _ => format!("\"{}\"", name.replace('\\', "\\\\").replace('$', "\\$")),
        },
        text: name.to_owned(),
    });
    prop_oneof![3 => plain, 2 => odd]
}

fn redirection() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..10_u8, 1..3_u8).prop_map(|(from, to)| format!("{from}>&{to}")),
        (0..10_u8).prop_map(|fd| format!("{fd}>>/dev/null")),
        select(vec![
            ">/dev/null",
            "> '/dev/null'",
            "</dev/null",
            "2> /dev/null",
            ">&2",
            "0< /dev/null"
        ])
        .prop_map(str::to_owned),
    ]
}

fn simple() -> impl Strategy<Value = Simple> {
    let redirections =
        proptest::collection::vec((any::<prop::sample::Index>(), redirection()), 0..3);
    (
        program(),
        proptest::collection::vec(word(), 0..4),
        redirections,
    )
        .prop_map(|(program, arguments, redirections)| {
            let mut argv = vec![program.text];
            let mut tokens = vec![program.spelling];
            for argument in arguments {
                argv.push(argument.text);
                tokens.push(argument.spelling);
            }
            for (place, redirection) in redirections {
                let place = place.index(tokens.len() + 1);
                tokens.insert(place, redirection);
            }
            Simple {
                spelling: tokens.join(" "),
                argv,
            }
        })
}

type Pipes = (bool, Vec<(Simple, &'static str)>);
type AndOr = Vec<(Pipes, bool, &'static str)>;

fn pipes() -> impl Strategy<Value = Pipes> {
    let joint = select(vec![" | ", "|", " |\n "]);
    (
        any::<bool>(),
        proptest::collection::vec((simple(), joint), 1..3),
    )
}

fn and_or() -> impl Strategy<Value = AndOr> {
    let blank = select(vec![" ", "", "\n", " # x\n"]);
    proptest::collection::vec((pipes(), any::<bool>(), blank), 1..3)
}

/// A script of the accepted language; some samples hold words that refuse.
pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    let ending = select(vec!["; ", ";", " & ", "\n", " # a comment\n"]);
    proptest::collection::vec((and_or(), ending), 1..3).prop_map(|items| {
        let mut sample = Sample {
            source: String::new(),
            written: Vec::new(),
            run: Vec::new(),
            ordered: true,
        };
        for (and_or, ending) in items {
            sample.add(&and_or);
            sample.source.push_str(ending);
            sample.ordered &= ending != " & ";
        }
        sample
    })
}

impl Sample {
    /// Adds pipelines joined by `&&` and `||`, run as a shell would run them.
    fn add(&mut self, pipelines: &AndOr) {
        let mut success = true;
        for (position, ((negated, commands), and, blank)) in pipelines.iter().enumerate() {
            let mut runs = true;
            if position > 0 {
                self.source.push_str(if *and { " &&" } else { "||" });
                self.source.push_str(blank);
                runs = success == *and;
            }
            if *negated {
                self.source.push_str("! ");
            }
            self.ordered &= commands.len() == 1;
            for (index, (simple, joint)) in commands.iter().enumerate() {
                if index > 0 {
                    self.source.push_str(joint);
                }
                self.source.push_str(&simple.spelling);
                self.written.push(simple.argv.clone());
                if runs {
                    self.run.push(simple.argv.clone());
                }
            }
            if runs {
                let last = commands.last().and_then(|(simple, _)| simple.argv.first());
                success = (last.map(String::as_str) == Some(FAILS)) == *negated;
            }
        }
    }
}

/// Words made of the bytes that shells disagree on. Nothing in it can end a command.
pub(crate) fn soup() -> impl Strategy<Value = String> {
    // The last line holds characters whose UTF-8 has bytes that dash and busybox sh use as marks.
    let characters = "a b1'\"\\*?[]{}~#!=,.-$:/^+@%\té  ab''\"\"\\{},..[]*\
                      ÁÂÃÄÅÆÇÈ€‑";
    let token = prop_oneof![
        9 => select(characters.chars().collect::<Vec<_>>()).prop_map(String::from),
        1 => select(vec![
            "a=", " a=~", " a=b:~ ", "=~", ":~", "{a,b}", "{1..2}", "{a}", "[a-c]", "[!x]", "[^x]", "\\\\", "$ ", "\"$\"", "[ ", " ]",
            "''", " ! ", " {} ", "--x=", " #", "\\*", "\\'", "'\\'", "\"\\\\\"",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(token, 0..10).prop_map(|tokens| tokens.concat())
}

/// Anything near the language: soup, operators and whole words of it.
pub(crate) fn noise() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        select(vec![
            "&&",
            "||",
            "|",
            ";",
            "&",
            "\n",
            "!",
            "! ",
            "(",
            ")",
            "{",
            "}",
            "<",
            ">",
            "2>&1",
            ">&2",
            ">/dev/null",
            "</dev/null",
            "if",
            "time",
            "a",
            "ls -l",
            "$(x)",
            "`",
            "<<E",
            "\\\n",
            " ",
            "#",
            "[",
            "[a]",
            "[[",
            "A=b",
            "''",
            "\r",
            "\u{a0}",
            "if a; then b; fi",
            "then ",
            "else ",
            "elif ",
            "fi",
            "while ",
            "do ",
            "done",
            "for x in ",
            "for x in a 'b c' *; do ",
            "; done",
            "$x",
            "\"$x\"",
            "\"a${x}b ",
            "${",
            "$(a ",
            "\"$(",
            "{ ",
            "; }",
            "( ",
            ">f",
            "2>>$x",
            "<f ",
            "<<E\nx\nE\n",
            "<<'E' ",
            "\nE\n",
            "<<-\\E\n",
            "~",
            "~/",
            "read x",
            "A=$x ",
        ])
        .prop_map(str::to_owned),
        soup(),
    ];
    proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

/// Compound commands, with holes that noise fills.
pub(crate) fn nested() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => select(vec![
            "a", "a 'b c'", "a $x", "a \"$x\"", "a \"/l/$x.e\" $x*", "b >f", "c 2>&1 </dev/null", "A=b c", "A=$x", "a ~/b *",
            "a \"$y\" $y", "read x", "a <<E\n x\nEOF\nE\n", "a <<-'E' 3<<F\n\t$x\nE\ny\nF\n", "if", "! a", "a \\\n b",
            "printf \"$x\"", "time a",
            "export B=$x",
            "a export \"B=$x\"",
            "printf \"<$x>\" y",
            "a B=$x $x=~ {$x}", "a $x[b]", "a \"${x}[b]\" ${x}b",
        ]).prop_map(str::to_owned),
        1 => noise(),
    ];
    leaf.prop_recursive(6, 32, 4, |inner| {
        let gap = select(vec!["; ", "\n", " # c\n", " ;\n\n"]);
        prop_oneof![
            (
                inner.clone(),
                inner.clone(),
                select(vec!["; ", " | ", "&&", "||\n", " & ", "\n"])
            )
                .prop_map(|(a, b, j)| format!("{a}{j}{b}")),
            (inner.clone(), gap.clone()).prop_map(|(a, g)| format!("{{ {a}{g}}}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("( {a}\n) >g")),
            inner
                .clone()
                .prop_map(|a| format!("a \"$({a})\" x$( {a})y")),
            (inner.clone(), inner.clone(), gap.clone())
                .prop_map(|(a, b, g)| format!("if {a}{g}then {b}{g}fi")),
            (inner.clone(), inner.clone(), inner.clone(), gap.clone()).prop_map(
                |(a, b, c, g)| format!(
                    "if {a}{g}then {b}{g}elif {c}{g}then {a}{g}else {b}{g}fi <h"
                )
            ),
            (inner.clone(), inner.clone(), gap.clone())
                .prop_map(|(a, b, g)| format!("while {a}{g}do {b}{g}done")),
            (
                inner,
                select(vec![
                    "a b", "a 'b c'", "*.l", "'a*'*", "~", "$y", "a '' b", "$(z)"
                ]),
                select(vec!["x", "y", "x"]),
                gap
            )
                .prop_map(|(a, v, n, g)| format!("for {n} in {v}{g}do {a}{g}done")),
        ]
    })
}
