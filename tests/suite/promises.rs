//! SECURITY.md against the code: a row whose test does not exist is a broken promise, a limit with another value is
//! a wrong one, and an incident is no time to find out that a command does not exist.

use portcullis_tests::{portcullis, repository, rust_files};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

/// The documents whose console blocks an operator types from.
const DOCUMENTS: [&str; 3] = ["SECURITY.md", "README.md", "config/README.md"];

/// Every function of every test source, Rust and Python.
pub(crate) fn tests() -> BTreeSet<String> {
    let root = repository();
    let mut names = BTreeSet::new();
    let mut sources = rust_files(&root.join("host"));
    sources.extend(rust_files(&root.join("tests")));
    sources.extend(rust_files(&root.join("plugins")));
    sources.extend(
        fs::read_dir(root.join("tests/python"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "py")),
    );
    for source in sources {
        for line in fs::read_to_string(&source).unwrap().lines() {
            let line = line.trim_start().trim_start_matches("async ");
            for keyword in ["fn ", "def "] {
                if let Some(rest) = line.strip_prefix(keyword) {
                    let name: String = rest
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                        .collect();
                    names.insert(name);
                }
            }
        }
    }
    names
}

fn security() -> String {
    fs::read_to_string(repository().join("SECURITY.md")).unwrap()
}

/// The rows of the table between two marks, each with as many cells as the table has columns.
fn table(text: &str, mark: &str, columns: usize) -> Vec<Vec<String>> {
    let mark = format!("<!-- {mark} -->");
    let mut parts = text.split(&mark);
    let table = parts.nth(1).unwrap_or_else(|| panic!("no {mark}"));
    assert_eq!(parts.count(), 1, "{mark} stands on both sides of its table");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| {
        let cells: Vec<String> = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
            .unwrap_or(line)
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        assert_eq!(cells.len(), columns, "{line}");
        cells
    })
    .collect()
}

