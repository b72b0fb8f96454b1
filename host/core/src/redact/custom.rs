//! Rules of the operator's own: checked and built from their specification, found by literals of theirs,
//! matched with the same matchers that the shipped rules use.
//!
//! Known limit: their literals are searched without case by one automaton, which is slower than the
//! search for the shipped ones; without own rules it is not run.

use super::blocks::BLOCK_BYTES_MAX;
use super::expression::{LITERAL_BYTES_MIN, expression};
use super::options::{
    OWN_RULES_MAX, OWN_TEXT_BYTES_MAX, OWN_TEXT_BYTES_MIN, OWN_WORDS_MAX, Pattern, RuleFault,
    RuleInfo, RuleSpec, Warning,
};
use super::scout::Hit;
use super::source::{Found, Label, Source, is_blank, is_word};
use super::stream::suspect;
use super::tokens::{Left, Token};
use super::values::{self, Form, Value, Written};
use super::{commands, headers, settings};
use aho_corasick::AhoCorasick;
use regex::bytes::Regex;

/// All rules of the operator's own.
#[derive(Debug, Default)]
pub(super) struct Customs {
    rules: Vec<Custom>,
    /// The searcher over all literals, and which rule each of them belongs to.
    search: Option<(AhoCorasick, Vec<usize>)>,
    /// Rules without a literal, which look at every line.
    slow: Vec<usize>,
}

#[derive(Debug)]
struct Custom {
    name: String,
    kind: String,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    Token(Token),
    Setting(Vec<String>),
    Header,
    Flag { programs: Vec<String>, flag: String },
    Word,
    Block { begin: String, end: String },
    Regex(Regex),
}

impl Custom {
    fn label(&self) -> Label<'_> {
        Label {
            rule: &self.name,
            kind: &self.kind,
        }
    }
}

/// Checks and builds the rules.
pub(super) fn build(
    specs: &[RuleSpec],
    known: &[RuleInfo],
) -> Result<(Customs, Vec<Warning>), Vec<RuleFault>> {
    let mut faults = Vec::new();
    let mut warnings = Vec::new();
    if specs.len() > OWN_RULES_MAX {
        faults.push(fault(
            "rules",
            format!(
                "expected at most {OWN_RULES_MAX} rules, got {}",
                specs.len()
            ),
            "",
        ));
    }
    let mut customs = Customs::default();
    let mut literals: Vec<(String, usize)> = Vec::new();
    for (index, spec) in specs.iter().enumerate().take(OWN_RULES_MAX) {
        let path = format!("rules[{index}]");
        let taken = known
            .iter()
            .map(|rule| rule.name.as_str())
            .chain(specs.iter().take(index).map(|spec| spec.name.as_str()));
        if taken.into_iter().any(|name| name == spec.name) {
            faults.push(fault(
                &format!("{path}.name"),
                format!("there is a rule {:?} already", spec.name),
                "choose another name",
            ));
        }
        for (key, text) in [("name", &spec.name), ("kind", &spec.kind)] {
            if !is_name(text) {
                let message =
                    format!("expected 1 to 48 lower-case letters, digits and dashes, got {text:?}");
                faults.push(fault(
                    &format!("{path}.{key}"),
                    message,
                    "for example `acme-ticket`",
                ));
            }
        }
        match matcher(spec, &path) {
            Ok((matcher, found_by)) => {
                let rule = customs.rules.len();
                if found_by.is_empty() {
                    customs.slow.push(rule);
                    warnings.push(Warning {
                        rule: spec.name.clone(),
                        message: format!(
                            "slow rule: no text of at least {LITERAL_BYTES_MIN} letters stands in every match, so every line is matched"
                        ),
                    });
                }
                literals.extend(found_by.into_iter().map(|literal| (literal, rule)));
                customs.rules.push(Custom {
                    name: spec.name.clone(),
                    kind: spec.kind.clone(),
                    matcher,
                });
            }
            Err(more) => faults.extend(more),
        }
    }
    if !literals.is_empty() {
        let (texts, owners): (Vec<String>, Vec<usize>) = literals.into_iter().unzip();
        match AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&texts)
        {
            Ok(search) => customs.search = Some((search, owners)),
            Err(error) => faults.push(fault(
                "rules",
                format!("the texts are too many to search for: {error}"),
                "",
            )),
        }
    }
    if faults.is_empty() {
        Ok((customs, warnings))
    } else {
        Err(faults)
    }
}

