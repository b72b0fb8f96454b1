//! The plain evaluator.

use portcullis_core::request::CommandLine;
use portcullis_core::shell::{Leaf, Script, Word};
use serde_json::Value;

/// Whether a policy allows a whole script on a host.
pub(crate) fn allows(
    policy: &Value,
    alias: &str,
    tags: &[&str],
    line: &CommandLine,
    script: &Script,
) -> bool {
    let rules = list(&policy["rules"]);
    let in_scope: Vec<&Value> = rules
        .into_iter()
        .filter(|rule| {
            let (aliases, wanted) = (texts(&rule["aliases"]), texts(&rule["tags"]));
            (aliases.is_empty() || aliases.iter().any(|glob| fnmatch(glob, alias)))
                && (wanted.is_empty()
                    || tags
                        .iter()
                        .any(|tag| wanted.iter().any(|glob| fnmatch(glob, tag))))
        })
        .collect();
    let denied = texts(&policy["limits"]["deny_substrings"]);
    let whole = line.as_str();
    let single = policy["mode"] != "simple" || script.is_single();
    single
        && !tripped(&denied, whole, &[normalised(whole)])
        && script.leaves().iter().all(|leaf| {
            let argv: Vec<&str> = leaf.words.iter().map(|word| word.text.as_str()).collect();
            let source = leaf.source(whole);
            let forms = [normalised(source), leaf.canonical(), argv.join(" ")];
            !tripped(&denied, source, &forms)
                && !in_scope
                    .iter()
                    .any(|rule| rule["action"] == "deny" && hits(rule, leaf))
                && in_scope
                    .iter()
                    .any(|rule| rule["action"] == "allow" && covers(rule, &leaf.words))
        })
}

