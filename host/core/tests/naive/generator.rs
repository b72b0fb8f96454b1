//! Random policies, and commands that lie near them.

use serde_json::{Map, Value, json};

/// A small generator, so that a seed replays everything.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn some<'a>(&mut self, all: &[&'a str], most: usize) -> Vec<&'a str> {
        (0..=self.below(most)).map(|_| self.of(all)).collect()
    }
}

const PROGRAMS: [&str; 6] = ["alf", "alfa", "bet", "gam", "/opt/alf", "/opt/bin/bet"];
const PROGRAM_GLOBS: [&str; 14] = [
    "alf",
    "alf*",
    "bet",
    "bet*",
    "gam",
    "*",
    "al?",
    "[!b]*",
    "*a*",
    "/opt/alf",
    "/opt/*",
    "/opt/alf*",
    "*/alf",
    "/*/bet",
];
const WORDS: [&str; 27] = [
    "a",
    "b",
    "ab",
    "-x",
    "-xa",
    "x/y",
    "./x",
    "../x",
    "../../srv/x",
    "/srv/x",
    "/srv/y/z",
    "//srv/./x",
    "/srv/../x",
    "/srv/",
    "/srv",
    "/x",
    "'a b'",
    "a\\ b",
    "''",
    "*.l",
    "a*",
    "/srv/*",
    "?",
    "--f=/srv/x",
    "--f=//srv/./x",
    "--f=../srv/x",
    "[ab]",
];
const WORD_GLOBS: [&str; 22] = [
    "a",
    "b",
    "*",
    "*",
    "*",
    "-x",
    "-*",
    "-x*",
    "a*",
    "?",
    "[ab]",
    "[!-]*",
    "*b",
    "/srv/*",
    "/srv/x",
    "/srv",
    "/*",
    "x/*",
    "x/y",
    "--f=/srv/*",
    "--f=*",
    "/srv/?",
];
const PATH_GLOBS: [&str; 7] = ["/srv/*", "/srv/x", "/*", "*x", "x/*", "/srv", "a"];
const DENIED: [&str; 9] = [
    "a b", "alf -x", "b ", " x ", "bet", "/srv/x", "f=/", "; gam", "| ",
];
const OPERATORS: [&str; 5] = ["; ", " && ", " || ", " | ", "\n"];

pub(crate) fn policy(random: &mut Random) -> Value {
    let mut rules: Vec<Value> = (0..=random.below(6)).map(|_| rule(random)).collect();
    if random.one_in(4) {
        // An open rule, so that deny rules and texts decide.
        rules.push(
            json!({"action": "allow", "commands": ["*", "/opt/*", "/opt/alf *", "/opt/bin/bet *"]}),
        );
    }
    let mut policy = Map::new();
    let texts = if random.one_in(5) {
        random.some(&DENIED, 2)
    } else {
        Vec::new()
    };
    policy.insert("limits".to_owned(), json!({"deny_substrings": texts}));
    if random.one_in(8) {
        policy.insert("mode".to_owned(), json!("simple"));
    }
    policy.insert("rules".to_owned(), Value::Array(rules));
    Value::Object(policy)
}

fn rule(random: &mut Random) -> Value {
    let mut rule = Map::new();
    let action = if random.one_in(5) { "deny" } else { "allow" };
    rule.insert("action".to_owned(), json!(action));
    if random.one_in(4) {
        let aliases = random.some(&["*", "web*", "web?", "we", "db*", "[!w]*", "web1"], 2);
        rule.insert("aliases".to_owned(), json!(aliases));
    }
    if random.one_in(4) {
        let tags = random.some(&["web", "d?", "x*", "*", "wEb"], 2);
        rule.insert("tags".to_owned(), json!(tags));
    }
    let shape = random.below(8);
    if shape < 4 {
        let patterns: Vec<String> = (0..=random.below(3)).map(|_| pattern(random)).collect();
        rule.insert("commands".to_owned(), json!(patterns));
    }
    if shape == 3 || shape == 4 || shape == 5 {
        rule.insert(
            "simple_binaries".to_owned(),
            json!(random.some(&PROGRAMS, 2)),
        );
        if random.one_in(2) {
            rule.insert("simple_max_args".to_owned(), json!(random.below(3)));
        }
    }
    if shape >= 6 {
        let prefix = random.below(3);
        rule.insert("binary".to_owned(), json!(random.of(&PROGRAMS)));
        let words: Vec<&str> = (0..prefix)
            .map(|_| random.of(&["a", "b", "-x", "/srv/x"]))
            .collect();
        rule.insert("arg_prefix".to_owned(), json!(words));
        if random.one_in(2) {
            // Also places where a path cannot stand: among the prefix, behind the end.
            let first = random.below(4);
            let indices: Vec<usize> = (first..=first + random.below(2)).collect();
            let patterns = random.some(&PATH_GLOBS, 2);
            rule.insert(
                "path_args".to_owned(),
                json!({"indices": indices, "patterns": patterns}),
            );
        }
        if random.one_in(2) {
            rule.insert("allow_extra_args".to_owned(), json!(random.one_in(3)));
        }
    }
    Value::Object(rule)
}