pub(super) fn fault(path: &str, message: String, hint: &str) -> RuleFault {
    RuleFault {
        path: path.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}

fn is_name(text: &str) -> bool {
    let letters = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (1..=48).contains(&text.len()) && letters && !text.starts_with('-') && !text.ends_with('-')
}

/// A text of a rule within its bounds and on one line.
fn checked(path: &str, key: &str, text: &str, least: usize) -> Option<RuleFault> {
    let fits = (least..=OWN_TEXT_BYTES_MAX).contains(&text.len()) && !text.contains('\n');
    (!fits).then(|| {
        let message = format!(
            "expected {least} to {OWN_TEXT_BYTES_MAX} bytes on one line, got {} bytes",
            text.len()
        );
        fault(
            &format!("{path}.{key}"),
            message,
            "a shorter text would stand in every line",
        )
    })
}

fn checked_list(path: &str, key: &str, texts: &[String]) -> Vec<RuleFault> {
    let mut faults: Vec<RuleFault> = Vec::new();
    if texts.is_empty() || texts.len() > OWN_WORDS_MAX {
        let message = format!("expected 1 to {OWN_WORDS_MAX} entries, got {}", texts.len());
        faults.push(fault(&format!("{path}.{key}"), message, ""));
    }
    faults.extend(
        texts
            .iter()
            .filter_map(|text| checked(path, key, text, OWN_TEXT_BYTES_MIN)),
    );
    faults
}

/// The matcher of a rule and the literals of which one stands in all that it finds.
fn matcher(spec: &RuleSpec, path: &str) -> Result<(Matcher, Vec<String>), Vec<RuleFault>> {
    let (matcher, literals, faults) = match &spec.pattern {
        Pattern::Token {
            prefix,
            body,
            least,
            border,
            checksum,
        } => {
            let mut faults: Vec<RuleFault> = checked(path, "prefix", prefix, OWN_TEXT_BYTES_MIN)
                .into_iter()
                .collect();
            if *least < 4 {
                faults.push(fault(
                    &format!("{path}.least"),
                    format!("expected at least 4 letters after the prefix, got {least}"),
                    "",
                ));
            }
            let token = Token {
                name: spec.name.clone(),
                kind: spec.kind.clone(),
                prefix: prefix.clone(),
                body: *body,
                least: *least,
                left: if *border { Left::Border } else { Left::Any },
                checksum: *checksum,
            };
            (Matcher::Token(token), vec![prefix.clone()], faults)
        }
        Pattern::Setting { words } => {
            let faults = checked_list(path, "words", words);
            let parts = words.iter().map(|word| {
                let parts = word.split(|c: char| !c.is_ascii_alphanumeric());
                parts
                    .max_by_key(|part| part.len())
                    .unwrap_or_default()
                    .to_owned()
            });
            (
                Matcher::Setting(words.iter().map(|word| joined(word)).collect()),
                parts.collect(),
                faults,
            )
        }
        Pattern::Header { names } => {
            let names: Vec<String> = names
                .iter()
                .map(|name| name.trim_end_matches(':').to_owned())
                .collect();
            (
                Matcher::Header,
                names.clone(),
                checked_list(path, "names", &names),
            )
        }
        Pattern::Flag { programs, flag } => {
            let mut faults = checked_list(path, "programs", programs);
            let dashes = flag.starts_with('-') && flag.len() > 1;
            if !dashes {
                faults.push(fault(
                    &format!("{path}.flag"),
                    format!("expected a flag that begins with a dash, got {flag:?}"),
                    "",
                ));
            }
            faults.extend(checked(path, "flag", flag, 2));
            let matcher = Matcher::Flag {
                programs: programs.clone(),
                flag: flag.clone(),
            };
            (matcher, vec![format!(" {flag}")], faults)
        }
        Pattern::Word { text } => (
            Matcher::Word,
            vec![text.clone()],
            checked(path, "text", text, OWN_TEXT_BYTES_MIN)
                .into_iter()
                .collect(),
        ),
        Pattern::Block { begin, end } => {
            let ends = [("begin", begin), ("end", end)];
            let faults = ends
                .into_iter()
                .filter_map(|(key, text)| checked(path, key, text, OWN_TEXT_BYTES_MIN))
                .collect();
            let matcher = Matcher::Block {
                begin: begin.clone(),
                end: end.clone(),
            };
            (matcher, vec![begin.clone()], faults)
        }
        Pattern::Regex { pattern } => {
            let (regex, literals) = expression(pattern, path).map_err(|fault| vec![fault])?;
            (Matcher::Regex(regex), literals, Vec::new())
        }
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    if literals
        .iter()
        .any(|literal| literal.len() < OWN_TEXT_BYTES_MIN)
        && !literals.is_empty()
        && !matches!(matcher, Matcher::Regex(_))
    {
        let message = format!(
            "expected a part of at least {OWN_TEXT_BYTES_MIN} letters or digits in each word"
        );
        return Err(vec![fault(path, message, "")]);
    }
    Ok((matcher, literals))
}

/// A word or name without its separators, in lower case.
fn joined(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

impl Customs {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Where the rules may find something.
    pub(super) fn hits(&self, text: &str, hits: &mut Vec<Hit>) {
        if let Some((search, _)) = &self.search {
            // One look at a line is enough.
            let mut at = 0;
            while let Some(hit) = search.find(aho_corasick::Input::new(text).range(at..)) {
                hits.push(suspect(hit.start()));
                let rest = text.as_bytes().get(hit.end()..).unwrap_or_default();
                at = memchr::memchr(b'\n', rest).map_or(text.len(), |length| hit.end() + length);
            }
        }
        for rule in self.slow.iter().filter_map(|index| self.rules.get(*index)) {
            let Matcher::Regex(regex) = &rule.matcher else {
                continue;
            };
            let mut at = 0;
            for line in text.split_inclusive('\n') {
                if let Some(found) = regex.find(line.trim_end_matches('\n').as_bytes()) {
                    hits.push(suspect(at + found.start()));
                }
                at += line.len();
            }
        }
    }

    /// A block that begins in a text and does not end there.
    pub(super) fn left_open(&self, text: &str) -> Option<(usize, Label<'_>, &str)> {
        self.rules.iter().find_map(|rule| {
            let Matcher::Block { begin, end } = &rule.matcher else {
                return None;
            };
            let mut at = 0;
            while let Some(start) = text.get(at..)?.find(begin.as_str()).map(|start| at + start) {
                let after = start + begin.len();
                match text.get(after..)?.find(end.as_str()) {
                    Some(length) => at = after + length + end.len(),
                    None => return Some((start, rule.label(), end.as_str())),
                }
            }
            None
        })
    }

    /// All that the rules find in a text.
    pub(super) fn scan<'r>(&'r self, source: Source<'_>, found: &mut Vec<Found<'r>>) {
        // How far each rule has covered the text: it is not asked again about what it has read.
        let mut covered = vec![0_usize; self.rules.len()];
        if let Some((search, owners)) = &self.search {
            for hit in search.find_overlapping_iter(source.bytes()) {
                if let Some(owner) = owners.get(hit.pattern().as_usize()) {
                    self.ask(source, *owner, hit.start(), hit.end(), &mut covered, found);
                }
            }
        }
        for owner in &self.slow {
            let mut at = 0;
            while at < source.len() {
                let end = source.run(at, source.len(), |byte| byte != b'\n');
                self.ask(source, *owner, at, at, &mut covered, found);
                at = end + 1;
            }
        }
    }

    fn ask<'r>(
        &'r self,
        source: Source<'_>,
        owner: usize,
        start: usize,
        end: usize,
        covered: &mut [usize],
        found: &mut Vec<Found<'r>>,
    ) {
        let (Some(rule), Some(covered)) = (self.rules.get(owner), covered.get_mut(owner)) else {
            return;
        };
        if start < *covered {
            return;
        }
        let first = found.len();
        let read = rule.at(source, start, end, found);
        let last = found
            .get(first..)
            .unwrap_or_default()
            .iter()
            .map(|found| found.end)
            .max();
        *covered = read.max(last.unwrap_or(0));
    }
}

impl Custom {
    /// What the rule finds where its literal stands, and how far it need not be asked again.
    fn at<'r>(
        &'r self,
        source: Source<'_>,
        start: usize,
        end: usize,
        found: &mut Vec<Found<'r>>,
    ) -> usize {
        let label = self.label();
        let hit = match &self.matcher {
            Matcher::Token(token) => token.at(source, start),
            Matcher::Setting(words) => {
                let is_one = |name: &str| {
                    let name = joined(name);
                    words.iter().any(|word| name.contains(word))
                };
                let (hit, read) = settings::named(source, start, label, is_one);
                found.extend(hit);
                return read;
            }
            Matcher::Header => header(source, start, end, label),
            Matcher::Flag { programs, flag } => flagged(source, start + 1, flag, programs, label),
            Matcher::Word => word_after(source, start, end, label),
            Matcher::Block { begin, end: close } => block(source, start, begin, close, label),
            Matcher::Regex(regex) => {
                let from = source.line_start(start, source.len());
                let to = source.line_end(start, source.len());
                for captures in regex.captures_iter(source.slice(from, to)) {
                    let part = captures.name("secret").or_else(|| captures.get(0));
                    found.extend(part.and_then(|part| {
                        Found::new(from + part.start(), from + part.end(), label)
                    }));
                }
                return to;
            }
        };
        found.extend(hit);
        start + 1
    }
}