fn spans(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Checks the standing and the tests of a table's rows. `bare` are the standings that need no test.
fn broken(
    rows: &[Vec<String>],
    standing: Option<(usize, &[&str])>,
    bare: &[&str],
    tests: &BTreeSet<String>,
) -> Vec<String> {
    let mut broken = Vec::new();
    for row in rows {
        let shown = row.first().unwrap();
        let word = standing.map(|(column, allowed)| {
            let word = row[column].as_str();
            if !allowed.contains(&word) {
                broken.push(format!("{word:?} is no standing: {shown}"));
            }
            word
        });
        let named = spans(row.last().unwrap());
        let needs = !word.is_some_and(|word| bare.contains(&word));
        if needs && named.is_empty() {
            broken.push(format!("no test is named: {shown}"));
        }
        if !needs && !named.is_empty() {
            broken.push(format!("a test is named for what is not claimed: {shown}"));
        }
        for name in named {
            if !tests.contains(name) {
                broken.push(format!("{name} does not exist: {shown}"));
            }
        }
    }
    broken
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let rows = table(&security(), "promises", 4);
    let standings = [
        "kept",
        "kept more strictly",
        "translated",
        "declined",
        "open",
    ];
    let mut wrong = broken(
        &rows,
        Some((1, &standings)),
        &["declined", "open"],
        &tests(),
    );
    for row in &rows {
        // Every other standing than `kept` differs from the promise, so it has to say how.
        if row[1] != "kept" && row[2].is_empty() {
            wrong.push(format!("what it means here is not said: {}", row[0]));
        }
    }
    let names: BTreeSet<&String> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(names.len(), rows.len(), "a promise stands twice");
    assert!(rows.len() >= 120, "only {} promises were read", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_threat_and_every_item_of_a_framework_names_tests_that_exist() {
    let (text, tests) = (security(), tests());
    let threats = table(&text, "threats", 4);
    assert_eq!(threats.len(), 6, "the seed system names six");
    let mut wrong = broken(&threats, None, &[], &tests);
    let items = table(&text, "frameworks", 4);
    assert!(items.len() >= 40, "{} items", items.len());
    let fits = ["fits", "in part", "no"];
    wrong.extend(broken(&items, Some((1, &fits)), &["no"], &tests));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The bounds of the host's sources by name, with their values.
fn limits() -> BTreeMap<String, u128> {
    let mut limits = BTreeMap::new();
    for file in rust_files(&repository().join("host")) {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let line = line.trim_start();
            let line = line
                .strip_prefix("pub ")
                .or_else(|| line.strip_prefix("pub(super) "))
                .or_else(|| line.strip_prefix("pub(crate) "))
                .unwrap_or(line);
            let Some((name, rest)) = line
                .strip_prefix("const ")
                .and_then(|rest| rest.split_once(": "))
            else {
                continue;
            };
            let value = rest.split_once(" = ").map_or("", |(_, value)| value);
            let digits = value.trim_end_matches(';').replace('_', "");
            if let Ok(value) = digits.parse() {
                limits.insert(name.to_owned(), value);
            }
        }
    }
    limits
}

/// A value as the document writes it, in the unit that the limit's name ends in.
fn value(name: &str, text: &str) -> u128 {
    let mut words = text.split_whitespace();
    let number: u128 = words
        .next()
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap_or_else(|_| panic!("{name}: {text:?} is no number"));
    let factor = match words.next().unwrap_or_default() {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "day" | "days" => 86_400,
        "s" if name.contains("_MS_") => 1_000,
        _ => 1,
    };
    number * factor
}

#[test]
fn the_limits_of_the_document_are_those_of_the_code() {
    let (text, code) = (security(), limits());
    let part = text.split("## Limits by name").nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let mut seen = 0;
    for row in part
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").collect::<Vec<_>>())
    {
        let names = spans(row[0]);
        let values: Vec<&str> = row[1].trim().split(", ").collect();
        assert_eq!(names.len(), values.len(), "{row:?}");
        // A unit that stands once, behind the last value, holds for all.
        let unit = values
            .last()
            .unwrap()
            .split_once(' ')
            .map_or("", |(_, unit)| unit);
        for (name, text) in names.iter().zip(&values) {
            let text = if text.contains(' ') {
                (*text).to_owned()
            } else {
                format!("{text} {unit}")
            };
            let held = code
                .get(*name)
                .unwrap_or_else(|| panic!("{name} is no bound of the code"));
            assert_eq!(*held, value(name, &text), "{name} is {text:?} there");
            seen += 1;
        }
    }
    assert!(seen >= 25, "only {seen} limits were read");
}

/// The calls of `portcullis` in a line that is meant for a shell, each with its words: pipes, lists and quotes are
/// understood, redirections and comments end a call.
fn calls(line: &str) -> Vec<Vec<String>> {
    let (mut calls, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let (mut quote, mut ended) = (None, false);
    for c in line.chars().chain(['\n']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => {
                calls.push(std::mem::take(&mut words));
                break;
            }
            (None, ' ' | '|' | ';' | '&' | '>' | '<' | '\n') => {
                // A digit that touches a redirection belongs to it.
                let touching = c == '>'
                    && word
                        .as_deref()
                        .is_some_and(|word| word == "2" || word == "1");
                match word.take() {
                    Some(word) if !ended && !touching => words.push(word),
                    _ => {}
                }
                ended |= matches!(c, '>' | '<');
                if matches!(c, '|' | ';' | '&' | '\n') {
                    calls.push(std::mem::take(&mut words));
                    ended = false;
                }
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "an open quote: {line}");
    calls
        .into_iter()
        .filter(|words| words.first().is_some_and(|word| word == "portcullis"))
        .collect()
}

/// Every call that the documents tell an operator to make: lines of console blocks, and spans in the text.
fn documented() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(repository().join(document)).unwrap();
        let mut block = false;
        for line in text.lines() {
            let trimmed = line.trim_start();
            if trimmed.starts_with("```") {
                block = !block && trimmed.starts_with("```console");
                continue;
            }
            let lines: Vec<&str> = if block {
                trimmed.strip_prefix("$ ").into_iter().collect()
            } else {
                spans(line)
            };
            for line in lines {
                for words in calls(line) {
                    found.push((format!("{document}: {line}"), words));
                }
            }
        }
    }
    found
}

/// A call is parsed to its last word where help is asked for behind it: an unknown verb, option or value is a fault
/// before that, and nothing is done.
#[test]
fn every_command_of_the_documents_is_one_that_exists() {
    let calls = documented();
    assert!(calls.len() >= 12, "only these calls were read: {calls:?}");
    let parses = |words: &[String]| {
        Command::new(portcullis())
            .args(&words[1..])
            .arg("--help")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    for (place, words) in &calls {
        assert!(parses(words), "{place}: {words:?}");
    }
    for unknown in [
        "portcullis adit verify",
        "portcullis audit verify --expected-seq 1",
        "portcullis check --format yaml",
    ] {
        let words: Vec<String> = unknown.split(' ').map(ToOwned::to_owned).collect();
        assert!(!parses(&words), "{unknown} was not noticed");
    }
}