fn list(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map(|all| all.iter().collect())
        .unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    list(value)
        .into_iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

// Texts that deny: a part of the written text or of a form, or a whole word of a form.

fn tripped(texts: &[&str], written: &str, forms: &[String]) -> bool {
    texts.iter().any(|text| {
        let in_form =
            |form: &String| form.contains(text) || form.split(' ').any(|word| word == text.trim());
        written.contains(text) || forms.iter().any(in_form)
    })
}

fn normalised(text: &str) -> String {
    let mut plain = String::new();
    let mut escaped = false;
    for c in text.chars().filter(|c| *c != '\'' && *c != '"') {
        match c {
            '\\' if !escaped => escaped = true,
            c => {
                plain.push(c);
                escaped = false;
            }
        }
    }
    if escaped {
        plain.push('\\');
    }
    plain.split_whitespace().collect::<Vec<&str>>().join(" ")
}

// Allow rules: strictly, word by word.

fn covers(rule: &Value, words: &[Word]) -> bool {
    let known = words.iter().all(|word| !word.is_unknown());
    texts(&rule["commands"]).iter().any(|pattern| {
        let pattern: Vec<&str> = pattern.split_whitespace().collect();
        strict(&pattern, words, 0)
    }) || known && (simple(rule, words, false) || structured(rule, words))
}

/// Whether the words from `at` on are what the pattern says from there on.
fn strict(pattern: &[&str], words: &[Word], at: usize) -> bool {
    let last = at + 1 == pattern.len();
    match (pattern.get(at), words.get(at)) {
        (None, None) => true,
        // A last `*` is one or more words, and behind the program alone also none.
        (Some(&"*"), word) if last && at > 0 => word.is_some() || at == 1,
        (Some(own), Some(word)) => {
            let stem = own.trim_end_matches('*');
            let open = stem.len() < own.len();
            let border = at == 0 && open && !stem.is_empty() && !stem.ends_with('/');
            let own_word = if border { stem } else { own };
            let fits = if at == 0 {
                program_fits(own_word, word)
            } else {
                word_fits(own_word, word)
            };
            // A `*` at the end of the last word spans the words behind it, unless it is in a path.
            let spans = last && open && (border || !own.contains('/'));
            fits && (spans || strict(pattern, words, at + 1))
        }
        _ => false,
    }
}

fn program_fits(own: &str, word: &Word) -> bool {
    if !own.contains(['*', '?', '[']) {
        return !word.is_unknown() && own == word.text;
    }
    let spelled = own.split(['*', '?', '[']).next().unwrap();
    let placed = match own.contains('/') {
        true => spelled.contains('/'),
        false => !word.text.contains('/'),
    };
    placed && word_fits(own, word)
}

fn word_fits(own: &str, word: &Word) -> bool {
    let text = word.text.as_str();
    let literal = !own.contains(['*', '?', '[']);
    match (word.is_unknown(), own.contains('/')) {
        (true, _) => false,
        (_, false) => fnmatch(own, text),
        (_, true) if literal && own == text => true,
        (_, true) => !climbs(text) && fnmatch(own, &normal_path(text)),
    }
}

fn simple(rule: &Value, words: &[Word], loosely: bool) -> bool {
    let few = rule["simple_max_args"]
        .as_u64()
        .is_none_or(|most| words.len() as u64 - 1 <= most);
    let names = texts(&rule["simple_binaries"]);
    few && names
        .iter()
        .any(|name| is_program(&words[0].text, name, loosely))
}

fn is_program(text: &str, name: &str, loosely: bool) -> bool {
    text == name || loosely && base(text) == base(name)
}

fn structured(rule: &Value, words: &[Word]) -> bool {
    let Some(binary) = rule["binary"].as_str() else {
        return false;
    };
    let prefix = texts(&rule["arg_prefix"]);
    let placed = indices(rule).into_iter().all(|index| {
        words.get(index).is_some_and(|word| {
            let globs = texts(&rule["path_args"]["patterns"]);
            !climbs(&word.text)
                && globs
                    .iter()
                    .any(|glob| fnmatch(glob, &normal_path(&word.text)))
        })
    });
    words[0].text == binary
        && (prefix.iter().enumerate())
            .all(|(at, own)| words.get(at + 1).is_some_and(|word| word.text == *own))
        && placed
        && no_extra(rule, prefix.len(), words.len() - 1)
}

fn indices(rule: &Value) -> Vec<usize> {
    let given = list(&rule["path_args"]["indices"]);
    given
        .into_iter()
        .map(|index| index.as_u64().unwrap() as usize)
        .collect()
}

/// Without extra arguments each one is of the prefix or at a place for a path.
fn no_extra(rule: &Value, prefix: usize, arguments: usize) -> bool {
    let indices = indices(rule);
    rule["allow_extra_args"] != false
        || arguments >= prefix && (prefix + 1..=arguments).all(|at| indices.contains(&at))
}

// Deny rules: loosely, over every text that could be meant.

fn hits(rule: &Value, leaf: &Leaf) -> bool {
    let words = &leaf.words;
    let unknown = words.iter().any(Word::is_unknown);
    let forms = forms(leaf);
    texts(&rule["commands"]).iter().any(|pattern| {
        let words_of: Vec<&str> = pattern.split_whitespace().collect();
        let mut own = vec![(*pattern).to_owned(), words_of.join(" ")];
        let program = words_of[0];
        if !base(program).contains(['*', '?', '[']) {
            let mut named = words_of.clone();
            named[0] = base(program);
            own.push(named.join(" "));
        }
        own.iter()
            .any(|own| forms.iter().any(|form| matches(&tokens(own), form)))
            || strict(&words_of, words, 0)
    }) || simple(rule, words, true)
        || structured_hits(rule, words, unknown)
}

fn structured_hits(rule: &Value, words: &[Word], unknown: bool) -> bool {
    let Some(binary) = rule["binary"].as_str() else {
        return false;
    };
    let prefix = texts(&rule["arg_prefix"]);
    for (at, own) in prefix.iter().enumerate() {
        match words.get(at + 1) {
            // From here on the words may be anything.
            Some(word) if word.is_unknown() => return is_program(&words[0].text, binary, true),
            Some(word) if word.text == *own => {}
            _ => return false,
        }
    }
    let globs = texts(&rule["path_args"]["patterns"]);
    let placed = indices(rule).into_iter().all(|index| {
        words.get(index).is_some_and(|word| {
            let path = normal_path(&word.text);
            let mut forms = vec![known(&path), known(without_slash(&path)), known(&word.text)];
            if climbs(&word.text) {
                forms.extend(somewhere("", &word.text));
            }
            globs
                .iter()
                .any(|glob| forms.iter().any(|form| matches(&tokens(glob), form)))
        })
    });
    is_program(&words[0].text, binary, true)
        && (unknown || placed && no_extra(rule, prefix.len(), words.len() - 1))
}

/// A character of a text, or what is not known of it.
#[derive(Clone)]
enum Sign {
    One(char),
    Anything,
    Somewhere,
}

fn known(text: &str) -> Vec<Sign> {
    text.chars().map(Sign::One).collect()
}

/// The text of a relative path that climbs: its end, below a directory that is not known.
fn somewhere(before: &str, path: &str) -> Option<Vec<Sign>> {
    if path.starts_with('/') {
        return None;
    }
    let parts: Vec<&str> = path.split('/').collect();
    let climbing = |part: &&str| matches!(*part, "" | "." | "..");
    let start = parts.iter().rposition(climbing).map_or(0, |at| at + 1);
    let mut signs = known(before);
    signs.push(Sign::Somewhere);
    signs.extend(known(&parts[start..].join("/")));
    Some(signs)
}

/// The canonical text, the words joined, and these with the program by its name and plain paths.
fn forms(leaf: &Leaf) -> Vec<Vec<Sign>> {
    let joined = |spell: &dyn Fn(usize, &str) -> Vec<Sign>| {
        let mut signs = Vec::new();
        for (at, word) in leaf.words.iter().enumerate() {
            if at > 0 {
                signs.push(Sign::One(' '));
            }
            match word.is_unknown() {
                true => signs.push(Sign::Anything),
                false => signs.extend(spell(at, &word.text)),
            }
        }
        signs
    };
    let reduced = |at: usize, text: &str| {
        let (option, path) = match text.split_once('=') {
            Some((option, path)) if text.starts_with('-') => (format!("{option}="), path),
            _ => (String::new(), text),
        };
        match (at, climbs(path)) {
            (0, _) => known(base(text)),
            (_, true) if !path.starts_with('/') => somewhere(&option, path).unwrap(),
            _ => {
                let (before, path) = text.split_at(text.find('/').unwrap_or(text.len()));
                let path = format!("{before}{}", normal_path(path));
                known(without_slash(&path))
            }
        }
    };
    let mut all = vec![joined(&|_, text| known(text)), joined(&reduced)];
    if leaf.words.iter().all(|word| !word.is_unknown()) {
        all.push(known(&leaf.canonical()));
    }
    all
}

// Paths as texts.

fn base(text: &str) -> &str {
    text.split('/')
        .rfind(|part| !part.is_empty())
        .unwrap_or(text)
}

fn climbs(text: &str) -> bool {
    text.split('/').any(|part| part == "..")
}

fn without_slash(path: &str) -> &str {
    if path.len() > 1 {
        path.strip_suffix('/').unwrap_or(path)
    } else {
        path
    }
}

fn normal_path(text: &str) -> String {
    if !text.starts_with('/') {
        return text.to_owned();
    }
    let mut parts = Vec::new();
    for part in text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let last = text.rsplit('/').next().unwrap();
    let directory = matches!(last, "" | "." | "..") && !parts.is_empty();
    format!("/{}{}", parts.join("/"), if directory { "/" } else { "" })
}

// Globs, from the end backwards: whether the rest of the pattern matches the rest of the text.

enum Token {
    Run,
    One(Box<dyn Fn(char) -> bool>),
}

fn fnmatch(pattern: &str, text: &str) -> bool {
    matches(&tokens(pattern), &known(text))
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut rest = pattern;
    let mut tokens = Vec::new();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        tokens.push(match c {
            '*' => Token::Run,
            '?' => Token::One(Box::new(|_| true)),
            '[' => {
                let negated = rest.starts_with('!');
                let from = usize::from(negated);
                // A `]` right at the beginning is a member.
                let close = rest.char_indices().find(|(at, c)| *at > from && *c == ']');
                let Some((close, _)) = close else {
                    tokens.push(Token::One(Box::new(|c| c == '[')));
                    continue;
                };
                let members: Vec<char> = rest[from..close].chars().collect();
                rest = &rest[close + 1..];
                Token::One(Box::new(move |c| in_set(&members, c) != negated))
            }
            other => Token::One(Box::new(move |c| c == other)),
        });
    }
    tokens
}