/// A value that stands for itself, or none.
fn real<'r>(source: Source<'_>, start: usize, end: usize, label: Label<'r>) -> Option<Found<'r>> {
    let value = Value {
        start,
        end,
        form: Form::Quoted,
    };
    if values::is_placeholder(source, value, Written::Environment) {
        return None;
    }
    Found::new(start, end, label)
}

fn header<'r>(source: Source<'_>, start: usize, end: usize, label: Label<'r>) -> Option<Found<'r>> {
    let joined = |byte: u8| is_word(byte) || byte == b'-';
    if joined(source.before(start)) || joined(source.at(end)) {
        return None;
    }
    let (from, to) = headers::header_value(source, start, end)?;
    real(source, from, to, label)
}

/// The value of a flag at `start` where its line names one of the programs before it.
fn flagged<'r>(
    source: Source<'_>,
    start: usize,
    flag: &str,
    programs: &[String],
    label: Label<'r>,
) -> Option<Found<'r>> {
    let after = start + flag.len();
    let from = match source.at(after) {
        b'=' => after + 1,
        b' ' | b'\t' => source.run(after, 64, is_blank),
        _ => return None,
    };
    let line = source.line_start(start, commands::LINE_BYTES_MAX);
    let ends = |byte: char| {
        byte.is_whitespace() || matches!(byte, '|' | ';' | '&' | '(' | '"' | '\'' | '`')
    };
    let named = source.str(line, start).split(ends).any(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        programs.iter().any(|program| program == name)
    });
    if !named {
        return None;
    }
    let (from, to) = word_at(source, from);
    real(source, from, to, label)
}