fn pattern(random: &mut Random) -> String {
    let mut words = vec![random.of(&PROGRAM_GLOBS)];
    for _ in 0..random.below(4) {
        words.push(random.of(&WORD_GLOBS));
    }
    words.join(if random.one_in(12) { "  " } else { " " })
}

/// One to three commands, most of them near a rule.
pub(crate) fn command(random: &mut Random, policy: &Value) -> String {
    let leaves = if random.one_in(4) {
        2 + random.below(2)
    } else {
        1
    };
    let mut line = String::new();
    for leaf in 0..leaves {
        if leaf > 0 {
            line.push_str(random.of(&OPERATORS));
        }
        let mut words = if random.one_in(6) {
            anything(random)
        } else {
            near(random, policy)
        };
        for _ in 0..random.below(3) {
            miss(random, &mut words);
        }
        line.push_str(&words.join(" "));
        if random.one_in(20) {
            line.push_str(random.of(&[" 2>/dev/null", " 2>&1", " </dev/null"]));
        }
    }
    line
}

fn anything(random: &mut Random) -> Vec<String> {
    let mut words = vec![random.of(&PROGRAMS).to_owned()];
    words.extend((0..random.below(4)).map(|_| random.of(&WORDS).to_owned()));
    words
}

/// A command that a rule is about.
fn near(random: &mut Random, policy: &Value) -> Vec<String> {
    let rules = policy["rules"].as_array().unwrap();
    let rule = &rules[random.below(rules.len())];
    let texts = |value: &Value| -> Vec<String> {
        let all = value.as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let patterns = texts(&rule["commands"]);
    let names = texts(&rule["simple_binaries"]);
    let mut words = Vec::new();
    if !patterns.is_empty() {
        let pattern = &patterns[random.below(patterns.len())];
        for (at, word) in pattern.split_whitespace().enumerate() {
            let word = filled(random, word, at == 0);
            words.push(word);
        }
    } else if !names.is_empty() {
        words.push(names[random.below(names.len())].clone());
        words.extend((0..random.below(3)).map(|_| random.of(&WORDS).to_owned()));
    } else {
        words.push(rule["binary"].as_str().unwrap().to_owned());
        words.extend(texts(&rule["arg_prefix"]));
        let globs = texts(&rule["path_args"]["patterns"]);
        if !globs.is_empty() {
            let glob = globs[random.below(globs.len())].clone();
            words.push(filled(random, &glob, false));
        }
    }
    words
}

/// A text that a word of a pattern may match.
fn filled(random: &mut Random, word: &str, program: bool) -> String {
    match (word, program) {
        ("*", true) => return random.of(&PROGRAMS[..4]).to_owned(),
        ("*", false) => return random.of(&WORDS).to_owned(),
        _ => {}
    }
    let mut text = word
        .replace("[ab]", "a")
        .replace("[!-]", "b")
        .replace("[!b]", "g");
    if program {
        text = text
            .replace("al?", "alf")
            .replace("g*", "gam")
            .replace("*a*", "gam");
        text = text
            .replace("/opt/*", "/opt/alf")
            .replace("*/alf", "/opt/alf")
            .replace("/*/", "/opt/");
        return text.replace('*', "");
    }
    let star = random.of(&["", "x", "a", "ab", "x/y", "../x"]);
    text.replace('*', star).replace('?', "x")
}

/// One change, so that the command may no longer be what the rule is about.
fn miss(random: &mut Random, words: &mut Vec<String>) {
    let at = random.below(words.len());
    match random.below(10) {
        0 => words.push(random.of(&WORDS).to_owned()),
        1 if words.len() > 1 => {
            words.remove(at);
        }
        2 => words[at] = random.of(&WORDS).to_owned(),
        3 => words[at].push(if random.one_in(2) { 'a' } else { 'x' }),
        4 => words[at] = format!("'{}'", words[at].replace('\'', "")),
        5 => words[0] = format!("/opt/{}", words[0]),
        6 => words[0] = words[0].rsplit('/').next().unwrap().to_owned(),
        7 => words[at] = words[at].replace("/srv", "/srv/."),
        8 => words[at] = words[at].replacen('/', "/q/../", 1),
        9 => words[at] = words[at].to_uppercase(),
        _ => {}
    }
}
