//! Generated nested scripts with what they run, found by running them here. Not one line of it looks at
//! the recogniser.

use super::{FAILS, SUCCEEDS, Spelt, word};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::HashMap;

/// A program that ends with status 0 and 1 in turn, counted apart for each first argument.
pub(crate) const TOGGLES: &str = "again";
/// A program that records its standard input as its last argument.
pub(crate) const TAKES: &str = "takes";
/// What `$VALUE` and `~` are when a sample runs.
pub(crate) const VALUE: &str = "v  w*";
/// See [`VALUE`].
pub(crate) const HOME: &str = "/home/a b";
/// A file that is there when a sample runs.
pub(crate) const FILE: &str = "in0";

/// A part of an argument.
#[derive(Debug, Clone)]
enum Part {
    Text(Spelt),
    /// `$name`, bare or in quotes.
    Bare(&'static str),
    Quoted(&'static str),
    /// A command, bare or in quotes; none of them writes anything.
    BareCommand(Box<Node>),
    QuotedCommand(Box<Node>),
}

/// A part of a script.
#[derive(Debug, Clone)]
enum Node {
    Simple {
        program: &'static str,
        arguments: Vec<(bool, Vec<Part>)>,
        redirection: String,
    },
    Takes(String, Spelt),
    Not(Box<Node>),
    List(Vec<Node>, &'static str),
    Chain(Box<Node>, &'static str, Box<Node>),
    Pipe(Box<Node>, Box<Node>),
    Group(Box<Node>, String),
    Subshell(Box<Node>, String),
    If(Box<Arms>),
    /// Whether it is `until`.
    While(bool, Box<Node>),
    For(&'static str, Vec<Spelt>, Box<Node>),
}

/// The condition, what runs where it holds, a second condition with that, and what runs where none does.
type Arms = (Node, Node, Option<(Node, Node)>, Option<Node>);

/// A script, what it runs, and whether the order is certain.
#[derive(Debug, Clone)]
pub(crate) struct Nested {
    pub(crate) source: String,
    pub(crate) run: Vec<Vec<String>>,
    pub(crate) ordered: bool,
}

fn part() -> impl Strategy<Value = Part> {
    let name = || select(vec!["x", "y", "f", "VALUE"]);
    let inner = || select(vec!["ok-2 i", "no 'j k'", "ok-2 \"$x\""]);
    let command = |text: &'static str| {
        let (program, rest) = text.split_once(' ').unwrap();
        let argument = match rest {
            "\"$x\"" => Part::Quoted("x"),
            rest => Part::Text(Spelt {
                spelling: rest.to_owned(),
                text: rest.trim_matches('\'').to_owned(),
            }),
        };
        Box::new(Node::Simple {
            program: if program == "no" { FAILS } else { "ok-2" },
            arguments: vec![(false, vec![argument])],
            redirection: String::new(),
        })
    };
    prop_oneof![
        4 => word().prop_map(Part::Text),
        4 => name().prop_map(Part::Quoted),
        2 => select(vec!["x", "y", "f"]).prop_map(Part::Bare),
        1 => inner().prop_map(move |text| Part::QuotedCommand(command(text))),
        1 => inner().prop_map(move |text| Part::BareCommand(command(text))),
    ]
}

fn redirection() -> impl Strategy<Value = String> {
    select(vec![
        "",
        "",
        "",
        ">out1",
        " 2>>'out 2'",
        " <in0",
        " >| out1 2>&1",
        " 3<>out3",
        " >/dev/null",
    ])
    .prop_map(str::to_owned)
}

fn simple() -> impl Strategy<Value = Node> {
    let argument = (
        prop::bool::weighted(0.1),
        prop::collection::vec(part(), 1..3),
    );
    let arguments = prop::collection::vec(argument, 0..3);
    let program = select(vec![SUCCEEDS, SUCCEEDS, "ok-2", FAILS]);
    let ordinary =
        (program, arguments, redirection()).prop_map(|(program, arguments, redirection)| {
            Node::Simple {
                program,
                arguments,
                redirection,
            }
        });
    let line = || prop::string::string_regex("[ a-zE_]{0,4}|EOF|EOF_|\tx|'\"#").unwrap();
    let plain = prop::collection::vec(line(), 0..4)
        .prop_map(|lines| lines.iter().map(|l| format!("{l}\n")).collect());
    let takes =
        (plain, any::<bool>(), word()).prop_map(|(body, quoted, word): (String, bool, Spelt)| {
            let body = if quoted {
                format!("{body}$x `y` \\\\\n")
            } else {
                body
            };
            let delimiter = if quoted { "'E-N-D'" } else { "E-N-D" };
            Node::Takes(format!("{delimiter}\u{0}{body}"), word)
        });
    prop_oneof![6 => ordinary, 1 => takes]
}

/// A nested script with what it runs.
pub(crate) fn nested() -> impl Strategy<Value = Nested> {
    let node = simple().prop_recursive(4, 24, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let value = select(vec![
            ("a", "a"), ("b-1", "b-1"), ("'c d'", "c d"), ("\"e\"f", "ef"), ("*.log", "*.log"), ("'g'*.log", "g*.log"), ("''", ""), ("~/h", "/home/a b/h"),
        ])
        .prop_map(|(spelling, text)| Spelt { spelling: spelling.to_owned(), text: text.to_owned() });
        prop_oneof![
            3 => (prop::collection::vec(inner.clone(), 1..3), select(vec!["; ", "\n", " # c\n"])).prop_map(|(l, j)| Node::List(l, j)),
            1 => boxed().prop_map(Node::Not),
            2 => (boxed(), select(vec!["&&", " || ", " &&\n"]), boxed()).prop_map(|(a, j, b)| Node::Chain(a, j, b)),
            1 => (boxed(), boxed()).prop_map(|(a, b)| Node::Pipe(a, b)),
            1 => (boxed(), redirection()).prop_map(|(a, r)| Node::Group(a, r)),
            1 => (boxed(), redirection()).prop_map(|(a, r)| Node::Subshell(a, r)),
            2 => (inner.clone(), inner.clone(), prop::option::of((inner.clone(), inner.clone())), prop::option::of(inner.clone()))
                .prop_map(|all| Node::If(Box::new(all))),
            1 => (any::<bool>(), boxed()).prop_map(|(u, b)| Node::While(u, b)),
            4 => (select(vec!["x", "y", "f"]), prop::collection::vec(value, 1..3), boxed()).prop_map(|(n, v, b)| Node::For(n, v, b)),
        ]
    });
    node.prop_map(|node| {
        let mut writer = Writer::default();
        let source = writer.write(&node);
        let mut runner = Runner {
            run: Vec::new(),
            ordered: true,
        };
        let mut variables = HashMap::from([("VALUE", VALUE.to_owned())]);
        runner.run(&node, &mut variables);
        Nested {
            source: format!("{source}\n"),
            run: runner.run,
            ordered: runner.ordered,
        }
    })
}

#[derive(Default)]
struct Writer {
    toggles: usize,
}

impl Writer {
    /// A node as a list: what follows it has to begin with a newline or be a parenthesis on its own line.
    fn write(&mut self, node: &Node) -> String {
        match node {
            Node::Simple {
                program,
                arguments,
                redirection,
            } => {
                let mut out = (*program).to_owned();
                for (tilde, parts) in arguments {
                    out.push(' ');
                    out.push_str(if *tilde { "~/" } else { "" });
                    for part in parts {
                        out.push_str(&self.part(part));
                    }
                }
                if redirection.starts_with('>') {
                    out.push(' ');
                }
                out + redirection
            }
            Node::Takes(text, word) => {
                let (delimiter, body) = text.split_once('\u{0}').unwrap();
                format!(
                    "{TAKES} <<{delimiter} {}\n{body}E-N-D",
                    word.spelling.replace('\n', "")
                )
            }
            Node::Not(inner) => format!("! {{ {}\n}}", self.write(inner)),
            Node::List(nodes, joint) => {
                let joint = if nodes.iter().any(ends_with_text) {
                    "\n"
                } else {
                    joint
                };
                let parts: Vec<String> = nodes.iter().map(|node| self.write(node)).collect();
                parts.join(joint)
            }
            Node::Chain(a, joint, b) => {
                let (a, b) = (self.braced(a), self.braced(b));
                format!("{a}{joint}{b}")
            }
            Node::Pipe(a, b) => {
                let (a, b) = (self.braced(a), self.braced(b));
                format!("{a} | {b}")
            }
            Node::Group(inner, redirection) => {
                format!("{{ {}\n}}{}", self.write(inner), apart(redirection))
            }
            Node::Subshell(inner, redirection) => {
                format!("( {}\n){}", self.write(inner), apart(redirection))
            }
            Node::If(all) => {
                let (condition, body, elif, otherwise) = all.as_ref();
                let mut out = format!("if {}\nthen {}\n", self.write(condition), self.write(body));
                if let Some((condition, body)) = elif {
                    out += &format!(
                        "elif {}\nthen\n{}\n",
                        self.write(condition),
                        self.write(body)
                    );
                }
                if let Some(otherwise) = otherwise {
                    out += &format!("else {}\n", self.write(otherwise));
                }
                out + "fi"
            }
            Node::While(until, body) => {
                self.toggles += 1;
                let number = self.toggles;
                let keyword = if *until { "until !" } else { "while" };
                let body = self.write(body);
                format!("{keyword} {TOGGLES} t{number}; do {body}\ndone")
            }
            Node::For(name, values, body) => {
                let values: Vec<&str> =
                    values.iter().map(|value| value.spelling.as_str()).collect();
                format!(
                    "for {name} in {}\ndo {}\ndone",
                    values.join(" "),
                    self.write(body)
                )
            }
        }
    }

    /// A node as one command of a pipeline.
    fn braced(&mut self, node: &Node) -> String {
        match node {
            Node::Simple { .. }
            | Node::Group(..)
            | Node::Subshell(..)
            | Node::If(..)
            | Node::While(..)
            | Node::For(..) => self.write(node),
            _ => format!("{{ {}\n}}", self.write(node)),
        }
    }

    fn part(&mut self, part: &Part) -> String {
        match part {
            Part::Text(spelt) => spelt.spelling.clone(),
            Part::Bare(name) => format!("${{{name}}}"),
            Part::Quoted(name) => format!("\"${name}\""),
            Part::BareCommand(node) => format!("$({})", self.write(node)),
            Part::QuotedCommand(node) => format!("\"$({})\"", self.write(node)),
        }
    }
}

fn apart(redirection: &str) -> String {
    match redirection.starts_with('>') {
        true => format!(" {redirection}"),
        false => redirection.to_owned(),
    }
}

fn ends_with_text(node: &Node) -> bool {
    matches!(node, Node::Takes(..))
        || matches!(node, Node::List(nodes, _) if nodes.iter().any(ends_with_text))
}

type Variables = HashMap<&'static str, String>;

struct Runner {
    run: Vec<Vec<String>>,
    ordered: bool,
}

impl Runner {
    /// Runs a node and says whether it succeeded.
    fn run(&mut self, node: &Node, variables: &mut Variables) -> bool {
        match node {
            Node::Simple {
                program, arguments, ..
            } => {
                let mut vector = vec![(*program).to_owned()];
                for (tilde, parts) in arguments {
                    self.argument(*tilde, parts, variables, &mut vector);
                }
                self.run.push(vector);
                *program != FAILS
            }
            Node::Takes(text, word) => {
                let (_, body) = text.split_once('\u{0}').unwrap();
                self.run.push(vec![
                    TAKES.to_owned(),
                    word.text.replace('\n', ""),
                    body.to_owned(),
                ]);
                true
            }
            Node::Not(inner) => !self.run(inner, variables),
            Node::List(nodes, _) => nodes.iter().fold(true, |_, node| self.run(node, variables)),
            Node::Chain(a, joint, b) => {
                let first = self.run(a, variables);
                if first == joint.contains("&&") {
                    self.run(b, variables)
                } else {
                    first
                }
            }
            Node::Pipe(a, b) => {
                self.ordered = false;
                self.run(a, &mut variables.clone());
                self.run(b, &mut variables.clone())
            }
            Node::Group(inner, _) => self.run(inner, variables),
            Node::Subshell(inner, _) => self.run(inner, &mut variables.clone()),
            Node::If(all) => {
                let (condition, body, elif, otherwise) = all.as_ref();
                if self.run(condition, variables) {
                    return self.run(body, variables);
                }
                match (elif, otherwise) {
                    (Some((condition, body)), _) if self.run(condition, variables) => {
                        self.run(body, variables)
                    }
                    (_, Some(otherwise)) => self.run(otherwise, variables),
                    (_, None) => true,
                }
            }
            Node::While(_, body) => {
                // Its number is not known here, since nodes before it may not have run.
                let vector = vec![TOGGLES.to_owned()];
                self.run.push(vector.clone());
                let success = self.run(body, variables);
                self.run.push(vector);
                success
            }
            Node::For(name, values, body) => {
                let mut success = true;
                for value in values {
                    variables.insert(name, value.text.clone());
                    success = self.run(body, variables);
                }
                success
            }
        }
    }

    /// Adds what becomes of an argument: no word, one or more.
    fn argument(
        &mut self,
        tilde: bool,
        parts: &[Part],
        variables: &Variables,
        vector: &mut Vec<String>,
    ) {
        let mut word: Option<String> = tilde.then(|| format!("{HOME}/"));
        for part in parts {
            match part {
                Part::Text(spelt) => word.get_or_insert_default().push_str(&spelt.text),
                Part::Quoted(name) => {
                    let value = variables.get(name).map_or("", String::as_str);
                    word.get_or_insert_default().push_str(value);
                }
                Part::Bare(name) => {
                    let value = variables.get(name).map_or("", String::as_str);
                    for (position, field) in value.split(' ').enumerate() {
                        if position > 0 {
                            vector.extend(word.take());
                        }
                        if !field.is_empty() {
                            word.get_or_insert_default().push_str(field);
                        }
                    }
                }
                Part::BareCommand(node) => {
                    self.run(node, &mut variables.clone());
                }
                Part::QuotedCommand(node) => {
                    self.run(node, &mut variables.clone());
                    word.get_or_insert_default();
                }
            }
        }
        vector.extend(word);
    }
}