fn in_set(members: &[char], c: char) -> bool {
    match members {
        [] => false,
        [low, '-', high, rest @ ..] => (*low <= c && c <= *high) || in_set(rest, c),
        [one, rest @ ..] => *one == c || in_set(rest, c),
    }
}

fn matches(pattern: &[Token], text: &[Sign]) -> bool {
    // Whether the pattern from each place on matches what comes behind the sign that is looked at.
    let mut behind: Vec<bool> = (0..=pattern.len())
        .map(|at| {
            pattern[at..]
                .iter()
                .all(|token| matches!(token, Token::Run))
        })
        .collect();
    for sign in text.iter().rev() {
        behind = match sign {
            Sign::One(c) => one(pattern, &behind, *c),
            Sign::Anything => anything(&behind),
            Sign::Somewhere => {
                let directory = one(pattern, &anything(&behind), '/');
                behind.iter().zip(directory).map(|(a, b)| *a || b).collect()
            }
        };
    }
    behind[0]
}

fn anything(behind: &[bool]) -> Vec<bool> {
    (0..behind.len())
        .map(|at| behind[at..].contains(&true))
        .collect()
}

fn one(pattern: &[Token], behind: &[bool], c: char) -> Vec<bool> {
    let mut now = vec![false; behind.len()];
    for (at, token) in pattern.iter().enumerate().rev() {
        now[at] = match token {
            Token::Run => now[at + 1] || behind[at],
            Token::One(takes) => takes(c) && behind[at + 1],
        };
    }
    now
}