fn word_after<'r>(
    source: Source<'_>,
    start: usize,
    end: usize,
    label: Label<'r>,
) -> Option<Found<'r>> {
    if is_word(source.before(start)) && is_word(source.at(start)) {
        return None;
    }
    let sign = |byte: u8| is_blank(byte) || matches!(byte, b'=' | b':');
    let from = source.run(end, 64, sign);
    if from == end && is_word(source.before(end)) {
        return None;
    }
    let (from, to) = word_at(source, from);
    real(source, from, to, label)
}

/// A quoted text or a word.
fn word_at(source: Source<'_>, from: usize) -> (usize, usize) {
    match values::quoted(source, from) {
        Some(value) => (value.start, value.end),
        None => (
            from,
            source.run(from, values::VALUE_BYTES_MAX, |byte| {
                byte > b' ' && byte != b';'
            }),
        ),
    }
}

fn block<'r>(
    source: Source<'_>,
    start: usize,
    begin: &str,
    close: &str,
    label: Label<'r>,
) -> Option<Found<'r>> {
    if !source.has(start, begin) {
        return None;
    }
    let end = source
        .find(start + begin.len(), BLOCK_BYTES_MAX, close)
        .map_or(source.len().min(start + BLOCK_BYTES_MAX), |at| {
            at + close.len()
        });
    Found::new(start, end, label)
}
